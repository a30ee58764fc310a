"""What a backtest found, as plain data: the report, the plots, notebooks and JSON all render it."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from html import escape
from math import isinf
from typing import Any, cast

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.bootstrap import WORSE
from clvmodel.evaluate.metrics import BEST
from clvmodel.evaluate.protocol import Result as Result
from clvmodel.evaluate.segments import ALL
from clvmodel.tables.frames import pandas_table

Row = dict[str, Any]
TARGETS = ("purchases", "value")


class Winner(str):
    """Name of the best candidate, and whether it is clearly so: `words` says it in a sentence.

    `unclear` names the candidates that the data cannot tell from it; `clear` is whether there are
    none, and None where nothing can be said (one candidate alone, no resamples).
    """

    target: str
    metric: str
    unclear: tuple[str, ...]
    clear: bool | None

    def __new__(cls, name: str, target: str, metric: str, contest: Row | None) -> Winner:
        """Read a row of `Comparison.contests`."""
        self = super().__new__(cls, name)
        rivals = [] if contest is None else contest["rivals"]
        self.target, self.metric = target, metric
        self.unclear = tuple(r["candidate"] for r in rivals if r["verdict"] != WORSE)
        judged = bool(rivals) and any(r["verdict"] is not None for r in rivals)
        self.clear = not self.unclear if judged else None
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Let copies and pickles be made."""
        return str(self), self.target, self.metric, None

    @property
    def words(self) -> str:
        """Say who is best, and from whom it cannot be told."""
        what = f"{self} has the best {self.metric} for {self.target}"
        if self.clear is None:
            return f"{what}; whether by chance cannot be said."
        if self.clear:
            return f"{what}, better than every other candidate."
        return f"{what}; no clear difference from {', '.join(self.unclear)}."

    def __repr__(self) -> str:
        """Return the words."""
        return f"<{self.words}>"


@dataclass(frozen=True, repr=False)
class Comparison:
    """Candidates side by side on one or more holdouts, for customers known at each cutoff.

    Of all holdouts: `measures`, a row per cutoff, horizon (`days`), group, target, metric and
    candidate, with its difference from the reference candidate, the interval of that and a verdict
    ("better", "worse", "no clear difference"; None where there is no number to compare). `overall`,
    a row per horizon, target, metric and candidate: mean and spread over the cutoffs, and the mean
    difference. `contests`: who leads, and who cannot be told from the leader. `folds`, a dictionary
    per cutoff and horizon with "deciles", "gains", "reliability" (of p_purchase), "coverage" (of
    intervals), "frequencies", "books" (lines that add up to all orders, late joiners among them),
    "failures", and "by_frequency" and "tracking" as below.

    Targets are "purchases", "value" and "active" (any purchase: of `p_purchase`). A metric that is
    infinite is inf here, and the text "inf" in `to_dict`.

    Of the latest cutoff at the first horizon, (cutoff, end]: `results`; `scores`, a dictionary per
    candidate and target ("purchases" or "value") with the metrics; `differences`, the mean absolute
    error above the best candidate's with its 95% interval over customers ("difference", "low",
    "high", "reference"); `by_frequency`, mean purchases per customer in the holdout by repeat
    purchases before it: "groups" (labels), "customers" (counts), "actual", "predicted" (candidate
    -> list); `tracking`, cumulative purchases after the first, of customers known at the cutoff:
    "dates", "actual", "predicted" (candidate -> list, None where a candidate says nothing); `data`,
    which describes the orders: see `backtest`.
    """

    cutoff: dt.date
    end: dt.date
    days: int
    unit: str
    results: tuple[Result, ...]
    scores: tuple[Row, ...]
    differences: tuple[Row, ...]
    by_frequency: Row
    tracking: Row
    data: Row
    options: Row = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    folds: tuple[Row, ...] = ()
    measures: tuple[Row, ...] = ()
    overall: tuple[Row, ...] = ()
    contests: tuple[Row, ...] = ()

    @property
    def metrics(self) -> Any:
        """The metrics of all customers as a pandas table, a row per candidate and target.

        Columns: candidate, target, actual_total, predicted_total, and the metrics, bias (relative
        error of the total), mae and so on: see `clvmodel.evaluate.metrics`. With several holdouts,
        there are rows for each, with its cutoff and its days as columns in front.
        """
        if len(self.folds) <= 1:
            return pandas_table(self.scores)
        rows: dict[tuple[Any, ...], Row] = {}
        for m in self.measures:
            if m["grouping"] == ALL:
                place = {k: m[k] for k in ("cutoff", "days", "candidate", "target")}
                row = rows.setdefault(tuple(place.values()), place)
                row[m["metric"]] = m["value"]
        return pandas_table(list(rows.values()))

    @property
    def table(self) -> Any:
        """`measures` as a pandas table: every metric, group and cutoff in long form."""
        return pandas_table(self.measures)

    @property
    def targets(self) -> tuple[str, ...]:
        """What was scored: purchases, and value where the orders have amounts."""
        return tuple(t for t in TARGETS if any(s["target"] == t for s in self.scores))

    def winner(self, target: str = "value", metric: str = "mae", days: int | None = None) -> Winner:
        """Name of the best candidate for a target ("purchases", "value", "active") by one metric.

        By its mean over all cutoffs, at the first horizon or that of `days`. The name also says
        whether the win is clear: `winner.clear`, `winner.unclear` (who cannot be told from it, the
        paired interval of the difference holding 0) and `winner.words`.
        """
        if metric not in BEST:
            raise ParameterError.not_one_of("metric", metric, BEST)
        length = self._horizon(days)
        for contest in self.contests:
            if (contest["days"], contest["target"], contest["metric"]) == (length, target, metric):
                return Winner(contest["leader"], target, metric, contest)
        return Winner(str(self.ranking(target, metric, days)[0]["candidate"]), target, metric, None)

    def ranking(
        self, target: str = "value", metric: str = "mae", days: int | None = None
    ) -> list[Row]:
        """Scores for a target, best first by one metric; candidates without it come last.

        With several cutoffs the metrics are means over them, at the first horizon or that of
        `days`; a candidate that was not scored at each has none.
        """
        if metric not in BEST:
            raise ParameterError.not_one_of("metric", metric, BEST)
        rows = self._rows(self._horizon(days))
        known = list(dict.fromkeys(s["target"] for s in rows))
        if target not in known:
            raise ParameterError.not_one_of("target", target, known)
        rows = [s for s in rows if s["target"] == target]
        scored = [s for s in rows if s.get(metric) is not None]
        if not scored:
            raise DataError(f"No candidate has a {metric} for {target}.")
        return sorted(scored, key=lambda s: BEST[metric](s[metric])) + [
            s for s in rows if s.get(metric) is None
        ]

    def _horizon(self, days: int | None) -> int:
        known = list(dict.fromkeys(fold["days"] for fold in self.folds)) or [self.days]
        if days is not None and days not in known:
            raise ParameterError.not_one_of("days", days, known)
        return self.days if days is None else days

    def _rows(self, days: int) -> list[Row]:
        """Means over the cutoffs at one horizon, as rows like those of `scores`."""
        rows: dict[tuple[str, str], Row] = {}
        if days == self.days and len(self.folds) <= 1:
            rows = {(s["target"], s["candidate"]): dict(s) for s in self.scores}
        for row in self.overall:
            if row["days"] == days:
                key = row["target"], row["candidate"]
                own = rows.setdefault(key, {"candidate": key[1], "target": key[0]})
                own[row["metric"]] = row["mean"]
        return list(rows.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        plain = asdict(self)
        plain["cutoff"], plain["end"] = self.cutoff.isoformat(), self.end.isoformat()
        plain["results"] = [asdict(result) for result in self.results]
        for name in ("scores", "differences", "folds", "measures", "overall", "contests"):
            plain[name] = list(plain[name])
        return cast("dict[str, Any]", _finite(plain))

    def to_html(self, path: Any = None, **parts: Any) -> str:
        """Render the report: one self-contained HTML page, written to `path` if one is given.

        `parts` add sections: model, summary, scores, audit, diagnosis, segments, tiers, cohorts,
        economics; `ids` is "show", "hash" or "hide", `format` "html", "md" or "json". See
        `clvmodel.present.report.write_report`. Returns the path, or the page itself.
        """
        from clvmodel.present.report import write_report  # a look ahead: see test_layers

        return write_report(self, path, **parts)

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
        if len(self.folds) > 1:
            lines.append(
                f"The latest of {len(self.folds)} holdouts; each is in .metrics, means over the "
                "cutoffs in .overall, groups in .table."
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the report in a frame of its own, so that its style stays there."""
        page = escape(self.to_html())
        style = "width: 100%; height: 45rem; border: 1px solid #888888"
        return f'<iframe title="Report" style="{style}" sandbox srcdoc="{page}"></iframe>'


def _finite(plain: Any) -> Any:
    """The same without infinite numbers, which JSON has not: they are the text "inf"."""
    if isinstance(plain, dict):
        return {key: _finite(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_finite(value) for value in plain]
    return "inf" if isinstance(plain, float) and isinf(plain) else plain
