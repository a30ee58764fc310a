"""Intervals by the likelihood ratio: how far can a parameter go before the data object?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.fitting.engine import climb
from clvmodel.fitting.estimate import likelihood_of, natural_position
from clvmodel.fitting.likelihood import WALL, Likelihood, Local

Array = NDArray[np.float64]

_NEAR = 0.5  # of a log-parameter
_ENDED = 1e-6  # of a standard normal deviation
_TURNS = 60


def profile_intervals(fit: Any, level: float) -> dict[str, tuple[float, float]]:
    """Return {parameter: (low, high)} where twice the loss of log-likelihood reaches chi-square."""
    likelihood = likelihood_of(fit)
    top = likelihood.position(natural_position(fit))
    best = likelihood.local(top).value
    errors = np.sqrt(np.diag(fit.covariance))
    limit = float(ndtri(0.5 + level / 2))
    intervals = {}
    for i, name in enumerate(fit.model.names()):
        turned = Turned.towards(likelihood, i)
        step = min(float(errors[i]) / turned.size, 1.0)
        low, high = (
            side * np.inf if end is None else turned.size * end + float(likelihood.map[1][i])
            for side in (-1.0, 1.0)
            for end in [_end(turned, top, best, side, step, limit)]
        )
        with np.errstate(over="ignore", under="ignore"):
            ends = (low, high) if ":" in name else (float(np.exp(low)), float(np.exp(high)))
        intervals[name] = ends
    return intervals


@dataclass(frozen=True)
class Turned:
    """A likelihood with one coordinate exchanged for a natural one, `size` of it at a time.

    With covariates a parameter's logarithm is a sum over several coordinates. It replaces the one
    that counts most in it, so that all coordinates stay of order one, however far the covariates
    lie from 0.
    """

    likelihood: Likelihood
    place: int
    size: float
    row: Array

    @classmethod
    def towards(cls, likelihood: Likelihood, i: int) -> Turned:
        """Exchange a coordinate for the natural one numbered i."""
        row = likelihood.map[0][i]
        place = int(np.argmax(np.abs(row)))
        size = float(np.abs(row[place]))
        return cls(likelihood, place, size, row / size)

    @property
    def back(self) -> Array:
        """Matrix that leads to the likelihood's own positions."""
        matrix = np.eye(self.row.size)
        matrix[self.place] = -self.row * self.row[self.place]
        matrix[self.place, self.place] = self.row[self.place]
        return matrix

    @property
    def reach(self) -> Array:
        """What a step of one in each coordinate amounts to, at most."""
        return np.asarray(np.abs(self.back).T @ self.likelihood.reach)

    def turned(self, position: Array) -> Array:
        """Return these coordinates of a position."""
        return _moved(position, self.place, float(self.row @ position))

    def local(self, position: Array) -> Local:
        """Objective, gradient and Hessian, per customer."""
        back = self.back
        value, gradient, hessian = self.likelihood.local(back @ position)
        return Local(value, back.T @ gradient, back.T @ hessian @ back)


def _moved(position: Array, i: int, value: float) -> Array:
    moved = position.copy()
    moved[i] = value
    return moved


def _ridge(hessian: Array, i: int) -> Array:
    """How the best other coordinates move with the one numbered i: those of a quadratic."""
    others = np.arange(len(hessian)) != i
    ridge = np.ones(len(hessian))
    ridge[others] = np.linalg.lstsq(hessian[np.ix_(others, others)], -hessian[others, i])[0]
    return ridge


def _end(
    turned: Turned, top: Array, best: float, side: float, step: float, limit: float
) -> float | None:
    """Where the signed root of the likelihood ratio reaches `limit`; None if it never does.

    The root is nearly linear in the coordinate, so that regula falsi (Illinois) needs few turns.
    """
    i, others = turned.place, turned.turned(top)
    wall = max(WALL, abs(float(others[i])) + 1)
    ridge = _ridge(turned.local(others).hessian, i)

    def excess(value: float) -> float:
        nonlocal others, ridge
        # the others may go farther, so that those which run away together are all open
        by = value - others[i]
        start = np.clip(others + by * ridge, -2 * wall, 2 * wall)
        if abs(by) * turned.reach[i] > _NEAR:  # a quadratic may not hold so far away
            starts = start, _moved(others, i, value)
            start = max(starts, key=lambda position: turned.local(position).value)
        others, local = climb(turned, start, held=[i], wall=2 * wall)
        ridge = _ridge(local.hessian, i)
        loss = 2 * turned.likelihood.total * max(best - local.value, 0.0)
        return float(np.sqrt(loss)) - limit

    inner, low = float(others[i]), -limit
    outer = inner + side * step * limit
    while True:
        outer = float(np.clip(outer, -wall, wall))
        high = excess(outer)
        if high >= 0:
            break
        if abs(outer) >= wall:
            return None
        inner, low, outer = outer, high, outer + 2 * (outer - inner)
    for _ in range(_TURNS):
        value = outer - high * (outer - inner) / (high - low)
        now = excess(value)
        if abs(now) < _ENDED or abs(outer - inner) < 1e-12:
            return value
        if now * high < 0:
            inner, low = outer, high
        else:
            low *= 0.5
        outer, high = value, now
    return value
