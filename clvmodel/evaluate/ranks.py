"""Metrics of order: does a prediction find the customers who buy most?

Customers with the same prediction are one block, in which they share what happened: the order of
rows never matters. Each metric is written once, for weighted customers, with a column of weights
per resample; equal weights give the metric itself, and whole weights that of repeated rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Array = NDArray[np.float64]


class Order:
    """Customers sorted by a score, the highest first; equal scores are one block.

    With `most`, neighbours are merged into no more blocks than that: enough for resamples.
    """

    def __init__(self, score: Array, most: int | None = None) -> None:
        """Sort the scores."""
        distinct, self.where = np.unique(-score, return_inverse=True)
        self.size = distinct.size
        if most is not None and self.size > most:
            self.where, self.size = self.where * most // self.size, most

    @cached_property
    def _indicator(self) -> csr_matrix:
        n = self.where.size
        return csr_matrix((np.ones(n), (self.where, np.arange(n))), shape=(self.size, n))

    def blocks(self, weight: Array) -> Array:
        """Sums of the rows of `weight` (customers, resamples) by block."""
        return np.asarray(self._indicator @ weight)

    def rising(self, weight: Array) -> Array:
        """Cumulative sums over blocks, the highest first, from 0: (blocks + 1, resamples)."""
        sums = np.cumsum(self.blocks(weight), axis=0)
        return np.concatenate([np.zeros((1, sums.shape[1])), sums])

    def middle_ranks(self, weight: Array) -> Array:
        """Mean rank of each block from the highest, ties sharing: (blocks, resamples)."""
        each = self.blocks(weight)
        return np.asarray(np.cumsum(each, axis=0) - 0.5 * each)


def _ones(actual: Array) -> Array:
    return np.ones((actual.size, 1))


def _plain(values: Array) -> float | None:
    value = float(values[0])
    return value if np.isfinite(value) else None


def gain_curve(actual: Array, predicted: Array, shares: Array) -> Array | None:
    """Share of the actual total that falls to each share of customers, predicted highest first.

    `shares` in [0, 1]. The order by chance gives the diagonal; None if nothing happened.
    """
    if actual.sum() == 0:
        return None
    order = Order(predicted)
    customers, reached = (order.rising(c[:, None])[:, 0] for c in (np.ones(actual.size), actual))
    return np.asarray(np.interp(shares, customers / actual.size, reached / actual.sum()))


def deciles(actual: Array, predicted: Array, parts: int = 10) -> tuple[Array, Array]:
    """Mean actual and mean predicted of each tenth of customers, predicted highest first.

    Customers whose prediction is tied across an edge are shared out in proportion.
    """
    order, n = Order(predicted), actual.size
    edges = np.linspace(0, n, parts + 1)
    customers = order.rising(np.ones((n, 1)))[:, 0]
    reached = (order.rising(c[:, None])[:, 0] for c in (actual, predicted))
    found, said = (np.diff(np.interp(edges, customers, sums)) * parts / n for sums in reached)
    return found, said


def weighted_top(actual: Array, order: Order, weight: Array) -> Array:
    """`top_decile` of weighted customers, one per resample; NaN where nothing happened."""
    customers, reached = order.rising(weight), order.rising(actual[:, None] * weight)
    wanted = 0.1 * customers[-1]
    place = np.clip((customers < wanted).sum(axis=0), 1, order.size)
    column = np.arange(weight.shape[1])
    start, end = customers[place - 1, column], customers[place, column]
    below, above = reached[place - 1, column], reached[place, column]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (wanted - start) / (end - start)
        return np.asarray((below + (above - below) * share) / reached[-1])


def top_decile(actual: Array, predicted: Array) -> float | None:
    """Share of the actual total that falls to the tenth of customers predicted highest.

    0.1 is what chance gives. Customers tied at the edge of the tenth count in proportion, so the
    order of rows does not matter. None if nothing happened, or if all predictions are equal.
    """
    if actual.sum() == 0 or np.ptp(predicted) == 0:
        return None
    return _plain(weighted_top(actual, Order(predicted), _ones(actual)))


def weighted_concentration(actual: Array, order: Order, weight: Array) -> Array:
    """2 x area under the gain curve - 1 of weighted customers, one per resample."""
    customers, reached = order.rising(weight), order.rising(actual[:, None] * weight)
    area = (np.diff(customers, axis=0) * (reached[1:] + reached[:-1])).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(area / (customers[-1] * reached[-1]) - 1)


def gini(actual: Array, predicted: Array) -> float | None:
    """Normalised Gini in [-1, 1]: the gain curve's area above chance, relative to perfect order.

    1 ranks customers as they turned out, 0 is chance. Of something that happens or not it is
    2 AUC - 1. None if nothing happened, or if all customers did the same.
    """
    if actual.sum() == 0 or np.ptp(actual) == 0:
        return None
    ones = _ones(actual)
    own, perfect = (weighted_concentration(actual, Order(s), ones) for s in (predicted, actual))
    return _plain(own / perfect)


def weighted_spearman(by_actual: Order, orders: Sequence[Order], weight: Array) -> Array:
    """`spearman` of weighted customers (orders, resamples); NaN if a side never varies."""
    half = 0.5 * weight.sum(axis=0)
    own = by_actual.middle_ranks(weight) - half
    spread = (by_actual.blocks(weight) * own**2).sum(axis=0)
    carried = weight * own[by_actual.where]
    found = []
    for order in orders:
        rank = order.middle_ranks(weight) - half
        shared = (order.blocks(carried) * rank).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(shared / np.sqrt(spread * (order.blocks(weight) * rank**2).sum(axis=0)))
    return np.stack(found)


def spearman(actual: Array, predicted: Array) -> float | None:
    """Rank correlation in [-1, 1], ties sharing their mean rank; None if a side never varies."""
    if np.ptp(actual) == 0 or np.ptp(predicted) == 0:
        return None
    return _plain(weighted_spearman(Order(actual), [Order(predicted)], _ones(actual))[0])


def weighted_auc(happened: Array, order: Order, weight: Array) -> Array:
    """`auc` of weighted customers, one per resample; NaN if all did, or did not."""
    did = order.blocks(happened[:, None] * weight)
    not_ = order.blocks((1 - happened)[:, None] * weight)
    above = np.cumsum(did, axis=0) - 0.5 * did
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((above * not_).sum(axis=0) / (did.sum(axis=0) * not_.sum(axis=0)))


def auc(happened: Array, chance: Array) -> float | None:
    """Chance that a customer who bought was given a higher chance than one who did not.

    Ties count half; 0.5 is no skill. `happened` is 0 or 1; None if all did, or nobody.
    """
    if np.ptp(happened) == 0:
        return None
    return _plain(weighted_auc(happened, Order(chance), _ones(happened)))
