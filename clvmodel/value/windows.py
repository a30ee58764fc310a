"""What customers did within windows of time, as formulas look at it."""

from __future__ import annotations

import numpy as np

from clvmodel.errors import DataError
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import days_in


def history_days(summary: Summary) -> float:
    """Length of the observed history in days, first and last day included."""
    return float(np.rint(np.max(summary.T) * days_in(summary.unit))) + 1.0


def window_activity(summary: Summary, days: float, ago: float) -> tuple[Array, Array | None]:
    """Purchases and value per customer in a window of `days` that ended `ago` days before now."""
    if summary.purchases is None or summary.end is None:
        raise DataError(
            "This formula looks at single purchases, which a summary made from a table does not "
            "have; make it from the orders with clv.summarize."
        )
    end = to_day(summary.end) - round(ago)
    return summary.purchases.within(end - round(days), end)


def silent_days(summary: Summary) -> Array:
    """Whole days since each customer's last purchase."""
    return np.rint((summary.T - summary.recency) * days_in(summary.unit))
