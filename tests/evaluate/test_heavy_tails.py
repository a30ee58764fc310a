"""Spend without a mean (q <= 1): said in words, and purchases are scored all the same."""

import numpy as np
import pandas as pd
import pytest

import clvmodel as clv


@pytest.fixture(scope="module")
def orders():
    rng = np.random.default_rng(1)
    n = 1500
    found = clv.BGNBD(0.6, 60, 0.7, 2.8).simulate_purchases(np.full(n, 700.0), seed=2)
    customer = np.concatenate([np.arange(n), found.customer])
    day = np.concatenate([np.zeros(n), np.ceil(found.time)])
    nu = rng.gamma(0.7, 1 / 10, n)
    return pd.DataFrame(
        {
            "customer": customer,
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, "D"),
            "value": rng.gamma(6.0, 1, customer.size) / nu[customer],
        }
    )


def test_it_is_said_in_words(orders):
    summary = clv.summarize(orders, customer="customer", date="date", value="value")
    fit = clv.fit(clv.GammaGamma, summary)
    assert fit.model.q < 1
    assert "does not exist" in fit.message


def test_purchases_are_scored_and_value_is_not(orders):
    comparison = clv.backtest(
        orders,
        [clv.ValueModel(), clv.StoreFormula()],
        customer="customer",
        date="date",
        value="value",
    )
    scored = {(s["candidate"], s["target"]) for s in comparison.scores}
    assert ("BG/NBD + Gamma-Gamma", "purchases") in scored
    assert ("BG/NBD + Gamma-Gamma", "value") not in scored
    assert "value not scored" in comparison.results[0].error
    assert "value not scored" in comparison.to_html()
