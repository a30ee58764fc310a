"""The report says what its predictions rest on: horizon, margin, costs, conventions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from test_whole_report import comparison, orders, parts, plain

import clvmodel as clv

__all__ = ["comparison", "orders", "parts", "plain"]  # fixtures


def texts(blocks: list[Any]) -> str:
    return " ".join(b["text"] for b in blocks if b["kind"] == "text")


def test_what_predictions_rest_on_is_said(
    plain: Any, comparison: clv.Comparison, parts: dict[str, Any]
) -> None:
    year = "over the 365 days after 2025-12-31. Values are revenue (a margin of 100%), not disc"
    assert year in texts(plain["segments"])
    assert year in texts(plain["tiers"])
    assert "were not given (horizon=, margin=)" in texts(plain["customers"])
    told = texts(plain["economics"])
    for words in (
        "A new customer costs 20.0. Per customer, after a margin of 40%",
        "the target ratio (LTV:CAC) is 3; the model discounts at 10% a year",
        "the model counts the first purchase on day 0, the formula spreads all purchases evenly",
    ):
        assert words in told
    given = parts | {"horizon": "122D", "margin": 1.0}
    assert "over the 122 days after 2025-12-31" in comparison.to_html(format="md", **given)
    known = {name: parts[name] for name in ("model", "summary")}
    assert f"over the {comparison.days} days after" in comparison.to_html(format="md", **known)


def test_tiers_and_segments_of_their_own_horizons(
    comparison: clv.Comparison, parts: dict[str, Any]
) -> None:
    model, summary = parts["model"], parts["summary"]
    given = {"segments": clv.segment(summary, model, horizon="90D", margin=0.25)}
    given["tiers"] = clv.tier(summary, model, horizon="90D", margin=0.25)
    found = json.loads(comparison.to_html(format="json", **given))["sections"]
    told = {s["id"]: texts(s["blocks"]) for s in found}
    for name in ("segments", "tiers"):
        assert "over the 90 days after 2025-12-31. Values are after a margin of 25%" in told[name]
    given["tiers"] = clv.tier(summary, model, horizon="91D", margin=0.5)
    found = json.loads(comparison.to_html(format="json", **given))["sections"]
    told = {s["id"]: texts(s["blocks"]) for s in found}
    assert "over the 91 days after 2025-12-31. Values are after a margin of 50%" in told["tiers"]
    assert "over the 90 days" in told["segments"]


def test_costs_of_groups_are_said(comparison: clv.Comparison, parts: dict[str, Any]) -> None:
    summary = parts["summary"]
    shop = pd.DataFrame({"customer_id": summary.ids.to_pylist()})
    shop["shop"] = np.where(np.arange(len(shop)) % 2, "north", "south")
    found = clv.UnitEconomics(
        parts["model"], summary.join(shop), by="shop", cac={"north": 12, "south": 8}, draws=10
    )
    page = comparison.to_html(format="json", economics=found)
    blocks = {s["id"]: s["blocks"] for s in json.loads(page)["sections"]}["economics"]
    assert "costs 10.0. A new customer costs 12.0. A new customer costs 8.00." in texts(blocks)


def test_new_customers_are_not_on_their_way_up(plain: Any) -> None:
    assert "way up" not in texts(plain["segments"])
    assert "only just begun" in texts(plain["segments"])
