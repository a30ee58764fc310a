"""Predictive distributions: exact for single customers, calibrated over many."""

import numpy as np
import pandas as pd
import pytest
from value_cases import cdnow_model, cdnow_weeks, fitted_at

from clvmodel.errors import DataError, ParameterError
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.tables.summary import Summary
from clvmodel.value.value_model import ValueModel

SIMULATED = 1_000_000
ERRORS = 4.5  # standard errors that a simulation may be off
LEVELS = (0.05, 0.5, 0.8, 0.95, 0.99)
HISTORIES = [  # x, t_x, T in days, mean repeat value
    (0, 0, 1, 0.0),
    (0, 0, 365, 0.0),
    (1, 100, 300, 20.0),
    (3, 200, 400, 35.0),
    (12, 600, 730, 50.0),
    (300, 700, 730, 10.0),
    (300, 729, 730, 10.0),
]
MODELS = [
    BGNBD(0.243, 30.9, 0.793, 2.426),
    MBGNBD(0.525, 43.3, 0.891, 1.614),
    ParetoNBD(0.553, 74.0, 0.606, 81.7),
]
SPEND = [
    GammaGamma(6.25, 3.74, 15.44),
    GammaGamma(0.6, 1.2, 40.0),  # heavy tails: no variance without repeat purchases
    GammaGamma(400.0, 3.0, 0.2),  # each customer always spends nearly the same
]


def one_of_each():
    x, t_x, T, m = np.array(HISTORIES, float).T
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T, "monetary_value": m})
    return Summary.from_frame(frame, unit="D")


def simulated(model, spend, history, horizon, rng):
    """What one customer buys and spends within the horizon, many times over."""
    x, t_x, T, m = history
    alive = rng.random(SIMULATED) < model.p_alive(x, t_x, T)
    new = model.update(x, T)
    count = np.where(alive, new.simulate(np.full(SIMULATED, horizon), seed=rng).x, 0)
    paid = np.zeros(SIMULATED)
    some = count > 0
    nu = rng.gamma(spend.q + spend.p * x, 1 / (spend.gamma + x * m), some.sum())
    paid[some] = rng.gamma(spend.p * count[some]) / nu
    return count, paid


@pytest.mark.parametrize("spend", SPEND, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.title)
def test_quantiles_are_those_of_simulated_customers(model, spend):
    if spend is not SPEND[0] and model is not MODELS[0]:
        model = model.rescaled(2.0)  # other shapes, not only another spend
    got = fitted_at(model, spend).predict(
        one_of_each(), 365, quantiles=LEVELS, value_above=50.0, margin=0.5
    )
    rng = np.random.default_rng(11)
    for row, history in enumerate(HISTORIES):
        count, paid = simulated(model, spend, history, 365.0, rng)
        for level in LEVELS:
            name, slack = f"q{level:.2f}"[3:], ERRORS * np.sqrt(level * (1 - level) / SIMULATED)
            at = got[f"purchases_q{name}"][row]
            assert np.mean(count <= at) >= level - slack
            assert np.mean(count < at) <= level + slack
            value = got[f"value_q{name}"][row] / 0.5
            expected = max(level, np.mean(count == 0))
            assert np.mean(paid <= value) == pytest.approx(expected, abs=slack + 1e-9)
        chance = got["p_value_above"][row]
        slack = ERRORS * np.sqrt(chance * (1 - chance) / SIMULATED) + 1e-9
        assert np.mean(0.5 * paid > 50.0) == pytest.approx(chance, abs=slack)


def test_a_customer_with_one_purchase_has_the_interval_of_the_population():
    """Spend of such customers is that of the population, whatever stands in their row."""
    spend = SPEND[0]
    got = fitted_at(MODELS[2], spend).predict(one_of_each(), 365, quantiles=(0.5, 0.999))
    again = one_of_each()
    assert got["expected_spend"][0] == pytest.approx(spend.expected_spend())
    twice = Summary.from_frame(
        again.frame.assign(monetary_value=again.monetary_value * 2), unit="D"
    )
    other = fitted_at(MODELS[2], spend).predict(twice, 365, quantiles=(0.5, 0.999))
    assert other["value_q999"][0] == got["value_q999"][0] > 0
    assert other["value_q999"][4] > got["value_q999"][4]


def test_thresholds_and_quantiles_agree():
    """P(value > its q-quantile) = 1 - q, wherever the quantile is above 0."""
    model, summary = cdnow_model(), cdnow_weeks()
    got = model.predict(summary, "52W", quantiles=(0.9,))
    value = got["value_q90"].to_numpy()
    back = model.predict(summary, "52W", value_above=value)["p_value_above"].to_numpy()
    some = value > 0
    assert some.sum() > 500
    np.testing.assert_allclose(back[some], 0.1, atol=1e-7)  # the cubic's error
    np.testing.assert_allclose(back[~some], got["p_purchase"][~some], atol=1e-9)
    assert (got["p_purchase"][~some] <= 0.1).all()


def test_columns_follow_from_each_other():
    got = cdnow_model().predict(
        cdnow_weeks(), "26W", quantiles=(0.025, 0.5, 0.975), value_above=0.0, margin=0.3
    )
    names = ["purchases_q025", "purchases_q50", "purchases_q975"]
    names += ["value_q025", "value_q50", "value_q975", "p_value_above"]
    assert list(got.columns)[-7:] == names
    for kind in ("purchases", "value"):
        low, middle, high = (got[f"{kind}_q{q}"] for q in ("025", "50", "975"))
        assert ((low <= middle) & (middle <= high)).all()
        assert ((got[f"{kind}_q50"] > 0) == (got["p_purchase"] > 0.5)).all()
    np.testing.assert_allclose(got["p_value_above"], got["p_purchase"], atol=1e-9)


def test_margins_scale_the_values_of_each_customer():
    model, summary = cdnow_model(), cdnow_weeks()
    whole = model.predict(summary, "26W", quantiles=(0.9,))
    rate = np.linspace(0.0, 1.0, len(summary))
    frame = summary.frame.assign(rate=rate)
    joined = Summary.from_frame(frame, unit="W", end=summary.end)
    for got in (
        model.predict(summary, "26W", quantiles=(0.9,), margin=rate),
        model.predict(joined, "26W", quantiles=(0.9,), margin="rate"),
    ):
        for name in ("expected_value", "clv", "value_q90", "historic_value"):
            np.testing.assert_allclose(got[name], rate * whole[name], rtol=1e-12)
        assert (got["purchases_q90"] == whole["purchases_q90"]).all()


WRONG = {
    "quantiles 0": {"quantiles": (0.0, 0.5)},
    "quantiles 1": {"quantiles": 1.0},
    "quantiles text": {"quantiles": "half"},
    "above negative": {"value_above": -1.0},
    "above nan": {"value_above": float("nan")},
    "margin of another length": {"margin": [0.1, 0.2]},
    "negative margin": {"margin": -0.1, "quantiles": (0.5,)},
    "for ever": {"horizon": np.inf, "quantiles": (0.5,)},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_arguments(wrong):
    with pytest.raises(ParameterError):
        cdnow_model().predict(cdnow_weeks(), **{"horizon": "52W", **wrong})


def test_without_a_model_of_spend():
    model = ValueModel(spend=None).fit(cdnow_weeks())
    got = model.predict(cdnow_weeks(), "52W", quantiles=(0.5,))
    assert "purchases_q50" in got
    assert "value_q50" not in got
    with pytest.raises(DataError, match="spend"):
        model.predict(cdnow_weeks(), "52W", value_above=1.0)
