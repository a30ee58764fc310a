"""Dates, durations and units of time: one calendar for the whole package.

Time is counted in days. A unit is a fixed number of days, so that conversion never depends on the
calendar: "D" 1, "W" 7, "M" 30.4375 (a twelfth of a year), "Y" 365.25.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np

from clvmodel.errors import UnitError

DAYS_IN_UNIT = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
UNIT_NAMES = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}
DAYS_PER_YEAR = DAYS_IN_UNIT["Y"]

_DURATION = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*")
_ISO_DATE = re.compile(r"\s*\d{4}-\d{1,2}-\d{1,2}")


def days_in(unit: str) -> float:
    """Days in one `unit` ("D", "W", "M" or "Y").

    >>> days_in("W")
    7.0
    """
    if not isinstance(unit, str) or unit not in DAYS_IN_UNIT:
        raise UnitError(
            f"unit == {unit!r}, must be one of 'D' (days), 'W' (weeks), 'M' (30.4375 days), "
            "'Y' (365.25 days)."
        )
    return DAYS_IN_UNIT[unit]


def parse_duration(text: str, argument: str = "horizon") -> float:
    """Days in a duration such as "365D", "52W", "12M" or "2Y".

    >>> parse_duration("52W")
    364.0
    """
    match = _DURATION.fullmatch(text)
    unit = match[2] if match else ""
    unit = unit if unit == "m" else unit.upper()  # "30m" could be minutes: months are "M"
    if not match or unit not in DAYS_IN_UNIT:
        raise UnitError(
            f"{argument} == {text!r} is neither a duration such as '365D', '52W', '12M' or '2Y' "
            "nor a date such as '2026-12-31'."
        )
    return float(match[1]) * DAYS_IN_UNIT[unit]


def parse_date(value: Any, argument: str = "end") -> dt.date:
    """Return the calendar day of an ISO string, date, datetime, Timestamp or datetime64.

    >>> parse_date("1997-09-30")
    datetime.date(1997, 9, 30)
    """
    if isinstance(value, dt.datetime) and value == value:  # NaT is a datetime, unlike itself
        return value.date()
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, np.datetime64) and not np.isnat(value):
        return dt.date.fromisoformat(str(value.astype("datetime64[D]")))
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value.strip()).date()
        except ValueError:
            pass
    raise UnitError(f"{argument} == {value!r} is not a date; write it as '2026-12-31'.")


def _is_date(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_ISO_DATE.match(value))
    return isinstance(value, dt.date | np.datetime64)


def duration_in_days(value: Any, unit: str = "D", argument: str = "horizon") -> float:
    """Days in a duration string, timedelta, timedelta64, or a number of `unit`s; positive.

    >>> duration_in_days(2, unit="W")
    14.0
    """
    if isinstance(value, str):
        days = parse_duration(value, argument)
    elif isinstance(value, dt.timedelta):
        days = value / dt.timedelta(days=1)
    elif isinstance(value, np.timedelta64):
        days = float(value / np.timedelta64(1, "D"))
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        days = float(value) * days_in(unit)
    else:
        raise UnitError(
            f"{argument} == {value!r} is not a duration; write it as '365D', '52W', '12M', a "
            f"timedelta, or a number of {UNIT_NAMES[unit]}."
        )
    if not (days > 0 and np.isfinite(days)):
        raise UnitError(f"{argument} == {value!r}, must be finite and longer than nothing.")
    return days


def horizon_in_days(
    horizon: Any, unit: str, end: dt.date | None, argument: str = "horizon"
) -> float:
    """Days from the end of observation to `horizon`, a duration, a date or a number of `unit`s.

    Raises UnitError if it cannot be read, is not after `end`, or is a date and `end` is unknown.

    >>> horizon_in_days("1998-06-30", "W", dt.date(1997, 9, 30))
    273.0
    """
    if not _is_date(horizon):
        return duration_in_days(horizon, unit, argument)
    day = parse_date(horizon, argument)
    if end is None:
        raise UnitError(f"{argument} == {horizon!r} is a date, but these data carry no end date.")
    if day <= end:
        raise UnitError(f"{argument} == {horizon!r}, must lie after the end of observation, {end}.")
    return float((day - end).days)
