"""Does a candidate know more than it was given? The same past, under other names."""

from __future__ import annotations

from typing import Any

import numpy as np

from clvmodel.evaluate.protocol import Prediction, fitted_to, predicted, reason
from clvmodel.tables.renamed import under_other_names
from clvmodel.tables.summary import Summary

_SAME = 1e-6  # relative change of a prediction that sums in another order may make


def leak(candidate: Any, summary: Summary, days: int, said: Prediction, seed: int) -> str | None:
    """Why a candidate must have looked at more than the past it was given; None if it has not.

    The customers get new ids in another order, and the candidate is fitted and asked again. What
    it learns from their past does not change, so neither must its predictions; a candidate that
    looks customers up elsewhere, say in orders that go on after the cutoff, loses its way. It is
    also refused for looking up innocent things by id: give these as `customers` of the backtest.
    Candidates that draw random numbers must do so from a seed and not depend on the order of rows.
    One that recognises customers by their purchases, and not by id or place, is not found out.
    """
    renamed, order = under_other_names(summary, seed)
    try:
        again, _ = predicted(fitted_to(candidate, renamed, days), renamed, f"{days}D")
    except Exception as error:  # whoever wrote the candidate
        return f"it fails when the customers get other ids: {reason(error)}"
    for name, column in again.items():
        before = said[name][order]
        scale = float(np.abs(before).mean()) or 1.0
        apart = np.abs(column - before) / np.maximum(np.abs(before), scale)
        changed = int((apart > _SAME).sum())
        if changed:
            return (
                f"the {name} of {changed:,} of {len(summary):,} customers changes, by up to "
                f"{float(np.abs(column - before).max()):.3g}, when the customers get other ids and "
                "nothing else: it knows them from elsewhere."
            )
    return None
