"""`Purchases`: what happened in a window, and what was known at a day."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from order_cases import CDNOW, by_hand

from clvmodel.tables.purchases import Reconciliation, from_day, to_day
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary


def day(text):
    return to_day(dt.date.fromisoformat(text))


def test_days():
    assert [day("1970-01-01"), day("1969-12-31"), day("2024-02-29")] == [0, -1, 19782]
    for number in (-400_000, -1, 0, 19782, 700_000):
        assert to_day(from_day(np.int64(number))) == number


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end(orders):
    purchases = by_hand(orders).purchases
    count, value = purchases.within(day("2024-01-01"), day("2024-02-10"))
    assert count.tolist() == [2, 0, 1, 0, 0]  # ann's of January 1 lies outside, February 10 inside
    assert value.tolist() == [51, 0, 5, 0, 0]
    count, value = purchases.within(day("2023-12-31"), day("2024-02-09"))
    assert count.tolist() == [2, 0, 1, 0, 0]
    assert value.tolist() == [35, 0, 5, 0, 0]
    assert not purchases.within(day("2024-01-01"), day("2024-01-01"))[0].any()


def test_windows_add_up(cdnow):
    purchases = summarize(cdnow, **CDNOW).purchases
    edges = [day(d) for d in ("1996-12-31", "1997-02-01", "1997-09-30", "1998-06-30")]
    parts = [purchases.within(a, b) for a, b in pairwise(edges)]
    whole = purchases.within(edges[0], edges[-1])
    np.testing.assert_array_equal(sum(p[0] for p in parts), whole[0])
    np.testing.assert_allclose(sum(p[1] for p in parts), whole[1], rtol=1e-12, atol=1e-9)
    assert whole[0].sum() == len(purchases.day)


def test_until(orders):
    purchases = by_hand(orders).purchases
    past, known = purchases.until(day("2024-02-10"))
    assert past.ids.to_pylist() == ["ann", "cem"]
    assert known.tolist() == [0, 2]
    assert past.customer.tolist() == [0, 0, 0, 1]
    assert past.value.tolist() == [15, 20, 31, 5]
    assert past.last_order == dt.date(2024, 2, 10)


@pytest.mark.parametrize("end", ["1997-01-20", "1997-09-30", "1998-06-30"])
def test_until_is_a_summary_of_earlier_orders(cdnow, end):
    past, _ = summarize(cdnow, **CDNOW).purchases.until(day(end))
    one = Summary.from_purchases(past, dt.date.fromisoformat(end), "W")
    other = summarize(cdnow, **CDNOW, end=end, unit="W")
    assert one.frame.equals(other.frame)


def test_without_amounts(orders):
    purchases = by_hand(orders, value=None).purchases
    assert purchases.within(0, day("2024-12-31"))[1] is None
    assert purchases.until(day("2024-02-10"))[0].value is None


def test_an_account_without_events_is_short():
    assert str(Reconciliation(1234, 1234, 0, ())) == "1,234 rows became 1,234 purchases"
