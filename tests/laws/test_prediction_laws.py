"""What holds for a model's chances of counts, of being alive later, and for lifetimes.

Lifetimes are simulated without waiting for anyone to leave: a mean lifetime is the integral over
u of the share alive at u, and so the mean of (alive at u) / (density of u) at random moments u.
"""

import itertools

import numpy as np
import pytest
from cases import Case, assert_calibrated, assert_mean_zero, purchase_models, seeds

COUNTS = np.arange(1000.0)[:, None]
CUSTOMERS = 100_000


def when(case, t):
    """Times that the model can count."""
    return np.ceil(t) if case.discrete else np.asarray(t, float)


def ahead(case):
    return np.unique(when(case, case.span * np.array([0.0, 1e-6, 0.01, 0.1, 0.5, 1.0])))


def all_histories(case, size, seed):
    """A new customer, then simulated ones; with an axis for what varies."""
    return [np.append(0.0, column)[:, None] for column in case.histories(size, seed)]


def alike(case, factor=20.0):
    """The same means, less spread: of Gammas and Betas whose shapes grow, all moments exist."""
    return Case(type(case.model)(*(factor * np.array(case.model.values()))), case.span)


# How many purchases


@purchase_models
def test_cdf_sums_the_pmf(case):
    for history in ([0, 0, 0], *np.transpose(case.histories(6, seed=1))):
        total = np.cumsum(case.model.pmf(COUNTS, ahead(case), *history), axis=0)
        np.testing.assert_allclose(
            case.model.cdf(COUNTS, ahead(case), *history), total, rtol=0, atol=1e-12
        )


@purchase_models
def test_what_the_cdf_leaves_is_the_tail_of_the_pmf(case):
    """1 - cdf to the last digit that a number near 1 can carry."""
    for history in ([0, 0, 0], *np.transpose(case.histories(6, seed=2))):
        pmf = case.model.pmf(COUNTS, ahead(case), *history)
        tail = np.cumsum(pmf[::-1], axis=0)[::-1][1:200]
        left = 1 - case.model.cdf(COUNTS[:199], ahead(case), *history)
        np.testing.assert_allclose(left, tail, rtol=1e-10, atol=2.3e-16)


@purchase_models
def test_small_chances_keep_their_digits(case):
    """Of buying at all, soon: 1 - pmf(0) would have none left."""
    history = all_histories(case, 40, seed=3)
    soon = np.unique(when(case, case.span * np.array([1e-12, 1e-9, 1e-6, 1e-3])))
    some = case.model.p_purchase(soon, *history)
    one_by_one = sum(case.model.pmf(n, soon, *history) for n in range(1, 60))
    np.testing.assert_allclose(some, one_by_one, rtol=1e-10, atol=0)
    assert np.all(some <= case.model.expected_purchases(soon, *history) * (1 + 1e-12))


@purchase_models
def test_cdf_of_none_is_that_of_no_purchase(case):
    history = all_histories(case, 40, seed=4)
    none = case.model.cdf(0, ahead(case), *history)
    np.testing.assert_allclose(
        none, 1 - case.model.p_purchase(ahead(case), *history), rtol=0, atol=2.3e-16
    )


@purchase_models
def test_cdf_is_a_staircase(case):
    history = [column[..., None] for column in all_histories(case, 10, seed=5)]
    t = ahead(case)[:, None]
    n = np.array([0.0, 1.0, 2.0, 3.0, 10.0, 100.0, 1e4])
    stairs = case.model.cdf(n, t, *history)
    assert stairs.shape == (11, t.size, 7)
    for part in (0.25, 0.5, 1 - 1e-9):
        np.testing.assert_array_equal(case.model.cdf(n + part, t, *history), stairs)
    for n in (-1.0, -0.5, -1e-12, -1e9, -np.inf):
        assert np.all(case.model.cdf(n, t, *history) == 0)


@purchase_models
def test_cdf_rises_to_one_with_the_count_and_falls_with_time(case):
    """But for rounding."""
    history = [column[..., None] for column in all_histories(case, 10, seed=6)]
    t = np.unique(when(case, case.span * np.geomspace(1e-3, 1e2, 11)))[:, None]
    n = np.array([-1.0, *range(30), 100.0, 1000.0, 1e5, 1e9])
    chance = case.model.cdf(n, t, *history)
    assert np.all((chance >= 0) & (chance <= 1))
    assert np.all(np.diff(chance, axis=-1) >= -1e-14)
    assert np.all(np.diff(chance, axis=-2) <= 1e-14)
    np.testing.assert_allclose(chance[:, :6, -1], 1, rtol=0, atol=1e-12)
    assert np.all(case.model.cdf(5, 0, *history) == 1)


@purchase_models
def test_the_number_of_purchases_is_finite(case):
    history = case.histories(5, seed=7)
    assert np.all(case.model.cdf(np.inf, case.span, *history) == 1)
    assert np.all(case.model.pmf(np.inf, case.span, *history) == 0)


# Alive later


@purchase_models
def test_alive_after_silence_is_alive_at_a_later_time(case):
    x, t_x, T = all_histories(case, 40, seed=8)
    silent = times = np.unique(when(case, case.span * np.array([0.0, 1e-9, 0.1, 1.0, 100.0])))
    later = case.model.p_alive(x, t_x, T, silent)
    assert later.shape == (41, times.size)
    np.testing.assert_allclose(later, case.model.p_alive(x, t_x, T + silent), rtol=1e-13)
    np.testing.assert_array_equal(case.model.p_alive(x, t_x, T, 0), case.model.p_alive(x, t_x, T))
    np.testing.assert_array_equal(case.model.p_alive(x, t_x, T, silent=silent), later)


@purchase_models
def test_silence_never_speaks_for_the_customer(case):
    history = all_histories(case, 200, seed=9)
    silent = np.unique(when(case, case.span * np.append(0.0, np.geomspace(1e-3, 1e2, 11))))
    chance = case.model.p_alive(*history, silent)
    assert np.all((chance >= 0) & (chance <= 1))
    may_have_left = chance[:, :1] < 1
    steps = np.diff(chance, axis=1)
    assert np.all(steps <= 1e-15)
    rounded = (chance[:, 1:] == 0) | (chance[:, :-1] > 1 - 1e-9)
    assert np.all((steps < 0) | ~may_have_left | rounded)


@purchase_models
def test_to_be_silent_and_alive_is_to_be_alive_and_then_not_to_buy(case):
    """Both sides are the chance that a customer is alive at T + s and bought nothing since T."""
    s = ahead(case)
    for x, t_x, T in np.transpose(case.histories(40, seed=10)):
        then = case.model.update(x, T)
        np.testing.assert_allclose(
            case.model.pmf(0, s, x, t_x, T) * case.model.p_alive(x, t_x, T, s),
            case.model.p_alive(x, t_x, T) * then.pmf(0, s) * then.p_alive(0, 0, s),
            rtol=1e-11,
        )


@seeds(11, 12)
@purchase_models
def test_alive_after_silence_is_calibrated(case, seed):
    """Among customers who bought nothing in (T, T + s], at the end of it."""
    T = case.watched(CUSTOMERS, seed)
    s = when(case, case.span * np.random.default_rng([seed, 2]).uniform(0.1, 1.0, CUSTOMERS))
    x, t_x, _, alive, *_ = case.model.simulate(T + s, seed=seed)
    silent = t_x <= T  # so the history at T is the one at T + s
    x, t_x, T, s, alive = (column[silent] for column in (x, t_x, T, s, alive))
    predicted = case.model.p_alive(x, t_x, T, silent=s)
    assert_calibrated(alive, predicted, np.minimum(x, 3))
    assert_calibrated(alive, predicted, s > case.span / 2)
    assert_calibrated(alive, predicted, np.floor(10 * predicted))


# Lifetimes


def moments(case, scale, seed):
    """Random moments u > 0, spread evenly, and one over their density, scale / (scale + u)^2.

    A moment within a whole period is its end: alive for the period is alive then.
    """
    even = (np.random.default_rng([seed, 3]).permutation(CUSTOMERS) + 0.5) / CUSTOMERS
    u = scale * even / (1 - even)
    return when(case, u), (scale + u) ** 2 / scale


@purchase_models
def test_lifetime_is_the_mean_of_simulation(case):
    case = alike(case)
    lifetime = case.model.expected_lifetime()
    assert 0 < lifetime < np.inf
    for scale in (lifetime / 3, lifetime, 3 * lifetime):
        u, weight = moments(case, scale, seed=13)
        alive = case.model.simulate(u, seed=13)[3]
        assert_mean_zero(alive * weight / lifetime - 1)


@purchase_models
def test_lifetime_is_what_has_passed_and_what_is_left(case):
    """The mean of the lifetime within T, and of the lifetime expected of each history after it."""
    case = alike(case)
    lifetime = case.model.expected_lifetime()
    T = when(case, np.full(CUSTOMERS, lifetime))
    x, t_x, *_ = case.model.simulate(T, seed=14)
    u = when(case, T * np.random.default_rng([14, 2]).uniform(0, 1, CUSTOMERS))
    within = T * case.model.simulate(u, seed=15)[3]
    after = case.model.expected_lifetime(x, t_x, T)
    assert_mean_zero((within + after) / lifetime - 1)


@purchase_models
def test_lifetime_after_a_history_is_that_of_a_new_customer_if_alive(case):
    for model in (case.model, alike(case).model):
        for x, t_x, T in np.transpose(case.histories(40, seed=16)):
            alive, new = model.p_alive(x, t_x, T), model.update(x, T).expected_lifetime()
            assert model.expected_lifetime(x, t_x, T) == pytest.approx(alive * new, rel=1e-12)


@purchase_models
def test_without_a_mean_the_lifetime_is_infinite(case):
    """Where customers differ so much that few who hardly ever leave outweigh all others."""
    model = alike(case, factor=1e-3).model
    assert model.expected_lifetime() == np.inf
    assert np.all(model.expected_lifetime(*case.histories(40, seed=17)) == np.inf)
    assert np.all(case.model.expected_lifetime(*case.histories(40, seed=17)) > 0)


@purchase_models
def test_a_lifetime_is_never_negative(case):
    """Nor missing, whichever of the parameters are small or large; longer than any time seen."""
    values = np.array(case.model.values())
    for factors in itertools.product([1e-2, 1.0, 30.0], repeat=values.size):
        model = type(case.model)(*(values * factors))
        assert model.expected_lifetime() > 0
        u = when(case, case.span * np.array([0.1, 1.0, 10.0]))
        _, _, _, alive, *_ = model.simulate(np.repeat(u, 1000), seed=21)
        until = (alive.reshape(3, 1000).mean(axis=1) - 0.08) * u  # 5 standard errors at most
        assert np.all(model.expected_lifetime() >= until)


@purchase_models
def test_who_has_left_for_sure_has_no_time_left(case):
    """Even where those who are alive have no mean lifetime."""
    x, t_x, end = (500, 500, 50_000) if case.discrete else (500, 1e-9, 1e5 * case.span)
    for model in (case.model, alike(case).model, alike(case, factor=1e-3).model):
        assert model.p_alive(x, t_x, end) == 0
        assert model.expected_lifetime(x, t_x, end) == 0
        np.testing.assert_array_equal(model.expected_lifetime([x, x], t_x, end), 0)


@pytest.mark.parametrize("factor", [7.0, 1e-3, 1e6])
@purchase_models
def test_lifetime_is_in_the_unit_of_the_model(case, factor):
    case = alike(case)
    factor = factor if case.model.scaled else 1.0
    x, t_x, T = case.histories(40, seed=18)
    np.testing.assert_allclose(
        case.model.rescaled(factor).expected_lifetime(x, factor * t_x, factor * T),
        factor * case.model.expected_lifetime(x, t_x, T),
        rtol=1e-9,
    )


@purchase_models
def test_purchases_come_at_the_customers_rate_while_alive(case):
    """The mean of (rate while alive at u) t, u evenly in (0, t], is what is bought by t."""
    t = when(case, np.full(CUSTOMERS, 2 * case.span))
    u = when(case, t * np.random.default_rng([19, 2]).uniform(0, 1, CUSTOMERS))
    _, _, _, alive, rate, *_ = case.model.simulate(u, seed=19)
    assert_mean_zero(t * rate * alive - case.model.expected_purchases(t[0]))


@purchase_models
def test_purchases_of_a_lifetime_are_bounded_where_it_is(case):
    """Expected purchases rise to those at each customer's rate for a lifetime, and no further."""
    case = alike(case)
    scale = case.model.expected_lifetime()
    u, weight = moments(case, scale, seed=20)
    _, _, _, alive, rate, *_ = case.model.simulate(u, seed=20)
    t = when(case, scale * np.array([1.0, 3.0, 10.0, 100.0, 1e4]))
    bought = case.model.expected_purchases(t)
    assert_mean_zero(alive * rate * weight - bought[-1])
    assert np.all(np.diff(bought) >= -1e-12 * bought[-1])
    assert bought[0] < bought[1] < bought[-1]
    assert bought[-2] == pytest.approx(bought[-1], rel=1e-4)
