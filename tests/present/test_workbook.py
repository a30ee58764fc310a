"""The workbook, opened by another library: sheets, types, and no formula whatever the data hold."""

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
    assert charts == {"Comparison", "Segments", "Unit economics"}


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
