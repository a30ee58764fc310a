"""Orders to purchases, whole or in parts; every row accounted for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.duckdb_source import Judged, judged_orders
from clvmodel.tables.orders_sql import REASONS, Columns
from clvmodel.tables.purchases import Excluded, Purchases, Reconciliation, from_day
from clvmodel.tables.rules import OCCASIONS, Rules


def columns_of(
    customer: str | None, date: str | None, value: str | None, rules: Rules
) -> Columns | None:
    """Return the columns that were named; None where a preset names them. Raises ColumnError."""
    if rules.preset is not None:
        named = {"customer": customer, "date": date, "value": value}
        given = [name for name, column in named.items() if column is not None]
        if given:
            raise ColumnError(
                f"preset={rules.preset.name!r} names the columns itself; leave out "
                f"{', '.join(given)}."
            )
        return None
    for name, column in (("customer", customer), ("date", date)):
        if column is None:
            raise ColumnError(f"Name the column of the {name}: {name}=... (or give a preset).")
    assert customer is not None
    assert date is not None
    return Columns(customer, date, value)


def read_purchases(orders: Any, columns: Columns | None, rules: Rules) -> Purchases:
    """Read orders (a frame or a path) and merge them into purchases, accounting for every row.

    An occasion with refunds counts as a purchase only if its net is positive; one without counts
    even at value 0 (a free order is an order). Raises ColumnError, DataError or FileError.
    """
    with judged_orders(orders, columns, rules) as found:
        refuse(found)
        tally = Tally()
        last = from_day(found.fates["used"].last)
        purchases = purchases_of(found.daily(), found, last, tally)
        return replace(purchases, reconciliation=tally.reconciled(found))


@dataclass
class Tally:
    """What became of the rows that are merged, added up over parts."""

    rows: int = 0
    purchases: int = 0
    zero: int = 0
    amount: float = 0.0
    refunds: int = 0
    refunded: float = 0.0

    def add(self, rows: Any, value: Any, kept: Any) -> None:
        """Count occasions: their rows, their values, and which of them are purchases."""
        self.rows += int(rows[kept].sum())
        self.purchases += int(kept.sum())
        self.zero += int((value[kept] == 0).sum())
        self.amount += float(value[kept].sum())
        self.refunds += int(rows[~kept].sum())
        self.refunded += float(value[~kept].sum())

    def reconciled(self, found: Judged) -> Reconciliation:
        """Return the account of every row; raises DataError where no purchase is left."""
        if not self.purchases:
            raise DataError(
                "No day has a positive net amount: all orders are refunds or cancelled."
            )
        has_value, occasion = found.columns.value is not None, OCCASIONS[found.rules.occasion]
        excluded = [
            Excluded(words, found.fates[name].rows, found.fates[name].amount if has_value else 0.0)
            for name, words in REASONS.items()
            if name in found.fates
        ]
        if self.refunds:
            excluded.append(Excluded(refunds_in_words(occasion), self.refunds, self.refunded))
        return Reconciliation(
            rows=sum(fate.rows for fate in found.fates.values()),
            purchases=self.purchases,
            merged=self.rows - self.purchases,
            excluded=tuple(excluded),
            zero=self.zero if has_value else 0,
            amount=self.amount if has_value else 0.0,
            occasion=occasion,
        )


class Parts(NamedTuple):
    """Purchases in parts: `each` yields them; `tally` is complete when they have been read."""

    each: Iterator[Purchases]
    tally: Tally
    found: Judged
    last_order: dt.date


@contextmanager
def purchases_in_parts(
    orders: Any, columns: Columns | None, rules: Rules, rows: int
) -> Iterator[Parts]:
    """Read orders like `read_purchases`, in parts of about so many purchases, by customer."""
    with judged_orders(orders, columns, rules) as found:
        refuse(found)
        tally = Tally()
        last = from_day(found.fates["used"].last)
        parts = (purchases_of(table, found, last, tally) for table in found.batches(rows))
        yield Parts(parts, tally, found, last)


def refunds_in_words(occasion: str) -> str:
    """Say why refunds without a purchase are left out."""
    return f"refunds, no positive net that {occasion}"


def purchases_of(table: pa.Table, found: Judged, last: dt.date, tally: Tally) -> Purchases:
    """Purchases of merged occasions (`Judged.daily`), which are counted."""
    value = table["value"].to_numpy()
    if not np.isfinite(value).all():
        raise DataError("The amounts of a day are so large that their sum overflows.")
    kept = table["kept"].to_numpy()
    tally.add(table["rows"].to_numpy(), value, kept)
    encoded = table["customer"].filter(pa.array(kept)).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    has_value, exact = found.columns.value is not None, found.rules.exact
    return Purchases(
        ids=encoded.dictionary,
        customer=encoded.indices.to_numpy().astype(np.int64),
        day=table["day"].to_numpy()[kept].astype(float if exact else np.int64),
        value=value[kept] if has_value else None,
        last_order=last,
        reconciliation=None,
        kind=found.kind,
    )


def refuse(found: Judged) -> None:
    """Raise the error that the data call for, if any."""
    fates, rules = found.fates, found.rules
    end, date_format = rules.end, rules.date_format
    rows = sum(fate.rows for fate in fates.values())
    if not rows:
        raise DataError("There are no orders: the table has no rows.")
    if "bad_date" in fates:
        bad = fates["bad_date"]
        hint = (
            f"do not match date_format={date_format!r}"
            if date_format
            else "are not dates in ISO form (2026-12-31); give their form with date_format, such "
            "as date_format='%d/%m/%Y'"
        )
        raise DataError(
            f"{bad.rows:,} values of the date column {_called(found, 'date')} {hint}; "
            f"one of them is {bad.bad!r}."
        )
    if "bad_value" in fates:
        bad = fates["bad_value"]
        raise DataError(
            f"{bad.rows:,} values of the value column {_called(found, 'value')} are not numbers; "
            f"one of them is {bad.bad!r}."
        )
    days = [day for f in ("used", "late") if f in fates for day in (fates[f].first, fates[f].last)]
    known = [from_day(day) for day in days if day is not None]
    if not known or ("used" not in fates and "early" in fates):
        lost = ", ".join(f"{fate.rows:,} with {REASONS[name]}" for name, fate in fates.items())
        raise DataError(f"None of the {rows:,} rows can be used: {lost}.")
    if end is not None and end < min(known):
        raise DataError(f"end == {end}, lies before the first order ({min(known)}).")
    today = dt.date.today()
    if end is not None and end > today:
        raise DataError(f"end == {end}, lies in the future: nothing has been observed there.")
    if end is None and max(known) > today + dt.timedelta(days=1):  # elsewhere it is tomorrow
        raise DataError(
            f"The last order is dated {max(known)}, in the future; name the last day of "
            "observation with end to leave such orders out."
        )
    if rules.refunds == "error" and "used" in fates and fates["used"].negative:
        used = fates["used"]
        what = (
            f"have negative amounts, the least is {used.least:,.2f}"
            if rules.preset is None
            else "were paid back, in part or in full"
        )
        raise DataError(
            f"refunds='error', and {used.negative:,} rows {what}: mend them, or choose "
            "refunds='net' or 'drop'."
        )


def _called(found: Judged, what: str) -> str:
    """Name of the column of the date or value, as the user knows it."""
    preset = found.rules.preset
    return repr(getattr(found.columns, what)) if preset is None else f"({preset.words[what]})"
