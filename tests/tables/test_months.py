"""Months of cohorts add up over customers, whatever the length of the history."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodel.tables import months
from clvmodel.tables.months import Months, month_of
from clvmodel.tables.purchases import Purchases


def purchases(rows):
    frame = pd.DataFrame(rows, columns=["who", "day", "paid"]).sort_values(["who", "day"])
    ids, customer = np.unique(frame["who"], return_inverse=True)
    return Purchases(
        pa.array(ids),
        customer.astype(np.int64),
        frame["day"].to_numpy(np.int64),
        frame["paid"].to_numpy(float),
        dt.date(2026, 1, 1),
        None,
        "pandas",
    )


rows = st.lists(
    st.tuples(st.integers(0, 9), st.integers(-800, 800), st.integers(1, 99)),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("wide", [2_000, 1])
@given(rows=rows)
def test_against_pandas(wide, rows):
    """By either way of counting."""
    before, months._WIDE = months._WIDE, wide
    try:
        whole = Months.of(purchases(rows))
        halves = [[row for row in rows if row[0] % 2 == k] for k in (0, 1)]
        added = Months.together(Months.of(purchases(half)) for half in halves if half)
    finally:
        months._WIDE = before
    frame = pd.DataFrame(rows, columns=["who", "day", "paid"]).sort_values(["who", "day"])
    frame["month"] = pd.to_datetime(frame["day"], unit="D").dt.to_period("M")
    frame["born"] = frame.groupby("who")["month"].transform("min")
    frame["second"] = frame.groupby("who").cumcount() == 1
    grouped = frame.groupby(["born", "month"])
    expected = pd.DataFrame(
        {
            "active": grouped["who"].nunique(),
            "second": grouped["second"].sum(),
            "revenue": grouped["paid"].sum(),
        }
    ).reset_index()
    for found in (whole, added, Months.from_plain(whole.plain())):
        for name in ("born", "month"):
            start = pd.Period("1970-01", "M")
            assert [start + int(k) for k in getattr(found, name)] == expected[name].tolist()
        for name in ("active", "second", "revenue"):
            assert getattr(found, name).tolist() == expected[name].tolist()


def test_months_of_days_far_apart():
    days = np.array([-719_162, 0, 30, 31, 2_932_896])  # from year 1 to year 9999
    named = month_of(days).astype("datetime64[M]").astype(str)
    assert named.tolist() == ["0001-01", "1970-01", "1970-01", "1970-02", "9999-12"]
    assert Months.together([]).active.size == 0
