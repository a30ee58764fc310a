"""What is done in each partition of a cluster: the orders of some customers in, Arrow rows out.

The same SQL and the same code run here as on one machine, so that the numbers are the same.
"""

from __future__ import annotations

import datetime as dt
import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from clvmodel.tables.duckdb_source import Fate, judged_orders
from clvmodel.tables.large import Known
from clvmodel.tables.months import Months
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.purchases import Purchases, from_day, to_day
from clvmodel.tables.reading import Tally, purchases_of
from clvmodel.tables.rules import Rules
from clvmodel.tables.spend_cells import SpendCells
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in

Batches = Iterable[pa.RecordBatch]

ROWS = 100_000
"""Customers (of orders: occasions) that one partition holds in memory at a time."""

ACCOUNT = pa.field("account", pa.string())
SPEND = pa.schema([(name, pa.float64()) for name in ("x", "interval", "number", "first", "second")])
SAID = pa.schema([("said", pa.binary())])


@dataclass(frozen=True)
class Account:
    """What became of the rows of some partitions, and how many customers made purchases."""

    fates: dict[str, Fate]
    tally: Tally
    customers: int
    months: Months

    @classmethod
    def together(cls, said: Iterable[str]) -> Account:
        """Add up the accounts that partitions gave."""
        fates: dict[str, Fate] = {}
        tally, customers = Tally(), 0
        months: list[Months] = []
        for account in map(json.loads, said):
            customers += account["customers"]
            months.append(Months.from_plain(account["months"]))
            for name, number in account["tally"].items():
                setattr(tally, name, getattr(tally, name) + number)
            for name, fate in account["fates"].items():
                fates[name] = _both(fates[name], Fate(*fate)) if name in fates else Fate(*fate)
        return cls(fates, tally, customers, Months.together(months))


def _both(one: Fate, other: Fate) -> Fate:
    """One fate in two partitions."""
    known = {
        name: [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        for name in ("first", "last", "bad", "least")
    }
    return Fate(
        rows=one.rows + other.rows,
        first=min(known["first"], default=None),
        last=max(known["last"], default=None),
        bad=min(known["bad"], default=None),
        amount=one.amount + other.amount,
        negative=one.negative + other.negative,
        least=min(known["least"], default=None),
    )


Rows = Callable[[pa.Table, Purchases], dict[str, pa.Array]]
"""Makes the rows that come out of merged occasions, and of the purchases among them."""


@dataclass(frozen=True)
class Reading:
    """Reads the orders of a partition; `schema` is that of the rows that come out."""

    columns: Columns
    rules: Rules
    rows_of: Rows
    schema: pa.Schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what `rows_of` makes, and a last row with the account of all that came in."""
        one = next(batches, None)
        if one is None:
            return
        reader = pa.RecordBatchReader.from_batches(one.schema, chain((one,), batches))
        with judged_orders(reader, self.columns, self.rules) as found:
            tally, number = Tally(), 0
            months: list[Months] = []
            used = found.fates.get("used")
            for table in found.batches(ROWS) if used is not None else ():
                assert used is not None
                part = purchases_of(table, found, from_day(used.last), tally)
                number += len(part.ids)
                months.append(Months.of(part))
                yield from _rows(self.rows_of(table, part), self.schema)
            account = {
                "fates": found.fates,
                "tally": asdict(tally),
                "customers": number,
                "months": Months.together(months).plain(),
            }
            yield from _rows({"account": pa.array([json.dumps(account)])}, self.schema)


def customers(_: pa.Table, part: Purchases) -> dict[str, pa.Array]:
    """Return a row per customer, times in days, with the day of the first purchase."""
    summary = Summary.from_purchases(part, part.last_order)
    starts = np.flatnonzero(np.diff(part.customer, prepend=-1))
    columns = {
        "customer_id": summary.ids,
        "frequency": pa.array(summary.frequency),
        "span": pa.array(summary.recency),
        "first": pa.array(part.day[starts].astype(float)),
    }
    if summary.monetary_value is not None:
        columns["monetary_value"] = pa.array(summary.monetary_value)
        columns["first_value"] = pa.array(summary.first_value)
    return columns


def purchases(table: pa.Table, part: Purchases) -> dict[str, pa.Array]:
    """Return a row per purchase; `new` is whether it is its customer's first."""
    kept = table.filter(table["kept"])
    columns = {name: kept[name].combine_chunks() for name in ("customer", "day", "rows", "value")}
    return {**columns, "new": pa.array(np.diff(part.customer, prepend=-1) != 0)}


def _rows(columns: dict[str, pa.Array], schema: pa.Schema) -> list[pa.RecordBatch]:
    """Arrow batches of a schema; columns that are not there are null."""
    size = len(next(iter(columns.values())))
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(size, field.type)
        for field in schema
    ]
    batches: list[pa.RecordBatch] = pa.table(arrays, schema=schema).to_batches()
    return batches


@dataclass(frozen=True)
class Shape:
    """What the rows of `customers` do not say of the summary that they are."""

    unit: str
    end: dt.date
    exact: bool
    has_value: bool

    def summary(self, table: pa.Table) -> Summary:
        """Return the summary of these customers."""

        def column(name: str) -> np.ndarray:
            return np.array(table[name].to_numpy(), dtype=float)

        ids = table["customer_id"].combine_chunks()
        scale = days_in(self.unit)
        return Summary(
            ids=ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids,
            frequency=column("frequency"),
            recency=column("span") / scale,
            T=(to_day(self.end) + self.exact - column("first")) / scale,
            first_value=column("first_value") if self.has_value else None,
            monetary_value=column("monetary_value") if self.has_value else None,
            unit=self.unit,
            end=self.end,
            kind="pyarrow",
            exact=self.exact,
        )

    def summaries(self, batches: Batches) -> Iterator[Summary]:
        """Yield the customers of a partition in summaries of about `ROWS`."""
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= ROWS:
                yield self.summary(pa.Table.from_batches(waiting))
                waiting = []
        if any(each.num_rows for each in waiting):
            yield self.summary(pa.Table.from_batches(waiting))


@dataclass(frozen=True)
class Mapping:
    """A function of summaries, run over the customers of a partition."""

    shape: Shape
    function: Callable[[Summary], pa.Table]
    schema: pa.Schema

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Yield its rows, in the types of the schema."""
        for summary in self.shape.summaries(batches):
            yield from self.function(summary).cast(self.schema).to_batches()


@dataclass(frozen=True)
class Telling:
    """A function of summaries, run over the customers of a partition; what it says comes back."""

    shape: Shape
    function: Callable[[Summary], Any]

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Yield what it says of each summary, pickled."""
        for summary in self.shape.summaries(batches):
            said = pickle.dumps(self.function(summary))
            yield from pa.table([pa.array([said], pa.binary())], schema=SAID).to_batches()


@dataclass(frozen=True)
class Spending:
    """Gathers the spend of the customers of a partition into cells: see `tables.spend_cells`."""

    shape: Shape
    known: Known

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Yield rows of `SPEND`; those of customers without spend that counts have no interval."""
        gathered = SpendCells()
        for summary in self.shape.summaries(batches):
            gathered.add(*self.known(summary))
        keys, sums, silent = gathered.parts
        nothing = np.zeros_like(silent[0])
        without = [silent[0], nothing + np.nan, silent[1], nothing, nothing]
        rows = np.concatenate([np.concatenate([keys, sums]), without], axis=1)
        yield from pa.table(list(rows), schema=SPEND).to_batches()
