"""A fit: one model, with what the data say about its parameters. A value, not a process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.errors import DataError, ParameterError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.fitting.posterior import Posterior
from clvmodel.models import MODELS
from clvmodel.models.point import Seed
from clvmodel.tables.cells import Cells
from clvmodel.tables.design import Design
from clvmodel.tables.frames import pandas_table
from clvmodel.units import UNIT_NAMES, days_in

M = TypeVar("M")
FORMAT = "clvmodel.fit/2"
METHODS = ("delta", "profile")


@dataclass(frozen=True, repr=False)
class Fit(Generic[M]):
    """A model fitted by maximum likelihood.

    `model` is the maximum, in the unit of time `unit`. `covariance_log` is the covariance matrix of
    the logarithms of its parameters (also as an array, `covariance`). `customers` is the number of
    customers, or sum of weights; `left_out` those that say nothing about the parameters.
    `gradient` is the largest entry of the gradient per customer in log-parameters, `converged`
    whether it is below 1e-9 (1e-4 for another package's engine); `message` says in words how the
    search ended.

    With covariates the model is a CovariateModel, and the coefficients follow the parameters
    wherever these are listed; they enter the covariance as they are, not as logarithms. `cells` are
    the data, collapsed; they are kept in memory only and are not part of the fit as a value: a fit
    read from JSON or a pickle has none.
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
    penalty: float = 0.0
    cells: Cells | None = field(default=None, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the data, and draws that are kept, out of a pickle."""
        kept = {name: value for name, value in self.__dict__.items() if name != "drawn"}
        return {**kept, "cells": None}

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance matrix of log-parameters (and coefficients), symmetric, positive definite."""
        return np.array(self.covariance_log)

    @property
    def parameters(self) -> dict[str, float]:
        """Estimates by name; coefficients are named "parameter: regressor"."""
        return dict(zip(self.model.names(), self.model.values(), strict=True))  # type: ignore[attr-defined]

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 log L: smaller is better."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Bayesian information criterion, k log(customers) - 2 log L: smaller is better."""
        return len(self.parameters) * float(np.log(self.customers)) - 2 * self.log_likelihood

    def interval(
        self, level: float = 0.95, method: str = "delta"
    ) -> dict[str, tuple[float, float]]:
        """Confidence interval of each parameter at `level` in (0, 1).

        "delta" forms it on the log scale from the covariance (coefficients: as they are);
        "profile" by the likelihood ratio, maximized over the other parameters: slower, better where
        the likelihood is lopsided, and open (0 or inf) where the data do not bound a parameter.
        "profile" needs the data, which a fit read from a file has not: raises DataError.
        """
        if not 0 < level < 1:
            raise ParameterError.out_of_range("level", level, "between 0 and 1")
        if method not in METHODS:
            raise ParameterError.not_one_of("method", method, METHODS)
        if method == "profile":
            from clvmodel.fitting.profile import profile_intervals

            return profile_intervals(self, level)
        spread = float(ndtri(0.5 + level / 2)) * np.sqrt(np.diag(self.covariance))
        return {
            name: (value - s, value + s)
            if ":" in name
            else (value * float(np.exp(-min(s, 300))), value * float(np.exp(min(s, 300))))
            for (name, value), s in zip(self.parameters.items(), map(float, spread), strict=True)
        }

    def at(self, parameters: NDArray[np.float64]) -> Any:
        """Return the model with other parameters and coefficients, in the order of `parameters`."""
        values = [float(value) for value in parameters]
        model: Any = self.model
        if not isinstance(model, CovariateModel):
            return type(model)(*values)
        k = len(model.base.names())
        coefficients = zip(model.coefficients, values[k:], strict=True)
        moved = tuple((name, label, value) for (name, label, _), value in coefficients)
        return CovariateModel(model.family(*values[:k]), model.design, moved)

    def sample(self, n: int, *, seed: Seed = None) -> Posterior:
        """Draw n sets of parameters from their posterior under flat priors on the log scale.

        (Coefficients of covariates: flat as they are; a penalty of the fit counts as a prior.) The
        prior ends where the search did: at a factor of a million from ordinary values, which
        matters only for parameters that the data do not bound. Draws come from the normal
        approximation around the maximum, corrected by Pareto-smoothed importance sampling; where
        its k-hat is above 0.7, from Markov chains. A fit read from a file has no data to correct
        with: its draws are those of the normal approximation, and say so.
        """
        from clvmodel.fitting.estimate import draw

        return draw(self, n, seed)

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
                "std_error": float(error) * (1.0 if ":" in name else value),
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
            "penalty": self.penalty,
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
            model = _model_from(dict(data["model"]))
            rest = {k: v for k, v in data.items() if k not in ("format", "model", "covariance_log")}
            days_in(rest["unit"])
            covariance = tuple(tuple(float(v) for v in row) for row in data["covariance_log"])
            if {len(covariance), *map(len, covariance)} != {len(model.names())}:
                raise ValueError("the covariance is of another size")
            return Fit(model=model, covariance_log=covariance, **rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
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
        family: Any = getattr(self.model, "family", type(self.model))
        time = f", time in {UNIT_NAMES[self.unit]}" if "T" in family.columns else ""
        wide = max(8, *(len(name) + 1 for name in self.parameters))
        lines = [
            f"{family.__name__}, {self.customers:,.0f} customers{time}",
            f"log-likelihood {self.log_likelihood:.3f}   AIC {self.aic:.1f}   BIC {self.bic:.1f}",
            f"{'':{wide}}{'estimate':>12}{'std. error':>12}{'2.5%':>12}{'97.5%':>12}",
        ]
        lines += [
            f"{row['parameter']:{wide}}{row['estimate']:12.5g}{row['std_error']:12.4g}"
            f"{_end(row, 'low'):>12}{_end(row, 'high'):>12}"
            for row in self.rows()
        ]
        return "\n".join([*lines, self.message])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _end(row: dict[str, Any], side: str) -> str:
    """An end of an interval; that of a parameter a million times away is no bound."""
    end, estimate = row[side], row["estimate"]
    if ":" in row["parameter"]:
        return f"{end:.5g}"
    if end > 1e6 * estimate:
        return "no bound"
    return f"{0.0 if end < 1e-6 * estimate else end:.5g}"


def _model_from(data: dict[str, Any]) -> Any:
    """Make the model that its `to_dict` described, with covariates or without."""
    covariates, coefficients = data.pop("covariates", None), data.pop("coefficients", ())
    base = MODELS[data.pop("model")](**data)
    if covariates is None:
        return base
    entries = tuple((str(p), str(label), float(value)) for p, label, value in coefficients)
    model = CovariateModel(base, Design.from_dict(covariates), entries)
    if sum(len(effect.regressors) for effect in model.effects) != len(entries):
        raise ValueError("coefficients of parameters that take none")
    return model
