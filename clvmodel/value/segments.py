"""Segments of customers by RFM, with what the model says of each, and how customers move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.labels import labels, rows_in, some_rows
from clvmodel.tables.summary import Summary
from clvmodel.value.candidates import check_summary
from clvmodel.value.predictions import level_name
from clvmodel.value.rfm import RFM, FittedRFM, Scores
from clvmodel.value.segment_rules import TABLES, SegmentRules
from clvmodel.value.tiers import Tiers

Array = NDArray[np.float64]

NEW, GONE = "(new)", "(gone)"
_GROUP = "segment of this customer"  # an attribute of no customer's table


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
        number, size = np.bincount(self.place, minlength=len(self.rules)), len(self.rules)
        columns: dict[str, Any] = {"segment": list(self.rules.names), "customers": number}
        columns["share"] = number / number.sum()

        def sums(values: Array) -> Array:
            return np.bincount(self.place, values, size).astype(float)

        paid = self.summary.total_value
        assert paid is not None
        columns["purchases"] = sums(self.summary.frequency + 1).astype(np.int64)
        columns["past_value"] = sums(paid)
        columns["past_share"] = _shares(columns["past_value"])
        if self.model is None:
            return native_frame(columns, self.summary.kind)
        known = self.predictions
        assert known is not None
        columns["p_purchase"] = _each(sums(known["p_purchase"]), number)
        columns |= self._totals(quantiles, seed)
        if "expected_value" in columns:
            columns["expected_share"] = _shares(columns["expected_value"])
            columns["value_per_customer"] = _each(columns["expected_value"], number)
        return native_frame(columns, self.summary.kind)

    def _totals(self, quantiles: Sequence[float], seed: Any) -> dict[str, Array]:
        """Totals by segment with intervals; 0 where nobody is."""
        names = self.segments
        grouped = replace(self.summary, attributes={**self.summary.attributes, _GROUP: names})
        found = self.model.predict_total(
            grouped,
            self.horizon,
            by=_GROUP,
            discount_rate=self.discount_rate,
            margin=self.margin,
            quantiles=quantiles,
            seed=seed,
        )
        totals = read_frame(found)[0]
        at = [self.rules.names.index(name) for name in totals[_GROUP].to_pylist()]
        value = self.model.spend is not None
        wanted = ["expected_value"] if value else ["expected_purchases"]
        wanted += [f"{'value' if value else 'purchases'}_{level_name(q)}" for q in quantiles]
        result = {}
        for name in wanted:
            result[name] = np.zeros(len(self.rules))
            result[name][at] = totals[name].to_numpy()
        return result

    def deciles(self) -> Any:
        """Customers of each segment (rows) in each decile of predicted value, 1 the highest.

        The model's ranking beside that of RFM: a segment that is spread over many deciles mixes
        customers who are worth very different amounts. Without amounts: of expected purchases.
        Raises DataError without a model.
        """
        known = self.predictions
        if known is None:
            raise DataError("Deciles are those of a model: segment(summary, model).")
        value = known["expected_value" if "expected_value" in known else "expected_purchases"]
        decile = Tiers.deciles(value).of(value)
        counts = np.bincount(10 * self.place + decile, minlength=10 * len(self.rules))
        columns: dict[str, Any] = {"segment": list(self.rules.names)}
        columns |= {str(d + 1): counts.reshape(-1, 10)[:, d] for d in range(10)}
        return native_frame(columns, self.summary.kind)

    def at(self, summary: Summary) -> Segmentation:
        """Segment the customers of another day by the same thresholds, rules and model."""
        return segment(
            summary,
            self.model,
            rules=self.rules,
            rfm=self.rfm,
            horizon=self.horizon,
            discount_rate=self.discount_rate,
            margin=self.margin,
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
        known = np.append(later.place, size)[row]  # -1: the last, who are gone
        counts = np.bincount((size + 1) * self.place + known, minlength=size * (size + 1))
        moved = counts.reshape(size, size + 1)
        fresh = np.ones(len(later.summary), bool)
        fresh[row[row >= 0]] = False
        new = np.append(np.bincount(later.place[fresh], minlength=size), 0)
        matrix = np.vstack([moved, new])
        if share:
            total = matrix.sum(axis=1, keepdims=True)
            matrix = matrix / np.where(total > 0, total, 1)
        columns: dict[str, Any] = {"segment": [*self.rules.names, NEW]}
        names = [*self.rules.names, GONE]
        columns |= {name: matrix[:, i] for i, name in enumerate(names)}
        return native_frame(columns, self.summary.kind)

    def customers(self, name: str) -> Any:
        """Rows of `frame` of one segment. Raises ParameterError if there is none of the name."""
        if name not in self.rules.names:
            raise ParameterError.not_one_of("name", name, self.rules.names)
        rows = np.flatnonzero(self.place == self.rules.names.index(name))
        return some_rows(self._columns(), rows, self.summary.kind)

    def __repr__(self) -> str:
        """Return how many customers each segment has."""
        number = np.bincount(self.place, minlength=len(self.rules))
        wide = max(map(len, self.rules.names))
        rows = zip(self.rules.names, number, strict=True)
        return "\n".join(
            [f"{len(self.summary):,} customers in {len(self.rules)} segments"]
            + [f"{name:{wide}}  {n:>9,}  {n / number.sum():6.1%}" for name, n in rows]
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def segment(
    summary: Summary,
    model: Any = None,
    *,
    rules: str | SegmentRules = "eleven",
    rfm: RFM | FittedRFM | None = None,
    horizon: Any = "365D",
    discount_rate: float = 0.10,
    margin: Any = 1.0,
) -> Segmentation:
    """Put every customer of a summary into one segment by recency, frequency and money.

    `rules` is a `SegmentRules` or the name of a table: "eleven" (the widely copied one of 125
    codes), "ten" (the grid of R and F of most tutorials, money ignored), "three" (shop style:
    scores 1 to 3, tiers by their sum). `rfm` says how to score (default: `RFM(levels=...)`,
    quantiles of these customers), or holds thresholds found before. With a fitted `model` the
    tables say what each segment is predicted to be worth within `horizon`, after `margin`.

    Customers who are alike are in the same segment, whatever the order of the rows. Raises
    DataError or ParameterError.
    """
    check_summary(summary)
    if isinstance(rules, str):
        if rules not in TABLES:
            raise ParameterError.not_one_of("rules", rules, TABLES)
        rules = TABLES[rules]
    if not isinstance(rules, SegmentRules):
        raise ParameterError(f"rules == {rules!r}, must be a SegmentRules or a table's name.")
    rfm = RFM(levels=rules.levels) if rfm is None else rfm
    fitted = rfm.fit(summary) if isinstance(rfm, RFM) else rfm
    if not isinstance(fitted, FittedRFM):
        raise ParameterError(f"rfm == {rfm!r}, must be an RFM or what its fit returned.")
    if fitted.levels != rules.levels:
        raise ParameterError(
            f"rfm has {fitted.levels} levels, and the rules are of {rules.levels}."
        )
    r, f, m = fitted.scores(summary)
    n = rules.levels
    place = rules.places()[(r - 1) * n * n + (f - 1) * n + (m - 1)]
    return Segmentation(
        summary, fitted, rules, place, r, f, m, model, horizon, discount_rate, margin
    )


def _shares(values: Array) -> Array:
    total = values.sum()
    return values / total if np.isfinite(total) and total else np.full(values.size, np.nan)


def _each(total: Array, number: NDArray[np.intp]) -> Array:
    """Mean per customer; NaN where there is nobody."""
    each = np.full(total.size, np.nan)
    np.divide(total, number, out=each, where=number > 0)
    return each
