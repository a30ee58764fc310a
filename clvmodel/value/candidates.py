"""The protocol of everything that forecasts customers: models, formulas, and what users bring.

A candidate has `fit(summary)`, which returns something with `predict(summary, horizon)`. The
prediction is a table with one row per customer of the summary, in its order, with a column
`customer_id` and at least one of `expected_purchases` and `expected_value` (the sum of purchase
values within the horizon, times the margin). A `name`, a `kind` and, once fitted, `assumptions`
(what was assumed, in words) are shown where they exist. So this is a whole candidate:

>>> class Seasonal:
...     name = "As last December"
...     def fit(self, summary):
...         self.rate = summary.frequency.sum() / summary.T.sum()   # learn from the past
...         return self
...     def predict(self, summary, horizon):
...         days = clv.units.duration_in_days(horizon)              # such as "90D"
...         same = [1.5 * self.rate * days] * len(summary)
...         ids = summary.ids.to_pylist()
...         return pd.DataFrame({"customer_id": ids, "expected_purchases": same})
>>> import clvmodel as clv, pandas as pd
>>> orders = pd.DataFrame({"who": list("aabb"), "paid": [5.0, 5.0, 8.0, 9.0],
...     "when": ["2024-01-01", "2024-02-01", "2024-01-09", "2024-03-30"]})
>>> found = clv.backtest(orders, [Seasonal(), clv.RunRate()], customer="who", date="when",
...                      value="paid", cutoffs="2024-02-29", check_leaks=True)
>>> [result.error for result in found.results]
[None, None]

`summary.purchases` holds the single purchases up to the cutoff, for candidates that look at them;
`summary.attributes` the columns of the backtest's `customers`. What else a backtest uses where a
candidate has it:

    fit(summary, horizon=None)        told how far ahead will be asked, such as "90D"
    a column p_purchase               chance of any purchase: scored as target "active"
    predict(..., quantiles=(...))     columns purchases_q05, value_q05 and the like: coverage, width
    purchase_chances(summary, n, horizon)   P(exactly n), P(at most n) per customer: log score
    expected_cumulative(summary, days)      the tracking curve before the cutoff
    expected_frequencies(summary, most)     the histogram of repeat purchases before the cutoff
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import native_frame
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import horizon_in_days


class Fitted(Protocol):
    """A candidate that has seen a summary."""

    def predict(self, summary: Summary, horizon: Any) -> Any:
        """Return a table with one row per customer: see this file's first lines."""


class Candidate(Protocol):
    """Anything that can be fitted to a summary and then forecast its customers."""

    def fit(self, summary: Summary) -> Fitted:
        """Learn from the customers of a summary, and from nothing else."""


def prediction_table(summary: Summary, columns: Mapping[str, Array | None]) -> Any:
    """Build the table of a prediction, of the kind of the summary's frame; None is left out."""
    present = {name: column for name, column in columns.items() if column is not None}
    return native_frame({"customer_id": summary.ids, **present}, summary.kind)


def check_customers(summary: Any) -> None:
    """Refuse what is no summary, in memory or not, and one without customers."""
    if not isinstance(summary, LargeSummary):
        check_summary(summary)


def check_summary(summary: Any) -> None:
    """Refuse what is no Summary, and one without customers."""
    if isinstance(summary, LargeSummary):
        raise DataError(
            f"A {type(summary).__name__} is too large for this: predict its customers into a file, "
            "model.predict_to('scores.parquet', summary, ...)."
        )
    if not isinstance(summary, Summary):
        raise DataError(
            f"summary is a {type(summary).__name__}; make a Summary with clv.summarize(orders, "
            "...) or, from a table of frequency, recency and T, with clv.Summary.from_frame."
        )
    if not len(summary):
        raise DataError("The summary has no customers.")


def check_fitted(model: Any) -> None:
    """Refuse what is no fitted value model."""
    if not all(hasattr(model, name) for name in ("purchases", "spend", "predict_total")):
        raise ParameterError(
            f"model is a {type(model).__name__}; give a fitted one: clv.ValueModel().fit(summary)."
        )


def check_share(name: str, value: Any) -> None:
    """Refuse a number that is no share: 40 for 40%."""
    if isinstance(value, int | float | np.number) and not 0 <= value <= 1:
        rule = "a share, from 0 to 1 (0.4 for 40%)"
        raise ParameterError.out_of_range(name, value, rule)


def checked(summary: Any, horizon: Any, margin: float) -> float:
    """Days of a horizon, after refusing what is no Summary and margins that are not finite."""
    check_summary(summary)
    if not (isinstance(margin, int | float | np.number) and np.isfinite(margin)):
        raise ParameterError.out_of_range(
            "margin", margin, "a finite share of revenue, such as 0.3"
        )
    return horizon_in_days(horizon, summary.unit, summary.end)


def levels(quantiles: Any) -> tuple[float, ...] | None:
    """Quantile levels as floats; None if they are no numbers strictly between 0 and 1."""
    if isinstance(quantiles, int | float | np.number):
        quantiles = (quantiles,)
    try:
        found = tuple(float(q) for q in quantiles)
    except (TypeError, ValueError):
        return None
    return found if all(0 < q < 1 for q in found) else None


def checked_levels(quantiles: Any) -> tuple[float, ...]:
    """Quantile levels as floats; ParameterError if they are none."""
    found = levels(quantiles)
    if found is None:
        rule = "numbers between 0 and 1, both excluded"
        raise ParameterError.out_of_range("quantiles", quantiles, rule)
    return found
