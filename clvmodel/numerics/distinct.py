"""Rows that agree in all columns: found once, computed once.

A column of whole numbers, or of fixed parts of them (days counted in weeks, months or years),
becomes small integers; those of a row make one key. Keys are cheap to sort, to count and to look
up in a table, and a key tells its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Integers = NDArray[Any]  # int32 where that is wide enough: half the memory, and faster

_PARTS = (1.0, 7.0, 30.4375, 365.25)  # of whole numbers: days, counted in weeks, months, years
_ROUNDING = 1e-12  # relative, so that tiny numbers are not taken for 0
_SPARSE = 4  # a table of all possible keys is used where it has at most so many per row
_FEW = 256  # rows below which looking for equal ones costs more than it saves
_MANY = 1 << 16  # rows that are computed at a time
_SOME = 64  # rows that a column is judged by before all of it is read


class Codes(NamedTuple):
    """A column as integers 0, ..., size - 1 that differ where it does, and the way back."""

    code: Integers
    size: int
    values: Callable[[Integers], Array]


class Keys(NamedTuple):
    """One integer below `room` per row; (size, values) of each column that it tells, if it does."""

    key: Integers
    room: int
    columns: list[tuple[int, Callable[[Integers], Array]]] | None


def distinct(columns: Sequence[Array]) -> tuple[Index, Index]:
    """(one row of each kind, the kind of each row), for rows that agree in all columns.

    Columns of whole numbers, or of fixed parts of them, agree where they do but for rounding.
    """
    keys = _keys(whole_codes(column) or _ranks(column) for column in columns)
    assert keys is not None
    return _rows(keys)


def counted(columns: Sequence[Array]) -> tuple[tuple[Array, ...], Index]:
    """(the columns of each kind, its number of rows): faster than `distinct`, and smaller."""
    keys = _keys(whole_codes(column) or _ranks(column) for column in columns)
    assert keys is not None
    if keys.columns is None:
        first, where = _rows(keys)
        return tuple(column[first] for column in columns), np.bincount(where)
    key = keys.key
    key.sort()
    begins = _begins(key)
    left, values = key[begins], []
    for size, value in reversed(keys.columns):
        left, code = np.divmod(left, size)
        values.append(value(code))
    return tuple(reversed(values)), np.diff(begins, append=key.size)


def by_distinct(function: Callable[..., Array], *columns: Array) -> Array:
    """function(*columns), elementwise; equal rows of whole numbers are computed only once."""
    if columns[0].ndim != 1 or columns[0].size < _FEW:
        return function(*columns)
    keys = _keys(whole_codes(column) for column in columns)
    if keys is None:
        return _in_blocks(function, columns)
    first, where = _rows(keys)
    del keys
    if 2 * first.size > where.size:
        return _in_blocks(function, columns)
    return np.take(_in_blocks(function, [column[first] for column in columns]), where, axis=-1)


def _in_blocks(function: Callable[..., Array], columns: Sequence[Array]) -> Array:
    """function(*columns), some rows at a time: what it works with stays small."""
    if columns[0].size <= _MANY:
        return function(*columns)
    starts = range(0, columns[0].size, _MANY)
    parts = (function(*(column[i : i + _MANY] for column in columns)) for i in starts)
    return np.concatenate(list(parts), axis=-1)


def whole_codes(column: Array) -> Codes | None:
    """Codes of a column of whole numbers, of fixed parts of them, or of one number; else None."""
    if not column.size:
        return None
    if column.strides == (0,):
        value = float(column[0])
        return Codes(np.zeros(column.size, np.int32), 1, lambda code: np.full(code.shape, value))
    for parts in _PARTS:
        few = column[: _SOME * 997 : 997] * parts
        if not (np.abs(few) < 1e9).all() or not _nearly(few, np.rint(few)):
            continue
        scaled = column if parts == 1.0 else column * parts
        low, high = float(scaled.min()), float(scaled.max())
        if not -1e9 < low <= high < 1e9:
            return None
        whole = np.rint(scaled).astype(float, copy=False)  # single precision would not hold a sum
        if _nearly(scaled, whole):
            least = np.rint(low)
            whole -= least
            size = int(np.rint(high) - least) + 1
            code = whole.astype(_kind(size))
            return Codes(code, size, lambda code: (code + least) / parts)  # noqa: B023 -- returned
    return None


def _nearly(scaled: Array, whole: Array) -> bool:
    """Whether all numbers are these whole ones but for rounding."""
    same = scaled == whole
    if same.all():
        return True
    other = ~same
    scaled, whole = scaled[other], whole[other]
    return bool(np.all(np.abs(scaled - whole) <= _ROUNDING * np.abs(whole)))


def _ranks(column: Array) -> Codes:
    values, code = np.unique(column, return_inverse=True)
    return Codes(code.astype(_kind(len(values))), len(values), lambda code: values[code])


def _keys(codes: Iterable[Codes | None]) -> Keys | None:
    """One key for the columns of these codes; None if one has none."""
    key: Integers | None = None
    room, columns, told = 1, [], True
    for column in codes:
        if column is None:
            return None
        code, size, values = column
        if key is not None and room > np.iinfo(np.int64).max // max(size, 1):
            _, key = np.unique(key, return_inverse=True)
            room, told = int(np.max(key, initial=0)) + 1, False
        room *= size
        columns.append((size, values))
        if key is None:
            key = code
        elif size > 1:
            key = key.astype(_kind(room), copy=False)
            key *= size
            key += code
    assert key is not None
    return Keys(key, room, columns if told else None)


def _rows(keys: Keys) -> tuple[Index, Index]:
    """(the first row of each kind, the kind of each row)."""
    key, room, _ = keys
    kind = _kind(key.size)
    if room > _SPARSE * key.size:
        order = np.argsort(key)
        key = key[order]
        begins = _begins(key)
        first = np.minimum.reduceat(order, begins) if key.size else order
        where = np.empty(key.size, dtype=np.intp)
        where[order] = np.repeat(np.arange(begins.size), np.diff(begins, append=key.size))
        return first, where
    row = np.full(room, -1, dtype=kind)
    row[key[::-1]] = np.arange(key.size, dtype=kind)[::-1]  # the first of each kind comes last
    present = row >= 0
    place = np.cumsum(present, dtype=kind)
    return row[present].astype(np.intp), np.take(place, key).astype(np.intp) - 1


def _begins(key: Integers) -> Index:
    """Where each run of equal keys begins."""
    new = np.ones(key.size, dtype=bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return np.flatnonzero(new)


def _kind(size: int) -> type[np.signedinteger[Any]]:
    """Integers that hold 0, ..., size - 1, and size."""
    return np.int32 if size < 2**31 else np.int64
