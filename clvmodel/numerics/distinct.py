"""Rows that agree in all columns: found once, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_SUBDIVISIONS = (1.0, 7.0)  # whole numbers, or sevenths: days counted in weeks
_ROUNDING = 1e-12  # relative, so that tiny numbers are not taken for 0
_SPARSE = 16  # a table of all possible keys is used where it has at most so many per row
_FEW = 256  # rows below which looking for equal ones costs more than it saves


def distinct(columns: Sequence[Array]) -> tuple[Index, Index]:
    """(one row of each kind, the kind of each row), for rows that agree in all columns.

    Columns of whole numbers, or of sevenths of them, agree where they do but for rounding.
    """
    key = np.zeros(len(columns[0]), dtype=np.int64)
    room = 1
    for column in columns:
        code, size = whole_codes(column) or _ranks(column)
        if room > np.iinfo(np.int64).max // max(size, 1):
            _, key = np.unique(key, return_inverse=True)
            room = int(np.max(key, initial=0)) + 1
        key = key * size + code
        room *= size
    if room > _SPARSE * key.size:
        _, first, where = np.unique(key, return_index=True, return_inverse=True)
        return first, where
    row = np.full(room, -1, dtype=np.intp)
    row[key[::-1]] = np.arange(key.size)[::-1]  # the first row of each kind is written last
    present = row >= 0
    place = np.cumsum(present) - 1
    return row[present], place[key]


def by_distinct(function: Callable[..., Array], *columns: Array) -> Array:
    """function(*columns), elementwise; equal rows of whole numbers are computed only once."""
    if columns[0].ndim != 1 or columns[0].size < _FEW:
        return function(*columns)
    if any(whole_codes(column) is None for column in columns):
        return function(*columns)
    first, where = distinct(columns)
    if 2 * first.size > where.size:
        return function(*columns)
    return np.asarray(function(*(column[first] for column in columns))[..., where])


def whole_codes(column: Array) -> tuple[NDArray[np.int64], int] | None:
    """Integers that differ where the column does, and one more than the largest of them."""
    for parts in _SUBDIVISIONS:
        scaled = column if parts == 1.0 else column * parts
        if not scaled.size or not np.max(np.abs(scaled)) < 1e9:
            return None
        whole = np.rint(scaled)
        if np.all(np.abs(scaled - whole) <= _ROUNDING * np.abs(whole)):
            code = whole.astype(np.int64)
            code -= np.min(code)
            return code, int(np.max(code)) + 1
    return None


def _ranks(column: Array) -> tuple[NDArray[np.int64], int]:
    values, code = np.unique(column, return_inverse=True)
    return code.astype(np.int64), len(values)
