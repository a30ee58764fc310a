"""What numbers to decide by rest on, in a line each: horizon, margin, discounting, costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clvmodel.errors import ParameterError
from clvmodel.evaluate.comparison import Comparison
from clvmodel.present import words
from clvmodel.tables.frames import read_frame
from clvmodel.units import horizon_in_days
from clvmodel.value.cohorts import Cohorts
from clvmodel.value.economics import UnitEconomics
from clvmodel.value.large_decisions import LargeSegmentation, LargeTiering
from clvmodel.value.segments import Segmentation
from clvmodel.value.tiering import Tiering

PAYBACK = (
    "Payback compares two conventions: the model counts the first purchase on day 0, the formula "
    "spreads all purchases evenly from day 0 on, beginning with nothing."
)
_MADE_BY: dict[str, tuple[str, tuple[type, ...]]] = {
    "comparison": ("clv.backtest", (Comparison,)),
    "segments": ("clv.segment", (Segmentation, LargeSegmentation)),
    "tiers": ("clv.tier", (Tiering, LargeTiering)),
    "cohorts": ("clv.cohorts", (Cohorts,)),
    "economics": ("clv.UnitEconomics", (UnitEconomics,)),
}
_UNKNOWN = "The horizon and the margin of these predictions were not given (horizon=, margin=)."


def check_parts(parts: Mapping[str, Any]) -> None:
    """Refuse objects of another kind than their argument's; raises ParameterError."""
    for name, (maker, kinds) in _MADE_BY.items():
        given = parts.get(name)
        if given is not None and not isinstance(given, kinds):
            raise ParameterError(
                f"{name} is a {type(given).__name__}, must be a {kinds[0].__name__}, which "
                f"{maker}(...) makes."
            )


def of_predictions(
    horizon: Any, margin: Any, summary: Any = None, *, worth: bool = True, clv: bool = False
) -> str:
    """Say over which horizon predictions look and after which margin, in a sentence or two.

    `worth` says that they are of value, not of purchases, `clv` that discounted ones are among
    them. Where the horizon is not known, says so.
    """
    if horizon is None:
        return _UNKNOWN
    end = None if summary is None else summary.end
    days = horizon_in_days(horizon, "D" if summary is None else summary.unit, end)
    since = "" if end is None else f" after {end}"
    what = "values" if worth else "purchases"
    said = (
        f"Predicted {what} and chances of a purchase are over the {words.plural(days, 'day')}"
        f"{since}."
    )
    if not worth:
        return said
    but = " (clv is)" if clv else ""
    return f"{said} Values are {_after(margin)}, not discounted{but}; past ones are revenue."


def of_segments(segments: Any) -> str:
    """Say it of segments; without a model nothing is predicted."""
    if segments.model is None:
        return "Nothing is predicted: no model was given."
    asked = getattr(segments, "function", segments)
    worth = getattr(segments.model, "spend", None) is not None
    return of_predictions(asked.horizon, asked.margin, segments.summary, worth=worth)


def of_tiers(tiers: Any) -> str:
    """Say it of tiers."""
    asked = getattr(tiers, "function", tiers)
    worth = tiers.target == "expected_value"
    return of_predictions(asked.horizon, asked.margin, tiers.summary, worth=worth)


def of_scores(scores: Any, horizon: Any, margin: Any, summary: Any) -> str:
    """Say it of a table of customers; empty where it holds no predictions."""
    names = read_frame(scores)[0].column_names
    if not {"p_purchase", "expected_value", "expected_purchases", "clv"} & set(names):
        return ""
    return of_predictions(
        horizon, margin, summary, worth="expected_value" in names, clv="clv" in names
    )


def of_economics(found: UnitEconomics) -> str:
    """Say what unit economics were asked for; the cost, where there is one for all."""
    costs = _costs(found)
    cost = f"A new customer costs {words.number(costs[0])}. " if len(found.names) == 1 else ""
    return (
        f"{cost if costs and costs[0] == costs[0] else ''}"
        f"Per customer, {_after(found.margin)}; a new customer counts for {found.days:,.0f} days; "
        f"the target ratio (LTV:CAC) is {found.target_ratio:g}; the model discounts at "
        f"{words.percent_short(found.discount_rate)} a year, the formula does not; payback is not "
        "discounted."
    )


def of_group(found: UnitEconomics, group: str) -> str:
    """Say what a new customer of a group costs; empty where that is not known."""
    cost = dict(zip(found.names, _costs(found), strict=True))[group]
    return f"A new customer costs {words.number(cost)}." if cost == cost else ""


def _costs(found: UnitEconomics) -> list[float]:
    known = read_frame(found.costs)[0]["cac"].to_pylist()
    return [float("nan") if cost is None else float(cost) for cost in known]


def _after(margin: Any) -> str:
    if margin is None:
        return "after a margin that was not given (margin=)"
    if isinstance(margin, int | float | np.number) and not isinstance(margin, bool):
        if margin == 1:
            return "revenue (a margin of 100%)"
        return f"after a margin of {words.percent_short(float(margin))}"
    return "after each customer's own margin"
