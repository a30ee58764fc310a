"""Quantiles of whole numbers from their tails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_FARTHEST = 2.0**52  # the largest count that is told from the next


def count_quantile(tail: Callable[[Array, Rows], Array], room: Array) -> Array:
    """Smallest whole n >= 0 with P(N > n) <= room, elementwise; inf where there is none.

    `tail(n, rows)` is P(N >= n) for n >= 1 in these rows, falling in n. `room` (m) is 1 minus the
    level; rows with room >= 1 give 0. By doubling, then by bisection.
    """
    low = np.full(room.size, -1.0)  # a count known to be too small
    high = np.zeros(room.size)
    rows = np.flatnonzero(room < 1)
    rows = rows[tail(np.ones(rows.size), rows) > room[rows]]
    while rows.size:
        low[rows] = high[rows]
        high[rows] = np.maximum(2 * high[rows], 1.0)
        rows = rows[tail(high[rows] + 1, rows) > room[rows]]
        beyond = high[rows] >= _FARTHEST
        high[rows[beyond]] = np.inf
        rows = rows[~beyond]
    rows = np.flatnonzero(np.isfinite(high) & (high - low > 1))
    while rows.size:
        middle = np.floor(0.5 * (low[rows] + high[rows]))
        short = tail(middle + 1, rows) > room[rows]
        low[rows[short]] = middle[short]
        high[rows[~short]] = middle[~short]
        rows = rows[high[rows] - low[rows] > 1]
    return high
