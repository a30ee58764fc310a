"""Sections on the holdout: tracking, frequencies, ranking, groups, chances and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from clvmodel.evaluate.comparison import Comparison
from clvmodel.evaluate.segments import ALL
from clvmodel.present import words
from clvmodel.present.blocks import Block, Cell, Figure, Heading, Section, Table, Text, row, section
from clvmodel.present.verdict import main_target

Row = dict[str, Any]
_GROUPINGS = {
    "history": "By history",
    "past value": "By past value: the tenth that had brought most, and the others",
    "cohort": "By time of the first purchase",
}
_MOST_GROUPS = 12
_OLD = "this comparison holds no such view; run it again with clv.backtest."


def views(comparison: Comparison) -> list[Section]:
    """All sections on the holdout that the page shows."""
    fold = _fold(comparison)
    return [
        *_tracking(comparison),
        *_frequencies(comparison, fold),
        _ranking(comparison, fold),
        _groups(comparison),
        _churn(comparison, fold),
        _intervals(fold),
    ]


def _fold(comparison: Comparison) -> Row:
    """The views of the cutoff that the page is about; empty if there are none."""
    key = comparison.cutoff.isoformat(), comparison.days
    return next((f for f in comparison.folds if (f["cutoff"], f["days"]) == key), {})


def _tracking(comparison: Comparison) -> list[Section]:
    track = comparison.tracking
    if not track.get("dates"):
        return [Section("plots", "Purchases over time", missing="no candidate was followed.")]
    from clvmodel.present import plots

    ends = [f"actual {words.number(track['actual'][-1])}"]
    ends += [
        f"{n} {words.number(v[-1])}" for n, v in track["predicted"].items() if v[-1] is not None
    ]
    figure = Figure(
        "tracking",
        f"Cumulative repeat purchases of known customers, {track['dates'][0]} to "
        f"{track['dates'][-1]}, cutoff {comparison.cutoff}. At the end: {', '.join(ends)}.",
        "How to read it: left of the cutoff, a model shows what it expects of customers of whom it "
        "knows only when they joined; right of it, every candidate shows its forecast. The closer "
        "a line stays to the thick one, what happened, the better.",
        partial(plots.plot_tracking, comparison, legend=False),
        {"cutoff": comparison.cutoff.isoformat(), **track},
        tuple(plots.tracking_lines(comparison)),
    )
    return [section("plots", "Purchases over time", figure)]


def _frequencies(comparison: Comparison, fold: Row) -> list[Section]:
    table, blocks = comparison.by_frequency, []
    if fold.get("frequencies"):
        blocks += _histogram(comparison, fold["frequencies"])
    if table.get("groups"):
        blocks += _by_frequency(comparison)
    title = "By how often customers bought"
    if not blocks:
        return [Section("frequency", title, missing="no candidate was followed.")]
    return [section("frequency", title, blocks)]


def _by_frequency(comparison: Comparison) -> list[Block]:
    from clvmodel.present import plots

    table = comparison.by_frequency
    groups = ", ".join(
        f"{group}: {words.number(mean)}"
        for group, mean in zip(table["groups"], table["actual"], strict=True)
    )
    figure = Figure(
        "frequency",
        "Mean purchases per customer in the holdout by number of repeat purchases before. "
        f"Actual means: {groups}. The candidates' means are in the table below.",
        "How to read it: customers are grouped by how often they had come back before the cutoff. "
        "A line above the thick one, what happened, promises too much for that group, one below "
        "it too little.",
        partial(plots.plot_by_frequency, comparison, legend=False),
        table,
        tuple(plots.frequency_lines(comparison)),
    )
    rows = [("Customers", table["customers"]), ("Actual", table["actual"])]
    numbers = Table(
        "Mean purchases per customer in the holdout, by repeat purchases before the cutoff.",
        ("Repeat purchases before", *table["groups"]),
        tuple(row(n, *v, show=words.number) for n, v in [*rows, *table["predicted"].items()]),
        folded=True,
    )
    return [Heading("Purchases in the holdout"), figure, numbers]


def _histogram(comparison: Comparison, table: Row) -> list[Block]:
    from clvmodel.present import plots

    looks, lines = _looks(comparison, table["expected"])
    chosen = {line.names[0]: table["expected"][line.names[0]] for line in lines}
    counts = ", ".join(f"{g}: {n:,}" for g, n in zip(table["groups"], table["actual"], strict=True))
    figure = Figure(
        "histogram",
        f"Customers by number of repeat purchases up to the cutoff. Actual: {counts}.",
        "How to read it: bars are the customers there were, points what a fitted model says there "
        "should be. It tells whether the model fits the past, not whether it forecasts well.",
        partial(plots.plot_period_transactions, {**table, "expected": chosen}, looks=looks),
        table,
    )
    return [Heading("Before the cutoff"), figure]


def _ranking(comparison: Comparison, fold: Row) -> Section:
    title, target = "Who finds the best customers", main_target(comparison)
    gains, tenths = fold.get("gains", {}).get(target), fold.get("deciles", {}).get(target)
    if gains is None or tenths is None:
        return Section("ranking", title, missing=_OLD)
    what = "purchases" if target == "purchases" else "value"
    blocks: list[Block] = [Text(f"By {what} in the holdout.", soft=True)]
    if gains["best"] is not None:
        blocks.append(_gains(comparison, gains, what))
    blocks += _deciles(comparison, tenths, what)
    return section("ranking", title, blocks)


def _gains(comparison: Comparison, gains: Row, what: str) -> Figure:
    from clvmodel.present import plots

    looks, lines = _looks(comparison, gains["predicted"])
    chosen = {line.names[0]: gains["predicted"][line.names[0]] for line in lines}
    at = min(range(len(gains["shares"])), key=lambda i: abs(gains["shares"][i] - 0.2))
    ends = [f"{n} {words.percent(v[at])}" for n, v in gains["predicted"].items()]
    share = words.percent_short(gains["shares"][at])
    return Figure(
        "gain",
        f"Share of all {what} that fell to the customers whom each candidate ranks highest. At "
        f"{share} of the customers: {', '.join(ends)}; perfect foresight "
        f"{words.percent(gains['best'][at])}.",
        "How to read it: line customers up, predicted highest first, and add up what they "
        "brought. The steeper a line climbs, the better the candidate finds the best customers; "
        "the thick line is perfect foresight, the dotted diagonal is chance.",
        partial(plots.plot_gain_curve, {**gains, "predicted": chosen}, legend=False, looks=looks),
        gains,
        tuple(lines),
    )


def _deciles(comparison: Comparison, tenths: Row, what: str) -> list[Block]:
    """The best candidate's tenths as a figure, everybody's as a table."""
    from clvmodel.present import plots

    order = [r["candidate"] for r in comparison.ranking(main_target(comparison), "mae")]
    kinds = {r.name: r.kind for r in comparison.results}
    models = [n for n in order if kinds.get(n) == "model" and n in tenths]
    name = (models or [n for n in order if n in tenths])[0]
    one = tenths[name]
    pairs = zip(one["predicted"], one["actual"], strict=True)
    told = "; ".join(
        f"{i}: {words.number(p)} and {words.number(a)}" for i, (p, a) in enumerate(pairs, 1)
    )
    figure = Figure(
        "deciles",
        f"Mean {what} per customer, predicted by {name} and actual, by tenths: {told}.",
        f"How to read it: {name}. Customers in ten groups of equal size, predicted highest first: "
        "bars are the mean prediction of a group, points what its customers did.",
        partial(plots.plot_decile_calibration, one),
        tenths,
    )
    rows = []
    for candidate, part in tenths.items():
        both = zip(part["predicted"], part["actual"], strict=True)
        found = (Cell(words.number(p), note=words.number(a), value=p) for p, a in both)
        rows.append(row(candidate, *found))
    most = max(len(part["actual"]) for part in tenths.values())
    table = Table(
        f"Mean {what} predicted and, below it, actual, in each candidate's own tenths.",
        ("Tenth", *(str(i + 1) for i in range(most))),
        tuple((*r, *(Cell(words.NOTHING),) * (most + 1 - len(r))) for r in rows),
        folded=True,
    )
    return [Heading("Predicted and actual, by tenths"), figure, table]


def _groups(comparison: Comparison) -> Section:
    title, target = "Where each candidate fails", main_target(comparison)
    key = comparison.cutoff.isoformat(), comparison.days, target
    rows = [
        m
        for m in comparison.measures
        if (m["cutoff"], m["days"], m["target"]) == key and m["grouping"] != ALL
    ]
    if not rows:
        return Section("groups", title, missing="no group of customers was scored apart.")
    told = (
        f"Error of the total {target} in each group: minus is too low, plus too high; below it the "
        "mean absolute error per customer. ★ marks the total that is closest in a group."
    )
    kinds = dict.fromkeys(m["grouping"] for m in rows)
    blocks = [b for kind in kinds for b in _group_table(rows, kind)]
    return section("groups", title, Text(told, soft=True), blocks)


def _group_table(rows: list[Row], kind: str) -> list[Block]:
    own = [m for m in rows if m["grouping"] == kind]
    sizes = {m["group"]: m["customers"] for m in own}
    values = {(m["candidate"], m["group"], m["metric"]): m["value"] for m in own}
    names = list(dict.fromkeys(m["candidate"] for m in own))
    shown = list(sizes)[:_MOST_GROUPS]
    closest: dict[str, list[str]] = {}
    for group in shown:
        known = {n: values.get((n, group, "bias")) for n in names}
        printed = {n: words.percent(abs(v)) for n, v in known.items() if v is not None}
        top = min((abs(v) for v in known.values() if v is not None), default=None)
        closest[group] = [n for n, text in printed.items() if text == words.percent(top)]

    def cell(name: str, group: str) -> Cell:
        bias, mae = (values.get((name, group, metric)) for metric in ("bias", "mae"))
        best = name in closest[group]
        text = ("★ " if best else "") + words.signed_percent(bias)
        return Cell(text, best, note=words.number(mae), value=bias)

    more = len(sizes) - len(shown)
    caption = f"The first {_MOST_GROUPS} of {len(sizes)} groups." if more else ""
    table = Table(
        caption,
        ("Candidate", *(f"{group} ({sizes[group]:,})" for group in shown)),
        tuple((Cell(name), *(cell(name, group) for group in shown)) for name in names),
    )
    return [Heading(_GROUPINGS.get(kind, f"By {kind}")), table]


def _churn(comparison: Comparison, fold: Row) -> Section:
    title = "Who will buy at all"
    if not fold:
        return Section("churn", title, missing=_OLD)
    found = fold.get("reliability", {})
    if not found:
        return Section("churn", title, missing="no candidate gives a chance of a purchase.")
    from clvmodel.present import plots

    shares = {
        n: [v for r in bins for v in (r["predicted"], r["actual"])] for n, bins in found.items()
    }
    looks, lines = _looks(comparison, shares)
    chosen = {line.names[0]: found[line.names[0]] for line in lines}
    ends = [
        f"{n} from {words.percent(bins[0]['actual'])} where it says "
        f"{words.percent(bins[0]['predicted'])} to {words.percent(bins[-1]['actual'])} where it "
        f"says {words.percent(bins[-1]['predicted'])}"
        for n, bins in found.items()
    ]
    figure = Figure(
        "reliability",
        f"Share of customers who bought in the holdout by predicted chance: {'; '.join(ends)}.",
        "How to read it: of the customers to whom a candidate gives a chance of 30%, 3 in 10 "
        "should buy. Points above the diagonal: it is too pessimistic; below: too optimistic. Bars "
        "are 95% intervals.",
        partial(plots.plot_reliability, chosen, legend=False, looks=looks),
        found,
        tuple(lines),
    )
    rows = tuple(
        row(
            n,
            r["customers"],
            Cell(words.percent(r["predicted"]), value=r["predicted"]),
            Cell(
                words.percent(r["actual"]),
                note=f"{words.percent(r['low'])} to {words.percent(r['high'])}",
                value=r["actual"],
            ),
            show=words.number,
        )
        for n, bins in found.items()
        for r in bins
    )
    head = "Candidate", "Customers", "Predicted chance", "Share who bought (95% interval)"
    table = Table("Customers in groups of similar predicted chance.", head, rows, folded=True)
    return section("churn", title, figure, table)


def _intervals(fold: Row) -> Section:
    title = "Do the intervals hold what they promise?"
    if not fold:
        return Section("intervals", title, missing=_OLD)
    rows = fold.get("coverage", [])
    if not rows:
        return Section("intervals", title, missing="no candidate gives intervals.")
    from clvmodel.present import plots

    told = [
        f"{r['candidate']}, {r['target']}: {words.percent(r['coverage'])}"
        + ("" if r["nominal"] is None else f" of a promised {words.percent(r['nominal'])}")
        for r in rows
    ]
    figure = Figure(
        "coverage",
        f"Share of customers whose holdout lay within the interval. {'; '.join(told)}.",
        "How to read it: each customer has an interval from the 5% to the 95% quantile. The bar is "
        "the share of customers that such intervals promise to hold, the point what they held. "
        "The promise is above 90% because numbers of purchases are whole, and most are 0.",
        partial(plots.plot_interval_coverage, rows),
        rows,
    )
    head = "Candidate", "Of", "Promised", "Within (95% interval)", "Below", "Above", "Mean width"
    lines = tuple(
        row(
            r["candidate"],
            r["target"],
            Cell(words.percent(r["nominal"]), value=r["nominal"]),
            Cell(
                words.percent(r["coverage"]),
                note=f"{words.percent(r['low'])} to {words.percent(r['high'])}",
                value=r["coverage"],
            ),
            Cell(words.percent(r["below"]), value=r["below"]),
            Cell(words.percent(r["above"]), value=r["above"]),
            Cell(words.number(r["width"]), value=r["width"]),
        )
        for r in rows
    )
    return section("intervals", title, figure, Table("", head, lines, texts=2))


def _looks(comparison: Comparison, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Style of each line, and the lines themselves: those that coincide share one."""
    from clvmodel.present.plots import merged_lines

    lines = merged_lines(comparison, values)
    return {line.names[0]: line.style() for line in lines}, lines
