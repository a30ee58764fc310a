"""What the fits of a value model read: customers, or the cells of a summary too large to hold."""

from __future__ import annotations

from typing import Any

from clvmodel.errors import ColumnError
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.predictions import spend_history


def timing_data(summary: Summary | LargeSummary, covariates: Any) -> Any:
    """Return what the fit of purchases reads. Raises ColumnError where covariates are not there."""
    if isinstance(summary, Summary):
        return summary
    if covariates:
        raise ColumnError(
            f"covariates={covariates!r} needs attributes of the customers, which a "
            f"{type(summary).__name__} has not; use summarize and Summary.join."
        )
    (frequency, recency, T), weight, _ = summary.cells
    return {"frequency": frequency, "recency": recency, "T": T, "weight": weight}


def spend_data(summary: Summary | LargeSummary, includes_first: bool) -> dict[str, Any] | None:
    """Return what the fit of spend reads; None where no purchase that counts has a value."""
    weight = {}
    if isinstance(summary, Summary):
        if summary.monetary_value is None:
            return None
        count, mean = spend_history(summary, includes_first)
    else:
        cells = summary.total_cells if includes_first else summary.spend_cells
        if cells is None:
            return None
        (count, mean), number, _ = cells
        weight = {"weight": number}
    if not ((count > 0) & (mean != 0)).any():
        return None
    covariates = summary.covariates if isinstance(summary, Summary) else {}
    return {"frequency": count, "monetary_value": mean, **weight, **covariates}
