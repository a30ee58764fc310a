"""What several purchases of a customer are worth together, if spend is Gamma-Gamma.

Given k further purchases of a customer with c known ones of mean m, their sum S obeys

    S / (S + gamma + c m) ~ Beta(p k, q + p c),

so that U = S / (gamma + c m) has the survival function sum_k P(k) I_{1 / (1 + u)}(q + p c, p k),
which depends on a customer's state only, not on m: it is tabulated on a grid of log u, once for all
states that share c, as a product of matrices; each cell then reads its own level from its state's
curve, and each customer scales it. Between points of the grid the curve is a cubic with the exact
slopes. Nothing is simulated.

Averages over draws of the parameters factorize: the fits are separate, so the mean of P(k) times
the mean of the Beta part is the mean of the product. As gamma then differs between draws, a curve
depends on the share of gamma in gamma + c m, smoothly in its logarithm: it is computed at a few
such shares, and a customer's quantile is interpolated between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, expit, polygamma

Array = NDArray[np.float64]

_FINE = 8.0  # points of the grid per standard deviation of the narrowest part of the curve
_COARSE = 3.0  # the same for averages over draws, which are smoother
_WIDEST, _LONGEST = 0.1, 5_000  # largest step of the grid, and its largest number of points
_FARTHEST = 60.0  # logs of u are looked at from minus to three times this
_NOTHING = 1e-200  # chances below this are none
_FEW = 1_500  # the largest number for averages over draws
_WIDE, _MOST = 2.0, 9  # spread of log gamma over draws from which on so many points are needed


@dataclass(frozen=True)
class Spending:
    """Draws of the parameters of spend: p, q, and gamma relative to its estimate; (draws)."""

    p: Array
    q: Array
    gamma: Array

    def points(self, wanted: Array) -> Array:
        """Logs of gamma / (gamma + c m) at which curves are needed, to know those wanted.

        One will do at the estimate; the wanted ones themselves where they are few, else points
        (Chebyshev, with the ends) between which one can interpolate.
        """
        if len(self.p) == 1:
            return np.zeros(1)
        size = 5 if np.ptp(np.log(self.gamma)) < _WIDE else _MOST
        own = np.unique(wanted)
        if own.size <= size:
            return own
        middle, half = 0.5 * (own[-1] + own[0]), 0.5 * (own[-1] - own[0])
        return np.asarray(middle - half * np.cos(np.linspace(0, np.pi, size)))

    def curve(self, c: float, k: Array, room: float, points: Array) -> Curve:
        """Tabulate P(U > exp(y)) given k purchases, for chances down to `room`."""
        from scipy.interpolate import CubicSpline, PchipInterpolator

        p, q, many = self.p, self.q + self.p * c, len(self.p) > 1
        rest = np.exp(points)
        shift = np.log(self.gamma[:, None] * rest + (1 - rest))
        start = np.clip(-_logit(betaincinv(q, p * k[0], 1 - 1e-10)), -_FARTHEST, _FARTHEST)
        end = np.clip(-_logit(betaincinv(q, p * k[-1], room)), start + 1, start + 3 * _FARTHEST)
        spread = np.sqrt(polygamma(1, p * np.clip(p, 1.0, k[-1])) + polygamma(1, q))
        step = np.minimum(spread / (_COARSE if many else _FINE), _WIDEST)
        size = np.minimum(np.ceil((end - start) / step), _FEW if many else _LONGEST)
        tables = (
            self._table(d, q[d], k, start[d], end[d], int(size[d]) + 2) for d in range(p.size)
        )
        if not many:
            y, above = next(tables)
            if y.size <= _LONGEST:
                return Curve(y, above[None], CubicSpline(y, above, axis=1)(y, 1)[None])
            above[above < _NOTHING] = 0.0
            return Curve(y, above[None], PchipInterpolator(y, above, axis=1).derivative()(y)[None])
        low, high = float((start[:, None] + shift).min()), float((end[:, None] + shift).max())
        y = np.linspace(low, high, int(min(np.ceil((high - low) / step.min()), _FEW)) + 2)
        mean = np.zeros((points.size, k.size, y.size))
        for (own, table), moves in zip(tables, shift, strict=True):
            height = CubicSpline(own, table, axis=1)
            for v, by in enumerate(moves):
                mean[v] += height(np.clip(y - by, own[0], own[-1]))
        mean /= p.size
        mean[mean < _NOTHING] = 0.0  # the slopes of what is smaller would overflow
        # steps that are too sharp for the grid: a monotone cubic does not ring
        return Curve(y, mean, PchipInterpolator(y, mean, axis=2).derivative()(y))

    def _table(
        self, d: int, q: float, k: Array, start: float, end: float, size: int
    ) -> tuple[Array, Array]:
        """A grid of log u, and P(U > u) there given k purchases, at one draw of the parameters."""
        y = np.linspace(start, end, size)
        return y, np.asarray(betainc(q, (self.p[d] * k)[:, None], expit(-y)))


class Curve(NamedTuple):
    """P(U > exp(y)) given k purchases, and its slope in y: (shares, numbers of k, points of y)."""

    y: Array
    above: Array
    slope: Array


def _logit(w: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(w) - np.log1p(-w))
