"""Integrals of products of two or three power laws, such as (alpha + y)^-a (beta + y)^-b.

With two, the closed form is a 2F1 that overflows and cancels; here each is one integral of a
positive function, relative to its value at a point where it is large, by rules that settle it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expm1, log1p

from clvmodel.numerics.panels import Rows, gauss, settled

Array = NDArray[np.float64]

_CUT = 38.0  # an integrand's tail is left out where it has fallen by exp(-38)
_TINY = 1e-200  # stands for a width of 0, of which all else follows smoothly

# Rules for two power laws, with how far each reaches: the variation of the exponent, and that times
# the fourth power of the length, which says how near the integrand's singularities are. Found by a
# search over parameters of all sizes.
_REACH = np.array(
    [  # nodes, bend, variation, variation * length^4
        (5, 0.05, 1.2, 0.04),
        (6, 0.1, 3.0, 0.3),
        (7, 0.2, 5.0, 0.9),
        (8, 0.3, 10.0, 1.4),
        (9, 0.5, 15.0, 3.0),
        (10, 0.5, 20.0, 18.0),
        (12, 0.6, 50.0, 90.0),
        (14, 0.5, 50.0, 380.0),
        (16, 0.5, 50.0, 900.0),
        (20, 0.5, 50.0, 3e3),
        (24, 0.5, 50.0, 1e4),
    ]
)
_RULES = [gauss(int(size), bend) for size, bend, _, _ in _REACH]
_RULES += [gauss(16, 0.5, panels) for panels in (2, 4, 8, 16, 32, 64)]


class Moments(NamedTuple):
    """An integral (n), means (4, n) and second moments (4, 4, n) under its normalised integrand."""

    value: Array
    mean: Array
    second: Array


class _Falling(NamedTuple):
    """near * the integral over v in (0, length) of exp(-decay v) (1 + ratio (exp(v) - 1))^-power.

    That is the product of two power laws by the substitution exp(v) = 1 + y / near, where near is
    the smaller of alpha and beta: so ratio <= 1, and the integrand is analytic for |Im v| < pi.
    """

    near: Array
    decay: Array
    power: Array
    ratio: Array
    length: Array
    variation: Array

    @classmethod
    def of(cls, a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> _Falling:
        near, far = np.minimum(alpha, beta), np.maximum(alpha, beta)
        swapped = beta < alpha
        decay, power = np.where(swapped, b, a) - 1, np.where(swapped, a, b)
        length = log1p(np.maximum(width / near, _TINY))
        variation = np.abs(decay) * length + power * log1p(width / far)
        shape = cls(near, decay, power, near / far, length, variation)
        return shape._cut(np.flatnonzero(variation > _CUT))

    def _cut(self, rows: Rows) -> _Falling:
        """Leave out the tail where the exponent, convex in v, is beyond _CUT: Newton from above."""
        if not rows.size:
            return self
        decay, power, ratio = self.decay[rows], self.power[rows], self.ratio[rows]
        length = self.length[rows]
        slope = decay + power * ratio
        steep = slope * length > _CUT
        length[steep] = _CUT / slope[steep]
        for _ in range(60):
            grown = ratio * expm1(length)
            excess = decay * length + power * log1p(grown) - _CUT
            if not np.any(excess > 1):
                break
            slope = decay + power * (ratio + grown) / (1 + grown)
            length = np.where(excess > 1, length - excess / slope, length)
        self.length[rows] = length
        self.variation[rows] = np.abs(decay) * length + power * log1p(ratio * expm1(length))
        return self

    def first_rule(self) -> NDArray[np.intp]:
        reach = np.maximum(self.variation, 0.1) * np.square(np.square(self.length))
        return np.maximum(
            np.searchsorted(_REACH[:, 2], self.variation), np.searchsorted(_REACH[:, 3], reach)
        )

    def values(self, nodes: Array, rows: Rows) -> tuple[Array, Array]:
        """The integrand, relative to its value at 0."""
        v = nodes * self.length[rows]
        w = expm1(v)
        w *= self.ratio[rows]
        log1p(w, out=w)
        w *= self.power[rows]
        v *= -self.decay[rows]
        v -= w
        return np.exp(v, out=v), v[:0]

    def features(self, nodes: Array, rows: Rows) -> tuple[Array, Array]:
        """The integrand; and log(1 + y / near), y / (near + y) and the same with far."""
        v = nodes * self.length[rows]
        others = np.empty((4, *v.shape))
        near = expm1(v)
        far = near * self.ratio[rows]
        others[0] = v
        np.divide(near, 1 + near, out=others[1])
        w = log1p(far, out=others[2])
        np.divide(far, 1 + far, out=others[3])
        v *= -self.decay[rows]
        v -= w * self.power[rows]
        return np.exp(v, out=v), others


def power_integral(a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> Array:
    """Integral over y in (0, width) of (1 + y / alpha)^-a (1 + y / beta)^-b, for a, b, alpha, beta > 0.

    Right to about 1e-11 of itself. Raises IntegrationError.
    """
    shape = _Falling.of(*np.broadcast_arrays(a, alpha, b, beta, width))
    total = np.empty(shape.length.size)
    for rows, weights, values, _ in settled(shape.values, _RULES, shape.first_rule()):
        total[rows] = weights @ values
    return shape.near * shape.length * total


def power_moments(a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> Moments:
    """power_integral with the moments of its integrand, taken as a density of y.

    Moments of log(1 + y / alpha), y / (alpha + y), log(1 + y / beta), y / (beta + y), in this order.
    """
    shape = _Falling.of(*np.broadcast_arrays(a, alpha, b, beta, width))
    size = shape.length.size
    total, mean, second = np.empty(size), np.empty((4, size)), np.empty((4, 4, size))
    for rows, weights, values, others in settled(shape.features, _RULES, shape.first_rule()):
        values *= weights[:, None]
        sums = values.sum(axis=0)
        total[rows] = sums
        weighed = others * (values / sums)
        mean[:, rows] = weighed.sum(axis=1)
        second[:, :, rows] = np.einsum("inm,jnm->ijm", weighed, others)
    swap = np.flatnonzero(np.broadcast_to(beta < alpha, (size,)))
    if swap.size:
        other = np.array([2, 3, 0, 1])
        mean[:, swap] = mean[:, swap][other]
        second[:, :, swap] = second[:, :, swap][other][:, other]
    return Moments(shape.near * shape.length * total, mean, second)
