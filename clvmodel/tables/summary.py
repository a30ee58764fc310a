"""The customer summary: how often, how recently, for how long and for how much each one bought."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, UnitError
from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.frames import dates, native_frame, read_frame
from clvmodel.tables.purchases import Purchases, Reconciliation, days_before, from_day, to_day
from clvmodel.units import UNIT_NAMES, days_in, horizon_in_days, parse_date

Array = NDArray[np.float64]

OWN_COLUMNS = frozenset(
    {"customer_id", "frequency", "recency", "T", "monetary_value", "first_value"}
    | {"first_purchase", "last_purchase"}
)


@dataclass(frozen=True, eq=False)
class Summary:
    """One row per customer, in the unit of time `unit`, as seen at the end of the day `end`.

    Arrays, one value per customer: `frequency` (repeat purchases), `recency` (time from first to
    last purchase), `T` (time from first purchase to `end`), `first_value`, and `monetary_value`
    (mean value of the repeat purchases, 0 if none); the last two are None without a value column.
    `frame` is the same as a table, of the kind that the orders came in. `purchases` is None for
    a summary made by `from_frame`. `attributes` are further columns that `join` or `from_frame`
    brought, such as covariates; one value per customer. `exact` is whether purchases are timed to
    the moment; T then runs to the end of the day `end`.
    """

    ids: pa.Array
    frequency: Array
    recency: Array
    T: Array
    first_value: Array | None
    monetary_value: Array | None
    unit: str
    end: dt.date | None
    kind: str
    reconciliation: Reconciliation | None = None
    purchases: Purchases | None = None
    attributes: Mapping[str, pa.Array] = field(default_factory=dict)
    exact: bool = False

    def __post_init__(self) -> None:
        """Check the unit and lock the arrays."""
        days_in(self.unit)
        for array in (self.frequency, self.recency, self.T, self.first_value, self.monetary_value):
            if array is not None:
                array.setflags(write=False)

    @classmethod
    def from_purchases(cls, purchases: Purchases, end: dt.date, unit: str = "D") -> Summary:
        """Summarize purchases, all of which must lie on or before `end`."""
        n = len(purchases.ids)
        starts = np.flatnonzero(np.diff(purchases.customer, prepend=-1))
        ends = np.append(starts[1:], len(purchases.customer)) - 1
        frequency = (ends - starts).astype(float)
        first, last = purchases.day[starts], purchases.day[ends]
        scale = days_in(unit)
        first_value = monetary_value = None
        if purchases.value is not None:
            first_value = purchases.value[starts].copy()
            repeat = purchases.value.copy()
            repeat[starts] = 0.0
            total = np.bincount(purchases.customer, weights=repeat, minlength=n)
            monetary_value = total / np.maximum(frequency, 1)
        return cls(
            ids=purchases.ids,
            frequency=frequency,
            recency=(last - first) / scale,
            T=(to_day(end) + purchases.exact - first) / scale,
            first_value=first_value,
            monetary_value=monetary_value,
            unit=unit,
            end=end,
            kind=purchases.kind,
            reconciliation=purchases.reconciliation,
            purchases=purchases,
            exact=purchases.exact,
        )

    @classmethod
    def from_frame(cls, frame: Any, *, unit: str, end: Any = None) -> Summary:
        """Take a summary made elsewhere: columns frequency, recency, T, in `unit`.

        monetary_value (mean of the repeat purchases), first_value and customer_id are optional;
        other columns are kept as attributes. Raises ColumnError for a missing column, DataError for
        impossible values, and UnitError where first_purchase and last_purchase are there, as in
        `Summary.frame`, and the times between them are in another unit.
        """
        days_in(unit)
        table, kind = read_frame(frame)
        for name in ("frequency", "recency", "T"):
            if name not in table.column_names:
                raise ColumnError.missing(name, name, table.column_names)

        def column(name: str) -> Array | None:
            if name not in table.column_names:
                return None
            try:
                return np.array(table[name].to_numpy(), dtype=float)
            except (TypeError, ValueError) as error:
                raise DataError(f"{name} holds values that are no numbers: {error}.") from error

        ids = (
            _whole(table["customer_id"])
            if "customer_id" in table.column_names
            else pa.array(np.arange(table.num_rows))
        )
        frequency, recency, T = (column(name) for name in ("frequency", "recency", "T"))
        assert frequency is not None
        assert recency is not None
        assert T is not None
        check_histories(frequency, recency, T)
        _check_unit(table, recency, unit)
        monetary_value = column("monetary_value")
        if monetary_value is not None:  # one-purchase customers have no mean, often kept as NaN
            monetary_value[(frequency == 0) & np.isnan(monetary_value)] = 0.0
        first_value = column("first_value")
        if first_value is not None and not np.isfinite(first_value).all():
            row = int(np.argmin(np.isfinite(first_value)))
            raise DataError(f"first_value == {first_value[row]:g} in row {row}, must be finite.")
        return cls(
            ids=ids,
            frequency=frequency,
            recency=recency,
            T=T,
            first_value=first_value,
            monetary_value=monetary_value,
            unit=unit,
            end=None if end is None else parse_date(end),
            kind=kind,
            attributes={n: _whole(table[n]) for n in table.column_names if n not in OWN_COLUMNS},
        )

    def join(self, customers: Any, *, customer: str = "customer_id") -> Summary:
        """Return the summary with the columns of a table of customers as attributes.

        `customers` has one row per customer, `customer` names the column of their ids; customers
        who are not in the summary are ignored. Raises ColumnError, or DataError where a customer is
        missing or stands there twice.
        """
        table, _ = read_frame(customers, what="customers")
        if customer not in table.column_names:
            raise ColumnError.missing("customer", customer, table.column_names)
        row = _rows_of(self.ids, _whole(table[customer]), customer)
        added = {
            name: _whole(table[name]).take(row) for name in table.column_names if name != customer
        }
        taken = sorted(set(added) & OWN_COLUMNS)
        if taken:
            raise ColumnError(f"{', '.join(taken)} of customers: a summary has columns so named.")
        return replace(self, attributes={**self.attributes, **added})

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.frequency)

    @property
    def start(self) -> dt.date | None:
        """Day of the first purchase of all, if `end` is known."""
        if self.end is None:
            return None
        return from_day(self.days_ago(np.max(self.T, initial=0.0)))

    def days_ago(self, time: Any) -> Any:
        """Day, from 1970-01-01, of what happened so long before the end of observation.

        `time` is in the unit of the summary: T of first purchases, T - recency of last ones. Raises
        DataError where the end is not known.
        """
        if self.end is None:
            raise DataError("The end of observation is not known: give it, end='2026-12-31'.")
        return days_before(self.end, np.asarray(time) * days_in(self.unit), self.exact)

    @property
    def has_value(self) -> bool:
        """Whether there are amounts, that of each first purchase included."""
        return self.total_value is not None

    @property
    def total_value(self) -> Array | None:
        """Sum of each customer's purchases so far, the first included."""
        if self.monetary_value is None or self.first_value is None:
            return None
        return self.first_value + self.frequency * self.monetary_value

    @property
    def covariates(self) -> Mapping[str, Any]:
        """What may explain purchases and spend: the attributes, and first_value."""
        first = {} if self.first_value is None else {"first_value": self.first_value}
        return {**first, **self.attributes}

    @property
    def cells(self) -> Cells:
        """Customers with the same (frequency, recency, T) collapsed, with their number."""
        return collapse([self.frequency, self.recency, self.T])

    def in_unit(self, unit: str) -> Summary:
        """Return the same summary with times in another unit."""
        factor = days_in(self.unit) / days_in(unit)
        if factor == 1.0:
            return self
        return replace(self, recency=self.recency * factor, T=self.T * factor, unit=unit)

    def take(self, rows: NDArray[np.intp]) -> Summary:
        """Return the summary of some customers, by row, without their single purchases."""
        index = pa.array(rows)

        def some(values: Array | None) -> Array | None:
            return None if values is None else values[rows]

        return replace(
            self,
            ids=self.ids.take(index),
            frequency=self.frequency[rows],
            recency=self.recency[rows],
            T=self.T[rows],
            first_value=some(self.first_value),
            monetary_value=some(self.monetary_value),
            reconciliation=None,
            purchases=None,
            attributes={name: column.take(index) for name, column in self.attributes.items()},
        )

    def after_silence(self, until: Any) -> Summary:
        """Return the summary as it will be at a later day if nobody buys until then.

        `until` is a date after `end`, a duration, or a number in the summary's unit. Raises
        UnitError.
        """
        days = horizon_in_days(until, self.unit, self.end, "silent_until")
        try:
            end = None if self.end is None else self.end + dt.timedelta(days=round(days))
        except OverflowError:
            raise UnitError(
                f"silent_until == {until!r} lies beyond the year {dt.MAXYEAR}, where calendars end."
            ) from None
        return replace(self, T=self.T + days / days_in(self.unit), end=end, purchases=None)

    @cached_property
    def frame(self) -> Any:
        """The summary as a table of the kind that came in, one row per customer."""
        return native_frame(self.table, self.kind)

    @property
    def table(self) -> pa.Table:
        """The summary as an Arrow table, one row per customer."""
        columns: dict[str, Any] = {
            "customer_id": self.ids,
            "frequency": self.frequency.astype(np.int64),
            "recency": self.recency,
            "T": self.T,
        }
        if self.monetary_value is not None:
            columns["monetary_value"] = self.monetary_value
        if self.first_value is not None:
            columns["first_value"] = self.first_value
        if self.end is not None:
            first = to_day(self.end) + self.exact - self.T * days_in(self.unit)
            bought = first + self.recency * days_in(self.unit)
            columns["first_purchase"] = dates(first, self.exact)
            columns["last_purchase"] = dates(bought, self.exact)
        columns.update(self.attributes)
        return pa.table(columns)

    def __repr__(self) -> str:
        """Say how many customers, over which time, and what became of the rows."""
        repeat = int((self.frequency > 0).sum())
        lines = [
            f"Summary of {len(self):,} customers, {repeat:,} with repeat purchases "
            f"({int(self.frequency.sum()):,}), in {UNIT_NAMES[self.unit]}"
        ]
        if self.end is not None:
            lines.append(f"{self.start} to {self.end} (inclusive)")
        if self.reconciliation is not None:
            lines.append(str(self.reconciliation))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = native_frame(read_frame(self.frame)[0].slice(0, 5))
        return f"<pre>{escape(repr(self))}</pre>{head.to_html(index=False)}"


def _whole(column: Any) -> pa.Array:
    """One array of a column that may come in chunks."""
    joined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _rows_of(ids: pa.Array, table_ids: pa.Array, name: str) -> pa.Array:
    """Row of each customer in a table of customers."""
    try:
        table_ids = pc.cast(table_ids, ids.type)
    except pa.ArrowException as error:
        raise DataError(
            f"{name} holds {table_ids.type}, the summary's ids are {ids.type}."
        ) from error
    if pc.count_distinct(table_ids, mode="all").as_py() < len(table_ids):
        counts = pc.value_counts(table_ids)
        twice = counts.filter(pc.greater(counts.field(1), 1)).field(0)
        raise DataError(
            f"{len(twice):,} customers stand in the table more than once, the first is "
            f"{twice[0].as_py()!r}: keep one row for each."
        )
    row = pc.index_in(ids, table_ids)
    if row.null_count:
        first = ids.filter(pc.is_null(row))[0].as_py()
        raise DataError(
            f"{row.null_count:,} of {len(ids):,} customers are not in the table, the first is "
            f"{first!r}: add them, with a category of their own where nothing is known."
        )
    return row


def _check_unit(table: pa.Table, recency: Array, unit: str) -> None:
    """Refuse times that are in another unit than `unit`, where the table's dates tell."""
    names = ("first_purchase", "last_purchase")
    if not all(n in table.column_names and pa.types.is_temporal(table[n].type) for n in names):
        return
    first, last = (table[n].to_numpy().astype("datetime64[D]").astype(float) for n in names)
    apart = last - first

    def fits(name: str) -> bool:
        return bool(np.all(np.abs(apart - recency * days_in(name)) <= 1.0))

    if np.isfinite(apart).all() and not fits(unit):
        other = next((name for name in UNIT_NAMES if fits(name)), None)
        found = "in no unit" if other is None else f"in {UNIT_NAMES[other]}: unit={other!r}"
        raise UnitError(
            f"unit == {unit!r}, {UNIT_NAMES[unit]}, but recency is the time from first_purchase to "
            f"last_purchase {found}."
        )


def check_histories(frequency: Array, recency: Array, T: Array) -> None:
    """Refuse histories that cannot be: raises DataError naming the rule and the first row."""
    rules = {
        "frequency must be a whole number >= 0": (frequency >= 0)
        & (frequency == np.floor(frequency)),
        "recency must be >= 0 and at most T": (recency >= 0) & (recency <= T * (1 + 1e-12)),
        "recency must be 0 where frequency is 0": (frequency > 0) | (recency == 0),
        "T must be finite": np.isfinite(T),
    }
    for rule, holds in rules.items():
        if not holds.all():
            row = int(np.argmin(holds))
            raise DataError(
                f"{rule}; {int((~holds).sum()):,} rows break it, the first is row {row}: "
                f"frequency {frequency[row]:g}, recency {recency[row]:g}, T {T[row]:g}."
            )
