"""How good is a prediction per customer? Each metric is one function that states its estimand.

Arguments are arrays with one value per customer: `actual` (what happened in the holdout) and
`predicted`. All are averages over the customers known at the cutoff, each counting once. A metric
that does not exist (nothing happened, nothing varies) is None.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clvmodel.evaluate.ranks import auc, gini, spearman, top_decile

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float | None]
POWER = 1.5  # of the Tweedie deviance: a purchase count times gamma values lies between 1 and 2


def bias(actual: Array, predicted: Array) -> float | None:
    """Relative error of the total, (predicted - actual) / actual: 0 is best, -1 predicts nothing.

    What a budget depends on; errors of single customers may cancel. None if nothing happened.
    """
    total = float(actual.sum())
    return None if total == 0 else float(predicted.sum()) / total - 1


def absolute_errors(actual: Array, predicted: Array) -> Array:
    """|predicted - actual| of each customer."""
    return np.abs(predicted - actual)


def mae(actual: Array, predicted: Array) -> float:
    """Mean absolute error per customer. Lowest for each customer's median, which is often 0.

    So where most customers buy nothing, a candidate that predicts 0 for them does well here, and
    its total is far too low: read it beside `bias`.
    """
    return float(absolute_errors(actual, predicted).mean())


def squared_errors(actual: Array, predicted: Array) -> Array:
    """(predicted - actual)^2 of each customer."""
    return np.square(predicted - actual)


def rmse(actual: Array, predicted: Array) -> float:
    """Root mean squared error per customer: lowest for each one's mean; large errors dominate."""
    return float(np.sqrt(squared_errors(actual, predicted).mean()))


def poisson_losses(actual: Array, predicted: Array) -> Array:
    """2 (y log(y / m) - y + m) of each customer; infinite where m is 0 (or less) and y is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(actual > 0, actual * np.log(actual / np.maximum(predicted, 0.0)), 0.0)
    return np.where(predicted < 0, np.inf, 2 * (own - actual + predicted))


def poisson_deviance(actual: Array, predicted: Array) -> float:
    """Mean Poisson deviance: lowest for each customer's mean, errors weighed by their size.

    Unlike `rmse` it is not ruled by a few customers who buy much. Infinite for a candidate that
    rules out what then happened: a prediction of exactly 0 for a customer who bought.
    """
    return float(poisson_losses(actual, predicted).mean())


def tweedie_losses(actual: Array, predicted: Array) -> Array:
    """Tweedie deviance of power 1.5 of each customer; infinite where m is 0 and y is not."""
    some = np.maximum(predicted, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(actual > 0, actual * some ** (1 - POWER) / (1 - POWER), 0.0)
    own = np.maximum(actual, 0.0) ** (2 - POWER) / ((1 - POWER) * (2 - POWER))
    loss = 2 * (own - pull + some ** (2 - POWER) / (2 - POWER))
    return np.where(predicted < 0, np.inf, loss)


def tweedie_deviance(actual: Array, predicted: Array) -> float:
    """Mean Tweedie deviance of power 1.5, for money: lowest for each customer's mean.

    Made for amounts that are often 0 and else skewed, such as a purchase count times values.
    Infinite where exactly 0 was predicted for a customer who bought.
    """
    return float(tweedie_losses(actual, predicted).mean())


def brier_losses(happened: Array, chance: Array) -> Array:
    """(chance - happened)^2 of each customer."""
    return np.square(chance - happened)


def brier(happened: Array, chance: Array) -> float:
    """Mean squared error of a chance, `happened` being 0 or 1: lowest for the true chances.

    0 is perfect foresight; a rule that answers 0 or 1 gets the share of its wrong answers.
    """
    return float(brier_losses(happened, chance).mean())


def log_losses(happened: Array, chance: Array) -> Array:
    """-log of the chance given to what happened, of each customer; infinite if that was 0."""
    with np.errstate(divide="ignore"):
        return -np.log(np.where(happened > 0, chance, 1 - chance))


def log_loss(happened: Array, chance: Array) -> float:
    """Mean of -log(chance given to what happened), `happened` being 0 or 1; infinite if one was 0.

    Lowest for the true chances; false certainty costs most.
    """
    return float(log_losses(happened, chance).mean())


def log_score(chance_of_actual: Array) -> float:
    """Mean of -log of the chance that was given to the number of purchases that came: smaller wins.

    Judges the whole predicted distribution; lowest for the true one. In nats per customer.
    """
    return float(_surprise(chance_of_actual, chance_of_actual).mean())


def _surprise(_: Array, chance_of_actual: Array) -> Array:
    with np.errstate(divide="ignore"):
        return -np.log(chance_of_actual)


def coverage(actual: Array, low: Array, high: Array) -> float:
    """Share of customers whose value lies in [low, high], both ends included.

    To be held against the chance that the interval promises: more than its level where values
    are whole numbers, or 0 has a chance of its own.
    """
    return float(((low <= actual) & (actual <= high)).mean())


def width(low: Array, high: Array) -> float:
    """Mean length of the intervals: of two that cover alike, the narrower says more."""
    return float((high - low).mean())


METRICS: dict[str, Metric] = {
    "bias": bias,
    "mae": mae,
    "rmse": rmse,
    "spearman": spearman,
    "top_decile": top_decile,
    "gini": gini,
    "poisson_deviance": poisson_deviance,
    "tweedie_deviance": tweedie_deviance,
}
"""Metrics of predicted numbers: purchases, value."""
CHANCE_METRICS: dict[str, Metric] = {"brier": brier, "log_loss": log_loss, "auc": auc}
"""Metrics of predicted chances that a customer buys at all."""
LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "mae": absolute_errors,
    "rmse": squared_errors,
    "poisson_deviance": poisson_losses,
    "tweedie_deviance": tweedie_losses,
    "brier": brier_losses,
    "log_loss": log_losses,
    "log_score": _surprise,
}
"""Metrics that are means over customers (rmse: the root of one), by each customer's loss."""


def _minus(value: float) -> float:
    return -value


BEST: dict[str, Callable[[float], float]] = {
    "bias": abs,
    "mae": float,
    "rmse": float,
    "spearman": _minus,
    "top_decile": _minus,
    "gini": _minus,
    "poisson_deviance": float,
    "tweedie_deviance": float,
    "brier": float,
    "log_loss": float,
    "auc": _minus,
    "log_score": float,
}
"""Key that sorts the best value of each metric first."""


def mean_difference(
    actual: Array, predicted: Array, reference: Array
) -> tuple[float, float, float]:
    """MAE of `predicted` minus that of `reference`, with its 95% interval over customers.

    Paired: the errors of one customer are compared with each other, so what makes a customer hard
    for everybody drops out. Normal approximation, good from some hundred customers on; needs two.
    """
    gap = absolute_errors(actual, predicted) - absolute_errors(actual, reference)
    error = float(gap.std(ddof=1) / np.sqrt(gap.size))
    return float(gap.mean()), float(gap.mean()) - 1.96 * error, float(gap.mean()) + 1.96 * error
