"""What the figures of a comparison rest on: curves, bins and intervals that add up."""

import numpy as np
import pytest
from comparison_cases import cdnow
from scipy.stats import binomtest

import clvmodel as clv
from clvmodel.evaluate.views import reliability, wilson

MODEL = "BG/NBD + Gamma-Gamma"


def fold():
    return cdnow().folds[0]


def test_deciles_add_up_to_what_was_scored():
    for target in ("purchases", "value"):
        for score in cdnow().scores:
            if score["target"] == target:
                table = fold()["deciles"][target][score["candidate"]]
                n = cdnow().data["customers"]
                assert np.mean(table["actual"]) * n == pytest.approx(score["actual_total"])
                assert np.mean(table["predicted"]) * n == pytest.approx(score["predicted_total"])


def test_gain_curves_pass_the_top_decile():
    gains = fold()["gains"]["purchases"]
    assert gains["shares"][5] == pytest.approx(0.1)
    for score in cdnow().scores:
        curve = gains["predicted"][score["candidate"]]
        if score["target"] == "purchases" and score["top_decile"] is not None:
            assert curve[5] == pytest.approx(score["top_decile"])
        assert (curve[0], curve[-1]) == (0, pytest.approx(1))
        assert np.all(np.array(curve) <= np.array(gains["best"]) + 1e-12)


def test_reliability_by_hand():
    chance = np.repeat([0.1, 0.5, 0.9], [50, 30, 20])
    happened = np.zeros(100)
    happened[:5] = 1
    happened[50:65] = 1
    happened[80:] = 1
    rows = reliability(happened, chance)
    assert [r["customers"] for r in rows] == [50, 30, 20]
    assert [r["predicted"] for r in rows] == pytest.approx([0.1, 0.5, 0.9])
    assert [r["actual"] for r in rows] == pytest.approx([0.1, 0.5, 1.0])


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (500, 1000)])
def test_wilson_is_scipy_s(k, n):
    found = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((found.low, found.high), abs=1e-12)


def test_reliability_of_models_only():
    assert set(fold()["reliability"]) == {MODEL, f"{MODEL} (lifetimes)"}
    rows = fold()["reliability"][MODEL]
    assert sum(r["customers"] for r in rows) == 2357
    assert all(r["low"] <= r["actual"] <= r["high"] for r in rows)
    bought = sum(r["customers"] * r["actual"] for r in rows)
    assert bought == pytest.approx(fold()["books"]["known customers in the holdout"]["customers"])


def test_intervals_promise_what_simulated_customers_keep():
    """On orders drawn from a model, the true model's intervals cover as often as it says."""
    from clvmodel.evaluate.truth import TrueModel

    orders = simulated_orders(4000, 5)
    truth = TrueModel(clv.BGNBD(0.6, 60, 0.7, 2.8), clv.GammaGamma(6, 4, 25))
    found = clv.backtest(orders, [truth], customer="who", date="when", value="paid", bootstrap=0)
    rows = found.folds[0]["coverage"]
    assert [r["target"] for r in rows] == ["purchases", "value"]
    for row in rows:
        assert row["coverage"] + row["below"] + row["above"] == pytest.approx(1)
        error = np.sqrt(row["nominal"] * (1 - row["nominal"]) / found.data["customers"])
        assert row["coverage"] == pytest.approx(row["nominal"], abs=4 * error)
        assert row["nominal"] >= 0.9
        assert row["width"] > 0


def simulated_orders(customers, seed):
    """Orders of a shop that BG/NBD and Gamma-Gamma describe, over two years."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    joined = rng.integers(0, 700, customers)
    repeats = clv.BGNBD(0.6, 60, 0.7, 2.8).simulate_purchases(730.0 - joined, seed=seed)
    who = np.concatenate([np.arange(customers), repeats.customer])
    day = np.concatenate([joined, joined[repeats.customer] + np.ceil(repeats.time)])
    nu = rng.gamma(4, 1 / 25, customers)
    paid = rng.gamma(6, 1 / nu[who])
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(day, "D")
    return pd.DataFrame({"who": who, "when": when, "paid": paid})


def test_frequencies():
    table = fold()["frequencies"]
    assert table["actual"] == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert set(table["expected"]) == {MODEL, f"{MODEL} (lifetimes)"}
    assert sum(table["expected"][MODEL]) == pytest.approx(2357)


def test_log_score_is_that_of_the_counts():
    row = next(
        m
        for m in cdnow().measures
        if m["metric"] == "log_score" and m["grouping"] == "all" and m["candidate"] == MODEL
    )
    summary = clv.summarize(
        clv.datasets.load_cdnow(sample=True),
        customer="customer_id",
        date="date",
        value="amount",
        end="1997-09-30",
    )
    split = clv.holdout_split(
        clv.datasets.load_cdnow(sample=True),
        customer="customer_id",
        date="date",
        value="amount",
        cutoff="1997-09-30",
        horizon="39W",
    )
    model = clv.fit(clv.BGNBD, summary).model
    chance = model.pmf(split.purchases, 273, summary.frequency, summary.recency, summary.T)
    assert row["value"] == pytest.approx(-np.log(chance).mean(), rel=1e-6)
