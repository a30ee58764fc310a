"""Purchases: a customer's orders of one day, merged; and the account of every row that went in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[np.float64]
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Excluded:
    """Rows left out for one reason: how many, and the sum of their amounts (finite ones)."""

    reason: str
    rows: int
    amount: float


@dataclass(frozen=True)
class Reconciliation:
    """Where every row went: rows in = purchases + merged + the rows of `excluded`.

    `purchases` counts occasions with a purchase (days, unless another `occasion` was asked for),
    `merged` the further rows of those occasions. `zero` counts the purchases of value 0 among them
    (free orders, no refund then), which are kept.
    """

    rows: int
    purchases: int
    merged: int
    excluded: tuple[Excluded, ...]
    zero: int = 0
    amount: float = 0.0
    occasion: str = "day"

    def __str__(self) -> str:
        """Say in one line what became of the rows."""
        parts = [f"{self.rows:,} rows became {self.purchases:,} purchases"]
        if self.merged:
            parts.append(f"{self.merged:,} merged into a purchase of the same {self.occasion}")
        parts += [f"{e.rows:,} left out ({e.reason})" for e in self.excluded if e.rows]
        if self.zero:
            parts.append(f"{self.zero:,} purchases of value 0 kept")
        return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class Purchases:
    """All purchases, sorted by customer and day; plain arrays.

    `ids` holds the distinct customers; `customer` indexes it; `day` counts from 1970-01-01, in
    whole days or, where purchases are timed to the moment (`exact`), with their fraction;
    `value` is None where the orders have no value column. `last_order` is the day of the last order
    of any kind, a refund included. `reconciliation` is None for a part of a history. `kind` is the
    kind of frame that came in.
    """

    ids: pa.Array
    customer: NDArray[np.int64]
    day: NDArray[np.int64] | Array
    value: Array | None
    last_order: dt.date
    reconciliation: Reconciliation | None
    kind: str

    @property
    def exact(self) -> bool:
        """Whether purchases are timed to the moment rather than to the day."""
        return self.day.dtype.kind == "f"

    @property
    def first_day(self) -> dt.date:
        """Day of the first purchase."""
        return from_day(np.floor(np.min(self.day)))

    def within(self, after: int, until: int) -> tuple[Array, Array | None]:
        """Count and sum of value per customer of the purchases on days in (after, until]."""
        chosen = (self.day >= after + 1) & (self.day < until + 1)
        n = len(self.ids)
        count = np.bincount(self.customer[chosen], minlength=n).astype(float)
        if self.value is None:
            return count, None
        value = np.bincount(self.customer[chosen], weights=self.value[chosen], minlength=n)
        return count, value.astype(float)

    def until(self, day: int) -> tuple[Purchases, NDArray[np.intp]]:
        """Return what was known at the end of a day, and which customers (indices) it knows."""
        chosen = self.day < day + 1
        known, customer = np.unique(self.customer[chosen], return_inverse=True)
        value = None if self.value is None else self.value[chosen]
        past = Purchases(
            self.ids.take(pa.array(known)),
            customer.astype(np.int64),
            self.day[chosen],
            value,
            min(self.last_order, from_day(day)),
            None,
            self.kind,
        )
        return past, known


def days_before(end: dt.date, days: Any, exact: bool) -> Any:
    """Day, from 1970-01-01, that lies so many days before the end of observation.

    Where purchases are timed to the moment, that end is the midnight after the last day.
    """
    if exact:
        return np.floor(to_day(end) + 1 - days + _ROUNDED).astype(np.int64)
    return to_day(end) - np.rint(days).astype(np.int64)


_ROUNDED = 1e-6  # days: times are fractions of units


def to_day(date: dt.date) -> int:
    """Days from 1970-01-01 to a date."""
    return (date - EPOCH).days


def from_day(day: Any) -> dt.date:
    """Return the date that lies `day` days after 1970-01-01."""
    return EPOCH + dt.timedelta(days=int(day))
