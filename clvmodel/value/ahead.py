"""Chances of so many purchases within a horizon, for blocks of customers who are alike.

Chances are computed once for each state of the alive, and shared by the cells in that state; in
averages over draws of the parameters each cell has its own, since being alive and buying depend on
the same parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.numerics.counts import count_quantile
from clvmodel.numerics.ragged import ranges
from clvmodel.value.outlook import Outlook

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Chance of more purchases than are looked at, which is given to the largest number; in averages
# over draws, some of which may be extreme.
_LOST, _LOST_OF_MANY = 1e-9, 1e-6
_EVERY = 2048  # numbers of purchases up to this are told apart, beyond they are taken in bundles
_BUNDLE = 1.001
_ROOM = 1 << 21  # numbers in a block's largest table
_SMALL, _SPACING = 32.0, 0.05  # from here on, averages over draws use numbers so far apart


class Block(NamedTuple):
    """Rows with the same known number of purchases c, and the chances of k further ones.

    `chance` (rows, numbers of `k`, all >= 1) is that of being alive and of k purchases if `certain`
    is 1, else given being alive; `row` is the row of each of `cells`, `certain` (cells) what to
    multiply the chances by.
    """

    c: float
    k: Array
    chance: Array
    cells: Index
    row: Index
    certain: Array


def blocks(outlook: Outlook, models: Sequence[Any], t: float, count: Array) -> Iterator[Block]:
    """Chances of further purchases within t, averaged over `models`, block by block.

    `count` is the known number of purchases of each state. With one model the rows are states, else
    cells, since being alive and buying depend on the same parameters.
    """
    most = np.zeros(count.size)
    for model in models[:: max(len(models) // 4, 1)]:
        lost = _LOST if len(models) == 1 else _LOST_OF_MANY
        most = np.maximum(most, _most(outlook.new(model), t, count.size, lost))
    by_state = np.argsort(outlook.state, kind="stable")
    begins = np.searchsorted(outlook.state[by_state], np.arange(count.size + 1))
    order = np.lexsort((most, count))
    for states in _parts(order, count, most, np.diff(begins)):
        cells, row = ranges(begins, states)
        cells = by_state[cells]
        k = _numbers(float(most[states].max()))
        if len(models) == 1:
            chance = _chances(outlook.new(models[0], states), k, t)
            alive = outlook.alive(models[0], cells)
            yield Block(float(count[states[0]]), k, chance, cells, row, alive)
            continue
        chance = np.zeros((cells.size, k.size))
        for model in models:
            alive = outlook.alive(model, cells)[:, None]
            chance += alive * _chances(outlook.new(model, states), k, t)[row]
        chance /= len(models)
        ones = np.ones(cells.size)
        yield Block(float(count[states[0]]), k, chance, cells, np.arange(cells.size), ones)


def thinned(k: Array, chance: Array) -> tuple[Array, Array]:
    """Fewer numbers of purchases: chances of large ones are shared by two neighbours.

    Means are kept, and what is a smooth function of log k changes by less than 0.03% of itself:
    enough for averages over draws, which vary more.
    """
    nodes = k[: int(np.searchsorted(k, _SMALL))]
    if nodes.size == k.size:
        return k, chance
    grown = np.geomspace(_SMALL, k[-1], int(np.ceil(np.log(k[-1] / _SMALL) / _SPACING)) + 1)
    nodes = np.unique(np.append(nodes, np.rint(grown)))
    left = np.clip(np.searchsorted(nodes, k, side="right") - 1, 0, nodes.size - 2)
    right = (k - nodes[left]) / (nodes[left + 1] - nodes[left])
    share = np.zeros((k.size, nodes.size))
    share[np.arange(k.size), left] = 1 - right
    share[np.arange(k.size), left + 1] += right
    return nodes, chance @ share


def _most(new: Any, t: float, size: int, lost: float) -> Array:
    """Numbers of purchases that are exceeded with next to no chance: `lost`."""
    new = new.spread((size,))

    def tail(n: Array, rows: Index) -> Array:
        return np.asarray(1 - new.take(rows).cdf(n - 1, t))

    return np.maximum(count_quantile(tail, np.full(size, lost)), 1.0)


def _parts(order: Index, count: Array, most: Array, cells: Array) -> Iterator[Index]:
    """States in groups with the same count, each of a size that memory holds."""
    for group in np.split(order, np.flatnonzero(np.diff(count[order])) + 1):
        size = np.maximum(cells[group], 1) * (np.minimum(most[group], 2 * _EVERY) + 200)
        part = np.cumsum(size) // _ROOM
        yield from np.split(group, np.flatnonzero(np.diff(part)) + 1)


def _numbers(most: float) -> Array:
    """1, 2, 3, ... up to `most`; the large ones in bundles, by their last."""
    every = np.arange(1.0, min(most, _EVERY) + 1)
    if most <= _EVERY:
        return every
    bundles = int(np.ceil(np.log(most / _EVERY) / np.log(_BUNDLE))) + 1
    return np.concatenate([every, np.unique(np.rint(np.geomspace(_EVERY, most, bundles)))[1:]])


def _chances(new: Any, k: Array, t: float) -> Array:
    """Chances (rows, numbers of k) of k purchases by t; the last is that of as many or more."""
    columns = type(new)(*(v[:, None] if v.ndim else v for v in new.arrays()))
    every = int(min(k[-1], _EVERY))
    chance = np.asarray(columns.pmf(k[None, :every], t))
    upto = np.asarray(columns.cdf(k[None, every - 1 :], t))
    chance = np.concatenate([chance, np.diff(upto, axis=1)], axis=1)
    chance[:, -1] += 1 - upto[:, -1]
    return chance
