"""Formulas with a churn or a retention rate, borrowed from subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_IN_UNIT, DAYS_PER_YEAR, duration_in_days
from clvmodel.value.candidates import checked
from clvmodel.value.levels import BASE, Groups, as_table, fit_at_level, per, plain, titled
from clvmodel.value.windows import history_days, silent_days, window_activity

_MONTH = DAYS_IN_UNIT["M"]


def measured_churn(summary: Summary, days: float, of: Groups) -> tuple[Array, Array | None, Array]:
    """(purchases, value in the last window per customer, share kept per group).

    Kept are, of those who bought in the window of `days` before the last one, those who bought in
    the last. A group where nobody did keeps the share of all. Raises DataError where nobody of all
    customers bought before, so that nothing can be measured, but somebody did since.
    """
    recent, revenue = window_activity(summary, days, 0)
    before, _ = window_activity(summary, days, days)
    if (recent > 0).any() and not (before > 0).any():
        raise DataError(
            f"Nobody bought in the {days:.0f} days before the last {days:.0f}: churn "
            "cannot be measured; give monthly_churn."
        )
    stayed, were = (recent > 0) & (before > 0), before > 0
    overall = float(stayed.sum() / max(were.sum(), 1))
    groups = of.sums(were)
    kept = np.where(groups > 0, per(of.sums(stayed), groups), overall)
    return recent, revenue, kept


def _window(window: Any, summary: Summary) -> float:
    wanted = duration_in_days(window, argument="window")
    return float(max(min(np.floor(wanted), history_days(summary) // 2), 1))


@dataclass(frozen=True, repr=False)
class ChurnForecast:
    """Monthly purchases and value of the active, shrinking by a churn: for all or by group.

    `immediate` is whether the first month is whole, before any churn; `monthly_discount` a rate.
    """

    name: str
    purchases_per_month: Any
    value_per_month: Any
    monthly_churn: Any
    window_days: float
    assumptions: str
    immediate: bool = True
    monthly_discount: float = 0.0

    kind = "formula"

    @property
    def lifetime_value(self) -> Any:
        """The formula's own number: revenue per month / monthly churn; infinite if nobody left."""
        return (
            None if self.value_per_month is None else self.value_per_month * self._lasting(np.inf)
        )

    def _lasting(self, months: float) -> Any:
        """Sum over months of the share still there (and of what money is worth then)."""
        stay = 1 - np.asarray(self.monthly_churn)
        keep = stay / (1 + self.monthly_discount)
        gone = 1 - keep
        with np.errstate(divide="ignore", invalid="ignore"):
            total = np.where(gone > 0, (1 - keep**months) / np.where(gone > 0, gone, 1), months)
        total = total if self.immediate else total * keep
        return float(total) if total.ndim == 0 else total

    def ahead(self, summary: Summary, days: float, code: Any) -> tuple[Array, Array | None]:
        """Purchases and value of each customer within `days`, given each one's group."""
        active = silent_days(summary) < self.window_days
        lasting = self._lasting(days / _MONTH)

        def each(monthly: Any) -> Array:
            total = np.asarray(monthly * lasting)
            return np.where(active, total[code] if total.ndim else total, 0.0)

        worth = None if self.value_per_month is None else each(self.value_per_month)
        return each(self.purchases_per_month), worth

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: active customers alike, lapsed ones 0."""
        days = checked(summary, horizon, margin)
        return as_table(summary, *self.ahead(summary, days, 0), margin)

    def __repr__(self) -> str:
        """Return the name, the numbers and the assumptions."""
        return f"{self.name}: {self.assumptions}"


@dataclass(frozen=True)
class ChurnFormula:
    """Revenue per customer and month x gross margin / monthly churn rate (from subscriptions).

    A customer is active if there was a purchase within the last `window` (default "90D", a common
    rule of thumb; half of the history if that is shorter). Revenue per month is that of the last
    window per active customer. Churn: the share of those active in the window before who did not
    buy in the last one, turned into a monthly rate; or `monthly_churn`, a number in (0, 1].

    Scaled to a horizon of h months as revenue per month x (1 - (1 - churn)^h) / churn, of which
    the lifetime number is the limit; lapsed customers get 0. `predict` applies the margin. `level`:
    see `clvmodel.value.formulas`.

    Source: the SaaS formula LTV = ARPA x gross margin % / churn rate.
    """

    window: Any = "90D"
    monthly_churn: float | None = None
    level: str = BASE

    kind = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and its level."""
        return titled("Churn formula", self.level)

    def fit(self, summary: Summary) -> Any:
        """Measure activity and churn in the last two windows of a summary."""
        return fit_at_level(self, summary)

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> ChurnForecast:
        """Measure activity and churn of each group."""
        check_rate("monthly_churn", self.monthly_churn)
        days = _window(self.window, summary)
        months = days / _MONTH
        if self.monthly_churn is not None or base is not None:
            recent, revenue = window_activity(summary, days, 0)
            churn: Any = self.monthly_churn if base is None else base.monthly_churn
            how = "given"
        else:
            recent, revenue, kept = measured_churn(summary, days, of)
            churn = plain(1 - kept ** (1 / months))
            how = (
                f"measured: {kept[0]:.0%} of the buyers of the {days:.0f} days before bought again"
            )
        active = of.sums(recent > 0)
        orders = plain(per(of.sums(recent), active) / months)
        value = None if revenue is None else plain(per(of.sums(revenue), active) / months)
        if of.size > 1:
            return ChurnForecast(self.name, orders, value, churn, days, "")
        text = (
            f"monthly churn {churn:.1%} ({how}); active means a purchase within {days:.0f} days "
            f"({int(active[0]):,} customers), the others get 0"
        )
        if value is not None:
            text = (
                f"revenue per active customer and month {value:,.2f} / {text}; lifetime value "
                f"{value / churn if churn else float('inf'):,.2f}"
            )
        return ChurnForecast(self.name, orders, value, churn, days, text + ".")


@dataclass(frozen=True)
class RetentionFormula:
    """m r / (1 + d - r): margin per period, retention per period, discount rate per period.

    The textbook formula of constant retention: m is revenue per active customer and month, r the
    share kept from month to month (measured as by `ChurnFormula`, or `monthly_retention`), d the
    monthly rate of `discount_rate` per year. The first margin comes after one period, if the
    customer is kept; with `immediate=True` at once, which adds m. The default rate is 0 because
    what is forecast here is revenue as it comes in; the formula's users mostly discount.

    Scaled to h months as m (k + k^2 + ... + k^h), k = r / (1 + d), of which the formula is the
    limit (and, with `immediate`, the finite sum of (R - C) r^n / (1 + d)^n in calculators); lapsed
    customers get 0.

    Source: textbooks on customer equity; the finite form: clv-calculator.com.
    """

    monthly_retention: float | None = None
    discount_rate: float = 0.0
    immediate: bool = False
    window: Any = "90D"
    level: str = BASE

    kind = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and its level."""
        return titled("Retention formula", self.level)

    def fit(self, summary: Summary) -> Any:
        """Measure revenue and retention in the last two windows of a summary."""
        rate = self.discount_rate
        if not (isinstance(rate, int | float | np.number) and np.isfinite(rate) and rate >= 0):
            raise ParameterError.out_of_range("discount_rate", rate, "finite and >= 0")
        if self.monthly_retention is not None and not 0 <= self.monthly_retention < 1:
            raise ParameterError.out_of_range(
                "monthly_retention", self.monthly_retention, "a number in [0, 1)"
            )
        return fit_at_level(self, summary)

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> ChurnForecast:
        """Measure each group."""
        given = None if self.monthly_retention is None else 1 - self.monthly_retention
        found = ChurnFormula(self.window, given).numbers(summary, of, base)
        monthly = (1 + self.discount_rate) ** (_MONTH / DAYS_PER_YEAR) - 1
        kept = 1 - found.monthly_churn
        text = "" if of.size > 1 else f"monthly retention {kept:.1%}; {found.assumptions}"
        return ChurnForecast(
            self.name,
            found.purchases_per_month,
            found.value_per_month,
            found.monthly_churn,
            found.window_days,
            text,
            self.immediate,
            monthly,
        )


def check_rate(argument: str, given: Any) -> None:
    """Refuse what is no rate in (0, 1]; None is allowed."""
    number = isinstance(given, int | float | np.number)
    if given is not None and not (number and 0 < given <= 1):
        raise ParameterError.out_of_range(argument, given, "a number in (0, 1]")
