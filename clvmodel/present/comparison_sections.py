"""Sections on the comparison itself: the answer, the data, all measures, how to reproduce it."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clvmodel.evaluate.comparison import Comparison
from clvmodel.evaluate.metrics import BEST
from clvmodel.present import words
from clvmodel.present.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Heading,
    Pairs,
    Section,
    Table,
    Text,
    Verdict,
    row,
    section,
)
from clvmodel.present.measures import MEASURES
from clvmodel.present.verdict import (
    answers,
    best,
    cautions,
    contests,
    duel,
    headline,
    in_money,
    main_target,
)

if TYPE_CHECKING:
    from clvmodel.present.report import Parts
    from clvmodel.tables.audit import Audit

KINDS = {"model": "model", "formula": "formula", "naive": "naive rule", "learner": "learner"}
_ABOUT = {
    "value": "About what each customer was worth (value, in the currency of the orders), in the "
    "holdout.",
    "purchases": "About the number of purchases of each customer, in the holdout.",
}
_NAMES_IDS = ("ids_alike", "many_in_one")  # findings of an audit whose words name customers


def first(comparison: Comparison, parts: Parts) -> list[Section]:
    """The answer, the data with their audit, and all measures."""
    return [
        _answer(comparison),
        _data(comparison, parts),
        *([_no_audit()] if parts.audit is None else []),
        _measures(comparison),
    ]


def period(comparison: Comparison) -> str:
    """What was done, in two sentences."""
    start = comparison.cutoff + dt.timedelta(days=1)
    return (
        f"Every candidate saw the orders up to {comparison.cutoff} and forecast the "
        f"{words.plural(comparison.days, 'day')} after it ({start} to {comparison.end}) for "
        f"{words.plural(comparison.data['customers'], 'customer')} known by then. Below, the "
        "forecasts are held against what those customers did."
    )


def _no_audit() -> Section:
    title = "What the audit of the orders found"
    return Section("audit", title, missing="none was given (audit=clv.audit(orders, ...)).")


def _answer(comparison: Comparison) -> Section:
    if not comparison.scores:
        return Section("answer", "The answer", missing="no candidate could be scored.")
    main = main_target(comparison)
    other = [t for t in comparison.targets if t != main]
    fight = duel(comparison, main)
    said = [headline(comparison, main), fight and fight["sentence"], in_money(comparison)]
    wide = "Question", "Best", "By how much"
    rows = [row(r["question"], r["best"], r["text"]) for r in answers(comparison, main)]
    notes = cautions(comparison, main)
    notes += [f"For the number of {t}: {headline(comparison, t)}" for t in other]
    lost = words.joined(r.name for r in comparison.results if r.error)
    if lost:
        notes.append(f"Failed and not compared: {lost}. See the reasons further down.")
    return section(
        "answer",
        "The answer",
        Verdict(tuple(text for text in said if text)),
        Text(_ABOUT[main], soft=True),
        Table("", wide, tuple(rows), texts=3, stack=True),
        Bullets(tuple(notes)),
        *_how_sure(comparison, main),
        *_duel(fight),
    )


def _how_sure(comparison: Comparison, target: str) -> list[Block]:
    """Who cannot be told from whom, over all cutoffs."""
    rows = contests(comparison, target)
    if not rows:
        return []
    cutoffs = len({f["cutoff"] for f in comparison.folds if f["days"] == comparison.days})
    heading = f"How sure is that, over {cutoffs} cutoffs?" if cutoffs > 1 else "How sure is that?"
    over = f"Means over {cutoffs} cutoffs. " if cutoffs > 1 else ""
    head = "Measure", "Leader", "Value", "Cannot be told from it", "Clearly worse"
    told = (
        f"{over}The same customers are drawn again many times; a difference counts as clear when "
        f"its {words.percent_short(comparison.options.get('level', 0.95))} interval leaves out 0. "
        "The leader was picked on the same data, so a small lead flatters it. The intervals do not "
        "cover what moves all customers at once, such as a recession."
    )
    table = [row(r["question"], r["leader"], r["value"], r["unclear"], r["worse"]) for r in rows]
    shown = Table("", head, tuple(table), texts=5, stack=True)
    return [Heading(heading), shown, Text(told, soft=True)]


def _duel(fight: dict[str, Any] | None) -> list[Block]:
    if fight is None:
        return [Text("There is no model, or no formula, to hold against the other.")]
    head = "Measure", "Best model", "Best formula or naive rule", "Winner"
    rows = [
        row(
            r["question"],
            f"{r['model']}: {r['model_value']}",
            f"{r['formula']}: {r['formula_value']}",
            r["winner"],
        )
        for r in fight["rows"]
    ]
    table = Table("", head, tuple(rows), texts=4, stack=True)
    return [Heading("The best model against the best formula"), table]


def _data(comparison: Comparison, parts: Parts) -> Section:
    data = comparison.data
    known, repeat = data.get("customers"), data.get("repeat_customers")
    share = f" ({words.percent(repeat / known)})" if known and repeat is not None else ""
    several = sorted({fold["cutoff"] for fold in comparison.folds})
    pairs = [
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
        ("Customers known at the cutoff", words.number(known)),
        ("of them with a repeat purchase by then", words.number(repeat) + share),
    ]
    if len(several) > 1:
        pairs.append(("All cutoffs; this page shows the latest", ", ".join(several)))
    return section(
        "data",
        "What was compared, on which data",
        Pairs(tuple(pairs)),
        Heading("From the scored customers to the books"),
        _books(comparison),
        _audit(parts.audit, parts.ids),
    )


def _books(comparison: Comparison) -> Table:
    """Known customers plus those who came later: the total that the company's books show."""
    data = comparison.data
    columns = [
        ("Customers", data.get("customers"), data.get("late_customers")),
        ("Purchases", data.get("actual_purchases"), data.get("late_purchases")),
    ]
    if data.get("has_value"):
        columns.append(("Value", data.get("actual_value"), data.get("late_value")))
    sums = [None if a is None or b is None else a + b for _, a, b in columns]
    lines = (
        ("Known at the cutoff (forecast and scored)", [a for _, a, _ in columns]),
        ("First bought in the holdout (nobody's forecast)", [b for _, _, b in columns]),
        ("All, as in the books", sums),
    )
    return Table(
        "What happened in the holdout.",
        ("Customers who", *(name for name, _, _ in columns)),
        tuple(row(name, *values, show=words.number) for name, values in lines),
        total=True,
    )


def _audit(audit: Audit | None, ids: str) -> list[Block]:
    if audit is None:
        return []
    found = [Heading("What the audit of the orders found")]
    if not audit.findings:
        return [*found, Text("Nothing is wrong with the orders, as far as the audit looks.")]
    rows = []
    for f in audit.findings:
        named = ids != "show" and f.name in _NAMES_IDS
        message = f"{words.plural(f.customers, 'customer id')} (not named here)." if named else None
        rows.append(row(f.severity.capitalize(), message or f.message, f.remedy))
    head = "Weight", "What was found", "What to do"
    return [*found, Table("", head, tuple(rows), texts=3, stack=True)]


def _measures(comparison: Comparison) -> Section:
    tables = [b for target in reversed(comparison.targets) for b in _table(comparison, target)]
    terms = [(m.column, m.explanation) for m in MEASURES]
    behind = (
        "MAE above the best",
        "How much larger a candidate's MAE is than the smallest one, and where that difference "
        "lies with 95% confidence. If the interval includes 0, there is no clear difference.",
    )
    return section(
        "measures",
        "All measures",
        Text("★ marks the best of a column; those that print the same share it. Sorted by MAE.")
        if tables
        else Text("No candidate could be scored."),
        tables,
        Heading("What the measures mean"),
        Pairs((*terms, behind), terms=True),
    )


def _table(comparison: Comparison, target: str) -> list[Block]:
    """One row per candidate, in the order of the mean absolute error."""
    rows = sorted(
        (s for s in comparison.scores if s["target"] == target),
        key=lambda s: float("inf") if s["mae"] is None else BEST["mae"](s["mae"]),
    )
    kinds = {r.name: KINDS.get(r.kind, r.kind) for r in comparison.results}
    winners = {m.key: best(comparison, target, m) for m in MEASURES}
    unit = " purchases" if target == "purchases" else ""
    table = Table(
        f"Actual total: {words.number(rows[0]['actual_total'])}{unit}.",
        (
            "Candidate",
            "Kind",
            "Predicted total",
            *(m.column for m in MEASURES),
            "MAE above the best (95% interval)",
        ),
        tuple(
            row(
                r["candidate"],
                kinds.get(r["candidate"], ""),
                Cell(words.number(r["predicted_total"]), value=r["predicted_total"]),
                *(_cell(m, r, winners[m.key]) for m in MEASURES),
                _behind(comparison, target, r),
            )
            for r in rows
        ),
        texts=2,
    )
    name = "Value per customer" if target == "value" else "Purchases per customer"
    return [Heading(name), table]


def _cell(measure: Any, scored: dict[str, Any], winners: Sequence[str]) -> Cell:
    value, top = scored[measure.key], scored["candidate"] in winners
    return Cell(("★ " if top else "") + measure.show(value), top, value=value)


def _behind(comparison: Comparison, target: str, scored: dict[str, Any]) -> Cell:
    for d in comparison.differences:
        if d["target"] == target and d["candidate"] == scored["candidate"]:
            if d["candidate"] == d["reference"]:
                return Cell("the best")
            text, ends = words.difference(d["difference"], d["low"], d["high"], scored["mae"])
            return Cell(text, note=ends, value=d["difference"])
    return Cell(words.NOTHING)


def assumptions(comparison: Comparison) -> Section:
    """What each candidate takes for granted."""
    head = "Candidate", "Kind", "Assumptions"
    rows = [
        row(r.name, KINDS.get(r.kind, r.kind), r.assumptions or "none stated")
        for r in comparison.results
        if not r.error
    ]
    table = Table("", head, tuple(rows), texts=3, stack=True)
    return section("assumptions", "What each candidate assumed", table)


def failed(comparison: Comparison) -> Section | None:
    """Why a candidate has no numbers."""
    lost = tuple((r.name, r.error) for r in comparison.results if r.error)
    return section("failed", "Candidates that failed", Pairs(lost, terms=True)) if lost else None


def reproduce(comparison: Comparison, ids: str) -> Section:
    """Command, options, versions, and the fingerprint of the data."""
    command = comparison.options.get("command")
    pairs = [(k, str(v)) for k, v in comparison.options.items() if k != "command" and v is not None]
    if comparison.data.get("fingerprint"):
        pairs.append(("Fingerprint of the data", str(comparison.data["fingerprint"])))
    if comparison.versions:
        several = ", ".join(f"{name} {version}" for name, version in comparison.versions.items())
        pairs.append(("Versions", several))
    told: list[Block] = []
    if command:
        shown = command if ids == "show" else _without_ids(command)
        told = [Text("This command makes this page again from the same data:"), Code(shown)]
    return section("reproduce", "How to reproduce", told, Pairs(tuple(pairs)))


def _without_ids(command: str) -> str:
    """The command with customers that it leaves out (`--exclude-id`) not named."""
    said = shlex.split(command)
    for i, word in enumerate(said[:-1]):
        if word == "--exclude-id":
            said[i + 1] = "NOT-SHOWN"
    return shlex.join(said)
