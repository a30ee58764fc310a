"""A fit: one model, with what the data say about its parameters. A value, not a process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.errors import DataError, ParameterError
from clvmodel.models import MODELS
from clvmodel.tables.frames import pandas_table
from clvmodel.units import UNIT_NAMES, days_in

M = TypeVar("M")
FORMAT = "clvmodel.fit/1"


@dataclass(frozen=True, repr=False)
class Fit(Generic[M]):
    """A model fitted by maximum likelihood.

    `model` is the maximum, in the unit of time `unit`. `covariance_log` is the covariance matrix of
    the logarithms of its parameters (also as an array, `covariance`). `customers` is the number of
    customers, or sum of weights; `left_out` those that say nothing about the parameters.
    `gradient` is the largest entry of the gradient per customer in log-parameters, `converged`
    whether it is below 1e-9 (1e-4 for another package's engine); `message` says in words how the
    search ended.
    """

    model: M
    log_likelihood: float
    covariance_log: tuple[tuple[float, ...], ...]
    customers: float
    left_out: float
    unit: str
    converged: bool
    gradient: float
    message: str
    engine: str = "native"

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance matrix of the log-parameters, symmetric and positive definite."""
        return np.array(self.covariance_log)

    @property
    def parameters(self) -> dict[str, float]:
        """Estimates by name."""
        return {k: v for k, v in self.model.to_dict().items() if k != "model"}  # type: ignore[attr-defined]

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 log L: smaller is better."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian information criterion, k log(customers) - 2 log L: smaller is better."""
        return len(self.parameters) * float(np.log(self.customers)) - 2 * self.log_likelihood

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Confidence interval of each parameter at `level` in (0, 1), formed on the log scale."""
        if not 0 < level < 1:
            raise ParameterError.out_of_range("level", level, "between 0 and 1")
        spread = float(ndtri(0.5 + level / 2)) * np.sqrt(np.diag(self.covariance))
        return {
            name: (value * float(np.exp(-s)), value * float(np.exp(s)))
            for (name, value), s in zip(
                self.parameters.items(), np.minimum(spread, 300), strict=True
            )
        }

    def table(self, level: float = 0.95) -> Any:
        """Estimates with standard errors and intervals: a pandas table, one row per parameter."""
        return pandas_table(self.rows(level), index="parameter")

    def rows(self, level: float = 0.95) -> list[dict[str, Any]]:
        """Return the content of `table` as dictionaries."""
        errors = np.minimum(np.sqrt(np.diag(self.covariance)), 1e300)
        intervals = self.interval(level)
        return [
            {
                "parameter": name,
                "estimate": value,
                "std_error": value * float(error),
                "low": intervals[name][0],
                "high": intervals[name][1],
            }
            for (name, value), error in zip(self.parameters.items(), errors, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON; `from_dict` reads it back."""
        return {
            "format": FORMAT,
            "model": self.model.to_dict(),  # type: ignore[attr-defined]
            "log_likelihood": self.log_likelihood,
            "covariance_log": [list(row) for row in self.covariance_log],
            "customers": self.customers,
            "left_out": self.left_out,
            "unit": self.unit,
            "converged": self.converged,
            "gradient": self.gradient,
            "message": self.message,
            "engine": self.engine,
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Fit[Any]:
        """Make the fit that `to_dict` described; raises DataError if it is none."""
        if data.get("format") != FORMAT:
            raise DataError(f"This is no fit of this version: format == {data.get('format')!r}.")
        try:
            parameters = dict(data["model"])
            model = MODELS[parameters.pop("model")](**parameters)
            rest = {k: v for k, v in data.items() if k not in ("format", "model", "covariance_log")}
            days_in(rest["unit"])
            covariance = tuple(tuple(float(v) for v in row) for row in data["covariance_log"])
            return Fit(model=model, covariance_log=covariance, **rest)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"This fit is damaged: {type(error).__name__}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Fit[Any]:
        """Make the fit that `to_json` described; raises DataError if it is none."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"This is not JSON: {error}.") from error
        return cls.from_dict(data if isinstance(data, dict) else {})

    def __repr__(self) -> str:
        """Return the estimates as a small table, and how the fit went."""
        name = type(self.model).__name__
        timed = "T" in self.model.columns  # type: ignore[attr-defined]
        time = f", time in {UNIT_NAMES[self.unit]}" if timed else ""
        lines = [
            f"{name}, {self.customers:,.0f} customers{time}",
            f"log-likelihood {self.log_likelihood:.3f}   AIC {self.aic:.1f}   BIC {self.bic:.1f}",
            f"{'':8}{'estimate':>12}{'std. error':>12}{'2.5%':>12}{'97.5%':>12}",
        ]
        lines += [
            f"{row['parameter']:8}{row['estimate']:12.5g}{row['std_error']:12.4g}"
            f"{row['low']:12.5g}{row['high']:12.5g}"
            for row in self.rows()
        ]
        return "\n".join([*lines, self.message])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
