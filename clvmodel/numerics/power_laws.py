"""Integrals of products of two or three power laws, such as (1 + y / alpha)^-a (1 + y / beta)^-b.

Their closed forms are hypergeometric functions that overflow and cancel. Here each is one integral
of a positive function, relative to its value at a point where it is large, in a variable in which
it is analytic and falls off exponentially, by rules that settle it to about 1e-11 of itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expm1, log1p

from clvmodel.numerics.panels import Rows, gauss, settled

Array = NDArray[np.float64]

_CUT = 32.0  # tails are left out where an integrand has fallen by exp(-32)
_STEPS = 60  # Newton steps to the cut, which stop when they are near

# Rules for two power laws, with how far each reaches: the variation of the exponent, and that times
# the fourth power of the length, which says how near the integrand's singularities are. Found by a
# search over shapes of all kinds, which a test repeats: within reach, rules are right to 2e-11.
_REACH = (  # nodes, bend, variation, variation * length^4
    (5, 0.05, 1.2, 0.04),
    (6, 0.1, 3.0, 0.3),
    (7, 0.2, 5.0, 0.9),
    (8, 0.3, 10.0, 1.4),
    (10, 0.5, 20.0, 18.0),
    (12, 0.6, 50.0, 90.0),
    (16, 0.5, 50.0, 900.0),
    (24, 0.5, 50.0, 1e4),
)
_KNOWN = [gauss(size, bend) for size, bend, _, _ in _REACH]
_LADDER = [gauss(32, 1.0), gauss(48, 1.0), *(gauss(16, 0.5, panels) for panels in (8, 16, 32, 64))]


class Moments(NamedTuple):
    """An integral, and means and second moments under its integrand taken as a density.

    The moment of the product of i and j, with i <= j, is `second[i, j]`.
    """

    value: Array
    mean: list[Array]
    second: dict[tuple[int, int], Array]


def power_integral(a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> Array:
    """Integral over y in (0, width) of (1 + y / alpha)^-a (1 + y / beta)^-b, elementwise.

    For a, b, alpha, beta > 0 <= width. Raises IntegrationError.
    """
    columns, shape = _flat(a, alpha, b, beta, width)
    falling = _Falling.of(*columns)
    total = np.empty(falling.length.size)
    for rows, weights, values, _ in settled(falling.values, _KNOWN, falling.reach(), _LADDER):
        total[rows] = weights @ values
    return (falling.near * falling.length * total).reshape(shape)


def power_moments(a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> Moments:
    """Return `power_integral` with moments of four functions of y under its integrand.

    They are log(1 + y / alpha), y / (alpha + y), log(1 + y / beta) and y / (beta + y).
    """
    columns, shape = _flat(a, alpha, b, beta, width)
    falling = _Falling.of(*columns)
    size = falling.length.size
    total, mean = np.empty(size), [np.empty(size) for _ in range(4)]
    second = {(i, j): np.empty(size) for i in range(4) for j in range(i, 4)}
    for rows, weights, values, others in settled(
        falling.features, _KNOWN, falling.reach(), _LADDER
    ):
        total[rows] = sums = weights @ values
        values *= weights[:, None]
        values /= sums
        for i in range(4):
            weighed = values * others[i]
            mean[i][rows] = weighed.sum(axis=0)
            products = np.einsum("nm,jnm->jm", weighed, others[i:])
            for j in range(i, 4):
                second[i, j][rows] = products[j - i]
    return Moments(
        (falling.near * falling.length * total).reshape(shape),
        [m.reshape(shape) for m in mean],
        {pair: m.reshape(shape) for pair, m in second.items()},
    )


def _flat(*arrays: Array) -> tuple[list[Array], tuple[int, ...]]:
    """Arrays of one common shape, flattened; and that shape."""
    arrays = np.broadcast_arrays(*arrays)
    return [array.ravel() for array in arrays], arrays[0].shape


class _Falling(NamedTuple):
    """near * the integral over v in (0, length) of exp(-decay v) (1 + ratio (exp(v) - 1))^-power.

    That is a product of two power laws under the substitution exp(v) = 1 + y / near, where near is
    the smaller of alpha and beta: so ratio <= 1, and the integrand is analytic for |Im v| < pi.
    """

    near: Array
    decay: Array
    power: Array
    ratio: Array
    length: Array
    variation: Array
    swapped: NDArray[np.bool_]

    @classmethod
    def of(cls, a: Array, alpha: Array, b: Array, beta: Array, width: Array) -> _Falling:
        near, far, swapped = np.minimum(alpha, beta), np.maximum(alpha, beta), beta < alpha
        decay, power = np.where(swapped, b, a) - 1, np.where(swapped, a, b)
        length = log1p(width / near)
        variation = np.abs(decay) * length + power * log1p(width / far)
        falling = cls(near, decay, power, near / far, length, variation, swapped)
        falling.cut(np.flatnonzero(variation > _CUT))
        return falling

    def cut(self, rows: Rows) -> None:
        """Shorten these rows to where the exponent, convex in v, reaches _CUT: Newton's method."""
        decay, power, ratio = self.decay[rows], self.power[rows], self.ratio[rows]
        slope = decay + power * ratio
        length = self.length[rows]
        length = np.where(slope * length > _CUT, _CUT / np.where(slope > 0, slope, 1.0), length)
        for _ in range(_STEPS):
            grown = ratio * expm1(length)
            excess = decay * length + power * log1p(grown) - _CUT
            beyond = excess > 1
            if not beyond.any():
                break
            slope = decay + power * (ratio + grown) / (1 + grown)
            length = np.where(beyond, length - excess / np.where(beyond, slope, 1.0), length)
        self.length[rows] = length
        self.variation[rows] = np.abs(decay) * length + power * log1p(ratio * expm1(length))

    def reach(self) -> NDArray[np.int8]:
        """Place of the first known rule that reaches a row; their number if none does."""
        nearness = np.maximum(self.variation, 0.1) * np.square(np.square(self.length))
        place = np.zeros(nearness.size, dtype=np.int8)
        for _, _, most_varied, nearest in _REACH:
            place += (self.variation > most_varied) | (nearness > nearest)
        return place

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
        """The integrand, and what `power_moments` wants the moments of."""
        v = nodes * self.length[rows]
        others = np.empty((4, *v.shape))
        near = expm1(v)
        far = near * self.ratio[rows]
        swapped = self.swapped[rows]
        order = (2, 3, 0, 1) if swapped.all() else (0, 1, 2, 3)
        log_near, share_near, log_far, share_far = (others[k] for k in order)
        log_near[:] = v
        log1p(far, out=log_far)
        np.divide(near, 1 + near, out=share_near)
        np.divide(far, 1 + far, out=share_far)
        v *= -self.decay[rows]
        v -= log_far * self.power[rows]
        if order[0] == 0 and swapped.any():
            others[..., swapped] = others[[2, 3, 0, 1]][..., swapped]
        return np.exp(v, out=v), others


def peaked_integral(
    rise: Array, excess: Array, alpha: Array, b: Array, beta: Array, width: Array
) -> tuple[Array, Array]:
    """A point top in (0, width], and the integral over y in (0, width) of h(y) / h(top) dy / y.

    Here h(y) = (y / (alpha + y))^rise (alpha + y)^-excess (beta + y)^-b, largest at top, with
    rise > 0 and excess + b > 0; elementwise, for alpha, b, beta, width > 0. Raises
    IntegrationError.
    """
    (rise, excess, alpha, b, beta, width), shape = _flat(rise, excess, alpha, b, beta, width)
    top = np.minimum(_mode(rise, excess, alpha, b, beta), width)
    sides = _Sides.of(rise, excess, alpha, b, beta, top, width)
    parts = np.empty(sides.length.size)
    none = np.zeros(parts.size, dtype=np.int8)
    for rows, weights, values, _ in settled(sides.values, (), none, _LADDER):
        parts[rows] = weights @ values
    total = np.bincount(sides.row, parts * np.abs(sides.length), minlength=width.size)
    return top.reshape(shape), np.asarray(total, float).reshape(shape)


def _mode(rise: Array, excess: Array, alpha: Array, b: Array, beta: Array) -> Array:
    """Where the integrand of `peaked_integral` is largest: a root of a quadratic equation."""
    fall = excess + b
    linear = (rise - b) * alpha - excess * beta
    root = np.abs(linear) + np.sqrt(linear**2 + 4 * fall * rise * alpha * beta)
    return np.asarray(np.where(linear > 0, root / (2 * fall), 2 * rise * alpha * beta / root))


class _Sides(NamedTuple):
    """The two sides of a peak, each an integral over w from 0 to a signed length.

    With w = log(y / top), or its negative, the exponent -log(h(y) / h(top)) is convex,

        slope w + a log(1 + share (exp(w) - 1)) + b log(1 + other (exp(w) - 1)),

    share being that of top in alpha + top, or of alpha: the smaller one, so that nothing cancels
    however large a is. `row` says whose side it is.
    """

    row: Rows
    slope: Array
    a: Array
    share: Array
    b: Array
    other: Array
    one_less_other: Array
    length: Array

    @classmethod
    def of(
        cls,
        rise: Array,
        excess: Array,
        alpha: Array,
        b: Array,
        beta: Array,
        top: Array,
        width: Array,
    ) -> _Sides:
        a, fall = rise + excess, excess + b
        turned = top > alpha
        share = np.minimum(top, alpha) / (alpha + top)
        others = top / (beta + top), beta / (beta + top)
        other, one_less = np.where(turned, others[::-1], others)
        slope = np.where(turned, -fall, -rise)
        # log h falls at least as these lines, of slopes rise and -fall in log(y / top)
        low, high = a * log1p(top / alpha), a * log1p(alpha / top)
        below = (_CUT + low + b * log1p(top / beta)) / rise
        above = (_CUT + high + b * log1p(beta / top)) / fall
        above = np.minimum(above, np.log(width / top))
        right = np.flatnonzero(above > 0)
        row = np.concatenate([np.arange(top.size), right])
        length = np.concatenate([-below, above[right]]) * np.where(turned, -1.0, 1.0)[row]
        slope, a, share, b, other, one_less = (
            column[row] for column in (slope, a, share, b, other, one_less)
        )
        sides = cls(row, slope, a, share, b, other, one_less, length)
        return sides._replace(length=sides.cut())

    def cut(self) -> Array:
        """Lengths after which the integrand has fallen far enough: Newton from beyond."""
        length = self.length
        for _ in range(_STEPS):
            grown = expm1(length)
            near, far = 1 + self.share * grown, self.one_less_other + self.other * (1 + grown)
            excess = self.slope * length + self.a * np.log(near) + self.b * np.log(far) - _CUT
            beyond = excess > 1
            if not beyond.any():
                break
            slope = self.slope + (1 + grown) * (
                self.a * self.share / near + self.b * self.other / far
            )
            length = np.where(beyond, length - excess / np.where(beyond, slope, 1.0), length)
        return length

    def values(self, nodes: Array, rows: Rows) -> tuple[Array, Array]:
        """The integrand, relative to its value at the top."""
        w = nodes * self.length[rows]
        grown = expm1(w)
        w *= -self.slope[rows]
        part = log1p(self.share[rows] * grown)
        part *= self.a[rows]
        w -= part
        grown += 1
        grown *= self.other[rows]
        grown += self.one_less_other[rows]
        np.log(grown, out=grown)
        grown *= self.b[rows]
        w -= grown
        return np.exp(w, out=w), w[:0]
