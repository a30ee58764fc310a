"""Candidates at work: fitted, asked, and checked; see `clvmodel.value.candidates`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ClvError, DataError, ParameterError
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary
from clvmodel.value.predictions import level_name

Array = NDArray[np.float64]
Prediction = dict[str, Array]
TARGETS = {
    "purchases": "expected_purchases",
    "value": "expected_value",
    "active": "p_purchase",
}
"""What can be scored, and the column of a prediction that forecasts it."""


@dataclass(frozen=True)
class Result:
    """One candidate: what it is, what it assumed, how its fits went; `error` if it failed.

    `error` also says which target could not be scored. `kind` is "model", "formula", "naive" or
    "learner". `fits` holds, per fitted model, a dictionary with "model", "message",
    "log_likelihood", "unit", "engine", "converged" and "parameters" (the rows of `Fit.table`).
    """

    name: str
    kind: str
    assumptions: str
    fits: tuple[dict[str, Any], ...] = ()
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What the candidates said at one cutoff for one horizon, and the fitted ones."""

    results: tuple[Result, ...]
    fitted: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)


def checked_candidates(candidates: Iterable[Any]) -> tuple[Any, ...]:
    """Candidates as a tuple; ParameterError if there are none, or one has no `fit`."""
    chosen = (candidates,) if hasattr(candidates, "fit") else tuple(candidates)
    if not chosen:
        raise ParameterError("candidates is empty; name at least one.")
    for candidate in chosen:
        if isinstance(candidate, type):
            name = candidate.__name__
            raise ParameterError(f"{name} is a class; pass an instance, such as {name}().")
        if not hasattr(candidate, "fit"):
            raise ParameterError(f"{candidate!r} has no fit(summary): it is no candidate.")
    return chosen


def names_of(candidates: Sequence[Any]) -> list[str]:
    """Return a name for each candidate, no two alike."""
    names: list[str] = []
    for candidate in candidates:
        base = name = str(getattr(candidate, "name", type(candidate).__name__))
        count = 1
        while name in names:
            count += 1
            name = f"{base} ({count})"
        names.append(name)
    return names


def kind_of(candidate: Any) -> str:
    """Return "model", "formula", "naive", "learner" or what else a candidate says it is."""
    return str(getattr(candidate, "kind", "model"))


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has an argument so named."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def fitted_to(candidate: Any, summary: Summary, days: int) -> Any:
    """Fit a candidate, telling it the horizon if its `fit` asks for one."""
    if takes(candidate.fit, "horizon"):
        return candidate.fit(summary, horizon=f"{days}D")
    return candidate.fit(summary)


def reason(error: Exception) -> str:
    """Return why a candidate failed, in one line."""
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, ClvError) else f"{type(error).__name__}: {text}"


def predicted(
    fitted: Any, summary: Summary, horizon: str, levels: Sequence[float] = ()
) -> tuple[Prediction, str | None]:
    """Columns of a prediction that can be scored, and why another cannot.

    With `levels`, also quantiles, named as in `FittedValueModel.predict`, of those that have them.
    """
    given = {"quantiles": tuple(levels)} if levels and takes(fitted.predict, "quantiles") else {}
    table, _ = read_frame(fitted.predict(summary, horizon, **given), what="the prediction")
    if table.num_rows != len(summary):
        raise DataError(f"predicted {table.num_rows} rows for {len(summary)} customers.")
    if "customer_id" in table.column_names:
        ids = table["customer_id"].to_pylist()
        if ids != summary.ids.to_pylist():
            raise DataError("predicted customers in another order than the summary's.")
    found: Prediction = {}
    missing = None
    for target, name in TARGETS.items():
        if name not in table.column_names or (target == "value" and summary.monetary_value is None):
            continue
        column = np.array(table[name].to_numpy(), dtype=float)
        bad = int((~np.isfinite(column)).sum())
        if bad:
            missing = f"{name} is not finite for {bad:,} customers: {target} not scored."
        elif target == "active" and not ((column >= 0) & (column <= 1)).all():
            missing = f"{name} is no chance between 0 and 1: {target} not scored."
        else:
            found[target] = column
    if not found and missing:
        raise DataError(missing)
    if not found.keys() & {"purchases", "value"}:
        raise DataError("predicted neither expected_purchases nor expected_value.")
    for target in found.keys() & {"purchases", "value"}:
        columns = [f"{target}_{level_name(level)}" for level in levels]
        if columns and all(c in table.column_names for c in columns):
            found |= {c: np.array(table[c].to_numpy(), dtype=float) for c in columns}
    return found, missing


def result_of(name: str, candidate: Any, model: Any, missing: str | None) -> Result:
    """Describe a fitted candidate in plain data."""
    fits = tuple(
        {
            "model": getattr(fit.model, "family", type(fit.model)).__name__,
            "title": fit.model.title,
            "engine": fit.engine,
            "unit": fit.unit,
            "customers": fit.customers,
            "log_likelihood": fit.log_likelihood,
            "converged": fit.converged,
            "message": fit.message,
            "parameters": fit.rows(),
        }
        for fit in getattr(model, "fits", ())
    )
    words = str(getattr(model, "assumptions", ""))
    return Result(name, kind_of(candidate), words[:1].upper() + words[1:], fits, missing)
