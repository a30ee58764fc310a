"""Simulate customers, fit, and count how often the truth is found; writes docs/recovery.md.

    python benchmarks/recovery.py [--seeds N] [--keep FILE] [--model NAME] [--sizes N ...]

Without `--seeds`: 200 data sets of 500 and of 5,000 customers, 20 of 100,000. `--keep` names a file
that holds every result, so that a run which was interrupted goes on. With `--model` or `--sizes`
the page is printed, not written.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import page
from scipy.stats import binomtest

import clvmodel as clv
from clvmodel.models import MODELS

SEEDS = {500: 200, 5_000: 200, 100_000: 20}
PROFILED = 500  # size at which profile intervals are formed, too
LEVEL = 0.95
COMMAND = "python benchmarks/recovery.py"

TRUTHS: dict[str, tuple[float, ...]] = {
    "BGNBD": (0.243, 4.414, 0.793, 2.426),  # CDNOW in weeks
    "MBGNBD": (0.525, 6.183, 0.891, 1.614),  # the same
    "ParetoNBD": (0.553, 10.578, 0.606, 11.669),  # the same
    "BGBB": (1.204, 0.750, 0.657, 2.783),  # donations, six yearly opportunities
    "GammaGamma": (6.25, 3.74, 15.44),  # CDNOW in dollars
}

TEXT = """
Data are simulated at the published estimates: customers of the CD retailer CDNOW, watched for 27 to
39 weeks (spend: 1.5 repeat purchases on average; BG/BB: six opportunities), times not rounded.

**Every fit must end in words**: at an inner maximum (gradient per customer below 1e-9), or saying
which parameters the data do not bound, or that it has not converged. *Unsaid* counts the fits
without such words in which a 95% interval spans a factor of more than 1e8.

**Intervals must cover**: the second table says how often the 95% interval of a parameter holds the
truth, with the 95% interval of that share (Clopper and Pearson), in bold where that does not hold
95%: by chance alone one cell of twenty. All fits count, whatever their words.
"""


class Trial(NamedTuple):
    """One fit: seconds, words, parameters whose delta and profile intervals hold the truth."""

    seconds: float
    words: str
    delta: dict[str, bool]
    profile: dict[str, bool]


def simulated(model: Any, size: int, seed: int) -> dict[str, np.ndarray]:
    """The columns of a customer summary."""
    rng = np.random.default_rng([seed, size])
    if "monetary_value" in model.columns:
        x = rng.poisson(1.5, size).astype(float)
        return {"frequency": x, "monetary_value": model.simulate(x, seed=rng)}
    watched = np.full(size, 6.0) if "n" in model.columns else rng.uniform(27, 39, size)
    return dict(zip(model.columns, model.simulate(watched, seed=rng)[:3], strict=True))


def trial(model: Any, size: int, seed: int) -> Trial:
    """Fit one simulated data set."""
    data = simulated(model, size, seed)
    start = time.perf_counter()
    fit = clv.fit(type(model), data)
    seconds = time.perf_counter() - start
    truth = dict(zip(model.names(), model.values(), strict=True))
    delta = fit.interval(LEVEL)
    profile = fit.interval(LEVEL, method="profile") if size == PROFILED else {}
    wide = any(high > 1e8 * low for low, high in delta.values())
    return Trial(seconds, kind(fit, wide), held(delta, truth), held(profile, truth))


def held(intervals: dict[str, tuple[float, float]], truth: dict[str, float]) -> dict[str, bool]:
    """Whether each interval holds the truth."""
    return {name: bool(low <= truth[name] <= high) for name, (low, high) in intervals.items()}


def kind(fit: Any, wide: bool) -> str:
    """The message of a fit without its numbers."""
    if not fit.converged:
        return "not converged"
    bound = re.search(r"do not bound ([^:]*):", fit.message)
    if bound:
        return f"at a limit: {bound.group(1)} not bounded"
    if "say nothing" in fit.message:
        return "the data say nothing"
    vague = re.search(r"say little about ([^:]*):", fit.message)
    if vague:
        return f"inner maximum, little said about {vague.group(1)}"
    return "unsaid" if wide else "inner maximum"


def share(trials: list[Trial], held_in: Callable[[Trial], dict[str, bool]], name: str) -> str:
    """How often the intervals of a parameter hold the truth, with its own interval."""
    values = [held_in(t)[name] for t in trials if held_in(t)]
    if not values:
        return "-"
    test = binomtest(sum(values), len(values), LEVEL).proportion_ci(0.95, "exact")
    words = f"{np.mean(values):.1%} ({test.low:.0%} to {test.high:.0%})"
    return words if test.low <= LEVEL <= test.high else f"**{words}**"


def real_data() -> list[list[str]]:
    """A line per model and real data set."""
    lines = []
    for name, make in data_sets().items():
        try:
            data = make()
        except Exception as error:
            lines.append([name, f"{type(error).__name__}: {error}"[:100], *[""] * 4])
            continue
        for title, model in MODELS.items():
            fit, spent = attempt(model, data)
            if fit is not None:
                named = ", ".join(f"{k} {page.short(v)}" for k, v in fit.parameters.items())
                words = re.sub(r": gradient per customer [-\de.]+\.", ".", fit.message)
                cells = [f"{fit.customers:,.0f}", named, f"{fit.log_likelihood:,.2f}"]
                lines.append([f"{name}, {title}", *cells, page.seconds(spent), words])
    return lines


def data_sets() -> dict[str, Callable[[], Any]]:
    """Real order histories, summarized."""
    keys = {"customer": "customer_id", "date": "date"}
    money = {"value": "amount", "end": "1997-09-30", "unit": "W"}

    def cdnow(sample: bool) -> Any:
        return clv.summarize(clv.datasets.load_cdnow(sample=sample), **keys, **money)

    sets: dict[str, Callable[[], Any]] = {
        "CDNOW sample": lambda: cdnow(True),
        "CDNOW": lambda: cdnow(False),
    }
    if hasattr(clv.datasets, "load_donations"):
        sets["donations"] = clv.datasets.load_donations
    return sets


def attempt(model: Any, data: Any) -> tuple[Any, float]:
    """A fit and its seconds; None where the data are of another kind."""
    start = time.perf_counter()
    try:
        return clv.fit(model, data), time.perf_counter() - start
    except clv.ColumnError:
        return None, 0.0


def main() -> None:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--keep", metavar="FILE")
    parser.add_argument("--model", default="")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SEEDS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    kept, ends, covered = page.Kept(options.keep), [], []
    for name, family in MODELS.items():
        if options.model not in ("", name) or name not in TRUTHS:
            continue
        model = family(*TRUTHS[name])
        rows = {parameter: [f"{name} {parameter}"] for parameter in model.names()}
        for size in options.sizes:
            seeds = options.seeds or SEEDS.get(size, 20)
            trials = [
                Trial(
                    *kept.get(
                        [name, size, seed],
                        lambda m=model, n=size, s=seed: trial(m, n, s),
                    )
                )
                for seed in range(seeds)
            ]
            counts = Counter(t.words for t in trials)
            spent = page.seconds(statistics.median(t.seconds for t in trials))
            words = "; ".join(f"{n} {k}" for k, n in counts.most_common())
            ends.append([name, f"{size:,}", seeds, spent, counts["unsaid"], words])
            print(ends[-1], file=sys.stderr)
            for parameter, row in rows.items():
                row.append(share(trials, lambda t: t.delta, parameter))
                if size == PROFILED:
                    row.append(share(trials, lambda t: t.profile, parameter))
        covered += rows.values()
    heads = []
    for size in options.sizes:
        heads += [f"{size:,}", f"{size:,}, profile"] if size == PROFILED else [f"{size:,}"]
    missing = [name for name in MODELS if name not in TRUTHS]
    if missing:
        print("no truth is given for", *missing, file=sys.stderr)
    names = ("clvmodel", "numpy", "scipy")
    seeds = f" --seeds {options.seeds}" if options.seeds else ""
    versions = {name: page.version_of(name) for name in names}
    parts = [
        page.header("Recovery", COMMAND + seeds, versions, TEXT),
        "## How the fits end\n",
        page.table(["model", "customers", "fits", "median fit", "unsaid", "ends"], ends),
        "## How often 95% intervals hold the truth\n",
        page.table(["parameter; customers:", *heads], covered),
        "## Real data\n",
        "CDNOW until 1997-09-30, in weeks, as in the papers; donations: six yearly chances.\n",
        page.table(["data", "customers", "estimates", "log L", "fit", "message"], real_data()),
    ]
    if options.model or options.sizes != list(SEEDS):
        print("\n".join(parts))
    else:
        print(page.write("recovery.md", parts))


if __name__ == "__main__":
    main()
