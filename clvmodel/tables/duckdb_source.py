"""Orders to purchases in DuckDB, in-process: the one file that knows DuckDB."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from clvmodel.errors import ColumnError, FileError, ParameterError
from clvmodel.tables import sources
from clvmodel.tables.frames import DEFAULT_KIND, column_names, local_batches, open_frame
from clvmodel.tables.orders_sql import PAIR, Columns, account, daily, judged, literal, quote
from clvmodel.tables.rules import Rules

if TYPE_CHECKING:
    import duckdb

PRESET_COLUMNS = Columns("customer", "date", "value")


class Fate(NamedTuple):
    """The rows that met one fate: how many, their days, a bad field, the sum of their amounts.

    `negative` counts negative amounts among them, and `least` is the least amount.
    """

    rows: int
    first: int | None
    last: int | None
    bad: str | None
    amount: float
    negative: int
    least: float | None


@dataclass(frozen=True)
class Judged:
    """Orders in DuckDB: the view `orders`, and the table `judged` with what becomes of each row.

    `columns` name the columns of `orders`, whose types are `types`; `fates` counts the rows by what
    became of them; `kind` is the kind of frame that came in.
    """

    connection: duckdb.DuckDBPyConnection
    columns: Columns
    rules: Rules
    types: dict[str, str]
    fates: dict[str, Fate]
    kind: str

    def query(self, query: str) -> list[Any]:
        """Run one statement to its end; its rows, if it has any."""
        return _rows(self.connection, query)

    def daily(self) -> pa.Table:
        """Customers' occasions with orders, merged, in order; `kept` tells which are purchases."""
        return _with_kept(self.connection.sql(daily(self.rules)).to_arrow_table().combine_chunks())

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """Yield `daily` in parts of about so many rows, none of which parts a customer."""
        relation = self.connection.sql(daily(self.rules))
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
        waiting: list[pa.RecordBatch] = []
        number = 0
        for batch in read(min(rows, 1_000_000)):
            waiting.append(batch)
            number += batch.num_rows
            if number < rows:
                continue
            table = pa.Table.from_batches(waiting).combine_chunks()
            cut = _last_customer(table["customer"])
            if cut:
                yield _with_kept(table.slice(0, cut).combine_chunks())
            waiting, number = table.slice(cut).to_batches(), table.num_rows - cut
        if waiting:
            yield _with_kept(pa.Table.from_batches(waiting).combine_chunks())

    def register(self, name: str, table: pa.Table) -> None:
        """Let queries read an Arrow table by a name."""
        self.connection.register(name, table)


def _with_kept(table: pa.Table) -> pa.Table:
    value = table["value"].to_numpy()
    kept = (value > 0) | ((value == 0) & ~table["refunded"].to_numpy())
    return table.append_column("kept", pa.array(kept))


def _last_customer(customer: pa.ChunkedArray) -> int:
    """Row at which the last customer of a sorted column begins."""
    last, low, high = customer[-1], 0, len(customer) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if customer[middle] == last else (middle + 1, high)
    return low


@contextmanager
def judged_orders(
    orders: Any, columns: Columns | None, rules: Rules, whole: bool = False
) -> Iterator[Judged]:
    """Open orders (a frame or a path) and judge every row, refusing none.

    With `whole`, all columns are taken, and `orders` and `judged` are in the order of the input;
    else only the columns that are named, in any order.
    """
    with _opened(orders, columns, rules, whole) as (connection, kind):
        types = {row[0]: str(row[1]).upper() for row in _rows(connection, "DESCRIBE orders")}
        named = PRESET_COLUMNS if rules.preset is not None else columns
        assert named is not None
        check_columns(named, list(types), rules.order_id)
        _check_format(connection, rules.date_format)
        _rows(connection, judged(types, named, rules))
        fates = {row[0]: Fate(*row[1:]) for row in _rows(connection, account(rules))}
        if rules.paired:
            _rows(connection, PAIR)
        yield Judged(connection, named, rules, types, fates, kind)


@contextmanager
def _opened(
    orders: Any, columns: Columns | None, rules: Rules, whole: bool
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A private connection with the view `orders`, and the kind of frame to give back.

    Of a frame, only the columns that are needed are taken, unless `whole`.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="clvmodel-") as spill:
        connection = _connect(rules, spill, ordered=whole)
        try:
            yield connection, _view(connection, orders, columns, rules, whole)
        except duckdb.Error as error:
            raise FileError(_reason(error, orders)) from error
        finally:
            connection.close()


def _reason(error: Exception, orders: Any) -> str:
    """Say in one line which file cannot be read, and why, without advice on DuckDB's options."""
    file = re.search(r"^\s*file = (.+)$", str(error), re.MULTILINE)
    words = " ".join(re.split(r"\n\n|\nPossible ", str(error))[0].split())[:300]
    if file is not None:
        return f"{file[1]} cannot be read: {words}"
    if not sources.is_path(orders):
        return f"The orders cannot be read: {words}"
    paths = orders if isinstance(orders, list | tuple) else [orders]
    return f"{', '.join(map(str, paths))} cannot be read: {words}"


def _connect(rules: Rules, spill: str, ordered: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "temp_directory": spill,
        "TimeZone": "UTC",  # a moment's day must not depend on the machine
        "preserve_insertion_order": "true" if ordered else "false",
    }
    if rules.memory_limit is not None:
        config["memory_limit"] = rules.memory_limit
    if rules.threads is not None:
        config["threads"] = rules.threads
    try:
        return duckdb.connect(config=config)
    except duckdb.Error:
        raise ParameterError.out_of_range(
            "memory_limit", rules.memory_limit, "a size of memory such as '2GB' or '500MB'"
        ) from None


def _wanted(columns: Columns | None, rules: Rules, present: list[str]) -> list[str] | None:
    """Columns that are needed of a frame; None for all."""
    if rules.preset is not None:
        return list(dict.fromkeys(rules.preset.found(present).values()))
    if columns is None:
        return None
    return list(dict.fromkeys(name for name in (*columns, rules.order_id) if name is not None))


def _view(
    connection: duckdb.DuckDBPyConnection,
    orders: Any,
    columns: Columns | None,
    rules: Rules,
    whole: bool,
) -> str:
    """Make the view `orders`; the kind of frame to give back."""
    raw = "orders" if rules.preset is None else "raw"
    kind = DEFAULT_KIND
    if sources.is_path(orders):
        _view_file(connection, orders, columns, rules, raw, whole)
    else:
        present = column_names(orders)
        if columns is not None:
            check_columns(columns, present, rules.order_id)
        table, kind = open_frame(orders, None if whole else _wanted(columns, rules, present))
        if isinstance(table, pa.RecordBatchReader):  # can be read but once
            _keep(connection, table, raw)
        else:
            connection.register(raw, table)
    if rules.preset is not None:
        names = [row[0] for row in _rows(connection, "DESCRIBE raw")]
        select = rules.preset.select("raw", names, rules.refunds, whole)
        _rows(connection, f"CREATE VIEW orders AS {select}")
    return kind


def _view_file(
    connection: duckdb.DuckDBPyConnection,
    orders: Any,
    columns: Columns | None,
    rules: Rules,
    raw: str,
    whole: bool,
) -> None:
    """Make the view `raw` of files."""
    found = sources.find(orders)
    if isinstance(found, sources.Table):
        where = _attached(connection, found)
    else:
        where = sources.scan(found)
        present = sources.columns_of_parquet(found)
        if present and (columns is not None or rules.preset is not None):
            names = _wanted(columns, rules, present) or present
            zoned = sources.zoned_reader(found, names, None if whole else names)
            if zoned is not None:
                return _keep(connection, local_batches(zoned), raw)
    _rows(connection, f"CREATE VIEW {raw} AS SELECT * FROM {where}")
    return None


def _keep(connection: duckdb.DuckDBPyConnection, batches: Any, name: str) -> None:
    """Read batches into a table."""
    connection.register("batches", batches)
    _rows(connection, f"CREATE TEMP TABLE {name} AS SELECT * FROM batches")


def _attached(connection: duckdb.DuckDBPyConnection, table: sources.Table) -> str:
    """SQL name of a table in a DuckDB file, opened to read only."""
    _rows(connection, f"ATTACH {literal(str(table.path))} AS source (READ_ONLY)")
    found = _rows(
        connection,
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'source' "
        "AND table_schema = 'main' ORDER BY table_name",
    )
    return sources.table_in(table, [row[0] for row in found])


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """Run one statement to its end; its rows, if it has any."""
    return connection.execute(query).fetchall()


def _check_format(connection: duckdb.DuckDBPyConnection, date_format: str | None) -> None:
    import duckdb

    if date_format is None:
        return
    try:
        _rows(connection, f"SELECT try_strptime('', {literal(date_format)})")
        known = "%" in date_format
    except duckdb.Error:
        known = False
    if not known:
        raise ParameterError.out_of_range("date_format", date_format, "such as '%d/%m/%Y'")


def read_columns(orders: Any) -> list[str]:
    """Names of the columns of a frame or a file."""
    if not sources.is_path(orders):
        return column_names(orders)
    with _opened(orders, None, Rules(), whole=False) as (connection, _):
        return [row[0] for row in _rows(connection, "DESCRIBE orders")]


def check_columns(columns: Columns, names: list[str], order_id: str | None = None) -> None:
    """Raise ColumnError for a column that is not there, or that has two roles."""
    for argument, column in {**columns._asdict(), "order_id": order_id}.items():
        if column is not None and column not in names:
            raise ColumnError.missing(argument, column, names)
    if columns.value in (columns.customer, columns.date):
        role = "customer" if columns.value == columns.customer else "date"
        raise ColumnError(
            f"value={columns.value!r} is the {role} column; name the column that holds amounts."
        )
    if columns.customer == columns.date:
        raise ColumnError(f"customer and date are both {columns.date!r}; they must differ.")
    if order_id is not None and order_id in columns:
        role = columns._fields[columns.index(order_id)]
        raise ColumnError(f"order_id={order_id!r} is the {role} column; name that of order ids.")


def write_database(path: str, table: str, parquet: list[str]) -> None:
    """Write Parquet files as a table of a DuckDB file, in one transaction. Raises FileError."""
    import duckdb

    files = ", ".join(map(literal, parquet))
    try:
        with duckdb.connect(path) as connection:
            _rows(
                connection,
                f"CREATE OR REPLACE TABLE {quote(table)} AS "
                f"SELECT * FROM read_parquet([{files}], hive_partitioning=false)",
            )
    except duckdb.Error as error:
        reason = " ".join(str(error).split("\n\n")[0].split())[:300]
        raise FileError(f"{path} cannot be written: {reason}") from error


def pairs(one: Path, two: Path, key: str, column: str) -> list[tuple[Any, Any, int]]:
    """(value in one Parquet file, value in the other, rows) of rows with the same key.

    None stands for rows that only the other file has.
    """
    import duckdb

    files = [f"read_parquet({literal(str(path))}, hive_partitioning=false)" for path in (one, two)]
    name, by = quote(column), quote(key)
    with duckdb.connect(config={"temp_directory": str(one.parent)}) as connection:
        return connection.execute(
            f"SELECT a.{name}, b.{name}, count(*) FROM {files[0]} a FULL JOIN {files[1]} b "
            f"USING ({by}) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
