"""An Excel workbook of what was found: comparison, segments, cohorts, economics, customers.

Values only: no cell is a formula. Texts from the data stay texts, whatever they begin with, so that
an order export cannot smuggle in "=HYPERLINK(...)". The file is the same every time.
"""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clvmodel.errors import MissingDependencyError, ParameterError
from clvmodel.present import basis
from clvmodel.present.customer_sections import IDS, about_ids, report_names
from clvmodel.present.sheets import Book
from clvmodel.present.verdict import smallest_error
from clvmodel.tables.files import check_output, replacing, write_table
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary

if TYPE_CHECKING:
    from clvmodel.evaluate.comparison import Comparison
    from clvmodel.value.cohorts import Cohorts
    from clvmodel.value.economics import UnitEconomics
    from clvmodel.value.large_decisions import LargeSegmentation, LargeTiering
    from clvmodel.value.segments import Segmentation
    from clvmodel.value.tiering import Tiering

MOST_ROWS = 1_048_576  # of an Excel sheet, its head included
_STREAMED = 20_000  # customers from which rows are written to disk as they come
_EPOCH = dt.datetime(2000, 1, 1)
_ID = "customer_id"


def write_workbook(
    path: Any,
    *,
    comparison: Comparison | None = None,
    segments: Segmentation | LargeSegmentation | None = None,
    tiers: Tiering | LargeTiering | None = None,
    cohorts: Cohorts | None = None,
    economics: UnitEconomics | None = None,
    scores: Any = None,
    horizon: Any = None,
    margin: Any = None,
    ids: str = "show",
    summary: Summary | None = None,
) -> str:
    """Write a workbook with a sheet for each part that is given, and return its path.

    `scores` is any table of customers, such as `model.predict` returns. `horizon` and `margin` are
    those that they, and tiers without segments, were made with, so that the sheets say so. More
    customers than a sheet has rows (1,048,575) are written as Parquet beside the workbook, which
    then says so, as does a UserWarning.

    `ids` says whether customers are named, as in the report: "show", "hash" (the names that the
    report of the same `summary` has, which only who has the data can trace back) or "hide" (they
    are numbered). It is about the column customer_id; other columns of scores stay as they are.

    Replaces the file whole or not at all. Needs the extra "excel". Raises ParameterError where
    nothing is given, or something else than was asked for, FileError, MissingDependencyError.
    """
    parts = {"segments": segments, "tiers": tiers, "cohorts": cohorts, "economics": economics}
    if all(part is None for part in (*parts.values(), comparison, scores)):
        raise ParameterError("A workbook of what? Give comparison=, segments=, scores=, ...")
    basis.check_parts({**parts, "comparison": comparison})
    if ids not in IDS:
        raise ParameterError.not_one_of("ids", ids, IDS)
    check_output(path, (".xlsx",))
    xlsxwriter = _xlsxwriter()
    read = None if scores is None else read_frame(scores, what="scores")[0]
    table = read if read is None or ids == "show" else _without_ids(read, summary, ids)
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "constant_memory": table is not None and table.num_rows > _STREAMED,
    }
    with replacing(path) as temporary, xlsxwriter.Workbook(str(temporary), options) as workbook:
        workbook.set_properties({"title": "Customer lifetime value", "created": _EPOCH})
        book = Book(workbook)
        book.front(_front(Path(path), comparison, parts, table))
        if comparison is not None:
            book.comparison(comparison)
        if segments is not None:
            book.segments(segments)
        if tiers is not None:
            book.tiers(tiers, basis.of_tiers(tiers))
        if cohorts is not None:
            book.cohorts(cohorts)
        if economics is not None:
            book.economics(economics)
        if table is not None and table.num_rows < MOST_ROWS:
            given = summary or getattr(tiers or segments, "summary", None)
            known = basis.of_scores(read, horizon, margin, given)
            book.customers(table, " ".join([known, *about_ids(ids)]).strip())
    if table is not None and table.num_rows >= MOST_ROWS:
        write_table(table, _beside(Path(path)))
        warnings.warn(_too_many(table.num_rows, Path(path)), UserWarning, stacklevel=2)
    return str(path)


def _front(
    path: Path, comparison: Comparison | None, parts: dict[str, Any], table: Any
) -> list[tuple[str, str]]:
    """What is in the workbook: names and lines."""
    lines: list[tuple[str, str]] = []
    if comparison is not None:
        about = (
            f"{comparison.data['customers']:,} customers, cut on {comparison.cutoff}, then "
            f"{comparison.days} days until {comparison.end}"
        )
        lines.append(("Comparison", about))
        for target in comparison.targets:
            best = smallest_error(comparison, target)
            lines.append(("", f"smallest mean absolute error per customer, {target}: {best}"))
    if parts["segments"] is not None:
        lines.append(("Segments", f"{len(parts['segments'].summary):,} customers by RFM"))
    if parts["tiers"] is not None:
        what = "value" if parts["tiers"].target == "expected_value" else "purchases"
        said = f"{len(parts['tiers'].summary):,} customers by predicted {what}"
        lines.append(("Tiers", said))
    if parts["cohorts"] is not None:
        lines.append(("Cohorts", repr(parts["cohorts"])))
    if parts["economics"] is not None:
        lines.append(("Unit economics", f"intervals of {parts['economics'].level:.0%}"))
    if table is not None:
        many = table.num_rows >= MOST_ROWS
        said = _too_many(table.num_rows, path) if many else f"{table.num_rows:,} rows"
        lines.append(("Customers", said))
    return lines


def _without_ids(table: Any, summary: Summary | None, ids: str) -> Any:
    """The table with other names instead of ids; raises ParameterError where that cannot be."""
    if _ID not in table.column_names:
        raise ParameterError(f"ids={ids!r} renames {_ID}, a column which scores does not have.")
    if ids == "hash" and summary is None:
        raise ParameterError("ids='hash' needs summary=, on whose data the names depend.")
    names = report_names(table[_ID].to_pylist(), summary, ids)
    return table.set_column(table.column_names.index(_ID), _ID, [names])


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingDependencyError.for_feature(
            "xlsxwriter", "An Excel workbook (pip install 'clvmodel[excel]')", error
        ) from error
    return xlsxwriter


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_customers.parquet")


def _too_many(customers: int, path: Path) -> str:
    return (
        f"{customers:,} customers are more than the {MOST_ROWS - 1:,} that fit on an Excel sheet: "
        f"they are in {_beside(path).name}, beside this workbook."
    )
