"""When each customer will buy next, and until when they are worth waiting for.

The next purchase of a customer who is alive depends on the state (x, T) only; whoever may have left
may never buy again. What is said of its day is therefore said of those who do buy again. Their mean
waiting time often does not exist: under BG/NBD the wait of the alive is Lomax, with a mean only if
r + x > 1. Its quantiles always exist, so the median stands for the expected date.

The chance of a purchase within a fixed time falls as a customer stays silent: given the rates that
nobody sees, the wait is exponential or for ever, so P(silent for u) is a mixture of exponentials,
and a mixture of exponentials is log-convex. There is one day on which the chance falls below a
threshold, and bisection over whole days finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError, UnitError
from clvmodel.numerics.counts import count_quantile
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_PER_YEAR, days_in, duration_in_days
from clvmodel.value.candidates import check_summary, checked_levels, prediction_table
from clvmodel.value.outlook import Index, Outlook, at
from clvmodel.value.predictions import LONGEST_YEARS, level_name

Days = NDArray[np.float64]

FARTHEST = LONGEST_YEARS * DAYS_PER_YEAR  # days ahead that are looked at


def predict_dates(
    fitted: Any,
    summary: Summary,
    *,
    threshold: float = 0.1,
    within: Any = "365D",
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
) -> Any:
    """Predict when each customer buys next: one row per customer, in the summary's order.

    Columns: customer_id; days_silent, whole days from the last purchase to the end of observation;
    overdue_ratio, that silence over the customer's own mean gap between purchases (above 1 it is
    longer than usual; NaN with one purchase, which has no gap); p_ever, the chance of any further
    purchase in the next 100 years.

    next_purchase_q10, ...: the first day by whose end the next purchase has come with this chance,
    given that one comes within 100 years. The mean of this waiting time often does not exist, so
    next_purchase_q50, the median, stands for the expected date. NaT where p_ever is 0.

    act_by: the last day up to which, if the customer stays silent, the chance of a purchase within
    the next `within` (a duration such as "365D", at most 100 years) still is at least `threshold`.
    The end of observation where it is below already; NaT where it does not fall below in 100 years.

    `threshold` and `quantiles` lie strictly between 0 and 1. Dates are days as in `summary.frame`.
    Raises ParameterError or UnitError, and DataError for a summary without an end of observation.
    """
    check_summary(summary)
    chosen = _checked(summary, threshold, quantiles)
    span = duration_in_days(within, summary.unit, "within")
    if span > FARTHEST:
        raise UnitError(f"within == {within!r} is longer than {LONGEST_YEARS} years.")
    model, unit = fitted.purchases.model, fitted.purchases.unit
    scale = days_in(unit)
    outlook = Outlook.of(model, summary.in_unit(unit))
    new = outlook.new(model).spread(outlook.repeats.shape)
    if_alive = np.asarray(new.p_purchase(FARTHEST / scale))
    ever = outlook.each(outlook.alive(model), if_alive)
    waits = _waits(new, if_alive, scale, chosen)[:, outlook.state[outlook.where]]
    silent, ratio = silence(summary)
    columns: dict[str, Any] = {"days_silent": silent, "overdue_ratio": ratio, "p_ever": ever}
    for level, wait in zip(chosen, waits, strict=True):
        days = np.where(ever > 0, wait, np.inf)
        columns[f"next_purchase_{level_name(level)}"] = _dates(summary, days)
    last = _last_days(outlook, model, scale, threshold, span)
    columns["act_by"] = _dates(summary, last[outlook.where])
    return prediction_table(summary, columns)


def _checked(summary: Summary, threshold: Any, quantiles: Any) -> tuple[float, ...]:
    """Return the levels of the quantiles, after refusing arguments that are none."""
    if summary.end is None:
        raise DataError(
            "Dates need the end of observation, which this summary does not carry: give one, "
            "clv.Summary.from_frame(..., end='2026-12-31')."
        )
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    if not (number and 0 < threshold < 1):
        rule = "between 0 and 1, both excluded"
        raise ParameterError.out_of_range("threshold", threshold, rule)
    return checked_levels(quantiles)


def silence(summary: Summary) -> tuple[NDArray[np.int64], Array]:
    """Whole days since the last purchase, and that time over the customer's own mean gap."""
    silent = summary.T - summary.recency
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = silent * summary.frequency / summary.recency
    rhythm = (summary.frequency > 0) & (summary.recency > 0)
    days = np.rint(silent * days_in(summary.unit)).astype(np.int64)
    return days, np.where(rhythm, ratio, np.nan)


def _waits(new: Any, ever: Array, scale: float, chosen: Sequence[float]) -> Days:
    """Quantiles (levels, states) of the day of the next purchase of the alive, if one comes.

    `ever` (states) is the chance that one does. A wait of t days ends on day ceil(t) after the end
    of observation.
    """

    def tail(day: Days, states: Index) -> Array:
        """Chance that the purchase comes on this day or later."""
        t = np.minimum(day - 1, FARTHEST) / scale
        return np.asarray(1 - new.take(states).p_purchase(t) / ever[states])

    waits = [count_quantile(tail, np.full(ever.size, 1 - level)) for level in chosen]
    return np.asarray(waits).reshape(len(chosen), ever.size)


def _last_days(outlook: Outlook, model: Any, scale: float, threshold: float, span: float) -> Days:
    """Days after the end, per cell, up to which the chance is at least the threshold.

    0 where it is below already, inf where it does not fall below.
    """
    x, t_x, T = outlook.history

    def chance(day: Days, cells: Index) -> Array:
        """Chance of a purchase within `span` of day - 1, if nothing comes until then."""
        silent = (day - 1) / scale
        point = at(model, [code[cells] for code in outlook.codes])
        alive = point.p_alive(x[cells], t_x[cells], T[cells], silent)
        ahead = point.update(x[cells], T[cells] + silent).p_purchase(span / scale)
        return np.where(day - 1 <= FARTHEST, alive * ahead, 0.0)

    room = np.full(x.size, np.nextafter(threshold, 0.0))  # at most this: below the threshold
    first = count_quantile(chance, room)  # the first day on which it is
    return np.where(first <= FARTHEST, np.maximum(first - 1, 0.0), np.inf)


def _dates(summary: Summary, days: Days) -> NDArray[np.datetime64]:
    """Dates so many days after the end, in milliseconds, which hold any year; NaT where inf."""
    assert summary.end is not None
    known = np.isfinite(days)
    day = (to_day(summary.end) + np.where(known, days, 0.0)).astype(np.int64)
    date = day.astype("datetime64[D]").astype("datetime64[ms]")
    return np.where(known, date, np.datetime64("NaT", "ms"))
