"""What holds for the fit of every model."""

import numpy as np
import pytest
from cases import every_model, seeds
from scipy.stats import chi2

import clvmodel as clv

SIZE = 3000


def assert_same_fit(got, expected, rel=1e-8):
    assert got.model.values() == pytest.approx(expected.model.values(), rel=rel)
    np.testing.assert_allclose(got.covariance, expected.covariance, rtol=10 * rel, atol=rel)
    assert got.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-11)
    assert got.customers == pytest.approx(expected.customers)


@seeds(1, 2, 3)
@every_model
def test_the_truth_lies_in_the_intervals(case, seed):
    """Each 99.9% interval misses one time in 1,000."""
    fit = clv.fit(type(case.model), case.data(4 * SIZE, seed))
    assert fit.converged, fit.message
    truth = dict(zip(case.model.names(), case.model.values(), strict=True))
    for name, (low, high) in fit.interval(0.999).items():
        assert low < truth[name] < high


@every_model
def test_errors_are_as_large_as_stated(case):
    """Squared errors in units of the covariance are chi-squared: not too large, nor too small.

    Twelve fits together; a true law fails one time in 10,000.
    """
    truth = np.log(case.model.values())
    total = 0.0
    for seed in range(12):
        fit = clv.fit(type(case.model), case.data(SIZE, 100 + seed))
        error = np.log(fit.model.values()) - truth
        total += error @ np.linalg.solve(fit.covariance, error)
    low, high = chi2(12 * truth.size).ppf([5e-5, 1 - 5e-5])
    assert low < total < high


@every_model
def test_weights_are_repeated_rows(case):
    data = case.data(SIZE, seed=4)
    weight = np.random.default_rng(4).integers(0, 4, SIZE)
    weighted = clv.fit(type(case.model), data, weight=weight)
    repeated = {name: np.repeat(column, weight) for name, column in data.items()}
    assert_same_fit(weighted, clv.fit(type(case.model), repeated))
    assert weighted.left_out == clv.fit(type(case.model), repeated).left_out
    assert_same_fit(weighted, clv.fit(type(case.model), {**data, "weight": weight}))


@every_model
def test_weights_scale_the_information(case):
    data = case.data(SIZE, seed=5)
    once = clv.fit(type(case.model), data)
    many = clv.fit(type(case.model), data, weight=np.full(SIZE, 2.5))
    assert many.model.values() == pytest.approx(once.model.values(), rel=1e-8)
    np.testing.assert_allclose(many.covariance, once.covariance / 2.5, rtol=1e-6)
    assert many.log_likelihood == pytest.approx(2.5 * once.log_likelihood)


@every_model
def test_the_order_of_rows_does_not_matter(case):
    data = case.data(SIZE, seed=6)
    order = np.random.default_rng(6).permutation(SIZE)
    shuffled = {name: column[order] for name, column in data.items()}
    assert_same_fit(clv.fit(type(case.model), shuffled), clv.fit(type(case.model), data))


@every_model
def test_covariance_is_the_inverse_of_the_information(case):
    """Symmetric, positive definite, and what differences of the log-likelihood say."""
    history = case.histories(SIZE, seed=7)
    fit = clv.fit(type(case.model), dict(zip(case.model.columns, history, strict=True)))
    covariance = fit.covariance
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
    information = -bend(fit.model, history)
    np.testing.assert_allclose(covariance @ information, np.eye(len(covariance)), atol=2e-3)


def bend(model, history, size=1e-3):
    """Second differences of the total log-likelihood in log-parameters."""
    point = np.log(model.values())
    steps = size * np.eye(point.size)

    def at(move):
        return type(model).from_log(point + move).log_likelihood(*history).sum()

    return np.array(
        [
            [(at(i + j) - at(i - j) - at(j - i) + at(-i - j)) / (4 * size**2) for j in steps]
            for i in steps
        ]
    )


@every_model
def test_a_fit_is_a_maximum(case):
    history = case.histories(SIZE, seed=8)
    fit = clv.fit(type(case.model), dict(zip(case.model.columns, history, strict=True)))
    gradient = fit.model.score(*history).sum(axis=1) * fit.model.values() / fit.customers
    assert np.abs(gradient).max() < 1e-9
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(*history).sum(), rel=1e-12)
    assert fit.log_likelihood >= case.model.log_likelihood(*history).sum()
    free = len(case.model.names())
    assert fit.aic == 2 * free - 2 * fit.log_likelihood
    assert fit.bic == pytest.approx(free * np.log(fit.customers) - 2 * fit.log_likelihood)


@pytest.mark.parametrize("factor", [7.0, 1e-4, 1e5])
@every_model
def test_other_units_give_the_rescaled_fit(case, factor):
    data = case.data(SIZE, seed=9)
    kind = type(case.model)
    scaled = {k: v * factor if k in kind.scaled else v for k, v in data.items()}
    expected = clv.fit(kind, data)
    got = clv.fit(kind, scaled)
    assert got.model.values() == pytest.approx(expected.model.rescaled(factor).values(), rel=1e-7)
    np.testing.assert_allclose(got.covariance, expected.covariance, rtol=1e-5, atol=1e-8)


@every_model
def test_read_only_data_come_back_unchanged(case):
    data = {**case.data(SIZE, seed=10), "weight": np.ones(SIZE)}
    before = {name: column.copy() for name, column in data.items()}
    for column in data.values():
        column.setflags(write=False)
    clv.fit(type(case.model), data)
    assert list(data) == list(before)
    for name, column in data.items():
        np.testing.assert_array_equal(column, before[name])


@every_model
def test_intervals_widen_with_their_level(case):
    fit = clv.fit(type(case.model), case.data(SIZE, seed=11))
    for name, value in fit.parameters.items():
        ends = [fit.interval(level)[name] for level in (0.5, 0.9, 0.99)]
        lows, highs = zip(*ends, strict=True)
        assert 0 < lows[2] < lows[1] < lows[0] < value < highs[0] < highs[1] < highs[2]
    for level in (0, 1, -0.1, 1.5, np.nan):
        with pytest.raises(clv.ParameterError, match="level"):
            fit.interval(level)
