"""What a fitted model says, as plain lists to draw: grids of histories, curves, how customers vary.

Everything is at the estimates of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammainc, gammaincinv

from clvmodel.errors import DataError
from clvmodel.tables.cells import collapse
from clvmodel.tables.purchases import from_day, to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import UNIT_NAMES, days_in
from clvmodel.value.predictions import horizon_of, spend_history

Array = NDArray[np.float64]

_STEPS = 18  # of recency in a grid
_MOST = 15  # repeat purchases in a grid
_BINS = 20
_FAR = 0.99  # share of customers that a picture of how they vary holds


def history_grid(fitted: Any, summary: Summary, horizon: Any) -> dict[str, Any]:
    """P(alive) and expected purchases by frequency and recency, for a customer of the oldest age.

    "frequency" 0, 1, ... up to the 99.9% quantile of the customers' (from 1 to 15), "recency" the
    middles of equal steps, "recency_edges", "age", "unit", "days" (the horizon); "p_alive" and
    "expected" are lists per frequency. A frequency of 0 has no recency: its row is constant at
    recency 0 and is None elsewhere.
    """
    t, unit = horizon_of(fitted, summary, horizon)
    model = _plain(fitted)
    inside = summary.in_unit(unit)
    age = float(inside.T.max())
    top = int(np.clip(np.ceil(np.quantile(inside.frequency, 0.999)), 1, _MOST))
    edges = np.linspace(0.0, age, _STEPS + 1)
    recency = (edges[:-1] + edges[1:]) / 2
    x, t_x = np.meshgrid(np.arange(top + 1.0), recency, indexing="ij")
    t_x[0] = 0.0
    alive, expected = model.p_alive(x, t_x, age), model.expected_purchases(t, x, t_x, age)
    for table in (alive, expected):
        table[0, 1:] = np.nan
    return {
        "frequency": list(range(top + 1)),
        "recency": recency.tolist(),
        "recency_edges": edges.tolist(),
        "age": age,
        "unit": unit,
        "days": float(t * days_in(unit)),
        "p_alive": _lists(alive),
        "expected": _lists(expected),
    }


def repeat_purchases(fitted: Any, until: float, points: int = 101) -> dict[str, Any]:
    """Expected repeat purchases of a new customer up to `until`, in the unit of the fit."""
    time = np.linspace(0.0, until, points)
    expected = _plain(fitted).expected_purchases(time)
    return {"time": time.tolist(), "expected": expected.tolist(), "unit": fitted.purchases.unit}


def alive_history(fitted: Any, summary: Summary, row: int) -> dict[str, Any]:
    """P(alive) of one customer at the end of each day from the first purchase to the end.

    Right after a purchase it is that of somebody who has just bought. Raises DataError where single
    purchases are not known.
    """
    days, end = _purchases_of(summary, row)
    model, unit = _plain(fitted), days_in(fitted.purchases.unit)
    when = np.arange(days[0], end + 1, dtype=float)
    x = np.searchsorted(days, when, side="right") - 1
    alive = model.p_alive(x, (days[x] - days[0]) / unit, (when - days[0]) / unit)
    return {
        "dates": [_iso(day) for day in when],
        "p_alive": alive.tolist(),
        "purchases": [_iso(day) for day in days],
    }


def timelines(summary: Summary, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Dates of the purchases of some customers, and the end of observation of all.

    Raises DataError where single purchases are not known.
    """
    found = []
    for row in rows:
        days, end = _purchases_of(summary, row)
        dates = [_iso(day) for day in days]
        name = str(summary.ids[int(row)].as_py())
        found.append({"customer": name, "purchases": dates, "end": _iso(end)})
    return found


def rates(fitted: Any) -> dict[str, Any]:
    """How customers differ in how often they buy while alive: shares of them in equal bins.

    The bins hold 99% of them; "beyond" is the share of those above. Models whose customers buy at a
    gamma rate (BG/NBD, MBG/NBD, Pareto/NBD).
    """
    model, unit = _plain(fitted), UNIT_NAMES[fitted.purchases.unit][:-1]
    return _gamma(model.r, model.alpha, f"Purchases per {unit}")


def dropouts(fitted: Any) -> dict[str, Any]:
    """How customers differ in how soon they leave: shares of them in equal bins.

    The chance of leaving after a purchase (BG/NBD, MBG/NBD: beta), or the rate of leaving per unit
    of time (Pareto/NBD: gamma). Else as `rates`.
    """
    model, unit = _plain(fitted), UNIT_NAMES[fitted.purchases.unit][:-1]
    if hasattr(model, "beta"):
        return _gamma(model.s, model.beta, f"Rate of leaving per {unit}")
    top = float(betaincinv(model.a, model.b, _FAR))
    edges = np.linspace(0.0, top, _BINS + 1)
    shares = np.diff(betainc(model.a, model.b, edges))
    mean = model.a / (model.a + model.b)
    return _binned(edges, shares, mean, "Chance of leaving after a purchase")


def spend_shares(fitted: Any, summary: Summary) -> dict[str, Any]:
    """Customers by the mean value of their purchases: shares seen and expected in equal bins.

    Of those whose purchases the spend model was fitted to. The expected share is exact: given x
    purchases, x m / (x m + gamma) is beta(p x, q). The bins hold 99% of the customers seen; the
    rest is missing on both sides. Raises DataError without a spend model, or with covariates.
    """
    if fitted.spend is None:
        raise DataError("Nothing is said about spend: there is no spend model.")
    model = fitted.spend.model
    if not hasattr(model, "gamma"):
        raise DataError("The spend model has covariates: customers differ in its parameters.")
    count, mean = spend_history(summary, fitted.spend_includes_first)
    known = (count > 0) & (mean > 0)
    edges = np.linspace(0.0, float(np.quantile(mean[known], _FAR)), _BINS + 1)
    seen = np.histogram(mean[known], edges)[0] / known.sum()
    cells = collapse([count[known]], rows=False)
    x = cells.columns[0][:, None]
    below = betainc(model.p * x, model.q, x * edges / (x * edges + model.gamma))
    expected = np.diff(cells.weight @ below) / cells.weight.sum()
    return {"edges": edges.tolist(), "actual": seen.tolist(), "expected": expected.tolist()}


def _gamma(shape: float, rate: float, label: str) -> dict[str, Any]:
    edges = np.linspace(0.0, float(gammaincinv(shape, _FAR)) / rate, _BINS + 1)
    return _binned(edges, np.diff(gammainc(shape, edges * rate)), shape / rate, label)


def _binned(edges: Array, shares: Array, mean: float, label: str) -> dict[str, Any]:
    found = {"edges": edges.tolist(), "share": shares.tolist()}
    return {**found, "beyond": float(1 - shares.sum()), "mean": float(mean), "label": label}


def _plain(fitted: Any) -> Any:
    """The purchase model; DataError where customers differ in its parameters."""
    model = fitted.purchases.model
    if not hasattr(model, "p_alive"):
        raise DataError("The model has covariates: customers differ in its parameters.")
    return model


def _purchases_of(summary: Summary, row: int) -> tuple[Array, float]:
    past = summary.purchases
    if past is None or summary.end is None:
        raise DataError("Needs single purchases: a summary of orders.")
    return past.day[past.customer == int(row)].astype(float), float(to_day(summary.end))


def _lists(table: Array) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in table]


def _iso(day: Any) -> str:
    return str(from_day(np.floor(day)).isoformat())
