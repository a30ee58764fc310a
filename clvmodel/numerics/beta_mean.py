"""Means under a Beta law, by quadrature that bounds its own error and switches rule when it must.

Two rules. Gauss-Jacobi is exact for the algebraic ends of the Beta density and needs a dozen nodes
where the integrand varies slowly; each size is checked against the one before. What it does not
settle goes to the trapezoidal rule on the logit scale y = log(p / (1 - p)), where the integrand is
analytic in a strip and falls off exponentially at both ends, at any scale of the integrand.
Doubling the nodes of either rule about squares its error, so the finer of two results that agree
to 1e-10 is right to 1e-11 and mostly to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dstevd
from scipy.special import expit

from clvmodel.errors import IntegrationError
from clvmodel.numerics.special import beta_normaliser, log_beta_prime_density

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
# f(p, rows): the integrand with the parameters of those rows; p broadcasts against them.
Integrand = Callable[[Array, Rows], Array]

_SIZES = (8, 16, 32, 64, 128)
_BLOCK = 1 << 11  # rows at a time: nodes times rows stay in the processor's cache
_AGREED = 1e-10  # doubling either rule about squares its error: the finer result is far better
_SMALL = 0.25  # Beta parameters below this are raised by one, the end point taken out exactly
_CUT = 40.0  # tails are cut where the integrand has fallen by exp(-40)


def beta_mean(f: Integrand, a: Array, b: Array, slow: NDArray[np.bool_]) -> Array:
    """E[f(p)] for p ~ Beta(a, b), elementwise; f positive and falling in p, analytic near (0, 1].

    `slow` marks the rows on which f varies slowly enough for Gauss-Jacobi to be tried; the others
    go straight to the logit rule. Raises IntegrationError where neither rule agrees with itself.
    """
    result = np.empty(a.shape)
    open_rows = [np.flatnonzero(~slow)]
    easy = np.flatnonzero(slow)
    order = easy[np.lexsort((b[easy], a[easy]))]
    changes = (np.diff(a[order]) != 0) | (np.diff(b[order]) != 0)
    for group in np.split(order, np.flatnonzero(changes) + 1):
        for start in range(0, group.size, _BLOCK):
            rows = group[start : start + _BLOCK]
            open_rows.append(_gauss_jacobi(f, float(a[rows[0]]), float(b[rows[0]]), rows, result))
    left = np.concatenate(open_rows)
    for start in range(0, left.size, _BLOCK):
        rows = left[start : start + _BLOCK]
        result[rows] = _with_ends(f, a[rows], b[rows], rows)
    return result


def _gauss_jacobi(f: Integrand, a: float, b: float, rows: Rows, out: Array) -> Rows:
    """Fill `out` on the rows where two sizes agree; return the rows that are left."""
    coarse = np.full(rows.size, np.nan)
    for size in _SIZES:
        nodes, weights = beta_rule(a, b, size)
        fine = weights @ f(nodes[:, None], rows)
        agreed = np.abs(fine - coarse) <= _AGREED * fine
        out[rows[agreed]] = fine[agreed]
        rows, coarse = rows[~agreed], fine[~agreed]
        if not rows.size:
            break
    return rows


@lru_cache(maxsize=4096)
def beta_rule(a: float, b: float, n: int) -> tuple[Array, Array]:
    """Gauss rule for Beta(a, b): n nodes in (0, 1) and their weights, which sum to 1.

    Golub-Welsch on the Jacobi matrix: the weights are squared eigenvector entries, probabilities
    from the start, so no Beta function overflows.
    """
    s, k = a + b - 2, np.arange(1.0, n)
    diagonal = np.append(a / (a + b), 0.5 + 0.5 * (a - b) * s / ((2 * k + s) * (2 * k + s + 2)))
    j, u = k[1:], (2 * k[1:] + s) ** 2
    first = a * b / ((a + b) ** 2 * (a + b + 1))
    squares = np.append(first, j * (j + a - 1) * (j + b - 1) * (j + s) / (u * (u - 1)))
    nodes, vectors, failed = dstevd(diagonal, np.sqrt(squares))
    if failed:
        raise IntegrationError(f"No Gauss rule of {n} nodes was found for Beta({a:g}, {b:g}).")
    nodes, weights = np.clip(nodes, np.finfo(float).tiny, 1.0), vectors[0] ** 2
    for array in (nodes, weights):
        array.setflags(write=False)  # the cache hands out the same arrays again
    return nodes, weights


def _with_ends(f: Integrand, a: Array, b: Array, rows: Rows) -> Array:
    """E[f(p)] after raising small a or b by one, so that the logit rule's range stays short.

    E_{a,b}[f] = f(1) + b/(a+b) E_{a,b+1}[(f(p) - f(1)) / (1 - p)], and the like at p = 0. The
    differences lose digits only where their weight is as small as what is lost.
    """
    at_one = f(np.ones(rows.size), rows)
    at_zero = f(np.full(rows.size, 1e-200), rows)  # smaller still, and p u would be denormal
    low_a, low_b = a < _SMALL, b < _SMALL
    up_a, up_b = np.where(low_a, a + 1, a), np.where(low_b, b + 1, b)

    def inner(y: Array, index: Rows) -> Array:
        p, q = np.asarray(expit(y)), np.asarray(expit(-y))
        value = f(p, rows[index])
        both = low_a[index] & low_b[index]
        zero, one = at_zero[index], at_one[index]
        line = zero * q + one * p
        raised_b = (value - one) / q
        raised_a = (zero - value) / p
        raised_both = (line - value) / (p * q)
        return np.asarray(
            np.select([both, low_b[index], low_a[index]], [raised_both, raised_b, raised_a], value)
        )

    total = a + b
    ends = [low_a & low_b, low_b, low_a]
    offset = np.select(ends, [(at_zero * b + at_one * a) / total, at_one, at_zero], 0.0)
    weight = np.select(ends, [-a * b / (total * (total + 1)), b / total, -a / total], 1.0)
    return _logit_rule(inner, up_a, up_b, at_zero, offset, weight)


def _log_density(y: Array, a: Array, b: Array, normaliser: Array) -> Array:
    """Log density of y = logit(p), p ~ Beta(a, b), as a deviance from its mode log(a / b)."""
    return log_beta_prime_density(np.asarray(expit(y)), np.asarray(expit(-y)), a, b, normaliser)


def _logit_rule(
    g: Integrand, a: Array, b: Array, scale: Array, offset: Array, weight: Array
) -> Array:
    """offset + weight E[g(y)] for y = logit(p), p ~ Beta(a, b), with g at most `scale`."""
    rows = np.arange(a.size)
    mode = np.log(a / b)
    at_mode = np.maximum(np.abs(g(mode, rows)), np.finfo(float).tiny)
    drop = _CUT + np.log(np.clip(scale / at_mode, 1.0, 1e26))
    normaliser = beta_normaliser(a, b)
    low, high = (_fall(mode, side, a, b, normaliser, drop) for side in (-1.0, 1.0))
    step = np.minimum(0.6, 1.2 / np.sqrt(a * b / (a + b)))
    count = 2.0 ** np.ceil(np.log2((high - low) / step))
    result = np.empty(a.size)
    for n in np.unique(count):
        group = rows[count == n]

        def weighed(y: Array, group: Rows = group) -> Array:
            density = np.exp(_log_density(y, a[group], b[group], normaliser[group]))
            return np.asarray(density * g(y, group))

        result[group] = _trapezoid(
            weighed, low[group], high[group], int(n), offset[group], weight[group]
        )
    return result


def _trapezoid(
    h: Callable[[Array], Array], low: Array, high: Array, n: int, offset: Array, weight: Array
) -> Array:
    """offset + weight * integral of h over (low, high); its tails beyond are negligible.

    The step is halved until two results agree.
    """
    width = high - low
    together = max(1, _BLOCK // low.size)  # nodes at a time

    def summed(places: Array) -> Array:
        parts = [places[i : i + together, None] for i in range(0, places.size, together)]
        return np.asarray(sum(h(low + width * part).sum(axis=0) for part in parts))

    total = summed(np.arange(n + 1) / n)
    coarse = offset + weight * total * width / n
    for _ in range(4):
        total = total + summed((np.arange(n) + 0.5) / n)
        n *= 2
        fine = offset + weight * total * width / n
        gap = np.abs(fine - coarse) / np.abs(fine)
        if np.all(gap <= _AGREED):
            return np.asarray(fine)
        coarse = fine
    raise IntegrationError(
        f"A mean under a Beta law agreed only to {np.max(gap):.1e} instead of {_AGREED:g}, in "
        f"{int((gap > _AGREED).sum())} of {gap.size} elements: the parameters are too extreme."
    )


def _fall(mode: Array, side: float, a: Array, b: Array, normaliser: Array, drop: Array) -> Array:
    """Where the log density has fallen by `drop` on one side of the mode, by bisection."""
    top = _log_density(mode, a, b, normaliser)
    inner, outer = np.zeros(a.size), np.full(a.size, 1.0)
    for _ in range(60):
        short = _log_density(mode + side * outer, a, b, normaliser) > top - drop
        if not short.any():
            break
        outer = np.where(short, 2 * outer, outer)
    for _ in range(20):
        middle = 0.5 * (inner + outer)
        short = _log_density(mode + side * middle, a, b, normaliser) > top - drop
        inner, outer = np.where(short, middle, inner), np.where(short, outer, middle)
    return np.asarray(mode + side * outer)
