"""Maximum likelihood for every model: Newton steps on cells, in dimensionless coordinates.

A likelihood gives its gradient and Hessian; convergence is judged on the gradient per customer, not
by a flag of an optimiser. Positions stay in a wide box: an estimate on its wall is a direction in
which the data say nothing more, and is reported as such. Large data are searched in a sample
first, so that only the last few steps read all cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clvmodel.fitting.likelihood import WALL, Likelihood, Local

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CONVERGED = 1e-9  # largest gradient per customer
_STEPS = 200
_FLAT = 1e-7  # information per customer below which a direction is called flat
_MANY = 20_000  # cells above which a search begins with a sample of them
_SAMPLE = 4_000
_UNLIKELY = 5.0  # effect on a log-parameter that a sample is not believed to have shown
_SPREADS = (0.2, 5.0, 0.04)  # further starts: every other parameter of the first times these


@dataclass(frozen=True)
class Optimum:
    """Where a search ended: position, information matrix there, gradient per customer.

    `flat` names the parameters that the data do not bound, `empty` says that it is all of them.
    """

    position: Array
    information: Array
    gradient: float
    converged: bool
    flat: tuple[str, ...]
    empty: bool
    starts: int


def search(likelihood: Likelihood) -> Optimum:
    """Maximize a likelihood, from the first start that leads to an inner maximum.

    If one start fails, or ends where the data bound nothing, the others are tried too, and the
    best end of all is returned.
    """
    first = np.clip(likelihood.start(), -WALL, WALL)
    best: tuple[Array, Local] | None = None
    starts = _starts(likelihood, first)
    tried = 0
    for start in starts:
        tried += 1
        end = climb(likelihood, start)
        if best is None or end[1].value > best[1].value + 1e-12 * abs(best[1].value):
            best = end
        if _is_top(*end) and not _flat_directions(likelihood, *end):
            break
    assert best is not None
    position, local = best
    information = -local.hessian
    return Optimum(
        position=position,
        information=information * likelihood.total,
        gradient=_largest(local.gradient, _free(position, local.gradient)),
        converged=_is_top(position, local),
        flat=_flat_directions(likelihood, position, local),
        empty=bool(np.linalg.eigvalsh(information)[-1] < _FLAT and np.all(position == first)),
        starts=tried,
    )


def _starts(likelihood: Likelihood, first: Array) -> list[Array]:
    """The end of a search in a sample where there are many cells, moments, and others."""
    starts = [first]
    k = len(likelihood.family.names())
    if likelihood.weight.size > _MANY:
        rough = likelihood.thinned(_SAMPLE)
        position, local = climb(rough, first)
        if _is_top(position, local) and not _flat_directions(rough, position, local):
            # the sample has a unit of its own
            found = likelihood.position(rough.natural(position))
            # and may hold too few of a category for its effect to be bounded
            far = np.abs(found * likelihood.reach) > _UNLIKELY
            far[:k] = False
            starts.insert(0, np.where(far, 0.0, found))
    for spread in _SPREADS:
        moved = first.copy()
        moved[:k:2] += np.log(spread)
        starts.append(np.clip(moved, -np.log(1e3), np.log(1e3)))
    return starts


class Hill(Protocol):
    """What can be climbed: a function with its gradient and Hessian."""

    @property
    def reach(self) -> Array:
        """What a step of one in each coordinate amounts to, at most."""

    def local(self, position: Array) -> Local:
        """Objective, gradient and Hessian, per customer."""


def climb(
    likelihood: Hill, position: Array, held: Sequence[int] = (), wall: float = WALL
) -> tuple[Array, Local]:
    """Newton steps with a trust radius, until the gradient vanishes or no step gains.

    Coordinates in `held` stay where they are; all stay within `wall` of 0.
    """
    position = np.clip(position, -wall, wall)
    here = likelihood.local(position)
    radius, reach = 1.0, likelihood.reach
    for _ in range(_STEPS):
        free = _free(position, here.gradient, wall)
        free[list(held)] = False
        if _largest(here.gradient, free) < CONVERGED * 1e-2:
            break
        step = _bounded_step(position, here, free, radius, wall, reach)
        trial = np.clip(position + step, -wall, wall)
        moved = float((np.abs(trial - position) * reach).max())
        expected = float(here.gradient @ (trial - position))
        there = likelihood.local(trial)
        noise = 1e-13 * max(abs(here.value), 1.0)
        level = there.value > here.value - noise
        calmer = _largest(there.gradient, free) < _largest(here.gradient, free)
        if level and (expected > noise or calmer):
            good = there.value - here.value > 0.3 * expected or expected < 1e3 * noise
            radius = min(4.0, 2 * radius) if good else radius
            position, here = trial, there
        elif expected < noise or moved < 1e-12:
            break
        else:
            radius = 0.25 * moved
    return position, here


def _bounded_step(
    position: Array, local: Local, free: Mask, radius: float, wall: float, reach: Array
) -> Array:
    """Newton's step in the free directions, shortened to end at the wall it would cross first.

    Shortened as a whole, so that parameters which run away together stay together.
    """
    free = free.copy()
    while free.any():
        step = np.zeros_like(position)
        gradient, hessian = local.gradient / reach, local.hessian / np.outer(reach, reach)
        step[free] = _newton_step(gradient[free], hessian[np.ix_(free, free)], radius)
        step /= reach
        outward = (np.abs(position) >= wall) & (step * position > 0)
        if not outward.any():
            break
        free &= ~outward
    else:
        return np.zeros_like(position)
    room = np.where(step > 0, wall - position, wall + position)
    moving = step != 0
    shorter = float((room[moving] / np.abs(step[moving])).min(initial=1.0))
    return step * min(shorter, 1.0)


def _newton_step(gradient: Array, hessian: Array, radius: float) -> Array:
    """Ascent step: Newton's where the curvature is negative, cut to the trust radius."""
    values, vectors = np.linalg.eigh(hessian)
    along = vectors.T @ gradient
    step = vectors @ (along / np.maximum(np.abs(values), 1e-12))
    longest = float(np.abs(step).max())
    return np.asarray(step if longest <= radius else step * (radius / longest))


def _free(position: Array, gradient: Array, wall: float = WALL) -> Mask:
    """Coordinates that are not pressed against a wall of the box."""
    return np.asarray(~((np.abs(position) >= wall) & (position * gradient > 0)))


def _is_top(position: Array, local: Local) -> bool:
    return _largest(local.gradient, _free(position, local.gradient)) < CONVERGED


def _largest(gradient: Array, free: Mask) -> float:
    return float(np.abs(gradient[free]).max(initial=0.0))


def _flat_directions(likelihood: Likelihood, position: Array, local: Local) -> tuple[str, ...]:
    """Parameters that ran away, or move along a direction without information: "a low", ..."""
    values, vectors = np.linalg.eigh(-local.hessian)
    flat = []
    for i, name in enumerate(likelihood.family.names()):
        side = "low" if position[i] < 0 else "high"
        loose = any(abs(vectors[i, k]) > 0.3 for k in np.flatnonzero(values < _FLAT))
        if abs(position[i]) > 0.99 * WALL or (loose and abs(position[i]) > np.log(50)):
            flat.append(f"{name} {side}")
    return tuple(flat)


def covariance_of(information: Array) -> Array:
    """Covariance of a position: the inverse information, symmetric positive definite.

    A direction without information gets a huge variance rather than a negative one.
    """
    values, vectors = np.linalg.eigh(information)
    safe = np.maximum(values, max(1e-12 * float(np.abs(values).max()), 1e-8))
    covariance = (vectors / safe) @ vectors.T
    return np.asarray(0.5 * (covariance + covariance.T))
