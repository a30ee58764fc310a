"""BG/NBD: buy at random while alive; after each repeat purchase, perhaps leave for good.

    purchases while alive   Poisson, rate lambda ~ Gamma(shape r, rate alpha)   per unit of time
    leaving                 with chance p ~ Beta(a, b), right after each repeat purchase

After the history (x, t_x, T) either the customer is alive at T or left at t_x. Given alive,
lambda ~ Gamma(r + x, alpha + T) and p ~ Beta(a, b + x), independent: the customer is a new BG/NBD
customer with these parameters, and every prediction follows from those of a new one.

[FHL05] Fader, Hardie & Lee (2005), Marketing Science 24(2):275-284, doi 10.1287/mksc.1040.0098.
[FHL08] Fader, Hardie & Lee (2008), Computing P(alive) Using the BG/NBD Model,
        brucehardie.com/notes/021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, expit, log_expit, xlogy

from clvmodel.models.point import Array, Derivatives, Seed, as_arrays, as_float, symmetric
from clvmodel.models.purchase_model import MOST, Histories, PurchaseModel, PurchaseTimes
from clvmodel.numerics.beta_mean import beta_mean
from clvmodel.numerics.special import (
    digamma_gap,
    log_beta_ratio,
    log_rising,
    tabulated,
    trigamma_gap,
)

Counts = NDArray[np.int64]

# Up to this t / alpha the integrand of the mean varies slowly enough for Gauss-Jacobi.
_SLOW = 200.0

# Chances below this are settled to it and not to their own size, which no rule would reach.
_NOBODY = 1e-30


@dataclass(frozen=True, slots=True)
class BGNBD(PurchaseModel):
    """One point of the BG/NBD family; a fitted model is such a point, so it has no unfitted state.

    Parameters: r (shape) and alpha (rate, in time units) of the purchase rate; a and b of the
    dropout chance. Methods are pure, elementwise and broadcasting, and return float64.
    Raises ParameterError if a parameter is not finite and positive.

    `p_alive` is 1 for x = 0 [FHL08]: the model tosses its coin at repeat purchases only, so a
    one-purchase customer counts as alive however long ago it was. Act on `p_purchase` instead.

    >>> model = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)  # CDNOW, in weeks [FHL05]
    >>> print(model.expected_purchases(39, x=2, t_x=30.43, T=38.86).round(3))
    1.226
    """

    r: float
    alpha: float
    a: float
    b: float

    title: ClassVar[str] = "BG/NBD"
    first_coins: ClassVar[int] = 0
    """Coins tossed at the first purchase: none here, one in MBG/NBD."""
    effects: ClassVar[dict[str, float]] = {"alpha": -1.0, "a": 1.0, "b": 1.0}
    limits: ClassVar[dict[str, str]] = {
        "r low": "almost nobody buys again",
        "r high": "all customers buy at the same rate, r / alpha",
        "alpha low": "purchase rates differ without bound",
        "alpha high": "all customers buy at the same rate, r / alpha",
        "a low": "nobody leaves: the data show no dropout",
        "a high": "all customers leave with the same chance, a / (a + b)",
        "b low": "customers leave at once or never",
        "b high": "nobody leaves, or all leave with the same chance, a / (a + b)",
    }

    def _log_odds(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log of "alive at T" over "left at t_x"; infinite where no coin was tossed yet."""
        r, alpha, a, b = self.arrays()
        tosses = x + self.first_coins
        silence = np.log1p((T - t_x) / (alpha + t_x))
        stays = tabulated(lambda k: np.log((b + (np.maximum(k, 1) - 1)) / a), tosses, a, b)
        return np.where(tosses > 0, stays - (r + x) * silence, np.inf)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Log density of each history, natural log [FHL05 eq. 6]; the caller sums and weighs."""
        x, t_x, T = as_arrays(x, t_x, T)
        return as_float(self._log_likelihood(x, T, self._log_odds(x, t_x, T)))

    def _log_likelihood(self, x: Array, T: Array, odds: Array) -> Array:
        r, alpha, a, b = self.arrays()
        counted = tabulated(
            lambda k: log_rising(r, k) + log_beta_ratio(a, b, k + self.first_coins), x, r, a, b
        )
        alive = counted - x * np.log(alpha) - (r + x) * np.log1p(T / alpha)
        return np.asarray(alive - log_expit(odds))

    def derivatives(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Derivatives:
        """Log-likelihood, gradient (4, n) and Hessian (4, 4, n) in (r, alpha, a, b).

        The likelihood is a sum of two branches, alive and left: its gradient is theirs, weighted
        with their chances, and its Hessian that of theirs plus the spread of their gradients.
        """
        x, t_x, T = as_arrays(x, t_x, T)
        r, alpha, a, b = self.arrays()
        odds = self._log_odds(x, t_x, T)
        alive, left = expit(odds), expit(-odds)
        tosses = x + self.first_coins
        last = b + (np.maximum(tosses, 1) - 1)  # b of the last coin that was tossed
        exposure, seen = alpha + T, alpha + t_x
        u, u_x = T / alpha, t_x / alpha
        silence = np.log1p((T - t_x) / seen)

        def gaps(k: Array) -> Array:
            m = k + self.first_coins
            rows = digamma_gap(r, k), digamma_gap(a + b, m), digamma_gap(b, m)
            bends = trigamma_gap(r, k), trigamma_gap(a + b, m), trigamma_gap(b, m)
            return np.stack(np.broadcast_arrays(*rows, *bends))

        bought, tossed, stayed, bought2, tossed2, stayed2 = tabulated(gaps, x, r, a, b)
        # the branches differ by (silence, apart, 1 / a, 1 / last) in their gradients
        apart = (r + x) * (T - t_x) / (exposure * seen)
        gradient = np.stack(
            np.broadcast_arrays(
                bought - np.log1p(u) + left * silence,
                (r * u - x) / exposure - left * apart,
                left / a - tossed,
                stayed - tossed - left / last,
            )
        )
        both = alive * left
        if_alive = (x - r * u * (2 + u)) / exposure**2
        if_left = (x - r * u_x * (2 + u_x)) / seen**2
        entries = {
            (0, 0): bought2 + both * silence**2,
            (0, 1): alive * u / exposure + left * u_x / seen - both * silence * apart,
            (1, 1): alive * if_alive + left * if_left + both * apart**2,
            (0, 2): both * silence / a,
            (0, 3): -both * silence / last,
            (1, 2): -both * apart / a,
            (1, 3): both * apart / last,
            (2, 2): -tossed2 + (both - left) / a**2,
            (2, 3): -tossed2 - both / (a * last),
            (3, 3): stayed2 - tossed2 + (both + left) / last**2,
        }
        value = self._log_likelihood(x, T, odds)
        return Derivatives(value, gradient, symmetric(entries, 4, value))

    def update(self, x: ArrayLike, T: ArrayLike) -> BGNBD:
        """Law of customers who are alive at T after x repeat purchases, seen as new customers."""
        x, T = np.asarray(x, float), np.asarray(T, float)
        return BGNBD(self.r + x, self.alpha + T, self.a, self.b + x + self.first_coins)  # type: ignore[arg-type]

    def _new_mean(self, t: Array) -> Array:
        """E_p[(1 - (1 + p t / alpha)^-r) / p], p ~ Beta(a, b).

        Smooth and positive, also at a = 1 where [FHL05 eq. 9, 10] divide by a - 1, and where their
        2F1 overflows. For ever it is E[1 / p]: infinite unless a > 1.
        """
        t, r, alpha, a, b = np.broadcast_arrays(t, *self.arrays())
        ratio = (t / alpha).ravel()
        moves = np.flatnonzero((ratio > 0) & (ratio < np.inf))
        for_ever = np.where(a > 1, (a + b - 1) / np.where(a > 1, a - 1, 1.0), np.inf)
        mean = np.where(ratio > 0, for_ever.ravel(), 0.0)
        shape, ratio = r.ravel()[moves], ratio[moves]

        def bought_per_coin(p: Array, rows: NDArray[np.intp]) -> Array:
            return np.asarray(-np.expm1(-shape[rows] * np.log1p(p * ratio[rows])) / p)

        mean[moves] = beta_mean(
            bought_per_coin, a.ravel()[moves], b.ravel()[moves], slow=ratio <= _SLOW
        )
        return mean.reshape(t.shape)

    def _new_pmf(self, n: Array, t: Array) -> Array:
        """n coins stay and n purchases, or leaving at the n-th [FHL05 eq. 8].

        Their finite sum is an incomplete Beta function, so that nothing is subtracted.
        """
        r, alpha, a, b = self.arrays()
        bought = t / (alpha + t)
        log_rate = np.asarray(xlogy(n, bought), float) - r * np.log1p(t / alpha)
        log_nb = log_rising(r, n) - log_rising(np.ones_like(n), n) + log_rate
        stays = np.exp(log_beta_ratio(a, b, n) + log_nb)
        coins = np.maximum(n, 1.0)
        leaving = np.exp(log_beta_ratio(a, b, coins - 1) + np.log(a / (a + b + coins - 1)))
        return stays + np.where(n > 0, leaving * betainc(coins, r, bought), 0.0)

    def _new_tail(self, n: Array, t: Array) -> Array:
        """n - 1 coins stay, and at least n purchases if nobody left."""
        r, alpha, a, b = self.arrays()
        some = np.asarray(-np.expm1(-r * np.log1p(t / alpha)))
        if np.all(n == 1):
            return some
        bought = np.where(n == 1, some, betainc(n, r, t / (alpha + t)))
        return np.asarray(np.exp(log_beta_ratio(a, b, n - 1)) * bought)

    def _new_survival(self, t: Array) -> Array:
        """E_p[(1 + p t / alpha)^-r]: each purchase by t tosses a coin, and all say stay.

        p ~ Beta(a, b); a coin at the first purchase gives b / (a + b) times the same with b + 1.
        """
        t, r, alpha, a, b = np.broadcast_arrays(t, *self.arrays())
        first = b / (a + b) if self.first_coins else np.ones(t.shape)
        ratio = (t / alpha).ravel()
        moves = np.flatnonzero((ratio > 0) & (ratio < np.inf))
        later = np.where(ratio < np.inf, 1.0, 0.0)
        shape, ratio = r.ravel()[moves], ratio[moves]
        left, stayed = a.ravel()[moves], b.ravel()[moves] + self.first_coins

        def stays(p: Array, rows: NDArray[np.intp]) -> Array:
            return np.asarray(np.exp(-shape[rows] * np.log1p(p * ratio[rows])) + _NOBODY)

        mean = beta_mean(stays, left, stayed, slow=ratio <= _SLOW)
        later[moves] = np.maximum(mean - _NOBODY, 0.0)
        return np.asarray(first * later.reshape(t.shape))

    def _new_lifetime(self) -> Array:
        """Mean number of coins, (a + b - 1) / (a - 1), times mean gap, alpha / (r - 1)."""
        r, alpha, a, b = np.broadcast_arrays(*self.arrays())
        finite = (r > 1) & (a > 1)
        room = np.where(finite, (r - 1) * (a - 1), 1.0)
        return np.where(finite, (a + b - 1) * alpha / room, np.inf)

    def simulate(self, T: ArrayLike, *, seed: Seed = None) -> Histories:
        """Draw one history per element of T: exact, no loop over customers or purchases.

        Let n purchases fall in (0, T] if nobody left, and let the g-th coin be the first to say
        leave. Then x = min(n, g), or min(n, g - 1) if the first purchase tossed one, too; and
        t_x / T is the x-th of n uniform order statistics: Beta(x, n - x + 1).
        """
        rng = np.random.default_rng(seed)
        T = np.asarray(T, dtype=float)
        rate, dropout, n, g = self._draw(T, rng)
        last = g - self.first_coins  # the repeat purchase after which the customer leaves
        x = np.minimum(n, last)
        t_x = np.where(x > 0, T * rng.beta(np.maximum(x, 1), n - x + 1), 0.0)
        return Histories(x.astype(float), t_x, T, n < last, rate, dropout)

    def simulate_purchases(self, T: ArrayLike, *, seed: Seed = None) -> PurchaseTimes:
        """Draw every repeat purchase of one customer per element of T (1-d), sorted by time."""
        rng = np.random.default_rng(seed)
        T = np.atleast_1d(np.asarray(T, dtype=float))
        _, _, n, g = self._draw(T, rng)
        customer = np.repeat(np.arange(T.size), n)
        time = rng.random(customer.size) * T[customer]
        order = np.lexsort((time, customer))
        place = np.arange(customer.size) - np.repeat(np.cumsum(n) - n, n)
        kept = place < g[customer] - self.first_coins
        return PurchaseTimes(customer[kept], time[order][kept])

    def _draw(self, T: Array, rng: np.random.Generator) -> tuple[Array, Array, Counts, Counts]:
        """Hidden rate and dropout chance, purchases if nobody left, purchase of leaving."""
        rate = np.asarray(rng.gamma(self.r, 1 / self.alpha, T.shape))
        dropout = np.maximum(rng.beta(self.a, self.b, T.shape), np.finfo(float).tiny)
        n, g = rng.poisson(np.minimum(rate * T, MOST)), rng.geometric(dropout)
        return rate, dropout, np.asarray(n), np.asarray(g)

    def rescaled(self, factor: float) -> Self:
        """Return the same law with time in a unit `factor` times as small (7: weeks to days)."""
        return type(self)(self.r, self.alpha * factor, self.a, self.b)

    @classmethod
    def start(cls, x: Array, t_x: Array, T: Array, weight: Array) -> Self:  # noqa: ARG003
        """Return a rough point to begin a search at: the moments of x, few leaving."""
        total = weight.sum()
        exposure = max((weight * T).sum() / total, np.finfo(float).tiny)
        mean = max((weight * x).sum() / total, 1e-3)
        excess = (weight * (x - mean) ** 2).sum() / total - mean
        r = float(np.clip(mean**2 / max(excess, 1e-3 * mean), 0.05, 20.0))
        return cls(r, r * exposure / mean, 1.0, 3.0)
