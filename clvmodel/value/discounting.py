"""Present value of purchases that come over time: exact for any expectation, no monthly steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import IntegrationError
from clvmodel.units import DAYS_PER_YEAR

Array = NDArray[np.float64]

_SIZES = (4, 8, 16, 32, 64)
_AGREED = 1e-8  # the finer of two results that agree to this is mostly good to rounding
_SOONEST, _LATEST = -14.0, 3.75  # logs of rate x time: what lies beyond does not count
_BENDS = 3.0, 14.0  # nodes crowd towards the present, where expectations bend most; or far more


def daily_rate(annual: float) -> float:
    """Continuous rate per day of an effective annual rate: exp(-365.25 d) = 1 / (1 + annual)."""
    return float(np.log1p(annual)) / DAYS_PER_YEAR


def discounted(expected: Callable[[float], Array], t: float, rate: float) -> Array:
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
            integral = np.zeros_like(total)
            for u, m in zip(times, measure, strict=True):
                integral += m * np.exp(-rate * u) * expected(float(u))
            fine = np.exp(-rate * t) * total + rate * integral
            if np.all(np.abs(fine - coarse) <= _AGREED * np.abs(fine)):
                return np.asarray(fine)
            coarse = fine
    raise IntegrationError(f"Discounting over {t:g} units of time did not settle.")


def _for_ever(expected: Callable[[float], Array], rate: float) -> Array:
    """Integral over w > 0 of exp(-w) E(w / rate) dw.

    With w = exp(y) the integrand falls off exponentially at both ends and is analytic in between:
    the trapezoidal rule, its step halved until two results agree.
    """

    def term(y: float) -> Array:
        w = float(np.exp(y))
        return np.asarray(w * np.exp(-w) * expected(w / rate))

    step = 0.5
    coarse = step * sum((term(y) for y in np.arange(_SOONEST, _LATEST, step)), start=np.zeros(()))
    for _ in range(4):
        between = np.arange(_SOONEST + step / 2, _LATEST, step)
        step /= 2
        fine = coarse / 2 + step * sum((term(y) for y in between), start=np.zeros(()))
        if np.all(np.abs(fine - coarse) <= _AGREED * np.abs(fine)):
            return np.asarray(fine)
        coarse = fine
    raise IntegrationError("Discounting without end did not settle.")
