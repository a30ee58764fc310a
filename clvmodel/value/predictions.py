"""What a fitted value model says of each customer's future: means, chances, quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, ParameterError, UnitError
from clvmodel.fitting.covariates import CovariateModel, of_customers
from clvmodel.models.point import Seed
from clvmodel.models.total_spend import Spending
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_PER_YEAR, UNIT_NAMES, days_in, horizon_in_days
from clvmodel.value.candidates import check_summary, checked_levels, prediction_table
from clvmodel.value.discounting import daily_rate, discounted
from clvmodel.value.distributions import Known, quantiles_ahead
from clvmodel.value.outlook import Outlook

Array = NDArray[np.float64]

LONGEST_YEARS = 100  # longest finite horizon: a longer one is a mistake about the unit
_MANY = 50_000  # customers from which a pass over all of them for every draw costs too much
_NARROW, _FLAT = 0.2, 0.05  # standard errors of log-parameters: see `parameter_draws`
_KEPT = 4  # sets of draws that stay with a fit
DRAWS = 100  # of the parameters, where their uncertainty is asked for; fewer of many customers


@dataclass(frozen=True)
class Options:
    """How `FittedValueModel.predict` was asked: its arguments of these names."""

    discount_rate: float = 0.10
    margin: Any = 1.0
    quantiles: Sequence[float] = ()
    value_above: Any = None
    parameter_uncertainty: bool = False
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        check_rate(self.discount_rate)
        checked_levels(self.quantiles)

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles, as floats."""
        return checked_levels(self.quantiles)


def predict(
    fitted: Any, summary: Summary, horizon: Any, options: Options, silent_until: Any = None
) -> Any:
    """Predict each customer's next `horizon`: see `FittedValueModel.predict`."""
    check_summary(summary)
    margin = margins(options.margin, summary)
    history = summary
    if silent_until is not None:
        summary = summary.after_silence(silent_until)
    t, unit = horizon_of(fitted, summary, horizon)
    if not np.isfinite(t) and (options.levels or options.value_above is not None):
        raise ParameterError("quantiles and value_above need a finite horizon.")
    rate = daily_rate(options.discount_rate) * days_in(unit)
    outlook = Outlook.of(fitted.purchases.model, summary.in_unit(unit))
    model = fitted.purchases.model
    alive, new = outlook.alive(model), outlook.new(model)

    def each(of_state: Array) -> Array:
        return outlook.each(alive, of_state)

    expected = each(new.expected_purchases(t))
    columns: dict[str, Array | None] = {
        "p_alive": alive[outlook.where],
        "p_churn": 1 - alive[outlook.where],
        "p_purchase": each(new.p_purchase(t)),
        "expected_purchases": expected,
    }
    if fitted.spend is not None:
        spend = expected_spend(fitted, summary)
        if not np.isfinite(t) and rate == 0 and not np.isfinite(expected).all():
            raise ParameterError(
                "Over an infinite horizon the value does not converge without discounting: give a "
                "finite horizon or discount_rate > 0."
            )
        present = each(discounted(new.expected_purchases, t, rate))
        ahead = product(margin, expected, spend)
        columns |= {
            "expected_spend": spend,
            "expected_value": ahead,
            "clv": product(margin, present, spend),
        }
        if history.total_value is not None:
            past = margin * history.total_value
            columns |= {"historic_value": past, "lifetime_value": past + ahead}
    if options.levels or options.value_above is not None:
        columns |= _distributions(fitted, summary, outlook, t, margin, options)
    return prediction_table(summary, columns)


def _distributions(
    fitted: Any, summary: Summary, outlook: Outlook, t: float, margin: Array, options: Options
) -> dict[str, Array | None]:
    """Columns of quantiles and of chances above a threshold."""
    if np.any(margin < 0):
        raise ParameterError.out_of_range("margin", float(np.min(margin)), ">= 0 for quantiles")
    uncertain, rng = options.parameter_uncertainty, np.random.default_rng(options.seed)
    models = [fitted.purchases.model]
    draws = DRAWS if fitted.purchases.customers < _MANY else DRAWS // 4
    if uncertain:
        models = drawn_models(fitted.purchases, draws, rng)
    known = None
    if fitted.spend is not None:
        spending = drawn_spending(fitted.spend, draws, rng) if uncertain else at_estimate(fitted)
        known = known_spend(fitted, summary, outlook, spending, _amounts(summary, margin, options))
    elif options.value_above is not None:
        raise DataError("value_above needs a model of spend, and this one predicts purchases only.")
    found = quantiles_ahead(outlook, models, t, options.levels, known)
    names = [level_name(level) for level in options.levels]
    columns: dict[str, Array | None] = {
        f"purchases_{name}": found.purchases[:, i] for i, name in enumerate(names)
    }
    if found.value is not None:
        columns |= {f"value_{name}": margin * found.value[:, i] for i, name in enumerate(names)}
    return columns | {"p_value_above": found.above}


def _amounts(summary: Summary, margin: Array, options: Options) -> Array | None:
    """What each customer must spend for the value, after margin, to be `value_above`."""
    if options.value_above is None:
        return None
    amount = each_customer("value_above", options.value_above, summary)
    if np.any(amount < 0):
        raise ParameterError.out_of_range("value_above", float(np.min(amount)), ">= 0")
    return np.where(margin > 0, amount / np.where(margin > 0, margin, 1.0), np.inf)


def level_name(level: float) -> str:
    """Name of a quantile in a column: q05 for 0.05, q50 for 0.5, q975 for 0.975.

    >>> level_name(0.05), level_name(0.5), level_name(0.975)
    ('q05', 'q50', 'q975')
    """
    return "q" + np.format_float_positional(level, trim="-").removeprefix("0.").ljust(2, "0")


def horizon_of(fitted: Any, summary: Summary | LargeSummary, horizon: Any) -> tuple[float, str]:
    """A horizon in the unit of the fit, and that unit."""
    unit: str = fitted.purchases.unit
    text = isinstance(horizon, str) and horizon.strip().lower() == "inf"
    if text or (_is_number(horizon) and horizon == np.inf):
        return float("inf"), unit
    days = horizon_in_days(horizon, summary.unit, summary.end)
    if days > LONGEST_YEARS * DAYS_PER_YEAR:
        raise UnitError(
            f"horizon == {horizon!r} is longer than {LONGEST_YEARS} years; is the unit meant? "
            f"A number counts {UNIT_NAMES[summary.unit]}; inf is the whole residual lifetime."
        )
    return days / days_in(unit), unit


def check_rate(rate: Any) -> None:
    """Refuse what is no annual discount rate."""
    if not (_is_number(rate) and np.isfinite(rate) and rate >= 0):
        raise ParameterError.out_of_range("discount_rate", rate, "finite and >= 0")


def margins(margin: Any, summary: Summary) -> Array:
    """Margin of each customer: a number, the name of an attribute, or one number per customer."""
    return each_customer("margin", margin, summary)


def each_customer(what: str, value: Any, summary: Summary) -> Array:
    """Finite numbers, one per customer: the same for all, an attribute's, or given one by one."""
    if isinstance(value, str):
        if not summary.attributes:
            raise ColumnError(
                f"{what}={value!r} names no attribute of the customers: this summary has none; add "
                "a table's columns with summary.join(customers)."
            )
        if value not in summary.attributes:
            raise ColumnError.missing(what, value, summary.attributes)
        what, value = f"{what} {value!r}", summary.attributes[value].to_numpy(zero_copy_only=False)
    try:
        values = np.broadcast_to(np.asarray(value, float), (len(summary),))
    except (TypeError, ValueError):
        raise ParameterError(
            f"{what} must be a number, the name of an attribute of the summary, or "
            f"{len(summary):,} numbers, one per customer."
        ) from None
    if not np.isfinite(values).all():
        bad = float(values[~np.isfinite(values)][0])
        raise ParameterError.out_of_range(what, bad, "finite for every customer")
    return values


def product(*factors: Array) -> Array:
    """Their product, elementwise; 0 where one of them is 0, even if another is infinite."""
    some = np.logical_and.reduce([factor != 0 for factor in factors])
    result = np.where(some, factors[0], 0.0)
    for factor in factors[1:]:
        result = result * np.where(some, factor, 1.0)
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def spend_history(summary: Summary, includes_first: bool) -> tuple[Array, Array]:
    """Number of known purchases of each customer, and their mean value; DataError if it is none."""
    if summary.monetary_value is None:
        raise DataError(
            "This model predicts value, and the summary has no amounts: name their column, "
            "summarize(..., value=...)."
        )
    if not includes_first:
        return _checked_spend(summary.frequency, summary.monetary_value)
    if summary.total_value is None:
        raise DataError(
            "spend_includes_first needs the value of each customer's first purchase, first_value, "
            "which this summary has not."
        )
    count = summary.frequency + 1
    return _checked_spend(count, summary.total_value / count)


def _checked_spend(count: Array, mean: Array) -> tuple[Array, Array]:
    """Return both, after refusing mean values that are missing, infinite or negative."""
    good = (count == 0) | ((mean >= 0) & np.isfinite(mean))
    if not good.all():
        row = int(np.argmin(good))
        raise DataError(
            "The mean value of a customer's purchases (monetary_value, first_value) must be finite "
            f"and >= 0; {int((~good).sum()):,} rows break it, the first is row {row}: "
            f"{mean[row]:g}. Mend or leave out these customers."
        )
    return count, mean


def spend_model(fitted: Any, summary: Summary) -> Any:
    """Return the model of spend of these customers: one point, or one each."""
    return of_customers(fitted.spend.model, summary)


def expected_spend(fitted: Any, summary: Summary) -> Array:
    """Mean value of each customer's next purchase."""
    history = spend_history(summary, fitted.spend_includes_first)
    return np.asarray(spend_model(fitted, summary).expected_spend(*history))


def known_spend(
    fitted: Any, summary: Summary, outlook: Outlook, spending: Spending, above: Array | None
) -> Known:
    """What is known of the spend of each customer, and of each state."""
    count, mean = spend_history(summary, fitted.spend_includes_first)
    own, gamma = count * mean, np.asarray(spend_model(fitted, summary).gamma)
    extra = 1.0 if fitted.spend_includes_first else 0.0
    scale = gamma + own
    return Known(spending, outlook.repeats + extra, scale, np.log(gamma / scale), above)


def at_estimate(fitted: Any) -> Spending:
    """Return the spend parameters at the estimate."""
    model = fitted.spend.model
    base = model.base if isinstance(model, CovariateModel) else model
    return Spending(np.array([base.p]), np.array([base.q]), np.ones(1))


def drawn_spending(fit: Any, n: int, rng: np.random.Generator) -> Spending:
    """Draws from the posterior of the spend parameters."""
    if isinstance(fit.model, CovariateModel):
        raise ParameterError("parameter_uncertainty is not available with spend_covariates yet.")
    p, q, gamma = parameter_draws(fit, n, rng).T
    return Spending(p, q, gamma / fit.model.gamma)


def drawn_models(fit: Any, n: int, rng: np.random.Generator) -> list[Any]:
    """Models at draws from the posterior of a fit's parameters."""
    return [fit.at(draw) for draw in parameter_draws(fit, n, rng)]


def parameter_draws(fit: Any, n: int, rng: np.random.Generator) -> Array:
    """Draws (n, parameters) from the posterior of a fit.

    Where standard errors of the logarithms are below 0.05 (0.2 for many customers), the normal
    approximation on the log scale serves: it is then right to a few percent of what little
    uncertainty there is, without a pass over all cells for every draw.

    The last few results stay with the fit: reports and tables ask for the same again and again.
    """
    error = np.sqrt(np.diag(fit.covariance).max())
    if error < (_NARROW if fit.customers >= _MANY else _FLAT):
        fit = replace(fit, cells=None)
    kept = vars(fit).setdefault("drawn", {})
    asked = n, repr(rng.bit_generator.state)
    if asked not in kept:
        draws = np.asarray(fit.sample(n, seed=rng).draws)
        draws.setflags(write=False)
        kept[asked] = draws, rng.bit_generator.state
        if len(kept) > _KEPT:
            del kept[next(iter(kept))]
    found, rng.bit_generator.state = kept[asked]
    return np.asarray(found)
