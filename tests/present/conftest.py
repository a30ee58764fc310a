"""A comparison as a backtest would give it, without running one."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from clvmodel.evaluate.comparison import Comparison, Result

NATIVE = "BG/NBD + Gamma-Gamma"
LIFETIMES = "BG/NBD + Gamma-Gamma (lifetimes)"
HOSTILE = 'Churn formula <script>alert("x")</script>'


def fit(model: str, engine: str, values: dict[str, float], shift: float = 1.0) -> dict[str, Any]:
    return {
        "model": model,
        "title": {"BGNBD": "BG/NBD", "GammaGamma": "Gamma-Gamma"}[model],
        "engine": engine,
        "unit": "W",
        "customers": 2357.0,
        "log_likelihood": -9582.43,
        "converged": True,
        "message": "Converged: gradient per customer 1.2e-13.",
        "parameters": [
            {
                "parameter": name,
                "estimate": value * shift,
                "std_error": value / 20,
                "low": value * 0.9,
                "high": value * 1.12,
            }
            for name, value in values.items()
        ],
    }


def fits(engine: str, shift: float = 1.0) -> tuple[dict[str, Any], ...]:
    return (
        fit("BGNBD", engine, {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}, shift),
        fit("GammaGamma", engine, {"p": 6.2497, "q": 3.7444, "gamma": 15.4451}, shift),
    )


RESULTS = (
    Result(NATIVE, "model", "Purchases at random while alive; spend independent.", fits("native")),
    Result(LIFETIMES, "model", "As above, fitted by lifetimes.", fits("lifetimes", 1.0003)),
    Result("Store formula", "formula", "Mean order value x orders per year x years."),
    Result("Profit x retention", "formula", "Profit times retention / (1 + rate - retention)."),
    Result(HOSTILE, "formula", "Margin / churn, churn of 12 months: 61.3%."),
    Result("Run rate", "naive", "Everybody goes on as before."),
    Result("Last period", "naive", "The last 39 weeks repeat."),
    Result("Broken <b>model</b>", "model", "", error="no customer has <two> purchases."),
)


def score(name: str, target: str, actual: float, predicted: float, *rest: Any) -> dict[str, Any]:
    bias = predicted / actual - 1
    row = {"candidate": name, "target": target, "actual_total": actual}
    row |= {"predicted_total": predicted, "bias": bias}
    return row | dict(zip(("mae", "rmse", "spearman", "top_decile"), rest, strict=True))


SCORES = (
    score(NATIVE, "purchases", 1882, 1715.2, 0.763, 1.601, 0.4921, 0.4412),
    score(LIFETIMES, "purchases", 1882, 1715.3, 0.763, 1.601, 0.4921, 0.4412),
    score("Store formula", "purchases", 1882, 2412.0, 0.981, 1.802, None, None),
    score("Profit x retention", "purchases", 1882, 1244.0, 0.8123, 1.93, 0.41, 0.39),
    score(HOSTILE, "purchases", 1882, 1102.0, 0.7951, 1.88, 0.441, 0.402),
    score("Run rate", "purchases", 1882, 3490.0, 1.412, 2.71, 0.488, 0.431),
    score("Last period", "purchases", 1882, 2890.0, 1.1, 2.31, 0.43, 0.419),
    score(NATIVE, "value", 73120.5, 66320.4, 31.12, 89.61, 0.4823, 0.4551),
    score(LIFETIMES, "value", 73120.5, 66322.9, 31.12, 89.61, 0.4823, 0.4551),
    score("Store formula", "value", 73120.5, 72011.0, 39.91, 97.2, None, None),
    score("Profit x retention", "value", 73120.5, 47110.0, 30.95, 95.3, 0.42, 0.39),
    score(HOSTILE, "value", 73120.5, 41000.2, 30.2, 94.3, 0.431, 0.388),
    score("Run rate", "value", 73120.5, 139000.0, 52.3, 141.2, 0.4801, 0.4432),
    score("Last period", "value", 73120.5, 110904.0, 43.7, 120.6, 0.42, 0.43),
)


def differences() -> tuple[dict[str, Any], ...]:
    rows = []
    for target in ("purchases", "value"):
        scored = [s for s in SCORES if s["target"] == target]
        best = min(scored, key=lambda s: s["mae"])
        for s in scored:
            gap, spread = s["mae"] - best["mae"], 0.04 * best["mae"] * (s is not best)
            row = {"candidate": s["candidate"], "target": target, "difference": gap}
            row |= {"low": gap - spread, "high": gap + spread, "reference": best["candidate"]}
            rows.append(row)
    return tuple(rows)


def tracking() -> dict[str, Any]:
    first, step = dt.date(1997, 1, 1), dt.timedelta(days=21)
    n, cut = 26, 13
    actual = [4000 * (i / n) ** 1.2 for i in range(n + 1)]
    speeds = {"Store formula": 1.25, "Run rate": 1.8, "Last period": 1.5, HOSTILE: 0.6}
    predicted: dict[str, list[float | None]] = {
        NATIVE: [v * 1.02 - 0.004 * i * i for i, v in enumerate(actual)],
        LIFETIMES: [v * 1.02 - 0.004 * i * i + 0.5 for i, v in enumerate(actual)],
        "Profit x retention": [None] * (n + 1),
    }
    for name, speed in speeds.items():
        later = [actual[cut] + speed * (v - actual[cut]) for v in actual[cut + 1 :]]
        predicted[name] = [*([None] * (cut + 1)), *later]
    return {
        "dates": [(first + i * step).isoformat() for i in range(n + 1)],
        "actual": actual,
        "predicted": predicted,
    }


def by_frequency() -> dict[str, Any]:
    actual = [0.24, 0.69, 1.21, 1.43, 2.15, 2.9, 3.6, 6.1]
    shares = {NATIVE: 0.95, LIFETIMES: 0.9501, "Run rate": 1.7, HOSTILE: 0.6, "Last period": 1.4}
    return {
        "groups": ["0", "1", "2", "3", "4", "5", "6", "7+"],
        "customers": [1411, 439, 214, 100, 62, 38, 29, 64],
        "actual": actual,
        "predicted": {name: [share * v for v in actual] for name, share in shares.items()}
        | {"Store formula": [1.02] * 8},
    }


def make_comparison() -> Comparison:
    return Comparison(
        cutoff=dt.date(1997, 9, 30),
        end=dt.date(1998, 6, 30),
        days=273,
        unit="W",
        results=RESULTS,
        scores=SCORES,
        differences=differences(),
        by_frequency=by_frequency(),
        tracking=tracking(),
        data={
            "source": "orders <script>.csv",
            "rows": 6919,
            "purchases": 6696,
            "customers": 2357,
            "repeat_customers": 946,
            "first": "1997-01-01",
            "last": "1998-06-30",
            "reconciliation": "6,919 rows = 6,696 purchases + 223 merged + 0 excluded.",
            "late_customers": 112,
            "late_purchases": 160,
            "late_value": 5233.7,
            "actual_purchases": 1882.0,
            "actual_value": 73120.5,
            "has_value": True,
            "fingerprint": "0f3ab29c11de",
        },
        options={
            "customer": "customer_id",
            "date": "date",
            "value": "amount",
            "cutoff": "1997-09-30",
            "horizon": "273D",
            "unit": "W",
            "command": "clvmodel compare 'orders <script>.csv' --cutoff 1997-09-30",
        },
        versions={"clvmodel": "0.1.0", "numpy": "2.4.6"},
    )


def without_value(comparison: Comparison) -> Comparison:
    data = comparison.data | {"has_value": False, "actual_value": None, "late_value": None}
    return dataclasses.replace(
        comparison,
        scores=tuple(s for s in comparison.scores if s["target"] == "purchases"),
        differences=tuple(d for d in comparison.differences if d["target"] == "purchases"),
        data=data,
    )


@pytest.fixture
def comparison() -> Comparison:
    return make_comparison()


@pytest.fixture(scope="module")
def same_comparison() -> Comparison:
    return make_comparison()


@pytest.fixture
def no_value() -> Comparison:
    return without_value(make_comparison())
