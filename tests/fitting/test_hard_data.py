"""Customers on whom fits go wrong elsewhere: every purchase model gives numbers, and words.

Small versions of benchmarks/hard_data.py, where the same is measured against other packages.
"""

import numpy as np
import pytest

import clvmodel as clv
from clvmodel.models import PURCHASE_MODELS

WALL = 1e6  # of parameters with time counted in mean T
SIZE = 300


def columns(x, t_x, T):
    names = ("frequency", "recency", "T")
    arrays = np.broadcast_arrays(*(np.asarray(column, float) for column in (x, t_x, T)))
    return {name: array.copy() for name, array in zip(names, arrays, strict=True)}


def ordinary(size, seed=1, r=0.25, alpha=30.0, a=0.8, b=2.5):
    T = np.random.default_rng(seed).integers(100, 731, size).astype(float)
    x, t_x, T, *_ = clv.BGNBD(r, alpha, a, b).simulate(T, seed=seed)
    return columns(x, np.ceil(t_x), T)


def loyal():
    """Nobody leaves: the last of x purchases is the largest of x uniform times."""
    rng = np.random.default_rng(1)
    T = rng.integers(200, 731, SIZE).astype(float)
    x = rng.poisson(rng.gamma(0.8, 1 / 60, SIZE) * T)
    return columns(x, np.where(x > 0, np.ceil(T * rng.beta(np.maximum(x, 1), 1)), 0), T)


def young():
    """Nobody has bought more than twice: a and b are known by their ratio at best."""
    data = ordinary(4 * SIZE, r=0.5, alpha=5000.0)
    once = data["frequency"] <= 1
    return {name: column[once] for name, column in data.items()}


def guest_checkout():
    """One account stands for everyone who bought without one."""
    data = ordinary(SIZE)
    data["frequency"][0], data["recency"][0], data["T"][0] = 20_000.0, 730.0, 730.0
    return data


def two_kinds():
    """Consumers who come and go, and firms that buy every week and stay."""
    consumers = ordinary(SIZE, r=1.0, alpha=60.0, a=3.0, b=2.0)
    firms = ordinary(SIZE // 10, r=200.0, alpha=1400.0, a=0.001, b=1.0)
    return {name: np.append(consumers[name], firms[name]) for name in consumers}


def in_unit(days):
    data = ordinary(SIZE)
    return columns(data["frequency"], data["recency"] / days, data["T"] / days)


def few_regulars():
    """All alike and leaving at once, or unequal and staying? The likelihood has both ends."""
    once = np.round(np.arange(20, 365, 7.5))
    x, t_x, T = [3, 3, 2, 2], [280, 221, 248, 80], [361, 296, 294, 177]
    return columns(np.append(x, 0 * once), np.append(t_x, 0 * once), np.append(T, once))


EVERY_DAY = np.arange(1.0, 101.0)
CASES = {
    "ordinary": lambda: ordinary(SIZE),
    "20 customers": lambda: ordinary(20),
    "one customer": lambda: columns([3], [20], [30]),
    "one customer, one purchase": lambda: columns([0], [0], [30]),
    "all alike": lambda: columns(np.full(SIZE, 3), 60, 100),
    "a few regulars": few_regulars,
    "one purchase each": lambda: columns(0, 0, np.arange(1.0, SIZE)),
    "at most one repeat": young,
    "a purchase every day": lambda: columns(EVERY_DAY, EVERY_DAY, EVERY_DAY),
    "nobody leaves": loyal,
    "all leave with the same chance": lambda: ordinary(SIZE, r=0.6, a=2e5, b=8e5),
    "all buy at the same rate": lambda: ordinary(SIZE, r=1e5, alpha=5e6),
    "a guest account": guest_checkout,
    "consumers and firms": two_kinds,
    "times in seconds": lambda: in_unit(1 / 86400),
    "times in years": lambda: in_unit(365.25),
}
hard = pytest.mark.parametrize("case", CASES)
models = pytest.mark.parametrize("name", PURCHASE_MODELS)


def remote(fit, data):
    """Parameters at the wall of the box that positions are kept in."""
    typical = float(np.mean(data["T"]))
    values = fit.model.rescaled(1 / typical).values()
    return [n for n, v in zip(fit.model.names(), values, strict=True) if abs(np.log(v)) > 13.6]


@models
@hard
def test_numbers_and_words(name, case):
    data = CASES[case]()
    fit = clv.fit(PURCHASE_MODELS[name], data)
    numbers = [*fit.model.values(), fit.log_likelihood, fit.gradient, *fit.covariance.ravel()]
    assert np.isfinite(numbers).all()
    assert min(fit.model.values()) > 0
    np.testing.assert_array_equal(fit.covariance, fit.covariance.T)
    assert np.linalg.eigvalsh(fit.covariance).min() > 0
    assert fit.converged == (fit.gradient < 1e-9)
    assert fit.message.startswith("Converged" if fit.converged else "Not converged")
    if remote(fit, data):
        assert "do not bound" in fit.message
    for parameter, (low, high) in fit.interval().items():
        assert 0 <= low <= fit.parameters[parameter] <= high
        assert high < np.inf or "do not bound" in fit.message
    history = [column[:40] for column in data.values()]
    for ahead in np.array([0.01, 1.0, 10.0]) * data["T"].max():
        expected = fit.model.expected_purchases(ahead, *history)
        assert (np.isfinite(expected) & (expected >= 0)).all()
        for chance in (fit.model.p_purchase(ahead, *history), fit.model.pmf(1, ahead, *history)):
            assert ((chance >= 0) & (chance <= 1)).all()
    alive = fit.model.p_alive(*history)
    assert ((alive >= 0) & (alive <= 1)).all()


@models
def test_the_unit_of_time_does_not_matter(name):
    days = clv.fit(PURCHASE_MODELS[name], CASES["ordinary"]())
    for case, factor in (("times in seconds", 86400.0), ("times in years", 1 / 365.25)):
        other = clv.fit(PURCHASE_MODELS[name], CASES[case]())
        assert other.model.values() == pytest.approx(days.model.rescaled(factor).values(), rel=1e-7)
        np.testing.assert_allclose(other.covariance, days.covariance, rtol=1e-5, atol=1e-8)


@models
def test_a_million_of_each_customer(name):
    data = CASES["ordinary"]()
    once = clv.fit(PURCHASE_MODELS[name], data)
    many = clv.fit(PURCHASE_MODELS[name], data, weight=np.full(SIZE, 1e6))
    assert many.model.values() == pytest.approx(once.model.values(), rel=1e-8)
    assert many.log_likelihood == pytest.approx(1e6 * once.log_likelihood)
    np.testing.assert_allclose(many.covariance, once.covariance / 1e6, rtol=1e-6)


@models
def test_customers_who_are_all_alike_count_as_many(name):
    """The position of the maximum depends on the history, not on how many share it."""
    one = clv.fit(PURCHASE_MODELS[name], columns([3], 60, 100))
    all_alike = clv.fit(PURCHASE_MODELS[name], CASES["all alike"]())
    assert all_alike.log_likelihood == pytest.approx(SIZE * one.log_likelihood, rel=1e-9)


@models
@pytest.mark.parametrize("case", ["one customer", "all alike", "a purchase every day"])
def test_what_the_data_do_not_bound_is_named(name, case):
    """One rate fits all: r and alpha run away together, and the message says what that means."""
    message = clv.fit(PURCHASE_MODELS[name], CASES[case]()).message
    assert "do not bound" in message
    assert "all customers buy at the same rate, r / alpha" in message


@models
def test_nobody_leaves_and_nobody_is_expected_to(name):
    data = CASES["nobody leaves"]()
    fit = clv.fit(PURCHASE_MODELS[name], data)
    assert "nobody leaves" in fit.message
    assert fit.model.p_alive(*data.values()).min() > 0.99
    expected = fit.model.expected_purchases(data["T"]).sum()
    assert expected == pytest.approx(data["frequency"].sum(), rel=0.05)


@models
def test_many_ordinary_customers_are_recovered(name):
    """100,000 customers over 730 days: parameters of 1e53 elsewhere."""
    points = {"ParetoNBD": (0.4, 60.0, 0.6, 200.0)}
    truth = PURCHASE_MODELS[name](*points.get(name, (0.25, 30.0, 0.8, 2.5)))
    x, t_x, T, *_ = truth.simulate(np.full(100_000, 730.0), seed=1)
    fit = clv.fit(PURCHASE_MODELS[name], columns(x, np.ceil(t_x), T))
    assert fit.converged
    assert fit.model.values() == pytest.approx(truth.values(), rel=0.15)
