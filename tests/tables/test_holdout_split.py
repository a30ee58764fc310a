"""`holdout_split`: nothing of the future in the past, and nothing of the whole lost."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from order_cases import CDNOW, IDS, ROLES, by_hand

from clvmodel.errors import ClvError, DataError, UnitError
from clvmodel.tables.holdout import holdout_split
from clvmodel.tables.purchases import from_day, to_day
from clvmodel.tables.summarize import summarize

CUT = "1997-09-30"


def split_by_hand(orders, **options):
    return holdout_split(orders, **{**ROLES, "cutoff": "2024-02-20", **options})


def test_worked_by_hand(orders):
    split = split_by_hand(orders, horizon="40D")  # to March 31
    assert (split.cutoff, split.days, split.end) == (dt.date(2024, 2, 20), 40, dt.date(2024, 3, 31))
    known = split.calibration
    assert known.ids.to_pylist() == ["ann", "bob", "cem"]
    assert known.frequency.tolist() == [2, 0, 0]
    assert known.T.tolist() == [50, 0, 20]
    assert split.purchases.tolist() == [0, 0, 1]
    assert split.value.tolist() == [0, 0, 9]
    # dee bought on March 1 (free) and 2, eve on March 10; fox only later
    assert (split.late_customers, split.late_purchases, split.late_value) == (2, 3, 18)


def test_the_last_day_counts_and_the_next_does_not(orders):
    assert split_by_hand(orders, horizon="39D").purchases.tolist() == [0, 0, 0]
    assert split_by_hand(orders, horizon="41D").late_purchases == 4  # eve on April 1


@pytest.mark.parametrize("unit", ["D", "W", "M", "Y"])
def test_the_unit_changes_the_calibration_only(cdnow, unit):
    split = holdout_split(cdnow, **CDNOW, cutoff=CUT, horizon="39W", unit=unit)
    known = summarize(cdnow, **CDNOW, end=CUT, unit=unit)
    assert split.calibration.frame.equals(known.frame)
    assert (split.days, split.purchases.sum()) == (273, 1882)


def test_the_future_does_not_change_what_was_known(cdnow):
    rng = np.random.default_rng(3)
    future = cdnow["date"] > CUT
    other = cdnow.copy()
    other.loc[future, "amount"] = rng.normal(50, 100, future.sum()).round(2)
    other.loc[future, "customer_id"] = rng.permutation(other.loc[future, "customer_id"])
    shift = pd.to_timedelta(rng.integers(0, 30, future.sum()), unit="D")
    other.loc[future, "date"] = pd.Timestamp("1997-10-01") + shift
    stranger = pd.DataFrame({"customer_id": ["0000"], "date": ["1998-06-30"], "amount": [1e6]})
    other = pd.concat([stranger.astype({"date": "datetime64[s]"}), other[::-1]])
    one, two = (holdout_split(f, **CDNOW, cutoff=CUT, horizon="39W") for f in (cdnow, other))
    assert one.calibration.frame.equals(two.calibration.frame)
    assert one.calibration.purchases.value.tobytes() == two.calibration.purchases.value.tobytes()
    assert one.calibration.purchases.day.max() <= to_day(dt.date.fromisoformat(CUT))
    assert one.purchases.tolist() != two.purchases.tolist()


@pytest.mark.parametrize("cutoff", ["1997-01-05", "1997-02-15", CUT, "1998-06-29"])
def test_totals_reconcile(cdnow, cutoff):
    """Known and late customers together made every purchase of the window, to the cent."""
    split = holdout_split(cdnow, **CDNOW, cutoff=cutoff)
    later = cdnow[cdnow["date"] > cutoff]
    day_count = later.groupby(["customer_id", "date"]).ngroups
    assert split.purchases.sum() + split.late_purchases == day_count
    assert split.value.sum() + split.late_value == pytest.approx(later["amount"].sum(), rel=1e-12)
    known = set(cdnow.loc[cdnow["date"] <= cutoff, "customer_id"])
    assert split.late_customers == len(set(later["customer_id"]) - known)
    assert split.calibration.ids.to_pylist() == sorted(known)


def test_both_windows_aggregate_alike(orders):
    """Refunds net within their day before and after the cutoff: same orders, a year apart."""
    shifted = orders.assign(when=orders["when"] + pd.Timedelta(days=366))
    both = pd.concat([orders, shifted])
    split = holdout_split(both, **ROLES, cutoff="2024-12-31")
    known = split.calibration
    assert known.ids.to_pylist() == [*IDS, "fox"]
    np.testing.assert_array_equal(split.purchases, known.frequency + 1)
    np.testing.assert_array_equal(split.value, known.total_value)
    assert (split.late_customers, split.late_value) == (0, 0)


def test_by_default_the_last_half_at_most_a_year(orders, cdnow):
    # 1997-01-01 to 1998-06-30 are 546 days
    split = holdout_split(cdnow, **CDNOW)
    assert (split.days, split.cutoff, split.end) == (
        273,
        dt.date(1997, 9, 30),
        dt.date(1998, 6, 30),
    )
    long = orders.assign(when=[*orders["when"][:-1], pd.Timestamp("2029-01-01")])
    assert holdout_split(long, **ROLES, end="2026-01-01").days == 365


def test_defaults_of_one_of_two(cdnow):
    by_horizon = holdout_split(cdnow, **CDNOW, horizon="10W")
    assert (by_horizon.days, by_horizon.end) == (70, dt.date(1998, 6, 30))
    by_cutoff = holdout_split(cdnow, **CDNOW, cutoff="1998-06-01")
    assert (by_cutoff.days, by_cutoff.end) == (29, dt.date(1998, 6, 30))
    in_weeks = holdout_split(cdnow, **CDNOW, cutoff=CUT, horizon=39, unit="W")
    to_a_date = holdout_split(cdnow, **CDNOW, cutoff=CUT, horizon="1998-06-30")
    assert in_weeks.days == to_a_date.days == 273


def test_an_end_leaves_out_what_comes_after(cdnow):
    split = holdout_split(cdnow, **CDNOW, cutoff=CUT, end="1997-12-31")
    assert (split.days, split.end) == (92, dt.date(1997, 12, 31))
    assert from_day(split.history.day.max()) <= dt.date(1997, 12, 31)
    with pytest.raises(DataError, match="1997-12-31"):
        holdout_split(cdnow, **CDNOW, cutoff=CUT, horizon="39W", end="1997-12-31")


def test_without_amounts(orders):
    split = split_by_hand(orders, value=None)
    assert (split.value, split.late_value) == (None, 0.0)


ERRORS = [
    (
        {"horizon": "42D", "cutoff": "2024-02-21"},
        DataError,
        "does not fit.*2024-01-01 to 2024-04-02",
    ),
    ({"cutoff": "2023-12-31"}, DataError, "does not fit"),
    ({"cutoff": "2024-04-02"}, DataError, "does not fit"),
    ({"cutoff": "2030-01-01"}, DataError, "does not fit"),
    ({"cutoff": None, "horizon": "93D"}, DataError, "does not fit"),
    ({"cutoff": "soon"}, UnitError, "cutoff == 'soon' is not a date"),
    ({"horizon": "0D"}, UnitError, "horizon == '0D'"),
    ({"horizon": "soon"}, UnitError, "horizon == 'soon'"),
    ({"horizon": "2024-02-20"}, UnitError, "must lie after"),
    ({"cutoff": None, "horizon": "2024-04-01"}, UnitError, "date"),
    ({"horizon": "1e9D"}, DataError, "does not fit"),
    ({"cutoff": None, "horizon": "1e30Y"}, DataError, "does not fit"),
    ({"horizon": "0.3D"}, DataError, "0 days"),
    ({"end": "2024-01-15"}, DataError, "does not fit"),
]


@pytest.mark.parametrize(("options", "error", "words"), ERRORS, ids=str)
def test_errors(orders, options, error, words):
    with pytest.raises(error, match=words):
        split_by_hand(orders, **options)


def test_errors_of_the_orders_come_through(orders):
    with pytest.raises(ClvError, match="Did you mean 'paid'"):
        split_by_hand(orders, value="payd")


def test_the_input_is_unchanged(orders):
    before = orders.copy(deep=True)
    split_by_hand(orders)
    pd.testing.assert_frame_equal(orders, before)
    assert by_hand(orders).frequency.tolist() == [2, 0, 1, 1, 0]
