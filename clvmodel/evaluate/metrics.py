"""How good is a prediction per customer? Each metric is one function that states its estimand.

Arguments are arrays with one value per customer: `actual` (what happened in the holdout) and
`predicted`. All are averages over the customers known at the cutoff, each counting once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def bias(actual: Array, predicted: Array) -> float | None:
    """Relative error of the total, (predicted - actual) / actual: 0 is best, -1 predicts nothing.

    What a budget depends on; errors of single customers may cancel. None if nothing happened.
    """
    total = float(actual.sum())
    return None if total == 0 else float(predicted.sum()) / total - 1


def mae(actual: Array, predicted: Array) -> float:
    """Mean absolute error per customer. Lowest for each customer's median, which is often 0.

    So where most customers buy nothing, a candidate that predicts 0 for them does well here, and
    its total is far too low: read it beside `bias`.
    """
    return float(np.abs(predicted - actual).mean())


def rmse(actual: Array, predicted: Array) -> float:
    """Root mean squared error per customer: lowest for each one's mean; large errors dominate."""
    return float(np.sqrt(np.square(predicted - actual).mean()))


def spearman(actual: Array, predicted: Array) -> float | None:
    """Rank correlation in [-1, 1], ties sharing their mean rank; None if a side never varies."""
    if np.ptp(actual) == 0 or np.ptp(predicted) == 0:
        return None
    return float(np.corrcoef(rankdata(actual), rankdata(predicted))[0, 1])


def top_decile(actual: Array, predicted: Array) -> float | None:
    """Share of the actual total that falls to the tenth of customers predicted highest.

    0.1 is what chance gives. Customers tied at the edge of the tenth count in proportion, so the
    order of rows does not matter. None if nothing happened, or if all predictions are equal.
    """
    total = float(actual.sum())
    if total == 0 or np.ptp(predicted) == 0:
        return None
    wanted = 0.1 * predicted.size
    edge = np.sort(predicted)[-int(np.ceil(wanted))]
    above, tied = predicted > edge, predicted == edge
    share = (wanted - above.sum()) / tied.sum()
    return float(actual[above].sum() + share * actual[tied].sum()) / total


METRICS: dict[str, Callable[[Array, Array], float | None]] = {
    "bias": bias,
    "mae": mae,
    "rmse": rmse,
    "spearman": spearman,
    "top_decile": top_decile,
}
BEST: dict[str, Callable[[float], float]] = {
    "bias": abs,
    "mae": float,
    "rmse": float,
    "spearman": lambda value: -value,
    "top_decile": lambda value: -value,
}
"""Key that sorts the best value of each metric first."""


def mean_difference(
    actual: Array, predicted: Array, reference: Array
) -> tuple[float, float, float]:
    """MAE of `predicted` minus that of `reference`, with its 95% interval over customers.

    Paired: the errors of one customer are compared with each other, so what makes a customer hard
    for everybody drops out. Normal approximation, good from some hundred customers on; needs two.
    """
    gap = np.abs(predicted - actual) - np.abs(reference - actual)
    error = float(gap.std(ddof=1) / np.sqrt(gap.size))
    return float(gap.mean()), float(gap.mean()) - 1.96 * error, float(gap.mean()) + 1.96 * error
