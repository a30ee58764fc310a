"""BG/NBD against its own definition, told event by event, and the formulas as printed."""

import numpy as np
import pytest
from scipy.special import beta, gamma, hyp2f1
from scipy.stats import nbinom

from clvmodel import BGNBD

MODEL = BGNBD(0.9, 6.0, 1.3, 2.4)
T = 15.0


def told_event_by_event(model, size, seed):
    """Wait, buy, toss the coin: (purchases, time of the last, alive) of each customer at T."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.r, 1 / model.alpha, size)
    leave = rng.beta(model.a, model.b, size)
    x, t_x, alive = np.zeros(size), np.zeros(size), np.ones(size, bool)
    now, active = np.zeros(size), np.arange(size)
    while active.size:
        now[active] += rng.exponential(1 / rate[active])
        active = active[now[active] <= T]
        x[active] += 1
        t_x[active] = now[active]
        left = rng.random(active.size) < leave[active]
        alive[active[left]] = False
        active = active[~left]
    return x, t_x, alive


def test_simulation_is_the_process():
    size = 100_000
    x, t_x, alive = told_event_by_event(MODEL, size, seed=1)
    drawn = MODEL.simulate(np.full(size, T), seed=2)
    pairs = [(x, drawn.x), (t_x, drawn.t_x), (alive, drawn.alive), (x * t_x, drawn.x * drawn.t_x)]
    pairs += [((x == k) & alive, (drawn.x == k) & drawn.alive) for k in range(5)]
    for told, quick in pairs:  # 4.5 standard errors: fails falsely once in 150,000
        error = np.sqrt((np.var(told) + np.var(quick)) / size)
        assert abs(np.mean(told) - np.mean(quick)) < 4.5 * error


@pytest.mark.parametrize("t", [0.5, 6.0, 40.0])
def test_expected_purchases_as_printed(t):
    """[FHL05 eq. 9], where a > 1."""
    r, alpha, a, b = MODEL.values()
    hyper = hyp2f1(r, b, a + b - 1, t / (alpha + t))
    printed = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyper)
    assert MODEL.expected_purchases(t) == pytest.approx(printed, rel=1e-11)


@pytest.mark.parametrize("t", [0.5, 6.0, 40.0])
def test_pmf_as_printed(t):
    """[FHL05 eq. 8], with its finite sum."""
    r, alpha, a, b = MODEL.values()
    for n in range(8):
        counts = np.arange(n)
        nb = gamma(r + np.arange(n + 1)) / gamma(r) / gamma(np.arange(n + 1) + 1)
        nb *= (alpha / (alpha + t)) ** r * (t / (alpha + t)) ** np.arange(n + 1)
        printed = beta(a, b + n) / beta(a, b) * nb[n]
        if n:
            printed += beta(a + 1, b + n - 1) / beta(a, b) * (1 - nb[counts].sum())
        assert MODEL.pmf(n, t) == pytest.approx(printed, rel=1e-11)


def test_without_dropout_it_is_the_negative_binomial():
    loyal = BGNBD(0.9, 6.0, 1e-12, 1.0)
    n = np.arange(30)
    share = T / (6.0 + T)
    np.testing.assert_allclose(loyal.pmf(n, T), nbinom.pmf(n, 0.9, 1 - share), rtol=1e-9)
    assert loyal.expected_purchases(T) == pytest.approx(0.9 * T / 6.0, rel=1e-9)
    assert loyal.p_alive(5, 1.0, T) == pytest.approx(1, abs=1e-9)


def test_who_leaves_at_once_buys_at_most_once():
    fickle = BGNBD(0.9, 6.0, 1e9, 1.0)
    bought = 1 - (6.0 / (6.0 + T)) ** 0.9
    assert fickle.expected_purchases(T) == pytest.approx(bought, rel=1e-7)
    assert fickle.pmf([0, 1, 2], T) == pytest.approx([1 - bought, bought, 0], abs=1e-7)


def test_expected_purchases_is_smooth_through_a_equal_to_one():
    near = [BGNBD(0.9, 6.0, 1 + gap, 2.4).expected_purchases(T) for gap in (-1e-9, 0, 1e-9)]
    assert near == pytest.approx([near[1]] * 3, rel=1e-8)


def test_one_purchase_customers_count_as_alive():
    assert np.all(MODEL.p_alive(0, 0, [0.0, 1.0, 1e6]) == 1)


def test_a_long_horizon_is_bounded_by_the_coin():
    """In the end everyone leaves, at a purchase with chance p: E = E[1 / p] = (a+b-1)/(a-1)."""
    model = BGNBD(3.0, 1.0, 3.0, 2.0)
    assert model.expected_purchases(1e9) == pytest.approx(4 / 2, rel=1e-6)
