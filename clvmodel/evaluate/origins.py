"""Where a backtest stands when it looks ahead: its cutoffs and horizons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from clvmodel.errors import DataError, ParameterError
from clvmodel.units import duration_in_days, horizon_in_days, parse_date

_LONGEST = 365  # days of a holdout that nobody asked for


def holdouts(
    first: dt.date,
    last: dt.date,
    *,
    cutoffs: Any = None,
    n_cutoffs: int | None = None,
    horizon: Any = None,
    step: Any = None,
    min_history: Any = None,
    unit: str = "D",
) -> list[tuple[dt.date, int]]:
    """(cutoff, days) of every holdout, by cutoff, then as the horizons were given.

    Each must lie within the orders, from `first` to `last`, with a day or more before the cutoff.
    Raises ParameterError, UnitError or DataError: see `backtest`.
    """
    observed = (last - first).days + 1
    given = _horizons(horizon)
    if cutoffs is not None and n_cutoffs is not None:
        raise ParameterError("cutoffs and n_cutoffs are both given; choose one.")
    if cutoffs is not None:
        cuts = _dates(cutoffs)
        found = [(cut, d) for cut in cuts for d in _days(given, cut, last, unit)]
    else:
        count = _count(n_cutoffs)
        days = [round(horizon_in_days(h, unit, None, "without cutoffs, horizon")) for h in given]
        if not days:
            days = [min(observed // (2 * count), _LONGEST)]
        longest = days[0] if count == 1 and len(days) == 1 else max(days)
        apart = longest if step is None else round(duration_in_days(step, unit, "step"))
        back = [longest + apart * i for i in range(count)]
        if max(back) >= observed:
            raise _does_not_fit(max(back), first, last)
        cuts = [last - dt.timedelta(days=b) for b in reversed(back)]
        found = [(cut, d) for cut in cuts for d in days]
    least = 0.0 if min_history is None else duration_in_days(min_history, unit, "min_history")
    for cut, length in found:
        if not 0 < length < observed or cut < first or cut + dt.timedelta(days=length) > last:
            raise _does_not_fit(length, first, last)
        if (cut - first).days + 1 < least:
            raise DataError(
                f"Only {(cut - first).days + 1:,} days of history lie before the cutoff {cut}, and "
                f"min_history asks for {least:,.0f}: choose a later cutoff, fewer cutoffs or a "
                "shorter horizon."
            )
    return found


def _horizons(horizon: Any) -> list[Any]:
    if horizon is None:
        return []
    several = isinstance(horizon, list | tuple)
    given = list(horizon) if several else [horizon]
    if not given:
        raise ParameterError("horizon is empty; name at least one.")
    return given


def _dates(cutoffs: Any) -> list[dt.date]:
    single = isinstance(cutoffs, str) or not isinstance(cutoffs, Iterable)
    listed = [cutoffs] if single else list(cutoffs)
    if not listed:
        raise ParameterError.out_of_range("cutoffs", listed, "one date or more")
    found = sorted({parse_date(cut, "cutoffs") for cut in listed})
    if len(found) < len(listed):
        raise ParameterError("cutoffs names a date twice.")
    return found


def _days(given: list[Any], cut: dt.date, last: dt.date, unit: str) -> list[int]:
    if not given:
        return [(last - cut).days]
    days = [round(horizon_in_days(h, unit, cut)) for h in given]
    if len(set(days)) < len(days):
        raise ParameterError("horizon names a length twice.")
    return days


def _count(n_cutoffs: int | None) -> int:
    count = 1 if n_cutoffs is None else n_cutoffs
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ParameterError.out_of_range("n_cutoffs", n_cutoffs, "a whole number >= 1")
    return count


def _does_not_fit(days: int, first: dt.date, last: dt.date) -> DataError:
    return DataError(
        f"A holdout of {days:,} days does not fit: the orders run from {first} to {last}. Choose "
        "an earlier cutoff, fewer cutoffs or a shorter horizon."
    )
