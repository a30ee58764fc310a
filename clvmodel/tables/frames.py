"""Dataframes of any kind in and out, through narwhals and Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.exceptions import DuplicateError

from clvmodel.errors import ColumnError, DataError

DEFAULT_KIND = "pandas"
POLARS_LAZY = "polars.lazy"
_BATCH = 200_000  # rows that are read at a time from engines that hand out batches


def read_frame(
    table: Any, columns: Sequence[str] | None = None, what: str = "orders"
) -> tuple[pa.Table, str]:
    """Return the columns of a frame as an Arrow table, and the kind of frame it was.

    Times with a zone become the wall-clock times of that zone, so that a day is the shop's day.
    `what` names the table in errors.
    """
    found, kind = open_frame(table, columns, what)
    return (found.read_all() if isinstance(found, pa.RecordBatchReader) else found), kind


def open_frame(
    table: Any, columns: Sequence[str] | None = None, what: str = "orders"
) -> tuple[pa.Table | pa.RecordBatchReader, str]:
    """Open a frame like `read_frame`: a table, or batches, read once, where its engine has them."""
    if isinstance(table, pa.RecordBatchReader):
        return local_batches(table), "pyarrow"
    frame = _as_frame(table, what)
    names = list(columns or column_names(table, what))
    kind = frame.implementation.name.lower()
    try:
        if not isinstance(frame, nw.LazyFrame):
            return in_local_time(frame.select(*names).to_arrow().select(names)), kind
        if frame.implementation.is_polars():
            return in_local_time(
                frame.select(*names).collect().to_arrow().select(names)
            ), POLARS_LAZY
        return local_batches(_batches(frame.select(*names), what)), kind
    except pa.ArrowException as error:
        raise DataError(
            f"A column of {what} holds values of several types, or of one that cannot be read: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _batches(frame: Any, what: str) -> pa.RecordBatchReader:
    """Arrow batches of a lazy frame of DuckDB or Ibis."""
    native = frame.to_native()
    if frame.implementation.is_duckdb():
        read = getattr(native, "to_arrow_reader", None) or native.fetch_record_batch
        return read(_BATCH)
    if frame.implementation.is_ibis():
        backend = native.get_backend()
        if backend.name == "duckdb" and not hasattr(backend.con, "fetch_record_batch"):
            return native.to_pyarrow().to_reader(_BATCH)  # Ibis 12 has no batches of DuckDB 2
        return native.to_pyarrow_batches(chunk_size=_BATCH)
    if frame.implementation.is_pyspark() or frame.implementation.is_pyspark_connect():
        raise DataError(
            f"{what} is a Spark table, which summarize, holdout_split and backtest can read, and "
            "nothing else here: give a part that fits into memory, such as "
            "frame.sample(0.01).toPandas(), or write it to Parquet files and give their path."
        )
    name = frame.implementation.name.lower()
    raise DataError(
        f"{what} is a lazy {name} table, which cannot be read here; collect it into a pandas, "
        "polars or pyarrow table first."
    )


def local_batches(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return batches with times that have a zone in its wall-clock time."""
    if not any(_has_zone(field.type) for field in reader.schema):
        return reader
    schema = in_local_time(reader.schema.empty_table()).schema

    def each() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield from in_local_time(pa.Table.from_batches([batch])).to_batches()

    return pa.RecordBatchReader.from_batches(schema, each())


def _has_zone(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def in_local_time(table: pa.Table) -> pa.Table:
    """Return a table with times that have a zone in its wall-clock time."""
    for i, field in enumerate(table.schema):
        if _has_zone(field.type):
            local = pc.local_timestamp(table.column(i))
            table = table.set_column(i, pa.field(field.name, local.type), local)
    return table


def column_names(table: Any, what: str = "orders") -> list[str]:
    """Names of the columns of any frame that `read_frame` takes; no two may be alike."""
    if isinstance(table, pa.RecordBatchReader):
        return list(table.schema.names)
    try:
        return list(_as_frame(table, what).collect_schema().names())
    except DuplicateError as error:
        raise ColumnError(f"Columns of {what} share a name; rename them: {error}") from error


def _as_frame(table: Any, what: str) -> Any:
    try:
        return nw.from_native(table)
    except DuplicateError as error:
        raise ColumnError(f"Columns of {what} share a name; rename them: {error}") from error
    except TypeError:
        raise DataError(
            f"{what} is a {type(table).__name__}; it must be a pandas, polars, pyarrow, DuckDB, "
            "Ibis or Spark table"
            + (", or the path of CSV, Parquet or DuckDB files." if what == "orders" else ".")
        ) from None


def native_frame(columns: Mapping[str, Any] | pa.Table, kind: str = DEFAULT_KIND) -> Any:
    """Build a frame of the given kind ("pandas", "polars", "duckdb", ...) from columns."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    if kind in ("pandas", "pyspark"):  # what was made of a Spark table here is not in the cluster
        return table.to_pandas()
    if kind == POLARS_LAZY:
        return nw.from_arrow(table, backend="polars").to_native().lazy()
    if kind in ("duckdb", "ibis"):
        return nw.from_native(table, eager_only=True).lazy(backend=kind).to_native()
    return nw.from_arrow(table, backend=kind).to_native()  # type: ignore[arg-type]


def dates(days: Any, exact: bool = False) -> pa.Array:
    """Dates of days since 1970-01-01, rounded to whole days or, if `exact`, to milliseconds.

    What is not finite has no date.
    """
    known = np.isfinite(days)
    day = 86_400_000
    times = np.where(known, days, 0) * day if exact else np.rint(np.where(known, days, 0)) * day
    return pa.array(np.rint(times).astype(np.int64).astype("datetime64[ms]"), mask=~known)


def pandas_table(rows: Sequence[Mapping[str, Any]], index: str | None = None) -> Any:
    """Build a small pandas table from dictionaries, one per row."""
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    return frame if index is None or frame.empty else frame.set_index(index)
