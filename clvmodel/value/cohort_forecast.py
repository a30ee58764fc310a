"""What cohorts will do month by month: sums over the customers of one part, which add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.tables.groups import birth_months
from clvmodel.tables.months import month_of
from clvmodel.tables.summary import Summary
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import expected_spend, product
from clvmodel.value.total_parts import mark

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SIMULATED = 50_000  # customers, some several times, whose months to come are simulated


class CohortsAhead(NamedTuple):
    """Sums over customers by month ahead and cohort: those of several parts add up.

    `active` customers buy in the month, `repeat` ones have bought twice by its end; `revenue` is
    what is bought from the end of observation to the end of the month.
    """

    active: Array
    repeat: Array
    revenue: Array


@dataclass(frozen=True)
class Ahead:
    """What every part of a base is asked; it can be sent to where the customers are.

    `seen` are the months of acquisition, `last` the last month that is over, `times` the ends of
    the months ahead in the unit of the fit; `whole` is the number of all customers.
    """

    model: Any
    seen: Ints
    last: int
    times: Array
    whole: int
    seed: int

    def __call__(self, part: Summary) -> CohortsAhead:
        """Answer it for the customers of a summary."""
        fit = self.model.purchases
        cohort = np.searchsorted(self.seen, birth_months(part.T, part))
        outlook = Outlook.of(fit.model, part.in_unit(fit.unit))
        alive, new = outlook.alive(fit.model), outlook.new(fit.model)
        once = part.frequency == 0
        worth = None if self.model.spend is None else expected_spend(self.model, part)
        repeat, revenue = np.zeros((2, self.times.size, self.seen.size))
        for j, t in enumerate(self.times):
            again = np.where(once, outlook.each(alive, new.p_purchase(t)), 1.0)
            repeat[j] = np.bincount(cohort, again, self.seen.size)
            if worth is not None:
                bought = outlook.each(alive, new.expected_purchases(t))
                revenue[j] = np.bincount(cohort, product(bought, worth), self.seen.size)
        return CohortsAhead(self._active(part, outlook, cohort), repeat, revenue)

    def _active(self, part: Summary, outlook: Outlook, cohort: NDArray[np.intp]) -> Array:
        """Expected customers who buy in each month ahead, by cohort: means over simulations.

        Each simulated customer stands for `every` of them, those next to each other in the part.
        """
        model, times = self.model.purchases.model, self.times
        rng = np.random.default_rng([self.seed, mark(part)])
        every = max(1, self.whole // SIMULATED)
        rows = np.arange(rng.integers(every), len(part), every)
        rounds = max(1, round(SIMULATED / self.whole))
        n, place = rows.size, outlook.where[rows]
        alive = outlook.alive(model)[place]
        new = outlook.new(model).spread(outlook.repeats.shape).take(outlook.state[place])
        latest = month_of(part.days_ago(part.T - part.recency))[rows]
        running = np.flatnonzero(latest == self.last + 1)  # bought in the month of the end
        counts = np.zeros(times.size * self.seen.size)
        for _ in range(rounds):
            stays = rng.random(n) < alive
            made = new.simulate_purchases(np.full(n, times[-1]), seed=rng)
            month = np.searchsorted(times, made.time, side="left")
            cells = (month * n + made.customer)[stays[made.customer]]
            both = np.unique(np.concatenate([cells, running]))
            cell = both // n * self.seen.size + cohort[rows[both % n]]
            counts += np.bincount(cell, minlength=counts.size)
        return counts.reshape(times.size, self.seen.size) * (every / rounds)
