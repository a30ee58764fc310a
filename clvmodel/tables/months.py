"""What cohorts of customers did month by month: small tables, which add up over customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodel.tables.purchases import Purchases

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_WIDE = 2_000  # months of history from which the table of all pairs would be mostly empty


@dataclass(frozen=True, eq=False)
class Months:
    """One row per cohort and calendar month in which any of its customers bought, ascending.

    `born` is the month of the customers' first purchases and `month` the calendar month, both since
    1970-01; `active` counts the customers who bought in it, `second` those who made their second
    purchase in it; `revenue` is what they paid (0 without amounts). In the month in which a cohort
    was born all its customers are active.
    """

    born: Ints
    month: Ints
    active: Ints
    second: Ints
    revenue: Array

    @classmethod
    def of(cls, purchases: Purchases) -> Months:
        """Count purchases, which are sorted by customer and day."""
        customer, month = purchases.customer, month_of(purchases.day)
        first = np.diff(customer, prepend=-1) != 0
        starts = np.flatnonzero(first)
        born = month[starts][customer]
        fresh = first | (np.diff(month, prepend=-1) != 0)
        second = np.arange(customer.size) - starts[customer] == 1
        value = np.zeros(customer.size) if purchases.value is None else purchases.value
        return cls._summed(born, month, fresh, second, value)

    @classmethod
    def together(cls, parts: Iterable[Months]) -> Months:
        """Add up the months of several groups of customers."""
        columns = [part.columns for part in parts]
        if not columns:
            return cls.from_plain([[]] * 5)
        return cls._summed(*(np.concatenate(each) for each in zip(*columns, strict=True)))

    @classmethod
    def _summed(
        cls, born: Ints, month: Ints, active: Array, second: Array, revenue: Array
    ) -> Months:
        low, high = (int(month.min()), int(month.max())) if month.size else (0, 0)
        width = high - low + 1
        cell = (born - low) * width + (month - low)
        keys = np.arange(width**2) if width < _WIDE else np.unique(cell)
        if width >= _WIDE:
            cell = np.searchsorted(keys, cell)
        sums = [np.bincount(cell, each, keys.size) for each in (active, second, revenue)]
        there = np.flatnonzero(sums[0])
        bought, again = (np.rint(each[there]).astype(np.int64) for each in sums[:2])
        keys = keys[there]
        return cls(
            keys // width + low, keys % width + low, bought, again, sums[2][there].astype(float)
        )

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Array]:
        """The columns, in their order."""
        return self.born, self.month, self.active, self.second, self.revenue

    def plain(self) -> list[list[float]]:
        """Return the columns as plain data."""
        return [column.tolist() for column in self.columns]

    @classmethod
    def from_plain(cls, columns: list[list[float]]) -> Months:
        """Make what `plain` described."""
        born, month, active, second = (np.array(each, np.int64) for each in columns[:4])
        return cls(born, month, active, second, np.array(columns[4], float))


def month_of(day: Array | Ints) -> Ints:
    """Months since 1970-01 of days since 1970-01-01."""
    days = np.asarray(day).astype(np.int64)
    low, high = (int(days.min()), int(days.max())) if days.size else (0, 0)
    if high - low > days.size:
        return _calendar(days)
    return _calendar(np.arange(low, high + 1))[days - low]  # the calendar is slow: each day once


def _calendar(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
