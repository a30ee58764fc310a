"""Summaries and purchases from orders in Spark; the driver holds accounts and cells only."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from clvmodel.errors import ClvError, ParameterError
from clvmodel.tables import partitions
from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.duckdb_source import Judged, check_columns, judged_orders
from clvmodel.tables.large import Known, LargeSummary, Result
from clvmodel.tables.months import Months
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.partitions import (
    ACCOUNT,
    SAID,
    SPEND,
    Account,
    Mapping,
    Reading,
    Rows,
    Shape,
    Spending,
    Telling,
)
from clvmodel.tables.purchases import Excluded, Purchases, Reconciliation, from_day, to_day
from clvmodel.tables.reading import Tally, purchases_of, refuse
from clvmodel.tables.rules import Rules
from clvmodel.tables.spark_source import (
    arrow_schema,
    collected,
    plain,
    quoted,
    spark_errors,
    spark_schema,
    write_parquet,
)
from clvmodel.tables.spend_cells import SpendCells
from clvmodel.tables.summary import Summary
from clvmodel.units import UNIT_NAMES, days_in

MEMORY = "1GB"
"""What the engine may use in each running task before it spills, unless `memory_limit` says so."""

SAMPLE = 1_000_000
"""Customers whose purchases come to the driver at most: a judgement."""

_BUCKETS = 65_536


@dataclass(frozen=True, eq=False)
class SparkSummary(LargeSummary):
    """A customer summary in a Spark cluster; `frame` is a Spark table like `Summary.frame`.

    Its rows are in no order. They are kept in the cluster, in memory or on disk, until `unpersist`.
    `unit`, `end`, `exact` and `reconciliation` are those of a Summary; `has_value` tells whether
    there are amounts. Fits take its cells, which fit into the memory of the driver.
    """

    kept: Any
    customers: int
    unit: str
    end: dt.date
    exact: bool
    has_value: bool
    reconciliation: Reconciliation
    months: Months

    def __len__(self) -> int:
        """Return the number of customers."""
        return self.customers

    @property
    def rows(self) -> Any:
        """The customers as they are kept in the cluster."""
        return self.kept.where("account IS NULL").drop("account")

    @property
    def _shape(self) -> Shape:
        return Shape(self.unit, self.end, self.exact, self.has_value)

    @cached_property
    def frame(self) -> Any:
        """The summary as a Spark table, one row per customer, with the columns of `Summary`'s."""
        return self.map(_table)

    def map(self, function: Callable[[Summary], pa.Table]) -> Any:
        """Return the Spark table of what a function makes of summaries of some customers each.

        The function goes to the cluster (it must be possible to pickle it), but is called once
        here, with one customer, to learn its columns: what it always refuses is raised at once.
        """
        shape = self._shape
        with spark_errors():
            mine = arrow_schema(self.rows)
            schema = plain(function(shape.summary(_one_customer(mine, shape))).schema)
            return self.rows.mapInArrow(Mapping(shape, function, schema), spark_schema(schema))

    def over_parts(self, function: Callable[[Summary], Result]) -> list[Result]:
        """Return what a function says of the customers of each part; it runs in the cluster."""
        with spark_errors():
            said = self.rows.mapInArrow(Telling(self._shape, function), spark_schema(SAID))
            return [pickle.loads(each) for each in collected(said)["said"].to_pylist()]

    def map_to(self, out: Any, function: Callable[[Summary], pa.Table], rows: int) -> None:
        """Write what a function makes of each part, `rows` rows in all: a folder of Parquet."""
        write_parquet(self.map(function), out, rows)

    @cached_property
    def cells(self) -> Cells:
        """Customers with the same (frequency, recency, T) collapsed, with their number."""
        with spark_errors():
            found = collected(self.rows.groupBy("frequency", "span", "first").count())
        x, span, first, number = (np.array(found[i].to_numpy(), float) for i in range(4))
        scale = days_in(self.unit)
        T = (to_day(self.end) + self.exact - first) / scale
        return collapse([x, span / scale, T], number, rows=False)

    def _spend(self, known: Known) -> Cells | None:
        if not self.has_value:
            return None
        with spark_errors():
            parts = self.rows.mapInArrow(Spending(self._shape, known), spark_schema(SPEND))
            found = collected(parts.groupBy("x", "interval").sum("number", "first", "second"))
        x, interval, *sums = (np.array(found[i].to_numpy(), float) for i in range(5))
        says = ~np.isnan(interval)
        gathered = SpendCells()
        gathered.merge(
            np.array([x[says], interval[says]]),
            np.array([each[says] for each in sums]),
            np.array([x[~says], sums[0][~says]]),
        )
        return gathered.cells

    def unpersist(self) -> None:
        """Let the cluster forget the customers. They are computed anew where they are needed."""
        self.kept.unpersist()

    def __repr__(self) -> str:
        """Say how many customers, until when, and what became of the rows."""
        return (
            f"SparkSummary of {self.customers:,} customers, in {UNIT_NAMES[self.unit]}, until "
            f"{self.end} (inclusive)\n{self.reconciliation}"
        )


def _table(summary: Summary) -> pa.Table:
    return summary.table


def _one_customer(schema: pa.Schema, shape: Shape) -> pa.Table:
    """A customer who bought once, on the last day."""
    day = float(to_day(shape.end))
    known = {"frequency": 0.0, "span": 0.0, "first": day, "monetary_value": 0.0, "first_value": 1.0}
    return pa.table([pa.array([known.get(f.name)], f.type) for f in schema], schema=schema)


def summarize_spark(orders: Any, columns: Columns | None, how: Rules, unit: str) -> SparkSummary:
    """Summarize the orders of a Spark table, in the cluster: see `summarize`."""
    names = ["frequency", "span", "first"]
    if columns is not None and columns.value is not None:
        names += ["monetary_value", "first_value"]
    more = [pa.field(name, pa.float64()) for name in names]
    kept, found, account = _read(orders, columns, how, partitions.customers, "customer_id", more)
    try:
        refuse(found)
        reconciliation = account.tally.reconciled(found)
    except ClvError:
        kept.unpersist()
        raise
    end = how.end or from_day(found.fates["used"].last)
    has_value = found.columns.value is not None
    return SparkSummary(
        kept,
        account.customers,
        unit,
        end,
        how.exact,
        has_value,
        reconciliation,
        account.months,
    )


def purchases_from_spark(
    orders: Any, columns: Columns | None, how: Rules, most: int = SAMPLE
) -> Purchases:
    """Read a Spark table like `read_purchases`; of more than `most` customers, a sample of them.

    The sample is drawn by a hash of the customer ids, so that it does not depend on what they did;
    its size, and the purchases outside, stand in the reconciliation.
    """
    more = [
        pa.field("day", pa.float64()),
        pa.field("rows", pa.int64()),
        pa.field("value", pa.float64()),
        pa.field("new", pa.bool_()),
    ]
    kept, found, account = _read(orders, columns, how, partitions.purchases, "customer", more)
    try:
        refuse(found)
        account.tally.reconciled(found)
        with spark_errors():
            table = collected(_sampled(kept, account.customers, most))
    finally:
        kept.unpersist()
    table = table.sort_by([("customer", "ascending"), ("day", "ascending")]).combine_chunks()
    table = table.append_column("kept", pa.array(np.ones(table.num_rows, bool)))
    every = account.tally
    tally = Tally(refunds=every.refunds, refunded=every.refunded)
    history = purchases_of(table, found, from_day(found.fates["used"].last), tally)
    said = tally.reconciled(found)
    if len(history.ids) < account.customers:
        outside = Excluded(
            f"purchases of customers outside the sample of {len(history.ids):,} of "
            f"{account.customers:,}, drawn by a hash of their ids",
            every.rows - tally.rows,
            every.amount - tally.amount if found.columns.value is not None else 0.0,
        )
        said = replace(said, excluded=(*said.excluded, outside))
    return replace(history, reconciliation=said)


def _sampled(kept: Any, customers: int, most: int) -> Any:
    """The purchases of at most so many customers."""
    rows = kept.where("account IS NULL").drop("account")
    if customers <= most:
        return rows.drop("new")
    bucket = f"pmod(xxhash64(customer), {_BUCKETS})"
    counts = collected(rows.where("new").selectExpr(f"{bucket} AS b").groupBy("b").count())
    order = np.argsort(counts["b"].to_numpy())
    together = np.cumsum(counts["count"].to_numpy()[order])
    taken = int(np.searchsorted(together, most, side="right"))
    limit = counts["b"].to_numpy()[order][taken]  # there is one: all together are more
    return rows.where(f"{bucket} < {limit}").drop("new")


def _read(
    orders: Any,
    columns: Columns | None,
    how: Rules,
    rows_of: Rows,
    name: str,
    more: list[pa.Field],
) -> tuple[Any, Judged, Account]:
    """Read the orders by customer: rows in the cluster, which it keeps; the account of all rows."""
    if columns is None:
        raise ParameterError(
            "preset reads the files of an export; of a Spark table, name the columns: customer, "
            "date, value."
        )
    with spark_errors():
        check_columns(columns, list(orders.columns), how.order_id)
        wanted = dict.fromkeys(each for each in (*columns, how.order_id) if each is not None)
        asked = orders.select(*map(quoted, wanted))
        known = arrow_schema(asked)
        with judged_orders(known.empty_table(), columns, how) as found:
            pass  # columns that do not hold what they should are refused here
        schema = pa.schema([pa.field(name, known.field(columns.customer).type), *more, ACCOUNT])
        rules = replace(how, memory_limit=how.memory_limit or MEMORY, threads=1)
        reading = Reading(columns, rules, rows_of, schema)
        by_customer = asked.repartition(quoted(columns.customer))
        kept = by_customer.mapInArrow(reading, spark_schema(schema)).persist()
        try:
            said = collected(kept.where("account IS NOT NULL").select("account"))
        except Exception:
            kept.unpersist()
            raise
    account = Account.together(said["account"].to_pylist())
    return kept, replace(found, fates=account.fates, kind="pyspark"), account
