"""Predictions part by part, into a file or in a cluster: for more than fits into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from clvmodel.errors import ParameterError
from clvmodel.tables.frames import read_frame
from clvmodel.tables.parts import Parts, digest
from clvmodel.tables.spark_source import write_parquet
from clvmodel.tables.spark_summary import SparkSummary
from clvmodel.tables.stored import ROWS, StoredSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.predictions import Options, predict

Progress = Callable[[int, int], None]
"""Called with the customers done so far, and all."""


def predict_to(
    fitted: Any,
    out: Any,
    summary: StoredSummary,
    horizon: Any,
    options: Options,
    silent_until: Any = None,
    *,
    dates: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> int:
    """Predict the customers of a stored summary into a file; see `FittedValueModel.predict_to`."""
    _check_same_for_all(options)
    plan = {
        "version": version("clvmodel"),
        "model": hashlib.sha256(json.dumps(fitted.to_dict()).encode()).hexdigest(),
        "summary": digest(summary.path),
        "horizon": str(horizon),
        "options": repr(options),
        "silent_until": str(silent_until),
        "dates": dates,
        "rows": ROWS,
    }
    parts = Parts(out, plan, resume)
    done = number = 0
    for number, batch in enumerate(summary.batches(ROWS)):
        if not parts.has(number):
            parts.write(number, _predicted(fitted, batch, horizon, options, silent_until, dates))
        done += len(batch)
        if progress is not None:
            progress(done, len(summary))
    parts.finish(number + 1, len(summary))
    return done


def predict_in_spark(
    fitted: Any,
    summary: SparkSummary,
    horizon: Any,
    options: Options,
    silent_until: Any = None,
    dates: bool = False,
) -> Any:
    """Predict the customers of a Spark summary: a Spark table, made where they are."""
    _check_same_for_all(options)
    cells = tuple(fit.cells for fit in fitted.fits) if options.parameter_uncertainty else ()
    return summary.map(_Scores(fitted, cells, horizon, options, silent_until, dates))


def predict_to_spark(
    fitted: Any,
    out: Any,
    summary: SparkSummary,
    horizon: Any,
    options: Options,
    silent_until: Any = None,
    *,
    dates: bool = False,
    progress: Progress | None = None,
) -> int:
    """Predict the customers of a Spark summary into a folder of Parquet files."""
    if "::" in str(out) or str(out).lower().endswith((".csv", ".duckdb")):
        raise ParameterError.out_of_range("out", str(out), "the path of a folder: Spark's Parquet")
    frame = predict_in_spark(fitted, summary, horizon, options, silent_until, dates)
    write_parquet(frame, out, len(summary))
    if progress is not None:
        progress(len(summary), len(summary))
    return len(summary)


@dataclass(frozen=True)
class _Scores:
    """Predicts the customers of a summary; can be sent elsewhere with the cells of the fits.

    A pickled fit has no cells. They are needed where parameters are drawn, and else left behind.
    """

    fitted: Any
    cells: tuple[Any, ...]
    horizon: Any
    options: Options
    silent_until: Any
    dates: bool

    @property
    def model(self) -> Any:
        """The fitted model, with its cells if they came along."""
        if not self.cells:
            return self.fitted
        fits = zip(self.fitted.fits, self.cells, strict=True)
        purchases, *spend = (replace(fit, cells=cells) for fit, cells in fits)
        return replace(self.fitted, purchases=purchases, spend=spend[0] if spend else None)

    def __call__(self, summary: Summary) -> Any:
        """Return the Arrow table of their predictions."""
        return _predicted(
            self.model, summary, self.horizon, self.options, self.silent_until, self.dates
        )


def _check_same_for_all(options: Options) -> None:
    """Refuse numbers for each customer, who come in parts."""
    for name, value in (("margin", options.margin), ("value_above", options.value_above)):
        if not isinstance(value, int | float) and not (value is None and name == "value_above"):
            raise ParameterError.out_of_range(name, value, "a number, the same for all")


def _predicted(
    fitted: Any, batch: Summary, horizon: Any, options: Options, silent_until: Any, dates: bool
) -> Any:
    """Arrow table of the predictions of one batch."""
    table = read_frame(predict(fitted, batch, horizon, options, silent_until))[0]
    if dates:
        then = batch if silent_until is None else batch.after_silence(silent_until)
        more = read_frame(fitted.predict_dates(then))[0]
        for name in more.column_names:
            if name not in table.column_names:
                table = table.append_column(name, more[name])
    return table
