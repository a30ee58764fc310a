"""The comparison as one self-contained HTML page: no script, nothing fetched, prints well."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from clvmodel.evaluate.comparison import Comparison
from clvmodel.evaluate.metrics import BEST
from clvmodel.present import words
from clvmodel.present.verdict import (
    MEASURES,
    Measure,
    answers,
    best,
    cautions,
    duel,
    headline,
    main_target,
)
from clvmodel.tables.files import write_text
from clvmodel.units import UNIT_NAMES

if TYPE_CHECKING:
    from clvmodel.present.plots import Plot

_TIMELESS = ("GammaGamma",)
_KINDS = {"model": "model", "formula": "formula", "naive": "naive rule"}
_SHAPES = {"wide": (10.0, 4.4), "narrow": (4.7, 4.0)}  # inches, for desks and for phones
_HOW_TO_READ = {
    "tracking": "How to read it: left of the cutoff, a model shows what it expects of customers of "
    "whom it knows only when they joined; right of it, every candidate shows its forecast. The "
    "closer a line stays to the thick one, what happened, the better.",
    "frequency": "How to read it: customers are grouped by how often they had come back before the "
    "cutoff. A line above the thick one, what happened, promises too much for that group, one "
    "below it too little.",
}


def write_report(comparison: Comparison, path: str | os.PathLike[str] | None = None) -> str:
    """Render a comparison as one HTML page; return it, or write it to `path` and return the path.

    The same comparison gives the same bytes. The file appears whole or not at all; its folder is
    made if need be. Raises FileError if it cannot be written.
    """
    page = _render(comparison)
    if path is None:
        return page
    write_text(path, page.encode("utf-8", "replace").decode())
    return str(path)


def _render(comparison: Comparison) -> str:
    environment = Environment(
        loader=PackageLoader("clvmodel.present"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=words.number, percent=words.percent, joined=words.joined, parameter=words.parameter
    )
    return environment.get_template("report.html").render(_content(comparison))


def _content(comparison: Comparison) -> dict[str, Any]:
    """Everything that the page says, section by section."""
    fits = _fits(comparison)
    return {
        "title": "Which forecast of customers is right?",
        "period": _period(comparison),
        "answer": _answer(comparison) if comparison.scores else None,
        "data": _data(comparison),
        "books": _books(comparison),
        "tables": [_table(comparison, target) for target in reversed(comparison.targets)],
        "measures": MEASURES,
        "figures": _figures(comparison),
        "frequencies": _frequencies(comparison),
        "assumed": [
            {"name": r.name, "kind": _KINDS.get(r.kind, r.kind), "text": r.assumptions}
            for r in comparison.results
            if not r.error
        ],
        "fits": fits,
        "agreement": words.agreement([f for r in comparison.results for f in r.fits]),
        "failed": [r for r in comparison.results if r.error],
        "command": comparison.options.get("command"),
        "options": [(k, str(v)) for k, v in comparison.options.items() if k != "command"],
        "versions": list(comparison.versions.items()),
        "fingerprint": comparison.data.get("fingerprint"),
    }


def _period(comparison: Comparison) -> str:
    start = comparison.cutoff + dt.timedelta(days=1)
    return (
        f"Every candidate saw the orders up to {comparison.cutoff} and forecast the "
        f"{words.plural(comparison.days, 'day')} after it ({start} to {comparison.end}) for "
        f"{words.plural(comparison.data['customers'], 'customer')} known by then. Below, the "
        "forecasts are held against what those customers did."
    )


def _answer(comparison: Comparison) -> dict[str, Any]:
    main = main_target(comparison)
    other = [t for t in comparison.targets if t != main]
    return {
        "target": main,
        "headline": headline(comparison, main),
        "rows": answers(comparison, main),
        "cautions": cautions(comparison, main),
        "duel": duel(comparison, main),
        "also": [f"For the number of {t}: {headline(comparison, t)}" for t in other],
        "failed": words.joined(r.name for r in comparison.results if r.error),
    }


def _data(comparison: Comparison) -> list[tuple[str, str]]:
    data = comparison.data
    customers, repeat = data.get("customers"), data.get("repeat_customers")
    share = f" ({words.percent(repeat / customers)})" if customers and repeat is not None else ""
    return [
        ("Data", str(data.get("source", words.NOTHING))),
        ("Rows", words.number(data.get("rows"))),
        ("Where the rows went", str(data.get("reconciliation", words.NOTHING))),
        ("Purchases (all orders of a customer on one day)", words.number(data.get("purchases"))),
        ("Orders from", f"{data.get('first')} to {data.get('last')}"),
        ("Cutoff: last day the candidates saw", str(comparison.cutoff)),
        (
            "Holdout: days they had to forecast",
            f"{comparison.days:,} (to {comparison.end}, inclusive)",
        ),
        ("Customers known at the cutoff", words.number(customers)),
        ("of them with a repeat purchase by then", words.number(repeat) + share),
    ]


def _books(comparison: Comparison) -> dict[str, Any]:
    """Known customers plus those who came later: the total that the company's books show."""
    data = comparison.data
    columns = [
        ("Customers", data.get("customers"), data.get("late_customers")),
        ("Purchases", data.get("actual_purchases"), data.get("late_purchases")),
    ]
    if data.get("has_value"):
        columns.append(("Value", data.get("actual_value"), data.get("late_value")))
    sums = [None if a is None or b is None else a + b for _, a, b in columns]
    return {
        "columns": [name for name, _, _ in columns],
        "rows": [
            ("Known at the cutoff (forecast and scored)", [a for _, a, _ in columns]),
            ("First bought in the holdout (nobody's forecast)", [b for _, _, b in columns]),
            ("All, as in the books", sums),
        ],
    }


def _table(comparison: Comparison, target: str) -> dict[str, Any]:
    """One row per candidate, in the order of the mean absolute error."""
    rows = sorted(
        (s for s in comparison.scores if s["target"] == target),
        key=lambda s: float("inf") if s["mae"] is None else BEST["mae"](s["mae"]),
    )
    kinds = {r.name: _KINDS.get(r.kind, r.kind) for r in comparison.results}
    winners = {m.key: best(comparison, target, m) for m in MEASURES}
    return {
        "target": target,
        "actual": rows[0]["actual_total"],
        "rows": [
            {
                "name": row["candidate"],
                "kind": kinds.get(row["candidate"], ""),
                "total": row["predicted_total"],
                "cells": [_cell(m, row, winners[m.key]) for m in MEASURES],
                "behind": _behind(comparison, target, row),
            }
            for row in rows
        ],
    }


def _cell(measure: Measure, row: dict[str, Any], winners: Sequence[str]) -> dict[str, Any]:
    return {"text": measure.show(row[measure.key]), "best": row["candidate"] in winners}


def _behind(comparison: Comparison, target: str, row: dict[str, Any]) -> tuple[str, str]:
    for d in comparison.differences:
        if d["target"] == target and d["candidate"] == row["candidate"]:
            if d["candidate"] == d["reference"]:
                return "the best", ""
            return words.difference(d["difference"], d["low"], d["high"], row["mae"])
    return words.NOTHING, ""


def _figures(comparison: Comparison) -> list[dict[str, Any]]:
    from clvmodel.present import plots

    figures = []
    if comparison.tracking.get("dates"):
        lines, text = plots.tracking_lines(comparison), _tracking_text(comparison)
        shapes = _both_shapes(plots.plot_tracking, comparison, "tracking", text)
        figures.append({"lines": lines, "caption": _HOW_TO_READ["tracking"], **shapes})
    if comparison.by_frequency.get("groups"):
        lines, text = plots.frequency_lines(comparison), _frequency_text(comparison)
        shapes = _both_shapes(plots.plot_by_frequency, comparison, "frequency", text)
        figures.append({"lines": lines, "caption": _HOW_TO_READ["frequency"], **shapes})
    return figures


def _both_shapes(plot: Plot, comparison: Comparison, name: str, text: str) -> dict[str, str]:
    from clvmodel.present.plots import svg

    return {
        shape: svg(plot, comparison, size=size, name=f"{name}-{shape}", text=text)
        for shape, size in _SHAPES.items()
    }


def _tracking_text(comparison: Comparison) -> str:
    track = comparison.tracking
    ends = [f"actual {words.number(track['actual'][-1])}"]
    ends += [
        f"{n} {words.number(v[-1])}" for n, v in track["predicted"].items() if v[-1] is not None
    ]
    return (
        f"Cumulative repeat purchases of known customers, {track['dates'][0]} to "
        f"{track['dates'][-1]}, cutoff {comparison.cutoff}. At the end: {', '.join(ends)}."
    )


def _frequency_text(comparison: Comparison) -> str:
    table = comparison.by_frequency
    groups = ", ".join(
        f"{group}: {words.number(mean)}"
        for group, mean in zip(table["groups"], table["actual"], strict=True)
    )
    return (
        "Mean purchases per customer in the holdout by number of repeat purchases before. "
        f"Actual means: {groups}. The candidates' means are in the table below."
    )


def _frequencies(comparison: Comparison) -> dict[str, Any] | None:
    """The numbers of the second plot, for those who do not see it."""
    table = comparison.by_frequency
    if not table.get("groups"):
        return None
    rows = [("Customers", table["customers"]), ("Actual", table["actual"])]
    return {"groups": table["groups"], "rows": [*rows, *table["predicted"].items()]}


def _fits(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "candidate": result.name,
            "title": fit.get("title") or fit["model"],
            "unit": "" if fit["model"] in _TIMELESS else UNIT_NAMES.get(fit["unit"], fit["unit"]),
            "engine": fit["engine"],
            "log_likelihood": f"{fit['log_likelihood']:,.2f}".replace("-", words.MINUS),
            "converged": fit["converged"],
            "message": fit["message"],
            "rows": [
                (
                    row["parameter"],
                    words.parameter(row["estimate"]),
                    words.interval(row["low"], row["high"], row["estimate"]),
                )
                for row in fit["parameters"]
            ],
            "meaning": words.meaning(fit),
        }
        for result in comparison.results
        for fit in result.fits
    ]
