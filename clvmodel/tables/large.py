"""What summaries that do not fit into memory have in common: cells to fit, batches to score."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.months import Months
from clvmodel.tables.summary import Summary

Array = NDArray[np.float64]
Result = TypeVar("Result")
Sums = TypeVar("Sums", bound=tuple[Any, ...])

_WAITING = 4_000_000  # cells that may wait to be added up


class LargeSummary(ABC):
    """A summary whose customers are elsewhere: in a file, or in a cluster.

    `unit`, `end` and `exact` are those of a Summary; `has_value` tells whether there are amounts,
    `months` what cohorts did, `kind` what frames small tables about it are. Fits take its cells.
    """

    kind = "pandas"

    unit: str
    end: dt.date
    exact: bool
    has_value: bool
    months: Months

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of customers."""

    def held(self) -> Summary | Self:
        """Return the summary in memory, if it is small; else itself."""
        return self

    @property
    @abstractmethod
    def cells(self) -> Cells:
        """Customers with the same (frequency, recency, T) collapsed, with their number."""

    @cached_property
    def spend_cells(self) -> Cells | None:
        """Cells of (frequency, monetary_value), to the accuracy that `tables.spend_cells` states.

        None without amounts.
        """
        return self._spend(repeat_spend)

    @cached_property
    def total_cells(self) -> Cells | None:
        """Like `spend_cells`, of all purchases of each customer, the first included."""
        return self._spend(total_spend)

    @abstractmethod
    def over_parts(self, function: Callable[[Summary], Result]) -> list[Result]:
        """Return what a function says of the customers of each part, in no order.

        The parts are summaries; what is said of one must be small. (In a cluster the function and
        its results travel: it must be possible to pickle them.)
        """

    @abstractmethod
    def map_to(self, out: Any, function: Callable[[Summary], pa.Table], rows: int) -> None:
        """Write what a function makes of each part, `rows` rows in all, as one table.

        Raises FileError where rows are missing, or the output cannot be written.
        """

    @abstractmethod
    def _spend(self, known: Known) -> Cells | None:
        """Cells of what is known of each customer's spend; None without amounts."""


def over_parts(
    summary: Summary | LargeSummary, function: Callable[[Summary], Result]
) -> list[Result]:
    """Return what a function says of each part of a summary; one in memory is one part."""
    if isinstance(summary, Summary):
        return [function(summary)]
    return summary.over_parts(function)


def summed(parts: Sequence[Sums]) -> Sums:
    """Add up what parts said: named tuples of numbers or arrays, field by field."""
    return type(parts[0])(*(np.sum(each, axis=0) for each in zip(*parts, strict=True)))


Known = Callable[[Summary], tuple[Array, Array]]


def repeat_spend(summary: Summary) -> tuple[Array, Array]:
    """Return how many repeat purchases each customer made, and their mean value."""
    assert summary.monetary_value is not None
    return summary.frequency, summary.monetary_value


def total_spend(summary: Summary) -> tuple[Array, Array]:
    """Return how many purchases each customer made, the first included, and their mean value."""
    assert summary.total_value is not None
    count = summary.frequency + 1
    return count, summary.total_value / count


class TimingCells:
    """Adds up customers by (frequency, recency, T), batch by batch."""

    def __init__(self) -> None:
        """Begin with no customers."""
        self._waiting: list[Cells] = []
        self._size = 0

    def add(self, batch: Summary) -> None:
        """Add the customers of a summary."""
        self.merge(collapse([batch.frequency, batch.recency, batch.T], rows=False))

    def merge(self, cells: Cells) -> None:
        """Add cells."""
        self._waiting.append(cells)
        self._size += cells.weight.size
        if self._size > _WAITING and len(self._waiting) > 1:
            self._waiting, self._size = [self.cells], 0  # what is added up does not wait

    @property
    def cells(self) -> Cells:
        """All cells, each once."""
        columns = zip(*(cells.columns for cells in self._waiting), strict=True)
        weight = np.concatenate([cells.weight for cells in self._waiting])
        return collapse([np.concatenate(each) for each in columns], weight, rows=False)
