"""Quantiles of every model are the inverse of its distribution function."""

import numpy as np
import pytest
from cases import POINTS

from clvmodel.errors import ParameterError
from clvmodel.models import DISCRETE_MODELS, PURCHASE_MODELS

COUNTING = [
    pytest.param(point, span, id=f"{name}-{i}")
    for name in (*PURCHASE_MODELS, *DISCRETE_MODELS)
    for i, (point, span) in enumerate(POINTS[name])
]
LEVELS = np.array([1e-6, 0.05, 0.5, 0.9, 0.999, 1 - 1e-9])


def histories(point, span):
    x, t_x, T, *_ = point.simulate(np.full(40, span), seed=3)
    return x, t_x, T


@pytest.mark.parametrize(("point", "span"), COUNTING)
@pytest.mark.parametrize("ahead", [0.25, 1.0, 4.0])
def test_quantiles_invert_the_distribution(point, span, ahead):
    t = np.ceil(ahead * span) if type(point).__name__ in DISCRETE_MODELS else ahead * span
    history = histories(point, span)
    n = point.quantile(LEVELS[:, None], t, *history)
    assert n.shape == (LEVELS.size, 40)
    assert (n == np.floor(n)).all()
    rounding = 1e-14
    assert (point.cdf(n, t, *history) >= LEVELS[:, None] - rounding).all()
    below = point.cdf(n - 1, t, *history)
    assert ((n == 0) | (below < LEVELS[:, None] + rounding)).all()
    assert (np.diff(n, axis=0) >= 0).all()


@pytest.mark.parametrize(("point", "span"), COUNTING)
def test_new_customers_too(point, span):
    n = point.quantile([0.1, 0.5, 0.9], span)
    assert (point.cdf(n, span) >= np.array([0.1, 0.5, 0.9])).all()


@pytest.mark.parametrize(("point", "span"), COUNTING)
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, np.nan])
def test_levels_lie_between_0_and_1(point, span, level):
    with pytest.raises(ParameterError, match="q =="):
        point.quantile(level, span)


@pytest.mark.parametrize(("point", "span"), COUNTING)
def test_one_point_per_customer(point, span):
    """Parameters may differ by customer, as they do with covariates."""
    x, t_x, T = histories(point, span)
    factor = np.linspace(0.5, 2.0, 40)
    several = type(point)(*(value * factor for value in point.values()))
    got = several.quantile(0.9, span, x, t_x, T)
    for i in (0, 17, 39):
        one = type(point)(*(value * factor[i] for value in point.values()))
        assert got[i] == one.quantile(0.9, span, x[i], t_x[i], T[i])


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_for_ever_is_the_limit(name):
    """t = inf: the chance of any purchase, and the mean where there is one."""
    for point, span in POINTS[name]:
        history = histories(point, span)
        far, ever = (point.p_purchase(t, *history) for t in (1e9 * span, np.inf))
        assert (ever >= far).all()
        np.testing.assert_allclose(ever, far, atol=0.05)
        mean = point.expected_purchases(np.inf, *history)
        leaving = point.a if hasattr(point, "a") else point.s
        alive = point.p_alive(*history) > 0
        assert np.isinf(mean[alive]).all() == (leaving <= 1)
        if leaving > 1:
            near = point.expected_purchases(1e12 * span, *history)
            np.testing.assert_allclose(mean, near, rtol=1e-3)
