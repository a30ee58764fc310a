"""`p_survive`: the share of all customers of an age who still are some."""

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from cases import cases

from clvmodel import BGNBD, MBGNBD, ParetoNBD
from clvmodel.models import PURCHASE_MODELS

STANDARD_ERRORS = 4.0

every_model = pytest.mark.parametrize("case", cases(PURCHASE_MODELS))


@every_model
def test_simulated_customers_survive_as_often(case):
    size = 100_000
    for seed, share in enumerate((0.1, 0.5, 1.0, 4.0)):
        t = share * case.span
        alive = case.model.simulate(np.full(size, t), seed=seed).alive.mean()
        chance = float(case.model.p_survive(t))
        assert abs(alive - chance) <= STANDARD_ERRORS * np.sqrt(chance * (1 - chance) / size)


@every_model
def test_at_first_and_at_last(case):
    model = case.model
    coin = model.b / (model.a + model.b) if isinstance(model, MBGNBD) else 1.0
    assert model.p_survive(0) == pytest.approx(coin, rel=1e-15)
    assert model.p_survive(np.inf) == 0
    assert isinstance(model.p_survive(0), float)


@every_model
def test_it_falls(case):
    t = case.span * np.append(0, np.geomspace(1e-3, 1e4, 200))
    chance = case.model.p_survive(t)
    assert chance.shape == t.shape
    for more, less in pairwise(chance):
        assert 0 < less < more <= 1


@every_model
def test_histories_add_up_to_it(case):
    """The mean of p_alive over what customers may have done by T is the chance to survive."""
    size = 100_000
    x, t_x, T, alive, *_ = case.model.simulate(np.full(size, case.span), seed=5)
    each = case.model.p_alive(x, t_x, T)
    error = each.std() / np.sqrt(size)
    assert abs(each.mean() - case.model.p_survive(case.span)) <= STANDARD_ERRORS * error
    assert each.std() < alive.std()


@every_model
def test_the_unit_of_time_does_not_matter(case):
    t = case.span * np.array([0.2, 1.0, 30.0])
    days = case.model.rescaled(7.0).p_survive(7 * t)
    np.testing.assert_allclose(days, case.model.p_survive(t), rtol=1e-10)


@every_model
def test_a_point_per_customer(case):
    t = case.span * np.array([0.0, 0.5, 2.0])
    factors = np.array([0.5, 1.0, 2.0])
    values = case.model.values()
    many = type(case.model)(*(v * factors for v in values)).p_survive(t)
    alone = [
        type(case.model)(*(v * f for v in values)).p_survive(u)
        for f, u in zip(factors, t, strict=True)
    ]
    np.testing.assert_allclose(many, alone, rtol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_against_the_hypergeometric_function(seed):
    """E_p[(1 + p u)^-r], p ~ Beta(a, b), is 2F1(r, a; a + b; -u), here in 40 digits."""
    rng = np.random.default_rng(seed)
    for _ in range(25):
        r, a, b = np.exp(rng.uniform(-5, 5, 3))
        alpha, u = np.exp(rng.uniform(-4, 4)), np.exp(rng.uniform(-8, 13))
        with mp.workdps(40):
            plain = float(mp.hyp2f1(r, a, a + b, -mp.mpf(u)))
            coin = float(mp.hyp2f1(r, a, a + b + 1, -mp.mpf(u)) * b / (a + b))
        got = BGNBD(r, alpha, a, b).p_survive(u * alpha)
        assert got == pytest.approx(plain, rel=1e-9, abs=1e-29)
        got = MBGNBD(r, alpha, a, b).p_survive(u * alpha)
        assert got == pytest.approx(coin, rel=1e-9, abs=1e-29)


def test_pareto_by_hand():
    assert ParetoNBD(1, 1, 2, 10).p_survive(30) == pytest.approx(1 / 16, rel=1e-14)


def test_next_to_nobody():
    """Chances too small to be integrated to their own size are still numbers, and small."""
    assert 0 <= BGNBD(60, 1e-3, 50, 60).p_survive(1e5) < 1e-29
