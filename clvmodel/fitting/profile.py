"""Intervals by the likelihood ratio: how far can a parameter go before the data object?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.fitting.engine import climb
from clvmodel.fitting.estimate import likelihood_of, natural_position
from clvmodel.fitting.likelihood import WALL, Likelihood

Array = NDArray[np.float64]

_ENDED = 1e-7  # of a standard normal deviation
_TURNS = 60


def profile_intervals(fit: Any, level: float) -> dict[str, tuple[float, float]]:
    """Return {parameter: (low, high)} where twice the loss of log-likelihood reaches chi-square."""
    likelihood = replace(likelihood_of(fit), centred=False)  # one coordinate per parameter
    top = likelihood.position(natural_position(fit))
    wall = max(WALL, 2 * float(np.abs(top).max()))  # covariates far from 0 move the parameters far
    top, best = climb(likelihood, top, wall=wall)
    errors = np.sqrt(np.diag(fit.covariance)) / np.diag(likelihood.map[0])
    limit = float(ndtri(0.5 + level / 2))
    names = fit.model.names()
    intervals = {}
    for i, name in enumerate(names):
        ends = [
            _end(likelihood, top, best.value, i, side, min(float(errors[i]), 1.0), limit, wall)
            for side in (-1.0, 1.0)
        ]
        natural = [
            np.nan if end is None else float(likelihood.natural(_moved(top, i, end)[None])[0, i])
            for end in ends
        ]
        coefficient = ":" in name
        open_ends = (-np.inf, np.inf) if coefficient else (0.0, np.inf)
        low, high = (
            o if end is None else (value if coefficient else float(np.exp(value)))
            for o, end, value in zip(open_ends, ends, natural, strict=True)
        )
        intervals[name] = (low, high)
    return intervals


def _moved(position: Array, i: int, value: float) -> Array:
    moved = position.copy()
    moved[i] = value
    return moved


def _end(
    likelihood: Likelihood,
    top: Array,
    best: float,
    i: int,
    side: float,
    step: float,
    limit: float,
    wall: float,
) -> float | None:
    """Where the signed root of the likelihood ratio reaches `limit`; None if it never does.

    The root is nearly linear in the coordinate, so that regula falsi (Illinois) needs few turns.
    """
    others = top

    def excess(value: float) -> float:
        nonlocal others
        others, local = climb(likelihood, _moved(others, i, value), held=[i], wall=wall)
        loss = 2 * likelihood.total * max(best - local.value, 0.0)
        return float(np.sqrt(loss)) - limit

    inner, low = float(top[i]), -limit
    outer = inner + side * step * limit
    while True:
        outer = float(np.clip(outer, -wall, wall))
        high = excess(outer)
        if high >= 0:
            break
        if abs(outer) >= wall:
            return None
        inner, low, outer = outer, high, outer + 2 * (outer - inner)
    for _ in range(_TURNS):
        value = outer - high * (outer - inner) / (high - low)
        now = excess(value)
        if abs(now) < _ENDED or abs(outer - inner) < 1e-12:
            return value
        if now * high < 0:
            inner, low = outer, high
        else:
            low *= 0.5
        outer, high = value, now
    return value
