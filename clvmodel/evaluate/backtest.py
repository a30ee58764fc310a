"""Fit on what was known at a cutoff, predict the time after it, and score against what happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ParameterError
from clvmodel.evaluate.comparison import Comparison
from clvmodel.evaluate.leaks import leak
from clvmodel.evaluate.metrics import METRICS, mae, mean_difference
from clvmodel.evaluate.origins import holdouts
from clvmodel.evaluate.protocol import (
    Forecasts,
    Prediction,
    Result,
    checked_candidates,
    fitted_to,
    kind_of,
    names_of,
    predicted,
    reason,
    result_of,
    takes,
)
from clvmodel.evaluate.provenance import describe, versions
from clvmodel.evaluate.scoring import Fold, Scores
from clvmodel.evaluate.segments import DEFAULT, checked_kinds, segments
from clvmodel.evaluate.tracking import by_frequency, tracking
from clvmodel.evaluate.views import HIGH, LOW, views
from clvmodel.tables.holdout import Holdout, read_history, split_purchases
from clvmodel.tables.purchases import Purchases, to_day
from clvmodel.tables.reading import columns_of
from clvmodel.tables.rules import rules, unpaired
from clvmodel.value.formulas import ChurnFormula, ProfitRetention, StoreFormula
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.value_model import ValueModel

Array = NDArray[np.float64]
Say = Callable[[str], None]


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
    n_cutoffs: int | None = None,
    horizon: Any = None,
    step: Any = None,
    min_history: Any = None,
    end: Any = None,
    unit: str = "D",
    customers: Any = None,
    groups: Sequence[str] | str = DEFAULT,
    reference: str | None = None,
    bootstrap: int = 400,
    level: float = 0.95,
    seed: int = 0,
    check_leaks: bool = False,
    progress: Say | None = None,
    **reading: Any,
) -> Comparison:
    """Compare candidates on holdouts that none of them has seen.

    At each cutoff each candidate is fitted to the customers known at the end of that day, with
    orders up to then only, and predicts the `horizon` after it. `cutoffs` are dates; `n_cutoffs`
    places that many so that the last holdout ends with the orders, each cutoff `step` before the
    next: by default the longest horizon, so that holdouts adjoin and do not overlap. (With a
    shorter `step` they share orders: the spread across cutoffs then looks smaller than it is.)
    `horizon` is a duration or a list of them. Without it, a given cutoff is followed to the end of
    the orders, and without either the last half of the history is held out, at most a year for each
    of `n_cutoffs`. A cutoff with less than `min_history` of orders before it is refused.

    `candidates` follow the protocol of `clvmodel.value.candidates`; by default the models, in this
    package's and in lifetimes' estimation, three formulas and two naive forecasts. A candidate
    that fails is a row with its reason. Values are revenue: candidates predict with margin 1.

    All customers are scored, and those of each of `groups` (see `clvmodel.evaluate.segments`):
    "history", "past value", "cohort", or a column of the table `customers`, which has one row for
    each customer under the same column name `customer`, is joined to every summary, and must hold
    nothing that was not known at the cutoff. Differences from the candidate named `reference`
    (the first) have paired intervals at `level` over customers from `bootstrap` resamples, drawn
    from `seed`; they are not about what moved all customers at once. 400 resamples are a judgement.

    `check_leaks=True` fits every candidate a second time, with other names for the same customers:
    one whose predictions change knows more than the past it was given, and fails (see
    `clvmodel.evaluate.leaks`). `progress` is called with a line of text before each step.
    `reading` are the further arguments of `summarize`, as in `holdout_split`.

    `data` of the result: source, rows, purchases, customers, repeat_customers (known at the
    cutoff), first, last, reconciliation, late_customers, late_purchases, late_value (of customers
    whose first purchase fell in the holdout: nobody's forecast), actual_purchases, actual_value,
    has_value, fingerprint (of the purchases).

    Raises as `summarize` does, DataError if a holdout is not covered by the orders, ParameterError.
    """
    say = progress or (lambda _: None)
    chosen = checked_candidates(default_candidates() if candidates is None else candidates)
    names = names_of(chosen)
    base = _reference(reference, names)
    kinds = checked_kinds(groups)
    _check_resamples(bootstrap, level)
    how = unpaired(rules(end=end, **reading))
    say("reading orders")
    history = read_history(orders, columns_of(customer, date, value, how), how)
    wanted = holdouts(
        history.first_day,
        how.end or history.last_order,
        cutoffs=cutoffs,
        n_cutoffs=n_cutoffs,
        horizon=horizon,
        step=step,
        min_history=min_history,
        unit=unit,
    )
    folds: list[Fold] = []
    cache: dict[tuple[str, dt.date], Any] = {}
    for cutoff, days in wanted:
        split = _locked(split_purchases(history, cutoff, days, unit))
        if customers is not None:
            joined = split.calibration.join(customers, customer=customer or "customer_id")
            split = replace(split, calibration=joined)
        where = f", cutoff {cutoff}, {days} days" if len(wanted) > 1 else ""
        run = _Run(split, say, where, cache, seed if check_leaks else None)
        forecasts = run.all(names, chosen)
        known = _known(history, cutoff)
        folds.append(Fold(split, known, forecasts, segments(split.calibration, kinds)))
    say("scoring")
    scored = Scores(folds, len(history.ids), bootstrap, level, seed)
    each = [_fold(fold) for fold in folds]
    main = _main(folds)
    split, forecasts = folds[main].split, folds[main].forecasts
    scores, differences = _headline(split, forecasts.predictions)
    return Comparison(
        cutoff=split.cutoff,
        end=split.end,
        days=split.days,
        unit=unit,
        results=forecasts.results,
        scores=tuple(scores),
        differences=tuple(differences),
        by_frequency=each[main]["by_frequency"],
        tracking=each[main]["tracking"],
        data=describe(orders, split),
        options={
            "customer": customer,
            "date": date,
            "value": value,
            "end": None if end is None else str(end),
            "cutoff": split.cutoff.isoformat(),
            "horizon": f"{split.days}D",
            "unit": unit,
            "date_format": reading.get("date_format"),
            "reference": base,
            "bootstrap": bootstrap,
            "level": level,
            "seed": seed,
        },
        versions=versions(),
        folds=tuple(each),
        measures=tuple(scored.measures(base)),
        overall=tuple(scored.overall(base)),
        contests=tuple(scored.contests()),
    )


class _Run:
    """The candidates at one holdout; what fails is a result with its reason."""

    def __init__(
        self, split: Holdout, say: Say, where: str, cache: dict[Any, Any], leaks: int | None
    ) -> None:
        self.split, self.say, self.where = split, say, where
        self.cache, self.leaks = cache, leaks

    def all(self, names: Sequence[str], candidates: Sequence[Any]) -> Forecasts:
        """Fit each candidate to the past and let it predict."""
        results: list[Result] = []
        fitted: dict[str, Any] = {}
        predictions: dict[str, Prediction] = {}
        for name, candidate in zip(names, candidates, strict=True):
            self.say(f"fitting {name}{self.where}")
            try:
                model = self._fitted(name, candidate)
                said, missing = self._predicted(model)
                found = self._leak(candidate, said)
            except Exception as error:  # whoever wrote the candidate
                results.append(Result(name, kind_of(candidate), "", error=reason(error)))
                continue
            if found is not None:
                text = f"looks beyond the past it was given: {found}"
                results.append(Result(name, kind_of(candidate), "", error=text))
                continue
            fitted[name], predictions[name] = model, said
            results.append(result_of(name, candidate, model, missing))
        return Forecasts(tuple(results), fitted, predictions)

    def _fitted(self, name: str, candidate: Any) -> Any:
        """Fit once per cutoff, unless the fit depends on the horizon."""
        if takes(candidate.fit, "horizon"):
            return fitted_to(candidate, self.split.calibration, self.split.days)
        key = (name, self.split.cutoff)
        if key not in self.cache:
            self.cache[key] = candidate.fit(self.split.calibration)
        return self.cache[key]

    def _predicted(self, model: Any) -> tuple[Prediction, str | None]:
        """Predict, with quantiles and chances of single numbers where the candidate has them."""
        summary, horizon = self.split.calibration, f"{self.split.days}D"
        try:
            said, missing = predicted(model, summary, horizon, (LOW, HIGH))
        except Exception as error:  # point forecasts are scored all the same
            said, missing = predicted(model, summary, horizon)
            missing = missing or f"no intervals: {reason(error)}"
        if hasattr(model, "purchase_chances"):
            said["chance"] = model.purchase_chances(summary, self.split.purchases, horizon)[0]
        return said, missing

    def _leak(self, candidate: Any, said: Prediction) -> str | None:
        if self.leaks is None:
            return None
        return leak(candidate, self.split.calibration, self.split.days, said, self.leaks)


def _locked(split: Holdout) -> Holdout:
    """Let no candidate alter the past that the next one is to see."""
    past = split.calibration.purchases
    assert past is not None
    for array in (past.customer, past.day, past.value):
        if array is not None:
            array.setflags(write=False)
    return split


def _fold(fold: Fold) -> dict[str, Any]:
    """Return one holdout as plain data: see `Comparison.folds`."""
    split, forecasts = fold.split, fold.forecasts
    return {
        "cutoff": split.cutoff.isoformat(),
        "end": split.end.isoformat(),
        "days": split.days,
        "customers": len(split.calibration),
        "failures": [
            {"candidate": r.name, "reason": r.error} for r in forecasts.results if r.error
        ],
        "by_frequency": by_frequency(split, forecasts.predictions),
        "tracking": tracking(split, forecasts.fitted, predicted),
        **views(split, forecasts),
    }


def _main(folds: Sequence[Fold]) -> int:
    """Place of the latest cutoff, at the first of its horizons."""
    last = max(fold.split.cutoff for fold in folds)
    return next(i for i, fold in enumerate(folds) if fold.split.cutoff == last)


def _known(history: Purchases, cutoff: dt.date) -> NDArray[np.intp]:
    """Customers, of all in a history, who are known at a cutoff, in order."""
    starts = np.flatnonzero(np.diff(history.customer, prepend=-1))
    return np.flatnonzero(history.day[starts] <= to_day(cutoff))


def _reference(reference: str | None, names: Sequence[str]) -> str:
    if reference is None:
        return names[0]
    if reference not in names:
        raise ParameterError.not_one_of("reference", reference, names)
    return reference


def _check_resamples(bootstrap: int, level: float) -> None:
    if isinstance(bootstrap, bool) or not isinstance(bootstrap, int) or bootstrap < 0:
        raise ParameterError.out_of_range("bootstrap", bootstrap, "a whole number >= 0")
    if not 0 < level < 1:
        raise ParameterError.out_of_range("level", level, "between 0 and 1")


def _headline(
    split: Holdout, predictions: dict[str, Prediction]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `Comparison.scores` and `Comparison.differences`."""
    scores, differences = [], []
    for target, actual in (("purchases", split.purchases), ("value", split.value)):
        made = {name: p[target] for name, p in predictions.items() if target in p}
        if actual is None or not made:
            continue
        for name, said in made.items():
            scores.append(
                {
                    "candidate": name,
                    "target": target,
                    "actual_total": float(actual.sum()),
                    "predicted_total": float(said.sum()),
                    **{metric: score(actual, said) for metric, score in METRICS.items()},
                }
            )
        best = min(made, key=lambda name: mae(actual, made[name]))
        for name, said in made.items() if actual.size > 1 else ():
            difference, low, high = mean_difference(actual, said, made[best])
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
