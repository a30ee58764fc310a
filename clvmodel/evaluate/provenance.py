"""Where the numbers of a comparison come from: orders, fingerprint, versions."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from clvmodel.tables.holdout import Holdout
from clvmodel.tables.purchases import Purchases

_PACKAGES = ("clvmodel", "numpy", "scipy", "pandas", "duckdb", "lifetimes", "matplotlib")


def describe(orders: Any, split: Holdout) -> dict[str, Any]:
    """What the orders are, and how they divide at a cutoff: `Comparison.data`."""
    history = split.history
    account = history.reconciliation
    assert account is not None  # only parts of a history have none
    is_path = isinstance(orders, str | Path)
    return {
        "source": Path(orders).name if is_path else f"a {history.kind} table",
        "rows": account.rows,
        "purchases": account.purchases,
        "customers": len(split.calibration),
        "repeat_customers": int((split.calibration.frequency > 0).sum()),
        "first": history.first_day.isoformat(),
        "last": history.last_order.isoformat(),
        "reconciliation": str(account),
        "late_customers": split.late_customers,
        "late_purchases": split.late_purchases,
        "late_value": split.late_value,
        "actual_purchases": float(split.purchases.sum()),
        "actual_value": None if split.value is None else float(split.value.sum()),
        "has_value": split.value is not None,
        "fingerprint": _fingerprint(history),
    }


def _fingerprint(history: Purchases) -> str:
    """First 12 hex digits of the SHA-256 of the purchases: customers, days, values."""
    digest = hashlib.sha256("\n".join(map(str, history.ids.to_pylist())).encode())
    for array in (history.customer, history.day, history.value):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Versions of the packages that the numbers rest on, where they are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
