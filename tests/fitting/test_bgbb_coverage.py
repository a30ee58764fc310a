"""BG/BB predicts what happens: donors of a known law, a model fitted to their past."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest

import clvmodel as clv

CUSTOMERS, PAST, AHEAD = 20_000, 6, 5
# The largest gap between a distribution of so many numbers and the uniform one has a chance of
# 1e-4 under the law; half a percent is for the parameters, which are estimated.
CHANCE, ESTIMATED = 1e-4, 0.005
LAWS = {
    "donors": clv.BGBB(1.204, 0.750, 0.657, 2.783),
    "few come back": clv.BGBB(0.5, 2.0, 0.8, 3.0),
}


@cache
def lived(name):
    """Histories of the first opportunities, and purchases at the next."""
    n = np.full(CUSTOMERS, PAST + AHEAD)
    customer, opportunity = LAWS[name].simulate_purchases(n, seed=5)
    past = opportunity <= PAST
    x, ahead = (np.bincount(customer[which], minlength=CUSTOMERS) for which in (past, ~past))
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, customer[past], opportunity[past])
    return (x.astype(float), t_x, np.full(CUSTOMERS, float(PAST))), ahead


@cache
def ranks(name):
    """Randomised PIT: uniform between the chances of fewer, and of as many or fewer."""
    history, ahead = lived(name)
    model = clv.fit(clv.BGBB, dict(zip(clv.BGBB.columns, history, strict=True))).model
    upto, below = (model.cdf(k, AHEAD, *history) for k in (ahead, ahead - 1))
    return below + np.random.default_rng(6).random(CUSTOMERS) * (upto - below)


def groups(x):
    best = x >= np.quantile(x, 0.9)
    return {"all": np.ones(x.size, bool), "one purchase": x == 0, "best": best}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("group", ["all", "one purchase", "best"])
def test_what_happens_is_uniform_in_its_predictive_distribution(name, group):
    members = groups(lived(name)[0][0])[group]
    rank = ranks(name)[members]
    allowed = np.sqrt(-0.5 * np.log(CHANCE / 2) / rank.size) + ESTIMATED
    assert rank.size > 1000
    assert kstest(rank, "uniform").statistic < allowed
    for level in (0.5, 0.8, 0.95):
        inside = np.mean(np.abs(rank - 0.5) <= level / 2)
        error = np.sqrt(level * (1 - level) / rank.size)
        assert inside == pytest.approx(level, abs=4 * error + ESTIMATED)


@pytest.mark.parametrize("name", LAWS)
def test_a_wrong_history_is_found_out(name):
    """The same with every customer's last purchase as if at the last opportunity."""
    (x, _, n), ahead = lived(name)
    history = (x, np.where(x > 0, n, 0.0), n)
    upto, below = (LAWS[name].cdf(k, AHEAD, *history) for k in (ahead, ahead - 1))
    rank = below + np.random.default_rng(6).random(CUSTOMERS) * (upto - below)
    allowed = np.sqrt(-0.5 * np.log(CHANCE / 2) / CUSTOMERS) + ESTIMATED
    assert kstest(rank, "uniform").statistic > allowed
