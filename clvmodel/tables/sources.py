"""Files of orders: which files a path means, and the SQL that reads them."""

from __future__ import annotations

import csv
import glob
import gzip
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet

from clvmodel.errors import ColumnError, FileError
from clvmodel.tables.orders_sql import literal, quote

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = (".parquet", ".pq")
DATABASE = (".duckdb", ".ddb")


class Table(NamedTuple):
    """A table of a DuckDB file."""

    path: Path
    name: str | None


class Files(NamedTuple):
    """Files of one kind (`CSV` or `PARQUET`), in order, and what the user called them."""

    paths: tuple[Path, ...]
    kind: tuple[str, ...]
    label: str


def is_path(orders: Any) -> bool:
    """Whether orders are given by path: one, or a list of them."""
    if isinstance(orders, list | tuple):
        return bool(orders) and all(isinstance(each, str | Path) for each in orders)
    return isinstance(orders, str | Path)


def find(orders: Any) -> Table | Files:
    """Find what a path means; raises FileError for what is no file of a known kind.

    A path is a file, a folder (all its files of one kind, those in folders below it included), a
    pattern with *, ? or [...], or a table in a DuckDB file ("shop.duckdb::orders"; the name may be
    left out where there is but one table). A list of files is read as one table.
    """
    try:
        return _find(orders)
    except FileError:
        raise
    except OSError as error:  # a name that is too long, a folder that may not be entered
        name = str(error.filename or orders)
        shown = name if len(name) < 200 else f"{name[:100]}..."
        raise FileError(f"{shown!r} cannot be read: {error.strerror or error}.") from error


def _find(orders: Any) -> Table | Files:
    if isinstance(orders, list | tuple):
        return _of_one_kind([Path(each) for each in orders], ", ".join(map(str, orders)))
    text = str(orders)
    database, separator, name = text.partition("::")
    if database.lower().endswith(DATABASE):
        path = _existing(Path(database))
        return Table(path, name if separator else None)
    path = Path(text)
    if path.is_dir():
        found = [p for p in _inside(path) if p.name.lower().endswith(CSV + PARQUET)]
        if not found:
            raise FileError(f"{path} is a directory without CSV or Parquet files.")
        return _of_one_kind(found, text)
    if not path.exists() and re.search(r"[*?[]", text):
        matches = map(Path, glob.glob(text, recursive=True))
        found = sorted(path for path in matches if not path.is_dir())
        if not found:
            raise FileError(f"{text} matches no file.")
        return _of_one_kind(found, text)
    return _of_one_kind([path], text)


def _inside(folder: Path) -> list[Path]:
    """Files in a folder and those below it, in order, but hidden ones; raises OSError."""

    def refuse(error: OSError) -> None:  # a folder that cannot be read must not be passed over
        raise error

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [Path(place, name) for name in files if not name.startswith((".", "_"))]
    return sorted(found)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileError(f"{path} does not exist.")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty.")
    return path


def _of_one_kind(paths: Sequence[Path], label: str) -> Files:
    kinds = set()
    for path in paths:
        if path.is_dir():
            raise FileError(f"{path} is a directory; name files, or the directory alone.")
        if not _existing(path).name.lower().endswith(CSV + PARQUET):
            raise FileError(
                f"{path} is neither CSV ({', '.join(CSV)}) nor Parquet ({PARQUET[0]}) nor a DuckDB "
                f"file ({DATABASE[0]})."
            )
        kinds.add(PARQUET if path.name.lower().endswith(PARQUET) else CSV)
    if len(kinds) > 1:
        raise FileError(f"{label} mixes CSV and Parquet files; read one kind at a time.")
    return Files(tuple(paths), kinds.pop(), label)


def scan(files: Files) -> str:
    """SQL that reads the files; raises FileError or ColumnError where they do not fit together."""
    # Each file by its own name: no pattern, no columns read from folder names.
    names = ", ".join(literal(re.sub(r"([\[*?])", r"[\1]", str(path))) for path in files.paths)
    if files.kind == PARQUET:
        _same_columns(files, [_schema(path).names for path in files.paths])
        return f"read_parquet([{names}], hive_partitioning=false)"
    # Nothing is guessed: line 1 is the header, every later line is a row, every column is text, and
    # what is a date or a number is decided later, once, and strictly.
    headers = [_header(path) for path in files.paths]
    _same_columns(files, [columns for _, columns in headers])
    delimiter, columns = headers[0]
    for path, (other, _) in zip(files.paths, headers, strict=True):
        if other != delimiter:
            raise FileError(f"{path} separates columns by {other!r}, not by {delimiter!r}.")
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv([{names}], auto_detect=false, header=true, skip=0, columns={{{types}}}, "
        f"delim={literal(delimiter)}, quote='\"', escape='\"', comment='', "
        "hive_partitioning=false)"
    )


def _same_columns(files: Files, names: Sequence[Sequence[str]]) -> None:
    for path, found in zip(files.paths, names, strict=True):
        if list(found) != list(names[0]):
            raise FileError(
                f"{path} has the columns {', '.join(found)}, and {files.paths[0].name} has "
                f"{', '.join(names[0])}: files that are read as one table must agree."
            )


def _header(path: Path) -> tuple[str, list[str]]:
    """Return the likeliest delimiter and the names of the columns, by the first line."""
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            line = file.readline(1 << 20).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {error}; CSV files must be UTF-8.") from error
    delimiter = max(",;\t|", key=line.count)
    names = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    if not any(names):
        raise FileError(f"{path} has no header: its first line is blank.")
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise ColumnError(
                f"{path}: two columns are called {seen[name.lower()]!r} and {name!r}, which are "
                "the same but for case; rename one of them."
                if name != seen[name.lower()]
                else f"{path}: two columns are called {name!r}; rename one of them."
            )
        seen[name.lower()] = name
    return delimiter, names


def _schema(path: Path) -> Any:
    try:
        return pyarrow.parquet.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300]
        raise FileError(f"{path} cannot be read: {reason}") from error


def columns_of_parquet(files: Files) -> list[str]:
    """Names of the columns of Parquet files; none for others."""
    return list(_schema(files.paths[0]).names) if files.kind == PARQUET else []


def zoned_reader(files: Files, used: Sequence[str], columns: Sequence[str] | None) -> Any:
    """Read Parquet files with a time zone in a column `used`, by batches; None for all others.

    DuckDB would count their days in its own zone; Arrow keeps the file's.
    """

    def zones(path: Path) -> list[str | None]:
        schema = _schema(path)
        return [getattr(schema.field(n).type, "tz", None) for n in used if n in schema.names]

    first = zones(files.paths[0])
    for path in files.paths[1:]:
        if zones(path) != first:
            raise FileError(
                f"{path} and {files.paths[0].name} have times of different zones; files that are "
                "read as one table must agree."
            )
    if not any(first):
        return None
    import pyarrow.dataset  # which loads pandas

    found = pyarrow.dataset.dataset([str(path) for path in files.paths], format="parquet")
    return found.scanner(columns=None if columns is None else list(columns)).to_reader()


def table_in(table: Table, names: Sequence[str]) -> str:
    """SQL name of a table in an attached DuckDB file `source`, of those that it holds."""
    chosen = table.name
    if chosen is None:
        if len(names) != 1:
            listed = ", ".join(names) or "none"
            raise FileError(
                f"{table.path} holds {len(names)} tables ({listed}); name one, such as "
                f"{table.path.name}::{names[0] if names else 'orders'}."
            )
        chosen = names[0]
    if chosen not in names:
        raise FileError(f"{table.path} has no table {chosen!r}; it holds {', '.join(names)}.")
    return f"source.{quote(chosen)}"
