"""The formulas that companies use, as forecasts under the same protocol as the models.

Each gives one lifetime number; its docstring states how that is scaled to a horizon. Definitions
and conventions as found in shop platforms' guides, spreadsheets and textbooks, named there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_IN_UNIT, DAYS_PER_YEAR, days_in, duration_in_days
from clvmodel.value.candidates import check_summary, checked, prediction_table

YOUNG_SHOP_YEARS = 3.0
_MONTH = DAYS_IN_UNIT["M"]


@dataclass(frozen=True, repr=False)
class LifespanForecast:
    """The same yearly purchases and value for everybody, for the rest of a fixed lifespan."""

    name: str
    purchases_per_year: float
    value_per_year: float | None
    lifespan: float
    assumptions: str

    kind = "formula"

    @property
    def lifetime_value(self) -> float | None:
        """The formula's own number: revenue of a customer over the lifespan."""
        return None if self.value_per_year is None else self.value_per_year * self.lifespan

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: the yearly numbers, at most for the lifespan."""
        years = min(checked(summary, horizon, margin) / DAYS_PER_YEAR, self.lifespan)
        same = np.full(len(summary), years)
        value = None if self.value_per_year is None else margin * self.value_per_year * same
        return prediction_table(
            summary,
            {"expected_purchases": self.purchases_per_year * same, "expected_value": value},
        )

    def __repr__(self) -> str:
        """Return the name, the numbers and the assumptions."""
        return f"{self.name}: {self.assumptions}"


@dataclass(frozen=True)
class StoreFormula:
    """Average order value x purchase frequency x customer lifespan (the "Shopify formula").

    CLV = AOV x F x L. AOV = revenue / orders; F = orders / distinct customers, per year of history
    (its length from the first to the last day observed); L = `lifespan` in years: a number, or
    "measured" (mean time from first to last purchase, one-purchase customers counting 0: censored,
    so too low), or "auto": measured if the history covers at least three years, else the three
    years that are usually assumed for a young shop (a convention, not a measurement).

    Scaled to a horizon h as AOV x F x min(h, L): every customer, however old, is taken to be at
    the beginning of the lifespan. Orders of one day count as one.

    Source: guides to the formula such as churnmiser.com (how to calculate customer lifetime value,
    Shopify) and tryluz.com (average customer lifespan).
    """

    lifespan: float | str = "auto"

    kind = "formula"
    name = "Store formula"

    def fit(self, summary: Summary) -> LifespanForecast:
        """Take the averages of a summary."""
        check_summary(summary)
        years = history_days(summary) / DAYS_PER_YEAR
        orders = float(summary.frequency.sum()) + len(summary)
        frequency = orders / len(summary) / years
        lifespan, how = _lifespan("lifespan", self.lifespan, summary, years)
        revenue = summary.total_value
        text = f"{frequency:.3g} orders per customer and year x {lifespan:.3g} years {how}"
        value = None
        if revenue is not None:
            order_value = float(revenue.sum()) / orders
            value = order_value * frequency
            text = (
                f"average order value {order_value:,.2f} x {text} = lifetime value "
                f"{value * lifespan:,.2f}"
            )
        return LifespanForecast(self.name, frequency, value, lifespan, text + ".")


@dataclass(frozen=True)
class ProfitRetention:
    """Average annual profit per customer x average retention in years.

    Annual profit (here revenue; `predict` applies the margin) of the last year of history, or of
    all of it scaled to a year if it is shorter, divided by the customers who bought in it.
    `retention`: years, a number, or "measured" as for `StoreFormula` (first to last purchase,
    one-purchase customers counting 0: censored, so too low).

    Scaled to a horizon h as annual profit x min(h, retention), for every customer.

    Source: marketingstudyguide.com, main CLV formula.
    """

    retention: float | str = "measured"

    kind = "formula"
    name = "Profit x retention"

    def fit(self, summary: Summary) -> LifespanForecast:
        """Take the averages of a summary."""
        check_summary(summary)
        days = min(history_days(summary), DAYS_PER_YEAR)
        count, revenue = window_activity(summary, days, 0)
        buyers = max(int((count > 0).sum()), 1)
        years = days / DAYS_PER_YEAR
        retention, how = _lifespan("retention", self.retention, summary)
        orders = float(count.sum()) / buyers / years
        text = f"{orders:.3g} orders per buyer and year x {retention:.3g} years {how}"
        value = None
        if revenue is not None:
            value = float(revenue.sum()) / buyers / years
            text = (
                f"annual revenue per buyer {value:,.2f} x retention {retention:.3g} years {how} = "
                f"lifetime value {value * retention:,.2f}"
            )
        return LifespanForecast(self.name, orders, value, retention, text + ".")


@dataclass(frozen=True, repr=False)
class ChurnForecast:
    """The same monthly purchases and value for everyone active, shrinking by a monthly churn."""

    name: str
    purchases_per_month: float
    value_per_month: float | None
    monthly_churn: float
    window_days: float
    assumptions: str

    kind = "formula"

    @property
    def lifetime_value(self) -> float | None:
        """The formula's own number: revenue per month / monthly churn; infinite if nobody left."""
        if self.value_per_month is None:
            return None
        return self.value_per_month / self.monthly_churn if self.monthly_churn else float("inf")

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: active customers alike, lapsed ones 0."""
        months = checked(summary, horizon, margin) / _MONTH
        stay = 1 - self.monthly_churn
        lasting = months if stay == 1 else (1 - stay**months) / self.monthly_churn
        silent = np.rint((summary.T - summary.recency) * days_in(summary.unit))
        active = np.where(silent < self.window_days, lasting, 0.0)
        value = None if self.value_per_month is None else margin * self.value_per_month * active
        return prediction_table(
            summary,
            {"expected_purchases": self.purchases_per_month * active, "expected_value": value},
        )

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
    the lifetime number is the limit; lapsed customers get 0. `predict` applies the margin.

    Source: the SaaS formula LTV = ARPA x gross margin % / churn rate.
    """

    window: Any = "90D"
    monthly_churn: float | None = None

    kind = "formula"
    name = "Churn formula"

    def fit(self, summary: Summary) -> ChurnForecast:
        """Measure activity and churn in the last two windows of a summary."""
        check_summary(summary)
        given = self.monthly_churn
        number = isinstance(given, int | float | np.number)
        if given is not None and not (number and 0 < given <= 1):
            raise ParameterError.out_of_range("monthly_churn", given, "a number in (0, 1]")
        wanted = duration_in_days(self.window, argument="window")
        days = float(max(min(np.floor(wanted), history_days(summary) // 2), 1))
        recent, revenue = window_activity(summary, days, 0)
        before, _ = window_activity(summary, days, days)
        active, was_active = int((recent > 0).sum()), int((before > 0).sum())
        months = days / _MONTH
        how = "given"
        churn = self.monthly_churn
        if churn is None:
            if active and not was_active:
                raise DataError(
                    f"Nobody bought in the {days:.0f} days before the last {days:.0f}: churn "
                    "cannot be measured; give monthly_churn."
                )
            kept = float(((recent > 0) & (before > 0)).sum() / max(was_active, 1))
            churn = float(1 - kept ** (1 / months))
            how = f"measured: {kept:.0%} of the buyers of the {days:.0f} days before bought again"
        orders = float(recent.sum()) / max(active, 1) / months
        text = (
            f"monthly churn {churn:.1%} ({how}); active means a purchase within {days:.0f} days "
            f"({active:,} customers), the others get 0"
        )
        value = None
        if revenue is not None:
            value = float(revenue.sum()) / max(active, 1) / months
            text = (
                f"revenue per active customer and month {value:,.2f} / {text}; lifetime value "
                f"{value / churn if churn else float('inf'):,.2f}"
            )
        return ChurnForecast(self.name, orders, value, churn, days, text + ".")


def history_days(summary: Summary) -> float:
    """Length of the observed history in days, first and last day included."""
    return float(np.rint(np.max(summary.T) * days_in(summary.unit))) + 1.0


def _lifespan(
    argument: str, wanted: float | str, summary: Summary, young: float | None = None
) -> tuple[float, str]:
    """Years of a lifespan and where they are from; `young` is the history's length for "auto"."""
    if isinstance(wanted, str):
        allowed = ["measured"] + ([] if young is None else ["auto"])
        if wanted not in allowed:
            listed = " or ".join(map(repr, allowed))
            raise ParameterError.out_of_range(argument, wanted, f"{listed}, or a number of years")
        if wanted == "auto" and young is not None and young < YOUNG_SHOP_YEARS:
            return YOUNG_SHOP_YEARS, f"(assumed: the history covers {young:.2g} years)"
        mean = float(summary.recency.mean()) * days_in(summary.unit) / DAYS_PER_YEAR
        return mean, "(measured: first to last purchase, one-purchase customers 0)"
    if not (isinstance(wanted, int | float | np.number) and np.isfinite(wanted) and wanted > 0):
        raise ParameterError.out_of_range(argument, wanted, "finite and > 0 years")
    return float(wanted), "(given)"


def window_activity(summary: Summary, days: float, ago: float) -> tuple[Array, Array | None]:
    """Purchases and value per customer in a window of `days` that ended `ago` days before now."""
    if summary.purchases is None or summary.end is None:
        raise DataError(
            "This formula looks at single purchases, which a summary made from a table does not "
            "have; make it from the orders with clv.summarize."
        )
    end = to_day(summary.end) - round(ago)
    return summary.purchases.within(end - round(days), end)
