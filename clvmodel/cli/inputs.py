"""What the commands share: how orders are given and read, results told."""

from __future__ import annotations

import functools
import inspect
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from clvmodel import datasets
from clvmodel.errors import ParameterError
from clvmodel.models import PURCHASE_MODELS
from clvmodel.tables.duckdb_source import read_columns
from clvmodel.tables.guess import guess_columns
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.presets import PRESETS, preset_named
from clvmodel.tables.rules import OCCASIONS, REFUNDS
from clvmodel.tables.stored import StoredSummary, is_stored, open_summary
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary

BUILT_IN: dict[str, Callable[[], Any]] = {
    "cdnow": datasets.load_cdnow,
    "cdnow-sample": lambda: datasets.load_cdnow(sample=True),
}

Purchases = Annotated[
    str, typer.Option(help=f"Model of the purchases: {', '.join(PURCHASE_MODELS)}.")
]
Model = Annotated[Path | None, typer.Option(help="Model that `fit` wrote; default: fit.")]
Rate = Annotated[float, typer.Option(help="Effective annual discount rate.")]


def profit(margin: float | None) -> float | None:
    """Refuse a percentage that was typed as a share."""
    if margin is not None and margin > 1:
        raise ParameterError.out_of_range("--margin", margin, "at most 1: 0.4 for 40%")
    return margin


Margin = Annotated[
    float, typer.Option(callback=profit, help="Share of revenue that is profit: 0.4 for 40%.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


@dataclass(frozen=True)
class Options:
    """How orders are given on the command line: the arguments of `summarize`, as options."""

    orders: Annotated[
        str,
        typer.Argument(
            help="Orders: a CSV (also .gz) or Parquet file, a folder or a quoted pattern of such, "
            "a table of a DuckDB file (shop.duckdb::orders), 'cdnow' or 'cdnow-sample'."
        ),
    ]
    customer: Annotated[
        str | None, typer.Option(help="Column of the customer; guessed if not given.")
    ] = None
    date: Annotated[
        str | None, typer.Option(help="Column of the order date; guessed if not given.")
    ] = None
    value: Annotated[
        str | None, typer.Option(help="Column of the amount; guessed if not given.")
    ] = None
    order_id: Annotated[
        str | None,
        typer.Option(help="Column of the order id, by which lines and refunds belong together."),
    ] = None
    preset: Annotated[
        str | None, typer.Option(help=f"Read a known export: {', '.join(PRESETS)}.")
    ] = None
    date_format: Annotated[
        str | None, typer.Option(help="Form of the dates, such as %d/%m/%Y.")
    ] = None
    end: Annotated[
        str | None, typer.Option(help="Last day of observation; default: last order.")
    ] = None
    start: Annotated[str | None, typer.Option(help="First day of observation.")] = None
    unit: Annotated[str, typer.Option(help="Unit of time in tables: D, W, M or Y.")] = "D"
    occasion: Annotated[
        str, typer.Option(help=f"Orders of one are one purchase: {', '.join(OCCASIONS)}.")
    ] = "D"
    refunds: Annotated[
        str, typer.Option(help=f"What to do with negative amounts: {', '.join(REFUNDS)}.")
    ] = "net"
    min_value: Annotated[
        float | None, typer.Option(help="Smaller amounts are left out, and counted.")
    ] = None
    max_value: Annotated[
        float | None, typer.Option(help="Larger amounts are left out, and counted.")
    ] = None
    exclude_id: Annotated[
        list[str] | None,
        typer.Option(help="Customer to leave out, such as a guest account; may be repeated."),
    ] = None
    memory_limit: Annotated[
        str, typer.Option(help="Memory of the engine before it spills to disk.")
    ] = "2GB"
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False


@dataclass(frozen=True)
class Input:
    """Orders as they were asked for; they are opened when they are needed."""

    options: Options

    @cached_property
    def _built_in(self) -> bool:
        return self.options.orders in BUILT_IN and not Path(self.options.orders).exists()

    @cached_property
    def orders(self) -> Any:
        """What to read: a path, or the table of a built-in history."""
        return BUILT_IN[self.options.orders]() if self._built_in else self.options.orders

    @property
    def label(self) -> str:
        """What to call the orders."""
        return self.options.orders if self._built_in else Path(self.options.orders).name

    @cached_property
    def columns(self) -> Columns | None:
        """Columns to use, guessed where they were not named; None where a preset names them."""
        given = self.options
        if given.preset is not None:
            self.say(str(preset_named(given.preset)))
            return None
        columns = guess_columns(read_columns(self.orders), given.customer, given.date, given.value)
        guessed = [
            f"{role}={column}"
            for role, column in columns._asdict().items()
            if getattr(given, role) is None and column is not None
        ]
        if guessed:
            self.say(f"columns guessed: {', '.join(guessed)}")
        if columns.value is None:
            self.say("no column of amounts found: only purchases are modelled; --value names one")
        return columns

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of `summarize`, but the orders and the unit."""
        given = self.options
        columns = self.columns
        named = (
            {name: getattr(given, name) for name in Columns._fields}
            if columns is None
            else columns._asdict()
        )
        same = "order_id preset date_format end start occasion refunds min_value max_value".split()
        return {
            **named,
            **{name: getattr(given, name) for name in [*same, "memory_limit"]},
            "exclude_ids": given.exclude_id or (),
        }

    def say(self, text: str) -> None:
        """Tell progress on stderr."""
        if not self.options.quiet:
            typer.echo(text, err=True)

    def summarize(self) -> Summary:
        """Summarize the orders in memory, telling what became of them."""
        if is_stored(self.options.orders):
            self.say(f"{self.label} is a summary")
            return open_summary(self.options.orders).load()
        self.say(f"summarizing {self.label}")
        summary = summarize(self.orders, **self.reading, unit=self.options.unit)
        self.say(repr(summary))
        return summary

    def held(self) -> Summary | StoredSummary:
        """Summarize the orders; a summary in a file comes into memory only if it is small."""
        if is_stored(self.options.orders):
            self.say(f"{self.label} is a summary")
            return open_summary(self.options.orders).held()
        return self.summarize()

    def command(self, name: str, **more: object) -> str:
        """Return the command that does the same again, guesses spelled out."""
        default = Options("")
        words = ["clvmodel", name, self.options.orders]
        columns = {} if self.columns is None else self.columns._asdict()
        for option, text in {**vars(self.options), **columns, **more}.items():
            if option in _NOT_SAID or text is None or text == getattr(default, option, None):
                continue
            for each in text if isinstance(text, list) else [text]:
                words += [f"--{option.replace('_', '-')}", str(each)]
        return shlex.join(words)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Give a function to be called with what is done and all: a bar, or lines in a log."""
        if self.options.quiet or not sys.stderr.isatty():
            told = time.monotonic()

            def tell(done: int, total: int) -> None:
                nonlocal told
                if time.monotonic() - told > _SECONDS and done < total:
                    told = time.monotonic()
                    self.say(f"{what}: {done:,} of {total:,}")

            yield tell
            return
        with typer.progressbar(length=1, label=what, file=sys.stderr) as bar:

            def move(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            yield move


_SECONDS = 10.0  # between two lines of progress in a log
_NOT_SAID = ("orders", "memory_limit", "quiet")  # what does not change a result


def reads_orders(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of orders in place of its first argument, an `Input`."""
    own = list(inspect.signature(command).parameters.values())[1:]
    hints = get_type_hints(command, include_extras=True)
    shared = get_type_hints(Options, include_extras=True)
    defaults = inspect.signature(Options).parameters

    @functools.wraps(command)
    def read(**values: Any) -> None:
        options = Options(**{name: values.pop(name) for name in shared})
        command(Input(options), **values)

    kind = inspect.Parameter.KEYWORD_ONLY
    orders, *others = [
        inspect.Parameter(name, kind, default=defaults[name].default, annotation=annotation)
        for name, annotation in shared.items()
    ]
    parameters = [orders, *(p.replace(kind=kind, annotation=hints[p.name]) for p in own), *others]
    read.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    read.__annotations__ = {p.name: p.annotation for p in parameters}
    return read


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
