"""One shop, as four systems export it, is one shop; what an export says otherwise is worked out."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from clvmodel.errors import ColumnError, DataError, ParameterError
from clvmodel.tables.audit import audit
from clvmodel.tables.holdout import holdout_split
from clvmodel.tables.presets import PRESETS, preset_named
from clvmodel.tables.summarize import summarize

DATA = Path(__file__).parents[1] / "data" / "presets"
PLAIN = {"customer": "customer", "date": "ordered_at", "value": "amount", "order_id": "order_id"}
NAMES = sorted(PRESETS)


def export(name):
    return DATA / f"{name}.csv"


def number(customer):
    """The number of a customer of the made-up shop, by its address or its id."""
    digits = "".join(c for c in customer if c.isdigit())
    return int(digits) - (12_346 if "@" not in customer else 0)


def same(found, plain):
    assert [number(i) for i in found.ids.to_pylist()] == [number(i) for i in plain.ids.to_pylist()]
    for name in ("frequency", "recency", "T"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))
    for name in ("monetary_value", "first_value"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-12)
    assert (found.start, found.end) == (plain.start, plain.end)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refunds": "drop"},
        {"end": "2024-09-30"},
        {"start": "2024-03-01"},
        {"occasion": "W"},
        {"occasion": "M", "unit": "W"},
    ],
    ids=str,
)
def test_all_exports_are_the_shop(name, options):
    plain = summarize(export("plain"), **PLAIN, **options)
    found = summarize(export(name), preset=name, **options)
    same(found, plain)
    assert len(plain) > 45
    assert plain.frequency.sum() > 80
    assert found.reconciliation.purchases == plain.reconciliation.purchases
    assert found.reconciliation.amount == pytest.approx(plain.reconciliation.amount)


FRAMES = {
    "pandas": pd.read_csv,
    "pandas, all text": lambda path: pd.read_csv(path, dtype=str),
    "pandas, blank is blank": lambda path: pd.read_csv(path, keep_default_na=False),
    "arrow dtypes": lambda path: pd.read_csv(path, dtype_backend="pyarrow"),
    "nullable dtypes": lambda path: pd.read_csv(path, dtype_backend="numpy_nullable"),
    "polars": lambda path: pl.read_csv(path, infer_schema_length=None),
    "polars lazy": lambda path: pl.scan_csv(path, infer_schema_length=None),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", FRAMES)
def test_an_export_read_by_others_is_the_same(name, kind):
    of_file = summarize(export(name), preset=name)
    found = summarize(FRAMES[kind](export(name)), preset=name)
    assert found.ids == of_file.ids
    for column in ("frequency", "recency", "T", "monetary_value", "first_value"):
        np.testing.assert_array_equal(getattr(found, column), getattr(of_file, column))
    assert found.reconciliation == of_file.reconciliation


@pytest.mark.parametrize("name", NAMES)
def test_dates_may_be_dates(name, tmp_path):
    """Also with a zone, whose wall clock tells the day."""
    frame = pd.read_csv(export(name))
    column = next(c for c in PRESETS[name].columns["created"] if c in frame)
    frame[column] = pd.to_datetime(frame[column])
    frame.to_parquet(tmp_path / "export.parquet")
    plain = summarize(export("plain"), **PLAIN)
    same(summarize(frame, preset=name), plain)
    same(summarize(tmp_path / "export.parquet", preset=name), plain)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{}, {"refunds": "drop"}, {"end": "2024-09-30"}], ids=str)
def test_the_audit_agrees(name, options):
    found = summarize(export(name), preset=name, **options).reconciliation
    result = audit(export(name), preset=name, **options)
    rows = {a.reason: (a.rows, a.amount) for a in result.rows}
    merged = rows.pop("merged into a purchase of the same day", (0, 0.0))
    bought = rows.pop("purchases")
    assert (bought[0], merged[0]) == (found.purchases, found.merged)
    assert bought[1] + merged[1] == pytest.approx(found.amount)
    excluded = {e.reason: (e.rows, e.amount) for e in found.excluded}
    assert {r: n for r, (n, _) in rows.items()} == {r: n for r, (n, _) in excluded.items()}
    for reason, (_, amount) in rows.items():
        assert amount == pytest.approx(excluded[reason][1], abs=1e-9)
    assert result.total == found.rows == len(pd.read_csv(export(name)))
    assert not [f for f in result.findings if f.name in ("zero_amounts", "repeated_rows")]


@pytest.mark.parametrize(
    ("name", "column", "void"),
    [
        ("shopify", "Name", lambda f: f["Cancelled at"].notna()
         | f["Financial Status"].isin(["pending", "voided"]) | (f["Payment Method"] == "bogus")),
        ("woocommerce", "order_id", lambda f: ~f["status"].isin(["completed", "refunded"])),
        ("stripe", "id", lambda f: (f["Mode"] == "Test") | (f["Status"] == "Failed")
         | ~f["Captured"]),
        ("online_retail", "Invoice", lambda f: f["StockCode"] == "TEST001"),
    ],
)  # fmt: skip
def test_what_is_no_sale_is_counted_with_all_its_lines(name, column, void):
    frame = pd.read_csv(export(name))
    orders = set(frame.loc[void(frame), column])
    who = {"shopify": "Email", "woocommerce": "customer_email", "stripe": "Customer Email"}
    known = frame[who.get(name, "Customer ID")].notna()
    lost = {e.reason: e.rows for e in summarize(frame, preset=name).reconciliation.excluded}
    assert len(orders) >= 10
    assert lost["cancelled, failed or test order"] == (frame[column].isin(orders) & known).sum()
    assert lost["no customer id"] == (~known).sum() > 0


def rows(text):
    lines = [line.strip().split("|") for line in text.strip().splitlines()]
    return pd.DataFrame(lines[1:], columns=lines[0])


SHOPIFY = """Name|Email|Financial Status|Currency|Total|Created at|Cancelled at|Refunded Amount
    #1|Ann@x.com|paid|USD|34.98|2024-05-01 22:58:12 -0500||0.00
    #1|||||||
    #2|ann@x.com|partially_refunded|USD|20.00|2024-05-10 01:58:12 -0500||5.00
    #3|bob@x.com|refunded|USD|20.00|2024-05-10 09:58:12 -0500||20.00
    #3|bob@x.com||||2024-05-10 09:58:12 -0500||
    #4|bob@x.com|paid|USD|20.00|2024-05-11 09:58:12 -0500|2024-05-12 00:00:00 -0500|0
    #4|bob@x.com||||2024-05-11 09:58:12 -0500||
    #5|cem@x.com|paid|USD|0.00|2024-05-12 09:58:12 -0500||0.00
    #6|cem@x.com|paid|USD|7.00|2024-05-20 09:58:12 -0500||"""


def test_lines_of_shopify_by_hand():
    """Further lines of an order say nothing of it: not even, in some exports, whose it is."""
    summary = summarize(rows(SHOPIFY), preset="shopify")
    assert summary.ids.to_pylist() == ["ann@x.com", "cem@x.com"]
    assert summary.frequency.tolist() == [1, 1]
    assert summary.recency.tolist() == [9, 8]
    assert summary.T.tolist() == [19, 8]
    assert summary.first_value.tolist() == [34.98, 0]
    assert summary.monetary_value.tolist() == [15, 7]
    found = summary.reconciliation
    assert (found.rows, found.purchases, found.merged, found.zero) == (9, 4, 1, 1)
    assert {e.reason: (e.rows, e.amount) for e in found.excluded} == {
        "cancelled, failed or test order": (2, 20.0),
        "refunds, no positive net that day": (2, 0.0),
    }
    dropped = summarize(rows(SHOPIFY), preset="shopify", refunds="drop")
    assert dropped.ids.to_pylist() == ["ann@x.com", "bob@x.com", "cem@x.com"]
    assert dropped.monetary_value.tolist() == [20, 0, 7]
    with pytest.raises(DataError, match="refunds='error', and 2 rows were paid back"):
        summarize(rows(SHOPIFY), preset="shopify", refunds="error")


def test_the_audit_numbers_the_lines_of_an_order_as_they_stand():
    result = audit(rows(SHOPIFY), preset="shopify")
    examples = {a.reason: a.examples for a in result.rows}
    assert examples == {
        "purchases": (1, 3, 8, 9),
        "merged into a purchase of the same day": (2,),
        "cancelled, failed or test order": (6, 7),
        "refunds, no positive net that day": (4, 5),
    }


def test_an_overlapping_export_counts_an_order_once(tmp_path):
    frame = pd.read_csv(export("shopify"), dtype=str)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.tail(200).to_csv(tmp_path / "b.csv", index=False)
    plain = summarize(export("plain"), **PLAIN)
    same(summarize(tmp_path, preset="shopify"), plain)


def test_woocommerce_with_a_row_per_line_and_other_columns():
    """Each line repeats the total of the order."""
    frame = rows("""order_id|order_date|status|order_total|billing_email|refunded_total
        1|2024-01-01 10:00:00|wc-completed|30|a@x.com|0
        1|2024-01-01 10:00:00|wc-completed|30|a@x.com|0
        2|2024-01-05 10:00:00|processing|50|A@x.com|20
        2|2024-01-05 10:00:00|processing|50|A@x.com|20
        3|2024-01-06 10:00:00|on-hold|50|a@x.com|0
        4|2024-01-07 10:00:00|trash|50|a@x.com|""")
    summary = summarize(frame, preset="woocommerce")
    assert (summary.frequency.tolist(), summary.recency.tolist()) == ([1], [4])
    assert (summary.first_value.tolist(), summary.monetary_value.tolist()) == ([30], [30])
    assert (summary.reconciliation.merged, summary.reconciliation.excluded[0].rows) == (2, 2)


def test_woocommerce_refunds_in_parts_and_in_full():
    frame = rows("""order_id|order_date|status|order_total|billing_email|refund_items
        1|2024-01-01|completed|30|a|amount:5.50|reason:late~date:2024-01-02;amount:4|reason:
        2|2024-01-05|refunded|50|a|
        3|2024-01-06|completed|50|a|""".replace("amount:5.50|reason:late", "amount:5.50~reason:x")
        .replace("amount:4|reason:", "amount:4~reason:"))  # fmt: skip
    summary = summarize(frame, preset="woocommerce")
    assert summary.first_value.tolist() == [20.5]
    assert (summary.frequency.tolist(), summary.monetary_value.tolist()) == ([1], [50])


def test_stripe_knows_customers_by_address_then_by_id_as_it_is():
    frame = rows("""id|Created (UTC)|Amount|Status|Customer ID|Customer Email
        ch_1|2024-01-01 00:10|10.00|Paid|cus_A|A@x.com
        ch_2|2024-01-03 00:10|10.00|succeeded||a@x.com
        ch_3|2024-01-03 00:10|10.00|requires_payment_method||a@x.com
        ch_4|2024-01-03 00:10|10.00|Paid|cus_B|
        ch_5|2024-01-03 00:10|10.00|Paid|cus_b|
        ch_6|2024-01-03 00:10|10.00||cus_b|""")
    summary = summarize(frame, preset="stripe")
    assert summary.ids.to_pylist() == ["a@x.com", "cus_B", "cus_b"]
    assert summary.frequency.tolist() == [1, 0, 0]
    without = summarize(frame.drop(columns="Customer Email"), preset="stripe")
    assert without.ids.to_pylist() == ["cus_A", "cus_B", "cus_b"]
    renamed = frame.rename(columns={"Created (UTC)": "Created date (UTC)"})
    assert summarize(renamed, preset="stripe").ids == summary.ids


def test_online_retail_under_its_older_names_and_in_another_form_of_date():
    frame = pd.read_csv(export("online_retail"), dtype=str)
    older = frame.rename(
        columns={"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
    )
    at = pd.to_datetime(older["InvoiceDate"])
    older["InvoiceDate"] = at.dt.strftime("%m/%d/%Y %H:%M")
    older["CustomerID"] = older["CustomerID"].str.removesuffix(".0")
    with pytest.raises(DataError, match=r"the date column \(InvoiceDate\).*date_format"):
        summarize(older, preset="online_retail")
    found = summarize(older, preset="online_retail", date_format="%m/%d/%Y %H:%M")
    same(found, summarize(export("plain"), **PLAIN))
    assert found.ids.to_pylist()[0] == "12346"


def test_a_later_cancellation_of_online_retail_is_a_refund_that_is_left_out():
    frame = rows("""Invoice|StockCode|Quantity|InvoiceDate|Price|Customer ID
        1|85123A|2|2024-01-01 10:00:00|2.55|12346
        1|71053|1|2024-01-01 10:00:00|3.39|12346
        C2|85123A|-2|2024-01-09 10:00:00|2.55|12346""")
    summary = summarize(frame, preset="online_retail")
    assert summary.first_value.tolist() == [2 * 2.55 + 3.39]
    assert [e.amount for e in summary.reconciliation.excluded] == [-5.1]
    with pytest.raises(DataError, match="1 rows were paid back"):
        summarize(frame, preset="online_retail", refunds="error")


BROKEN = [
    ("shopify", "Total", "$12.00", DataError, r"Total - Refunded Amount.*'\$12.00'"),
    ("shopify", "Refunded Amount", "5,00", DataError, "' - 5,00'|- 5,00'"),
    ("shopify", "Created at", "31/01/2024", DataError, "Created at.*'31/01/2024'"),
    ("woocommerce", "order_total", "1.234,50", DataError, r"'1\.234,50'"),
    ("woocommerce", "order_date", "soon", DataError, "'soon'"),
    ("stripe", "Amount", "10,00", DataError, "'10,00'"),
    ("stripe", "Created (UTC)", "yesterday", DataError, "Greenwich.*'yesterday'"),
    ("online_retail", "Quantity", "six", DataError, "'six x "),
    ("online_retail", "Price", "2,55", DataError, "x 2,55'"),
]


@pytest.mark.parametrize(("name", "column", "text", "error", "words"), BROKEN, ids=str)
def test_what_cannot_be_read_is_refused_not_lost(name, column, text, error, words):
    frame = pd.read_csv(export(name), dtype=str)
    row = frame[column].first_valid_index() + 40
    while pd.isna(frame.loc[row, column]) or frame.loc[row].astype(str).isin(["void"]).any():
        row += 1
    frame.loc[row, column] = text
    with pytest.raises(error, match=words):
        summarize(frame, preset=name)
    assert not audit(frame, preset=name).ok


@pytest.mark.parametrize("name", NAMES)
def test_columns_that_are_needed_and_columns_that_are_not(name):
    preset = PRESETS[name]
    frame = pd.read_csv(export(name), dtype=str)
    needed = [called for what, called in preset.columns.items() if what not in preset.optional]
    others = [column for column in frame if column not in sum(needed, ())]
    assert set(others) & {c for what in preset.optional for c in preset.columns[what]}
    summarize(frame.drop(columns=others), preset=name)
    assert len(needed) >= 5
    for called in needed:
        without = frame.drop(columns=[c for c in called if c in frame])
        words = re.escape(" or ".join(map(repr, called)))
        with pytest.raises(ColumnError, match=f"preset='{name}' needs .*{words}"):
            summarize(without, preset=name)
        with pytest.raises(ColumnError, match=words):
            audit(without, preset=name)


@pytest.mark.parametrize("name", NAMES)
def test_the_mapping_in_words(name):
    text = str(preset_named(name))
    assert text.startswith(f"preset {name!r}: ")
    for role in ("customer", "date", "value", "order", "left out"):
        assert f"\n  {role}: " in text
    assert len(text.splitlines()) == 6
    used = {c for called in PRESETS[name].columns.values() for c in called[:1]}
    silent = {"Currency", "order_currency", "PaymentIntent ID"}
    assert all(column in text for column in used - silent - {"Quantity"})


def test_wrong_calls():
    path = export("shopify")
    with pytest.raises(ParameterError, match="preset == 'shopfy', must be one of 'shopify'"):
        summarize(path, preset="shopfy")
    with pytest.raises(ColumnError, match="leave out customer, value"):
        summarize(path, preset="shopify", customer="Email", value="Total")
    with pytest.raises(ColumnError, match="order_id; leave one"):
        summarize(path, preset="shopify", order_id="Name")
    with pytest.raises(ColumnError, match="Name the column of the customer"):
        summarize(path, date="Created at")


@pytest.mark.parametrize("name", NAMES)
def test_holdouts_of_exports_agree(name):
    plain = {k: v for k, v in PLAIN.items() if k != "order_id"}
    expected = holdout_split(export("plain"), **plain, cutoff="2024-08-31")
    found = holdout_split(export(name), preset=name, cutoff="2024-08-31")
    same(found.calibration, expected.calibration)
    np.testing.assert_array_equal(found.purchases, expected.purchases)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)


def test_policies_apply_to_exports():
    found = summarize(
        export("stripe"),
        preset="stripe",
        exclude_ids=["customer.0002@example.com"],
        min_value=10,
        max_value=80,
    )
    frame = pd.read_csv(export("stripe"))
    sale = (frame["Status"] != "Failed") & (frame["Mode"] == "Live") & frame["Captured"]
    sale &= frame["Customer Email"].notna()
    mine = frame["Customer Email"] == "customer.0002@example.com"
    net = frame["Amount"] - frame["Amount Refunded"]
    lost = {e.reason: e.rows for e in found.reconciliation.excluded}
    assert lost["customer excluded by id"] == mine.sum() > 0
    assert lost["amount above max_value"] == (sale & ~mine & (net > 80)).sum() > 0
    assert lost["amount below min_value"] == (sale & ~mine & (net < 10)).sum() > 0
