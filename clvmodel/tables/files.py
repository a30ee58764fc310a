"""Files are written whole or not at all: a temporary file beside them, then a rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from clvmodel.errors import FileError, ParameterError


@contextmanager
def replacing(path: Any) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` at the end, or vanishes on failure.

    The folder is made if it is missing. Raises FileError where the system refuses.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise FileError(f"{target} cannot be written: it is a directory.")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".clv-")
        os.close(handle)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def together(folder: Any) -> Iterator[Path]:
    """Give a temporary folder; what is written there moves to `folder` at the end, or vanishes.

    Files already in `folder` stay until then, and those of other names stay for good.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target, prefix=".clv-"))
    except OSError as error:
        raise FileError(f"{target} cannot be written to: {error.strerror or error}.") from error
    try:
        yield draft
        for file in sorted(draft.iterdir()):
            file.replace(target / file.name)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{target} cannot be written to: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_text(path: Any, text: str) -> None:
    """Write a text file, UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


TABLES = (".csv", ".parquet")


def check_output(path: Any, endings: tuple[str, ...]) -> None:
    """Refuse, before any work, a path that could not be written to in the end.

    Raises ParameterError for an ending that is not among `endings`, FileError for the rest.
    """
    target = Path(path)
    if not str(target).lower().endswith(endings):
        raise ParameterError(f"{target} must end in {' or '.join(endings)}.")
    try:
        is_directory = target.is_dir()
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    if is_directory:
        raise FileError(f"{target} cannot be written: it is a directory.")
    folder = next(p for p in target.absolute().parents if p.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise FileError(
            f"{target} cannot be written: {folder} is no folder that can be written to."
        )


def write_table(table: pa.Table, path: Any) -> None:
    """Write an Arrow table as CSV or Parquet, by the ending of the path."""
    check_output(path, TABLES)
    with replacing(path) as temporary:
        if str(path).lower().endswith(".csv"):
            pyarrow.csv.write_csv(with_dates(table), temporary)
        else:
            pyarrow.parquet.write_table(table, temporary)


def with_dates(table: pa.Table) -> pa.Table:
    """Timestamps that are all at midnight as dates: 1997-10-15 rather than with a clock time."""
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            days = column.cast(pa.date32(), safe=False)
            if days.cast(field.type).equals(column):
                table = table.set_column(i, field.name, days)
    return table
