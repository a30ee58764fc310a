"""Segments and tiers of customers who are elsewhere: in a file, or in a cluster.

Thresholds are found in two passes (see `cuts`); by them every part is segmented as it would be in
memory, by the same classes, where its customers are. Only sums come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.labels import below_each_other, where
from clvmodel.tables.large import LargeSummary, summed
from clvmodel.tables.moves import moves
from clvmodel.tables.spark_summary import SparkSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.cuts import Wanted, cuts_of, rounded
from clvmodel.value.rfm import FittedRFM
from clvmodel.value.segment_rules import SegmentRules
from clvmodel.value.segments import (
    Segmentation,
    SegmentSums,
    decile_table,
    described,
    migration_table,
    segment_table,
    segmented,
)
from clvmodel.value.tiering import (
    Tiering,
    TierSums,
    chosen_by,
    described_tiers,
    list_table,
    spent,
    tier_table,
    tiering,
)
from clvmodel.value.tiers import Tiers, wanted_by
from clvmodel.value.totals import totals

Array = NDArray[np.float64]


def without_reference(model: Any) -> Any:
    """Return a model that does not compare a part's customers with those that it was fitted to."""
    return model if getattr(model, "reference", None) is None else replace(model, reference=None)


@dataclass(frozen=True)
class Segmenting:
    """Segments the customers of a part; it can be sent to where they are."""

    rfm: FittedRFM
    rules: SegmentRules
    model: Any
    horizon: Any
    discount_rate: float
    margin: Any

    def __call__(self, part: Summary) -> Segmentation:
        """Segment them."""
        model = without_reference(self.model)
        return segmented(
            part, self.rfm, self.rules, model, self.horizon, self.discount_rate, self.margin
        )


@dataclass(frozen=True)
class _Place:
    """Tells the place of each customer's segment."""

    segmenting: Segmenting

    def __call__(self, part: Summary) -> NDArray[np.intp]:
        return self.segmenting(part).place


@dataclass(frozen=True)
class InTiers:
    """Puts the customers of a part into tiers; it can be sent to where they are."""

    model: Any
    horizon: Any
    margin: Any
    tiers: Tiers
    past_tiers: Tiers
    vips: Tiers

    def __call__(self, part: Summary) -> Tiering:
        """Put them."""
        model = without_reference(self.model)
        return self.of(part, model.predict(part, self.horizon, margin=self.margin))

    def of(self, part: Summary, predictions: Any) -> Tiering:
        """Put them, by what has been predicted already."""
        return tiering(
            part, predictions, tiers=self.tiers, past_tiers=self.past_tiers, vips=self.vips
        )


@dataclass(frozen=True)
class _Sums:
    """Tells the sums over a part's customers."""

    function: Callable[[Summary], Any]

    def __call__(self, part: Summary) -> Any:
        return self.function(part).sums


@dataclass(frozen=True)
class _Rows:
    """Makes the rows of a part's customers: all, or those whose column holds a name."""

    function: Callable[[Summary], Any]
    column: str | None = None
    name: str = ""

    def __call__(self, part: Summary) -> Any:
        table = read_frame(self.function(part).frame)[0]
        return table if self.column is None else where(table, self.column, self.name)


@dataclass(frozen=True)
class _Worth:
    """Tells what customers are predicted to be worth, and have spent."""

    model: Any
    horizon: Any
    margin: Any
    target: str

    def __call__(self, part: Summary) -> list[Array]:
        predicted = without_reference(self.model).predict(part, self.horizon, margin=self.margin)
        value = np.asarray(read_frame(predicted)[0][self.target].to_numpy(), float)
        return [rounded(value), spent(part)]


class _Elsewhere:
    """Customers in parts, with a function that gives each part's result."""

    summary: LargeSummary
    function: Callable[[Summary], Any]

    @property
    def frame(self) -> Any:
        """Spark table of the customers, in no order. Of a summary in a file, write one: `to`."""
        if not isinstance(self.summary, SparkSummary):
            raise DataError("The customers are in a file: write theirs with .to('out.parquet').")
        return self.summary.map(_Rows(self.function))

    def to(self, out: Any) -> int:
        """Write a row per customer, the `frame`: into CSV or Parquet, from Spark into a folder.

        Returns the number of rows. Raises FileError where the output cannot be written.
        """
        self.summary.map_to(out, _Rows(self.function), len(self.summary))
        return len(self.summary)

    def _rows(self, column: str, name: str, order: str | None = None) -> Any:
        """Rows whose column holds a name, by `order` the highest first: Arrow's, or Spark's."""
        if isinstance(self.summary, SparkSummary):
            frame = self.frame
            found = frame.where(frame[column] == name)
            return found if order is None else found.orderBy(found[order].desc())
        found = self.summary.over_parts(_Rows(self.function, column, name))
        return below_each_other(found, order)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


@dataclass(frozen=True, eq=False, repr=False)
class LargeSegmentation(_Elsewhere):
    """Customers of a summary in a file or in Spark, in segments: see `Segmentation`.

    `frame` (Spark) or `to` give the rows; `table`, `deciles` and `at` are those of a Segmentation,
    with the same numbers.
    """

    summary: LargeSummary
    function: Segmenting

    @property
    def rfm(self) -> FittedRFM:
        """The thresholds of the scores."""
        return self.function.rfm

    @property
    def model(self) -> Any:
        """The fitted model, or None."""
        return self.function.model

    @property
    def rules(self) -> SegmentRules:
        """The segments."""
        return self.function.rules

    @cached_property
    def sums(self) -> SegmentSums:
        """Sums over the customers of each segment."""
        parts: list[SegmentSums] = self.summary.over_parts(_Sums(self.function))
        return summed(parts)

    def table(self, quantiles: Sequence[float] = (0.05, 0.95), seed: Any = 0) -> Any:
        """One row per segment: see `Segmentation.table`."""
        asked, ahead = self.function, None
        if asked.model is not None:
            ahead = totals(
                asked.model,
                self.summary,
                asked.horizon,
                _Place(replace(asked, model=None)),
                len(self.rules),
                discount_rate=asked.discount_rate,
                margin=asked.margin,
                quantiles=quantiles,
                seed=seed,
            )
        return native_frame(segment_table(self.rules, self.sums, ahead), self.summary.kind)

    def deciles(self) -> Any:
        """Customers of each segment in each decile of value: see `Segmentation.deciles`."""
        if self.function.model is None:
            raise DataError("Deciles are those of a model: segment(summary, model).")
        names, wanted = wanted_by("deciles", len(self.summary))
        found = cuts_of(self.summary, _Value(self.function), [wanted])
        tenths = Tiers(names, found[0])
        counts = np.sum(self.summary.over_parts(_InDeciles(self.function, tenths)), axis=0)
        return native_frame(decile_table(self.rules, counts), self.summary.kind)

    def at(self, summary: Summary | LargeSummary) -> Segmentation | LargeSegmentation:
        """Segment the customers of another day by the same thresholds, rules and model."""
        if isinstance(summary, LargeSummary):
            return LargeSegmentation(summary, self.function)
        return self.function(summary)

    def migration(self, later: LargeSegmentation, *, share: bool = False) -> Any:
        """How customers moved: see `Segmentation.migration`; `later` is kept where this one is."""
        same = isinstance(later, LargeSegmentation) and type(later.summary) is type(self.summary)
        if not same or later.rules != self.rules:
            raise ParameterError(
                "later must be a segmentation by the same rules, kept where this one is: use .at."
            )
        rows, columns = [*self.rules.names, None], [*self.rules.names, None]
        moved = np.zeros((len(rows), len(columns)), np.int64)
        for here, there, number in moves(self.summary, self._names, later.summary, later._names):
            moved[rows.index(here), columns.index(there)] = number
        return native_frame(migration_table(self.rules, moved, share), self.summary.kind)

    @property
    def _names(self) -> _Names:
        return _Names(replace(self.function, model=None))

    def customers(self, name: str) -> Any:
        """Rows of the customers of one segment: an Arrow table, or Spark's."""
        if name not in self.rules.names:
            raise ParameterError.not_one_of("name", name, self.rules.names)
        return self._rows("segment", name)

    def __repr__(self) -> str:
        """Return how many customers each segment has."""
        return described(self.rules, self.sums.customers)


@dataclass(frozen=True)
class _Names:
    """Makes the table of customers and the names of their segments."""

    function: Segmenting

    def __call__(self, part: Summary) -> Any:
        return read_frame(self.function(part).frame)[0].select(["customer_id", "segment"])


@dataclass(frozen=True)
class _Value:
    """Tells the predicted value of each customer of a segmentation."""

    function: Segmenting

    def __call__(self, part: Summary) -> list[Array]:
        return [self.function(part).value]


@dataclass(frozen=True)
class _InDeciles:
    """Counts customers by segment and tenth."""

    function: Segmenting
    tenths: Tiers

    def __call__(self, part: Summary) -> NDArray[np.intp]:
        return self.function(part).in_deciles(self.tenths)


@dataclass(frozen=True, eq=False, repr=False)
class LargeTiering(_Elsewhere):
    """Customers of a summary in a file or in Spark, in tiers of predicted value: see `Tiering`.

    `frame` (Spark) or `to` give the rows; `table`, `lists` and `action` are those of a Tiering.
    """

    summary: LargeSummary
    function: InTiers
    target: str

    @property
    def tiers(self) -> Tiers:
        """The tiers and their thresholds."""
        return self.function.tiers

    @property
    def vips(self) -> Tiers:
        """The VIPs by predicted value."""
        return self.function.vips

    @property
    def past_tiers(self) -> Tiers:
        """The VIPs by past value."""
        return self.function.past_tiers

    @cached_property
    def sums(self) -> TierSums:
        """Sums over the customers of each tier, and of each list."""
        parts: list[TierSums] = self.summary.over_parts(_Sums(self.function))
        return summed(parts)

    @property
    def table(self) -> Any:
        """One row per tier: see `Tiering.table`."""
        return native_frame(tier_table(self.tiers, self.sums, self.target), self.summary.kind)

    @property
    def lists(self) -> Any:
        """One row per list: see `Tiering.lists`."""
        return native_frame(list_table(self.sums, self.target), self.summary.kind)

    def action(self, name: str) -> Any:
        """Rows of a list or of a tier, highest predicted value first: Arrow, or Spark's."""
        return self._rows(chosen_by(name, self.tiers), name, self.target)

    def __repr__(self) -> str:
        """Return how many customers each tier and list has."""
        return described_tiers(self.tiers, self.sums, self.target)


def large_tiering(
    summary: LargeSummary,
    model: Any,
    horizon: Any,
    margin: Any,
    *,
    kind: str = "vip",
    tiers: Tiers | None = None,
    past_tiers: Tiers | None = None,
    vips: Tiers | None = None,
) -> LargeTiering:
    """Find the thresholds that were not given, in all customers: see `tier`."""
    n = len(summary)
    target = "expected_purchases" if model.spend is None else "expected_value"
    worth = _Worth(model, horizon, margin, target)
    names, wanted = wanted_by(kind, n)
    vip_names, vip = wanted_by("vip", n)
    both = Wanted((*wanted.places, *vip.places), wanted.shares)
    if tiers is None or past_tiers is None or vips is None:
        value, spent_so_far = cuts_of(summary, worth, [both, vip])
        cut = len(wanted.places)
        found = (*value[:cut], *value[cut + 1 :])
        tiers = Tiers(names, found) if tiers is None else tiers
        if vips is None:
            vips = tiers if tiers.names[0] == "VIP" else Tiers(vip_names, value[cut : cut + 1])
        past_tiers = Tiers(vip_names, spent_so_far) if past_tiers is None else past_tiers
    return LargeTiering(summary, InTiers(model, horizon, margin, tiers, past_tiers, vips), target)
