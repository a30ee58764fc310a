"""How many customers went from one name to another between two large summaries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from clvmodel.tables.duckdb_source import pairs
from clvmodel.tables.spark_source import collected, spark_errors
from clvmodel.tables.spark_summary import SparkSummary
from clvmodel.tables.summary import Summary

Namer = Callable[[Summary], pa.Table]
"""Makes the columns `customer_id` and `segment` of the customers of a part."""


def moves(
    one: Any, one_names: Namer, two: Any, two_names: Namer
) -> list[tuple[str | None, str | None, int]]:
    """(segment in `one`, segment in `two`, customers); None for those who are not there.

    Both summaries are in files, or both in Spark; their customers stay there.
    """
    if isinstance(one, SparkSummary):
        here = one.map(one_names).withColumnRenamed("segment", "here")
        there = two.map(two_names).withColumnRenamed("segment", "there")
        both = here.join(there, on="customer_id", how="full").groupBy("here", "there").count()
        with spark_errors():
            columns = collected(both).to_pydict()
        return list(zip(columns["here"], columns["there"], columns["count"], strict=True))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("one.parquet", "two.parquet")]
        for summary, names, path in ((one, one_names, paths[0]), (two, two_names, paths[1])):
            summary.map_to(path, names, len(summary))
        return pairs(paths[0], paths[1], "customer_id", "segment")
