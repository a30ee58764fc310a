"""Value of a new customer, and its curve over time."""

import datetime as dt
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from test_covariate_values import model as with_covariates
from value_cases import cdnow_model

from clvmodel.errors import ColumnError, DataError, ParameterError, UnitError
from clvmodel.fitting.fit import Fit
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.units import DAYS_PER_YEAR, days_in
from clvmodel.value.discounting import daily_rate, discounted
from clvmodel.value.fitted import FittedValueModel
from clvmodel.value.new_customers import predict_new

RESULTS = ["days", "expected_purchases", "expected_value", "clv"]
POINTS = [
    BGNBD(0.6, 40.0, 0.8, 2.5),
    BGNBD(3.0, 2.0, 1.0, 4.0),
    MBGNBD(0.8, 50.0, 0.7, 2.0),
    ParetoNBD(0.6, 60.0, 0.6, 80.0),
    ParetoNBD(2.0, 5.0, 1.0, 30.0),
]
SPEND = GammaGamma(6.0, 4.0, 90.0)  # mean 180
KINDS = {"age": [20.0, 60.0, 20.0], "shop": ["north", "north", "south"]}


def fit_at(model, unit="D"):
    """A fit that found this point."""
    size = len(model.names())
    covariance = tuple(tuple(row) for row in (1e-4 * np.eye(size)).tolist())
    return Fit(model, -1.0, covariance, 1000.0, 0.0, unit, True, 0.0, "Converged.")


def fitted(model=POINTS[0], spend=SPEND, unit="D"):
    return FittedValueModel(fit_at(model, unit), spend and fit_at(spend, unit))


@cache
def curve():
    return predict_new(fitted())


def test_one_row_per_step_and_one_at_the_horizon():
    table = curve()
    assert list(table.columns) == RESULTS
    np.testing.assert_allclose(table["days"], np.arange(25) * 30.4375, rtol=1e-14)
    assert predict_new(fitted(), "10W", step="3W")["days"].tolist() == [0, 21, 42, 63, 70]
    assert predict_new(fitted(), "10W", step="10W")["days"].tolist() == [0, 70]
    assert predict_new(fitted(), 0.3, step=0.1)["days"].tolist() == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    assert predict_new(fitted(), dt.timedelta(2), step=1)["days"].tolist() == [0, 1, 2]


def test_the_first_purchase_counts_at_once():
    assert curve().iloc[0].tolist() == pytest.approx([0, 1, 180, 180], rel=1e-14)
    after = curve().iloc[1:]
    assert (np.diff(curve().to_numpy(), axis=0) > 0).all()
    assert (after["clv"] < after["expected_value"]).all()


@pytest.mark.parametrize("point", POINTS, ids=repr)
def test_purchases_are_the_model_s(point):
    table = predict_new(fitted(point), "3Y", step="3M", margin=0.25)
    by_hand = [1 + float(point.expected_purchases(day)) for day in table["days"]]
    np.testing.assert_allclose(table["expected_purchases"], by_hand, rtol=1e-12)
    np.testing.assert_allclose(table["expected_value"], 0.25 * 180 * np.array(by_hand), rtol=1e-12)


@pytest.mark.parametrize("point", POINTS, ids=repr)
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_clv_is_a_fine_discrete_sum(point, rate):
    """Purchases of short steps, each paid in its middle: the error falls with the step squared."""
    table = predict_new(fitted(point), "2Y", step="8M", discount_rate=rate)
    for day, clv in zip(table["days"][1:], table["clv"][1:], strict=True):
        sums = []
        for steps in (1000, 2000, 4000):
            edges = day * np.linspace(0, 1, steps + 1) ** 3  # finer where purchases come faster
            years = (edges[1:] + edges[:-1]) / 2 / DAYS_PER_YEAR
            sums.append((1 + rate) ** -years @ np.diff(point.expected_purchases(edges)))
        once = [(4 * fine - coarse) / 3 for coarse, fine in pairwise(sums)]
        by_sum = (16 * once[1] - once[0]) / 15
        assert clv / 180 == pytest.approx(1 + by_sum, rel=1e-8)


@pytest.mark.parametrize("point", POINTS[::3], ids=repr)
@pytest.mark.parametrize(("horizon", "step"), [("2Y", "1D"), ("2Y", "2Y"), ("10Y", "7M")])
def test_clv_is_what_discounting_gives_customers_with_a_history(point, horizon, step):
    table = predict_new(fitted(point), horizon, step=step)
    for day in table["days"].iloc[[1, -1]]:
        present = 1 + float(discounted(point.expected_purchases, day, daily_rate(0.1)))
        row = table[table["days"] == day].iloc[0]
        assert row["clv"] == pytest.approx(180 * present, rel=1e-9)


def test_the_step_does_not_matter():
    fine, coarse = (predict_new(fitted(), "2Y", step=step).iloc[-1] for step in ("5D", "2Y"))
    np.testing.assert_allclose(fine, coarse, rtol=1e-11)


def test_without_a_rate_clv_is_the_expected_value():
    table = predict_new(fitted(), discount_rate=0)
    np.testing.assert_allclose(table["clv"], table["expected_value"], rtol=1e-15)


@pytest.mark.parametrize("unit", ["W", "M", "Y"])
def test_the_unit_of_the_fit_does_not_matter(unit):
    other = fitted(POINTS[0].rescaled(1 / days_in(unit)), unit=unit)
    np.testing.assert_allclose(predict_new(other), curve(), rtol=1e-10)
    number = predict_new(other, 730.5 / days_in(unit), step=30.4375 / days_in(unit))
    np.testing.assert_allclose(number, curve(), rtol=1e-10)


@pytest.mark.parametrize("point", POINTS[::3], ids=repr)
def test_simulated_new_customers_pay_this(point):
    """Whole lives of 200,000: purchases, revenue, and revenue discounted day by day."""
    size, days, rng = 200_000, 365.25, np.random.default_rng(5)
    bought = point.simulate_purchases(np.full(size, days), seed=rng)
    level = rng.gamma(SPEND.q, 1 / SPEND.gamma, size)
    first = rng.gamma(SPEND.p, 1 / level)
    later = rng.gamma(SPEND.p, 1 / level[bought.customer])

    def per_customer(paid, at_first):
        return at_first + np.bincount(bought.customer, weights=paid, minlength=size)

    worth = 0.4 * later * 1.1 ** (-bought.time / DAYS_PER_YEAR)
    seen = {
        "expected_purchases": per_customer(np.ones_like(later), np.ones(size)),
        "expected_value": per_customer(0.4 * later, 0.4 * first),
        "clv": per_customer(worth, 0.4 * first),
    }
    end = predict_new(fitted(point), "1Y", margin=0.4).iloc[-1]
    for name, values in seen.items():
        assert abs(values.mean() - end[name]) < 4 * values.std() / np.sqrt(size), name


def test_without_a_spend_model_only_purchases():
    table = predict_new(fitted(spend=None))
    pd.testing.assert_frame_equal(table, curve()[RESULTS[:2]])


def test_where_spend_has_no_mean_money_is_infinite():
    heavy = fitted(spend=GammaGamma(6.0, 0.9, 90.0))
    table = predict_new(heavy)
    assert np.isposinf(table[["expected_value", "clv"]]).all(axis=None)
    assert (predict_new(heavy, margin=0)[["expected_value", "clv"]] == 0).all(axis=None)


def test_a_fit_of_real_customers():
    table = predict_new(cdnow_model(), "52W", step="13W", margin=0.3)
    timing, spend = cdnow_model().purchases.model, cdnow_model().spend.model
    value = 0.3 * spend.expected_spend() * (1 + timing.expected_purchases(52))
    assert table["days"].tolist() == [0, 91, 182, 273, 364]
    assert table["expected_value"].iloc[-1] == pytest.approx(value, rel=1e-12)


def test_kinds_of_customers_are_the_models_at_their_covariates():
    fits = with_covariates()
    table = predict_new(fits, "1Y", step="6M", customers=KINDS, margin=0.5)
    assert list(table.columns) == ["age", "shop", *RESULTS]
    assert table["age"].tolist() == [20.0] * 3 + [60.0] * 3 + [20.0] * 3
    assert table["shop"].tolist() == ["north"] * 6 + ["south"] * 3
    assert table["days"].tolist() == [0, 182.625, 365.25] * 3
    timing, money = (fit.model.at(KINDS) for fit in fits.fits)
    for i in range(3):
        one = BGNBD(*(float(np.broadcast_to(v, 3)[i]) for v in timing.arrays()))
        spend = GammaGamma(*(float(np.broadcast_to(v, 3)[i]) for v in money.arrays()))
        alone = predict_new(fitted(one, spend), "1Y", step="6M", margin=0.5)
        np.testing.assert_allclose(table[RESULTS].iloc[3 * i : 3 * i + 3], alone, rtol=1e-9)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_the_table_is_of_the_kind_of_the_customers(kind):
    given = kind({"note": ["x", "y", "z"], **KINDS})
    table = predict_new(with_covariates(), "1Y", step="6M", customers=given)
    assert isinstance(table, kind)
    assert list(table.columns) == ["note", "age", "shop", *RESULTS]
    expected = predict_new(with_covariates(), "1Y", step="6M", customers=KINDS)
    np.testing.assert_allclose(np.asarray(table["clv"]), expected["clv"], rtol=1e-14)


def test_only_spend_or_only_purchases_may_have_covariates():
    both = with_covariates()
    plain = FittedValueModel(fit_at(POINTS[0]), both.spend)
    table = predict_new(plain, "1Y", step="1Y", customers={"shop": ["north", "south"]})
    assert table["expected_purchases"].iloc[1] == table["expected_purchases"].iloc[3]
    assert table["clv"].iloc[1] < table["clv"].iloc[3]
    table = predict_new(FittedValueModel(both.purchases, None), "1Y", customers=KINDS)
    assert list(table.columns) == ["age", "shop", *RESULTS[:2]]


WRONG = [
    ({"horizon": np.inf}, UnitError, "horizon == inf"),
    ({"horizon": "101Y"}, UnitError, "longer than 100 years"),
    ({"horizon": 40_000}, UnitError, "A number counts days"),
    ({"horizon": "soon"}, UnitError, "horizon == 'soon'"),
    ({"horizon": "2030-01-01"}, UnitError, "horizon == '2030-01-01' is a date"),
    ({"horizon": 0}, UnitError, "horizon == 0"),
    ({"step": 0}, UnitError, "step == 0"),
    ({"step": "x"}, UnitError, "step == 'x'"),
    ({"step": "3Y"}, ParameterError, "step == '3Y', must be no longer than the horizon, '2Y'"),
    ({"step": 0.1}, ParameterError, "step == 0.1, must be at least a 2,000th of the horizon"),
    ({"margin": "share"}, ParameterError, "margin == 'share'"),
    ({"margin": [0.1, 0.2]}, ParameterError, "margin == "),
    ({"margin": np.nan}, ParameterError, "margin == nan"),
    ({"margin": True}, ParameterError, "margin == True"),
    ({"discount_rate": -0.1}, ParameterError, "discount_rate == -0.1"),
    ({"discount_rate": np.inf}, ParameterError, "discount_rate == inf"),
    ({"customers": KINDS}, ParameterError, "no covariates: leave it out"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG)
def test_what_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        predict_new(fitted(), **options)


WRONG_KINDS = [
    (None, ParameterError, "covariates 'age', 'shop': give customers"),
    ({"age": [30]}, ColumnError, "customers='shop' is not a column"),
    ({"age": 30, "shop": "north"}, ColumnError, "age is 30; put it into a list"),
    ({"age": [30], "shop": "north"}, ColumnError, "shop is 'north'; put it into a list"),
    ({"age": [30, 40], "shop": ["north"]}, DataError, "cannot be read as a table"),
    ({"age": [], "shop": []}, DataError, "customers has no rows"),
    ({"age": [30], "shop": ["moon"]}, DataError, "'moon'. Known are"),
    ({"age": [None], "shop": ["north"]}, DataError, "age is missing"),
    ({"age": [30], "shop": ["north"], "clv": [1]}, ColumnError, "clv of customers"),
    (7, DataError, "customers is a int"),
]


@pytest.mark.parametrize(("customers", "error", "message"), WRONG_KINDS)
def test_kinds_that_cannot_be(customers, error, message):
    with pytest.raises(error, match=message):
        predict_new(with_covariates(), customers=customers)
