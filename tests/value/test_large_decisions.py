"""Segments, tiers and totals of customers in a file are those of the customers in memory."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clvmodel as clv
from clvmodel.errors import ColumnError, DataError, FileError, ParameterError
from clvmodel.tables import stored
from clvmodel.tables.groups import groups
from clvmodel.tables.large import LargeSummary
from clvmodel.value import cohort_forecast, cuts, totals
from clvmodel.value.economics import OF_KNOWN
from clvmodel.value.tiering import LISTS
from clvmodel.value.tiers import KINDS

COLUMNS = {"customer": "customer_id", "date": "date", "value": "amount"}
SIZE = 800  # customers per part here


@pytest.fixture(scope="module")
def summary():
    orders = clv.datasets.load_cdnow(sample=True)
    return clv.summarize(orders, **COLUMNS, end="1997-09-30")


@pytest.fixture(scope="module")
def model(summary):
    return clv.ValueModel().fit(summary)


@pytest.fixture
def large(tmp_path, monkeypatch):
    monkeypatch.setattr(stored.StoredSummary.batches, "__defaults__", (SIZE,))
    orders = clv.datasets.load_cdnow(sample=True)
    found = clv.summarize_to(tmp_path / "s.parquet", orders, **COLUMNS, end="1997-09-30")
    assert found.over_parts(len) == [800, 800, 757]
    return found


class InParts(LargeSummary):
    """Numbers in parts, as customers would be."""

    def __init__(self, parts):
        self.parts = parts

    def __len__(self):
        return sum(map(len, self.parts))

    def over_parts(self, function):
        return [function(part) for part in self.parts]

    cells = map_to = _spend = None


def itself(part):
    return [part]


numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 19.99, 20.0, 1e-300, 1e300, 5e-324]),
    st.floats(0, 1e6),
    st.integers(0, 50).map(float),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(numbers, min_size=1, max_size=30), min_size=1, max_size=6), st.data())
def test_values_at_places_and_shares_are_those_of_a_sorted_array(parts, data):
    arrays = [np.array(part) for part in parts]
    whole = np.concatenate(arrays)
    place = st.integers(0, whole.size - 1)
    wanted = cuts.Wanted(tuple(data.draw(st.lists(place, min_size=1, max_size=4))))
    found = cuts.cuts_of(InParts(arrays), itself, [wanted])[0]
    assert found == tuple(np.sort(whole)[list(wanted.places)])
    assert found == cuts.cuts(whole, wanted)


def test_signs_are_in_order_and_what_is_missing_is_refused():
    parts = InParts([np.array([3.0, -7.5, 0.0]), np.array([-np.inf, 2.0, np.inf, -7.25])])
    wanted = cuts.Wanted(tuple(range(7)))
    found = cuts.cuts_of(parts, itself, [wanted])[0]
    assert found == (-np.inf, -7.5, -7.25, 0.0, 2.0, 3.0, np.inf)
    with pytest.raises(DataError, match="none of them missing"):
        cuts.cuts_of(InParts([np.array([1.0, np.nan])]), itself, [wanted])


def test_shares_of_a_sum_in_parts():
    rng = np.random.default_rng(4)
    values = np.exp(rng.normal(3, 1.5, 5_000))
    wanted = cuts.Wanted(shares=(0.2, 0.8, 0.95, 1.0))
    found = cuts.cuts_of(InParts(np.split(values, 5)), itself, [wanted])[0]
    ordered = np.sort(values)[::-1]
    added = np.cumsum(ordered) / values.sum()
    by_hand = [ordered[np.argmax(added >= share * (1 - 1e-12))] for share in wanted.shares]
    assert found == tuple(by_hand)


@pytest.mark.parametrize("method", ["quantile", "range"])
def test_thresholds_of_scores(summary, large, method):
    rfm = clv.RFM(method=method)
    assert rfm.fit(large) == rfm.fit(summary)


@pytest.mark.parametrize("rules", ["eleven", "three"])
def test_segments(summary, model, large, rules, tmp_path, monkeypatch):
    monkeypatch.setattr(totals, "_DRAWS", 300)
    ours = clv.segment(summary, model, rules=rules, horizon="39W", margin=0.4)
    theirs = clv.segment(large, model, rules=rules, horizon="39W", margin=0.4)
    assert theirs.rfm == ours.rfm
    table, own = theirs.table(), ours.table()
    quantiles = ["value_q05", "value_q95"]
    pd.testing.assert_frame_equal(
        table.drop(columns=quantiles), own.drop(columns=quantiles), rtol=1e-12
    )
    width = own["value_q95"] - own["value_q05"]
    for name in quantiles:  # simulated: 300 draws here and there
        assert ((table[name] - own[name]).abs() <= 0.15 * width).all()
    pd.testing.assert_frame_equal(theirs.deciles(), ours.deciles())
    assert theirs.to(tmp_path / "out.parquet") == len(summary)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), ours.frame)
    name = ours.frame["segment"][0]
    got = theirs.customers(name).to_pandas()
    pd.testing.assert_frame_equal(got, ours.customers(name).reset_index(drop=True))
    assert repr(theirs) == repr(ours)
    pd.testing.assert_frame_equal(theirs.at(summary).frame, ours.frame)


def test_migration(large, summary, tmp_path):
    """New customers, and such who are gone, between two days; in files as in memory."""
    orders = clv.datasets.load_cdnow(sample=True)
    some = orders[~orders["customer_id"].str.endswith("7")]
    half = clv.summarize_to(tmp_path / "h.parquet", some, **COLUMNS, end="1997-03-15")
    before = clv.segment(half, rules="three")
    own = clv.segment(half.load(), rules="three")
    for share in (False, True):
        got = before.migration(before.at(large), share=share)
        pd.testing.assert_frame_equal(
            got, own.migration(own.at(summary), share=share).to_pandas(), check_dtype=False
        )
    back = before.at(large).migration(before)
    assert back["(gone)"].sum() == len(summary) - len(half) > 400
    with pytest.raises(ParameterError, match="kept where this one is"):
        before.migration(own)


def test_segments_without_a_model(summary, large):
    theirs = clv.segment(large)
    pd.testing.assert_frame_equal(theirs.table(), clv.segment(summary).table(), rtol=1e-12)
    with pytest.raises(DataError, match="Deciles"):
        theirs.deciles()
    with pytest.raises(DataError, match=r"\.to\('out\.parquet'\)"):
        _ = theirs.frame
    with pytest.raises(ParameterError, match="Champions"):
        theirs.customers("Champion")


@pytest.mark.parametrize("kind", KINDS)
def test_tiers(summary, model, large, kind, tmp_path):
    ours = clv.tier(summary, model, kind=kind, horizon="39W")
    theirs = clv.tier(large, model, kind=kind, horizon="39W")
    for name in ("tiers", "vips", "past_tiers"):
        mine, own = getattr(theirs, name), getattr(ours, name)
        assert mine.names == own.names
        assert mine.thresholds == pytest.approx(own.thresholds, rel=1e-12)
    pd.testing.assert_frame_equal(theirs.table, ours.table, rtol=1e-12)
    pd.testing.assert_frame_equal(theirs.lists, ours.lists, rtol=1e-12)
    assert theirs.to(tmp_path / "out.parquet") == len(summary)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), ours.frame)
    for name in (*LISTS, ours.tiers.names[0]):
        got = theirs.action(name).to_pandas()
        pd.testing.assert_frame_equal(got, ours.action(name).reset_index(drop=True))
    assert repr(theirs) == repr(ours)
    again = clv.tier(
        large, model, horizon="39W", tiers=ours.tiers, past_tiers=ours.past_tiers, vips=ours.vips
    )
    pd.testing.assert_frame_equal(again.lists, ours.lists, rtol=1e-12)


def test_totals(summary, model, large, monkeypatch):
    """By either way; of the approximation, parts have samples of their own."""
    for most, groups_by in ((totals.SIMULATED, ["cohort"]), (0, [None, "cohort"])):
        monkeypatch.setattr(totals, "SIMULATED", most)
        for by in groups_by:
            ours = model.predict_total(summary, "39W", by=by, seed=5)
            theirs = model.predict_total(large, "39W", by=by, seed=5)
            exact = [name for name in ours if "_q" not in name]
            pd.testing.assert_frame_equal(theirs[exact], ours[exact], rtol=1e-9)
            for kind in ("purchases", "value"):
                width = ours[f"{kind}_q95"] - ours[f"{kind}_q05"]
                for level in ("q05", "q50", "q95"):
                    gap = (ours[f"{kind}_{level}"] - theirs[f"{kind}_{level}"]).abs()
                    assert (gap < 0.1 * width).all(), (most, kind, level)
    with pytest.raises(ColumnError, match="no attributes"):
        model.predict_total(large, "39W", by="region")


def test_unit_economics(summary, model, large):
    """Of a new customer the same; the next year of the known to the noise of its intervals."""
    costs = {"spend": 60_000, "period": ("1997-01-01", "1997-02-28"), "margin": 0.4}
    how = {**costs, "conversion_rate": 0.02, "uplift": 0.1, "draws": 50}
    ours, theirs = (clv.UnitEconomics(model, each, **how) for each in (summary, large))
    assert theirs.costs["new_customers"][0] == ours.costs["new_customers"][0] > 1000
    for row, own in zip(theirs.rows, ours.rows, strict=True):
        for name in ("model", "formula"):
            assert row[name] == pytest.approx(own[name], rel=1e-9)
        width = own["high"] - own["low"]
        for name in ("low", "high"):
            far = 0.0 if row["quantity"] not in OF_KNOWN else 0.15 * width
            assert row[name] == pytest.approx(own[name], rel=1e-9, abs=far, nan_ok=True)
    pd.testing.assert_frame_equal(theirs.payback(), ours.payback())
    pd.testing.assert_frame_equal(theirs.curve(), ours.curve(), rtol=1e-9)
    with pytest.raises(ParameterError, match="by='cohort' needs customers in memory"):
        clv.UnitEconomics(model, large, cac=10, by="cohort")


def test_cohorts(summary, model, large):
    """What was observed to the last bit; retention ahead to the noise of its simulation."""
    ours, theirs = clv.cohorts(summary, model, ahead=4), clv.cohorts(large, model, ahead=4)
    assert theirs.names == ours.names
    assert theirs.customers.tolist() == ours.customers.tolist()
    np.testing.assert_array_equal(theirs.forecast, ours.forecast)
    np.testing.assert_allclose(theirs.revenue, ours.revenue, rtol=1e-12)
    np.testing.assert_allclose(theirs.repeat_rate, ours.repeat_rate, rtol=1e-12)
    seen = ~ours.forecast
    np.testing.assert_array_equal(theirs.retention[seen], ours.retention[seen])
    rounds = round(50_000 / len(summary))
    p = ours.retention[ours.forecast]
    number = np.repeat(ours.customers, ours.forecast.sum(axis=1)) * rounds
    error = np.sqrt(2 * p * (1 - p) / number)
    assert (np.abs(theirs.retention[ours.forecast] - p) < 4 * error).all()
    again = clv.cohorts(clv.open_summary(large.path), model, ahead=4)
    np.testing.assert_array_equal(again.retention, theirs.retention)


def test_a_thinned_simulation_of_cohorts(summary, model, large, monkeypatch):
    exact = clv.cohorts(summary, model, ahead=3)
    monkeypatch.setattr(cohort_forecast, "SIMULATED", 600)  # every third customer
    found = [clv.cohorts(large, model, ahead=3, seed=seed) for seed in range(40)]
    found = np.array([each.retention[each.forecast] for each in found])
    error = found.std(axis=0, ddof=1) / np.sqrt(40)
    gap = found.mean(axis=0) - exact.retention[exact.forecast]
    assert (np.abs(gap) < 4.5 * error).all()
    assert error.max() < 0.01


def test_months_of_customers_whose_orders_are_timed_to_the_moment():
    """Bought late on 31 January and on 1 February, early on 1 March: of three cohorts."""
    orders = pd.DataFrame(
        {
            "who": list("abcc"),
            "when": pd.to_datetime(
                ["2024-01-31 23:50", "2024-02-01 00:01", "2024-03-01 00:00", "2024-04-30 23:59"]
            ),
        }
    )
    summary = clv.summarize(orders, customer="who", date="when", occasion="exact")
    names, place = groups(summary, "cohort")
    assert names.to_pylist() == ["2024-01", "2024-02", "2024-03"]
    assert place.tolist() == [0, 1, 2]
    assert clv.cohorts(summary).names == tuple(names.to_pylist())
    assert summary.start == dt.date(2024, 1, 31)
    last = summary.days_ago(summary.T - summary.recency).astype("datetime64[D]").astype(str)
    assert last.tolist() == ["2024-01-31", "2024-02-01", "2024-04-30"]


@pytest.mark.parametrize("lifespan", ["auto", "measured", 2.5])
def test_the_store_formula(summary, large, lifespan):
    ours, theirs = (clv.StoreFormula(lifespan).fit(each) for each in (summary, large))
    assert str(theirs) == str(ours)
    assert theirs.lifetime_value == pytest.approx(ours.lifetime_value, rel=1e-12)
    with pytest.raises(DataError, match="single purchases"):
        clv.StoreFormula("churn").fit(large)
    with pytest.raises(ParameterError, match="'base' for large summaries"):
        clv.StoreFormula(level="segment").fit(large)


def test_what_is_refused(model, large, tmp_path):
    for wrong in (True, "margin", [1.0]):
        with pytest.raises(ParameterError, match="the same for all"):
            clv.tier(large, model, margin=wrong)
    with pytest.raises(ParameterError, match="predictions"):
        clv.tier(large, model, predictions=pd.DataFrame())
    with pytest.raises(ParameterError, match="kind"):
        clv.tier(large, model, kind="gold")
    with pytest.raises(FileError, match="rows were made of"):
        large.map_to(tmp_path / "out.csv", lambda part: part.table, 7)
    assert not (tmp_path / "out.csv").exists()
