"""Who wins, by which measure and how clearly: the first section of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clvmodel.evaluate.comparison import Comparison, Winner
from clvmodel.evaluate.metrics import BEST
from clvmodel.present.measures import CHANCES, JUDGED, Measure
from clvmodel.present.words import (
    bias_in_words,
    joined,
    number,
    percent,
    signed,
)

Row = dict[str, Any]


FORMULAS = ("formula", "naive")


def best(comparison: Comparison, target: str, measure: Measure) -> list[str]:
    """Names that share the best value of a measure as it is printed; empty if nobody has one."""
    rows = _ranked(comparison, target, measure)
    return [r["candidate"] for r in rows if _same(measure, r, rows[0])]


def main_target(comparison: Comparison) -> str:
    """Return "value" where the orders have amounts, else "purchases"."""
    return comparison.targets[-1] if comparison.targets else "purchases"


def headline(comparison: Comparison, target: str) -> str:
    """One sentence or two: which candidate is best for a target, or that none is best at all."""
    winners = {m: best(comparison, target, m) for m in JUDGED}
    known = {m: names for m, names in winners.items() if names}
    if not known:
        return "Nothing could be measured."
    if sum(s["target"] == target for s in comparison.scores) == 1:
        return f"Only {next(iter(known.values()))[0]} was scored: there is nothing to compare."
    order = [r.name for r in comparison.results]
    always = [n for n in order if all(n in names for names in known.values())]
    if always:
        first = "A formula wins. " if _all_formulas(comparison, always) else ""
        text = f"{first}{_who(comparison, always, 'are', 'is')} best by every measure."
        close = [
            m.praise for m in known if m.key != "mae" and _rivals(comparison, target, m, always)
        ]
        return f"{text} By no clear margin: {joined(close)}." if close else text
    groups: dict[tuple[str, ...], list[str]] = {}
    for measure, names in known.items():
        groups.setdefault(tuple(names), []).append(_praise(comparison, target, measure, names))
    parts = [
        f"{_who(comparison, names, 'have', 'has')} {joined(praise)}"
        for names, praise in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]
    return f"No candidate is best by every measure: {'; '.join(parts)}."


def answers(comparison: Comparison, target: str) -> list[Row]:
    """Per judged measure: the question, who is best, and by how much."""
    said = []
    for measure in JUDGED:
        rows = _ranked(comparison, target, measure)
        if not rows:
            continue
        winners = [r["candidate"] for r in rows if _same(measure, r, rows[0])]
        behind = [r for r in rows if not _same(measure, r, rows[0])]
        text = _result(measure, rows[0], target)
        if behind:
            rivals = [r["candidate"] for r in behind if _same(measure, r, behind[0])]
            text += f" Next: {_named(comparison, rivals)}, {_short(measure, behind[0])}."
        text += _clarity(comparison, target, measure, winners)
        said.append(
            {"question": measure.question, "best": _named(comparison, winners), "text": text}
        )
    return said


def cautions(comparison: Comparison, target: str) -> list[str]:
    """What a reader could get wrong: formulas that win, and an average error bought by zeros."""
    said = []
    won = [m for m in JUDGED if _all_formulas(comparison, best(comparison, target, m))]
    if won:
        names = {m: best(comparison, target, m) for m in won}
        what = joined(
            f"{_who(comparison, names[m], 'have', 'has')} "
            f"{_praise(comparison, target, m, names[m])}"
            for m in won
        )
        said.append(f"A formula or naive rule, not a model, is ahead here: {what}.")
    smallest = _ranked(comparison, target, JUDGED[1])
    if smallest and smallest[0]["bias"] is not None and smallest[0]["bias"] < -0.2:
        row = smallest[0]
        said.append(
            f"{row['candidate']} has the smallest average error per customer, but its total is "
            f"{bias_in_words(row['bias'])}. Where most customers buy nothing, predicting little or "
            "nothing keeps this error small. Do not plan with its total."
        )
    else:
        said.append(
            "Where most customers buy nothing, predicting little or nothing keeps the average "
            "error per customer small. Never choose by it alone."
        )
    if not comparison.contests:
        said.append(
            "Only the average error per customer has an interval here: a small lead in another "
            "measure may be chance."
        )
    return said


def smallest_error(comparison: Comparison, target: str) -> str:
    """Who has the smallest mean absolute error over all cutoffs, and whether clearly so."""
    winner = comparison.winner(target)
    if winner.clear is None and len(comparison.folds) <= 1:
        clarity = _clarity(comparison, target, JUDGED[1], [str(winner)])
    elif winner.clear is None:
        clarity = " Whether by chance cannot be said."
    elif winner.clear:
        clarity = " Every other candidate is clearly worse (95% intervals)."
    else:
        unclear = _named(comparison, winner.unclear)
        clarity = f" No clear difference from {unclear}: it could be chance."
    return f"{winner}.{clarity}"


def contests(comparison: Comparison, target: str) -> list[Row]:
    """Per judged measure, over all cutoffs: the leader, who cannot be told from it, who can."""
    said = []
    for measure in (*JUDGED, CHANCES):
        of = "active" if measure is CHANCES else target
        row = _contest(comparison, of, measure)
        if row is None:
            continue
        winner = Winner(row["leader"], of, measure.key, row)
        worse = [r["candidate"] for r in row["rivals"] if r["candidate"] not in winner.unclear]
        unclear = _named(comparison, winner.unclear) or "nobody"
        said.append(
            {
                "question": measure.question,
                "leader": str(winner),
                "value": measure.show(row["mean"]).lstrip("+"),
                "unclear": "no interval" if winner.clear is None else unclear,
                "worse": _named(comparison, worse) or "nobody",
            }
        )
    return said


def in_money(comparison: Comparison) -> str:
    """By how much the best model's and the best formula's total were off, in money."""
    if "value" not in comparison.targets:
        return ""
    rows = [_ranked(comparison, "value", JUDGED[0], models=models)[:1] for models in (True, False)]
    said = [
        f"{row['candidate']} missed the total by "
        f"{number(abs(row['predicted_total'] - row['actual_total']))}"
        for part in rows
        for row in part
    ]
    if not said:
        return ""
    actual = number(rows[0][0]["actual_total"] if rows[0] else rows[1][0]["actual_total"])
    who = " The closest model and the closest formula:" if len(said) > 1 else ""
    return f"In money: customers spent {actual} in the holdout.{who} {joined(said)}."


def _contest(comparison: Comparison, target: str, measure: Measure) -> Row | None:
    key = (comparison.days, target, measure.key)
    found = (c for c in comparison.contests if (c["days"], c["target"], c["metric"]) == key)
    return next(found, None)


def _rivals(
    comparison: Comparison, target: str, measure: Measure, winners: Sequence[str]
) -> list[str]:
    """Who cannot be told from the winners at the cutoff that is shown, where that is known."""
    row = None if len(comparison.folds) > 1 else _contest(comparison, target, measure)
    if row is None or row["leader"] not in winners:
        return []
    unclear = Winner(row["leader"], target, measure.key, row).unclear
    known = {r["candidate"] for r in row["rivals"] if r["verdict"] is not None}
    return [name for name in unclear if name in known and name not in winners]


def duel(comparison: Comparison, target: str) -> Row | None:
    """Best model against best formula, measure by measure; None if one side is missing."""
    rows = []
    for measure in JUDGED:
        models = _ranked(comparison, target, measure, models=True)
        formulas = _ranked(comparison, target, measure, models=False)
        if models and formulas:
            rows.append(_bout(comparison, target, measure, models[0], formulas[0]))
    if not rows:
        return None
    sides = [r["side"] for r in rows]
    sentence = _tally(sides.count("model"), sides.count("formula"), len(rows))
    return {"rows": rows, "sentence": sentence}


def _bout(comparison: Comparison, target: str, measure: Measure, model: Row, formula: Row) -> Row:
    side = "tie"
    if not _same(measure, model, formula):
        key = BEST[measure.key]
        side = "model" if key(model[measure.key]) < key(formula[measure.key]) else "formula"
    won, lost = (model, formula) if side == "model" else (formula, model)
    unclear = measure.key == "mae" and not _clear(comparison, target, lost["candidate"])
    if unclear or lost["candidate"] in _rivals(comparison, target, measure, [won["candidate"]]):
        side = "tie"
    return {
        "question": measure.question,
        "model": model["candidate"],
        "model_value": _short(measure, model),
        "formula": formula["candidate"],
        "formula_value": _short(measure, formula),
        "side": side,
        "winner": "No clear difference" if side == "tie" else f"The {side}",
    }


def _tally(model: int, formula: int, measures: int) -> str:
    if model == measures:
        return "The best model beats the best formula by every measure."
    if formula == measures:
        return "The best formula beats the best model by every measure: use the formula."
    even = measures - model - formula
    return (
        f"Best model against best formula: of {measures} measures, a model wins "
        f"{model or 'none'}, a formula wins {formula or 'none'}"
        f"{f', and {even} cannot be told apart' if even else ''}."
    )


def _result(measure: Measure, row: Row, target: str) -> str:
    value = row[measure.key]
    if measure.key == "bias":
        unit = " purchases" if target == "purchases" else ""
        off = signed(row["predicted_total"] - row["actual_total"])
        return (
            f"Predicted {number(row['predicted_total'])}{unit}, "
            f"actual {number(row['actual_total'])}: "
            f"{bias_in_words(value)} ({off})."
        )
    if measure.key == "top_decile":
        what = "purchases" if target == "purchases" else "value"
        return f"The tenth of customers it ranks highest brought {percent(value)} of all {what}."
    return f"{measure.show(value)} per customer{' (purchases)' if target == 'purchases' else ''}."


def _short(measure: Measure, row: Row) -> str:
    value = row[measure.key]
    return bias_in_words(value) if measure.key == "bias" else measure.show(value)


def _praise(comparison: Comparison, target: str, measure: Measure, winners: Sequence[str]) -> str:
    if _rivals(comparison, target, measure, winners):
        return f"{measure.praise} (by no clear margin)"
    others = _others(comparison, target, winners) if measure.key == "mae" else []
    if all(_clear(comparison, target, name) for name in others):
        return measure.praise
    return f"{measure.praise} (by no clear margin)"


def _others(comparison: Comparison, target: str, winners: Sequence[str]) -> list[str]:
    rows = (d for d in comparison.differences if d["target"] == target)
    return [d["candidate"] for d in rows if d["candidate"] not in winners]


def _clarity(comparison: Comparison, target: str, measure: Measure, winners: list[str]) -> str:
    if measure.key != "mae":
        close = _rivals(comparison, target, measure, winners)
        told = f" No clear difference from {_named(comparison, close)}: it could be chance."
        return told if close else ""
    others = _others(comparison, target, winners)
    unclear = [name for name in others if not _clear(comparison, target, name)]
    if unclear:
        return f" No clear difference from {_named(comparison, unclear)}: it could be chance."
    return " Every other candidate is clearly worse (95% intervals)." if others else ""


def _clear(comparison: Comparison, target: str, name: str) -> bool:
    """Whether a candidate's MAE lies above the best one's by more than chance explains."""
    return any(
        d["low"] > 0
        for d in comparison.differences
        if d["target"] == target and d["candidate"] == name and d["low"] is not None
    )


def _ranked(
    comparison: Comparison, target: str, measure: Measure, models: bool | None = None
) -> list[Row]:
    """Scores that have the measure, best first; those that share the lead in their own order."""
    rows = [s for s in comparison.scores if s["target"] == target and s[measure.key] is not None]
    if models is not None:
        kinds = ("model",) if models else FORMULAS
        rows = [s for s in rows if _kind(comparison, s["candidate"]) in kinds]
    ranked = sorted(rows, key=lambda s: BEST[measure.key](s[measure.key]))
    head = [r for r in ranked if _same(measure, r, ranked[0])]
    order = _in_order(comparison, [s["candidate"] for s in head])
    return sorted(head, key=lambda s: order.index(s["candidate"])) + ranked[len(head) :]


def _in_order(comparison: Comparison, names: Sequence[str]) -> list[str]:
    places = {r.name: place for place, r in enumerate(comparison.results)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def _same(measure: Measure, one: Row, other: Row) -> bool:
    """Whether two rows read the same: a lead that is not printed is no lead."""
    sign = abs if measure.key == "bias" else float
    return measure.show(sign(one[measure.key])) == measure.show(sign(other[measure.key]))


def _kind(comparison: Comparison, name: str) -> str:
    return next((r.kind for r in comparison.results if r.name == name), "model")


def _all_formulas(comparison: Comparison, names: list[str]) -> bool:
    return bool(names) and all(_kind(comparison, name) in FORMULAS for name in names)


def _named(comparison: Comparison, names: Sequence[str]) -> str:
    return joined(_shown(comparison, names))


def _who(comparison: Comparison, names: Sequence[str], many: str, one: str) -> str:
    shown = _shown(comparison, names)
    return f"{joined(shown)} {many if len(shown) > 1 else one}"


def _shown(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """Names to print: a model that wins in both engines' estimation is one winner, not two."""
    fits = {r.name: r.fits for r in comparison.results}
    groups: list[list[str]] = []
    for name in _in_order(comparison, names):
        same = (g for g in groups if _other_engine(fits.get(g[0], ()), fits.get(name, ())))
        group = next(same, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return [f"{g[0]} (both engines)" if len(g) > 1 else g[0] for g in groups]


def _other_engine(one: tuple[Row, ...], other: tuple[Row, ...]) -> bool:
    same = [f["model"] for f in one] == [f["model"] for f in other]
    return bool(one) and same and {f["engine"] for f in one} != {f["engine"] for f in other}
