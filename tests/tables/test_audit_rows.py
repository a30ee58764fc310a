"""Where the audit says that every row went, in every kind of table; nothing dirty is refused."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import ROLES
from test_order_errors import COLUMNS, two
from test_reconciliation import END, dirty

from clvmodel.errors import DataError
from clvmodel.tables.audit import audit
from clvmodel.tables.summarize import summarize


@pytest.mark.parametrize("seed", range(12))
def test_every_row_and_amount_is_accounted_for(seed):
    frame = dirty(seed)
    result = audit(frame, **ROLES, end=END)
    reconciled = summarize(frame, **ROLES, end=END).reconciliation
    rows = {a.reason: a for a in result.rows}

    assert sum(a.rows for a in result.rows) == result.total == len(frame)
    finite = frame["paid"][np.isfinite(frame["paid"])].sum()
    assert sum(a.amount for a in result.rows) == pytest.approx(finite)

    kept = rows.pop("purchases"), rows.pop("merged into a purchase of the same day", None)
    assert kept[0].rows == reconciled.purchases
    assert (kept[1].rows if kept[1] else 0) == reconciled.merged
    assert sum(a.amount for a in kept if a) == pytest.approx(reconciled.amount)
    assert {r: a.rows for r, a in rows.items()} == {e.reason: e.rows for e in reconciled.excluded}
    assert {r: a.amount for r, a in rows.items()} == pytest.approx(
        {e.reason: e.amount for e in reconciled.excluded}
    )
    for account in result.rows:
        assert len(account.examples) == min(account.rows, 5)
    blank = frame["who"].fillna("").astype(str).str.strip() == ""
    if blank.any():
        assert rows["no customer id"].examples == tuple(np.flatnonzero(blank)[:5] + 1)


@pytest.mark.parametrize("seed", [3, 7])
def test_rows_that_a_summary_refuses_are_accounted_for(seed):
    frame = dirty(seed).astype({"paid": object})
    frame.loc[::17, "paid"] = "n/a"
    frame["when"] = frame["when"].map(lambda day: None if day is None else str(day))
    frame.loc[5::19, "when"] = "soon"
    with pytest.raises(DataError):
        summarize(frame, **ROLES, end=END)
    result = audit(frame, **ROLES, end=END)
    assert sum(a.rows for a in result.rows) == len(frame)
    amounts = pd.to_numeric(frame["paid"], errors="coerce").to_numpy()
    total = sum(a.amount for a in result.rows)
    assert total == pytest.approx(amounts[np.isfinite(amounts)].sum())
    assert not result.ok
    names = {f.name for f in result.findings if f.severity == "error"}
    assert {"several_types", "unreadable_dates", "unreadable_amounts"} <= names


REFUSED = [columns for columns, error, _ in COLUMNS if error is DataError]


@pytest.mark.parametrize("columns", REFUSED, ids=str)
def test_what_a_summary_refuses_is_an_error(columns):
    frame = two(**columns)
    with pytest.raises(DataError):
        summarize(frame, **ROLES)
    result = audit(frame, **ROLES)
    assert not result.ok
    assert sum(a.rows for a in result.rows) == 2
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "frame",
    [
        two(paid=[1e308, 1e308], who=["a", "a"], when=["2024-01-01"] * 2),
        two(paid=[-1.0, -2.0]),
        two(when=["0000-05-05", "2024-01-01"]),
        two(when=["2999-01-01", "2024-01-01"]),
        two().astype(str).head(0),
        pd.DataFrame(columns=["who", "when", "paid"]),
        two(who=[None] * 2, when=[None] * 2, paid=[None] * 2),
    ],
    ids=["overflow", "refunds only", "year 0", "future", "no rows", "no types", "nothing"],
)
def test_hopeless_orders_have_findings_and_raise_nothing(frame):
    result = audit(frame, **ROLES)
    assert result.findings
    assert sum(a.rows for a in result.rows) == result.total == len(frame)
    assert repr(result)
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_in_every_kind_of_table(tmp_path, seed):
    frame = dirty(seed)
    frame["when"] = [None if day is None else str(day) for day in frame["when"]]
    frame["who"] = frame["who"].map(lambda who: who if isinstance(who, str) else None)
    frame["paid"] += 0.0  # the text of -0.0 is another
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    frame.to_csv(tmp_path / "orders.csv", index=False)
    frame.to_parquet(tmp_path / "orders.parquet")
    expected = audit(frame, **ROLES, end=END)
    assert len(expected.findings) > 3
    others = [arrow, pl.from_arrow(arrow), pl.from_arrow(arrow).lazy()]
    for other in [*others, tmp_path / "orders.parquet", tmp_path / "orders.csv"]:
        assert audit(other, **ROLES, end=END) == expected


def test_rows_are_numbered_in_the_order_of_a_long_file(tmp_path):
    rows = 150_000
    blank = [70_001, 70_002, 149_999]
    who = np.where(np.isin(np.arange(rows), blank), "", "a customer with a long name")
    frame = pd.DataFrame({"who": who, "when": "2024-01-01", "paid": 1.0, "note": "x" * 60})
    frame.to_csv(tmp_path / "orders.csv", index=False)
    for orders in (frame, tmp_path / "orders.csv"):
        (finding,) = [f for f in audit(orders, **ROLES).findings if f.name == "missing_ids"]
        assert finding.examples == tuple(i + 1 for i in blank)
