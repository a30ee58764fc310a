"""`clvmodel summarize | fit | score`: any number of customers, in memory that does not grow."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as date_class
from pathlib import Path
from typing import Annotated, Any

import typer

from clvmodel.cli.inputs import (
    AsJson,
    Input,
    Margin,
    Model,
    Purchases,
    Rate,
    done,
    reads_orders,
)
from clvmodel.errors import ParameterError
from clvmodel.models import PURCHASE_MODELS
from clvmodel.tables import sources
from clvmodel.tables.files import TABLES, check_output
from clvmodel.tables.parts import check_destination, write_tables
from clvmodel.tables.stored import StoredSummary, is_stored, open_summary, summarize_to
from clvmodel.units import horizon_in_days
from clvmodel.value.candidates import levels
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel

Horizon = Annotated[
    str, typer.Option(help="How far to predict: 365D, 52W, 12M, 2Y, a date, or inf (for ever).")
]
Quantiles = Annotated[
    str | None, typer.Option(help="Quantiles of purchases and value, such as 0.05,0.5,0.95.")
]

_STALE = 3600.0  # seconds: what no run has touched for so long was left behind


@reads_orders
def summarize_command(
    given: Input,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the customer summary: frequency, recency, T, monetary_value."""
    check_output(out, TABLES)
    with stored_summary(given, out) as summary:
        if out.suffix.lower() == ".parquet":
            summary.path.replace(out)
        else:
            write_tables(out, (batch.table for batch in summary.batches()))
    account = str(summary.reconciliation)
    done({"customers": len(summary), "out": str(out), "account": account}, as_json, str(out))


@reads_orders
def fit_command(
    given: Input,
    out: Annotated[Path, typer.Option(help="JSON file to write the model to.")],
    purchases: Purchases = "BGNBD",
    spend_includes_first: Annotated[
        bool,
        typer.Option("--spend-includes-first", help="First purchases inform the spend, too."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a purchase model and, where there are amounts, Gamma-Gamma; write both as JSON."""
    check_output(out, (".json",))
    if purchases not in PURCHASE_MODELS:
        raise ParameterError.not_one_of("--purchases", purchases, PURCHASE_MODELS)
    with stored_summary(given, out) as summary:
        given.say("fitting")
        model = ValueModel(
            purchases=PURCHASE_MODELS[purchases], spend_includes_first=spend_includes_first
        ).fit(summary)
    given.say(str(model))
    model.save(out)
    done(model.to_dict() | {"out": str(out)}, as_json, str(out))


@reads_orders
def score_command(
    given: Input,
    out: Annotated[
        str,
        typer.Option(help="CSV or Parquet file, or table (shop.duckdb::scores), to write."),
    ],
    model: Model = None,
    horizon: Horizon = "365D",
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    quantiles: Quantiles = None,
    parameter_uncertainty: Annotated[
        bool,
        typer.Option("--parameter-uncertainty", help="Quantiles hold that of the parameters, too."),
    ] = False,
    silent_until: Annotated[
        str | None,
        typer.Option(help="Predict as of this later day, if nobody buys until then."),
    ] = None,
    dates: Annotated[
        bool, typer.Option("--dates", help="Add the next purchase's dates and the day to act by.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run that was killed has stopped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Predict every customer: chance alive, purchases, spend, value within the horizon."""
    check_destination(out)
    unit = given.options.unit
    ahead, chosen = horizon_option(horizon, unit), levels_option(quantiles)
    if parameter_uncertainty and not chosen:
        raise ParameterError("--parameter-uncertainty is about quantiles: give --quantiles, too.")
    if silent_until is not None:
        horizon_in_days(silent_until, unit, date_class.min, "--silent-until")
    fitted = None if model is None else load(model)
    target = Path(out.partition("::")[0])
    with stored_summary(given, target, resume) as summary:
        if fitted is None:
            given.say("fitting")
            fitted = ValueModel().fit(summary)
        given.say(f"scoring {len(summary):,} customers over {horizon}")
        with given.progress("scored") as progress:
            rows = fitted.predict_to(
                out,
                summary,
                ahead,
                discount_rate=discount_rate,
                margin=margin,
                quantiles=chosen,
                parameter_uncertainty=parameter_uncertainty,
                silent_until=silent_until,
                dates=dates,
                resume=resume,
                progress=progress,
            )
    _clear(target)
    account = str(summary.reconciliation)
    done({"customers": rows, "out": out, "account": account}, as_json, out)


@contextmanager
def stored_summary(given: Input, out: Path, resume: bool = False) -> Iterator[StoredSummary]:
    """Summarize the orders into a hidden file beside `out`, which vanishes in the end.

    It stays if the process is killed, or fails when parts of `out` are done, and `resume` takes it
    if the orders and all options are the same. Orders that are such a file are taken as they are.
    """
    if is_stored(given.options.orders):
        given.say(f"{given.label} is a summary")
        yield open_summary(given.options.orders)
        return
    path = out.parent / f".{out.name}.summary-{_fingerprint(given)}.parquet"
    if resume and is_stored(path):
        given.say("going on from an unfinished run")
        summary = open_summary(path)
    else:
        given.say(f"summarizing {given.label}")
        summary = summarize_to(path, given.orders, **given.reading, unit=given.options.unit)
    given.say(f"{len(summary):,} customers, until {summary.end}\n{summary.reconciliation}")
    try:
        yield summary
    except BaseException:
        if not _left_by(out, "parts"):
            path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def _fingerprint(given: Input) -> str:
    """Name what a summary depends on: the files, as they are now, and how they are read."""
    files = []
    if sources.is_path(given.orders):
        found = sources.find(given.orders)
        paths = found.paths if isinstance(found, sources.Files) else (found.path,)
        files = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    said = json.dumps([given.label, files, given.options.unit, repr(given.reading)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _left_by(out: Path, *what: str) -> list[Path]:
    """Hidden files and folders of unfinished runs beside an output."""
    names = tuple(f".{out.name}.{each}-" for each in what)
    return [path for path in out.absolute().parent.iterdir() if path.name.startswith(names)]


def _clear(out: Path) -> None:
    """Remove what runs that were killed have left beside an output, an hour ago or more."""
    for left in _left_by(out, "parts", "summary"):
        if left.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def horizon_option(text: str, unit: str) -> Any:
    """Refuse, before the work, what is no horizon; inf is for ever."""
    if text.strip().lower() == "inf":
        return math.inf
    horizon_in_days(text, unit, date_class.min)
    return text


def levels_option(text: str | None) -> tuple[float, ...]:
    """Quantile levels, which commas separate."""
    if text is None:
        return ()
    chosen = levels(text.split(","))
    if chosen is None:
        rule = "numbers between 0 and 1, separated by commas, such as 0.05,0.5,0.95"
        raise ParameterError.out_of_range("--quantiles", text, rule)
    return chosen
