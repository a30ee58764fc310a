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


def extremes(case):
    """Histories at the edges of what can be, in the unit of the model."""
    if case.renews:
        rows = [(0, 0), (0, 1), (1, 1), (500, 0), (500, 1), (1e5, 0)]
        return list(np.transpose(np.array(rows, float)))
    if not case.buys:
        typical = np.median(case.data(100, seed=0)["monetary_value"])
        x = np.array([0.0, 1.0, 1.0, 500.0, 500.0, 500.0])
        return [x, typical * np.array([0.0, 1e-6, 1e6, 1.0, 1e-6, 1e4])]
    if case.discrete:
        end = case.span
        rows = [(0, 0, 0), (0, 0, end), (1, 1, end), (end, end, end)]
        rows += [(0, 0, 500), (1, 1, 500), (1, 500, 500), (500, 500, 500), (499, 499, 500)]
        return list(np.transpose(np.array(rows, float)))
    rows = [(0, 0, 0), (0, 0, 1), (1, 1e-9, 1), (3, 1, 1), (500, 1, 1), (500, 1e-6, 1)]
    rows += [(0, 0, 1e6), (1, 0.5, 1e6), (2, 1e-12, 1e-9)]
    return list(np.transpose(np.array(rows)) * np.array([1, case.span, case.span])[:, None])


def all_histories(case, size, seed):
    """Ordinary and extreme ones."""
    pairs = zip(case.histories(size, seed), extremes(case), strict=True)
    return [np.concatenate(pair) for pair in pairs]


def slopes(function, model, size=1e-3):
    """Derivatives of function(model) in the log-parameters: central differences, fourth order."""

    def at(i, k):
        values = np.array(model.values())
        values[i] *= np.exp(k * size)
        return function(type(model)(*values))

    places = range(len(model.names()))
    return np.array(
        [(8 * (at(i, 1) - at(i, -1)) - (at(i, 2) - at(i, -2))) / (12 * size) for i in places]
    )


@every_model
def test_derivatives_hold_together(case):
    """The value is the log-likelihood, the gradient the score, the Hessian symmetric."""
    history = all_histories(case, 300, seed=1)
    derivatives = case.model.derivatives(*history)
    names, size = len(case.model.names()), history[0].size
    assert derivatives.value.shape == (size,)
    assert derivatives.gradient.shape == (names, size)
    assert derivatives.hessian.shape == (names, names, size)
    assert all(np.isfinite(part).all() for part in derivatives)
    expected = case.model.log_likelihood(*history)
    np.testing.assert_allclose(derivatives.value, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(derivatives.gradient, case.model.score(*history))
    np.testing.assert_array_equal(derivatives.hessian, np.swapaxes(derivatives.hessian, 0, 1))


@every_model
def test_score_is_the_gradient(case):
    """Differences of a value V carry its rounding, 1e-16 V / 1e-3."""
    history = all_histories(case, 300, seed=1)
    score = case.model.score(*history) * np.array(case.model.values())[:, None]
    value = case.model.log_likelihood(*history)
    error = np.abs(score - slopes(lambda model: model.log_likelihood(*history), case.model))
    assert np.all(error <= 2e-8 * np.abs(score) + 1e-11 * (1 + np.abs(value)))


@every_model
def test_hessian_is_the_slope_of_the_gradient(case):
    history = all_histories(case, 300, seed=1)
    values = np.array(case.model.values())[:, None]
    _, gradient, hessian = case.model.derivatives(*history)
    bend = hessian * values * values[:, None]
    numeric = slopes(lambda model: model.derivatives(*history).gradient, case.model) * values
    size = 1 + np.abs(gradient * values).max(axis=0) + np.abs(bend).max(axis=(0, 1))
    assert np.all(np.abs(bend - numeric) <= 1e-7 * np.abs(bend) + 1e-10 * size)


@every_model
def test_derivatives_of_one_history_are_those_of_many(case):
    """Any shape of history, read-only too: tables over counts and single numbers agree."""
    history = all_histories(case, 9, seed=2)
    for column in history:
        column.setflags(write=False)
    many = case.model.derivatives(*history)
    square = case.model.derivatives(*(column.reshape(-1, 3) for column in history))
    for part, other in zip(many, square, strict=True):
        assert other.shape == (*part.shape[:-1], part.shape[-1] // 3, 3)
        np.testing.assert_allclose(other.reshape(part.shape), part, rtol=1e-13, atol=1e-13)
    for i, alone in enumerate(zip(*history, strict=True)):
        for part, other in zip(many, case.model.derivatives(*alone), strict=True):
            assert np.shape(other) == part.shape[:-1]
            np.testing.assert_allclose(other, part[..., i], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e6])
@every_model
def test_derivatives_stay_finite_near_the_limits(case, factor):
    """Each parameter runs away alone, then all of them together."""
    history = all_histories(case, 50, seed=3)
    for moved in [*np.eye(len(case.model.names())), 1.0]:
        model = type(case.model)(*(np.array(case.model.values()) * factor**moved))
        assert all(np.isfinite(part).all() for part in model.derivatives(*history))


@every_model
def test_score_has_mean_zero_at_the_truth(case):
    assert_mean_zero(case.model.score(*case.histories(100_000, seed=2)))


@every_model
def test_score_varies_as_the_likelihood_bends(case):
    """E[s s'] = -E[s']: a likelihood that is no density fails it."""
    _, score, hessian = case.model.derivatives(*case.histories(100_000, seed=3))
    assert_mean_zero(score[:, None] * score + hessian)


@pytest.mark.parametrize("factor", [7.0, 0.01])
@every_model
def test_rescaling(case, factor):
    """Other units change the density by their Jacobian, and no prediction but money.

    Where nothing has a unit, nothing changes.
    """
    factor = factor if case.model.scaled else 1.0
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
    money = factor if "monetary_value" in case.model.scaled else 1.0
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
    second = np.array([1.0 if case.renews else 2.0, 0.0])
    history = [np.array([2.0, 0.0]), second, np.array([3.0, 3.0])]
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
    # T, or a value, that suits all rows; anyone may have left
    last = history[-1] if case.renews else history[-1].max() + history[-1]
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
    names = len(case.model.names())
    shapes = [part.shape for part in case.model.derivatives(*nobody)]
    assert shapes == [(0,), (names, 0), (names, names, 0)]


@pytest.mark.parametrize("value", [0, 0.0, -1.0, np.nan, np.inf, -np.inf], ids=repr)
@every_parameter
def test_impossible_parameters_are_named(case, name, value):
    parameters = dict(zip(case.model.names(), case.model.values(), strict=True))
    with pytest.raises(ParameterError, match=rf"{type(case.model).__name__}: {name} == .*> 0"):
        type(case.model)(**{**parameters, name: value})
