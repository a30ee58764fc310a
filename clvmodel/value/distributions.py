"""Quantiles of what each customer will buy and spend within a horizon, read from the curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.models.total_spend import Spending
from clvmodel.numerics.ragged import ranges
from clvmodel.value.ahead import Block, blocks, thinned
from clvmodel.value.outlook import Outlook

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_BISECTIONS = 40


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of each customer's spend: `count` purchases per state, and amounts.

    `scale` (customers) is gamma + c m at the estimate, `rest` (customers) log(gamma / scale);
    `above` (customers) are amounts whose chance to be exceeded is asked for, before any margin.
    """

    spending: Spending
    count: Array
    scale: Array
    rest: Array
    above: Array | None = None


class Ahead(NamedTuple):
    """Quantiles of purchases and of spend (customers, levels), chances of spend above a sum."""

    purchases: Array
    value: Array | None
    above: Array | None


def quantiles_ahead(
    outlook: Outlook, models: Sequence[Any], t: float, levels: Sequence[float], known: Known | None
) -> Ahead:
    """Distributions of what each customer buys and spends in (T, T + t], averaged over models."""
    room = 1 - np.asarray(levels, float)
    counts = np.zeros((outlook.state.size, room.size))
    money = None if known is None else _Money(outlook, known, room)
    for block in blocks(outlook, models, t, outlook.repeats if known is None else known.count):
        with np.errstate(divide="ignore"):
            target = np.minimum(room / block.certain[:, None], 2.0)
        counts[block.cells] = _counts(block, target)
        if money is not None:
            money.read(block, target)
    purchases = counts[outlook.where]
    if money is None:
        return Ahead(purchases, None, None)
    return Ahead(purchases, money.values, money.chances)


class _Money:
    """Collects, block by block, what the curves of spend say of each customer."""

    def __init__(self, outlook: Outlook, known: Known, room: Array) -> None:
        self.known = known
        self.values = np.zeros((outlook.where.size, room.size))
        self.chances = None if known.above is None else np.zeros(outlook.where.size)
        self.least = min(float(min(room, default=1.0)) * 1e-3, 1.0 if known.above is None else 1e-9)
        self.of_cell = np.argsort(outlook.where, kind="stable")
        cells = np.arange(outlook.state.size + 1)
        self.begins = np.searchsorted(outlook.where[self.of_cell], cells)

    def read(self, block: Block, target: Array) -> None:
        """Read the quantiles, and chances, of the customers in these cells."""
        inside, cell = ranges(self.begins, block.cells)
        customers = self.of_cell[inside]
        rest, scale = self.known.rest[customers], self.known.scale[customers]
        points = self.known.spending.points(rest)
        k, chance = block.k, block.chance
        if len(self.known.spending.p) > 1:
            k, chance = thinned(k, chance)
        curve = self.known.spending.curve(block.c, k, self.least, points)
        tables = [(chance @ a, chance @ b) for a, b in zip(curve.above, curve.slope, strict=True)]
        logs = np.stack([_solve(curve.y, *table, block.row, target) for table in tables], axis=1)
        for j in range(target.shape[1]):
            between = _between(points, logs[cell, :, j], rest)
            self.values[customers, j] = scale * np.exp(between)
        if self.known.above is None or self.chances is None:
            return
        with np.errstate(divide="ignore"):
            y = np.log(self.known.above[customers] / scale)
        read = [_read(curve.y, *table, block.row[cell], y) for table in tables]
        between = _between(points, np.stack(read, axis=1), rest)
        self.chances[customers] = np.clip(block.certain[cell] * between, 0.0, 1.0)


def _counts(block: Block, target: Array) -> Array:
    """Smallest numbers (cells, levels) that are exceeded with chance `target` or less."""
    as_many = np.cumsum(block.chance[:, ::-1], axis=1)[:, ::-1]
    numbers = np.concatenate([[0.0], block.k])
    found = np.zeros(target.shape)
    for j, room in enumerate(target.T):
        found[:, j] = numbers[_above(as_many, block.row, room)]
    return found


def _above(table: Array, row: Index, room: Array) -> Index:
    """How many entries of each one's row of a falling table are above `room`, by bisection."""
    low, high = np.zeros(row.size, np.intp), np.full(row.size, table.shape[1])
    for _ in range(int(table.shape[1]).bit_length()):
        middle = (low + high) // 2
        more = table[row, np.minimum(middle, table.shape[1] - 1)] > room
        more &= middle < high
        low, high = np.where(more, middle + 1, low), np.where(more, high, middle)
    return low


def _solve(y: Array, table: Array, slope: Array, row: Index, target: Array) -> Array:
    """Where rows of a falling curve reach `target` (cells, levels): -inf where they begin below."""
    result = np.full(target.shape, -np.inf)
    step = y[1] - y[0]
    for j, room in enumerate(target.T):
        place = _above(table, row, room)
        inside = np.flatnonzero(place > 0)
        at = np.minimum(place[inside] - 1, y.size - 2)
        ends = [t[row[inside], at + i] for t in (table, slope * step) for i in (0, 1)]
        low, high = np.zeros(inside.size), np.ones(inside.size)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            more = _cubic(middle, *ends) > room[inside]
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        result[inside, j] = y[at] + step * low
    return result


def _read(y: Array, table: Array, slope: Array, row: Index, at: Array) -> Array:
    """Heights of rows of a curve at the points `at`."""
    step = y[1] - y[0]
    place = np.clip((at - y[0]) / step, 0.0, y.size - 1)
    left = np.minimum(place.astype(np.intp), y.size - 2)
    ends = [t[row, left + i] for t in (table, slope * step) for i in (0, 1)]
    return np.where(place >= y.size - 1, 0.0, _cubic(place - left, *ends))


def _cubic(s: Array, left: Array, right: Array, left_slope: Array, right_slope: Array) -> Array:
    """The cubic on (0, 1) with these values and slopes at the ends."""
    gap = right - left
    bend = left_slope + right_slope - 2 * gap
    return np.asarray(left + s * (left_slope + s * (gap - left_slope - bend + s * bend)))


def _between(points: Array, values: Array, at: Array) -> Array:
    """The polynomial through `values` (rows, points), at one place per row."""
    if points.size == 1:
        return values[:, 0]
    weight = np.ones((at.size, points.size))
    for i in range(points.size):
        for j in range(points.size):
            if i != j:
                weight[:, i] *= (at - points[j]) / (points[i] - points[j])
    none = np.isinf(values)
    between = np.sum(weight * np.where(none, 0.0, values), axis=1)
    return np.where(none.any(axis=1), -np.inf, between)
