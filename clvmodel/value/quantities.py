"""The quantities of unit economics: functions of a new customer, or of a known one's next year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Quantity = Callable[[Any, Array], Array]
"""Takes a new customer (see `acquired`) and what a known one is worth in a year; uses one."""

QUANTITIES = {
    "ltv": "value of a new customer within the horizon, after margin",
    "ltv_to_cac": "that value over what the customer cost; the convention asks for 3",
    "p_target": "chance that this ratio reaches the target (formula: 1 or 0)",
    "payback_days": "days until cumulative profit of a new customer reaches the cost; inf: never",
    "return_on_spend": "(value - cost) / cost of a new customer",
    "allowable_cac": "value / target ratio: what a new customer may cost",
    "max_bid": "value x conversion rate: what a click may cost to break even",
    "target_bid": "allowable cost x conversion rate: what a click may cost at the target",
    "next_year_value": "what a customer of today is worth in the next 365 days, after margin",
    "retention_budget": "next year's value x uplift: what an offer may cost to break even",
    "break_even_uplift": "cost of an offer / next year's value: the uplift it must bring",
}
"""What is computed, each in one line. Amounts are per customer."""
OF_KNOWN = ("next_year_value", "retention_budget", "break_even_uplift")
"""Those that are of the customers there are, not of new ones."""


def quantities(
    *,
    cost: float | None,
    rate: float | None,
    target: float,
    uplift: float | None,
    offer: float | None,
) -> dict[str, Quantity]:
    """Each quantity that can be worked: those without inputs (None) are left out.

    `cost` of a new customer, `rate` of new customers per click, `target` ratio of value to cost,
    `uplift` and cost of an `offer`. NaN is an input that a group lacks.
    """
    found: dict[str, Quantity] = {"ltv": lambda c, _: c.value()}
    if cost is not None:
        found |= {
            "ltv_to_cac": lambda c, _: _ratio(c.value(), cost),
            "p_target": lambda c, _: _reaches(c.value(), cost, target),
            "payback_days": lambda c, _: c.payback(cost),
            "return_on_spend": lambda c, _: _ratio(c.value() - cost, cost),
        }
    found["allowable_cac"] = lambda c, _: c.value() / target
    if rate is not None:
        found["max_bid"] = lambda c, _: c.value() * rate
        found["target_bid"] = lambda c, _: c.value() / target * rate
    found["next_year_value"] = lambda _, year: year
    if uplift is not None:
        found["retention_budget"] = lambda _, year: year * uplift
    if offer is not None:
        found["break_even_uplift"] = lambda _, year: _ratio(np.full_like(year, offer), year)
    return found


def _ratio(value: Array, cost: Any) -> Array:
    """Value over cost; infinite where something costs nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(value / cost)


def _reaches(value: Array, cost: float, target: float) -> Array:
    reached = np.where(value >= target * cost, 1.0, 0.0)
    return np.where(np.isnan(cost), np.nan, reached)
