"""What holds for every model of what customers spend on a purchase."""

import numpy as np
import pytest
from cases import assert_mean_zero, assert_same_mean, spend_models
from scipy.integrate import trapezoid

CUSTOMERS = 20_000


def next_purchase(model, x, m, seed):
    """Draw each customer's next purchase from the law that is left after its history."""
    rng = np.random.default_rng(seed)
    one = np.ones(1)
    return np.array(
        [model.update(*history).simulate(one, seed=rng)[0] for history in zip(x, m, strict=True)]
    )


@spend_models
def test_expected_spend_is_the_mean_of_simulation(case):
    for x in (1.0, 2.0, 20.0):
        drawn = case.model.simulate(np.full(100_000, x), seed=1)
        assert drawn.min() > 0
        assert_mean_zero(drawn - case.model.expected_spend())


@spend_models
def test_more_purchases_vary_less(case):
    few, many = (case.model.simulate(np.full(50_000, x), seed=2) for x in (1.0, 50.0))
    assert np.log(many).std() < np.log(few).std()


@spend_models
def test_same_seed_same_draw(case):
    x = np.arange(50.0)
    first = case.model.simulate(x, seed=3)
    np.testing.assert_array_equal(first, case.model.simulate(x, seed=3))
    np.testing.assert_array_equal(first, case.model.simulate(x, seed=np.random.default_rng(3)))
    assert not np.array_equal(first[1:], case.model.simulate(x, seed=4)[1:])
    assert first[0] == 0
    assert case.model.simulate(x.reshape(5, 10), seed=3).shape == (5, 10)


@spend_models
def test_histories_then_updates_are_longer_histories(case):
    """A history and a draw from its update have the law of a history longer by one."""
    x = np.full(CUSTOMERS, 2.0)
    m = case.model.simulate(x, seed=5)
    mean = (x * m + next_purchase(case.model, x, m, seed=6)) / (x + 1)
    longer = case.model.simulate(x + 1, seed=7)
    assert_same_mean(np.log(mean), np.log(longer))
    assert_same_mean(np.log(mean) ** 2, np.log(longer) ** 2)
    for share in np.linspace(0.1, 0.9, 9):
        cut = np.quantile(longer, share)
        assert_same_mean(mean < cut, longer < cut)


@spend_models
def test_conditional_spend_is_the_updated_mean(case):
    x, m = case.histories(50, seed=8)
    updated = [case.model.update(*history).expected_spend() for history in zip(x, m, strict=True)]
    np.testing.assert_allclose(case.model.expected_spend(x, m), updated, rtol=1e-13)


@spend_models
def test_conditional_spend_is_calibrated(case):
    x = np.repeat([1.0, 3.0], CUSTOMERS // 2)
    m = case.model.simulate(x, seed=9)
    error = next_purchase(case.model, x, m, seed=10) - case.model.expected_spend(x, m)
    groups = np.digitize(m, np.quantile(m, [0.25, 0.5, 0.75]))
    for group in range(4):
        assert_mean_zero(error[groups == group])


@spend_models
def test_news_does_not_change_the_mean(case):
    for x in (1.0, 5.0):
        count = np.full(100_000, x)
        mean = case.model.expected_spend(count, case.model.simulate(count, seed=11))
        assert_mean_zero(mean - case.model.expected_spend())


@spend_models
def test_spend_lies_between_the_customer_and_the_population(case):
    x, m = case.histories(2000, seed=12)
    bought = x > 0
    x, m = x[bought], m[bought]
    population, expected = case.model.expected_spend(), case.model.expected_spend(x, m)
    assert np.all(expected >= np.minimum(m, population) * (1 - 1e-12))
    assert np.all(expected <= np.maximum(m, population) * (1 + 1e-12))
    nearer = np.abs(case.model.expected_spend(10 * x, m) - m)
    assert np.all(nearer <= np.abs(expected - m) * (1 + 1e-12))


@pytest.mark.parametrize("m", [0.0, 17.0, -5.0])
@spend_models
def test_no_purchases_say_nothing(case, m):
    assert case.model.expected_spend(0, m) == case.model.expected_spend()
    assert case.model.log_likelihood(0, m) == 0
    assert all(np.all(part == 0) for part in case.model.derivatives(0, m))
    assert case.model.update(0, 0.0) == case.model


@spend_models
def test_density_integrates_to_one(case):
    for x in (1.0, 4.0):
        log_m = np.linspace(np.log(1e-12), np.log(1e12), 40_001)
        density = np.exp(case.model.log_likelihood(x, np.exp(log_m)) + log_m)
        assert trapezoid(density, log_m) == pytest.approx(1, abs=1e-6)
