"""What a backtest found, as plain data: the report, the plots, notebooks and JSON all render it."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.metrics import BEST
from clvmodel.tables.frames import pandas_table

TARGETS = ("purchases", "value")


@dataclass(frozen=True)
class Result:
    """One candidate: what it is, what it assumed, how its fits went; `error` if it failed.

    `error` also says which target could not be scored. `kind` is "model", "formula" or "naive".
    `fits` holds, per fitted model, a dictionary with
    "model", "message", "log_likelihood", "unit", "engine", "converged" and "parameters" (the rows
    of `Fit.table`).
    """

    name: str
    kind: str
    assumptions: str
    fits: tuple[dict[str, Any], ...] = ()
    error: str | None = None


@dataclass(frozen=True, repr=False)
class Comparison:
    """Candidates side by side on one holdout, (cutoff, end], for customers known at the cutoff.

    `scores`: a dictionary per candidate and target ("purchases" or "value") with the metrics.
    `differences`: per candidate and target, the mean absolute error above the best candidate's,
    with its 95% interval over customers ("difference", "low", "high", "reference").
    `by_frequency`: mean purchases per customer in the holdout, by repeat purchases before it:
    "groups" (labels), "customers" (counts), "actual", "predicted" (candidate -> list).
    `tracking`: cumulative purchases after the first, of customers known at the cutoff: "dates",
    "actual", "predicted" (candidate -> list, None where a candidate says nothing).
    `data` describes the orders: see `backtest`.
    """

    cutoff: dt.date
    end: dt.date
    days: int
    unit: str
    results: tuple[Result, ...]
    scores: tuple[dict[str, Any], ...]
    differences: tuple[dict[str, Any], ...]
    by_frequency: dict[str, Any]
    tracking: dict[str, Any]
    data: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> Any:
        """The scores as a pandas table, one row per candidate and target.

        Columns: candidate, target, actual_total, predicted_total, bias (relative error of the
        total), mae, rmse, spearman, top_decile; see `clvmodel.evaluate.metrics`.
        """
        return pandas_table(self.scores)

    @property
    def targets(self) -> tuple[str, ...]:
        """What was scored: purchases, and value where the orders have amounts."""
        return tuple(t for t in TARGETS if any(s["target"] == t for s in self.scores))

    def winner(self, target: str = "value", metric: str = "mae") -> str:
        """Name of the best candidate for a target ("purchases", "value") by one metric."""
        return str(self.ranking(target, metric)[0]["candidate"])

    def ranking(self, target: str = "value", metric: str = "mae") -> list[dict[str, Any]]:
        """Scores for a target, best first by one metric; candidates without it come last."""
        if metric not in BEST:
            raise ParameterError.not_one_of("metric", metric, BEST)
        if target not in self.targets:
            raise ParameterError.not_one_of("target", target, self.targets)
        rows = [s for s in self.scores if s["target"] == target]
        known = [s for s in rows if s[metric] is not None]
        if not known:
            raise DataError(f"No candidate has a {metric} for {target}.")
        return sorted(known, key=lambda s: BEST[metric](s[metric])) + [
            s for s in rows if s[metric] is None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        plain = asdict(self)
        plain["cutoff"], plain["end"] = self.cutoff.isoformat(), self.end.isoformat()
        plain["results"] = [asdict(result) for result in self.results]
        for name in ("scores", "differences"):
            plain[name] = list(plain[name])
        return plain

    def to_html(self, path: Any = None) -> str:
        """Render the report: one self-contained HTML page, written to `path` if one is given.

        Returns the path, or the page itself.
        """
        from clvmodel.present.report import write_report  # a look ahead: see test_layers

        return write_report(self, path)

    def to_excel(self, path: Any, **parts: Any) -> str:
        """Write an Excel workbook with the scores and a chart; returns its path.

        `parts` are further sheets, as `clvmodel.write_workbook` takes them: segments, tiers,
        cohorts, economics, scores. Raises FileError, MissingDependencyError (extra "excel").
        """
        from clvmodel.present.workbook import write_workbook  # a look ahead: see test_layers

        return write_workbook(path, comparison=self, **parts)

    def __repr__(self) -> str:
        """Return the table of metrics as text."""
        head = f"{self.days} days after {self.cutoff}, {self.data['customers']:,} customers"
        lines = [f"{head}\n{'':28}{'target':>10}{'total':>9}{'MAE':>10}{'RMSE':>10}{'top 10%':>9}"]
        for s in self.scores:
            top = "" if s["top_decile"] is None else f"{s['top_decile']:.0%}"
            bias = "" if s["bias"] is None else f"{s['bias']:+.0%}"
            lines.append(
                f"{s['candidate'][:28]:28}{s['target']:>10}{bias:>9}"
                f"{s['mae']:10.4g}{s['rmse']:10.4g}{top:>9}"
            )
        lines += [f"{r.name}: failed, {r.error}" for r in self.results if r.error]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
