"""The sums of BG/BB: over the opportunities at which a customer may have left, all at once.

A history says when the last purchase was; after it the customer was there and did not buy for some
opportunities, and then left, or is silent still. Each such way has a chance; a likelihood is their
sum, and everything here is a sum over them. Nothing is subtracted, and chances are formed in logs.

The functions work on blocks: customers along the first axis, and along the second k = 0, 1, ...,
the opportunities after `start`, up to the `length` of each customer. `point` is alpha, beta, gamma,
delta; see `bg_bb`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clvmodel.errors import ParameterError
from clvmodel.models.point import Array, as_arrays
from clvmodel.numerics.ragged import over_terms
from clvmodel.numerics.rising import log_rising_ratio

LONGEST = 1_000_000  # opportunities that are added up one by one; more is a mistake in counting


def summed(function: Callable[..., Array], length: Array, *columns: Array) -> Array:
    """Rows of sums of one of the functions below, of the shape that length and columns share.

    Raises ParameterError where there are too many terms to add them up one by one.
    """
    longest = float(np.max(length, initial=0.0))
    if longest > LONGEST:
        raise ParameterError(
            f"{longest:,.0f} opportunities cannot be added up one by one, {LONGEST:,} can: count "
            "in longer periods."
        )
    arrays = as_arrays(length, *columns)
    sums = over_terms(function, *(array.ravel() for array in arrays))
    return sums.reshape(*sums.shape[:-1], *arrays[0].shape)


def _steps(k: Array, start: Array, x: Array, *point: Array) -> Array:
    """Log chance to stay and not to buy at one opportunity, k + 1 after start."""
    alpha, beta, gamma, delta = point
    at = start + k
    return -np.log1p((alpha + x) / (beta + (at - x))) - np.log1p(gamma / (delta + at))


def _before(steps: Array) -> Array:
    """Sums of the k first steps, for k = 0, 1, ...: over all but the last."""
    sums = np.zeros_like(steps)
    np.cumsum(steps[:, :-1], axis=1, out=sums[:, 1:])
    return sums


def _ways(k: Array, length: Array, x: Array, t_x: Array, *point: Array) -> tuple[Array, Array]:
    """Chances, given t_x, to be silent and there until k after it, and then to leave; to buy.

    At k = length observation ends: the first is then the chance to be silent and alive.
    """
    alpha, beta, gamma, delta = point
    at, ends = t_x + k, k >= length
    silent = np.where(k <= length, np.exp(_before(_steps(k, t_x, x, *point))), 0.0)
    leaves, stays = gamma / (gamma + delta + at), (delta + at) / (gamma + delta + at)
    buys = stays * (alpha + x) / (alpha + beta + at)
    return silent * np.where(ends, 1.0, leaves), silent * np.where(ends, 0.0, buys)


def silence(k: Array, length: Array, x: Array, t_x: Array, *point: Array) -> Array:
    """Chances, given t_x, to be silent until the end; to buy before it; to be silent and alive."""
    ways, bought = _ways(k, length, x, t_x, *point)
    alive = np.take_along_axis(ways, length.astype(np.intp), axis=1)[:, 0]
    return np.stack([ways.sum(axis=1), bought.sum(axis=1), alive])


def log_of(total: Array, rest: Array) -> Array:
    """log(total), where total + rest = 1: from the one that has the digits."""
    return np.where(rest < 0.5, np.log1p(-np.minimum(rest, 0.5)), np.log(total))


def silence_derivatives(k: Array, length: Array, x: Array, t_x: Array, *point: Array) -> Array:
    """`silence`'s first two; gradient and Hessian of the log of the first, in the parameters."""
    alpha, beta, gamma, delta = point
    weight, bought = _ways(k, length, x, t_x, *point)
    total = weight.sum(axis=1)
    weight = weight / total[:, None]
    at = t_x + k
    left = (k < length).astype(float)

    def slopes(z: Array, more: Array | float = 0.0) -> tuple[Array, Array]:
        """Sums of 1 / z and 1 / z^2 over the opportunities before k, and that at k if `more`."""
        return _before(1 / z) + more / z, _before(1 / z**2) + more / z**2

    tossed, passed = slopes(alpha + beta + at), slopes(beta + (at - x))
    moved, stayed = slopes(gamma + delta + at, left), slopes(delta + at)
    slope = np.stack(
        [-tossed[0], passed[0] - tossed[0], left / gamma - moved[0], stayed[0] - moved[0]]
    )
    gradient = np.einsum("rk,irk->ir", weight, slope)
    spread = np.sqrt(weight) * (slope - gradient[:, :, None])
    hessian = np.einsum("irk,jrk->ijr", spread, spread)
    hessian[:2, :2] += (weight * tossed[1]).sum(axis=1)
    hessian[2:, 2:] += (weight * moved[1]).sum(axis=1)
    for i, own in ((1, passed[1]), (2, left / gamma**2), (3, stayed[1])):
        hessian[i, i] -= (weight * own).sum(axis=1)
    return np.concatenate([[total, bought.sum(axis=1)], gradient, hessian.reshape(16, -1)])


def counts(k: Array, length: Array, x: Array, *point: Array) -> Array:
    """P(exactly x purchases) and P(at least x, if x >= 1) at a new customer's x + length first."""
    alpha, beta, gamma, delta = point
    seen = -log_rising_ratio(alpha, beta, x) - log_rising_ratio(delta, gamma, x)
    steps = _steps(k, x, x, *point) + np.log1p(x / (k + 1))  # orders of x purchases among x + k
    chance = np.where(k <= length, np.exp(seen + _before(steps)), 0.0)
    leaves = np.where(k < length, gamma / (gamma + delta + (x + k)), 1.0)
    last = x / np.maximum(x + k, 1.0)  # of these orders, those with a purchase at the last one
    return np.stack([(chance * leaves).sum(axis=1), (chance * last).sum(axis=1)])
