"""The naive forecasts that beat models surprisingly often: yesterday goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import checked, prediction_table
from clvmodel.value.windows import history_days, window_activity


class Naive:
    """A forecast that learns nothing: it is its own fit."""

    kind: ClassVar[str] = "naive"
    name: ClassVar[str]
    assumptions: ClassVar[str]

    def fit(self, summary: Summary) -> Self:  # noqa: ARG002 - the protocol's signature
        """Return itself: there is nothing to learn."""
        return self

    def __str__(self) -> str:
        """Return the name and the assumption."""
        return f"{self.name}: {self.assumptions}"


@dataclass(frozen=True)
class RunRate(Naive):
    """Each customer's own rate goes on: repeat purchases per time since the first, times h.

    The rate is frequency / T, so a one-purchase customer is forecast to buy nothing; value is the
    customer's own mean repeat purchase. Nothing is learned from other customers.
    """

    name = "Run rate"
    assumptions = "each customer goes on buying at the rate and the mean value shown so far."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        t = checked(summary, horizon, margin) / days_in(summary.unit)
        rate = summary.frequency / np.where(summary.T > 0, summary.T, np.inf)
        value = (
            None if summary.monetary_value is None else margin * rate * t * summary.monetary_value
        )
        return prediction_table(summary, {"expected_purchases": rate * t, "expected_value": value})


@dataclass(frozen=True)
class LastPeriod(Naive):
    """Each customer repeats the last horizon-long period, first purchases included.

    Where the history is shorter than the horizon, the whole history is scaled up to its length.
    """

    name = "Last period"
    assumptions = "each customer repeats what was bought in the last period as long as the horizon."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        days = checked(summary, horizon, margin)
        covered = max(1.0, np.rint(min(days, history_days(summary))))
        count, value = window_activity(summary, covered, 0)
        grown = days / covered
        worth = None if value is None else margin * grown * value
        return prediction_table(
            summary, {"expected_purchases": grown * count, "expected_value": worth}
        )
