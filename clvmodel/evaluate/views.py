"""What a holdout looks like next to the forecasts, as plain lists for figures and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.evaluate.metrics import coverage, width
from clvmodel.evaluate.protocol import Forecasts, Prediction
from clvmodel.evaluate.ranks import deciles, gain_curve
from clvmodel.tables.holdout import Holdout
from clvmodel.value.predictions import level_name

Array = NDArray[np.float64]
LOW, HIGH = 0.05, 0.95  # quantiles whose interval is checked: it promises 90%
_SHARES = np.linspace(0.0, 1.0, 51)
_BINS = 10
_MOST = 7  # repeat purchases from which on customers are counted together


def decile_calibration(actual: Array, made: dict[str, Array]) -> dict[str, Any]:
    """Mean actual and predicted of each tenth of customers, predicted highest first."""
    table = {}
    for name, predicted in made.items():
        found, said = deciles(actual, predicted)
        table[name] = {"actual": found.tolist(), "predicted": said.tolist()}
    return table


def gains(actual: Array, made: dict[str, Array]) -> dict[str, Any]:
    """Gain curves: "shares" of customers, "best" (in the order of what happened), "predicted".

    Nothing but the shares where nothing happened.
    """
    best = gain_curve(actual, actual, _SHARES)
    if best is None:
        return {"shares": _SHARES.tolist(), "best": None, "predicted": {}}
    curves = {name: gain_curve(actual, p, _SHARES) for name, p in made.items()}
    return {
        "shares": _SHARES.tolist(),
        "best": best.tolist(),
        "predicted": {name: c.tolist() for name, c in curves.items() if c is not None},
    }


def reliability(happened: Array, chance: Array) -> list[dict[str, float]]:
    """Do customers with a chance of 30% buy in 3 cases of 10? Up to ten bins of equal size.

    Customers with the same chance stay together. Per bin: customers, mean predicted chance, share
    who bought, and its 95% (Wilson) interval.
    """
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, _BINS + 1)[1:-1]))
    code = np.searchsorted(edges, chance, side="left")
    size = np.bincount(code, minlength=edges.size + 1)
    rows = []
    for i in np.flatnonzero(size):
        n, k = int(size[i]), float(happened[code == i].sum())
        low, high = wilson(k, n)
        mean = float(chance[code == i].mean())
        rows.append({"customers": n, "predicted": mean, "actual": k / n, "low": low, "high": high})
    return rows


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share."""
    z = float(ndtri(0.5 + level / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def interval_coverage(split: Holdout, fitted: Any, prediction: Prediction) -> list[dict[str, Any]]:
    """How often what happened lay between the 5% and 95% quantiles, and how wide they are.

    `nominal` is what the candidate itself promises on average. It exceeds 0.9 where values are
    whole numbers or 0 has a chance of its own; None where the candidate does not say.
    """
    rows = []
    for target, actual in (("purchases", split.purchases), ("value", split.value)):
        names = [f"{target}_{level_name(level)}" for level in (LOW, HIGH)]
        if actual is None or not all(n in prediction for n in names):
            continue
        low, high = (prediction[n] for n in names)
        covered = coverage(actual, low, high)
        least, most = wilson(covered * actual.size, actual.size)
        rows.append(
            {
                "target": target,
                "level": HIGH - LOW,
                "nominal": _promised(split, fitted, prediction, target, low, high),
                "coverage": covered,
                "low": least,
                "high": most,
                "below": float((actual < low).mean()),
                "above": float((actual > high).mean()),
                "width": width(low, high),
            }
        )
    return rows


def _promised(
    split: Holdout, fitted: Any, prediction: Prediction, target: str, low: Array, high: Array
) -> float | None:
    if target == "value":
        if "active" not in prediction:
            return None
        never = 1 - prediction["active"]
        each = np.where(high == 0, never, np.where(low == 0, HIGH, HIGH - LOW))
        return float(each.mean())
    if not hasattr(fitted, "purchase_chances"):
        return None
    ask = (fitted.purchase_chances(split.calibration, n, f"{split.days}D") for n in (low, high))
    (at_low, upto_low), (_, upto_high) = ask
    return float((upto_high - upto_low + at_low).mean())


def frequency_histogram(split: Holdout, forecasts: Forecasts) -> dict[str, Any]:
    """Customers by repeat purchases up to the cutoff, and as many as fitted models expect."""
    count = np.minimum(split.calibration.frequency, _MOST).astype(int)
    expected = {
        name: fitted.expected_frequencies(split.calibration, _MOST).tolist()
        for name, fitted in forecasts.fitted.items()
        if hasattr(fitted, "expected_frequencies")
    }
    return {
        "groups": [*(str(i) for i in range(_MOST)), f"{_MOST}+"],
        "actual": np.bincount(count, minlength=_MOST + 1).tolist(),
        "expected": expected,
    }


def books(split: Holdout) -> dict[str, Any]:
    """Where every purchase and its value lies: lines that add up to all that was read.

    Customers who first bought within the holdout are nobody's forecast: a line of their own.
    """
    history, cut = split.history, np.datetime64(split.cutoff, "D").astype(np.int64)
    before, after = history.day <= cut, history.day > cut + split.days
    value = history.value

    def line(customers: int, purchases: float, worth: float | None) -> dict[str, Any]:
        return {"customers": customers, "purchases": int(purchases), "value": worth}

    def part(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        worth = None if value is None else float(value[chosen].sum())
        return line(np.unique(history.customer[chosen]).size, float(chosen.sum()), worth)

    later = None if split.value is None else float(split.value.sum())
    return {
        "up to the cutoff": part(before),
        "known customers in the holdout": line(
            int((split.purchases > 0).sum()), float(split.purchases.sum()), later
        ),
        "late joiners in the holdout": line(
            split.late_customers,
            split.late_purchases,
            None if value is None else split.late_value,
        ),
        "after the holdout": part(after),
        "all": part(np.ones(history.day.size, dtype=bool)),
    }


def views(split: Holdout, forecasts: Forecasts) -> dict[str, Any]:
    """All of the above for one holdout."""
    made = forecasts.predictions
    deciles_by, gains_by = {}, {}
    for target, actual in (("purchases", split.purchases), ("value", split.value)):
        known = {name: p[target] for name, p in made.items() if target in p}
        if actual is not None and known:
            deciles_by[target] = decile_calibration(actual, known)
            gains_by[target] = gains(actual, known)
    bought = (split.purchases > 0).astype(float)
    return {
        "deciles": deciles_by,
        "gains": gains_by,
        "reliability": {
            n: reliability(bought, p["active"]) for n, p in made.items() if "active" in p
        },
        "coverage": [
            {"candidate": n, **row}
            for n, p in made.items()
            for row in interval_coverage(split, forecasts.fitted[n], p)
        ],
        "frequencies": frequency_histogram(split, forecasts),
        "books": books(split),
    }
