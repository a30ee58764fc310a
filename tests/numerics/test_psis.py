"""Weights, and k-hat where the law of the ratios is known."""

import numpy as np
import pytest
from scipy.special import ndtri

from clvmodel.errors import ParameterError
from clvmodel.numerics.psis import effective_size, fit_generalised_pareto, psis, trusted_below


def normal_by_narrower(size, scale):
    """Log ratios of a standard normal at even quantiles of a normal with this scale."""
    z = scale * ndtri((np.arange(size) + 0.5) / size)
    return z**2 / 2 * (1 / scale**2 - 1)


def pareto(size, k, seed):
    """Log ratios, up to a constant, of Exp(1 - k) at draws from Exp(1): exactly Pareto, shape k."""
    return k * np.random.default_rng(seed).exponential(size=size)


# arviz 0.23.4: arviz.psislw(normal_by_narrower(size, scale)) -> khat, largest log weight
ARVIZ = [
    (25, 1.3, -0.19817435612430584, -2.9585267002135085),
    (100, 0.5, 0.5212556817967939, -2.650910559674753),
    (100, 0.8, 0.33689436855135163, -3.6229531969385476),
    (1000, 0.5, 0.6408277342660761, -3.458149477041249),
    (1000, 1.3, -1.589825122474313, -6.645400066003596),
    (4000, 0.8, 0.34538864642538086, -6.101962072253179),
]


@pytest.mark.parametrize(("size", "scale", "khat", "largest"), ARVIZ)
def test_the_same_as_arviz(size, scale, khat, largest):
    smoothed = psis(normal_by_narrower(size, scale))
    assert smoothed.khat == pytest.approx(khat, rel=1e-9)
    assert smoothed.log_weights.max() == pytest.approx(largest, rel=1e-9)


@pytest.mark.parametrize("k", [0.2, 0.5, 0.7, 0.9])
def test_khat_of_ratios_that_are_pareto(k):
    size = 100_000
    error = (1 + k) / np.sqrt(3 * np.sqrt(size))  # of maximum likelihood
    assert psis(pareto(size, k, seed=1)).khat == pytest.approx(k, abs=3 * error)


@pytest.mark.parametrize("scale", [0.5, 0.6, 0.8, 0.9])
def test_khat_of_a_normal_by_a_narrower_one(scale):
    """k = 1 - scale^2; the tail is Pareto but for a factor sqrt(log), so that it is approached."""
    khat = psis(normal_by_narrower(1_000_000, scale)).khat
    assert 1 - scale**2 - 0.08 < khat < 1 - scale**2 + 0.02


def test_khat_of_a_normal_by_a_wider_one():
    assert psis(normal_by_narrower(4000, 1.3)).khat < 0


def test_smoothing_makes_the_mean_more_precise():
    k = 0.75
    raw, smooth = [], []
    for seed in range(300):
        draws = np.random.default_rng(seed).exponential(size=1000)
        ratios = k * draws
        weight = np.exp(ratios - ratios.max())
        raw.append(weight @ draws / weight.sum())
        smooth.append(np.exp(psis(ratios).log_weights) @ draws)
    truth = 1 / (1 - k)
    assert np.mean((np.array(smooth) - truth) ** 2) < np.mean((np.array(raw) - truth) ** 2)


def test_what_smoothing_leaves_as_it_is():
    ratios = pareto(1000, 0.7, seed=2)
    weights, khat = psis(ratios)
    assert np.exp(weights).sum() == pytest.approx(1)
    assert weights.shape == ratios.shape
    order = np.argsort(ratios)
    body = order[: -int(np.ceil(3 * np.sqrt(1000)))]
    np.testing.assert_allclose(np.ptp(weights[body] - ratios[body]), 0, atol=1e-12)
    assert (np.diff(weights[order]) >= 0).all()
    assert np.ptp(weights) <= np.ptp(ratios)
    shifted = psis(ratios + 1e4)
    np.testing.assert_allclose(shifted.log_weights, weights, atol=1e-9)
    assert shifted.khat == pytest.approx(khat, abs=1e-9)
    turned = psis(ratios[::-1])
    np.testing.assert_array_equal(turned.log_weights[::-1], weights)


def test_the_argument_is_left_alone():
    ratios = pareto(500, 0.5, seed=3)
    ratios.setflags(write=False)
    psis(ratios)


def test_equal_ratios():
    for size in (1, 7, 1000):
        weights, khat = psis(np.full(size, -3.0))
        assert khat == -np.inf
        np.testing.assert_allclose(np.exp(weights), 1 / size)


def test_equal_ratios_in_a_box():
    ratios = np.where(np.arange(1000) % 3 == 0, 2.0, -np.inf)
    weights, khat = psis(ratios)
    assert khat == -np.inf
    np.testing.assert_allclose(np.exp(weights), np.where(ratios > 0, 1 / 334, 0))


@pytest.mark.parametrize(
    "ratios",
    [
        np.arange(20.0),
        [0.0, 1.0],
        np.where(np.arange(1000) < 4, np.arange(1000.0), -np.inf),
        np.where(np.arange(1000) < 4, 0.0, -np.inf),
        np.where(np.arange(1000) == 5, 0.0, -2000.0),
    ],
    ids=["20 draws", "2 draws", "4 in the support", "4 alike", "one decides"],
)
def test_too_few_to_tell(ratios):
    weights, khat = psis(ratios)
    assert khat == np.inf
    np.testing.assert_allclose(np.exp(weights), np.exp(ratios - np.logaddexp.reduce(ratios)))


def test_most_draws_outside_the_support():
    inside = pareto(400, 0.3, seed=4)
    ratios = np.concatenate([inside, np.full(3600, -np.inf)])
    weights, khat = psis(ratios)
    assert (np.exp(weights[400:]) == 0).all()
    assert np.isfinite(weights[:400]).all()
    assert khat == pytest.approx(0.3, abs=0.3)


def test_ratios_that_differ_without_bound():
    weights, khat = psis(np.linspace(0, 5000, 1000))
    assert np.isfinite(khat)
    assert khat > 1
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("bad", [[], [np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
def test_refusals(bad):
    with pytest.raises(ParameterError, match="log_ratios"):
        psis(bad)


def test_effective_size():
    assert effective_size(np.zeros(50)) == pytest.approx(50)
    assert effective_size([0.0, -np.inf, -np.inf]) == pytest.approx(1)
    assert effective_size(np.log([0.5, 0.25, 0.25])) == pytest.approx(1 / 0.375)


def test_when_to_trust():
    assert trusted_below(1_000_000) == 0.7
    assert trusted_below(1000) == pytest.approx(2 / 3)
    assert 0 < trusted_below(1) < 0.1


@pytest.mark.parametrize("k", [-0.5, 0.0, 0.3, 1.5])
def test_the_fit_of_a_pareto_tail(k):
    chance = (np.arange(5000) + 0.5) / 5000
    rate = -np.log1p(-chance)
    excess = 7 * (rate if k == 0 else np.expm1(k * rate) / k)
    shape, scale = fit_generalised_pareto(excess)
    assert shape == pytest.approx(k, abs=0.03)
    assert scale == pytest.approx(7, rel=0.03)
