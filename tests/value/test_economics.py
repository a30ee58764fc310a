"""Unit economics: hand-worked formulas to the cent, the model against itself, and the truth."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from value_cases import cdnow_model, cdnow_weeks, fitted_at, shop

import clvmodel as clv
from clvmodel.value.acquired import FormulaCustomer
from clvmodel.value.formulas import LifespanForecast

YEAR = 365.25
KNOWN = fitted_at(clv.BGNBD(0.6, 60.0, 0.7, 2.8), clv.GammaGamma(6.0, 4.0, 25.0))


def economics(**options):
    given = {"cac": 30.0, "margin": 0.4, "draws": 40}
    return clv.UnitEconomics(KNOWN, shop(), **{**given, **options})


def textbook(lifespan=2.5, horizon=100 * YEAR, margin=0.6):
    """AOV 75, three orders a year, for two and a half years."""
    return FormulaCustomer(LifespanForecast("", 3.0, 225.0, lifespan, ""), margin, horizon)


def test_the_store_formula_to_the_cent():
    """75 x 3 x 2.5 = 562.50; x 0.60 = 337.50; a third of it 112.50; two clicks in a hundred buy."""
    assert textbook(margin=1.0).value()[0] == pytest.approx(562.50, abs=0.005)
    value = textbook().value()[0]
    assert value == pytest.approx(337.50, abs=0.005)
    assert textbook(horizon=YEAR).value()[0] == pytest.approx(135.00, abs=0.005)
    assert textbook().payback(90.0)[0] == pytest.approx(YEAR * 90 / 135)
    assert textbook().payback(337.50)[0] == pytest.approx(2.5 * YEAR)
    assert textbook().payback(337.51)[0] == np.inf
    assert textbook().year[0] == pytest.approx(135 * 365 / YEAR)
    line = textbook().by(np.array([0.0, YEAR, 2.5 * YEAR, 5 * YEAR]))[0]
    assert line == pytest.approx([0, 135, 337.5, 337.5])


def test_the_formula_of_the_hand_worked_shop():
    """7 purchases of 280 by 4 customers in 400 days: 40 x 1.598 a year x 3 years (assumed)."""
    per_year = 280 / 4 / (400 / YEAR)
    found = economics(cac=10.0, conversion_rate=0.02, uplift=0.1, offer_cost=2.0)
    value = 0.4 * per_year * 3
    year = 0.4 * per_year * 365 / YEAR
    for quantity, expected in {
        "ltv": value,
        "ltv_to_cac": value / 10,
        "p_target": 1.0,
        "payback_days": 10 / (0.4 * per_year) * YEAR,
        "return_on_spend": (value - 10) / 10,
        "allowable_cac": value / 3,
        "max_bid": 0.02 * value,
        "target_bid": 0.02 * value / 3,
        "next_year_value": year,
        "retention_budget": 0.1 * year,
        "break_even_uplift": 2 / year,
    }.items():
        assert found.of(quantity)["formula"] == pytest.approx(expected), quantity


def test_the_model_agrees_with_its_predictions():
    """Parameters known to 1e-4: intervals are narrow, and hold what the model says itself."""
    found = economics(conversion_rate=0.02, uplift=0.1, offer_cost=2.0)
    curve = KNOWN.predict_new("3Y", step="1M", margin=0.4)
    value = curve["clv"].iloc[-1]
    year = KNOWN.predict_total(shop(), "365D", margin=0.4, quantiles=(0.05, 0.95)).iloc[0] / 4
    days = np.interp(30.0, curve["expected_value"], curve["days"])
    expected = {
        "ltv": value,
        "ltv_to_cac": value / 30,
        "return_on_spend": value / 30 - 1,
        "allowable_cac": value / 3,
        "max_bid": 0.02 * value,
        "target_bid": 0.02 * value / 3,
        "next_year_value": year["expected_value"],
        "retention_budget": 0.1 * year["expected_value"],
        "break_even_uplift": 2 / year["expected_value"],
    }
    for quantity, number in expected.items():
        got = found.of(quantity)
        assert got["model"] == pytest.approx(number, rel=1e-9), quantity
        assert got["low"] < number < got["high"]
        if quantity not in ("next_year_value", "retention_budget", "break_even_uplift"):
            assert got["high"] / got["low"] < 1.01 or quantity == "return_on_spend"
    assert found.of("payback_days")["model"] == pytest.approx(days, rel=0.01)
    assert found.of("p_target")["model"] == 1.0
    assert found.of("next_year_value")["low"] == pytest.approx(year["value_q05"])
    at = KNOWN.predict_new(found.of("payback_days")["model"], step=1.0, margin=0.4)
    assert at["expected_value"].iloc[-1] == pytest.approx(30.0, rel=1e-6)
    table = found.curve("6M")
    assert table["days"].iloc[-1] == 3 * YEAR
    for row in table.to_dict("records"):
        if row["days"]:
            there = KNOWN.predict_new(row["days"], step=row["days"], margin=0.4)
            assert row["model"] == pytest.approx(there["expected_value"].iloc[-1], rel=1e-9)
        assert row["low"] <= row["model"] * (1 + 1e-3)


def test_payback_at_once_and_never():
    assert economics(cac=1.0).of("payback_days")["model"] == 0.0
    never = economics(cac=1e6)
    assert set(never.of("payback_days").values()) == {np.inf}
    assert never.payback().iloc[0, 1:].isna().all()
    assert economics(cac=0.0).of("ltv_to_cac")["model"] == np.inf
    dates = economics().payback("2026-01-31").iloc[0]
    days = economics().of("payback_days")
    for name in ("model", "low", "high", "formula"):
        assert dates[name] == pd.Timestamp("2026-01-31") + pd.Timedelta(days=np.ceil(days[name]))


def test_spend_without_a_mean_is_infinite():
    heavy = fitted_at(clv.BGNBD(0.6, 60.0, 0.7, 2.8), clv.GammaGamma(6.0, 0.9, 25.0))
    found = clv.UnitEconomics(heavy, shop(), cac=10.0, draws=5)
    assert set(found.of("ltv").values()) - {found.of("ltv")["formula"]} == {np.inf}
    assert found.of("payback_days")["model"] == 0.0
    assert found.of("p_target")["model"] == 1.0


def test_costs_from_spend_and_new_customers():
    """Three of the four joined in 2023, dee on day 240."""
    assert economics(cac=None, spend=100.0).costs["cac"].tolist() == [25.0]
    found = economics(cac=None, spend=90.0, period=("2023-04-01", "2023-12-31"))
    assert found.costs["new_customers"].tolist() == [3]
    assert found.costs["cac"].tolist() == [30.0]
    assert economics(cac=None, spend=90.0, new_customers=9).costs["cac"].tolist() == [10.0]
    with pytest.raises(clv.DataError, match="Nobody made a first purchase in the period"):
        _ = economics(cac=None, spend=9.0, period=("2020-01-01", "2020-12-31")).costs
    with pytest.raises(clv.ParameterError, match="first day, then last day"):
        _ = economics(cac=None, spend=9.0, period=("2023-12-31", "2023-04-01")).costs
    with pytest.raises(clv.ParameterError, match="give spend"):
        economics(cac=None, new_customers=9)


def joined():
    channels = {
        "customer_id": ["ann", "bob", "cem", "dee"],
        "channel": ["web", "web", "shop", "tv"],
    }
    return shop().join(pd.DataFrame(channels))


def test_groups_by_hand():
    found = clv.UnitEconomics(
        KNOWN, joined(), by="channel", spend={"web": 60, "shop": 40}, margin=0.4, draws=20
    )
    assert found.costs["channel"].tolist() == ["all", "shop", "tv", "web"]
    assert found.costs["new_customers"].tolist() == [4, 1, 1, 2]
    assert found.costs["cac"].tolist()[1::2] == [40, 30]
    assert found.costs["cac"].isna().tolist() == [True, False, True, False]  # tv's is not known
    assert set(found.costs["fit"]) == {"all customers"}
    table = found.table.set_index(["channel", "quantity"])
    for _, row in table.loc["tv"].loc[["ltv_to_cac", "payback_days", "return_on_spend"]].iterrows():
        assert row.drop("fit").isna().all()
    web = found.of("ltv", "web")
    assert web["formula"] == pytest.approx(0.4 * 100 / 2 / (400 / YEAR) * 3)
    assert table.loc[("web", "ltv")].to_dict() == {**web, "fit": "all customers"}
    known = clv.UnitEconomics(
        KNOWN, joined(), by="channel", cac={"web": 30, "shop": 60, "tv": 0}, draws=20
    )
    assert known.costs["cac"].tolist() == [30, 60, 0, 30]  # (2 x 30 + 60 + 0) / 4
    assert "web" in repr(known)
    cohorts = clv.UnitEconomics(KNOWN, shop(), by="cohort", cac=10.0, draws=20)
    assert cohorts.costs["cohort"].tolist() == ["all", "2023-01", "2023-04", "2023-08", "2023-10"]


@pytest.mark.parametrize(("name", "value"), [("quantity", "web"), ("channel", "all")])
def test_groups_that_would_be_mistaken_are_refused(name, value):
    table = pd.DataFrame({"customer_id": ["ann", "bob", "cem", "dee"], name: value})
    with pytest.raises(clv.ParameterError, match="so named"):
        clv.UnitEconomics(KNOWN, shop().join(table), by=name, cac=1.0)


def test_a_large_group_is_fitted_by_itself():
    summary = cdnow_weeks()
    early = np.where(summary.T > 33, "early", "late")
    ids = summary.ids.to_pylist()
    summary = summary.join(pd.DataFrame({"customer_id": ids, "half": early}))
    found = clv.UnitEconomics(cdnow_model(), summary, by="half", cac=20.0, margin=0.5, draws=20)
    assert found.costs["fit"].tolist() == ["all customers", "its own", "its own"]
    part = summary.take(np.flatnonzero(early == "late"))
    own = clv.ValueModel().fit(part).predict_new("3Y", margin=0.5)["clv"].iloc[-1]
    assert found.of("ltv", "late")["model"] == pytest.approx(own, rel=1e-9)
    assert found.of("ltv", "late")["low"] < own < found.of("ltv", "late")["high"]


@cache
def maker():
    path = Path(__file__).parents[2] / "scripts" / "make_shop_orders.py"
    spec = importlib.util.spec_from_file_location("make_shop_orders", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def simulated_shop(seed):
    made = maker()
    clean = made.simulate(np.random.default_rng([7, seed]))
    orders = pd.DataFrame(
        {"who": clean.customer, "when": made.FIRST_DAY + clean.day, "paid": clean.cents / 100}
    )
    return clv.summarize(orders, customer="who", date="when", value="paid", end=made.LAST_DAY)


SHOPS, CAC = 20, 40.0


def test_intervals_hold_the_truth_at_their_rate():
    """Twenty shops as the sample's: payback and allowable cost of a new customer, known exactly.

    A 90% interval that is right holds the truth fewer than 13 times of 20 one time in 2,400; a 50%
    interval fewer than 3 or more than 17 times one time in 2,400.
    """
    made = maker()
    truth = fitted_at(made.TIMING, made.SPEND)
    exact = clv.UnitEconomics(truth, simulated_shop(0), cac=CAC, margin=0.4, draws=2)
    known = {name: exact.of(name)["model"] for name in ("payback_days", "allowable_cac")}
    assert 50 < known["payback_days"] < 400
    held = {(name, level): 0 for name in known for level in (0.5, 0.9)}
    for seed in range(SHOPS):
        summary = simulated_shop(seed)
        found = clv.UnitEconomics(
            clv.ValueModel().fit(summary), summary, cac=CAC, margin=0.4, draws=60, seed=seed
        )
        for name, value in known.items():
            ends = found.of(name)
            held[name, 0.9] += ends["low"] <= value <= ends["high"]
            low, high = np.quantile(found.drawn(name), [0.25, 0.75])
            held[name, 0.5] += low <= value <= high
    for name in known:
        assert held[name, 0.9] >= 13, held
        assert 3 <= held[name, 0.5] <= 17, held


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cac": -1.0}, clv.ParameterError, "cac == -1.0"),
        ({"cac": "much"}, clv.ParameterError, "cac == 'much'"),
        ({"cac": {"tv": 3}}, clv.ParameterError, "cac names the group 'tv', and there are no"),
        ({"conversion_rate": 2.0}, clv.ParameterError, "conversion_rate == 2.0"),
        ({"margin": 40.0}, clv.ParameterError, "margin == 40.0"),
        ({"spend": 3.0}, clv.ParameterError, "not both"),
        ({"margin": np.nan}, clv.ParameterError, "margin"),
        ({"target_ratio": 0.0}, clv.ParameterError, "target_ratio"),
        ({"level": 1.0}, clv.ParameterError, "level"),
        ({"uplift": -0.1}, clv.ParameterError, "uplift"),
        ({"discount_rate": -0.1}, clv.ParameterError, "discount_rate"),
        ({"horizon": "200Y"}, clv.ParameterError, "horizon"),
        ({"horizon": "soon"}, clv.UnitError, "horizon"),
    ],
)
def test_impossible_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        economics(**options)


def test_what_cannot_be_said_is_refused():
    with pytest.raises(clv.ParameterError, match="quantity == 'profit'"):
        economics().of("profit")
    with pytest.raises(clv.ParameterError, match="group == 'tv'"):
        economics().of("ltv", "tv")
    with pytest.raises(clv.DataError, match="cost"):
        economics(cac=None).payback()
    assert "ltv_to_cac" not in economics(cac=None).table["quantity"].tolist()
    with pytest.raises(clv.ParameterError, match="purchases only"):
        clv.UnitEconomics(fitted_at(clv.BGNBD(1, 9, 1, 3)), shop(), cac=1.0).of("ltv")
    with pytest.raises(clv.DataError, match="amounts"):
        clv.UnitEconomics(KNOWN, shop(value=None), cac=1.0)
    with pytest.raises(clv.ColumnError):
        clv.UnitEconomics(KNOWN, shop(), cac=1.0, by="channel")
    sexes = pd.DataFrame({"customer_id": ["ann", "bob", "cem", "dee"], "sex": list("fmfm")})
    summary = shop().join(sexes)
    model = clv.ValueModel(covariates=["sex"]).fit(summary)
    with pytest.raises(clv.ParameterError, match="covariates"):
        clv.UnitEconomics(model, summary, cac=1.0).of("ltv")
