"""What the commands share: their options, orders opened and summarized, results told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from clvmodel import datasets
from clvmodel.models import PURCHASE_MODELS
from clvmodel.tables.duckdb_source import read_columns
from clvmodel.tables.guess import guess_columns
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary

BUILT_IN: dict[str, Callable[[], Any]] = {
    "cdnow": datasets.load_cdnow,
    "cdnow-sample": lambda: datasets.load_cdnow(sample=True),
}

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
Model = Annotated[Path | None, typer.Option(help="Model that `fit` wrote; default: fit.")]
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

    def summarize(self, end: str | None, unit: str, date_format: str | None) -> Summary:
        """Summarize the orders, telling what became of them."""
        self.say(f"summarizing {self.label}")
        summary = summarize(
            self.orders, **self.columns._asdict(), end=end, unit=unit, date_format=date_format
        )
        self.say(repr(summary))
        return summary


def open_orders(
    orders: str, customer: str | None, date: str | None, value: str | None, quiet: bool
) -> Input:
    """Open a file of orders, or a built-in history, and guess the columns that are not named."""
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


def done(result: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Print the result: for machines, or the text."""
    typer.echo(json.dumps(_plain(result)) if as_json else text)


def _plain(value: Any) -> Any:
    """Plain data that JSON can hold: NaN becomes null, what else it lacks becomes its text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and not math.isinf(value):
        return None if math.isnan(value) else value
    return str(value)
