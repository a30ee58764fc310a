"""Integrals of power laws, against closed forms where there are any, and a rule of many nodes."""

import numpy as np
import pytest
from scipy.special import beta as beta_function
from scipy.special import betainc, betaincc, expm1, log1p

from clvmodel.numerics.panels import gauss
from clvmodel.numerics.power_laws import peaked_integral, power_integral, power_moments

ONE = np.ones(1)


def shapes(kind, size, seed):
    """(a, alpha, b, beta, width) of all kinds."""
    rng = np.random.default_rng([seed, 1])

    def between(low, high):
        return 10 ** rng.uniform(low, high, size)

    if kind == "tiny and huge":
        a, b, alpha, beta = between(-5, 5), between(-5, 5), between(-6, 7), between(-6, 7)
        return a, alpha, b, beta, alpha * between(-6, 8)
    if kind == "medium":
        a, b, alpha, beta = between(-1.5, 2.5), between(-1.5, 1.5), between(-1, 2.5), between(-1, 3)
        return a, alpha, b, beta, between(-2, 3.5)
    bought = np.floor(between(-0.5, 2))
    return between(-2, 1) + bought, between(0, 3), 1 + between(-2, 1), between(0, 3), between(-1, 3)


def finely(a, alpha, b, beta, width):
    """The integral and its moments by 800 nodes in log(1 + y / near), where anything is left."""
    near = np.minimum(alpha, beta)
    end = log1p(width / near)

    def exponent(v):
        y = near * expm1(v)
        return a * log1p(y / alpha) + b * log1p(y / beta) - v

    low, high = np.zeros_like(end), end.copy()
    for _ in range(60):  # the exponent is convex: beyond 60 it only rises
        middle = 0.5 * (low + high)
        beyond = (exponent(middle) > 60) & (exponent(middle) > exponent(0.999 * middle))
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    rule = gauss(20, 0.5, panels=40)
    v = rule.nodes * high
    y = near * expm1(v)
    density = np.exp(-exponent(v)) * rule.weights[:, None]
    total = density.sum(axis=0)
    four = np.stack([log1p(y / alpha), y / (alpha + y), log1p(y / beta), y / (beta + y)])
    weighed = four * (density / total)
    return near * high * total, weighed.sum(axis=1), np.einsum("inm,jnm->ijm", weighed, four)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["ordinary", "medium", "tiny and huge"])
def test_all_shapes(kind, seed):
    """Each rule within its reach, and those that are asked for the rest."""
    columns = shapes(kind, 4000, seed)
    value, mean, second = power_moments(*columns)
    exact, exact_mean, exact_second = finely(*columns)
    np.testing.assert_allclose(value, exact, rtol=8e-11 if kind == "tiny and huge" else 2e-11)
    np.testing.assert_allclose(power_integral(*columns), value, rtol=1e-13)
    size = np.stack([columns[0], columns[0], columns[2], columns[2]])  # what moments go with
    assert np.max(np.abs(mean - exact_mean) * size) < 1e-9
    for (i, j), moment in second.items():
        spread = moment - mean[i] * mean[j]
        exact_spread = exact_second[i, j] - exact_mean[i] * exact_mean[j]
        assert np.max(np.abs(spread - exact_spread) * size[i] * size[j]) < 2e-8


@pytest.mark.parametrize("seed", [5, 6])
def test_one_power_law(seed):
    """With alpha = beta: the integral of (1 + y / alpha)^-c, smooth through c = 1."""
    a, alpha, b, _, width = shapes("medium", 2000, seed)
    b[:5] = 1 - (a[:5] % 1)
    a[:5] %= 1
    c = a + b
    rise = log1p(width / alpha)
    exact = alpha * np.where(c == 1, rise, expm1((1 - c) * rise) / np.where(c == 1, 1, 1 - c))
    np.testing.assert_allclose(power_integral(a, alpha, b, alpha, width), exact, rtol=2e-11)


def test_order_does_not_matter():
    a, alpha, b, beta, width = shapes("ordinary", 500, seed=7)
    one, other = power_moments(a, alpha, b, beta, width), power_moments(b, beta, a, alpha, width)
    np.testing.assert_allclose(one.value, other.value, rtol=1e-13)
    for i, j in [(0, 2), (1, 3), (2, 0), (3, 1)]:
        np.testing.assert_allclose(one.mean[i], other.mean[j], rtol=1e-12)
        np.testing.assert_allclose(one.second[i, i], other.second[j, j], rtol=1e-12)
    np.testing.assert_allclose(one.second[0, 3], other.second[1, 2], rtol=1e-12)


def test_no_width_no_integral():
    value, mean, second = power_moments(2 * ONE, ONE, 3 * ONE, 5 * ONE, 0 * ONE)
    assert value == 0
    assert power_integral(2 * ONE, ONE, 3 * ONE, 5 * ONE, 0 * ONE) == 0
    assert all(m == 0 for m in [*mean, *second.values()])


def test_shapes_of_arrays():
    a, width = np.array([[0.5], [20.0]]), np.array([0.0, 1.0, 50.0])
    table = power_moments(a, 2.0, 1.5, 3.0, width)
    for part in [table.value, *table.mean, *table.second.values()]:
        assert part.shape == (2, 3)
    alone = power_moments(np.float64(20.0), 2.0, 1.5, 3.0, np.float64(50.0))
    assert alone.value.shape == ()
    assert alone.value == pytest.approx(table.value[1, 2], rel=1e-14)
    assert alone.second[1, 3] == pytest.approx(table.second[1, 3][1, 2], rel=1e-14)
    nothing = np.empty((0, 4))
    assert power_integral(nothing, 2.0, 1.5, 3.0, 1.0).shape == (0, 4)
    assert [part.shape for part in peaked_integral(nothing + 2, 2.0, 1.5, 3.0, 1.0, 1.0)] == [
        (0, 4)
    ] * 2


def peaks(size, seed):
    """(rise, excess, alpha, b, beta, width) of all kinds: excess may be negative, b is more."""
    rng = np.random.default_rng([seed, 2])
    rise = np.floor(10 ** rng.uniform(0, 3.6, size))
    excess = np.where(rng.random(size) < 0.3, -rng.random(size), 10 ** rng.uniform(-5, 4, size))
    b = np.maximum(-excess, 0) + 10 ** rng.uniform(-5, 4, size)
    alpha, beta = 10 ** rng.uniform(-6, 7, (2, size))
    return rise, excess, alpha, b, beta, 10 ** rng.uniform(-3, 5, size)


def test_a_peak_of_one_scale_is_an_incomplete_beta_function():
    """With alpha = beta, h(y) = y^p (alpha + y)^-(p + q)."""
    rise, excess, alpha, b, _, width = peaks(4000, seed=1)
    keep = (rise < 200) & (excess + b > 0.01) & (excess + b < 200)
    rise, excess, alpha, b, width = (column[keep] for column in (rise, excess, alpha, b, width))
    top, value = peaked_integral(rise, excess, alpha, b, alpha, width)
    fall = excess + b
    assert np.all((top > 0) & (top <= width))
    at_top = np.exp(rise * np.log(top / (alpha + top)) - fall * log1p(top / alpha))
    shares = width / (alpha + width), alpha / (alpha + width)
    below = np.where(
        shares[0] < 0.5, betainc(rise, fall, shares[0]), betaincc(fall, rise, shares[1])
    )
    exact = below * beta_function(rise, fall)
    known = exact > 1e-250
    assert known.mean() > 0.5
    np.testing.assert_allclose((value * at_top)[known], exact[known], rtol=1e-10)


def test_peaks_of_all_kinds():
    """Against a sum over both sides in log y, by 2,400 nodes."""
    rise, excess, alpha, b, beta, width = columns = peaks(1500, seed=3)
    top, value = peaked_integral(*columns)

    def fallen(v):
        """-log of h(top exp(v)) / h(top)."""
        rising = np.maximum(alpha / (alpha + top) * expm1(-v), np.finfo(float).eps - 1)
        alpha_part = np.log((alpha + top * np.exp(v)) / (alpha + top))
        beta_part = np.log((beta + top * np.exp(v)) / (beta + top))
        return rise * log1p(rising) + excess * alpha_part + b * beta_part

    rule, total = gauss(20, panels=60), 0.0
    for side, limit in ((-1.0, 700.0), (1.0, np.log(width / top))):
        low, high = np.zeros_like(top), np.broadcast_to(limit, top.shape)
        for _ in range(60):
            middle = 0.5 * (low + high)
            beyond = fallen(side * middle) > 45
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        total = total + high * (rule.weights @ np.exp(-fallen(side * rule.nodes * high)))
    np.testing.assert_allclose(value, total, rtol=5e-10)


@pytest.mark.parametrize("rise", [1.0, 1e3, 1e6, 1e9, 1e15])
def test_a_high_rise_keeps_its_digits(rise):
    """As rise grows, rise * alpha / y tends to Gamma(q): the integral over all y is Beta's."""
    _, value = peaked_integral(rise * ONE, 1.5 * ONE, ONE, 0.5 * ONE, ONE, 1e40 * ONE)
    top, _ = peaked_integral(rise * ONE, 1.5 * ONE, ONE, 0.5 * ONE, ONE, 1e40 * ONE)
    log_top = -rise * log1p(1 / top) - 2 * log1p(top)
    assert value * np.exp(log_top) * rise * (rise + 1) == pytest.approx(1, rel=1e-11)
