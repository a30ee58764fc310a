"""Data that say little: finite numbers always, and the reason in words."""

import numpy as np
import pytest

import clvmodel as clv

SIZE = 300


def loyal(seed, same_rate=False):
    """Customers who never leave: the last of x purchases is the largest of x uniform times."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(50, 100, SIZE)
    x = rng.poisson((0.05 if same_rate else rng.gamma(1, 0.05, SIZE)) * T).astype(float)
    t_x = np.where(x > 0, T * rng.beta(np.maximum(x, 1), 1), 0)
    return x, t_x, T


def columns(x, t_x, T):
    return {"frequency": x, "recency": t_x, "T": T}


def alike(seed):
    """Values of customers who do not differ."""
    value = np.random.default_rng(seed).gamma(10, 10, SIZE) / 5
    return {"frequency": np.full(SIZE, 5), "monetary_value": value}


T = np.linspace(10, 300, SIZE)
PURCHASES = {
    "one purchase each": columns(np.zeros(SIZE), np.zeros(SIZE), T),
    "one purchase each, watched alike": columns(np.zeros(SIZE), np.zeros(SIZE), 0 * T + 30),
    "one customer": columns([3], [20], [30]),
    "one customer, one purchase": columns([0], [0], [30]),
    "one customer, bought today": columns([3], [30], [30]),
    "two customers": columns([3, 0], [20, 0], [30, 25]),
    "two equal customers": columns([2, 2], [20, 20], [30, 30]),
    "no time at all": columns([0, 0], [0, 0], [0, 0]),
    "no time for some": columns([0, 2, 1, 0], [0, 5, 3, 0], [0, 10, 12, 5]),
    "nobody leaves": columns(*loyal(1)),
    "nobody leaves, nobody differs": columns(*loyal(1, same_rate=True)),
    "everyone bought today": columns(np.full(SIZE, 4.0), T, T),
    "everyone left at once": columns(np.ones(SIZE), np.ones(SIZE), np.full(SIZE, 1000.0)),
    "equal customers": columns(np.full(SIZE, 3.0), np.full(SIZE, 60.0), np.full(SIZE, 100.0)),
    "one heavy buyer": columns([5000, 1], [99, 3], [100, 100]),
    "astronomic times": columns(*(np.array(loyal(1)) * [[1], [1e12], [1e12]])),
}
SPEND = {
    "one customer": {"frequency": [2], "monetary_value": [20.0]},
    "one purchase": {"frequency": [1], "monetary_value": [20.0]},
    "two customers": {"frequency": [2, 3], "monetary_value": [20.0, 25.0]},
    "all the same": {"frequency": np.full(50, 2), "monetary_value": np.full(50, 20.0)},
    "customers alike": alike(1),
    "one repeat each": {
        "frequency": np.ones(SIZE),
        "monetary_value": np.random.default_rng(2).gamma(2, 10, SIZE),
    },
}
# What a fit says of data that have no interior maximum.
BOUNDED = {"one heavy buyer", "no time for some", "no time at all"}
BOUNDLESS = set(PURCHASES) - BOUNDED


def assert_finite(fit):
    numbers = [*fit.model.values(), fit.log_likelihood, fit.gradient, *fit.covariance.ravel()]
    assert np.isfinite(numbers).all()
    assert np.linalg.eigvalsh(fit.covariance).min() > 0
    np.testing.assert_array_equal(fit.covariance, fit.covariance.T)
    for low, high in fit.interval().values():
        assert 0 <= low <= high < np.inf
    assert clv.Fit.from_json(fit.to_json()) == fit
    assert fit.message in str(fit)


@pytest.mark.parametrize("name", PURCHASES)
def test_purchases(name):
    data = PURCHASES[name]
    fit = clv.fit(clv.BGNBD, data)
    assert_finite(fit)
    history = [np.asarray(column, float) for column in data.values()]
    ahead = 1 + history[2].max()
    assert np.isfinite(fit.model.expected_purchases(ahead, *history)).all()
    assert np.isfinite(fit.model.p_alive(*history)).all()
    assert np.isfinite(fit.model.score(*history)).all()


@pytest.mark.parametrize("name", SPEND)
def test_spend(name):
    fit = clv.fit(clv.GammaGamma, SPEND[name])
    assert_finite(fit)
    assert fit.model.expected_spend(3, 20.0) > 0


@pytest.mark.parametrize("name", sorted(BOUNDLESS))
def test_a_runaway_estimate_is_said_in_words(name):
    message = clv.fit(clv.BGNBD, PURCHASES[name]).message
    assert "do not bound" in message
    assert "limit in which" in message


def test_data_that_say_nothing():
    fit = clv.fit(clv.BGNBD, PURCHASES["no time at all"])
    assert "say nothing about the parameters" in fit.message


def test_words_for_spend_without_limit():
    message = clv.fit(clv.GammaGamma, SPEND["all the same"]).message
    assert "do not bound p, q" in message
    assert "each customer always spends the same" in message


def test_words_for_two_customers_who_spend_alike():
    assert "do not bound" in clv.fit(clv.GammaGamma, SPEND["two customers"]).message


def test_nobody_buys_again():
    fit = clv.fit(clv.BGNBD, PURCHASES["one purchase each"])
    assert "almost nobody buys again" in fit.message
    assert fit.model.expected_purchases(1000.0) < 1e-6


def test_nobody_leaves():
    x, t_x, T = loyal(1)
    fit = clv.fit(clv.BGNBD, columns(x, t_x, T))
    assert "nobody leaves" in fit.message
    assert fit.model.p_alive(x, t_x, T).min() > 0.999
    assert fit.model.expected_purchases(T).sum() == pytest.approx(x.sum(), rel=0.05)


def test_converged_is_never_claimed_with_a_gradient():
    for data in PURCHASES.values():
        fit = clv.fit(clv.BGNBD, data)
        assert fit.converged == (fit.gradient < 1e-9)
        assert fit.message.startswith("Converged" if fit.converged else "Not converged")
