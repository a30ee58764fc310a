"""Means under a Beta law: two rules that share nothing must agree, and closed forms too."""

# ruff: noqa: ARG005 -- an integrand takes its rows, also where it needs none

import numpy as np
import pytest
from scipy.special import digamma, hyp2f1

from clvmodel import IntegrationError
from clvmodel.numerics.beta_mean import beta_mean, beta_rule

SIZE = 600


def purchases(r, u):
    """What a customer with coin p buys on average: (1 - (1 + p u)^-r) / p."""
    return lambda p, rows: -np.expm1(-r[rows] * np.log1p(p * u[rows])) / p


def log_uniform(rng, low, high):
    return 10 ** rng.uniform(low, high, SIZE)


@pytest.mark.parametrize(
    ("shapes", "rates", "ratios"),
    [
        ((-1, 1), (-1, 1), (-2, 2.3)),  # ordinary
        ((-3, 3), (-2, 2), (-4, 2.3)),
        ((-6, 6), (-5, 4), (-9, 2.3)),  # tiny and huge
    ],
)
def test_the_two_rules_agree(shapes, rates, ratios):
    """Where models try Gauss-Jacobi: at ratios t / alpha up to 200."""
    rng = np.random.default_rng(1)
    a, b = log_uniform(rng, *shapes), log_uniform(rng, *shapes)
    f = purchases(log_uniform(rng, *rates), log_uniform(rng, *ratios))
    slow, fast = (beta_mean(f, a, b, np.full(SIZE, tried)) for tried in (True, False))
    np.testing.assert_allclose(slow, fast, rtol=1e-9)


@pytest.mark.parametrize("rule", [True, False])
def test_one_purchase_at_least(rule):
    """With r = 1 the mean is that of u / (1 + p u): u 2F1(1, a; a + b; -u)."""
    a, b, u = np.random.default_rng(2).uniform(0.3, 8, (3, 200))
    got = beta_mean(purchases(np.ones(200), u), a, b, np.full(200, rule))
    np.testing.assert_allclose(got, u * hyp2f1(1, a, a + b, -u), rtol=1e-10)


@pytest.mark.parametrize("rule", [True, False])
def test_known_means(rule):
    a, b = 10 ** np.random.default_rng(3).uniform(-4, 4, (2, 200))
    tried = np.full(200, rule)
    one_minus = beta_mean(lambda p, rows: 1 - p, a, b, tried)
    np.testing.assert_allclose(one_minus, b / (a + b), rtol=1e-9, atol=1e-12)
    constant = beta_mean(lambda p, rows: np.ones_like(p), a, b, tried)
    np.testing.assert_allclose(constant, 1, rtol=1e-12)


def test_a_logarithm():
    """E[-log p] = digamma(a + b) - digamma(a), singular at 0: only the logit rule sees it."""
    a, b = np.array([0.5, 2.0, 30.0]), np.array([1.0, 3.0, 0.7])
    got = beta_mean(lambda p, rows: -np.log(p), a, b, np.zeros(3, bool))
    np.testing.assert_allclose(got, digamma(a + b) - digamma(a), rtol=1e-10)


def test_rows_are_independent():
    rng = np.random.default_rng(4)
    a, b, r, u = (10 ** rng.uniform(-2, 2, 12) for _ in range(4))
    slow = rng.random(12) < 0.5
    together = beta_mean(purchases(r, u), a, b, slow)
    for i in range(12):
        one = slice(i, i + 1)
        alone = beta_mean(purchases(r[one], u[one]), a[one], b[one], slow[one])
        assert alone[0] == pytest.approx(together[i], rel=1e-12)


def test_more_rows_than_a_block():
    a = np.resize([0.5, 2.0, 3.0], (1 << 14) + 5)
    u = np.full(a.size, 3.0)
    got = beta_mean(purchases(np.ones(a.size), u), a, 2 * a, np.ones(a.size, bool))
    np.testing.assert_allclose(got, np.resize(got[:3], a.size), rtol=1e-14)


def test_no_rows():
    nothing = np.empty(0)
    assert beta_mean(purchases(nothing, nothing), nothing, nothing, nothing > 0).size == 0


def test_what_does_not_settle_is_refused():
    """An integrand with a jump has no accurate rule: an error, not a wrong number."""
    with pytest.raises(IntegrationError, match="agreed only to"):
        beta_mean(
            lambda p, rows: np.where(p < 1 / np.pi, 2.0, 1.0),
            np.ones(1),
            np.ones(1),
            np.ones(1, bool),
        )


@pytest.mark.parametrize(("a", "b"), [(0.3, 2.0), (1.0, 1.0), (5.0, 0.4), (0.5, 0.5)])
def test_gauss_rule_has_the_moments(a, b):
    nodes, weights = beta_rule(a, b, 8)
    assert np.all((nodes > 0) & (nodes <= 1) & (weights > 0))
    moment = 1.0
    for k in range(16):  # n nodes are exact for degrees below 2 n
        assert (weights * nodes**k).sum() == pytest.approx(moment, rel=1e-12)
        moment *= (a + k) / (a + b + k)
