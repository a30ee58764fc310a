"""Orders to purchases in DuckDB, in-process: the one file that knows DuckDB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from clvmodel.errors import ColumnError, DataError, FileError, ParameterError
from clvmodel.tables.frames import DEFAULT_KIND, column_names, read_frame
from clvmodel.tables.purchases import EPOCH, Excluded, Purchases, Reconciliation

if TYPE_CHECKING:
    import duckdb

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_REASONS = {
    "no_customer": "no customer id",
    "no_date": "no date",
    "no_value": "no finite amount",
    "late": "after the end of observation",
}


class Columns(NamedTuple):
    """Which columns hold what; `value` may be None."""

    customer: str
    date: str
    value: str | None


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
    with _opened(orders) as (connection, kind):
        types = {row[0]: str(row[1]).upper() for row in _rows(connection, "DESCRIBE orders")}
        columns = _checked(Columns(customer, date, value), list(types))
        _rows(connection, _typed_view(types, columns, date_format))
        last = _rows(connection, "SELECT max(day) FROM typed")[0][0]
        if end is not None and end > max(dt.date.today(), last or EPOCH):
            raise DataError(f"end == {end}, lies in the future: nothing has been observed there.")
        _rows(connection, _JUDGED.format(end=f"DATE '{end or dt.date.max}'"))
        found = dict(zip(_ACCOUNT_NAMES, _rows(connection, _ACCOUNT)[0], strict=True))
        _refuse(found, columns, end, date_format)
        table = connection.sql(_DAILY).to_arrow_table()
        return _assemble(table, found, kind, value is not None)


@contextmanager
def _opened(orders: Any) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A private connection with the view `orders`, and the kind of frame to give back."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        if isinstance(orders, str | Path):
            _rows(connection, f"CREATE VIEW orders AS SELECT * FROM {_scan(Path(orders))}")
            kind = DEFAULT_KIND
        else:
            table, kind = read_frame(orders)
            connection.register("orders", table)
        yield connection, kind
    except duckdb.Error as error:
        what = f"{orders}: " if isinstance(orders, str | Path) else ""
        raise FileError(f"{what}cannot be read: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """Run one statement to its end; its rows, if it has any."""
    return connection.execute(query).fetchall()


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
    quoted = "'" + str(path).replace("'", "''") + "'"
    if name.endswith(_PARQUET):
        return f"read_parquet({quoted})"
    # Every column as text: what is a date or a number is decided here, once, and strictly.
    return f"read_csv({quoted}, header=true, all_varchar=true, null_padding=false)"


def _checked(columns: Columns, names: list[str]) -> Columns:
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
    return columns


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _typed_view(types: dict[str, str], columns: Columns, date_format: str | None) -> str:
    date, customer = _quote(columns.date), _quote(columns.customer)
    kind = types[columns.date]
    if date_format is not None:
        if "%" not in date_format:
            raise ParameterError.out_of_range("date_format", date_format, "such as '%d/%m/%Y'")
        text = "'" + date_format.replace("'", "''") + "'"
        day = f"CAST(try_strptime(trim(CAST({date} AS VARCHAR)), {text}) AS DATE)"
    elif kind.startswith(("DATE", "TIMESTAMP")):
        day = f"CAST({date} AS DATE)"
    elif kind == "VARCHAR" or kind.startswith("ENUM"):
        day = f"CAST(TRY_CAST(trim(CAST({date} AS VARCHAR)) AS TIMESTAMP) AS DATE)"
    else:
        raise ColumnError(
            f"date={columns.date!r} holds {kind.lower()} values, not dates; convert it, or say how "
            "to read it with date_format, such as date_format='%Y%m%d'."
        )
    text_id = f"trim(CAST({customer} AS VARCHAR))"
    amount, has_text = "CAST(1 AS DOUBLE)", "FALSE"
    if columns.value is not None:
        value, kind = _quote(columns.value), types[columns.value]
        if kind.startswith(("DATE", "TIME", "BOOL", "STRUCT", "MAP")) or kind.endswith("[]"):
            raise ColumnError(f"value={columns.value!r} holds {kind.lower()} values, not amounts.")
        amount = f"TRY_CAST({value} AS DOUBLE)"
        has_text = f"({value} IS NOT NULL AND trim(CAST({value} AS VARCHAR)) <> '')"
    raw_value = _quote(columns.value) if columns.value is not None else "NULL"
    return f"""
        CREATE VIEW typed AS SELECT
            {customer} AS customer,
            {customer} IS NULL OR {text_id} IN ('', 'nan', 'NaN', 'None') AS no_customer,
            {day} AS day,
            {date} IS NULL OR trim(CAST({date} AS VARCHAR)) = '' AS no_date,
            CAST({date} AS VARCHAR) AS date_text,
            {amount} AS value,
            {has_text} AS has_value,
            CAST({raw_value} AS VARCHAR) AS value_text
        FROM orders"""


_JUDGED = """
    CREATE TEMP TABLE judged AS SELECT *,
        CASE WHEN no_customer THEN 'no_customer'
             WHEN no_date THEN 'no_date'
             WHEN day IS NULL THEN 'bad_date'
             WHEN has_value AND value IS NULL THEN 'bad_value'
             WHEN value IS NULL OR NOT isfinite(value) THEN 'no_value'
             WHEN day > {end} THEN 'late'
             ELSE 'used' END AS fate
    FROM typed"""

_ACCOUNT_NAMES = (
    "rows",
    "bad_dates",
    "bad_date",
    "bad_values",
    "bad_value",
    "first",
    "last",
    "excluded",
)
_ACCOUNT = """
    SELECT (SELECT count(*) FROM judged),
           (SELECT count(*) FROM judged WHERE fate = 'bad_date'),
           (SELECT min(date_text) FROM judged WHERE fate = 'bad_date'),
           (SELECT count(*) FROM judged WHERE fate = 'bad_value'),
           (SELECT min(value_text) FROM judged WHERE fate = 'bad_value'),
           (SELECT min(day) FROM judged WHERE fate IN ('used', 'late')),
           (SELECT max(day) FROM judged WHERE fate = 'used'),
           (SELECT list({'fate': fate, 'rows': rows, 'amount': amount}) FROM (
               SELECT fate, count(*) AS rows,
                      coalesce(sum(value ORDER BY value) FILTER (WHERE isfinite(value)), 0)
                          AS amount
               FROM judged WHERE fate <> 'used' GROUP BY fate))"""

# Sums are taken in the order of the amounts, so that they do not depend on threads or row order. A
# net that is nothing but rounding (1.10 + 3.50 - 4.60) is 0.
_DAILY = """
    SELECT customer, datediff('day', DATE '1970-01-01', day) AS day,
           CASE WHEN abs(net) > 1e-12 * gross THEN net ELSE 0 END AS value, rows, refunded
    FROM (SELECT customer, day, count(*) AS rows, sum(value ORDER BY value) AS net,
                 sum(abs(value) ORDER BY value) AS gross, min(value) < 0 AS refunded
          FROM judged WHERE fate = 'used' GROUP BY customer, day)
    ORDER BY customer, day"""


def _refuse(
    found: dict[str, Any], columns: Columns, end: dt.date | None, date_format: str | None
) -> None:
    """Raise the error that the data call for, if any."""
    if not found["rows"]:
        raise DataError("There are no orders: the table has no rows.")
    if found["bad_dates"]:
        hint = (
            f"do not match date_format={date_format!r}"
            if date_format
            else "are not dates in ISO form (2026-12-31); give their form with date_format, such "
            "as date_format='%d/%m/%Y'"
        )
        raise DataError(
            f"{found['bad_dates']:,} values of the date column {columns.date!r} {hint}; "
            f"one of them is {found['bad_date']!r}."
        )
    if found["bad_values"]:
        raise DataError(
            f"{found['bad_values']:,} values of the value column {columns.value!r} are not "
            f"numbers; one of them is {found['bad_value']!r}."
        )
    if found["first"] is None:
        lost = ", ".join(f"{e['rows']:,} with {_REASONS[e['fate']]}" for e in found["excluded"])
        raise DataError(f"None of the {found['rows']:,} rows can be used: {lost}.")
    if end is not None and end < found["first"]:
        raise DataError(f"end == {end}, lies before the first order ({found['first']}).")


def _assemble(table: pa.Table, found: dict[str, Any], kind: str, has_value: bool) -> Purchases:
    table = table.combine_chunks()
    value = table["value"].to_numpy()
    rows = table["rows"].to_numpy()
    refunded = table["refunded"].to_numpy()
    is_purchase = (value > 0) | ((value == 0) & ~refunded)
    excluded = [
        Excluded(_REASONS[e["fate"]], e["rows"], e["amount"] if has_value else 0.0)
        for e in sorted(found["excluded"] or [], key=lambda e: list(_REASONS).index(e["fate"]))
    ]
    if not is_purchase.all():
        gone = ~is_purchase
        excluded.append(
            Excluded("refunds, no positive net that day", int(rows[gone].sum()), value[gone].sum())
        )
    if not is_purchase.any():
        raise DataError("No day has a positive net amount: all orders are refunds or cancelled.")
    dictionary = table["customer"].filter(pa.array(is_purchase)).dictionary_encode()
    dictionary = dictionary.combine_chunks()
    if isinstance(dictionary, pa.ChunkedArray):
        dictionary = dictionary.chunk(0)
    value, rows = value[is_purchase], rows[is_purchase]
    return Purchases(
        ids=dictionary.dictionary,
        customer=dictionary.indices.to_numpy().astype(np.int64),
        day=table["day"].to_numpy()[is_purchase].astype(np.int64),
        value=value if has_value else None,
        last_order=found["last"],
        reconciliation=Reconciliation(
            rows=found["rows"],
            purchases=len(value),
            merged=int(rows.sum()) - len(value),
            excluded=tuple(excluded),
            zero=int((value == 0).sum()),
            amount=float(value.sum()) if has_value else 0.0,
        ),
        kind=kind,
    )
