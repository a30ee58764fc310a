"""Paired differences: none between copies, narrower with customers, covering the truth."""

import numpy as np
import pytest

from clvmodel.evaluate.bootstrap import (
    BETTER,
    UNCLEAR,
    WORSE,
    Scorer,
    difference,
    gaps,
    resamples,
)
from clvmodel.evaluate.metrics import CHANCE_METRICS, METRICS, mean_difference


def paired(actual, one, other, metric, size=400, seed=0):
    scorer = Scorer(actual, [one, other], [metric])
    drawn = np.concatenate(
        [scorer.scores(w)[metric] for w in resamples(actual.size, size, seed)], axis=1
    )
    values = [({**METRICS, **CHANCE_METRICS})[metric](actual, p) for p in (one, other)]
    return difference(metric, *values, gaps(metric, *drawn), 0.95)


def customers(n, seed=1):
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 2.0, n)
    return rng.poisson(mean).astype(float), mean + 0.01


@pytest.mark.parametrize("metric", METRICS)
def test_a_copy_does_not_differ_at_all(metric):
    actual, mean = customers(500)
    found = paired(actual, mean, mean.copy(), metric)
    assert found[:3] == (0.0, 0.0, 0.0)
    assert found.verdict == UNCLEAR


def test_slightly_worse_is_seen_with_more_customers():
    """Five percent of noise: unclear with 100 customers, clear with 40,000, ever narrower."""
    widths, verdicts = [], []
    for n in (100, 2_000, 40_000):
        actual, mean = customers(n)
        noisy = mean * np.random.default_rng(2).lognormal(0, 0.2, n)
        found = paired(actual, noisy, mean, "rmse", 200)
        widths.append(found.high - found.low)
        verdicts.append(found.verdict)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
    assert verdicts[0] == UNCLEAR
    assert verdicts[-1] == WORSE


def test_it_agrees_with_the_normal_interval_of_the_mean():
    actual, mean = customers(3000)
    other = np.full(3000, actual.mean())
    found = paired(actual, mean, other, "mae", 4000)
    exact = mean_difference(actual, mean, other)
    assert found.difference == pytest.approx(exact[0])
    half = exact[2] - exact[0]  # 4,000 resamples: a percentile is sure to about 2% of that
    assert found.low == pytest.approx(exact[1], abs=0.08 * half)
    assert found.high == pytest.approx(exact[2], abs=0.08 * half)


def test_the_interval_covers_the_truth():
    """Two predictions that are equally wrong: 0 lies inside in 95 of 100 cases (s.e. 1.1)."""
    rng, covered = np.random.default_rng(4), 0
    for i in range(400):
        actual = rng.normal(0, 1, 200) + 10
        found = paired(actual, np.full(200, 10.3), np.full(200, 9.7), "rmse", 200, seed=i)
        covered += found.low <= 0 <= found.high
    assert 366 <= covered <= 394


@pytest.mark.parametrize(
    ("metric", "one", "other", "verdict"),
    [("mae", 2.0, 1.0, WORSE), ("gini", 2.0, 1.0, BETTER), ("bias", -2.0, 1.0, WORSE)],
)
def test_the_direction_of_each_metric(metric, one, other, verdict):
    drawn = np.linspace(0.9, 1.1, 50)
    assert difference(metric, one, other, drawn, 0.95).verdict == verdict
    assert difference(metric, other, one, -drawn, 0.95).verdict == (
        BETTER if verdict == WORSE else WORSE
    )


def test_a_difference_of_computation_is_none():
    actual, mean = customers(2000)
    found = paired(actual, mean * (1 + 1e-9), mean, "mae")
    assert found.low > 0 or found.high < 0 or found.difference != 0
    assert found.verdict == UNCLEAR


def test_what_cannot_be_compared():
    drawn = np.ones(5)
    assert difference("mae", None, 1.0, drawn, 0.95) is None
    assert difference("mae", np.inf, np.inf, drawn, 0.95) is None
    assert difference("mae", 1.0, 1.0, np.full(5, np.nan), 0.95) is None
    assert difference("poisson_deviance", np.inf, 1.0, drawn, 0.95).verdict == WORSE
    assert difference("poisson_deviance", 1.0, np.inf, drawn, 0.95).verdict == BETTER


def test_resamples_are_those_of_the_seed():
    one, two, other = (np.concatenate(list(resamples(50, 30, s)), axis=1) for s in (1, 1, 2))
    assert one.shape == (50, 30)
    assert (one == two).all()
    assert (one != other).any()
    assert one.mean() == pytest.approx(1, abs=0.1)
