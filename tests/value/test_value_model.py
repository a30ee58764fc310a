"""`ValueModel`: from fits to money."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from value_cases import CDNOW, cdnow_model, cdnow_weeks, shop

from clvmodel.datasets import load_cdnow
from clvmodel.errors import DataError, ParameterError, UnitError
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT
from clvmodel.value.discounting import daily_rate, discounted
from clvmodel.value.value_model import ValueModel

COLUMNS = ["p_alive", "p_churn", "p_purchase", "expected_purchases"]
MONEY = ["expected_spend", "expected_value", "clv"]
PAST = ["historic_value", "lifetime_value"]
SAME_YEAR = [
    "365D",
    "1998-09-30",
    "1998-09-30T23:59",
    dt.date(1998, 9, 30),
    dt.datetime(1998, 9, 30, 12),
    dt.timedelta(days=365),
    np.timedelta64(365, "D"),
    np.datetime64("1998-09-30"),
    pd.Timedelta(days=365),
    pd.Timestamp("1998-09-30"),
]


@pytest.fixture
def weeks():
    return cdnow_weeks()


@pytest.fixture
def model():
    return cdnow_model()


def numbers(table):
    return table.drop(columns="customer_id").to_numpy()


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_a_horizon_means_the_same_however_it_is_written(weeks, model, unit):
    summary = weeks.in_unit(unit)
    expected = numbers(model.predict(weeks, "365D"))
    number = 365 / DAYS_IN_UNIT[unit]
    for horizon in (*SAME_YEAR, number, np.float64(number)):
        np.testing.assert_allclose(numbers(model.predict(summary, horizon)), expected, rtol=1e-9)
    rounded = numbers(model.predict(summary, "52.142857W"))
    np.testing.assert_allclose(rounded, expected, rtol=1e-6)


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_the_unit_of_the_fit_does_not_matter(weeks, model, unit):
    other = ValueModel().fit(weeks.in_unit(unit))
    assert other.purchases.unit == unit
    one, two = (numbers(m.predict(weeks, "39W")) for m in (model, other))
    np.testing.assert_allclose(two, one, rtol=1e-6)


def test_columns_and_ranges(weeks, model):
    table = model.predict(weeks, "39W")
    assert list(table.columns) == ["customer_id", *COLUMNS, *MONEY, *PAST]
    assert table["customer_id"].tolist() == weeks.ids.to_pylist()
    for name in COLUMNS[:3]:
        assert table[name].between(0, 1).all()
    assert (table["p_churn"] == 1 - table["p_alive"]).all()
    assert (table["p_purchase"] <= table["p_alive"]).all()
    assert (table["p_purchase"] <= table["expected_purchases"]).all()
    assert (table["expected_spend"] > 0).all()
    assert (table["clv"] < table["expected_value"]).all()
    np.testing.assert_allclose(
        table["expected_value"], table["expected_purchases"] * table["expected_spend"], rtol=1e-14
    )
    # a customer with one purchase cannot have left yet, says BG/NBD
    assert (table.loc[weeks.frequency == 0, "p_alive"] == 1).all()


def test_the_numbers_are_those_of_the_models(weeks, model):
    table = model.predict(weeks, "39W")
    x, t_x, T = weeks.frequency, weeks.recency, weeks.T
    point = model.purchases.model
    np.testing.assert_allclose(table["p_alive"], point.p_alive(x, t_x, T), rtol=1e-13)
    np.testing.assert_allclose(
        table["expected_purchases"], point.expected_purchases(39, x, t_x, T), rtol=1e-12
    )
    spend = model.spend.model.expected_spend(x, weeks.monetary_value)
    np.testing.assert_allclose(table["expected_spend"], spend, rtol=1e-14)


def test_without_discounting_clv_is_the_expected_value(weeks, model):
    table = model.predict(weeks, "2Y", discount_rate=0)
    assert table["clv"].equals(table["expected_value"].rename("clv"))


@pytest.mark.parametrize(("horizon", "rate"), [("39W", 0.1), ("2Y", 0.15), ("10Y", 1.0)])
def test_clv_is_a_fine_discrete_sum(model, horizon, rate):
    """Purchases of short steps, each paid in its middle: the error falls with the step squared."""
    histories = {"frequency": [0, 3, 10], "recency": [0, 20.0, 36], "T": [38.0, 30, 37]}
    money = {"monetary_value": [0, 30.0, 12]}
    summary = Summary.from_frame(pd.DataFrame(histories | money), unit="W")
    table = model.predict(summary, horizon, discount_rate=rate)
    t = {"39W": 273, "2Y": 730.5, "10Y": 3652.5}[horizon] / 7
    sums = []
    for steps in (400, 800):
        edges = t * np.linspace(0, 1, steps + 1) ** 2  # finer where purchases come faster
        rows = [np.array(c, float) for c in histories.values()]
        expected = np.array([model.purchases.model.expected_purchases(u, *rows) for u in edges])
        years = (edges[1:] + edges[:-1]) / 2 * 7 / 365.25
        sums.append((1 + rate) ** -years @ np.diff(expected, axis=0))
    extrapolated = (4 * sums[1] - sums[0]) / 3
    np.testing.assert_allclose(table["clv"] / table["expected_spend"], extrapolated, rtol=1e-8)


def test_clv_falls_with_the_rate(weeks, model):
    clv = [model.predict(weeks, "1Y", discount_rate=r)["clv"] for r in (0, 0.05, 0.1, 0.5, 3.0)]
    for less, more in zip(clv[1:], clv[:-1], strict=True):
        assert (less < more).all()


def test_discounting_a_steady_flow():
    """One purchase per day for a year at 10%: (1 - 1/1.1) / log(1.1) years of them."""
    rate = daily_rate(0.1)
    assert np.exp(-365.25 * rate) == pytest.approx(1 / 1.1, rel=1e-15)
    present = discounted(lambda u: np.asarray(u) + np.zeros(1), 365.25, rate)
    assert present == pytest.approx([365.25 * (1 - 1 / 1.1) / np.log(1.1)], rel=1e-12)


def test_the_margin_scales_money_only(weeks, model):
    whole, third = (model.predict(weeks, "39W", margin=m) for m in (1.0, 0.3))
    for name in ("expected_value", "clv"):
        np.testing.assert_allclose(third[name], 0.3 * whole[name], rtol=1e-14)
    assert third[[*COLUMNS, "expected_spend"]].equals(whole[[*COLUMNS, "expected_spend"]])


def test_longer_is_more(weeks, model):
    ahead = [model.predict(weeks, h)["expected_purchases"] for h in ("1D", "1W", "1Y", "3Y")]
    for less, more in pairwise(ahead):
        assert (less < more).all()


@pytest.mark.parametrize("how", ["no amounts", "no spend model"])
def test_purchases_only(weeks, model, how):
    if how == "no amounts":
        orders = load_cdnow(sample=True)
        summary = summarize(orders, customer="customer_id", date="date", end="1997-09-30", unit="W")
        found = ValueModel().fit(summary)
    else:
        summary, found = weeks, ValueModel(spend=None).fit(weeks)
    assert (found.spend, len(found.fits)) == (None, 1)
    table = found.predict(summary, "39W")
    assert list(table.columns) == ["customer_id", *COLUMNS]
    assert table["expected_purchases"].sum() == pytest.approx(
        model.predict(weeks, "39W")["expected_purchases"].sum(), rel=2e-2
    )
    with pytest.raises(DataError, match=r"value="):
        model.predict(shop(value=None), "39W")


def test_new_customers(model):
    """With T = 0 everyone is the model's new customer, bought yesterday or never seen before."""
    summary = shop([("a", 399, 10.0), ("b", 399, 99.0)])
    table = model.predict(summary, "39W")
    assert table["p_alive"].tolist() == [1, 1]
    np.testing.assert_allclose(
        table["expected_purchases"], model.purchases.model.expected_purchases(39), rtol=1e-10
    )
    assert table["expected_spend"].nunique() == 1  # first values say nothing about repeat ones


def test_customers_are_predicted_one_by_one(weeks, model):
    whole = model.predict(weeks, "39W")
    frame = weeks.frame.iloc[[5, 2000, 7]]
    part = model.predict(Summary.from_frame(frame, unit="W", end=weeks.end), "39W")
    np.testing.assert_allclose(numbers(part), numbers(whole.iloc[[5, 2000, 7]]), rtol=1e-12)


def test_a_polars_summary_gives_a_polars_prediction(weeks, model):
    orders = pl.from_pandas(load_cdnow(sample=True))
    summary = summarize(orders, **CDNOW, end="1997-09-30", unit="W")
    table = model.predict(summary, "39W")
    assert isinstance(table, pl.DataFrame)
    assert table.to_pandas()["clv"].tolist() == model.predict(weeks, "39W")["clv"].tolist()


def test_the_curve_of_new_customers_is_a_loop(weeks, model):
    days = np.array([0, 1, 83, 84, 200, 272])
    start = min(first for first in weeks.frame["first_purchase"])
    expected = [
        sum(
            model.purchases.model.expected_purchases((day - (first - start).days) / 7)
            for first in weeks.frame["first_purchase"]
            if (first - start).days < day
        )
        for day in days[:4]
    ]
    curve = model.expected_cumulative(weeks, days.astype(float))
    np.testing.assert_allclose(curve[:4], expected, rtol=1e-10)
    assert curve[0] == 0
    assert np.all(np.diff(curve) > 0)
    in_days = model.expected_cumulative(weeks.in_unit("D"), days.astype(float))
    np.testing.assert_allclose(in_days, curve, rtol=1e-12)


HORIZONS = ["0D", "-1D", "soon", "", "1998-02-30", "1997-09-30", 0, -1, np.nan, None, True, pd.NaT]


@pytest.mark.parametrize("horizon", HORIZONS, ids=repr)
def test_horizons_that_are_none(weeks, model, horizon):
    with pytest.raises(UnitError, match="horizon"):
        model.predict(weeks, horizon)


def test_a_date_needs_an_end_of_observation(weeks, model):
    summary = Summary.from_frame(weeks.frame, unit="W")
    with pytest.raises(UnitError, match="no end date"):
        model.predict(summary, "1998-06-30")


@pytest.mark.parametrize("rate", [-0.01, np.nan, np.inf])
def test_rates_that_are_none(weeks, model, rate):
    with pytest.raises(ParameterError, match="discount_rate"):
        model.predict(weeks, "39W", discount_rate=rate)


def test_models_that_are_none():
    for options in ({"purchases": GammaGamma}, {"spend": BGNBD}, {"engine": "R"}, {"spend": "x"}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            ValueModel(**options)


def test_names_and_words(weeks, model):
    assert ValueModel().name == "BG/NBD + Gamma-Gamma"
    assert ValueModel(spend=None, engine="lifetimes").name == "BG/NBD (lifetimes)"
    assert "2,357 customers" in str(model)
    assert model._repr_html_().startswith("<pre>BGNBD")
    with pytest.raises(DataError, match="DataFrame"):
        model.predict(weeks.frame, "39W")
