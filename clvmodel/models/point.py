"""What every model is: one point in its parameter space, made from plain numbers, validated."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodel.errors import ParameterError

Array = NDArray[np.float64]
Seed = int | np.random.Generator | None


class Derivatives(NamedTuple):
    """A log-likelihood (n), its gradient (k, n) and Hessian (k, k, n) in the k parameters."""

    value: Array
    gradient: Array
    hessian: Array


class Point:
    """Mixin of the frozen dataclasses that are models: names, values, checks, a dictionary.

    Parameters are numbers; within the package also arrays that broadcast with the data: one point
    per customer (covariates, updates) or per draw (a posterior). Such a point has no equality.
    """

    __slots__ = ()

    title: ClassVar[str]
    """The name of the model in the literature."""
    columns: ClassVar[tuple[str, ...]]
    """The columns of a customer summary that the likelihood reads, in its order of arguments."""
    scaled: ClassVar[tuple[str, ...]]
    """Those of them that are measured in the unit which `rescaled` changes (time, or money)."""
    limits: ClassVar[dict[str, str]]
    """What it means when an estimate runs away: "a low" or "r high" -> words."""
    effects: ClassVar[dict[str, float]] = {}
    """Parameters on which covariates may act, and the sign with which they do."""

    def __post_init__(self) -> None:
        """Refuse a parameter that is not a finite positive number."""
        values: tuple[Any, ...] = self.values()
        for name, value in zip(self.names(), values, strict=True):
            if isinstance(value, np.ndarray) and value.dtype.kind not in "iuf":
                raise ParameterError.not_positive(type(self).__name__, name, value)
            if isinstance(value, np.ndarray) and value.ndim:
                if not bool(np.all(np.isfinite(value) & (value > 0))):
                    bad = value[~(np.isfinite(value) & (value > 0))][0]
                    raise ParameterError.not_positive(type(self).__name__, name, bad)
                continue
            number = isinstance(value, int | float | np.number | np.ndarray)
            if not number or isinstance(value, bool) or not (np.isfinite(value) and value > 0):
                raise ParameterError.not_positive(type(self).__name__, name, value)
            object.__setattr__(self, name, float(value))

    @property
    def caveat(self) -> str:
        """What a user must know about this point of the family, in words; mostly nothing."""
        return ""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    def values(self) -> tuple[float, ...]:
        """Values of the parameters, in order."""
        return tuple(getattr(self, name) for name in self.names())

    def arrays(self) -> tuple[Array, ...]:
        """Values of the parameters as float arrays, in order."""
        return tuple(np.asarray(value, float) for value in self.values())

    def spread(self, shape: tuple[int, ...]) -> Self:
        """Return the points of data of this shape, flattened: one number, or one per element."""
        spread = (np.broadcast_to(v, shape).ravel() if v.ndim else v for v in self.arrays())
        return type(self)(*spread)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the points of these rows of the data, where there is one per row."""
        return type(self)(*(v[rows] if v.ndim else v for v in self.arrays()))

    @classmethod
    def from_log(cls, log_parameters: ArrayLike) -> Self:
        """Make the model whose parameters have these logarithms, one row per parameter."""
        return cls(*np.exp(np.asarray(log_parameters, float)))

    def to_dict(self) -> dict[str, Any]:
        """Return {"model": class name, parameter: value, ...}."""
        return {
            "model": type(self).__name__,
            **dict(zip(self.names(), self.values(), strict=True)),
        }


def as_arrays(*values: ArrayLike) -> tuple[Array, ...]:
    """Return the arguments as float arrays of one common shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, float) for value in values)))


def as_float(value: Any) -> Array:
    """Return float64: an array, or a scalar where every argument was one."""
    result: Array = np.asarray(value, float)[()]
    return result


def symmetric(entries: dict[tuple[int, int], Array | float], size: int, like: Array) -> Array:
    """Hessians (size, size, *like.shape) from their entries (i, j), i <= j; the others are 0."""
    hessian = np.zeros((size, size, *like.shape))
    for (i, j), entry in entries.items():
        hessian[i, j] = entry
        hessian[j, i] = entry
    return hessian
