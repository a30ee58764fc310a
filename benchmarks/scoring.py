"""Time and memory of scoring customers, with and without intervals: docs/scoring.md.

    python benchmarks/scoring.py [--customers N]

Each call runs in a process of its own, after the model was fitted there; memory is the peak of the
whole process, imports, customers and fit included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import memory
import numpy as np
import page
import pyarrow as pa

import clvmodel as clv

CUSTOMERS = 1_000_000
MODELS = ("BGNBD", "ParetoNBD")
KINDS = ("one T", "T varies")
LEVELS = (0.05, 0.5, 0.95)
SPEND = clv.GammaGamma(p=6.25, q=3.74, gamma=15.44)
COMMAND = "python benchmarks/scoring.py"

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "fit": lambda _, summary: clv.ValueModel().fit(summary),
    "predict": lambda model, summary: model.predict(summary, "365D"),
    "predict, for ever": lambda model, summary: model.predict(summary, np.inf),
    "predict, three quantiles": lambda model, summary: model.predict(
        summary, "365D", quantiles=LEVELS
    ),
    "predict, a threshold": lambda model, summary: model.predict(
        summary, "365D", value_above=100.0
    ),
    "predict_total": lambda model, summary: model.predict_total(summary, "365D"),
    "predict_path": lambda model, summary: model.predict_path(summary, "365D"),
    "predict_dates": lambda model, summary: model.predict_dates(summary),
}

TEXT = """
{customers:,} customers of a shop simulated in whole days, who all joined 730 days ago (*one T*) or
on any of the last 730 days (*T varies*), spending as the customers of CDNOW do. Horizons are 365
days; quantiles are those at 5%, 50% and 95%, of purchases and of value. Seconds are those of one
call; megabytes the peak of its process, which also holds the customers (some 40 MB of numbers) and
has fitted the model. `fit` is BG/NBD and Gamma-Gamma whatever the column.
"""


def shop(name: str, size: int, kind: str) -> Any:
    """Simulated customers, with what they spent."""
    columns = memory.customers(name, size, kind)
    columns["monetary_value"] = SPEND.simulate(columns["frequency"], seed=3)
    columns["first_value"] = SPEND.simulate(np.ones(size), seed=4)
    return clv.Summary.from_frame(pa.table(columns), unit="D", end="2025-12-31")


def measure(name: str, size: int, kind: str, call: str) -> tuple[float, float]:
    """Seconds of a call and megabytes of this process."""
    summary = shop(name, size, kind)
    model = clv.ValueModel(purchases=getattr(clv, name)).fit(summary)
    model.predict_total(summary.take(np.arange(100)), 30, quantiles=(0.5,))  # imports, not timed
    start = time.perf_counter()
    CALLS[call](model, summary)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def apart(name: str, size: int, kind: str, call: str) -> tuple[float, float]:
    """Return the same, in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(size), kind, call]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds, megabytes


def rows(size: int) -> list[list[str]]:
    """A line per call."""
    lines = []
    for call in CALLS:
        line = [call]
        for name in MODELS:
            for kind in KINDS:
                seconds, megabytes = apart(name, size, kind, call)
                line.append(f"{page.seconds(seconds)}, {megabytes:,.0f} MB")
        lines.append(line)
        print(line, file=sys.stderr)
    return lines


def main() -> None:
    """Measure one call, or write the page."""
    if sys.argv[1:2] == ["--one"]:
        name, size, kind, call = sys.argv[2:]
        print(json.dumps(measure(name, int(size), kind, call)))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    size = parser.parse_args().customers
    columns = [f"{getattr(clv, name).title}, {kind}" for name in MODELS for kind in KINDS]
    command = COMMAND + (f" --customers {size}" if size != CUSTOMERS else "")
    names = ("clvmodel", "numpy", "scipy", "pyarrow")
    versions = {name: page.version_of(name) for name in names}
    text = TEXT.format(customers=size)
    table = page.table(["call", *columns], rows(size))
    print(page.write("scoring.md", [page.header("Scoring", command, versions, text), table]))


if __name__ == "__main__":
    main()
