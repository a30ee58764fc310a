"""Seconds to segment a large base, put it into tiers and see its cohorts: in memory, and in a file.

    python benchmarks/segments.py [--customers N]

Prints a line per step. The customers are those of `benchmarks/scale.py`, whose orders are written
as Parquet files and summarized, into a file and in memory. The model is fitted before the clock of
a table starts.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scale

import clvmodel as clv

COLUMNS = {"customer": "customer_id", "date": "ordered_at", "value": "amount"}


def timed(name: str, call: Callable[[], Any]) -> Any:
    """Run a call and tell its seconds."""
    start = time.perf_counter()
    result = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:48}{time.perf_counter() - start:8.2f} s {peak:8,.0f} MB so far", flush=True)
    return result


def decide(summary: Any, model: Any, folder: Path) -> None:
    """Measure a summary, in memory or in a file."""
    stored = isinstance(summary, clv.StoredSummary)
    start = time.perf_counter()
    segments = timed("segment", lambda: clv.segment(summary, model, margin=0.4))
    tiers = timed("tier", lambda: clv.tier(summary, model, margin=0.4))
    timed("tables of tiers and lists", lambda: (tiers.table, tiers.lists))
    for name, part in (("segments", segments), ("tiers", tiers)):
        rows = folder / f"{name}.parquet"
        timed(f"rows of {name}", lambda p=part, r=rows: p.to(r) if stored else p.frame)
    print(f"{'all of these':48}{time.perf_counter() - start:8.2f} s")
    timed("table of segments, with predicted intervals", segments.table)
    timed("segments by deciles", segments.deciles)
    timed("cohorts with twelve months ahead", lambda: clv.cohorts(summary, model))
    economics = clv.UnitEconomics(model, summary, cac=20.0, margin=0.4)
    timed("unit economics", lambda: economics.rows)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "orders").mkdir()
        scale.simulate(folder / "orders", options.customers)
        path = folder / "summary.parquet"
        stored = timed("summarize_to", lambda: clv.summarize_to(path, folder / "orders", **COLUMNS))
        model = timed("fit", lambda: clv.ValueModel().fit(stored))
        print("in a file")
        decide(stored, model, folder)
        print("in memory")
        summary = clv.summarize(folder / "orders", **COLUMNS)
        decide(summary, model, folder)


if __name__ == "__main__":
    main()
