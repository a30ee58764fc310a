"""Every model, and every fit, is a value: it can be compared, hashed, printed, pickled, sent."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from cases import every_model

import clvmodel as clv
from clvmodel.models import MODELS


def again(fit):
    return clv.Fit.from_json(fit.to_json())


@every_model
def test_a_model_survives_every_journey(case):
    model = case.model
    plain = json.loads(json.dumps(model.to_dict()))
    kind = MODELS[plain.pop("model")]
    journeys = [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        kind(**plain),
        eval(repr(model), dict(MODELS)),
        kind(*(np.float64(value) for value in model.values())),
    ]
    for same in journeys:
        assert same == model
        assert hash(same) == hash(model)
        assert type(same) is type(model)
    from_log = kind.from_log(np.log(model.values()))
    assert from_log.values() == pytest.approx(model.values(), rel=1e-14)


@every_model
def test_a_model_is_frozen_and_differs_from_others(case):
    name = case.model.names()[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(case.model, name, 1.0)
    other = dataclasses.replace(case.model, **{name: 1.1 * case.model.values()[0]})
    assert other != case.model
    assert len({other, case.model, other}) == 2


@every_model
def test_a_model_says_what_it_needs(case):
    model = case.model
    assert set(model.scaled) <= set(model.columns)
    sides = {f"{name} {side}" for name in model.names() for side in ("low", "high")}
    assert sides == set(model.limits)


@every_model
def test_a_fit_survives_every_journey(case):
    fit = clv.fit(type(case.model), case.data(500, seed=1), unit="W")
    for same in (again(fit), pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert same == fit
        assert hash(same) == hash(fit)
        assert repr(same) == repr(fit)
        np.testing.assert_array_equal(same.covariance, fit.covariance)
    assert fit != clv.fit(type(case.model), case.data(500, seed=2), unit="W")


@every_model
def test_a_fit_prints_its_estimates(case):
    fit = clv.fit(type(case.model), case.data(500, seed=1), unit="W")
    table = fit.table()
    assert list(table.index) == list(case.model.names())
    for name, value in fit.parameters.items():
        assert name in str(fit)
        assert table.loc[name, "low"] < value < table.loc[name, "high"]
    assert str(fit).splitlines()[-1] == fit.message
    assert fit._repr_html_().startswith("<pre>")
