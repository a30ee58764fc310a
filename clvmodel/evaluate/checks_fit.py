"""Checks of a fitted model: certainties, flat directions, and the distribution of what came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ClvError
from clvmodel.evaluate.checks import CONCERN, FINE, SLIGHT, Check, unknown
from clvmodel.evaluate.earlier import earlier_holdouts
from clvmodel.evaluate.truth import futures
from clvmodel.evaluate.views import wilson
from clvmodel.tables.summary import Summary
from clvmodel.value.fitted import FittedValueModel
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import parameter_draws
from clvmodel.value.value_model import ValueModel

Array = NDArray[np.float64]
_CERTAIN = 0.9999
_LOOKED_AT, _FUTURES = 5_000, 100
_VAGUE = 1.0  # standard error of a log-parameter: a factor of seven up or down


def certain(model: FittedValueModel, summary: Summary, level: float) -> Check:
    """Share of customers whom the model takes to be alive for certain."""
    fit = model.purchases
    outlook = Outlook.of(fit.model, summary.in_unit(fit.unit))
    alive = outlook.alive(fit.model)[outlook.where] >= _CERTAIN
    share, n = float(alive.mean()), len(summary)
    low, high = wilson(float(alive.sum()), n, level)
    ones = float((alive & (summary.frequency == 0)).sum() / max(alive.sum(), 1))
    much = share > 0.1
    return Check(
        "certainly alive",
        "share of customers with p_alive = 1",
        share,
        low,
        high,
        CONCERN if much else FINE,
        f"{share:.0%} of customers have p_alive = 1"
        + (f", {ones:.0%} of them with one purchase." if alive.any() else "."),
        "BG/NBD lets nobody leave before a repeat purchase: act on p_purchase rather than p_alive, "
        "or fit MBG/NBD or Pareto/NBD."
        if much
        else "",
        n,
    )


def flat_directions(model: FittedValueModel) -> Check:
    """Largest standard error of a log-parameter: how little the data say of one of them."""
    name, what = "flat directions", "largest standard error of a log-parameter"
    worst, where = -1.0, ""
    for fit in model.fits:
        spread = np.sqrt(np.diag(fit.covariance))
        names = [n for n in fit.parameters if ":" not in n]
        place = int(np.argmax(spread[: len(names)]))
        if spread[place] > worst:
            worst, where = float(spread[place]), f"{names[place]} of {fit.model.title}"
    settled = all(fit.converged for fit in model.fits)
    vague = worst > _VAGUE or not settled
    said = " ".join(f"{fit.model.title}: {fit.message}" for fit in model.fits)
    return Check(
        name,
        what,
        worst,
        None,
        None,
        CONCERN if vague else FINE,
        f"{where} has a standard error of {worst:.2f} on the log scale. {said}",
        "The data do not tell such parameters apart: read predictions rather than parameters, use "
        "profile intervals, more data, a penalty, or a simpler model."
        if vague
        else "",
        int(model.purchases.customers),
    )


def holdout_pit(model: FittedValueModel, summary: Summary, level: float, seed: int) -> Check:
    """Do what customers bought in a holdout, and the predicted distributions, agree as a whole?

    The same kind of model is fitted to the first half of the history (all but the last year, of a
    longer one), and each customer's purchases in the rest are placed in the predicted distribution:
    u between P(at most n - 1) and P(at most n), at random (randomised PIT), even on (0, 1) if the
    predictions are right. Effect: the largest distance of their distribution from that. The
    interval is +- what it reaches with chance `level` if the model is right, in 100 futures drawn
    from the posterior of the parameters, so that their uncertainty is allowed for. Of more than
    5,000 customers, 5,000 at random are looked at.
    """
    name, what = "holdout distribution", "largest distance of PIT values from an even spread"
    rng = np.random.default_rng(seed)
    try:
        holdout = earlier_holdouts(summary, None, 1, "The holdout check")[0]
        again = _alike(model).fit(holdout.calibration)
    except ClvError as error:
        return unknown(name, what, str(error))
    n = min(len(holdout.calibration), _LOOKED_AT)
    rows = np.sort(rng.choice(len(holdout.calibration), n, replace=False))
    known, horizon = holdout.calibration.take(rows), f"{holdout.days}D"
    u = _placed(again, known, holdout.purchases[rows], horizon, rng)
    distance, drawn = _distance(u), []
    for point in parameter_draws(again.purchases, _FUTURES, rng):
        other = FittedValueModel(replace(again.purchases, model=again.purchases.at(point)), None)
        future = futures(other, known, horizon, 1, rng)["purchases"][0]
        drawn.append(_distance(_placed(again, known, future, horizon, rng)))
    band = float(np.quantile(drawn, level))
    mean = float(u.mean())
    status = FINE if distance <= band else CONCERN if distance > 0.05 else SLIGHT
    side = "more" if mean > 0.5 else "less"
    text = (
        f"Over {holdout.days:,} days held out, predicted distributions of purchases hold."
        if status == FINE
        else f"Over {holdout.days:,} days held out, customers bought {side} than their predicted "
        f"distributions say (mean PIT {mean:.3f}, 0.5 if right)."
        + (" Too little to matter." if status == SLIGHT else "")
    )
    return Check(
        name,
        what,
        distance,
        max(distance - band, 0.0),
        min(distance + band, 1.0),
        status,
        text,
        "Intervals and chances are off: see calibration and coverage in a backtest, try the other "
        "purchase models, look for drift and seasons."
        if status == CONCERN
        else "",
        n,
    )


def _placed(
    fitted: FittedValueModel, known: Summary, n: Array, horizon: str, rng: np.random.Generator
) -> Array:
    """PIT values, in ascending order."""
    exactly, upto = fitted.purchase_chances(known, n, horizon)
    return np.sort(upto - exactly * rng.random(upto.size))


def _distance(u: Array) -> float:
    """Largest distance of the distribution of sorted values from the even one on (0, 1)."""
    steps = np.arange(u.size + 1) / u.size
    return float(max((steps[1:] - u).max(), (u - steps[:-1]).max()))


def _alike(model: FittedValueModel) -> ValueModel:
    """Return the unfitted purchase model of the same kind, without covariates."""
    found: Any = model.purchases.model
    return ValueModel(purchases=getattr(found, "family", type(found)), spend=None)
