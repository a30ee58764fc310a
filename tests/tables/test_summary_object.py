"""`Summary` as a value: made from a table, in another unit, shown in a notebook."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import CDNOW, IDS, ROLES, WORKED, by_hand, lists

from clvmodel.errors import ClvError, ColumnError, DataError, UnitError
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT

HISTORY = {"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 20.0]}


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_a_frame_makes_the_same_summary_again(orders, unit):
    summary = by_hand(orders, unit=unit)
    again = Summary.from_frame(summary.frame, unit=unit, end=summary.end)
    assert lists(again) == lists(summary)
    assert again.ids.to_pylist() == IDS
    assert again.frame.equals(summary.frame)
    assert (again.purchases, again.reconciliation) == (None, None)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_from_frames_of_every_kind(make):
    frame = make(HISTORY)
    summary = Summary.from_frame(frame, unit="W")
    assert summary.ids.to_pylist() == [0, 1]
    assert summary.monetary_value is None
    assert type(summary.frame) is type(frame)
    assert "first_purchase" not in pa.table(summary.frame).column_names
    assert summary.start is None


def test_from_a_frame_of_one_s_own_order_and_types():
    frame = pd.DataFrame(
        {"T": [10, 20], "recency": [5, 0], "frequency": [1, 0], "note": ["x", "y"]}
    )
    summary = Summary.from_frame(frame.convert_dtypes(), unit="D", end=dt.date(2024, 1, 31))
    assert summary.T.dtype == summary.frequency.dtype == np.float64
    assert summary.start == dt.date(2024, 1, 11)


IMPOSSIBLE = [
    ({"frequency": [2, -1]}, "frequency must be a whole number"),
    ({"frequency": [2.5, 0]}, "frequency must be a whole number.*row 0: frequency 2.5"),
    ({"frequency": [2, np.nan]}, "1 rows break it, the first is row 1"),
    ({"recency": [-1.0, 0.0]}, "recency must be >= 0"),
    ({"recency": [38.9, 0.0]}, "at most T"),
    ({"recency": [30.43, 5.0]}, "recency must be 0 where frequency is 0"),
    ({"recency": [np.nan, 0.0]}, "recency"),
    ({"T": [38.86, np.inf]}, "T must be finite"),
    ({"T": [38.86, np.nan]}, "row 1"),
    ({"T": [38.86, -1.0]}, "row 1"),
]


@pytest.mark.parametrize(("wrong", "words"), IMPOSSIBLE, ids=str)
def test_impossible_histories(wrong, words):
    with pytest.raises(DataError, match=words):
        Summary.from_frame(pd.DataFrame({**HISTORY, **wrong}), unit="W")


def test_from_frame_refuses_what_it_cannot_read():
    frame = pd.DataFrame(HISTORY)
    with pytest.raises(ColumnError, match="'recency' is not a column"):
        Summary.from_frame(frame.drop(columns="recency"), unit="W")
    with pytest.raises(ColumnError, match="Did you mean"):
        Summary.from_frame(frame.rename(columns={"frequency": "Frequency"}), unit="W")
    with pytest.raises(UnitError):
        Summary.from_frame(frame, unit="weeks")
    with pytest.raises(UnitError, match="not a date"):
        Summary.from_frame(frame, unit="W", end="soon")
    with pytest.raises(ClvError):
        Summary.from_frame(frame.astype(str), unit="W").in_unit("Q")
    with pytest.raises(DataError):
        Summary.from_frame(HISTORY, unit="W")


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_in_unit(cdnow, unit):
    days = summarize(cdnow, **CDNOW)
    other = days.in_unit(unit)
    direct = summarize(cdnow, **CDNOW, unit=unit)
    assert other.unit == unit
    for name in ("frequency", "recency", "T", "monetary_value", "first_value"):
        np.testing.assert_allclose(getattr(other, name), getattr(direct, name), rtol=1e-14)
    back = other.in_unit("D")
    np.testing.assert_allclose(back.T, days.T, rtol=1e-14)
    assert other.frame["last_purchase"].equals(days.frame["last_purchase"])
    assert (other.end, other.start, other.ids) == (days.end, days.start, days.ids)
    assert days.in_unit("D") is days


def test_in_an_unknown_unit(orders):
    with pytest.raises(UnitError, match="unit == 'w'"):
        by_hand(orders).in_unit("w")


def test_a_summary_is_locked(orders):
    summary = by_hand(orders)
    for name in ("frequency", "recency", "T", "monetary_value", "first_value"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(summary, name)[0] = 7
    with pytest.raises(AttributeError):
        summary.unit = "W"


def test_changing_the_frame_does_not_change_the_summary(orders):
    summary = by_hand(orders)
    summary.frame.loc[:, "recency"] = 99.0
    assert lists(summary) == WORKED


def test_changing_the_table_afterwards_does_not_change_the_summary():
    frame = pd.DataFrame({k: np.array(v, float) for k, v in HISTORY.items()})
    summary = Summary.from_frame(frame, unit="W")
    frame.loc[:, "T"] = 1.0
    assert summary.T.tolist() == HISTORY["T"]


def test_what_it_says_of_itself(orders):
    text = repr(by_hand(orders, unit="W"))
    assert text.splitlines() == [
        "Summary of 5 customers, 3 with repeat purchases (4), in weeks",
        "2024-01-01 to 2024-03-31 (inclusive)",
        str(by_hand(orders).reconciliation),
    ]


HOSTILE = "<script>alert('&')</script>"


def test_a_notebook_shows_hostile_ids_as_text(orders):
    frame = orders.replace({"who": {"ann": HOSTILE, "bob": '"><img src=x onerror=y>'}})
    html = by_hand(frame)._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "5 customers" in html


def test_a_notebook_shows_few_rows(cdnow):
    assert len(summarize(cdnow, **CDNOW)._repr_html_()) < 5000


def lifetimes_summary(frame, roles, end):
    """The table that lifetimes makes of the same orders."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mode = pd.get_option("mode.chained_assignment") if "mode" in dir(pd.options) else None
        from lifetimes.utils import summary_data_from_transaction_data

        if mode is not None:
            pd.set_option("mode.chained_assignment", mode)
        return summary_data_from_transaction_data(
            frame, roles["customer"], roles["date"], roles["value"], observation_period_end=end
        )


def agrees_with_lifetimes(frame, roles, end):
    summary = summarize(frame, **roles, end=end)
    theirs = lifetimes_summary(frame, roles, end)
    assert summary.ids.to_pylist() == theirs.index.tolist()
    for name in ("frequency", "recency", "T"):
        np.testing.assert_array_equal(getattr(summary, name), theirs[name])
    np.testing.assert_allclose(summary.monetary_value, theirs["monetary_value"], rtol=1e-12)


@pytest.mark.parametrize("end", ["1997-09-30", "1998-06-30"])
def test_lifetimes_agrees_on_cdnow(cdnow, end):
    agrees_with_lifetimes(cdnow, CDNOW, end)


@pytest.mark.parametrize("seed", range(5))
def test_lifetimes_agrees_on_random_orders(seed):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2023-11-01") + pd.to_timedelta(rng.integers(0, 200, 400), unit="D")
    frame = pd.DataFrame(
        {
            "who": rng.integers(0, 60, 400),
            "when": days + pd.to_timedelta(rng.integers(0, 86400, 400), unit="s"),
            "paid": rng.gamma(2.0, 20.0, 400).round(2),
        }
    )
    agrees_with_lifetimes(frame, ROLES, "2024-04-20")
