"""`clvmodel score | total | explain`: what a model says of each customer, of all, of one."""

from __future__ import annotations

import math
from datetime import date as date_class
from pathlib import Path
from typing import Annotated, Any

import typer

from clvmodel.cli.inputs import (
    AsJson,
    Customer,
    Date,
    DateFormat,
    End,
    Input,
    Margin,
    Model,
    Orders,
    Quiet,
    Rate,
    Unit,
    Value,
    done,
    open_orders,
)
from clvmodel.errors import ParameterError
from clvmodel.tables.files import TABLES, check_output, write_table
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary
from clvmodel.units import horizon_in_days
from clvmodel.value.candidates import levels
from clvmodel.value.explain import Explanation
from clvmodel.value.fitted import FittedValueModel, load
from clvmodel.value.value_model import ValueModel

Horizon = Annotated[
    str, typer.Option(help="How far to predict: 365D, 52W, 12M, 2Y, a date, or inf (for ever).")
]
Quantiles = Annotated[
    str | None, typer.Option(help="Quantiles of purchases and value, such as 0.05,0.5,0.95.")
]


def score_command(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.")],
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
    ahead, chosen = _horizon(horizon, unit), _levels(quantiles)
    if parameter_uncertainty and not chosen:
        raise ParameterError("--parameter-uncertainty is about quantiles: give --quantiles, too.")
    if silent_until is not None:
        horizon_in_days(silent_until, unit, date_class.min, "--silent-until")
    fitted = None if model is None else load(model)
    given = open_orders(orders, customer, date, value, quiet)
    summary = given.summarize(end, unit, date_format)
    fitted = _fitted(fitted, given, summary)
    given.say(f"scoring {len(summary):,} customers over {horizon}")
    scores = fitted.predict(
        summary,
        ahead,
        discount_rate=discount_rate,
        margin=margin,
        quantiles=chosen,
        parameter_uncertainty=parameter_uncertainty,
        silent_until=silent_until,
    )
    table = read_frame(scores)[0]
    if dates:
        then = summary if silent_until is None else summary.after_silence(silent_until)
        table = _joined(table, read_frame(fitted.predict_dates(then))[0])
    write_table(table, out)
    done({"customers": len(summary), "out": str(out)}, as_json, str(out))


def total_command(
    orders: Orders,
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet file to write.")] = None,
    model: Model = None,
    horizon: Horizon = "365D",
    by: Annotated[
        str | None, typer.Option(help="One row for each 'cohort', the month of the first purchase.")
    ] = None,
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    quantiles: Quantiles = "0.05,0.5,0.95",
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Predict what all customers together will buy and be worth, with quantiles.

    The quantiles hold what customers may do and what is not known of the parameters.
    """
    if out is not None:
        check_output(out, TABLES)
    ahead, chosen = _horizon(horizon, unit), _levels(quantiles)
    fitted = None if model is None else load(model)
    given = open_orders(orders, customer, date, value, quiet)
    summary = given.summarize(end, unit, date_format)
    fitted = _fitted(fitted, given, summary)
    given.say(f"adding up {len(summary):,} customers over {horizon}")
    totals = fitted.predict_total(
        summary, ahead, by=by, discount_rate=discount_rate, margin=margin, quantiles=chosen
    )
    if out is not None:
        write_table(read_frame(totals)[0], out)
    rows = read_frame(totals)[0].to_pylist()
    result = {"horizon": horizon, "by": by, "totals": rows}
    done(
        result if out is None else {**result, "out": str(out)},
        as_json,
        _text(rows, across=by is not None),
    )


def explain_command(
    orders: Orders,
    id: Annotated[str, typer.Option("--id", help="The customer, as the orders name them.")],
    model: Model = None,
    customer: Customer = None,
    date: Date = None,
    value: Value = None,
    end: End = None,
    unit: Unit = "D",
    date_format: DateFormat = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say in words and numbers why one customer is predicted as is."""
    fitted = None if model is None else load(model)
    given = open_orders(orders, customer, date, value, quiet)
    summary = given.summarize(end, unit, date_format)
    explanation = _explained(_fitted(fitted, given, summary), summary, id)
    done(vars(explanation), as_json, str(explanation))


def _horizon(text: str, unit: str) -> Any:
    """Refuse, before the work, what is no horizon; inf is for ever."""
    if text.strip().lower() == "inf":
        return math.inf
    horizon_in_days(text, unit, date_class.min)
    return text


def _levels(text: str | None) -> tuple[float, ...]:
    """Quantile levels, which commas separate."""
    if text is None:
        return ()
    chosen = levels(text.split(","))
    if chosen is None:
        rule = "numbers between 0 and 1, separated by commas, such as 0.05,0.5,0.95"
        raise ParameterError.out_of_range("--quantiles", text, rule)
    return chosen


def _fitted(fitted: FittedValueModel | None, given: Input, summary: Summary) -> FittedValueModel:
    """Return the model that was loaded or, where there is none, one fitted to the summary."""
    if fitted is not None:
        return fitted
    given.say("fitting")
    return ValueModel().fit(summary)


def _joined(table: Any, more: Any) -> Any:
    """Two Arrow tables of the same customers in the same order, side by side."""
    for name in more.column_names:
        if name not in table.column_names:
            table = table.append_column(name, more[name])
    return table


def _explained(fitted: FittedValueModel, summary: Summary, text: str) -> Explanation:
    """Explain the customer whose id is written so, be it text or a number."""
    names = [str(name) for name in summary.ids.to_pylist()]
    if text in names:
        return fitted.explain(summary, row=names.index(text))
    return fitted.explain(summary, text)  # which says who is called alike


def _text(rows: list[dict[str, Any]], across: bool) -> str:
    """Write a table whose names stand across or, with their numbers beside them, down the page."""
    cells = [[_shown(value) for value in row.values()] for row in rows]
    lines = [list(rows[0]), *cells]
    if not across:
        lines = [list(pair) for pair in zip(*lines, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if place else word.ljust(width)
            for place, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
