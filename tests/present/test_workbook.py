"""The workbook, opened by another library: sheets, types, and no formula whatever the data hold."""

import dataclasses
import datetime as dt
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

import clvmodel as clv
from clvmodel.present import workbook
from clvmodel.present.customer_sections import report_ids

ATTACKS = ["=1+1", '=HYPERLINK("http://example.com")', "+1", "-1", "@SUM(A1)", "\t=1", "{=1}", "12"]


@pytest.fixture(scope="module")
def shop():
    """Two hundred customers of half a year, some with ids that a sheet could take for formulas."""
    rng = np.random.default_rng(8)
    who = np.concatenate([np.arange(200), rng.integers(0, 200, 700)])
    names = np.array([*ATTACKS, *(f"c{i}" for i in range(200 - len(ATTACKS)))])
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 181, 900), unit="D")
    orders = pd.DataFrame(
        {"who": names[who], "when": days, "paid": rng.uniform(5, 90, 900).round(2)}
    )
    return clv.summarize(orders, customer="who", date="when", value="paid", end="2025-06-30")


@pytest.fixture(scope="module")
def parts(shop):
    model = clv.ValueModel().fit(shop)
    return {
        "segments": clv.segment(shop, model),
        "tiers": clv.tier(shop, model),
        "cohorts": clv.cohorts(shop, model, ahead=3),
        "economics": clv.UnitEconomics(model, shop, cac=20.0, margin=0.4, draws=10),
        "scores": model.predict(shop, "180D").assign(
            day=dt.date(2025, 6, 30), seen=True, note=[None, "=A1", *["x"] * 198], big=10**17
        ),
    }


@pytest.fixture(scope="module")
def book(same_comparison, parts, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "book.xlsx"
    assert same_comparison.to_excel(path, **parts) == str(path)
    return path


def rows(sheet, top):
    """The table whose head is in row `top` (from 1), as dictionaries."""
    head = [cell.value for cell in sheet[top] if cell.value is not None]
    found = []
    for row in sheet.iter_rows(min_row=top + 1, max_col=len(head), values_only=True):
        if row[0] is None:
            break
        found.append(dict(zip(head, row, strict=True)))
    return found


def test_sheets(book):
    opened = openpyxl.load_workbook(book)
    assert opened.sheetnames == [
        "Summary",
        "Comparison",
        "Segments",
        "Tiers",
        "Cohorts",
        "Unit economics",
        "Customers",
    ]
    for name in ("Comparison", "Segments", "Tiers", "Unit economics", "Customers"):
        assert opened[name].freeze_panes is not None
        assert opened[name].auto_filter.ref
    charts = {name for name in opened.sheetnames if opened[name]._charts}
    assert charts == {"Comparison", "Segments", "Tiers", "Cohorts", "Unit economics"}


def refs(chart):
    """The cells of the names and the values of each line or bar."""
    return [(s.tx.strRef.f, s.val.numRef.f) for s in chart.series]


def test_charts_of_tiers_and_cohorts(book, parts):
    opened = openpyxl.load_workbook(book)
    (chart,) = opened["Tiers"]._charts
    head = [cell.value for cell in opened["Tiers"][3]]
    columns = [openpyxl.utils.get_column_letter(1 + head.index(n)) for n in head if "share" in n]
    assert refs(chart) == [(f"Tiers!${c}$3", f"Tiers!${c}$4:${c}$5") for c in columns]
    (chart,) = opened["Cohorts"]._charts
    last = openpyxl.utils.get_column_letter(2 + parts["cohorts"].retention.shape[1])
    names = range(5, 5 + len(parts["cohorts"].names))
    assert refs(chart) == [(f"Cohorts!$A${i}", f"Cohorts!$D${i}:${last}${i}") for i in names]


def test_a_chart_of_many_cohorts_shows_some(tmp_path):
    """Twelve, the first and the last among them: more lines are not told apart."""
    days = pd.date_range("2022-01-01", "2024-12-31", freq="5D")
    orders = pd.DataFrame({"who": [f"c{i // 2}" for i in range(len(days))], "when": days})
    found = clv.cohorts(clv.summarize(orders, customer="who", date="when"))
    path = clv.write_workbook(tmp_path / "a.xlsx", cohorts=found)
    (chart,) = openpyxl.load_workbook(path)["Cohorts"]._charts
    lines = [int(name.rpartition("$")[2]) - 5 for name, _ in refs(chart)]
    assert len(lines) == len(set(lines)) == 12 < len(found.names)
    assert (lines[0], lines[-1]) == (0, len(found.names) - 1)


def test_what_predictions_rest_on_is_said(book, parts, shop, tmp_path):
    opened = openpyxl.load_workbook(book)
    year = "over the 365 days after 2025-06-30. Values are revenue (a margin of 100%), not disc"
    assert year in opened["Segments"]["A2"].value
    assert year in opened["Tiers"]["A2"].value
    assert "were not given (horizon=, margin=)" in opened["Customers"]["A1"].value
    told = opened["Unit economics"]["A2"].value
    for words in (
        "A new customer costs 20.0.",
        "after a margin of 40%; a new customer counts for 1,096 days",
        "the target ratio (LTV:CAC) is 3; the model discounts at 10% a year",
    ):
        assert words in told
    assert "the model counts the first purchase on day 0" in opened["Unit economics"]["A1"].value
    model = parts["segments"].model
    scores = model.predict(shop, "90D", margin=0.3)
    tiers = clv.tier(shop, model, horizon="90D", margin=0.3)
    asked = {"scores": scores, "horizon": "90D", "margin": 0.3}
    opened = openpyxl.load_workbook(clv.write_workbook(tmp_path / "a.xlsx", tiers=tiers, **asked))
    for cell in (opened["Tiers"]["A2"], opened["Customers"]["A1"]):
        assert "over the 90 days after 2025-06-30. Values are after a margin of 30%" in cell.value
    # Scores of another horizon than the tiers': each says its own.
    other = {**asked, "scores": model.predict(shop, "30D"), "horizon": "30D", "margin": 1}
    opened = openpyxl.load_workbook(clv.write_workbook(tmp_path / "b.xlsx", tiers=tiers, **other))
    assert "over the 90 days" in opened["Tiers"]["A2"].value
    assert "over the 30 days" in opened["Customers"]["A1"].value
    assert "over the 30 days after" in opened["Customers"]["A1"].value


def test_shares_among_amounts_are_shown_as_shares(book):
    sheet = openpyxl.load_workbook(book)["Unit economics"]
    head = [cell.value for cell in sheet[3]]
    column = head.index("model") + 1
    formats = {
        sheet.cell(row, head.index("quantity") + 1).value: sheet.cell(row, column).number_format
        for row in range(4, 12)
    }
    assert formats["p_target"] == "0.0%"
    assert {f for name, f in formats.items() if name and name != "p_target"} <= {
        "#,##0.00",
        "#,##0",
    }


def test_the_smallest_error_is_told_with_its_doubts(same_comparison, tmp_path):
    def told(comparison, target):
        clv.write_workbook(tmp_path / "a.xlsx", comparison=comparison)
        sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Summary"]
        texts = [row[1].value for row in sheet.iter_rows(max_col=2) if row[1].value]
        (found,) = [text for text in texts if f"per customer, {target}: " in text]
        return found

    assert told(same_comparison, "value").endswith(
        'Churn formula <script>alert("x")</script>. No clear difference from BG/NBD + '
        "Gamma-Gamma (both engines) and Profit x retention: it could be chance."
    )
    leader = {"days": 273, "target": "value", "metric": "mae", "leader": "Run rate"}
    for verdict, words in (
        ("worse", "Run rate. Every other candidate is clearly worse (95% intervals)."),
        ("no clear difference", "Run rate. No clear difference from Store formula: it could be "),
    ):
        rivals = [{"candidate": "Store formula", "verdict": verdict}]
        judged = dataclasses.replace(same_comparison, contests=({**leader, "rivals": rivals},))
        assert words in told(judged, "value")


def test_days_that_excel_counts_wrongly_are_texts(parts, tmp_path):
    """Excel takes 1900 for a leap year: 1900-02-28 would be shown as another day."""
    days = [dt.date(1900, 2, 28), dt.date(1900, 3, 1), dt.date(1850, 1, 1)]
    times = [dt.datetime(1899, 12, 31, 5), dt.datetime(2025, 1, 1), None]
    scores = pd.DataFrame({"customer_id": ["a", "b", "c"], "day": days, "time": times})
    clv.write_workbook(tmp_path / "a.xlsx", scores=scores)
    table = rows(openpyxl.load_workbook(tmp_path / "a.xlsx")["Customers"], 2)
    assert [row["day"] for row in table] == ["1900-02-28", dt.datetime(1900, 3, 1), "1850-01-01"]
    assert [row["time"] for row in table] == ["1899-12-31 05:00:00", dt.datetime(2025, 1, 1), None]


@pytest.mark.parametrize("ids", ["hash", "hide"])
@pytest.mark.parametrize("many", [False, True])
def test_ids_do_not_show(parts, shop, same_comparison, tmp_path, monkeypatch, ids, many):
    monkeypatch.setattr(workbook, "MOST_ROWS", 200 if many else 1_048_576)
    given = {**parts, "comparison": same_comparison, "ids": ids, "summary": shop}
    if many:
        with pytest.warns(UserWarning, match="200 customers"):
            clv.write_workbook(tmp_path / "a.xlsx", **given)
        names = pyarrow.parquet.read_table(tmp_path / "a_customers.parquet")["customer_id"]
        names = names.to_pylist()
    else:
        clv.write_workbook(tmp_path / "a.xlsx", **given)
        sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Customers"]
        names = [row["customer_id"] for row in rows(sheet, 2)]
        assert "Customers " + ("have names made" if ids == "hash" else "are n") in sheet["A1"].value
    expected = report_ids(shop) if ids == "hash" else [f"#{i}" for i in range(1, 201)]
    assert names == expected
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        text = " ".join(archive.read(name).decode() for name in archive.namelist())
    assert not re.search(r"\bc\d+<", text)
    assert "HYPERLINK" not in text


def test_ids_that_cannot_be_hidden_are_refused(parts, shop, tmp_path):
    scores, path = parts["scores"], tmp_path / "a.xlsx"
    with pytest.raises(clv.ParameterError, match="ids == 'all'"):
        clv.write_workbook(path, scores=scores, ids="all")
    with pytest.raises(clv.ParameterError, match="needs summary="):
        clv.write_workbook(path, scores=scores, ids="hash")
    with pytest.raises(clv.ParameterError, match="customer_id, a column which scores does not"):
        clv.write_workbook(path, scores=scores.rename(columns={"customer_id": "x"}), ids="hide")
    assert not path.exists()


@pytest.mark.parametrize("name", ["comparison", "segments", "tiers", "cohorts", "economics"])
def test_objects_of_another_kind_are_refused(parts, same_comparison, tmp_path, name):
    other = parts["segments"] if name == "tiers" else parts["scores"]
    words = f"{name} is a {type(other).__name__}, must be a .*, which clv"
    with pytest.raises(clv.ParameterError, match=words):
        clv.write_workbook(tmp_path / "a.xlsx", **{name: other})
    if name != "comparison":
        with pytest.raises(clv.ParameterError, match=words):
            same_comparison.to_html(**{name: other})


def test_no_cell_is_a_formula(book):
    opened = openpyxl.load_workbook(book)
    for sheet in opened:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row), sheet.title
    with zipfile.ZipFile(book) as archive:  # and as it stands in the file
        for name in archive.namelist():
            if re.match(r"xl/worksheets/sheet\d+\.xml", name):
                text = archive.read(name).decode()
                assert "<f>" not in text
                assert "<hyperlink" not in text


def test_texts_of_the_data_stay_texts(book, shop):
    sheet = openpyxl.load_workbook(book)["Customers"]
    table = rows(sheet, 2)
    assert [row["customer_id"] for row in table] == shop.ids.to_pylist()
    assert set(ATTACKS) <= {row["customer_id"] for row in table}  # "12" is no number either
    assert table[0]["note"] is None
    assert table[1]["note"] == "=A1"


def test_types_of_customers(book, parts):
    sheet = openpyxl.load_workbook(book)["Customers"]
    table, scores = rows(sheet, 2), parts["scores"]
    for name in ("p_purchase", "expected_value", "clv"):
        assert [row[name] for row in table] == pytest.approx(scores[name].tolist(), rel=1e-14)
    assert table[0]["day"] == dt.datetime(2025, 6, 30)
    assert table[0]["seen"] is True
    assert table[0]["big"] == "1" + "0" * 17  # more digits than Excel keeps
    head = [cell.value for cell in sheet[2]]
    assert sheet.cell(3, head.index("p_purchase") + 1).number_format == "0.0%"
    assert sheet.cell(3, head.index("day") + 1).number_format == "yyyy-mm-dd"
    assert sheet.cell(3, head.index("clv") + 1).number_format == "#,##0.00"


def test_tables_are_those_of_the_package(book, parts, same_comparison):
    opened = openpyxl.load_workbook(book)
    for name, top, table in (
        ("Comparison", 3, same_comparison.metrics.sort_values("target", kind="stable")),
        ("Segments", 3, parts["segments"].table()),
        ("Tiers", 3, parts["tiers"].table),
        ("Unit economics", 3, parts["economics"].table),
    ):
        got = rows(opened[name], top)
        assert len(got) == len(table)
        numbers = [n for n in table.columns if table[n].dtype.kind in "if" and n != "threshold"]
        for column in numbers:
            values = [np.nan if v in (None, "never") else v for v in (r[column] for r in got)]
            expected = table[column].replace(np.inf, np.nan)
            np.testing.assert_allclose(sorted(values), sorted(expected), rtol=1e-12)
    assert all(row["meaning"] for row in rows(opened["Unit economics"], 3))


def test_cohorts_and_their_forecasts(book, parts):
    sheet, cohorts = openpyxl.load_workbook(book)["Cohorts"], parts["cohorts"]
    for place, measure in enumerate(cohorts.measures):
        top = 4 + place * (len(cohorts.names) + 4)
        assert sheet.cell(top, 1).value == "cohort"
        for i, name in enumerate(cohorts.names):
            assert sheet.cell(top + 1 + i, 1).value == name
            for k, value in enumerate(getattr(cohorts, measure)[i]):
                cell = sheet.cell(top + 1 + i, 3 + k)
                if np.isnan(value):
                    assert cell.value is None
                else:
                    assert cell.value == pytest.approx(value)
                    assert bool(cell.font.italic) == cohorts.forecast[i, k]
    assert len(sheet.conditional_formatting) == 3


def test_the_same_bytes_every_time(parts, tmp_path):
    for name in ("a.xlsx", "b.xlsx"):
        clv.write_workbook(tmp_path / name, scores=parts["scores"], tiers=parts["tiers"])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_streamed_workbooks_hold_the_same(parts, tmp_path, monkeypatch):
    whole = clv.write_workbook(tmp_path / "a.xlsx", **parts)
    monkeypatch.setattr(workbook, "_STREAMED", 10)
    streamed = clv.write_workbook(tmp_path / "b.xlsx", **parts)
    one, other = openpyxl.load_workbook(whole), openpyxl.load_workbook(streamed)
    for sheet in one:
        cells = [list(s.iter_rows(values_only=True)) for s in (sheet, other[sheet.title])]
        assert cells[0] == cells[1]
        assert all(cell.data_type != "f" for row in other[sheet.title].iter_rows() for cell in row)


def test_too_many_customers_lie_beside_it(parts, tmp_path, monkeypatch):
    """As if a sheet had 200 rows: 200 customers and a head do not fit."""
    assert workbook.MOST_ROWS == 1_048_576
    monkeypatch.setattr(workbook, "MOST_ROWS", 200)
    with pytest.warns(UserWarning, match=r"200 customers are more than the 199 .* b_customers"):
        clv.write_workbook(tmp_path / "b.xlsx", scores=parts["scores"])
    opened = openpyxl.load_workbook(tmp_path / "b.xlsx")
    assert opened.sheetnames == ["Summary"]
    assert "b_customers.parquet" in opened["Summary"]["B3"].value
    table = pyarrow.parquet.read_table(tmp_path / "b_customers.parquet")
    assert table.num_rows == 200


def test_what_is_wrong_is_named(parts, tmp_path, monkeypatch):
    with pytest.raises(clv.ParameterError, match="of what"):
        clv.write_workbook(tmp_path / "a.xlsx")
    with pytest.raises(clv.ClvError, match=r"\.xlsx"):
        clv.write_workbook(tmp_path / "a.csv", tiers=parts["tiers"])
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    with pytest.raises(clv.MissingDependencyError, match=r"clvmodel\[excel\]"):
        clv.write_workbook(tmp_path / "a.xlsx", tiers=parts["tiers"])
    assert not list(tmp_path.iterdir())
