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
from clvmodel.tables.purchases import Purchases, to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import check_summary
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import expected_spend, product

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MEASURES = {
    "retention": "share of the cohort that buys in the month",
    "repeat_rate": "share of the cohort with two purchases or more by the end of the month",
    "revenue": "cumulative revenue per customer of the cohort by the end of the month",
}
"""What is tabulated."""
MOST_AHEAD = 120
_SIMULATED = 50_000  # customers, some several times, whose months to come are simulated


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


def cohorts(summary: Summary, model: Any = None, *, ahead: int = 12, seed: Seed = 0) -> Cohorts:
    """Tabulate the customers of a summary by month of acquisition.

    With a fitted `model` every row is continued for `ahead` months after the last observed one.
    Revenue and repeat rate are then expectations for the customers of the cohort; retention, which
    has no closed form for a later month, is the mean of a simulation of 50,000 customers (all of
    them, several times if they are fewer), by `seed`: of a cohort with a tenth of the customers
    right to half a percent. Forecasts hold what the models say, at their estimates.

    Raises DataError where single purchases are not known, ParameterError.
    """
    check_summary(summary)
    whole = isinstance(ahead, int | np.integer) and not isinstance(ahead, bool)
    if not (whole and 0 <= ahead <= MOST_AHEAD):
        rule = f"a whole number of months from 0 to {MOST_AHEAD}"
        raise ParameterError.out_of_range("ahead", ahead, rule)
    purchases, end = summary.purchases, summary.end
    if purchases is None or end is None:
        raise DataError(
            "Cohorts look at single purchases, which a summary made from a table does not have; "
            "make it from the orders with clv.summarize."
        )
    month = _month(purchases.day)
    starts = np.flatnonzero(np.diff(purchases.customer, prepend=-1))
    born = month[starts]
    seen, cohort, size = np.unique(born, return_inverse=True, return_counts=True)
    last = _last_complete(end)
    future = ahead if model is not None else 0
    columns = int(max(last + future - seen[0] + 1, 1))
    observed = seen[:, None] + np.arange(columns) <= last
    retention, repeat, revenue = _observed(purchases, month, cohort, born, size, columns)
    forecast = np.zeros_like(observed)
    if future:
        forecast = ~observed & (seen[:, None] + np.arange(columns) <= last + future)
        found = _forecast(summary, model, month, cohort, seen, last, future, seed)
        for table, (numbers, so_far) in zip((retention, repeat, revenue), found, strict=True):
            if table is not None and numbers is not None:
                _fill(table, numbers / size, so_far, seen, last)
    known = observed | forecast
    for table in (retention, repeat, revenue):
        if table is not None:
            table[~known] = np.nan
    names = tuple(str(m) for m in seen.astype("datetime64[M]"))
    return Cohorts(names, size, retention, repeat, revenue, forecast, summary.kind)


def _observed(
    purchases: Purchases, month: Ints, cohort: Ints, born: Ints, size: Ints, columns: int
) -> tuple[Array, Array, Array | None]:
    """Retention, repeat rate and cumulative revenue of all cells, as far as purchases go."""
    customer, rows = purchases.customer, size.size
    age = month - born[customer]
    inside = age < columns
    cell = (cohort[customer] * columns + age)[inside]

    def table(chosen: NDArray[np.bool_], weights: Array | None = None) -> Array:
        counts = np.bincount(cell[chosen], weights, rows * columns)
        return counts.reshape(rows, columns) / size[:, None]

    first = np.diff(customer, prepend=-1) != 0
    place = np.arange(customer.size) - np.flatnonzero(first)[customer]
    new_month = (first | (np.diff(month, prepend=-1) != 0))[inside]
    retention = table(new_month)
    repeat = np.cumsum(table((place == 1)[inside]), axis=1)
    if purchases.value is None:
        return retention, repeat, None
    return retention, repeat, np.cumsum(table(inside[inside], purchases.value[inside]), axis=1)


def _forecast(
    summary: Summary,
    model: Any,
    month: Ints,
    cohort: Ints,
    seen: Ints,
    last: int,
    ahead: int,
    seed: Seed,
) -> list[tuple[Array | None, bool]]:
    """(sums by month ahead and cohort, whether they come on top of what was observed), each."""
    assert summary.end is not None
    unit = model.purchases.unit
    ends = _first_day(last + 1 + np.arange(1, ahead + 1)) - 1 - to_day(summary.end)
    times = ends / days_in(unit)
    outlook = Outlook.of(model.purchases.model, summary.in_unit(unit))
    alive, new = outlook.alive(model.purchases.model), outlook.new(model.purchases.model)
    once = summary.frequency == 0
    worth = None if model.spend is None else expected_spend(model, summary)
    repeat, revenue = np.zeros((2, ahead, seen.size))
    for j, t in enumerate(times):
        bought = outlook.each(alive, new.expected_purchases(t))
        again = np.where(once, outlook.each(alive, new.p_purchase(t)), 1.0)
        repeat[j] = np.bincount(cohort, again, seen.size)
        if worth is not None:
            revenue[j] = np.bincount(cohort, product(bought, worth), seen.size)
    active = _simulated(summary, outlook, alive, new, times, cohort, month, last, seed)
    return [(active, False), (repeat, False), (None if worth is None else revenue, True)]


def _simulated(
    summary: Summary,
    outlook: Outlook,
    alive: Array,
    new: Any,
    times: Array,
    cohort: Ints,
    month: Ints,
    last: int,
    seed: Seed,
) -> Array:
    """Expected customers who buy in each month ahead, by cohort: means over simulations."""
    rng, n = np.random.default_rng(seed), len(summary)
    rounds = max(1, round(_SIMULATED / n))
    point = new.spread(outlook.repeats.shape).take(outlook.state[outlook.where])
    assert summary.purchases is not None
    running = np.unique(summary.purchases.customer[month == last + 1])  # the month of the end
    size, ahead = int(cohort.max()) + 1, times.size
    counts = np.zeros(ahead * size)
    for _ in range(rounds):
        stays = rng.random(n) < alive[outlook.where]
        made = point.simulate_purchases(np.full(n, times[-1]), seed=rng)
        place = np.searchsorted(times, made.time, side="left")
        cells = (place * n + made.customer)[stays[made.customer]]
        both = np.unique(np.concatenate([cells, running]))
        counts += np.bincount(both // n * size + cohort[both % n], minlength=ahead * size)
    return counts.reshape(ahead, size) / rounds


def _fill(table: Array, numbers: Array, on_top: bool, seen: Ints, last: int) -> None:
    """Put numbers (months ahead, cohorts) into the cells after the last observed month."""
    so_far = table[:, -1].copy()  # cumulative: all that has been bought until the end
    for j, row in enumerate(numbers):
        month = last + 1 + j - seen
        there = np.flatnonzero(month >= 0)
        table[there, month[there]] = row[there] + (so_far[there] if on_top else 0.0)


def _month(day: Any) -> Ints:
    """Months since 1970-01 of days since 1970-01-01."""
    days = np.asarray(day, np.int64).astype("datetime64[D]")
    return days.astype("datetime64[M]").astype(np.int64)


def _first_day(month: Ints) -> Ints:
    return np.asarray(month).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _last_complete(end: dt.date) -> int:
    """Number of the last month that is over at the end of a day."""
    return int(_month([to_day(end) + 1])[0]) - 1
