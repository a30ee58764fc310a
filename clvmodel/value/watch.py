"""Whom to look at: customers who are worth most, who may be lost, and who are overdue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.dates import silence
from clvmodel.value.tiering import ASLEEP, AT_RISK

Array = NDArray[np.float64]

LISTS = {
    "most valuable": "the highest predicted value",
    "most at risk": "the highest past value among those more likely than not to buy nothing",
    "most overdue": "the longest silence for their own usual gap, among those with three repeat "
    "purchases or more whose chance of a purchase is still 30% or more",
}
"""The lists of `watch`, each with its definition. The limits are judgements."""
_RHYTHM = 3  # repeat purchases from which on a customer has a usual gap


def watch(summary: Summary, scores: Any, most: int = 10) -> dict[str, list[dict[str, Any]]]:
    """The first `most` customers of each list of `LISTS`, as plain rows.

    `scores` is what `model.predict(summary, horizon)` returned. Rows: "row" (place in the summary),
    "past_value", "expected_value" (both in purchases, without amounts), "p_purchase",
    "days_silent", "usual_gap" in days (None for one-purchase customers). Equal customers keep their
    order. Raises DataError if the tables do not match.
    """
    table = read_frame(scores)[0]
    if table.num_rows != len(summary):
        raise DataError(f"scores has {table.num_rows:,} rows, the summary {len(summary):,}.")
    worth = "expected_value" in table.column_names and summary.total_value is not None
    target = "expected_value" if worth else "expected_purchases"
    value, chance = (np.asarray(table[n].to_numpy(), float) for n in (target, "p_purchase"))
    past = summary.total_value if worth else summary.frequency + 1
    assert past is not None
    silent, ratio = silence(summary)
    overdue = (summary.frequency >= _RHYTHM) & (chance >= ASLEEP) & (ratio > 1)
    ranked = (
        _first(value, np.ones(value.size, bool), most),
        _first(past, chance < AT_RISK, most),
        _first(np.nan_to_num(ratio), overdue, most),
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = summary.recency / summary.frequency * days_in(summary.unit)
    return {
        name: [
            {
                "row": int(i),
                "past_value": float(past[i]),
                "expected_value": float(value[i]),
                "p_purchase": float(chance[i]),
                "days_silent": int(silent[i]),
                "usual_gap": float(gap[i]) if summary.frequency[i] else None,
            }
            for i in rows
        ]
        for name, rows in zip(LISTS, ranked, strict=True)
    }


def _first(values: Array, chosen: NDArray[np.bool_], most: int) -> NDArray[np.intp]:
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(-values[rows], kind="stable")[:most]]
