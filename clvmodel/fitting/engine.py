"""Maximum likelihood for every model: Newton in log-parameters, on cells, in dimensionless units.

The search needs a log-likelihood and its score; curvature comes from differences of the score.
Convergence is judged on the gradient per customer, not by a flag of the optimiser. Log-parameters
stay in a wide box: an estimate on its wall is a direction in which the data say nothing more, and
is reported as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


CONVERGED = 1e-9  # largest gradient per customer, in log-parameters
_WALL = np.log(1e6)  # the box of the log-parameters, about 0, in dimensionless units
_STEPS = 200
_FLAT = 1e-7  # information per customer below which a direction is called flat


class Objective(NamedTuple):
    """What is climbed, per customer and in log-parameters; curvature needs the gradient alone."""

    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]


@dataclass(frozen=True)
class Optimum:
    """Where a search ended: log-parameters, information matrix there, gradient per customer.

    `flat` names the parameters that the data do not bound, `empty` says that it is all of them.
    """

    point: Array
    information: Array
    gradient: float
    converged: bool
    flat: tuple[str, ...]
    empty: bool
    starts: int


def search(model: Any, columns: Sequence[Array], weight: Array, starts: Sequence[Any]) -> Optimum:
    """Maximize the weighted log-likelihood, from the first start that leads to a maximum.

    If one start fails the next is tried, and the best end of all is returned.
    """
    total = float(weight.sum())
    objective = _objective(model, columns, weight)
    best: tuple[float, Array, Array] | None = None
    first = np.clip(np.log(starts[0].values()), -_WALL, _WALL)
    tried = 0
    for start in starts:
        tried += 1
        value, point, gradient = _climb(objective, np.log(np.array(start.values())))
        if best is None or value > best[0]:
            best = value, point, gradient
        if _is_top(point, gradient):
            break
    assert best is not None
    _, point, gradient = best
    information = -_curvature(objective, point)
    flat = _flat_directions(model.names(), point, information)
    return Optimum(
        point=point,
        information=information * total,
        gradient=_largest(gradient, _free(point, gradient)),
        converged=_is_top(point, gradient),
        flat=flat,
        empty=bool(np.linalg.eigvalsh(information)[-1] < _FLAT and np.all(point == first)),
        starts=tried,
    )


def local_shape(
    model: Any, columns: Sequence[Array], weight: Array, point: Array
) -> tuple[Array, Array]:
    """Gradient per customer and information matrix at any log-parameters."""
    objective = _objective(model, columns, weight)
    return objective.gradient(point), -_curvature(objective, point) * float(weight.sum())


def _objective(model: Any, columns: Sequence[Array], weight: Array) -> Objective:
    """Mean log-likelihood and its gradient, in log-parameters."""
    total = float(weight.sum())

    def value(point: Array) -> float:
        return float(weight @ model.from_log(point).log_likelihood(*columns)) / total

    def gradient(point: Array) -> Array:
        slopes = model.from_log(point).score(*columns) @ weight
        return np.asarray(slopes * np.exp(point) / total)

    return Objective(value, gradient)


def _climb(objective: Objective, point: Array) -> tuple[float, Array, Array]:
    """Newton steps with a trust radius, until the gradient vanishes or no step gains."""
    point = np.clip(point, -_WALL, _WALL)
    value, gradient = objective.value(point), objective.gradient(point)
    radius = 1.0
    for _ in range(_STEPS):
        free = _free(point, gradient)
        if _largest(gradient, free) < CONVERGED * 1e-2:
            break
        step = _bounded_step(point, gradient, _curvature(objective, point, gradient), free, radius)
        trial = np.clip(point + step, -_WALL, _WALL)
        moved, expected = float(np.abs(trial - point).max()), float(gradient @ (trial - point))
        new_value, new_gradient = objective.value(trial), objective.gradient(trial)
        noise = 1e-13 * max(abs(value), 1.0)
        level = new_value > value - noise
        calmer = _largest(new_gradient, free) < _largest(gradient, free)
        if level and (expected > noise or calmer):
            good = new_value - value > 0.3 * expected or expected < 1e3 * noise
            radius = min(4.0, 2 * radius) if good else radius
            point, value, gradient = trial, new_value, new_gradient
        elif expected < noise or moved < 1e-12:
            break
        else:
            radius = 0.25 * moved
    return value, point, gradient


def _bounded_step(
    point: Array, gradient: Array, hessian: Array, free: NDArray[np.bool_], radius: float
) -> Array:
    """Newton's step in the free directions, shortened to end at the wall it would cross first.

    Shortened as a whole, so that parameters which run away together stay together.
    """
    free = free.copy()
    while free.any():
        step = np.zeros_like(point)
        step[free] = _newton_step(gradient[free], hessian[np.ix_(free, free)], radius)
        outward = (np.abs(point) >= _WALL) & (step * point > 0)
        if not outward.any():
            break
        free &= ~outward
    else:
        return np.zeros_like(point)
    room = np.where(step > 0, _WALL - point, _WALL + point)
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


def _curvature(objective: Objective, point: Array, gradient: Array | None = None) -> Array:
    """Hessian from differences of the gradient: one-sided on the way, two-sided at the end."""
    size = 1e-5
    rows = []
    for i in range(point.size):
        ahead = point.copy()
        ahead[i] += size
        if gradient is None:
            behind = point.copy()
            behind[i] -= size
            rows.append((objective.gradient(ahead) - objective.gradient(behind)) / (2 * size))
        else:
            rows.append((objective.gradient(ahead) - gradient) / size)
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))


def _free(point: Array, gradient: Array) -> NDArray[np.bool_]:
    """Log-parameters that are not pressed against a wall of the box."""
    return np.asarray(~((np.abs(point) >= _WALL) & (point * gradient > 0)))


def _is_top(point: Array, gradient: Array) -> bool:
    return _largest(gradient, _free(point, gradient)) < CONVERGED


def _largest(gradient: Array, free: NDArray[np.bool_]) -> float:
    return float(np.abs(gradient[free]).max(initial=0.0))


def _flat_directions(names: Sequence[str], point: Array, information: Array) -> tuple[str, ...]:
    """Parameters that ran away, or move along a direction without information: "a low", ..."""
    values, vectors = np.linalg.eigh(information)
    flat = []
    for i, name in enumerate(names):
        side = "low" if point[i] < 0 else "high"
        loose = any(abs(vectors[i, k]) > 0.3 for k in np.flatnonzero(values < _FLAT))
        if abs(point[i]) > 0.99 * _WALL or (loose and abs(point[i]) > np.log(50)):
            flat.append(f"{name} {side}")
    return tuple(flat)


def covariance_of(information: Array) -> Array:
    """Covariance of the log-parameters: the inverse information, symmetric positive definite.

    A direction without information gets a huge variance rather than a negative one.
    """
    values, vectors = np.linalg.eigh(information)
    safe = np.maximum(values, max(1e-12 * float(np.abs(values).max()), 1e-8))
    covariance = (vectors / safe) @ vectors.T
    return np.asarray(0.5 * (covariance + covariance.T))
