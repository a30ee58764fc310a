"""BG/NBD: buy at random while alive; after each repeat purchase, perhaps leave for good.

    purchases while alive   Poisson, rate lambda ~ Gamma(shape r, rate alpha)   per unit of time
    leaving                 with chance p ~ Beta(a, b), right after each repeat purchase

A history is (x, t_x, T): x repeat purchases, the last at t_x, watched until T; all times since
the customer's first purchase, in the unit the model was fitted in; x = 0 implies t_x = 0.
Either the customer is alive at T or left at t_x. Given alive, lambda ~ Gamma(r + x, alpha + T) and
p ~ Beta(a, b + x), independent: the customer is a new BG/NBD customer with these parameters. So
every prediction is p_alive times a new customer's, and each formula is written once.

[FHL05] Fader, Hardie & Lee (2005), Marketing Science 24(2):275-284, doi 10.1287/mksc.1040.0098.
[FHL08] Fader, Hardie & Lee (2008), Computing P(alive) Using the BG/NBD Model,
        brucehardie.com/notes/021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, expit, xlogy

from clvmodel.models.point import Array, Point, Seed, as_arrays, as_float
from clvmodel.numerics.beta_mean import beta_mean
from clvmodel.numerics.special import digamma_gap, log_beta_ratio, log_rising, tabulated

Counts = NDArray[np.int64]

# Up to this t / alpha the integrand of the mean varies slowly enough for Gauss-Jacobi.
_SLOW = 200.0


class Histories(NamedTuple):
    """Simulated customers, one per element; `rate` and `dropout` are the hidden lambda and p."""

    x: Array
    t_x: Array
    T: Array
    alive: NDArray[np.bool_]
    rate: Array
    dropout: Array


class PurchaseTimes(NamedTuple):
    """Simulated repeat purchases, one per element: whose (index) and when (after the first)."""

    customer: NDArray[np.intp]
    time: Array


@dataclass(frozen=True, slots=True)
class BGNBD(Point):
    """One point of the BG/NBD family; a fitted model is such a point, so it has no unfitted state.

    Parameters: r (shape) and alpha (rate, in time units) of the purchase rate; a and b of the
    dropout chance. Methods are pure, elementwise and broadcasting, and return float64.
    Raises ParameterError if a parameter is not finite and positive.

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
    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    scaled: ClassVar[tuple[str, ...]] = ("recency", "T")
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
        tosses = x + self.first_coins
        silence = np.log1p((T - t_x) / (self.alpha + t_x))
        stays = tabulated(lambda k: np.log((self.b + (np.maximum(k, 1) - 1)) / self.a), tosses)
        return np.where(tosses > 0, stays - (self.r + x) * silence, np.inf)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Log density of each history, natural log [FHL05 eq. 6]; the caller sums and weighs."""
        x, t_x, T = as_arrays(x, t_x, T)
        r, a, b = map(np.asarray, (self.r, self.a, self.b))
        counted = tabulated(
            lambda k: log_rising(r, k) + log_beta_ratio(a, b, k + self.first_coins), x
        )
        alive = counted - x * np.log(self.alpha + T) - self.r * np.log1p(T / self.alpha)
        return as_float(alive + np.logaddexp(0, -self._log_odds(x, t_x, T)))

    def score(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Gradient of log_likelihood in (r, alpha, a, b), shape (4, n): branches, weighted."""
        x, t_x, T = as_arrays(x, t_x, T)
        odds = self._log_odds(x, t_x, T)
        alive, left = expit(odds), expit(-odds)
        exposure, seen = self.alpha + T, self.alpha + t_x
        log_exposure = np.log1p(T / self.alpha) - left * np.log1p((T - t_x) / seen)
        mean_rate = self.r / self.alpha
        tosses = x + self.first_coins
        r, total, b = map(np.asarray, (self.r, self.a + self.b, self.b))
        bought = tabulated(lambda k: digamma_gap(r, k), x)
        tossed = tabulated(lambda k: digamma_gap(total, k), tosses)
        stayed = tabulated(lambda k: digamma_gap(b, k), tosses)
        return np.stack(
            [
                bought - log_exposure,
                alive * (mean_rate * T - x) / exposure + left * (mean_rate * t_x - x) / seen,
                left / self.a - tossed,
                stayed - tossed - left / (self.b + (np.maximum(tosses, 1) - 1)),
            ]
        )

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Chance that the customer is still alive at T, in [0, 1]; 1 when x = 0 [FHL08].

        The model tosses its coin at repeat purchases only, so a one-purchase customer counts as
        alive however long ago it was: act on `p_purchase` instead.
        """
        return as_float(expit(self._log_odds(*as_arrays(x, t_x, T))))

    def update(self, x: float, T: float) -> BGNBD:
        """Law of a customer who is alive at T after x repeat purchases, seen as a new customer."""
        return BGNBD(self.r + x, self.alpha + T, self.a, self.b + x + self.first_coins)

    def expected_purchases(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Mean number of purchases in (T, T + t]; with no history, in a new customer's first t.

        A new customer's mean is E_p[(1 - (1 + p t / alpha)^-r) / p], p ~ Beta(a, b): smooth and
        positive, also at a = 1 where [FHL05 eq. 9, 10] divide by a - 1, and where 2F1 overflows.
        """
        t, x, t_x, T = as_arrays(t, x, t_x, T)
        alive = self.p_alive(x, t_x, T)
        stayed = self.b + x + self.first_coins
        return as_float(alive * _mean(t, self.r + x, self.alpha + T, np.asarray(self.a), stayed))

    def pmf(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Chance of exactly n purchases in (T, T + t]; with no history, for a new customer.

        New customer: [FHL05 eq. 8] with its finite sum written as an incomplete Beta function, so
        that nothing is subtracted.
        """
        n, t, x, t_x, T = as_arrays(n, t, x, t_x, T)
        alive = np.asarray(self.p_alive(x, t_x, T))
        stayed = self.b + x + self.first_coins
        new = _pmf(n, t, self.r + x, self.alpha + T, np.asarray(self.a), stayed)
        return as_float(alive * new + (1 - alive) * (n == 0))

    def p_purchase(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Chance of at least one purchase in (T, T + t], in [0, 1]: 1 - pmf(0, ...)."""
        t, x, t_x, T = as_arrays(t, x, t_x, T)
        buys = -np.expm1(-(self.r + x) * np.log1p(t / (self.alpha + T)))
        return as_float(self.p_alive(x, t_x, T) * buys)

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
        n, g = rng.poisson(rate * T), rng.geometric(dropout)
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


def _mean(t: Array, r: Array, alpha: Array, a: Array, b: Array) -> Array:
    """E X(t) of a new customer."""
    t, r, alpha, a, b = np.broadcast_arrays(t, r, alpha, a, b)
    shape, ratio = r.ravel(), (t / alpha).ravel()
    moves = np.flatnonzero(ratio > 0)
    shape, ratio = shape[moves], ratio[moves]

    def bought_per_coin(p: Array, rows: NDArray[np.intp]) -> Array:
        return np.asarray(-np.expm1(-shape[rows] * np.log1p(p * ratio[rows])) / p)

    mean = np.zeros(t.size)
    mean[moves] = beta_mean(
        bought_per_coin, a.ravel()[moves], b.ravel()[moves], slow=ratio <= _SLOW
    )
    return mean.reshape(t.shape)


def _pmf(n: Array, t: Array, r: Array, alpha: Array, a: Array, b: Array) -> Array:
    """P(X(t) = n) of a new customer: n coins stay and n purchases, or leaving at the n-th."""
    bought = t / (alpha + t)
    whole = (n >= 0) & (n == np.floor(n))
    k = np.where(whole, n, 0.0)
    log_rate = np.asarray(xlogy(k, bought), float) - r * np.log1p(t / alpha)
    log_nb = log_rising(r, k) - log_rising(np.ones_like(k), k) + log_rate
    stays = np.exp(log_beta_ratio(a, b, k) + log_nb)
    coins = np.maximum(k, 1.0)
    leaving = np.exp(log_beta_ratio(a, b, coins - 1) + np.log(a / (a + b + coins - 1)))
    leaves = np.where(k > 0, leaving * betainc(coins, r, bought), 0.0)
    return np.asarray(np.where(whole, stays + leaves, 0.0))
