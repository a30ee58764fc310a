"""Values of customers who differ by more than their history."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.integrate import quad
from value_cases import columns

import clvmodel as clv
from clvmodel.units import DAYS_PER_YEAR
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel

SIZE = 400
PURCHASES = {"alpha": ["age", "shop"], "a": "shop"}
SPEND = ["shop"]


@cache
def people():
    """Histories in days, of customers in five age groups and two shops."""
    rng = np.random.default_rng(1)
    age = rng.choice([20.0, 30.0, 40.0, 50.0, 60.0], SIZE)
    shop = rng.choice(["north", "south"], SIZE)
    south = shop == "south"
    timing = clv.BGNBD(1.2, 60 * np.exp(-0.03 * (age - 40)), 0.8 * np.exp(0.5 * south), 2.5)
    x, t_x, T, *_ = timing.simulate(rng.integers(100, 300, SIZE).astype(float), seed=1)
    t_x = np.minimum(np.ceil(t_x), T)
    spend = clv.GammaGamma(6.0, 4.0, 15.0 * np.exp(0.4 * south)).simulate(x, seed=1)
    return pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(SIZE)], "frequency": x, "recency": t_x, "T": T}
        | {"monetary_value": spend, "age": age, "shop": shop}
    )


def summary(frame=None, unit="D"):
    table = people() if frame is None else frame
    return clv.Summary.from_frame(table, unit="D", end="2024-12-31").in_unit(unit)


@cache
def model():
    return ordinary().fit(summary())


def ordinary(purchases=clv.BGNBD):
    return ValueModel(purchases=purchases, covariates=PURCHASES, spend_covariates=SPEND)


@cache
def scores():
    return model().predict(summary(), 180)


def test_both_fits_know_their_columns():
    purchases, spend = model().fits
    assert purchases == clv.fit(clv.BGNBD, summary(), covariates=PURCHASES)
    assert spend == clv.fit(clv.GammaGamma, summary(), covariates=SPEND)
    assert list(spend.parameters) == ["p", "q", "gamma", "gamma: shop[south]"]


@pytest.mark.parametrize("i", [0, 1, 17, 200, SIZE - 1])
def test_each_customer_by_hand(i):
    """Alone, with the parameters of age and shop; discounting as an integral over purchases."""
    who, row = people().iloc[i], scores().iloc[i]
    timing, spend = (fit.parameters for fit in model().fits)
    south = float(who["shop"] == "south")
    move = who["age"] * timing["alpha: age"] + south * timing["alpha: shop[south]"]
    one = clv.BGNBD(
        timing["r"],
        timing["alpha"] * np.exp(-move),
        timing["a"] * np.exp(south * timing["a: shop[south]"]),
        timing["b"],
    )
    money = clv.GammaGamma(
        spend["p"], spend["q"], spend["gamma"] * np.exp(south * spend["gamma: shop[south]"])
    )
    history = who["frequency"], who["recency"], who["T"]
    assert row["customer_id"] == who["customer_id"]
    assert row["p_alive"] == pytest.approx(one.p_alive(*history), rel=1e-10)
    assert row["p_churn"] == pytest.approx(1 - one.p_alive(*history), abs=1e-12)
    assert row["p_purchase"] == pytest.approx(one.p_purchase(180, *history), rel=1e-10)
    expected = one.expected_purchases(180, *history)
    assert row["expected_purchases"] == pytest.approx(expected, rel=1e-9)
    each = money.expected_spend(who["frequency"], who["monetary_value"])
    assert row["expected_spend"] == pytest.approx(each, rel=1e-10)
    assert row["expected_value"] == pytest.approx(expected * each, rel=1e-9)
    rate = np.log(1.1) / DAYS_PER_YEAR
    later, _ = quad(lambda u: np.exp(-rate * u) * one.expected_purchases(u, *history), 0, 180)
    present = np.exp(-rate * 180) * expected + rate * later
    assert row["clv"] == pytest.approx(present * each, rel=1e-7)


def test_all_customers_at_once_are_each_alone():
    timing = model().purchases.model.at(people())
    history = [people()[name].to_numpy() for name in ("frequency", "recency", "T")]
    direct = timing.expected_purchases(180, *history)
    np.testing.assert_allclose(scores()["expected_purchases"], direct, rtol=1e-9)


def test_equal_histories_of_different_customers_differ():
    twins = (
        people()
        .iloc[[3, 3, 3, 3]]
        .assign(age=[20.0, 60.0, 20.0, 20.0], shop=["north", "north", "south", "north"])
    )
    got = model().predict(summary(twins.assign(customer_id=list("abcd"))), 180)
    young, old, south, again = got["expected_value"]
    assert young == again
    assert len({young, old, south}) == 3


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas])
def test_the_order_of_customers_is_the_summary_s(kind):
    order = np.random.default_rng(2).permutation(SIZE)
    shuffled = kind(people().iloc[order].reset_index(drop=True))
    got = model().predict(summary(shuffled), 180)
    assert list(got["customer_id"]) == people()["customer_id"].iloc[order].tolist()
    expected = scores()["clv"].to_numpy()[order]
    np.testing.assert_allclose(np.asarray(got["clv"]), expected, rtol=1e-12)


def test_joined_columns_do_as_well_as_those_of_a_frame():
    bare = summary(people().drop(columns=["age", "shop"]))
    table = people()[["shop", "customer_id", "age"]].sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(model().predict(bare.join(table), 180), scores())


@pytest.mark.parametrize("unit", ["W", "M", "Y"])
def test_other_units(unit):
    """Fitted in one, predicted in another, or both: the days are the same."""
    other = ordinary().fit(summary(unit=unit))
    assert other.purchases.unit == unit
    for fitted, read in ((model(), unit), (other, unit), (other, "D")):
        got = fitted.predict(summary(unit=read), "180D")
        for name in ("p_alive", "p_purchase", "expected_purchases", "expected_value", "clv"):
            np.testing.assert_allclose(got[name], scores()[name], rtol=1e-6, err_msg=name)
    days = np.array([0.0, 50.0, 250.0])
    np.testing.assert_allclose(
        other.expected_cumulative(summary(), days),
        model().expected_cumulative(summary(unit=unit), days),
        rtol=1e-6,
    )


def test_expected_cumulative_by_hand():
    """Each customer is new at the first purchase, and counts from then on."""
    days = np.array([0.0, 10.0, 120.0, 200.0, 299.0])
    joined = people()["T"].max() - people()["T"].to_numpy()
    each = model().purchases.model.at(people())
    by_hand = [
        np.where(joined < day, each.expected_purchases(np.maximum(day - joined, 0)), 0).sum()
        for day in days
    ]
    got = model().expected_cumulative(summary(), days)
    np.testing.assert_allclose(got, by_hand, rtol=1e-9)
    assert got[0] == 0
    assert np.all(np.diff(got) > 0)
    bought = people()["frequency"].sum()
    assert got[-1] == pytest.approx(bought, rel=0.15)


def test_covariates_without_effect_are_the_plain_model():
    """Coefficients of zero, in the curve as in the scores."""
    plain = ValueModel().fit(summary())
    known = model().purchases.model
    zeros = tuple((parameter, label, 0.0) for parameter, label, _ in known.coefficients)
    base = clv.CovariateModel(plain.purchases.model, known.design, zeros)
    fit = clv.Fit(**{**vars(plain.purchases), "model": base})
    none = clv.FittedValueModel(fit, plain.spend)
    got, expected = (m.predict(summary(), 90) for m in (none, plain))
    for name in expected.columns[1:]:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-9, err_msg=name)
    days = np.arange(0.0, 300.0, 60.0)
    np.testing.assert_allclose(
        none.expected_cumulative(summary(), days),
        plain.expected_cumulative(summary(), days),
        rtol=1e-9,
    )


def test_saved_and_loaded(tmp_path):
    model().save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again == model()
    assert again.predict(summary(), 180).equals(scores())
    text = (tmp_path / "m.json").read_text()
    assert "c17" not in text
    assert len(text) < 6000
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text


def test_a_summary_without_the_columns():
    bare = summary(people().drop(columns=["age", "shop"]))
    for go in (lambda: model().predict(bare, 180), lambda: ordinary().fit(bare)):
        with pytest.raises(clv.ColumnError, match=r"summary\.join|is not a column"):
            go()
    with pytest.raises(clv.ColumnError, match="'shop' is not a column"):
        model().expected_cumulative(summary(people().drop(columns="shop")), np.array([9.0]))


def test_customers_of_a_new_kind():
    moved = people().assign(shop="moon")
    with pytest.raises(clv.DataError, match=rf"in {SIZE} rows: 'moon'\. Known are"):
        model().predict(summary(moved), 180)
    gaps = people().assign(age=people()["age"].where(people()["age"] > 20))
    with pytest.raises(clv.DataError, match="age is missing in"):
        model().predict(summary(gaps), 180)


def test_only_spend_or_only_purchases_may_depend():
    purchases = ValueModel(covariates="shop").fit(summary())
    assert "alpha: shop[south]" in purchases.purchases.parameters
    assert list(purchases.spend.parameters) == ["p", "q", "gamma"]
    spend = ValueModel(spend_covariates="shop").fit(summary())
    assert list(spend.purchases.parameters) == ["r", "alpha", "a", "b"]
    got = spend.predict(summary(), 180)
    plain = ValueModel().fit(summary()).predict(summary(), 180)
    assert got["expected_purchases"].equals(plain["expected_purchases"])
    assert not np.allclose(got["expected_spend"], plain["expected_spend"])


def test_first_value_may_explain_spend():
    frame = people().assign(first_value=people()["monetary_value"] + 1)
    got = ValueModel(spend_covariates="first_value").fit(summary(frame))
    assert got.spend.parameters["gamma: first_value"] > 0
    assert np.isfinite(got.predict(summary(frame), 180)["clv"]).all()


@pytest.mark.parametrize("purchases", [clv.MBGNBD, clv.ParetoNBD])
def test_other_models_of_purchases(purchases):
    fitted = ValueModel(purchases=purchases, covariates={"alpha": "shop"}).fit(summary())
    got = columns(fitted.predict(summary(), 180), "purchases")[0]
    history = [people()[name].to_numpy() for name in ("frequency", "recency", "T")]
    each = fitted.purchases.model.at(people())
    np.testing.assert_allclose(got, each.expected_purchases(180, *history), rtol=1e-9)


def test_names_say_what_is_known():
    assert ordinary().name == "BG/NBD + Gamma-Gamma with age, shop"
    assert ValueModel(spend=None, covariates="shop").name == "BG/NBD with shop"
    assert ValueModel(covariates={"a": ["shop"], "b": ["shop", "age"]}).name.endswith("shop, age")
    assert "alpha: age" in repr(model())
    assert "gamma: shop[south]" in model()._repr_html_()


def test_what_takes_no_covariates():
    for wrong in ({"covariates": {"r": ["age"]}}, {"spend_covariates": {"q": ["age"]}}):
        with pytest.raises(clv.ParameterError, match="a key of covariates"):
            ValueModel(**wrong).fit(summary())
    with pytest.raises(clv.ParameterError, match="lifetimes"):
        ValueModel(covariates="shop", engine="lifetimes").fit(summary())
