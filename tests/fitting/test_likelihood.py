"""What an engine climbs: value, gradient and Hessian agree, in any coordinates and any blocks."""

from dataclasses import replace

import numpy as np
import pytest
from cases import Case, every_model
from covariate_cases import knowing

import clvmodel as clv
from clvmodel.fitting import likelihood as module
from clvmodel.fitting.estimate import likelihood_of, natural_position
from clvmodel.fitting.likelihood import Likelihood, effects_of

SIZE = 400
# Regressors in units of their own, far from 0; the last is that of few.
CENTRES, SPREADS = np.array([40.0, -3e-4, 0.05]), np.array([10.0, 1e-4, 0.2])
penalties = pytest.mark.parametrize("penalty", [0.0, 0.03])


def plain(case, penalty=0.0, size=SIZE):
    """Weighted customers, without covariates."""
    weight = np.random.default_rng(2).integers(1, 5, size).astype(float)
    return Likelihood(type(case.model), used(case, size), weight, penalty=penalty)


def used(case, size):
    """Columns of customers who say something: for spend, those with purchases."""
    columns = case.histories(4 * size, seed=1)
    some = columns[-1] > 0
    return tuple(column[some][:size] for column in columns)


def with_regressors(case, penalty=0.0, size=SIZE):
    """Three regressors: all on the first parameter that takes them, the last two on the others."""
    family, bare = type(case.model), plain(case, penalty, size)
    z = CENTRES + SPREADS * np.random.default_rng(3).normal(size=(size, 3))
    first, *others = family.effects
    effects = effects_of(family, {first: [0, 1, 2]} | {name: [1, 2] for name in others})
    return replace(bare, regressors=z, effects=effects)


def likelihoods(case, penalty=0.0, size=SIZE):
    """Without covariates, and with them where the model takes them."""
    both = [plain(case, penalty, size)]
    return both + ([with_regressors(case, penalty, size)] if case.model.effects else [])


def near(likelihood, seed):
    """A position around the truth, with coefficients that matter."""
    rng = np.random.default_rng(seed)
    return likelihood.start() + rng.normal(0, 0.3, likelihood.size)


@penalties
@every_model
def test_gradient_and_hessian_are_differences(case, penalty):
    """Fourth-order differences at 1e-3 carry rounding of 1e-16 V / 1e-3 in a value V."""
    for likelihood in likelihoods(case, penalty):
        here = near(likelihood, seed=4)
        value, gradient, hessian = likelihood.local(here)
        assert value == pytest.approx(likelihood.value(here), rel=1e-13, abs=1e-13)
        slope = slopes(likelihood.value, here)
        np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-10 * (1 + abs(value)))
        bend = slopes(lambda p, at=likelihood: at.local(p).gradient, here)
        np.testing.assert_allclose(hessian, bend, rtol=1e-6, atol=1e-9 * np.abs(bend).max())
        np.testing.assert_array_equal(hessian, hessian.T)


def slopes(function, position, size=1e-3):
    steps = size * np.eye(position.size)
    return np.array(
        [
            8 * (function(position + s) - function(position - s))
            - (function(position + 2 * s) - function(position - 2 * s))
            for s in steps
        ]
    ) / (12 * size)


@every_model
def test_a_penalty_takes_its_share_of_the_squared_length(case):
    for bare, drawn in zip(likelihoods(case), likelihoods(case, 0.25), strict=True):
        here = near(bare, seed=5)
        cost = 0.25 * here @ here
        assert drawn.value(here) == pytest.approx(bare.value(here) - cost, rel=1e-13)
        natural = bare.natural(here)
        assert drawn.log_likelihood(natural) == bare.log_likelihood(natural)


@every_model
def test_natural_and_position_are_inverse(case):
    for likelihood in likelihoods(case):
        many = np.stack([near(likelihood, seed) for seed in range(5)])
        natural = likelihood.natural(many)
        np.testing.assert_allclose(likelihood.position(natural), many, rtol=1e-9, atol=1e-9)
        for position, alone in zip(many, natural, strict=True):
            np.testing.assert_allclose(likelihood.natural(position), alone, rtol=1e-12)
            back = likelihood.position(alone)
            np.testing.assert_allclose(back, position, rtol=1e-9, atol=1e-9)


@every_model
def test_scaled_and_natural_values_differ_by_the_unit_only(case):
    """The density of times in another unit: one factor per purchase time, or per mean value."""
    for likelihood in likelihoods(case):
        x = likelihood.columns[0]
        densities = x if case.buys else x > 0
        jacobian = np.log(likelihood.scale) * float(densities @ likelihood.weight)
        jacobian *= bool(case.model.scaled)
        for seed in range(3):
            here = near(likelihood, seed)
            value = likelihood.log_likelihood(likelihood.natural(here))
            assert value == pytest.approx(
                likelihood.value(here) * likelihood.total - jacobian, rel=1e-11
            )


@every_model
def test_natural_positions_are_the_logs_and_coefficients_of_each_customer(case):
    """The sum over rows of the model written out: log(parameter) + sign * z'coefficients."""
    for likelihood in likelihoods(case):
        natural = likelihood.natural(near(likelihood, seed=6))
        logs = dict(zip(case.model.names(), natural, strict=False))
        at = len(logs)
        for parameter, sign, chosen in likelihood.effects:
            name = case.model.names()[parameter]
            for j in chosen:
                logs[name] = logs[name] + sign * natural[at] * likelihood.regressors[:, j]
                at += 1
        assert at == likelihood.size
        each = type(case.model)(*(np.exp(log) for log in logs.values()))
        value = each.log_likelihood(*likelihood.columns) @ likelihood.weight
        assert likelihood.log_likelihood(natural) == pytest.approx(value, rel=1e-11)


@every_model
def test_natural_covariance(case):
    """That of many positions, moved one by one."""
    for likelihood in likelihoods(case):
        rng = np.random.default_rng(7)
        root = rng.normal(size=(likelihood.size, likelihood.size))
        covariance = root @ root.T
        cloud = (root @ np.concatenate([np.eye(likelihood.size), -np.eye(likelihood.size)]).T).T
        moved = likelihood.natural(cloud) - likelihood.natural(np.zeros(likelihood.size))
        got = likelihood.natural_covariance(covariance)
        np.testing.assert_allclose(got, moved.T @ moved / 2, rtol=1e-9, atol=1e-9 * got.max())
        np.testing.assert_array_equal(got, got.T)


@penalties
@every_model
def test_many_positions_are_each_one_alone(case, penalty):
    for likelihood in likelihoods(case, penalty):
        many = np.stack([near(likelihood, seed) for seed in range(7)])
        each = [likelihood.value(position) * likelihood.total for position in many]
        np.testing.assert_allclose(likelihood.values(many), each, rtol=1e-12)
        assert likelihood.values(many[:0]).shape == (0,)


@pytest.mark.parametrize("block", [7, 59, 60])
@every_model
def test_blocks_do_not_matter(case, block, monkeypatch):
    def results(likelihood):
        many = np.stack([near(likelihood, seed) for seed in range(3)])
        value, gradient, hessian = likelihood.local(many[0])
        natural = likelihood.natural(many[0])
        return value, gradient, hessian, likelihood.values(many), likelihood.log_likelihood(natural)

    whole = [results(likelihood) for likelihood in likelihoods(case, size=60)]
    monkeypatch.setattr(module, "_BLOCK", block)
    monkeypatch.setattr(module, "_ENTRIES", 2 * block)
    for likelihood, expected in zip(likelihoods(case, size=60), whole, strict=True):
        for got, same in zip(results(likelihood), expected, strict=True):
            np.testing.assert_allclose(got, same, rtol=1e-10, atol=1e-10)


@every_model
def test_thinned_stands_for_the_whole(case):
    """The same customers in number; each at most once too often or too seldom; no luck in it."""
    for likelihood in likelihoods(case):
        rough, again = likelihood.thinned(37), likelihood.thinned(37)
        assert rough.total == pytest.approx(likelihood.total, rel=1e-13)
        assert rough.weight.size <= 37
        assert len(np.unique(rough.columns[-1])) <= rough.weight.size
        for one, other in zip(rough.columns, again.columns, strict=True):
            np.testing.assert_array_equal(one, other)
        assert (rough.family, rough.effects, rough.penalty) == (
            likelihood.family,
            likelihood.effects,
            likelihood.penalty,
        )
        whole = likelihood.thinned(int(likelihood.total))
        np.testing.assert_allclose(whole.weight, likelihood.weight)
        if likelihood.regressors is not None:
            np.testing.assert_array_equal(whole.regressors, likelihood.regressors)
            kept = (rough.regressors[:, None] == likelihood.regressors).all(axis=2).any(axis=1)
            assert kept.all()


def test_thinned_keeps_heavy_cells_and_leaves_empty_ones_out(monkeypatch):
    weight = np.array([0.0, 1000.0, 0.0, 1.0, 999.0, 0.0])
    column = np.arange(6.0)
    likelihood = Likelihood(clv.BGNBD, (column, column, column), weight)
    rough = likelihood.thinned(10)
    np.testing.assert_array_equal(rough.columns[0], [1, 4])
    np.testing.assert_allclose(rough.weight, [1000, 1000])


@every_model
def test_the_sample_first_search_ends_at_the_same_maximum(case, monkeypatch):
    from clvmodel.fitting import engine

    for likelihood in likelihoods(case):
        direct = engine.search(likelihood)
        monkeypatch.setattr(engine, "_MANY", 0)
        monkeypatch.setattr(engine, "_SAMPLE", SIZE // 2)
        sampled = engine.search(likelihood)
        monkeypatch.undo()
        assert sampled.converged
        np.testing.assert_allclose(sampled.position, direct.position, atol=1e-5)
        np.testing.assert_allclose(
            sampled.information, direct.information, rtol=1e-4, atol=1e-5 * likelihood.total
        )


@knowing("-0")
def test_a_fit_gives_back_its_likelihood_and_place(known):
    data = known.data(5 * SIZE, seed=8)
    for fit in (known.fit(data), known.fit(data, penalty=0.01), clv.fit(known.kind, data)):
        likelihood, natural = likelihood_of(fit), natural_position(fit)
        assert likelihood.total == fit.customers
        assert likelihood.penalty == fit.penalty
        assert likelihood.log_likelihood(natural) == pytest.approx(fit.log_likelihood, rel=1e-13)
        local = likelihood.local(likelihood.position(natural))
        assert np.abs(local.gradient).max() < 1e-8
        information = -local.hessian * likelihood.total
        covariance = likelihood.natural_covariance(np.linalg.inv(information))
        np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-6, atol=1e-10)


@knowing("-0")
def test_a_regressor_without_variation_stays_where_it_is(known):
    """Its coordinate does nothing, and nothing becomes infinite."""
    case: Case = known.case
    likelihood = with_regressors(case)
    z = likelihood.regressors.copy()
    z[:, 2] = 7.0
    still = replace(likelihood, regressors=z)
    here = near(still, seed=9)
    value, gradient, hessian = still.local(here)
    assert np.isfinite(value)
    places = [i for i, j in enumerate(j for e in still.effects for j in e.regressors) if j == 2]
    for place in places:
        at = len(case.model.names()) + place
        assert gradient[at] == 0
        np.testing.assert_array_equal(hessian[at], 0)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@knowing("-0")
def test_a_rare_category_at_the_wall_gives_numbers(known, side):
    """One customer in 20,000, and coefficients as far out as a search may go."""
    case = known.case
    few = plain(case, size=SIZE)
    weight = np.full(SIZE, 20_000.0 / SIZE)
    weight[0] = 1.0
    lone = (np.arange(SIZE) == 0).astype(float)[:, None]
    effects = effects_of(known.kind, {name: [0] for name in known.kind.effects})
    likelihood = replace(few, weight=weight, regressors=lone, effects=effects)
    here = likelihood.start()
    here[len(case.model.names()) :] = side * module.WALL
    value, gradient, hessian = likelihood.local(here)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
