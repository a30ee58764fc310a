"""Any size: orders in files to scores in a file, on this machine, beside pandas and lifetimes.

    python benchmarks/scale.py [--customers 1000000 10000000] [--peers 100000 1000000] [--folder F]

Simulates each shop as Parquet files of half a million customers (BG/NBD and Gamma-Gamma, two years,
order times to the second, ids in no order), 2.4 orders per customer, and then runs, each in a
process of its own,

    `clvmodel score FOLDER --out scores.parquet`,

that is: summarize, fit both models, predict every customer; and the same steps with pandas and
lifetimes. Time is that of the whole process; peak memory is its largest resident set. The simulated
files are removed at the end of each size.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import page
import pyarrow as pa
import pyarrow.parquet as pq

import clvmodel as clv

PART = 500_000
DAYS = 730
LAW, SPEND = clv.BGNBD(0.25, 30.0, 0.8, 2.5), clv.GammaGamma(6.25, 3.74, 15.44)
LIMIT = 1800.0  # seconds that a peer is given

PANDAS = """
import sys, warnings
warnings.simplefilter("ignore")
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.utils import summary_data_from_transaction_data
orders = pd.read_parquet(sys.argv[1])
s = summary_data_from_transaction_data(orders, "customer_id", "ordered_at", "amount")
timing = BetaGeoFitter().fit(s["frequency"], s["recency"], s["T"])
some = s[(s["frequency"] > 0) & (s["monetary_value"] > 0)]
spend = GammaGammaFitter().fit(some["frequency"], some["monetary_value"])
known = (s["frequency"], s["recency"], s["T"])
s["p_alive"] = timing.conditional_probability_alive(*known)
s["purchases"] = timing.conditional_expected_number_of_purchases_up_to_time(365, *known)
s["spend"] = spend.conditional_expected_average_profit(s["frequency"], s["monetary_value"])
s["clv"] = spend.customer_lifetime_value(
    timing, *known, s["monetary_value"], time=12, freq="D", discount_rate=0.0079741
)
s.to_parquet(sys.argv[2])
"""


class Run(NamedTuple):
    """What one process took: seconds, bytes at its peak, and how it ended, in words."""

    seconds: float
    peak: float
    end: str


def simulate(folder: Path, customers: int, seed: int = 1) -> int:
    """Write the orders of a shop as Parquet files; how many there are."""
    orders = 0
    for number, start in enumerate(range(0, customers, PART)):
        rng = np.random.default_rng([seed, number])
        size = min(PART, customers - start)
        T = rng.integers(1, DAYS + 1, size)
        again = LAW.simulate_purchases(T.astype(float), seed=rng)
        who = np.concatenate([np.arange(size), again.customer])
        later = np.ceil(again.time).astype(int)
        day = np.concatenate([DAYS - T, DAYS - T[again.customer] + later])
        mean = rng.gamma(SPEND.q, 1 / SPEND.gamma, size)
        amount = np.round(rng.gamma(SPEND.p, 1.0, who.size) / mean[who], 2)
        order = np.argsort(day, kind="stable")
        when = np.datetime64("2023-01-01") + day[order].astype("timedelta64[D]")
        moment = when.astype("datetime64[s]") + rng.integers(0, 86_400, who.size).astype("m8[s]")
        ids = (start + who[order].astype(np.int64)) * 7919 % customers  # 7919: a prime
        table = pa.table({"customer_id": ids, "ordered_at": moment, "amount": amount[order]})
        pq.write_table(table, folder / f"part-{number:04d}.parquet")
        orders += who.size
    return orders


def run(command: list[str], limit: float | None = None) -> Run:
    """Run a process to its end, or to the limit of time."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while True:
        done, status, used = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - began
        if done:
            break
        if limit is not None and seconds > limit:
            process.kill()
            os.wait4(process.pid, 0)
            return Run(seconds, float("nan"), f"stopped after {limit:,.0f} s")
        time.sleep(0.01)
    said = process.stderr.read().decode().strip().splitlines() if process.stderr else []
    end = "" if status == 0 else f"failed: {(said or ['killed'])[-1][:80]}"
    return Run(seconds, used.ru_maxrss * 1024.0, end)


def measured(customers: int, folder: Path, ours: bool, peer: bool) -> list[list[Any]]:
    """Rows of the table for one size."""
    shop = Path(tempfile.mkdtemp(prefix="shop-", dir=folder))
    try:
        orders = simulate(shop, customers)
        out = folder / "scores.parquet"
        python = [sys.executable]
        rows = []
        if ours:
            command = [*python, "-m", "clvmodel", "score", str(shop), "--out", str(out)]
            rows.append(("clvmodel", run(command)))
            assert pq.read_metadata(out).num_rows == customers
        if peer:
            command = [*python, "-c", PANDAS, str(shop), str(out)]
            rows.append(("pandas + lifetimes", run(command, LIMIT)))
        out.unlink(missing_ok=True)
    finally:
        shutil.rmtree(shop)
    return [
        [
            f"{customers:,}",
            f"{orders:,}",
            who,
            f"{found.seconds:,.1f}",
            f"{found.peak / 1e9:.2f}" if found.peak == found.peak else "",
            f"{1e6 * found.seconds / customers:.2f}",
            found.end,
        ]
        for who, found in rows
    ]


def main() -> None:
    """Measure all sizes and write docs/scale.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--peers", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    rows = []
    for customers in sorted({*given.customers, *given.peers}, reverse=True):
        found = measured(customers, given.folder, True, customers in given.peers)
        print("\n".join("  ".join(map(str, row)) for row in found), flush=True)
        rows = found + rows
    columns = ["customers", "orders", "who", "seconds", "peak GB", "s per million", "remark"]
    versions = {name: page.version_of(name) for name in ("duckdb", "pyarrow", "lifetimes")}
    text = " ".join(__doc__.split("\n\n", 2)[2].split())
    words = "python benchmarks/scale.py " + " ".join(sys.argv[1:])
    path = page.write(
        "scale.md",
        [page.header("Any size", words.strip(), versions, text), page.table(columns, rows, left=0)],
    )
    print(path)


if __name__ == "__main__":
    main()
