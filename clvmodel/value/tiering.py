"""Customers in tiers of predicted value, and lists of them to act on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.labels import labels, same_ids, some_rows
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.cuts import rounded
from clvmodel.value.tiers import Tiers

Array = NDArray[np.float64]

LISTS = {
    "future VIPs": "predicted value among the VIPs', past value not yet",
    "VIPs at risk": "past value among the VIPs', more likely than not to buy nothing",
    "sleeping": "bought more than once, the chance of a purchase is below 30%, on no other list",
}
"""The lists of `tier`, each with its definition; a customer is on one of them at most."""
AT_RISK, ASLEEP = 0.5, 0.3


class TierSums(NamedTuple):
    """Sums over customers; those of several parts add up.

    `tiers` (customers, past value, predicted value, p_purchase; each by tier), `lists` (the same
    without p_purchase; each by list).
    """

    tiers: Array
    lists: Array


@dataclass(frozen=True, eq=False, repr=False)
class Tiering:
    """Customers of a summary in tiers of predicted value: `frame`, `table`, `lists`, `action`.

    `tiers` are the ones asked for; `vips` the predicted and `past_tiers` the past VIPs, by which
    the lists are made, whatever the tiers. `horizon` and `margin` are those of the predictions.
    """

    summary: Summary
    tiers: Tiers
    vips: Tiers
    past_tiers: Tiers
    place: NDArray[np.intp]
    value: Array
    past: Array
    p_purchase: Array
    target: str
    horizon: Any = None
    margin: Any = None

    @cached_property
    def on_list(self) -> NDArray[np.intp]:
        """Each customer's list, as its place in `LISTS`; -1 for those on none."""
        vip, was = self.vips.of(self.value) == 0, self.past_tiers.of(self.past) == 0
        future = vip & ~was
        risk = was & (self.p_purchase < AT_RISK)
        asleep = (self.summary.frequency > 0) & (self.p_purchase < ASLEEP) & ~risk & ~future
        return np.select([future, risk, asleep], [0, 1, 2], -1).astype(np.intp)

    @cached_property
    def frame(self) -> Any:
        """One row per customer, in the summary's order and the kind of its frame.

        Columns: customer_id, tier, past_value (money spent so far; purchases without amounts),
        expected_value (or expected_purchases), p_purchase, days_silent, list (empty for most).
        Values are rounded to twelve digits, so that customers who are alike share a tier.
        """
        return native_frame(self._columns(), self.summary.kind)

    def _columns(self) -> dict[str, Any]:
        silent = (self.summary.T - self.summary.recency) * days_in(self.summary.unit)
        return {
            "customer_id": self.summary.ids,
            "tier": labels(self.tiers.names, self.place),
            "past_value": self.past,
            self.target: self.value,
            "p_purchase": self.p_purchase,
            "days_silent": np.rint(silent).astype(np.int64),
            "list": labels(("", *LISTS), self.on_list + 1),
        }

    @property
    def table(self) -> Any:
        """One row per tier, best first: customers, shares of them and of value past and predicted.

        Columns: tier; threshold, from which values are in it (-inf for the last); customers, share;
        past_value, past_share; expected_value, expected_share; p_purchase, the mean.
        """
        return native_frame(tier_table(self.tiers, self.sums, self.target), self.summary.kind)

    @property
    def lists(self) -> Any:
        """One row per list: what it is, customers, their past and predicted value."""
        return native_frame(list_table(self.sums, self.target), self.summary.kind)

    @property
    def sums(self) -> TierSums:
        """Sums over the customers of each tier, and of each list."""
        known = (np.ones(self.value.size), self.past, self.value, self.p_purchase)
        size, listed = len(self.tiers.names), len(LISTS) + 1
        by_tier = [np.bincount(self.place, values, size) for values in known]
        by_list = [np.bincount(self.on_list + 1, values, listed)[1:] for values in known[:3]]
        return TierSums(np.array(by_tier), np.array(by_list))

    def action(self, name: str) -> Any:
        """Rows of `frame` of a list (see `LISTS`) or of a tier, highest predicted value first.

        So those who are most likely lost come last, whatever they have spent. Raises ParameterError
        if there is neither.
        """
        if chosen_by(name, self.tiers) == "list":
            rows = np.flatnonzero(self.on_list == list(LISTS).index(name))
        else:
            rows = np.flatnonzero(self.place == self.tiers.names.index(name))
        columns = self._columns()
        rows = rows[np.argsort(-self.value[rows], kind="stable")]
        return some_rows(columns, rows, self.summary.kind)

    def __repr__(self) -> str:
        """Return how many customers each tier and list has."""
        return described_tiers(self.tiers, self.sums, self.target)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def chosen_by(name: str, tiers: Tiers) -> str:
    """Column that holds the name of a list or a tier. Raises ParameterError if there is neither."""
    known = [*LISTS, *tiers.names]
    if name not in known:
        raise ParameterError.not_one_of("name", name, known)
    return "list" if name in LISTS else "tier"


def tier_table(tiers: Tiers, sums: TierSums, target: str) -> dict[str, Any]:
    """Columns of `Tiering.table`."""
    customers, past, value, chance = sums.tiers
    return {
        "tier": list(tiers.names),
        "threshold": np.append(tiers.thresholds, -np.inf),
        "customers": customers.astype(np.int64),
        "share": shares(customers),
        "past_value": past,
        "past_share": shares(past),
        target: value,
        "expected_share": shares(value),
        "p_purchase": each(chance, customers),
    }


def list_table(sums: TierSums, target: str) -> dict[str, Any]:
    """Columns of `Tiering.lists`."""
    customers, past, value = sums.lists
    return {
        "list": list(LISTS),
        "definition": list(LISTS.values()),
        "customers": customers.astype(np.int64),
        "past_value": past,
        target: value,
    }


def described_tiers(tiers: Tiers, sums: TierSums, target: str) -> str:
    """How many customers each tier and list has, as text."""
    table, lists = tier_table(tiers, sums, target), list_table(sums, target)
    names = ("tier", "customers", "share", "past_share", "expected_share")
    lines = [
        f"{name:12}{n:>10,} customers {share:6.1%}   "
        f"{_share(past)} of past value   {_share(expected)} of predicted"
        for name, n, share, past, expected in zip(*(table[each] for each in names), strict=True)
    ]
    rows = zip(lists["list"], lists["customers"], lists["definition"], strict=True)
    return "\n".join([*lines, *(f"{name:12}{n:>10,}   {text}" for name, n, text in rows)])


def shares(values: Array) -> Array:
    """Shares of the sum; NaN where that is 0 or infinite."""
    total = values.sum()
    return values / total if np.isfinite(total) and total else np.full(values.size, np.nan)


def each(total: Array, number: Array) -> Array:
    """Mean per customer; NaN where there is nobody."""
    mean = np.full(total.size, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean


def _share(value: float) -> str:
    """Share in percent; a dash where there is none, as of an infinite total."""
    return f"{'-':>6}" if np.isnan(value) else f"{value:6.1%}"


def tiering(
    summary: Summary,
    predictions: Any,
    *,
    kind: str = "vip",
    tiers: Tiers | None = None,
    past_tiers: Tiers | None = None,
    vips: Tiers | None = None,
    horizon: Any = None,
    margin: Any = None,
) -> Tiering:
    """Put customers in memory into tiers, by a table of predictions: see `tier`."""
    table = read_frame(predictions)[0]
    if table.num_rows != len(summary):
        raise DataError(f"predictions has {table.num_rows:,} rows, the summary {len(summary):,}.")
    names = table.column_names
    target = "expected_value" if "expected_value" in names else "expected_purchases"
    missing = [name for name in (target, "p_purchase") if name not in names]
    if missing:
        raise DataError(f"predictions has no column {missing[0]!r}: tiers and lists need it.")
    if "customer_id" in names and not same_ids(table["customer_id"], summary.ids):
        raise DataError("predictions is of other customers, or in another order, than the summary.")
    value, p_purchase = (np.asarray(table[n].to_numpy(), float) for n in (target, "p_purchase"))
    value = rounded(value)  # so that customers who are alike are so to the last digit
    past = spent(summary) if target == "expected_value" else summary.frequency + 1
    chosen = Tiers.by(kind, value) if tiers is None else tiers
    before = Tiers.by("vip", past) if past_tiers is None else past_tiers
    if vips is None:
        vips = chosen if chosen.names[0] == "VIP" else Tiers.by("vip", value)
    place = chosen.of(value)
    cuts = (chosen, vips, before)
    return Tiering(summary, *cuts, place, value, past, p_purchase, target, horizon, margin)


def spent(summary: Summary) -> Array:
    """Money that each customer has spent so far; purchases, where there are no amounts."""
    paid = summary.total_value
    return summary.frequency + 1 if paid is None else rounded(paid)
