"""Subscriptions: how often each one was renewed, and whether it has ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, UnitError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.purchases import from_day, to_day
from clvmodel.units import parse_date

Array = NDArray[np.float64]
Days = NDArray[np.int64]

PERIODS = {"Y": "year", "Q": "quarter", "M": "month", "W": "week", "D": "day"}
PERIODS_PER_YEAR = {"Y": 1.0, "Q": 4.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_DAYS = {"W": 7, "D": 1}


@dataclass(frozen=True, eq=False)
class ContractSummary:
    """One row per subscription (or per group of alike ones), for `clv.fit(clv.SBG, ...)`.

    Arrays: `renewals`, those made so far; `churned`, 1 where the subscription then was not renewed
    and 0 where it goes on; `weight`, how many subscriptions a row stands for (None: one each).
    A `period` ("Y", "Q", "M", "W" or "D") is the time between renewals. `end` is the last day of
    observation. `waiting` subscriptions are known to end at a renewal that is not due by then:
    they count as active, since of the others with that renewal nothing is known yet.
    """

    ids: pa.Array
    renewals: Array
    churned: Array
    period: str
    weight: Array | None = None
    end: dt.date | None = None
    kind: str = "pandas"
    waiting: int = 0
    left_out: int = 0

    def __post_init__(self) -> None:
        """Check the period and lock the arrays."""
        check_period(self.period)
        for array in (self.renewals, self.churned, self.weight):
            if array is not None:
                array.setflags(write=False)

    @classmethod
    def from_survivors(
        cls, survivors: Mapping[str, Sequence[float]] | Sequence[float], *, period: str
    ) -> ContractSummary:
        """Take survivor counts: how many of a cohort are active after 0, 1, 2, ... renewals.

        `survivors` is one such list, or a mapping of cohorts to theirs, which may differ in length;
        counts, not percentages, since they say how sure the estimates are. Raises DataError where
        they rise, are negative or not finite, or hold no renewal at all.
        """
        cohorts = survivors if isinstance(survivors, Mapping) else {"all": survivors}
        if not cohorts:
            raise DataError("There are no cohorts of survivors.")
        ids: list[str] = []
        rows: list[Array] = []
        for name, counts in cohorts.items():
            alive = _survivors(str(name), counts)
            n = np.arange(alive.size, dtype=float)
            left = np.append(alive[:-1] - alive[1:], alive[-1])
            rows.append(np.stack([n, (n < n[-1]).astype(float), left]))
            ids += [str(name)] * alive.size
        renewals, churned, weight = np.hstack(rows)
        return cls(pa.array(ids), renewals, churned, period, weight)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.renewals)

    @property
    def counts(self) -> Array:
        """How many subscriptions each row stands for."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def churn_rate(self) -> float:
        """Share of the renewals due that were not made, all ages together: what dashboards show.

        NaN where none was due.
        """
        left = float(self.counts @ self.churned)
        due = left + float(self.counts @ self.renewals)
        return left / due if due else float("nan")

    @cached_property
    def frame(self) -> Any:
        """The summary as a table of the kind that came in."""
        columns: dict[str, Any] = {
            "customer_id": self.ids,
            "renewals": self.renewals.astype(np.int64),
            "churned": self.churned.astype(np.int64),
        }
        return native_frame(
            columns if self.weight is None else {**columns, "weight": self.weight}, self.kind
        )

    def __repr__(self) -> str:
        """Say how many subscriptions, and how many are left."""
        total, left = float(self.counts.sum()), float(self.counts @ self.churned)
        lines = [
            f"ContractSummary of {total:,.0f} subscriptions, {total - left:,.0f} active, renewed "
            f"by the {PERIODS[self.period]}; {self.churn_rate:.1%} of the renewals due not made"
        ]
        if self.waiting:
            lines.append(f"{self.waiting:,} are to end at a renewal not due by {self.end}: active")
        if self.left_out:
            lines.append(f"{self.left_out:,} begin after {self.end}: left out")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def summarize_contracts(
    subscriptions: Any,
    *,
    start: str,
    end: str,
    period: str = "M",
    observed_until: Any,
    customer: str | None = None,
) -> ContractSummary:
    """Summarize subscriptions by their start and end dates: one row each, for `clv.SBG`.

    `subscriptions` is a pandas, polars or pyarrow table; `start` and `end` name its columns of
    dates, `end` being empty for those that go on; `customer` names ids (default: the row).
    `period` is the time between renewals: "M" (to the same day of the month, or its last), "Q",
    "Y", "W" or "D". `observed_until` is the last day of observation, inclusive; subscriptions that
    begin later are left out and counted in `left_out`.

    A subscription that ends within a period, or with it (on its last day or on the day after), was
    not renewed at that period's end; one that goes on was renewed whenever that was due. Only
    renewals due by `observed_until` count: see `ContractSummary.waiting`.

    Raises ColumnError, DataError (no date, an end before the start) or UnitError.
    """
    check_period(period)
    last = to_day(parse_date(observed_until, "observed_until"))
    table, kind = read_frame(subscriptions, what="subscriptions")
    for argument, name in (("start", start), ("end", end), ("customer", customer)):
        if name is not None and name not in table.column_names:
            raise ColumnError.missing(argument, name, table.column_names)
    began, begun = _days(table[start], start)
    ended, over = _days(table[end], end)
    if not begun.all():
        row = int(np.argmin(begun))
        raise DataError(f"{start} is empty in row {row}: a subscription begins on a day.")
    if (over & (ended < began)).any():
        row = int(np.argmax(over & (ended < began)))
        raise DataError(
            f"{end} lies before {start} in row {row}: {from_day(ended[row])} before "
            f"{from_day(began[row])}."
        )
    seen = began <= last
    ids = pa.array(np.arange(len(began))) if customer is None else table[customer]
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    began, ended, over = began[seen], ended[seen], over[seen]
    due = periods_between(began, np.full(began.size, last), period)
    # The day before an end is the last one paid for, or still within the period that is.
    made = np.where(over, periods_between(began, np.maximum(ended - 1, began), period), due)
    churned = over & (made < due)
    return ContractSummary(
        ids=ids.filter(pa.array(seen)),
        renewals=np.minimum(made, due).astype(float),
        churned=churned.astype(float),
        period=period,
        end=from_day(last),
        kind=kind,
        waiting=int((over & ~churned).sum()),
        left_out=int((~seen).sum()),
    )


def periods_between(start: Days, until: Days, period: str) -> Days:
    """Whole periods from one day to another: anniversaries passed, that of 31 January on the 28th.

    >>> int(periods_between(np.array([30]), np.array([58]), "M")[0])  # 1970-01-31 to 1970-02-28
    1
    """
    if period in _DAYS:
        return (until - start) // _DAYS[period]
    (first, day), (last, other) = _in_month(start), _in_month(until)
    length = (last + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length -= last.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    months = last - first - (other < np.minimum(day, length - 1))
    return np.asarray(months // _MONTHS[period])


def check_period(period: str) -> None:
    """Refuse what is no period between renewals."""
    if not isinstance(period, str) or period not in PERIODS:
        known = ", ".join(f"{key!r} ({name}s)" for key, name in PERIODS.items())
        raise UnitError(f"period == {period!r}, must be one of {known}.")


def check_contracts(renewals: Array, churned: Array) -> None:
    """Refuse histories that cannot be: raises DataError naming the rule and the first row."""
    rules = {
        "renewals must be a whole number >= 0": (renewals >= 0) & (renewals == np.floor(renewals)),
        "churned must be 1 (left) or 0 (active)": (churned == 0) | (churned == 1),
    }
    for rule, holds in rules.items():
        if not holds.all():
            row = int(np.argmin(holds))
            raise DataError(
                f"{rule}; {int((~holds).sum()):,} rows break it, the first is row {row}: "
                f"renewals {renewals[row]:g}, churned {churned[row]:g}."
            )


def _in_month(day: Days) -> tuple[Days, Days]:
    """Months since 1970-01, and days since the first of the month."""
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    return month.astype(np.int64), day - month.astype("datetime64[D]").astype(np.int64)


def _days(column: Any, name: str) -> tuple[Days, NDArray[np.bool_]]:
    """Days since 1970-01-01 of a column of dates or ISO texts, and which there are."""
    try:
        days = column.cast(pa.timestamp("s"), safe=False).cast(pa.date32(), safe=False)
    except pa.ArrowException as error:
        first = next((v for v in column.to_pylist() if v is not None), None)
        raise DataError(
            f"{name} holds values that are no dates, such as {first!r}: write them as 2026-12-31."
        ) from error
    known = np.asarray(days.is_valid().to_numpy(), bool)
    return days.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64), known


def _survivors(name: str, counts: Sequence[float]) -> Array:
    try:
        alive = np.array(counts, float)
    except (TypeError, ValueError) as error:
        raise DataError(f"Survivors of {name} are no list of numbers: {error}.") from error
    if alive.ndim != 1 or alive.size < 2:
        raise DataError(f"Survivors of {name}: give those at the start and after each renewal.")
    if not (np.isfinite(alive).all() and (alive >= 0).all() and (np.diff(alive) <= 0).all()):
        raise DataError(
            f"Survivors of {name} must be finite, >= 0 and never rise: {alive.tolist()}."
        )
    if alive[0] <= 0:
        raise DataError(f"Survivors of {name} begin with nobody.")
    return alive
