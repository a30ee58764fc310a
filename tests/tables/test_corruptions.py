"""Whatever is wrong with rows that are added, they are accounted for, and change nothing else."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agreement import reconciled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clvmodel.tables.summarize import summarize

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
ROLES = {"customer": "who", "date": "when", "value": "paid"}
CUSTOMERS = 60
LEAST, MOST = 1.0, 5_000.0
NAMES = ("frequency", "recency", "T", "first_value", "monetary_value")


def sample(file, customer, date, value):
    """Orders of some customers, without those that a policy below would leave out."""
    frame = pd.read_csv(SAMPLE / file, dtype={customer: str})
    frame = frame.rename(columns={customer: "who", date: "when", value: "paid"})
    frame = frame[["who", "when", "paid"]].dropna()
    some = np.random.default_rng(8).choice(frame["who"].unique(), CUSTOMERS, replace=False)
    keep = frame["who"].isin(some) & frame["paid"].between(LEAST, MOST)
    return frame[keep].reset_index(drop=True)


HISTORIES = {
    "cdnow": sample("cdnow_orders.csv", "customer_id", "date", "amount"),
    "shop": sample("shop_orders.csv", "customer_email", "ordered_at", "amount"),
}
FIRST = {name: frame["when"].min()[:10] for name, frame in HISTORIES.items()}
LAST = {name: frame["when"].max()[:10] for name, frame in HISTORIES.items()}


def clean(name, occasion):
    return summarize(HISTORIES[name], **ROLES, start=FIRST[name], end=LAST[name], occasion=occasion)


CLEAN = {(name, o): clean(name, o) for name in HISTORIES for o in ("D", "W", "M", "exact")}

# Kinds of broken rows, each with the reason that it is left out for: (who, when, paid) made from an
# order of the history and a number. The reasons come in the order in which they are looked at, so
# that a row broken in two ways has the reason of the first.
BLANKS = [None, "", "  ", "\t", "nan", "None", "\u00a0"]
KINDS = {
    "blank id": ("no customer id", lambda row, n, _: (BLANKS[n % 7], row.when, row.paid)),
    "excluded id": (
        "customer excluded by id",
        lambda row, n, _: (("guest", "Kasse 1")[n % 2], row.when, row.paid),
    ),
    "no date": ("no date", lambda row, n, _: (row.who, (None, "", " ", "nan")[n % 4], row.paid)),
    "no amount": (
        "no finite amount",
        lambda row, n, _: (row.who, row.when, (np.nan, np.inf, -np.inf)[n % 3]),
    ),
    "future": ("after the end of observation", lambda row, n, d: (row.who, d[1][n % 90], row.paid)),
    "early": (
        "before the start of observation",
        lambda row, n, d: (row.who, d[0][n % 90], row.paid),
    ),
    "small": ("amount below min_value", lambda row, n, _: (row.who, row.when, (n % 100) / 101)),
    "small refund": (
        "amount below min_value",
        lambda row, n, _: (row.who, row.when, -(n % 100) / 101),
    ),
    "zero": ("amount below min_value", lambda row, *_: (row.who, row.when, 0.0)),
    "large": ("amount above max_value", lambda row, n, _: (row.who, row.when, 5_000.5 + n)),
    "large refund": ("amount above max_value", lambda row, n, _: (row.who, row.when, -6e6 - n)),
}
TWICE = {  # broken in two ways: the first of the reasons counts
    "no id, no date": ("no customer id", lambda row, n, _: (BLANKS[n % 7], None, row.paid)),
    "excluded, infinite": (
        "customer excluded by id",
        lambda row, *_: ("guest", row.when, np.inf),
    ),
    "no date, no amount": ("no date", lambda row, *_: (row.who, None, np.nan)),
    "future, nothing": ("no finite amount", lambda row, n, d: (row.who, d[1][n % 90], np.nan)),
    "early, large": (
        "before the start of observation",
        lambda row, n, d: (row.who, d[0][n % 90], 9e9),
    ),
}
BROKEN = KINDS | TWICE


def outside(name):
    """Days before the first and after the last of a history."""
    first, last = (dt.date.fromisoformat(day) for day in (FIRST[name], LAST[name]))
    early = [str(first - dt.timedelta(days=i)) for i in range(1, 91)]
    return early, [str(last + dt.timedelta(days=i)) for i in range(1, 91)]


def planted(name, plan):
    """The history with broken rows in it, as (position, kind, order, number) say."""
    frame = HISTORIES[name]
    days = outside(name)
    orders = list(frame.itertuples(index=False))
    rows: list[tuple[float, tuple]] = [(float(i), tuple(o)) for i, o in enumerate(orders)]
    for position, kind, order, number in plan:
        made = BROKEN[kind][1](orders[order % len(orders)], number, days)
        rows.append((position * len(orders), made))
    rows.sort(key=lambda row: row[0])
    return pd.DataFrame([row for _, row in rows], columns=["who", "when", "paid"])


def lost(name, plan):
    """Rows and finite amounts of each reason, counted one by one."""
    orders, days = list(HISTORIES[name].itertuples(index=False)), outside(name)
    found = {}
    for _, kind, order, number in plan:
        reason, make = BROKEN[kind]
        paid = make(orders[order % len(orders)], number, days)[2]
        rows, amount = found.get(reason, (0, 0.0))
        found[reason] = (rows + 1, amount + (paid if np.isfinite(paid) else 0.0))
    return found


plans = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(list(BROKEN)),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
    ),
    max_size=60,
)
fixed = settings(
    max_examples=102,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@fixed
@given(st.sampled_from(list(HISTORIES)), plans, st.sampled_from(["D", "W", "M", "exact"]))
def test_broken_rows_are_accounted_for_and_change_nothing_else(name, plan, occasion):
    expected = CLEAN[name, occasion]
    summary, excluded = reconciled(
        planted(name, plan),
        ROLES,
        start=FIRST[name],
        end=LAST[name],
        min_value=LEAST,
        max_value=MOST,
        exclude_ids=["guest", "Kasse 1", "nobody"],
        occasion=occasion,
    )
    assert summary.ids == expected.ids
    for column in NAMES:
        assert getattr(summary, column).tobytes() == getattr(expected, column).tobytes()
    assert summary.reconciliation.purchases == expected.reconciliation.purchases
    assert summary.reconciliation.merged == expected.reconciliation.merged
    before = {e.reason: (e.rows, e.amount) for e in expected.reconciliation.excluded}
    for reason, (rows, amount) in lost(name, plan).items():
        assert excluded[reason][0] == rows
        assert excluded[reason][1] == pytest.approx(amount, rel=1e-9, abs=1e-6)
    assert set(excluded) == set(before) | set(lost(name, plan))


# Rows that do count: what they do is known, and what they do not touch stays as it was.
touches = st.lists(
    st.tuples(
        st.sampled_from(["copy", "refund", "part", "case", "space", "free", "stranger"]),
        st.integers(0, 10_000),
        st.floats(0, 1),
    ),
    max_size=25,
)


def touched(frame, plan):
    """The history with further rows, and the customers whom they concern."""
    rows, whom = [], set()
    for kind, order, share in plan:
        who, when, paid = frame.iloc[order % len(frame)]
        whom.add(who)
        if kind == "copy":
            rows.append((who, when, paid))
        elif kind == "refund":
            rows.append((who, when, -paid))
        elif kind == "part":
            rows.append((who, when, -round(paid * share, 2)))
        elif kind == "free":
            rows.append((who, when, 0.0))
        elif kind == "stranger":
            rows.append((f"stranger {order}", when, paid))
        else:
            other = who.upper() + "X" if kind == "case" else f" {who} "
            rows.append((other, when, paid))
            whom.add(other)
    return pd.concat([frame, pd.DataFrame(rows, columns=list(frame))], ignore_index=True), whom


def by_hand(frame):
    """Purchases of each customer by day, in plain Python, with the amounts of each."""
    days: dict[str, dict[str, list[float]]] = {}
    for who, when, paid in frame.itertuples(index=False):
        days.setdefault(who, {}).setdefault(when[:10], []).append(paid)
    found = {}
    for who, orders in days.items():
        kept = {}
        for day, amounts in orders.items():
            net = sum(sorted(amounts))
            if abs(net) <= 1e-12 * sum(map(abs, amounts)):
                net = 0.0
            if net > 0 or (net == 0 and min(amounts) >= 0):
                kept[day] = net
        if kept:
            found[who] = kept
    return found


@fixed
@given(st.sampled_from(list(HISTORIES)), touches, st.integers(0, 2**32 - 1))
def test_refunds_copies_and_strangers_do_what_they_should_and_no_more(name, plan, seed):
    frame, whom = touched(HISTORIES[name], plan)
    shuffled = frame.sample(frac=1, random_state=seed, ignore_index=True)
    summary, _ = reconciled(shuffled, ROLES, end=LAST[name])
    expected = by_hand(frame)
    assert summary.ids.to_pylist() == sorted(expected, key=str.encode)
    assert summary.reconciliation.purchases == sum(map(len, expected.values()))
    row = {who: i for i, who in enumerate(summary.ids.to_pylist())}
    for who, kept in expected.items():
        i = row[who]
        first, last = min(kept), max(kept)
        apart = dt.date.fromisoformat(last) - dt.date.fromisoformat(first)
        age = dt.date.fromisoformat(LAST[name]) - dt.date.fromisoformat(first)
        assert summary.frequency[i] == len(kept) - 1
        assert (summary.recency[i], summary.T[i]) == (apart.days, age.days)
        assert summary.first_value[i] == pytest.approx(kept[first], rel=1e-12)
        assert summary.total_value[i] == pytest.approx(sum(kept.values()), rel=1e-12)
    before = CLEAN[name, "D"]
    for j, who in enumerate(before.ids.to_pylist()):
        if who in whom:
            continue
        for column in NAMES:
            assert getattr(summary, column)[row[who]] == getattr(before, column)[j]
