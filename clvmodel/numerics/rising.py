"""Ratios of rising factorials in logs, accurate relative to their own size, however small it is.

`special.log_rising` is accurate relative to log Gamma, which is enough for a likelihood of many
events. Chances that are near one, and differences of such chances, need more: a logarithm whose
last digits are right although it is 1e-12.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodel.numerics.special import _STIRLING, digamma_gap, log1p_gap

Array = NDArray[np.float64]

_LARGE = 12.0  # from here on Stirling's series, below it factor by factor


def log_rising_ratio(z: Array, e: Array, n: Array) -> Array:
    """log of (z+e)(z+e+1)...(z+e+n-1) / z(z+1)...(z+n-1): for z > 0, e >= 0, whole n >= 0.

    So exp(-log_rising_ratio(b, a, n)) = B(a, b + n) / B(a, b), the chance that n coins with
    p ~ Beta(a, b) all fall tails. A sum of n positive terms log(1 + e / (z + i)), at any n.
    """
    z, e, n = np.broadcast_arrays(*(np.asarray(v, float) for v in (z, e, n)))
    first = np.minimum(n, np.ceil(np.maximum(_LARGE - z, 0.0)))
    total = np.zeros(z.shape)
    for i in range(int(np.max(first, initial=0.0))):
        total = total + np.where(i < first, np.log1p(e / (z + i)), 0.0)
    return np.asarray(total + _far(np.maximum(z + first, _LARGE), e, n - first))


def expected_run(a: Array, b: Array, n: Array) -> Array:
    """Mean number of tails before the first head in n tosses of a coin with p ~ Beta(a, b).

    That is the sum over k = 1..n of B(a, b + k) / B(a, b) = b / (a - 1) (1 - R), R = (b + 1)(b + 2)
    ...(b + n) / (a + b)(a + b + 1)...(a + b + n - 1); 1 - R vanishes with a - 1, and is taken from
    the logarithm of R, which is as small and accurate relative to its size. At n = inf it is
    b / (a - 1), or infinite where a <= 1.
    """
    a, b, n = np.broadcast_arrays(*(np.asarray(v, float) for v in (a, b, n)))
    side, gap = np.where(a < 1, 1.0, -1.0), np.abs(a - 1)
    ends = np.isfinite(n)
    count = np.where(ends, n, 0.0)
    log_ratio = log_rising_ratio(np.where(a < 1, a + b, b + 1), gap, count)
    apart = side * np.expm1(side * log_ratio) / np.where(gap > 0, gap, 1.0)
    run = b * np.where(gap > 0, apart, digamma_gap(b + 1, count))
    return np.where(ends, run, np.where(a > 1, b / np.where(a > 1, a - 1, 1.0), np.inf))


def _far(z: Array, e: Array, n: Array) -> Array:
    """log_rising_ratio for large z, by the logarithm of Gamma at z, z + e, z + n and z + e + n.

    It is symmetric in e and n. Taken as a function of the smaller of them, each part is small
    where that is small, so that nothing of order one is subtracted from its like.
    """
    small, large = np.minimum(e, n), np.maximum(e, n)
    far = z + large
    near_share, far_share = small / z, small / far
    near_log, far_log = np.log1p(near_share), np.log1p(far_share)
    total = small * np.log1p(large / z) - 0.5 * (far_log - near_log)
    total += far * (far_share * far_log - log1p_gap(far_share))
    total -= z * (near_share * near_log - log1p_gap(near_share))
    for k, coefficient in enumerate(_STIRLING):
        power = -(2 * k + 1)
        total += coefficient * (
            far**power * np.expm1(power * far_log) - z**power * np.expm1(power * near_log)
        )
    return np.asarray(total)
