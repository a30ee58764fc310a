"""sBG: subscribers renew or leave, period after period, and every departure is seen.

    leaving    at each renewal, with chance theta ~ Beta(alpha, beta), the subscriber's own

This is the contractual setting: a contract ends on a known day, unlike a shop's customer, who just
stays away. A history is (renewals, churned): so many renewals were made, and then the subscriber
left (churned = 1) or is still there (0). Those whose theta is large leave first, so the retention
rate of a cohort rises with its age although nobody's own chance changes, and a constant churn rate
undervalues those who have stayed.

A subscriber who is active after n renewals has theta ~ Beta(alpha, beta + n): a new subscriber with
these parameters, from which every prediction follows.

[FH07] Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing
       21(1):76-90, doi 10.1002/dir.20074.
[FH10] Fader & Hardie (2010), Customer-Base Valuation in a Contractual Setting: The Perils of
       Ignoring Heterogeneity, Marketing Science 29(1):85-93, doi 10.1287/mksc.1080.0482.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.models.point import Array, Derivatives, Point, Seed, as_arrays, as_float, symmetric
from clvmodel.numerics.beta_mean import beta_mean
from clvmodel.numerics.rising import expected_run, log_rising_ratio
from clvmodel.numerics.special import digamma_gap, tabulated, trigamma_gap

_SLOW = 0.05  # discount rate per period from which the integrand varies slowly


class ContractHistories(NamedTuple):
    """Simulated subscribers, one per element, with their hidden chance of leaving."""

    renewals: Array
    churned: Array
    dropout: Array


@dataclass(frozen=True, slots=True)
class SBG(Point):
    """One point of the shifted-beta-geometric family: contracts that are renewed or end.

    Parameters: alpha and beta of the chance of leaving at a renewal. Methods are pure, elementwise
    and broadcasting, and return float64; renewals and periods are whole numbers. Raises
    ParameterError for a parameter that is not finite and positive or periods that are not whole,
    DataError for an impossible history.

    >>> model = SBG(alpha=0.668, beta=3.806)  # "High End" [FH07]
    >>> print(model.survival([1, 7, 12]).round(3), model.retention(12).round(3))
    [0.851 0.489 0.378] 0.957
    """

    alpha: float
    beta: float

    title: ClassVar[str] = "sBG"
    columns: ClassVar[tuple[str, ...]] = ("renewals", "churned")
    scaled: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[dict[str, str]] = {
        "alpha low": "nobody leaves",
        "alpha high": "all subscribers leave with the same chance, alpha / (alpha + beta)",
        "beta low": "subscribers leave at once or never",
        "beta high": "nobody leaves, or all leave with the same chance, alpha / (alpha + beta)",
    }

    @property
    def caveat(self) -> str:
        """Say so where the mean tenure does not exist."""
        if self.alpha > 1:
            return ""
        return (
            f"alpha = {self.alpha:.3g} <= 1: so many subscribers hardly ever leave that the mean "
            "tenure is infinite; ask within a number of periods, or discount."
        )

    # Histories

    def log_likelihood(self, renewals: ArrayLike, churned: ArrayLike) -> Array:
        """Log chance of each history [FH07 eq. 5 and 6], natural log; the caller sums, weighs."""
        n, left = _history(renewals, churned)
        alpha, beta = self.arrays()
        stayed = tabulated(lambda k: log_rising_ratio(beta, alpha, k), n, alpha, beta)
        return as_float(np.where(left, np.log(alpha / (alpha + beta + n)), 0.0) - stayed)

    def score(self, renewals: ArrayLike, churned: ArrayLike) -> Array:
        """Gradient of log_likelihood in (alpha, beta), shape (2, n)."""
        return self.derivatives(renewals, churned).gradient

    def derivatives(self, renewals: ArrayLike, churned: ArrayLike) -> Derivatives:
        """Log-likelihood, gradient (2, n) and Hessian (2, 2, n) in (alpha, beta)."""
        n, left = _history(renewals, churned)
        alpha, beta = self.arrays()
        value = np.asarray(self.log_likelihood(n, left))
        both = alpha + beta
        slope, bend = digamma_gap(both, n), trigamma_gap(both, n)
        there = left / (both + n)
        gradient = [left / alpha - there - slope, digamma_gap(beta, n) - slope - there]
        turn = there / (both + n) - bend
        entries: dict[tuple[int, int], Array | float] = {
            (0, 0): turn - left / alpha**2,
            (0, 1): turn,
            (1, 1): turn + trigamma_gap(beta, n),
        }
        shaped = np.stack([np.broadcast_to(part, value.shape) for part in gradient])
        return Derivatives(value, shaped, symmetric(entries, 2, value))

    def update(self, renewals: ArrayLike) -> SBG:
        """Law of subscribers who are active after so many renewals, seen as new ones."""
        return SBG(self.alpha, self.beta + np.asarray(renewals, float))  # type: ignore[arg-type]

    # Predictions for those who are active after `renewals` (0: new), just before the next renewal

    def survival(self, t: ArrayLike, renewals: ArrayLike = 0) -> Array:
        """Chance to make the next t renewals, in (0, 1] [FH07 eq. 6]: the survivor curve."""
        t, n = as_arrays(_whole("t", t), _whole("renewals", renewals))
        alpha, beta = self.arrays()
        return as_float(np.exp(-log_rising_ratio(beta + n, alpha, t)))

    def pmf(self, t: ArrayLike, renewals: ArrayLike = 0) -> Array:
        """Chance to leave at exactly the t-th of the next renewals, t >= 1 [FH07 eq. 5]."""
        t, n = as_arrays(_whole("t", t), _whole("renewals", renewals))
        alpha, beta = self.arrays()
        before = np.maximum(t - 1, 0.0)
        chance = self.survival(before, n) * alpha / (alpha + beta + n + before)
        return as_float(np.where(t > 0, chance, 0.0))

    def retention(self, t: ArrayLike = 1, renewals: ArrayLike = 0) -> Array:
        """Share of those active after t - 1 more renewals who make the t-th [FH07 eq. 8]."""
        t, n = as_arrays(_whole("t", t, 1), _whole("renewals", renewals))
        alpha, beta = self.arrays()
        return as_float((beta + n + t - 1) / (alpha + beta + n + t - 1))

    def expected_renewals(self, t: ArrayLike = np.inf, renewals: ArrayLike = 0) -> Array:
        """Mean number of renewals made out of the next t; infinite at t = inf if alpha <= 1."""
        t, n = as_arrays(_periods(t), _whole("renewals", renewals))
        alpha, beta = self.arrays()
        return as_float(expected_run(alpha, beta + n, t))

    def expected_tenure(self, renewals: ArrayLike = 0) -> Array:
        """Mean number of periods from the first to the last, those so far included.

        1 + renewals so far + those to come: for new subscribers (alpha + beta - 1) / (alpha - 1).
        """
        return as_float(1 + np.asarray(renewals, float) + self.expected_renewals(np.inf, renewals))

    def residual_lifetime(
        self, discount_rate: ArrayLike, renewals: ArrayLike = 0, t: ArrayLike = np.inf
    ) -> Array:
        """Discounted expected residual lifetime, in periods [FH10 eq. 6]; times margin, a value.

        The payments to come of those active after `renewals`, within the next t periods, seen just
        before the next renewal: its payment counts in full, later ones (1 + discount_rate)^-k, the
        rate being effective per period, >= 0. Just after a renewal it is this, of one renewal
        more, divided by 1 + discount_rate. ("n" of [FH10], periods active, is renewals + 1.)

        It is the mean of (1 - theta)(1 + d) / (d + theta), theta ~ Beta(alpha, beta + renewals).
        """
        d, n, t = as_arrays(discount_rate, _whole("renewals", renewals), _periods(t))
        if not (np.isfinite(d) & (d >= 0)).all():
            bad = float(d[~(np.isfinite(d) & (d >= 0))].flat[0])
            raise ParameterError.out_of_range("discount_rate", bad, "finite and >= 0")
        alpha, beta = self.arrays()
        shape = np.broadcast_shapes(d.shape, alpha.shape, beta.shape)
        d, t, a, b = (np.broadcast_to(v, shape).ravel() for v in (d, t, alpha, beta + n))
        result = np.asarray(expected_run(a, b, t))
        some = np.flatnonzero((d > 0) & (t > 0))
        rate, ahead = d[some], t[some]

        def payments(p: Array, rows: NDArray[np.intp]) -> Array:
            with np.errstate(divide="ignore"):
                passed = -np.expm1(ahead[rows] * (np.log1p(-p) - np.log1p(rate[rows])))
            return np.asarray((1 - p) * (1 + rate[rows]) / (rate[rows] + p) * passed)

        result[some] = beta_mean(payments, a[some], b[some], slow=rate >= _SLOW)
        return as_float(result.reshape(shape))

    # Simulation, and a start for a search

    def simulate(self, n: ArrayLike, *, seed: Seed = None) -> ContractHistories:
        """Draw one subscriber per element of n, the number of renewals that come due."""
        rng = np.random.default_rng(seed)
        n = _whole("n", n)
        dropout = np.asarray(rng.beta(self.alpha, self.beta, n.shape))
        left = np.asarray(rng.geometric(np.maximum(dropout, np.finfo(float).tiny)), float)
        return ContractHistories(np.minimum(left - 1, n), (left <= n).astype(float), dropout)

    def rescaled(self, factor: float) -> Self:  # noqa: ARG002
        """Return the same law: renewals have no unit."""
        return self

    @classmethod
    def start(cls, renewals: Array, churned: Array, weight: Array) -> Self:
        """Return a rough point to begin a search at: the share of renewals that were not made."""
        left, made = float(weight @ churned), float(weight @ renewals)
        share = float(np.clip((left + 1) / (left + made + 2), 0.02, 0.98))
        return cls(2 * share, 2 * (1 - share))


def _whole(name: str, value: ArrayLike, least: int = 0) -> Array:
    """Whole numbers >= least, or ParameterError."""
    number = np.asarray(value, float)
    good = (number >= least) & (number == np.floor(number)) & np.isfinite(number)
    if not good.all():
        bad = float(number[~good].flat[0])
        raise ParameterError.out_of_range(name, bad, f"a whole number, {least} or more")
    return number


def _periods(t: ArrayLike) -> Array:
    """Whole numbers >= 0, or infinity."""
    number = np.asarray(t, float)
    _whole("t", np.where(number == np.inf, 0.0, number))
    return number


def _history(renewals: ArrayLike, churned: ArrayLike) -> tuple[Array, Array]:
    """Arrays of one shape, or DataError."""
    n, left = as_arrays(renewals, churned)
    good = (n >= 0) & (n == np.floor(n)) & np.isfinite(n) & ((left == 0) | (left == 1))
    if not good.all():
        raise DataError(
            f"renewals == {float(n[~good].flat[0]):g}, churned == {float(left[~good].flat[0]):g} "
            "is no history: renewals must be a whole number >= 0, churned 1 (left) or 0."
        )
    return n, left
