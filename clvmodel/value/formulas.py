"""The formulas that companies use, as forecasts under the same protocol as the models.

Each gives one lifetime number; its docstring states how that is scaled to a horizon. Definitions
and conventions as found in shop platforms' guides, spreadsheets and textbooks, named there. Most
can be worked for the whole base (`level="base"`: the same number for everybody, as the guides do),
for each RFM segment ("segment") or for each customer ("customer": own orders and revenue; what one
customer cannot tell, a lifespan or a churn, is the base's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_PER_YEAR, days_in
from clvmodel.value.candidates import checked
from clvmodel.value.churn_formulas import ChurnForecast as ChurnForecast
from clvmodel.value.churn_formulas import ChurnFormula as ChurnFormula
from clvmodel.value.churn_formulas import measured_churn
from clvmodel.value.levels import BASE, Groups, as_table, fit_at_level, per, plain, titled
from clvmodel.value.windows import history_days as history_days
from clvmodel.value.windows import window_activity as window_activity

YOUNG_SHOP_YEARS = 3.0


@dataclass(frozen=True, repr=False)
class LifespanForecast:
    """The same yearly purchases and value for the rest of a fixed lifespan: all's, or by group."""

    name: str
    purchases_per_year: Any
    value_per_year: Any
    lifespan: Any
    assumptions: str

    kind = "formula"

    @property
    def lifetime_value(self) -> Any:
        """The formula's own number: revenue of a customer over the lifespan."""
        return None if self.value_per_year is None else self.value_per_year * self.lifespan

    def ahead(self, summary: Summary, days: float, code: Any) -> tuple[Array, Array | None]:
        """Purchases and value of each customer within `days`, given each one's group."""
        years = np.minimum(days / DAYS_PER_YEAR, self.lifespan)
        worth = None if self.value_per_year is None else self.value_per_year * years
        return spread(self.purchases_per_year * years, code, summary), (
            None if worth is None else spread(worth, code, summary)
        )

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: the yearly numbers, at most for the lifespan."""
        days = checked(summary, horizon, margin)
        return as_table(summary, *self.ahead(summary, days, 0), margin)

    def __repr__(self) -> str:
        """Return the name, the numbers and the assumptions."""
        return f"{self.name}: {self.assumptions}"


@dataclass(frozen=True)
class StoreFormula:
    """Average order value x purchase frequency x customer lifespan (the "Shopify formula").

    CLV = AOV x F x L. AOV = revenue / orders; F = orders / distinct customers, per year of history
    (its length from the first to the last day observed); L = `lifespan` in years: a number, or
    "measured" (mean time from first to last purchase, one-purchase customers counting 0: censored,
    so too low), or "churn" (1 / annual churn, measured as by `ChurnFormula` over windows of a year,
    or of half of a shorter history), or "auto": measured if the history covers at least three
    years, else the three years that are usually assumed for a young shop (a convention, not a
    measurement).

    Scaled to a horizon h as AOV x F x min(h, L): every customer, however old, is taken to be at
    the beginning of the lifespan. Orders of one day count as one. `level`: see this module.

    Source: guides to the formula such as churnmiser.com (how to calculate customer lifetime value,
    Shopify) and tryluz.com (average customer lifespan); 1 / churn: marketingstudyguide.com.
    """

    lifespan: float | str = "auto"
    level: str = BASE

    kind = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and its level."""
        return titled("Store formula", self.level)

    def fit(self, summary: Summary | LargeSummary) -> Any:
        """Take the averages of a summary; of one in a file or in Spark, at the level "base"."""
        if isinstance(summary, LargeSummary):
            return self._of_large(summary)
        return fit_at_level(self, summary)

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> LifespanForecast:
        """Take the averages of each group."""
        years = history_days(summary) / DAYS_PER_YEAR
        chosen = _lifespan(
            "lifespan",
            self.lifespan,
            lambda: _measured(summary, of),
            lambda: _from_churn(summary, of),
            base,
            years,
        )
        paid = summary.total_value
        revenue = None if paid is None else of.sums(paid)
        orders = of.sums(summary.frequency + 1)
        return self._found(of.counts(), orders, revenue, years, *chosen)

    def _of_large(self, summary: LargeSummary) -> LifespanForecast:
        """Take the averages of all, from sums over parts."""
        if self.level != BASE:
            raise ParameterError.out_of_range("level", self.level, f"{BASE!r} for large summaries")
        sums = np.array(summary.over_parts(_activity))
        customers, orders, revenue, days = sums[:, :4].sum(axis=0)[:, None]
        years = float(sums[:, 4].max()) / DAYS_PER_YEAR
        mean = float(days[0] / customers[0]) / DAYS_PER_YEAR
        chosen = _lifespan("lifespan", self.lifespan, lambda: mean, _no_purchases, young=years)
        paid = revenue if summary.has_value else None
        return self._found(customers, orders, paid, years, *chosen)

    def _found(
        self,
        customers: Array,
        orders: Array,
        revenue: Array | None,
        years: float,
        lifespan: Any,
        how: str,
    ) -> LifespanForecast:
        """Work the formula from the sums of each group."""
        frequency = plain(per(orders, customers) / years)
        value = None if revenue is None else plain(per(revenue, customers) / years)
        if customers.size > 1:
            return LifespanForecast(self.name, frequency, value, lifespan, "")
        text = f"{frequency:.3g} orders per customer and year x {lifespan:.3g} years {how}"
        if revenue is not None:
            order_value = float(revenue[0]) / float(orders[0])
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
    one-purchase customers counting 0: censored, so too low), or "churn", as there.

    Scaled to a horizon h as annual profit x min(h, retention), for every customer. `level`: see
    this module.

    Source: marketingstudyguide.com, main CLV formula.
    """

    retention: float | str = "measured"
    level: str = BASE

    kind = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and its level."""
        return titled("Profit x retention", self.level)

    def fit(self, summary: Summary) -> Any:
        """Take the averages of a summary."""
        return fit_at_level(self, summary)

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> LifespanForecast:
        """Take the averages of each group."""
        days = min(history_days(summary), DAYS_PER_YEAR)
        count, revenue = window_activity(summary, days, 0)
        buyers = of.sums(count > 0)
        years = days / DAYS_PER_YEAR
        retention, how = _lifespan(
            "retention",
            self.retention,
            lambda: _measured(summary, of),
            lambda: _from_churn(summary, of),
            base,
        )
        orders = plain(per(of.sums(count), buyers) / years)
        value = None if revenue is None else plain(per(of.sums(revenue), buyers) / years)
        if of.size > 1:
            return LifespanForecast(self.name, orders, value, retention, "")
        text = f"{orders:.3g} orders per buyer and year x {retention:.3g} years {how}"
        if revenue is not None:
            text = (
                f"annual revenue per buyer {value:,.2f} x retention {retention:.3g} years {how} = "
                f"lifetime value {value * retention:,.2f}"
            )
        return LifespanForecast(self.name, orders, value, retention, text + ".")


@dataclass(frozen=True)
class CourseFormula:
    """Average order value x frequency / (1 - repeat rate): the formula of many course notebooks.

    Frequency = orders per customer over the whole history, repeat rate = share of customers with
    more than one order, "churn" = 1 - repeat rate. That churn is not per unit of time, so the
    result has no time either; read here as frequency per length of history and a lifespan of
    1 / churn such lengths. A baseline because it is so common, not because it is sound. (The
    notebooks' profit margin of 10% is left to `margin`.)

    Scaled to a horizon h as revenue per customer and year x min(h, lifespan).

    Source: public notebooks on "CLTV" of online-retail data, all with this text.
    """

    level: str = BASE

    kind = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and its level."""
        return titled("Course formula", self.level)

    def fit(self, summary: Summary) -> Any:
        """Take the averages of a summary."""
        return fit_at_level(self, summary)

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> LifespanForecast:
        """Take the averages of each group."""
        years = history_days(summary) / DAYS_PER_YEAR
        customers, orders = of.counts(), of.sums(summary.frequency + 1)
        repeat = per(of.sums(summary.frequency > 0), customers)
        churn = 1 - repeat
        endless = np.where(churn > 0, years / np.where(churn > 0, churn, 1.0), np.inf)
        lifespan = plain(endless) if base is None else base.lifespan
        frequency = plain(per(orders, customers) / years)
        revenue = summary.total_value
        value = None if revenue is None else plain(per(of.sums(revenue), customers) / years)
        text = ""
        if of.size == 1:
            text = (
                f"{orders[0] / customers[0]:.3g} orders per customer, churn "
                f"{churn[0]:.0%} (customers with one order): a lifespan of {lifespan:.3g} years."
            )
        return LifespanForecast(self.name, frequency, value, lifespan, text)


def spread(values: Any, code: Any, summary: Summary) -> Array:
    """One number per customer: the group's, or everybody's."""
    each = values[code] if np.ndim(values) else values
    return np.broadcast_to(each, (len(summary),)).astype(float)


def _measured(summary: Summary, of: Groups) -> Any:
    """Mean years from first to last purchase, by group."""
    return plain(per(of.sums(summary.recency), of.counts()) * days_in(summary.unit) / DAYS_PER_YEAR)


def _from_churn(summary: Summary, of: Groups) -> Any:
    """Years as 1 / annual churn, by group."""
    days = min(history_days(summary) // 2, DAYS_PER_YEAR)
    annual = 1 - measured_churn(summary, days, of)[2] ** (DAYS_PER_YEAR / days)
    return plain(np.where(annual > 0, 1 / np.where(annual > 0, annual, 1.0), np.inf))


def _lifespan(
    argument: str,
    wanted: float | str,
    measured: Callable[[], Any],
    from_churn: Callable[[], Any],
    base: Any = None,
    young: float | None = None,
) -> tuple[Any, str]:
    """Years of a lifespan and where they are from; `young` is the history's length for "auto"."""
    if base is not None:
        return base.lifespan, ""
    if isinstance(wanted, str):
        allowed = ["measured", "churn"] + ([] if young is None else ["auto"])
        if wanted not in allowed:
            listed = " or ".join(map(repr, allowed))
            raise ParameterError.out_of_range(argument, wanted, f"{listed}, or a number of years")
        if wanted == "churn":
            return from_churn(), "(1 / annual churn, measured)"
        if wanted == "auto" and young is not None and young < YOUNG_SHOP_YEARS:
            return YOUNG_SHOP_YEARS, f"(assumed: the history covers {young:.2g} years)"
        return measured(), "(measured: first to last purchase, one-purchase customers 0)"
    if not (isinstance(wanted, int | float | np.number) and np.isfinite(wanted) and wanted > 0):
        raise ParameterError.out_of_range(argument, wanted, "finite and > 0 years")
    return float(wanted), "(given)"


def _no_purchases() -> Any:
    raise DataError("A lifespan from churn needs single purchases, which this summary lacks.")


def _activity(part: Summary) -> tuple[float, ...]:
    """Customers, orders, revenue and days from first to last purchase: sums; days of history."""
    paid = 0.0 if part.total_value is None else float(part.total_value.sum())
    days = float(part.recency.sum()) * days_in(part.unit)
    return len(part), float(part.frequency.sum()) + len(part), paid, days, history_days(part)
