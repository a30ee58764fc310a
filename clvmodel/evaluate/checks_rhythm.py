"""Checks of how customers buy: regularity, trends of their rate and value, spend and frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clvmodel.evaluate.checks import (
    CONCERN,
    FEW,
    Check,
    judged,
    mean_interval,
    slope_by_customer,
    unknown,
)
from clvmodel.tables.purchases import Purchases
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_PER_YEAR

Array = NDArray[np.float64]
_SHORTEST = 10  # days that two gaps must span together: shorter ones are blurred by whole days


def spend_and_frequency(summary: Summary, level: float, seed: int) -> Check:
    """Correlation of the logarithm of repeat purchases with their mean value, repeat customers.

    Gamma-Gamma assumes that how often customers buy says nothing about what they spend. Then the
    mean of a customer's mean value does not depend on the number it is taken over, so this
    (Pearson) correlation is 0 - which that of ranks or of log values is not, as averages over more
    purchases are less skewed. Interval: bootstrap over customers, 1,000 resamples.
    """
    name, what = "spend and frequency", "correlation of log repeat purchases with mean value"
    if summary.monetary_value is None:
        return unknown(name, what, "The orders have no amounts.")
    chosen = summary.frequency > 0
    x, y = np.log(summary.frequency[chosen]), summary.monetary_value[chosen]
    if x.size < FEW or np.ptp(x) == 0 or np.ptp(y) == 0:
        return unknown(name, what, f"Only {x.size:,} repeat customers, or all alike.", x.size)
    drawn = _correlations(x, y, 1000, seed)
    found = _pearson(x, y)
    # on the scale of atanh, where it is more nearly normal
    error = float(np.arctanh(np.clip(drawn, -1 + 1e-12, 1 - 1e-12)).std(ddof=1))
    reach = float(ndtri(0.5 + level / 2)) * error
    middle = float(np.arctanh(np.clip(found, -1 + 1e-12, 1 - 1e-12)))
    return judged(
        name,
        what,
        (found, float(np.tanh(middle - reach)), float(np.tanh(middle + reach))),
        null=0.0,
        matters=0.1,
        words=(
            "What customers spend does not visibly depend on how often they buy.",
            "Customers who buy more often spend differently per purchase "
            "(correlation {effect:+.2f}).",
        ),
        remedy="Values of frequent customers are off one way, of rare ones the other: fit spend by "
        "frequency band, or give spend_covariates, and let a backtest judge.",
        n=x.size,
    )


def regularity(past: Purchases, level: float) -> Check:
    """Erlang shape k of the gaps between purchases: 1 is at random, larger ones are regular.

    From the last two gaps a, b of each customer who has two: given their sum, a / (a + b) is
    Beta(k, k), of variance 1 / (4 (2k + 1)), whatever the customer's rate and whenever customers
    leave after a purchase. Whole days are spread evenly over the day. Source: Wheat and Morrison
    (1990), Journal of Marketing Research 27(1):87-93.
    """
    name, what = "regularity", "Erlang shape k of the gaps between purchases (1: at random)"
    gaps = np.diff(past.day)
    own = past.customer[1:] == past.customer[:-1]
    last = np.append(~own, True)
    pair = np.flatnonzero(own[:-1] & own[1:] & last[2:])
    a, b = gaps[pair].astype(float), gaps[pair + 1].astype(float)
    fits = a + b >= _SHORTEST
    a, span = a[fits], (a + b)[fits] - 1
    if a.size < FEW:
        return unknown(name, what, f"Only {a.size:,} customers with two gaps to compare.", a.size)
    square = ((a - 0.5) / span - 0.5) ** 2 + 1 / (12 * span**2)
    mean, low, high = mean_interval(square, level)
    shape, least, most = (0.5 * (0.25 / max(v, 1e-9) - 1) for v in (mean, high, low))
    return judged(
        name,
        what,
        (shape, least, most),
        null=1.0,
        matters=0.3,
        words=(
            "Gaps between purchases look as random as the models assume.",
            "Gaps are like Erlang k = {effect:.2f} (above 1: regular, below: in bursts).",
        ),
        remedy="Regular buyers who are late are more likely gone than the models say (for bursts, "
        "less): read p_alive of late customers with care, and hold it against overdue_ratio.",
        n=a.size,
    )


def value_trend(past: Purchases, level: float) -> Check:
    """Change of the value of purchases per year, within customers.

    Slope of the log value on time, each customer's mean taken out (so it is not who bought when),
    errors clustered by customer; purchases of value 0 are left out.
    """
    name, what = "value over time", "relative change of a purchase's value per year"
    if past.value is None:
        return unknown(name, what, "The orders have no amounts.")
    some = past.value > 0
    years = past.day[some] / DAYS_PER_YEAR
    slope, low, high, told = slope_by_customer(
        past.customer[some], years, np.log(past.value[some]), level
    )
    if told < FEW:
        return unknown(name, what, f"Only {told:,} customers with two purchases.", told)
    found = tuple(float(np.expm1(min(v, 50.0))) for v in (slope, low, high))
    return judged(
        name,
        what,
        (found[0], found[1], found[2]),
        null=0.0,
        matters=0.05,
        words=(
            "What a customer's purchase is worth does not visibly change over time.",
            "A customer's purchases change in value by {effect:+.0%} a year.",
        ),
        remedy="Forecasts of value stay at past prices: deflate the amounts first, fit on recent "
        "history, or scale the forecast by the trend.",
        n=told,
    )


def rate_trend(past: Purchases, level: float) -> Check:
    """Mean position of the purchases between a customer's first and last: 0.5 at a steady rate.

    Given the day of the last purchase, those before it lie evenly over the time since the first, if
    the rate is steady until the customer leaves, whenever that is (Laplace's test for trend). One
    mean per customer with two repeat purchases or more, customers independent.
    """
    name, what = "rate over time", "mean position of purchases between first and last (0.5: steady)"
    starts = np.flatnonzero(np.diff(past.customer, prepend=-1))
    first, last = past.day[starts], past.day[np.append(starts[1:], past.day.size) - 1]
    since, whole = past.day - first[past.customer], (last - first)[past.customer]
    inner = (since > 0) & (since < whole)
    who = past.customer[inner]
    size = np.bincount(who, minlength=starts.size)
    place = np.bincount(who, since[inner] / whole[inner], minlength=starts.size)
    each = (place / np.maximum(size, 1))[size > 0]
    if each.size < FEW:
        return unknown(name, what, f"Only {each.size:,} customers with three purchases.", each.size)
    return judged(
        name,
        what,
        mean_interval(each, level),
        null=0.5,
        matters=0.02,
        words=(
            "Customers buy at a steady rate while they stay.",
            "Customers' purchases do not lie evenly: their mean position is {effect:.3f} (below "
            "0.5 they slow down, above they speed up).",
        ),
        remedy="The models take the average pace of the past for that of the future: fit on recent "
        "history only, and let a backtest with several cutoffs judge.",
        n=each.size,
    )


def outliers(summary: Summary, level: float, seed: int) -> Check:
    """Share of all revenue that the top 1% of customers by revenue brought."""
    name, what = "outliers", "share of revenue of the top 1% of customers"
    total = summary.total_value
    if total is None or total.sum() <= 0:
        return unknown(name, what, "The orders have no amounts.")
    n = total.size
    if n < 100:
        return unknown(name, what, f"Only {n:,} customers.", n)
    rising = np.sort(total)[::-1]
    share = float(rising[: max(n // 100, 1)].sum() / total.sum())
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(200):
        reached = np.cumsum(rng.poisson(1.0, n))
        drawn.append(_top(rising, reached))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    heavy = share > 0.25
    text = f"The top 1% of customers brought {share:.0%} of revenue, the largest {rising[0]:,.0f}."
    return Check(
        name,
        what,
        share,
        min(float(low), share),
        max(float(high), share),
        CONCERN if heavy else "fine",
        text,
        "Few customers rule RMSE and the spend model: look at them (resellers, shared accounts), "
        "model them apart, and judge by several metrics."
        if heavy
        else "",
        n,
    )


def _top(rising: Array, reached: NDArray[np.int64]) -> float:
    """Share of the top 1% in a resample, values falling and counted `reached` times so far."""
    times = np.diff(reached, prepend=0)
    taken = np.clip(reached[-1] / 100 - (reached - times), 0, times)
    return float((taken * rising).sum() / (times * rising).sum())


def _pearson(x: Array, y: Array) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _correlations(x: Array, y: Array, size: int, seed: int) -> Array:
    """Correlations of `size` resamples (each row counted a Poisson number of times)."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(size):
        w = rng.poisson(1.0, x.size).astype(float)
        w /= w.sum()
        dx, dy = x - (w * x).sum(), y - (w * y).sum()
        spread = np.sqrt((w * dx * dx).sum() * (w * dy * dy).sum())
        found.append((w * dx * dy).sum() / spread if spread > 0 else 0.0)
    return np.array(found)
