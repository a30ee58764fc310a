"""Orders to purchases in DuckDB, in-process: the one file that knows DuckDB."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from clvmodel.errors import ColumnError, DataError, FileError, ParameterError
from clvmodel.tables.frames import DEFAULT_KIND, column_names, read_frame
from clvmodel.tables.orders_sql import ACCOUNT, DAILY, REASONS, Columns, judged, literal
from clvmodel.tables.purchases import Excluded, Purchases, Reconciliation, from_day

if TYPE_CHECKING:
    import duckdb

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_PARQUET = (".parquet", ".pq")


def read_purchases(
    orders: Any,
    customer: str,
    date: str,
    value: str | None,
    end: dt.date | None = None,
    date_format: str | None = None,
) -> Purchases:
    """Read orders (a frame or a path) and merge them into purchases, accounting for every row.

    A day of refunds counts as a purchase only if its net is positive; a day without refunds counts
    even at value 0 (a free order is an order). Raises ColumnError, DataError or FileError.
    """
    columns = Columns(customer, date, value)
    with judged_orders(orders, columns, end, date_format) as found:
        fates = {row[0]: Fate(*row[1:]) for row in found.query(ACCOUNT)}
        _refuse(fates, columns, end, date_format)
        return _assemble(found.daily(), fates, found.kind, value is not None)


@dataclass(frozen=True)
class Judged:
    """Orders in DuckDB: the view `orders`, and the table `judged` with what becomes of each row.

    `types` are the types of the columns of `orders`; `kind` is the kind of frame that came in.
    """

    connection: duckdb.DuckDBPyConnection
    types: dict[str, str]
    kind: str

    def query(self, query: str) -> list[Any]:
        """Run one statement to its end; its rows, if it has any."""
        return _rows(self.connection, query)

    def daily(self) -> pa.Table:
        """Customers' days with orders, merged, in order; `kept` tells which are purchases."""
        table = self.connection.sql(DAILY).to_arrow_table().combine_chunks()
        value = table["value"].to_numpy()
        kept = (value > 0) | ((value == 0) & ~table["refunded"].to_numpy())
        return table.append_column("kept", pa.array(kept))

    def register(self, name: str, table: pa.Table) -> None:
        """Let queries read an Arrow table by a name."""
        self.connection.register(name, table)


@contextmanager
def judged_orders(
    orders: Any,
    columns: Columns,
    end: dt.date | None,
    date_format: str | None,
    whole: bool = False,
) -> Iterator[Judged]:
    """Open orders (a frame or a path) and judge every row, refusing none.

    Both `orders` and `judged` are in the order of the input. Of a frame, only the columns that
    `columns` names are taken, unless `whole`.
    """
    with _opened(orders, columns, whole) as (connection, kind):
        types = {row[0]: str(row[1]).upper() for row in _rows(connection, "DESCRIBE orders")}
        check_columns(columns, list(types))
        _check_format(connection, date_format)
        _rows(connection, judged(types, columns, date_format, end))
        yield Judged(connection, types, kind)


class Fate(NamedTuple):
    """The rows that met one fate: how many, their days, a bad field, the sum of their amounts."""

    rows: int
    first: int | None
    last: int | None
    bad: str | None
    amount: float


@contextmanager
def _opened(
    orders: Any, columns: Columns | None = None, whole: bool = False
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A private connection with the view `orders`, and the kind of frame to give back.

    Of a frame, only the columns that are needed are taken, unless `whole`.
    """
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        zoned = _zoned(Path(orders), columns, whole) if isinstance(orders, str | Path) else None
        if zoned is None and isinstance(orders, str | Path):
            _rows(connection, f"CREATE VIEW orders AS SELECT * FROM {_scan(Path(orders))}")
            kind = DEFAULT_KIND
        else:
            wanted = None
            source = orders if zoned is None else zoned
            if columns is not None:
                check_columns(columns, column_names(source))
                wanted = None if whole else [name for name in columns if name is not None]
            table, kind = read_frame(source, wanted)
            kind = kind if zoned is None else DEFAULT_KIND
            connection.register("orders", table)
        yield connection, kind
    except duckdb.Error as error:
        what = f"{orders}: " if isinstance(orders, str | Path) else ""
        reason = " ".join(str(error).split("\n\n")[0].split())[:300]
        raise FileError(f"{what}cannot be read: {reason}") from error
    finally:
        connection.close()


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
    if not isinstance(orders, str | Path):
        return column_names(orders)
    with _opened(orders) as (connection, _):
        return [row[0] for row in _rows(connection, "DESCRIBE orders")]


def _scan(path: Path) -> str:
    """SQL that reads a file; raises FileError for what is no file of a known kind."""
    if path.is_dir():
        raise FileError(f"{path} is a directory; name a CSV or Parquet file in it.")
    if not path.exists():
        raise FileError(f"{path} does not exist.")
    name = path.name.lower()
    if not name.endswith(_CSV + _PARQUET):
        raise FileError(f"{path} is neither CSV ({', '.join(_CSV)}) nor Parquet ({_PARQUET[0]}).")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty.")
    # One file, whatever its name looks like: no pattern, no columns read from folder names.
    quoted = literal(re.sub(r"([\[*?])", r"[\1]", str(path)))
    if name.endswith(_PARQUET):
        return f"read_parquet({quoted}, hive_partitioning=false)"
    # Nothing is guessed: line 1 is the header, every later line is a row, every column is text, and
    # what is a date or a number is decided here, once, and strictly.
    delimiter, names = _header(path)
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({quoted}, auto_detect=false, header=true, skip=0, columns={{{types}}}, "
        f"delim={literal(delimiter)}, quote='\"', escape='\"', comment='', "
        "hive_partitioning=false)"
    )


def _header(path: Path) -> tuple[str, list[str]]:
    """Return the likeliest delimiter and the names of the columns, by the first line."""
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            line = file.readline(1 << 20).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {error}; CSV files must be UTF-8.") from error
    delimiter = max(",;\t|", key=line.count)
    names = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ColumnError(f"{path}: two columns are called {twice[0]!r}; rename one of them.")
    if not any(names):
        raise FileError(f"{path} has no header: its first line is blank.")
    return delimiter, names


def _zoned(path: Path, columns: Columns | None, whole: bool) -> Any:
    """Return the table of a Parquet file whose dates carry a time zone, else None.

    DuckDB would count their days in its own zone; Arrow keeps the file's.
    """
    is_parquet = path.name.lower().endswith(_PARQUET) and path.is_file()
    if columns is None or not is_parquet or path.stat().st_size == 0:
        return None
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    if (
        columns.date not in schema.names
        or getattr(schema.field(columns.date).type, "tz", None) is None
    ):
        return None
    check_columns(columns, schema.names)
    wanted = None if whole else [name for name in columns if name is not None]
    return pyarrow.parquet.read_table(path, columns=wanted)


def check_columns(columns: Columns, names: list[str]) -> None:
    """Raise ColumnError for a column that is not there, or that has two roles."""
    for argument, column in columns._asdict().items():
        if column is not None and column not in names:
            raise ColumnError.missing(argument, column, names)
    if columns.value in (columns.customer, columns.date):
        role = "customer" if columns.value == columns.customer else "date"
        raise ColumnError(
            f"value={columns.value!r} is the {role} column; name the column that holds amounts."
        )
    if columns.customer == columns.date:
        raise ColumnError(f"customer and date are both {columns.date!r}; they must differ.")


def _refuse(
    fates: dict[str, Fate], columns: Columns, end: dt.date | None, date_format: str | None
) -> None:
    """Raise the error that the data call for, if any."""
    rows = sum(fate.rows for fate in fates.values())
    if not rows:
        raise DataError("There are no orders: the table has no rows.")
    if "bad_date" in fates:
        bad = fates["bad_date"]
        hint = (
            f"do not match date_format={date_format!r}"
            if date_format
            else "are not dates in ISO form (2026-12-31); give their form with date_format, such "
            "as date_format='%d/%m/%Y'"
        )
        raise DataError(
            f"{bad.rows:,} values of the date column {columns.date!r} {hint}; "
            f"one of them is {bad.bad!r}."
        )
    if "bad_value" in fates:
        bad = fates["bad_value"]
        raise DataError(
            f"{bad.rows:,} values of the value column {columns.value!r} are not numbers; "
            f"one of them is {bad.bad!r}."
        )
    days = [day for f in ("used", "late") if f in fates for day in (fates[f].first, fates[f].last)]
    known = [from_day(day) for day in days if day is not None]
    if not known:
        lost = ", ".join(f"{fate.rows:,} with {REASONS[name]}" for name, fate in fates.items())
        raise DataError(f"None of the {rows:,} rows can be used: {lost}.")
    if end is not None and end < min(known):
        raise DataError(f"end == {end}, lies before the first order ({min(known)}).")
    today = dt.date.today()
    if end is not None and end > today:
        raise DataError(f"end == {end}, lies in the future: nothing has been observed there.")
    if end is None and max(known) > today + dt.timedelta(days=1):  # elsewhere it is tomorrow
        raise DataError(
            f"The last order is dated {max(known)}, in the future; name the last day of "
            "observation with end to leave such orders out."
        )


def _assemble(table: pa.Table, fates: dict[str, Fate], kind: str, has_value: bool) -> Purchases:
    value = table["value"].to_numpy()
    if not np.isfinite(value).all():
        raise DataError("The amounts of a day are so large that their sum overflows.")
    rows = table["rows"].to_numpy()
    kept = table["kept"].to_numpy()
    excluded = [
        Excluded(words, fates[name].rows, fates[name].amount if has_value else 0.0)
        for name, words in REASONS.items()
        if name in fates
    ]
    if not kept.all():
        lost = int(rows[~kept].sum())
        excluded.append(Excluded("refunds, no positive net that day", lost, value[~kept].sum()))
    if not kept.any():
        raise DataError("No day has a positive net amount: all orders are refunds or cancelled.")
    encoded = table["customer"].filter(pa.array(kept)).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    value, rows = value[kept], rows[kept]
    return Purchases(
        ids=encoded.dictionary,
        customer=encoded.indices.to_numpy().astype(np.int64),
        day=table["day"].to_numpy()[kept].astype(np.int64),
        value=value if has_value else None,
        last_order=from_day(fates["used"].last),
        reconciliation=Reconciliation(
            rows=sum(fate.rows for fate in fates.values()),
            purchases=len(value),
            merged=int(rows.sum()) - len(value),
            excluded=tuple(excluded),
            zero=int((value == 0).sum()) if has_value else 0,
            amount=float(value.sum()) if has_value else 0.0,
        ),
        kind=kind,
    )
