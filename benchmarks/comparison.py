"""Which candidate is better, on three histories at three cutoffs each? docs/comparison.md.

python benchmarks/comparison.py [--only NAME]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import page

import clvmodel as clv
from clvmodel.evaluate.truth import TrueModel, expected_errors

COMMAND = "python benchmarks/comparison.py"
SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
CDNOW = {"customer": "customer_id", "date": "date", "value": "amount", "n_cutoffs": 3}
SHOP = {"customer": "customer_email", "date": "ordered_at", "value": "amount", "n_cutoffs": 3}
CASES: dict[str, dict[str, Any]] = {
    "CDNOW sample": {**CDNOW, "horizon": "13W"},
    "CDNOW": {**CDNOW, "horizon": "13W"},
    "shop_orders": {**SHOP, "horizon": "120D"},
}
RESAMPLES = 200
GROUPS = ("one purchase", "repeat customers")
COLUMNS = ["candidate", "total", "MAE", "RMSE", "difference of RMSE", "spread", "Gini", "top 10%"]
COLUMNS += ["RMSE, one purchase", "RMSE, repeat customers"]
CHANCES = ["candidate", "Brier", "difference of Brier", "AUC", "log loss"]
TEXT = """
Every candidate at three cutoffs, 13 weeks (CDNOW) or 120 days (shop_orders) apart, each forecasting
the time up to the next: `clv.backtest(orders, candidates, n_cutoffs=3, horizon=...)`. Numbers are
means over the three cutoffs, of the customers known at each. *total*: expected over actual, less 1.
*difference of RMSE*: from the first candidate, with its 95% interval over customers (200 paired
resamples), and the verdict if the interval excludes 0. *spread*: standard deviation of the RMSE
between cutoffs; intervals over customers do not hold what moves all of them at once. Where most
customers buy nothing, a small MAE is had by predicting nothing: read it beside the total. The last
columns are the RMSE of customers with one purchase before the cutoff, and of the others.

The donations data that the package can read (`clv.datasets.load_donations`) are not here: they hold
how many of six years each donor gave in and which was the last, not the gifts, so that there is no
earlier cutoff to stand at, and nothing after the sixth year to be held against.
"""
BOUND = """
The orders of `shop_orders` were drawn from known parameters. *True model* is a candidate that knows
them. Below, what the best possible forecast is expected to reach, given each customer's past and
those parameters (200 simulated futures; RMSE: the conditional mean, MAE: the conditional median),
with the range of a single future; the last column is the best candidate's. A score below the
expected one is luck of the holdout, which the range allows for. (Refunds, duplicates and guests in
the export disturb the past a little.)
"""


def candidates() -> list[Any]:
    """Models, every formula at every level it has, rules, trees and a blend."""
    levels = ("base", "segment", "customer")
    formulas = (
        clv.StoreFormula,
        clv.ProfitRetention,
        clv.CourseFormula,
        clv.ChurnFormula,
        clv.RetentionFormula,
    )
    return [
        clv.ValueModel(),
        clv.ValueModel(purchases=clv.MBGNBD),
        clv.ValueModel(purchases=clv.ParetoNBD),
        clv.ValueModel(engine="lifetimes"),
        *(formula(level=level) for formula in formulas for level in levels),
        clv.CohortFormula(),
        clv.HistoricValue(),
        clv.TenureFormula(),
        clv.AnnuityFormula(),
        clv.Mean(),
        clv.RunRate(),
        clv.LastPeriod(),
        clv.HiatusRule(),
        clv.BoostedTrees(),
        clv.Blend([clv.ValueModel(), clv.LastPeriod(), clv.BoostedTrees()]),
    ]


def orders(name: str) -> Any:
    """The order history of a case."""
    if name == "shop_orders":
        return SAMPLE / "shop_orders.csv"
    return clv.datasets.load_cdnow(sample=name == "CDNOW sample")


def truth() -> TrueModel:
    """The parameters that shop_orders was drawn from."""
    known = json.loads((SAMPLE / "shop_orders_truth.json").read_text())
    numbers = [
        {key: value for key, value in known[model].items() if isinstance(value, float)}
        for model in ("bg_nbd", "gamma_gamma")
    ]
    return TrueModel(clv.BGNBD(**numbers[0]), clv.GammaGamma(**numbers[1]))


def rows(found: clv.Comparison, target: str) -> list[list[str]]:
    """One line per candidate: means over the cutoffs."""
    own: dict[str, dict[str, Any]] = {}
    for row in found.overall:
        if row["target"] == target:
            own.setdefault(row["candidate"], {})[row["metric"]] = row
    lines = []
    for name, by in own.items():
        mean = {metric: row["mean"] for metric, row in by.items()}
        total = "-" if mean["bias"] is None else f"{mean['bias']:+.0%}"
        share = "-" if mean["top_decile"] is None else f"{mean['top_decile']:.0%}"
        errors = [_short(mean[m]) for m in ("mae", "rmse")]
        order = [_short(by["rmse"]["spread"]), _short(mean["gini"]), share]
        parts = [_short(in_group(found, name, target, g)) for g in GROUPS]
        lines.append([name, total, *errors, apart(by["rmse"]), *order, *parts])
    return lines


def in_group(found: clv.Comparison, name: str, target: str, group: str) -> float:
    """Mean over the cutoffs of the RMSE of a group of customers."""
    wanted = {"candidate": name, "target": target, "group": group, "metric": "rmse"}
    rows = [m["value"] for m in found.measures if all(m[k] == v for k, v in wanted.items())]
    return sum(rows) / len(rows)


def chances(found: clv.Comparison) -> list[list[str]]:
    """One line per candidate that gives chances of a purchase."""
    own: dict[str, dict[str, Any]] = {}
    for row in found.overall:
        if row["target"] == "active":
            own.setdefault(row["candidate"], {})[row["metric"]] = row
    return [
        [name, _short(by["brier"]["mean"]), apart(by["brier"])]
        + [_short(by[m]["mean"]) for m in ("auc", "log_loss")]
        for name, by in own.items()
    ]


def apart(row: dict[str, Any]) -> str:
    """A difference from the reference with its interval and verdict."""
    if row["candidate"] == row["reference"]:
        return "reference"
    if row["difference"] is None:
        return "-"
    low, high = (f"{row[name]:+.3g}" for name in ("low", "high"))
    return f"{row['difference']:+.3g} ({low} to {high}), {row['verdict']}"


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return "inf" if value == float("inf") else page.short(value)


def case(name: str) -> list[str]:
    """Text and tables of one history."""
    chosen = candidates()
    if name == "shop_orders":
        chosen.append(truth())
    found = clv.backtest(
        orders(name), chosen, **CASES[name], bootstrap=RESAMPLES, groups=["history"]
    )
    cuts = ", ".join(f["cutoff"] for f in found.folds)
    known = ", ".join(f"{f['customers']:,}" for f in found.folds)
    parts = [f"## {name}\n", f"Cutoffs {cuts}; customers known then {known}.\n"]
    for target in ("purchases", "value"):
        parts += [f"### {target.capitalize()}\n", page.table(COLUMNS, rows(found, target))]
        said = [found.winner(target, metric).words for metric in ("bias", "mae", "rmse", "gini")]
        parts.append("\n".join(f"- {text}" for text in said) + "\n")
    parts += ["### Who buys at all\n", page.table(CHANCES, chances(found))]
    parts.append(f"- {found.winner('active', 'brier').words}\n")
    parts.append(late(found))
    failed = [
        f"{x['candidate']} at {f['cutoff']}: {x['reason']}"
        for f in found.folds
        for x in f["failures"]
    ]
    parts.append("Failed: " + ("; ".join(failed) or "none") + ".\n")
    return parts + (bounds(found) if name == "shop_orders" else [])


def late(found: clv.Comparison) -> str:
    """Customers who first bought in a holdout: nobody's forecast."""
    lines = []
    for fold in found.folds:
        line = fold["books"]["late joiners in the holdout"]
        lines.append(
            f"{fold['cutoff']}: {line['customers']:,} with {line['purchases']:,} purchases worth "
            f"{line['value']:,.0f}"
        )
    return f"First bought in the holdout, and so in nobody's forecast: {'; '.join(lines)}.\n"


def bounds(found: clv.Comparison) -> list[str]:
    """What the true parameters let expect, cutoff by cutoff."""
    lines = []
    for fold in found.folds:
        past = clv.summarize(
            SAMPLE / "shop_orders.csv",
            end=fold["cutoff"],
            customer=SHOP["customer"],
            date=SHOP["date"],
            value=SHOP["value"],
        )
        for row in expected_errors(truth().fit(past), past, f"{fold['days']}D"):
            if row["metric"] in ("mae", "rmse"):
                scored = [
                    m
                    for m in found.measures
                    if m["grouping"] == "all"
                    and all(m[k] == row[k] for k in ("target", "metric"))
                    and m["cutoff"] == fold["cutoff"]
                ]
                best = min(scored, key=lambda m: m["value"])
                place = [fold["cutoff"], row["target"], row["metric"].upper()]
                span = f"{_short(row['low'])} to {_short(row['high'])}"
                who = f"{_short(best['value'])} ({best['candidate']})"
                lines.append([*place, _short(row["expected"]), span, who])
    columns = ["cutoff", "target", "metric", "expected of the best", "in one future", "best here"]
    return ["### The bound\n", BOUND.strip() + "\n", page.table(columns, lines, left=3)]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write docs/comparison.md.")
    parser.add_argument("--only", choices=list(CASES), help="print one history, write nothing")
    only = parser.parse_args().only
    if only:
        print("\n".join(case(only)))
        return
    names = ("clvmodel", "lifetimes", "scikit-learn", "numpy", "scipy")
    versions = {name: page.version_of(name) for name in names}
    head = page.header("Models against formulas", COMMAND, versions, TEXT)
    print(page.write("comparison.md", [head, *(part for name in CASES for part in case(name))]))


if __name__ == "__main__":
    main()
