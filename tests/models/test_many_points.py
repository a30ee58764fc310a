"""One model of many points is many models of one point: per customer (n,), or per draw (d, 1).

A table over counts or distinct rows that took the parameters of one customer for another's would
go unnoticed where numbers of rows, draws and counts differ: so they are made to agree.
"""

from typing import Any

import numpy as np
import pytest
from cases import cases

from clvmodel import ParameterError
from clvmodel.models import MODELS

# One point of each model is enough: many are made around it.
CASES = [case.values[0] for case in cases(MODELS) if case.id.endswith("-0")]


def kind(case):
    return type(case.model).__name__


every_model = pytest.mark.parametrize("case", CASES, ids=kind)
purchase_models = pytest.mark.parametrize("case", [c for c in CASES if c.buys], ids=kind)
spend_models = pytest.mark.parametrize(
    "case", [c for c in CASES if not (c.buys or c.renews)], ids=kind
)
every_parameter = pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, name, id=f"{kind(case)}-{name}")
        for case in CASES
        for name in case.model.names()
    ],
)


def points(model: Any, *shape: int, seed: int = 0) -> Any:
    """Points around that of the model."""
    noise = np.random.default_rng([seed, 1]).normal(size=(len(model.names()), *shape))
    return type(model)(*(v * np.exp(0.5 * z) for v, z in zip(model.values(), noise, strict=True)))


def point(models: Any, index: Any) -> Any:
    """The one of these points that stands at an index."""
    return type(models)(*(p if np.ndim(p) == 0 else p[index] for p in models.values()))


def counted(case, size):
    """Histories with x = size - 1, ..., 1, 0: they just fill a table over counts, backwards."""
    x, rng = np.arange(float(size))[::-1].copy(), np.random.default_rng([size, 2])
    if case.renews:
        return [x, rng.integers(0, 2, size).astype(float)]
    if not case.buys:
        typical = np.median(case.data(100, seed=0)["monetary_value"])
        return [x, np.where(x > 0, typical * rng.uniform(0.5, 2, size), 0.0)]
    t_x = x + np.where(x > 0, rng.integers(0, 3, size), 0)
    return [x, t_x, t_x + rng.integers(0, 5, size)]


def answers(case, model, history):
    """Everything that a model says about histories, the axes of customers last."""
    derivatives = model.derivatives(*history)
    said = {
        "log_likelihood": model.log_likelihood(*history),
        "score": model.score(*history),
        **derivatives._asdict(),
    }
    if case.renews:
        names = ("survival", "pmf", "retention", "renewals", "lifetime")
        predicted = type(case)(model, case.span).predictions(history)
        return {**said, **dict(zip(names, predicted, strict=True))}
    if not case.buys:
        return {**said, "spend": model.expected_spend(*history), "mean": model.expected_spend()}
    t = np.ceil(case.span / 2)  # whole, so that equal rows may be computed once
    return {
        **said,
        "p_alive": model.p_alive(*history),
        "silent": model.p_alive(*history, silent=t),
        "purchases": model.expected_purchases(t, *history),
        "none": model.pmf(0, t, *history),
        "pmf": model.pmf(2, t, *history),
        "cdf": model.cdf(2, t, *history),
        "p_purchase": model.p_purchase(t, *history),
        "lifetime": model.expected_lifetime(*history),
        "new": model.expected_purchases(t),
        "new lifetime": model.expected_lifetime(),
    }


def updated(model, history):
    """Parameters after a history: an update for purchases asks for no t_x."""
    new = (
        model.update(history[0])
        if "churned" in model.columns
        else (model.update(history[0], history[-1]))
    )
    return type(new), np.stack(np.broadcast_arrays(*new.values(), history[0])[:-1])


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, value in got.items():
        assert np.shape(value) == np.shape(expected[name]), name
        np.testing.assert_allclose(value, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("size", [1, 2, 12])
@every_model
def test_a_point_per_customer(case, size):
    models = points(case.model, size)
    for history in (counted(case, size), case.histories(size, seed=size)):
        said = answers(case, models, history)
        family, parameters = updated(models, history)
        for i, alone in enumerate(zip(*history, strict=True)):
            one = {name: value[..., i] for name, value in said.items()}
            assert_same(one, answers(case, point(models, i), alone))
            assert updated(point(models, i), alone)[0] is family
            np.testing.assert_allclose(
                parameters[:, i], updated(point(models, i), alone)[1], rtol=1e-14
            )


@pytest.mark.parametrize(("draws", "cells"), [(1, 1), (1, 4), (4, 1), (5, 5), (2, 20), (7, 3)])
@every_model
def test_a_point_per_draw(case, draws, cells):
    models = points(case.model, draws, 1)
    for history in (counted(case, cells), case.histories(cells, seed=cells)):
        said = answers(case, models, history)
        family, parameters = updated(models, history)
        for d in range(draws):
            one = {name: value[..., d, :] for name, value in said.items()}
            alone = answers(case, point(models, (d, 0)), history)
            for name in ("mean", "new", "new lifetime"):
                if name in alone:
                    alone[name] = np.atleast_1d(alone[name])
            assert_same(one, alone)
            assert updated(point(models, (d, 0)), history)[0] is family
            expected = updated(point(models, (d, 0)), history)[1]
            np.testing.assert_allclose(
                np.broadcast_to(parameters, (len(expected), draws, cells))[:, d],
                expected,
                rtol=1e-14,
            )


def one_varies(case, name, varied):
    """Points that differ in one parameter only; the others are numbers."""
    others = dict(zip(case.model.names(), case.model.values(), strict=True))
    return type(case.model)(**{**others, name: others[name] * varied})


@every_parameter
def test_one_parameter_varies_alone(case, name):
    """Over customers, and over as many draws."""
    size = 4
    varied, history = np.geomspace(0.3, 3, size), counted(case, size)
    said = answers(case, one_varies(case, name, varied), history)
    drawn = answers(case, one_varies(case, name, varied[:, None]), history)
    for i, factor in enumerate(varied):
        alone = answers(case, one_varies(case, name, factor), history)
        for key, value in alone.items():
            rows, tolerance = np.broadcast_to(value, np.shape(value) or (size,)), 1e-12
            draw = np.broadcast_to(drawn[key], (*rows.shape[:-1], size, size))[..., i, :]
            one = np.broadcast_to(said[key], rows.shape)[..., i]
            np.testing.assert_allclose(draw, rows, tolerance, tolerance, err_msg=key)
            np.testing.assert_allclose(one, rows[..., i], tolerance, tolerance, err_msg=key)


@pytest.mark.parametrize("draws", range(1, 8))
@every_parameter
def test_draws_are_not_taken_for_parameters(case, name, draws):
    """As many draws as a table has rows, or a gradient, would go unnoticed if they were."""
    varied = np.geomspace(0.3, 3, draws)
    for cells in {1, draws, 9}:
        history = counted(case, cells)
        said = one_varies(case, name, varied[:, None]).derivatives(*history)
        for d in range(draws):
            alone = one_varies(case, name, varied[d]).derivatives(*history)
            for part, expected in zip(said, alone, strict=True):
                assert part.shape == (*expected.shape[:-1], draws, cells)
                np.testing.assert_allclose(part[..., d, :], expected, rtol=1e-12, atol=1e-12)


@every_model
def test_customers_with_equal_histories_keep_their_own_points(case):
    """Enough equal rows of whole numbers that they would be computed once for one point."""
    history = [np.tile(column, 60) for column in counted(case, 5)]
    models = type(case.model)(*(np.repeat(p, 100) for p in points(case.model, 3).values()))
    said = answers(case, models, history)
    for i in (0, 1, 99, 100, 150, 299):
        alone = answers(case, point(models, i), [column[i] for column in history])
        assert_same({name: value[..., i] for name, value in said.items()}, alone)


@every_model
def test_equal_histories_are_answered_alike(case):
    """Computed once or one by one."""
    history = [np.tile(column, 60) for column in counted(case, 5)]
    said = answers(case, case.model, history)
    for i in (0, 1, 5, 150, 299):
        alone = answers(case, case.model, [column[i] for column in history])
        one = {k: v[..., i] if np.ndim(v) else v for k, v in said.items()}
        assert_same(one, alone)


@purchase_models
def test_moments_before_the_first_day_are_not_day_zero(case):
    """Horizons so short that they are whole numbers but for rounding."""
    if not case.discrete:
        t = case.span * np.linspace(0, 1e-9, 600)
        alone = [case.model.expected_purchases(t[i]) for i in (1, 300, 599)]
        np.testing.assert_allclose(
            case.model.expected_purchases(t)[[1, 300, 599]], alone, rtol=1e-12, atol=0
        )


@purchase_models
def test_an_update_of_many_histories_is_many_points(case):
    history = case.histories(40, seed=1)
    new, alive = case.model.update(history[0], history[2]), case.model.p_alive(*history)
    t = np.ceil(case.span / 2)
    pairs = [
        (case.model.expected_purchases(t, *history), new.expected_purchases(t)),
        (case.model.pmf(3, t, *history), new.pmf(3, t)),
        (case.model.p_purchase(t, *history), new.p_purchase(t)),
        (1 - case.model.cdf(1, t, *history), 1 - new.cdf(1, t)),
        (case.model.expected_lifetime(*history), new.expected_lifetime()),
    ]
    for got, of_new in pairs:
        np.testing.assert_allclose(got, alive * of_new, rtol=1e-11, atol=1e-15)


@spend_models
def test_an_update_of_many_customers_is_many_points(case):
    history = case.histories(40, seed=2)
    np.testing.assert_allclose(
        case.model.update(*history).expected_spend(),
        case.model.expected_spend(*history),
        rtol=1e-13,
    )


@every_model
def test_points_from_logarithms(case):
    """One row per parameter."""
    models = points(case.model, 5)
    again = type(case.model).from_log(np.log(np.stack(models.values())))
    np.testing.assert_allclose(again.values(), models.values(), rtol=1e-14)
    longer = models.rescaled(7.0).rescaled(1 / 7.0)
    np.testing.assert_allclose(longer.values(), models.values(), rtol=1e-14)


@every_model
def test_whole_numbers_are_parameters(case):
    """As an array of integers, and as arrays without an axis."""
    whole = [np.array([k + 2, k + 3]) for k in range(len(case.model.names()))]
    history = [np.array([1.0, 1.0])] * len(case.model.columns)
    expected = answers(case, type(case.model)(*(w.astype(float) for w in whole)), history)
    assert_same(answers(case, type(case.model)(*whole), history), expected)
    scalar = type(case.model)(*(np.array(w[0]) for w in whole))
    assert scalar == type(case.model)(*(float(w[0]) for w in whole))
    assert all(type(value) is float for value in scalar.values())


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, -np.inf], ids=repr)
@every_parameter
def test_impossible_points_are_named(case, name, value):
    """One bad number is enough, the last one too, and it is shown."""
    parameters = dict(zip(case.model.names(), case.model.values(), strict=True))
    shown = rf"{type(case.model).__name__}: {name} == .*{value}.*, must be .*> 0"
    for shape in ((1,), (4,), (4, 1), (2, 3)):
        bad = np.full(shape, parameters[name])
        bad.flat[-1] = value
        with pytest.raises(ParameterError, match=shown):
            type(case.model)(**{**parameters, name: bad})


@pytest.mark.parametrize(
    "value",
    [
        [1.0, 2.0],
        (1.0,),
        np.array([True, True]),
        np.array(True),
        np.array(["1", "2"]),
        np.array([1.0, None]),
        np.array([1.0 + 1.0j]),
    ],
    ids=repr,
)
@every_model
def test_only_arrays_of_numbers_are_points(case, value):
    for name in case.model.names():
        parameters = dict(zip(case.model.names(), case.model.values(), strict=True))
        with pytest.raises(ParameterError, match=rf"{type(case.model).__name__}: {name} == .*> 0"):
            type(case.model)(**{**parameters, name: value})


@every_model
def test_points_and_data_come_back_unchanged(case):
    models, history = points(case.model, 20), counted(case, 20)
    arrays = [*models.values(), *history]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    answers(case, models, history)
    updated(models, history)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
