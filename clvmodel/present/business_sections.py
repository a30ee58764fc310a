"""Sections to decide by: segments, tiers, cohorts and, where costs are given, unit economics."""

from __future__ import annotations

from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodel.present import basis, words
from clvmodel.present.blocks import (
    Block,
    Cell,
    Figure,
    Heading,
    Pairs,
    Section,
    Table,
    Text,
    row,
    section,
)
from clvmodel.tables.frames import read_frame
from clvmodel.value.cohorts import MEASURES, Cohorts
from clvmodel.value.economics import QUANTITIES
from clvmodel.value.tiering import LISTS

if TYPE_CHECKING:
    from clvmodel.present.report import Parts

_ROWS, _COLUMNS = 18, 13  # cohorts and months of a table on the page
_SHARES = ("p_target",)
_COHORTS = {
    "retention": "Share of the cohort that buys in the month",
    "repeat_rate": "Share of the cohort with two purchases or more by then",
    "revenue": "Revenue so far per customer of the cohort",
}
_NAMES = {
    "ltv": "Value of a new customer",
    "ltv_to_cac": "Value over cost (LTV:CAC)",
    "p_target": "Chance to reach the target ratio",
    "payback_days": "Days until the cost is earned back",
    "return_on_spend": "Return on acquisition spend",
    "allowable_cac": "What a new customer may cost",
    "max_bid": "What a click may cost to break even",
    "target_bid": "What a click may cost at the target",
    "next_year_value": "Next year's value of a customer of today",
    "retention_budget": "What a retention offer may cost",
    "break_even_uplift": "Uplift that pays for the offer",
}


def decisions(parts: Parts) -> list[Section]:
    """Segments, tiers, cohorts, unit economics."""
    return [_segments(parts), _tiers(parts), _cohorts(parts), _economics(parts)]


def _segments(parts: Parts) -> Section:
    title = "Segments"
    if parts.segments is None:
        return Section("segments", title, missing="no segments were given (they need amounts).")
    table = read_frame(parts.segments.table())[0].to_pylist()
    shown = [
        ("Customers", "customers", lambda v: f"{v:,}"),
        ("Share", "share", words.percent),
        ("Past value", "past_value", words.number),
        ("Share of past value", "past_share", words.percent),
        ("Chance of a purchase", "p_purchase", words.percent),
        ("Predicted value", "expected_value", words.amount),
        ("Share of predicted value", "expected_share", words.percent),
        ("Per customer", "value_per_customer", words.number),
    ]
    told = (
        "By recency, frequency and money (RFM), with what the model predicts beside it, below that "
        "the 90% interval of the segment's total. Where the share of predicted value is far from "
        "the share of past value, customers have fallen silent, or have only just begun: who is "
        "new has little past."
    )
    return section(
        "segments",
        title,
        Text(told, soft=True),
        Text(basis.of_segments(parts.segments), soft=True),
        _rows("Segment", "segment", table, shown),
    )


def _tiers(parts: Parts) -> Section:
    title = "Tiers of predicted value"
    if parts.tiers is None:
        return Section("tiers", title, missing="no tiers were given (tiers=clv.tier(...)).")
    target = parts.tiers.target
    what = "value" if target == "expected_value" else "purchases"
    shown = [
        ("Customers", "customers", lambda v: f"{v:,}"),
        ("Share", "share", words.percent),
        (f"From a predicted {what} of", "threshold", words.amount),
        (f"Share of past {what}", "past_share", words.percent),
        (f"Predicted {what}", target, words.amount),
        (f"Share of predicted {what}", "expected_share", words.percent),
        ("Chance of a purchase", "p_purchase", words.percent),
    ]
    lists = [
        ("Customers", "customers", lambda v: f"{v:,}"),
        (f"Past {what}", "past_value", words.number),
        (f"Predicted {what}", target, words.amount),
    ]
    tiers, acts = (read_frame(t)[0].to_pylist() for t in (parts.tiers.table, parts.tiers.lists))
    for tier in tiers:
        if not isfinite(tier["threshold"]):
            tier["threshold"] = None
    known = basis.of_tiers(parts.tiers)
    return section(
        "tiers",
        title,
        Text(known, soft=True),
        _rows("Tier", "tier", tiers, shown),
        Heading("Lists to act on"),
        _rows("List", "list", acts, lists),
        Pairs(
            tuple(
                (words.sentence(name), words.sentence(LISTS[name].replace("value", what)))
                for name in LISTS
            ),
            terms=True,
        ),
    )


def _rows(name: str, key: str, table: list[dict[str, Any]], shown: list[Any]) -> Table:
    """Rows of a table, of those columns that it has."""
    known = [part for part in shown if table and part[1] in table[0]]
    head = (name, *(label for label, _, _ in known))

    def cell(line: dict[str, Any], column: str, show: Any) -> Cell:
        value = line[column]
        none = value is None or value != value
        note = ""
        if column == "expected_value" and line.get("value_q05") is not None:
            note = f"{words.number(line['value_q05'])} to {words.number(line['value_q95'])}"
        return Cell(words.NOTHING if none else show(value), note=note, value=value)

    rows = (
        row(words.sentence(line[key]), *(cell(line, column, show) for _, column, show in known))
        for line in table
    )
    return Table("", head, tuple(rows))


def _cohorts(parts: Parts) -> Section:
    title = "Cohorts"
    if parts.cohorts is None:
        why = "no cohorts were given; they need single purchases (cohorts=clv.cohorts(summary))."
        return Section("cohorts", title, missing=why)
    found = parts.cohorts
    told = (
        "Customers by month of their first purchase, which is month 0. Dashed lines, and numbers "
        "marked ~, are the model's forecast."
        if found.forecast.any()
        else "Customers by month of their first purchase, which is month 0."
    )
    blocks = [b for measure in found.measures for b in _cohort(found, measure)]
    return section("cohorts", title, Text(told, soft=True), blocks)


def _cohort(found: Cohorts, measure: str) -> list[Block]:
    from clvmodel.present import plots

    values = np.asarray(getattr(found, measure), float)
    last = len(found.names)
    first, months = max(0, last - _ROWS), min(values.shape[1], _COLUMNS)
    show = words.number if measure == "revenue" else words.percent
    rows = []
    for i in range(first, last):
        line = [
            Cell(words.NOTHING)
            if np.isnan(v)
            else Cell(("~" if found.forecast[i, k] else "") + show(v), value=float(v))
            for k, v in enumerate(values[i, :months])
        ]
        rows.append(row(f"{found.names[i]} ({found.customers[i]:,})", *line))
    part = f"; the last {last - first} cohorts" if first else ""
    part += f"; the first {months} months" if months < values.shape[1] else ""
    table = Table(
        f"{_COHORTS[measure]}{part}.",
        ("Cohort (customers)", *map(str, range(months))),
        tuple(rows),
        folded=measure != "retention",
    )
    figure = Figure(
        f"cohort-{measure.replace('_', '-')}",
        f"{_COHORTS[measure]}, a line per cohort, {found.names[0]} to {found.names[-1]}. The "
        "numbers are in the table below.",
        "A line for each cohort, its colour by the month of the first purchase (see the bar); "
        "dashed where the model continues it.",
        partial(plots.plot_cohort_curves, found, measure),
        {"measure": MEASURES[measure], **_numbers(found, values)},
    )
    return [Heading(_COHORTS[measure]), figure, table]


def _numbers(found: Cohorts, values: Any) -> dict[str, Any]:
    lists = [[None if np.isnan(v) else float(v) for v in line] for line in values]
    return {"cohorts": list(found.names), "values": lists, "forecast": found.forecast.tolist()}


def _economics(parts: Parts) -> Section:
    title = "Unit economics"
    if parts.economics is None:
        why = (
            "no cost of winning a customer was given (--cac, or economics=clv.UnitEconomics(...))."
        )
        return Section("economics", title, missing=why)
    found = parts.economics
    by = found.by or "group"
    blocks: list[Block] = []
    head = "Quantity", "By the model", f"{words.percent_short(found.level)} interval"
    for group in found.names:
        rows = [r for r in found.rows if r[by] == group]
        if len(found.names) > 1:
            blocks.append(Heading(str(group).capitalize() if group == "all" else str(group)))
            cost = basis.of_group(found, group)
            blocks += [Text(cost, soft=True)] if cost else []
        lines = tuple(_quantity(r) for r in rows)
        blocks.append(Table("", (*head, "By the store formula"), lines))
    used = [name for name in QUANTITIES if any(r["quantity"] == name for r in found.rows)]
    terms = tuple(
        (_NAMES[name], words.sentence(QUANTITIES[name].split("; inf")[0])) for name in used
    )
    told = [Text(basis.of_economics(found), soft=True)]
    told += [Text(basis.PAYBACK, soft=True)] if "payback_days" in used else []
    return section("economics", title, told, blocks, Pairs(terms, terms=True))


def _quantity(line: dict[str, Any]) -> tuple[Cell, ...]:
    share = line["quantity"] in _SHARES

    def show(value: float) -> str:
        if value != value:
            return words.NOTHING
        if not isfinite(value):
            return "never" if line["quantity"] == "payback_days" else "unbounded"
        return words.percent(value) if share else words.number(value)

    ends = words.NOTHING
    if line["low"] == line["low"]:
        ends = f"{show(line['low'])} to {show(line['high'])}"
    model, formula = (Cell(show(line[n]), value=line[n]) for n in ("model", "formula"))
    return (Cell(_NAMES[line["quantity"]]), model, Cell(ends), formula)
