"""A customer summary that lives in a Parquet file: for histories larger than the memory."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from clvmodel.errors import FileError
from clvmodel.tables.cells import Cells
from clvmodel.tables.files import TABLES, check_output, replacing
from clvmodel.tables.large import Known, LargeSummary, Result, TimingCells, repeat_spend
from clvmodel.tables.months import Months
from clvmodel.tables.parts import write_tables
from clvmodel.tables.purchases import Excluded, Reconciliation
from clvmodel.tables.reading import columns_of, purchases_in_parts
from clvmodel.tables.rules import rules
from clvmodel.tables.spend_cells import SpendCells
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import UNIT_NAMES, days_in

FORMAT = "clvmodel.summary/2"
ROWS = 500_000
"""Customers (of purchases: rows) that are held in memory at a time."""


@dataclass(frozen=True, eq=False)
class StoredSummary(LargeSummary):
    """A summary in a Parquet file: the columns of `Summary.frame`, sorted by customer.

    `customers` counts its rows; `unit`, `end`, `exact` and `reconciliation` are those of a Summary.
    Fits take its cells, which fit into memory where the customers do not; `batches` yields the
    customers in parts. `has_value` tells whether there are amounts; `months` are the cohorts'.
    """

    path: Path
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

    def batches(self, rows: int = ROWS) -> Iterator[Summary]:
        """Yield the customers, in order, in summaries of at most so many."""
        with _opened(self.path) as file:
            for batch in file.iter_batches(rows):
                yield self._summary(pa.Table.from_batches([batch]))

    def load(self) -> Summary:
        """Return the whole summary, in memory."""
        with _opened(self.path) as file:
            return self._summary(file.read())

    def held(self) -> Summary | Self:
        """Return the whole summary, in memory, if it is no larger than a batch; else itself."""
        return self.load() if self.customers <= ROWS else self

    def _summary(self, table: pa.Table) -> Summary:
        def column(name: str) -> Array:
            return np.array(table[name].to_numpy(), dtype=float)

        ids = table["customer_id"].combine_chunks()
        return Summary(
            ids=ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids,
            frequency=column("frequency"),
            recency=column("recency"),
            T=column("T"),
            first_value=column("first_value") if self.has_value else None,
            monetary_value=column("monetary_value") if self.has_value else None,
            unit=self.unit,
            end=self.end,
            kind="pyarrow",
            exact=self.exact,
        )

    def over_parts(self, function: Callable[[Summary], Result]) -> list[Result]:
        """Return what a function says of the customers of each part, in their order."""
        return [function(part) for part in self.batches()]

    def map_to(self, out: Any, function: Callable[[Summary], pa.Table], rows: int) -> None:
        """Write what a function makes of each part, `rows` rows in all: a CSV or Parquet file."""
        check_output(out, TABLES)
        written = 0

        def tables() -> Iterator[pa.Table]:
            nonlocal written
            for part in self.batches():
                table = function(part)
                written += table.num_rows
                yield table
            if written != rows:
                raise FileError(f"{out}: {written:,} rows were made of {rows:,}; nothing written.")

        write_tables(out, tables())

    @cached_property
    def cells(self) -> Cells:
        """Customers with the same (frequency, recency, T) collapsed, with their number."""
        gathered = TimingCells()
        for batch in self.batches():
            gathered.add(batch)
        return gathered.cells

    def _spend(self, known: Known) -> Cells | None:
        if not self.has_value:
            return None
        gathered = SpendCells()
        for batch in self.batches():
            gathered.add(*known(batch))
        return gathered.cells

    def __repr__(self) -> str:
        """Say how many customers, until when, where, and what became of the rows."""
        return (
            f"StoredSummary of {self.customers:,} customers in {self.path}, in "
            f"{UNIT_NAMES[self.unit]}, until {self.end} (inclusive)\n{self.reconciliation}"
        )


def summarize_to(
    path: Any,
    orders: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    unit: str = "D",
    memory_limit: str | None = "2GB",
    rows: int = ROWS,
    **reading: Any,
) -> StoredSummary:
    """Summarize an order history into a Parquet file, whatever its size.

    Like `summarize`, with the same numbers, but neither the orders nor the customers are ever held
    in memory: the engine spills to disk beyond `memory_limit`, and about `rows` purchases are
    summarized at a time. `path` is the file to write (replaced as a whole, at the end); `reading`
    are the further arguments of `summarize` (end, start, date_format, refunds, preset, ...). Fit,
    predict and score the result like a summary; see `FittedValueModel.predict_to`.

    Raises what `summarize` raises, and FileError where the file cannot be written.
    """
    days_in(unit)
    how = rules(memory_limit=memory_limit, **reading)
    columns = columns_of(customer, date, value, how)
    timing, spend = TimingCells(), SpendCells()
    months: list[Months] = []
    with purchases_in_parts(orders, columns, how, rows) as parts:
        end = how.end or parts.last_order

        def tables() -> Iterator[pa.Table]:
            for purchases in parts.each:
                if len(purchases.ids):
                    months.append(Months.of(purchases))
                    part = Summary.from_purchases(purchases, end, unit)
                    timing.add(part)
                    if part.monetary_value is not None:
                        spend.add(*repeat_spend(part))
                    yield part.table

        has_value = parts.found.columns.value is not None
        head = {"unit": unit, "end": str(end), "exact": how.exact, "has_value": has_value}
        account = _write(
            path,
            tables(),
            head,
            lambda: (parts.tally.reconciled(parts.found), Months.together(months)),
        )
    cells = timing.cells
    customers = int(cells.weight.sum())
    stored = StoredSummary(Path(path), customers, unit, end, how.exact, has_value, *account)
    vars(stored)["cells"] = cells
    if has_value:
        vars(stored)["spend_cells"] = spend.cells
    return stored


def _write(
    path: Any,
    tables: Iterable[pa.Table],
    head: dict[str, Any],
    account: Callable[[], tuple[Reconciliation, Months]],
) -> tuple[Reconciliation, Months]:
    """Write the tables as one Parquet file, and what is known of it as a whole, which returns."""
    with replacing(path) as temporary:
        writer = None
        for table in tables:
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(temporary, table.schema)
            writer.write_table(table, row_group_size=table.num_rows)
        reconciliation, months = account()
        assert writer is not None  # else the account has raised
        known = {"reconciliation": asdict(reconciliation), "months": months.plain()}
        said = {**head, "format": FORMAT, **known}
        writer.add_key_value_metadata({"clvmodel": json.dumps(said)})
        writer.close()
    return reconciliation, months


def open_summary(path: Any) -> StoredSummary:
    """Open a summary that `summarize_to` wrote. Raises FileError if the file is none."""
    with _opened(Path(path)) as file:
        known = (file.metadata.metadata or {}).get(b"clvmodel")
        customers = file.metadata.num_rows
    said = {} if known is None else json.loads(known)
    if said.get("format") != FORMAT:
        raise FileError(f"{path} is no summary that summarize_to wrote.")
    account = said["reconciliation"]
    account["excluded"] = tuple(Excluded(**each) for each in account["excluded"])
    end = dt.date.fromisoformat(said["end"])
    return StoredSummary(
        Path(path),
        customers,
        said["unit"],
        end,
        said["exact"],
        said["has_value"],
        Reconciliation(**account),
        Months.from_plain(said["months"]),
    )


def is_stored(path: Any) -> bool:
    """Whether a file is a summary that `summarize_to` wrote."""
    try:
        return b"clvmodel" in (pyarrow.parquet.read_metadata(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def _opened(path: Path) -> Any:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300]
        raise FileError(f"{path} cannot be read: {reason}") from error
