"""Rows with as many terms each as they need: a few rectangles instead of a loop or one wide one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_BLOCK = 1 << 14  # entries at a time, which stay in the processor's cache


def over_terms(function: Callable[..., Array], length: Array, *columns: Array) -> Array:
    """function(k, length, *columns) over blocks of rows that are about equally long.

    `length` (whole numbers) and `columns` are arrays (rows). The function gets them as columns
    (some rows, 1) and k = 0, 1, ..., the largest length of these rows; it reduces its terms over k,
    of which those with k > length are not meant, and returns an array (..., some rows).

    >>> over_terms(lambda k, n, x: np.sum(x**k * (k <= n), axis=1), np.array([0, 3]), np.full(2, 2))
    array([ 1., 15.])
    """
    order = np.argsort(-length, kind="stable")
    parts: list[Array] = []
    start = 0
    while start < order.size or not parts:
        width = int(length[order[start]]) + 1 if order.size else 1
        rows = order[start : start + max(1, _BLOCK // width)]
        block = (column[rows, None] for column in (length, *columns))
        parts.append(function(np.arange(float(width)), *block))
        start += max(1, rows.size)
    result = np.empty((*parts[0].shape[:-1], order.size))
    result[..., order] = np.concatenate(parts, axis=-1)
    return result


def ranges(begins: Index, rows: Index) -> tuple[Index, Index]:
    """Members of these rows, begins[row], ..., begins[row + 1] - 1, and whose (0, 1, ...) each is.

    >>> ranges(np.array([0, 2, 2, 5]), np.array([2, 0]))
    (array([2, 3, 4, 0, 1]), array([0, 0, 0, 1, 1]))
    """
    size = begins[rows + 1] - begins[rows]
    owner = np.repeat(np.arange(rows.size), size)
    return np.arange(owner.size) + np.repeat(begins[rows] - (np.cumsum(size) - size), size), owner
