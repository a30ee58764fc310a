"""Segments of customers: tables that add up, deciles, and how customers move."""

import datetime as dt
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from value_cases import cdnow_model, cdnow_weeks, shop

import clvmodel as clv

CUTS = {"recency": [50, 200], "frequency": [1, 2], "monetary": [50, 100]}
RFM = clv.RFM(levels=3, thresholds=CUTS)


@cache
def segmented():
    return clv.segment(cdnow_weeks(), cdnow_model(), horizon="39W", margin=0.4)


def test_by_hand():
    """ann 19 days, 3, 60; bob 299, 1, 40; cem 49, 2, 110; dee 159, 1, 70: sums 8, 3, 8, 5."""
    got = clv.segment(shop(), rules="three", rfm=RFM)
    assert got.frame["code"].tolist() == [332, 111, 323, 212]
    assert got.frame["segment"].tolist() == ["High", "Low", "High", "Low"]
    table = got.table()
    assert table["segment"].tolist() == ["High", "Medium", "Low"]
    assert table["customers"].tolist() == [2, 0, 2]
    assert table["share"].tolist() == [0.5, 0, 0.5]
    assert table["purchases"].tolist() == [5, 0, 2]
    assert table["past_value"].tolist() == [170, 0, 110]
    assert table["past_share"].tolist() == pytest.approx([17 / 28, 0, 11 / 28])
    assert "expected_value" not in table
    assert got.customers("High")["customer_id"].tolist() == ["ann", "cem"]
    assert "Medium" in repr(got)


def test_tables_are_sums_of_predictions():
    got, table = segmented(), segmented().table()
    frame = got.frame.assign(paid=cdnow_weeks().total_value)
    scores = cdnow_model().predict(cdnow_weeks(), "39W", margin=0.4)
    pd.testing.assert_series_equal(frame["expected_value"], scores["expected_value"])
    grouped = frame.groupby("segment")
    for row in table[table["customers"] > 0].to_dict("records"):
        part = grouped.get_group(row["segment"])
        assert row["customers"] == len(part)
        assert row["past_value"] == pytest.approx(part["paid"].sum())
        assert row["p_purchase"] == pytest.approx(part["p_purchase"].mean())
        assert row["expected_value"] == pytest.approx(part["expected_value"].sum())
        assert row["value_per_customer"] == pytest.approx(part["expected_value"].mean())
        assert row["value_q05"] < row["expected_value"] < row["value_q95"]
    assert table["customers"].sum() == len(cdnow_weeks())
    assert table["share"].sum() == pytest.approx(1)
    assert table["expected_share"].sum() == pytest.approx(1)
    by = clv.segment(cdnow_weeks(), cdnow_model(), horizon="39W", margin=0.4)
    pd.testing.assert_frame_equal(by.table(), table)  # the same seed, the same numbers


def test_deciles_hold_all_customers():
    table = segmented().deciles().set_index("segment")
    assert table.to_numpy().sum() == len(cdnow_weeks())
    assert table.sum(axis=1).tolist() == segmented().table()["customers"].tolist()
    scores = cdnow_model().predict(cdnow_weeks(), "39W")
    best = scores["expected_value"].nlargest(int(table["1"].sum())).index
    segments = segmented().frame["segment"].iloc[best].value_counts()
    assert {n: c for n, c in table["1"].items() if c} == segments.to_dict()
    with pytest.raises(clv.DataError, match="model"):
        clv.segment(shop(), rules="three", rfm=RFM).deciles()


def test_a_model_without_spend_tells_purchases():
    model = clv.ValueModel(spend=None).fit(cdnow_weeks())
    table = clv.segment(cdnow_weeks(), model, horizon="39W").table()
    expected = model.predict(cdnow_weeks(), "39W")["expected_purchases"].sum()
    assert table["expected_purchases"].sum() == pytest.approx(expected)
    assert "purchases_q95" in table
    assert clv.segment(cdnow_weeks(), model, horizon="39W").deciles().shape == (11, 11)


def test_row_order_does_not_matter():
    summary = cdnow_weeks()
    order = np.random.default_rng(1).permutation(len(summary))
    frame = clv.segment(summary.take(order)).frame
    expected = clv.segment(summary).frame.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, expected)


sales = st.tuples(st.integers(0, 9), st.integers(0, 399), st.sampled_from([5.0, 20.0, 90.0]))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(sales, min_size=1, max_size=30), st.permutations(range(10)))
def test_identical_customers_share_a_segment_whatever_the_order(rows, names):
    """Every customer twice, under names that sort in another order: each pair is together."""
    pair = [(f"{names[who]}{side}", day, paid) for who, day, paid in rows for side in "ab"]
    renamed = [(f"{who}{side}", day, paid) for who, day, paid in rows[::-1] for side in "ab"]
    summary, other = shop(pair), shop(renamed)
    for rules in ("eleven", "ten", "three"):
        frame = clv.segment(summary, rules=rules).frame
        both = frame.assign(one=frame["customer_id"].str[0]).groupby("one")["segment"]
        assert (both.nunique() == 1).all()
        again = clv.segment(other, rules=rules).frame.set_index("customer_id")["segment"]
        for name, found in zip(frame["customer_id"], frame["segment"], strict=True):
            assert again[f"{names.index(int(name[0]))}a"] == found


def test_migration_by_hand():
    """27 days later dee has come back, eve is new, and cem has been silent for 76 days."""
    before = clv.segment(shop(), rules="three", rfm=RFM)
    rows = [("ann", 0, 10.0), ("ann", 250, 20.0), ("ann", 380, 30.0), ("bob", 100, 40.0)]
    rows += [("cem", 300, 50.0), ("cem", 350, 60.0), ("dee", 240, 70.0), ("dee", 420, 90.0)]
    rows += [("eve", 420, 500.0)]
    later = before.at(shop(rows, end=dt.date(2024, 3, 2)))
    assert later.frame["code"].tolist() == [332, 111, 223, 323, 313]
    moved = before.migration(later).set_index("segment")
    assert moved.columns.tolist() == ["High", "Medium", "Low", "(gone)"]
    assert moved.loc["High"].tolist() == [1, 1, 0, 0]  # cem: 8 to 7
    assert moved.loc["Low"].tolist() == [1, 0, 1, 0]  # dee: 5 to 8
    assert moved.loc["Medium"].tolist() == [0, 0, 0, 0]
    assert moved.loc["(new)"].tolist() == [0, 1, 0, 0]
    shares = before.migration(later, share=True).set_index("segment")
    assert shares.loc["High"].tolist() == [0.5, 0.5, 0, 0]
    assert shares.loc["Medium"].tolist() == [0, 0, 0, 0]
    back = later.migration(before).set_index("segment")
    assert back["(gone)"].tolist() == [0, 1, 0, 0]


def test_migration_reconciles():
    early = clv.segment(
        clv.summarize(
            clv.datasets.load_cdnow(sample=True),
            customer="customer_id",
            date="date",
            value="amount",
            end="1997-06-30",
            unit="W",
        )
    )
    late = early.at(cdnow_weeks())
    moved = early.migration(late).set_index("segment").to_numpy()
    np.testing.assert_array_equal(moved[:-1].sum(axis=1), early.table()["customers"])
    np.testing.assert_array_equal(moved[:, :-1].sum(axis=0), late.table()["customers"])
    assert moved[:, -1].sum() == 0


def test_frames_are_of_the_kind_that_came_in():
    orders = pl.from_pandas(clv.datasets.load_cdnow(sample=True))
    summary = clv.summarize(orders, customer="customer_id", date="date", value="amount", unit="W")
    got = clv.segment(summary, clv.ValueModel().fit(summary))
    for table in (got.frame, got.table(), got.deciles(), got.migration(got), got.customers("Lost")):
        assert isinstance(table, pl.DataFrame)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rules": "many"}, "rules == 'many'"),
        ({"rules": 3}, "must be a SegmentRules"),
        ({"rfm": RFM}, "rfm has 3 levels"),
        ({"rfm": 5}, "must be an RFM"),
    ],
)
def test_impossible_options_are_named(options, words):
    with pytest.raises(clv.ParameterError, match=words):
        clv.segment(shop(), **options)


def test_other_rules_and_ids_are_refused():
    got = clv.segment(shop(), rules="three", rfm=RFM)
    with pytest.raises(clv.ParameterError, match="same rules"):
        got.migration(clv.segment(shop()))
    with pytest.raises(clv.ParameterError, match="name == 'Lost'"):
        got.customers("Lost")
    with pytest.raises(clv.DataError, match="Summary"):
        clv.segment(shop().frame)
    numbered = pd.DataFrame(
        {
            "customer_id": [True],
            "frequency": [0],
            "recency": [0.0],
            "T": [2.0],
            "monetary_value": [0.0],
            "first_value": [3.0],
        }
    )
    other = got.at(clv.Summary.from_frame(numbered, unit="D"))
    assert got.migration(other)["(gone)"].tolist() == [2, 0, 2, 0]


def test_equal_rules_in_another_order_do_not_move_anybody():
    low, high = {"low": "[1-2]**"}, {"high": "3**"}
    one, two = clv.SegmentRules(low | high, 3), clv.SegmentRules(high | low, 3)
    assert one == two
    before = clv.segment(shop(), rules=one, rfm=RFM)
    after = clv.segment(shop(), rules=two, rfm=RFM)
    moved = before.migration(after).set_index("segment")
    assert moved.loc["low", "low"] + moved.loc["high", "high"] == len(shop())


def test_the_same_amounts_in_another_order_are_the_same_money():
    """10.10 + 20.20 + 30.30 is 60.6 or 60.599999999999994, by the order of the purchases."""
    rows = []
    for k in range(60):
        paid = (10.1, 20.2, 30.3) if k % 2 else (30.3, 20.2, 10.1)
        rows += [(f"c{k:02d}", day, v) for day, v in zip((0, 4, 8), paid, strict=True)]
    rows += [(f"d{k:02d}", day, 20.0 + 3 * k) for k in range(25) for day in (0, 31)]
    summary = shop(rows)
    assert np.unique(summary.total_value[:60]).size == 2
    got = clv.segment(summary).frame
    assert got["code"][:60].nunique() == 1


def test_what_is_no_model_or_no_tiers_is_named():
    summary, model, formula = cdnow_weeks(), cdnow_model(), clv.StoreFormula().fit(cdnow_weeks())
    with pytest.raises(clv.ParameterError, match="model is a ValueModel; give a fitted"):
        clv.segment(summary, clv.ValueModel())
    with pytest.raises(clv.ParameterError, match="model is a Fit; give a fitted"):
        clv.segment(summary, model.purchases)
    with pytest.raises(clv.ParameterError, match="model is a LifespanForecast; give a fitted"):
        clv.cohorts(summary, formula)
    with pytest.raises(clv.ParameterError, match="give a fitted"):
        clv.UnitEconomics(formula, summary, cac=1)
    with pytest.raises(clv.ParameterError, match="give a fitted"):
        clv.tier(summary, formula)
    with pytest.raises(clv.ParameterError, match="tiers is a dict; give Tiers"):
        clv.tier(summary, model, tiers={"VIP": 0.1})
    with pytest.raises(clv.ParameterError, match=r"margin == 40, .*0\.4 for 40%"):
        clv.tier(summary, model, margin=40)
    with pytest.raises(clv.ParameterError, match=r"margin == -0\.5"):
        clv.segment(summary, model, margin=-0.5)
    with pytest.raises(clv.ParameterError, match="b: None is no code"):
        clv.SegmentRules({"a": "***", "b": None})
    with pytest.raises(clv.DataError, match="b: no code is left"):
        clv.SegmentRules({"a": "***", "b": []})


def test_predictions_of_others_are_refused():
    scores = cdnow_model().predict(cdnow_weeks(), "39W")
    with pytest.raises(clv.DataError, match="other customers, or in another order"):
        clv.tier(cdnow_weeks(), None, predictions=scores.sample(frac=1, random_state=1))
    with pytest.raises(clv.DataError, match="no column 'p_purchase'"):
        clv.tier(cdnow_weeks(), None, predictions=scores.drop(columns="p_purchase"))
