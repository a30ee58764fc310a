"""A large table written in parts: none is lost when a run is killed, none is done twice.

The parts are Parquet files in a folder beside the output, named after what is being done, so that a
later run that does the same can find them. Each part, and the output, is written under another name
and renamed when it is complete: whatever happens, the output is the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from clvmodel.errors import FileError
from clvmodel.tables import duckdb_source, sources
from clvmodel.tables.files import check_output, replacing, with_dates, write_text

OUTPUTS = (".parquet", ".csv")


def check_destination(out: Any) -> None:
    """Refuse, before any work, what could not be written to: a file, or "shop.duckdb::scores"."""
    target, _, table = str(out).partition("::")
    if table:
        check_output(target, sources.DATABASE)
    else:
        check_output(out, OUTPUTS)


class Parts:
    """The parts of one output. `plan` says all that they depend on; another plan, other parts."""

    def __init__(self, out: Any, plan: Mapping[str, Any], resume: bool) -> None:
        """Find the parts of the same plan if `resume`, else begin anew. Raises FileError."""
        check_destination(out)
        self.out = str(out)
        said = json.dumps(plan, sort_keys=True)
        target = Path(self.out.partition("::")[0])
        name = hashlib.sha256(said.encode()).hexdigest()[:16]
        self.folder = target.parent / f".{target.name}.parts-{name}"
        if not resume:
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
        write_text(self.folder / "plan.json", said + "\n")

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"

    def has(self, number: int) -> bool:
        """Whether a part is complete."""
        return self._part(number).exists()

    def write(self, number: int, table: pa.Table) -> None:
        """Write one part."""
        with replacing(self._part(number)) as temporary:
            _write_parquet(temporary, table.schema, iter([table]))

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
        elif target.lower().endswith(".csv"):
            _write(target, paths, _write_csv)
        else:
            _write(target, paths, _write_parquet)
        shutil.rmtree(self.folder, ignore_errors=True)


Writer = Callable[[Path, pa.Schema, Iterator[pa.Table]], None]


def _write(target: str, paths: list[Path], writer: Writer) -> None:
    schema = pyarrow.parquet.read_schema(paths[0])
    with replacing(target) as temporary:
        writer(temporary, schema, (pyarrow.parquet.read_table(path) for path in paths))


def _write_parquet(path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
    # Predictions hardly repeat: a dictionary of them would cost time and save nothing.
    with pyarrow.parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(table.num_rows, 1))


def _write_csv(path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
    del schema
    with path.open("wb") as file:
        for number, table in enumerate(tables):
            options = pyarrow.csv.WriteOptions(include_header=number == 0)
            pyarrow.csv.write_csv(with_dates(table), file, options)


def digest(path: Path) -> str:
    """Fingerprint of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
