"""`clvmodel audit`: what is wrong with the orders, before anything is computed from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from clvmodel.cli.inputs import AsJson, Input, done, reads_orders
from clvmodel.tables.audit import audit
from clvmodel.tables.files import check_output, write_text


@reads_orders
def audit_command(
    given: Input,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    currency: Annotated[str | None, typer.Option(help="Column of the currency.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if a finding is an error.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say where every row goes and what is wrong with the orders, and what to do about it."""
    if out is not None:
        check_output(out, (".json",))
    reading = given.reading
    given.say(f"auditing {given.label}")
    found = audit(given.orders, **reading, currency=currency, unit=given.options.unit)
    if out is not None:
        write_text(out, json.dumps(found.to_dict(), indent=2) + "\n")
    done(found.to_dict(), as_json, repr(found))
    if strict and not found.ok:
        raise typer.Exit(1)
