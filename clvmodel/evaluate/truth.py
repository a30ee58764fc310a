"""The bound nobody can beat: how well the true model itself would forecast, where it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.metrics import METRICS
from clvmodel.fitting.fit import Fit
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.purchase_model import PurchaseModel
from clvmodel.tables.summary import Summary
from clvmodel.value.fitted import FittedValueModel
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import horizon_of, spend_history

Array = NDArray[np.float64]


class TrueModel:
    """Known parameters as a candidate: what simulated orders were drawn from.

    `purchases` and `spend` are models at their true parameters, in the unit of time `unit`. Fitting
    learns nothing. Not for real orders, whose truth nobody knows.
    """

    kind = "truth"
    name = "True model"

    def __init__(self, purchases: PurchaseModel, spend: GammaGamma | None, unit: str = "D") -> None:
        """Take the models."""
        self.purchases, self.spend, self.unit = purchases, spend, unit

    def fit(self, summary: Summary) -> FittedValueModel:
        """Return the truth as if it had been fitted."""

        def known(model: Any) -> Fit[Any]:
            tiny = tuple(tuple(row) for row in (1e-12 * np.eye(len(model.names()))).tolist())
            n = float(len(summary))
            said = "Known, not fitted."
            return Fit(model, float("nan"), tiny, n, 0.0, self.unit, True, 0.0, said, "truth")

        spend = None if self.spend is None or summary.monetary_value is None else known(self.spend)
        return FittedValueModel(known(self.purchases), spend)


def expected_errors(
    truth: FittedValueModel, summary: Summary, horizon: Any, *, draws: int = 200, seed: int = 0
) -> list[dict[str, Any]]:
    """What each metric is expected to be for the best forecast, if `truth` is how customers behave.

    From each customer's past, `draws` futures are simulated under the known parameters. Against
    them the best forecast is scored: the conditional mean, which no forecast from the same past can
    beat in expected squared error (nor in expected deviance); for "mae" the conditional median. The
    rows have target, metric, `expected`, and `low` and `high`, between which the best forecast's
    score in one future lies in 95%: in a single holdout somebody may be below the expectation by
    luck, in the long run nobody. Metrics of order ("spearman", "gini", "top_decile") are those of
    the conditional mean: near their best, not a bound. Needs parameters that are not covariates.
    """
    if not isinstance(draws, int) or draws < 2:
        raise ParameterError.out_of_range("draws", draws, "a whole number >= 2")
    rng = np.random.default_rng(seed)
    table = truth.predict(summary, horizon)
    mean = {"purchases": np.asarray(table["expected_purchases"], float)}
    if truth.spend is not None:
        mean["value"] = np.asarray(table["expected_value"], float)
    rows = []
    for target, drawn in futures(truth, summary, horizon, draws, rng).items():
        middle = np.median(drawn, axis=0)
        for name, metric in METRICS.items():
            best = middle if name == "mae" else mean[target]
            each = np.array([v for v in (metric(a, best) for a in drawn) if v is not None])
            if each.size < 2:
                raise DataError(f"{name} of {target} does not exist in simulated futures.")
            low, high = np.quantile(each, [0.025, 0.975])
            rows.append(
                {
                    "target": target,
                    "metric": name,
                    "expected": float(each.mean()),
                    "low": float(low),
                    "high": float(high),
                }
            )
    return rows


def futures(
    truth: FittedValueModel, summary: Summary, horizon: Any, draws: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Simulated purchases and value of each customer: target -> (draws, customers)."""
    t, unit = horizon_of(truth, summary, horizon)
    model = truth.purchases.model
    outlook = Outlook.of(model, summary.in_unit(unit))
    alive = outlook.alive(model)[outlook.where]
    new = outlook.new(model, outlook.state[outlook.where]).spread((len(summary),))
    ahead = np.full(len(summary), t)
    counts = np.stack(
        [
            np.where(rng.random(alive.size) < alive, new.simulate(ahead, seed=rng).x, 0.0)
            for _ in range(draws)
        ]
    )
    if truth.spend is None:
        return {"purchases": counts}
    p, q, gamma = truth.spend.model.p, truth.spend.model.q, truth.spend.model.gamma
    count, mean = spend_history(summary, truth.spend_includes_first)
    rate = rng.gamma(q + p * count, 1.0, counts.shape) / (gamma + count * mean)
    shape = np.where(counts > 0, p * counts, 1.0)
    value = np.where(counts > 0, rng.gamma(shape) / rate, 0.0)
    return {"purchases": counts, "value": value}
