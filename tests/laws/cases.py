"""The points at which every registered model is put under the laws, and what the laws share.

A new model needs its points here and nothing else. Simulation laws allow 4.5 standard errors: a
true law breaks one comparison in 150,000, and seeds are fixed, so a law that holds keeps holding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from clvmodel import BGBB, BGNBD, MBGNBD, SBG, GammaGamma, ParetoNBD
from clvmodel.models import (
    CONTRACT_MODELS,
    DISCRETE_MODELS,
    MODELS,
    PURCHASE_MODELS,
    SPEND_MODELS,
)

STANDARD_ERRORS = 4.5

# For purchases a point has a span: how long a typical customer is watched, in the model's unit.
POINTS: dict[str, list[tuple[Any, float]]] = {
    "BGNBD": [
        (BGNBD(0.243, 4.414, 0.793, 2.426), 39.0),  # CDNOW in weeks
        (BGNBD(2.0, 60.0, 1.0, 5.0), 250.0),  # a = 1
        (BGNBD(0.8, 0.5, 0.4, 0.5), 2.0),  # a + b < 1
        (BGNBD(6.0, 3.0, 3.0, 1.5), 4.0),  # most leave early
    ],
    "MBGNBD": [
        (MBGNBD(0.525, 6.183, 0.891, 1.614), 39.0),  # CDNOW in weeks
        (MBGNBD(2.0, 60.0, 1.0, 5.0), 250.0),  # a = 1
        (MBGNBD(0.8, 0.5, 0.4, 0.5), 2.0),  # a + b < 1
    ],
    "ParetoNBD": [
        (ParetoNBD(0.55327705, 10.57768346, 0.60623999, 11.66873529), 39.0),  # CDNOW in weeks
        (ParetoNBD(2.0, 60.0, 1.0, 20.0), 250.0),  # s = 1, alpha > beta
        (ParetoNBD(0.8, 0.5, 0.4, 3.0), 6.0),  # almost nobody has bought and left, or all have
        (ParetoNBD(3.0, 4.0, 4.0, 10.0), 8.0),  # s > 1: most leave early
    ],
    # The span is a whole number of opportunities.
    "BGBB": [
        (BGBB(1.204, 0.750, 0.657, 2.783), 6.0),  # donations, in years
        (BGBB(2.0, 5.0, 1.0, 9.0), 24.0),  # gamma = 1
        (BGBB(0.5, 0.7, 0.3, 1.5), 12.0),  # all or nothing
        (BGBB(3.0, 7.0, 2.0, 10.0), 16.0),  # most leave early
    ],
    # The span is a number of renewals that come due.
    "SBG": [
        (SBG(0.668, 3.806), 12.0),  # High End [Fader & Hardie 2007]
        (SBG(1.0, 4.0), 24.0),  # alpha = 1
        (SBG(0.7, 0.4), 8.0),  # leave at once or hardly ever
        (SBG(3.8, 15.2), 40.0),  # much alike
    ],
    # q > 2.5, so that simulated means have a variance.
    "GammaGamma": [
        (GammaGamma(6.25, 3.74, 15.44), 1.0),  # CDNOW in dollars
        (GammaGamma(0.6, 5.0, 400.0), 1.0),
        (GammaGamma(30.0, 2.8, 3.0), 1.0),
    ],
}


@dataclass(frozen=True)
class Case:
    """A model at one point, and data that it simulates."""

    model: Any
    span: float

    @property
    def buys(self) -> bool:
        return type(self.model).__name__ in PURCHASE_MODELS | DISCRETE_MODELS

    @property
    def renews(self) -> bool:
        """Whether it is of contracts."""
        return type(self.model).__name__ in CONTRACT_MODELS

    @property
    def discrete(self) -> bool:
        """Whether time is counted in opportunities, whole numbers."""
        return type(self.model).__name__ in DISCRETE_MODELS

    def watched(self, size: int, seed: int) -> np.ndarray:
        """Lengths of observation, in half a span to a whole one."""
        rng = np.random.default_rng([seed, 1])
        if self.discrete:
            return rng.integers(self.span // 2, self.span + 1, size).astype(float)
        return self.span * rng.uniform(0.5, 1.0, size)

    def data(self, size: int, seed: int) -> dict[str, np.ndarray]:
        """The columns of a customer summary, simulated at this point."""
        if self.buys:
            x, t_x, T, *_ = self.model.simulate(self.watched(size, seed), seed=seed)
            return {"frequency": x, "recency": t_x, "n" if self.discrete else "T": T}
        if self.renews:
            due = np.random.default_rng([seed, 1]).integers(self.span // 2, self.span + 1, size)
            renewals, churned, _ = self.model.simulate(due, seed=seed)
            return {"renewals": renewals, "churned": churned}
        x = np.random.default_rng([seed, 1]).poisson(1.5, size).astype(float)
        return {"frequency": x, "monetary_value": self.model.simulate(x, seed=seed)}

    def histories(self, size: int, seed: int) -> list[np.ndarray]:
        """The same, in the order of the likelihood's arguments."""
        data = self.data(size, seed)
        return [data[name] for name in self.model.columns]

    def predictions(self, history: list[np.ndarray]) -> list[Any]:
        """Every prediction of the model for these histories."""
        if self.renews:  # of those who left as if they had not
            made, ahead = history[0], 4 + np.asarray(history[1], float)
            return [
                self.model.survival(ahead, made),
                self.model.pmf(ahead, made),
                self.model.retention(ahead, made),
                self.model.expected_renewals(ahead, made),
                self.model.residual_lifetime(0.1 * ahead, made),
            ]
        if not self.buys:
            return [self.model.expected_spend(*history)]
        ahead = self.span // 2 if self.discrete else self.span / 2
        return [
            self.model.p_alive(*history),
            self.model.expected_purchases(ahead, *history),
            self.model.p_purchase(ahead, *history),
            self.model.pmf(1, ahead, *history),
        ]


def cases(registry: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(Case(model, span), id=f"{name}-{i}")
        for name in registry
        for i, (model, span) in enumerate(POINTS.get(name, []))
    ]


every_model = pytest.mark.parametrize("case", cases(MODELS))
purchase_models = pytest.mark.parametrize("case", cases(PURCHASE_MODELS | DISCRETE_MODELS))
discrete_models = pytest.mark.parametrize("case", cases(DISCRETE_MODELS))
spend_models = pytest.mark.parametrize("case", cases(SPEND_MODELS))
every_parameter = pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case.values[0], name, id=f"{case.id}-{name}")
        for case in cases(MODELS)
        for name in case.values[0].model.names()
    ],
)


def assert_mean_zero(draws: np.ndarray) -> None:
    """The mean of independent draws (in the last axis) is zero within its standard error."""
    draws = np.asarray(draws, float)
    error = draws.std(axis=-1, ddof=1) / np.sqrt(draws.shape[-1])
    mean = draws.mean(axis=-1)
    assert np.all(np.abs(mean) <= STANDARD_ERRORS * error + 1e-12), (mean, error)


def assert_same_mean(first: np.ndarray, second: np.ndarray) -> None:
    """Two independent samples have the same mean within their standard errors."""
    gap = first.mean() - second.mean()
    error = np.sqrt(first.var(ddof=1) / first.size + second.var(ddof=1) / second.size)
    assert abs(gap) <= STANDARD_ERRORS * error, (gap, error)


def assert_calibrated(observed: np.ndarray, expected: np.ndarray, groups: np.ndarray) -> None:
    """Observed minus expected has mean zero, over all and within every group of 200 or more."""
    assert_mean_zero(observed - expected)
    for group in np.unique(groups):
        inside = groups == group
        if inside.sum() >= 200:
            assert_mean_zero((observed - expected)[inside])


def seeds(*values: int) -> Any:
    return pytest.mark.parametrize("seed", values)
