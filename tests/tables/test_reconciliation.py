"""Refunds, free orders and broken rows: every row is accounted for, in counts and in money."""

import datetime as dt
from collections import defaultdict

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import CDNOW, ROLES

from clvmodel.errors import DataError
from clvmodel.tables.summarize import summarize

END = dt.date(2024, 2, 29)
REASONS = {
    "no customer id": "id",
    "no date": "date",
    "no finite amount": "amount",
    "after the end of observation": "late",
    "refunds, no positive net that day": "refund",
}


def days(*amounts):
    """Orders of one customer: a tuple of amounts per day, from 2024-01-01 on."""
    rows = [
        ("a", dt.date(2024, 1, 1) + dt.timedelta(days=i), float(amount))
        for i, day in enumerate(amounts)
        for amount in day
    ]
    return summarize(pd.DataFrame(rows, columns=["who", "when", "paid"]), **ROLES, end=END)


@pytest.mark.parametrize(
    ("amounts", "frequency", "money", "zero"),
    [
        ([(10,), (20, -5)], 1, 15, 0),  # netted to a positive rest
        ([(10,), (20, -20)], 0, 0, 0),  # to nothing: no purchase
        ([(10,), (20, -25)], 0, 0, 0),  # to less than nothing
        ([(10,), (-10,)], 0, 0, 0),  # a refund on a later day
        ([(10,), (0,)], 1, 0, 1),  # a free order is a purchase
        ([(10,), (0, 0)], 1, 0, 1),
        ([(10,), (-0.0,)], 1, 0, 1),
        ([(10,), (0, -1)], 0, 0, 0),
        ([(10,), (5, 0, -4)], 1, 1, 0),
        ([(10,), (1.1, 3.5, -4.6)], 0, 0, 0),  # nothing is left but rounding
        ([(10,), (0.1, 0.2, -0.3)], 0, 0, 0),
        ([(10,), (1e-9,)], 1, 1e-9, 0),  # small is not nothing
        ([(10,), (-4,), (30,)], 1, 30, 0),  # a refund day in between shifts nothing
    ],
)
def test_refunds_and_free_orders(amounts, frequency, money, zero):
    summary = days(*amounts)
    assert summary.frequency.tolist() == [frequency]
    assert summary.monetary_value.tolist() == [money]
    assert summary.first_value.tolist() == [10]
    assert summary.reconciliation.zero == zero


def test_a_refund_before_the_first_purchase_is_not_the_beginning():
    summary = days((-5,), (10,), (20,))
    assert summary.start == dt.date(2024, 1, 2)
    assert summary.first_value.tolist() == [10]


def test_nothing_but_refunds():
    with pytest.raises(DataError, match="refunds"):
        days((-5,), (3, -3))


def dirty(seed, size=200):
    """Random orders, about half of them broken in one or two of the ways that exports are."""
    rng = np.random.default_rng(seed)
    who = rng.choice(list("abcdefghij"), size).astype(object)
    when = [dt.date(2024, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 75, size)]
    frame = pd.DataFrame({"who": who, "when": pd.Series(when, dtype=object)})
    frame["paid"] = rng.integers(-3, 12, size) * rng.choice([0.0, 0.25, 1.0], size)
    for column, values in (
        ("who", [None, "", "   ", np.nan]),
        ("when", [None]),
        ("paid", [np.nan, np.inf, -np.inf]),
    ):
        for value in values:
            hit = rng.random(size) < rng.choice([0.0, 0.02, 0.1])
            frame[column] = frame[column].mask(hit, value)
    return frame


def fate(row):
    """What becomes of a row, and in which order the reasons count."""
    if not isinstance(row.who, str) or not row.who.strip():
        return "id"
    if not isinstance(row.when, dt.date):
        return "date"
    if not np.isfinite(row.paid):
        return "amount"
    return "late" if row.when > END else "used"


def account(frame):
    """Rows and money by fate, and the purchases by customer and day: plain dictionaries."""
    rows, money, by_day = defaultdict(int), defaultdict(float), defaultdict(list)
    for row in frame.itertuples():
        what = fate(row)
        if what == "used":
            by_day[row.who, row.when].append(row.paid)
            continue
        rows[what] += 1
        money[what] += row.paid if np.isfinite(row.paid) else 0.0
    purchases = {}
    for key, amounts in by_day.items():
        if sum(amounts) > 0 or (sum(amounts) == 0 and min(amounts) >= 0):
            purchases[key] = amounts
            continue
        rows["refund"] += len(amounts)
        money["refund"] += sum(amounts)
    return rows, money, purchases


@pytest.mark.parametrize("seed", range(50))
def test_every_row_of_random_dirt_is_accounted_for(seed):
    frame = dirty(seed)
    rows, money, purchases = account(frame)
    summary = summarize(frame, **ROLES, end=END)
    found = summary.reconciliation

    assert {REASONS[e.reason]: e.rows for e in found.excluded} == rows
    assert {REASONS[e.reason]: e.amount for e in found.excluded} == pytest.approx(money)
    assert found.rows == len(frame)
    assert found.rows == found.purchases + found.merged + sum(e.rows for e in found.excluded)
    finite = frame["paid"][np.isfinite(frame["paid"])].sum()
    assert found.amount + sum(e.amount for e in found.excluded) == pytest.approx(finite)

    assert found.purchases == len(purchases) == summary.frequency.sum() + len(summary)
    assert found.zero == sum(sum(amounts) == 0 for amounts in purchases.values())
    assert summary.ids.to_pylist() == sorted({who for who, _ in purchases})
    for who, spent in zip(summary.ids.to_pylist(), summary.total_value, strict=True):
        assert spent == pytest.approx(sum(sum(a) for k, a in purchases.items() if k[0] == who))


@pytest.mark.parametrize("name", ["dirty.csv", "dirty.parquet"])
def test_dirt_in_a_file_is_the_same_dirt(tmp_path, name):
    frame, path = dirty(7), tmp_path / name
    if name.endswith("csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    one, other = summarize(frame, **ROLES, end=END), summarize(path, **ROLES, end=END)
    assert one.reconciliation == other.reconciliation
    assert one.frame.equals(other.frame)


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n", "\u00a0", "nan", "None"])
def test_blank_ids_are_missing_ids(blank):
    frame = pd.DataFrame({"who": ["a", blank], "when": ["2024-01-01"] * 2, "paid": [1.0, 2.0]})
    summary = summarize(frame, **ROLES)
    assert summary.ids.to_pylist() == ["a"]
    assert [e.rows for e in summary.reconciliation.excluded] == [1]


@pytest.mark.parametrize("kind", ["float64", "Int64", "object", "category"])
def test_missing_ids_of_any_kind(kind):
    frame = pd.DataFrame({"who": [1, None, 2], "when": ["2024-01-01"] * 3, "paid": [1.0, 2.0, 3]})
    summary = summarize(frame.astype({"who": kind}), **ROLES)
    assert [int(i) for i in summary.ids.to_pylist()] == [1, 2]
    assert summary.reconciliation.excluded[0].amount == 2


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table])
def test_ids_that_are_not_a_number_are_missing_ids(make):
    frame = make({"who": [1.0, np.nan, 2.0], "when": ["2024-01-01"] * 3, "paid": [1.0, 2.0, 3.0]})
    summary = summarize(frame, **ROLES)
    assert summary.ids.to_pylist() == [1, 2]
    assert summary.reconciliation.excluded[0].amount == 2


def test_repeated_rows_are_merged_not_dropped(cdnow):
    """Two rows alike may be two orders; the day then has twice the value."""
    once, twice = (summarize(f, **CDNOW) for f in (cdnow, pd.concat([cdnow, cdnow])))
    np.testing.assert_array_equal(twice.frequency, once.frequency)
    np.testing.assert_allclose(twice.total_value, 2 * once.total_value, rtol=1e-12)
    assert twice.reconciliation.merged == once.reconciliation.merged + len(cdnow)


def test_cdnow_reconciles(cdnow):
    found = summarize(cdnow, **CDNOW, end="1997-09-30").reconciliation
    late = cdnow["date"] > "1997-09-30"
    assert found.rows == len(cdnow) == 6919
    assert [e.rows for e in found.excluded] == [late.sum()]
    assert found.amount == pytest.approx(cdnow.loc[~late, "amount"].sum(), rel=1e-12)
    assert found.purchases + found.merged == (~late).sum()
