"""Customers on whom fits go wrong: each case is real, or a limit that real data come near.

`cases()` maps a few words to arrays frequency, recency, T and perhaps weight. Everything is
simulated with fixed seeds or read from the CDNOW sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import clvmodel as clv

Data = dict[str, np.ndarray]

WEEK, YEAR = 7.0, 365.25


def history(x: object, t_x: object, T: object, **more: object) -> Data:
    """Columns by name, as floats of one length."""
    columns = {"frequency": x, "recency": t_x, "T": T, **more}
    arrays = np.broadcast_arrays(*(np.asarray(column, float) for column in columns.values()))
    return {name: array.copy() for name, array in zip(columns, arrays, strict=True)}


def ordinary(customers: int, T: object = 730.0, seed: int = 1) -> Data:
    """Customers of an ordinary shop, counted in whole days, watched for T."""
    model = clv.BGNBD(r=0.25, alpha=30.0, a=0.8, b=2.5)
    x, t_x, T, *_ = model.simulate(np.broadcast_to(np.asarray(T, float), customers), seed=seed)
    return history(x, np.ceil(t_x), T)


def loyal(customers: int, seed: int = 1) -> Data:
    """Nobody ever leaves; rates differ."""
    rng = np.random.default_rng(seed)
    T = rng.integers(200, 731, customers).astype(float)
    x = rng.poisson(rng.gamma(0.8, 1 / 60, customers) * T)
    last = T * rng.beta(np.maximum(x, 1), 1)  # the largest of x uniform times
    return history(x, np.where(x > 0, np.ceil(last), 0.0), T)


def same_chance(customers: int, seed: int = 1) -> Data:
    """Everyone leaves with chance 0.2 after a purchase: nothing to learn about a spread."""
    model = clv.BGNBD(r=0.6, alpha=30.0, a=2e5, b=8e5)
    T = np.random.default_rng(seed).integers(200, 731, customers).astype(float)
    x, t_x, T, *_ = model.simulate(T, seed=seed)
    return history(x, np.ceil(t_x), T)


def young(customers: int, seed: int = 1) -> Data:
    """A shop of a few weeks: nobody has bought more than twice."""
    T = np.random.default_rng(seed).integers(1, 29, customers).astype(float)
    x, t_x, T, *_ = clv.BGNBD(r=0.5, alpha=120.0, a=0.8, b=2.5).simulate(T, seed=seed)
    once = x <= 1
    return history(x[once], np.ceil(t_x[once]), T[once])


def guest_checkout(customers: int, seed: int = 1) -> Data:
    """Ordinary customers, and one account that stands for all who bought without one."""
    data = ordinary(customers, seed=seed)
    data["frequency"][0], data["recency"][0], data["T"][0] = 20_000.0, 730.0, 730.0
    return data


def two_kinds(customers: int, seed: int = 1) -> Data:
    """Consumers who come and go, and firms that buy every week and stay."""
    firms = customers // 10
    T = np.full(customers, 365.0)
    first = clv.BGNBD(r=1.0, alpha=60.0, a=3.0, b=2.0).simulate(T[firms:], seed=seed)
    second = clv.BGNBD(r=200.0, alpha=1400.0, a=0.001, b=1.0).simulate(T[:firms], seed=seed)
    x, t_x = np.append(first.x, second.x), np.append(first.t_x, second.t_x)
    return history(x, np.ceil(t_x), T)


def cdnow(days: float) -> Data:
    """Histories of the CDNOW sample in a unit of so many days."""
    orders = clv.datasets.load_cdnow(sample=True)
    summary = clv.summarize(orders, customer="customer_id", date="date", end="1997-09-30", unit="D")
    return history(summary.frequency, summary.recency / days, summary.T / days)


def few_regulars() -> Data:
    """Bought once, but for four: all alike and leaving at once, or unequal and staying?"""
    once = np.round(np.arange(20, 365, 7.5))
    x, t_x, T = [3, 3, 2, 2], [280, 221, 248, 80], [361, 296, 294, 177]
    return history(np.append(x, 0 * once), np.append(t_x, 0 * once), np.append(T, once))


def every_day() -> Data:
    """A purchase on every day since the first."""
    T = np.arange(1.0, 301.0)
    return history(T, T, T)


def few(seed: int = 1) -> Data:
    """Twenty ordinary customers."""
    return ordinary(20, seed=seed)


CASES: dict[str, Callable[[], Data]] = {
    "CDNOW sample, in weeks": lambda: cdnow(WEEK),
    "the same, in seconds": lambda: cdnow(1 / 86400),
    "the same, in years": lambda: cdnow(YEAR),
    "the same, each customer 1,000,000 times": lambda: cdnow(WEEK) | {"weight": np.full(2357, 1e6)},
    "100,000 ordinary customers, 730 days": lambda: ordinary(100_000),
    "20 customers": few,
    "one customer": lambda: history([3], [20], [30]),
    "1,000 customers, all alike": lambda: history(np.full(1000, 3), 60, 100),
    "46 customers who bought once, 4 regulars": few_regulars,
    "500 customers, one purchase each": lambda: history(0, 0, np.arange(1.0, 501.0)),
    "a young shop: at most one repeat": lambda: young(2000),
    "a purchase every day": every_day,
    "nobody ever leaves": lambda: loyal(2000),
    "all leave with the same chance": lambda: same_chance(5000),
    "a guest account with 20,000 purchases": lambda: guest_checkout(2000),
    "consumers and firms": lambda: two_kinds(1000),
}


def cases() -> dict[str, Data]:
    """Every case by its name."""
    return {name: make() for name, make in CASES.items()}
