"""Purchases over time, actual and predicted, in a history where customers join late."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from clvmodel.evaluate.backtest import backtest
from clvmodel.tables.holdout import holdout_split
from clvmodel.value.naive import LastPeriod
from clvmodel.value.value_model import ValueModel

ROLES = {"customer": "who", "date": "when", "value": "paid"}
CUT, END = dt.date(2024, 6, 30), dt.date(2024, 12, 31)


def shop(seed=0, customers=300):
    """Customers who join all year long, a third of them after the cutoff, some with refunds."""
    rng = np.random.default_rng(seed)
    rows = [("first", dt.date(2024, 1, 1), 5.0), ("last", END, 5.0)]
    for i in range(customers):
        joined = int(rng.integers(0, 300))
        gaps = rng.geometric(1 / rng.gamma(2, 30, 1).clip(2), 20)
        days = [joined, *(joined + np.cumsum(gaps))]
        for day in days[: rng.integers(1, 12)]:
            when = dt.date(2024, 1, 1) + dt.timedelta(days=int(day))
            if when <= END:
                rows.append((f"c{i:03}", when, float(rng.gamma(3, 10))))
                if rng.random() < 0.1:
                    rows.append((f"c{i:03}", when, -200.0))
    return pd.DataFrame(rows, columns=["who", "when", "paid"])


def purchase_days(orders):
    """Days with a positive net per customer, by pandas."""
    net = orders.groupby(["who", "when"])["paid"].sum()
    return net[net > 0].reset_index()


@pytest.fixture(scope="module")
def orders():
    return shop()


@pytest.fixture(scope="module")
def found(orders):
    return backtest(orders, [ValueModel(), LastPeriod()], **ROLES, cutoffs=[CUT], end=END)


def test_the_whole_reconciles_with_the_orders(orders, found):
    """Known and late customers, before and after the cutoff: every purchase has one place."""
    bought = purchase_days(orders)
    later = bought[bought["when"] > CUT]
    first = bought.groupby("who")["when"].min()
    late = first[first > CUT].index
    data = found.data
    assert data["late_customers"] == len(late) > 30
    assert data["late_purchases"] == later["who"].isin(late).sum()
    assert data["late_value"] == pytest.approx(later.loc[later["who"].isin(late), "paid"].sum())
    assert data["actual_purchases"] + data["late_purchases"] == len(later)
    assert data["actual_value"] + data["late_value"] == pytest.approx(later["paid"].sum())
    assert data["customers"] + data["late_customers"] == len(first)
    assert data["purchases"] == len(bought)


def test_actual_is_what_the_known_customers_did(orders, found):
    bought = purchase_days(orders)
    first = bought.groupby("who")["when"].transform("min")
    known = bought[first <= CUT]
    repeats = known[known["when"] > first[known.index]]
    dates = [dt.date.fromisoformat(d) for d in found.tracking["dates"]]
    expected = [int((repeats["when"] <= date).sum()) for date in dates]
    assert found.tracking["actual"] == expected


def test_it_ends_at_calibration_plus_holdout(orders, found):
    split = holdout_split(orders, **ROLES, cutoff=CUT, end=END)
    assert found.tracking["dates"][-1] == END.isoformat()
    total = split.calibration.frequency.sum() + split.purchases.sum()
    assert found.tracking["actual"][-1] == total
    at_cutoff = found.tracking["dates"].index(CUT.isoformat())
    assert found.tracking["actual"][at_cutoff] == split.calibration.frequency.sum()


def test_dates_rise_and_curves_do_not_fall(found):
    dates = found.tracking["dates"]
    assert dates == sorted(set(dates))
    assert dates[0] == "2024-01-01"
    assert np.all(np.diff(found.tracking["actual"]) >= 0)
    curve = np.array(found.tracking["predicted"]["BG/NBD + Gamma-Gamma"])
    at_cutoff = dates.index(CUT.isoformat())
    assert np.all(np.diff(curve[: at_cutoff + 1]) >= 0)
    assert np.all(np.diff(curve[at_cutoff + 1 :]) >= 0)
    assert len(curve) == len(dates)


def test_forecasts_start_from_the_actual_number_at_the_cutoff(orders, found):
    split = holdout_split(orders, **ROLES, cutoff=CUT, end=END)
    at_cutoff = split.calibration.frequency.sum()
    for candidate in (ValueModel(), LastPeriod()):
        name = candidate.name
        fitted = candidate.fit(split.calibration)
        whole = fitted.predict(split.calibration, f"{split.days}D")["expected_purchases"].sum()
        assert found.tracking["predicted"][name][-1] == pytest.approx(at_cutoff + whole)
        scored = next(s for s in found.scores if s["candidate"] == name)
        assert scored["predicted_total"] == pytest.approx(whole)


def test_a_candidate_without_a_curve_of_the_past_has_none(found):
    past = found.tracking["dates"].index(CUT.isoformat())
    curve = found.tracking["predicted"]["Last period"]
    assert curve[:past] == [None] * past
    assert None not in curve[past + 1 :]


def test_groups_without_customers_are_left_out(orders, found):
    split = holdout_split(orders, **ROLES, cutoff=CUT, end=END)
    table = found.by_frequency
    assert sum(table["customers"]) == len(split.calibration)
    assert 0 not in table["customers"]
    for label, actual in zip(table["groups"], table["actual"], strict=True):
        least = int(label.rstrip("+"))
        chosen = (
            split.calibration.frequency >= 7
            if label.endswith("+")
            else split.calibration.frequency == least
        )
        assert actual == pytest.approx(split.purchases[chosen].mean())


@pytest.mark.parametrize("days", [1, 2, 5])
def test_short_histories_and_holdouts(orders, days):
    end = dt.date(2024, 1, 10)
    found = backtest(
        orders, [LastPeriod()], **ROLES, cutoffs=[end - dt.timedelta(days=days)], end=end
    )
    dates = found.tracking["dates"]
    assert dates == sorted(set(dates))
    assert (dates[0], dates[-1]) == ("2024-01-01", "2024-01-10")
    assert len(found.tracking["actual"]) == len(dates)
