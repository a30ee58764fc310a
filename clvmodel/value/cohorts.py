"""Cohorts by month of acquisition: who came back, who repeated, what they spent, and what is next.

Months are those of the calendar: month 0 of a cohort is the one of its customers' first purchases.
A month counts as observed when it is over; where observation ends within one, what was bought in it
so far is part of its forecast.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.models.point import Seed
from clvmodel.tables.frames import native_frame
from clvmodel.tables.groups import month_names
from clvmodel.tables.large import LargeSummary, over_parts, summed
from clvmodel.tables.months import Months, month_of
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import check_customers, check_fitted
from clvmodel.value.cohort_forecast import Ahead, CohortsAhead

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MEASURES = {
    "retention": "share of the cohort that buys in the month",
    "repeat_rate": "share of the cohort with two purchases or more by the end of the month",
    "revenue": "cumulative revenue per customer of the cohort by the end of the month",
}
"""What is tabulated."""
MOST_AHEAD = 120


@dataclass(frozen=True, eq=False, repr=False)
class Cohorts:
    """A table of cohorts (rows) by months since acquisition (columns 0, 1, ...), as plain arrays.

    `names` are the months of acquisition ("2025-01"), `customers` their sizes. `retention`,
    `repeat_rate` and `revenue` (None without amounts; see `MEASURES`) are (cohorts, months), NaN
    where nothing is known. `forecast` marks the cells that a model filled in.
    """

    names: tuple[str, ...]
    customers: Ints
    retention: Array
    repeat_rate: Array
    revenue: Array | None
    forecast: NDArray[np.bool_]
    kind: str

    @property
    def measures(self) -> tuple[str, ...]:
        """What is there: without amounts, no revenue."""
        return tuple(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def frame(self) -> Any:
        """One row per cohort and month that is known: cohort, customers, month, the measures.

        The column `forecast` says whether the model filled it in.
        """
        row, month = np.nonzero(~np.isnan(self.retention))
        columns: dict[str, Any] = {
            "cohort": [self.names[i] for i in row],
            "customers": self.customers[row],
            "month": month,
            **{name: getattr(self, name)[row, month] for name in self.measures},
            "forecast": self.forecast[row, month],
        }
        return native_frame(columns, self.kind)

    def wide(self, measure: str = "retention") -> Any:
        """One row per cohort, one column per month since acquisition. Raises ParameterError."""
        if measure not in self.measures:
            raise ParameterError.not_one_of("measure", measure, self.measures)
        values = getattr(self, measure)
        columns: dict[str, Any] = {"cohort": list(self.names), "customers": self.customers}
        columns |= {str(k): values[:, k] for k in range(values.shape[1])}
        return native_frame(columns, self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; None where nothing is known."""
        tables = {
            name: [[None if v != v else float(v) for v in row] for row in getattr(self, name)]
            for name in self.measures
        }
        return {
            "cohorts": list(self.names),
            "customers": self.customers.tolist(),
            "forecast": self.forecast.tolist(),
            **tables,
        }

    def __repr__(self) -> str:
        """Return how many cohorts, customers and months."""
        known, ahead = ~np.isnan(self.retention), self.forecast
        return (
            f"{len(self.names)} cohorts of {self.customers.sum():,} customers, "
            f"{self.names[0]} to {self.names[-1]}; {int((known & ~ahead).sum())} months observed, "
            f"{int(ahead.sum())} forecast"
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def cohorts(
    summary: Summary | LargeSummary, model: Any = None, *, ahead: int = 12, seed: Seed = 0
) -> Cohorts:
    """Tabulate the customers of a summary by month of acquisition.

    With a fitted `model` every row is continued for `ahead` months after the last observed one.
    Revenue and repeat rate are then expectations for the customers of the cohort; retention, which
    has no closed form for a later month, is the mean of a simulation of some 50,000 customers by
    `seed` (of fewer, several times; of many more, every so many-th): of a cohort with a tenth of
    the customers right to half a percent. Forecasts hold what the models say, at their estimates.

    Customers in a file or in Spark stay there. Raises DataError where single purchases are not
    known (of a summary that was made from a table), ParameterError.
    """
    check_customers(summary)
    whole = isinstance(ahead, int | np.integer) and not isinstance(ahead, bool)
    if not (whole and 0 <= ahead <= MOST_AHEAD):
        rule = f"a whole number of months from 0 to {MOST_AHEAD}"
        raise ParameterError.out_of_range("ahead", ahead, rule)
    if model is not None:
        check_fitted(model)
    months, end = _months(summary), summary.end
    if months is None or end is None:
        raise DataError(
            "Cohorts look at single purchases, which a summary made from a table does not have; "
            "make it from the orders with clv.summarize."
        )
    seen, last = np.unique(months.born), _last_complete(end)
    future = int(ahead) if model is not None else 0
    columns = int(max(last + future - seen[0] + 1, 1))
    size = np.zeros(seen.size, np.int64)
    young = months.born == months.month
    size[np.searchsorted(seen, months.born[young])] = months.active[young]
    retention, repeat, revenue = _observed(months, seen, size, columns)
    observed = seen[:, None] + np.arange(columns) <= last
    forecast = np.zeros_like(observed)
    if future:
        forecast = ~observed & (seen[:, None] + np.arange(columns) <= last + future)
        found = _forecast(summary, model, seen, last, future, seed)
        _fill(retention, found.active / size, False, seen, last)
        _fill(repeat, found.repeat / size, False, seen, last)
        if model.spend is not None:
            _fill(revenue, found.revenue / size, True, seen, last)
    known = observed | forecast
    for table in (retention, repeat, revenue):
        table[~known] = np.nan
    worth = revenue if summary.has_value else None
    names = tuple(month_names(seen))
    return Cohorts(names, size, retention, repeat, worth, forecast, summary.kind)


def _months(summary: Summary | LargeSummary) -> Months | None:
    if isinstance(summary, LargeSummary):
        return summary.months
    return None if summary.purchases is None else Months.of(summary.purchases)


def _observed(months: Months, seen: Ints, size: Ints, columns: int) -> tuple[Array, Array, Array]:
    """Retention, repeat rate and cumulative revenue of all cells, as far as purchases go."""
    age = months.month - months.born
    inside = age < columns
    cell = (np.searchsorted(seen, months.born) * columns + age)[inside]

    def table(values: Any) -> Array:
        sums = np.bincount(cell, values[inside], seen.size * columns)
        return sums.reshape(seen.size, columns) / size[:, None]

    repeat, revenue = (np.cumsum(table(v), axis=1) for v in (months.second, months.revenue))
    return table(months.active), repeat, revenue


def _forecast(
    summary: Summary | LargeSummary, model: Any, seen: Ints, last: int, ahead: int, seed: Seed
) -> CohortsAhead:
    """What the customers of each cohort are expected to do in each month ahead."""
    assert summary.end is not None
    ends = _first_day(last + 1 + np.arange(1, ahead + 1)) - 1 - to_day(summary.end)
    times = ends / days_in(model.purchases.unit)
    drawn = int(np.random.default_rng(seed).integers(2**63))
    asked = Ahead(model, seen, last, times, len(summary), drawn)
    return summed(over_parts(summary, asked))


def _fill(table: Array, numbers: Array, on_top: bool, seen: Ints, last: int) -> None:
    """Put numbers (months ahead, cohorts) into the cells after the last observed month."""
    so_far = table[:, -1].copy()  # cumulative: all that has been bought until the end
    for j, row in enumerate(numbers):
        month = last + 1 + j - seen
        there = np.flatnonzero(month >= 0)
        table[there, month[there]] = row[there] + (so_far[there] if on_top else 0.0)


def _first_day(month: Ints) -> Ints:
    return np.asarray(month).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _last_complete(end: dt.date) -> int:
    """Number of the last month that is over at the end of a day."""
    return int(month_of(np.array([to_day(end) + 1]))[0]) - 1
