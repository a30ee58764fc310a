"""The audit: what is wrong with an order history, in numbers, and where every row of it goes."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import narwhals as nw
import pyarrow as pa

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.audit_checks import check_rows
from clvmodel.tables.audit_history import check_history
from clvmodel.tables.audit_sql import CUSTOMERS, extra, facts, ways
from clvmodel.tables.duckdb_source import Judged, check_columns, judged_orders, read_columns
from clvmodel.tables.findings import (
    SEVERITIES,
    Evidence,
    Finding,
    count,
    day_in_words,
    money,
    plain,
)
from clvmodel.tables.frames import pandas_table, read_frame
from clvmodel.tables.reading import columns_of
from clvmodel.tables.rules import rules
from clvmodel.tables.sources import is_path
from clvmodel.units import days_in

_WIDTH = 96


@dataclass(frozen=True)
class Account:
    """Rows that went the same way: how many, their amounts (None without a value column), a few.

    `amount` sums the finite amounts; `examples` are up to five row numbers, the first row being 1.
    """

    reason: str
    rows: int
    amount: float | None
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Audit:
    """What an order history holds and what is wrong with it.

    `rows` accounts for every row: purchases, further rows merged into a purchase, and rows left out
    by reason; counts and amounts add up to those of the orders. `findings` say what is wrong and
    what to do, the worst first; `ok` is True if none is an error. `total` counts the rows,
    `customers` those with a purchase; `first` and `last` are the days of the first and last order
    that counts, as text.
    """

    rows: tuple[Account, ...]
    findings: tuple[Finding, ...]
    total: int
    customers: int
    first: str | None
    last: str | None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def table(self) -> Any:
        """The findings as a pandas table, one row each, the worst first."""
        columns = list(Finding.__dataclass_fields__)
        rows = [{name: getattr(f, name) for name in columns} for f in self.findings]
        return pandas_table(rows or [dict.fromkeys(columns)]).iloc[: len(rows)]

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as plain data, which JSON can hold."""
        accounts = [
            {**asdict(a), "examples": list(a.examples), "amount": plain(a.amount)}
            for a in self.rows
        ]
        return {
            "ok": self.ok,
            "total": self.total,
            "customers": self.customers,
            "first": self.first,
            "last": self.last,
            "rows": accounts,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __repr__(self) -> str:
        """Say where the rows went, then what is wrong, the worst first, and what to do."""
        when = f", {self.first} to {self.last}" if self.first is not None else ""
        number = {s: sum(f.severity == s for f in self.findings) for s in SEVERITIES}
        found = ", ".join(count(n, severity) for severity, n in number.items())
        lines = [
            f"Audit of {count(self.total, 'row')}, {count(self.customers, 'customer')}{when}",
            *(f"  {line}" for line in _aligned(self.rows)),
            f"{found[0].upper()}{found[1:]}",
        ]
        for finding in self.findings:
            lines += _paragraph(f"{finding.severity}: {finding.name}: {finding.message}", "  ")
            if finding.examples:
                lines += _paragraph(f"rows {', '.join(map(str, finding.examples))}", "    ")
            lines += _paragraph(f"-> {finding.remedy}", "    ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def audit(
    orders: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    order_id: str | None = None,
    currency: str | None = None,
    unit: str = "D",
    preset: str | None = None,
    **reading: Any,
) -> Audit:
    """Say what is wrong with an order history, in numbers, and what to do about it.

    Takes what `summarize` takes, and judges every row as it does; `reading` are its further
    arguments (end, start, date_format, occasion, refunds, min_value, max_value, exclude_ids,
    memory_limit). What `summarize` refuses, such as dates that cannot be read, is a finding of
    severity "error" here. `order_id` names the column of order ids, with which refunds are paired
    and orders on several days found; `currency` that of the currency. Lengths of time are told in
    `unit`. The orders are not changed.

    Raises ColumnError, FileError, UnitError or ParameterError for what was called wrongly or cannot
    be opened; DataError only where `orders` is no table.
    """
    days_in(unit)
    how = rules(order_id=order_id, preset=preset, **reading)
    columns = columns_of(customer, date, value, how)
    names = read_columns(orders)
    if columns is not None:
        check_columns(columns, names, order_id)
        if currency is not None and currency not in names:
            raise ColumnError.missing("currency", currency, names)
    else:
        currency = "currency" if currency is None else currency
    mixed: tuple[str, ...] = ()
    if not is_path(orders):
        roles = {name for name in (*(columns or ()), order_id, currency) if name is not None}
        if how.preset is not None:
            roles = set(how.preset.found(names).values())
        orders, mixed = _readable(orders, names, roles)
    with judged_orders(orders, columns, how, whole=True) as found:
        found.query(extra(found.types, found.columns, how.order_id, currency))
        found.register("daily", found.daily())
        found.query(facts(how))
        found.query(CUSTOMERS)
        evidence = Evidence(
            query=found.query,
            columns=found.columns,
            order_id=how.order_id,
            currency=currency,
            end=how.end,
            today=dt.date.today(),
            unit=unit,
            date_format=how.date_format,
            mixed=mixed,
            total=found.query("SELECT count(*) FROM facts")[0][0],
        )
        return _assemble(found, evidence)


def _assemble(found: Judged, evidence: Evidence) -> Audit:
    accounts = []
    for name, words in ways(found.rules).items():
        tally = evidence.tally(f"account = '{name}'")
        if tally.rows:
            accounts.append(Account(words, tally.rows, tally.amount, tally.examples))
    findings = [*check_rows(evidence), *check_history(evidence)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    customers = found.query("SELECT count(DISTINCT customer) FROM daily WHERE kept")[0][0]
    days = found.query("SELECT min(day), max(day) FROM facts WHERE fate = 'used'")[0]
    first, last = (None if day is None else day_in_words(day) for day in days)
    return Audit(tuple(accounts), tuple(findings), evidence.total, customers, first, last)


def _readable(orders: Any, names: list[str], roles: set[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Return all columns of a frame, and which of `roles` had to become text to be read.

    Columns without a role get other names, since SQL does not tell ID from id.
    """
    mixed: list[str] = []
    try:
        table = read_frame(orders)[0]
    except DataError:
        frame = nw.from_native(orders)
        if isinstance(frame, nw.LazyFrame):
            raise
        columns = {}
        for name in names:
            try:
                columns[name] = read_frame(orders, [name])[0].column(0)
            except DataError:
                mixed.append(name)
                columns[name] = _as_text(frame.get_column(name))
        table = pa.table(columns)
    for i, field in enumerate(table.schema):
        if pa.types.is_null(field.type):  # a column without any value has no type of its own
            table = table.set_column(i, field.name, table.column(i).cast(pa.string()))
    plain_names = [name if name in roles else f"column {i}" for i, name in enumerate(names)]
    return table.rename_columns(plain_names), tuple(name for name in mixed if name in roles)


def _as_text(column: Any) -> pa.Array:
    """Return a column of Python objects as text, null where it holds nothing."""
    blank = column.is_null().to_list()
    values = zip(column.to_list(), blank, strict=True)
    return pa.array([None if missing else str(value) for value, missing in values], pa.string())


def _aligned(accounts: tuple[Account, ...]) -> list[str]:
    """Lines of the accounts: rows, amount, reason."""
    table = [
        (f"{a.rows:,}", "" if a.amount is None else money(a.amount), a.reason) for a in accounts
    ]
    wide = [max((len(line[i]) for line in table), default=0) for i in (0, 1)]
    return [
        f"{rows.rjust(wide[0])}  {(amount.rjust(wide[1]) + '  ') if wide[1] else ''}{reason}"
        for rows, amount, reason in table
    ]


def _paragraph(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
