"""Gradient-boosted trees under the candidates' protocol: what a machine-learning team would try."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, MissingDependencyError
from clvmodel.evaluate.earlier import earlier_holdouts
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import checked, prediction_table
from clvmodel.value.windows import window_activity

Array = NDArray[np.float64]
_WINDOWS = (30, 90, 180, 365)  # days of recent activity
_MANY = 100_000


@dataclass(frozen=True)
class BoostedTrees:
    """Boosted trees (scikit-learn) on the summary and on recent activity; needs the extra `ml`.

    Trained without a leak: on customers known at an earlier cutoff, with what they did from there
    to the end of the history as the target; then applied to what is known at the end. The earlier
    cutoff lies one horizon back, or half of the history where that is shorter; a forecast over
    another length than was trained is scaled in proportion.

    Features: repeat purchases, days between first and last, since the first and since the last
    purchase, total, mean and first value, and purchases and value of the last 30, 90, 180 and 365
    days. Poisson loss for purchases and value, log loss for `p_purchase`. The settings are a
    judgement (`iterations` trees of 15 leaves, learning rate 0.05, at least 50 customers a leaf, no
    early stopping), not tuned. Trees do not extrapolate: customers older than any at the earlier
    cutoff are taken for the oldest there. The same `seed` gives the same trees.
    """

    iterations: int = 150
    seed: int = 0

    kind: ClassVar[str] = "learner"
    name: ClassVar[str] = "Boosted trees"

    def fit(self, summary: Summary, horizon: Any = None) -> FittedTrees:
        """Train at an earlier cutoff within the history of the summary."""
        holdout = earlier_holdouts(summary, horizon, 1, self.name)[0]
        try:
            from sklearn.ensemble import (
                HistGradientBoostingClassifier,
                HistGradientBoostingRegressor,
            )
        except ImportError as error:
            raise MissingDependencyError.for_feature("scikit-learn", self.name, error) from error
        if not holdout.purchases.any():
            raise DataError("Nobody bought after the earlier cutoff: trees have nothing to learn.")
        known = features(holdout.calibration)
        settings = {
            "max_iter": self.iterations,
            "learning_rate": 0.05,
            "max_leaf_nodes": 15,
            "min_samples_leaf": 50,
            "early_stopping": False,
            "random_state": self.seed,
        }

        def counts(target: Array | None) -> Any:
            if target is None or not target.any():
                return None
            return HistGradientBoostingRegressor(loss="poisson", **settings).fit(known, target)

        bought, chances = holdout.purchases > 0, HistGradientBoostingClassifier(**settings)
        with _few_threads(len(known)):
            return FittedTrees(
                holdout.days,
                holdout.cutoff.isoformat(),
                counts(holdout.purchases),
                counts(holdout.value),
                None if bought.all() else chances.fit(known, bought),
            )


@dataclass(frozen=True, eq=False)
class FittedTrees:
    """Trained trees: of purchases, of value and of any purchase over `days`."""

    days: int
    cutoff: str
    purchases: Any
    value: Any
    active: Any

    kind: ClassVar[str] = "learner"

    @property
    def assumptions(self) -> str:
        """What was assumed, in words."""
        return (
            f"what followed in the {self.days:,} days after {self.cutoff}, given the summary and "
            "recent activity then, recurs."
        )

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`; p_purchase only over the length trained."""
        ahead = checked(summary, horizon, margin)
        scale, now = ahead / self.days, features(summary)
        columns: dict[str, Array | None] = {}
        with _few_threads(len(now)):
            columns["expected_purchases"] = scale * self.purchases.predict(now)
            if self.active is not None and abs(scale - 1) < 1e-9:
                columns["p_purchase"] = self.active.predict_proba(now)[:, 1]
            if self.value is not None:
                columns["expected_value"] = margin * scale * self.value.predict(now)
        return prediction_table(summary, columns)


def _few_threads(customers: int) -> AbstractContextManager[Any]:
    """One thread for few customers: more would wait for each other longer than they work."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1 if customers < _MANY else None)
    return limits


def features(summary: Summary) -> Array:
    """What is known of each customer at the end of a summary: (customers, features)."""
    scale = days_in(summary.unit)
    columns = [
        summary.frequency,
        summary.recency * scale,
        summary.T * scale,
        (summary.T - summary.recency) * scale,
    ]
    money = (summary.total_value, summary.monetary_value, summary.first_value)
    columns += [m for m in money if m is not None]
    for days in _WINDOWS:
        count, value = window_activity(summary, days, 0)
        columns += [count] if value is None else [count, value]
    return np.stack(columns, axis=1)
