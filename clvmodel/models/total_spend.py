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
depends on the share of c m in gamma + c m, smoothly: it is computed at a few shares, and a
customer's quantile is interpolated between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import betainc, betaincinv, expit, polygamma

Array = NDArray[np.float64]

_FINE = 8.0  # points of the grid per standard deviation of the narrowest part of the curve
_COARSE = 3.0  # the same for averages over draws, which are smoother
_WIDEST, _LONGEST = 0.1, 20_000  # largest step of the grid, and its largest number of points
_LOWEST = -40.0  # log u below which an amount is nothing
_SHARES = 0.5 - 0.5 * np.cos((np.arange(5) + 0.5) * np.pi / 5)  # Chebyshev points in (0, 1)


@dataclass(frozen=True)
class Spending:
    """Draws of the parameters of spend: p, q, and gamma relative to its estimate; (draws)."""

    p: Array
    q: Array
    gamma: Array

    @property
    def shares(self) -> Array:
        """Shares of known spend at which curves are needed."""
        return np.zeros(1) if len(self.p) == 1 else _SHARES

    def curve(self, c: float, k: Array, room: float) -> Curve:
        """Tabulate P(U > exp(y)) given k purchases, for chances down to `room`."""
        p, q, many = self.p, self.q + self.p * c, len(self.p) > 1
        shift = np.log(self.gamma[:, None] * (1 - self.shares) + self.shares)
        start = -_logit(betaincinv(q, p * k[0], 1 - 1e-10))
        end = -_logit(betaincinv(q, p * k[-1], room))
        low = max(float(np.min(start + shift.min(axis=1))), _LOWEST)
        high = max(float(np.max(end + shift.max(axis=1))), low + 1.0)
        narrow = np.clip(p, 1.0, k[-1])
        spread = np.sqrt(polygamma(1, p * narrow) + polygamma(1, q))
        step = min(float(spread.min()) / (_COARSE if many else _FINE), _WIDEST)
        y = np.linspace(low, high, int(min(np.ceil((high - low) / step), _LONGEST)) + 2)
        above = np.zeros((len(self.shares), k.size, y.size))
        for d in range(len(p)):
            table = betainc(q[d], (p[d] * k)[:, None], expit(-y))
            if not many:
                above[0] = table
                break
            moved = CubicSpline(y, table, axis=1)
            for v, by in enumerate(shift[d]):
                above[v] += moved(np.clip(y - by, low, high))
        above /= len(p)
        return Curve(y, above, CubicSpline(y, above, axis=2)(y, 1))


class Curve(NamedTuple):
    """P(U > exp(y)) given k purchases, and its slope in y: (shares, numbers of k, points of y)."""

    y: Array
    above: Array
    slope: Array


def _logit(w: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(w) - np.log1p(-w))
