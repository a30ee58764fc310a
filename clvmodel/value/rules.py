"""Formulas and rules of thumb for single customers, as forecasts under the models' protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clvmodel.errors import ParameterError
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_IN_UNIT, days_in, duration_in_days
from clvmodel.value.candidates import check_summary, checked, prediction_table
from clvmodel.value.levels import as_table
from clvmodel.value.naive import Naive
from clvmodel.value.windows import history_days, silent_days, window_activity

_MONTH = DAYS_IN_UNIT["M"]


@dataclass(frozen=True)
class Mean(Naive):
    """Everybody buys what customers bought on average in the last period: the naive mean.

    Purchases and value of the last period as long as the horizon (or of the whole history, scaled
    up, where that is shorter), over all customers known, the same for each.
    """

    name = "Mean"
    assumptions = "every customer buys the average of the last period as long as the horizon."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        days = checked(summary, horizon, margin)
        covered = max(1.0, np.rint(min(days, history_days(summary))))
        count, value = window_activity(summary, covered, 0)
        same = np.full(len(summary), days / covered)
        worth = None if value is None else same * float(value.mean())
        return as_table(summary, same * float(count.mean()), worth, margin)


@dataclass(frozen=True)
class HiatusRule(Naive):
    """Managers' rule: who has not bought for longer than the hiatus is gone; the others go on.

    Those who bought within the last `hiatus` (default "180D", in the range of six to nine months
    that firms used in the source; a judgement per trade) go on at their own rate, repeat purchases
    over the time since the first, each at their mean repeat value (one-purchase customers: at the
    mean rate of the active, at the first value). The rest buy nothing. `p_purchase` is 1 or 0, as
    the rule has it: its Brier score is the share of customers it gets wrong.

    Source: Wuebben & von Wangenheim (2008), Journal of Marketing 72(3):82-93.
    """

    hiatus: Any = "180D"

    name = "Hiatus rule"

    @property
    def assumptions(self) -> str:  # type: ignore[override]
        """What was assumed, in words."""
        return f"customers silent for more than {self.hiatus} are gone, all others go on as before."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        t = checked(summary, horizon, margin) / days_in(summary.unit)
        limit = duration_in_days(self.hiatus, argument="hiatus")
        active = silent_days(summary) <= limit
        time = float(summary.T[active].sum())
        shared = float(summary.frequency[active].sum()) / time if time > 0 else 0.0
        own = summary.frequency / np.where(summary.T > 0, summary.T, np.inf)
        rate = np.where(active, np.where(summary.frequency > 0, own, shared), 0.0)
        value = None
        if summary.monetary_value is not None and summary.first_value is not None:
            each = np.where(summary.frequency > 0, summary.monetary_value, summary.first_value)
            value = margin * rate * t * each
        columns = {
            "p_purchase": active.astype(float),
            "expected_purchases": rate * t,
            "expected_value": value,
        }
        return prediction_table(summary, columns)


class _Rule(Naive):
    """A formula worked for each customer: nothing is learned that a summary does not hold."""

    kind: ClassVar[str] = "formula"


@dataclass(frozen=True)
class HistoricValue(_Rule):
    """Historic CLV taken as the forecast: what customers were worth so far, they will be again.

    All purchases so far, the first included, and their value, scaled from the length of the whole
    history to the horizon: the order of customers is that of past value.

    Source: common in shop reports ("historic CLV": the sum of past gross profit).
    """

    name = "Historic value"
    assumptions = "every customer's past purchases and value recur, scaled to the horizon."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        scale = checked(summary, horizon, margin) / history_days(summary)
        worth = summary.total_value
        value = None if worth is None else scale * worth
        return as_table(summary, scale * (summary.frequency + 1), value, margin)


@dataclass(frozen=True)
class TenureFormula(_Rule):
    """Own order value x own orders per year x the tenure that is left, at most the horizon.

    Left is max(0, average tenure - own tenure): tenure is the time since the first purchase, its
    average that of the customers of the summary. Orders per year: all orders over the own tenure
    (at least a month, or new customers would buy without end). Older customers than average get
    nothing.

    Source: Tresl's help on predicted value: past sales + AOV x average orders x remaining tenure.
    """

    name = "Tenure formula"
    assumptions = "customers buy at their own pace until they reach the average tenure."

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        days = checked(summary, horizon, margin)
        tenure = summary.T * days_in(summary.unit)
        left = np.minimum(np.maximum(tenure.mean() - tenure, 0.0), days)
        share = left / np.maximum(tenure, _MONTH)
        worth = summary.total_value
        value = None if worth is None else share * worth
        return as_table(summary, share * (summary.frequency + 1), value, margin)


@dataclass(frozen=True)
class AnnuityFormula(_Rule):
    """R sqrt(1 + d) ((1 + d)^n - 1) / (d (1 + d)^n): the own monthly revenue as an annuity.

    R is the customer's mean revenue per month since the first purchase (at least one month), n the
    months of the horizon, d the monthly discount rate (0.01, as in the source), payments falling in
    the middle of the months. Purchases are not discounted.

    Source: the "basic structural model" of INSEAD working paper 2013-27, as users set it up against
    BG/NBD.
    """

    monthly_rate: float = 0.01

    name = "Annuity formula"

    @property
    def assumptions(self) -> str:  # type: ignore[override]
        """What was assumed, in words."""
        return (
            f"each customer's monthly revenue goes on, discounted by {self.monthly_rate:g} a month."
        )

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`."""
        n, d = checked(summary, horizon, margin) / _MONTH, self.monthly_rate
        if not (isinstance(d, int | float | np.number) and np.isfinite(d) and d >= 0):
            raise ParameterError.out_of_range("monthly_rate", d, "finite and >= 0")
        factor = n if d == 0 else np.sqrt(1 + d) * -np.expm1(-n * np.log1p(d)) / d
        months = np.maximum(summary.T * days_in(summary.unit) / _MONTH, 1.0)
        worth = summary.total_value
        value = None if worth is None else worth / months * factor
        return as_table(summary, (summary.frequency + 1) / months * n, value, margin)


@dataclass(frozen=True, eq=False)
class CohortForecast:
    """Cumulative purchases and value per customer by age, in months since the first purchase.

    `paces` are those of purchases and value a month beyond the last age.
    """

    purchases: Array
    value: Array | None
    paces: tuple[float, float]

    name: ClassVar[str] = "Cohort curve"
    kind: ClassVar[str] = "formula"

    @property
    def assumptions(self) -> str:
        """What was assumed, in words."""
        return (
            f"every customer follows the average curve of purchases by age, known for "
            f"{self.purchases.size - 1} months; beyond, the last three months' pace goes on."
        )

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: the curve's rise from the own age on."""
        days = checked(summary, horizon, margin)
        age = summary.T * days_in(summary.unit) / _MONTH

        def rise(curve: Array, pace: float) -> Array:
            return _reach(curve, pace, age + days / _MONTH) - _reach(curve, pace, age)

        value = None if self.value is None else rise(self.value, self.paces[1])
        return as_table(summary, rise(self.purchases, self.paces[0]), value, margin)


@dataclass(frozen=True)
class CohortFormula:
    """The cohort curve: what customers bought on average by each age, read on from the own age.

    For each month of age, repeat purchases and their value over the customers (and parts of
    months) that were watched at that age: the incremental form of "cumulative net sales of a
    cohort / customers in it", all cohorts together, so that young ones do not pull old ages down.
    Ages end with the last whole month that anybody was watched for; beyond, the pace of the last
    three of them goes on.

    Source: cohort LTV in shop dashboards (Lifetimely and others).
    """

    name = "Cohort curve"
    kind = "formula"

    def fit(self, summary: Summary) -> CohortForecast:
        """Average what a summary's customers did at each age."""
        check_summary(summary)
        window_activity(summary, 1, 0)  # refuses a summary without single purchases
        past = summary.purchases
        assert past is not None
        assert summary.end is not None
        age = np.rint(summary.T * days_in(summary.unit))
        born = to_day(summary.end) - age
        since = past.day - born[past.customer]
        repeat = since > 0
        months = max(int((age.max() + 1) // _MONTH), 1)
        month = (since / _MONTH).astype(np.intp)
        counted = repeat & (month < months)
        edges = np.arange(months + 1) * _MONTH
        watched = np.array([np.minimum(age + 1, e).sum() for e in edges])  # customer-days by then
        exposure = np.diff(watched) / _MONTH
        few = min(3, months)

        def curve(weight: Array) -> tuple[Array, float]:
            total = np.bincount(month[counted], weight[counted], months).astype(float)
            pace = total[-few:].sum() / exposure[-few:].sum()
            return np.concatenate([[0.0], np.cumsum(total / exposure)]), float(pace)

        purchases, pace = curve(np.ones(past.day.size))
        if past.value is None:
            return CohortForecast(purchases, None, (pace, 0.0))
        value, worth = curve(past.value)
        return CohortForecast(purchases, value, (pace, worth))


def _reach(curve: Array, pace: float, age: Array) -> Array:
    """Height of a curve at an age in months; beyond its end it rises by `pace` a month."""
    last = curve.size - 1
    inside = np.interp(age, np.arange(curve.size), curve)
    return np.asarray(inside + pace * np.maximum(age - last, 0.0))
