"""What subscribers are worth: by their age, from the model, beside revenue x margin / churn."""

from __future__ import annotations

from typing import Any

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.models.sbg import SBG
from clvmodel.tables.contracts import PERIODS_PER_YEAR, ContractSummary
from clvmodel.tables.frames import native_frame
from clvmodel.value.predictions import check_rate


def value_contracts(
    fit: Any,
    contracts: ContractSummary,
    *,
    revenue: float,
    margin: float = 1.0,
    discount_rate: float = 0.10,
) -> Any:
    """Value of the active subscriptions by the renewals they have made, model and formula: a table.

    `fit` is `clv.fit(clv.SBG, contracts)`; `revenue` is what a subscription brings per period
    (ARPU), `margin` the share of it that is profit, in [0, 1], `discount_rate` effective per year,
    >= 0.

    One row per number of renewals made, ascending. Columns: `renewals`; `customers`, the active
    ones; `p_renew`, the chance of the next renewal; `expected_tenure`, periods from first to last
    (infinite where alpha <= 1); `residual_value`, margin x discounted payments to come of one of
    them, seen just before the next renewal (`SBG.residual_lifetime`); `churn_formula`, revenue x
    margin / churn, the number that dashboards show for everybody, churn being the share of all
    renewals due that was not made: not discounted, the present period counted;
    `constant_churn_value`, what residual_value would be if everybody left at that churn: the same
    quantity, so that `bias`, constant_churn_value / residual_value - 1, is due to nothing but
    ignoring that subscribers differ. New subscribers are the row of 0 renewals, which is always
    there. Those with many renewals are undervalued by constant churn, increasingly so.

    Raises DataError or ParameterError.
    """
    model = getattr(fit, "model", fit)
    if not isinstance(model, SBG):
        raise ParameterError(
            f"fit is a {type(fit).__name__}, must be an SBG or a fit of it: clv.fit(clv.SBG, ...)."
        )
    if not isinstance(contracts, ContractSummary):
        raise DataError(
            f"contracts is a {type(contracts).__name__}; make it with clv.summarize_contracts or "
            "clv.ContractSummary.from_survivors."
        )
    check_rate(discount_rate)
    for name, value in (("revenue", revenue), ("margin", margin)):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (number and np.isfinite(value)):
            raise ParameterError.out_of_range(name, value, "one finite number")
    if not 0 <= margin <= 1:
        rule = "a share of revenue between 0 and 1 (0.4 for 40%)"
        raise ParameterError.out_of_range("margin", margin, rule)
    churn = contracts.churn_rate
    if not np.isfinite(churn):
        raise DataError("No renewal was due yet: churn cannot be measured.")
    active = contracts.counts * (contracts.churned == 0)
    ages = np.union1d(contracts.renewals[active > 0], 0.0)
    customers = np.bincount(np.searchsorted(ages, contracts.renewals), active, ages.size)
    rate = float((1 + discount_rate) ** (1 / PERIODS_PER_YEAR[contracts.period]) - 1)
    each = revenue * margin
    residual = each * model.residual_lifetime(rate, ages)
    formula = each / churn if churn else np.inf
    alike = (1 - churn) * (1 + rate) / (rate + churn) if rate + churn else np.inf
    constant = np.full(ages.size, each * alike)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = constant / residual - 1
    return native_frame(
        {
            "renewals": ages.astype(np.int64),
            "customers": customers,
            "p_renew": model.retention(1, ages),
            "expected_tenure": model.expected_tenure(ages),
            "residual_value": residual,
            "churn_formula": np.full(ages.size, formula),
            "constant_churn_value": constant,
            "bias": bias,
        },
        contracts.kind,
    )
