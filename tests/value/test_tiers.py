"""Tiers by hand, thresholds that last, and lists whose definitions hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from value_cases import cdnow_model, cdnow_weeks, fitted_at

import clvmodel as clv
from clvmodel.value.tiering import LISTS
from clvmodel.value.tiers import KINDS, Tiers

steady = settings(max_examples=100, deadline=None, derandomize=True, database=None)
TEN = np.array([100.0, 50, 20, 10, 8, 5, 3, 2, 1, 1])  # 200 in all


def test_shares_by_hand():
    tiers = Tiers.top(TEN, {"Gold": 0.1, "Silver": 0.25}, rest="Bronze")
    assert tiers.thresholds == (100, 10)  # 0.35 x 10 = 3.5: the fourth customer is in
    assert [tiers.names[i] for i in tiers.of(TEN)] == ["Gold"] + ["Silver"] * 3 + ["Bronze"] * 6


def test_abc_by_hand():
    """80% of 200 are reached with the third customer (170), 95% (190) with the sixth (193)."""
    tiers = Tiers.abc(TEN)
    assert tiers.thresholds == (20, 5)
    assert [tiers.names[i] for i in tiers.of(TEN)] == list("AAABBBCCCC")
    assert Tiers.abc(TEN, 0.75, 0.85).thresholds == (50, 20)  # exactly 150, and 170


def test_deciles_and_ties():
    tiers = Tiers.deciles(TEN)
    assert tiers.of(TEN).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]  # the last two are alike
    assert tiers.names == tuple(map(str, range(1, 11)))
    assert Tiers.by("heavy", TEN).of(TEN).tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert Tiers.by("vip", TEN).of(TEN).tolist() == [0] + [1] * 9


values = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.0 + 1e-12, 7.0, 1e9]), min_size=1)


@steady
@given(values, st.sampled_from(KINDS), st.randoms(use_true_random=False))
def test_tiers_depend_on_values_alone(given_values, kind, random):
    v = np.array(given_values)
    tiers = Tiers.by(kind, v)
    shuffled = list(given_values)
    random.shuffle(shuffled)
    assert Tiers.by(kind, np.array(shuffled)) == tiers
    place = tiers.of(v)
    order = np.argsort(-v, kind="stable")
    assert (np.diff(place[order]) >= 0).all()  # never a lower tier for a higher value
    assert len({(x, p) for x, p in zip(v, place, strict=True)}) == np.unique(v).size
    assert place[order[0]] == 0
    if kind == "vip":  # at least a tenth, and no more than the last one's equals on top
        vips = place == 0
        assert vips.sum() >= 0.1 * v.size - 1e-9
        assert (v > v[vips].min()).sum() < 0.1 * v.size
    assert Tiers.from_dict(tiers.to_dict()) == tiers


def tiered(**options):
    return clv.tier(cdnow_weeks(), cdnow_model(), horizon="39W", **options)


def test_tables_add_up():
    for kind in KINDS:
        got = tiered(kind=kind)
        table = got.table
        scores = cdnow_model().predict(cdnow_weeks(), "39W")
        assert table["customers"].sum() == len(cdnow_weeks())
        assert table["expected_value"].sum() == pytest.approx(scores["expected_value"].sum())
        assert table["past_value"].sum() == pytest.approx(cdnow_weeks().total_value.sum())
        assert table[["share", "past_share", "expected_share"]].sum().tolist() == pytest.approx(
            [1] * 3
        )
        frame = got.frame
        for row in table.to_dict("records"):
            part = frame[frame["tier"] == row["tier"]]
            assert len(part) == row["customers"]
            assert part["expected_value"].min() >= row["threshold"]
            assert part["p_purchase"].mean() == pytest.approx(row["p_purchase"])
            assert len(got.action(row["tier"])) == len(part)


def test_lists_are_what_they_say():
    got = tiered()
    frame = got.frame
    past = frame["past_value"] >= got.past_tiers.thresholds[0]
    vip = frame["expected_value"] >= got.tiers.thresholds[0]
    repeat = cdnow_weeks().frequency > 0
    future = vip & ~past
    risk = past & (frame["p_purchase"] < 0.5)
    asleep = repeat & (frame["p_purchase"] < 0.3) & ~future & ~risk
    for name, member in zip(LISTS, (future, risk, asleep), strict=True):
        assert member.any()
        assert (frame["list"] == name).tolist() == member.tolist()
        action = got.action(name)
        assert set(action["customer_id"]) == set(frame["customer_id"][member])
        assert action["expected_value"].is_monotonic_decreasing
    assert got.lists["customers"].tolist() == [future.sum(), risk.sum(), asleep.sum()]
    assert got.lists["definition"].tolist() == list(LISTS.values())
    other = tiered(kind="abc")
    assert (other.on_list == got.on_list).all()  # the lists are those of VIPs, whatever the tiers
    assert "sleeping" in repr(got)


def test_thresholds_are_kept(tmp_path):
    first = tiered(kind="deciles")
    first.tiers.save(tmp_path / "tiers.json")
    again = Tiers.load(tmp_path / "tiers.json")
    assert again == first.tiers
    half = cdnow_weeks().take(np.arange(0, 2357, 2))
    later = clv.tier(half, cdnow_model(), tiers=again, past_tiers=first.past_tiers, horizon="39W")
    np.testing.assert_array_equal(later.place, first.place[::2])
    new = clv.tier(half, cdnow_model(), kind="deciles", horizon="39W")
    assert new.tiers != again


def test_predictions_may_be_given_and_purchases_stand_in_for_value():
    scores = cdnow_model().predict(cdnow_weeks(), "39W")
    given_scores = clv.tier(cdnow_weeks(), None, predictions=scores)
    pd.testing.assert_frame_equal(given_scores.frame, tiered().frame)
    model = clv.ValueModel(spend=None).fit(cdnow_weeks())
    bare = clv.tier(cdnow_weeks(), model, horizon="39W")
    assert bare.table["expected_purchases"].sum() == pytest.approx(
        model.predict(cdnow_weeks(), "39W")["expected_purchases"].sum()
    )
    assert bare.frame["past_value"].tolist() == (cdnow_weeks().frequency + 1).tolist()
    with pytest.raises(clv.DataError, match="predictions has 5 rows"):
        clv.tier(cdnow_weeks(), None, predictions=scores.head())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tiered(kind="gold"), clv.ParameterError, "kind == 'gold'"),
        (lambda: tiered().action("lost"), clv.ParameterError, "name == 'lost'"),
        (lambda: Tiers(("a", "b"), ()), clv.ParameterError, "2 tiers"),
        (lambda: Tiers(("a", "a"), (1.0,)), clv.ParameterError, "other names"),
        (lambda: Tiers(("a", "b", "c"), (1.0, 2.0)), clv.ParameterError, "do not rise"),
        (lambda: Tiers.top(TEN, {"a": 0.0}), clv.ParameterError, "shares"),
        (lambda: Tiers.top(TEN, {"a": 0.7, "b": 0.4}), clv.ParameterError, "shares"),
        (lambda: Tiers.top(np.array([]), {"a": 0.5}), clv.DataError, "one customer"),
        (lambda: Tiers.deciles(np.array([1.0, np.nan])), clv.DataError, "missing"),
        (lambda: Tiers.abc(np.array([1.0, -1.0])), clv.DataError, ">= 0"),
        (lambda: Tiers.abc(TEN, 0.9, 0.8), clv.ParameterError, "a, b"),
        (lambda: Tiers.from_dict({}), clv.DataError, "no tiers"),
        (lambda: Tiers.from_dict({"format": "clvmodel.tiers/1"}), clv.DataError, "damaged"),
    ],
)
def test_what_is_wrong_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_infinite_values_are_at_the_top_and_said_to_have_no_share():
    """Where spend has no mean (q <= 1), customers without repeat purchases are worth infinity."""
    heavy = fitted_at(clv.BGNBD(0.24, 4.4, 0.8, 2.4), clv.GammaGamma(6.0, 0.9, 25.0), unit="W")
    got = clv.tier(cdnow_weeks(), heavy, horizon="39W")
    once = cdnow_weeks().frequency == 0
    assert (got.frame["tier"][once] == "VIP").all()
    assert got.table["expected_share"].isna().all()
    assert "- of predicted" in repr(got)
    assert set(Tiers.deciles(got.value).of(got.value)[once]) == {0}
    with pytest.raises(clv.DataError, match="finite"):
        clv.tier(cdnow_weeks(), heavy, kind="abc", horizon="39W")
    table = clv.segment(cdnow_weeks(), heavy, horizon="39W").deciles()
    assert table.drop(columns="segment").to_numpy().sum() == len(cdnow_weeks())
