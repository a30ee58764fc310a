"""What a check of an assumption finds: effect size, interval, a verdict in words, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
FINE, SLIGHT, CONCERN, UNKNOWN = "fine", "slight", "concern", "unknown"
FEW = 30  # customers (or gaps, or purchases) below which nothing is said: a judgement


@dataclass(frozen=True)
class Check:
    """One assumption held against the data.

    `effect` is its size (None where it cannot be told) with the interval [`low`, `high`], `what`
    says what the number is. `status` is "fine" (within chance), "slight" (beyond chance, but too
    small to matter), "concern" (beyond chance and of a size that matters) or "unknown". `verdict`
    says it in words, `remedy` what to do, `n` what it rests on.
    """

    name: str
    what: str
    effect: float | None
    low: float | None
    high: float | None
    status: str
    verdict: str
    remedy: str
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return asdict(self)


def unknown(name: str, what: str, why: str, n: int = 0) -> Check:
    """Return a check that cannot be made, and why."""
    return Check(name, what, None, None, None, UNKNOWN, why, "", n)


def judged(
    name: str,
    what: str,
    found: tuple[float, float, float],
    *,
    null: float,
    matters: float,
    words: tuple[str, str],
    remedy: str,
    n: int,
) -> Check:
    """Judge an effect by its interval, and by whether it lies further than `matters` from `null`.

    `words` are those for fine and for an effect, the latter with {effect} for its size.
    """
    effect, low, high = (float(v) for v in found)
    status = FINE
    if not low <= null <= high:
        status = CONCERN if abs(effect - null) > matters else SLIGHT
    fine, apart = words
    text = fine if status == FINE else apart.format(effect=effect)
    if status == SLIGHT:
        text += " Too little to matter."
    return Check(
        name, what, effect, low, high, status, text, remedy if status == CONCERN else "", n
    )


def normal_interval(mean: float, error: float, level: float) -> tuple[float, float, float]:
    """(mean, low, high) at a level, from a standard error."""
    reach = float(ndtri(0.5 + level / 2)) * error
    return mean, mean - reach, mean + reach


def mean_interval(values: Array, level: float) -> tuple[float, float, float]:
    """Mean of independent values with its interval (normal, from the values' own spread)."""
    error = float(values.std(ddof=1) / np.sqrt(values.size))
    return normal_interval(float(values.mean()), error, level)


def slope_by_customer(
    customer: NDArray[np.int64], x: Array, y: Array, level: float
) -> tuple[float, float, float, int]:
    """Slope of y on x within customers: (slope, low, high, customers that tell).

    Each customer's own means are taken out; the errors are clustered by customer.
    """
    size = np.bincount(customer)
    many = np.maximum(size, 1)
    dx = x - (np.bincount(customer, x) / many)[customer]
    dy = y - (np.bincount(customer, y) / many)[customer]
    total = float((dx * dx).sum())
    if total == 0:
        return float("nan"), float("nan"), float("nan"), 0
    slope = float((dx * dy).sum()) / total
    moments = np.bincount(customer, dx * (dy - slope * dx))
    told = int((np.bincount(customer, dx * dx) > 0).sum())
    grown = told / max(told - 1, 1)
    error = float(np.sqrt(grown * (moments**2).sum())) / total
    return (*normal_interval(slope, error, level), told)
