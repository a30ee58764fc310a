"""`summarize_opportunities` against histories worked by hand; `OpportunitySummary` as a value."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import CDNOW, HAND_ROWS

import clvmodel as clv
from clvmodel.datasets import load_donations
from clvmodel.errors import ColumnError, DataError, UnitError
from clvmodel.tables.opportunities import (
    PERIODS,
    OpportunitySummary,
    check_opportunities,
    summarize_opportunities,
)

ROWS = [
    ("ann", "2020-03-01"),  # the first period is no opportunity, whatever comes in it
    ("ann", "2020-12-31"),
    ("ann", "2021-01-01"),  # two purchases in one year: one opportunity taken
    ("ann", "2021-11-30"),
    ("ann", "2023-06-30"),
    ("bob", "2019-12-31"),  # a day before the next year
    ("cem", "2023-12-31"),  # first bought in the last complete year
    ("dee", "2024-02-29"),  # and in the year that is not over
    ("dee", "2024-03-01"),
    ("eve", "2021-05-05"),
    ("eve", "2024-01-01"),  # after the last complete year: it waits
    ("fox", "2024-07-01"),  # after the end
]
END = "2024-06-30"
ROLES = {"customer": "who", "date": "when"}
HISTORIES = {"frequency": [2, 0], "recency": [5, 0], "n": [6, 3]}


@pytest.fixture
def orders():
    frame = pd.DataFrame(ROWS, columns=["who", "when"])
    return frame.assign(when=pd.to_datetime(frame["when"]))


def counted(summary):
    return [getattr(summary, name).tolist() for name in ("frequency", "recency", "n")]


WORKED = {
    "Y": [[2, 0, 0, 0, 0], [3, 0, 0, 0, 0], [3, 4, 0, 0, 2]],
    # ann from the first quarter of 2020: its fourth, of 2021 the first and fourth, of 2023 the
    # second; all that is over, since the end is the end of a quarter
    "Q": [[4, 0, 0, 0, 1], [13, 0, 0, 0, 11], [17, 18, 2, 1, 12]],
    "M": [[4, 0, 0, 1, 1], [39, 0, 0, 1, 32], [51, 54, 6, 4, 37]],
    "D": [[4, 0, 0, 1, 1], [1216, 0, 0, 1, 971], [1582, 1643, 182, 122, 1152]],
}


@pytest.mark.parametrize("period", WORKED)
def test_every_number(orders, period):
    summary = summarize_opportunities(orders, **ROLES, period=period, end=END)
    assert summary.ids.to_pylist() == ["ann", "bob", "cem", "dee", "eve"]
    assert counted(summary) == WORKED[period]
    assert (len(summary), summary.period, summary.end) == (5, period, dt.date(2024, 6, 30))
    assert summary.waiting == (3 if period == "Y" else 0)
    last = dt.date(2023, 12, 31) if period == "Y" else dt.date(2024, 6, 30)
    assert summary.observed_until == last
    for column in (summary.frequency, summary.recency, summary.n):
        assert column.dtype == np.float64


def test_weeks_begin_on_monday():
    """2024-01-01 is a Monday, and 2024-01-28 a Sunday."""
    days = ["2024-01-07", "2024-01-08", "2024-01-14", "2024-01-22", "2024-01-28", "2024-01-29"]
    frame = pd.DataFrame({"who": "a", "when": days})
    for end, last, x, n, waiting in [
        ("2024-01-28", "2024-01-28", 2, 3, 0),
        ("2024-02-03", "2024-01-28", 2, 3, 1),
        ("2024-02-04", "2024-02-04", 3, 4, 0),
    ]:
        summary = summarize_opportunities(frame, **ROLES, period="W", end=end)
        assert counted(summary) == [[x], [x + 1], [n]]
        assert (str(summary.observed_until), summary.waiting) == (last, waiting)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("end", ["2023-12-31", "2024-01-01", "2024-02-29", "2024-06-30"])
def test_pandas_counts_the_same_periods(orders, period, end):
    """Also before 1970, where days are negative."""
    early = pd.DataFrame({"who": ["old"] * 4, "when": ["1959-12-31", "1960-01-01"] * 2})
    early.loc[2:, "when"] = ["1969-12-28", "1970-01-04"]
    frame = pd.concat([orders, early.assign(when=pd.to_datetime(early["when"]))])
    summary = summarize_opportunities(frame, **ROLES, period=period, end=end)
    code = "W-SUN" if period == "W" else period
    known = frame[frame["when"] <= end]
    index = known["when"].dt.to_period(code)
    last = pd.Period(pd.Timestamp(end) + pd.Timedelta(days=1), code) - 1
    for i, who in enumerate(summary.ids.to_pylist()):
        of_one = index[known["who"] == who]
        taken = {(p - of_one.min()).n for p in of_one if of_one.min() < p <= last}
        n = max((last - of_one.min()).n, 0)
        assert [c[i] for c in counted(summary)] == [len(taken), max(taken, default=0), n]
    assert summary.waiting == (index > last).sum()
    assert summary.observed_until == last.end_time.date()


def test_a_period_that_is_not_over_is_no_opportunity(orders):
    """Nothing that happens in it changes what is known, until its last day."""
    before = summarize_opportunities(orders, **ROLES, end="2023-12-31")
    for end in ("2024-01-01", "2024-06-30", "2024-12-30"):
        during = summarize_opportunities(orders, **ROLES, end=end)
        known = [during.ids.to_pylist().index(who) for who in before.ids.to_pylist()]
        assert [np.array(column)[known].tolist() for column in counted(during)] == counted(before)
        assert np.all(np.delete(during.n, known) == 0)
    after = summarize_opportunities(orders, **ROLES, end="2024-12-31")
    assert counted(after) == [[2, 0, 0, 0, 1, 0], [3, 0, 0, 0, 3, 0], [4, 5, 1, 0, 3, 0]]
    assert (after.waiting, after.observed_until) == (0, dt.date(2024, 12, 31))


def test_the_default_end_is_the_last_order(orders):
    summary = summarize_opportunities(orders, **ROLES)
    assert summary.end == dt.date(2024, 7, 1)
    assert summary.observed_until == dt.date(2023, 12, 31)
    assert summary.ids.to_pylist()[-1] == "fox"
    assert (summary.waiting, len(summary)) == (4, 6)


def test_nobody_is_lost_who_has_no_opportunity_yet():
    frame = pd.DataFrame({"who": ["a", "b"], "when": ["2024-02-01", "2024-03-01"]})
    summary = summarize_opportunities(frame, **ROLES, end="2024-05-05")
    assert counted(summary) == [[0, 0], [0, 0], [0, 0]]
    assert "2 customers had no complete year yet" in repr(summary)


def test_the_account_of_rows():
    frame = pd.DataFrame(HAND_ROWS, columns=["who", "when", "paid"])
    summary = summarize_opportunities(frame, **ROLES, period="M", end="2024-03-31")
    account = summary.reconciliation
    assert (account.rows, account.purchases, account.merged) == (16, 11, 3)
    assert [(e.rows, e.amount) for e in account.excluded] == [(2, 0)]
    assert counted(summary) == [[1, 0, 1, 0, 0], [1, 0, 2, 0, 0], [2, 1, 2, 0, 0]]


# As a value


def test_the_frame(orders):
    summary = summarize_opportunities(orders, **ROLES, period="Q", end=END)
    frame = summary.frame
    assert list(frame.columns) == ["customer_id", "frequency", "recency", "n"]
    assert all(kind.kind == "i" for kind in frame.dtypes.iloc[1:])
    again = OpportunitySummary.from_frame(frame, period="Q", end=END)
    assert counted(again) == counted(summary)
    assert again.ids.to_pylist() == summary.ids.to_pylist()
    assert again.frame.equals(frame)
    assert (again.waiting, again.reconciliation) == (0, None)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_every_kind(make, orders):
    summary = OpportunitySummary.from_frame(make(HISTORIES), period="Y")
    assert summary.ids.to_pylist() == [0, 1]
    assert type(summary.frame) is type(make(HISTORIES))
    assert (summary.end, summary.observed_until) == (None, None)
    columns = {name: orders[name].to_numpy() for name in orders}
    columns["who"] = columns["who"].tolist()
    from_orders = summarize_opportunities(make(columns), **ROLES, end=END)
    assert type(from_orders.frame) is type(make(HISTORIES))
    assert counted(from_orders) == WORKED["Y"]


def test_files_and_other_forms_of_dates(orders, tmp_path):
    path = tmp_path / "gifts.csv"
    orders.assign(when=orders["when"].dt.strftime("%d/%m/%Y")).to_csv(path, index=False)
    summary = summarize_opportunities(path, **ROLES, end=END, date_format="%d/%m/%Y")
    assert counted(summary) == WORKED["Y"]


def test_cells_are_the_customers_collapsed():
    summary = OpportunitySummary.from_frame(
        pd.DataFrame({name: values * 3 for name, values in HISTORIES.items()}), period="M"
    )
    cells = summary.cells
    assert cells.weight.tolist() == [3, 3]
    for column, name in zip(cells.columns, HISTORIES, strict=True):
        assert column[cells.where].tolist() == getattr(summary, name).tolist()


def test_a_summary_is_locked(orders):
    before = orders.copy()
    summary = summarize_opportunities(orders, **ROLES, end=END)
    assert orders.equals(before)
    for name in HISTORIES:
        with pytest.raises(ValueError, match="read-only"):
            getattr(summary, name)[0] = 7
    with pytest.raises(AttributeError):
        summary.period = "W"
    summary.frame.loc[:, "n"] = 99
    assert counted(summary) == WORKED["Y"]


def test_what_it_says_of_itself(orders):
    summary = summarize_opportunities(orders, **ROLES, end=END)
    assert repr(summary).splitlines() == [
        "OpportunitySummary of 5 customers, 1 with repeat purchases, in 2 of 9 years after their "
        "first",
        "years complete by 2024-06-30, the last one ends 2023-12-31",
        "3 purchases after that wait until their year is over",
        "2 customers had no complete year yet after their first",
        str(summary.reconciliation),
    ]


def test_a_notebook_shows_hostile_ids_as_text_and_few_rows(orders):
    frame = orders.replace({"who": {"ann": "<script>alert('&')</script>"}})
    html = summarize_opportunities(frame, **ROLES, end=END)._repr_html_()
    assert "<script" not in html
    assert "5 customers" in html
    many = pd.DataFrame({name: values * 1000 for name, values in HISTORIES.items()})
    assert len(OpportunitySummary.from_frame(many, period="Y")._repr_html_()) < 5000


# Errors


@pytest.mark.parametrize("period", ["y", "A", "", "2W", None, 1, ["Y"]])
def test_an_unknown_period(orders, period):
    with pytest.raises(UnitError, match=r"period == .*must be one of 'Y' \(years\)"):
        summarize_opportunities(orders, **ROLES, period=period)
    with pytest.raises(UnitError, match="period == "):
        OpportunitySummary.from_frame(pd.DataFrame(HISTORIES), period=period)


def test_orders_that_cannot_be_read(orders):
    with pytest.raises(ColumnError, match="'whom' is not a column"):
        summarize_opportunities(orders, customer="whom", date="when")
    with pytest.raises(DataError, match="before the first order"):
        summarize_opportunities(orders, **ROLES, end="2018-12-31")
    with pytest.raises(UnitError, match="not a date"):
        summarize_opportunities(orders, **ROLES, end="soon")


IMPOSSIBLE = [
    ({"frequency": [2, -1]}, "frequency must be a whole number"),
    ({"frequency": [1.5, 0]}, "frequency must be a whole number.*row 0: frequency 1.5"),
    ({"frequency": [2, np.nan]}, "1 rows break it, the first is row 1"),
    ({"recency": [5, 0.5]}, "recency must be a whole number"),
    ({"recency": [7, 0]}, "recency must be at most n"),
    ({"recency": [1, 0]}, "frequency must be at most recency"),
    ({"recency": [0, 0]}, "frequency must be at most recency"),
    ({"recency": [5, 2]}, "recency must be 0 where frequency is 0"),
    ({"n": [6, 3.5]}, "n must be a whole number"),
    ({"n": [6, np.inf]}, "n must be a whole number"),
    ({"n": [6, -1]}, "row 1"),
]


@pytest.mark.parametrize(("wrong", "words"), IMPOSSIBLE, ids=str)
def test_impossible_histories(wrong, words):
    columns = {**HISTORIES, **wrong}
    with pytest.raises(DataError, match=words):
        OpportunitySummary.from_frame(pd.DataFrame(columns), period="Y")
    with pytest.raises(DataError, match=words):
        check_opportunities(*(np.array(column, float) for column in columns.values()))


def test_possible_histories_pass():
    check_opportunities(*(np.array(column, float) for column in HISTORIES.values()))
    check_opportunities(*np.empty((3, 0)))
    check_opportunities(*np.array([[0, 1, 3, 0], [0, 1, 3, 0], [0, 1, 3, 8]], float))


def test_from_frame_refuses_what_it_cannot_read():
    frame = pd.DataFrame(HISTORIES)
    with pytest.raises(ColumnError, match="'n' is not a column"):
        OpportunitySummary.from_frame(frame.drop(columns="n"), period="Y")
    with pytest.raises(DataError, match="no numbers"):
        OpportunitySummary.from_frame(frame.assign(n=["six", "three"]), period="Y")
    with pytest.raises(DataError, match="one row per customer"):
        OpportunitySummary.from_frame(load_donations(), period="Y")


# In the package


def test_a_fit_takes_the_summary():
    orders = clv.datasets.load_cdnow(sample=True)
    roles = {name: CDNOW[name] for name in ("customer", "date")}
    summary = clv.summarize_opportunities(orders, **roles, period="M", end="1998-06-30")
    fit = clv.fit(clv.BGBB, summary)
    again = clv.fit(clv.BGBB, summary.frame)
    assert fit.converged
    assert fit.customers == 2357
    assert fit.model.values() == pytest.approx(again.model.values(), rel=1e-12)
    history = summary.frequency, summary.recency, summary.n
    assert fit.model.expected_purchases(6, *history).shape == (2357,)


def test_a_summary_of_the_wrong_kind_is_named():
    orders = clv.datasets.load_cdnow(sample=True)
    with pytest.raises(ColumnError, match="summarize_opportunities"):
        clv.fit(clv.BGBB, clv.summarize(orders, **CDNOW))
    roles = {name: CDNOW[name] for name in ("customer", "date")}
    with pytest.raises(ColumnError, match="BGNBD needs"):
        clv.fit(clv.BGNBD, clv.summarize_opportunities(orders, **roles))
