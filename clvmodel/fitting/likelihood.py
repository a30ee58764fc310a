"""A model's likelihood of some cells, as a function on an unbounded scale: what engines climb.

A position is the logarithms of the model's parameters, then the coefficients of covariates. A
covariate acts log-linearly: log(parameter of a customer) = log(parameter) + sign * z'coefficients.
Time (or money) is counted in its typical value and covariates in standard deviations from their
mean, so that positions are of order one whatever the data's units; `natural` undoes that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WALL = float(np.log(1e6))  # positions are kept within this distance of 0, in every coordinate
_FAR = 150.0  # logarithm of a customer's parameter; its fourth power is still a number
_BLOCK = 1 << 13  # cells at a time: temporaries stay in the processor's cache
_ENTRIES = 1 << 19  # positions times cells at a time


class Local(NamedTuple):
    """The objective near a position: value, gradient and Hessian, all per customer."""

    value: float
    gradient: Array
    hessian: Array


class Effect(NamedTuple):
    """Covariates that act on one parameter: its place, the sign, and the regressors' places."""

    parameter: int
    sign: float
    regressors: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The mean log-likelihood of weighted cells less a penalty, in scaled coordinates.

    `columns` are the model's, in natural units; `regressors` (cells, m) the covariates'. `penalty`
    times the squared length of a position is subtracted per customer: with it, parameters are drawn
    towards one (shapes) or the typical time (scales), and standardized coefficients towards zero.
    """

    family: Any
    columns: tuple[Array, ...]
    weight: Array
    regressors: Array | None = None
    effects: tuple[Effect, ...] = ()
    penalty: float = 0.0

    @cached_property
    def total(self) -> float:
        """Sum of the weights: the number of customers."""
        return float(self.weight.sum())

    @cached_property
    def scale(self) -> float:
        """A typical value of the last scaled column (T, or money): the weighted mean."""
        if not self.family.scaled:
            return 1.0
        values = self.columns[self.family.columns.index(self.family.scaled[-1])]
        mean = float(self.weight @ values / self.total)
        return mean if mean > 0 else 1.0

    @cached_property
    def scaled(self) -> list[Array]:
        """The columns in typical units."""
        return [
            column / self.scale if name in self.family.scaled else column
            for name, column in zip(self.family.columns, self.columns, strict=True)
        ]

    @cached_property
    def _standard(self) -> tuple[Array, Array, Array]:
        """Mean and deviation of the regressors, and the regressors in these terms."""
        if self.regressors is None:
            return np.zeros(0), np.ones(0), np.zeros((self.weight.size, 0))
        mean = self.weight @ self.regressors / self.total
        spread = np.sqrt(self.weight @ (self.regressors - mean) ** 2 / self.total)
        spread = np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1e-300), spread, 1.0)
        return mean, spread, (self.regressors - mean) / spread

    @property
    def remotest(self) -> int:
        """Place of the regressor whose mean lies farthest from 0, in its deviations."""
        mean, spread, _ = self._standard
        return int(np.argmax(np.abs(mean) / spread))

    @cached_property
    def reach(self) -> Array:
        """How far one step in each coordinate moves the parameters of some customer, at most."""
        most = np.abs(self._standard[2]).max(axis=0, initial=1.0)
        parts = [np.ones(len(self.family.names()))]
        return np.concatenate(parts + [most[list(e.regressors)] for e in self.effects])

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.family.names()) + sum(len(e.regressors) for e in self.effects)

    def natural(self, positions: Array) -> Array:
        """Positions (d, size) as logs of parameters and coefficients in the data's own units."""
        return positions @ self.map[0].T + self.map[1]

    def position(self, natural: Array) -> Array:
        """Return the inverse of `natural`."""
        return np.asarray(np.linalg.solve(self.map[0], (natural - self.map[1]).T).T)

    def natural_covariance(self, covariance: Array) -> Array:
        """Covariance of `natural` positions."""
        moved = self.map[0] @ covariance @ self.map[0].T
        return np.asarray(0.5 * (moved + moved.T))

    @cached_property
    def map(self) -> tuple[Array, Array]:
        """Matrix and shift that lead from positions to natural ones."""
        k = len(self.family.names())
        ones = self.family.from_log(np.zeros(k))
        shift = np.zeros(self.size)
        shift[:k] = np.log(ones.rescaled(self.scale).values())
        matrix = np.eye(self.size)
        mean, spread, _ = self._standard
        at = k
        for parameter, sign, chosen in self.effects:
            for j in chosen:
                matrix[at, at] = 1 / spread[j]
                matrix[parameter, at] = -sign * mean[j] / spread[j]
                at += 1
        return matrix, shift

    def _point(self, position: Array, z: Array) -> Any:
        """The model at a position: one point, or one per row of regressors z."""
        k = len(self.family.names())
        if not self.effects:
            return self.family.from_log(position[:k])
        logs: list[Any] = list(position[:k])
        at = k
        for parameter, sign, chosen in self.effects:
            coefficients = position[at : at + len(chosen)]
            logs[parameter] = logs[parameter] + sign * (z[:, chosen] @ coefficients)
            at += len(chosen)
        return self.family(*(np.exp(np.clip(log, -_FAR, _FAR)) for log in logs))

    def log_likelihood(self, natural: Array) -> float:
        """Sum over all customers, without penalty, in the data's own units."""
        total = 0.0
        z = self._standard[2] if self.regressors is None else self.regressors
        for rows in self._blocks(_BLOCK):
            columns = [column[rows] for column in self.columns]
            values = self._point(natural, z[rows]).log_likelihood(*columns)
            total += float(values @ self.weight[rows])
        return total

    def values(self, positions: Array) -> Array:
        """Log-likelihood (a sum, less the penalty) at positions (d, size): (d,)."""
        d, k = positions.shape[0], len(self.family.names())
        total = -self.penalty * self.total * (positions**2).sum(axis=1)
        if self.effects:
            z = self._standard[2]
            for i in range(d):
                for rows in self._blocks(_BLOCK):
                    values = self._point(positions[i], z[rows]).log_likelihood(*self._rows(rows))
                    total[i] += values @ self.weight[rows]
            return np.asarray(total)
        step = max(1, min(d, _ENTRIES // max(min(self.weight.size, _BLOCK), 1)))
        for start in range(0, d, step):
            many = self.family.from_log(positions[start : start + step, :k].T[:, :, None])
            for rows in self._blocks(_BLOCK):
                values = many.log_likelihood(*self._rows(rows))
                total[start : start + step] += values @ self.weight[rows]
        return np.asarray(total)

    def value(self, position: Array) -> float:
        """Return the objective, per customer."""
        return float(self.values(position[None])[0]) / self.total

    def local(self, position: Array) -> Local:
        """Objective, gradient and Hessian, per customer."""
        value, gradient = 0.0, np.zeros(self.size)
        hessian = np.zeros((self.size, self.size))
        k, z = len(self.family.names()), self._standard[2]
        for rows in self._blocks(_BLOCK):
            point, weight = self._point(position, z[rows]), self.weight[rows]
            there = point.derivatives(*self._rows(rows))
            value += float(there.value @ weight)
            if not self.effects:
                gradient += there.gradient @ weight
                hessian += there.hessian @ weight
            else:
                slopes, bends = _in_logs(point, there.gradient, there.hessian)
                self._add(gradient, hessian, slopes * weight, bends * weight, rows)
        if not self.effects:
            theta = np.exp(position[:k])
            gradient = gradient * theta
            hessian = hessian * np.outer(theta, theta) + np.diag(gradient)
        return Local(
            value / self.total - self.penalty * float(position @ position),
            gradient / self.total - 2 * self.penalty * position,
            0.5 * (hessian + hessian.T) / self.total - 2 * self.penalty * np.eye(self.size),
        )

    def _add(
        self, gradient: Array, hessian: Array, slopes: Array, bends: Array, rows: slice
    ) -> None:
        """Add what some cells say: coordinates are the parameters, then effects on them."""
        k, z = len(self.family.names()), self._standard[2][rows]
        ones = np.ones((z.shape[0], 1))
        parts = [(j, 1.0, ones) for j in range(k)]
        parts += [(e.parameter, e.sign, z[:, list(e.regressors)]) for e in self.effects]
        ends = np.cumsum([part[2].shape[1] for part in parts])
        places = [slice(end - part[2].shape[1], end) for end, part in zip(ends, parts, strict=True)]
        for place, (j, sign, matrix) in zip(places, parts, strict=True):
            gradient[place] += sign * (slopes[j] @ matrix)
            for other, (i, also, columns) in zip(places, parts, strict=True):
                hessian[place, other] += sign * also * (matrix.T * bends[j, i]) @ columns

    def _blocks(self, size: int) -> list[slice]:
        cells = self.weight.size
        return [slice(start, min(start + size, cells)) for start in range(0, cells, size)]

    def _rows(self, rows: slice) -> list[Array]:
        return [column[rows] for column in self.scaled]

    def thinned(self, cells: int) -> Likelihood:
        """Return about so many of the cells, each in proportion to its weight: a rough copy."""
        ends = np.cumsum(self.weight)
        marks = (np.arange(cells) + 0.5) * (ends[-1] / cells)
        chosen, counts = np.unique(np.searchsorted(ends, marks), return_counts=True)
        return Likelihood(
            self.family,
            tuple(column[chosen] for column in self.columns),
            np.asarray(counts * (self.total / cells), float),
            None if self.regressors is None else self.regressors[chosen],
            self.effects,
            self.penalty,
        )

    def start(self) -> Array:
        """A rough position to begin a search at: moments, and no effect of covariates."""
        point = self.family.start(*self.scaled, self.weight)
        return np.concatenate([np.log(point.values()), np.zeros(self.size - len(point.values()))])


def _in_logs(point: Any, gradient: Array, hessian: Array) -> tuple[Array, Array]:
    """Derivatives in the logarithms of the parameters, for one point per cell."""
    theta = np.stack(np.broadcast_arrays(*point.arrays(), gradient[0])[:-1])
    slopes = gradient * theta
    bends = hessian * theta[:, None] * theta[None, :]
    for j, slope in enumerate(slopes):
        bends[j, j] += slope
    return slopes, bends


def effects_of(family: Any, chosen: Mapping[str, Sequence[int]]) -> tuple[Effect, ...]:
    """Effects of the regressors chosen for each parameter, in the model's order."""
    names = family.names()
    return tuple(
        Effect(names.index(name), sign, tuple(chosen[name]))
        for name, sign in family.effects.items()
        if chosen.get(name)
    )
