"""Has the customer base moved away from what a saved model was fitted on?

Customers grow older, so what is observed of them is held against what the *fitted model* expects of
customers with their times of observation (and covariates), as new customers from the first purchase
on. Three numbers:

    one purchase   share of customers without a repeat purchase, less its expectation
    repeats        repeat purchases of all customers together, over their expectation
    spend          mean value of the purchases that the spend model reads, in money

The same numbers at the time of the fit are kept (`Reference`): what did not fit then is no drift
now. A change is reported where it is both of practical size and beyond chance. The sizes are
judgements: 0.05 of a share, a quarter of a ratio; beyond chance is 3 standard errors of the change,
with the customers independent of each other and those of the fit taken for other people than those
of now. Where they are the same people the change varies less than that, which errs on silence. The
errors are

    one purchase   that of so many different coins, or the observed one if that is larger
    repeats        Poisson, times the variance over the mean that was seen (the larger of the two)
    spend          by customer, on the log scale (the relative spread is the larger of the two)

and the first two include that of the fitted parameters. Fewer than 100 customers are not judged.
Simulated customers of the fitted law, of the same ages or up to three times as old, raised a false
alarm in fewer than 1 of 100 sets. Where the model is of the wrong family, its misfit at ages that
the fit had not seen counts as drift.

A set of customers that was selected by what they did (the best, the lapsed) is reported as well,
and rightly: predictions for them are fine one by one, but they are not the customers of the fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, DriftWarning, ParameterError
from clvmodel.fitting.covariates import CovariateModel, of_customers
from clvmodel.fitting.fit import Fit
from clvmodel.tables.cells import collapse
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT, UNIT_NAMES, days_in
from clvmodel.value.outlook import at
from clvmodel.value.predictions import spend_history

Array = NDArray[np.float64]
Base = Summary | LargeSummary

SHARE_MOVED = 0.05  # of the share of customers with one purchase
RATIO_MOVED = 1.25  # of repeat purchases, and of the mean value of a purchase: up or down
STANDARD_ERRORS = 3.0
FEWEST = 100  # customers (for spend: customers with purchases that count) that are judged
UNIT_NEAR = 1.2  # how well another unit must explain the repeat purchases to be mentioned

_FARTHEST = 3.0  # in log-parameters: a parameter that the data do not bound is moved no farther
_WHOLE = 1e-6  # days: so near to a whole number is one
_FINE = 1000  # ages that are no whole days are rounded to such a part of the longest
_CLOSEST = 1e-300  # so that a ratio of 0 has a logarithm


@dataclass(frozen=True)
class Reference:
    """What is seen of some customers beside what a fitted model expects of them: plain numbers.

    `customers`; `one_purchase` and `expected_one_purchase`, shares in [0, 1] of those without a
    repeat purchase, and `one_purchase_variance` of that coin; `repeats` and `expected_repeats`,
    repeat purchases of all together, and `repeats_dispersion`, their variance over their mean.
    Without a spend model the rest is None: `spenders`, customers whose purchases have values that
    count; `spend`, the mean value of these purchases; `spend_scale`, the model's gamma averaged
    over them, which moves with covariates only; `spend_variance`, that of one customer's share in
    the mean, relative to it.
    """

    customers: float
    one_purchase: float
    expected_one_purchase: float
    one_purchase_variance: float
    repeats: float
    expected_repeats: float
    repeats_dispersion: float
    spenders: float | None = None
    spend: float | None = None
    spend_scale: float | None = None
    spend_variance: float | None = None

    @classmethod
    def of(
        cls, purchases: Fit[Any], spend: Fit[Any] | None, summary: Base, includes_first: bool
    ) -> Self:
        """Look at the customers of a summary (one at least), with both fits of a value model.

        `spend` may be None, and is not used for a summary without amounts; `includes_first` is
        `ValueModel.spend_includes_first`. Times that are no whole days are rounded to a thousandth
        of the longest. Raises ColumnError or DataError where covariates of the fits cannot be read.
        """
        n, ages = len(summary), _Ages.of(purchases, summary)
        none, mean = ages.expected(purchases.model)
        seen, share = ages.one_purchase / n, float(ages.number @ none) / n
        coin = max(float(ages.number @ (none * (1 - none))) / n, seen * (1 - seen))
        repeats, expected = float(ages.repeats.sum()), float(ages.number @ mean)
        ratio = repeats / expected if expected > 0 else 0.0
        spread = ages.squares - 2 * ratio * float(ages.repeats @ mean)
        spread += ratio**2 * float(ages.number @ mean**2)
        dispersion = max(spread / repeats, 1.0) if repeats else 1.0
        numbers = (float(n), seen, share, coin, repeats, expected, dispersion)
        return cls(*numbers, *_spend(spend, summary, includes_first))

    @property
    def ratio(self) -> float:
        """Repeat purchases over their expectation; nan where none is expected."""
        return self.repeats / self.expected_repeats if self.expected_repeats > 0 else float("nan")

    @property
    def gap(self) -> float:
        """Share of customers with one purchase, less its expectation."""
        return self.one_purchase - self.expected_one_purchase

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make the reference that `to_dict` described; raises DataError if it is none."""
        try:
            given = {f.name: data[f.name] for f in fields(cls)}
            numbers = {k: None if v is None else float(v) for k, v in given.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"This reference is damaged: {type(error).__name__}: {error}") from None
        bad = [k for k, v in numbers.items() if v is not None and not (np.isfinite(v) and v >= 0)]
        bad += [f.name for f in fields(cls)[:7] if numbers[f.name] is None]
        if bad:
            raise DataError(f"This reference is damaged: {bad[0]} == {given[bad[0]]!r}.")
        return cls(**numbers)  # type: ignore[arg-type]


def check_drift(fitted: Any, summary: Base, reference: Reference) -> list[str]:
    """Messages on how these customers differ from those of the fit; mostly none.

    `fitted` has the fits `purchases` and `spend` (or None), and `spend_includes_first`; `reference`
    was taken with them when they were fitted. Each message says which number moved, from what to
    what, beyond which threshold, and what to do; a last one, whether another unit of time would
    explain it. Fewer than 100 customers give none. See this file's first lines for the statistics.
    """
    if len(summary) < FEWEST:
        return []
    now = Reference.of(fitted.purchases, fitted.spend, summary, fitted.spend_includes_first)
    timing = []
    if _share_moved(now, reference) or _ratio_moved(now, reference):
        errors = _parameter_errors(fitted.purchases, _Ages.of(fitted.purchases, summary))
        if _share_moved(now, reference, errors.share):
            timing.append(_share_message(now, reference))
        if _ratio_moved(now, reference, errors.ratio):
            timing.append(_ratio_message(now, reference))
    if timing:
        timing += _unit_message(fitted.purchases, summary, now, reference)
    return timing + ([_spend_message(now, reference)] if _spend_moved(now, reference) else [])


def warn_of_drift(fitted: Any, summary: Base, stacklevel: int = 3) -> None:
    """Issue one DriftWarning with all messages of `check_drift`, if there are any.

    The reference is `fitted.reference`; a model that has none, or None, is not checked. The warning
    points at the caller's caller, or `stacklevel` calls up.
    """
    reference = getattr(fitted, "reference", None)
    messages = [] if reference is None else check_drift(fitted, summary, reference)
    if messages:
        text = "These customers are unlike those that the model was fitted on.\n- "
        warnings.warn(text + "\n- ".join(messages), DriftWarning, stacklevel=stacklevel)


class _Ages(NamedTuple):
    """Customers of the same age in days (and covariates): how many, and their repeat purchases.

    `one_purchase` counts the customers without any, and `squares` sums the squared numbers.
    """

    days: Array
    codes: tuple[Array, ...]
    number: Array
    repeats: Array
    one_purchase: float
    squares: float
    unit: float

    @classmethod
    def of(cls, fit: Fit[Any], summary: Base) -> Self:
        """Collapse the customers; `unit` is that of the fit, in days."""
        x, T, weight = _timing(summary)
        days = T * days_in(summary.unit)
        whole, grid = np.rint(days), float(days.max()) / _FINE
        days = whole if np.all(np.abs(days - whole) < _WHOLE) else np.rint(days / grid) * grid
        codes = fit.model.design.codes(summary) if isinstance(fit.model, CovariateModel) else ()
        cells = collapse([days, *codes], weight)
        age, *kinds = cells.columns
        many = x if weight is None else x * weight
        bought = np.bincount(cells.where, weights=many, minlength=age.size).astype(float)
        none = x == 0
        single = float(none.sum() if weight is None else weight[none].sum())
        unit = days_in(fit.unit)
        return cls(age, tuple(kinds), cells.weight, bought, single, float(many @ x), unit)

    def expected(self, model: Any, longer: float = 1.0) -> tuple[Array, Array]:
        """(chance of no repeat purchase, mean number of them), were the times longer by this."""
        point, T = at(model, self.codes), self.days * longer / self.unit
        return np.asarray(point.pmf(0, T)), np.asarray(point.expected_purchases(T))

    def sums(self, model: Any, longer: float = 1.0) -> Array:
        """[share without repeat purchases, mean number of them] that the model expects."""
        n = self.number.sum()
        return np.array([self.number @ each / n for each in self.expected(model, longer)])


def _timing(summary: Base) -> tuple[Array, Array, Array | None]:
    """Repeat purchases, T, and how many customers each row stands for (None: one)."""
    if isinstance(summary, Summary):
        return summary.frequency, summary.T, None
    (x, _, T), weight, _ = summary.cells
    return x, T, weight


def _spend(spend: Fit[Any] | None, summary: Base, includes_first: bool) -> tuple[float, ...]:
    """The last four numbers of a reference; none without amounts."""
    if spend is None:
        return ()
    if isinstance(summary, Summary):
        if (summary.total_value if includes_first else summary.monetary_value) is None:
            return ()
        count, mean = spend_history(summary, includes_first)
        weight = np.ones(count.size)
        gamma = of_customers(spend.model, summary).gamma
    else:
        cells = summary.total_cells if includes_first else summary.spend_cells
        if cells is None:
            return ()
        (count, mean), weight, _ = cells
        gamma = spend.model.gamma
    bought = count > 0
    if not bought.any():
        return ()
    gamma = np.broadcast_to(gamma, bought.shape)[bought]
    count, mean, weight = count[bought], mean[bought], weight[bought]
    number = weight.sum()
    many = weight * count
    level, scale = float(many @ mean / many.sum()), float(many @ gamma / many.sum())
    share = count / (many.sum() / number) * (mean / level - gamma / scale)
    return float(number), level, scale, float(weight @ share**2 / number)


class _Errors(NamedTuple):
    """Standard errors of the expected share, and (relative) of the expected repeat purchases."""

    share: float = 0.0
    ratio: float = 0.0


def _parameter_errors(fit: Fit[Any], ages: _Ages) -> _Errors:
    """What the uncertainty of the parameters means for these ages: one standard error each way.

    Each column of a square root of the covariance is walked up and down.
    """
    k = len((fit.model.base if isinstance(fit.model, CovariateModel) else fit.model).names())
    values, vectors = np.linalg.eigh(fit.covariance)
    at_fit, squares = np.array(list(fit.parameters.values())), np.zeros(2)
    centre = ages.sums(fit.model)
    for move in (vectors * np.sqrt(np.maximum(values, 0.0))).T:
        move = move * min(1.0, _FARTHEST / max(float(np.abs(move).max()), _CLOSEST))
        ends = []
        for step in (move, -move):
            moved = np.concatenate([at_fit[:k] * np.exp(step[:k]), at_fit[k:] + step[k:]])
            try:
                ends.append(ages.sums(fit.at(moved)))
            except (DataError, ParameterError):  # too far for numbers: the other way will do
                ends.append(centre)
        squares += ((ends[0] - ends[1]) / 2) ** 2
    share, mean = np.sqrt(squares)
    return _Errors(float(share), float(mean / max(centre[1], _CLOSEST)))


def _share_error(now: Reference, then: Reference) -> float:
    squares = (one.one_purchase_variance / one.customers for one in (now, then))
    return float(np.sqrt(sum(squares)))


def _share_moved(now: Reference, then: Reference, parameters: float = 0.0) -> bool:
    moved, error = abs(now.gap - then.gap), np.hypot(_share_error(now, then), parameters)
    return moved > max(SHARE_MOVED, STANDARD_ERRORS * float(error))


def _ratio_moved(now: Reference, then: Reference, parameters: float = 0.0) -> bool:
    """Compare ratios, with the error that that of now has if nothing moved."""
    if not (now.expected_repeats > 0 and then.repeats > 0):
        return False
    dispersion = max(now.repeats_dispersion, then.repeats_dispersion)
    square = dispersion / then.ratio * (1 / now.expected_repeats + 1 / then.expected_repeats)
    moved, error = now.ratio / then.ratio, np.sqrt(square + parameters**2)
    return abs(moved - 1) > STANDARD_ERRORS * float(error) and _beyond(moved)


def _spend_moved(now: Reference, then: Reference) -> bool:
    moved = _spend_ratio(now, then)
    if moved is None or (now.spenders or 0) < FEWEST:
        return False
    variance = max(now.spend_variance or 0.0, then.spend_variance or 0.0)
    error = np.sqrt(variance * (1 / (now.spenders or 1) + 1 / (then.spenders or 1)))
    return abs(np.log(max(moved, _CLOSEST))) > STANDARD_ERRORS * float(error) and _beyond(moved)


def _spend_ratio(now: Reference, then: Reference) -> float | None:
    """Mean value of a purchase, now over then, for customers with the same covariates."""
    if now.spend is None or now.spend_scale is None or not then.spend or not then.spend_scale:
        return None
    return (now.spend / now.spend_scale) / (then.spend / then.spend_scale)


def _beyond(ratio: float) -> bool:
    return not 1 / RATIO_MOVED <= ratio <= RATIO_MOVED


_REFIT = "Fit again on these customers, or check"


def _share_message(now: Reference, then: Reference) -> str:
    return (
        f"Customers with one purchase: {now.one_purchase:.1%} now, where the model expects "
        f"{now.expected_one_purchase:.1%} of customers as old as these; at the fit "
        f"{then.one_purchase:.1%}, where it expects {then.expected_one_purchase:.1%}. The "
        f"difference moved by {100 * (now.gap - then.gap):+.1f} points, beyond "
        f"{100 * SHARE_MOVED:g} and beyond chance. {_REFIT} how they were selected and the unit of "
        "their times."
    )


def _ratio_message(now: Reference, then: Reference) -> str:
    return (
        f"Repeat purchases: {now.repeats:,.0f} now, {now.ratio:.3g} times what the model expects "
        f"of customers as old as these; at the fit {then.ratio:.3g} times. That is a change by a "
        f"factor of {now.ratio / then.ratio:.3g}, outside {1 / RATIO_MOVED:g} to {RATIO_MOVED:g} "
        f"and beyond chance. {_REFIT} the unit of their times and how they were selected."
    )


def _spend_message(now: Reference, then: Reference) -> str:
    factor, same = (
        _spend_ratio(now, then) or 0.0,
        np.isclose(now.spend_scale or 0.0, then.spend_scale or 0.0),
    )
    mix = "" if same else ", both for customers with the same covariates"
    return (
        f"Mean value of a purchase: {now.spend:,.4g} now, {then.spend:,.4g} at the fit. That is a "
        f"change by a factor of {factor:.3g}{mix}, outside {1 / RATIO_MOVED:g} to {RATIO_MOVED:g} "
        f"and beyond chance. {_REFIT} the currency (and cents, taxes, refunds) and how they were "
        "selected."
    )


def _unit_message(fit: Fit[Any], summary: Base, now: Reference, then: Reference) -> list[str]:
    """Ask after the unit, if with times in another one the numbers are those of the fit."""
    if not (now.repeats > 0 and then.repeats > 0):
        return []
    ages, more = _Ages.of(fit, summary), now.ratio > then.ratio
    best, question = 1.0, []
    for longer, words in _other_units(summary.unit, fit.unit):
        if (longer > 1) != more:
            continue
        none, mean = ages.sums(fit.model, longer)
        factor = now.repeats / now.customers / mean / then.ratio
        gap = now.one_purchase - float(none) - then.gap
        off = max(abs(np.log(factor)) / np.log(UNIT_NEAR), abs(gap) / SHARE_MOVED)
        if off < best:
            best, question = float(off), [words]
    return question


def _other_units(mine: str, its: str) -> list[tuple[float, str]]:
    """How many times as long the times were if the unit of the summary, or of the fit, is wrong."""
    wrong = [(days_in(u) / days_in(mine), "", u, mine) for u in DAYS_IN_UNIT if u != mine]
    wrong += [(days_in(its) / days_in(u), " of the fit", u, its) for u in DAYS_IN_UNIT if u != its]
    words = (
        "The numbers would be those of the fit if the times were {}: are the times{} really in {}, "
        "not in {}?"
    )
    return [
        (longer, words.format(_times(longer), whose, UNIT_NAMES[meant], UNIT_NAMES[said]))
        for longer, whose, meant, said in wrong
    ]


def _times(longer: float) -> str:
    return f"{longer:.4g} times as long" if longer > 1 else f"{1 / longer:.4g} times shorter"
