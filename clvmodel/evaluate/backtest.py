"""Fit on what was known at a cutoff, predict the time after it, and score against what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ClvError, DataError, ParameterError
from clvmodel.evaluate.comparison import Comparison, Result
from clvmodel.evaluate.metrics import METRICS, mae, mean_difference
from clvmodel.evaluate.tracking import by_frequency, tracking
from clvmodel.tables.frames import read_frame
from clvmodel.tables.holdout import Holdout, holdout_split
from clvmodel.tables.purchases import Purchases
from clvmodel.tables.summary import Summary
from clvmodel.value.formulas import ChurnFormula, ProfitRetention, StoreFormula
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.value_model import ValueModel

Array = NDArray[np.float64]
Prediction = dict[str, Array]
_PACKAGES = ("clvmodel", "numpy", "scipy", "pandas", "duckdb", "lifetimes", "matplotlib")


def default_candidates() -> tuple[Any, ...]:
    """Return this package's model, the same fitted by lifetimes, three formulas, two naive ones."""
    return (
        ValueModel(),
        ValueModel(engine="lifetimes"),
        StoreFormula(),
        ProfitRetention(),
        ChurnFormula(),
        RunRate(),
        LastPeriod(),
    )


def backtest(
    orders: Any,
    candidates: Iterable[Any] | None = None,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    cutoffs: Any = None,
    horizon: Any = None,
    end: Any = None,
    unit: str = "D",
    progress: Callable[[str], None] | None = None,
    **reading: Any,
) -> Comparison:
    """Compare candidates on one holdout that none of them has seen.

    Each candidate is fitted to the customers known at the end of the day `cutoffs` (one date, or
    a list of one), with orders up to then only, and predicts the `horizon` after it. Without a
    cutoff, the holdout is the end of the history: the last `horizon` or, without that, the last
    half, at most a year.

    `candidates` follow the protocol of `clvmodel.value.candidates`; by default the models, in this
    package's and in lifetimes' estimation, three formulas and two naive forecasts. A candidate
    that fails is a row with its reason. Values are revenue: candidates predict with margin 1.
    `progress` is called with a line of text before each step; `reading` are the further arguments
    of `summarize`, as in `holdout_split`.

    `data` of the result: source, rows, purchases, customers, repeat_customers (known at the
    cutoff), first, last, reconciliation, late_customers, late_purchases, late_value (of customers
    whose first purchase fell in the holdout: nobody's forecast), actual_purchases, actual_value,
    has_value, fingerprint (of the purchases).

    Raises as `summarize` does, and DataError if the holdout is not covered by the orders.
    """
    say = progress or (lambda _: None)
    cutoff = _one_cutoff(cutoffs)
    if candidates is not None and hasattr(candidates, "fit"):
        candidates = [candidates]
    chosen = _checked_candidates(default_candidates() if candidates is None else candidates)
    say("reading orders")
    split = holdout_split(
        orders,
        customer=customer,
        date=date,
        value=value,
        cutoff=cutoff,
        horizon=horizon,
        end=end,
        unit=unit,
        **reading,
    )
    results, fitted, predictions = _run(chosen, split, say)
    say("scoring")
    scores, differences = _score(split, predictions)
    return Comparison(
        cutoff=split.cutoff,
        end=split.end,
        days=split.days,
        unit=unit,
        results=results,
        scores=tuple(scores),
        differences=tuple(differences),
        by_frequency=by_frequency(split, predictions),
        tracking=tracking(split, fitted, _predict),
        data=_describe(orders, split),
        options={
            "customer": customer,
            "date": date,
            "value": value,
            "end": None if end is None else str(end),
            "cutoff": split.cutoff.isoformat(),
            "horizon": f"{split.days}D",
            "unit": unit,
            "date_format": reading.get("date_format"),
        },
        versions=_versions(),
    )


def _run(
    candidates: Sequence[Any], split: Holdout, say: Callable[[str], None]
) -> tuple[tuple[Result, ...], dict[str, Any], dict[str, Prediction]]:
    """Fit each candidate to the past and let it predict; a failure is a result with its reason."""
    results: list[Result] = []
    fitted: dict[str, Any] = {}
    predictions: dict[str, Prediction] = {}
    for name, candidate in zip(_names(candidates), candidates, strict=True):
        say(f"fitting {name}")
        try:
            model = candidate.fit(split.calibration)
            predictions[name], missing = _predict(model, split.calibration, f"{split.days}D")
        except Exception as error:  # whoever wrote the candidate
            results.append(Result(name, _kind(candidate), "", error=_reason(error)))
            continue
        fitted[name] = model
        results.append(_result(name, candidate, model, missing))
    return tuple(results), fitted, predictions


def _one_cutoff(cutoffs: Any) -> Any:
    if isinstance(cutoffs, str) or not isinstance(cutoffs, Iterable):
        return cutoffs
    listed = list(cutoffs)
    if len(listed) != 1:
        raise ParameterError.out_of_range("cutoffs", listed, "one date")
    return listed[0]


def _checked_candidates(candidates: Iterable[Any]) -> tuple[Any, ...]:
    chosen = tuple(candidates)
    if not chosen:
        raise ParameterError("candidates is empty; name at least one.")
    for candidate in chosen:
        if isinstance(candidate, type):
            name = candidate.__name__
            raise ParameterError(f"{name} is a class; pass an instance, such as {name}().")
        if not hasattr(candidate, "fit"):
            raise ParameterError(f"{candidate!r} has no fit(summary): it is no candidate.")
    return chosen


def _names(candidates: Sequence[Any]) -> list[str]:
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


def _kind(candidate: Any) -> str:
    return str(getattr(candidate, "kind", "model"))


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, ClvError) else f"{type(error).__name__}: {text}"


def _predict(fitted: Any, summary: Summary, horizon: str) -> tuple[Prediction, str | None]:
    """Columns of a prediction that can be scored, and why another cannot."""
    table, _ = read_frame(fitted.predict(summary, horizon), what="the prediction")
    if table.num_rows != len(summary):
        raise DataError(f"predicted {table.num_rows} rows for {len(summary)} customers.")
    if "customer_id" in table.column_names:
        ids = table["customer_id"].to_pylist()
        if ids != summary.ids.to_pylist():
            raise DataError("predicted customers in another order than the summary's.")
    found: Prediction = {}
    missing = None
    for target in ("purchases", "value"):
        name = f"expected_{target}"
        if name in table.column_names and (
            target == "purchases" or summary.monetary_value is not None
        ):
            predicted = np.array(table[name].to_numpy(), dtype=float)
            bad = int((~np.isfinite(predicted)).sum())
            if bad:
                missing = f"{name} is not finite for {bad:,} customers: {target} not scored."
            else:
                found[target] = predicted
    if not found and missing:
        raise DataError(missing)
    if not found:
        raise DataError("predicted neither expected_purchases nor expected_value.")
    return found, missing


def _result(name: str, candidate: Any, model: Any, missing: str | None) -> Result:
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
    return Result(name, _kind(candidate), words[:1].upper() + words[1:], fits, missing)


def _score(
    split: Holdout, predictions: dict[str, Prediction]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `Comparison.scores` and `Comparison.differences`."""
    scores, differences = [], []
    for target, actual in (("purchases", split.purchases), ("value", split.value)):
        made = {name: p[target] for name, p in predictions.items() if target in p}
        if actual is None or not made:
            continue
        for name, predicted in made.items():
            scores.append(
                {
                    "candidate": name,
                    "target": target,
                    "actual_total": float(actual.sum()),
                    "predicted_total": float(predicted.sum()),
                    **{metric: score(actual, predicted) for metric, score in METRICS.items()},
                }
            )
        best = min(made, key=lambda name: mae(actual, made[name]))
        for name, predicted in made.items() if actual.size > 1 else ():
            difference, low, high = mean_difference(actual, predicted, made[best])
            differences.append(
                {
                    "candidate": name,
                    "target": target,
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "reference": best,
                }
            )
    return scores, differences


def _describe(orders: Any, split: Holdout) -> dict[str, Any]:
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


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
