"""BG/BB: opportunities to buy come at fixed times; before each one, perhaps leave for good.

    buying     at each opportunity while alive, with chance p ~ Beta(alpha, beta)
    leaving    at the beginning of each opportunity, with chance theta ~ Beta(gamma, delta)

An opportunity is a yearly appeal, a weekly market, or any period of which only is known whether the
customer bought in it. A history is (x, t_x, n): after the first purchase there were n
opportunities, x of them with a purchase, the last at the t_x-th; x = 0 implies t_x = 0.

Either the customer is alive at n or left at the beginning of opportunity t_x + 1, ..., n, and each
way has a chance that is a product of two ratios of Beta functions. Given alive at n,
p ~ Beta(alpha + x, beta + n - x) and theta ~ Beta(gamma, delta + n), independent: the customer is a
new BG/BB customer with these parameters, and every prediction follows from those of a new one.

[FHS10] Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual
        Setting, Marketing Science 29(6):1086-1108, doi 10.1287/mksc.1100.0580.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.models.bg_bb_sums import counts, log_of, silence, silence_derivatives, summed
from clvmodel.models.point import Array, Derivatives, Point, Seed, as_arrays, as_float
from clvmodel.models.purchase_model import within_unit
from clvmodel.numerics.counts import count_quantile
from clvmodel.numerics.distinct import by_distinct
from clvmodel.numerics.rising import expected_run, log_rising_ratio
from clvmodel.numerics.special import digamma_gap, tabulated, trigamma_gap


class OpportunityHistories(NamedTuple):
    """Simulated customers, one per element, with their hidden chances of buying and of leaving."""

    x: Array
    t_x: Array
    n: Array
    alive: NDArray[np.bool_]
    chance: Array
    dropout: Array


class PurchaseOpportunities(NamedTuple):
    """Simulated purchases after the first: whose (index), and at which opportunity (1, ..., n)."""

    customer: NDArray[np.intp]
    opportunity: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BGBB(Point):
    """One point of the BG/BB family; a fitted model is such a point, so it has no unfitted state.

    Parameters: alpha and beta of the chance of buying, gamma and delta of the chance of leaving.
    Methods are pure, elementwise and broadcasting, and return float64; opportunities, past or
    ahead, are whole numbers. Raises ParameterError for a parameter that is not finite and positive
    or a number of opportunities that is not whole, DataError for an impossible history.

    `p_alive` is the chance of being alive at opportunity n, at the end of observation. [FHS10] and
    other packages call P(alive) the chance of being alive at n + 1, which is smaller, since one
    more chance to leave lies between: it is `p_alive_next`.

    >>> model = BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)  # donations [FHS10]
    >>> print(model.p_alive(2, 4, 6).round(2), model.p_alive_next(2, 4, 6).round(2))
    0.63 0.59
    """

    alpha: float
    beta: float
    gamma: float
    delta: float

    title: ClassVar[str] = "BG/BB"
    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "n")
    scaled: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[dict[str, str]] = {
        "alpha low": "almost nobody buys again",
        "alpha high": "all customers buy with the same chance, alpha / (alpha + beta)",
        "beta low": "customers buy at every opportunity or never",
        "beta high": "all customers buy with the same chance, alpha / (alpha + beta)",
        "gamma low": "nobody leaves: the data show no dropout",
        "gamma high": "all customers leave with the same chance, gamma / (gamma + delta)",
        "delta low": "customers leave at once or never",
        "delta high": "nobody leaves, or all leave with the same chance, gamma / (gamma + delta)",
    }

    # Histories

    def _sums(self, function: Callable[..., Array], x: Array, t_x: Array, n: Array) -> Array:
        return summed(function, n - t_x, x, t_x, *self.arrays())

    def _distinct(self, function: Callable[..., Array], *columns: Array) -> Array:
        """function(*columns), computed once for equal rows where the point is the same for all."""
        one = all(p.ndim == 0 for p in self.arrays())
        return by_distinct(function, *columns) if one else function(*columns)

    def _log_seen(self, x: Array, t_x: Array) -> Array:
        """Log chance of the purchases up to t_x, and of being alive there."""
        alpha, beta, gamma, delta = self.arrays()
        bought = tabulated(lambda k: log_rising_ratio(alpha, beta, k), x, alpha, beta)
        stayed = tabulated(lambda k: log_rising_ratio(delta, gamma, k), t_x, delta, gamma)
        return -(bought + stayed + log_rising_ratio(beta, alpha + x, t_x - x))

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """Log chance of each sequence of purchases, natural log; the caller sums and weighs.

        Of one sequence: no count of those that share x and t_x is in it.
        """

        def sequence(x: Array, t_x: Array, n: Array) -> Array:
            total, bought, _ = self._sums(silence, x, t_x, n)
            return self._log_seen(x, t_x) + log_of(total, bought)

        return as_float(self._distinct(sequence, *_history(x, t_x, n)))

    def derivatives(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Derivatives:
        """Log-likelihood, gradient (4, k) and Hessian (4, 4, k) in (alpha, beta, gamma, delta).

        The likelihood is a sum over the opportunities at which the customer may have left: its
        gradient is theirs, weighted with their chances, and its Hessian that of theirs plus the
        spread of their gradients.
        """
        x, t_x, n = _history(x, t_x, n)
        alpha, beta, gamma, delta = self.arrays()
        sums = self._sums(silence_derivatives, x, t_x, n)

        def gaps(z: Array, k: Array) -> list[Array]:
            both = tabulated(lambda k: np.stack([digamma_gap(z, k), trigamma_gap(z, k)]), k, z)
            return [np.broadcast_to(gap, sums.shape[1:]) for gap in both]

        bought, tossed = gaps(alpha, x), gaps(alpha + beta, t_x)
        passed, stayed, moved = gaps(beta, t_x - x), gaps(delta, t_x), gaps(gamma + delta, t_x)
        gradient, hessian = sums[2:6], sums[6:].reshape(4, 4, *sums.shape[1:])
        gradient += np.stack([bought[0], passed[0], 0 * moved[0], stayed[0]])
        gradient -= np.stack([tossed[0], tossed[0], moved[0], moved[0]])
        hessian[:2, :2] -= tossed[1]
        hessian[2:, 2:] -= moved[1]
        for i, own in ((0, bought), (1, passed), (3, stayed)):
            hessian[i, i] += own[1]
        value = self._log_seen(x, t_x) + log_of(sums[0], sums[1])
        return Derivatives(as_float(value), gradient, hessian)

    def score(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike) -> Array:
        """Gradient of log_likelihood in the parameters, shape (parameters, n)."""
        return self.derivatives(x, t_x, n).gradient

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike, silent: ArrayLike = 0) -> Array:
        """Chance that the customer has not left, in [0, 1].

        At opportunity n; or at the later one n + `silent`, given that no purchase comes until then.
        """
        later = np.asarray(n, float) + _opportunities("silent", silent)

        def share(x: Array, t_x: Array, n: Array) -> Array:
            total, _, alive = self._sums(silence, x, t_x, n)
            return np.asarray(alive / total)

        return as_float(self._distinct(share, *_history(x, t_x, later)))

    def p_alive_next(
        self, x: ArrayLike, t_x: ArrayLike, n: ArrayLike, ahead: ArrayLike = 1
    ) -> Array:
        """Chance that the customer will still be there at opportunity n + `ahead`, in [0, 1].

        Whether or not purchases come until then. With `ahead` = 1 the "P(alive)" of [FHS10].
        """
        ahead, alive = _opportunities("ahead", ahead), self.p_alive(x, t_x, n)
        _, _, gamma, delta = self.arrays()
        leaves = log_rising_ratio(delta + np.asarray(n, float), gamma, ahead)
        return as_float(alive * np.exp(-leaves))

    # Predictions: p_alive times those for a new customer

    def update(self, x: ArrayLike, n: ArrayLike) -> BGBB:
        """Law of customers alive at n after x opportunities with a purchase, as new customers."""
        x, n = np.asarray(x, float), np.asarray(n, float)
        return BGBB(self.alpha + x, self.beta + (n - x), self.gamma, self.delta + n)  # type: ignore[arg-type]

    def _if_alive(
        self, formula: Callable[..., Array], x: ArrayLike, n: ArrayLike, t: ArrayLike, *k: ArrayLike
    ) -> Array:
        """A new customer's formula(t, *k) for those who are alive at n after x purchases."""
        columns = as_arrays(x, n, _opportunities("t", t), *k)

        def at(x: Array, n: Array, t: Array, *k: Array) -> Array:
            return formula(self.update(x, n), t, *k)

        return self._distinct(at, *columns)

    def expected_purchases(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0
    ) -> Array:
        """Mean number of purchases at the next t opportunities [FHS10 eq. 13].

        With no history, at a new customer's first t, the first purchase not counted.
        """
        return as_float(self.p_alive(x, t_x, n) * self._if_alive(BGBB._new_mean, x, n, t))

    def pmf(
        self, k: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0
    ) -> Array:
        """Chance of exactly k purchases at the next t opportunities; with no history, if new."""
        k, t = as_arrays(k, _opportunities("t", t))
        possible = (k >= 0) & (k <= t) & (k == np.floor(k))
        alive = self.p_alive(x, t_x, n)
        new = self._if_alive(BGBB._new_pmf, x, n, t, np.where(possible, k, 0.0))
        return as_float(np.where(possible, alive * new + (1 - alive) * (k == 0), 0.0))

    def cdf(
        self, k: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0
    ) -> Array:
        """Chance of at most k purchases at the next t opportunities; with no history, if new."""
        k = np.asarray(k, float)
        more = np.floor(np.maximum(k, 0.0)) + 1
        tail = self.p_alive(x, t_x, n) * self._if_alive(BGBB._new_tail, x, n, t, more)
        return as_float(np.where(k >= 0, 1 - tail, 0.0))

    def p_purchase(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0
    ) -> Array:
        """Chance of a purchase at one or more of the next t opportunities: 1 - pmf(0, ...)."""
        return as_float(self.p_alive(x, t_x, n) * self._if_alive(BGBB._new_tail, x, n, t, 1))

    def quantile(
        self, q: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0
    ) -> Array:
        """Smallest k such that at most k purchases come at the next t with chance q or more.

        For 0 < q < 1, else ParameterError; a whole number, as float64.
        """
        q, t, x, t_x, n = as_arrays(q, _opportunities("t", t), x, t_x, n)
        within_unit("q", q)
        with np.errstate(divide="ignore"):
            room = (1 - q) / self.p_alive(x, t_x, n)
        t, new = np.broadcast_to(t, room.shape).ravel(), self.update(x, n).spread(room.shape)

        def tail(k: Array, rows: NDArray[np.intp]) -> Array:
            return new.take(rows)._new_tail(t[rows], k)

        return as_float(count_quantile(tail, room.ravel()).reshape(room.shape))

    def expected_lifetime(self, x: ArrayLike = 0, t_x: ArrayLike = 0, n: ArrayLike = 0) -> Array:
        """Mean number of opportunities after n at which the customer is alive.

        That is the sum of `p_alive_next` over ahead = 1, 2, ...: (delta + n) / (gamma - 1) for
        those who are alive at n. Infinite where gamma <= 1, since customers who hardly ever leave
        are then so frequent that there is no mean: ask for the purchases within a horizon instead.
        """
        x, t_x, n = _history(x, t_x, n)
        alive, (_, _, gamma, delta) = self.p_alive(x, t_x, n), self.arrays()
        room = np.where(gamma > 1, gamma - 1, 1.0)
        lifetime = np.where(gamma > 1, (delta + n) / room, np.inf)
        return as_float(alive * np.where(alive > 0, lifetime, 0.0))

    def _new_mean(self, t: Array) -> Array:
        """Mean chance of buying times the expected number of opportunities alive among the first t.

        To stay is to toss tails: the latter is the mean of a run of them.
        """
        alpha, beta, gamma, delta = self.arrays()
        return np.asarray(alpha / (alpha + beta) * expected_run(gamma, delta, t))

    def _new_pmf(self, t: Array, k: Array) -> Array:
        """P(X(t) = k), whole 0 <= k <= t [FHS10 eq. 7]."""
        return np.asarray(summed(counts, t - k, k, *self.arrays())[0])

    def _new_tail(self, t: Array, k: Array) -> Array:
        """P(X(t) >= k), whole k >= 1."""
        some = np.minimum(k, t)
        tail = summed(counts, t - some, some, *self.arrays())[1]
        return np.asarray(np.where(k <= t, tail, 0.0))

    # Simulation, and a start for a search

    def simulate(self, n: ArrayLike, *, seed: Seed = None) -> OpportunityHistories:
        """Draw one history per element of n: exact, no loop over customers or opportunities.

        Of the m opportunities while alive, the last with a purchase is found from the end, a
        geometric wait; those before it are independent.
        """
        rng = np.random.default_rng(seed)
        n = _opportunities("n", n)
        chance, dropout, m, alive = self._draw(n, rng)
        wait = rng.geometric(np.maximum(chance, np.finfo(float).tiny))
        t_x = np.where(wait <= m, m - wait + 1, 0)
        x = np.where(t_x > 0, 1 + rng.binomial(np.maximum(t_x - 1, 0), chance), 0)
        return OpportunityHistories(x.astype(float), t_x.astype(float), n, alive, chance, dropout)

    def simulate_purchases(self, n: ArrayLike, *, seed: Seed = None) -> PurchaseOpportunities:
        """Draw every purchase after the first of one customer per element of n (1-d), sorted."""
        rng = np.random.default_rng(seed)
        n = np.atleast_1d(_opportunities("n", n))
        chance, _, m, _ = self._draw(n, rng)
        customer = np.repeat(np.arange(n.size), m)
        opportunity = np.arange(customer.size) - np.repeat(np.cumsum(m) - m, m) + 1
        bought = rng.random(customer.size) < chance[customer]
        return PurchaseOpportunities(customer[bought], opportunity[bought])

    def _draw(
        self, n: Array, rng: np.random.Generator
    ) -> tuple[Array, Array, NDArray[np.int64], NDArray[np.bool_]]:
        """Hidden chances, the number of opportunities while alive, whether alive at n."""
        chance = np.asarray(rng.beta(self.alpha, self.beta, n.shape))
        dropout = np.asarray(rng.beta(self.gamma, self.delta, n.shape))
        left = np.asarray(rng.geometric(np.maximum(dropout, np.finfo(float).tiny)))
        return chance, dropout, np.minimum(n.astype(np.int64), left - 1), left > n

    def rescaled(self, factor: float) -> Self:  # noqa: ARG002
        """Return the same law: opportunities have no unit."""
        return self

    @classmethod
    def start(cls, x: Array, t_x: Array, n: Array, weight: Array) -> Self:
        """Return a rough point to begin a search at: the share of purchases before the last one."""
        before = np.maximum(t_x - 1, 0.0)
        seen, bought = float(weight @ before), float(weight @ np.minimum(x - 1, before).clip(0))
        share = float(np.clip((bought + 1) / (seen + 2), 0.02, 0.98))
        watched = float(weight @ n / weight.sum())
        return cls(2 * share, 2 * (1 - share), 1.0, max(watched / 2, 1.0))


def _opportunities(name: str, value: ArrayLike) -> Array:
    """Whole numbers >= 0, or ParameterError."""
    number = np.asarray(value, float)
    good = (number >= 0) & (number == np.floor(number)) & np.isfinite(number)
    if not good.all():
        rule = "a whole number of opportunities, 0 or more"
        raise ParameterError.out_of_range(name, float(number[~good].flat[0]), rule)
    return number


def _history(*values: ArrayLike) -> tuple[Array, Array, Array]:
    """Arrays x, t_x, n of one shape, or DataError."""
    x, t_x, n = as_arrays(*values)
    whole = (x == np.floor(x)) & (t_x == np.floor(t_x)) & (n == np.floor(n))
    good = whole & (x >= 0) & (x <= t_x) & (t_x <= n) & ((x > 0) | (t_x == 0)) & np.isfinite(n)
    if not good.all():
        first = [float(column[~good].flat[0]) for column in (x, t_x, n)]
        raise DataError(
            "x == {:g}, t_x == {:g}, n == {:g} is no history: they must be whole numbers with "
            "0 <= x <= t_x <= n, and t_x is 0 where x is.".format(*first)
        )
    return x, t_x, n
