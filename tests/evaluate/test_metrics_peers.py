"""Metrics against scikit-learn, by hand, and under weights."""

import numpy as np
import pytest
from sklearn import metrics as peers

from clvmodel.evaluate.bootstrap import Scorer
from clvmodel.evaluate.metrics import (
    CHANCE_METRICS,
    METRICS,
    auc,
    brier,
    coverage,
    gini,
    log_loss,
    log_score,
    poisson_deviance,
    tweedie_deviance,
    width,
)
from clvmodel.evaluate.ranks import deciles, gain_curve


def drawn(seed, n=300):
    rng = np.random.default_rng(seed)
    mean = rng.gamma(1.0, 1.0, n)
    return rng.poisson(mean).astype(float), np.round(mean + rng.gamma(1, 0.3, n), 1) + 0.1


def chances(seed, n=300):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 3, n), 2).clip(0.01, 0.99)
    return (rng.random(n) < p).astype(float), p


@pytest.mark.parametrize("seed", range(4))
def test_scikit_learn_agrees(seed):
    actual, predicted = drawn(seed)
    assert poisson_deviance(actual, predicted) == pytest.approx(
        peers.mean_poisson_deviance(actual, predicted), rel=1e-12
    )
    assert tweedie_deviance(actual, predicted) == pytest.approx(
        peers.mean_tweedie_deviance(actual, predicted, power=1.5), rel=1e-12
    )
    assert METRICS["mae"](actual, predicted) == pytest.approx(
        peers.mean_absolute_error(actual, predicted), rel=1e-12
    )
    assert METRICS["rmse"](actual, predicted) == pytest.approx(
        peers.root_mean_squared_error(actual, predicted), rel=1e-12
    )
    happened, chance = chances(seed)
    assert brier(happened, chance) == pytest.approx(peers.brier_score_loss(happened, chance))
    assert log_loss(happened, chance) == pytest.approx(peers.log_loss(happened, chance))
    assert auc(happened, chance) == pytest.approx(peers.roc_auc_score(happened, chance), rel=1e-12)
    assert gini(happened, chance) == pytest.approx(2 * auc(happened, chance) - 1, rel=1e-10)


def test_deviances_by_hand():
    actual, predicted = np.array([0.0, 2.0]), np.array([0.5, 1.0])
    assert poisson_deviance(actual, predicted) == pytest.approx(
        (2 * 0.5 + 2 * (2 * np.log(2) - 1)) / 2
    )
    # power 1.5: 2 (y^.5 / (-.25) + 2 y m^-.5 + 2 m^.5)
    by_hand = (2 * 2 * np.sqrt(0.5) + 2 * (-4 * np.sqrt(2) + 4 + 2)) / 2
    assert tweedie_deviance(actual, predicted) == pytest.approx(by_hand)
    for metric in (poisson_deviance, tweedie_deviance):
        assert metric(np.array([1.0, 0.0]), np.array([0.0, 0.0])) == np.inf
        assert metric(np.zeros(2), np.zeros(2)) == 0
        assert metric(np.zeros(2), np.array([-0.1, 0.0])) == np.inf


def test_chances_by_hand():
    happened, chance = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    assert brier(happened, chance) == 0.25
    assert log_loss(happened, chance) == np.inf
    # pairs (yes, no): 1 > 0 twice, ties twice
    assert auc(happened, chance) == 0.75
    assert auc(np.ones(3), np.array([0.1, 0.2, 0.3])) is None
    assert log_score(np.array([0.5, 0.25])) == pytest.approx(1.5 * np.log(2))
    assert log_score(np.array([0.5, 0.0])) == np.inf
    low, high = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 4.0])
    assert coverage(np.array([1.0, 2.0, 2.0]), low, high) == pytest.approx(2 / 3)
    assert width(low, high) == 1.0


def test_gini_by_hand():
    # best order 3, 1, 0: areas under the gain curve (3/4 + 7/4 + 2) / 6 = 3/4; own order 1, 3, 0
    actual, predicted = np.array([3.0, 1.0, 0.0]), np.array([2.0, 9.0, 1.0])
    best = 2 * (0.75 + 1.75 + 2) / 6 - 1
    own = 2 * (0.25 + 1.25 + 2) / 6 - 1
    assert gini(actual, predicted) == pytest.approx(own / best)
    assert gini(actual, -actual) == pytest.approx(-1)
    assert gini(actual, np.ones(3)) == pytest.approx(0, abs=1e-12)
    assert gini(np.ones(3), predicted) is None


def test_gain_curve_and_deciles_by_hand():
    actual, predicted = np.array([4.0, 0.0, 0.0, 1.0]), np.array([3.0, 1.0, 1.0, 2.0])
    shares = np.array([0, 0.25, 0.5, 0.75, 1])
    assert gain_curve(actual, predicted, shares) == pytest.approx([0, 0.8, 1, 1, 1])
    assert gain_curve(np.zeros(4), predicted, shares) is None
    found, said = deciles(actual, predicted, parts=2)
    assert found == pytest.approx([2.5, 0])
    assert said == pytest.approx([2.5, 1])
    # three tied customers are shared out between the halves
    found, _ = deciles(np.array([3.0, 3.0, 0.0, 2.0]), np.array([1.0, 1.0, 1.0, 5.0]), parts=2)
    assert found == pytest.approx([(2 + 2) / 2, (2 + 2) / 2])


def test_deciles_add_up_to_the_totals():
    actual, predicted = drawn(7, 1003)
    found, said = deciles(actual, predicted)
    assert found.mean() == pytest.approx(actual.mean())
    assert said.mean() == pytest.approx(predicted.mean())
    assert np.all(np.diff(said) <= 1e-12)


@pytest.mark.parametrize("metric", [*METRICS, *CHANCE_METRICS])
def test_whole_weights_are_repeated_rows(metric):
    actual, predicted = drawn(3) if metric in METRICS else chances(3)
    rng = np.random.default_rng(9)
    weight = rng.poisson(1.0, (actual.size, 3)).astype(float)
    other = rng.permutation(predicted)
    found = Scorer(actual, [predicted, other], [metric]).scores(weight)[metric]
    function = {**METRICS, **CHANCE_METRICS}[metric]
    for j in range(3):
        rows = np.repeat(np.arange(actual.size), weight[:, j].astype(int))
        for i, p in enumerate((predicted, other)):
            assert found[i, j] == pytest.approx(function(actual[rows], p[rows]), rel=1e-10)
