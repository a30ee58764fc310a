"""Seconds to segment a large base and put it into tiers, with a model and without.

    python benchmarks/segments.py [--customers N]

Prints a line per step. The customers are those of `benchmarks/scoring.py`; the model is fitted
before the clock starts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import scoring

import clvmodel as clv


def timed(name: str, call: Callable[[], Any]) -> Any:
    """Run a call and tell its seconds."""
    start = time.perf_counter()
    result = call()
    print(f"{name:48}{time.perf_counter() - start:8.2f} s", flush=True)
    return result


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--kind", default="T varies", choices=scoring.KINDS)
    options = parser.parse_args()
    summary = scoring.shop("BGNBD", options.customers, options.kind)
    model = clv.ValueModel().fit(summary)
    start = time.perf_counter()
    segments = timed("segment: scores and segments", lambda: clv.segment(summary, model))
    scores = timed("predict 365D", lambda: model.predict(summary, "365D"))
    tiers = timed("tier: tiers and lists", lambda: clv.tier(summary, model, predictions=scores))
    timed("tier: table and list counts", lambda: (tiers.table, tiers.lists))
    timed("segment: table without model", clv.segment(summary).table)
    timed("frame of segments", lambda: clv.segment(summary).frame)
    timed("frame of tiers", lambda: tiers.frame)
    print(f"{'all of these':48}{time.perf_counter() - start:8.2f} s")
    timed("segment: predictions and deciles", segments.deciles)
    timed("segment: table with totals and intervals", segments.table)


if __name__ == "__main__":
    main()
