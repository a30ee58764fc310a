"""Files are written whole or not at all: a temporary file beside them, then a rename."""

from __future__ import annotations

import os
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
            raise FileError(f"{target} is a directory, not a file to write.")
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


def write_text(path: Any, text: str) -> None:
    """Write a text file, UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def check_table_path(path: Any) -> None:
    """Refuse a path that is neither CSV nor Parquet by its ending."""
    if not str(path).lower().endswith((".csv", ".parquet")):
        raise ParameterError(f"{path} must end in .csv or .parquet.")


def write_table(table: pa.Table, path: Any) -> None:
    """Write an Arrow table as CSV or Parquet, by the ending of the path."""
    check_table_path(path)
    with replacing(path) as temporary:
        if str(path).lower().endswith(".csv"):
            pyarrow.csv.write_csv(table, temporary)
        else:
            pyarrow.parquet.write_table(table, temporary)
