"""`clvmodel audit`: what is wrong with the orders, before anything is computed from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from clvmodel.cli.inputs import (
    AsJson,
    Customer,
    Date,
    DateFormat,
    End,
    Orders,
    Quiet,
    Unit,
    Value,
    done,
    open_orders,
)
from clvmodel.tables.audit import audit
from clvmodel.tables.files import check_output, write_text


def audit_command(
    orders: Orders,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    order_id: Annotated[
        str | None, typer.Option(help="Column of the order id, with which refunds are paired.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Column of the currency.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if a finding is an error.")
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
    """Say where every row goes and what is wrong with the orders, and what to do about it."""
    if out is not None:
        check_output(out, (".json",))
    given = open_orders(orders, customer, date, value, quiet)
    given.say(f"auditing {given.label}")
    found = audit(
        given.orders,
        **given.columns._asdict(),
        order_id=order_id,
        currency=currency,
        end=end,
        unit=unit,
        date_format=date_format,
    )
    if out is not None:
        write_text(out, json.dumps(found.to_dict(), indent=2) + "\n")
    done(found.to_dict(), as_json, repr(found))
    if strict and not found.ok:
        raise typer.Exit(1)
