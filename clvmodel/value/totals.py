"""The whole base, or groups of it: what all customers together will buy and be worth.

Two things make a total uncertain: what each customer happens to do, which averages out over many,
and the parameters, which does not. Both are in the intervals here. Up to 5,000 customers, the
totals are simulated, each time at other parameters, drawn from their posterior. Beyond that, a
total at given parameters is close to a gamma distribution with its exact variance; its mean at each
draw is found from a sample of the customers, as a ratio to the mean at the estimate. Where that is
no good, since spend has no variance or margins are negative, a large base is simulated, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, ParameterError
from clvmodel.fitting.covariates import of_customers
from clvmodel.tables.frames import native_frame
from clvmodel.tables.groups import groups
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.ahead import blocks
from clvmodel.value.candidates import check_summary, checked_levels
from clvmodel.value.discounting import daily_rate, discounted
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import (
    check_rate,
    drawn_models,
    expected_spend,
    horizon_of,
    level_name,
    margins,
    product,
    spend_history,
    spend_model,
)

Array = NDArray[np.float64]
Index = NDArray[np.intp]

RESULTS = ("customers", "expected_purchases", "expected_value", "clv")
SIMULATED = 5_000  # customers up to which totals are simulated
_DRAWS = 1000
_POINTS, _EACH = 400, 5  # draws of the parameters for a large base, and totals drawn at each
_HEAVY = 20_000_000  # customers times draws, where a large base must be simulated all the same
_SAMPLE, _FEWEST = 5_000, 200  # customers that stand for a large base, and for each group of it


def predict_total(
    fitted: Any,
    summary: Summary,
    horizon: Any,
    by: str | None,
    discount_rate: float,
    margin: Any,
    quantiles: Any,
    seed: Any,
) -> Any:
    """Totals of all customers, or of groups: see `FittedValueModel.predict_total`."""
    check_summary(summary)
    check_rate(discount_rate)
    wanted = checked_levels(quantiles)
    t, unit = horizon_of(fitted, summary, horizon)
    if not np.isfinite(t):
        raise ParameterError.out_of_range("horizon", horizon, "finite for totals")
    names, group = groups(summary, by)
    if by in RESULTS:
        raise ColumnError(f"by == {by!r}: the result has a column so named; rename the attribute.")
    base = _Base(fitted, summary, t, margins(margin, summary), group, len(names))
    rng = np.random.default_rng(seed)
    rate = daily_rate(discount_rate) * days_in(unit)
    columns: dict[str, Any] = {} if by is None else {by: names}
    columns["customers"] = np.bincount(group, minlength=len(names))
    totals = base.simulated(rng) if base.to_simulate else base.approximated(rng)
    for what, mean, drawn in zip(("purchases", "value"), base.means, totals, strict=False):
        columns[f"expected_{what}"] = mean
        for level in wanted:
            columns[f"{what}_{level_name(level)}"] = np.quantile(drawn, level, axis=0)
    if fitted.spend is not None:
        present = discounted(base.new.expected_purchases, t, rate)
        each = base.outlook.each(base.alive, present)
        columns["clv"] = base.summed(product(each, base.worth))
    return native_frame(columns, summary.kind)


class _Base:
    """Customers, their groups, and their means at the estimate."""

    def __init__(
        self, fitted: Any, summary: Summary, t: float, margin: Array, group: Index, size: int
    ) -> None:
        self.fitted, self.summary, self.t, self.margin = fitted, summary, t, margin
        self.group, self.size = group, size
        self.model = fitted.purchases.model
        self.outlook = Outlook.of(self.model, summary.in_unit(fitted.purchases.unit))
        self.alive, self.new = self.outlook.alive(self.model), self.outlook.new(self.model)
        self.bought = self._bought(self.outlook, self.model)
        self.means = [self.summed(self.bought)]
        if fitted.spend is not None:
            self.worth = product(margin, expected_spend(fitted, summary))
            self.means.append(self.summed(product(self.bought, self.worth)))

    def summed(self, values: Array) -> Array:
        """Sums of customers' values by group."""
        return np.bincount(self.group, values, self.size).astype(float)

    def _bought(self, outlook: Outlook, model: Any) -> Array:
        """Expected purchases of each customer of an outlook, under a model."""
        return outlook.each(outlook.alive(model), outlook.new(model).expected_purchases(self.t))

    @property
    def to_simulate(self) -> bool:
        """Whether there are few customers, or totals that no gamma law is near.

        Such are those of customers whose spend has no variance, and those of negative margins.
        """
        few = len(self.summary) <= SIMULATED
        return few or bool((self._freedom() <= 2).any() or (self.margin < 0).any())

    def _freedom(self) -> Array:
        """Shape of each customer's spend parameter: moments up to it exist."""
        if self.fitted.spend is None:
            return np.full(1, np.inf)
        model = spend_model(self.fitted, self.summary)
        count, _ = spend_history(self.summary, self.fitted.spend_includes_first)
        return np.asarray(model.q + model.p * count)

    def _drawn(self, n: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
        """Pairs of models at draws from the posteriors of both fits."""
        drawn = [drawn_models(fit, n, rng) for fit in self.fitted.fits]
        return list(zip(drawn[0], drawn[1] if len(drawn) > 1 else [None] * n, strict=True))

    def simulated(self, rng: np.random.Generator) -> list[Array]:
        """Simulate purchases and values (draws, groups), each draw at other parameters."""
        n = len(self.summary)
        draws = min(_DRAWS, max(100, _HEAVY // n))
        where, state = self.outlook.where, self.outlook.state[self.outlook.where]
        rows: list[list[Array]] = [[], []]
        for model, spend in self._drawn(draws, rng):
            new = self.outlook.new(model).spread(self.outlook.repeats.shape).take(state)
            stays = rng.random(n) < self.outlook.alive(model)[where]
            count = np.where(stays, new.simulate(np.full(n, self.t), seed=rng).x, 0.0)
            rows[0].append(self.summed(count))
            if spend is not None:
                rows[1].append(self.summed(self._paid(spend, count, rng)))
        return [np.array(part) for part in rows if part]

    def _paid(self, spend: Any, count: Array, rng: np.random.Generator) -> Array:
        """Simulated value of so many purchases of each customer."""
        some = np.flatnonzero(count > 0)
        known, mean = spend_history(self.summary, self.fitted.spend_includes_first)
        point = of_customers(spend, self.summary)
        gamma = np.broadcast_to(point.gamma, count.shape)[some]
        scale = gamma + known[some] * mean[some]
        paid = np.zeros(count.size)
        size = rng.gamma(point.p * count[some]) / rng.gamma(point.q + point.p * known[some])
        paid[some] = self.margin[some] * scale * size
        return paid

    def approximated(self, rng: np.random.Generator) -> list[Array]:
        """Draw totals (draws, groups): gamma distributions around the mean at each draw."""
        sample = self._sample()
        part = self.summary.take(sample)
        outlook = Outlook.of(self.model, part.in_unit(self.fitted.purchases.unit))
        group, margin = self.group[sample], self.margin[sample]
        ratios: list[list[Array]] = [[], []]

        def sums(bought: Array, worth: Array | None) -> list[Array]:
            values = [bought] if worth is None else [bought, product(bought, worth)]
            return [np.bincount(group, v, self.size).astype(float) for v in values]

        paid = self.fitted.spend is not None
        before = sums(self.bought[sample], self.worth[sample] if paid else None)
        for model, spend in self._drawn(_POINTS, rng):
            worth = None
            if paid:
                point = of_customers(spend, part)
                known = spend_history(part, self.fitted.spend_includes_first)
                worth = product(margin, np.asarray(point.expected_spend(*known)))
            for i, now in enumerate(sums(self._bought(outlook, model), worth)):
                ratios[i].append(
                    np.divide(now, before[i], out=np.ones_like(now), where=before[i] > 0)
                )
        if not np.isfinite(ratios[1]).all():  # at some draw, spend has no mean
            return self.simulated(rng)
        return [
            _gamma(mean * np.repeat(ratio, _EACH, axis=0), variance, rng)
            for mean, ratio, variance in zip(self.means, ratios, self._variances(), strict=False)
        ]

    def _sample(self) -> Index:
        """Customers that stand for their groups: every so many-th by what they are to buy."""
        order = np.lexsort((self.bought, self.group))
        ends = np.cumsum(np.bincount(self.group, minlength=self.size))
        chosen = []
        for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
            wanted = max(_FEWEST, _SAMPLE * (end - start) // len(order))
            places = np.linspace(start, end, min(wanted, end - start), endpoint=False)
            chosen.append(order[np.unique(places.astype(np.intp))])
        return np.concatenate(chosen)

    def _variances(self) -> list[Array]:
        """Variances of the groups' totals at the estimate."""
        first, second = np.zeros((2, self.outlook.state.size))
        for block in blocks(self.outlook, [self.model], self.t, self.outlook.repeats):
            for power, moment in ((1, first), (2, second)):
                moment[block.cells] = block.certain * (block.chance @ block.k**power)[block.row]
        mean, square = first[self.outlook.where], second[self.outlook.where]
        result = [self.summed(square - mean**2)]
        if self.fitted.spend is not None:
            freedom, p = self._freedom(), spend_model(self.fitted, self.summary).p
            # E[S^2 | k purchases] = p k (p k + 1) scale^2 / ((freedom - 1) (freedom - 2))
            lone = (self.worth / p) ** 2 * (freedom - 1) / (freedom - 2)
            spread = lone * (p**2 * square + p * mean) - (mean * self.worth) ** 2
            result.append(self.summed(spread))
        return result


def _gamma(mean: Array, variance: Array, rng: np.random.Generator) -> Array:
    """Gamma variates of these means (draws, groups) and variances (groups); 0 where the mean is."""
    some = (mean > 0) & (variance > 0)
    shape = np.where(some, mean**2 / np.where(some, variance, 1.0), 1.0)
    scale = np.where(some, variance / np.where(some, mean, 1.0), 0.0)
    return np.where(some, rng.gamma(shape) * scale, mean)
