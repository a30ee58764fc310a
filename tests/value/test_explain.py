"""`explain`: the population, the customer's own history, and how the two are mixed."""

import datetime as dt
import pickle
import re
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from value_cases import cdnow_model, cdnow_weeks, shop

import clvmodel as clv
from clvmodel.errors import DataError, ParameterError
from clvmodel.units import DAYS_IN_UNIT
from clvmodel.value.explain import ALIVE, RATE, SPEND, explain

FAMILIES = (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)
every_family = pytest.mark.parametrize("family", FAMILIES)
KEYS = ["quantity", "unit", "population", "own", "estimate", "weight_of_own"]


@cache
def fitted(family=clv.BGNBD, **options):
    return clv.ValueModel(purchases=family, **options).fit(cdnow_weeks())


def with_points(model, purchases=None, spend=None):
    """The same fits at other points."""
    points = (purchases or model.purchases.model, spend or model.spend.model)
    fits = zip(model.fits, points, strict=True)
    return clv.FittedValueModel(*(clv.Fit(**{**vars(f), "model": point}) for f, point in fits))


def row(explanation, quantity):
    return next(r for r in explanation.rows if r["quantity"] == quantity)


def mixed(r):
    """The estimate that the weight stands for."""
    weight = r["weight_of_own"]
    return weight * (r["own"] if weight else 0.0) + (1 - weight) * r["population"]


@every_family
@pytest.mark.parametrize("first", [False, True])
def test_estimates_are_the_mixture_that_the_weights_say(family, first):
    model = fitted(family, spend_includes_first=first)
    for place in (0, 1, 2, 5, 17, 200, 2000):
        explanation = explain(model, cdnow_weeks(), row=place)
        assert [list(r) for r in explanation.rows] == [KEYS] * 3
        for quantity in (RATE, SPEND):
            r = row(explanation, quantity)
            assert 0 <= r["weight_of_own"] <= 1
            assert r["estimate"] == pytest.approx(mixed(r), rel=1e-12)
            assert r["weight_of_own"] > 0 or quantity == SPEND
        assert row(explanation, ALIVE)["weight_of_own"] is None


@every_family
def test_the_numbers_are_those_of_the_models(family):
    model, weeks = fitted(family), cdnow_weeks()
    table = model.predict(weeks, "52W")
    purchases, spend = model.purchases.model, model.spend.model
    for place in (0, 2, 5):
        explanation = explain(model, weeks, row=place)
        x, T = weeks.frequency[place], weeks.T[place]
        rate, alive, paid = explanation.rows
        year = 365.25 / 7
        assert rate["population"] == pytest.approx(year * purchases.r / purchases.alpha)
        assert rate["own"] == pytest.approx(year * x / T)
        new = purchases.update(x, T)
        assert rate["estimate"] == pytest.approx(year * float(new.r) / float(new.alpha))
        assert alive["estimate"] == pytest.approx(table["p_alive"][place], rel=1e-12)
        assert alive["population"] == pytest.approx(purchases.p_survive(T), rel=1e-12)
        assert paid["estimate"] == pytest.approx(table["expected_spend"][place], rel=1e-12)
        assert paid["population"] == pytest.approx(spend.p * spend.gamma / (spend.q - 1))
        assert paid["own"] == (weeks.monetary_value[place] if x else None)


def test_history_by_hand():
    """Ann bought for 10, 20 and 30 on days 0, 250 and 380 of 0 to 399."""
    ann = explain(cdnow_model(), shop(), "ann")
    assert ann.customer == "ann"
    assert ann.history == {
        "purchases": 3,
        "first_purchase": dt.date(2023, 1, 1),
        "last_purchase": dt.date(2024, 1, 16),
        "days_silent": 19,
        "days_known": 399,
        "usual_gap": 190.0,
        "valued_purchases": 2,
        "mean_value": 25.0,
    }
    bob = explain(cdnow_model(), shop(), "bob").history
    assert bob["purchases"] == 1
    assert bob["first_purchase"] == bob["last_purchase"] == dt.date(2023, 4, 11)
    assert (bob["usual_gap"], bob["mean_value"], bob["valued_purchases"]) == (None, None, 0)
    model = fitted(spend_includes_first=True)
    counted = explain(model, shop(), "ann").history
    assert (counted["valued_purchases"], counted["mean_value"]) == (3, 20.0)


def test_sentence_of_a_repeat_customer():
    """A gap of 190 days is 2 purchases in 399 days, 1.8 a year."""
    points = clv.BGNBD(0.243, 4.414, 0.793, 2.426), clv.GammaGamma(6.25, 3.74, 15.44)
    sentence = explain(with_points(cdnow_model(), *points), shop(), "ann").sentence
    assert sentence == (
        "Customer ann bought 3 times (last 19 days ago, usually every 190 days). On their own "
        "history they would buy 1.8 times a year, customers in general 2.9; with 93% weight on "
        "their own history the model expects 1.9 a year while active. Chance that they still are "
        "a customer: 80% (customers in general of this age: 75%). They spent 25.00 a purchase, "
        "customers in general 35.22; with 82% weight on their own history the model expects 26.84."
    )


def test_sentences_of_one_purchase():
    dee = explain(cdnow_model(), shop(), "dee").sentence
    assert dee.startswith(
        "Customer dee bought once, 159 days ago. One purchase shows no rhythm, so"
    )
    assert "bought nothing more in 159 days" in dee
    assert "customer: 100%" in dee
    assert "lets nobody leave before a second purchase" in dee
    assert "The population decides what they will spend" in dee
    coins = explain(fitted(clv.MBGNBD), shop(), "dee").sentence
    assert "nobody leave" not in coins
    today = explain(cdnow_model(), shop([("a", 399, 10.0), ("b", 1, 2.0)]), "a")
    assert "once, on the last day of observation. The population decides: " in today.sentence
    assert "nobody leave" not in today.sentence
    assert (today.rows[0]["own"], today.rows[0]["weight_of_own"]) == (None, 0)
    assert "1 day ago" in explain(cdnow_model(), shop([("a", 398, 1.0)]), "a").sentence


def test_spend_without_a_mean():
    heavy = with_points(cdnow_model(), spend=clv.GammaGamma(0.4, 0.5, 10.0))
    ann, bob = (explain(heavy, shop(), who) for who in ("ann", "bob"))
    assert ann.rows[2]["population"] == bob.rows[2]["estimate"] == np.inf
    assert ann.rows[2]["weight_of_own"] is None
    assert np.isfinite(ann.rows[2]["estimate"])
    assert "there is no mean; given their own history it is" in ann.sentence
    assert "it has no mean" in bob.sentence
    cem = explain(heavy, shop(), "cem")
    assert cem.rows[2]["estimate"] == np.inf
    assert "no mean exists either" in cem.sentence


def test_purchases_alone():
    alone = explain(fitted(spend=None), shop(value=None), "ann")
    assert [r["quantity"] for r in alone.rows] == [RATE, ALIVE]
    assert alone.history["mean_value"] is None
    assert "spent" not in alone.sentence
    assert explain(fitted(spend=None), shop(), "ann").history["mean_value"] == 25.0
    with pytest.raises(DataError, match=r"value="):
        explain(cdnow_model(), shop(value=None), "ann")


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_units_do_not_matter(unit):
    other = clv.ValueModel().fit(cdnow_weeks().in_unit(unit))
    for place in (0, 2):
        expected = explain(cdnow_model(), cdnow_weeks(), row=place)
        got = explain(cdnow_model(), cdnow_weeks().in_unit(unit), row=place)
        refitted = explain(other, cdnow_weeks(), row=place)
        pd.testing.assert_frame_equal(got.table, expected.table, rtol=1e-9)
        pd.testing.assert_frame_equal(refitted.table, expected.table, rtol=1e-5)
        assert got.sentence == expected.sentence
        assert got.history == pytest.approx(expected.history)


@cache
def people():
    """Histories of two shops, in days."""
    rng = np.random.default_rng(2)
    south = rng.random(400) < 0.5
    timing = clv.BGNBD(1.2, np.where(south, 30.0, 60.0), 0.8, 2.5)
    x, t_x, T, *_ = timing.simulate(rng.integers(100, 300, 400).astype(float), seed=1)
    spend = clv.GammaGamma(6.0, 4.0, np.where(south, 25.0, 15.0)).simulate(x, seed=1)
    times = {"frequency": x, "recency": np.minimum(np.ceil(t_x), T), "T": T}
    known = {"monetary_value": spend, "shop": np.where(south, "south", "north")}
    return pd.DataFrame({"customer_id": np.arange(400) + 1000, **times, **known})


def summary(frame=None):
    frame = people() if frame is None else frame
    return clv.Summary.from_frame(frame, unit="D", end="2024-12-31")


@every_family
def test_the_population_is_that_of_the_same_covariates(family):
    known = {"covariates": "shop", "spend_covariates": "shop"}
    model = clv.ValueModel(purchases=family, **known).fit(summary())
    for place in (0, 1, 2, 3):
        one = people().iloc[[place]]
        purchases, spend = (
            type(f.model.base)(*(float(np.ravel(v)[0]) for v in f.model.at(one).values()))
            for f in model.fits
        )
        plain = explain(with_points(model, purchases, spend), summary(), row=place)
        got = explain(model, summary(), row=place)
        pd.testing.assert_frame_equal(got.table, plain.table, rtol=1e-12)
        assert "customers with the same shop" in got.sentence
        for quantity in (RATE, SPEND):
            assert row(got, quantity)["estimate"] == pytest.approx(mixed(row(got, quantity)))
    # what is strange about others does not matter
    strange = people().assign(shop=["moon", *people()["shop"][1:]])
    assert explain(model, summary(strange), row=3) == explain(model, summary(), row=3)
    with pytest.raises(DataError, match="moon"):
        explain(model, summary(strange), row=0)


def test_populations_of_purchases_and_of_spend_are_told_apart():
    model = clv.ValueModel(spend_covariates="shop").fit(summary())
    sentence = explain(model, summary(), row=0).sentence
    assert sentence.count("customers with the same shop") == 1
    assert "customers in general" in sentence


def test_ids_and_rows():
    model, table = fitted(), summary()
    assert explain(model, table, 1003) == explain(model, table, np.int64(1003))
    assert explain(model, table, 1003) == explain(model, table, row=3)
    assert explain(model, table, row=np.int64(3)).customer == 1003
    assert explain(model, table, 1003) != explain(model, table, 1004)
    assert explain(model, summary(people().assign(customer_id=range(400))), 3).customer == 3
    words = people().assign(customer_id=people()["customer_id"].astype(str).astype("category"))
    assert explain(model, summary(words), "1003").customer == "1003"
    polars = clv.Summary.from_frame(pl.from_pandas(people()), unit="D", end="2024-12-31")
    assert explain(model, polars, 1003) == explain(model, table, 1003)


def test_a_place_is_not_an_id():
    """Another customer would be explained where an id is mistyped."""
    with pytest.raises(ParameterError, match=r"explain\(row=3\)"):
        explain(fitted(), summary(), 3)
    for wrong in (1003.5, "1003", True):
        with pytest.raises(ParameterError, match="is no customer"):
            explain(fitted(), summary(), wrong)
    with pytest.raises(ParameterError, match=r"Did you mean '0001'\?.*row=1\)"):
        explain(fitted(), cdnow_weeks(), 1)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        *((w, "'0001'") for w in ("1", " 0001", "0001x", ["0001"])),
        *((w, None) for w in ("ann", 1.5, True, b"\xff", 10**30)),
    ],
)
def test_customers_that_are_none(wrong, meant):
    with pytest.raises(ParameterError, match=re.escape(repr(wrong))) as caught:
        explain(fitted(), cdnow_weeks(), wrong)
    assert ("Did you mean" in str(caught.value)) == (meant is not None)
    assert meant is None or meant in str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 4, 1.0, True, "0", np.nan], ids=repr)
def test_rows_that_are_none(wrong):
    with pytest.raises(ParameterError, match=r"row == .*0 to 3"):
        explain(fitted(), shop(), row=wrong)


def test_one_way_to_name_a_customer():
    for names in ({}, {"customer": "ann", "row": 0}):
        with pytest.raises(ParameterError, match="either"):
            explain(fitted(), shop(), **names)
    twice = people().assign(customer_id=["a", "b", "a", *map(str, range(397))])
    with pytest.raises(DataError, match=r"more than once, in rows 0 and 2.*row="):
        explain(fitted(), summary(twice), "a")
    with pytest.raises(DataError, match="DataFrame"):
        explain(fitted(), people(), 1003)


def test_without_an_end_there_are_no_dates():
    table = clv.Summary.from_frame(people(), unit="D")
    got, expected = (explain(fitted(), s, 1003) for s in (table, summary()))
    assert got.history["first_purchase"] is got.history["last_purchase"] is None
    assert got.rows == expected.rows
    assert got.sentence == expected.sentence


def test_an_explanation_is_a_value():
    ann = explain(cdnow_model(), shop(), "ann")
    assert pickle.loads(pickle.dumps(ann)) == ann
    with pytest.raises(AttributeError):
        ann.sentence = ""
    assert ann.table.index.tolist() == [RATE, ALIVE, SPEND]
    assert list(ann.table.columns) == KEYS[1:]
    assert set(map(str, ann.table.dtypes[1:])) == {"float64"}
    assert str(ann).startswith(ann.sentence)
    assert "weight_of_own" in str(ann)
    # what did not stand in the summary does not change by looking
    table = shop()
    explain(cdnow_model(), table, "ann")
    assert table.frame.equals(shop().frame)


def test_names_are_escaped_in_html():
    html = explain(cdnow_model(), shop([("<b>&", 3, 1.0), ("z", 4, 1.0)]), "<b>&")._repr_html_()
    assert "Customer &lt;b&gt;&amp; bought once" in html
    assert "<b>" not in html
    assert "<table" in html
