"""An Excel workbook of what was found: comparison, segments, cohorts, economics, customers.

Values only: no cell is a formula. Texts from the data stay texts, whatever they begin with, so that
an order export cannot smuggle in "=HYPERLINK(...)". The file is the same every time.
"""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clvmodel.errors import MissingDependencyError, ParameterError
from clvmodel.evaluate.comparison import Comparison
from clvmodel.tables.files import check_output, replacing, write_table
from clvmodel.tables.frames import read_frame
from clvmodel.value.cohorts import MEASURES, Cohorts
from clvmodel.value.economics import QUANTITIES, UnitEconomics
from clvmodel.value.large_decisions import LargeSegmentation, LargeTiering
from clvmodel.value.segments import Segmentation
from clvmodel.value.tiering import Tiering

MOST_ROWS = 1_048_576  # of an Excel sheet, its head included
_STREAMED = 20_000  # customers from which rows are written to disk as they come
_LONGEST = 32_767  # characters of a cell
_EXACT = 10**15  # whole numbers beyond are texts: Excel keeps 15 digits
_WIDE = 34
_EPOCH = dt.datetime(2000, 1, 1)
_COUNTS = {"customers", "purchases", "frequency", "days_silent", "month", "renewals", "code"}
_SHARES = ("share", "p_", "bias", "retention", "repeat_rate", "top_decile")


def write_workbook(
    path: Any,
    *,
    comparison: Comparison | None = None,
    segments: Segmentation | LargeSegmentation | None = None,
    tiers: Tiering | LargeTiering | None = None,
    cohorts: Cohorts | None = None,
    economics: UnitEconomics | None = None,
    scores: Any = None,
) -> str:
    """Write a workbook with a sheet for each part that is given, and return its path.

    `scores` is any table of customers, such as `model.predict` returns. More customers than a sheet
    has rows (1,048,575) are written as Parquet beside the workbook, which then says so, as does a
    UserWarning. Replaces the file whole or not at all. Needs the extra "excel".

    Raises ParameterError where nothing is given, FileError, MissingDependencyError.
    """
    parts = (comparison, segments, tiers, cohorts, economics, scores)
    if all(part is None for part in parts):
        raise ParameterError("A workbook of what? Give comparison=, segments=, scores=, ...")
    check_output(path, (".xlsx",))
    xlsxwriter = _xlsxwriter()
    table = None if scores is None else read_frame(scores, what="scores")[0]
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "constant_memory": table is not None and table.num_rows > _STREAMED,
    }
    with replacing(path) as temporary, xlsxwriter.Workbook(str(temporary), options) as workbook:
        workbook.set_properties({"title": "Customer lifetime value", "created": _EPOCH})
        book = _Book(workbook)
        book.front(Path(path), comparison, segments, tiers, cohorts, economics, table)
        if comparison is not None:
            book.comparison(comparison)
        if segments is not None:
            book.segments(segments)
        if tiers is not None:
            book.tiers(tiers)
        if cohorts is not None:
            book.cohorts(cohorts)
        if economics is not None:
            book.economics(economics)
        if table is not None and table.num_rows < MOST_ROWS:
            book.customers(table)
    if table is not None and table.num_rows >= MOST_ROWS:
        write_table(table, _beside(Path(path)))
        warnings.warn(_too_many(table.num_rows, Path(path)), UserWarning, stacklevel=2)
    return str(path)


class _Book:
    """A workbook in the making: formats, and a method for each sheet."""

    def __init__(self, workbook: Any) -> None:
        self.workbook = workbook
        make = workbook.add_format
        self.head = make({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.title = make({"bold": True, "font_size": 14})
        self.note = make({"font_color": "#555555"})
        self.formats = {
            "share": make({"num_format": "0.0%"}),
            "count": make({"num_format": "#,##0"}),
            "amount": make({"num_format": "#,##0.00"}),
            "date": make({"num_format": "yyyy-mm-dd"}),
            "text": make({}),
        }

    def sheet(self, name: str, about: str) -> Any:
        """Add a sheet with a line that says what it holds."""
        sheet = self.workbook.add_worksheet(name)
        sheet.write_string(0, 0, about, self.note)
        return sheet

    def table(self, sheet: Any, top: int, columns: Mapping[str, Sequence[Any]]) -> int:
        """Write columns under their names from row `top` on; returns the row after them."""
        names = list(columns)
        kinds = [_kind(name) for name in names]
        for place, name in enumerate(names):
            sheet.write_string(top, place, name, self.head)
        row = top
        for row, values in enumerate(zip(*columns.values(), strict=True), top + 1):
            for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
                self.cell(sheet, row, place, value, kind)
        return row + 1

    def cell(self, sheet: Any, row: int, place: int, value: Any, kind: str) -> None:
        """Write one value by its type: texts as texts, never as formulas; NaN stays empty."""
        if value is None or value != value:
            return
        if isinstance(value, bool | np.bool_):
            sheet.write_boolean(row, place, bool(value))
        elif isinstance(value, dt.date | dt.datetime):
            sheet.write_datetime(row, place, value, self.formats["date"])
        elif isinstance(value, int | float | np.number) and _fits(value):
            plain = kind if kind != "text" else ("count" if float(value).is_integer() else "amount")
            sheet.write_number(row, place, float(value), self.formats[plain])
        else:
            text = str(value)
            cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
            sheet.write_string(row, place, cut, self.formats["text"])

    def dress(self, sheet: Any, top: int, columns: Sequence[str], last: int) -> None:
        """Freeze the head, add filters, and give columns their widths."""
        sheet.freeze_panes(top + 1, 1)
        sheet.autofilter(top, 0, max(last - 1, top), len(columns) - 1)
        for place, name in enumerate(columns):
            wide = _WIDE if place == 0 or name in ("definition", "meaning", "list") else 14
            sheet.set_column(place, place, wide)

    def put(self, name: str, about: str, columns: Mapping[str, Sequence[Any]]) -> tuple[Any, int]:
        """Add a sheet that is one table; returns it and the row after the table."""
        sheet = self.sheet(name, about)
        last = self.table(sheet, 2, columns)
        self.dress(sheet, 2, list(columns), last)
        return sheet, last

    def chart(self, sheet: Any, name: str, kind: str, at: tuple[int, int], **how: Any) -> None:
        """Add a chart of columns of the sheet: `series` are (first row, last row, column)."""
        chart = self.workbook.add_chart({"type": kind})
        first, last, label = how["rows"][0], how["rows"][1], how.get("label", 0)
        for place in how["columns"]:
            chart.add_series(
                {
                    "name": [name, first - 1, place],
                    "categories": [name, first, label, last, label],
                    "values": [name, first, place, last, place],
                }
            )
        chart.set_title({"name": how["title"], "name_font": {"size": 11}})
        chart.set_legend({"position": "bottom"})
        sheet.insert_chart(*at, chart)

    def front(
        self,
        path: Path,
        comparison: Comparison | None,
        segments: Segmentation | LargeSegmentation | None,
        tiers: Tiering | LargeTiering | None,
        cohorts: Cohorts | None,
        economics: UnitEconomics | None,
        table: Any,
    ) -> None:
        """Add the first sheet: what is in the workbook, in a few lines."""
        sheet = self.workbook.add_worksheet("Summary")
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 90)
        sheet.write_string(0, 0, "Customer lifetime value", self.title)
        lines: list[tuple[str, str]] = []
        if comparison is not None:
            lines.append(
                (
                    "Comparison",
                    f"{comparison.data['customers']:,} customers, cut on {comparison.cutoff}, then "
                    f"{comparison.days} days until {comparison.end}",
                )
            )
            best = [f"{t}: {comparison.winner(t)}" for t in comparison.targets]
            lines.append(("", "smallest mean absolute error per customer: " + "; ".join(best)))
        if segments is not None:
            lines.append(("Segments", f"{len(segments.summary):,} customers by RFM"))
        if tiers is not None:
            lines.append(("Tiers", f"{len(tiers.summary):,} customers by predicted value"))
        if cohorts is not None:
            lines.append(("Cohorts", repr(cohorts)))
        if economics is not None:
            lines.append(("Unit economics", f"intervals of {economics.level:.0%}"))
        if table is not None:
            many = table.num_rows >= MOST_ROWS
            said = _too_many(table.num_rows, path) if many else f"{table.num_rows:,} rows"
            lines.append(("Customers", said))
        for row, (name, text) in enumerate(lines, 2):
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 1, text)

    def comparison(self, comparison: Comparison) -> None:
        """Add the sheet of scores, one row per candidate and target."""
        rows = sorted(comparison.scores, key=lambda s: comparison.targets.index(s["target"]))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        about = (
            f"Models and formulas on {comparison.days} days after {comparison.cutoff}, which none "
            "of them has seen; mae and rmse are per customer"
        )
        sheet, last = self.put("Comparison", about, columns)
        first = [row["target"] for row in rows].count(comparison.targets[0])
        self.chart(
            sheet,
            "Comparison",
            "bar",
            (last + 1, 0),
            rows=(3, 2 + first),
            columns=[list(columns).index("mae")],
            title=f"Mean absolute error, {comparison.targets[0]}",
        )

    def segments(self, segments: Segmentation | LargeSegmentation) -> None:
        """Add the sheet of segments, with deciles where there is a model."""
        columns = _plain(segments.table())
        sheet, last = self.put("Segments", "Customers by recency, frequency and money", columns)
        names, size = list(columns), len(columns["segment"])
        shown = [n for n in ("share", "past_share", "expected_share") if n in names]
        places = [names.index(n) for n in shown]
        title = "Shares of customers, past and predicted value"
        end = last
        if segments.model is not None:
            sheet.write_string(last + 1, 0, "Deciles of predicted value, 1 the highest", self.note)
            end = self.table(sheet, last + 2, _plain(segments.deciles()))
        self.chart(
            sheet,
            "Segments",
            "column",
            (end + 1, 0),
            rows=(3, 2 + size),
            columns=places,
            title=title,
        )

    def tiers(self, tiers: Tiering | LargeTiering) -> None:
        """Add the sheet of tiers, and of lists to act on."""
        columns = _plain(tiers.table)
        columns["threshold"] = [v if math.isfinite(v) else None for v in columns["threshold"]]
        sheet, last = self.put("Tiers", "Customers by predicted value, best first", columns)
        sheet.write_string(last + 1, 0, "Lists to act on", self.note)
        self.table(sheet, last + 2, _plain(tiers.lists))

    def cohorts(self, cohorts: Cohorts) -> None:
        """Add the sheet of cohorts: a block for each measure, shaded from low to high."""
        sheet = self.sheet("Cohorts", "Months since acquisition; forecasts are in italics")
        sheet.set_column(0, 0, 14)
        sheet.freeze_panes(1, 2)
        top = 2
        for measure in cohorts.measures:
            columns = _plain(cohorts.wide(measure))
            form = "#,##0.00" if measure == "revenue" else "0.0%"
            seen = self.workbook.add_format({"num_format": form})
            ahead = self.workbook.add_format({"num_format": form, "italic": True})
            sheet.write_string(top, 0, MEASURES[measure], self.note)
            for place, name in enumerate(columns):
                sheet.write_string(top + 1, place, name, self.head)
            values = getattr(cohorts, measure)
            for i, cohort in enumerate(cohorts.names):
                sheet.write_string(top + 2 + i, 0, cohort)
                sheet.write_number(top + 2 + i, 1, int(cohorts.customers[i]))
                for k in np.flatnonzero(np.isfinite(values[i])):
                    how = ahead if cohorts.forecast[i, k] else seen
                    sheet.write_number(top + 2 + i, 2 + int(k), float(values[i, k]), how)
            first = 3 if measure == "retention" else 2  # month 0 is 100% by definition
            last, right = top + 1 + len(cohorts.names), max(1 + values.shape[1], first)
            scale = {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": "#56B4E9"}
            sheet.conditional_format(top + 2, first, last, right, scale)
            top = last + 3

    def economics(self, economics: UnitEconomics) -> None:
        """Add the sheet of unit economics, model and formula side by side, with the curve."""
        columns = _plain(economics.table)
        for name in ("model", "low", "high", "formula"):
            columns[name] = ["never" if v == math.inf else v for v in columns[name]]
        columns["meaning"] = [QUANTITIES[name] for name in columns["quantity"]]
        about = f"Per customer; low to high: {economics.level:.0%} interval of the model's answer"
        sheet, last = self.put("Unit economics", about, columns)
        self.table(sheet, last + 1, _plain(economics.costs))
        curve = _plain(economics.curve())
        group, days = curve[next(iter(curve))], list(curve).index("days")
        top = last + len(economics.names) + 4
        sheet.write_string(top - 1, 0, "Cumulative value of a new customer", self.note)
        self.table(sheet, top, curve)
        self.chart(
            sheet,
            "Unit economics",
            "line",
            (2, len(columns) + 1),
            rows=(top + 1, top + group.count(group[0])),
            columns=[list(curve).index(name) for name in ("model", "formula")],
            label=days,
            title="Cumulative value of a new customer, by days",
        )

    def customers(self, table: Any) -> None:
        """Add the sheet of customers, batch by batch."""
        sheet = self.sheet("Customers", f"{table.num_rows:,} customers")
        names, kinds = table.column_names, [_kind(name) for name in table.column_names]
        self.dress(sheet, 1, names, 2 + table.num_rows)
        for place, name in enumerate(names):
            sheet.write_string(1, place, name, self.head)
        row = 2
        for batch in table.to_batches(max_chunksize=10_000):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
                    self.cell(sheet, row, place, value, kind)
                row += 1


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingDependencyError.for_feature(
            "xlsxwriter", "An Excel workbook (pip install 'clvmodel[excel]')", error
        ) from error
    return xlsxwriter


def _plain(table: Any) -> dict[str, list[Any]]:
    """Columns of any table as lists."""
    arrow = read_frame(table)[0]
    return {name: arrow[name].to_pylist() for name in arrow.column_names}


def _kind(name: str) -> str:
    """How numbers of a column are shown, by its name."""
    if name in _COUNTS or name.isdigit():
        return "count"
    if name.endswith("share") or name.startswith(_SHARES):
        return "share"
    return "text"


def _fits(value: Any) -> bool:
    """Whether Excel holds a number as it is."""
    if isinstance(value, float | np.floating):
        return math.isfinite(value)
    return abs(int(value)) < _EXACT


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_customers.parquet")


def _too_many(customers: int, path: Path) -> str:
    return (
        f"{customers:,} customers are more than the {MOST_ROWS - 1:,} that fit on an Excel sheet: "
        f"they are in {_beside(path).name}, beside this workbook."
    )
