"""The same customers under other names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clvmodel.tables.purchases import Purchases
from clvmodel.tables.summary import Summary


def under_other_names(summary: Summary, seed: int) -> tuple[Summary, NDArray[np.intp]]:
    """Return the same customers under new ids, shuffled, and the old row of each new one."""
    past = summary.purchases
    assert past is not None
    n = len(past.ids)
    order = np.random.default_rng(seed).permutation(n)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    customer = place[past.customer]
    rows = np.lexsort((past.day, customer))
    moved = Purchases(
        _new_ids(past.ids),
        customer[rows],
        past.day[rows],
        None if past.value is None else past.value[rows],
        past.last_order,
        None,
        past.kind,
    )
    assert summary.end is not None
    index = pa.array(order)
    attributes = {name: column.take(index) for name, column in summary.attributes.items()}
    again = Summary.from_purchases(moved, summary.end, summary.unit)
    return replace(again, attributes=attributes), order


def _new_ids(ids: pa.Array) -> pa.Array:
    """As many ids of the same type, rising, none of which was there."""
    n = len(ids)
    if pa.types.is_integer(ids.type):
        highest = int(np.max(ids.to_numpy(zero_copy_only=False), initial=0))
        return pa.array(np.arange(n) + highest + 1).cast(ids.type)
    return pa.array([f"customer under another name {i:012}" for i in range(n)])
