"""Densities to draw from in place of one that cannot be: heavy-tailed, skewed, or of any shape.

[G89] Geweke (1989), Bayesian Inference in Econometric Models Using Monte Carlo Integration,
      Econometrica 57(6):1317-1339.
[W93] West (1993), Approximating Posterior Distributions by Mixtures, Journal of the Royal
      Statistical Society B 55(2):409-422.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Array = NDArray[np.float64]
Density = Callable[[Array], Array]
"""Log density, up to a constant, of points (d, k) -> (d); -inf where there is none."""

# Degrees of freedom of the tails. Log densities of parameters fall at least linearly where the data
# say something: slower than a normal's, faster than any t's. 10 for up to four parameters costs a
# fifth of the effective size when the target is normal; with more parameters a t wastes more in its
# tails, so that they are made lighter. A mixture is rough between its centres and gets 5.
_SPLIT_FREEDOM, _PER_PARAMETER, _MIXTURE_FREEDOM = 10.0, 2.5, 5.0
_STEPS = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])  # where the tails are looked at
_NARROWEST, _WIDEST = 0.2, 5.0  # scales that a look at the tails may lead to
_CENTRES = 100
_BLOCK = 4096  # points at a time, so that a mixture needs little memory


class Proposal(Protocol):
    """What importance sampling needs of a density: draws from it, and its value at them."""

    def draw(self, size: int, rng: np.random.Generator) -> Array:
        """Independent draws (size, k)."""
        ...

    def log_density(self, points: Array) -> Array:
        """Normalised log density at points (d, k)."""
        ...


class SplitStudent(NamedTuple):
    """Student t around `centre` (k), whose scale differs between the two halves of each axis.

    The columns of `axes` (k, k) are the principal axes, one standard deviation long; `ahead` and
    `behind` (k) multiply them in and against their direction [G89 sec. 4].
    """

    centre: Array
    axes: Array
    ahead: Array
    behind: Array

    @classmethod
    def around(cls, log_density: Density, mode: Array, covariance: Array, bounds: Array) -> Self:
        """Fit the scales to the tails of a log density in the box |point| <= `bounds` (k).

        Along each half axis the scale is the largest that any of a few points calls for, as if the
        target were a t itself: so that no ratio of densities along the axes exceeds that at the
        mode [G89 eq. 13]. Scales stay within the box, however flat the density or the covariance.
        """
        values, vectors = np.linalg.eigh(covariance)
        axes = vectors * np.sqrt(np.clip(values, 1e-16, np.max(bounds) ** 2))
        halves = np.concatenate([axes.T, -axes.T])  # (2 k, k)
        points = mode + _STEPS[:, None, None] * halves
        top = log_density(mode[None])[0]
        fall = top - log_density(points.reshape(-1, mode.size)).reshape(len(_STEPS), -1)
        freedom = _freedom(mode.size)
        with np.errstate(over="ignore"):
            apart = freedom * np.expm1(2 * np.maximum(fall, 1e-9) / (freedom + mode.size))
        called_for = np.max(_STEPS[:, None] / np.sqrt(apart), axis=0)
        walls = np.where(halves > 0, bounds - mode, bounds + mode)
        room = np.min(walls / np.maximum(np.abs(halves), 1e-300), axis=1)
        scale = np.clip(np.minimum(called_for, room / 1.5), _NARROWEST, _WIDEST)
        return cls(mode, axes, scale[: mode.size], scale[mode.size :])

    def draw(self, size: int, rng: np.random.Generator) -> Array:
        """Independent draws (size, k)."""
        shape = (size, self.centre.size)
        ahead = rng.random(shape) < self.ahead / (self.ahead + self.behind)
        scale = np.where(ahead, self.ahead, -self.behind)
        steps = scale * np.abs(_student(rng, shape, _freedom(self.centre.size)))
        return np.asarray(self.centre + steps @ self.axes.T)

    def log_density(self, points: Array) -> Array:
        """Normalised log density at points (d, k)."""
        steps = np.linalg.solve(self.axes, (points - self.centre).T).T
        steps = steps / np.where(steps > 0, self.ahead, self.behind)
        volume = np.linalg.slogdet(self.axes)[1] + np.sum(np.log((self.ahead + self.behind) / 2))
        size = self.centre.size
        each = _student_density(np.sum(steps**2, axis=1), size, _freedom(size))
        return np.asarray(each - volume)


class StudentMixture(NamedTuple):
    """Student t's of one shape, `factor` (k, k) @ itself transposed, around `centres` (c, k)."""

    centres: Array
    factor: Array

    @classmethod
    def of(cls, points: Array, weight: Array, rng: np.random.Generator) -> Self:
        """Follow weighted points (n, k), whatever their shape: smooth 100 of them [W93].

        The width is Silverman's for so many normals, times the covariance of all points.
        """
        size = points.shape[1]
        apart = points - weight @ points
        covariance = (apart * weight[:, None]).T @ apart
        width = (4 / ((size + 2) * _CENTRES)) ** (1 / (size + 4))
        floor = 1e-9 * np.trace(covariance) / size + 1e-16
        factor = np.linalg.cholesky(covariance + floor * np.eye(size))
        return cls(points[systematic(weight, _CENTRES, rng)], width * factor)

    def draw(self, size: int, rng: np.random.Generator) -> Array:
        """Independent draws (size, k)."""
        centre = self.centres[rng.integers(len(self.centres), size=size)]
        return np.asarray(centre + _student(rng, centre.shape, _MIXTURE_FREEDOM) @ self.factor.T)

    def log_density(self, points: Array) -> Array:
        """Normalised log density at points (d, k)."""
        parts = np.array_split(points, 1 + len(points) // _BLOCK)
        return np.concatenate([self._log_density(part) for part in parts])

    def _log_density(self, points: Array) -> Array:
        size = points.shape[1]
        here = np.linalg.solve(self.factor, (points - self.centres[0]).T).T
        there = np.linalg.solve(self.factor, (self.centres - self.centres[0]).T).T
        square = np.sum(here**2, axis=1)[:, None] + np.sum(there**2, axis=1) - 2 * here @ there.T
        each = _student_density(np.maximum(square, 0.0), size, _MIXTURE_FREEDOM)
        volume = np.sum(np.log(np.diag(self.factor))) + np.log(len(self.centres))
        return np.asarray(logsumexp(each, axis=1) - volume)


def systematic(weight: Array, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices (size) in proportion to normalised weights (n), shuffled.

    Systematic resampling: the copies of each index are its expected number, rounded up or down, so
    that an index comes twice only where its weight exceeds 1 / size.
    """
    marks = (np.arange(size) + rng.random()) / size
    steps = np.cumsum(weight)
    index = np.searchsorted(steps, marks * steps[-1], side="right")
    return rng.permutation(np.minimum(index, weight.size - 1))


def _freedom(size: int) -> float:
    return max(_SPLIT_FREEDOM, _PER_PARAMETER * size)


def _student(rng: np.random.Generator, shape: tuple[int, ...], freedom: float) -> Array:
    """Multivariate t, standard, one per row."""
    spread = np.sqrt(freedom / rng.chisquare(freedom, (shape[0], 1)))
    return np.asarray(rng.standard_normal(shape) * spread)


def _student_density(square: Array, size: int, freedom: float) -> Array:
    """Log density of the standard multivariate t at squared distances from its centre."""
    constant = gammaln((freedom + size) / 2) - gammaln(freedom / 2)
    constant -= size / 2 * np.log(freedom * np.pi)
    return np.asarray(constant - (freedom + size) / 2 * np.log1p(square / freedom))
