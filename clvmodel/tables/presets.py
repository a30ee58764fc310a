"""Ready-made mappings of well-known order exports: which column, or expression, holds what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clvmodel.errors import ParameterError


@dataclass(frozen=True)
class Preset:
    """How to read an export, in SQL over its columns.

    `customer`, `date`, `value`, `order_id` and `currency` are expressions; `void` is true of rows
    that are no sale (cancelled, failed, test). `needs` are the columns they read.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    customer: str
    date: str
    value: str
    order_id: str
    currency: str
    void: str

    def select(self, table: str) -> str:
        """SQL of a table's rows in the columns that a summary and an audit read."""
        return (
            f"SELECT {self.customer} AS customer, {self.date} AS date, {self.value} AS value, "
            f"{self.order_id} AS order_id, {self.currency} AS currency, "
            f"coalesce({self.void}, FALSE) AS void, hash({table}) AS line FROM {table}"
        )


PRESETS: Mapping[str, Preset] = {}


def preset_named(name: str) -> Preset:
    """Return the preset of a name; raises ParameterError if there is none."""
    if name not in PRESETS:
        raise ParameterError.not_one_of("preset", name, PRESETS)
    return PRESETS[name]
