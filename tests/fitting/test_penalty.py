"""A penalty draws parameters towards ordinary values: how far, in which units, and what stays."""

import numpy as np
import pytest
from cases import every_model
from covariate_cases import BOTH, knowing
from scipy.optimize import minimize

import clvmodel as clv
from clvmodel.fitting.estimate import likelihood_of, natural_position

SIZE = 600
RISING = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)


def position(fit):
    """Logs of the parameters in typical units, and standardized coefficients."""
    return likelihood_of(fit).position(natural_position(fit))


@every_model
def test_no_penalty_is_maximum_likelihood(case):
    data = case.data(SIZE, seed=1)
    plain = clv.fit(type(case.model), data)
    for zero in (0, 0.0, np.float64(0), np.int64(0)):
        assert clv.fit(type(case.model), data, penalty=zero) == plain
    assert "penalty" not in plain.message
    assert plain.penalty == 0


@every_model
def test_more_penalty_is_nearer_and_fits_worse(case):
    data = case.data(SIZE, seed=2)
    fits = [clv.fit(type(case.model), data, penalty=penalty) for penalty in RISING]
    assert all(fit.converged for fit in fits)
    lengths = [float(np.linalg.norm(position(fit))) for fit in fits]
    heights = [fit.log_likelihood for fit in fits]
    assert all(np.diff(lengths) < 0), lengths
    assert all(np.diff(heights) < 0), heights
    assert lengths[-1] < 0.2
    errors = [np.linalg.det(fit.covariance) for fit in fits]
    assert errors[-1] < errors[0]


@knowing("-0")
def test_more_penalty_takes_coefficients_to_zero(known):
    data = known.data(SIZE, seed=3)
    fits = [clv.fit(known.kind, data, covariates=BOTH, penalty=p) for p in RISING]
    lengths = [float(np.linalg.norm(position(fit))) for fit in fits]
    assert all(np.diff(lengths) < 0), lengths
    names = len(known.case.model.names())
    assert np.abs(position(fits[-1])[names:]).max() < 0.05
    some = data[known.kind.columns[-1]] > 0  # those who say something
    age, south = np.std(data["age"][some]), np.std(data["shop"][some] == "south")
    for name, value in fits[3].parameters.items():
        if ":" in name:  # a coefficient counts in standard deviations of its covariate
            scale = age if name.endswith("age") else south
            at = list(fits[3].parameters).index(name)
            assert position(fits[3])[at] == pytest.approx(value * scale)


@every_model
def test_the_fit_is_the_maximum_of_what_it_says(case):
    """Against an optimiser without derivatives of ours; time and money in their mean."""
    kind, data = type(case.model), case.data(SIZE, seed=4)
    columns = [np.asarray(data[name], float) for name in kind.columns]
    if "monetary_value" in kind.columns:
        columns = [column[columns[1] > 0] for column in columns]
    fit = clv.fit(kind, data, penalty=0.02)
    unit = np.zeros(len(kind.names()))
    if kind.scaled:
        scale = columns[kind.columns.index(kind.scaled[-1])].mean()
        unit = np.log(kind(*np.ones(unit.size)).rescaled(scale).values())

    def loss(logs):
        value = kind.from_log(logs).log_likelihood(*columns).mean()
        return 0.02 * ((logs - unit) ** 2).sum() - value

    found = minimize(loss, unit, method="BFGS", options={"gtol": 1e-6})
    top = np.log(fit.model.values())
    assert loss(top) <= found.fun + 1e-12
    np.testing.assert_allclose(top, found.x, atol=1e-4)
    value = -(loss(top) - 0.02 * ((top - unit) ** 2).sum()) * len(columns[0])
    assert fit.log_likelihood == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("factor", [7.0, 1e-4, 1e5])
@every_model
def test_other_units_of_time_and_money(case, factor):
    kind, data = type(case.model), case.data(SIZE, seed=5)
    if not kind.scaled:
        factor = 1.0
    scaled = {k: v * factor if k in kind.scaled else v for k, v in data.items()}
    expected, got = (clv.fit(kind, table, penalty=0.01) for table in (data, scaled))
    assert got.model.values() == pytest.approx(expected.model.rescaled(factor).values(), rel=1e-6)
    np.testing.assert_allclose(got.covariance, expected.covariance, rtol=1e-5, atol=1e-8)


@knowing("-0")
def test_units_and_origin_of_covariates(known):
    """Neither how they are counted nor which category is the reference decides what is drawn.

    A category of two levels: with more, the choice of the reference says what is a coefficient.
    """
    data = known.data(SIZE, seed=6)
    other = {**data, "age": 100 - 12 * data["age"]}
    other["shop"] = np.where(data["shop"] == "north", "z north", "south")
    fit, got = (known.fit(table, penalty=0.05) for table in (data, other))
    for one, same in zip(got.model.at(other).values(), fit.model.at(data).values(), strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-7)


@every_model
def test_it_counts_per_customer(case):
    kind, data = type(case.model), case.data(SIZE, seed=7)
    once = clv.fit(kind, data, penalty=0.01)
    twice = clv.fit(kind, data, penalty=0.01, weight=np.full(SIZE, 2.0))
    assert twice.model.values() == pytest.approx(once.model.values(), rel=1e-7)
    np.testing.assert_allclose(twice.covariance, once.covariance / 2, rtol=1e-5)


def columns(x, t_x, T):
    return {"frequency": x, "recency": t_x, "T": T}


def loyal(same_rate):
    """Customers who never leave."""
    rng = np.random.default_rng(1)
    T = rng.uniform(50, 100, 300)
    x = rng.poisson((0.05 if same_rate else rng.gamma(1, 0.05, 300)) * T).astype(float)
    return columns(x, np.where(x > 0, T * rng.beta(np.maximum(x, 1), 1), 0), T)


RUNAWAYS = {
    "one purchase each": (clv.BGNBD, columns([0.0] * 50, [0.0] * 50, np.linspace(10, 300, 50))),
    "one customer": (clv.BGNBD, columns([3], [20], [30])),
    "one customer, bought today": (clv.BGNBD, columns([3], [30], [30])),
    "no time at all": (clv.BGNBD, columns([0, 0], [0, 0], [0, 0])),
    "nobody leaves": (clv.BGNBD, loyal(same_rate=False)),
    "nobody leaves, nobody differs": (clv.BGNBD, loyal(same_rate=True)),
    "everyone left at once": (clv.BGNBD, columns([1.0] * 50, [1.0] * 50, [1000.0] * 50)),
    "nobody leaves, MBG/NBD": (clv.MBGNBD, loyal(same_rate=False)),
    "nobody leaves, Pareto/NBD": (clv.ParetoNBD, loyal(same_rate=False)),
    "one spends": (clv.GammaGamma, {"frequency": [2], "monetary_value": [20.0]}),
    "all the same": (clv.GammaGamma, {"frequency": [2] * 50, "monetary_value": [20.0] * 50}),
    "always": (clv.BGBB, {"frequency": [6.0] * 9, "recency": [6.0] * 9, "n": [6.0] * 9}),
    "never": (clv.BGBB, {"frequency": [0.0] * 9, "recency": [0.0] * 9, "n": [6.0] * 9}),
}


@pytest.mark.parametrize("name", RUNAWAYS)
def test_data_that_run_away_come_to_rest(name):
    """Parameters within a factor 1,000 of ordinary, where they would be a millionth or less."""
    kind, data = RUNAWAYS[name]
    fit = clv.fit(kind, data, penalty=0.02)
    assert fit.converged, fit.message
    assert np.abs(position(fit)).max() < np.log(1000)
    assert np.sqrt(np.diag(fit.covariance)).max() < 7 / np.sqrt(fit.customers)
    assert "do not bound" not in fit.message
    assert "say nothing" not in fit.message


def test_data_that_say_nothing_leave_every_parameter_at_one():
    """The time observed is 0, and the typical time then 1."""
    fit = clv.fit(clv.BGNBD, columns([0, 0], [0, 0], [0, 0]), penalty=0.1)
    assert fit.model.values() == pytest.approx((1, 1, 1, 1), abs=1e-9)


def test_it_is_kept_and_said():
    fit = clv.fit(clv.BGNBD, loyal(same_rate=False), penalty=0.005)
    assert fit.penalty == 0.005
    assert "Drawn towards ordinary values by penalty 0.005." in str(fit)
    again = clv.Fit.from_json(fit.to_json())
    assert again == fit
    assert again.penalty == 0.005
    assert fit != clv.fit(clv.BGNBD, loyal(same_rate=False))


@pytest.mark.parametrize("wrong", [-1e-9, -1, np.nan, np.inf, True, False, "1", None, 1j, [0.1]])
def test_what_is_no_penalty(wrong):
    with pytest.raises(clv.ParameterError, match=r"penalty == .*, must be finite and >= 0"):
        clv.fit(clv.BGNBD, loyal(same_rate=False), penalty=wrong)


def test_another_engine_has_its_own():
    with pytest.raises(clv.ParameterError, match="lifetimes"):
        clv.fit(clv.BGNBD, loyal(same_rate=False), penalty=0.1, engine="lifetimes")
