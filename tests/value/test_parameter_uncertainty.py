"""Averages over draws of the parameters, held against the same averages done one by one."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import betainc
from value_cases import fitted_at

from clvmodel.errors import ParameterError
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.tables.summary import Summary
from clvmodel.value.predictions import DRAWS, drawn_models, drawn_spending
from clvmodel.value.value_model import ValueModel

SPEND = GammaGamma(3.0, 2.5, 30.0)
TRUTH = [BGNBD(0.4, 40.0, 0.8, 2.5), ParetoNBD(0.5, 60.0, 0.7, 150.0)]
LEVELS = (0.5, 0.9, 0.99)
# Of a chance, by the number of customers. Averages are taken on a coarser grid: where 12 or 40
# customers leave the shape p unbounded, single draws jump within a step of it. The averages
# themselves, over 100 draws, are off by far more.
CLOSE = {12: 0.03, 40: 5e-3, 400: 1e-4}


def lived(truth, size):
    T = np.random.default_rng(1).integers(50, 500, size).astype(float)
    x, t_x, T, *_ = truth.simulate(T, seed=2)
    frame = {"frequency": x, "recency": t_x, "T": T, "monetary_value": SPEND.simulate(x, seed=3)}
    return Summary.from_frame(pd.DataFrame(frame), unit="D")


@pytest.mark.parametrize("size", [12, 40, 400])
@pytest.mark.parametrize("truth", TRUTH, ids=lambda m: m.title)
def test_quantiles_hold_their_level_on_average(truth, size):
    summary = lived(truth, size)
    fitted = ValueModel(purchases=type(truth)).fit(summary)
    got = fitted.predict(summary, 200, quantiles=LEVELS, parameter_uncertainty=True, seed=5)
    rng = np.random.default_rng(5)
    models = drawn_models(fitted.purchases, DRAWS, rng)
    spend = drawn_spending(fitted.spend, DRAWS, rng)
    gamma = spend.gamma * fitted.spend.model.gamma
    k = np.arange(1.0, 600.0)
    rows = np.argsort(-summary.frequency)[:: max(size // 8, 1)]
    history = [v[rows, None] for v in (summary.frequency, summary.recency, summary.T)]
    chances = np.mean([model.pmf(k, 200, *history) for model in models], axis=0)
    for row, chance in zip(rows, chances, strict=True):
        x, m = summary.frequency[row], summary.monetary_value[row]
        for level in LEVELS:
            name = f"q{level:.2f}"[3:]
            bought = got[f"purchases_q{name}"][row]
            assert chance[k > bought].sum() <= 1 - level + CLOSE[size]
            assert bought == 0 or chance[k >= bought].sum() > 1 - level - CLOSE[size]
            value = got[f"value_q{name}"][row]
            if value == 0:
                assert chance.sum() <= 1 - level + CLOSE[size]
                continue
            above = [
                chance @ betainc(q + p * x, p * k, (g + x * m) / (value + g + x * m))
                for p, q, g in zip(spend.p, spend.q, gamma, strict=True)
            ]
            assert 1 - np.mean(above) == pytest.approx(level, abs=CLOSE[size])


def test_parameters_that_are_known_make_no_difference():
    summary = lived(TRUTH[0], 100)
    known = fitted_at(TRUTH[0], SPEND)
    plain, averaged = (
        known.predict(summary, 200, quantiles=LEVELS, parameter_uncertainty=u)
        for u in (False, True)
    )
    pd.testing.assert_frame_equal(plain, averaged, rtol=5e-3)  # 1e-4 of a chance, in the tail


def test_uncertain_parameters_widen_intervals():
    summary = lived(TRUTH[0], 40)
    fitted = ValueModel().fit(summary)
    plain, averaged = (
        fitted.predict(summary, 200, quantiles=(0.99,), parameter_uncertainty=u)
        for u in (False, True)
    )
    assert averaged["value_q99"].sum() > 1.05 * plain["value_q99"].sum()
    same = [c for c in plain if c not in ("value_q99", "purchases_q99")]
    pd.testing.assert_frame_equal(plain[same], averaged[same])


def test_not_with_covariates_of_spend():
    summary = lived(TRUTH[0], 200)
    frame = summary.frame.assign(vip=np.arange(200) % 2 == 0)
    known = Summary.from_frame(frame, unit="D")
    fitted = ValueModel(spend_covariates=["vip"]).fit(known)
    with pytest.raises(ParameterError, match="spend_covariates"):
        fitted.predict(known, 200, quantiles=(0.9,), parameter_uncertainty=True)


def test_customers_who_all_pay_the_same():
    """Spend at its limit, one price for all: quantiles of value are those of purchases times it."""
    frame = {"frequency": [5] * 60, "recency": [200] * 60, "T": [300] * 60}
    summary = Summary.from_frame(pd.DataFrame({**frame, "monetary_value": 10.0}), unit="D")
    got = (
        ValueModel()
        .fit(summary)
        .predict(summary, "1Y", quantiles=(0.5, 0.95), parameter_uncertainty=True)
    )
    for level in ("q50", "q95"):
        bought = got[f"purchases_{level}"][0]
        assert got[f"value_{level}"][0] == pytest.approx(10 * bought, rel=0.01)
