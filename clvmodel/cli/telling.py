"""`clvmodel total | explain`: what a model says of all customers together, and of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clvmodel.cli.inputs import AsJson, Input, Margin, Model, Rate, done, reads_orders
from clvmodel.cli.scoring import Horizon, Quantiles, horizon_option, levels_option
from clvmodel.tables.files import TABLES, check_output, write_table
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary
from clvmodel.value.explain import Explanation
from clvmodel.value.fitted import FittedValueModel, load
from clvmodel.value.value_model import ValueModel


@reads_orders
def total_command(
    given: Input,
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet file to write.")] = None,
    model: Model = None,
    horizon: Horizon = "365D",
    by: Annotated[
        str | None, typer.Option(help="One row for each 'cohort', the month of the first purchase.")
    ] = None,
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    quantiles: Quantiles = "0.05,0.5,0.95",
    as_json: AsJson = False,
) -> None:
    """Predict what all customers together will buy and be worth, with quantiles.

    The quantiles hold what customers may do and what is not known of the parameters.
    """
    if out is not None:
        check_output(out, TABLES)
    ahead, chosen = horizon_option(horizon, given.options.unit), levels_option(quantiles)
    fitted = None if model is None else load(model)
    summary = given.summarize()
    fitted = fitted_or_fit(fitted, given, summary)
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


@reads_orders
def explain_command(
    given: Input,
    id: Annotated[str, typer.Option("--id", help="The customer, as the orders name them.")],
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Say in words and numbers why one customer is predicted as is."""
    fitted = None if model is None else load(model)
    summary = given.summarize()
    explanation = _explained(fitted_or_fit(fitted, given, summary), summary, id)
    done(vars(explanation), as_json, str(explanation))


def fitted_or_fit(
    fitted: FittedValueModel | None, given: Input, summary: Summary
) -> FittedValueModel:
    """Return the model that was loaded or, where there is none, one fitted to the summary."""
    if fitted is not None:
        return fitted
    given.say("fitting")
    return ValueModel().fit(summary)


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
