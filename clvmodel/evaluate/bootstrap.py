"""How sure is a difference between two candidates? Paired resamples of customers.

In each resample every customer counts a Poisson(1) number of times (the bootstrap for many rows),
the same for all candidates, groups, targets and cutoffs: what makes a customer hard for everybody
drops out of a difference. The intervals are about which customers came along, nothing else: a
Christmas that moved all customers at once shows in the spread across cutoffs, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.evaluate.metrics import BEST, LOSSES
from clvmodel.evaluate.ranks import (
    Order,
    weighted_auc,
    weighted_concentration,
    weighted_spearman,
    weighted_top,
)

Array = NDArray[np.float64]
_ROOM = 1 << 21  # weights in memory at a time
_BLOCKS = 1_000  # of customers told apart in resampled ranks: to less than 0.1% of the base

_SAME = 1e-6  # of a metric: a smaller difference is one of computation
BETTER, WORSE, UNCLEAR = "better", "worse", "no clear difference"


class Difference(NamedTuple):
    """A metric of one candidate minus that of another, with an interval, and what it means."""

    difference: float
    low: float
    high: float
    verdict: str


def resamples(customers: int, size: int, seed: int) -> Iterator[Array]:
    """Weights (customers, some resamples), `size` resamples in all."""
    rng = np.random.default_rng(seed)
    step = max(1, min(size, _ROOM // max(customers, 1)))
    for start in range(0, size, step):
        drawn = rng.poisson(1.0, (min(step, size - start), customers))
        yield np.ascontiguousarray(drawn.T, float)


class Scorer:
    """Metrics of several candidates for one target, under resampled customers."""

    def __init__(self, actual: Array, predicted: Sequence[Array], metrics: Sequence[str]) -> None:
        """Take what happened (n) and each candidate's prediction (n)."""
        self.actual, self.metrics = actual, tuple(metrics)
        self.predicted = np.stack(list(predicted))
        self.orders = [Order(p, _BLOCKS) for p in predicted]
        self.by_actual = Order(actual, _BLOCKS)
        self.losses = {m: LOSSES[m](actual, self.predicted) for m in metrics if m in LOSSES}

    def scores(self, weight: Array) -> dict[str, Array]:
        """Metric -> (candidates, resamples); NaN where a metric does not exist."""
        return {metric: self._score(metric, weight) for metric in self.metrics}

    def _score(self, metric: str, weight: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            if metric in LOSSES:
                return self._mean(metric, weight)
            if metric == "bias":
                total = summed(self.actual[None], weight)
                return summed(self.predicted, weight) / total - 1
            if metric == "gini":
                perfect = weighted_concentration(self.actual, self.by_actual, weight)
                each = [weighted_concentration(self.actual, o, weight) for o in self.orders]
                return np.stack(each) / perfect
        if metric == "top_decile":
            tops = [weighted_top(self.actual, o, weight) for o in self.orders]
            flat = np.array([o.size == 1 for o in self.orders])
            return np.where(flat[:, None], np.nan, np.stack(tops))
        if metric == "auc":
            return np.stack([weighted_auc(self.actual, o, weight) for o in self.orders])
        return weighted_spearman(self.by_actual, self.orders, weight)

    def _mean(self, metric: str, weight: Array) -> Array:
        losses = self.losses[metric]
        finite = np.isfinite(losses)
        mean = summed(np.where(finite, losses, 0.0), weight) / weight.sum(axis=0)
        mean[~finite.all(axis=1)] = np.inf
        return np.asarray(np.sqrt(mean) if metric == "rmse" else mean)


def summed(values: Array, weight: Array) -> Array:
    """Sums of values (k, customers) weighted by (customers, resamples): (k, resamples).

    Not a matrix product: its threads wait for each other where other work keeps the cores busy,
    which was seen to make it two hundred times as slow.
    """
    return np.asarray(np.einsum("kn,nb->kb", values, weight))


def difference(
    metric: str, one: float | None, other: float | None, drawn: Array, level: float
) -> Difference | None:
    """Compare two values of a metric, given their resampled differences `drawn`.

    For "bias" the sizes are compared: `drawn` is then of |bias|. "better" and "worse" are said of
    the first, and only if the interval of the difference excludes 0 and it is more than a millionth
    of the metric: two computations of the same thing do not differ. None where there is none.
    """
    if one is None or other is None or (np.isinf(one) and np.isinf(other)):
        return None
    if np.isinf(one) or np.isinf(other):  # ruled out what then happened: a loss without bound
        gap = np.inf if np.isinf(one) else -np.inf
        return Difference(gap, gap, gap, WORSE if gap > 0 else BETTER)
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < 2:
        return None
    tail = 100 * (1 - level) / 2
    low, high = (float(v) for v in np.percentile(drawn, [tail, 100 - tail]))
    gap = abs(one) - abs(other) if metric == "bias" else one - other
    smaller_wins = BEST[metric](1.0) > BEST[metric](0.5)
    verdict = UNCLEAR
    if abs(gap) <= _SAME * max(abs(one), abs(other)):
        return Difference(float(gap), low, high, verdict)
    if low > 0:
        verdict = WORSE if smaller_wins else BETTER
    elif high < 0:
        verdict = BETTER if smaller_wins else WORSE
    return Difference(float(gap), low, high, verdict)


def gaps(metric: str, drawn: Array, other: Array) -> Array:
    """Resampled differences of a metric: of its size, for "bias"."""
    with np.errstate(invalid="ignore"):
        if metric == "bias":
            return np.asarray(np.abs(drawn) - np.abs(other))
        return np.asarray(drawn - other)
