"""The customer summary in opportunities: in how many calendar periods each one bought, or could."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, ParameterError, UnitError
from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.purchases import Purchases, Reconciliation, from_day, to_day
from clvmodel.tables.reading import columns_of, read_purchases
from clvmodel.tables.rules import rules
from clvmodel.units import parse_date

Array = NDArray[np.float64]
Days = NDArray[np.int64]

PERIODS = {"Y": "year", "Q": "quarter", "M": "month", "W": "week", "D": "day"}
"""Calendar periods; weeks begin on Monday."""
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_COLUMNS = ("frequency", "recency", "n")


@dataclass(frozen=True, eq=False)
class OpportunitySummary:
    """One row per customer: opportunities to buy, and those that were taken, by the end of `end`.

    An opportunity is a calendar `period` ("Y", "Q", "M", "W" or "D") after that of the customer's
    first purchase. Arrays, one value per customer: `n`, the opportunities so far; `frequency`,
    those with a purchase, however many; `recency`, the last of these, counted from 1 (0 if none).

    Only periods that are over by `end` are opportunities: whoever has not bought in a period that
    is still running may do so yet, and would be counted as silent. Purchases in it are counted in
    `waiting`, and in no other number, until it is over. Customers whose first purchase lies in the
    last complete period, or later, have n = 0: they say nothing yet, and are kept.

    `frame` is the same as a table, of the kind that the orders came in.
    """

    ids: pa.Array
    frequency: Array
    recency: Array
    n: Array
    period: str
    end: dt.date | None
    kind: str
    waiting: int = 0
    reconciliation: Reconciliation | None = None

    def __post_init__(self) -> None:
        """Check the period and lock the arrays."""
        _check_period(self.period)
        for array in (self.frequency, self.recency, self.n):
            array.setflags(write=False)

    @classmethod
    def from_purchases(cls, purchases: Purchases, end: dt.date, period: str) -> OpportunitySummary:
        """Summarize purchases, all of which must lie on or before `end`."""
        customer, size = purchases.customer, len(purchases.ids)
        index = _period_of(purchases.day.astype(np.int64), period)
        last = _last_complete(end, period)
        born = index[np.flatnonzero(np.diff(customer, prepend=-1))]
        since = index - born[customer]
        again = (np.diff(customer, prepend=-1) == 0) & (np.diff(index, prepend=0) == 0)
        taken = (since > 0) & (index <= last) & ~again
        recency = np.zeros(size)
        np.maximum.at(recency, customer[taken], since[taken])
        return cls(
            ids=purchases.ids,
            frequency=np.bincount(customer[taken], minlength=size).astype(float),
            recency=recency,
            n=np.maximum(last - born, 0).astype(float),
            period=period,
            end=end,
            kind=purchases.kind,
            waiting=int((index > last).sum()),
            reconciliation=purchases.reconciliation,
        )

    @classmethod
    def from_frame(cls, frame: Any, *, period: str, end: Any = None) -> OpportunitySummary:
        """Take a summary made elsewhere: columns frequency, recency, n; customer_id is optional.

        Raises ColumnError for a missing column, DataError for impossible values.
        """
        _check_period(period)
        table, kind = read_frame(frame, what="frame")
        names = table.column_names
        for name in _COLUMNS:
            if name not in names:
                raise ColumnError.missing(name, name, names)
        if "weight" in names:
            raise DataError(
                "A summary has one row per customer, and this table counts its rows with a column "
                "weight; fit the table itself: clv.fit(clv.BGBB, table)."
            )
        try:
            frequency, recency, n = (np.array(table[name].to_numpy(), float) for name in _COLUMNS)
        except (TypeError, ValueError) as error:
            raise DataError(f"A column holds values that are no numbers: {error}.") from error
        check_opportunities(frequency, recency, n)
        ids: Any = pa.array(np.arange(table.num_rows))
        if "customer_id" in names:
            ids = table["customer_id"].combine_chunks()
            ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
        last = None if end is None else parse_date(end)
        return cls(ids, frequency, recency, n, period, last, kind)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.frequency)

    @property
    def observed_until(self) -> dt.date | None:
        """Last day of the last complete period, the last opportunity; None if `end` is unknown."""
        if self.end is None:
            return None
        return from_day(_first_day(_last_complete(self.end, self.period) + 1, self.period) - 1)

    @property
    def cells(self) -> Cells:
        """Customers with the same (frequency, recency, n) collapsed, with their number."""
        return collapse([self.frequency, self.recency, self.n])

    @cached_property
    def frame(self) -> Any:
        """The summary as a table of the kind that came in, one row per customer."""
        counts = {name: getattr(self, name).astype(np.int64) for name in _COLUMNS}
        return native_frame({"customer_id": self.ids, **counts}, self.kind)

    def __repr__(self) -> str:
        """Say how many customers, how many opportunities, and what became of the rows."""
        name, repeat = PERIODS[self.period], int((self.frequency > 0).sum())
        lines = [
            f"OpportunitySummary of {len(self):,} customers, {repeat:,} with repeat purchases, in "
            f"{int(self.frequency.sum()):,} of {int(self.n.sum()):,} {name}s after their first"
        ]
        if self.observed_until is not None:
            lines.append(f"{name}s complete by {self.end}, the last one ends {self.observed_until}")
        if self.waiting:
            lines.append(f"{self.waiting:,} purchases after that wait until their {name} is over")
        new = int((self.n == 0).sum())
        if new:
            lines.append(f"{new:,} customers had no complete {name} yet after their first")
        if self.reconciliation is not None:
            lines.append(str(self.reconciliation))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = native_frame(read_frame(self.frame)[0].slice(0, 5))
        return f"<pre>{escape(repr(self))}</pre>{head.to_html(index=False)}"


def summarize_opportunities(
    orders: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    period: str = "Y",
    **reading: Any,
) -> OpportunitySummary:
    """Summarize an order history in opportunities to buy: one row per customer, for BGBB.

    `orders` is what `summarize` takes, and is not changed. `customer` and `date` name its columns;
    each row is an order, whatever its amount, so leave refunds out.
    `period` is the calendar period that is one opportunity: "Y", "Q", "M", "W"
    (Monday to Sunday) or "D". `end` is the last day of observation, inclusive (default: the day of
    the last order); orders after it are left out, and a period that is not over by then is no
    opportunity. `reading` are the further arguments of `summarize` (date_format, exclude_ids, ...).

    Raises ColumnError, DataError, FileError or UnitError, each saying what to mend.
    """
    _check_period(period)
    how = rules(**reading)
    if how.occasion != "D":
        raise ParameterError(f"occasion == {how.occasion!r}: period says what is one occasion.")
    purchases = read_purchases(orders, columns_of(customer, date, None, how), how)
    return OpportunitySummary.from_purchases(purchases, how.end or purchases.last_order, period)


def check_opportunities(frequency: Array, recency: Array, n: Array) -> None:
    """Refuse histories that cannot be: raises DataError naming the rule and the first row."""
    columns = {"frequency": frequency, "recency": recency, "n": n}
    rules = {
        f"{name} must be a whole number >= 0": (column >= 0)
        & (column == np.floor(column))
        & np.isfinite(column)
        for name, column in columns.items()
    } | {
        "recency must be at most n": recency <= n,
        "frequency must be at most recency": frequency <= recency,
        "recency must be 0 where frequency is 0": (frequency > 0) | (recency == 0),
    }
    for rule, holds in rules.items():
        if not holds.all():
            row = int(np.argmin(holds))
            raise DataError(
                f"{rule}; {int((~holds).sum()):,} rows break it, the first is row {row}: "
                f"frequency {frequency[row]:g}, recency {recency[row]:g}, n {n[row]:g}."
            )


def _check_period(period: str) -> None:
    if not isinstance(period, str) or period not in PERIODS:
        known = ", ".join(f"{key!r} ({name}s)" for key, name in PERIODS.items())
        raise UnitError(f"period == {period!r}, must be one of {known}.")


def _period_of(day: Days, period: str) -> Days:
    """Number of the calendar period that holds a day (counted from 1970-01-01)."""
    if period == "D":
        return day
    if period == "W":
        return (day + 3) // 7  # 1970-01-01 was a Thursday
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // _MONTHS[period])


def _first_day(index: int, period: str) -> int:
    """Day, counted from 1970-01-01, on which a calendar period begins."""
    if period == "D":
        return index
    if period == "W":
        return 7 * index - 3
    month = np.datetime64(index * _MONTHS[period], "M")
    return int(month.astype("datetime64[D]").astype(np.int64))


def _last_complete(end: dt.date, period: str) -> int:
    """Number of the last period that is over at the end of a day: the one before tomorrow's."""
    return int(_period_of(np.array([to_day(end) + 1]), period)[0]) - 1
