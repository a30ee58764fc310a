"""Cut an order history at a day: what was known then, and what each customer did afterwards."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError
from clvmodel.tables.orders_sql import Columns
from clvmodel.tables.purchases import Purchases, from_day, to_day
from clvmodel.tables.reading import columns_of, read_purchases
from clvmodel.tables.rules import Rules, rules, unpaired
from clvmodel.tables.spark_source import is_spark
from clvmodel.tables.spark_summary import purchases_from_spark
from clvmodel.tables.summary import Summary
from clvmodel.units import horizon_in_days, parse_date

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Holdout:
    """A calibration summary and, row by row, what its customers did in (cutoff, cutoff + days].

    `purchases` counts purchases, `value` sums them (None without a value column). Customers whose
    first purchase falls in the holdout are known to nobody at the cutoff; they are counted apart,
    as `late_customers`, with their `late_purchases` and `late_value`, so that totals reconcile.
    """

    calibration: Summary
    cutoff: dt.date
    days: int
    purchases: Array
    value: Array | None
    late_customers: int
    late_purchases: int
    late_value: float
    history: Purchases

    @property
    def end(self) -> dt.date:
        """Last day of the holdout, inclusive."""
        return self.cutoff + dt.timedelta(days=self.days)


def holdout_split(
    orders: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    cutoff: Any = None,
    horizon: Any = None,
    unit: str = "D",
    **reading: Any,
) -> Holdout:
    """Split an order history at the end of the day `cutoff`; the holdout lasts for `horizon`.

    `reading` are the further arguments of `summarize` (end, start, date_format, refunds, preset,
    ...) but `order_id`, with which refunds to come would change the past. A preset's order ids are
    not used either; but its export does not say when an order was paid back, so that refunds after
    the cutoff are subtracted before it (refunds="drop" leaves them out on both sides).
    Only orders up to the cutoff enter the calibration summary. By default the holdout is the last
    half of the history, at most a year: a judgement, which leaves as much to learn from as to
    check against. Both windows are aggregated by the same code. Of a PySpark table with more than a
    million customers, a million are taken, by a hash of their ids: totals are then theirs, and the
    reconciliation says so.

    Raises as `summarize` does, and DataError if the holdout is not covered by the orders.
    """
    how = unpaired(rules(**reading))
    history = read_history(orders, columns_of(customer, date, value, how), how)
    first, last = history.first_day, how.end or history.last_order
    observed = (last - first).days + 1
    if cutoff is None and horizon is None:
        days = min(observed // 2, 365)
        cut = last - dt.timedelta(days=days)
    elif cutoff is None:
        days = round(horizon_in_days(horizon, unit, None, "without a cutoff, horizon"))
        cut = last - dt.timedelta(days=min(days, observed))
    else:
        cut = parse_date(cutoff, "cutoff")
        days = (last - cut).days if horizon is None else round(horizon_in_days(horizon, unit, cut))
    if not 0 < days < observed:
        raise _does_not_fit(days, first, last)
    if cut < first or cut + dt.timedelta(days=days) > last:
        raise _does_not_fit(days, first, last)
    return split_purchases(history, cut, days, unit)


def read_history(orders: Any, columns: Columns | None, how: Rules) -> Purchases:
    """Read all purchases, of a PySpark table those of a million customers at most."""
    read = purchases_from_spark if is_spark(orders) else read_purchases
    return read(orders, columns, how)


def _does_not_fit(days: int, first: dt.date, last: dt.date) -> DataError:
    return DataError(
        f"A holdout of {days:,} days does not fit: the orders run from {first} to {last}. Choose "
        "an earlier cutoff or a shorter horizon."
    )


def split_purchases(history: Purchases, cutoff: dt.date, days: int, unit: str) -> Holdout:
    """Split purchases already read; see `holdout_split`."""
    cut = to_day(cutoff)
    past, known = history.until(cut)
    count, value = history.within(cut, cut + days)
    late = np.ones(len(history.ids), dtype=bool)
    late[known] = False
    return Holdout(
        calibration=Summary.from_purchases(past, from_day(cut), unit),
        cutoff=cutoff,
        days=days,
        purchases=count[known],
        value=None if value is None else value[known],
        late_customers=int((count[late] > 0).sum()),
        late_purchases=int(count[late].sum()),
        late_value=0.0 if value is None else float(value[late].sum()),
        history=history,
    )
