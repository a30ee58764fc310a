"""What the customers of one part of a base add to its totals: sums, which add up over parts.

Two things make a total uncertain: what each customer happens to do, which averages out over many,
and the parameters, which does not. A small base is simulated, each time at other parameters, drawn
from their posterior. Of a large one every part tells its means at each draw, found from a sample of
its customers as ratios to the means at the estimate, and the exact variance at the estimate.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.fitting.covariates import of_customers
from clvmodel.tables.cells import collapse
from clvmodel.tables.summary import Summary
from clvmodel.value.ahead import blocks
from clvmodel.value.discounting import discounted
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import (
    expected_spend,
    margins,
    product,
    spend_history,
    spend_model,
)

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Draws = list[tuple[Any, Any]]

_SAMPLE, _FEWEST = 5_000, 200  # customers that stand for a large base, and for each group of it
_NODES = 33  # ages between which moments are read
_FIRST, _TESTED, _NEAR = 60, 20, 0.01  # draws that show a surface, that test it, and how near


class Added(NamedTuple):
    """What some customers add to the totals of groups: (groups,), by kind, by kind and draw.

    Kinds are purchases and, where there are amounts, value. `drawn` holds simulated totals if
    `variance` is 0 throughout, else expected ones, around which totals vary.
    """

    customers: Array
    mean: Array
    clv: Array
    drawn: Array
    variance: Array


@dataclass(frozen=True)
class Question:
    """What every part of a base is asked; it can be sent to where the customers are.

    `t` is the horizon and `rate` the discount rate in the unit of the fit; `group_of` tells each
    customer's group, of `groups`; `whole` is the number of all customers.
    """

    fitted: Any
    t: float
    rate: float
    margin: Any
    group_of: Callable[[Summary], Index]
    groups: int
    whole: int
    draws: Draws
    simulate: bool
    seed: int

    def __call__(self, summary: Summary) -> Added:
        """Answer it for the customers of a summary."""
        return _Part(self, summary).added()


@dataclass(frozen=True)
class Freedom:
    """Asks how heavy the tails of customers' spend are: a shape up to which moments exist.

    The smallest of all customers: at the estimate, and at any of the draws.
    """

    fitted: Any
    draws: Draws

    def __call__(self, summary: Summary) -> tuple[float, float]:
        """Answer it for the customers of a summary."""
        if self.fitted.spend is None:
            return np.inf, np.inf
        count, _ = spend_history(summary, self.fitted.spend_includes_first)
        least = float(count.min())
        spends = [self.fitted.spend.model, *(spend for _, spend in self.draws)]
        points = [of_customers(spend, summary) for spend in spends]
        shapes = [float(np.min(point.q + point.p * least)) for point in points]
        return shapes[0], min(shapes[1:], default=np.inf)


class _Part:
    """Customers, their groups, and their means at the estimate."""

    def __init__(self, asked: Question, summary: Summary) -> None:
        self.asked, self.fitted, self.summary = asked, asked.fitted, summary
        self.t, self.size = asked.t, asked.groups
        self.group, self.margin = asked.group_of(summary), margins(asked.margin, summary)
        self.model = self.fitted.purchases.model
        self.outlook = Outlook.of(self.model, summary.in_unit(self.fitted.purchases.unit))
        self.alive, self.new = self.outlook.alive(self.model), self.outlook.new(self.model)
        self.bought = self._bought(self.outlook, self.model)

    @cached_property
    def worth(self) -> Array | None:
        """What a purchase of each customer is worth; None without amounts."""
        if self.fitted.spend is None:
            return None
        return product(self.margin, expected_spend(self.fitted, self.summary))

    def added(self) -> Added:
        """Add up the customers."""
        mean = self._sums(self.group, self.bought, self.worth)
        if self.asked.simulate:
            drawn, variance = self._simulated(), np.zeros_like(mean)
        else:
            drawn, variance = mean[:, None] * self._ratios(), self._variance()
        clv = np.zeros(self.size)
        if self.worth is not None:
            ahead = discounted(self.new.expected_purchases, self.t, self.asked.rate)
            clv = self._summed(product(self.outlook.each(self.alive, ahead), self.worth))
        customers = np.bincount(self.group, minlength=self.size).astype(float)
        return Added(customers, mean, clv, drawn, variance)

    def _summed(self, values: Array) -> Array:
        """Sums of customers' values by group."""
        return np.bincount(self.group, values, self.size).astype(float)

    def _sums(self, group: Index, bought: Array, worth: Array | None) -> Array:
        """Sums of purchases and of their value by group (kinds, groups)."""
        values = [bought] if worth is None else [bought, product(bought, worth)]
        return np.array([np.bincount(group, v, self.size) for v in values], float)

    def _bought(self, outlook: Outlook, model: Any) -> Array:
        """Expected purchases of each customer of an outlook, under a model."""
        return outlook.each(outlook.alive(model), outlook.new(model).expected_purchases(self.t))

    def _simulated(self) -> Array:
        """Simulate purchases and values (kinds, draws, groups), each draw at other parameters."""
        n = len(self.summary)
        rng = np.random.default_rng([self.asked.seed, mark(self.summary)])
        where, state = self.outlook.where, self.outlook.state[self.outlook.where]
        rows = []
        for model, spend in self.asked.draws:
            new = self.outlook.new(model).spread(self.outlook.repeats.shape).take(state)
            stays = rng.random(n) < self.outlook.alive(model)[where]
            count = np.where(stays, new.simulate(np.full(n, self.t), seed=rng).x, 0.0)
            values = [count] if spend is None else [count, self._paid(spend, count, rng)]
            rows.append([self._summed(each) for each in values])
        return np.array(rows).swapaxes(0, 1)

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

    def _ratios(self) -> Array:
        """Mean at each draw over the mean at the estimate (kinds, draws, groups), in a sample.

        Where the first draws lie on a smooth surface over the parameters, as they do for narrow
        posteriors, the others are read from it.
        """
        draws = self.asked.draws
        found = self._ratios_at(draws[:_FIRST])
        every = _curved(np.array([_values(pair) for pair in draws]), found)
        return (self._ratios_at(draws) if every is None else every).swapaxes(0, 1)

    def _ratios_at(self, draws: Draws) -> Array:
        """Ratios at these draws (draws, kinds, groups)."""
        sample, part, outlook = self._sampled
        group, margin = self.group[sample], self.margin[sample]
        worth = None if self.worth is None else self.worth[sample]
        before = self._sums(group, self.bought[sample], worth)
        rows = []
        for model, spend in draws:
            if spend is not None:
                known = spend_history(part, self.fitted.spend_includes_first)
                point = of_customers(spend, part)
                worth = product(margin, np.asarray(point.expected_spend(*known)))
            now = self._sums(group, self._bought(outlook, model), worth)
            rows.append(np.divide(now, before, out=np.ones_like(now), where=before > 0))
        return np.array(rows)

    @cached_property
    def _sampled(self) -> tuple[Index, Summary, Outlook]:
        """Rows that stand for all, their summary and outlook."""
        sample = self._sample()
        part = self.summary.take(sample)
        return sample, part, Outlook.of(self.model, part.in_unit(self.fitted.purchases.unit))

    def _sample(self) -> Index:
        """Customers that stand for their groups: every so many-th by what they are to buy."""
        order = np.lexsort((self.bought, self.group))
        ends = np.cumsum(np.bincount(self.group, minlength=self.size))
        chosen = []
        for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
            wanted = max(_FEWEST, _SAMPLE * (end - start) // self.asked.whole)
            places = np.linspace(start, end, min(wanted, end - start), endpoint=False)
            chosen.append(order[np.unique(places.astype(np.intp))])
        return np.concatenate(chosen)

    def _variance(self) -> Array:
        """Variances of the groups' totals at the estimate (kinds, groups)."""
        moments = self._moments()[:, self.outlook.state]
        mean, square = (self.alive * moments)[:, self.outlook.where]
        result = [self._summed(square - mean**2)]
        if self.worth is not None:
            model = spend_model(self.fitted, self.summary)
            count, _ = spend_history(self.summary, self.fitted.spend_includes_first)
            freedom, p = model.q + model.p * count, model.p
            # E[S^2 | k purchases] = p k (p k + 1) scale^2 / ((freedom - 1) (freedom - 2))
            lone = (self.worth / p) ** 2 * (freedom - 1) / (freedom - 2)
            spread = lone * (p**2 * square + p * mean) - (mean * self.worth) ** 2
            result.append(self._summed(spread))
        return np.array(result)

    def _moments(self) -> Array:
        """E[k] and E[k^2] of the purchases of the alive in each state, (2, states).

        They are smooth in the age: those of many ages with the same repeats (and covariates) are
        read between a few, by polynomials. (Numbers of purchases with a chance below 1e-9 are cut
        off, which matters more: five digits are right.)
        """
        states = self.outlook
        kinds = collapse([states.repeats, *states.state_codes])
        rows = [np.flatnonzero(kinds.where == kind) for kind in range(kinds.weight.size)]
        rows = [each[np.argsort(states.age[each])] for each in rows]
        nodes = [_nodes(states.age[each]) for each in rows]
        kind = np.repeat(np.arange(len(rows)), [each.size for each in nodes])
        count, age = kinds.columns[0][kind], np.concatenate(nodes)
        codes = tuple(code[kind] for code in kinds.columns[1:])
        every = np.arange(kind.size)
        known = Outlook((count, age, age), codes, every, every, count, age, codes)
        moments = np.zeros((2, kind.size))
        for block in blocks(known, [self.model], self.t, count):
            powers = np.stack([block.k, block.k**2], axis=1)
            moments[:, block.cells] = (block.chance @ powers)[block.row].T
        found = np.zeros((2, states.repeats.size))
        starts = np.cumsum([0, *(each.size for each in nodes)])
        for start, each, at in zip(starts, rows, nodes, strict=False):
            there = moments[:, start : start + at.size]
            same = at.size == each.size
            found[:, each] = there if same else there @ _between(at, states.age[each]).T
        return found


def _nodes(ages: Array) -> Array:
    """Ages at which something smooth is to be known to know it at all of these, ascending."""
    if ages.size <= _NODES:
        return ages
    ends = np.cos(np.linspace(np.pi, 0.0, _NODES))
    return np.asarray(ages[0] + (ages[-1] - ages[0]) * (ends + 1) / 2)


def _between(nodes: Array, ages: Array) -> Array:
    """Matrix (ages, nodes) that takes values at the nodes to the ages: Lagrange's polynomials.

    In barycentric form; the nodes are Chebyshev's (of the second kind).
    """
    weight = (-1.0) ** np.arange(nodes.size)
    weight[[0, -1]] /= 2
    gap = ages[:, None] - nodes
    exact = gap == 0
    terms = weight / np.where(exact, 1.0, gap)
    hit = exact.any(axis=1)
    terms[hit] = exact[hit]
    terms /= terms.sum(axis=1, keepdims=True)
    return np.asarray(terms)


def _values(pair: tuple[Any, Any]) -> list[float]:
    """Parameters of a draw."""
    return [value for model in pair if model is not None for value in model.values()]


def _curved(values: Array, found: Array) -> Array | None:
    """Ratios at all draws (draws, kinds, groups), read from a surface through the first of them.

    Their logarithms as a polynomial of degree two of those of the parameters: `values` (draws,
    parameters) of all, `found` the ratios at the first. None where there are too many parameters
    for that, or the first are off the surface by more than a hundredth of what they vary.
    """
    few = len(found)
    positive = (values > 0).all(axis=0)
    at = np.where(positive, np.log(np.where(positive, values, 1.0)), values)
    spread = at.std(axis=0)
    at = (at - at[:few].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    pairs = np.triu_indices(at.shape[1])
    design = np.column_stack([np.ones(len(at)), at, at[:, pairs[0]] * at[:, pairs[1]]])
    free = few - design.shape[1]  # as many are fitted as there are columns: the rest are a test
    if free < _TESTED or not (found > 0).all():
        return None
    known = np.log(found.reshape(few, -1))
    surface = np.linalg.lstsq(design[:few], known, rcond=None)[0]
    off = np.sqrt(((known - design[:few] @ surface) ** 2).sum(axis=0) / free)
    if (off > _NEAR * known.std(axis=0) + 1e-12).any():
        return None
    every = np.exp(design @ surface)
    return np.asarray(every).reshape(len(values), *found.shape[1:])


def mark(summary: Summary) -> int:
    """Number that tells one part's customers from another's."""
    return zlib.crc32(summary.T.tobytes(), zlib.crc32(summary.recency.tobytes()))
