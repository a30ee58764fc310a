"""The whole base, or groups of it: what all customers together will buy and be worth.

Totals of up to 5,000 customers are simulated. Beyond that, a total at given parameters is close to
a gamma distribution with its exact variance, around its mean at each draw of the parameters. Where
that is no good, since spend has no variance or margins are negative, a large base is simulated,
too. Either way the parts of a base add up: see `total_parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, ParameterError
from clvmodel.tables.frames import native_frame
from clvmodel.tables.groups import COHORT, birth_months, groups, month_names
from clvmodel.tables.large import LargeSummary, over_parts, summed
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import check_customers, checked_levels
from clvmodel.value.discounting import daily_rate
from clvmodel.value.predictions import check_rate, drawn_models, horizon_of, level_name, margins
from clvmodel.value.total_parts import Draws, Freedom, Question

Array = NDArray[np.float64]
Index = NDArray[np.intp]
GroupOf = Callable[[Summary], Index]

RESULTS = ("customers", "expected_purchases", "expected_value", "clv")
SIMULATED = 5_000  # customers up to which totals are simulated
_DRAWS = 1000
_POINTS, _EACH = 400, 5  # draws of the parameters for a large base, and totals drawn at each
_HEAVY = 20_000_000  # customers times draws, where a large base must be simulated all the same


def predict_total(
    fitted: Any,
    summary: Summary | LargeSummary,
    horizon: Any,
    by: str | None,
    discount_rate: float,
    margin: Any,
    quantiles: Any,
    seed: Any,
) -> Any:
    """Totals of all customers, or of groups: see `FittedValueModel.predict_total`."""
    check_customers(summary)
    names, group_of = _groups(summary, by)
    if by in RESULTS:
        raise ColumnError(f"by == {by!r}: the result has a column so named; rename the attribute.")
    columns: dict[str, Any] = {} if by is None else {by: names}
    columns |= totals(
        fitted,
        summary,
        horizon,
        group_of,
        len(names),
        discount_rate=discount_rate,
        margin=margin,
        quantiles=quantiles,
        seed=seed,
    )
    return native_frame(columns, summary.kind)


def totals(
    fitted: Any,
    summary: Summary | LargeSummary,
    horizon: Any,
    group_of: GroupOf,
    size: int,
    *,
    discount_rate: float,
    margin: Any,
    quantiles: Any,
    seed: Any,
) -> dict[str, Any]:
    """Columns of `FittedValueModel.predict_total` for groups 0 to `size` - 1, told by a function.

    The function tells the group of each customer of a summary of some of them.
    """
    check_rate(discount_rate)
    wanted = checked_levels(quantiles)
    t, unit = horizon_of(fitted, summary, horizon)
    if not np.isfinite(t):
        raise ParameterError.out_of_range("horizon", horizon, "finite for totals")
    rng = np.random.default_rng(seed)
    simulate, draws = _draws(fitted, summary, _least(margin, summary), rng)
    question = Question(
        fitted,
        t,
        daily_rate(discount_rate) * days_in(unit),
        margin,
        group_of,
        size,
        len(summary),
        draws,
        simulate,
        int(rng.integers(2**63)),
    )
    found = summed(over_parts(summary, question))
    columns: dict[str, Any] = {"customers": found.customers.astype(np.int64)}
    for i, what in enumerate(("purchases", "value")[: len(found.mean)]):
        drawn = found.drawn[i]
        if not simulate:
            drawn = _gamma(np.repeat(drawn, _EACH, axis=0), found.variance[i], rng)
        columns[f"expected_{what}"] = found.mean[i]
        for level in wanted:
            columns[f"{what}_{level_name(level)}"] = np.quantile(drawn, level, axis=0)
    if fitted.spend is not None:
        columns["clv"] = found.clv
    return columns


def _least(margin: Any, summary: Summary | LargeSummary) -> float:
    """Smallest margin of all customers."""
    if isinstance(summary, Summary):
        return float(np.min(margins(margin, summary)))
    if isinstance(margin, int | float | np.number) and np.isfinite(margin):
        return float(margin)
    raise ParameterError.out_of_range("margin", margin, "a finite number, the same for all")


def _draws(
    fitted: Any, summary: Summary | LargeSummary, margin: float, rng: np.random.Generator
) -> tuple[bool, Draws]:
    """Whether totals are simulated, and pairs of models at draws from the posteriors of both fits.

    Simulated are those of few customers, and those that no gamma law is near: of customers whose
    spend has no variance (or, at some draw, no mean), and of negative margins.
    """
    n = len(summary)
    if n > SIMULATED and margin >= 0:
        draws = _pairs(fitted, _POINTS, rng)
        asked = over_parts(summary, Freedom(fitted, draws))
        at_estimate, at_draws = np.min(asked, axis=0)
        if at_estimate > 2 and at_draws > 1:
            return False, draws
    return True, _pairs(fitted, min(_DRAWS, max(100, _HEAVY // n)), rng)


def _pairs(fitted: Any, n: int, rng: np.random.Generator) -> Draws:
    drawn = [drawn_models(fit, n, rng) for fit in fitted.fits]
    return list(zip(drawn[0], drawn[1] if len(drawn) > 1 else [None] * n, strict=True))


def _groups(summary: Summary | LargeSummary, by: str | None) -> tuple[Sequence[Any], GroupOf]:
    """Names of the groups, and the function that tells each customer's."""
    if isinstance(summary, Summary):
        names, place = groups(summary, by)
        return names, lambda _: place
    if by is None:
        return ["all"], _in_one
    if by != COHORT:
        raise ColumnError(
            f"by == {by!r}: the customers of a {type(summary).__name__} have no attributes, only "
            f"{COHORT!r}, the month of the first purchase."
        )
    months = np.unique(birth_months(summary.cells.columns[2], summary))
    return month_names(months), _Born(months)


def _in_one(summary: Summary) -> Index:
    return np.zeros(len(summary), np.intp)


@dataclass(frozen=True)
class _Born:
    """Tells the place of each customer's month of the first purchase."""

    months: NDArray[np.int64]

    def __call__(self, summary: Summary) -> Index:
        return np.searchsorted(self.months, birth_months(summary.T, summary))


def _gamma(mean: Array, variance: Array, rng: np.random.Generator) -> Array:
    """Gamma variates of these means (draws, groups) and variances (groups); 0 where the mean is."""
    some = (mean > 0) & (variance > 0)
    shape = np.where(some, mean**2 / np.where(some, variance, 1.0), 1.0)
    scale = np.where(some, variance / np.where(some, mean, 1.0), 0.0)
    return np.where(some, rng.gamma(shape) * scale, mean)
