"""Markov chains for a density with any shape, many side by side; and whether they have mixed.

[TB08]   ter Braak & Vrugt (2008), Differential Evolution Markov Chain with Snooker Updater and
         Fewer Chains, Statistics and Computing 18:435-446.
[VGSCB]  Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), Rank-Normalization, Folding, and
         Localization: An Improved R-hat, Bayesian Analysis 16(2):667-718.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.numerics.proposals import Density, Proposal, StudentMixture

Array = NDArray[np.float64]

_ARCHIVE = 2000  # points between which jumps are taken
_FULL_JUMP = 10  # every so many jumps one of full length, from mode to mode [TB08]


class Walkers:
    """Independent Metropolis chains, advanced together: one row of `points` (w, k) each.

    They alternate two moves. A jump adds the difference of two archived points, shortened: in an
    archive that looks like the target it has the target's shape and scale [TB08]. A leap draws
    from a proposal that knows the target roughly, which connects what jumps do not. Both learn from
    the walkers while these search; then they stay as they are, so that the chains are Markov.
    """

    def __init__(
        self,
        log_density: Density,
        proposal: Proposal,
        points: Array,
        archive: Array,
        rng: np.random.Generator,
    ) -> None:
        """Begin at `points`, with jumps taken from `archive` (m, k)."""
        self._log_density, self._rng = log_density, rng
        self.proposal: Proposal = proposal
        self.points, self._archive = points, archive
        self._values, self._proposed = log_density(points), proposal.log_density(points)

    def search(self, steps: int) -> None:
        """Walk, and learn both moves from the second half of the walk."""
        seen = self.walk(steps)[:, steps // 2 :].reshape(-1, self.points.shape[1])
        self._archive = seen[self._rng.permutation(len(seen))[:_ARCHIVE]]
        even = np.full(len(self._archive), 1 / len(self._archive))
        self.proposal = StudentMixture.of(self._archive, even, self._rng)
        self._proposed = self.proposal.log_density(self.points)

    def walk(self, steps: int) -> Array:
        """Chains (w, steps, k) that begin where the last ones ended."""
        kept = np.empty((len(self.points), steps, self.points.shape[1]))
        for step in range(steps):
            if step % 2:
                self._leap()
            else:
                self._jump(full=step // 2 % _FULL_JUMP == 0)
            kept[:, step] = self.points
        return kept

    def _jump(self, full: bool) -> None:
        walkers, size = self.points.shape
        one, other = self._archive[self._rng.integers(len(self._archive), size=(2, walkers))]
        length = 1.0 if full else 2.38 / np.sqrt(2 * size)
        length = length * np.exp(0.3 * self._rng.standard_normal((walkers, 1)))
        points = self.points + length * (one - other)
        self._move(points, self.proposal.log_density(points), 0.0)

    def _leap(self) -> None:
        points = self.proposal.draw(len(self.points), self._rng)
        proposed = self.proposal.log_density(points)
        self._move(points, proposed, self._proposed - proposed)

    def _move(self, points: Array, proposed: Array, correction: Array | float) -> None:
        values = self._log_density(points)
        gain = values - self._values + correction
        taken = -self._rng.standard_exponential(len(points)) < gain
        self.points = np.where(taken[:, None], points, self.points)
        self._values = np.where(taken, values, self._values)
        self._proposed = np.where(taken, proposed, self._proposed)


def r_hat(chains: Array) -> float:
    """Split R-hat of chains (c, n) of one number: 1 where they have mixed [VGSCB sec. 4].

    The larger of two, for their location and for their spread, of ranks turned into normals. Many
    short chains that have mixed give about sqrt(1 + 2 / own effective size) each.
    """
    halves = _split(chains)
    folded = np.abs(halves - np.median(halves))
    return max(_ratio(_normal_ranks(halves)), _ratio(_normal_ranks(folded)))


def bulk_size(chains: Array) -> float:
    """Bulk effective sample size of chains (c, n) of one number [VGSCB sec. 4]."""
    values = _normal_ranks(_split(chains))
    count, length = values.shape
    if length < 2 or np.ptp(values) == 0:
        return float("nan")
    apart = values - values.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(apart, 2 * length, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, 2 * length, axis=1)[:, :length].mean(axis=0) / (length - 1)
    between = values.mean(axis=1).var(ddof=1) if count > 1 else 0.0
    total = covariance[0] * (length - 1) / length + between
    correlation = 1 - (covariance[0] - covariance) / total
    correlation[0] = 1.0
    pairs = correlation[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)  # Geyer's initial positive, monotone sequence
    pairs = np.minimum.accumulate(pairs[: negative[0]] if negative.size else pairs)
    time = max(2 * float(pairs.sum()) - 1, 1 / np.log10(count * length))
    return float(count * length / time)


def _split(chains: Array) -> Array:
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, chains.shape[1] - half :]])


def _normal_ranks(values: Array) -> Array:
    """Normal quantiles of the ranks among all values; equal values share their rank."""
    _, where, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[where].reshape(values.shape)
    return np.asarray(ndtri((rank - 0.375) / (values.size + 0.25)))


def _ratio(values: Array) -> float:
    length = values.shape[1]
    if length < 2:
        return float("nan")
    within = float(values.var(axis=1, ddof=1).mean())
    between = float(values.mean(axis=1).var(ddof=1))
    if within == 0:
        return 1.0 if between == 0 else float("inf")
    return float(np.sqrt((length - 1) / length + between / within))
