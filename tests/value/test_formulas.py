"""The shop formulas, each worked by hand on a history of four customers."""

import numpy as np
import pandas as pd
import pytest
from value_cases import HAND, columns, shop

from clvmodel.errors import DataError, ParameterError, UnitError
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT, DAYS_PER_YEAR
from clvmodel.value.formulas import ChurnFormula, ProfitRetention, StoreFormula

YEARS = 400 / 365.25  # of history, first and last day included
MONTH = 365.25 / 12
FORMULAS = [StoreFormula(), ProfitRetention(), ChurnFormula()]
every_formula = pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.name)


def same(value, n=4):
    return pytest.approx([value] * n, rel=1e-12)


def test_store_formula_assumes_three_years_for_a_young_shop():
    found = StoreFormula().fit(shop())
    # AOV = 280 / 7 = 40; F = 7 / 4 / years
    assert found.purchases_per_year == pytest.approx(1.75 / YEARS)
    assert found.lifespan == 3.0
    assert found.lifetime_value == pytest.approx(40 * 1.75 / YEARS * 3)
    purchases, value = columns(found.predict(shop(), "1Y"))
    assert purchases == same(1.75 / YEARS)
    assert value == same(70 / YEARS)


def test_store_formula_measured():
    found = StoreFormula("measured").fit(shop())
    assert found.lifespan == pytest.approx((380 + 0 + 50 + 0) / 4 / 365.25)
    assert columns(found.predict(shop(), "10Y"), "value") == [same(70 * 107.5 / 400)]


@pytest.mark.parametrize(("span", "lifespan"), [(1095, 3.0), (1096, 1095 / 365.25 / 2)])
def test_store_formula_measures_from_three_years_on(span, lifespan):
    """Three years are 1095.75 days; day 1095 is the 1096th."""
    rows = [("a", 0, 1.0), ("a", 1095, 1.0), ("b", 0, 1.0)]
    summary = shop(rows if span == 1096 else [("a", 1, 1.0), *rows[1:2], ("b", 1, 1.0)], end=None)
    assert StoreFormula().fit(summary).lifespan == pytest.approx(lifespan)


def test_store_formula_with_a_given_lifespan():
    found = StoreFormula(0.5).fit(shop())
    assert found.lifespan == 0.5
    assert found.lifetime_value == pytest.approx(0.5 * 70 / YEARS)
    assert "(given)" in found.assumptions


def test_profit_retention():
    found = ProfitRetention().fit(shop())
    # the last 365 days begin after day 34: all but ann's first; buyers are all four
    years = 365 / 365.25
    assert found.value_per_year == pytest.approx(270 / 4 / years, rel=1e-3)
    assert found.purchases_per_year == pytest.approx(6 / 4 / years, rel=1e-3)
    assert found.lifespan == pytest.approx(107.5 / 365.25)
    assert found.lifetime_value == pytest.approx(found.value_per_year * 107.5 / 365.25)


def test_profit_retention_counts_who_bought_in_the_last_year():
    rows = [("old", 0, 99.0), *HAND[1:]]
    found = ProfitRetention(2).fit(shop(rows))
    assert found.lifespan == 2.0
    assert found.value_per_year == pytest.approx(270 / 4, rel=1e-3)  # not 270 / 5


def test_profit_retention_of_a_short_history_is_scaled_to_a_year():
    found = ProfitRetention(1).fit(shop([("a", 0, 10.0), ("b", 72, 20.0)], end=None))
    assert found.value_per_year == pytest.approx(30 / 2 * 365.25 / 73)
    assert found.purchases_per_year == pytest.approx(365.25 / 73)


@pytest.mark.parametrize("formula", [StoreFormula(2), ProfitRetention(2)], ids=lambda f: f.name)
def test_a_lifespan_caps_the_horizon(formula):
    found = formula.fit(shop())
    ahead = [columns(found.predict(shop(), h), "value")[0][0] for h in ("1Y", "2Y", "3Y", "50Y")]
    assert ahead == pytest.approx(
        [found.lifetime_value / 2, *[found.lifetime_value] * 3], rel=1e-12
    )


CHURNING = [
    *[(name, 150, 10.0) for name in "abcd"],  # days 141..270 of 400: the window before
    ("a", 350, 20.0),  # and the last window, day 310 on
    ("b", 399, 30.0),
    ("b", 310, 5.0),
    ("e", 311, 40.0),
]


def churn_shop(**options):
    """Windows of 90 days: (309, 399] and (219, 309]."""
    rows = [(who, 250 if day == 150 else day, paid) for who, day, paid in CHURNING]
    return shop([("old", 0, 1.0), *rows], **options)


def test_churn_formula_measured():
    found = ChurnFormula().fit(churn_shop())
    months = 90 / MONTH
    # a and b of a, b, c, d bought again: half are kept over 90 days; a, b, e are active
    churn = 1 - 0.5 ** (1 / months)
    assert found.window_days == 90
    assert found.monthly_churn == pytest.approx(churn)
    assert found.value_per_month == pytest.approx(95 / 3 / months)
    assert found.purchases_per_month == pytest.approx(4 / 3 / months)
    assert found.lifetime_value == pytest.approx(95 / 3 / months / churn)
    purchases, value = columns(found.predict(churn_shop(), "12M"))
    lasting = (1 - (1 - churn) ** 12) / churn
    # in the order a, b, c, d, e, old: the lapsed get nothing
    bought = [lasting, lasting, 0, 0, lasting, 0]
    assert purchases == pytest.approx([4 / 3 / months * b for b in bought], rel=1e-9)
    assert value == pytest.approx([95 / 3 / months * b for b in bought], rel=1e-9)


def test_churn_formula_with_a_given_churn():
    found = ChurnFormula(monthly_churn=0.25).fit(churn_shop())
    assert found.lifetime_value == pytest.approx(found.value_per_month * 4)
    value = columns(found.predict(churn_shop(), "2M"), "value")[0]
    assert value[0] == pytest.approx(found.value_per_month * (1 + 0.75))
    assert "given" in found.assumptions


@pytest.mark.parametrize("horizon", ["1M", "5Y", "500Y"])
def test_a_churn_of_one_leaves_one_month(horizon):
    found = ChurnFormula(monthly_churn=1.0).fit(churn_shop())
    value = columns(found.predict(churn_shop(), horizon), "value")[0]
    assert value[0] == pytest.approx(found.lifetime_value) == pytest.approx(found.value_per_month)


def test_nobody_retained_is_a_churn_of_one():
    found = ChurnFormula().fit(shop([("a", 0, 5.0), ("b", 250, 1.0), ("c", 399, 2.0)]))
    assert found.monthly_churn == 1.0


def test_everybody_retained_forecasts_the_same_every_month():
    found = ChurnFormula().fit(shop([("a", 0, 5.0), ("a", 250, 1.0), ("a", 399, 2.0)]))
    value = columns(found.predict(shop(), "24M"), "value")[0]
    assert value[0] == pytest.approx(24 * found.value_per_month, rel=1e-6)


def test_nobody_before_is_not_said_to_have_come_back():
    """Without buyers in the window before, there is no churn to measure."""
    summary = shop([("a", 0, 5.0), ("b", 399, 2.0)])
    try:
        found = ChurnFormula().fit(summary)
    except DataError:
        return
    assert "100%" not in found.assumptions


def test_nobody_active_is_a_forecast_of_nothing():
    summary = shop([("a", 0, 5.0), ("b", 10, 2.0)])
    found = ChurnFormula().fit(summary)
    assert columns(found.predict(summary, "1Y")) == [[0, 0], [0, 0]]
    assert "(0 customers)" in found.assumptions


def test_the_window_is_at_most_half_of_the_history():
    assert ChurnFormula("1Y").fit(shop()).window_days == 200
    assert ChurnFormula("120D").fit(shop()).window_days == 120
    assert ChurnFormula(45).fit(shop()).window_days == 45


def test_the_churn_forecast_grows_towards_the_lifetime_value():
    found = ChurnFormula().fit(churn_shop())
    ahead = [
        columns(found.predict(churn_shop(), h), "value")[0][0] for h in ("1M", "1Y", "3Y", "300Y")
    ]
    assert np.all(np.diff(ahead) > 0)
    assert ahead[-1] == pytest.approx(found.lifetime_value, rel=1e-9)


@every_formula
@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_the_unit_does_not_matter(formula, unit):
    days = formula.fit(churn_shop())
    other = formula.fit(churn_shop(unit=unit))
    for horizon in ("30D", "1Y", "20Y"):
        one = columns(days.predict(churn_shop(), horizon))
        two = columns(other.predict(churn_shop(unit=unit), horizon))
        np.testing.assert_allclose(two, one, rtol=1e-12)


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
@pytest.mark.parametrize("window", [30, 45, 61, 90, 119])
def test_whoever_is_silent_for_just_the_window_has_lapsed_in_every_unit(unit, window):
    rows = [("a", 0, 1.0), ("z", 399, 1.0), ("before", 399 - 2 * window + 1, 1.0)]
    rows += [(f"first {day}", day, 1.0) for day in range(0, 280, 7)]
    rows += [(f"first {day}", 399 - window, 1.0) for day in range(0, 250, 7)]
    summary = shop(rows, unit=unit)
    value = columns(ChurnFormula(window).fit(summary).predict(summary, "1Y"), "value")[0]
    assert [i for i, v in zip(summary.ids.to_pylist(), value, strict=True) if v] == ["z"]


@every_formula
def test_the_margin_scales_value_and_nothing_else(formula):
    found = formula.fit(shop())
    whole, third = (found.predict(shop(), "1Y", margin=m) for m in (1.0, 0.3))
    np.testing.assert_allclose(third["expected_value"], 0.3 * whole["expected_value"])
    assert third["expected_purchases"].equals(whole["expected_purchases"])
    with pytest.raises(ParameterError, match="margin"):
        found.predict(shop(), "1Y", margin=float("nan"))


@every_formula
def test_the_assumptions_hold_the_numbers(formula):
    found = formula.fit(churn_shop())
    assert f"{found.lifetime_value:,.2f}" in found.assumptions
    assert str(found) == f"{formula.name}: {found.assumptions}"
    numbers = {
        "Store formula": [f"{found.predict(shop(), '1Y')['expected_purchases'][0]:.3g}", "3 years"],
        "Profit x retention": ["0.0987", "retention"],
        "Churn formula": ["20.9%", "50%", "90 days", "3 customers"],
    }[formula.name]
    if formula.name == "Profit x retention":
        numbers[0] = f"{found.lifespan:.3g}"
    for number in numbers:
        assert number in found.assumptions


@every_formula
def test_without_amounts(formula):
    summary = shop(value=None)
    found = formula.fit(summary)
    assert found.lifetime_value is None
    assert list(found.predict(summary, "1Y").columns) == ["customer_id", "expected_purchases"]
    whole = formula.fit(shop()).predict(shop(), "1Y")
    assert found.predict(shop(), "1Y")["expected_purchases"].equals(whole["expected_purchases"])


@pytest.mark.parametrize("formula", [ProfitRetention(), ChurnFormula()], ids=lambda f: f.name)
def test_a_summary_without_single_purchases(formula):
    summary = Summary.from_frame(shop().frame, unit="D", end="2024-02-04")
    with pytest.raises(DataError, match="single purchases"):
        formula.fit(summary)
    assert StoreFormula().fit(summary) == StoreFormula().fit(shop())


def test_a_summary_of_one_order():
    single = shop([("a", 0, 5.0)], end=None)
    assert StoreFormula(1).fit(single).value_per_year == pytest.approx(5 * DAYS_PER_YEAR)
    assert ProfitRetention().fit(single).lifetime_value == 0.0


@pytest.mark.parametrize("wrong", ["long", 0, -1, np.nan, np.inf])
def test_lifespans_that_are_none(wrong):
    with pytest.raises(ParameterError, match="lifespan"):
        StoreFormula(wrong).fit(shop())
    with pytest.raises(ParameterError, match="retention"):
        ProfitRetention(wrong).fit(shop())


@pytest.mark.parametrize("wrong", [0, -0.1, 1.1, np.nan])
def test_churn_rates_that_are_none(wrong):
    with pytest.raises(ParameterError, match="monthly_churn"):
        ChurnFormula(monthly_churn=wrong).fit(shop())


def test_windows_that_are_none():
    with pytest.raises(UnitError, match="window"):
        ChurnFormula("soon").fit(shop())


@every_formula
def test_what_is_no_summary(formula):
    with pytest.raises(DataError, match="DataFrame"):
        formula.fit(shop()).predict(pd.DataFrame(), "1Y")
