"""Pareto/NBD: buy at random while alive; leave at random, whether or not something was bought.

    purchases while alive   Poisson, rate lambda ~ Gamma(shape r, rate alpha)   per unit of time
    lifetime                exponential, rate mu ~ Gamma(shape s, rate beta)    per unit of time

After the history (x, t_x, T) the customer is alive at T, or left at some time y in between:

    alive    C (alpha + T)^-(r + x) (beta + T)^-s
    left     C s * integral over y in (t_x, T) of (alpha + y)^-(r + x) (beta + y)^-(s + 1)

with C = Gamma(r + x) / Gamma(r) alpha^r beta^s. Given alive, lambda ~ Gamma(r + x, alpha + T) and
mu ~ Gamma(s, beta + T), independent: the customer is a new Pareto/NBD customer with these
parameters. [FH05] writes the integral with two 2F1 that overflow and cancel; it is one integral of
a positive function, and its derivatives are moments under that function.

[SMC87] Schmittlein, Morrison & Colombo (1987), Management Science 33(1):1-24.
[FH05]  Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model, brucehardie.com/notes/009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, exprel, log1p

from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.point import Array, Derivatives, Seed, as_arrays, as_float, symmetric
from clvmodel.models.purchase_model import MOST, Histories, PurchaseModel, PurchaseTimes
from clvmodel.numerics.distinct import by_distinct
from clvmodel.numerics.power_laws import peaked_integral, power_integral, power_moments
from clvmodel.numerics.special import (
    digamma_gap,
    log_beta_prime_density,
    log_rising,
    tabulated,
    trigamma_gap,
)

Counts = NDArray[np.int64]

_FAR = 1e250  # a time after which nothing happens: stands for infinity
_TINY = 1e-300  # stands for what is smaller, also for 0, where that would be infinite


@dataclass(frozen=True, slots=True)
class ParetoNBD(PurchaseModel):
    """One point of the Pareto/NBD family; a fitted model is one, so it has no unfitted state.

    Parameters: r (shape) and alpha (rate, in time units) of the purchase rate; s (shape) and beta
    (rate, in time units) of the dropout rate. Methods are pure, elementwise and broadcasting, and
    return float64. Raises ParameterError if a parameter is not finite and positive.

    >>> model = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)  # CDNOW, in weeks
    >>> print(model.expected_purchases(39, x=2, t_x=30.43, T=38.86).round(3))
    1.455
    """

    r: float
    alpha: float
    s: float
    beta: float

    title: ClassVar[str] = "Pareto/NBD"
    effects: ClassVar[dict[str, float]] = {"alpha": -1.0, "beta": -1.0}
    limits: ClassVar[dict[str, str]] = {
        "r low": "almost nobody buys again",
        "r high": "all customers buy at the same rate, r / alpha",
        "alpha low": "purchase rates differ without bound",
        "alpha high": "all customers buy at the same rate, r / alpha",
        "s low": "nobody leaves: the data show no dropout",
        "s high": "all customers leave at the same rate, s / beta",
        "beta low": "customers leave at once or never",
        "beta high": "nobody leaves, or all leave at the same rate, s / beta",
    }

    def _log_growth(self, start: Array, end: Array) -> tuple[Array, Array]:
        """Logs of (alpha + end) / (alpha + start) and (beta + end) / (beta + start)."""
        _, alpha, _, beta = self.arrays()
        gap = end - start
        return log1p(gap / (alpha + start)), log1p(gap / (beta + start))

    def _integral(self, x: Array, t_x: Array, T: Array) -> Array:
        """That over the time of leaving, relative to its integrand at t_x."""
        r, alpha, s, beta = self.arrays()
        return power_integral(r + x, alpha + t_x, s + 1, beta + t_x, T - t_x)

    def _log_ratio(
        self, x: Array, t_x: Array, silence: tuple[Array, Array], integral: Array
    ) -> Array:
        """Log of "left before T" over "alive at T"."""
        r, _, s, beta = self.arrays()
        at_start = np.maximum(integral * (s / (beta + t_x)), _TINY)
        return np.asarray((r + x) * silence[0] + s * silence[1] + np.log(at_start))

    def _log_odds(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log of "alive at T" over "left before"; infinite at the moment of a purchase."""

        def odds(x: Array, t_x: Array, T: Array) -> Array:
            ratio = self._log_ratio(x, t_x, self._log_growth(t_x, T), self._integral(x, t_x, T))
            return np.where(t_x < T, -ratio, np.inf)

        one = all(p.ndim == 0 for p in self.arrays())
        return by_distinct(odds, x, t_x, T) if one else odds(x, t_x, T)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Array:
        """Log density of each history, natural log [FH05]; the caller sums and weighs."""
        x, t_x, T = as_arrays(x, t_x, T)
        ratio = self._log_ratio(x, t_x, self._log_growth(t_x, T), self._integral(x, t_x, T))
        return as_float(self._log_likelihood(x, self._log_growth(np.zeros_like(T), T), ratio))

    def _log_likelihood(self, x: Array, age: tuple[Array, Array], ratio: Array) -> Array:
        r, alpha, s, _ = self.arrays()
        counted = tabulated(lambda k: log_rising(r, k) - k * np.log(alpha), x, r, alpha)
        either = np.maximum(ratio, 0) + log1p(np.exp(-np.abs(ratio)))  # log(1 + exp(ratio))
        return np.asarray(counted - (r + x) * age[0] - s * age[1] + either)

    def derivatives(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Derivatives:
        """Log-likelihood, gradient (4, n) and Hessian (4, 4, n) in (r, alpha, s, beta).

        The likelihood is a mixture over the time of leaving: its gradient is the mean of the
        gradients given that time, its Hessian the mean of theirs plus the spread of the gradients.
        """
        x, t_x, T = as_arrays(x, t_x, T)
        r, alpha, s, beta = self.arrays()
        bought, seen, since = r + x, alpha + t_x, beta + t_x
        exposure, life = alpha + T, beta + T
        silence, age = self._log_growth(t_x, T), self._log_growth(np.zeros_like(T), T)
        integral, mean, second = power_moments(bought, seen, s + 1, since, T - t_x)
        ratio = self._log_ratio(x, t_x, silence, integral)
        alive, left = expit(-ratio), expit(ratio)
        # Leaving at y rather than after T moves the gradient by constants and `slope` times the
        # functions of y - t_x that have this `mean` and `second` moments: on average by `apart`.
        slope = -1.0, bought / seen, -1.0, (s + 1) / since
        apart = (
            silence[0] - mean[0],
            slope[1] * (mean[1] - (T - t_x) / exposure),
            silence[1] - mean[2] + 1 / s,
            slope[3] * (mean[3] - 1) + s / life,
        )
        both = alive * left
        entries: dict[tuple[int, int], Array | float] = {
            (i, j): left * (slope[i] * slope[j]) * (moment - mean[i] * mean[j])
            + both * apart[i] * apart[j]
            for (i, j), moment in second.items()
        }
        gaps = tabulated(lambda k: np.stack([digamma_gap(r, k), trigamma_gap(r, k)]), x, r)
        u, v, u_x, v_x = T / alpha, T / beta, t_x / alpha, t_x / beta
        entries[0, 0] += gaps[1]
        entries[0, 1] += alive * u / exposure + left * (u_x + mean[1]) / seen
        entries[1, 1] += alive * (x - r * u * (2 + u)) / exposure**2
        bend = bought * (2 * mean[1] - second[1, 1])
        entries[1, 1] += left * (x - r * u_x * (2 + u_x) - bend) / seen**2
        entries[2, 2] -= left / s**2
        entries[2, 3] += alive * v / life + left * (v_x + mean[3]) / since
        entries[3, 3] -= alive * s * v * (2 + v) / life**2
        bend = (s + 1) * (2 * mean[3] - second[3, 3])
        entries[3, 3] += left * (1 - s * v_x * (2 + v_x) - bend) / since**2
        gradient = np.stack(
            np.broadcast_arrays(
                gaps[0] - age[0] + left * apart[0],
                (r * u - x) / exposure + left * apart[1],
                left * apart[2] - age[1],
                s * v / life + left * apart[3],
            )
        )
        value = self._log_likelihood(x, age, ratio)
        return Derivatives(value, gradient, symmetric(entries, 4, value))

    def update(self, x: ArrayLike, T: ArrayLike) -> ParetoNBD:
        """Law of customers who are alive at T after x repeat purchases, seen as new customers."""
        x, T = np.asarray(x, float), np.asarray(T, float)
        return ParetoNBD(self.r + x, self.alpha + T, self.s, self.beta + T)  # type: ignore[arg-type]

    def _new_mean(self, t: Array) -> Array:
        """Mean rate r / alpha times mean time alive, smooth also at s = 1 where [FH05] divide by 0.

        The mean of min(t, lifetime) is the integral of (1 + y / beta)^-s over y in (0, t).
        For ever it is infinite unless s > 1.
        """
        r, alpha, s, beta = self.arrays()
        log_life = log1p(np.minimum(t, _FAR) / beta)
        mean = r * (beta / alpha) * log_life * exprel((1 - s) * log_life)
        return np.asarray(np.where((t == np.inf) & (s <= 1), np.inf, mean))

    def _new_pmf(self, n: Array, t: Array) -> Array:
        """n purchases and alive at t, or leaving before t after n: nothing is subtracted.

        NB_n(y) = f_n(log y) / n is the chance of n purchases by y if nobody leaves, f_n the density
        of the log of the n-th purchase's time.
        """
        n, t, r, alpha, s, beta = np.broadcast_arrays(n, t, *self.arrays())
        result = np.zeros(n.shape)
        none, some = n == 0, (n > 0) & (t > 0) & (n < np.inf)
        result[none] = _no_purchase(*(v[none] for v in (t, r, alpha, s, beta)))
        n, t, r, alpha, s, beta = (v[some] for v in (n, t, r, alpha, s, beta))
        top, peak = peaked_integral(n + 1, r - 1, alpha, s + 1, beta, t)
        left = s * top / (beta + top) * peak * _nth_purchase(n, top, r, alpha, s, beta)
        result[some] = (_nth_purchase(n, t, r, alpha, s, beta) + left) / n
        return result

    def _new_tail(self, n: Array, t: Array) -> Array:
        """The n-th purchase comes before t and before the customer leaves."""
        n, t, r, alpha, s, beta = np.broadcast_arrays(n, np.minimum(t, _FAR), *self.arrays())
        result = np.zeros(n.shape)
        one, more = n == 1, (n > 1) & (t > 0) & (n < np.inf)
        t1, r1, alpha1, s1, beta1 = (v[one] for v in (t, r, alpha, s, beta))
        result[one] = r1 / alpha1 * power_integral(r1 + 1, alpha1, s1, beta1, t1)
        n, t, r, alpha, s, beta = (v[more] for v in (n, t, r, alpha, s, beta))
        top, peak = peaked_integral(n, r, alpha, s, beta, t)
        result[more] = peak * _nth_purchase(n, top, r, alpha, s, beta)
        return result

    def _new_survival(self, t: Array) -> Array:
        """E[exp(-mu t)] = (1 + t / beta)^-s."""
        t, _, _, s, beta = np.broadcast_arrays(t, *self.arrays())
        return np.asarray(np.exp(-s * log1p(t / beta)))

    def _new_lifetime(self) -> Array:
        """Mean of 1 / mu: beta / (s - 1)."""
        _, _, s, beta = np.broadcast_arrays(*self.arrays())
        finite = s > 1
        return np.where(finite, beta / np.where(finite, s - 1, 1.0), np.inf)

    def simulate(self, T: ArrayLike, *, seed: Seed = None) -> Histories:
        """Draw one history per element of T: exact, no loop over customers or purchases.

        Given x purchases in the time alive, they are uniform in it: the last is at its length times
        a Beta(x, 1).
        """
        rng = np.random.default_rng(seed)
        T = np.asarray(T, dtype=float)
        rate, dropout, until, x = self._draw(T, rng)
        t_x = np.where(x > 0, until * rng.beta(np.maximum(x, 1), 1), 0.0)
        return Histories(x.astype(float), t_x, T, until == T, rate, dropout)

    def simulate_purchases(self, T: ArrayLike, *, seed: Seed = None) -> PurchaseTimes:
        """Draw every repeat purchase of one customer per element of T (1-d), sorted by time."""
        rng = np.random.default_rng(seed)
        T = np.atleast_1d(np.asarray(T, dtype=float))
        _, _, until, x = self._draw(T, rng)
        customer = np.repeat(np.arange(T.size), x)
        time = rng.random(customer.size) * until[customer]
        return PurchaseTimes(customer, time[np.lexsort((time, customer))])

    def _draw(self, T: Array, rng: np.random.Generator) -> tuple[Array, Array, Array, Counts]:
        """Hidden rates of purchases and of dropout, time alive until T, purchases in it."""
        rate = np.asarray(rng.gamma(self.r, 1 / self.alpha, T.shape))
        dropout = np.maximum(rng.gamma(self.s, 1 / self.beta, T.shape), _TINY)
        until = np.minimum(T, rng.exponential(1.0, T.shape) / dropout)
        return rate, dropout, until, np.asarray(rng.poisson(np.minimum(rate * until, MOST)))

    def rescaled(self, factor: float) -> Self:
        """Return the same law with time in a unit `factor` times as small (7: weeks to days)."""
        return type(self)(self.r, self.alpha * factor, self.s, self.beta * factor)

    @classmethod
    def start(cls, x: Array, t_x: Array, T: Array, weight: Array) -> Self:
        """Return a rough point to begin a search at: the moments of x, few leaving."""
        buying = BGNBD.start(x, t_x, T, weight)
        exposure = max((weight * T).sum() / weight.sum(), np.finfo(float).tiny)
        return cls(buying.r, buying.alpha, 1.0, 3.0 * exposure)


def _no_purchase(t: Array, r: Array, alpha: Array, s: Array, beta: Array) -> Array:
    """Chance of no purchase in a new customer's first t: alive then, or left before."""
    alive = np.exp(-r * log1p(t / alpha) - s * log1p(t / beta))
    return np.asarray(alive + s / beta * power_integral(r, alpha, s + 1, beta, t))


def _nth_purchase(n: Array, y: Array, r: Array, alpha: Array, s: Array, beta: Array) -> Array:
    """Density, per unit of log y, of the n-th purchase at y by a customer who has not left by y."""
    return np.asarray(np.exp(log_beta_prime_density(y, alpha, n, r) - s * log1p(y / beta)))
