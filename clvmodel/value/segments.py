"""Segments of customers by RFM, with what the model says of each, and how customers move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.labels import labels, rows_in, some_rows
from clvmodel.tables.summary import Summary
from clvmodel.value.cuts import rounded
from clvmodel.value.rfm import FittedRFM, Scores
from clvmodel.value.segment_rules import SegmentRules
from clvmodel.value.tiering import each, shares
from clvmodel.value.tiers import Tiers
from clvmodel.value.totals import totals

Array = NDArray[np.float64]

NEW, GONE = "(new)", "(gone)"


class SegmentSums(NamedTuple):
    """Sums over the customers of each segment; those of several parts add up."""

    customers: Array
    purchases: Array
    past_value: Array
    p_purchase: Array


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """Customers of a summary in segments: `frame`, `table`, `deciles`, `migration`, `customers`.

    `r`, `f`, `m` are the scores, `place` each customer's place in `rules.names`. `rfm` holds the
    thresholds: `at` segments another day's customers by the same.
    """

    summary: Summary
    rfm: FittedRFM
    rules: SegmentRules
    place: NDArray[np.intp]
    r: Scores
    f: Scores
    m: Scores
    model: Any = None
    horizon: Any = "365D"
    discount_rate: float = 0.10
    margin: Any = 1.0

    @property
    def segments(self) -> Any:
        """Name of each customer's segment, an Arrow array."""
        return labels(self.rules.names, self.place)

    @cached_property
    def predictions(self) -> dict[str, Array] | None:
        """What the model predicts of each customer, by column; None without a model."""
        if self.model is None:
            return None
        table = self.model.predict(
            self.summary, self.horizon, discount_rate=self.discount_rate, margin=self.margin
        )
        table = read_frame(table)[0]
        names = [n for n in table.column_names if n != "customer_id"]
        return {name: table[name].to_numpy() for name in names}

    @cached_property
    def frame(self) -> Any:
        """One row per customer, in the summary's order and the kind of its frame.

        Columns: customer_id, r, f, m, code, segment; with a model also p_purchase and what of
        expected_purchases, expected_value and clv it predicts.
        """
        return native_frame(self._columns(), self.summary.kind)

    def _columns(self) -> dict[str, Any]:
        code = 100 * self.r + 10 * self.f + self.m
        columns = {"customer_id": self.summary.ids, "r": self.r, "f": self.f, "m": self.m}
        columns |= {"code": code, "segment": self.segments}
        wanted = ("p_purchase", "expected_purchases", "expected_value", "clv")
        known = self.predictions or {}
        return columns | {name: known[name] for name in wanted if name in known}

    def table(self, quantiles: Sequence[float] = (0.05, 0.95), seed: Any = 0) -> Any:
        """One row per segment, in the order of the rules, those without customers too.

        Columns: segment; customers and their share; purchases and past_value, what they bought and
        paid so far (revenue, no margin), and past_share of it. With a model: p_purchase, its mean;
        expected_value, the sum over the segment after margin, within the horizon, and
        value_q05 ... , quantiles of that sum, which hold both what customers do and that the
        parameters are estimates (see `predict_total`); expected_share; value_per_customer.
        """
        ahead = None
        if self.model is not None:
            ahead = totals(
                self.model,
                self.summary,
                self.horizon,
                lambda _: self.place,
                len(self.rules),
                discount_rate=self.discount_rate,
                margin=self.margin,
                quantiles=quantiles,
                seed=seed,
            )
        return native_frame(segment_table(self.rules, self.sums, ahead), self.summary.kind)

    @property
    def sums(self) -> SegmentSums:
        """Sums over the customers of each segment."""
        paid, known = self.summary.total_value, self.predictions
        assert paid is not None
        chance = np.zeros(self.place.size) if known is None else known["p_purchase"]
        values = (np.ones(self.place.size), self.summary.frequency + 1, paid, chance)
        size = len(self.rules)
        return SegmentSums(*(np.bincount(self.place, v, size).astype(float) for v in values))

    def deciles(self) -> Any:
        """Customers of each segment (rows) in each decile of predicted value, 1 the highest.

        The model's ranking beside that of RFM: a segment that is spread over many deciles mixes
        customers who are worth very different amounts. Without amounts: of expected purchases.
        Raises DataError without a model.
        """
        tenths = Tiers.deciles(self.value)
        return native_frame(decile_table(self.rules, self.in_deciles(tenths)), self.summary.kind)

    @property
    def value(self) -> Array:
        """Predicted value of each customer to twelve digits; without amounts, purchases.

        Raises DataError without a model.
        """
        known = self.predictions
        if known is None:
            raise DataError("Deciles are those of a model: segment(summary, model).")
        return rounded(
            known["expected_value" if "expected_value" in known else "expected_purchases"]
        )

    def in_deciles(self, tenths: Tiers) -> NDArray[np.intp]:
        """Count customers by segment (rows) and tenth."""
        cell = 10 * self.place + tenths.of(self.value)
        return np.bincount(cell, minlength=10 * len(self.rules)).reshape(-1, 10)

    def at(self, summary: Summary) -> Segmentation:
        """Segment the customers of another day by the same thresholds, rules and model."""
        return segmented(
            summary,
            self.rfm,
            self.rules,
            self.model,
            self.horizon,
            self.discount_rate,
            self.margin,
        )

    def migration(self, later: Segmentation, *, share: bool = False) -> Any:
        """How customers moved: rows are their segments here, columns those of a `later` day.

        Counts, or with `share` their shares of the row. Customers known only later are the last
        row, "(new)"; those who are missing there (a summary of others, or filtered) the last
        column, "(gone)". Make `later` with `at`: with thresholds found anew, customers also move
        because others do. Raises ParameterError if the rules differ.
        """
        if not isinstance(later, Segmentation) or later.rules != self.rules:
            raise ParameterError(
                "later must be a Segmentation by the same rules: use .at(summary)."
            )
        size = len(self.rules)
        row = rows_in(self.summary, later.summary)
        ours = np.array([self.rules.names.index(name) for name in later.rules.names])
        then = ours[later.place]  # equal rules may come in another order
        known = np.append(then, size)[row]  # -1: the last, who are gone
        counts = np.bincount((size + 1) * self.place + known, minlength=size * (size + 1))
        moved = counts.reshape(size, size + 1)
        fresh = np.ones(len(later.summary), bool)
        fresh[row[row >= 0]] = False
        new = np.append(np.bincount(then[fresh], minlength=size), 0)
        columns = migration_table(self.rules, np.vstack([moved, new]), share)
        return native_frame(columns, self.summary.kind)

    def customers(self, name: str) -> Any:
        """Rows of `frame` of one segment. Raises ParameterError if there is none of the name."""
        if name not in self.rules.names:
            raise ParameterError.not_one_of("name", name, self.rules.names)
        rows = np.flatnonzero(self.place == self.rules.names.index(name))
        return some_rows(self._columns(), rows, self.summary.kind)

    def __repr__(self) -> str:
        """Return how many customers each segment has."""
        return described(self.rules, np.bincount(self.place, minlength=len(self.rules)))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def segment_table(
    rules: SegmentRules, sums: SegmentSums, ahead: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Columns of `Segmentation.table`; `ahead` are those of the totals that a model predicts."""
    columns: dict[str, Any] = {
        "segment": list(rules.names),
        "customers": sums.customers.astype(np.int64),
        "share": shares(sums.customers),
        "purchases": sums.purchases.astype(np.int64),
        "past_value": sums.past_value,
        "past_share": shares(sums.past_value),
    }
    if ahead is None:
        return columns
    columns["p_purchase"] = each(sums.p_purchase, sums.customers)
    target = "value" if "expected_value" in ahead else "purchases"
    columns |= {
        name: column
        for name, column in ahead.items()
        if name == f"expected_{target}" or name.startswith(f"{target}_")
    }
    if target == "value":
        columns["expected_share"] = shares(columns["expected_value"])
        columns["value_per_customer"] = each(columns["expected_value"], sums.customers)
    return columns


def migration_table(rules: SegmentRules, moved: NDArray[np.intp], share: bool) -> dict[str, Any]:
    """Columns of `Segmentation.migration`."""
    matrix: NDArray[Any] = moved
    if share:
        total = moved.sum(axis=1, keepdims=True)
        matrix = moved / np.where(total > 0, total, 1)
    names = [*rules.names, GONE]
    return {"segment": [*rules.names, NEW]} | {name: matrix[:, i] for i, name in enumerate(names)}


def described(rules: SegmentRules, number: Any) -> str:
    """How many customers each segment has, as text."""
    wide = max(map(len, rules.names))
    rows = zip(rules.names, number, strict=True)
    return "\n".join(
        [f"{number.sum():,.0f} customers in {len(rules)} segments"]
        + [f"{name:{wide}}  {n:>9,.0f}  {n / number.sum():6.1%}" for name, n in rows]
    )


def decile_table(rules: SegmentRules, counts: NDArray[np.intp]) -> dict[str, Any]:
    """Columns of `Segmentation.deciles`."""
    return {"segment": list(rules.names)} | {str(d + 1): counts[:, d] for d in range(10)}


def segmented(
    summary: Summary,
    rfm: FittedRFM,
    rules: SegmentRules,
    model: Any = None,
    horizon: Any = "365D",
    discount_rate: float = 0.10,
    margin: Any = 1.0,
) -> Segmentation:
    """Put customers in memory into segments, by thresholds and rules: see `segment`."""
    r, f, m = rfm.scores(summary)
    n = rules.levels
    place = rules.places()[(r - 1) * n * n + (f - 1) * n + (m - 1)]
    return Segmentation(summary, rfm, rules, place, r, f, m, model, horizon, discount_rate, margin)
