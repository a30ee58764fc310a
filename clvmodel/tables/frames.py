"""Dataframes of any kind in and out, through narwhals and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.exceptions import DuplicateError

from clvmodel.errors import ColumnError, DataError

DEFAULT_KIND = "pandas"


def read_frame(
    table: Any, columns: Sequence[str] | None = None, what: str = "orders"
) -> tuple[pa.Table, str]:
    """Return the columns of an eager frame as an Arrow table, and the kind of frame it was.

    Times with a zone become the wall-clock times of that zone, so that a day is the shop's day.
    `what` names the table in errors.
    """
    frame = _as_frame(table, what)
    names = columns or column_names(table, what)
    if isinstance(frame, nw.LazyFrame):
        if not frame.implementation.is_polars():
            raise DataError(
                f"{what} is a lazy {frame.implementation.name.lower()} table, which cannot be "
                "read yet; collect it into a pandas, polars or pyarrow table first."
            )
        eager = frame.select(*names).collect()
    else:
        eager = frame.select(*names)
    try:
        return _in_local_time(
            eager.to_arrow().select(list(names))
        ), eager.implementation.name.lower()
    except pa.ArrowException as error:
        raise DataError(
            f"A column of {what} holds values of several types, or of one that cannot be read: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _in_local_time(table: pa.Table) -> pa.Table:
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is not None:
            local = pc.local_timestamp(table.column(i))
            table = table.set_column(i, pa.field(field.name, local.type), local)
    return table


def column_names(table: Any, what: str = "orders") -> list[str]:
    """Names of the columns of any frame that `read_frame` takes; no two may be alike."""
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
            f"{what} is a {type(table).__name__}; it must be a pandas, polars or pyarrow table"
            + (", or the path of a CSV or Parquet file." if what == "orders" else ".")
        ) from None


def native_frame(columns: Mapping[str, Any] | pa.Table, kind: str = DEFAULT_KIND) -> Any:
    """Build a frame of the given kind ("pandas", "polars", "pyarrow") from columns."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    if kind == "pandas":
        return table.to_pandas()
    return nw.from_arrow(table, backend=kind).to_native()  # type: ignore[arg-type]


def dates(days: Any) -> pa.Array:
    """Dates, to the millisecond, of whole numbers of days since 1970-01-01."""
    return pa.array(days.astype("datetime64[D]").astype("datetime64[ms]"))


def pandas_table(rows: Sequence[Mapping[str, Any]], index: str | None = None) -> Any:
    """Build a small pandas table from dictionaries, one per row."""
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    return frame if index is None or frame.empty else frame.set_index(index)
