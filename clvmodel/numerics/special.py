"""Logarithms of Gamma and Beta expressions, without the cancellation of the textbook forms.

[Loader] C. Loader (2000), Fast and Accurate Computation of Binomial Probabilities: densities by
         their deviance from the mode, so that nothing large is subtracted from anything large.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, zeta

Array = NDArray[np.float64]

_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
# Coefficients B_2k / (2k (2k - 1)) of Stirling's series in 1/z, k = 1..8.
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)


_SERIES = tuple(1 / k for k in range(21, 1, -2))
_LARGE = 12.0  # from here on Stirling's series is right to the last digit


def log1p_gap(v: Array, one_plus_v: Array | None = None) -> Array:
    """v - log(1 + v) for v > -1, accurate to its last digits also near v = 0.

    Near v = -1 the sum 1 + v has lost its digits; pass it where it is known better.
    """
    v = np.asarray(v, float)
    small = np.abs(v) < 0.25
    known = 1 + v if one_plus_v is None else one_plus_v
    if not small.any():
        return np.asarray(v - np.log(known))
    near = np.where(small, v, 0.0)
    s = near / (2 + near)  # log1p(v) = 2 atanh(s)
    square = s * s
    tail = np.zeros(square.shape)
    for part in _SERIES:
        tail += part
        tail *= square
    series = s * near - 2 * s * tail
    if small.all():
        return np.asarray(series)
    return np.asarray(np.where(small, series, v - np.log(np.where(small, 1.0, known))))


def stirling_error(z: Array) -> Array:
    """log Gamma(z) minus Stirling's formula (z - 1/2) log z - z + log(2 pi) / 2, for z > 0."""
    z = np.asarray(z, float)
    little = z < _LARGE
    if not little.any():
        return _stirling_series(z)
    small = np.where(little, z, _LARGE)
    exact = gammaln(small) - (small - 0.5) * np.log(small) + small - _HALF_LOG_2PI
    if little.all():
        return np.asarray(exact)
    return np.asarray(np.where(little, exact, _stirling_series(np.where(little, _LARGE, z))))


def _stirling_series(z: Array) -> Array:
    """`stirling_error` for z >= 12."""
    inverse = 1 / z
    square = inverse * inverse
    series = np.full(square.shape, _STIRLING[-1])
    for coefficient in _STIRLING[-2::-1]:
        series *= square
        series += coefficient
    return np.asarray(series * inverse)


def log_rising(z: Array, n: Array) -> Array:
    """log of Gamma(z + n) / Gamma(z), for z > 0 and n >= 0, also where z is huge."""
    z, n = np.asarray(z, float), np.asarray(n, float)
    little = z < _LARGE
    if little.all():
        return np.asarray(gammaln(z + n) - gammaln(z))
    large = np.where(little, _LARGE, z)
    ratio = n / large
    # (z + n - 1/2) log(z + n) - (z - 1/2) log z - n, with the large parts taken out by hand
    stable = (
        n * np.log(large)
        + (n - 0.5) * np.log1p(ratio)
        - large * log1p_gap(ratio)
        + _stirling_series(large + n)
        - _stirling_series(large)
    )
    if not little.any():
        return np.asarray(stable)
    return np.asarray(np.where(little, gammaln(z + n) - gammaln(z), stable))


def digamma_gap(z: Array, n: Array) -> Array:
    """digamma(z + n) - digamma(z), for z > 0 and n >= 0, also where z is huge."""
    z, n = np.asarray(z, float), np.asarray(n, float)
    large = np.where(z < 12, 12.0, z)
    gap = np.log1p(n / large) + 0.5 * (n / large) / (large + n)
    for k, coefficient in enumerate(_STIRLING, start=1):
        power = 2 * k
        gap -= coefficient * (power - 1) * ((large + n) ** -power - large**-power)
    return np.asarray(np.where(z < 12, digamma(z + n) - digamma(z), gap))


def trigamma(z: Array) -> Array:
    """Second derivative of log Gamma(z), for z > 0."""
    return np.asarray(zeta(2.0, z))


def trigamma_gap(z: Array, n: Array) -> Array:
    """trigamma(z + n) - trigamma(z) <= 0, for z > 0 and n >= 0, also where z is huge."""
    z, n = np.asarray(z, float), np.asarray(n, float)
    large = np.where(z < 12, 12.0, z)
    more = large + n
    gap = -n / (large * more) - 0.5 * n * (large + more) / (large * more) ** 2
    for k, coefficient in enumerate(_STIRLING, start=1):
        power = 2 * k
        gap += coefficient * power * (power - 1) * (more ** -(power + 1) - large ** -(power + 1))
    return np.asarray(np.where(z < 12, trigamma(z + n) - trigamma(z), gap))


def tabulated(function: Callable[[Array], Array], n: Array, *parameters: Array) -> Array:
    """function(n) for whole numbers n >= 0, from a table where n repeats itself a lot.

    The function may return several rows; its last axis is that of n. `parameters` are arrays that
    it uses beside n: a table is possible if they do not vary along that axis.
    """
    if n.ndim != 1 or n.size < 2 or not all(p.ndim == 0 or p.shape[-1] == 1 for p in parameters):
        return function(n)
    low, top = float(np.min(n)), float(np.max(n))
    if not (low >= 0 and top - low < n.size) or not bool((n == np.floor(n)).all()):
        return function(n)
    return np.asarray(function(np.arange(low, top + 1))[..., (n - low).astype(np.intp)])


def log_beta_ratio(a: Array, b: Array, n: Array) -> Array:
    """log of B(a, b + n) / B(a, b): the chance that n coins with p ~ Beta(a, b) all fall tails."""
    return log_rising(b, n) - log_rising(np.asarray(a) + b, n)


def log_beta_prime_density(
    z: Array, c: Array, p: Array, q: Array, normaliser: Array | None = None
) -> Array:
    """Log density of log z where z / (z + c) ~ Beta(p, q): log of u^p (1-u)^q / B(p, q).

    Written as a deviance from the mode [Loader], so that p and q may be tiny or huge. The part
    that depends on p and q only, `beta_normaliser`, can be passed in.
    """
    z, c, p, q = (np.asarray(v, float) for v in (z, c, p, q))
    from_mode = (z * q - c * p) / (z + c)
    share = (p + q) / (z + c)
    constant = beta_normaliser(p, q) if normaliser is None else normaliser
    return np.asarray(
        constant
        - p * log1p_gap(from_mode / p, z * share / p)
        - q * log1p_gap(-from_mode / q, c * share / q)
    )


def beta_normaliser(p: Array, q: Array) -> Array:
    """Log density at its mode of logit(u), u ~ Beta(p, q)."""
    return np.asarray(
        0.5 * (np.log(p) - np.log1p(p / q))
        - _HALF_LOG_2PI
        - stirling_error(p)
        - stirling_error(q)
        + stirling_error(p + q)
    )
