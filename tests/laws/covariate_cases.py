"""Customers who differ by what is known of them: a number and a category, for every such model."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from cases import Case, cases

import clvmodel as clv
from clvmodel.models import MODELS

OLD, SPREAD = 40.0, 10.0  # ages of customers, in years
AGE, SOUTH = 0.04, (0.4, -0.5)  # coefficients: of age on the first parameter, of south on two
BOTH = ["age", "shop"]


@dataclass(frozen=True)
class Known:
    """A model at one point: that of customers of age 40 in the north, from which others differ."""

    case: Case

    @property
    def kind(self) -> Any:
        return type(self.case.model)

    @property
    def chosen(self) -> dict[str, list[str]]:
        """Age acts on the first parameter that takes covariates, the shop on the first two."""
        first, *others = self.kind.effects
        return {first: BOTH, **{name: ["shop"] for name in others[:1]}}

    @property
    def truth(self) -> dict[str, float]:
        """Parameters at age 0 in the north, then coefficients, named as a fit names them."""
        first, *others = self.chosen
        values = dict(zip(self.case.model.names(), self.case.model.values(), strict=True))
        values[first] *= np.exp(-self.kind.effects[first] * AGE * OLD)
        values |= {f"{first}: age": AGE, f"{first}: shop[south]": SOUTH[0]}
        return values | {f"{name}: shop[south]": SOUTH[1] for name in others}

    def model(self, customers: dict[str, np.ndarray]) -> Any:
        """The model of each customer, written out."""
        values = dict(zip(self.case.model.names(), self.case.model.values(), strict=True))
        for i, (name, columns) in enumerate(self.chosen.items()):
            move = SOUTH[i] * (customers["shop"] == "south")
            if "age" in columns:
                move = move + AGE * (customers["age"] - OLD)
            values[name] = values[name] * np.exp(self.kind.effects[name] * move)
        return self.kind(**values)

    def data(self, size: int, seed: int) -> dict[str, np.ndarray]:
        """The model's columns, simulated, and those of the covariates."""
        rng = np.random.default_rng([seed, 7])
        known = {"age": rng.normal(OLD, SPREAD, size), "shop": rng.choice(["north", "south"], size)}
        return {**Case(self.model(known), self.case.span).data(size, seed), **known}

    def history(self, data: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The model's columns, in its order."""
        return [data[name] for name in self.kind.columns]

    def fit(self, data: dict[str, np.ndarray], **options: Any) -> Any:
        """Fit the coefficients that `truth` has."""
        return clv.fit(self.kind, data, covariates=self.chosen, **options)


def knowing(point: str = "") -> Any:
    """Every model that takes covariates, at every point or at the one numbered "-0", "-1", ..."""
    return pytest.mark.parametrize(
        "known",
        [
            pytest.param(Known(case.values[0]), id=case.id)
            for case in cases(MODELS)
            if case.values[0].model.effects and case.id.endswith(point)
        ],
    )


@cache
def fitted(known: Known, size: int = 2000, seed: int = 1) -> Any:
    """One fit for all the laws that only look at it."""
    return known.fit(known.data(size, seed))
