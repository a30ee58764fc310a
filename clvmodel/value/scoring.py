"""Predictions into a file, part by part: for more customers than fit into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from clvmodel.errors import ParameterError
from clvmodel.tables.frames import read_frame
from clvmodel.tables.parts import Parts, digest
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
    if not isinstance(options.margin, int | float):
        raise ParameterError.out_of_range("margin", options.margin, "a number, the same for all")
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
