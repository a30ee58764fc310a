"""Formulas for the whole base, for each RFM segment, or for each customer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ParameterError
from clvmodel.tables.summary import Array, Summary
from clvmodel.value.candidates import check_summary, checked, prediction_table
from clvmodel.value.rfm import RFM, FittedRFM
from clvmodel.value.segment_rules import ELEVEN

BASE, SEGMENT, CUSTOMER = LEVELS = ("base", "segment", "customer")
_WORDS = {
    SEGMENT: "per RFM segment, each by its own numbers; the whole base: ",
    CUSTOMER: "per customer, each by own orders and revenue; the whole base: ",
}


class Groups(NamedTuple):
    """The group of each customer, and how many groups there are."""

    code: NDArray[np.intp]
    size: int

    def sums(self, values: Any) -> Array:
        """Sum of customers' values by group."""
        return np.bincount(self.code, np.asarray(values, float), self.size).astype(float)

    def counts(self, chosen: Any = None) -> Array:
        """Customers by group, of those chosen."""
        return self.sums(np.ones(self.code.size) if chosen is None else chosen)


def everybody(summary: Summary) -> Groups:
    """All customers in one group."""
    return Groups(np.zeros(len(summary), np.intp), 1)


class Numbers(Protocol):
    """What a formula found: per group, or one for all."""

    @property
    def assumptions(self) -> str:
        """What was assumed, in words."""

    def ahead(self, summary: Summary, days: float, code: Any) -> tuple[Array, Array | None]:
        """Purchases and value of each customer within `days`, given each one's group."""


class Formula(Protocol):
    """A formula that can be worked for groups of customers."""

    @property
    def name(self) -> str:
        """Name of the formula."""

    @property
    def level(self) -> str:
        """One of LEVELS."""

    def numbers(self, summary: Summary, of: Groups, base: Any = None) -> Any:
        """Work the formula for each group.

        `base` is what was found for the whole base, when the groups are single customers: what one
        customer alone cannot tell (a lifespan, a churn) is taken from there.
        """


@dataclass(frozen=True, eq=False)
class ByGroup:
    """A formula fitted to segments, or to be worked for each customer it is asked about."""

    formula: Formula
    base: Numbers
    segments: Numbers | None
    rfm: FittedRFM | None

    kind: ClassVar[str] = "formula"

    @property
    def name(self) -> str:
        """Name of the formula and the level."""
        return str(self.formula.name)

    @property
    def assumptions(self) -> str:
        """What was assumed, in words."""
        return _WORDS[self.formula.level] + self.base.assumptions

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon` by the numbers of the segment, or the own ones."""
        days = checked(summary, horizon, margin)
        if self.segments is not None and self.rfm is not None:
            found, code = self.segments, segment_of(self.rfm, summary)
        else:
            code = np.arange(len(summary))
            found = self.formula.numbers(summary, Groups(code, code.size), self.base)
        return as_table(summary, *found.ahead(summary, days, code), margin)


def fit_at_level(formula: Formula, summary: Summary) -> Any:
    """Work a formula at its level: the base's numbers, or a `ByGroup`."""
    check_summary(summary)
    if formula.level not in LEVELS:
        raise ParameterError.not_one_of("level", formula.level, LEVELS)
    base = formula.numbers(summary, everybody(summary))
    if formula.level == BASE:
        return base
    if formula.level == CUSTOMER:
        return ByGroup(formula, base, None, None)
    rfm = RFM().fit(_with_money(summary))
    of = Groups(segment_of(rfm, summary), len(ELEVEN))
    return ByGroup(formula, base, formula.numbers(summary, of), rfm)


def segment_of(rfm: FittedRFM, summary: Summary) -> NDArray[np.intp]:
    """Place of each customer's segment among the eleven; without amounts, purchases are money."""
    r, f, m = rfm.scores(_with_money(summary))
    return np.asarray(ELEVEN.places()[25 * (r - 1) + 5 * (f - 1) + (m - 1)])


def _with_money(summary: Summary) -> Summary:
    if summary.total_value is not None:
        return summary
    once = np.ones(len(summary))
    return replace(
        summary, first_value=once, monetary_value=np.where(summary.frequency > 0, 1.0, 0.0)
    )


def titled(title: str, level: str) -> str:
    """Name of a formula with its level, if that is not the whole base."""
    return title if level == BASE else f"{title} per {level}"


def as_table(summary: Summary, purchases: Array, value: Array | None, margin: float) -> Any:
    """Build the table of a formula's prediction."""
    worth = None if value is None else margin * value
    return prediction_table(summary, {"expected_purchases": purchases, "expected_value": worth})


def per(total: Array, count: Array) -> Array:
    """Total over count, 0 where there is nobody."""
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), 0.0)


def plain(values: Array) -> Any:
    """Return a number, if there is one group only."""
    return float(values[0]) if values.size == 1 else values
