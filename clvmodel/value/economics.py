"""Unit economics: what a customer costs, is worth and may cost, by model and by store formula."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.frames import dates, native_frame
from clvmodel.tables.groups import groups
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_PER_YEAR, days_in, horizon_in_days, parse_date
from clvmodel.value.acquired import FormulaCustomer, ModelCustomer, next_year
from clvmodel.value.candidates import check_customers, check_fitted, check_share
from clvmodel.value.costs import ALL, Costs, PerGroup, check_number
from clvmodel.value.formulas import StoreFormula
from clvmodel.value.predictions import check_rate
from clvmodel.value.quantities import OF_KNOWN, Quantity, quantities
from clvmodel.value.quantities import QUANTITIES as QUANTITIES
from clvmodel.value.value_model import ValueModel
from clvmodel.value.windows import history_days

Array = NDArray[np.float64]
RESULTS = ("quantity", "model", "low", "high", "formula", "days", "customers", "cac", "fit")
OWN_FIT = 200  # customers from which a group is fitted by itself: a judgement


@dataclass(frozen=True, eq=False, repr=False)
class UnitEconomics:
    """What customers may cost, from a fitted model and the store formula side by side.

    `model` is a fitted value model without covariates, `summary` the customers. What winning a
    customer costs is `cac`, or `spend` / `new_customers`; the latter default to the customers of
    the summary whose first purchase lies in `period` (first and last day; default: all). `by` gives
    the same for each group, an attribute of the customers (see `Summary.join`) or "cohort"; then
    cac or spend, new_customers and conversion_rate may map groups to numbers. A group of 200
    customers or more is fitted by itself; a smaller one takes the model of all. A group without
    costs has none of the quantities that need them (NaN). A `StoredSummary` or `SparkSummary` has
    no groups: only all its customers together.

    `margin` is the share of revenue that is profit, `horizon` how long a new customer counts (a
    duration, at most 100 years), `discount_rate` the effective annual rate at which the model's
    value is discounted to the first purchase; payback is not discounted. `target_ratio` is the
    LTV:CAC asked for: 3, a convention. `conversion_rate` is new customers per click, `uplift` the
    share by which an offer raises a customer's next year, `offer_cost` what it costs.

    `table` holds the `QUANTITIES`, `payback` the dates, `curve` the cumulative value, `costs` what
    was put in. `level` intervals are quantiles over `draws` from the posterior: of the average
    customer. (Those of next_year_value also hold what the known customers happen to do.) The
    formula, `StoreFormula(lifespan)`, counts everybody from the beginning of the lifespan, over the
    same horizon, not discounted; it has no intervals.

    Raises ParameterError, DataError, ColumnError or UnitError.
    """

    model: Any
    summary: Summary | LargeSummary
    cac: PerGroup = None
    spend: PerGroup = None
    new_customers: PerGroup = None
    period: tuple[Any, Any] | None = None
    by: str | None = None
    margin: float = 1.0
    horizon: Any = "3Y"
    discount_rate: float = 0.10
    target_ratio: float = 3.0
    conversion_rate: PerGroup = None
    uplift: float | None = None
    offer_cost: float | None = None
    lifespan: float | str = "auto"
    level: float = 0.9
    draws: int = 200
    seed: Any = 0

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and costs given twice."""
        check_customers(self.summary)
        check_fitted(self.model)
        if isinstance(self.summary, LargeSummary) and self.by is not None:
            raise ParameterError(
                f"by={self.by!r} needs customers in memory, and this is a "
                f"{type(self.summary).__name__}: summarize the orders of each group by itself."
            )
        if not self.summary.has_value:
            raise DataError("Unit economics need amounts: name them, summarize(..., value=...).")
        check_rate(self.discount_rate)
        for name, least in (("margin", None), ("target_ratio", 0.0), ("level", 0.0)):
            check_number(name, getattr(self, name), least)
            if least is not None and not getattr(self, name) > 0:
                raise ParameterError.out_of_range(name, getattr(self, name), "> 0")
        if self.margin > 1:
            check_share("margin", self.margin)
        for name in ("uplift", "offer_cost"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0.0)
        if not self.level < 1:
            raise ParameterError.out_of_range("level", self.level, "between 0 and 1")
        if self.days > 100 * DAYS_PER_YEAR:
            raise ParameterError.out_of_range("horizon", self.horizon, "at most 100 years")
        _ = self._costs

    @property
    def days(self) -> float:
        """The horizon in days."""
        return horizon_in_days(self.horizon, self.summary.unit, None)

    @cached_property
    def _groups(self) -> tuple[list[str], NDArray[np.intp]]:
        assert isinstance(self.summary, Summary)  # a larger one has no groups
        names, place = groups(self.summary, self.by)
        found = ["(missing)" if name is None else str(name) for name in names.to_pylist()]
        if self.by in RESULTS or (self.by is not None and ALL in found):
            raise ParameterError(f"by={self.by!r}: the result has a column or a group so named.")
        if len(set(found)) < len(found):
            raise ParameterError(f"by={self.by!r}: two groups have the same name as text.")
        return found, place

    @property
    def names(self) -> list[str]:
        """All customers together, then the groups."""
        return [ALL] if self.by is None else [ALL, *self._groups[0]]

    @cached_property
    def _costs(self) -> Costs:
        return Costs(
            self.names,
            self.cac,
            self.spend,
            self.new_customers,
            self.conversion_rate,
            self._counted,
        )

    def _counted(self) -> dict[str, float]:
        """Customers of each group whose first purchase lies in the period."""
        if isinstance(self.summary, LargeSummary):
            ages, number = self.summary.cells.columns[2], self.summary.cells.weight
        else:
            ages, number = self.summary.T, np.ones(len(self.summary))
        if self.period is not None:
            if self.summary.end is None:
                raise DataError("period needs the end of observation, which this summary lacks.")
            first, last = (to_day(parse_date(day, "period")) for day in self.period)
            if first > last:
                raise ParameterError.out_of_range("period", self.period, "first day, then last day")
            born = to_day(self.summary.end) - np.rint(ages * days_in(self.summary.unit))
            number = np.where((born >= first) & (born <= last), number, 0.0)
        found = {ALL: float(number.sum())}
        if not found[ALL]:
            raise DataError(f"Nobody made a first purchase in the period {self.period}.")
        if self.by is not None:
            names, place = self._groups
            found |= dict(zip(names, np.bincount(place, number, len(names)).tolist(), strict=True))
        return found

    def _customers(self, group: str) -> Summary | LargeSummary:
        if group == ALL or isinstance(self.summary, LargeSummary):
            return self.summary
        names, place = self._groups
        return self.summary.take(np.flatnonzero(place == names.index(group)))

    @cached_property
    def _known(
        self,
    ) -> dict[str, tuple[ModelCustomer, FormulaCustomer, Any, Summary | LargeSummary]]:
        """A new customer of each group by model and formula, the model, and the customers."""
        known = {}
        for group in self.names:
            fitted = self.model
            customers = self._customers(group)
            if group != ALL and len(customers) >= OWN_FIT:
                spend = None if self.model.spend is None else type(self.model.spend.model)
                fitted = ValueModel(
                    purchases=type(self.model.purchases.model),
                    spend=spend,
                    spend_includes_first=self.model.spend_includes_first,
                ).fit(customers)
                fitted = self.model if fitted.spend is None else fitted
            seen = ModelCustomer.of(
                fitted, self.margin, self.days, self.discount_rate, self.draws, self.seed
            )
            forecast = StoreFormula(self.lifespan).fit(customers)
            formula = FormulaCustomer(forecast, self.margin, self.days)
            known[group] = (seen, formula, fitted, customers)
        return known

    @property
    def costs(self) -> Any:
        """One row per group: customers, new_customers, cac, and whose fit it was judged by."""
        columns = {
            self.by or "group": self.names,
            "customers": [len(k[3]) for k in self._known.values()],
            "new_customers": [self._costs.acquired.get(g, np.nan) for g in self.names],
            "cac": [self._costs.each.get(g, np.nan) for g in self.names],
            "fit": [self._fit(g) for g in self.names],
        }
        return native_frame(columns, self.summary.kind)

    def _fit(self, group: str) -> str:
        """Whose fit tells about a new customer of a group."""
        return "all customers" if self._known[group][2] is self.model else "its own"

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Content of `table` as dictionaries."""
        return [
            {
                self.by or "group": group,
                "quantity": quantity,
                **self.of(quantity, group),
                "fit": self._fit(group),
            }
            for group in self.names
            for quantity in self._formulas(ALL)
        ]

    def of(self, quantity: str, group: str = ALL) -> dict[str, float]:
        """Model, low, high and formula of one quantity of one group. Raises ParameterError."""
        formula_of = self._formula_of(quantity, str(group))
        model, formula, *_ = self._known[str(group)]
        if quantity in OF_KNOWN:
            found, plain = formula_of(None, self._years(str(group))), formula_of(None, formula.year)
            ends = (float(found[1:].min()), float(found[1:].max()))
        else:
            found, plain = formula_of(model, np.empty(0)), formula_of(formula, np.empty(0))
            ends = _ends(found[1:], self._levels)
        if quantity == "p_target":
            found, ends = np.array([found[1:].mean()]), (np.nan, np.nan)
        numbers = (float(found[0]), *ends, float(plain[0]))
        return dict(zip(("model", "low", "high", "formula"), numbers, strict=True))

    def drawn(self, quantity: str, group: str = ALL) -> Array:
        """Posterior draws of a quantity of new customers, of which `of` tells the interval.

        Raises ParameterError; so for the quantities of known customers, which have none.
        """
        if quantity in OF_KNOWN:
            known = [name for name in self._formulas(ALL) if name not in OF_KNOWN]
            raise ParameterError.not_one_of("quantity", quantity, known)
        formula_of = self._formula_of(quantity, str(group))
        return formula_of(self._known[str(group)][0], np.empty(0))[1:]

    def _formula_of(self, quantity: str, group: str) -> Quantity:
        if group not in self.names:
            raise ParameterError.not_one_of("group", group, self.names)
        formulas = self._formulas(group)
        if quantity not in formulas:
            raise ParameterError.not_one_of("quantity", quantity, formulas)
        return formulas[quantity]

    @property
    def _levels(self) -> tuple[float, float]:
        tail = (1 - self.level) / 2
        return tail, 1 - tail

    def _years(self, group: str) -> Array:
        """What a known customer is worth in a year, with its quantiles; found once."""
        if group not in self._found:
            *_, fitted, customers = self._known[group]
            found = next_year(fitted, customers, self.margin, self._levels, self.seed)
            self._found[group] = found
        return self._found[group]

    @cached_property
    def _found(self) -> dict[str, Array]:
        return {}

    def _formulas(self, group: str) -> dict[str, Quantity]:
        return quantities(
            cost=self._costs.each.get(group, np.nan) if self._costs.each else None,
            rate=self._costs.rates.get(group, np.nan) if self._costs.rates else None,
            target=self.target_ratio,
            uplift=self.uplift,
            offer=self.offer_cost,
        )

    @property
    def table(self) -> Any:
        """One row per group and quantity: the model's value with low and high, the formula's.

        `fit` tells whether the group's own customers were fitted, or all; then model, low and high
        are those of all.
        """
        columns = {name: [row[name] for row in self.rows] for name in self.rows[0]}
        return native_frame(columns, self.summary.kind)

    def payback(self, acquired: Any = None) -> Any:
        """Dates on which customers won on a day will have paid back: a row per group.

        `acquired` is that day (default: the end of observation). Columns: group, model, low, high,
        formula; NaT where the horizon ends before. Raises DataError without costs.
        """
        if not self._costs.each:
            raise DataError("Payback needs a cost: give cac, or spend.")
        if acquired is None and self.summary.end is None:
            raise DataError("The end of observation is not known: give the day, acquired=.")
        day = to_day(parse_date(self.summary.end if acquired is None else acquired, "acquired"))
        chosen = [row for row in self.rows if row["quantity"] == "payback_days"]
        columns: dict[str, Any] = {self.by or "group": [row[self.by or "group"] for row in chosen]}
        for name in ("model", "low", "high", "formula"):
            days = np.ceil([row[name] for row in chosen])
            there = np.where(np.isfinite(days), day + np.nan_to_num(days, posinf=0), np.nan)
            columns[name] = dates(there)
        return native_frame(columns, self.summary.kind)

    def curve(self, step: Any = "1M") -> Any:
        """Cumulative value of a new customer after margin, not discounted: model and formula.

        Columns: group, days since the first purchase (0, step, ..., the horizon), model, low, high,
        formula. The model counts the first purchase at once; the formula begins at 0.
        """
        each = horizon_in_days(step, self.summary.unit, None, "step")
        days = np.append(np.arange(0, self.days * (1 - 1e-12), each), self.days)
        parts = []
        for group in self.names:
            model, formula, *_ = self._known[group]
            drawn = model.by(days)
            low, high = _ends(drawn[1:], self._levels)
            columns = {"days": days, "model": drawn[0], "low": low, "high": high}
            columns["formula"] = formula.by(days)[0]
            parts.append((group, columns))
        names = np.repeat([group for group, _ in parts], days.size)
        joined = {name: np.concatenate([part[name] for _, part in parts]) for name in parts[0][1]}
        return native_frame({self.by or "group": names.tolist(), **joined}, self.summary.kind)

    def __repr__(self) -> str:
        """Return the table as text, with what it rests on."""
        names = ("model", "low", "high", "formula")
        lines = [f"{'':20}{'':18}" + "".join(f"{name:>12}" for name in names)]
        for row in self.rows:
            numbers = "".join(f"{_text(row[n]):>12}" for n in names)
            mark = "*" if self.by is not None and row["fit"] == "all customers" else ""
            group = row[self.by or "group"][:18] + (mark if row[self.by or "group"] != ALL else "")
            lines.append(f"{group:20}{row['quantity']:18}{numbers}")
        return "\n".join([*lines, *self.notes])

    @property
    def notes(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        margin, level, cost = f"{self.margin:.0%}", f"{self.level:.0%}", self._costs.each.get(ALL)
        said = [
            f"Customers until {self.summary.end}; after a margin of {margin}, within {self.horizon}"
            + ("" if cost is None else f", at a cost of {cost:,.2f} per new customer")
            + f"; intervals of {level}."
        ]
        if self._costs.each:
            said.append(
                "Payback: the model counts the first purchase at once, the formula spreads a "
                "customer's purchases evenly from the first day on."
            )
        if any(self._fit(g) == "all customers" for g in self.names[1:]):
            said.append(
                f"* fewer than {OWN_FIT} customers: the model's numbers are those of all customers."
            )
        groups_of = [self._known[g][3] for g in self.names[1:]]
        if any(isinstance(g, Summary) and history_days(g) < DAYS_PER_YEAR for g in groups_of):
            said.append(
                "Groups known for less than a year: their first purchases, which all lie in that "
                "time, inflate the formula."
            )
        return said

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _text(value: float) -> str:
    """An amount; a dash where there is none."""
    return "-" if np.isnan(value) else f"{value:,.2f}"


def _ends(drawn: Array, levels: tuple[float, float]) -> tuple[Any, Any]:
    """Quantiles over the draws, each a draw: an infinite one stays what it is."""
    low = np.quantile(drawn, levels[0], axis=0, method="lower")
    high = np.quantile(drawn, levels[1], axis=0, method="higher")
    return (float(low), float(high)) if drawn.ndim == 1 else (low, high)
