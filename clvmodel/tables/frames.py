"""Dataframes of any kind in and out, through narwhals and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from clvmodel.errors import DataError

DEFAULT_KIND = "pandas"


def read_frame(orders: Any, columns: Sequence[str] | None = None) -> tuple[pa.Table, str]:
    """Return the columns of an eager frame as an Arrow table, and the kind of frame it was.

    Times with a zone become the wall-clock times of that zone, so that a day is the shop's day.
    """
    frame = _as_frame(orders)
    if isinstance(frame, nw.LazyFrame):
        if not frame.implementation.is_polars():
            raise DataError(
                f"orders is a lazy {frame.implementation.name.lower()} table, which cannot be "
                "read yet; collect it into a pandas, polars or pyarrow table first."
            )
        eager = frame.select(*(columns or frame.collect_schema().names())).collect()
    else:
        eager = frame if columns is None else frame.select(*columns)
    zoned = [
        name
        for name, dtype in eager.schema.items()
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None
    ]
    eager = eager.with_columns(nw.col(name).dt.replace_time_zone(None) for name in zoned)
    try:
        return eager.to_arrow(), eager.implementation.name.lower()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"A column holds values of several types: {error}") from error


def column_names(orders: Any) -> list[str]:
    """Names of the columns of any frame that `read_frame` takes."""
    return list(_as_frame(orders).collect_schema().names())


def _as_frame(orders: Any) -> Any:
    try:
        return nw.from_native(orders)
    except TypeError:
        raise DataError(
            f"orders is a {type(orders).__name__}; pass a pandas, polars or pyarrow table, or the "
            "path of a CSV or Parquet file."
        ) from None


def native_frame(columns: Mapping[str, Any] | pa.Table, kind: str = DEFAULT_KIND) -> Any:
    """Build a frame of the given kind ("pandas", "polars", "pyarrow") from columns."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    if kind == "pandas":
        return table.to_pandas()
    return nw.from_arrow(table, backend=kind).to_native()  # type: ignore[arg-type]


def pandas_table(rows: Sequence[Mapping[str, Any]], index: str | None = None) -> Any:
    """Build a small pandas table from dictionaries, one per row."""
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    return frame if index is None or frame.empty else frame.set_index(index)
