"""Columns of names, rows of tables, and customers found again in another summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clvmodel.errors import DataError
from clvmodel.tables.frames import native_frame
from clvmodel.tables.summary import Summary


def labels(names: Sequence[str], place: NDArray[np.integer]) -> pa.Array:
    """Column of texts: the name at each place."""
    codes = pa.array(place.astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string())).dictionary_decode()


def where(table: pa.Table, column: str, name: str) -> pa.Table:
    """Rows of a table whose column holds a name."""
    return table.filter(pc.equal(table[column], name))


def below_each_other(tables: Sequence[pa.Table], order: str | None = None) -> pa.Table:
    """One table of several; with `order`, sorted by that column, the highest first."""
    table = pa.concat_tables(tables)
    if order is None:
        return table
    return table.take(pa.array(np.argsort(-table[order].to_numpy(), kind="stable")))


def some_rows(columns: Mapping[str, Any], rows: NDArray[np.intp], kind: str) -> Any:
    """Frame of the given kind of some rows of these columns, in their order."""
    return native_frame(pa.table(dict(columns)).take(pa.array(rows)), kind)


def same_ids(column: Any, ids: Any) -> bool:
    """Whether a column holds these ids, in their order, whatever the types' names."""
    try:
        return bool(pa.chunked_array([ids]).equals(column.cast(ids.type)))
    except pa.ArrowException:
        return False


def rows_in(summary: Summary, other: Summary) -> NDArray[np.int64]:
    """Row in `other` of each customer of `summary`; -1 for those who are not there.

    Raises DataError where their ids cannot be compared.
    """
    try:
        ids = pc.cast(other.ids, summary.ids.type)
    except pa.ArrowException as error:
        kinds = f"{summary.ids.type} and {other.ids.type}"
        raise DataError(f"The customers' ids are of two kinds, {kinds}.") from error
    found = pc.fill_null(pc.index_in(summary.ids, ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
