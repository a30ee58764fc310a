"""Sections on fitted models: parameters in words, how customers vary, what a history implies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from clvmodel.errors import ClvError
from clvmodel.evaluate import shapes
from clvmodel.evaluate.comparison import Comparison
from clvmodel.present import words
from clvmodel.present.blocks import (
    Block,
    Bullets,
    Cards,
    Cell,
    Figure,
    Heading,
    Section,
    Table,
    Text,
    row,
    section,
)
from clvmodel.units import UNIT_NAMES

if TYPE_CHECKING:
    from clvmodel.present.report import Parts

_TIMELESS = ("GammaGamma",)
_NO_MODEL = "no fitted model was given (model=)."
_STATUS = {
    "concern": "Concern",
    "slight": "Slight: too small to matter",
    "fine": "Fine",
    "unknown": "Not known",
}


def fitted(comparison: Comparison, parts: Parts) -> list[Section]:
    """Parameters, how customers vary, matrices of histories, and checks of the assumptions."""
    days = comparison.days
    return [_parameters(comparison), _variety(parts), _histories(parts, days), _checks(parts)]


def _parameters(comparison: Comparison) -> Section:
    cards = [_card(r.name, fit) for r in comparison.results for fit in r.fits]
    if not cards:
        return Section("parameters", "Fitted parameters", missing="no candidate has any.")
    agreed = words.agreement([f for r in comparison.results for f in r.fits])
    told = [Text(f"Fitted to what was known on {comparison.cutoff}.", soft=True)]
    return section(
        "parameters",
        "Fitted parameters",
        told,
        [Text(text) for text in agreed],
        Cards(tuple(cards)),
    )


def _card(candidate: str, fit: dict[str, Any]) -> Section:
    unit = "" if fit["model"] in _TIMELESS else UNIT_NAMES.get(fit["unit"], fit["unit"])
    rows = tuple(
        row(
            r["parameter"],
            Cell(words.parameter(r["estimate"]), value=r["estimate"]),
            words.interval(r["low"], r["high"], r["estimate"]),
        )
        for r in fit["parameters"]
    )
    likelihood = f"{fit['log_likelihood']:,.2f}".replace("-", words.MINUS)
    meaning = tuple(words.meaning(fit))
    return section(
        "",
        str(fit.get("title") or fit["model"]),
        Text(
            f"In {candidate}{f'; time in {unit}' if unit else ''}; engine: {fit['engine']}.",
            soft=True,
        ),
        Table("", ("Parameter", "Estimate", "95% interval"), rows),
        [Bullets(meaning)] if meaning else None,
        Text(f"Log-likelihood {likelihood}. {fit['message']}", soft=True),
    )


def _variety(parts: Parts) -> Section:
    """Heterogeneity: how customers differ in rate, in leaving, and in what they spend."""
    title = "How customers differ"
    if parts.model is None:
        return Section("variety", title, missing=_NO_MODEL)
    from clvmodel.present import plots

    try:
        rates, dropouts = shapes.rates(parts.model), shapes.dropouts(parts.model)
    except ClvError as error:
        return Section("variety", title, missing=str(error))
    blocks: list[Block] = [Text("By the model fitted to all orders.", soft=True)]
    for name, data, plot, caption in (
        (
            "rates",
            rates,
            plots.plot_transaction_rate_heterogeneity,
            "How often customers buy while they still are customers. A tall first bar: most buy "
            "rarely, and the mean describes hardly anybody.",
        ),
        (
            "dropouts",
            dropouts,
            plots.plot_dropout_rate_heterogeneity,
            "How readily customers leave: on the left those who stay, on the right those who soon "
            "leave.",
        ),
    ):
        low = words.percent(data["share"][0])
        text = (
            f"{data['label']}: mean {words.number(data['mean'])}; {low} of customers lie below "
            f"{words.number(data['edges'][1])}, {words.percent(data['beyond'])} above "
            f"{words.number(data['edges'][-1])}."
        )
        blocks.append(Figure(name, text, caption, partial(plot, data), data))
    return section("variety", title, blocks, _spend(parts))


def _spend(parts: Parts) -> list[Block]:
    if parts.summary is None:
        return []
    from clvmodel.present import plots

    try:
        data = shapes.spend_shares(parts.model, parts.summary)
    except ClvError:  # there are no amounts
        return []
    gap = max(abs(a - e) for a, e in zip(data["actual"], data["expected"], strict=True))
    text = (
        f"Repeat customers by mean value of a purchase, from 0 to {words.number(data['edges'][-1])}"
        f"; the largest difference between seen and expected is {words.percent(gap)} of customers."
    )
    caption = (
        "What repeat customers spend on a purchase, on average: bars were seen, the line is what "
        "the spend model expects of customers with as many purchases."
    )
    return [Figure("spend", text, caption, partial(plots.plot_spend_density, data), data)]


def _histories(parts: Parts, days: int) -> Section:
    title = "What a history implies"
    if parts.model is None or parts.summary is None:
        why = _NO_MODEL if parts.model is None else "no summary was given (summary=)."
        return Section("histories", title, missing=why)
    from clvmodel.present import plots

    try:
        grid = shapes.history_grid(parts.model, parts.summary, f"{days}D")
        curve = shapes.repeat_purchases(parts.model, grid["age"])
    except ClvError as error:
        return Section("histories", title, missing=str(error))
    corner = grid["p_alive"][-1]
    most = grid["frequency"][-1]
    unit = UNIT_NAMES[grid["unit"]]
    shared = (
        f"For customers who first bought {words.number(grid['age'])} {unit} ago. Upwards: repeat "
        "purchases; to the right: how late the last one came."
    )
    alive = Figure(
        "alive",
        f"Chance of still being a customer. With {most} repeat purchases: "
        f"{words.percent(corner[0])} where they came early on, {words.percent(corner[-1])} where "
        "the last one was just now.",
        f"{shared} Frequent buyers who fell silent (top left) have left almost surely; rare ones "
        "may only be slow.",
        partial(plots.plot_probability_alive_matrix, grid),
        grid,
    )
    expected = Figure(
        "expected",
        f"Expected purchases in the next {days:,} days. With {most} repeat purchases: "
        f"{words.number(grid['expected'][-1][0])} where they came early on, "
        f"{words.number(grid['expected'][-1][-1])} where the last one was just now.",
        f"{shared} Colours: purchases in the next {days:,} days.",
        partial(plots.plot_frequency_recency_matrix, grid),
        {k: v for k, v in grid.items() if k not in ("p_alive",)},
    )
    new = Figure(
        "newcomer",
        f"Expected repeat purchases of a new customer: {words.number(curve['expected'][-1])} "
        f"within {words.number(curve['time'][-1])} {unit}.",
        "A new customer, of whom nothing but the first purchase is known.",
        partial(plots.plot_expected_repeat_purchases, curve),
        curve,
    )
    return section("histories", title, alive, expected, new)


def _checks(parts: Parts) -> Section:
    title = "Do the models' assumptions hold?"
    if parts.diagnosis is None:
        why = "no checks were given (diagnosis=clv.diagnose(model, summary))."
        return Section("checks", title, missing=why)
    found = parts.diagnosis
    concerns = words.joined(c.name for c in found.concerns)
    first = f"Of concern: {concerns}." if concerns else "Nothing found that matters."
    rows = []
    for c in found:
        ends = ""
        if c.low is not None and c.high is not None:
            ends = f"{words.parameter(c.low)} to {words.parameter(c.high)}"
        size = words.NOTHING if c.effect is None else words.parameter(c.effect)
        what = f"{c.what}" + (f", {ends}" if ends else "")
        rows.append(
            row(
                words.sentence(c.name),
                _STATUS[c.status],
                f"{c.verdict} {c.remedy}".strip(),
                Cell(size, note=what, value=c.effect),
            )
        )
    head = "Check", "Finding", "In words, and what to do", "Size (interval)"
    table = Table("", head, tuple(rows), texts=4, stack=True)
    told = (
        f"Intervals at {words.percent_short(found.level)}: where all is well, a single check is "
        f"beyond chance by accident in {words.percent_short(1 - found.level)} of cases."
    )
    return section("checks", title, Text(first), table, Text(told, soft=True), _note(parts))


def _note(parts: Parts) -> list[Block]:
    caveats = [f.model.caveat for f in getattr(parts.model, "fits", ()) if f.model.caveat]
    return [Heading("What the fits say themselves"), Bullets(tuple(caveats))] if caveats else []
