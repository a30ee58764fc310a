import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodel import UnitError
from clvmodel.units import (
    DAYS_IN_UNIT,
    UNIT_NAMES,
    days_in,
    duration_in_days,
    horizon_in_days,
    parse_date,
    parse_duration,
)

END = dt.date(1997, 9, 30)
DAY = dt.date(2026, 2, 28)


def test_units_are_fixed_numbers_of_days():
    assert DAYS_IN_UNIT == {"D": 1, "W": 7, "M": 365.25 / 12, "Y": 365.25}
    assert set(UNIT_NAMES) == set(DAYS_IN_UNIT)
    assert [days_in(unit) for unit in DAYS_IN_UNIT] == list(DAYS_IN_UNIT.values())


@pytest.mark.parametrize("unit", ["d", "", "days", "Q", "7", "D ", None, 7])
def test_unknown_units_are_refused_with_the_list(unit):
    with pytest.raises(UnitError, match=r"unit == .*'D' \(days\), 'W' \(weeks\), 'M' .*'Y'"):
        days_in(unit)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("365D", 365),
        ("52W", 364),
        ("12M", 365.25),
        ("2Y", 730.5),
        (" 52 w ", 364),
        ("1.5W", 10.5),
        (".5Y", 182.625),
        ("1e2D", 100),
    ],
)
def test_durations(text, days):
    assert parse_duration(text) == days
    assert duration_in_days(text) == days
    assert horizon_in_days(text, "W", None) == days


@pytest.mark.parametrize("text", ["", "D", "52", "52 weeks ago", "-3D", "1W2D", "twelve M", "1,5W"])
def test_what_is_no_duration_is_quoted(text):
    with pytest.raises(UnitError, match=r"horizon == .*'365D', '52W', '12M' or '2Y'"):
        parse_duration(text)


def test_a_duration_in_an_unknown_unit_is_refused():
    with pytest.raises(UnitError, match="'3Q' is neither a duration"):
        parse_duration("3Q")


@pytest.mark.parametrize(
    ("value", "days"),
    [
        (2, 14),
        (0.5, 3.5),
        (np.int32(2), 14),
        (np.float32(0.5), 3.5),
        (dt.timedelta(days=2, hours=12), 2.5),
        (pd.Timedelta("36h"), 1.5),
        (np.timedelta64(3, "D"), 3),
        (np.timedelta64(36, "h"), 1.5),
    ],
)
def test_numbers_are_in_the_unit_and_timedeltas_are_not(value, days):
    assert duration_in_days(value, unit="W") == days


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        -0.5,
        np.nan,
        np.inf,
        "0D",
        dt.timedelta(0),
        dt.timedelta(days=-1),
        np.timedelta64(-1, "D"),
        np.timedelta64("NaT", "D"),
    ],
    ids=repr,
)
def test_durations_are_longer_than_nothing(value):
    with pytest.raises(UnitError, match=r"horizon == .*finite and longer than nothing"):
        duration_in_days(value)


@pytest.mark.parametrize("value", [None, True, [7], {"days": 7}, b"7D"], ids=repr)
def test_other_things_are_no_durations(value):
    with pytest.raises(UnitError, match=r"window == .*is not a duration.*a number of weeks"):
        duration_in_days(value, unit="W", argument="window")


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-28",
        " 2026-02-28 ",
        "2026-02-28T23:59:59",
        "2026-02-28 08:00",
        DAY,
        dt.datetime(2026, 2, 28, 23, 59),
        dt.datetime(2026, 2, 28, 23, 59, tzinfo=dt.UTC),
        pd.Timestamp("2026-02-28 12:00"),
        np.datetime64("2026-02-28"),
        np.datetime64("2026-02-28T23:59:59.999"),
    ],
    ids=repr,
)
def test_dates(value):
    day = parse_date(value)
    assert day == DAY
    assert type(day) is dt.date


@pytest.mark.parametrize(
    "value",
    ["2026-02-30", "28/02/2026", "yesterday", "", 20260228, None, np.datetime64("NaT", "D")],
    ids=repr,
)
def test_what_is_no_date_is_quoted(value):
    with pytest.raises(UnitError, match=r"end == .*is not a date; write it as '2026-12-31'"):
        parse_date(value)


def test_a_missing_timestamp_is_no_date():
    with pytest.raises(UnitError, match="is not a date"):
        parse_date(pd.NaT)


@pytest.mark.parametrize(
    ("horizon", "days"),
    [
        ("1998-06-30", 273),
        (dt.date(1997, 10, 1), 1),
        (pd.Timestamp("1998-06-30"), 273),
        (np.datetime64("1998-06-30"), 273),
        (39, 273),
        ("39W", 273),
    ],
    ids=repr,
)
def test_horizons(horizon, days):
    result = horizon_in_days(horizon, "W", END)
    assert result == days
    assert isinstance(result, float)


@pytest.mark.parametrize("horizon", ["1997-09-30", "1990-01-01", END])
def test_a_horizon_lies_ahead(horizon):
    with pytest.raises(UnitError, match="must lie after the end of observation, 1997-09-30"):
        horizon_in_days(horizon, "D", END)


def test_a_date_needs_an_end():
    with pytest.raises(UnitError, match="carry no end date"):
        horizon_in_days("1998-06-30", "D", None)


def test_unit_errors_are_value_errors():
    with pytest.raises(ValueError, match="unit"):
        days_in("weeks")


def test_a_lower_case_m_could_be_minutes():
    with pytest.raises(UnitError, match="'30m' is neither a duration"):
        parse_duration("30m")
    assert parse_duration("30d") == 30
