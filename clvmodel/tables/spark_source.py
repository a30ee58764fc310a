"""Spark tables: their types, rows, errors and files; the one file that knows PySpark."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from clvmodel import errors
from clvmodel.errors import ClvError, ConvergenceError, FileError, SparkError


def is_spark(frame: Any) -> bool:
    """Whether this is a PySpark DataFrame; PySpark is not imported to find out."""
    kind = type(frame)
    return kind.__name__ == "DataFrame" and kind.__module__.startswith("pyspark.sql.")


def write_parquet(frame: Any, out: Any, rows: int) -> None:
    """Write a Spark table of so many rows as a folder of Parquet files, as a whole or not at all.

    It is written beside `out`, a path as Spark takes them, and renamed when it is complete; an
    older folder gives way only then. Raises SparkError, or FileError where rows are missing.
    """
    with spark_errors(f"{out} cannot be written: "), _Folder(frame.sparkSession, str(out)) as new:
        frame.write.parquet(new.draft)
        found = frame.sparkSession.read.parquet(new.draft).count()
        if found != rows:
            raise FileError(f"{out}: {found:,} rows were made of {rows:,}; nothing was written.")
        new.finish()


class _Folder:
    """A folder that is written under another name: it becomes `out` at the end, or vanishes."""

    def __init__(self, spark: Any, out: str) -> None:
        self.out = out
        jvm = getattr(spark, "_jvm", None)
        if jvm is None:
            raise SparkError(
                f"{out} cannot be written through Spark Connect, which cannot rename files; write "
                "the table that model.predict(summary, ...) returns yourself."
            )
        paths = jvm.org.apache.hadoop.fs
        self._target = paths.Path(out)
        self._files = self._target.getFileSystem(spark._jsc.hadoopConfiguration())
        self._target = self._files.makeQualified(self._target)
        name, token = self._target.getName(), uuid.uuid4().hex[:12]
        self._draft = paths.Path(self._target.getParent(), f".{name}.new-{token}")
        self._old = paths.Path(self._target.getParent(), f".{name}.old-{token}")
        self.draft = self._draft.toString()

    def __enter__(self) -> _Folder:
        """Refuse, before any work, a folder that holds something else."""
        if (
            self._files.exists(self._target)
            and self._files.getFileStatus(self._target).isDirectory()
        ):
            names = [each.getPath().getName() for each in self._files.listStatus(self._target)]
            others = [name for name in names if not name.startswith(("part-", "_", "."))]
            if others:
                raise FileError(
                    f"{self.out} cannot be written: it is a folder that holds other files than "
                    f"Spark's, such as {others[0]!r}."
                )
        return self

    def __exit__(self, *_: object) -> None:
        self._files.delete(self._draft, True)

    def finish(self) -> None:
        """Rename the draft; what had the name before is put back if that fails."""
        had = self._files.exists(self._target)
        if had and not self._files.rename(self._target, self._old):
            raise FileError(f"{self.out} cannot be written: what is there cannot be replaced.")
        if not self._files.rename(self._draft, self._target):
            if had:
                self._files.rename(self._old, self._target)
            raise FileError(f"{self.out} cannot be written: the new folder cannot be renamed.")
        if had:
            self._files.delete(self._old, True)


@contextmanager
def spark_errors(what: str = "") -> Iterator[None]:
    """Turn errors of Spark into ours, in one line: what a task raised, or why the job failed."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "py4j.")):
            raise
        raise _in_one_line(error, what) from error


_RAISED = re.compile(r"^(?:[a-z_]\w*\.)*([A-Z]\w*(?:Error|Exception)): (.+)$", re.MULTILINE)
_CAUSED = re.compile(r"^Caused by: (?:[\w.$]+: )?(.+)$", re.MULTILINE)


def _in_one_line(error: Exception, what: str) -> ClvError:
    """Our error that a task raised, or a SparkError with the innermost reason."""
    text = str(error)
    _, traced, trace = text.rpartition("Traceback (most recent call last)")
    raised = _RAISED.findall(trace) if traced else []
    if raised:
        kind, message = raised[0]
        ours = getattr(errors, kind, None)
        if isinstance(ours, type) and issubclass(ours, ClvError) and ours is not ConvergenceError:
            return ours(message)
        return SparkError(f"{what}a task of the Spark job failed: {kind}: {message[:300]}")
    caused = _CAUSED.findall(text)
    reason = caused[-1] if caused else text.split("\n\tat ")[0].split("\n==")[0]
    return SparkError(f"{what}the Spark job failed: {' '.join(reason.split())[:300]}")


def arrow_schema(frame: Any) -> pa.Schema:
    """Types of a Spark table's columns, in Arrow; times with a zone in that of the session."""
    return frame.limit(0).toArrow().schema


def spark_schema(schema: pa.Schema) -> Any:
    """Types of Arrow columns, in Spark."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema, prefer_timestamp_ntz=True)


def plain(schema: pa.Schema) -> pa.Schema:
    """A schema as Spark has it: times in microseconds."""
    times = pa.timestamp("us")
    return pa.schema(
        [pa.field(f.name, times if pa.types.is_timestamp(f.type) else f.type) for f in schema]
    )


def collected(frame: Any) -> pa.Table:
    """The rows of a small Spark table."""
    return frame.toArrow()


def quoted(name: str) -> str:
    """A column's name, for Spark."""
    return "`" + name.replace("`", "``") + "`"
