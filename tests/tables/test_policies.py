"""The arguments that say which rows count and what one purchase is, each worked by hand."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from agreement import reconciled
from order_cases import CDNOW, ROLES

from clvmodel.errors import ColumnError, DataError, FileError, ParameterError, UnitError
from clvmodel.tables.audit import audit
from clvmodel.tables.holdout import holdout_split
from clvmodel.tables.opportunities import summarize_opportunities
from clvmodel.tables.summarize import summarize

ROWS = """ann 2024-01-01 10
ann 2024-01-01 -4
ann 2024-01-05 20
ann 2024-01-07 -20
ann 2024-01-20 0
bob 2024-01-03 5
bob 2024-01-09 500
bob 2024-01-09 -500
bob 2024-01-11 7
cem 2024-01-02 0.5
cem 2024-01-30 30
GUEST 2024-01-04 9
GUEST 2024-01-06 8"""
SMALL, LARGE = "amount below min_value", "amount above max_value"
EARLY, LATE = "before the start of observation", "after the end of observation"
GUEST, DROPPED = "customer excluded by id", "refunds, dropped as asked"


def net(occasion="day"):
    return f"refunds, no positive net that {occasion}"


def table(text, order=False):
    """Rows of customer, day (or day_time), amount and, if asked for, order id."""
    lines = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame([line[:3] for line in lines], columns=["who", "when", "paid"])
    frame["when"] = pd.to_datetime(frame["when"].str.replace("_", " "), format="ISO8601")
    frame["paid"] = frame["paid"].astype(float)
    if order:
        frame["order"] = [line[3] if len(line) > 3 else None for line in lines]
    return frame


def numbers(summary):
    """Customers with frequency, recency, T, first value and mean of the repeat purchases."""
    columns = ("frequency", "recency", "T", "first_value", "monetary_value")
    values = zip(*(getattr(summary, name).tolist() for name in columns), strict=True)
    return dict(zip(summary.ids.to_pylist(), values, strict=True))


NET = {
    "GUEST": (1, 2, 26, 9, 8),
    "ann": (2, 19, 29, 6, 10),  # 10 - 4; 20; 0 on the 20th
    "bob": (1, 8, 27, 5, 7),  # the 9th is paid back in full
    "cem": (1, 28, 28, 0.5, 30),
}
POLICIES = [
    ({}, {net(): (3, -20)}, NET),
    (
        {"refunds": "drop"},
        {DROPPED: (3, -524)},
        NET | {"ann": (2, 19, 29, 10, 10), "bob": (2, 8, 27, 5, 253.5)},
    ),
    (
        {"min_value": 6},
        {SMALL: (4, 1.5), net(): (3, -20)},  # 5, 0.5, 0 and the refund of 4
        {
            "GUEST": (1, 2, 26, 9, 8),
            "ann": (1, 4, 29, 10, 20),
            "bob": (0, 0, 19, 7, 0),
            "cem": (0, 0, 0, 30, 0),
        },
    ),
    (
        {"max_value": 30},
        {LARGE: (2, 0), net(): (1, -20)},  # a purchase and its refund, by their size
        NET,
    ),
    ({"exclude_ids": ["GUEST", "nobody"]}, {GUEST: (2, 17), net(): (3, -20)}, {
        k: v for k, v in NET.items() if k != "GUEST"
    }),
    (
        {"start": "2024-01-04"},
        {EARLY: (4, 11.5), net(): (3, -20)},
        {
            "GUEST": (1, 2, 26, 9, 8),
            "ann": (1, 15, 25, 20, 0),
            "bob": (0, 0, 19, 7, 0),
            "cem": (0, 0, 0, 30, 0),
        },
    ),
    (
        {"start": "2024-01-02", "end": "2024-01-09", "exclude_ids": ("GUEST",), "refunds": "drop",
         "min_value": 0.5, "max_value": 499.99},
        {GUEST: (2, 17), EARLY: (2, 6), LATE: (3, 37), LARGE: (2, 0), DROPPED: (1, -20)},
        {"ann": (0, 0, 4, 20, 0), "bob": (0, 0, 6, 5, 0), "cem": (0, 0, 7, 0.5, 0)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "lost", "expected"), POLICIES, ids=str)
def test_policies_by_hand(options, lost, expected):
    summary, excluded = reconciled(table(ROWS), ROLES, **options)
    assert excluded == lost
    assert numbers(summary) == expected


def test_refunds_may_be_refused():
    with pytest.raises(DataError, match=r"refunds='error', and 3 rows.*the least is -500\.00"):
        summarize(table(ROWS), **ROLES, refunds="error")
    assert audit(table(ROWS), **ROLES, refunds="error").total == 13
    without = table(ROWS)[table(ROWS)["paid"] >= 0]
    summary, excluded = reconciled(without, ROLES, refunds="error")
    assert excluded == {}
    assert numbers(summary)["bob"] == (2, 8, 27, 5, 253.5)


def test_refunds_that_are_left_out_for_another_reason_are_not_refused():
    found = summarize(table(ROWS), **ROLES, refunds="error", end="2024-01-06", start="2024-01-02")
    assert found.reconciliation.purchases == 5


@pytest.mark.parametrize("kind", ["int64", "Int64", "float64", "object", "int32[pyarrow]"])
def test_numbers_are_excluded_by_number(kind):
    frame = table(ROWS)
    frame["who"] = frame["who"].map({"ann": 1, "bob": 2, "cem": 30, "GUEST": 7}).astype(kind)
    for ids in ([7], ["7"], np.array([7, 8]), {7}, (i for i in [7]), pd.Series([7]), [7.0]):
        found = summarize(frame, **ROLES, exclude_ids=ids)
        assert found.reconciliation.excluded[0].reason == GUEST, ids
        assert [int(i) for i in found.ids.to_pylist()] == [1, 2, 30]


def test_text_is_excluded_as_it_stands():
    frame = table("a 2024-01-01 1\n7 2024-01-01 2\n07 2024-01-01 3\nA 2024-01-02 4")
    summary, excluded = reconciled(frame, ROLES, exclude_ids=["7", "A"])
    assert summary.ids.to_pylist() == ["07", "a"]
    assert excluded == {GUEST: (2, 6)}


WRONG = [
    ({"refunds": "nett"}, ParameterError, "refunds == 'nett', must be one of 'net', 'drop', 'er"),
    ({"refunds": None}, ParameterError, "refunds == None"),
    ({"min_value": -1}, ParameterError, "min_value == -1, must be a finite amount >= 0"),
    ({"max_value": float("nan")}, ParameterError, "max_value == nan"),
    ({"max_value": float("inf")}, ParameterError, "max_value == inf"),
    ({"min_value": "5"}, ParameterError, "min_value == '5'"),
    ({"min_value": True}, ParameterError, "min_value == True"),
    ({"min_value": 5, "max_value": 4}, ParameterError, "min_value == 5 is above max_value == 4"),
    ({"exclude_ids": "GUEST"}, ParameterError, r"must be a list of customer ids, such as \['test'"),
    ({"exclude_ids": 7}, ParameterError, "exclude_ids == 7"),
    ({"occasion": "Y"}, ParameterError, "occasion == 'Y', must be one of 'D', 'W', 'M', 'exact'"),
    ({"occasion": None}, ParameterError, "occasion == None"),
    ({"start": "2024-02-01", "end": "2024-01-01"}, DataError, "start == 2024-02-01 lies after end"),
    ({"start": "then"}, UnitError, "start == 'then' is not a date"),
    (
        {"start": "2024-01-12", "end": "2024-01-19"},
        DataError,
        "None of the 13 rows can be used: .*11 with before the start|2 with after the end",
    ),
    ({"start": "2024-03-01"}, DataError, "None of the 13 rows can be used: 13 with before the"),
    ({"min_value": 1000}, DataError, "None of the 13 rows.*13 with amount below min_value"),
    ({"exclude_ids": ["ann", "bob", "cem", "GUEST"]}, DataError, "None.*customer excluded by id"),
    ({"order_id": "oder"}, ColumnError, "order_id='oder' is not a column"),
    ({"preset": "shopify"}, ColumnError, "leave out customer, date, value"),
    ({"memory_limit": "much"}, ParameterError, "memory_limit == 'much', must be a size"),
    ({"memory_limit": 5}, ParameterError, "memory_limit == 5"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "words"), WRONG, ids=str)
def test_wrong_arguments(options, error, words):
    with pytest.raises(error, match=words) as caught:
        summarize(table(ROWS), **ROLES, **options)
    assert not isinstance(caught.value, FileError)


@pytest.mark.parametrize(("role", "column"), ROLES.items())
def test_the_column_of_order_ids_has_no_other_role(role, column):
    for read in (summarize, audit):
        with pytest.raises(ColumnError, match=f"order_id='{column}' is the {role} column"):
            read(table(ROWS), **ROLES, order_id=column)


# Weeks begin on Mondays: 2024-01-01 is one, and so are the 8th and the 15th.
WEEKS = """ann 2024-01-01 -3
ann 2024-01-03 10
ann 2024-01-07 5
ann 2024-01-08 8
ann 2024-01-29 -1
ann 2024-02-01 1
ann 2024-02-26 4
bob 2023-12-31 2
bob 2024-01-01 6"""


def test_weeks_by_hand():
    summary, excluded = reconciled(table(WEEKS), ROLES, occasion="W", end="2024-03-03")
    # ann: a refund first, but dated by the first order, the 3rd: 12; the 8th; 1 - 1 is nothing;
    # the 26th of February. bob: a Sunday and a Monday are two weeks.
    assert numbers(summary) == {"ann": (2, 54, 60, 12, 6), "bob": (1, 1, 63, 2, 6)}
    assert excluded == {net("week"): (2, 0)}
    found = summary.reconciliation
    assert (found.purchases, found.merged, found.occasion) == (5, 2, "week")
    assert "2 merged into a purchase of the same week" in str(found)


def test_months_by_hand():
    summary, excluded = reconciled(table(WEEKS), ROLES, occasion="M", end="2024-03-03")
    # ann: January from the 3rd, 10 + 5 + 8 - 3 - 1; February from the 1st, 5. bob: two months.
    assert numbers(summary) == {"ann": (1, 29, 60, 19, 5), "bob": (1, 1, 63, 2, 6)}
    assert excluded == {}
    assert (summary.reconciliation.merged, summary.reconciliation.occasion) == (5, "month")


def test_weeks_and_months_before_1970():
    frame = table("a 1969-12-28 1\na 1969-12-29 2\na 1970-01-04 3\na 1970-01-05 4")
    weeks = summarize(frame, **ROLES, occasion="W")
    assert numbers(weeks) == {"a": (2, 8, 8, 1, 4.5)}
    months = summarize(frame, **ROLES, occasion="M")
    assert numbers(months) == {"a": (1, 7, 8, 3, 7)}


MOMENTS = """ann 2024-01-01_06:00:00 10 1
ann 2024-01-01_06:00:00 5 1
ann 2024-01-01_06:00:00.000001 2 2
ann 2024-01-02_12:00:00 8 3
ann 2024-01-03_23:59:00 20 4
ann 2024-01-04_00:01:00 7 4
ann 2024-01-09_18:00:00 -8 3
bob 2024-01-10_00:00:00 3 5"""


def test_moments_by_hand():
    frame = table(MOMENTS)
    summary, excluded = reconciled(frame, ROLES, occasion="exact")
    us = 1e-6 / 86_400
    found = numbers(summary)
    # T runs to the end of the 10th: to midnight, 9 days and 18 hours after 6 o'clock on the 1st.
    assert found["ann"][0] == 4
    assert found["ann"][1] == pytest.approx(2 + (18 * 60 + 1) / 1440, abs=us / 5)
    assert found["ann"][2] == pytest.approx(9.75, abs=us / 5)
    assert found["ann"][3:] == (15, (2 + 8 + 20 + 7) / 4)
    assert found["bob"] == (0, 0, 1, 3, 0)
    assert excluded == {net("moment"): (1, -8)}
    assert summary.reconciliation.merged == 1
    days = np.sort(summary.purchases.day[:2])
    assert days[1] - days[0] == pytest.approx(us, rel=0.35)  # kept to the microsecond
    dates = summary.frame["first_purchase"].tolist()
    assert dates == [pd.Timestamp("2024-01-01 06:00"), pd.Timestamp("2024-01-10")]


def test_an_order_across_midnight_is_one_purchase_at_its_first_line():
    frame = table(MOMENTS, order=True)
    summary, excluded = reconciled(frame, ROLES, order_id="order")
    # Order 4 counts on the 3rd, order 3 is paid back a week later: nothing is left of it.
    assert numbers(summary) == {"ann": (1, 2, 9, 17, 27), "bob": (0, 0, 0, 3, 0)}
    assert excluded == {net(): (2, 0)}
    exact, excluded = reconciled(frame, ROLES, order_id="order", occasion="exact")
    ann = numbers(exact)["ann"]
    assert (ann[0], ann[3:]) == (2, (15, (2 + 27) / 2))
    assert ann[1] == pytest.approx(2 + (18 * 60 - 1) / 1440, abs=1e-9)
    assert excluded == {net("moment"): (2, 0)}


def test_refunds_with_an_order_id_pay_back_that_order():
    frame = table(
        """ann 2024-01-01 10 1
        ann 2024-01-08 30 2
        ann 2024-01-20 -30 2
        ann 2024-01-20 6 3
        ann 2024-01-25 -1 1
        ann 2024-01-26 -2
        ann 2024-01-27 -3 9
        bob 2024-01-27 5 1""",
        order=True,
    )
    summary, excluded = reconciled(frame, ROLES, order_id="order")
    assert numbers(summary) == {"ann": (1, 19, 26, 9, 6), "bob": (0, 0, 0, 5, 0)}
    assert excluded == {net(): (4, -5)}  # the paid back order, one refund of none, one unknown
    weeks, excluded = reconciled(frame, ROLES, order_id="order", occasion="W")
    assert numbers(weeks) == numbers(summary)
    dropped, excluded = reconciled(frame, ROLES, order_id="order", refunds="drop")
    assert numbers(dropped)["ann"] == (2, 19, 26, 10, 18)
    assert excluded == {DROPPED: (4, -36)}


def test_a_refund_of_an_order_that_is_left_out_stays_where_it_is():
    frame = table("ann 2024-01-01 10 1\nann 2024-01-08 3 2\nann 2024-01-09 -9 1", order=True)
    summary, excluded = reconciled(frame, ROLES, order_id="order", start="2024-01-05")
    assert numbers(summary) == {"ann": (0, 0, 1, 3, 0)}
    assert excluded == {EARLY: (1, 10), net(): (1, -9)}


@pytest.mark.parametrize("kind", ["Int64", "str", "float64"])
def test_order_ids_of_any_type(kind):
    frame = table(MOMENTS, order=True)
    frame["order"] = frame["order"].astype(float).astype(kind)
    found = summarize(frame, **ROLES, order_id="order")
    assert numbers(found)["ann"] == (1, 2, 9, 17, 27)


def test_backtests_refuse_order_ids(cdnow):
    frame = cdnow.assign(order=range(len(cdnow)))
    with pytest.raises(ParameterError, match="order_id='order' would let a refund change"):
        holdout_split(frame, **CDNOW, order_id="order")


def test_holdouts_take_the_same_policies():
    frame = table(ROWS)
    found = holdout_split(
        frame,
        **ROLES,
        cutoff="2024-01-08",
        refunds="drop",
        exclude_ids=["GUEST"],
        start="2024-01-02",
    )
    assert found.calibration.ids.to_pylist() == ["ann", "bob", "cem"]
    assert found.calibration.frequency.tolist() == [0, 0, 0]
    assert found.purchases.tolist() == [1, 2, 1]
    assert found.value.tolist() == [0, 507, 30]


def test_holdouts_of_moments_are_cut_at_the_end_of_a_day():
    frame = table(MOMENTS)
    found = holdout_split(frame, **ROLES, cutoff="2024-01-03", occasion="exact")
    assert found.calibration.ids.to_pylist() == ["ann"]
    assert found.calibration.T.tolist() == pytest.approx([2.75])
    assert found.calibration.frequency.tolist() == [3]
    assert (found.purchases.tolist(), found.late_customers) == ([1], 1)


def test_opportunities_are_the_same_whatever_the_hour(cdnow):
    expected = summarize_opportunities(cdnow, customer="customer_id", date="date", period="Q")
    hours = np.random.default_rng(3).integers(0, 86_400, len(cdnow))
    later = cdnow.assign(
        date=pd.to_datetime(cdnow["date"]) + pd.to_timedelta(hours, "s"), o=range(len(cdnow))
    )
    found = summarize_opportunities(
        later, customer="customer_id", date="date", period="Q", order_id="o"
    )
    for name in ("frequency", "recency", "n"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for occasion in ("W", "exact"):
        with pytest.raises(ParameterError, match="period says what is one occasion"):
            summarize_opportunities(cdnow, customer="customer_id", date="date", occasion=occasion)
    some = summarize_opportunities(
        cdnow, customer="customer_id", date="date", period="Q", exclude_ids=["0001"],
        end=dt.date(1998, 3, 31), start="1997-02-01",
    )  # fmt: skip
    assert {e.reason: e.rows for e in some.reconciliation.excluded} == {
        GUEST: 4,
        LATE: (cdnow["date"] > "1998-03-31").sum(),
        EARLY: (cdnow.loc[cdnow["customer_id"] != "0001", "date"] < "1997-02-01").sum(),
    }


def test_a_memory_limit_changes_nothing(cdnow):
    expected = summarize(cdnow, **CDNOW)
    found = summarize(cdnow, **CDNOW, memory_limit="500MB")
    assert found.monetary_value.tobytes() == expected.monetary_value.tobytes()
    assert audit(cdnow, **CDNOW, memory_limit="500MB").rows == audit(cdnow, **CDNOW).rows
