"""Why a customer gets the prediction that they get: the population, their own history, the mix.

Each estimate of a rate or of a mean lies between what is true of customers in general and what the
customer's own history says, and the weight of the latter grows with what is known:

    purchase rate, alive   (r + x) / (alpha + T)            weight of x / T    T / (alpha + T)
    spend per purchase     p (gamma + c m) / (p c + q - 1)  weight of m        p c / (p c + q - 1)
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from typing import Any

import numpy as np

from clvmodel.errors import DataError, ParameterError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.tables.frames import pandas_table
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_PER_YEAR, days_in
from clvmodel.value.candidates import check_summary
from clvmodel.value.outlook import at
from clvmodel.value.predictions import spend_history, spend_model

RATE = "purchase rate while active"
ALIVE = "chance of still being a customer"
SPEND = "spend per purchase"

_SEARCHED = 1000  # ids that are compared with one that is unknown


@dataclass(frozen=True, repr=False)
class Explanation:
    """What is expected of one customer, and how much of it is due to their own history.

    `history` says what the customer did: purchases, first_purchase and last_purchase (dates; None
    where the summary has no end), days_silent and days_known (from the last and from the first
    purchase to the end of observation), usual_gap (their mean gap in days; None with one purchase),
    and mean_value of the valued_purchases that a model of spend counts (None where there are none).

    `rows` are dictionaries of quantity, unit, population (customers in general, or those with the
    same covariates), own (what the customer's history says alone), estimate (both together) and
    weight_of_own in [0, 1]; what does not exist is None, and a mean that is infinite is inf. Where
    there is a weight w, estimate = w own + (1 - w) population, own counting nothing at w = 0.
    `table` is the same in pandas, `sentence` in words.
    """

    customer: Any
    history: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    sentence: str

    @property
    def table(self) -> Any:
        """The rows as a pandas table, one per quantity; what does not exist is NaN."""
        rows = [{k: math.nan if v is None else v for k, v in row.items()} for row in self.rows]
        return pandas_table(rows, index="quantity")

    def __repr__(self) -> str:
        """Return the sentence and the table."""
        return f"{self.sentence}\n\n{self.table.to_string(float_format=lambda v: f'{v:.4g}')}"

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda v: f"{v:.4g}")
        return f"<p>{escape(self.sentence)}</p>{table}"


def explain(
    fitted: Any, summary: Summary, customer: Any = None, *, row: int | None = None
) -> Explanation:
    """Explain what the model expects of one customer of the summary.

    Give either `customer`, an id as it stands in the summary, or `row`, the place of the customer
    in it, counted from 0. An id is never taken for a place: other customers would be explained
    where an id is mistyped. Raises ParameterError for an id (naming ids like it) or a row that is
    not there, and DataError for an id that stands there twice or amounts that are missing.
    """
    check_summary(summary)
    one = summary.take(np.array([_place(summary, customer, row)]))
    model, unit = fitted.purchases.model, fitted.purchases.unit
    known = one.in_unit(unit)
    x, t_x, T = (float(v[0]) for v in (known.frequency, known.recency, known.T))
    point = at(model, model.design.codes(one) if isinstance(model, CovariateModel) else ())
    history = _history(fitted, one)
    rows = [_rate_row(point, x, T, DAYS_PER_YEAR / days_in(unit)), _alive_row(point, x, t_x, T)]
    if fitted.spend is not None:
        rows.append(_spend_row(fitted, one))
    name = one.ids[0].as_py()
    groups = [_group(fit.model) for fit in fitted.fits]
    return Explanation(name, history, rows, _sentence(name, history, rows, groups))


def _place(summary: Summary, customer: Any, row: Any) -> int:
    """Row of the customer, by id or by place."""
    if (customer is None) == (row is None):
        raise ParameterError("explain needs either a customer's id or row=..., their place.")
    if row is not None:
        whole = isinstance(row, int | np.integer) and not isinstance(row, bool)
        if not (whole and 0 <= row < len(summary)):
            rule = f"a whole number from 0 to {len(summary) - 1:,}"
            raise ParameterError.out_of_range("row", row, rule)
        return int(row)
    found = _found(summary.ids, customer)
    if len(found) > 1:
        raise DataError(
            f"Customer {customer!r} stands in the summary more than once, in rows "
            f"{found[0]} and {found[1]}: choose one with row=."
        )
    if not found:
        raise ParameterError(_unknown(summary, customer))
    return found[0]


def _found(ids: Any, customer: Any) -> list[int]:
    """The first two rows of an id; fewer where it stands in fewer, or cannot be an id of these."""
    ids = ids.dictionary_decode() if hasattr(ids, "dictionary_decode") else ids
    found: list[int] = []
    try:
        for _ in range(2):
            row = ids.index(customer, found[-1] + 1 if found else 0).as_py()
            if row >= 0 and ids[row].as_py() == customer:  # 1.5 was sought as 1
                found.append(row)
    except (TypeError, ValueError, OverflowError, NotImplementedError):  # of another type
        return []
    return found


def _unknown(summary: Summary, customer: Any) -> str:
    """Say that there is no such customer, and which ones are called alike."""
    message = f"customer == {customer!r} is no customer of this summary."
    close = _close(summary.ids.to_pylist(), str(customer))
    if close:
        message += f" Did you mean {' or '.join(map(repr, close))}?"
    whole = isinstance(customer, int | np.integer) and not isinstance(customer, bool)
    if whole and 0 <= customer < len(summary):
        message += f" The customer in row {customer}, counted from 0, is explain(row={customer})."
    return message


def _close(ids: Sequence[Any], wanted: str) -> list[Any]:
    """Up to three ids that are much like this one, at best but for case, blanks and zeros."""
    names = {str(name).strip(): name for name in ids}
    bare = wanted.strip().lower().lstrip("0")
    same = [name for text, name in names.items() if text.lower().lstrip("0") == bare]
    if same:
        return same[:3]
    for size in range(len(wanted), -1, -1):  # those that begin like it, for as long as any do
        alike = [text for text in names if text.startswith(wanted[:size])]
        if alike:
            return [names[text] for text in get_close_matches(wanted, alike[:_SEARCHED], n=3)]
    return []


def _history(fitted: Any, one: Summary) -> dict[str, Any]:
    """What the customer did, in days and amounts."""
    scale = days_in(one.unit)
    x, recency, age = (float(v[0]) for v in (one.frequency, one.recency * scale, one.T * scale))
    first = None if one.end is None else one.end - dt.timedelta(days=round(age))
    last = None if first is None else first + dt.timedelta(days=round(recency))
    history: dict[str, Any] = {
        "purchases": int(x) + 1,
        "first_purchase": first,
        "last_purchase": last,
        "days_silent": round(age - recency),
        "days_known": round(age),
        "usual_gap": recency / x if x > 0 else None,
        "valued_purchases": None,
        "mean_value": None,
    }
    if one.monetary_value is not None:
        count, mean = spend_history(one, fitted.spend is not None and fitted.spend_includes_first)
        history["valued_purchases"] = int(count[0])
        history["mean_value"] = float(mean[0]) if count[0] > 0 else None
    return history


def _number(value: Any) -> float:
    return float(np.ravel(value)[0])


def _row(
    quantity: str, unit: str, population: float, own: float | None, estimate: float, weight: Any
) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "unit": unit,
        "population": population,
        "own": own,
        "estimate": estimate,
        "weight_of_own": weight,
    }


def _rate_row(point: Any, x: float, T: float, per_year: float) -> dict[str, Any]:
    """Rate of purchases by those who are alive: a Gamma prior, x purchases in T."""
    r, alpha = _number(point.r), _number(point.alpha)
    own = per_year * x / T if T > 0 else None
    estimate = per_year * (r + x) / (alpha + T)
    return _row(RATE, "per year", per_year * r / alpha, own, estimate, T / (alpha + T))


def _alive_row(point: Any, x: float, t_x: float, T: float) -> dict[str, Any]:
    """Chance of being alive, of all customers of this age and of this one."""
    population, estimate = point.p_survive(T), point.p_alive(x, t_x, T)
    return _row(ALIVE, "chance", _number(population), None, _number(estimate), None)


def _spend_row(fitted: Any, one: Summary) -> dict[str, Any]:
    """Mean value of a future purchase."""
    history = spend_history(one, fitted.spend_includes_first)
    count, mean = (float(v[0]) for v in history)
    model = spend_model(fitted, one)
    p, q = _number(model.p), _number(model.q)
    population, estimate = (_number(model.expected_spend(*h)) for h in ((0, 0), history))
    weight = p * count / (p * count + q - 1) if q > 1 else None
    return _row(SPEND, "money", population, mean if count > 0 else None, estimate, weight)


def _group(model: Any) -> str:
    """Whom a model's population consists of, for one customer."""
    if isinstance(model, CovariateModel):
        return f"customers with the same {' and '.join(model.design.names)}"
    return "customers in general"


def _sentence(
    name: Any, history: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], groups: Sequence[str]
) -> str:
    """All of it in words; `groups` are the populations of purchases and of spend."""
    group = groups[0]
    parts = [_what_happened(name, history), _rate_in_words(history, rows[0], group)]
    chance = f"Chance that they still are a customer: {_percent(rows[1]['estimate'])}"
    parts.append(f"{chance} ({group} of this age: {_percent(rows[1]['population'])}).")
    if history["purchases"] == 1 and rows[1]["estimate"] == 1 and history["days_silent"]:
        parts.append(
            "This model lets nobody leave before a second purchase, however long the silence."
        )
    if len(rows) > 2:
        parts.append(_spend_in_words(rows[2], groups[1]))
    return " ".join(parts)


def _what_happened(name: Any, history: Mapping[str, Any]) -> str:
    silent, gap = history["days_silent"], history["usual_gap"]
    ago = f"{_days(silent)} ago" if silent else "on the last day of observation"
    if gap is None:
        return f"Customer {name} bought once, {ago}."
    usual = _amount(gap)
    every = "every day" if usual == "1" else f"every {usual} days"
    return f"Customer {name} bought {history['purchases']:,} times (last {ago}, usually {every})."


def _rate_in_words(history: Mapping[str, Any], row: Mapping[str, Any], group: str) -> str:
    general, expected = _amount(row["population"]), _amount(row["estimate"])
    if row["own"] is None:
        return f"The population decides: {group} buy {general} times a year while active."
    if history["purchases"] == 1:
        return (
            f"One purchase shows no rhythm, so the population decides: {group} buy {general} times "
            f"a year while active, and of those who bought nothing more in "
            f"{_days(history['days_known'])} the model expects {expected}."
        )
    return (
        f"On their own history they would buy {_amount(row['own'])} times a year, {group} "
        f"{general}; with {_percent(row['weight_of_own'])} weight on their own history the model "
        f"expects {expected} a year while active."
    )


def _spend_in_words(row: Mapping[str, Any], group: str) -> str:
    unbounded = math.isinf(row["population"])
    general = f"{group} {row['population']:,.2f}"
    if row["own"] is None:
        if unbounded:
            return "What they will spend is unknown: spend is so unequal that it has no mean."
        return f"The population decides what they will spend on a purchase: {general}."
    own, expected = f"{row['own']:,.2f}", f"{row['estimate']:,.2f}"
    if unbounded:
        expects = "no mean exists either" if math.isinf(row["estimate"]) else f"it is {expected}"
        return (
            f"They spent {own} a purchase; {group} spend so unequally that there is no mean; given "
            f"their own history {expects}."
        )
    return (
        f"They spent {own} a purchase, {general}; with {_percent(row['weight_of_own'])} weight on "
        f"their own history the model expects {expected}."
    )


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def _amount(value: float) -> str:
    """About two digits, all of those before the point: 1,234, 56, 7.8, 0.91."""
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}"


def _percent(chance: float) -> str:
    """A whole percentage, which is 0% or 100% only where it is exact."""
    if 0 < chance < 0.01:
        return "below 1%"
    if 0.99 < chance < 1:
        return "above 99%"
    return f"{chance:.0%}"
