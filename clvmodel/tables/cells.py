"""Customers with the same history are one cell with a weight: what every fit works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.numerics.distinct import counted, distinct

Array = NDArray[np.float64]


class Cells(NamedTuple):
    """Distinct histories: `columns` (one array per column), `weight`, and each row's cell."""

    columns: tuple[Array, ...]
    weight: Array
    where: NDArray[np.intp]


def collapse(columns: Sequence[Array], weight: Array | None = None, *, rows: bool = True) -> Cells:
    """Collapse rows that agree in all columns into cells; weights add up (1 each by default).

    `column[where]` spreads a result per cell back over the rows; where that is not needed, without
    `rows`, `where` stays empty, and to count the cells is faster and takes less memory.

    >>> cells = collapse([np.array([1.0, 0.0, 1.0]), np.array([5.0, 9.0, 5.0])])
    >>> cells.columns, cells.weight.tolist()
    ((array([0., 1.]), array([9., 5.])), [1.0, 2.0])
    """
    columns = [np.asarray(column, float) for column in columns]
    if weight is None and not rows:
        kinds, number = counted(columns)
        return Cells(kinds, number.astype(float), np.empty(0, np.intp))
    first, where = distinct(columns)
    summed = np.bincount(where, weights=weight, minlength=len(first)).astype(float)
    where = where if rows else np.empty(0, np.intp)
    return Cells(tuple(column[first] for column in columns), summed, where)
