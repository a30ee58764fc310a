"""Two views of a backtest: purchases over time, and by how often customers bought before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.tables.holdout import Holdout
from clvmodel.tables.purchases import from_day, to_day

Array = NDArray[np.float64]
_GROUPS = 7  # 0, 1, ..., 6 and "7+" repeat purchases
_POINTS = 13  # forecasts between the cutoff and the end of the holdout


def by_frequency(split: Holdout, predictions: dict[str, dict[str, Array]]) -> dict[str, Any]:
    """Mean purchases per customer in the holdout, by number of repeat purchases before it.

    Groups without customers are left out.
    """
    group = np.minimum(split.calibration.frequency, _GROUPS).astype(int)
    size = np.bincount(group, minlength=_GROUPS + 1)
    present = np.flatnonzero(size)

    def means(values: Array) -> list[float]:
        total = np.bincount(group, weights=values, minlength=_GROUPS + 1)
        return [float(v) for v in total[present] / size[present]]

    return {
        "groups": [f"{g}+" if g == _GROUPS else str(g) for g in present],
        "customers": [int(size[g]) for g in present],
        "actual": means(split.purchases),
        "predicted": {n: means(p["purchases"]) for n, p in predictions.items() if "purchases" in p},
    }


def tracking(
    split: Holdout,
    fitted: dict[str, Any],
    predict: Callable[[Any, Any, str], tuple[dict[str, Array], str | None]],
) -> dict[str, Any]:
    """Cumulative repeat purchases of the customers known at the cutoff, actual and predicted.

    Up to the cutoff a model's curve is what it expects of new customers, knowing only when each
    one joined (`expected_cumulative`, where a candidate has it); after the cutoff it is the
    actual number at the cutoff plus the candidate's forecast for the time since. A candidate that
    cannot forecast the shorter times has no curve.
    """
    calibration, cutoff = split.calibration, to_day(split.cutoff)
    assert calibration.purchases is not None
    start = to_day(calibration.purchases.first_day)
    step = max(1, (cutoff - start) // (2 * _POINTS))
    before = np.append(np.arange(start, cutoff, step), cutoff)
    ahead = np.unique(np.ceil(np.linspace(0, split.days, _POINTS + 1)[1:]).astype(int))
    days = np.concatenate([before, cutoff + ahead])
    actual = _actual(split, days)
    at_cutoff = actual[before.size - 1]
    predicted: dict[str, list[float | None]] = {}
    for name, model in fitted.items():
        try:
            forecasts = [
                predict(model, calibration, f"{int(t)}D")[0].get("purchases") for t in ahead
            ]
        except Exception:  # scored at the horizon that was asked for; it has no path
            continue
        if any(f is None for f in forecasts):
            continue
        past: list[float | None] = [None] * (before.size - 1) + [float(at_cutoff)]
        if hasattr(model, "expected_cumulative"):
            past = [float(v) for v in model.expected_cumulative(calibration, before - start)]
        later: list[float | None] = [float(at_cutoff + f.sum()) for f in forecasts if f is not None]
        predicted[name] = past + later
    return {
        "dates": [_iso(day) for day in days],
        "actual": [float(v) for v in actual],
        "predicted": predicted,
    }


def _actual(split: Holdout, days: NDArray[np.int64]) -> Array:
    """Repeat purchases by the end of each day, of customers known at the cutoff."""
    history, cutoff = split.history, to_day(split.cutoff)
    first = np.full(len(history.ids), np.iinfo(np.int64).max)
    np.minimum.at(first, history.customer, history.day)
    known = first <= cutoff
    when = np.sort(history.day[known[history.customer]])
    joined = np.sort(first[known])
    count = np.searchsorted(when, days, side="right") - np.searchsorted(joined, days, side="right")
    return count.astype(float)


def _iso(day: Any) -> str:
    date: dt.date = from_day(day)
    return date.isoformat()
