"""Gamma-Gamma: what a customer spends on a purchase, and what a customer like this will spend.

    value of each purchase   Gamma(shape p, rate nu)
    nu across customers      Gamma(shape q, rate gamma)

Spending is independent of how often and how long a customer buys. A history is (x, m): m is the
mean value of x purchases (by convention the repeat purchases); x = 0 says nothing, and m is then
ignored. After it, nu ~ Gamma(q + p x, gamma + x m): the same family, updated.

[FH13] Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value, brucehardie.com/notes/025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from clvmodel.models.point import Array, Derivatives, Point, Seed, as_arrays, as_float, symmetric
from clvmodel.numerics.special import (
    beta_normaliser,
    digamma_gap,
    log_beta_prime_density,
    tabulated,
    trigamma,
    trigamma_gap,
)


@dataclass(frozen=True, slots=True)
class GammaGamma(Point):
    """One point of the Gamma-Gamma family: p and q are shapes, gamma is an amount of money.

    Methods are pure, elementwise and broadcasting, and return float64.
    Raises ParameterError if a parameter is not finite and positive.

    >>> model = GammaGamma(p=6.25, q=3.74, gamma=15.44)  # CDNOW [FH13]
    >>> print(model.expected_spend(x=[0, 2], m=[0, 22.35]).round(2))
    [35.22 24.66]
    """

    p: float
    q: float
    gamma: float

    title: ClassVar[str] = "Gamma-Gamma"
    columns: ClassVar[tuple[str, ...]] = ("frequency", "monetary_value")
    scaled: ClassVar[tuple[str, ...]] = ("monetary_value",)
    effects: ClassVar[dict[str, float]] = {"gamma": 1.0}
    limits: ClassVar[dict[str, str]] = {
        "p low": "one customer's purchases differ without bound",
        "p high": "each customer always spends the same",
        "q low": "spending differs between customers without bound",
        "q high": "all customers spend alike",
        "gamma low": "spending differs between customers without bound",
        "gamma high": "all customers spend alike",
    }

    @property
    def caveat(self) -> str:
        """Say so where the mean spend of a new customer does not exist."""
        if self.q > 1:
            return ""
        return (
            f"q = {self.q:.3g} <= 1: spending is so unequal that its mean over customers does not "
            "exist; the expected spend of customers without repeat purchases is infinite."
        )

    def log_likelihood(self, x: ArrayLike, m: ArrayLike) -> Array:
        """Log density of the mean m of x purchases [FH13 eq. 1a]; 0 at x = 0, which says nothing.

        x m / (x m + gamma) ~ Beta(p x, q), whose density is evaluated without cancellation.
        """
        x, m = as_arrays(x, m)
        bought = x > 0
        count, mean = np.where(bought, x, 1.0), np.where(bought, m, 1.0)
        p, q, gamma = self.arrays()
        constant = tabulated(lambda k: beta_normaliser(p * np.maximum(k, 1.0), q), count, p, q)
        density = log_beta_prime_density(count * mean, gamma, p * count, q, constant)
        return as_float(np.where(bought, density - np.log(mean), 0.0))

    def score(self, x: ArrayLike, m: ArrayLike) -> Array:
        """Gradient of log_likelihood in (p, q, gamma), shape (3, n)."""
        return self.derivatives(x, m).gradient

    def derivatives(self, x: ArrayLike, m: ArrayLike) -> Derivatives:
        """Log-likelihood, gradient (3, n) and Hessian (3, 3, n) in (p, q, gamma)."""
        x, m = as_arrays(x, m)
        bought = x > 0
        count, total = np.where(bought, x, 1.0), np.where(bought, x * m, 1.0)
        p, q, gamma = self.arrays()

        def gaps(k: Array) -> Array:
            shape = p * np.maximum(k, 1.0)
            rows = digamma_gap(shape, q), digamma_gap(q, shape)
            bends = trigamma_gap(shape, q), trigamma_gap(q, shape), trigamma(shape + q)
            return np.stack(np.broadcast_arrays(*rows, *bends))

        of_p, of_q, of_p2, of_q2, both = tabulated(gaps, count, p, q)
        seen, u = gamma + total, total / gamma
        gradient = np.stack(
            np.broadcast_arrays(
                count * (of_p - np.log1p(gamma / total)),
                of_q - np.log1p(u),
                (q * u - p * count) / seen,
            )
        )
        entries = {
            (0, 0): count**2 * of_p2,
            (0, 1): count * both,
            (0, 2): -count / seen,
            (1, 1): of_q2,
            (1, 2): u / seen,
            (2, 2): (p * count - q * u * (2 + u)) / seen**2,
        }
        value = np.asarray(self.log_likelihood(x, m))
        hessian = symmetric(entries, 3, value)
        return Derivatives(value, np.where(bought, gradient, 0.0), np.where(bought, hessian, 0.0))

    def update(self, x: float, m: float) -> Self:
        """Law of the next purchases of a customer with this history, seen as a new customer."""
        return type(self)(self.p, self.q + self.p * x, self.gamma + x * m)

    def expected_spend(self, x: ArrayLike = 0, m: ArrayLike = 0) -> Array:
        """Mean value of one future purchase [FH13 eq. 5]: the population's, drawn towards m.

        Infinite where p x + q <= 1: the population's tail is then so heavy that it has no mean.
        """
        x, m = as_arrays(x, m)
        known = self.gamma + np.where(x > 0, x * m, 0.0)
        freedom = self.p * x + (self.q - 1)
        finite = freedom > 0
        return as_float(np.where(finite, self.p * known / np.where(finite, freedom, 1.0), np.inf))

    def simulate(self, x: ArrayLike, *, seed: Seed = None) -> Array:
        """Draw the mean value of x purchases for one customer per element; 0 where x = 0."""
        rng = np.random.default_rng(seed)
        x = np.asarray(x, float)
        nu = rng.gamma(self.q, 1 / self.gamma, x.shape)
        count = np.maximum(x, 1.0)
        return as_float(np.where(x > 0, rng.gamma(self.p * count) / (nu * count), 0.0))

    def rescaled(self, factor: float) -> Self:
        """Return the same law with money in a unit `factor` times as small (100: cents)."""
        return type(self)(self.p, self.q, self.gamma * factor)

    @classmethod
    def start(cls, x: Array, m: Array, weight: Array) -> Self:
        """Return a rough point to begin a search at: the mean of m, ordinary spread."""
        mean = float((weight * x * m).sum() / max((weight * x).sum(), np.finfo(float).tiny))
        return cls(3.0, 3.0, 2.0 * mean / 3.0)
