"""The rules by which orders are judged and merged into purchases: what a summary's arguments say.

`summarize`, `audit` and every other reader of orders turn their arguments into the same `Rules`, so
that they cannot disagree on what becomes of a row.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from clvmodel.errors import ColumnError, DataError, ParameterError
from clvmodel.tables.presets import Preset, preset_named
from clvmodel.units import parse_date

REFUNDS = ("net", "drop", "error")
OCCASIONS = {"D": "day", "W": "week", "M": "month", "exact": "moment"}
"""What is one purchase: all orders of a calendar day, week (Monday to Sunday), month, or moment."""


@dataclass(frozen=True)
class Rules:
    """How rows are judged and merged; `rules` makes them from arguments, and documents these."""

    end: dt.date | None = None
    start: dt.date | None = None
    date_format: str | None = None
    refunds: str = "net"
    min_value: float | None = None
    max_value: float | None = None
    exclude_ids: tuple[str, ...] = ()
    occasion: str = "D"
    order_id: str | None = None
    preset: Preset | None = None
    memory_limit: str | None = None
    threads: int | None = None  # of the engine; None for as many as there are processors

    @property
    def exact(self) -> bool:
        """Whether purchases are timed to the moment rather than to the day."""
        return self.occasion == "exact"

    @property
    def paired(self) -> bool:
        """Whether the lines and refunds of an order count when the order does."""
        return self.order_id is not None


def rules(
    *,
    end: Any = None,
    start: Any = None,
    date_format: str | None = None,
    refunds: str = "net",
    min_value: float | None = None,
    max_value: float | None = None,
    exclude_ids: Iterable[Any] = (),
    occasion: str = "D",
    order_id: str | None = None,
    preset: str | None = None,
    memory_limit: str | None = None,
) -> Rules:
    """Check the arguments of `summarize` that say how orders are read; see there.

    Raises ParameterError, UnitError or DataError, naming the argument.
    """
    if refunds not in REFUNDS:
        raise ParameterError.not_one_of("refunds", refunds, REFUNDS)
    if occasion not in OCCASIONS:
        raise ParameterError.not_one_of("occasion", occasion, OCCASIONS)
    least, most = _amount("min_value", min_value), _amount("max_value", max_value)
    if least is not None and most is not None and least > most:
        raise ParameterError(f"min_value == {least:g} is above max_value == {most:g}.")
    if isinstance(exclude_ids, str | bytes) or not isinstance(exclude_ids, Iterable):
        raise ParameterError(
            f"exclude_ids == {exclude_ids!r}, must be a list of customer ids, such as ['test']."
        )
    if memory_limit is not None and not isinstance(memory_limit, str):
        raise ParameterError.out_of_range("memory_limit", memory_limit, "text such as '2GB'")
    first = None if start is None else parse_date(start, "start")
    last = None if end is None else parse_date(end)
    if first is not None and last is not None and first > last:
        raise DataError(f"start == {first} lies after end == {last}.")
    ids = tuple(sorted({_id(each) for each in exclude_ids}))
    known = None if preset is None else preset_named(preset)
    if known is not None and order_id is not None:
        raise ColumnError(f"preset={preset!r} brings its own order_id; leave one of them out.")
    if known is not None:
        order_id = "order_id"
    return Rules(
        last, first, date_format, refunds, least, most, ids, occasion, order_id, known, memory_limit
    )


def unpaired(how: Rules) -> Rules:
    """Return rules by which no order changes what was known before it.

    Raises ParameterError where an order id is given: its refunds would.
    """
    if how.paired and how.preset is None:
        raise ParameterError(
            f"order_id={how.order_id!r} would let a refund change the purchase that it belongs to, "
            "which was not known before: leave it out where the past is held against the future."
        )
    return replace(how, order_id=None)


def _id(value: Any) -> str:
    """Text of an id; a whole number is the same with and without a decimal point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _amount(name: str, value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value >= 0):
        raise ParameterError.out_of_range(name, value, "a finite amount >= 0")
    return float(value)
