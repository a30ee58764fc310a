"""Markov chains that have the target's law; diagnostics that agree with a reference."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from clvmodel.numerics.chains import Walkers, bulk_size, r_hat
from clvmodel.numerics.proposals import StudentMixture


def chains(shift):
    """Four autocorrelated chains; the first is moved and the second stretched by a shift."""
    values = ndtri((np.arange(800) * 0.754877666 + 0.5) % 1)
    for i in range(1, 800):
        values[i] = 0.7 * values[i - 1] + values[i]
    four = np.round(values.reshape(4, 200), 2)
    four[0] += shift
    four[1] *= 1 + shift
    return four


# arviz 0.23.4: arviz.rhat(chains(shift), method="rank"), arviz.ess(chains(shift), method="bulk")
ARVIZ = [(0, 0.9963177718319889, 153.09560038006953), (1, 1.0541882272748306, 120.41575816903106)]


@pytest.mark.parametrize(("shift", "ratio", "size"), ARVIZ)
def test_the_same_as_arviz(shift, ratio, size):
    assert r_hat(chains(shift)) == pytest.approx(ratio, rel=1e-12)
    assert bulk_size(chains(shift)) == pytest.approx(size, rel=0.01)  # it cuts off a term later


def test_independent_draws():
    draws = np.random.default_rng(1).standard_normal((8, 500))
    assert r_hat(draws) == pytest.approx(1, abs=0.01)
    assert bulk_size(draws) == pytest.approx(4000, rel=0.15)
    assert r_hat(3 - 5 * draws) == pytest.approx(r_hat(draws), abs=1e-9)
    assert bulk_size(np.exp(5 * draws)) == bulk_size(draws)  # ranks


def test_an_autoregression():
    rng = np.random.default_rng(2)
    draws = rng.standard_normal((16, 2000))
    for i in range(1, 2000):
        draws[:, i] = 0.9 * draws[:, i - 1] + np.sqrt(1 - 0.81) * draws[:, i]
    assert bulk_size(draws) == pytest.approx(32_000 * 0.1 / 1.9, rel=0.15)


def test_chains_that_do_not_mix():
    draws = np.random.default_rng(3).standard_normal((4, 500))
    assert r_hat(draws + np.arange(4)[:, None]) > 1.3
    assert r_hat(draws * [[1], [1], [1], [10]]) > 1.1
    assert r_hat(draws + np.linspace(0, 5, 500)) > 1.3  # a trend within each chain


def test_stuck_and_short_chains():
    assert r_hat(np.ones((4, 100))) == 1
    assert r_hat(np.arange(4.0)[:, None] * np.ones(100)) > 1e6
    assert np.isnan(bulk_size(np.ones((4, 100))))
    assert np.isnan(r_hat(np.ones((4, 3))))
    assert np.isnan(bulk_size(np.zeros((4, 2))))


def walkers(log_density, size, rng):
    """Walkers that know little: everything begins around zero."""
    points = 0.1 * rng.standard_normal((40, size))
    proposal = StudentMixture(np.zeros((1, size)), 3 * np.eye(size))
    return Walkers(log_density, proposal, points, points.copy(), rng)


def assert_law(draws, chance):
    """Draws (c, n) have the distribution function `chance`, within 4.5 standard errors."""
    worth = bulk_size(draws)
    assert worth > 500
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        error = np.sqrt(level * (1 - level) / worth)
        assert abs(chance(np.quantile(draws, level)) - level) < 4.5 * error


def test_walkers_find_a_normal():
    target = np.linalg.cholesky([[1.0, 0.95], [0.95, 1.0]]) * [[1.0], [100.0]]
    inverse = np.linalg.inv(target)
    team = walkers(
        lambda p: -np.sum(((p - [0, 50]) @ inverse.T) ** 2, axis=1) / 2,
        2,
        np.random.default_rng(4),
    )
    team.search(300)
    team.search(300)
    draws = team.walk(1000)
    assert draws.shape == (40, 1000, 2)
    assert_law(draws[:, :, 0], ndtr)
    assert_law(draws[:, :, 1], lambda q: ndtr((q - 50) / 100))
    assert max(r_hat(draws[:, :, i]) for i in range(2)) < 1.05


def test_walkers_find_two_islands():
    def log_density(points):
        near = -np.sum((points - 4) ** 2, axis=1) / 2
        return np.logaddexp(near, np.log(3) - np.sum((points + 4) ** 2, axis=1) / 2)

    team = walkers(log_density, 2, np.random.default_rng(5))
    team.search(400)
    team.search(400)
    draws = team.walk(2000)
    for i in range(2):
        assert r_hat(draws[:, :, i]) < 1.1
        assert_law(draws[:, :, i], lambda q: 0.25 * ndtr(q - 4) + 0.75 * ndtr(q + 4))


def test_walkers_respect_a_box():
    def log_density(points):
        return np.where((np.abs(points) <= 1).all(axis=1), 0.0, -np.inf)

    team = walkers(log_density, 1, np.random.default_rng(6))
    team.search(200)
    draws = team.walk(1000)[:, :, 0]
    assert np.abs(draws).max() <= 1
    assert_law(draws, lambda q: (1 + q) / 2)


def test_the_same_seed_walks_the_same_way():
    one, other, third = (
        walkers(lambda p: -np.sum(p**2, axis=1), 2, np.random.default_rng(seed)).walk(50)
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, other)
    assert (one != third).any()
