"""What holds, beside the laws of purchases, for models that count time in opportunities."""

import numpy as np
import pytest
from cases import assert_calibrated, assert_mean_zero, discrete_models, seeds
from scipy.special import comb

import clvmodel as clv

CUSTOMERS = 100_000


def every_history(n):
    """All histories of n opportunities, and the number of sequences of purchases of each."""
    rows = [(0, 0, n)] + [(x, t_x, n) for t_x in range(1, n + 1) for x in range(1, t_x + 1)]
    x, t_x, n = np.array(rows, float).T
    return (x, t_x, n), np.where(x > 0, comb(np.maximum(t_x - 1, 0), np.maximum(x - 1, 0)), 1.0)


def chance(model, *history):
    return np.exp(model.log_likelihood(*history))


# Likelihood


@pytest.mark.parametrize("n", [0, 1, 2, 7, 30])
@discrete_models
def test_something_happens(case, n):
    history, sequences = every_history(n)
    assert (sequences * chance(case.model, *history)).sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
@discrete_models
def test_histories_make_up_the_pmf(case, n):
    history, sequences = every_history(n)
    counted = np.bincount(
        history[0].astype(int), weights=sequences * chance(case.model, *history), minlength=n + 1
    )
    np.testing.assert_allclose(case.model.pmf(np.arange(n + 1), n), counted, rtol=1e-11)


@discrete_models
def test_the_next_opportunity_is_taken_or_not(case):
    """A history's chance is that of its two continuations, and their ratio predicts."""
    x, t_x, n = np.hstack([every_history(k)[0] for k in (0, 1, 6, 15)])
    now, silent = chance(case.model, x, t_x, n), chance(case.model, x, t_x, n + 1)
    bought = chance(case.model, x + 1, n + 1, n + 1)
    np.testing.assert_allclose(bought + silent, now, rtol=1e-12)
    np.testing.assert_allclose(case.model.p_purchase(1, x, t_x, n), bought / now, rtol=1e-11)
    np.testing.assert_allclose(case.model.expected_purchases(1, x, t_x, n), bought / now, 1e-11)
    np.testing.assert_allclose(case.model.pmf(1, 1, x, t_x, n), bought / now, rtol=1e-11)
    np.testing.assert_allclose(case.model.pmf(0, 1, x, t_x, n), silent / now, rtol=1e-11)


# Counts


@pytest.mark.parametrize("t", [0, 1, 5, 40])
@discrete_models
def test_one_purchase_at_most_per_opportunity(case, t):
    for history in ([0, 0, 0], *np.transpose(case.histories(12, seed=1))):
        assert np.all(case.model.pmf(t + np.arange(1, 5), t, *history) == 0)
        assert np.all(case.model.cdf(t + np.arange(5), t, *history) == 1)
        pmf = case.model.pmf(np.arange(t + 1), t, *history)
        assert pmf.sum() == pytest.approx(1, rel=1e-12)
        assert np.all(pmf > 0)
        mean = case.model.expected_purchases(t, *history)
        assert pmf @ np.arange(t + 1) == pytest.approx(mean, rel=1e-11)


# Being alive at a later opportunity


@discrete_models
def test_alive_later_begins_with_alive_and_falls(case):
    history = [column[:, None] for column in case.histories(50, seed=2)]
    later = case.model.p_alive_next(*history, ahead=np.arange(20))
    np.testing.assert_array_equal(later[:, :1], case.model.p_alive(*history))
    np.testing.assert_array_equal(later[:, 1:2], case.model.p_alive_next(*history))
    assert np.all(np.diff(later, axis=1) < 0)
    # to be there and silent is less than to be there
    both = later * case.model.p_alive(*history, silent=np.arange(20))
    assert np.all(both <= later)


@discrete_models
def test_alive_later_is_what_is_bought_by_those_who_would(case):
    """E X grows by the share that is there times its mean chance of buying."""
    x, t_x, n = [column[:, None] for column in case.histories(50, seed=3)]
    growth = np.diff(case.model.expected_purchases(np.arange(31), x, t_x, n), axis=1)
    alpha, beta, *_ = case.model.update(x, n).arrays()
    there = case.model.p_alive_next(x, t_x, n, ahead=np.arange(1, 31))
    np.testing.assert_allclose(growth, there * alpha / (alpha + beta), rtol=1e-10)


@seeds(4, 5)
@discrete_models
def test_alive_later_is_calibrated(case, seed):
    n = case.watched(CUSTOMERS, seed)
    ahead = np.random.default_rng([seed, 2]).integers(1, case.span, CUSTOMERS)
    customer, opportunity = case.model.simulate_purchases(n + 2 * case.span, seed=seed)
    past = opportunity <= n[customer]
    x = np.bincount(customer[past], minlength=CUSTOMERS).astype(float)
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, customer[past], opportunity[past])
    # who buys at n + ahead is there, and buys with the mean chance of those who are there
    buys = np.zeros(CUSTOMERS)
    buys[customer[opportunity == (n + ahead)[customer]]] = 1
    alpha, beta, *_ = case.model.update(x, n).arrays()
    expected = case.model.p_alive_next(x, t_x, n, ahead) * alpha / (alpha + beta)
    assert_calibrated(buys, expected, np.minimum(x, 8))
    assert_calibrated(buys, expected, ahead)


@discrete_models
def test_a_lifetime_is_the_sum_of_being_there(case):
    model = type(case.model)(*(20 * np.array(case.model.values())))
    history = [column[:, None] for column in case.histories(10, seed=6)]
    there = model.p_alive_next(*history, ahead=np.arange(1, 100_000))
    np.testing.assert_allclose(there.sum(axis=1), model.expected_lifetime(*history)[:, 0], 1e-7)


# Simulation


@discrete_models
def test_simulated_times_are_opportunities(case):
    n = np.append([0, 1], case.watched(5000, seed=7))
    drawn = case.model.simulate(n, seed=7)
    for column in drawn[:3]:
        np.testing.assert_array_equal(column, np.floor(column))
    assert np.all((drawn.x <= drawn.t_x) & (drawn.t_x <= drawn.n))
    assert (drawn.x[0], drawn.alive[0]) == (0, True)
    customer, opportunity = case.model.simulate_purchases(n, seed=7)
    assert customer.dtype.kind == opportunity.dtype.kind == "i"
    assert np.all((opportunity >= 1) & (opportunity <= n[customer]))


@discrete_models
def test_every_history_comes_up_as_often_as_it_should(case):
    n = 5
    x, t_x, *_ = case.model.simulate(np.full(CUSTOMERS, n), seed=8)
    history, sequences = every_history(n)
    share = sequences * chance(case.model, *history)
    for first, last, expected in zip(history[0], history[1], share, strict=True):
        assert_mean_zero(((x == first) & (t_x == last)) - expected)


# What is no history and no number of opportunities


@pytest.mark.parametrize("value", [-1, 0.5, 1e-9, np.nan, np.inf, [1, 2.5]], ids=repr)
@discrete_models
def test_opportunities_are_whole_numbers(case, value):
    model = case.model
    for name, call in [
        ("t", lambda: model.expected_purchases(value, 1, 1, 2)),
        ("t", lambda: model.p_purchase(value)),
        ("t", lambda: model.pmf(1, value)),
        ("t", lambda: model.cdf(1, value)),
        ("silent", lambda: model.p_alive(1, 1, 2, silent=value)),
        ("ahead", lambda: model.p_alive_next(1, 1, 2, ahead=value)),
        ("n", lambda: model.simulate(value)),
        ("n", lambda: model.simulate_purchases(value)),
    ]:
        with pytest.raises(clv.ParameterError, match=rf"^{name} == .*whole number"):
            call()


IMPOSSIBLE = [(3, 2, 6), (2, 7, 6), (0, 1, 6), (1, 0, 6), (-1, 0, 6), (1, 1.5, 6), (1, 1, 6.5)]
IMPOSSIBLE += [(np.nan, 1, 6), (1, 1, np.inf), (0, 0, -1), (0.5, 1, 6)]


@pytest.mark.parametrize("history", IMPOSSIBLE, ids=str)
@discrete_models
def test_impossible_histories(case, history):
    model = case.model
    for call in (
        lambda: model.log_likelihood(*history),
        lambda: model.derivatives(*history),
        lambda: model.p_alive(*history),
        lambda: model.p_alive_next(*history),
        lambda: model.expected_purchases(2, *history),
        lambda: model.expected_lifetime(*history),
        lambda: model.pmf(1, 2, *history),
    ):
        with pytest.raises(clv.DataError, match="is no history"):
            call()
    columns = dict(zip(model.columns, np.array([(1, 1, 6), history], float).T, strict=True))
    with pytest.raises(clv.DataError):
        clv.fit(type(model), columns)


@discrete_models
def test_a_million_opportunities_and_no_more(case):
    assert 0 < case.model.p_purchase(1_000_000) <= 1
    assert np.isfinite(case.model.log_likelihood(3, 10, 1_000_000))
    assert case.model.expected_purchases(1e15) >= case.model.expected_purchases(1_000_000)
    for call in (
        lambda: case.model.p_purchase(1e7),
        lambda: case.model.pmf(5, 1e7),
        lambda: case.model.log_likelihood(3, 10, 1e7),
    ):
        with pytest.raises(clv.ParameterError, match="longer periods"):
            call()


@discrete_models
def test_opportunities_have_no_unit(case):
    assert case.model.scaled == ()
    assert case.model.rescaled(7.0) == case.model
