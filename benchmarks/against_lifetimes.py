"""Time this package and lifetimes in turn, in one process, on the same arrays: docs/speed.md.

    python benchmarks/against_lifetimes.py [--model NAME] [--sizes N ...] [--no-memory]

The page says with which options it was written. Medians of three runs each,
alternating; for Pareto/NBD lifetimes runs once, and nowhere above 1,000,000 customers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import memory
import numpy as np
import page

import clvmodel as clv
from clvmodel.models import MODELS, PURCHASE_MODELS

Data = dict[str, np.ndarray]
Action = Callable[[], Any]

RUNS = 3
FITS = {"BGNBD": (100_000, 1_000_000), "ParetoNBD": (100_000,)}
PREDICTIONS = {"BGNBD": (100_000, 1_000_000), "ParetoNBD": (1_000_000,)}
ONCE = ("ParetoNBD",)  # lifetimes needs minutes
LARGEST = 1_000_000  # customers up to which lifetimes is asked
TITLES = {"BGNBD": "BG/NBD", "ParetoNBD": "Pareto/NBD"}
FITTERS = {"BGNBD": "BetaGeoFitter", "ParetoNBD": "ParetoNBDFitter"}
COMMAND = "python benchmarks/against_lifetimes.py"

TEXT = """
Both packages work in turn, in one process, on the same arrays: the CDNOW sample in weeks (2,357
customers), and customers of a shop simulated in whole days, who all joined 730 days ago (*one T*)
or on any of the last 730 days (*T varies*), which gives many more distinct histories. A fit is from
bare arrays, everything included; lifetimes has its defaults. Predictions are the expected purchases
of the next 365 days (39 weeks), per customer, from bare arrays. Figures are medians of {runs} runs
each; lifetimes' Pareto/NBD ran once. *log L* is how much higher our maximum is, by our likelihood.
"""


def cdnow() -> Data:
    """Histories of the CDNOW sample, times in weeks."""
    orders = clv.datasets.load_cdnow(sample=True)
    summary = clv.summarize(orders, customer="customer_id", date="date", end="1997-09-30", unit="W")
    return {"frequency": summary.frequency, "recency": summary.recency, "T": summary.T}


def data_sets(model: str, sizes: tuple[int, ...]) -> dict[str, Data]:
    """Customers by a few words."""
    sets = {"CDNOW sample": cdnow()}
    for size in sizes:
        for kind in ("one T", "T varies"):
            sets[f"{size:,}, {kind}"] = memory.customers(model, size, kind)
    return sets


def timed(action: Action) -> tuple[float, Any]:
    """Seconds an action takes, and what it returns."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def alternate(ours: Action, theirs: Action | None, once: bool) -> tuple[list[float], list[Any]]:
    """Median seconds of both, taking turns, and what they returned last."""
    spent: list[list[float]] = [[], []]
    results: list[Any] = [None, None]
    for run in range(RUNS):
        for i, action in enumerate((ours, theirs)):
            if action is not None and not (i == 1 and once and run):
                seconds, results[i] = timed(action)
                spent[i].append(seconds)
    return [statistics.median(times) if times else np.nan for times in spent], results


def fitter(model: str) -> Any:
    """A fitter of lifetimes; None where the package is not installed."""
    try:
        import lifetimes
    except ImportError:
        return None
    return getattr(lifetimes, FITTERS[model])()


def compare(model: str, data: Data, once: bool) -> tuple[list[str], list[str]]:
    """Cells of the table of fits, and of that of predictions."""
    columns, family = list(data.values()), PURCHASE_MODELS[model]
    size = columns[0].size
    both = fitter(model) is not None and size <= LARGEST
    (ours, theirs), (fit, other) = alternate(
        lambda: clv.fit(family, data),
        (lambda: fitter(model).fit(*columns)) if both else None,
        once,
    )
    behind = "-"
    if other is not None:
        values = [float(other.params_[name]) for name in family.names()]
        theirs_at = float(family(*values).log_likelihood(*columns).sum())
        behind = f"{fit.log_likelihood - theirs_at:.4f}"
    fits = [f"{fit.cells.weight.size:,}", *ratio(ours, theirs), behind]
    return fits, ratio(*predictions(fit.model, other, data, once))


def predictions(model: Any, other: Any, data: Data, once: bool) -> list[float]:
    """Median seconds of expected purchases, for all customers, of both packages."""
    columns = list(data.values())
    t = 39.0 if columns[0].size == cdnow()["T"].size else 365.0
    theirs = other and other.conditional_expected_number_of_purchases_up_to_time
    seconds, _ = alternate(
        lambda: model.expected_purchases(t, *columns),
        (lambda: theirs(t, *columns)) if theirs else None,
        once,
    )
    return seconds


def ratio(ours: float, theirs: float) -> list[str]:
    """Both, and how many times as fast ours is."""
    if np.isnan(theirs):
        return [page.seconds(ours), "-", "-"]
    faster = theirs / ours
    times = f"{faster:,.0f}" if faster >= 1000 else f"{faster:.3g}"
    return [page.seconds(ours), page.seconds(theirs), f"{times}x"]


def unfitted(model: str) -> Any:
    """A fitter of lifetimes that has the parameters at which customers are simulated."""
    other = fitter(model)
    if other is not None:
        import pandas as pd

        names = PURCHASE_MODELS[model].names()
        other.params_ = pd.Series(dict(zip(names, memory.PARAMETERS[model], strict=True)))
        other.predict = other.conditional_expected_number_of_purchases_up_to_time
    return other


def draws() -> list[list[str]]:
    """4,000 draws of the parameters for the CDNOW sample, by each model."""
    lines = []
    for model in TITLES:
        if model in MODELS:
            fit = clv.fit(MODELS[model], cdnow())
            if hasattr(fit, "sample"):
                times = [timed(lambda fit=fit: fit.sample(4000, seed=1))[0] for _ in range(RUNS)]
                lines.append([TITLES[model], page.seconds(statistics.median(times))])
    return lines


def main() -> None:
    """Measure what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--sizes", type=int, nargs="+", default=[])
    parser.add_argument("--no-memory", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    fits, predicted = [], []
    for model, title in TITLES.items():
        if model not in PURCHASE_MODELS or options.model not in ("", model):
            continue
        once = model in ONCE
        sizes = tuple(options.sizes) or FITS[model]
        for name, data in data_sets(model, sizes).items():
            fit, predict = compare(model, data, once)
            fits.append([f"{title}, {name}", *fit])
            predicted.append([f"{title}, {name}", *predict])
            print(fits[-1], predicted[-1], file=sys.stderr)
        for size in set(PREDICTIONS[model]) - set(sizes) if not options.sizes else ():
            for kind in ("one T", "T varies"):
                data = memory.customers(model, size, kind)
                point = PURCHASE_MODELS[model](*memory.PARAMETERS[model])
                times = predictions(point, unfitted(model), data, once)
                predicted.append([f"{title}, {size:,}, {kind}", *ratio(*times)])
                print(predicted[-1], file=sys.stderr)
    names = ("clvmodel", "lifetimes", "numpy", "scipy", "pandas")
    versions = {name: page.version_of(name) for name in names}
    both = ["clvmodel", "lifetimes", "faster"]
    parts = [
        page.header("Speed", " ".join([COMMAND, *sys.argv[1:]]), versions, TEXT.format(runs=RUNS)),
        "## Fit\n",
        page.table(["customers", "cells", *both, "log L"], fits),
        "## Expected purchases\n",
        page.table(["customers", *both], predicted),
        "## 4,000 posterior draws, CDNOW sample\n",
        page.table(["model", "clvmodel"], draws()),
    ]
    if not options.no_memory:
        parts += [
            f"## Peak memory at {memory.CUSTOMERS:,} customers\n",
            "What a call allocates at its worst moment, its result included, in multiples of the "
            "arrays that go in (`benchmarks/memory.py`).\n",
            page.table(["customers", "fit", "expected purchases"], memory.rows()),
        ]
    print(page.write("speed.md", parts))


if __name__ == "__main__":
    main()
