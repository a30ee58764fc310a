"""BG/BB against its own definition, told one opportunity after the other, and as printed."""

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.special import beta, gamma
from scipy.stats import betabinom

import clvmodel as clv
from clvmodel import BGBB

MODEL = BGBB(0.9, 1.6, 1.3, 4.4)
EXACT = [Fraction(2), Fraction(3, 2), Fraction(1, 4), Fraction(5, 2)]
DONATIONS = BGBB(1.204, 0.750, 0.657, 2.783)
N = 12


def told_one_by_one(model, n, size, seed):
    """Leave or stay, then buy or not: (purchases, the last of them, alive) of each customer."""
    rng = np.random.default_rng(seed)
    buys, leaves = rng.beta(model.alpha, model.beta, size), rng.beta(model.gamma, model.delta, size)
    x, t_x, alive = np.zeros(size), np.zeros(size), np.ones(size, bool)
    for opportunity in range(1, n + 1):
        alive &= rng.random(size) >= leaves
        bought = alive & (rng.random(size) < buys)
        x += bought
        t_x[bought] = opportunity
    return x, t_x, alive


def test_simulation_is_the_process():
    size = 100_000
    x, t_x, alive = told_one_by_one(MODEL, N, size, seed=1)
    drawn = MODEL.simulate(np.full(size, N), seed=2)
    pairs = [(x, drawn.x), (t_x, drawn.t_x), (alive, drawn.alive), (x * t_x, drawn.x * drawn.t_x)]
    pairs += [((x == k) & alive, (drawn.x == k) & drawn.alive) for k in range(5)]
    for told, quick in pairs:  # 4.5 standard errors: fails falsely once in 150,000
        error = np.sqrt((np.var(told) + np.var(quick)) / size)
        assert abs(np.mean(told) - np.mean(quick)) < 4.5 * error


# In fractions: with p ~ Beta(a, b), some heads and then some tails fall with this chance


def rising(z, k):
    result = Fraction(1)
    for i in range(k):
        result *= z + i
    return result


def coins(a, b, heads, tails):
    return rising(a, heads) * rising(b, tails) / rising(a + b, heads + tails)


def branches(x, t_x, n):
    """Chances of a history with the customer leaving before t_x + 1, ..., n, and alive at n."""
    a, b, c, d = EXACT
    left = [coins(a, b, x, i - x) * coins(c, d, 1, i) for i in range(t_x, n)]
    return [*left, coins(a, b, x, n - x) * coins(c, d, 0, n)]


def exact_pmf(n):
    """P(X(n) = k), by going through all sequences."""
    pmf = [Fraction(0)] * (n + 1)
    for sequence in product((0, 1), repeat=n):
        t_x = max((i + 1 for i, bought in enumerate(sequence) if bought), default=0)
        pmf[sum(sequence)] += sum(branches(sum(sequence), t_x, n))
    return pmf


@pytest.fixture(scope="module")
def exact():
    return BGBB(*map(float, EXACT))


@pytest.mark.parametrize(
    ("x", "t_x", "n"), [(0, 0, 0), (0, 0, 9), (1, 1, 9), (4, 7, 9), (9, 9, 9), (3, 40, 200)]
)
def test_history_in_fractions(exact, x, t_x, n):
    chances = branches(x, t_x, n)
    alive = chances[-1] / sum(chances)
    assert exact.log_likelihood(x, t_x, n) == pytest.approx(np.log(float(sum(chances))), rel=1e-13)
    assert exact.p_alive(x, t_x, n) == pytest.approx(float(alive), rel=1e-13)
    there = alive * coins(*EXACT[2:], 0, n + 3) / coins(*EXACT[2:], 0, n)
    assert exact.p_alive_next(x, t_x, n, ahead=3) == pytest.approx(float(there), rel=1e-13)
    silent = branches(x, t_x, n + 3)
    later = float(silent[-1] / sum(silent))
    assert exact.p_alive(x, t_x, n, silent=3) == pytest.approx(later, rel=1e-13)


def test_counts_in_fractions(exact):
    pmf = exact_pmf(9)
    assert sum(pmf) == 1
    np.testing.assert_allclose(exact.pmf(np.arange(10), 9), np.array(pmf, float), rtol=1e-13)
    tails = [float(sum(pmf[: k + 1])) for k in range(10)]
    np.testing.assert_allclose(exact.cdf(np.arange(10), 9), tails, rtol=1e-13)
    assert exact.p_purchase(9) == pytest.approx(float(1 - pmf[0]), rel=1e-14)
    mean = sum(k * chance for k, chance in enumerate(pmf))
    assert exact.expected_purchases(9) == pytest.approx(float(mean), rel=1e-14)


# As printed


@pytest.mark.parametrize("n", [1, 6, 40])
def test_pmf_as_printed(n):
    """[FHS10 eq. 7], with its finite sum."""
    a, b, c, d = MODEL.values()
    for x in range(n + 1):
        printed = comb(n, x) * beta(a + x, b + n - x) * beta(c, d + n)
        printed += sum(
            comb(i, x) * beta(a + x, b + i - x) * beta(c + 1, d + i) for i in range(x, n)
        )
        printed /= beta(a, b) * beta(c, d)
        assert MODEL.pmf(x, n) == pytest.approx(printed, rel=1e-11)


@pytest.mark.parametrize("t", [1, 5, 40])
def test_expected_purchases_as_printed(t):
    """With Gamma functions and a division by gamma - 1, of a new customer and of others."""
    a, b, c, d = MODEL.values()

    def grown(m):
        return gamma(1 + d + m) / gamma(c + d + m)

    new = a / (a + b) * d / (c - 1) * (1 - gamma(c + d) / gamma(1 + d) * grown(t))
    assert MODEL.expected_purchases(t) == pytest.approx(new, rel=1e-11)
    for x, t_x, n in [(0, 0, 6), (2, 3, 6), (6, 6, 6)]:
        printed = (
            beta(a + x + 1, b + n - x) / beta(a, b) * d / (c - 1) * gamma(c + d) / gamma(1 + d)
        )
        printed *= (grown(n) - grown(n + t)) / np.exp(MODEL.log_likelihood(x, t_x, n))
        assert MODEL.expected_purchases(t, x, t_x, n) == pytest.approx(printed, rel=1e-11)


def test_alive_in_the_paper_is_alive_at_the_next_opportunity():
    """Their table of 2002: (0, 0), (2, 4) and (6, 6) of six years; we ask about 2001."""
    history = [0, 2, 6], [0, 4, 6], 6
    assert DONATIONS.p_alive_next(*history) == pytest.approx([0.11, 0.59, 0.93], abs=0.005)
    ratio = (2.783 + 6) / (0.657 + 2.783 + 6)
    assert DONATIONS.p_alive_next(*history) == pytest.approx(DONATIONS.p_alive(*history) * ratio)
    assert DONATIONS.p_alive(6, 6, 6) == 1


# Limits


def test_without_dropout_it_is_the_beta_binomial():
    loyal = BGBB(0.9, 1.6, 1e-12, 1.0)
    k = np.arange(N + 1)
    np.testing.assert_allclose(loyal.pmf(k, N), betabinom(N, 0.9, 1.6).pmf(k), rtol=1e-9)
    assert loyal.expected_purchases(N) == pytest.approx(N * 0.9 / 2.5, rel=1e-9)
    assert loyal.p_alive(5, 6, N) == pytest.approx(1, abs=1e-9)


def test_who_leaves_at_once_never_buys_again():
    fickle = BGBB(0.9, 1.6, 1e9, 1.0)
    assert fickle.expected_purchases(N) == pytest.approx(0, abs=1e-8)
    assert fickle.pmf([0, 1], N) == pytest.approx([1, 0], abs=1e-8)


def test_who_buys_whenever_there_is_alive_as_long_as_buying():
    """Then the purchases are a survival curve: P(X(n) >= k) is the chance to stay k times."""
    steady = BGBB(1e14, 1.0, 1.3, 4.4)
    stays = np.cumprod([(4.4 + i) / (1.3 + 4.4 + i) for i in range(N)])
    np.testing.assert_allclose(1 - steady.cdf(np.arange(N), N), stays, rtol=1e-10)
    assert steady.p_alive(3, 3, 4) == pytest.approx(0, abs=1e-12)


def test_expected_purchases_is_smooth_through_gamma_equal_to_one():
    for history in ((0, 0, 0), (2, 3, 6)):
        near = [
            BGBB(0.9, 1.6, 1 + g, 4.4).expected_purchases(N, *history) for g in (-1e-9, 0, 1e-9)
        ]
        assert near == pytest.approx([near[1]] * 3, rel=1e-8)
        gap = (near[2] - near[0]) / 2e-9
        wide = [BGBB(0.9, 1.6, 1 + g, 4.4).expected_purchases(N, *history) for g in (-1e-4, 1e-4)]
        assert gap == pytest.approx((wide[1] - wide[0]) / 2e-4, rel=1e-5)


def test_a_long_horizon_is_bounded_by_the_lifetime():
    assert MODEL.expected_lifetime() == pytest.approx(4.4 / 0.3)
    assert MODEL.expected_lifetime(2, 3, 6) == pytest.approx(MODEL.p_alive(2, 3, 6) * 10.4 / 0.3)
    quick = BGBB(0.9, 1.6, 3.3, 4.4)
    bought = 0.9 / 2.5 * quick.expected_lifetime()
    assert quick.expected_purchases(1e12) == pytest.approx(bought, rel=1e-12)
    assert BGBB(0.9, 1.6, 1.0, 4.4).expected_lifetime() == np.inf


# Made with mpmath, mp.dps = 60, as sums over opportunities: parameters, (x, t_x, n), t, then
# log-likelihood, p_alive, expected purchases of this customer and of a new one.
EXTREME = [
    (
        (1e-06, 1e-06, 1e-06, 1e-06),
        (0, 0, 6),
        10,
        [-0.28768283356046808, 0.33333206481788414, 5.5555289182874173e-7, 2.4999951775896134],
    ),
    (
        (1e-06, 1e-06, 1e-06, 1e-06),
        (3, 4, 6),
        10,
        [-18.603003150748722, 0.99999700001077496, 4.9999817209003225, 2.4999951775896134],
    ),
    (
        (1000000.0, 1000000.0, 1000000.0, 1000000.0),
        (3, 4, 6),
        10,
        [-5.9198693484713719, 0.090909495867415477, 0.045410673629837167, 0.49951220239288049],
    ),
    (
        (100000000.0, 300000000.0, 1000.0, 100000000.0),
        (20, 50, 52),
        52,
        [-36.932202188998476, 0.99996888969348515, 12.996152205292335, 12.996555620600159],
    ),
    (
        (0.5, 0.5, 1.0, 2.0),
        (2, 3, 12),
        1000,
        [-5.0744229046301995, 0.02286555758839915, 0.26149959039599633, 5.9874678655413619],
    ),
    (
        (0.5, 0.5, 1.0000000000009095, 2.0),
        (2, 3, 12),
        1000,
        [-5.0744229046302598, 0.022865557588364102, 0.26149959039508848, 5.9874678655248801],
    ),
    (
        (0.5, 0.5, 0.9999999999990905, 2.0),
        (2, 3, 12),
        1000,
        [-5.0744229046301392, 0.022865557588434197, 0.26149959039690418, 5.9874678655578436],
    ),
    (
        (1e-09, 5.0, 0.3, 2.0),
        (0, 0, 52),
        52,
        [-1.424434046056427e-9, 0.353257177698463, 2.8774274670892273e-10, 4.8788250323874057e-9],
    ),
    (
        (2.0, 3.0, 0.5, 0.8),
        (150, 300, 1000),
        5000,
        [-218.99016790537581, 3.0139983609044905e-92, 1.3215756453945026e-89, 42.971616401148285],
    ),
    (
        (8.0, 0.1, 0.02, 0.2),
        (11, 11, 12),
        100,
        [-5.1986910004612081, 0.74567243675099868, 68.365988124328444, 83.06637122754461],
    ),
    (
        (0.1, 40.0, 0.0001, 3000.0),
        (1, 1, 52),
        52,
        [-6.8973735280389781, 0.99999739675641766, 0.62106190774313879, 0.12967569657044918],
    ),
]


@pytest.mark.parametrize(("parameters", "history", "t", "expected"), EXTREME)
def test_extreme_points(parameters, history, t, expected):
    model = BGBB(*parameters)
    got = [
        model.log_likelihood(*history),
        model.p_alive(*history),
        model.expected_purchases(t, *history),
        model.expected_purchases(t),
    ]
    assert got == pytest.approx(expected, rel=1e-12, abs=0)


# In the package


def test_a_start_is_a_point_for_any_data():
    nothing = np.zeros(1)
    for x, t_x, n in [(0, 0, 0), (0, 0, 9), (9, 9, 9), (1, 1, 1), (1, 9, 9)]:
        columns = [nothing + value for value in (x, t_x, n)]
        assert np.all(np.isfinite(BGBB.start(*columns, weight=np.ones(1)).values()))


def test_value_models_do_not_take_it():
    """Its time is not counted in days, so it predicts no year's value."""
    with pytest.raises(clv.ParameterError, match="BGNBD"):
        clv.ValueModel(purchases=BGBB)


def test_data_that_point_to_a_limit_are_fitted_and_said_so():
    """Everybody buys every time: the chance of leaving is nil."""
    x = np.repeat([8.0, 9.0, 10.0], [50, 80, 200])
    data = {"frequency": x, "recency": np.full(330, 10.0), "n": np.full(330, 10.0)}
    fit = clv.fit(BGBB, data)
    assert "no dropout" in fit.message or "nobody leaves" in fit.message
    assert fit.model.p_alive(9, 10, 10) == 1
    assert fit.model.expected_purchases(10) == pytest.approx(x.mean(), rel=0.01)
