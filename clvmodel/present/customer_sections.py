"""The section on single customers: by their ids, by names that only the owner can read, or none."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodel.errors import ClvError
from clvmodel.present import basis, words
from clvmodel.present.blocks import Block, Cell, Heading, Section, Table, Text, row, section
from clvmodel.tables.summary import Summary
from clvmodel.value.watch import LISTS, watch

if TYPE_CHECKING:
    from clvmodel.present.report import Parts

IDS = ("show", "hash", "hide")
_TITLE = "Customers to look at"


def customers(parts: Parts, days: int) -> list[Section]:
    """Who is worth most, who may be lost, who is overdue."""
    if parts.summary is None or parts.model is None:
        why = "no fitted model and summary were given (model=, summary=)."
        return [Section("customers", _TITLE, missing=why)]
    scores, horizon, margin = parts.scores, parts.horizon, parts.margin
    try:
        if scores is None:
            horizon, margin = f"{days}D", 1.0
            scores = parts.model.predict(parts.summary, horizon)
        found = watch(parts.summary, scores)
    except ClvError as error:
        return [Section("customers", _TITLE, missing=str(error))]
    chosen = sorted({r["row"] for rows in found.values() for r in rows})
    names = dict(zip(chosen, _names(parts.summary, chosen, parts.ids), strict=True))
    worth = parts.summary.total_value is not None and parts.model.spend is not None
    blocks = [b for name in LISTS for b in _list(name, found[name], names, worth)]
    asked = basis.of_predictions(horizon, margin, parts.summary, worth=worth)
    seen = f"As of {parts.summary.end}. {asked}"
    about = [Text(text, soft=True) for text in (seen, *about_ids(parts.ids))]
    return [section("customers", _TITLE, about, blocks)]


def report_ids(summary: Summary) -> list[str]:
    """Names of all customers as a report with `ids="hash"` shows them, in the summary's order.

    They depend on all of the data: without the data nobody can try ids until one fits, and another
    day's report has other names.
    """
    return _names(summary, range(len(summary)), "hash")


def _names(summary: Summary, rows: Any, ids: str) -> list[str]:
    return report_names([summary.ids[int(i)].as_py() for i in rows], summary, ids)


def report_names(known: Sequence[Any], summary: Summary | None, ids: str) -> list[str]:
    """Names by which customers of these ids are shown; "hash" needs the summary they are of."""
    if ids == "hide":
        return [f"#{place}" for place, _ in enumerate(known, 1)]
    names = [str(name) for name in known]
    if ids == "show":
        return names
    assert summary is not None
    key = _key(summary)
    return [hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:12] for name in names]


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


def about_ids(ids: str) -> list[str]:
    """Say how customers are named; nothing, where that is by their ids."""
    told = {
        "hash": "Customers have names made for this report: only who has the data can tell who "
        "they are.",
        "hide": "Customers are numbered, not named.",
    }
    return [told[ids]] if ids in told else []


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
