"""What a new customer is worth and when it has paid back: by a model with intervals, by a formula.

Both answer the same questions of an average new customer of a group, so that they can stand side
by side. A model's answers are functions of its parameters; their intervals are those of the
parameters' posterior: of the average customer, not of one customer's luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ParameterError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.tables.frames import read_frame
from clvmodel.units import DAYS_PER_YEAR, days_in
from clvmodel.value.discounting import daily_rate
from clvmodel.value.formulas import LifespanForecast
from clvmodel.value.new_customers import discounted_by
from clvmodel.value.predictions import parameter_draws

Array = NDArray[np.float64]

_PARTS, _ROUNDS = 64, 4  # the horizon is cut so often, and the part with the payback again


class NewCustomer(Protocol):
    """An average new customer; the first of each array is the estimate, the others are draws."""

    def value(self) -> Array:
        """Value within the horizon, after margin, the first purchase included."""

    def by(self, days: Array) -> Array:
        """Undiscounted value after margin by each of these days since the first purchase."""

    def payback(self, cost: float) -> Array:
        """Days until that value reaches a cost; infinite where the horizon ends before."""


@dataclass(frozen=True, eq=False)
class ModelCustomer:
    """A new customer as a fitted value model and draws from its posterior see it."""

    purchases: Any
    worth: Array
    horizon: float
    rate: float
    unit: float

    @classmethod
    def of(
        cls, fitted: Any, margin: float, days: float, annual: float, draws: int, seed: Any
    ) -> ModelCustomer:
        """Take the estimate and `draws` from the posteriors of a fitted value model."""
        if fitted.spend is None:
            raise ParameterError(
                "This model predicts purchases only (no amounts, or nobody bought again): unit "
                "economics need a model of spend."
            )
        if any(isinstance(fit.model, CovariateModel) for fit in fitted.fits):
            raise ParameterError(
                "This model has covariates, so that there is no one new customer: fit one without, "
                "and give by=, which fits every group by itself."
            )
        rng = np.random.default_rng(seed)
        points = [
            np.vstack([fit.model.values(), parameter_draws(fit, draws, rng)]).T
            for fit in fitted.fits
        ]
        unit = days_in(fitted.purchases.unit)
        purchases = type(fitted.purchases.model)(*points[0])
        spend = np.asarray(type(fitted.spend.model)(*points[1]).expected_spend())
        worth = margin * spend if margin else np.zeros_like(spend)
        return cls(purchases, worth, days, daily_rate(annual), unit)

    def value(self) -> Array:
        """Value within the horizon, discounted to the first purchase, which counts in full."""
        return self._value

    @cached_property
    def _value(self) -> Array:
        ends = np.array([0.0, self.horizon / self.unit])
        later = discounted_by(self.purchases, ends, self.rate * self.unit)[-1]
        return np.asarray(self.worth * (1 + later))

    def by(self, days: Array) -> Array:
        """Cumulative value (draws, days)."""
        return self._at(np.broadcast_to(days, (self.worth.size, days.size)))

    def payback(self, cost: float) -> Array:
        """Days until the cumulative value reaches a cost: ever finer steps, then a line."""
        if np.isnan(cost):
            return np.full_like(self.worth, np.nan)
        start, width = np.zeros_like(self.worth), np.full_like(self.worth, self.horizon)
        steps = np.linspace(0, 1, _PARTS + 1)
        for place in range(_ROUNDS):
            reached = self._at(start[:, None] + width[:, None] * steps) >= cost
            if place == 0:
                never, at_once = ~reached[:, -1], reached[:, 0]
            first = np.where(reached.any(axis=1), reached.argmax(axis=1), _PARTS)
            start = start + width * steps[np.maximum(first - 1, 0)]
            width = width / _PARTS
        ends = self._at(np.stack([start, start + width], axis=1))
        ends = np.where(np.isfinite(ends), ends, 0.0)  # infinite worth: paid back at once
        rise = ends[:, 1] - ends[:, 0]
        share = np.divide(cost - ends[:, 0], rise, out=np.zeros_like(rise), where=rise > 0)
        return np.where(at_once, 0.0, np.where(never, np.inf, start + width * share.clip(0, 1)))

    def _at(self, days: Array) -> Array:
        """Cumulative value of each draw by its own days (draws, days)."""
        points = type(self.purchases)(*(p[:, None] for p in self.purchases.arrays()))
        return np.asarray(self.worth[:, None] * (1 + points.expected_purchases(days / self.unit)))


@dataclass(frozen=True, eq=False)
class FormulaCustomer:
    """A customer of the store formula: the same yearly value until the lifespan ends."""

    forecast: LifespanForecast
    margin: float
    horizon: float

    @property
    def per_day(self) -> float:
        """Value after margin per day of the lifespan."""
        assert self.forecast.value_per_year is not None
        return float(self.margin * self.forecast.value_per_year / DAYS_PER_YEAR)

    @property
    def lasts(self) -> float:
        """Days until the lifespan, or the horizon, is over."""
        return float(min(self.forecast.lifespan * DAYS_PER_YEAR, self.horizon))

    @property
    def year(self) -> Array:
        """Value of the next 365 days, of a customer at the beginning of the lifespan."""
        return np.array([self.per_day * min(365.0, self.forecast.lifespan * DAYS_PER_YEAR)])

    def value(self) -> Array:
        """Value within the horizon, not discounted: the formula has no time in it."""
        return np.array([self.per_day * self.lasts])

    def by(self, days: Array) -> Array:
        """Cumulative value (1, days): a straight line, then level."""
        return self.per_day * np.minimum(days, self.lasts)[None, :]

    def payback(self, cost: float) -> Array:
        """Days until the line reaches a cost."""
        reached = cost / self.per_day if self.per_day > 0 else np.inf
        late = reached > self.lasts * (1 + 1e-12)  # a cost that is not known stays so
        return np.array([np.inf if late else reached])


def next_year(fitted: Any, summary: Any, margin: float, levels: Any, seed: Any) -> Array:
    """Value of the next 365 days per known customer: its mean and its quantiles."""
    table = fitted.predict_total(summary, "365D", margin=margin, quantiles=levels, seed=seed)
    row = read_frame(table)[0].to_pylist()[0]
    values = [v for name, v in row.items() if name.startswith(("expected_value", "value_"))]
    return np.array(values, float) / len(summary)
