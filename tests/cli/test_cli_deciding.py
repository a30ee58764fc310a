"""`segment` and `economics` say what the package says, and where."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

import clvmodel as clv
from clvmodel.tables.first_order import first_order
from clvmodel.tables.stored import StoredSummary
from clvmodel.value.tiering import LISTS

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}
TEXT = {"customer_id": str}


@pytest.fixture(scope="module")
def shop(orders, tmp_path_factory):
    """The orders with a channel, which differs between a customer's orders."""
    frame = pd.read_csv(orders, dtype=TEXT)
    frame["via"] = np.array(["web", "shop", ""])[np.arange(len(frame)) % 3]
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def summary(shop):
    return clv.summarize(shop, **ROLES)


@pytest.fixture(scope="module")
def model(summary):
    return clv.ValueModel().fit(summary)


def test_segment_writes_customers_lists_and_thresholds(run, shop, summary, model, tmp_path):
    out, lists = tmp_path / "who.csv", tmp_path / "lists"
    kept, book = tmp_path / "cuts.json", tmp_path / "who.xlsx"
    options = [
        "--lists",
        lists,
        "--save",
        kept,
        "--xlsx",
        book,
        "--horizon",
        "26W",
        "--margin",
        0.5,
    ]
    code, text, err = run("segment", shop, "--out", out, *options)
    assert (code, text) == (0, f"{out}\n")
    assert "VIPs at risk" in err
    table = pd.read_csv(out, dtype=TEXT, keep_default_na=False)
    segments = clv.segment(summary, model, horizon="26W", margin=0.5)
    tiers = clv.tier(summary, model, horizon="26W", margin=0.5)
    assert table["segment"].tolist() == segments.frame["segment"].tolist()
    assert table["tier"].tolist() == tiers.frame["tier"].tolist()
    assert table["list"].tolist() == tiers.frame["list"].tolist()
    np.testing.assert_allclose(table["expected_value"], segments.frame["expected_value"])
    written = {path.name: pd.read_csv(path, dtype=TEXT) for path in lists.iterdir()}
    assert set(written) == {
        "tier_vip.csv",
        "tier_others.csv",
        "future_vips.csv",
        "vips_at_risk.csv",
        "sleeping.csv",
    }
    assert len(written["tier_vip.csv"]) + len(written["tier_others.csv"]) == len(summary)
    for name in LISTS:
        ids = written[name.lower().replace(" ", "_") + ".csv"]["customer_id"].tolist()
        assert ids == tiers.action(name)["customer_id"].tolist()
    assert "Segments" in openpyxl.load_workbook(book, read_only=True).sheetnames
    again = tmp_path / "again.csv"
    assert run("segment", shop, "--out", again, "--thresholds", kept, *options[4:], "-q")[0] == 0
    pd.testing.assert_frame_equal(pd.read_csv(again), pd.read_csv(out))
    cut = pd.read_csv(shop, dtype=TEXT).head(300)
    cut.to_csv(tmp_path / "part.csv", index=False)
    run("segment", tmp_path / "part.csv", "--out", again, "--thresholds", kept, "-q")
    part = clv.summarize(cut, **ROLES)
    expected = clv.segment(part, rfm=segments.rfm).frame["code"]
    assert pd.read_csv(again)["code"].tolist() == expected.tolist()


def test_segment_as_json(run, shop, summary, tmp_path):
    code, text, _ = run(
        "segment",
        shop,
        "--out",
        tmp_path / "a.parquet",
        "--json",
        "-q",
        "--rules",
        "three",
        "--tiers",
        "abc",
    )
    found = json.loads(text)
    assert code == 0
    assert [row["segment"] for row in found["segments"]] == ["High", "Medium", "Low"]
    assert [row["tier"] for row in found["tiers"]] == ["A", "B", "C"]
    assert sum(row["customers"] for row in found["tiers"]) == len(summary)
    assert len(pd.read_parquet(tmp_path / "a.parquet")) == len(summary)


def test_the_first_order_tells_the_channel(shop, summary):
    table = first_order(shop, "via", **ROLES).to_pandas()
    frame = pd.read_csv(shop, dtype=TEXT, keep_default_na=False)
    frame = frame[frame["amount"] >= 0].sort_values("date", kind="stable")
    expected = frame.groupby("customer_id")["via"].first().replace("", "(none)")
    got = table.set_index("customer_id")["via"]
    assert got.index.is_unique
    pd.testing.assert_series_equal(got.sort_index(), expected.sort_index(), check_dtype=False)
    assert set(got) == {"web", "shop", "(none)"}
    with pytest.raises(clv.ColumnError, match="viaa"):
        first_order(shop, "viaa", **ROLES)


def test_economics_by_channel(run, shop, summary, model, tmp_path):
    out, book = tmp_path / "e.csv", tmp_path / "e.xlsx"
    code, text, _ = run(
        "economics",
        shop,
        "--spend",
        "web=900, shop=300",
        "--channel-column",
        "via",
        "--margin",
        0.5,
        "--conversion-rate",
        0.02,
        "--out",
        out,
        "--xlsx",
        book,
        "-q",
    )
    assert code == 0
    joined = summary.join(first_order(shop, "via", **ROLES))
    expected = clv.UnitEconomics(
        model, joined, by="via", spend={"web": 900, "shop": 300}, margin=0.5, conversion_rate=0.02
    )
    assert text == f"{expected}\n"
    table = pd.read_csv(out, keep_default_na=True)
    assert table["via"].tolist() == expected.table["via"].tolist()
    np.testing.assert_allclose(table["model"], expected.table["model"])
    assert "Unit economics" in openpyxl.load_workbook(book, read_only=True).sheetnames


def test_economics_as_json(run, shop):
    code, text, _ = run("economics", shop, "--cac", 12, "--json", "-q", "--uplift", 0.1)
    found = json.loads(text)
    assert code == 0
    assert found["costs"][0]["cac"] == 12
    quantities = [row["quantity"] for row in found["economics"]]
    assert "payback_days" in quantities
    assert "retention_budget" in quantities


def test_report_as_a_workbook(run, orders, tmp_path):
    code, text, _ = run("report", orders, "--out", tmp_path, "--format", "xlsx", "-q")
    assert (code, text) == (0, f"{tmp_path / 'report.xlsx'}\n")
    assert not (tmp_path / "report.html").exists()
    opened = openpyxl.load_workbook(tmp_path / "report.xlsx", read_only=True)
    assert opened.sheetnames == [
        "Summary",
        "Comparison",
        "Segments",
        "Tiers",
        "Cohorts",
        "Customers",
    ]


@pytest.mark.parametrize(("ids", "form"), [("hash", "xlsx"), ("hide", "xlsx")])
def test_no_id_is_in_a_workbook_without_names(run, shop, tmp_path, ids, form):
    options = ("--format", form, "--ids", ids, "--margin", "0.4", "--cac", "9", "-q")
    assert run("report", shop, "--out", tmp_path, *options)[0] == 0
    scores = pd.read_csv(tmp_path / "scores.csv", dtype=str)
    sheets = openpyxl.load_workbook(tmp_path / "report.xlsx")
    cells = {str(c.value) for sheet in sheets for row in sheet.iter_rows() for c in row}
    assert not cells & set(scores.customer_id)
    names = [row[0].value for row in sheets["Customers"].iter_rows(min_row=3)]
    if ids == "hash":
        assert names == scores.report_id.tolist()
    else:
        assert names == [f"#{i + 1}" for i in range(len(scores))]
    for cell in (sheets["Tiers"]["A2"], sheets["Segments"]["A2"], sheets["Customers"]["A1"]):
        assert "days after 1998-0" in cell.value
        assert "after a margin of 40%" in cell.value


def test_report_without_names(run, orders, tmp_path):
    options = ("--format", "json", "--ids", "hash", "--cac", "12", "--margin", "0.4", "-q")
    code, text, _ = run("report", orders, "--out", tmp_path, "--n-cutoffs", "2", *options)
    assert (code, text) == (0, f"{tmp_path / 'report.json'}\n")
    found = json.loads((tmp_path / "report.json").read_text())
    sections = {s["id"]: s["blocks"] for s in found["sections"]}
    wanted = {"checks", "customers", "segments", "tiers", "cohorts", "economics", "groups"}
    assert wanted <= sections.keys()
    scores = pd.read_csv(tmp_path / "scores.csv", dtype=str)
    first = next(b for b in sections["customers"] if b["kind"] == "table")["rows"][0][0]
    owner = scores[scores.report_id == first]
    assert len(owner) == 1
    assert float(owner.expected_value.iloc[0]) == scores.expected_value.astype(float).max()
    command = next(b for b in sections["reproduce"] if b["kind"] == "code")["text"]
    assert "--n-cutoffs 2 --cac 12.0 --format json --ids hash" in command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segment", "--out", "a.csv", "--rules", "many"], "--rules == 'many'"),
        (["segment", "--out", "a.csv", "--tiers", "gold"], "--tiers == 'gold'"),
        (["economics", "--cac", "much"], "--cac == 'much'"),
        (["economics", "--cac", "web=much"], "--cac == 'web=much'"),
        (["economics", "--cac", "1,web=2"], "--cac"),
        (["economics", "--cac", "1", "--spend", "2"], "not both"),
        (["economics", "--channel-column", "via", "--cohorts"], "not both"),
        (["economics", "--channel-column", "vja"], "Did you mean 'via'"),
        (["report", "--format", "pdf"], "--format == 'pdf'"),
        (["report", "--ids", "some"], "--ids == 'some'"),
    ],
)
def test_calls_that_are_wrong(run, shop, arguments, words):
    command, *options = arguments
    code, _, err = run(command, shop, *options, "-q")
    assert code == 2
    assert words in err


def test_thresholds_must_be_those_of_segment(run, shop, tmp_path):
    for text in ("{}", '{"format": "clvmodel.thresholds/1"}', "x"):
        (tmp_path / "bad.json").write_text(text)
        out = tmp_path / "a.csv"
        found = run("segment", shop, "--out", out, "--thresholds", tmp_path / "bad.json", "-q")
        assert found[0] == 1
        assert "bad.json" in found[2]


def test_thresholds_keep_their_options(run, shop, tmp_path):
    """Tiers found after a margin, and reused: the same customers, or a clear refusal."""
    kept, one, two = (tmp_path / name for name in ("kept.json", "a.csv", "b.csv"))
    options = ["--margin", "0.4", "--tiers", "heavy", "--horizon", "26W", "-q"]
    assert run("segment", shop, *options, "--save", kept, "--out", one)[0] == 0
    assert run("segment", shop, "--thresholds", kept, "--out", two, "-q")[0] == 0
    assert one.read_bytes() == two.read_bytes()
    for option, value in (("tiers", "abc"), ("margin", "1"), ("rules", "ten"), ("horizon", "1Y")):
        found = run("segment", shop, "--thresholds", kept, "--out", two, f"--{option}", value)
        assert found[0] == 2
        assert f"--{option} " in found[2]
        assert "were found with" in found[2]


def test_a_summary_in_a_file_is_taken_as_it_is(run, shop, tmp_path):
    """Of segments, in memory or in parts, and of unit economics."""
    stored, one, two = (tmp_path / name for name in ("s.parquet", "a.csv", "b.csv"))
    assert run("summarize", shop, "--out", stored, "-q")[0] == 0
    assert run("segment", shop, "--out", one, "-q")[0] == 0
    assert run("segment", stored, "--out", two, "-q")[0] == 0
    assert one.read_bytes() == two.read_bytes()
    found = [run("economics", path, "--cac", "20", "-q") for path in (shop, stored)]
    assert found[0][:2] == found[1][:2]


def test_more_customers_than_fit_into_memory(run, shop, tmp_path, monkeypatch):
    """As if they were: written part by part, with the same tables and lists."""
    monkeypatch.setattr(StoredSummary, "held", lambda self: self)
    monkeypatch.setattr(StoredSummary.batches, "__defaults__", (50,))
    large = ["--lists", tmp_path / "large", "--out", tmp_path / "large.csv", "--json", "-q"]
    found = json.loads(run("segment", shop, *large)[1])
    monkeypatch.undo()
    small = ["--lists", tmp_path / "small", "--out", tmp_path / "small.csv", "--json", "-q"]
    expected = json.loads(run("segment", shop, *small)[1])
    assert found["customers"] == expected["customers"] > 200
    for part in ("tiers", "lists"):
        for row, own in zip(found[part], expected[part], strict=True):
            assert row == pytest.approx(own)
    for name in ("large.csv", "large/tier_vip.csv", "large/sleeping.csv"):
        own = tmp_path / name.replace("large", "small")
        one, two = (pd.read_csv(path, dtype=TEXT) for path in (tmp_path / name, own))
        pd.testing.assert_frame_equal(one, two, rtol=1e-12)


def test_spend_of_a_period(run, shop):
    spent = ["economics", shop, "--spend", "1000", "-q", "--json"]
    first = json.loads(run(*spent, "--period", "1997-01-01:1997-01-05")[1])["costs"][0]
    every = json.loads(run(*spent)[1])["costs"][0]
    assert 0 < first["new_customers"] < every["new_customers"] == every["customers"]
    assert first["cac"] == pytest.approx(1000 / first["new_customers"])
    assert run(*spent, "--period", "1997")[0] == 2
    assert run("economics", shop, "--cac", "web=3", "-q")[0] == 2
    assert run("economics", shop, "--cac", "3", "--margin", "40", "-q")[0] == 2
