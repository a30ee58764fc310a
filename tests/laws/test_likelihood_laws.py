"""What holds for the likelihood of every model."""

import numpy as np
import pytest
from cases import POINTS, assert_mean_zero, every_model, every_parameter

from clvmodel import ParameterError
from clvmodel.models import MODELS


def test_every_registered_model_has_points():
    assert set(POINTS) == set(MODELS)
    for name, points in POINTS.items():
        assert points
        assert all(type(model) is MODELS[name] for model, _ in points)


@every_model
def test_score_is_the_gradient(case):
    history = case.histories(300, seed=1)
    score = case.model.score(*history)
    assert score.shape == (len(case.model.names()), 300)
    for i in range(len(score)):
        np.testing.assert_allclose(score[i], slope(case.model, history, i), rtol=2e-8, atol=1e-8)


def slope(model, history, i, size=1e-3):
    """Derivative of the log-likelihood in parameter i: central differences of fourth order."""
    values = np.array(model.values())
    step = size * values[i]

    def at(k):
        moved = values.copy()
        moved[i] += k * step
        return type(model)(*moved).log_likelihood(*history)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


@every_model
def test_score_has_mean_zero_at_the_truth(case):
    assert_mean_zero(case.model.score(*case.histories(100_000, seed=2)))


@every_model
def test_score_varies_as_the_likelihood_bends(case):
    """E[s s'] = -E[s']: a likelihood that is no density fails it."""
    history = case.histories(100_000, seed=3)
    score = case.model.score(*history)
    values = np.array(case.model.values())
    for i, value in enumerate(values):
        ahead, behind = values.copy(), values.copy()
        ahead[i], behind[i] = value * (1 + 1e-4), value * (1 - 1e-4)
        bend = type(case.model)(*ahead).score(*history) - type(case.model)(*behind).score(*history)
        assert_mean_zero(score[i] * score + bend / (2e-4 * value))


@pytest.mark.parametrize("factor", [7.0, 0.01])
@every_model
def test_rescaling(case, factor):
    """Other units change the density by their Jacobian, and no prediction but money."""
    history = case.histories(200, seed=4)
    scaled = [
        column * factor if name in case.model.scaled else column
        for name, column in zip(case.model.columns, history, strict=True)
    ]
    other = case.model.rescaled(factor)
    x = history[0]
    densities = x if case.buys else x > 0  # one per purchase time, or one for the mean value
    np.testing.assert_allclose(
        other.log_likelihood(*scaled),
        case.model.log_likelihood(*history) - densities * np.log(factor),
        rtol=1e-12,
        atol=1e-11,
    )
    longer = type(case)(other, case.span * factor)
    money = 1.0 if case.buys else factor
    for before, after in zip(case.predictions(history), longer.predictions(scaled), strict=True):
        np.testing.assert_allclose(after, before * money, rtol=1e-9)
    back = other.rescaled(1 / factor).values()
    assert back == pytest.approx(case.model.values(), rel=1e-14)


@every_model
def test_arrays_are_float64_and_unchanged(case):
    history = case.histories(50, seed=5)
    before = [column.copy() for column in history]
    for column in history:
        column.setflags(write=False)
    results = [
        case.model.log_likelihood(*history),
        case.model.score(*history)[0],
        *case.predictions(history),
    ]
    for result in results:
        assert isinstance(result, np.ndarray)
        assert (result.dtype, result.shape) == (np.float64, (50,))
        assert np.isfinite(result).all()
    for column, copy in zip(history, before, strict=True):
        np.testing.assert_array_equal(column, copy)


@every_model
def test_scalars_give_scalars(case):
    history = [column[0] for column in case.histories(1, seed=6)]
    for result in [case.model.log_likelihood(*history), *case.predictions(history)]:
        assert isinstance(result, float)


@every_model
def test_whole_numbers_and_float32_are_as_good(case):
    history = [np.array([2.0, 0.0]), np.array([1.0, 0.0]), np.array([3.0, 3.0])]
    history = history[: len(case.model.columns)]
    for kind in (np.int64, np.float32):
        other = [column.astype(kind) for column in history]
        for got, exact in zip(case.predictions(other), case.predictions(history), strict=True):
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got, exact)


@every_model
def test_broadcasting(case):
    """A column and a row make a table, and every entry is what it is alone."""
    history = case.histories(12, seed=7)
    column = [history[0][:3, None], *(h[:3, None] for h in history[1:-1])]
    last = history[-1].max() + history[-1]  # T, or a value, that suits all rows
    results = [
        case.model.log_likelihood(*column, last),
        *case.predictions([*column, last]),
    ]
    for result in results:
        assert result.shape == (3, 12)
    for i, j in [(0, 0), (1, 7), (2, 11)]:
        alone = [float(c[i, 0]) for c in column] + [float(last[j])]
        again = [case.model.log_likelihood(*alone), *case.predictions(alone)]
        for result, value in zip(results, again, strict=True):
            assert result[i, j] == pytest.approx(value, rel=1e-12)


@every_model
def test_no_customers_are_no_trouble(case):
    nobody = [np.empty(0)] * len(case.model.columns)
    for result in [case.model.log_likelihood(*nobody), *case.predictions(nobody)]:
        assert result.shape == (0,)
    assert case.model.score(*nobody).shape == (len(case.model.names()), 0)


@pytest.mark.parametrize("value", [0, 0.0, -1.0, np.nan, np.inf, -np.inf], ids=repr)
@every_parameter
def test_impossible_parameters_are_named(case, name, value):
    parameters = dict(zip(case.model.names(), case.model.values(), strict=True))
    with pytest.raises(ParameterError, match=rf"{type(case.model).__name__}: {name} == .*> 0"):
        type(case.model)(**{**parameters, name: value})
