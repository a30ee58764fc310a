"""What the models of buying in continuous time share: every prediction, written once.

Given that a customer is still alive at T, the future is that of a *new* customer of the same kind
with updated parameters. So a model file gives its likelihood, the odds of being alive, the update,
and its formulas for a new customer; here each prediction is p_alive times such a formula.

A history is (x, t_x, T): x repeat purchases, the last at t_x, watched until T; all times since the
customer's first purchase, in the unit the model was fitted in; x = 0 implies t_x = 0.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from clvmodel.errors import ParameterError
from clvmodel.models.point import Array, Derivatives, Point, Seed, as_arrays, as_float
from clvmodel.numerics.counts import count_quantile
from clvmodel.numerics.distinct import by_distinct

MOST = 1e15  # mean number of purchases beyond which simulated customers buy no more


class Histories(NamedTuple):
    """Simulated customers, one per element.

    `rate` is the hidden rate of purchases while alive; `dropout` what governs leaving: a chance per
    purchase (BG/NBD, MBG/NBD) or a rate per unit of time (Pareto/NBD).
    """

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


class PurchaseModel(Point):
    """Mixin of the models of (x, t_x, T). Methods are pure, elementwise and broadcasting."""

    __slots__ = ()

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    scaled: ClassVar[tuple[str, ...]] = ("recency", "T")

    # What a model file gives. The _new_ methods are about a new customer's first t.

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Log density of each history, natural log; the caller sums and weighs."""
        raise NotImplementedError

    def derivatives(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Derivatives:
        """Log-likelihood with its gradient and Hessian in the parameters."""
        raise NotImplementedError

    def update(self, x: ArrayLike, T: ArrayLike) -> PurchaseModel:
        """Law of customers who are alive at T after x repeat purchases, seen as new customers."""
        raise NotImplementedError

    def simulate(self, T: ArrayLike, *, seed: Seed = None) -> Histories:
        """Draw one history per element of T."""
        raise NotImplementedError

    def simulate_purchases(self, T: ArrayLike, *, seed: Seed = None) -> PurchaseTimes:
        """Draw every repeat purchase of one customer per element of T (1-d), sorted by time."""
        raise NotImplementedError

    def rescaled(self, factor: float) -> Self:
        """Return the same law with time in a unit `factor` times as small (7: weeks to days)."""
        raise NotImplementedError

    def _log_odds(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log of "alive at T" over "left before"; infinite where nobody can have left."""
        raise NotImplementedError

    def _new_mean(self, t: Array) -> Array:
        """E X(t)."""
        raise NotImplementedError

    def _new_pmf(self, n: Array, t: Array) -> Array:
        """P(X(t) = n) for whole n >= 0."""
        raise NotImplementedError

    def _new_tail(self, n: Array, t: Array) -> Array:
        """P(X(t) >= n) for whole n >= 1."""
        raise NotImplementedError

    def _new_survival(self, t: Array) -> Array:
        """Chance not to have left after t, whatever is bought until then."""
        raise NotImplementedError

    def _new_lifetime(self) -> Array:
        """Mean time until the customer leaves; inf where there is no mean."""
        raise NotImplementedError

    # What follows from it

    def score(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Gradient of log_likelihood in the parameters, shape (parameters, n)."""
        return self.derivatives(x, t_x, T).gradient

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, silent: ArrayLike = 0) -> Array:
        """Chance that the customer has not left, in [0, 1].

        At T; or at the later time T + `silent`, given that no purchase comes until then.
        """
        x, t_x, T, silent = as_arrays(x, t_x, T, silent)
        return as_float(expit(self._log_odds(x, t_x, T + silent)))

    def p_survive(self, t: ArrayLike) -> Array:
        """Chance that a new customer has not left after t >= 0, in [0, 1].

        Unlike `p_alive` it knows no history but the first purchase: the share of all customers of
        age t who still are some. Falls in t, to 0 at inf. Shape of t and the parameters.
        """
        return as_float(self._new_survival(np.asarray(t, float)))

    def expected_purchases(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Mean number of purchases in (T, T + t]; with no history, in a new customer's first t.

        For ever, t = inf, it may be infinite: customers who hardly ever leave are then so frequent
        that there is no mean.
        """
        t, x, t_x, T = as_arrays(t, x, t_x, T)
        alive = self.p_alive(x, t_x, T)
        if any(p.ndim for p in self.arrays()):
            new = self.update(x, T)._new_mean(t)
        else:
            new = by_distinct(lambda t, x, T: self.update(x, T)._new_mean(t), t, x, T)
        return as_float(alive * np.where(alive > 0, new, 0.0))

    def pmf(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Chance of exactly n purchases in (T, T + t]; with no history, for a new customer."""
        n, t, x, t_x, T = as_arrays(n, t, x, t_x, T)
        whole = (n >= 0) & (n == np.floor(n)) & np.isfinite(n)
        alive = self.p_alive(x, t_x, T)
        new = self.update(x, T)._new_pmf(np.where(whole, n, 0.0), t)
        return as_float(np.where(whole, alive * new + (1 - alive) * (n == 0), 0.0))

    def cdf(
        self, n: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Chance of at most n purchases in (T, T + t]; with no history, for a new customer."""
        n, t, x, t_x, T = as_arrays(n, t, x, t_x, T)
        counts = (n >= 0) & (n < np.inf)
        more = np.floor(np.where(counts, n, 0.0)) + 1
        tail = self.p_alive(x, t_x, T) * self.update(x, T)._new_tail(more, t)
        return as_float(np.where(counts, 1 - tail, n > 0))

    def p_purchase(
        self, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Chance of at least one purchase in (T, T + t], in [0, 1]: 1 - pmf(0, ...)."""
        t, x, t_x, T = as_arrays(t, x, t_x, T)
        some = self.update(x, T)._new_tail(np.ones_like(t), t)
        return as_float(self.p_alive(x, t_x, T) * some)

    def quantile(
        self, q: ArrayLike, t: ArrayLike, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0
    ) -> Array:
        """Smallest n such that at most n purchases come in (T, T + t] with chance q or more.

        For 0 < q < 1, else ParameterError; a whole number, as float64.
        """
        q, t, x, t_x, T = as_arrays(q, t, x, t_x, T)
        within_unit("q", q)
        with np.errstate(divide="ignore"):
            room = (1 - q) / self.p_alive(x, t_x, T)
        t, new = np.broadcast_to(t, room.shape).ravel(), self.update(x, T).spread(room.shape)

        def tail(n: Array, rows: NDArray[np.intp]) -> Array:
            return new.take(rows)._new_tail(n, t[rows])

        return as_float(count_quantile(tail, room.ravel()).reshape(room.shape))

    def expected_lifetime(self, x: ArrayLike = 0, t_x: ArrayLike = 0, T: ArrayLike = 0) -> Array:
        """Mean time from T until the customer leaves, 0 for those who have left by then.

        Infinite where customers who hardly ever leave are so frequent that there is no mean: ask
        for the purchases within a horizon instead.
        """
        x, t_x, T = as_arrays(x, t_x, T)
        alive = self.p_alive(x, t_x, T)
        return as_float(alive * np.where(alive > 0, self.update(x, T)._new_lifetime(), 0.0))


def within_unit(name: str, value: Array) -> None:
    """Refuse what is not strictly between 0 and 1: raises ParameterError."""
    good = (value > 0) & (value < 1)
    if not np.all(good):
        bad = float(value[~good].flat[0])
        raise ParameterError.out_of_range(name, bad, "between 0 and 1, both excluded")
