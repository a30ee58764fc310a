"""Pareto/NBD against its own definition, told event by event, and the formulas as printed."""

import numpy as np
import pytest
from scipy.special import gamma, hyp2f1
from scipy.stats import nbinom

from clvmodel import ParetoNBD

MODEL = ParetoNBD(0.9, 6.0, 1.3, 9.0)
T = 15.0

# r, alpha, s, beta, n, t; P(X(t) = n) and P(X(t) > 0), by quadrature from the definition with 50
# digits (mpmath, Gauss-Legendre in log y, two grids that agree to 20 digits).
CHANCES = [
    (0.553, 10.578, 0.606, 11.669, 0, 39.0, 0.59362503160238383, 0.40637496839761617),
    (0.553, 10.578, 0.606, 11.669, 3, 39.0, 0.049039953642814267, 0.40637496839761617),
    (0.553, 10.578, 0.606, 11.669, 40, 39.0, 1.4882291290852058e-6, 0.40637496839761617),
    (0.553, 10.578, 1.0, 11.669, 2, 1e5, 0.062834120838761185, 0.36985688175751315),
    (29.5, 48.0, 0.6, 50.0, 10, 0.001, 8.4460832577385563e-39, 0.00061438443189331369),
    (500.0, 1000.0, 0.6, 11.7, 200, 1000.0, 0.00034476685472027144, 0.91737124073401571),
    (1e-5, 10.0, 0.6, 11.7, 5, 1000.0, 6.6323992759635989e-7, 1.6517216874430126e-5),
    (0.5, 1e-6, 2.0, 1e6, 3000, 0.01, 7.6303207626370527e-5, 0.99000049976647313),
    (0.3, 0.5, 2.0, 5000.0, 1500, 1e5, 8.6356532189672134e-5, 0.90470020731562268),
    (3.0, 5000.0, 0.3, 0.5, 1, 1e5, 0.032592292236977826, 0.10949420114565932),
    (0.5, 10.0, 1e4, 1e6, 7, 100.0, 0.022596031129252767, 0.56900761329042907),
    (0.6, 60.0, 1e-6, 0.001, 4, 730.0, 0.058133772041310551, 0.78702320508573244),
    (
        0.6428,
        0.0001427,
        117.9,
        1.9676e-6,
        45,
        0.9927,
        4.5175827759517967e-118,
        7.5803513847427924e-5,
    ),
]


def told_event_by_event(model, size, seed):
    """Wait, buy, unless gone by then: (purchases, last time, alive) of each customer at T."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.r, 1 / model.alpha, size)
    leaves = rng.exponential(1 / rng.gamma(model.s, 1 / model.beta, size))
    x, t_x = np.zeros(size), np.zeros(size)
    now, active = np.zeros(size), np.arange(size)
    while active.size:
        now[active] += rng.exponential(1 / rate[active])
        active = active[now[active] <= np.minimum(T, leaves[active])]
        x[active] += 1
        t_x[active] = now[active]
    return x, t_x, leaves > T


def test_simulation_is_the_process():
    size = 100_000
    x, t_x, alive = told_event_by_event(MODEL, size, seed=1)
    drawn = MODEL.simulate(np.full(size, T), seed=2)
    pairs = [(x, drawn.x), (t_x, drawn.t_x), (alive, drawn.alive), (x * t_x, drawn.x * drawn.t_x)]
    pairs += [((x == k) & alive, (drawn.x == k) & drawn.alive) for k in range(5)]
    for told, quick in pairs:  # 4.5 standard errors: fails falsely once in 150,000
        error = np.sqrt((np.var(told) + np.var(quick)) / size)
        assert abs(np.mean(told) - np.mean(quick)) < 4.5 * error


def test_hidden_rates_are_what_they_are_called():
    drawn = MODEL.simulate(np.full(100_000, T), seed=3)
    for rate, shape, scale in ((drawn.rate, 0.9, 6.0), (drawn.dropout, 1.3, 9.0)):
        assert rate.mean() == pytest.approx(shape / scale, rel=0.02)
        assert rate.var() == pytest.approx(shape / scale**2, rel=0.05)
    leaves = 1 - np.exp(-drawn.dropout * T)
    assert np.mean(~drawn.alive) == pytest.approx(leaves.mean(), abs=0.01)


def two_hypergeometrics(model, x, t_x, T):
    """Return A0 of [FH05]."""
    r, alpha, s, beta = model.values()
    total = r + s + x

    def part(t):
        if alpha >= beta:
            z = (alpha - beta) / (alpha + t)
            return hyp2f1(total, s + 1, total + 1, z) / (alpha + t) ** total
        z = (beta - alpha) / (beta + t)
        return hyp2f1(total, r + x, total + 1, z) / (beta + t) ** total

    return part(t_x) - part(T)


@pytest.mark.parametrize("model", [MODEL, ParetoNBD(0.9, 9.0, 1.3, 6.0)], ids=["<", ">"])
@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (1, 2.0), (4, 13.0), (9, 6.0)])
def test_likelihood_and_p_alive_as_printed(model, x, t_x):
    """With two hypergeometric functions [FH05]."""
    r, alpha, s, beta = model.values()
    before = gamma(r + x) / gamma(r) * alpha**r * beta**s
    alive = 1 / ((alpha + T) ** (r + x) * (beta + T) ** s)
    left = s / (r + s + x) * two_hypergeometrics(model, x, t_x, T)
    got = model.log_likelihood(x, t_x, T)
    assert got == pytest.approx(np.log(before * (alive + left)), rel=1e-11)
    assert model.p_alive(x, t_x, T) == pytest.approx(alive / (alive + left), rel=1e-10)


@pytest.mark.parametrize("t", [0.5, 6.0, 40.0])
def test_expected_purchases_as_printed(t):
    """[SMC87], where s is not 1; and conditional on a history."""
    r, alpha, s, beta = MODEL.values()
    printed = r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + t)) ** (s - 1))
    assert MODEL.expected_purchases(t) == pytest.approx(printed, rel=1e-12)
    x, t_x = 4, 13.0
    rest = (r + x) * (beta + T) / ((alpha + T) * (s - 1))
    rest *= 1 - ((beta + T) / (beta + T + t)) ** (s - 1)
    got = MODEL.expected_purchases(t, x, t_x, T)
    assert got == pytest.approx(MODEL.p_alive(x, t_x, T) * rest, rel=1e-12)


@pytest.mark.parametrize("case", CHANCES, ids=lambda case: f"n={case[4]}, t={case[5]:g}")
def test_chances_by_quadrature_of_many_digits(case):
    *parameters, n, t, exactly, some = case
    model = ParetoNBD(*parameters)
    assert model.pmf(n, t) == pytest.approx(exactly, rel=1e-10, abs=0)
    assert model.p_purchase(t) == pytest.approx(some, rel=1e-10, abs=0)


def test_many_counts_add_up():
    """Thousands of purchases, in a short time and a long one."""
    model, n = ParetoNBD(2.0, 0.001, 1.0, 0.5), np.arange(60_000.0)
    for t in (0.01, 2.0):
        pmf = model.pmf(n, t)
        assert pmf.sum() == pytest.approx(1, rel=1e-10)
        few = n < 300
        tail = 1 - model.cdf(n[few], t)
        np.testing.assert_allclose(tail, 1 - np.cumsum(pmf[few]), rtol=0, atol=1e-11)


def test_without_dropout_it_is_the_negative_binomial():
    loyal = ParetoNBD(0.9, 6.0, 1e-12, 1.0)
    n = np.arange(30)
    share = T / (6.0 + T)
    np.testing.assert_allclose(loyal.pmf(n, T), nbinom.pmf(n, 0.9, 1 - share), rtol=1e-9)
    np.testing.assert_allclose(loyal.cdf(n, T), nbinom.cdf(n, 0.9, 1 - share), rtol=1e-9)
    assert loyal.expected_purchases(T) == pytest.approx(0.9 * T / 6.0, rel=1e-9)
    assert loyal.p_alive(5, 1.0, T) == pytest.approx(1, abs=1e-9)


def test_one_rate_of_leaving():
    """s and beta huge: everyone leaves at rate 0.1, whatever the past says about it."""
    same = ParetoNBD(0.9, 6.0, 1e9, 1e10)
    assert same.expected_lifetime() == pytest.approx(10, rel=1e-8)
    mean = 0.9 / 6.0 * -np.expm1(-0.1 * T) / 0.1
    assert same.expected_purchases(T) == pytest.approx(mean, rel=1e-7)
    chance = same.p_alive(0, 0, T)
    # 0.9 = r: the density of no purchase until y, and leaving at y
    y = (np.arange(100_000) + 0.5) / 100_000 * T
    alive, left = (1 + T / 6.0) ** -0.9 * np.exp(-0.1 * T), (1 + y / 6.0) ** -0.9
    left = (left * 0.1 * np.exp(-0.1 * y)).mean() * T
    assert chance == pytest.approx(alive / (alive + left), rel=1e-7)


def test_everything_is_smooth_through_s_equal_to_one():
    near = [ParetoNBD(0.9, 6.0, 1 + gap, 9.0) for gap in (-1e-9, 0, 1e-9)]
    for t in (0.01, T, 1e6):
        expected = [model.expected_purchases(t) for model in near]
        assert expected == pytest.approx([expected[1]] * 3, rel=3e-8)
        chances = [model.pmf(2, t) for model in near]
        assert chances == pytest.approx([chances[1]] * 3, rel=3e-8)


def test_a_new_customer_is_alive():
    assert MODEL.p_alive(0, 0, 0) == 1
    assert MODEL.log_likelihood(0, 0, 0) == pytest.approx(0, abs=1e-200)
    assert MODEL.p_alive(5, 7.0, 7.0) == 1


def test_silence_makes_one_purchase_customers_doubtful():
    """Where BG/NBD says 1 for ever."""
    chance = MODEL.p_alive(0, 0, np.array([0.0, 1.0, 15.0, 100.0, 1e6]))
    assert np.all(np.diff(chance) < 0)
    assert chance[-1] < 1e-3


def test_long_lives():
    """With s > 1 the mean lifetime is finite, and bounds what is ever bought."""
    assert MODEL.expected_lifetime() == pytest.approx(9.0 / 0.3)
    assert MODEL.expected_purchases(1e60) == pytest.approx(0.9 / 6.0 * 30.0, rel=1e-12)
    assert MODEL.expected_lifetime(4, 13.0, T) == pytest.approx(
        MODEL.p_alive(4, 13.0, T) * (9.0 + T) / 0.3
    )
    assert ParetoNBD(0.9, 6.0, 1.0, 9.0).expected_lifetime() == np.inf


def test_more_purchases_say_more_than_logarithms_can_hold():
    """Two thousand purchases in a day and then silence: gone, in finite numbers."""
    history = 2000, 1.0, np.array([1.0, 1.001, 1.1, 2.0, 10_000.0])
    value, gradient, hessian = MODEL.derivatives(*history)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    chance = MODEL.p_alive(*history)
    assert chance[0] == 1 > chance[1] > chance[2] > chance[3] > chance[4] == 0


def test_a_start_has_the_mean_of_the_data():
    x, t_x, T, *_ = MODEL.simulate(np.full(5000, 30.0), seed=4)
    start = ParetoNBD.start(x, t_x, T, np.ones(5000))
    assert start.r * T.mean() / start.alpha == pytest.approx(x.mean())
    nobody = ParetoNBD.start(np.zeros(3), np.zeros(3), np.zeros(3), np.ones(3))
    assert all(value > 0 for value in nobody.values())
