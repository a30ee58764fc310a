"""What is known of customers' futures: each distinct history once, each state of the alive once.

Customers with the same history (and covariates) are one cell. What happens to those who are still
alive depends on less than the history: on (x, T), not on t_x. So the states of the alive are fewer
than the cells, a new customer's formulas are computed once per state, and each cell adds its own
chance of being alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.fitting.covariates import CovariateModel
from clvmodel.tables.cells import collapse
from clvmodel.tables.summary import Summary

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Outlook:
    """Cells of customers and states of the alive; times in the unit of the model.

    `history` (x, t_x, T) and `codes` (of covariates) are those of the cells, `where` is each
    customer's cell and `state` each cell's state; `repeats`, `age` and `state_codes` are those of
    the states.
    """

    history: tuple[Array, ...]
    codes: tuple[Array, ...]
    where: Index
    state: Index
    repeats: Array
    age: Array
    state_codes: tuple[Array, ...]

    @classmethod
    def of(cls, model: Any, summary: Summary) -> Outlook:
        """Collapse the customers of a summary, in the unit of the model."""
        design = model.design.codes(summary) if isinstance(model, CovariateModel) else ()
        cells = collapse([summary.frequency, summary.recency, summary.T, *design])
        x, t_x, T, *codes = cells.columns
        states = collapse([x, T, *codes])
        repeats, age, *state_codes = states.columns
        return cls(
            (x, t_x, T), tuple(codes), cells.where, states.where, repeats, age, tuple(state_codes)
        )

    def alive(self, model: Any, cells: Any = _ALL) -> Array:
        """Chance of these cells to be alive, under this model."""
        point = at(model, [code[cells] for code in self.codes])
        return np.asarray(point.p_alive(*(column[cells] for column in self.history)))

    def each(self, alive: Array, of_state: Array) -> Array:
        """What each customer can expect, of what the alive of each state can.

        `alive` (cells) is their chance to be; where nobody is alive, the rest does not matter.
        """
        given = np.broadcast_to(of_state, self.repeats.shape)[self.state]
        return np.asarray((alive * np.where(alive > 0, given, 0.0))[self.where])

    def new(self, model: Any, states: Any = _ALL) -> Any:
        """Law of the alive in these states under this model, as new customers: a point for each."""
        point = at(model, [code[states] for code in self.state_codes])
        return point.update(self.repeats[states], self.age[states])


def at(model: Any, codes: Sequence[Array]) -> Any:
    """Return the model of customers with these codes of covariates; itself if it has none."""
    return model.at_codes(codes) if isinstance(model, CovariateModel) else model
