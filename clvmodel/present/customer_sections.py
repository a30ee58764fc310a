"""The section on single customers: by their ids, by names that only the owner can read, or none."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodel.errors import ClvError
from clvmodel.present import words
from clvmodel.present.blocks import Block, Cell, Heading, Section, Table, Text, row, section
from clvmodel.tables.summary import Summary
from clvmodel.value.watch import LISTS, watch

if TYPE_CHECKING:
    from clvmodel.present.report import Parts

_TITLE = "Customers to look at"


def customers(parts: Parts, days: int) -> list[Section]:
    """Who is worth most, who may be lost, who is overdue."""
    if parts.summary is None or parts.model is None:
        why = "no fitted model and summary were given (model=, summary=)."
        return [Section("customers", _TITLE, missing=why)]
    scores = parts.scores
    try:
        if scores is None:
            scores = parts.model.predict(parts.summary, f"{days}D")
        found = watch(parts.summary, scores)
    except ClvError as error:
        return [Section("customers", _TITLE, missing=str(error))]
    chosen = sorted({r["row"] for rows in found.values() for r in rows})
    names = dict(zip(chosen, _names(parts.summary, chosen, parts.ids), strict=True))
    worth = parts.summary.total_value is not None and parts.model.spend is not None
    blocks = [b for name in LISTS for b in _list(name, found[name], names, worth)]
    seen = (
        f"As of {parts.summary.end}. A chance of a purchase is one within the horizon of the scores"
        + ("." if parts.scores is not None else f", the next {days:,} days.")
    )
    return [section("customers", _TITLE, Text(seen, soft=True), _about(parts.ids), blocks)]


def report_ids(summary: Summary) -> list[str]:
    """Names of all customers as a report with `ids="hash"` shows them, in the summary's order.

    They depend on all of the data: without the data nobody can try ids until one fits, and another
    day's report has other names.
    """
    return _names(summary, range(len(summary)), "hash")


def _names(summary: Summary, rows: Any, ids: str) -> list[str]:
    if ids == "hide":
        return [f"#{place}" for place, _ in enumerate(rows, 1)]
    known = [str(summary.ids[int(i)].as_py()) for i in rows]
    if ids == "show":
        return known
    key = _key(summary)
    return [hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:12] for name in known]


def _key(summary: Summary) -> bytes:
    """A secret that only the data hold: every history and amount, in order."""
    secret = hashlib.sha256(repr(summary.end).encode())
    columns = (summary.frequency, summary.recency, summary.T, summary.first_value)
    for values in (*columns, summary.monetary_value):
        if values is not None:
            secret.update(np.ascontiguousarray(values, "<f8").tobytes())
    for part in summary.ids.to_pylist():
        secret.update(f"{part}\0".encode("utf-8", "surrogatepass"))
    return secret.digest()


def _about(ids: str) -> list[Block]:
    if ids == "hash":
        return [
            Text(
                "Customers have names made for this report: only who has the data can tell who "
                "they are.",
                soft=True,
            )
        ]
    return [] if ids == "show" else [Text("Customers are numbered, not named.", soft=True)]


def _list(name: str, rows: list[dict[str, Any]], names: dict[int, str], worth: bool) -> list[Block]:
    heading = Heading(
        words.sentence(name) if worth else words.sentence(name).replace("valuable", "frequent")
    )
    what = "value" if worth else "purchases"
    told = Text(f"{words.sentence(LISTS[name].replace('value', what))}.", soft=True)
    if not rows:
        return [heading, told, Text("There is nobody of this kind.")]
    numbers = (f"Past {what}", f"Predicted {what}", "Chance of a purchase")
    head = ("Customer", *numbers, "Days silent", "Usual gap, days")
    table = Table(
        "",
        head,
        tuple(
            row(
                names[r["row"]],
                Cell(words.number(r["past_value"]), value=r["past_value"]),
                Cell(words.amount(r["expected_value"]), value=r["expected_value"]),
                Cell(words.percent(r["p_purchase"]), value=r["p_purchase"]),
                Cell(f"{r['days_silent']:,}", value=r["days_silent"]),
                Cell(words.number(r["usual_gap"]), value=r["usual_gap"]),
            )
            for r in rows
        ),
    )
    return [heading, told, table]
