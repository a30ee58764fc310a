"""Every metric of every candidate, cutoff and group, with differences from a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.evaluate.bootstrap import Scorer, difference, gaps, resamples
from clvmodel.evaluate.metrics import BEST, CHANCE_METRICS, METRICS, log_score
from clvmodel.evaluate.protocol import Forecasts
from clvmodel.evaluate.segments import ALL, Segment
from clvmodel.tables.holdout import Holdout

Array = NDArray[np.float64]
Row = dict[str, Any]
ALL_METRICS = {**METRICS, **CHANCE_METRICS}


@dataclass(frozen=True, eq=False)
class Fold:
    """One cutoff and horizon: the past, what followed, the forecasts, the groups."""

    split: Holdout
    known: NDArray[np.intp]
    forecasts: Forecasts
    segments: list[Segment]


class Task(NamedTuple):
    """What happened, and what each candidate said of it, for metrics that go together."""

    target: str
    metrics: tuple[str, ...]
    actual: Array
    made: dict[str, Array]


class Key(NamedTuple):
    """Where a score belongs."""

    fold: int
    segment: int
    target: str
    metric: str


def tasks(fold: Fold) -> Iterator[Task]:
    """What can be scored in a fold."""
    split, made = fold.split, fold.forecasts.predictions
    bought = (split.purchases > 0).astype(float)
    for target, metrics, actual in (
        ("purchases", tuple(METRICS), split.purchases),
        ("value", tuple(METRICS), split.value),
        ("active", tuple(CHANCE_METRICS), bought),
    ):
        known = {name: p[target] for name, p in made.items() if target in p}
        if actual is not None and known:
            yield Task(target, metrics, actual, known)
    chances = {name: p["chance"] for name, p in made.items() if "chance" in p}
    if chances:
        yield Task("purchases", ("log_score",), split.purchases, chances)


class Scores:
    """Values of all metrics, and what they are under resampled customers."""

    def __init__(
        self, folds: Sequence[Fold], customers: int, size: int, level: float, seed: int
    ) -> None:
        """Score every fold; `customers` counts those of the whole history."""
        self.folds, self.level = folds, level
        self.values: dict[Key, dict[str, float | None]] = {}
        self.drawn: dict[Key, dict[str, Array]] = {}
        parts: dict[Key, list[Array]] = {}
        names: dict[Key, list[str]] = {}
        work: list[tuple[int, int, NDArray[np.intp], Task, Scorer]] = []
        for f, fold in enumerate(folds):
            for task in tasks(fold):
                for s, segment in enumerate(fold.segments):
                    rows = segment.rows
                    actual, made = task.actual[rows], {n: p[rows] for n, p in task.made.items()}
                    for metric in task.metrics:
                        key = Key(f, s, task.target, metric)
                        score = metric_of(metric)
                        self.values[key] = {n: score(actual, p) for n, p in made.items()}
                        names[key], parts[key] = list(made), []
                    scorer = Scorer(actual, list(made.values()), task.metrics)
                    work.append((f, s, fold.known[rows], task, scorer))
        for weight in resamples(customers, size, seed):
            for f, s, who, task, scorer in work:
                for metric, drawn in scorer.scores(weight[who]).items():
                    parts[Key(f, s, task.target, metric)].append(drawn)
        for key, several in parts.items():
            if several:
                joined = np.concatenate(several, axis=1)
                self.drawn[key] = dict(zip(names[key], joined, strict=True))

    def measures(self, reference: str) -> list[Row]:
        """One row per fold, group, target, metric and candidate, held against the reference."""
        rows = []
        for key, values in self.values.items():
            fold = self.folds[key.fold]
            segment = fold.segments[key.segment]
            for name, value in values.items():
                rows.append(
                    {
                        "cutoff": fold.split.cutoff.isoformat(),
                        "days": fold.split.days,
                        "grouping": segment.kind,
                        "group": segment.label,
                        "customers": int(segment.rows.size),
                        "candidate": name,
                        "target": key.target,
                        "metric": key.metric,
                        "value": value,
                        **self._against([key], name, reference),
                    }
                )
        return rows

    def overall(self, reference: str) -> list[Row]:
        """One row per horizon, target, metric and candidate: its mean and spread over cutoffs.

        The mean is None for a candidate that was not scored at every cutoff.
        """
        rows = []
        for days, target, metric, keys in self._across():
            names = dict.fromkeys(n for key in keys for n in self.values[key])
            for name in names:
                each = [self.values[key].get(name) for key in keys]
                known = [v for v in each if v is not None]
                full = len(known) == self._cutoffs(days)
                rows.append(
                    {
                        "days": days,
                        "candidate": name,
                        "target": target,
                        "metric": metric,
                        "cutoffs": len(known),
                        "mean": float(np.mean(known)) if full else None,
                        "lowest": min(known, default=None),
                        "highest": max(known, default=None),
                        "spread": _spread(known),
                        **self._against(keys, name, reference),
                    }
                )
        return rows

    def contests(self) -> list[Row]:
        """One row per horizon, target and metric: who leads, and who cannot be told from it.

        The leader is the candidate with the best mean over all cutoffs; the others are held against
        it. As it was picked by the same data, a small lead flatters it.
        """
        rows = []
        for days, target, metric, keys in self._across():
            means = self._means(days, keys)
            if not means:
                continue
            leader = self._best(metric, means)
            rivals = [
                {"candidate": n, **self._against(keys, n, leader)} for n in means if n != leader
            ]
            rows.append(
                {"days": days, "target": target, "metric": metric, "leader": leader}
                | {"mean": means[leader], "rivals": rivals}
            )
        return rows

    @staticmethod
    def _best(metric: str, means: dict[str, float]) -> str:
        return min(means, key=lambda name: BEST[metric](means[name]))

    def _means(self, days: int, keys: list[Key]) -> dict[str, float]:
        """Mean of a metric, of the candidates that have it at every cutoff."""
        each: dict[str, list[float]] = {}
        for key in keys:
            for name, value in self.values[key].items():
                if value is not None:
                    each.setdefault(name, []).append(abs(value) if key.metric == "bias" else value)
        wanted = self._cutoffs(days)
        return {n: float(np.mean(v)) for n, v in each.items() if len(v) == wanted}

    def _cutoffs(self, days: int) -> int:
        return sum(fold.split.days == days for fold in self.folds)

    def _across(self) -> Iterator[tuple[int, str, str, list[Key]]]:
        """Scores of all customers by horizon, target and metric: one key per cutoff."""
        found: dict[tuple[int, str, str], list[Key]] = {}
        for key in self.values:
            fold = self.folds[key.fold]
            if fold.segments[key.segment].kind == ALL:
                found.setdefault((fold.split.days, key.target, key.metric), []).append(key)
        for (days, target, metric), keys in found.items():
            yield days, target, metric, keys

    def _against(self, keys: list[Key], name: str, reference: str) -> Row:
        """Mean difference from the reference over these scores, its interval and the verdict."""
        nothing = {"reference": reference, "difference": None, "low": None, "high": None}
        both = [
            (self.values[k].get(name), self.values[k].get(reference), self.drawn.get(k, {}))
            for k in keys
        ]
        if any(a is None or b is None for a, b, _ in both) or not both[0][2]:
            return nothing | {"verdict": None}
        metric = keys[0].metric
        one, other = (
            float(np.mean([abs(v[i]) if metric == "bias" else v[i] for v in both]))  # type: ignore[arg-type]
            for i in (0, 1)
        )
        drawn = np.mean([gaps(metric, d[name], d[reference]) for _, _, d in both], axis=0)
        found = difference(metric, one, other, drawn, self.level)
        if found is None:
            return nothing | {"verdict": None}
        return {"reference": reference, **found._asdict()}


def _spread(values: list[float]) -> float | None:
    """Return the standard deviation, where there is one."""
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    return float(np.std(values, ddof=1))


def metric_of(name: str) -> Callable[[Array, Array], float | None]:
    """Return the function of a metric, of (actual, predicted)."""
    if name == "log_score":
        return lambda _, chance: log_score(chance)
    return ALL_METRICS[name]
