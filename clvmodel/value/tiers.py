"""Tiers of customers by predicted value, with thresholds that are kept, and lists to act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.files import write_text
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.labels import labels, some_rows
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import check_summary
from clvmodel.value.rfm import read_json

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FORMAT = "clvmodel.tiers/1"
KINDS = ("vip", "deciles", "abc", "heavy")
LISTS = {
    "future VIPs": "predicted value among the VIPs', past value not yet",
    "VIPs at risk": "past value among the VIPs', more likely than not to buy nothing",
    "sleeping": "bought more than once, and the chance of a purchase is below 30%",
}
"""The lists of `tier`, each with its definition; a customer is on one of them at most."""
AT_RISK, ASLEEP = 0.5, 0.3


@dataclass(frozen=True)
class Tiers:
    """Tiers, best first, and the `thresholds` between them, descending: a value is in the first
    tier whose threshold it reaches, else in the last. Equal values always share a tier.

    Keep and reuse them (`save`, `load`): tiers found anew on each date drift with the base.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what are no tiers."""
        if len(self.names) != len(self.thresholds) + 1 or len(set(self.names)) != len(self.names):
            raise ParameterError(
                f"{len(self.names)} tiers need other names each and {len(self.names) - 1} "
                f"thresholds; these are {self.names} and {self.thresholds}."
            )
        values = np.asarray(self.thresholds, float)
        if np.isnan(values).any() or (values[1:] > values[:-1]).any():
            rule = "numbers that do not rise"
            raise ParameterError.out_of_range("thresholds", self.thresholds, rule)

    @classmethod
    def top(cls, values: Array, shares: Mapping[str, float], rest: str = "Others") -> Tiers:
        """Tiers by shares of the customers: {"VIP": 0.1} is the tenth with the highest values.

        Shares add up from the top. Ties go up: a tier holds all who equal its last customer.
        """
        given = np.array([shares[name] for name in shares], float)
        if not (given.size and (given > 0).all() and given.sum() < 1 + 1e-12):
            raise ParameterError.out_of_range("shares", dict(shares), "> 0 and at most 1 together")
        ordered = _ordered(values)
        last = np.ceil(np.cumsum(given) * ordered.size - 1e-9).astype(np.intp)
        cuts = ordered[np.clip(last, 1, ordered.size) - 1]
        return cls((*shares, rest), tuple(float(v) for v in cuts))

    @classmethod
    def deciles(cls, values: Array) -> Tiers:
        """Tenths of the customers, "1" the one with the highest values."""
        tenths = {str(i): 0.1 for i in range(1, 10)}
        return cls.top(values, tenths, rest="10")

    @classmethod
    def abc(cls, values: Array, a: float = 0.8, b: float = 0.95) -> Tiers:
        """Classes by cumulative value: A make up the first 80% of the total, B go on to 95%, C.

        The shares are the usual ones, a judgement. Values must be >= 0 and finite.
        """
        if not 0 < a < b <= 1:
            raise ParameterError.out_of_range("a, b", (a, b), "0 < a < b <= 1")
        ordered = _ordered(values)
        if ordered[-1] < 0 or not np.isfinite(ordered).all():
            raise DataError("ABC classes are shares of a total: values must be finite and >= 0.")
        total = np.cumsum(ordered)
        # Class A ends with the customer with whom the share is reached.
        last = [int(np.searchsorted(total, share * total[-1] * (1 - 1e-12))) for share in (a, b)]
        cuts = ordered[np.minimum(last, ordered.size - 1)]
        return cls(("A", "B", "C"), tuple(float(v) for v in cuts))

    @classmethod
    def by(cls, kind: str, values: Array) -> Tiers:
        """Tiers of a kind: "vip" (top 10%), "deciles", "abc", "heavy" (top 20%, next 30%, rest)."""
        if kind == "vip":
            return cls.top(values, {"VIP": 0.1})
        if kind == "heavy":
            return cls.top(values, {"Heavy": 0.2, "Medium": 0.3}, rest="Light")
        if kind not in KINDS:
            raise ParameterError.not_one_of("kind", kind, KINDS)
        return cls.deciles(values) if kind == "deciles" else cls.abc(values)

    def of(self, values: Array) -> NDArray[np.intp]:
        """Place of each value's tier in `names`."""
        cuts = -np.asarray(self.thresholds, float)
        return np.searchsorted(cuts, -np.asarray(values, float), side="left")

    def to_dict(self) -> dict[str, Any]:
        """Return names and thresholds as plain data."""
        return {"format": FORMAT, "names": list(self.names), "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tiers:
        """Make what `to_dict` described. Raises DataError."""
        if data.get("format") != FORMAT:
            raise DataError(f"These are no tiers: format == {data.get('format')!r}.")
        try:
            return cls(tuple(map(str, data["names"])), tuple(map(float, data["thresholds"])))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"These tiers are damaged: {error}") from error

    def save(self, path: Any) -> None:
        """Write the tiers as JSON, whole or not at all. Raises FileError."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, path: Any) -> Tiers:
        """Read what `save` wrote. Raises FileError or DataError."""
        return cls.from_dict(read_json(path))


@dataclass(frozen=True, eq=False, repr=False)
class Tiering:
    """Customers of a summary in tiers of predicted value: `frame`, `table`, `lists`, `action`.

    `tiers` are the ones asked for; `vips` the predicted and `past_tiers` the past VIPs, by which
    the lists are made, whatever the tiers.
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

        Columns: tier; threshold, the smallest value in it (-inf for the last); customers, share;
        past_value, past_share; expected_value, expected_share; p_purchase, the mean.
        """
        size, number = (
            len(self.tiers.names),
            np.bincount(self.place, minlength=len(self.tiers.names)),
        )

        def sums(values: Array) -> Array:
            return np.bincount(self.place, values, size).astype(float)

        columns: dict[str, Any] = {
            "tier": list(self.tiers.names),
            "threshold": np.append(self.tiers.thresholds, -np.inf),
            "customers": number,
            "share": number / number.sum(),
        }
        for name, values in (("past", self.past), ("expected", self.value)):
            total = sums(values)
            columns[f"{name}_value" if name == "past" else self.target] = total
            whole = total.sum()
            known = np.isfinite(whole) and whole != 0
            columns[f"{name}_share"] = total / whole if known else np.full(size, np.nan)
        mean = sums(self.p_purchase)
        columns["p_purchase"] = np.divide(mean, number, out=np.full(size, np.nan), where=number > 0)
        return native_frame(columns, self.summary.kind)

    @property
    def lists(self) -> Any:
        """One row per list: what it is, customers, their past and predicted value."""
        size = len(LISTS) + 1
        columns = {"list": list(LISTS), "definition": list(LISTS.values())}
        counts = np.bincount(self.on_list + 1, minlength=size)[1:]
        past = np.bincount(self.on_list + 1, self.past, size)[1:]
        value = np.bincount(self.on_list + 1, self.value, size)[1:]
        numbers = {"customers": counts, "past_value": past, self.target: value}
        return native_frame({**columns, **numbers}, self.summary.kind)

    def action(self, name: str) -> Any:
        """Rows of `frame` of a list (see `LISTS`) or of a tier, those with most at stake first.

        At stake is the past value of those at risk or asleep, the predicted one of all others.
        Raises ParameterError if there is neither.
        """
        known = [*LISTS, *self.tiers.names]
        if name not in known:
            raise ParameterError.not_one_of("name", name, known)
        if name in LISTS:
            chosen = self.on_list == list(LISTS).index(name)
        else:
            chosen = self.place == self.tiers.names.index(name)
        stake = self.past if name in ("VIPs at risk", "sleeping") else self.value
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(-stake[rows], kind="stable")]
        return some_rows(self._columns(), rows, self.summary.kind)

    def __repr__(self) -> str:
        """Return how many customers each tier and list has."""
        table = read_frame(self.table)[0].to_pylist()
        lines = []
        for row in table:
            past, expected = _share(row["past_share"]), _share(row["expected_share"])
            lines.append(
                f"{row['tier']:12}{row['customers']:>10,} customers {row['share']:6.1%}   "
                f"{past} of past value   {expected} of predicted"
            )
        lists = read_frame(self.lists)[0].to_pylist()
        lines += [f"{row['list']:12}{row['customers']:>10,}   {row['definition']}" for row in lists]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def tier(
    summary: Summary,
    model: Any,
    *,
    kind: str = "vip",
    tiers: Tiers | None = None,
    past_tiers: Tiers | None = None,
    horizon: Any = "365D",
    margin: Any = 1.0,
    predictions: Any = None,
) -> Tiering:
    """Put every customer into a tier by the value that a fitted model predicts within `horizon`.

    `kind`: "vip" (the top tenth and the others), "deciles" ("1" the best), "abc" (those who make up
    80%, 95% and all of the predicted value), "heavy" (top 20%, next 30%, rest). All cuts are
    conventions. `tiers` reuses thresholds found before, and `past_tiers` those of past value, whose
    first tier are the VIPs so far (default: the top tenth by money spent so far).

    `predictions` is the table of `model.predict(summary, horizon, margin=margin)`, where that has
    been made already. Without amounts, purchases take the place of value. See `LISTS` for the
    lists: whom to treat as a VIP from now on, whom to win back, who is asleep.
    """
    check_summary(summary)
    table = model.predict(summary, horizon, margin=margin) if predictions is None else predictions
    table = read_frame(table)[0]
    if table.num_rows != len(summary):
        raise DataError(f"predictions has {table.num_rows:,} rows, the summary {len(summary):,}.")
    target = "expected_value" if "expected_value" in table.column_names else "expected_purchases"
    value, p_purchase = (np.asarray(table[n].to_numpy(), float) for n in (target, "p_purchase"))
    past = summary.total_value if target == "expected_value" else None
    past = summary.frequency + 1 if past is None else past
    chosen = Tiers.by(kind, value) if tiers is None else tiers
    before = Tiers.by("vip", past) if past_tiers is None else past_tiers
    vips = chosen if chosen.names[0] == "VIP" else Tiers.by("vip", value)
    place = chosen.of(value)
    return Tiering(summary, chosen, vips, before, place, value, past, p_purchase, target)


def _share(value: float | None) -> str:
    """Share in percent; a dash where there is none, as of an infinite total."""
    return f"{'-':>6}" if value is None or value != value else f"{value:6.1%}"


def _ordered(values: Any) -> Array:
    """Values, highest first."""
    found = np.asarray(values, float)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise DataError("Tiers need the values of one customer or more, none of them missing.")
    return -np.sort(-found)
