"""Cutoffs within the past: where a candidate may learn from what followed, without a leak."""

from __future__ import annotations

import datetime as dt
from typing import Any

from clvmodel.errors import DataError
from clvmodel.tables.holdout import Holdout, split_purchases
from clvmodel.tables.summary import Summary
from clvmodel.units import duration_in_days
from clvmodel.value.candidates import check_summary
from clvmodel.value.windows import history_days

_LONGEST = 365  # days looked ahead where nobody says how far


def earlier_holdouts(summary: Summary, horizon: Any, n_cutoffs: int, who: str) -> list[Holdout]:
    """Holdouts that end with the summary's own history, the latest last, and do not overlap.

    As long as the horizon where the history allows, else as long as leaves the first of them as
    much history before it as each is long. Raises DataError where there is too little.
    """
    check_summary(summary)
    if summary.purchases is None or summary.end is None:
        raise DataError(
            f"{who} learns from an earlier cutoff and needs single purchases, which a summary made "
            "from a table does not have; make it from the orders with clv.summarize."
        )
    most = int(history_days(summary) // (n_cutoffs + 1))
    wanted = _LONGEST if horizon is None else round(duration_in_days(horizon))
    days = min(wanted, most)
    if days < 1:
        raise DataError(
            f"{who} needs {n_cutoffs + 1} days of history or more, to look back from earlier days."
        )
    cuts = [summary.end - dt.timedelta(days=days * i) for i in range(n_cutoffs, 0, -1)]
    return [split_purchases(summary.purchases, cut, days, summary.unit) for cut in cuts]
