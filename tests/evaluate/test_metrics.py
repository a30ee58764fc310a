"""Each metric worked by hand, and held against scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from clvmodel.evaluate.metrics import (
    BEST,
    CHANCE_METRICS,
    METRICS,
    bias,
    mae,
    mean_difference,
    rmse,
    spearman,
    top_decile,
)

ACTUAL = np.array([0.0, 2.0, 1.0, 5.0])
PREDICTED = np.array([1.0, 1.0, 1.0, 3.0])


def drawn(seed, n=200):
    """Counts with many ties, and predictions that know something of them."""
    rng = np.random.default_rng(seed)
    actual = rng.poisson(1.5, n).astype(float)
    return actual, np.round(actual + rng.normal(0, 1, n), 1)


def test_by_hand():
    assert bias(ACTUAL, PREDICTED) == pytest.approx(6 / 8 - 1)
    assert mae(ACTUAL, PREDICTED) == pytest.approx((1 + 1 + 0 + 2) / 4)
    assert rmse(ACTUAL, PREDICTED) == pytest.approx(np.sqrt((1 + 1 + 0 + 4) / 4))
    # ranks 1, 3, 2, 4 and 2, 2, 2, 4: covariance 3, variances 5 and 3
    assert spearman(ACTUAL, PREDICTED) == pytest.approx(3 / np.sqrt(15))
    # the highest tenth of four customers is 0.4 of the last one
    assert top_decile(ACTUAL, PREDICTED) == pytest.approx(0.4 * 5 / 8)


def test_a_perfect_prediction():
    perfect = {name: metric(ACTUAL, ACTUAL) for name, metric in METRICS.items()}
    assert perfect == {
        "bias": 0.0,
        "mae": 0.0,
        "rmse": 0.0,
        "spearman": pytest.approx(1.0),
        "top_decile": pytest.approx(0.25),
        "gini": pytest.approx(1.0),
        "poisson_deviance": pytest.approx(0.0, abs=1e-12),
        "tweedie_deviance": pytest.approx(0.0, abs=1e-12),
    }


@pytest.mark.parametrize("seed", range(5))
def test_spearman_is_scipy_s(seed):
    actual, predicted = drawn(seed)
    assert spearman(actual, predicted) == pytest.approx(spearmanr(actual, predicted).statistic)
    assert spearman(actual, -predicted) == pytest.approx(-spearman(actual, predicted))


def test_top_decile_by_hand():
    actual, predicted = np.zeros(20), np.arange(20.0)
    actual[[0, 18, 19]] = 2.0, 3.0, 5.0
    assert top_decile(actual, predicted) == pytest.approx(0.8)
    # three tied at the edge share the second place
    predicted[[16, 17, 18]] = 18.0
    assert top_decile(actual, predicted) == pytest.approx((5 + 3 / 3) / 10)


def test_top_decile_of_tied_predictions_does_not_depend_on_row_order():
    rng = np.random.default_rng(1)
    actual, predicted = drawn(1, 97)
    predicted = np.round(predicted)
    first = top_decile(actual, predicted)
    for _ in range(20):
        order = rng.permutation(97)
        assert top_decile(actual[order], predicted[order]) == pytest.approx(first, rel=1e-12)
        assert spearman(actual[order], predicted[order]) == pytest.approx(
            spearman(actual, predicted)
        )


def test_top_decile_of_ties_is_the_mean_over_their_orders():
    rng = np.random.default_rng(2)
    actual, predicted = drawn(2, 50)
    predicted = np.round(predicted)
    shares = []
    for _ in range(4000):
        order = np.lexsort((rng.random(50), -predicted))
        shares.append(actual[order[:5]].sum() / actual.sum())
    assert top_decile(actual, predicted) == pytest.approx(np.mean(shares), abs=0.005)


def test_one_customer():
    one, two = np.array([3.0]), np.array([2.0])
    assert (mae(one, two), rmse(one, two), bias(one, two)) == (1, 1, pytest.approx(-1 / 3))
    assert (spearman(one, two), top_decile(one, two)) == (None, None)


def test_what_cannot_be_said_is_none():
    nothing, same = np.zeros(4), np.full(4, 2.0)
    assert bias(nothing, PREDICTED) is None
    assert top_decile(nothing, PREDICTED) is None
    assert spearman(nothing, PREDICTED) is None
    assert spearman(ACTUAL, same) is None
    assert top_decile(ACTUAL, same) is None
    assert bias(ACTUAL, nothing) == -1


def test_values_are_plain_numbers():
    for metric in METRICS.values():
        assert type(metric(ACTUAL, PREDICTED)) is float


def test_best_sorts_the_best_first():
    assert set(BEST) == {*METRICS, *CHANCE_METRICS, "log_score"}
    assert min([-0.5, 0.1, 0.3], key=BEST["bias"]) == 0.1
    assert min([0.1, 0.3], key=BEST["mae"]) == min([0.1, 0.3], key=BEST["rmse"]) == 0.1
    assert min([0.1, 0.9], key=BEST["spearman"]) == min([0.1, 0.9], key=BEST["top_decile"]) == 0.9


def test_a_copy_does_not_differ():
    assert mean_difference(ACTUAL, PREDICTED, PREDICTED.copy()) == (0.0, 0.0, 0.0)


def test_mean_difference_by_hand():
    # absolute errors 1, 1, 0, 2 against 0, 0, 1, 0: gaps 1, 1, -1, 2
    difference, low, high = mean_difference(ACTUAL, PREDICTED, np.array([0.0, 2.0, 2.0, 5.0]))
    error = 1.96 * np.std([1, 1, -1, 2], ddof=1) / 2
    assert (difference, low, high) == pytest.approx((0.75, 0.75 - error, 0.75 + error))


def test_the_interval_shrinks_with_the_root_of_n():
    actual, predicted = drawn(3, 400)
    reference = np.full(400, actual.mean())
    few = mean_difference(actual, predicted, reference)
    many = mean_difference(*(np.tile(a, 100) for a in (actual, predicted, reference)))
    assert many[0] == pytest.approx(few[0])
    assert (many[2] - many[1]) == pytest.approx((few[2] - few[1]) / 10, rel=2e-3)


def test_the_interval_covers_the_truth():
    """Nineteen times in twenty, over draws of 300 customers."""
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(1000):
        actual = rng.normal(0, 1, 300)
        _, low, high = mean_difference(actual, np.full(300, 0.3), np.full(300, -0.3))
        covered += low <= 0 <= high
    assert 920 < covered < 975
