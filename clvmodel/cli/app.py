"""`clvmodel summarize | fit | score | compare | report`: files in, files out.

Exit code 0: done; 1: could not (the data, a file); 2: called wrongly. Results go to files or
stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date as date_class
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from clvmodel import datasets
from clvmodel.errors import ClvError, ColumnError, ParameterError, UnitError
from clvmodel.evaluate.backtest import backtest
from clvmodel.evaluate.comparison import Comparison
from clvmodel.models import PURCHASE_MODELS
from clvmodel.tables.duckdb_source import read_columns
from clvmodel.tables.files import TABLES, check_output, together, write_table, write_text
from clvmodel.tables.frames import read_frame
from clvmodel.tables.guess import guess_columns
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.summary import Summary, summarize
from clvmodel.units import horizon_in_days
from clvmodel.value.value_model import ValueModel, load

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Customer lifetime value from an order history, held against the formulas.",
)

BUILT_IN: dict[str, Callable[[], Any]] = {
    "cdnow": datasets.load_cdnow,
    "cdnow-sample": lambda: datasets.load_cdnow(sample=True),
}

REPORT_FILES = ("comparison.json", "model.json", "scores.csv", "report.html")

Orders = Annotated[
    str, typer.Argument(help="CSV or Parquet file of orders, or 'cdnow', 'cdnow-sample'.")
]
Customer = Annotated[str | None, typer.Option(help="Column of the customer; guessed if not given.")]
Date = Annotated[str | None, typer.Option(help="Column of the order date; guessed if not given.")]
Value = Annotated[str | None, typer.Option(help="Column of the amount; guessed if not given.")]
DateFormat = Annotated[str | None, typer.Option(help="Form of the dates, such as %d/%m/%Y.")]
End = Annotated[str | None, typer.Option(help="Last day of observation; default: last order.")]
Unit = Annotated[str, typer.Option(help="Unit of time in tables: D, W, M or Y.")]
Purchases = Annotated[
    str, typer.Option(help=f"Model of the purchases: {', '.join(PURCHASE_MODELS)}.")
]
Horizon = Annotated[str, typer.Option(help="How far to predict: 365D, 52W, 12M, 2Y or a date.")]
Holdout = Annotated[
    str | None, typer.Option("--horizon", help="Length of the holdout; default: the last half.")
]
Cutoff = Annotated[
    str | None, typer.Option(help="Day on which the past ends; default: by horizon.")
]
Rate = Annotated[float, typer.Option(help="Effective annual discount rate.")]
Margin = Annotated[float, typer.Option(help="Share of revenue that is profit.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


@dataclass(frozen=True)
class Input:
    """Orders opened: what to read, what to call it, which columns to use, and how to report."""

    orders: Any
    label: str
    columns: Columns
    quiet: bool

    def say(self, text: str) -> None:
        """Tell progress on stderr."""
        if not self.quiet:
            typer.echo(text, err=True)


def _open(
    orders: str, customer: str | None, date: str | None, value: str | None, quiet: bool
) -> Input:
    built_in = orders in BUILT_IN and not Path(orders).exists()
    source: Any = BUILT_IN[orders]() if built_in else orders
    columns = guess_columns(read_columns(source), customer, date, value)
    opened = Input(source, orders if built_in else Path(orders).name, columns, quiet)
    guessed = [
        f"{role}={column}"
        for role, column, given in zip(
            columns._fields, columns, (customer, date, value), strict=True
        )
        if given is None and column is not None
    ]
    if guessed:
        opened.say(f"columns guessed: {', '.join(guessed)}")
    if columns.value is None:
        opened.say("no column of amounts found: only purchases are modelled; --value names one")
    return opened


def _summarize(given: Input, end: str | None, unit: str, date_format: str | None) -> Summary:
    given.say(f"summarizing {given.label}")
    summary = summarize(
        given.orders, **given.columns._asdict(), end=end, unit=unit, date_format=date_format
    )
    given.say(repr(summary))
    return summary


@app.command("summarize")
def summarize_command(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the customer summary: frequency, recency, T, monetary_value."""
    check_output(out, TABLES)
    given = _open(orders, customer, date, value, quiet)
    summary = _summarize(given, end, unit, date_format)
    write_table(read_frame(summary.frame)[0], out)
    _done({"customers": len(summary), "out": str(out), "account": repr(summary)}, as_json, str(out))


@app.command("fit")
def fit_command(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="JSON file to write the model to.")],
    purchases: Purchases = "BGNBD",
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a purchase model and, where there are amounts, Gamma-Gamma; write both as JSON."""
    check_output(out, (".json",))
    if purchases not in PURCHASE_MODELS:
        raise ParameterError.not_one_of("--purchases", purchases, PURCHASE_MODELS)
    given = _open(orders, customer, date, value, quiet)
    summary = _summarize(given, end, unit, date_format)
    given.say("fitting")
    model = ValueModel(purchases=PURCHASE_MODELS[purchases]).fit(summary)
    given.say(str(model))
    model.save(out)
    _done(model.to_dict() | {"out": str(out)}, as_json, str(out))


@app.command("score")
def score_command(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
    model: Annotated[
        Path | None, typer.Option(help="Model that `fit` wrote; default: fit.")
    ] = None,
    horizon: Horizon = "365D",
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Predict every customer: chance alive, purchases, spend, value within the horizon."""
    check_output(out, TABLES)
    horizon_in_days(horizon, unit, date_class.min)  # refuse what is none before the work
    fitted = None if model is None else load(model)
    given = _open(orders, customer, date, value, quiet)
    summary = _summarize(given, end, unit, date_format)
    if fitted is None:
        given.say("fitting")
        fitted = ValueModel().fit(summary)
    given.say(f"scoring {len(summary):,} customers over {horizon}")
    scores = fitted.predict(summary, horizon, discount_rate=discount_rate, margin=margin)
    write_table(read_frame(scores)[0], out)
    _done({"customers": len(summary), "out": str(out)}, as_json, str(out))


def _compare(
    given: Input,
    end: str | None,
    cutoff: str | None,
    horizon: str | None,
    unit: str,
    date_format: str | None,
    command: str,
) -> Comparison:
    comparison = backtest(
        given.orders,
        **given.columns._asdict(),
        end=end,
        cutoffs=None if cutoff is None else [cutoff],
        horizon=horizon,
        unit=unit,
        date_format=date_format,
        progress=given.say,
    )
    return replace(
        comparison,
        data={**comparison.data, "source": given.label},
        options={**comparison.options, "command": command},
    )


def _command(name: str, orders: str, given: Input, **options: str | None) -> str:
    """Return the command that makes the same comparison again, guesses spelled out."""
    named = {**given.columns._asdict(), **options}
    words = ["clvmodel", name, orders]
    for option, text in named.items():
        if text is not None:
            words += [f"--{option.replace('_', '-')}", text]
    return shlex.join(words)


@app.command("compare")
def compare_command(
    orders: Orders,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .json, .html, or .csv (metrics).")
    ] = None,
    horizon: Holdout = None,
    cutoff: Cutoff = None,
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare models and formulas on the end of the history, which none of them has seen."""
    if out is not None:
        check_output(out, (".json", ".html", ".csv"))
    given = _open(orders, customer, date, value, quiet)
    command = _command(
        "compare",
        orders,
        given,
        end=end,
        cutoff=cutoff,
        horizon=horizon,
        unit=unit,
        date_format=date_format,
    )
    comparison = _compare(given, end, cutoff, horizon, unit, date_format, command)
    ending = "" if out is None else out.suffix.lower()
    if ending == ".html":
        comparison.to_html(out)
    elif ending == ".csv":
        write_table(read_frame(comparison.metrics)[0], out)
    elif ending == ".json":
        write_text(out, json.dumps(comparison.to_dict(), indent=2) + "\n")
    _done(comparison.to_dict(), as_json, str(comparison))


@app.command("report")
def report_command(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("clv_report"),
    horizon: Holdout = None,
    cutoff: Cutoff = None,
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Do all of it: compare on a holdout, then fit to everything and score every customer.

    Writes report.html, comparison.json, model.json and scores.csv; scores look as far ahead as the
    holdout was long. Prints the path of the report.
    """
    if out.exists() and not out.is_dir():
        raise ParameterError(f"--out {out} is a file; name a folder.")
    for name in REPORT_FILES:
        check_output(out / name, (Path(name).suffix,))
    given = _open(orders, customer, date, value, quiet)
    command = _command(
        "report",
        orders,
        given,
        end=end,
        cutoff=cutoff,
        horizon=horizon,
        unit=unit,
        date_format=date_format,
        discount_rate=str(discount_rate),
        margin=str(margin),
    )
    comparison = _compare(given, end, cutoff, horizon, unit, date_format, command)
    summary = _summarize(given, end, unit, date_format)
    given.say("fitting and scoring every customer")
    model = ValueModel().fit(summary)
    scores = model.predict(
        summary, f"{comparison.days}D", discount_rate=discount_rate, margin=margin
    )
    given.say("writing the report")
    with together(out) as draft:
        write_text(draft / "comparison.json", json.dumps(comparison.to_dict(), indent=2) + "\n")
        model.save(draft / "model.json")
        write_table(read_frame(scores)[0], draft / "scores.csv")
        comparison.to_html(draft / "report.html")
    report = str(out / "report.html")
    given.say(str(comparison))
    _done({"report": report, "comparison": comparison.to_dict()}, as_json, report)


def _done(result: dict[str, Any], as_json: bool, text: str) -> None:
    typer.echo(json.dumps(result) if as_json else text)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; every deliberate error is one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary files are removed
    try:
        app(arguments, standalone_mode=True)
    except ClvError as error:
        typer.echo(f"clvmodel: {error}", err=True)
        sys.exit(2 if isinstance(error, ColumnError | ParameterError | UnitError) else 1)
    sys.exit(0)
