"""The report with all its parts, made once for all tests that look at it."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import clvmodel as clv

NASTY = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a|b `c` *d*", "</td></svg>&amp;"]
COLUMNS = {"customer": "who", "date": "when", "value": "paid"}


@cache
def orders() -> pd.DataFrame:
    """Three hundred customers of a year; the most valuable ones have names that are code."""
    rng = np.random.default_rng(5)
    rate = np.sort(rng.gamma(0.7, 4.0, 300))[::-1]
    number = 1 + rng.poisson(rate)
    who = np.repeat(np.arange(300), number)
    names = np.array([*NASTY, *(f"client {i:03}" for i in range(300 - len(NASTY)))])
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, who.size), unit="D")
    paid = rng.gamma(6, 5, who.size).round(2)
    return pd.DataFrame({"who": names[who], "when": days, "paid": paid})


@cache
def comparison() -> clv.Comparison:
    candidates = [clv.ValueModel(), clv.StoreFormula(), clv.RunRate(), clv.HiatusRule()]
    found = clv.backtest(orders(), candidates, **COLUMNS, cutoffs=["2025-08-31"], bootstrap=100)
    return dataclasses.replace(found, options=found.options | {"command": "clvmodel report x.csv"})


@cache
def parts() -> dict[str, Any]:
    summary = clv.summarize(orders(), **COLUMNS, end="2025-12-31")
    model = clv.ValueModel().fit(summary)
    return {
        "model": model,
        "summary": summary,
        "scores": model.predict(summary, "122D"),
        "audit": clv.audit(orders(), **COLUMNS),
        "diagnosis": clv.diagnose(model, summary),
        "segments": clv.segment(summary, model),
        "tiers": clv.tier(summary, model),
        "cohorts": clv.cohorts(summary, model, ahead=3),
        "economics": clv.UnitEconomics(model, summary, cac=20.0, margin=0.4, draws=20),
    }


@cache
def source() -> str:
    """The report: made once, also for the tests that show it in a browser."""
    return comparison().to_html(**parts())
