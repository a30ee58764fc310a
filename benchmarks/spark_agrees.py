"""Spark in local mode against one machine: the same orders, cells, parameters and scores.

    python benchmarks/spark_agrees.py [customers]

Simulates orders, as Parquet, in a temporary folder; summarizes, fits and scores them here
(`summarize_to`, `predict_to`) and in Spark with two workers; prints times and the largest relative
differences. Needs the extra `spark` and Java 17.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

import clvmodel as clv

CUSTOMERS = 1_000_000
PURCHASES = clv.BGNBD(0.55, 56.0, 0.77, 3.0)
SPEND = clv.GammaGamma(5.7, 3.9, 25.5)
ROLES = {"customer": "customer", "date": "day", "value": "amount", "end": "2025-12-31"}
HORIZON = "365D"


def simulate(folder: Path, size: int, seed: int = 1) -> int:
    """Write the orders of customers who joined on any day of two years; how many orders."""
    rng = np.random.default_rng(seed)
    T = rng.integers(1, 731, size).astype(float)
    customer, when = PURCHASES.simulate_purchases(T, seed=rng)
    who = np.concatenate([np.arange(size), customer])
    ago = np.concatenate([T, T[customer] - np.ceil(when)])
    scale = rng.gamma(SPEND.q, 1 / SPEND.gamma, size)
    amount = np.round(rng.gamma(SPEND.p, 1 / scale[who]), 2)
    day = np.datetime64(ROLES["end"]) - ago.astype("timedelta64[D]")
    mixed = rng.permutation(who.size)
    folder.mkdir()
    for number, rows in enumerate(np.array_split(mixed, 8)):
        table = pa.table({"customer": who[rows], "day": day[rows], "amount": amount[rows]})
        pyarrow.parquet.write_table(table, folder / f"orders-{number}.parquet")
    return who.size


def timed(what: str, action: Callable[[], Any]) -> Any:
    """Do it, and say how long it took."""
    begin = time.perf_counter()
    result = action()
    print(f"{what:<28} {time.perf_counter() - begin:7.1f} s", flush=True)
    return result


def apart(ours: Any, theirs: Any) -> float:
    """Largest relative difference of two arrays."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape, f"{ours.shape} here, {theirs.shape} there"
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(ours), 1e-300), initial=0.0))


def spark_session(folder: Path) -> Any:
    """Spark on this machine, with two workers."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.local.dir", str(folder / "spark"))
        .getOrCreate()
    )


def main() -> None:
    """Run both and compare."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else CUSTOMERS
    with tempfile.TemporaryDirectory(prefix="clvmodel-spark-") as name:
        folder = Path(name)
        orders = simulate(folder / "orders", size)
        print(f"{size:,} customers, {orders:,} orders")

        def summarize() -> Any:
            return clv.summarize_to(folder / "s.parquet", folder / "orders", **ROLES)

        here = timed("here: summarize_to", summarize)
        ours = timed("here: fit", lambda: clv.ValueModel().fit(here))
        out = folder / "here.parquet"
        timed("here: predict_to", lambda: ours.predict_to(out, here, HORIZON))

        spark = timed("Spark: start", lambda: spark_session(folder))
        table = spark.read.parquet(str(folder / "orders"))
        there = timed("Spark: summarize", lambda: clv.summarize(table, **ROLES))
        theirs = timed("Spark: cells and fit", lambda: clv.ValueModel().fit(there))
        far = folder / "there.parquet"
        timed("Spark: predict_to", lambda: theirs.predict_to(far, there, HORIZON))

        mine, yours = here.reconciliation, there.reconciliation
        worst = apart(mine.amount, yours.amount)
        print(f"same account of the rows: {str(mine) == str(yours)}; their amount: {worst:.1e}")
        for kind in ("cells", "spend_cells"):
            mine, yours = getattr(here, kind), getattr(there, kind)
            pairs = zip((*mine.columns, mine.weight), (*yours.columns, yours.weight), strict=True)
            worst = max(apart(a, b) for a, b in pairs)
            print(f"{kind}: {mine.weight.size:,}, largest relative difference {worst:.1e}")
        for mine, yours in zip(ours.fits, theirs.fits, strict=True):
            worst = apart(mine.model.values(), yours.model.values())
            print(f"{mine.model.title}: largest relative difference of a parameter {worst:.1e}")
        left, right = (
            pyarrow.parquet.read_table(path).sort_by("customer_id") for path in (out, far)
        )
        print(
            f"same customers: {left['customer_id'].to_pylist() == right['customer_id'].to_pylist()}"
        )
        for column in left.column_names[1:]:
            worst = apart(left[column].to_numpy(), right[column].to_numpy())
            print(f"{column:<20} largest relative difference {worst:.1e}")
        spark.stop()


if __name__ == "__main__":
    main()
