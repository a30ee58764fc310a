"""Sheets of a workbook, one for each part: tables, charts, and the cells that hold them.

Values only: no cell is a formula, and texts of the data stay texts, whatever they begin with.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clvmodel.evaluate.comparison import Comparison
from clvmodel.present import basis
from clvmodel.tables.frames import read_frame
from clvmodel.value.cohorts import MEASURES, Cohorts
from clvmodel.value.economics import QUANTITIES, UnitEconomics
from clvmodel.value.large_decisions import LargeSegmentation, LargeTiering
from clvmodel.value.segments import Segmentation
from clvmodel.value.tiering import Tiering

_LONGEST = 32_767  # characters of a cell
_EXACT = 10**15  # whole numbers beyond are texts: Excel keeps 15 digits
_FIRST_DAY = dt.date(1900, 3, 1)  # Excel counts days before as if 1900 were a leap year
_WIDE = 34
_MOST_LINES = 12  # cohorts in a chart
_COUNTS = {"customers", "purchases", "frequency", "days_silent", "month", "renewals", "code"}
_SHARES = ("share", "p_", "bias", "retention", "repeat_rate", "top_decile")


class Book:
    """A workbook in the making: formats, and a method for each sheet."""

    def __init__(self, workbook: Any) -> None:
        """Make the formats of an open workbook."""
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

    def front(self, lines: Sequence[tuple[str, str]]) -> None:
        """Add the first sheet: what is in the workbook, in a few lines."""
        sheet = self.workbook.add_worksheet("Summary")
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 90)
        sheet.write_string(0, 0, "Customer lifetime value", self.title)
        for row, (name, text) in enumerate(lines, 2):
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 1, text)

    def sheet(self, name: str, about: str, rests_on: str = "") -> Any:
        """Add a sheet with a line that says what it holds, and one on what that rests on."""
        sheet = self.workbook.add_worksheet(name)
        sheet.write_string(0, 0, about, self.note)
        if rests_on:
            sheet.write_string(1, 0, rests_on, self.note)
        return sheet

    def table(
        self,
        sheet: Any,
        top: int,
        columns: Mapping[str, Sequence[Any]],
        row_kinds: Sequence[str] | None = None,
    ) -> int:
        """Write columns under their names from row `top` on; returns the row after them.

        `row_kinds` says how the numbers of each row are shown, where their column does not tell.
        """
        names = list(columns)
        kinds = [_kind(name) for name in names]
        for place, name in enumerate(names):
            sheet.write_string(top, place, name, self.head)
        row = top
        for row, values in enumerate(zip(*columns.values(), strict=True), top + 1):
            own = "text" if row_kinds is None else row_kinds[row - top - 1]
            for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
                self.cell(sheet, row, place, value, own if kind == "text" else kind)
        return row + 1

    def cell(self, sheet: Any, row: int, place: int, value: Any, kind: str) -> None:
        """Write one value by its type: texts as texts, never as formulas; NaN stays empty."""
        if value is None or value != value:
            return
        if isinstance(value, bool | np.bool_):
            sheet.write_boolean(row, place, bool(value))
        elif isinstance(value, dt.date) and _day(value) >= _FIRST_DAY:
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

    def put(
        self,
        name: str,
        about: str,
        columns: Mapping[str, Sequence[Any]],
        rests_on: str = "",
        row_kinds: Sequence[str] | None = None,
    ) -> tuple[Any, int]:
        """Add a sheet that is one table; returns it and the row after the table."""
        sheet = self.sheet(name, about, rests_on)
        last = self.table(sheet, 2, columns, row_kinds)
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
        about = "Customers by recency, frequency and money"
        sheet, last = self.put("Segments", about, columns, basis.of_segments(segments))
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

    def tiers(self, tiers: Tiering | LargeTiering, rests_on: str) -> None:
        """Add the sheet of tiers, and of lists to act on; `rests_on`: horizon and margin."""
        columns = _plain(tiers.table)
        columns["threshold"] = [v if math.isfinite(v) else None for v in columns["threshold"]]
        what = "value" if tiers.target == "expected_value" else "purchases"
        about = f"Customers by predicted {what}, best first"
        sheet, last = self.put("Tiers", about, columns, rests_on)
        sheet.write_string(last + 1, 0, "Lists to act on", self.note)
        end = self.table(sheet, last + 2, _plain(tiers.lists))
        self.chart(
            sheet,
            "Tiers",
            "column",
            (end + 1, 0),
            rows=(3, 2 + len(columns["tier"])),
            columns=[list(columns).index(n) for n in ("share", "past_share", "expected_share")],
            title=f"Shares of customers, past and predicted {what}",
        )

    def cohorts(self, cohorts: Cohorts) -> None:
        """Add the sheet of cohorts: a block for each measure, shaded from low to high."""
        about = "Months since acquisition; forecasts are in italics; revenue is without a margin"
        sheet = self.sheet("Cohorts", about)
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
        self.lines_of(sheet, cohorts, top)

    def lines_of(self, sheet: Any, cohorts: Cohorts, top: int) -> None:
        """Add a chart of the first measure below the blocks: a line per cohort, some of many."""
        measure, months = cohorts.measures[0], cohorts.retention.shape[1]
        first = 1 if measure == "retention" and months > 1 else 0
        size = len(cohorts.names)
        rows = sorted({round(i) for i in np.linspace(0, size - 1, min(size, _MOST_LINES))})
        chart = self.workbook.add_chart({"type": "line"})
        for i in rows:
            chart.add_series(
                {
                    "name": ["Cohorts", 4 + i, 0],
                    "categories": ["Cohorts", 3, 2 + first, 3, 1 + months],
                    "values": ["Cohorts", 4 + i, 2 + first, 4 + i, 1 + months],
                }
            )
        some = f"; {len(rows)} of {size} cohorts" if len(rows) < size else ""
        title = f"{MEASURES[measure].capitalize()}, by months since acquisition{some}"
        chart.set_title({"name": title, "name_font": {"size": 11}})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 720, "height": 360})
        sheet.insert_chart(top, 0, chart)

    def economics(self, economics: UnitEconomics) -> None:
        """Add the sheet of unit economics, model and formula side by side, with the curve."""
        columns = _plain(economics.table)
        for name in ("model", "low", "high", "formula"):
            columns[name] = ["never" if v == math.inf else v for v in columns[name]]
        quantities = columns["quantity"]
        columns["meaning"] = [QUANTITIES[name] for name in quantities]
        about = f"Low to high: {economics.level:.0%} interval of the model's answer"
        about += f". {basis.PAYBACK}" if "payback_days" in quantities else ""
        kinds = ["share" if name.startswith("p_") else "text" for name in quantities]
        known = basis.of_economics(economics)
        sheet, last = self.put("Unit economics", about, columns, known, kinds)
        self.table(sheet, last + 1, _plain(economics.costs))
        curve = _plain(economics.curve())
        group, days = curve[next(iter(curve))], list(curve).index("days")
        top = last + len(economics.names) + 4
        told = (
            "Cumulative value of a new customer, not discounted: the model counts the first "
            "purchase on day 0, the formula spreads purchases evenly"
        )
        sheet.write_string(top - 1, 0, told, self.note)
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

    def customers(self, table: Any, rests_on: str) -> None:
        """Add the sheet of customers, batch by batch; `rests_on` is said above the table."""
        sheet = self.sheet("Customers", f"{table.num_rows:,} customers. {rests_on}")
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


def _day(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value
