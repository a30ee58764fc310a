"""A large table written in parts: none is lost when a run is killed, none is done twice.

The parts are Parquet files in a folder beside the output, named after what is being done, so that a
later run that does the same can find them. Each part, and the output, is written under another name
and renamed when it is complete: whatever happens, the output is the old one or the new one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from clvmodel.errors import FileError
from clvmodel.tables import duckdb_source, sources
from clvmodel.tables.files import TABLES, check_output, replacing, with_dates, write_text


def check_destination(out: Any) -> None:
    """Refuse, before any work, what could not be written to: a file, or "shop.duckdb::scores"."""
    target, _, table = str(out).partition("::")
    if table:
        check_output(target, sources.DATABASE)
    else:
        check_output(out, TABLES)


class Parts:
    """The parts of one output. `plan` says all that they depend on; another plan, other parts."""

    def __init__(self, out: Any, plan: Mapping[str, Any], resume: bool) -> None:
        """Find the parts of the same plan if `resume`, else begin anew. Raises FileError."""
        check_destination(out)
        self.out = str(out)
        self._plan = json.dumps(plan, sort_keys=True)
        target = Path(self.out.partition("::")[0])
        name = hashlib.sha256(self._plan.encode()).hexdigest()[:16]
        self.folder = target.parent / f".{target.name}.parts-{name}"
        if not resume:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"

    def has(self, number: int) -> bool:
        """Whether a part is complete."""
        return self._part(number).exists()

    def write(self, number: int, table: pa.Table) -> None:
        """Write one part. Raises FileError."""
        if not self.folder.exists():
            write_text(self.folder / "plan.json", self._plan + "\n")
        with replacing(self._part(number)) as temporary:
            _write_parquet(temporary, iter([table]))

    def finish(self, count: int, rows: int) -> None:
        """Join `count` parts of `rows` rows together into the output, and remove them.

        Raises FileError if rows are missing, or where the output cannot be written.
        """
        paths = [self._part(number) for number in range(count)]
        found = sum(pyarrow.parquet.read_metadata(path).num_rows for path in paths)
        if found != rows:
            raise FileError(
                f"{self.out}: {found:,} rows were made of {rows:,}; nothing was written. "
                f"Remove {self.folder} and run again."
            )
        target, _, table = self.out.partition("::")
        if table:
            duckdb_source.write_database(target, table, [str(path) for path in paths])
        else:
            write_tables(target, (pyarrow.parquet.read_table(path) for path in paths))
        shutil.rmtree(self.folder, ignore_errors=True)


def write_tables(out: Any, tables: Iterator[pa.Table]) -> None:
    """Write tables (one at least) below each other, as CSV or Parquet by the ending of the path."""
    with replacing(out) as temporary:
        if str(out).lower().endswith(".csv"):
            _write_csv(temporary, tables)
        else:
            _write_parquet(temporary, tables)


def _write_parquet(path: Path, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    # Predictions hardly repeat: a dictionary of them would cost time and save nothing.
    with pyarrow.parquet.ParquetWriter(path, first.schema, use_dictionary=False) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table, row_group_size=max(table.num_rows, 1))


def _write_csv(path: Path, tables: Iterator[pa.Table]) -> None:
    with path.open("wb") as file:
        for number, table in enumerate(tables):
            options = pyarrow.csv.WriteOptions(include_header=number == 0)
            pyarrow.csv.write_csv(with_dates(table), file, options)


def digest(path: Path) -> str:
    """Fingerprint of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
