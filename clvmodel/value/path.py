"""The months ahead of the whole base: expected purchases and value, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ParameterError
from clvmodel.tables.frames import dates, native_frame
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in, duration_in_days
from clvmodel.value.candidates import check_summary
from clvmodel.value.discounting import daily_rate
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import check_rate, expected_spend, horizon_of, margins, product

Array = NDArray[np.float64]

_NODES = 8  # Gauss points per step, along which expectations bend little
_MOST = 1200  # steps: months of a hundred years


def predict_path(
    fitted: Any, summary: Summary, horizon: Any, step: Any, discount_rate: float, margin: Any
) -> Any:
    """Expected purchases and value of each step: see `FittedValueModel.predict_path`."""
    check_summary(summary)
    check_rate(discount_rate)
    t, unit = horizon_of(fitted, summary, horizon)
    length = duration_in_days(step, summary.unit, "step") / days_in(unit)
    if not (np.isfinite(t) and t / length <= _MOST):
        raise ParameterError.out_of_range("horizon", horizon, f"at most {_MOST:,} steps of {step}")
    model = fitted.purchases.model
    outlook = Outlook.of(model, summary.in_unit(unit))
    worth = np.ones((1, len(summary)))
    if fitted.spend is not None:
        spend = expected_spend(fitted, summary)
        worth = np.stack([worth[0], product(margins(margin, summary), spend)])
    alive, new = outlook.alive(model)[outlook.where], outlook.new(model)
    state = outlook.state[outlook.where]
    size = outlook.repeats.size
    weight = np.stack([np.bincount(state, product(w, alive), size) for w in worth])
    whole = weight.sum(axis=1)  # infinite where spend has no mean: then so is each step's value
    weight = np.where(np.isfinite(whole)[:, None], weight, 0.0)
    shape = outlook.repeats.shape

    def expected(times: Array) -> Array:
        """Purchases and value of all customers by these times: (times, 2)."""
        new_by = np.broadcast_to(new.expected_purchases(times[:, None]), (times.size, *shape))
        return np.asarray(new_by @ weight.T)

    ends = np.append(np.arange(1, np.ceil(t / length - 1e-9)) * length, t)
    days = ends * days_in(unit)
    columns: dict[str, Any] = {"days": days}
    if summary.end is not None:
        columns["until"] = dates(to_day(summary.end) + np.rint(days).astype(np.int64))
    parts = np.split(ends, np.arange(_NODES, ends.size, _NODES))
    totals = np.concatenate([expected(part) for part in parts])
    gained = np.diff(totals, axis=0, prepend=0.0)
    columns["expected_purchases"] = gained[:, 0]
    if fitted.spend is not None:
        rate = daily_rate(discount_rate) * days_in(unit)
        present = _present(lambda times: expected(times)[:, 1], ends, totals[:, 1], rate)
        for name, values in (("expected_value", gained[:, 1]), ("clv", present)):
            columns[name] = np.where(np.isfinite(whole[1]), values, whole[1])
    return native_frame(columns, summary.kind)


def _present(expected: Any, ends: Array, totals: Array, rate: float) -> Array:
    """Present value of what is gained in each step, by parts."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    starts = np.append(0.0, ends[:-1])
    before = np.append(0.0, totals[:-1] * np.exp(-rate * ends[:-1]))
    inner = np.zeros(ends.size)
    for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
        times = a + (b - a) * (nodes + 1) / 2
        inner[i] = rate * (b - a) / 2 * (weights @ (np.exp(-rate * times) * expected(times)))
    return np.asarray(totals * np.exp(-rate * ends) - before + inner)
