"""Intervals cover what happens: customers of a known law, a model fitted to their past."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.tables.summary import Summary
from clvmodel.value.value_model import ValueModel

CUSTOMERS, HORIZON = 20_000, 180.0
# The largest gap between a distribution of so many numbers and the uniform one has a chance of
# 1e-4 under the law; half a percent is for the parameters, which are estimated.
CHANCE, ESTIMATED = 1e-4, 0.005
SPEND = GammaGamma(3.0, 3.5, 30.0)
MODELS = {
    "BGNBD": BGNBD(0.5, 40.0, 0.8, 2.5),
    "MBGNBD": MBGNBD(0.7, 50.0, 0.8, 2.5),
    "ParetoNBD": ParetoNBD(0.6, 60.0, 0.7, 150.0),
}


@cache
def lived(name):
    """Customers' past as a summary, and purchases and spend of the next 180 days."""
    rng = np.random.default_rng(5)
    model = MODELS[name]
    T = rng.integers(1, 600, CUSTOMERS).astype(float)
    customer, time = model.simulate_purchases(T + HORIZON, seed=rng)
    past = time <= T[customer]
    x = np.bincount(customer[past], minlength=CUSTOMERS).astype(float)
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, customer[past], time[past])
    ahead = np.bincount(customer[~past], minlength=CUSTOMERS).astype(float)
    nu = rng.gamma(SPEND.q, 1 / SPEND.gamma, CUSTOMERS)

    def spent(count):
        return np.where(count > 0, rng.gamma(SPEND.p * np.maximum(count, 1)) / nu, 0.0)

    mean = spent(x) / np.maximum(x, 1)
    frame = {"frequency": x, "recency": t_x, "T": T, "monetary_value": mean}
    frame["first_value"] = spent(np.ones(CUSTOMERS))
    return Summary.from_frame(pd.DataFrame(frame), unit="D"), ahead, spent(ahead)


@cache
def fitted(name):
    return ValueModel(purchases=type(MODELS[name])).fit(lived(name)[0])


def groups(summary):
    """All customers, those with one purchase, and the best tenth by what they spent so far."""
    worth = summary.total_value
    return {
        "all": np.ones(len(summary), bool),
        "one purchase": summary.frequency == 0,
        "top decile": worth >= np.quantile(worth, 0.9),
    }


def ranks_of_counts(name):
    """Randomised PIT: uniform between the chances of fewer, and of as many or fewer."""
    summary, ahead, _ = lived(name)
    model, history = fitted(name).purchases.model, (summary.frequency, summary.recency, summary.T)
    upto, below = (model.cdf(n, HORIZON, *history) for n in (ahead, ahead - 1))
    return below + np.random.default_rng(6).random(CUSTOMERS) * (upto - below)


def ranks_of_spend(name):
    summary, _, paid = lived(name)
    above = fitted(name).predict(summary, HORIZON, value_above=paid)["p_value_above"].to_numpy()
    return 1 - np.where(
        paid > 0, above, above + np.random.default_rng(7).random(CUSTOMERS) * (1 - above)
    )


@pytest.mark.parametrize("ranks", [ranks_of_counts, ranks_of_spend])
@pytest.mark.parametrize("name", MODELS)
def test_what_happens_is_uniform_in_its_predictive_distribution(name, ranks):
    rank = ranks(name)
    for which, members in groups(lived(name)[0]).items():
        gap = kstest(rank[members], "uniform").statistic
        allowed = np.sqrt(-0.5 * np.log(CHANCE / 2) / members.sum()) + ESTIMATED
        assert gap < allowed, which
        for level in (0.5, 0.8, 0.95):
            inside = np.mean(np.abs(rank[members] - 0.5) <= level / 2)
            error = np.sqrt(level * (1 - level) / members.sum())
            assert inside == pytest.approx(level, abs=4 * error + ESTIMATED), which


@pytest.mark.parametrize("name", MODELS)
def test_intervals_from_predict_hold_at_least_their_level(name):
    """The columns themselves: with an atom at 0 and whole numbers they hold a little more."""
    summary, ahead, paid = lived(name)
    got = fitted(name).predict(summary, HORIZON, quantiles=(0.1, 0.9))
    for kind, real in (("purchases", ahead), ("value", paid)):
        low, high = (got[f"{kind}_{q}"].to_numpy() for q in ("q10", "q90"))
        over = np.mean(real > high * (1 + 1e-12))
        assert over <= 0.1 + 4 * np.sqrt(0.09 / CUSTOMERS)
        assert np.mean((real >= low * (1 - 1e-12)) & (real <= high * (1 + 1e-12))) >= 0.8


@pytest.mark.parametrize("name", MODELS)
def test_totals_hold_what_happened(name):
    """Actual totals lie within the 99.8% intervals, for the base and three parts of it."""
    summary, ahead, paid = lived(name)
    part = np.arange(CUSTOMERS) % 3
    frame = summary.frame.assign(part=part)
    base = Summary.from_frame(frame, unit="D")
    for by in (None, "part"):
        got = fitted(name).predict_total(base, HORIZON, by=by, quantiles=(0.001, 0.999))
        keys = np.zeros(CUSTOMERS, int) if by is None else part
        for kind, real in (("purchases", ahead), ("value", paid)):
            total = np.bincount(keys, weights=real)
            assert (got[f"{kind}_q001"] <= total).all()
            assert (total <= got[f"{kind}_q999"]).all()
