"""RFM scores by hand, and that they depend on nothing but a customer's own numbers."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from value_cases import cdnow_weeks, shop

import clvmodel as clv

steady = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def customers(silent, bought, paid):
    """A summary in days of customers with these three measures."""
    silent, bought, paid = (np.asarray(v, float) for v in (silent, bought, paid))
    recency = np.where(bought > 1, 10.0, 0.0)
    value = paid / bought
    table = {
        "customer_id": np.arange(silent.size),
        "frequency": bought - 1,
        "recency": recency,
        "T": silent + recency,
        "monetary_value": np.where(bought > 1, value, 0.0),
        "first_value": value,
    }
    return clv.Summary.from_frame(pd.DataFrame(table), unit="D", end="2025-12-31")


def test_the_hand_worked_shop():
    """ann: day 380 of 399, 3 purchases, 60; bob 100, 1, 40; cem 350, 2, 110; dee 240, 1, 70."""
    table = clv.RFM(levels=3).fit(shop()).score(shop())
    assert table["recency"].tolist() == [19, 299, 49, 159]
    assert table["frequency"].tolist() == [3, 1, 2, 1]
    assert table["monetary"].tolist() == [60, 40, 110, 70]
    # Thirds of four customers end with the 2nd (4/3 up) and the 3rd (8/3 up) of the ordered.
    assert clv.RFM(levels=3).fit(shop()).thresholds == {
        "recency": (49, 159),
        "frequency": (1, 2),
        "monetary": (60, 70),
    }
    assert table["r"].tolist() == [3, 1, 3, 2]
    assert table["f"].tolist() == [3, 1, 2, 1]
    assert table["m"].tolist() == [1, 1, 3, 2]
    assert table["code"].tolist() == [331, 111, 323, 212]


def test_equal_ranges_by_hand():
    """Days 19 to 299 are cut at 112.33 and 205.67, purchases 1 to 3 at 1.67 and 2.33."""
    table = clv.RFM(levels=3, method="range").fit(shop()).score(shop())
    assert table["r"].tolist() == [3, 1, 3, 2]
    assert table["f"].tolist() == [3, 1, 2, 1]
    assert table["m"].tolist() == [1, 1, 3, 2]  # 40 to 110 at 63.33 and 86.67


def test_given_thresholds_by_hand():
    cuts = {"recency": [30, 90], "frequency": [1, 4], "monetary": [50, 100]}
    fitted = clv.RFM(levels=3, thresholds=cuts).fit(shop())
    summary = customers([30, 31, 90, 91], [1, 2, 4, 5], [50, 50.01, 100, 100.01])
    r, f, m = fitted.scores(summary)
    assert (r.tolist(), f.tolist(), m.tolist()) == ([3, 2, 2, 1], [1, 2, 2, 3], [1, 2, 2, 3])


def test_quantiles_are_about_equally_many_without_ties():
    rng = np.random.default_rng(1)
    n = 1003
    summary = customers(rng.permutation(n), 1 + rng.permutation(n), rng.uniform(1, 99, n))
    for scores in clv.RFM().fit(summary).scores(summary):
        assert set(np.bincount(scores)[1:]) <= {200, 201}


def test_one_time_buyers_share_the_lowest_score():
    """They are most of this shop, more than one fifth or four: no row order parts them."""
    summary = customers(range(10), [1, 1, 1, 1, 1, 1, 1, 2, 2, 9], [5.0] * 10)
    _, f, m = clv.RFM().fit(summary).scores(summary)
    assert f.tolist() == [1] * 7 + [4, 4, 5]
    assert set(m) == {1}


ages = st.integers(0, 5)
rows = st.lists(st.tuples(ages, st.integers(1, 4), st.sampled_from([5.0, 7.5, 90.0])), min_size=1)


@steady
@given(
    rows,
    st.randoms(use_true_random=False),
    st.integers(2, 9),
    st.sampled_from(["quantile", "range"]),
)
def test_alike_customers_share_scores_in_any_order(given_rows, random, levels, method):
    order = list(range(len(given_rows)))
    random.shuffle(order)
    shuffled = customers(*zip(*[given_rows[i] for i in order], strict=True))
    summary = customers(*zip(*given_rows, strict=True))
    rfm = clv.RFM(levels=levels, method=method)
    scores = np.transpose(rfm.fit(summary).scores(summary))
    again = np.transpose(rfm.fit(shuffled).scores(shuffled))
    assert rfm.fit(summary) == rfm.fit(shuffled)
    np.testing.assert_array_equal(again, scores[order])
    known = {}
    for row, score in zip(given_rows, scores.tolist(), strict=True):
        assert known.setdefault(row, score) == score
    assert scores.min() >= 1
    assert scores.max() <= levels
    silent, bought, paid = np.transpose(given_rows)  # better in a measure: never a lower score
    for measure, score in zip((-silent, bought, paid), scores.T, strict=True):
        order = np.argsort(measure, kind="stable")
        assert (np.diff(score[order]) >= 0).all()


def test_units_of_time_do_not_matter():
    weeks = cdnow_weeks()
    days = weeks.in_unit("D")
    assert clv.RFM().fit(weeks) == clv.RFM().fit(days)
    for a, b in zip(*(clv.RFM().fit(s).scores(s) for s in (weeks, days)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_thresholds_are_kept_and_serve_another_day(tmp_path):
    fitted = clv.RFM(levels=4).fit(shop())
    fitted.save(tmp_path / "rfm.json")
    again = clv.FittedRFM.load(tmp_path / "rfm.json")
    assert again == fitted
    later = shop(end=dt.date(2024, 3, 4))
    assert (later.T - shop().T == 29).all()
    np.testing.assert_array_equal(again.scores(later), fitted.scores(later))
    assert again.scores(later)[0].tolist() != again.scores(shop())[0].tolist()  # 29 days more


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": 1}, "levels == 1"),
        ({"levels": 10}, "levels == 10"),
        ({"levels": 2.5}, "levels == 2.5"),
        ({"method": "kmeans"}, "method == 'kmeans'"),
        ({"thresholds": {"recency": [1, 2, 3, 4]}}, "must be"),
        (
            {"levels": 2, "thresholds": {"recency": [1, 2], "frequency": [1], "monetary": [1]}},
            "need 1",
        ),
        (
            {
                "levels": 3,
                "thresholds": dict.fromkeys(("recency", "frequency", "monetary"), (2, 1)),
            },
            "asc",
        ),
        (
            {
                "levels": 2,
                "thresholds": dict.fromkeys(("recency", "frequency", "monetary"), ("x",)),
            },
            "numbers",
        ),
        ({"levels": 2, "thresholds": 3}, "must map"),
    ],
)
def test_impossible_options_are_named(options, words):
    with pytest.raises(clv.ParameterError, match=words):
        clv.RFM(**options)


def test_what_cannot_be_scored_is_refused(tmp_path):
    bare = clv.Summary.from_frame(
        pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]}), unit="D"
    )
    with pytest.raises(clv.DataError, match="RFM needs what customers spent"):
        clv.RFM().fit(bare)
    with pytest.raises(clv.FileError):
        clv.FittedRFM.load(tmp_path / "none.json")
    for text in ("[]", "{}", "x", '{"format": "clvmodel.rfm/1"}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(clv.DataError):
            clv.FittedRFM.load(tmp_path / "bad.json")
