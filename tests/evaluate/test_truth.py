"""The bound of the true model: exact moments, and nobody below it."""

from pathlib import Path

import numpy as np
import pytest
from test_views import simulated_orders

import clvmodel as clv
from clvmodel.errors import ParameterError
from clvmodel.evaluate.metrics import rmse
from clvmodel.evaluate.truth import TrueModel, expected_errors

TRUTH = TrueModel(clv.BGNBD(0.6, 60, 0.7, 2.8), clv.GammaGamma(6, 4, 25))
ROLES = {"customer": "who", "date": "when", "value": "paid"}


@pytest.fixture(scope="module")
def summary():
    return clv.summarize(simulated_orders(1500, 1), **ROLES, end="2025-06-30")


def expected(rows, target, metric):
    return next(r for r in rows if (r["target"], r["metric"]) == (target, metric))


def test_expected_squared_error_is_the_variance_given_the_past(summary):
    """By the pmf, for purchases; four standard errors of 300 simulated futures."""
    rows = expected_errors(TRUTH.fit(summary), summary, "180D", draws=300, seed=1)
    n = np.arange(0, 400.0)[:, None]
    model = clv.BGNBD(0.6, 60, 0.7, 2.8)
    chance = model.pmf(n, 180, summary.frequency, summary.recency, summary.T)
    mean = (chance * n).sum(axis=0)
    variance = (chance * n**2).sum(axis=0) - mean**2
    found = expected(rows, "purchases", "rmse")
    error = (found["high"] - found["low"]) / 4 / np.sqrt(300)
    assert found["expected"] == pytest.approx(np.sqrt(variance.mean()), abs=4 * error)
    middle = np.argmax(np.cumsum(chance, axis=0) >= 0.5, axis=0)
    absolute = (chance * np.abs(n - middle)).sum(axis=0).mean()
    found = expected(rows, "purchases", "mae")
    error = (found["high"] - found["low"]) / 4 / np.sqrt(300)
    assert found["expected"] == pytest.approx(absolute, abs=4 * error + 0.002)
    bias = expected(rows, "value", "bias")
    assert bias["low"] < 0 < bias["high"]
    assert abs(bias["expected"]) < 0.02


def test_nobody_beats_the_bound_on_average():
    """Over 5 shops the fitted model and a formula lie at or above what the truth expects."""
    gaps = {"BG/NBD + Gamma-Gamma": [], "Last period": [], "True model": []}
    for seed in range(5):
        orders = simulated_orders(600, 100 + seed)
        past = clv.summarize(orders, **ROLES, end="2025-06-30")
        rows = expected_errors(TRUTH.fit(past), past, "180D", draws=40, seed=seed)
        bound = expected(rows, "purchases", "rmse")["expected"]
        candidates = [TRUTH, clv.ValueModel(), clv.LastPeriod()]
        found = clv.backtest(
            orders, candidates, **ROLES, cutoffs="2025-06-30", horizon="180D", bootstrap=0
        )
        for score in found.scores:
            if score["target"] == "purchases":
                gaps[score["candidate"]].append(score["rmse"] - bound)
    for name, each in gaps.items():
        error = np.std(each, ddof=1) / np.sqrt(len(each))
        assert np.mean(each) > -3 * error, name
    assert np.mean(gaps["Last period"]) > 3 * np.std(gaps["Last period"], ddof=1) / np.sqrt(5)
    assert abs(np.mean(gaps["True model"])) < 3 * np.std(gaps["True model"], ddof=1) / np.sqrt(5)


def test_on_the_sample_shop(summary):
    """The parameters that data/sample/shop_orders.csv was drawn from."""
    shop = Path(__file__).parents[2] / "data" / "sample" / "shop_orders.csv"
    roles = {"customer": "customer_email", "date": "ordered_at", "value": "amount"}
    past = clv.summarize(shop, **roles, end="2025-06-30")
    rows = expected_errors(TRUTH.fit(past), past, "184D", draws=100)
    found = clv.backtest(
        shop,
        [TRUTH, clv.ValueModel(), clv.StoreFormula(), clv.RunRate()],
        **roles,
        cutoffs=["2025-06-30"],
        bootstrap=0,
    )
    bound = expected(rows, "purchases", "rmse")
    scores = {s["candidate"]: s["rmse"] for s in found.scores if s["target"] == "purchases"}
    assert all(score > bound["low"] for score in scores.values())
    assert bound["low"] < scores["True model"] < bound["high"]
    assert found.results[0].kind == "truth"


def test_without_spend_and_the_same_twice(summary):
    bare = TrueModel(clv.BGNBD(0.6, 60, 0.7, 2.8), None).fit(summary)
    one, two = (expected_errors(bare, summary, "90D", draws=10) for _ in range(2))
    assert one == two
    assert {r["target"] for r in one} == {"purchases"}
    with pytest.raises(ParameterError, match="draws == 1"):
        expected_errors(bare, summary, "90D", draws=1)
    said = np.asarray(bare.predict(summary, "90D")["expected_purchases"])
    assert rmse(said, said) == 0
