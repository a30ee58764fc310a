"""What an audit finds: findings with their numbers and remedies, and the evidence they rest on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.purchases import from_day

SEVERITIES = ("error", "warning", "note")
"""error: no summary, a wrong one, or one to learn nothing from; warning: numbers may mislead."""

EXAMPLES = 5
"""Row numbers that are shown at most."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an order history, or worth knowing, and what to do about it.

    `severity` is "error" (no summary can be made of the orders, or a wrong one, or one from which
    nothing can be learned), "warning" (its numbers may mislead) or "note". `rows`, `customers` and
    `amount` (None without a value column) count what is concerned; `examples` are up to five row
    numbers, the first row being 1.
    """

    name: str
    severity: str
    message: str
    remedy: str
    rows: int = 0
    customers: int = 0
    amount: float | None = None
    examples: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {**asdict(self), "examples": list(self.examples), "amount": plain(self.amount)}


class Tally(NamedTuple):
    """How many rows meet a condition, of how many customers, their amount, and the first rows."""

    rows: int
    customers: int
    amount: float | None
    examples: tuple[int, ...]

    def finding(self, name: str, severity: str, message: str, remedy: str) -> Finding:
        """Return a finding about these rows."""
        return Finding(name, severity, message, remedy, *self)

    @property
    def of_amount(self) -> str:
        """The amount in words, to follow a number of rows; nothing without a value column."""
        return "" if self.amount is None else f", {money(self.amount)} in all"


@dataclass(frozen=True)
class Evidence:
    """The table `facts` of every row, and what the orders were said to be."""

    query: Callable[[str], list[Any]]
    columns: Columns
    order_id: str | None
    currency: str | None
    end: dt.date | None
    today: dt.date
    unit: str
    date_format: str | None
    mixed: tuple[str, ...]
    total: int

    def tally(self, condition: str) -> Tally:
        """Count the rows of `facts` that meet a condition."""
        rows, customers, amount = self.query(
            "SELECT count(*), count(DISTINCT customer) FILTER (fate <> 'no_customer'), "
            "coalesce(sum(value ORDER BY value) FILTER (isfinite(value)), 0) "
            f"FROM facts WHERE {condition}"
        )[0]
        examples: list[Any] = []
        if rows:
            examples = self.query(
                f"SELECT row FROM facts WHERE {condition} ORDER BY row LIMIT {EXAMPLES}"
            )
        known = self.columns.value is not None
        return Tally(rows, customers, amount if known else None, tuple(e[0] for e in examples))

    def share(self, rows: int) -> str:
        """Share of all rows, in words."""
        return percent(rows / max(self.total, 1))


def count(number: int, noun: str) -> str:
    """Return a number and a noun, in the plural if need be.

    >>> count(1, "row"), count(2_500, "row")
    ('1 row', '2,500 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def money(amount: float) -> str:
    """Return an amount with two decimals; no minus where it rounds to nothing.

    >>> money(-1234.5), money(-1e-9)
    ('-1,234.50', '0.00')
    """
    text = f"{amount:,.2f}"
    return "0.00" if text == "-0.00" else text


def percent(share: float) -> str:
    """Return a share in percent, with a decimal; a small one is not called nothing.

    >>> percent(0.1234), percent(0.0001), percent(0)
    ('12.3%', 'less than 0.1%', '0.0%')
    """
    return "less than 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def names(values: list[Any], most: int = 3) -> str:
    """Return the first few values, as they would be written in code."""
    shown = ", ".join(repr(value) for value in values[:most])
    return shown + (", ..." if len(values) > most else "")


def day_in_words(day: int) -> str:
    """Return the date of a day that is counted from 1970-01-01, be it one that Python lacks."""
    try:
        return str(from_day(day))
    except OverflowError:
        return "before the year 1"


def plain(amount: float | None) -> float | None:
    """Return an amount that JSON can hold: None for one that is not finite."""
    return amount if amount is not None and abs(amount) < float("inf") else None
