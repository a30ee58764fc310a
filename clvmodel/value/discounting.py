"""Present value of purchases that come over time: exact for any expectation, no monthly steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodel.errors import IntegrationError
from clvmodel.units import DAYS_PER_YEAR

Array = NDArray[np.float64]
Expected = Callable[[ArrayLike], Array]
"""Purchases expected by these times, which broadcast with the customers (the last axis)."""

_SIZES = (4, 8, 16, 32, 64)
_AGREED = 1e-8  # the finer of two results that agree to this is mostly good to rounding
_SOONEST, _LATEST = -14.0, 3.75  # logs of rate x time: what lies beyond does not count
_ENTRIES = 1 << 13  # expectations at a time: for few customers all times at once
_BENDS = 3.0, 14.0  # nodes crowd towards the present, where expectations bend most; or far more


def daily_rate(annual: float) -> float:
    """Continuous rate per day of an effective annual rate: exp(-365.25 d) = 1 / (1 + annual)."""
    return float(np.log1p(annual)) / DAYS_PER_YEAR


def discounted(expected: Expected, t: float, rate: float) -> Array:
    """Present value of one unit per purchase in (0, t], discounted continuously at `rate`.

    With E(u) purchases expected by u, it is exp(-rate t) E(t) + rate * integral of
    exp(-rate u) E(u) du, by parts; the integral by Gauss-Legendre of growing size, until two
    agree. `t` may be infinite. Raises IntegrationError if they never do.
    """
    if rate == 0:
        return expected(t)
    if t == np.inf:
        return _for_ever(expected, rate)
    total = expected(t)
    for bend in _BENDS:
        coarse = np.full_like(total, np.nan)
        for size in _SIZES:
            nodes, weights = np.polynomial.legendre.leggauss(size)
            s = 0.5 * (nodes + 1)
            times = t * np.expm1(bend * s) / np.expm1(bend)
            measure = 0.5 * weights * t * bend * np.exp(bend * s) / np.expm1(bend)
            integral = _weighed(expected, times, measure * np.exp(-rate * times), total)
            fine = np.exp(-rate * t) * total + rate * integral
            if np.all(np.abs(fine - coarse) <= _AGREED * np.abs(fine)):
                return np.asarray(fine)
            coarse = fine
    raise IntegrationError(f"Discounting over {t:g} units of time did not settle.")


def _for_ever(expected: Expected, rate: float) -> Array:
    """Integral over w > 0 of exp(-w) E(w / rate) dw.

    With w = exp(y) the integrand falls off exponentially at both ends and is analytic in between:
    the trapezoidal rule, its step halved until two results agree.
    """
    like = expected(1 / rate)

    def summed(y: Array) -> Array:
        w = np.exp(y)
        return _weighed(expected, w / rate, w * np.exp(-w), like)

    step = 0.5
    coarse = step * summed(np.arange(_SOONEST, _LATEST, step))
    for _ in range(4):
        between = np.arange(_SOONEST + step / 2, _LATEST, step)
        step /= 2
        fine = coarse / 2 + step * summed(between)
        if np.all(np.abs(fine - coarse) <= _AGREED * np.abs(fine)):
            return np.asarray(fine)
        coarse = fine
    raise IntegrationError("Discounting without end did not settle.")


def _weighed(expected: Expected, times: Array, weight: Array, like: Array) -> Array:
    """Sum over times of weight times expectation, of the shape of `like`; some times at once."""
    total = np.zeros_like(like)
    together = max(1, _ENTRIES // max(total.size, 1))
    for start in range(0, times.size, together):
        some = times[start : start + together]
        each = expected(some.reshape(-1, *[1] * total.ndim))
        for w, values in zip(weight[start : start + together], each, strict=True):
            total += w * values
    return total
