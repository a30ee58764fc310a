"""A model whose parameters depend on what is known of each customer, log-linearly.

    log(parameter of a customer) = log(parameter) + sign * sum of coefficient times covariate

With [FH07] the sign is such that a positive coefficient means more purchases, or more leaving, or
more money: -1 for alpha (BG/NBD, MBG/NBD, Pareto/NBD) and beta (Pareto/NBD), +1 for a and b
(BG/NBD, MBG/NBD) and for gamma (Gamma-Gamma). The other shapes are the same for all. Only
covariates that do not change over time.

[FH07] Fader & Hardie (2007), Incorporating Time-Invariant Covariates into the Pareto/NBD and
       BG/NBD Models, brucehardie.com/notes/019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.fitting.likelihood import Effect, effects_of
from clvmodel.tables.design import Design

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CovariateModel:
    """A model with covariates: `at` gives the model of given customers, which makes predictions.

    `base` is the model of a customer all of whose regressors are 0 (categories at their reference);
    `coefficients` are (parameter, regressor, value), by parameter.
    """

    base: Any
    design: Design
    coefficients: tuple[tuple[str, str, float], ...]

    @property
    def family(self) -> Any:
        """Return the class of the model without covariates."""
        return type(self.base)

    @property
    def title(self) -> str:
        """Name of the model, with its covariates."""
        return f"{self.base.title} with {', '.join(self.design.names)}"

    @property
    def caveat(self) -> str:
        """What a user must know about this model, in words; mostly nothing."""
        return str(self.base.caveat)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Which regressors act on which parameter."""
        labels = self.design.labels
        chosen: dict[str, list[int]] = {}
        for parameter, label, _ in self.coefficients:
            chosen.setdefault(parameter, []).append(labels.index(label))
        return effects_of(self.family, chosen)

    def names(self) -> tuple[str, ...]:
        """Names of the parameters, then "parameter: regressor" of each coefficient."""
        return (*self.base.names(), *(f"{name}: {label}" for name, label, _ in self.coefficients))

    def values(self) -> tuple[float, ...]:
        """Values of the parameters, then of the coefficients."""
        return (*self.base.values(), *(value for _, _, value in self.coefficients))

    def at(self, customers: Any) -> Any:
        """Return the model of each of these customers, one point per row, for predictions.

        `customers` is a table, mapping or Summary with the covariates' columns. Raises ColumnError
        where one is missing, DataError for categories that the fit has not seen, and numbers too
        far from those it has seen.
        """
        return self.at_codes(self.design.codes(customers))

    def at_codes(self, codes: Sequence[Array]) -> Any:
        """Return the same for covariates as coded by `design.codes`."""
        matrix = self.design.matrix(codes)
        labels, signs = self.design.labels, self.family.effects
        moves: dict[str, Array] = {}
        for parameter, label, value in self.coefficients:
            move = signs[parameter] * value * matrix[:, labels.index(label)]
            moves[parameter] = moves.get(parameter, 0.0) + move
        parameters = dict(zip(self.base.names(), self.base.values(), strict=True))
        for parameter, move in moves.items():
            with np.errstate(over="ignore"):
                values = parameters[parameter] * np.exp(move)
            usual = np.isfinite(values) & (values > 0)
            if not usual.all():
                row = int(np.argmin(usual))
                who = ", ".join(f"{n} {v:g}" for n, v in zip(labels, matrix[row], strict=True))
                raise DataError(
                    f"{parameter} would be {values[row]:g} for a customer with {who}: too far from "
                    "the customers of the fit."
                )
            parameters[parameter] = values
        return self.family(**parameters)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain data."""
        return {
            **self.base.to_dict(),
            "covariates": self.design.to_dict(),
            "coefficients": [list(entry) for entry in self.coefficients],
        }


def of_customers(model: Any, customers: Any) -> Any:
    """Return the model of these customers, a point for each; itself where it has no covariates."""
    return model.at(customers) if isinstance(model, CovariateModel) else model


def chosen_effects(
    family: Any, covariates: Sequence[str] | Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Columns that act on each parameter: those given, on all parameters that take covariates."""
    allowed = family.effects
    if not allowed:
        raise ParameterError(f"{family.__name__} takes no covariates.")
    if not isinstance(covariates, Mapping):
        columns = tuple(dict.fromkeys([covariates] if isinstance(covariates, str) else covariates))
        return dict.fromkeys(allowed, columns)
    for name in covariates:
        if name not in allowed:
            raise ParameterError.not_one_of("a key of covariates", name, allowed)
    return {
        name: tuple(dict.fromkeys([given] if isinstance(given, str) else given))
        for name, given in covariates.items()
    }
