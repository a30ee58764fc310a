"""`summarize` against a history worked by hand."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from order_cases import END, IDS, RECENCY, ROLES, WORKED, by_hand, lists

from clvmodel.tables.summarize import summarize
from clvmodel.units import DAYS_IN_UNIT


def test_every_number(orders):
    summary = by_hand(orders)
    assert summary.ids.to_pylist() == IDS
    assert lists(summary) == WORKED
    assert (len(summary), summary.unit, summary.end) == (5, "D", dt.date(2024, 3, 31))
    assert summary.start == dt.date(2024, 1, 1)
    # first value + frequency x monetary value, the money each one left here
    assert summary.total_value.tolist() == [66, 8, 14, 12, 6]


def test_the_account_of_rows(orders):
    account = by_hand(orders).reconciliation
    assert (account.rows, account.purchases, account.merged, account.zero) == (16, 9, 2, 1)
    assert account.amount == 106
    assert [(e.rows, e.amount) for e in account.excluded] == [(2, 150), (3, -3)]
    assert "after the end" in account.excluded[0].reason
    assert "refund" in account.excluded[1].reason
    assert str(account).startswith("16 rows became 9 purchases; 2 merged")
    assert str(account).endswith("1 purchases of value 0 kept")


def test_the_frame(orders):
    frame = by_hand(orders).frame
    assert list(frame.columns) == [
        *("customer_id", "frequency", "recency", "T"),
        *("monetary_value", "first_value", "first_purchase", "last_purchase"),
    ]
    assert frame["customer_id"].tolist() == IDS
    assert frame["frequency"].dtype.kind == "i"
    first = ["2024-01-01", "2024-02-20", "2024-01-31", "2024-03-01", "2024-03-10"]
    last = ["2024-02-10", "2024-02-20", "2024-03-31", "2024-03-02", "2024-03-10"]
    assert frame["first_purchase"].dt.strftime("%Y-%m-%d").tolist() == first
    assert frame["last_purchase"].dt.strftime("%Y-%m-%d").tolist() == last


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_units(orders, unit):
    days, other = by_hand(orders), by_hand(orders, unit=unit)
    np.testing.assert_allclose(other.recency, np.array(RECENCY) / DAYS_IN_UNIT[unit], rtol=1e-15)
    np.testing.assert_allclose(other.T * DAYS_IN_UNIT[unit], days.T, rtol=1e-15)
    assert other.monetary_value.tolist() == days.monetary_value.tolist()
    assert other.frame["last_purchase"].equals(days.frame["last_purchase"])
    assert other.start == days.start


def test_without_amounts_refunds_are_unknown(orders):
    """Without a value column every row is an order, so every day with a row is a purchase."""
    summary = summarize(orders, customer="who", date="when", end=END)
    assert summary.frequency.tolist() == [2, 0, 1, 3, 0]
    assert summary.monetary_value is None
    assert summary.first_value is None
    assert summary.total_value is None
    assert "monetary_value" not in summary.frame.columns
    assert summary.reconciliation.amount == 0


@pytest.mark.parametrize(
    "end",
    [
        END,
        dt.date(2024, 3, 31),
        dt.datetime(2024, 3, 31, 23, 59),
        pd.Timestamp(END),
        np.datetime64(END),
        "2024-03-31T12:00:00",
    ],
    ids=repr,
)
def test_an_end_can_be_written_in_many_ways(orders, end):
    assert lists(by_hand(orders, end=end)) == WORKED


def test_the_end_is_inclusive(orders):
    assert by_hand(orders, end="2024-03-30").frequency.tolist() == [2, 0, 0, 1, 0]
    assert by_hand(orders, end="2024-04-01").frequency.tolist() == [2, 0, 1, 1, 1]


def test_the_default_end_is_the_last_order(orders):
    summary = by_hand(orders, end=None)
    assert summary.end == dt.date(2024, 4, 2)
    assert summary.ids.to_pylist() == [*IDS, "fox"]
    assert summary.T.tolist() == [92, 42, 62, 32, 23, 0]


def test_a_refund_is_an_order_too(orders):
    """By default observation ends with the last order of any kind."""
    refund = pd.DataFrame({"who": ["ann"], "when": [pd.Timestamp("2024-05-01")], "paid": [-3.0]})
    summary = by_hand(pd.concat([orders, refund]), end=None)
    assert summary.end == dt.date(2024, 5, 1)
    assert summary.recency.tolist() == by_hand(orders, end=None).recency.tolist()


def test_a_later_end_only_lengthens_the_observation(orders):
    early, late = by_hand(orders, end="2024-04-02"), by_hand(orders, end="2024-05-02")
    assert (late.T - early.T).tolist() == [30] * 6
    assert late.recency.tolist() == early.recency.tolist()


def test_the_time_of_day_does_not_matter(orders):
    hours = np.random.default_rng(1).integers(0, 86_400_000, len(orders))
    shifted = orders.assign(when=orders["when"] + pd.to_timedelta(hours, unit="ms"))
    assert lists(by_hand(shifted)) == WORKED


@pytest.mark.parametrize("customer", ["ann", "cem"])
def test_one_customer_alone_is_the_same(orders, customer):
    alone = by_hand(orders[orders["who"] == customer])
    row = IDS.index(customer)
    assert lists(alone) == [[column[row]] for column in WORKED]


def test_a_single_order():
    frame = pd.DataFrame({"who": ["a"], "when": ["2024-01-01"], "paid": [5.0]})
    summary = summarize(frame, **ROLES)
    assert lists(summary) == [[0], [0], [0], [0], [5]]
