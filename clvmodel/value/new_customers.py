"""What a new customer is worth, from the first purchase on, and how that builds up over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, IntegrationError, ParameterError, UnitError
from clvmodel.fitting.covariates import CovariateModel, of_customers
from clvmodel.tables.frames import DEFAULT_KIND, native_frame, read_frame
from clvmodel.units import DAYS_PER_YEAR, UNIT_NAMES, days_in, duration_in_days, horizon_in_days
from clvmodel.value.discounting import daily_rate
from clvmodel.value.predictions import LONGEST_YEARS, check_rate

Array = NDArray[np.float64]

MOST_STEPS = 2_000  # of a curve, five years by day: more is a mistake about the step
RESULTS = ("days", "expected_purchases", "expected_value", "clv")

_SIZES = (4, 8, 16, 32, 64)
_AGREED = 1e-9  # the finer of two results that agree to this is mostly good to rounding
_HALVES = 40


def predict_new(
    fitted: Any,
    horizon: Any = "2Y",
    *,
    step: Any = "1M",
    customers: Any = None,
    discount_rate: float = 0.10,
    margin: float = 1.0,
) -> Any:
    """Value of a new customer over time, the first purchase included: a table.

    One row at 0, step, 2 steps, ... and one at the horizon itself. Columns: `days` since the first
    purchase; `expected_purchases` by then, 1 at once; `expected_value`, margin x purchases x the
    population's mean value of a purchase, not discounted; `clv`, the same discounted continuously
    at the effective annual `discount_rate` >= 0 to the day of the first purchase, which counts in
    full. A first purchase is taken to be worth what later ones are. Without a spend model only the
    purchases. Where the population's spend has no mean (Gamma-Gamma: q <= 1) the money is infinite.

    `horizon` and `step` are durations ("2Y", "12M", "26W", a timedelta) or numbers in the unit of
    the fit; the horizon at most 100 years, the step no longer than the horizon. `margin` is the
    share of revenue that is profit, one number.

    `customers`, needed where the fits have covariates, is a table or a mapping with one row for
    each kind of customer and the covariates' columns, such as {"channel": ["web", "shop"]}. The
    result then has its columns first, and one curve for each of its rows, in their order; it is a
    table of the kind of `customers`, otherwise of pandas. So values by channel or by cohort of
    acquisition are had by a fit with that column as a covariate.

    Raises UnitError, ParameterError, ColumnError, DataError or IntegrationError.
    """
    check_rate(discount_rate)
    _check_margin(margin)
    unit: str = fitted.purchases.unit
    days = _days(horizon, step, unit)
    kinds, kind = _kinds(fitted, customers)
    purchases = of_customers(fitted.purchases.model, kinds)
    bought = 1 + _by_kind(purchases.expected_purchases(days[:, None] / days_in(unit)), kinds)
    columns = {"days": np.tile(days, bought.shape[1]), "expected_purchases": bought.T.ravel()}
    if fitted.spend is not None:
        spend = of_customers(fitted.spend.model, kinds).expected_spend()
        worth = margin * spend if margin else np.zeros_like(spend)
        rate = daily_rate(discount_rate) * days_in(unit)
        present = 1 + _by_kind(discounted_by(purchases, days / days_in(unit), rate), kinds)
        columns["expected_value"] = (worth * bought).T.ravel()
        columns["clv"] = (worth * present).T.ravel()
    if kinds is not None:
        row = np.repeat(np.arange(kinds.num_rows), days.size)
        known = kinds.take(row)
        columns = {name: known[name] for name in known.column_names} | columns
    return native_frame(columns, kind)


def discounted_by(model: Any, t: Array, rate: float) -> Array:
    """Present value of the repeat purchases by each of the times t = 0, ..., (times, kinds).

    By parts as in `discounted`, exp(-rate t) E(t) + rate * integral of exp(-rate u) E(u) du over
    (0, t]; the integral piece by piece, all pieces together, by Gauss-Legendre of growing size
    until two agree. E bends most at the start, so the pieces also end at halves, quarters, ... of
    the whole: none but a negligible first is longer than what lies before it.
    """
    until = model.expected_purchases(t[:, None])
    if rate == 0:
        return np.asarray(until)
    ends = np.union1d(t, t[-1] * 0.5 ** np.arange(_HALVES))
    start, length = ends[:-1, None, None], np.diff(ends)[:, None, None]
    coarse = np.full_like(until, np.nan)
    for size in _SIZES:
        nodes, weights = np.polynomial.legendre.leggauss(size)
        u = start + length * 0.5 * (nodes[:, None] + 1)
        expected = np.reshape(model.expected_purchases(u.reshape(-1, 1)), (*u.shape[:2], -1))
        pieces = np.sum(0.5 * length * weights[:, None] * np.exp(-rate * u) * expected, axis=1)
        integral = np.concatenate([np.zeros_like(pieces[:1]), np.cumsum(pieces, axis=0)])
        fine = np.exp(-rate * t[:, None]) * until + rate * integral[np.searchsorted(ends, t)]
        if np.all(np.abs(fine - coarse) <= _AGREED * fine):
            return np.asarray(fine)
        coarse = fine
    raise IntegrationError(f"Discounting over {t[-1]:g} units of time did not settle.")


def _by_kind(curve: Array, kinds: Any) -> Array:
    """(times, kinds), one column without kinds."""
    number = 1 if kinds is None else kinds.num_rows
    return np.broadcast_to(curve, (len(curve), number))


def _days(horizon: Any, step: Any, unit: str) -> Array:
    """Days of the rows: steps from 0, and the horizon."""
    end, each = horizon_in_days(horizon, unit, None), duration_in_days(step, unit, "step")
    if end > LONGEST_YEARS * DAYS_PER_YEAR:
        raise UnitError(
            f"horizon == {horizon!r} is longer than {LONGEST_YEARS} years; is the unit meant? A "
            f"number counts {UNIT_NAMES[unit]}."
        )
    if each > end:
        raise ParameterError.out_of_range("step", step, f"no longer than the horizon, {horizon!r}")
    if end / each > MOST_STEPS:
        raise ParameterError.out_of_range(
            "step", step, f"at least a {MOST_STEPS:,}th of the horizon, {horizon!r}"
        )
    steps = int(np.ceil(end / each * (1 - 1e-12)))
    return np.append(each * np.arange(steps), end)


def _kinds(fitted: Any, customers: Any) -> tuple[Any, str]:
    """Arrow table of the kinds of customers, and the kind of table that it was."""
    models = [fit.model for fit in (fitted.purchases, fitted.spend) if fit is not None]
    designs = [model.design.names for model in models if isinstance(model, CovariateModel)]
    names = list(dict.fromkeys(name for design in designs for name in design))
    if customers is None:
        if names:
            raise ParameterError(
                f"This model has the covariates {', '.join(map(repr, names))}: give customers, a "
                "table with these columns and one row for each kind of customer."
            )
        return None, DEFAULT_KIND
    if not names:
        raise ParameterError("customers is given, and this model has no covariates: leave it out.")
    table, kind = _table(customers)
    for name in names:
        if name not in table.column_names:
            raise ColumnError.missing("customers", name, table.column_names)
    taken = [name for name in RESULTS if name in table.column_names]
    if taken:
        raise ColumnError(f"{', '.join(taken)} of customers: the result has columns so named.")
    if not table.num_rows:
        raise DataError("customers has no rows: give one for each kind of customer.")
    return table, kind


def _table(customers: Any) -> tuple[Any, str]:
    """Read a table or a mapping of columns."""
    if not isinstance(customers, Mapping):
        return read_frame(customers, what="customers")
    for name, values in customers.items():
        if isinstance(values, str | bytes) or not np.iterable(values):
            raise ColumnError(f"customers: {name} is {values!r}; put it into a list.")
    try:
        return read_frame(native_frame({name: list(v) for name, v in customers.items()}))
    except (TypeError, ValueError) as error:
        raise DataError(f"customers cannot be read as a table: {error}") from error


def _check_margin(margin: Any) -> None:
    number = isinstance(margin, int | float | np.number) and not isinstance(margin, bool)
    if not (number and np.isfinite(margin)):
        rule = "one finite number, a share of revenue such as 0.3"
        raise ParameterError.out_of_range("margin", margin, rule)
