"""Gamma-Gamma against its own definition: every purchase drawn from its customer's law."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma as gamma_law

from clvmodel import GammaGamma

MODEL = GammaGamma(2.5, 4.0, 30.0)


def values(size, count, seed):
    """Values of purchases, shape (size, count): nu per customer, then z per purchase."""
    rng = np.random.default_rng(seed)
    nu = rng.gamma(MODEL.q, 1 / MODEL.gamma, (size, 1))
    return rng.gamma(MODEL.p, 1.0, (size, count)) / nu


def mean_is_zero(error):
    """Within 4.5 standard errors: fails falsely once in 150,000."""
    return abs(error.mean()) < 4.5 * error.std() / np.sqrt(error.size)


@pytest.mark.parametrize("x", [1, 2, 6])
def test_conditional_spend_predicts_the_next_purchases(x):
    z = values(100_000, x + 3, seed=x)
    m, ahead = z[:, :x].mean(axis=1), z[:, x:].mean(axis=1)
    error = ahead - MODEL.expected_spend(x, m)
    groups = np.digitize(m, np.quantile(m, [0.2, 0.4, 0.6, 0.8]))
    assert mean_is_zero(error)
    assert all(mean_is_zero(error[groups == group]) for group in range(5))


@pytest.mark.parametrize("x", [1, 4])
def test_simulation_is_the_process(x):
    told = np.log(values(100_000, x, seed=7).mean(axis=1))
    drawn = np.log(MODEL.simulate(np.full(100_000, float(x)), seed=8))
    for k in (1, 2, 3):
        gap = np.mean(told**k) - np.mean(drawn**k)
        error = np.sqrt((np.var(told**k) + np.var(drawn**k)) / told.size)
        assert abs(gap) < 4.5 * error


@pytest.mark.parametrize(("x", "m"), [(1, 12.0), (3, 40.0), (10, 5.0)])
def test_likelihood_is_the_mixture(x, m):
    """The mean of x values is Gamma(p x, nu x), averaged over nu."""

    def joint(nu):
        mean = gamma_law.pdf(m, MODEL.p * x, scale=1 / (nu * x))
        return mean * gamma_law.pdf(nu, MODEL.q, scale=1 / MODEL.gamma)

    density, _ = quad(joint, 0, 20, points=[0.05, 0.2, 1.0], epsabs=0, epsrel=1e-11, limit=200)
    assert MODEL.log_likelihood(x, m) == pytest.approx(np.log(density), rel=1e-9)


def test_mean_without_bound_is_infinite():
    heavy = GammaGamma(0.3, 0.5, 10.0)
    assert heavy.expected_spend() == np.inf
    assert heavy.expected_spend(1, 20.0) == np.inf
    assert np.isfinite(heavy.expected_spend(2, 20.0))
    assert GammaGamma(0.3, 1.0, 10.0).expected_spend() == np.inf
