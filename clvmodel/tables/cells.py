"""Customers with the same history are one cell with a weight: what every fit works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_SUBDIVISIONS = (1.0, 7.0)  # whole numbers, or sevenths: days counted in weeks


class Cells(NamedTuple):
    """Distinct histories: `columns` (one array per column), `weight`, and each row's cell."""

    columns: tuple[Array, ...]
    weight: Array
    where: NDArray[np.intp]


def collapse(columns: Sequence[Array], weight: Array | None = None) -> Cells:
    """Collapse rows that agree in all columns into cells; weights add up (1 each by default).

    `column[where]` spreads a result per cell back over the rows.

    >>> cells = collapse([np.array([1.0, 0.0, 1.0]), np.array([5.0, 9.0, 5.0])])
    >>> cells.columns, cells.weight.tolist()
    ((array([0., 1.]), array([9., 5.])), [1.0, 2.0])
    """
    key = np.zeros(len(columns[0]), dtype=np.int64)
    room = 1
    for column in columns:
        code, size = _codes(column)
        if room > np.iinfo(np.int64).max // max(size, 1):
            _, key = np.unique(key, return_inverse=True)
            room = int(np.max(key, initial=0)) + 1
        key = key * size + code
        room *= size
    _, first, where = np.unique(key, return_index=True, return_inverse=True)
    summed = np.bincount(where, weights=weight, minlength=len(first)).astype(float)
    return Cells(tuple(np.asarray(c, float)[first] for c in columns), summed, where)


def _codes(column: Array) -> tuple[NDArray[np.int64], int]:
    """Integers that differ where the column does, and one more than the largest of them."""
    for parts in _SUBDIVISIONS:
        scaled = column * parts
        whole = np.rint(scaled)
        if whole.size and np.abs(scaled).max() < 1e9 and np.allclose(scaled, whole, 0, 1e-7):
            code = (whole - whole.min()).astype(np.int64)
            return code, int(code.max()) + 1
    values, code = np.unique(column, return_inverse=True)
    return code.astype(np.int64), len(values)
