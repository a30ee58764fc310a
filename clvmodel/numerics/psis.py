"""Pareto-smoothed importance sampling: weights whose largest are tamed, and whether to trust them.

Draws from q stand for p when they are weighed with the ratios p / q. A few huge ratios would then
decide everything. Their tail is close to a generalised Pareto distribution: its quantiles replace
the largest ratios, and its shape k says how heavy that tail is. The ratios have 1 / k moments.

[VSGYG] Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto Smoothed Importance Sampling, Journal
        of Machine Learning Research 25(72):1-58.
[ZS09]  Zhang & Stephens (2009), A New and Efficient Estimation Method for the Generalized Pareto
        Distribution, Technometrics 51(3):316-325.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from clvmodel.errors import ParameterError

Array = NDArray[np.float64]

_FEWEST = 5  # ratios in the tail below which its shape cannot be told
_PRIOR_SIZE, _PRIOR_SHAPE = 10.0, 0.5  # the prior of k weighs as much as 10 ratios [VSGYG]


class Smoothed(NamedTuple):
    """Normalised log weights, in the order of the ratios, and the shape k-hat of their tail."""

    log_weights: Array
    khat: float


def psis(log_ratios: ArrayLike) -> Smoothed:
    """Smoothed log weights (n), which sum to one as weights, and k-hat [VSGYG algorithm 1].

    `log_ratios` (n) are log p - log q at draws from q, up to a constant; -inf where p is 0.

    k-hat is -inf where the largest ratios are all equal: there is nothing to smooth, as when q is
    p itself, or p within a box. It is inf where fewer than 5 ratios make up the tail (n < 21, or
    hardly any draw where p > 0), so that nothing can be said; the ratios are then left as they are.

    Raises ParameterError if a ratio is NaN or +inf, or if all of them are -inf.
    """
    ratios = np.array(log_ratios, float).ravel()
    top = float(np.max(ratios, initial=-np.inf))
    if not np.isfinite(top):
        bad = "empty" if not ratios.size else top
        raise ParameterError.out_of_range(
            "log_ratios", bad, "numbers or -inf, and finite somewhere"
        )
    ratios -= top
    khat = _smooth_tail(ratios)
    return Smoothed(ratios - logsumexp(ratios), khat)


def trusted_below(size: int) -> float:
    """k-hat above which weights of so many draws are not to be trusted [VSGYG sec. 3.2.4].

    0.7, and less for fewer than 2,154 draws: min(1 - 1 / log10(size), 0.7).
    """
    return min(1.0 - 1.0 / float(np.log10(max(size, 11))), 0.7)


def effective_size(log_weights: ArrayLike) -> float:
    """Size of an unweighted sample that is as precise: 1 / sum of squared normalised weights."""
    log_weights = np.asarray(log_weights, float)
    return float(np.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)))


def _smooth_tail(ratios: Array) -> float:
    """Replace the largest log ratios (largest: 0) by quantiles of their fit; return k-hat."""
    if np.all(ratios == 0):
        return -np.inf
    size = int(np.ceil(min(0.2 * ratios.size, 3 * np.sqrt(ratios.size))))
    order = np.argsort(ratios, kind="stable")
    cutoff = float(np.exp(ratios[order[-size - 1]])) if size < ratios.size else 0.0
    tail = order[-size:]
    tail = tail[np.exp(ratios[tail]) > 0]
    if tail.size < _FEWEST:
        return np.inf
    if ratios[tail[0]] == ratios[tail[-1]]:
        return -np.inf
    excess = np.exp(ratios[tail]) - cutoff
    excess = excess[excess > 0]
    if excess.size < _FEWEST:
        return np.inf
    tail = tail[-excess.size :]
    k, scale = fit_generalised_pareto(excess)
    middle = (np.arange(tail.size) + 0.5) / tail.size
    ratios[tail] = np.minimum(np.log(cutoff + scale * _pareto_quantile(middle, k)), 0.0)
    return k


def fit_generalised_pareto(excess: Array) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto distribution, from sorted positive numbers.

    The posterior mean of theta = -k / scale over a grid [ZS09 eq. 6-8], under their prior; k is
    then drawn towards 0.5 as by 10 further observations [VSGYG appendix C].
    """
    size, largest = excess.size, excess[-1]
    quartile = excess[int(size / 4 + 0.5) - 1]
    points = 30 + int(np.sqrt(size))
    steps = 1 - np.sqrt(points / (np.arange(points) + 0.5))
    theta = 1 / largest + steps / (3 * quartile)
    shape = np.mean(np.log1p(-theta[:, None] * excess), axis=1)
    log_likelihood = size * (np.log(-theta / shape) - shape - 1)
    weight = np.exp(log_likelihood - logsumexp(log_likelihood))
    best = float(weight @ theta)
    k = float(np.mean(np.log1p(-best * excess)))
    scale = -k / best
    return (size * k + _PRIOR_SIZE * _PRIOR_SHAPE) / (size + _PRIOR_SIZE), scale


def _pareto_quantile(chance: Array, k: float) -> Array:
    """Quantiles of the generalised Pareto distribution with scale 1: ((1 - chance)^-k - 1) / k."""
    rate = -np.log1p(-chance)
    return np.asarray(rate if abs(k) < 1e-12 else np.expm1(k * rate) / k)
