"""What holds for covariates, with every model that takes them."""

import pickle

import numpy as np
import pytest
from cases import Case, seeds
from covariate_cases import BOTH, OLD, SPREAD, fitted, knowing
from scipy.stats import chi2

import clvmodel as clv
from clvmodel.tables.design import Design

SIZE = 2000
at_every_point = knowing()
at_one_point = knowing("-0")


def assert_same_estimates(got, expected, rel=1e-7):
    assert list(got.parameters) == list(expected.parameters)
    assert list(got.parameters.values()) == pytest.approx(
        list(expected.parameters.values()), rel=rel, abs=rel
    )
    np.testing.assert_allclose(got.covariance, expected.covariance, rtol=1e-5, atol=1e-9)
    assert got.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-11)


def assert_same_customers(got, expected, rel=1e-7):
    """Two fits say the same of each customer, whatever they call it: (fit, customers) each."""
    each, other = (fit.model.at(customers).values() for fit, customers in (got, expected))
    for value, same in zip(each, other, strict=True):
        np.testing.assert_allclose(value, same, rtol=rel)
    assert got[0].log_likelihood == pytest.approx(expected[0].log_likelihood, rel=1e-11)


@at_every_point
def test_zero_coefficients_are_the_plain_model(known):
    """To the last bit of the parameters; predictions may be grouped differently."""
    data = known.data(200, seed=1)
    design = Design.learn(BOTH, data)
    zeros = [(name, label, 0.0) for name in known.chosen for label in design.labels]
    each = clv.CovariateModel(known.case.model, design, tuple(zeros)).at(data)
    for one, other in zip(each.values(), known.case.model.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    history = known.history(data)
    results = Case(each, known.case.span).predictions(history)
    for got, plain in zip(results, known.case.predictions(history), strict=True):
        np.testing.assert_allclose(got, plain, rtol=1e-9, atol=1e-15)


@at_every_point
def test_at_is_the_model_of_each_customer(known):
    """The truth, as a fit would say it, is the law that was simulated."""
    data = known.data(200, seed=2)
    names, values = len(known.case.model.names()), known.truth
    entries = tuple((*name.split(": "), value) for name, value in list(values.items())[names:])
    base = known.kind(*list(values.values())[:names])
    model = clv.CovariateModel(base, Design.learn(BOTH, data), entries)
    assert model.names() == tuple(values)
    assert model.values() == tuple(values.values())
    for one, other in zip(model.at(data).values(), known.model(data).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


@seeds(1, 2)
@at_every_point
def test_the_truth_lies_in_the_intervals(known, seed):
    """Each 99.9% interval misses one time in 1,000."""
    fit = known.fit(known.data(2 * SIZE, seed))
    assert fit.converged, fit.message
    assert tuple(known.truth) == tuple(fit.parameters)
    for name, (low, high) in fit.interval(0.999).items():
        assert low < known.truth[name] < high, name


@at_one_point
def test_errors_are_as_large_as_stated(known):
    """Squared errors in units of the covariance are chi-squared: not too large, nor too small.

    Twelve fits together, parameters and coefficients; a true law fails one time in 10,000.
    """
    names = len(known.case.model.names())

    def scale(values):
        values = np.array(values)
        return np.concatenate([np.log(values[:names]), values[names:]])

    truth = scale(list(known.truth.values()))
    total = 0.0
    for seed in range(12):
        fit = known.fit(known.data(SIZE, 100 + seed))
        error = scale(fit.model.values()) - truth
        total += error @ np.linalg.solve(fit.covariance, error)
    low, high = chi2(12 * truth.size).ppf([5e-5, 1 - 5e-5])
    assert low < total < high


@at_one_point
def test_no_effect_gains_no_more_than_chance(known):
    """Twice the gain of covariates that explain nothing is chi-squared, and never negative.

    Forty pairs of fits together; a true law fails one time in 10,000.
    """
    gains = []
    for seed in range(40):
        rng = np.random.default_rng([seed, 11])
        data = known.case.data(800, 200 + seed)
        data |= {"age": rng.normal(OLD, SPREAD, 800), "shop": rng.choice(["n", "s"], 800)}
        with_them, plain = known.fit(data), clv.fit(known.kind, data)
        gains.append(2 * (with_them.log_likelihood - plain.log_likelihood))
    free = len(with_them.parameters) - len(plain.parameters)
    assert min(gains) > -1e-6
    low, high = chi2(40 * free).ppf([5e-5, 1 - 5e-5])
    assert low < sum(gains) < high


@at_every_point
def test_more_covariates_never_fit_worse(known):
    data = known.data(SIZE, seed=1)
    first = next(iter(known.chosen))
    steps = [(), {first: "shop"}, {first: BOTH}, known.chosen, BOTH]
    heights = [clv.fit(known.kind, data, covariates=step).log_likelihood for step in steps]
    assert all(np.diff(heights) > -1e-6)
    assert heights[2] > heights[0] + 20  # the effects are there


@at_every_point
def test_a_fit_is_a_maximum(known):
    """No step in any parameter or coefficient gains, and the value is that of the rows."""
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    value = total(fit.model, data)
    assert fit.log_likelihood == pytest.approx(value, rel=1e-12)
    for i, error in enumerate(np.sqrt(np.diag(fit.covariance))):
        for step in (-1e-2, 1e-2):
            moved = np.zeros(len(fit.parameters))
            moved[i] = step * error
            assert total(at(fit.model, moved), data) < value


@at_one_point
def test_covariance_is_the_inverse_of_the_information(known):
    """Against second differences in the data's own units, a twentieth of an error apart.

    Their error is the fourth derivative's, far below 1% of the information.
    """
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    root = np.linalg.cholesky(fit.covariance)
    np.testing.assert_array_equal(fit.covariance, fit.covariance.T)
    steps = 0.05 * root.T

    def value(move):
        return total(at(fit.model, move), data)

    bend = np.array(
        [
            [(value(i + j) - value(i - j) - value(j - i) + value(-i - j)) / 0.01 for j in steps]
            for i in steps
        ]
    )
    np.testing.assert_allclose(-bend, np.eye(len(root)), atol=0.01)


def at(model, move):
    """The model moved by so much in log-parameters and coefficients."""
    names = len(model.base.names())
    base = type(model.base)(*(np.array(model.base.values()) * np.exp(move[:names])))
    pairs = zip(model.coefficients, move[names:], strict=True)
    return clv.CovariateModel(base, model.design, tuple((p, n, v + m) for (p, n, v), m in pairs))


def total(model, data):
    columns = [data[name] for name in model.family.columns]
    if "monetary_value" in data:
        columns[0] = np.where(columns[1] > 0, columns[0], 0)
    return float(model.at(data).log_likelihood(*columns).sum())


@pytest.mark.parametrize("factor", [12.0, 1e-6, 1e6, -1.0])
@at_one_point
def test_other_units_of_a_number_rescale_its_coefficient(known, factor):
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    other = {**data, "age": data["age"] * factor}
    got = known.fit(other)
    for name, value in fit.parameters.items():
        expected = value / factor if name.endswith(": age") else value
        assert got.parameters[name] == pytest.approx(expected, rel=1e-7)
    assert_same_customers((got, other), (fit, data))
    for (name, got_error), error in zip(errors(got).items(), errors(fit).values(), strict=True):
        size = abs(factor) if name.endswith(": age") else 1.0
        assert got_error * size == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("by", [-OLD, 250.0])
@at_one_point
def test_where_a_number_is_counted_from_changes_the_base_only(known, by):
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    other = {**data, "age": data["age"] + by}
    got = known.fit(other)
    first = next(iter(known.chosen))
    moved = -known.kind.effects[first] * fit.parameters[f"{first}: age"] * by
    for name, value in fit.parameters.items():
        expected = value * np.exp(moved) if name == first else value
        assert got.parameters[name] == pytest.approx(expected, rel=1e-6)
        if name != first:
            assert errors(got)[name] == pytest.approx(errors(fit)[name], rel=1e-5)
    assert_same_customers((got, other), (fit, data))


def errors(fit):
    return dict(zip(fit.parameters, np.sqrt(np.diag(fit.covariance)), strict=True))


@at_one_point
def test_another_reference_turns_the_coefficient(known):
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    other = {**data, "shop": np.where(data["shop"] == "north", "z north", data["shop"])}
    got = known.fit(other)
    assert_same_customers((got, other), (fit, data))
    for name in known.chosen:
        turned = got.parameters[f"{name}: shop[z north]"]
        assert turned == pytest.approx(-fit.parameters[f"{name}: shop[south]"], rel=1e-6)
        ratio = np.exp(-known.kind.effects[name] * turned)
        assert got.parameters[name] == pytest.approx(fit.parameters[name] * ratio, rel=1e-6)


@at_one_point
def test_the_order_of_rows_does_not_matter(known):
    data = known.data(SIZE, seed=1)
    order = np.random.default_rng(6).permutation(SIZE)
    assert_same_estimates(
        known.fit({name: column[order] for name, column in data.items()}), fitted(known, SIZE)
    )


@at_one_point
def test_weights_are_repeated_rows(known):
    data = known.data(SIZE, seed=1)
    data["age"] = np.rint(data["age"])
    weight = np.random.default_rng(4).integers(0, 4, SIZE)
    repeated = known.fit({name: np.repeat(column, weight) for name, column in data.items()})
    assert_same_estimates(known.fit(data, weight=weight), repeated)


@pytest.mark.parametrize("factor", [7.0, 1e-4, 1e5])
@at_one_point
def test_other_units_of_time_and_money_change_no_coefficient(known, factor):
    data, fit = known.data(SIZE, seed=1), fitted(known, SIZE)
    got = known.fit({k: v * factor if k in known.kind.scaled else v for k, v in data.items()})
    assert got.model.base.values() == pytest.approx(
        fit.model.base.rescaled(factor).values(), rel=1e-6
    )
    for name, value in list(fit.parameters.items())[len(fit.model.base.names()) :]:
        assert got.parameters[name] == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(got.covariance, fit.covariance, rtol=1e-5, atol=1e-8)


@at_one_point
def test_read_only_data_come_back_unchanged(known):
    data = known.data(SIZE, seed=1)
    before = {name: column.copy() for name, column in data.items()}
    for column in data.values():
        column.setflags(write=False)
    known.fit(data).model.at(data)
    assert list(data) == list(before)
    for name, column in data.items():
        np.testing.assert_array_equal(column, before[name])


@at_one_point
def test_a_fit_is_read_back_as_it_was(known):
    fit = fitted(known, SIZE)
    data = known.data(50, seed=9)
    for again in (clv.Fit.from_json(fit.to_json()), pickle.loads(pickle.dumps(fit))):
        assert again == fit
        assert again.cells is None
        pairs = zip(again.model.at(data).values(), fit.model.at(data).values(), strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one, other)
    assert fit.cells is not None
    assert fit != known.fit(known.data(SIZE, seed=3))


@at_one_point
def test_coefficients_have_symmetric_intervals(known):
    fit = fitted(known, SIZE)
    rows = {row["parameter"]: row for row in fit.rows(0.9)}
    for name, error in errors(fit).items():
        low, high = fit.interval(0.9)[name]
        value, coefficient = fit.parameters[name], ":" in name
        middle = 0.5 * (low + high) if coefficient else np.sqrt(low * high)
        assert middle == pytest.approx(value)
        half = high - value if coefficient else np.log(high / value)
        assert half == pytest.approx(1.6448536 * error)
        assert rows[name]["std_error"] == pytest.approx(error * (1 if coefficient else value))
        assert (rows[name]["low"], rows[name]["high"]) == (low, high)
