"""Customer lifetime value from a purchase model and a spend model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, FileError, ParameterError, UnitError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.fitting.estimate import ENGINES, fit
from clvmodel.fitting.fit import Fit
from clvmodel.models import DISCRETE_MODELS, PURCHASE_MODELS, SPEND_MODELS
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.tables.cells import collapse
from clvmodel.tables.files import write_text
from clvmodel.tables.summary import Array, Summary
from clvmodel.units import DAYS_PER_YEAR, UNIT_NAMES, days_in
from clvmodel.value.candidates import check_summary, checked, prediction_table
from clvmodel.value.discounting import daily_rate, discounted

LONGEST_YEARS = 100  # longest horizon: a longer one is a mistake about the unit
FORMAT = "clvmodel.value_model/1"


@dataclass(frozen=True)
class ValueModel:
    """How purchases and spend are to be modelled; `fit` makes a `FittedValueModel`.

    `purchases` and `spend` are model classes; `spend=None`, or a summary without amounts, gives
    predictions of purchases only. `engine="lifetimes"` estimates with the lifetimes package.
    `covariates` and `spend_covariates` name attributes of the summary's customers (see
    `Summary.join`) on which purchases and spend depend, as in `fit`.
    """

    purchases: type[Any] = BGNBD
    spend: type[Any] | None = GammaGamma
    engine: str = "native"
    covariates: Sequence[str] | Mapping[str, Sequence[str]] = ()
    spend_covariates: Sequence[str] | Mapping[str, Sequence[str]] = ()

    def __post_init__(self) -> None:
        """Refuse what is no model class of the right kind."""
        if self.purchases not in PURCHASE_MODELS.values():
            raise _no_class("purchases", self.purchases, PURCHASE_MODELS)
        if self.spend is not None and self.spend not in SPEND_MODELS.values():
            raise _no_class("spend", self.spend, SPEND_MODELS)
        if self.engine not in ENGINES:
            raise ParameterError.not_one_of("engine", self.engine, ENGINES)

    kind = "model"

    @property
    def name(self) -> str:
        """Return the models' names, and the engine if it is not this package's own."""
        spend = "" if self.spend is None else f" + {self.spend.title}"
        known = dict.fromkeys([*_columns(self.covariates), *_columns(self.spend_covariates)])
        given = f" with {', '.join(known)}" if known else ""
        engine = "" if self.engine == "native" else f" ({self.engine})"
        return f"{self.purchases.title}{spend}{given}{engine}"

    def fit(self, summary: Summary) -> FittedValueModel:
        """Fit both models to the customers of a summary.

        Where there are no amounts, or nobody has a repeat purchase with a value, spend is left out.
        """
        check_summary(summary)
        purchases = fit(self.purchases, summary, covariates=self.covariates, engine=self.engine)
        spend = None
        amounts = summary.monetary_value
        known = amounts is not None and bool(((summary.frequency > 0) & (amounts != 0)).any())
        if self.spend is not None and known:
            spend = fit(self.spend, summary, covariates=self.spend_covariates, engine=self.engine)
        return FittedValueModel(purchases, spend)


@dataclass(frozen=True, repr=False)
class FittedValueModel:
    """A fitted purchase model with, where there are amounts, a fitted spend model."""

    purchases: Fit[Any]
    spend: Fit[Any] | None

    kind = "model"

    @property
    def fits(self) -> tuple[Fit[Any], ...]:
        """The fits, purchases first."""
        return (self.purchases,) if self.spend is None else (self.purchases, self.spend)

    @property
    def assumptions(self) -> str:
        """What the models assume, in words."""
        text = "Customers buy at random at their own steady rate until they leave for good"
        if self.spend is None:
            return text + "; nothing is said about spend."
        return text + "; what they spend does not depend on how often they buy."

    def predict(
        self,
        summary: Summary,
        horizon: Any,
        *,
        discount_rate: float = 0.10,
        margin: float = 1.0,
    ) -> Any:
        """Predict each customer's next `horizon`: one row per customer, in the summary's order.

        `horizon` is a duration ("365D", "52W", "12M", "2Y", a timedelta), a date after the end of
        observation, or a number in the summary's unit. Columns: customer_id; p_alive and p_churn
        = 1 - p_alive at the end of observation; p_purchase, the chance of at least one purchase;
        expected_purchases; expected_spend, the mean value of one future purchase; expected_value =
        margin x purchases x spend, not discounted; clv, the same discounted continuously at the
        effective annual `discount_rate` >= 0 (0.10 by default: a judgement, the usual round
        number). `margin` is the share of revenue that is profit.

        A summary in another unit than the fit's is converted. Raises UnitError, DataError or
        ParameterError.
        """
        days = checked(summary, horizon, margin)
        if days > LONGEST_YEARS * DAYS_PER_YEAR:
            raise UnitError(
                f"horizon == {horizon!r} is longer than {LONGEST_YEARS} years; is the unit meant? "
                f"A number counts {UNIT_NAMES[summary.unit]}."
            )
        is_number = isinstance(discount_rate, int | float | np.number)
        if not (is_number and np.isfinite(discount_rate) and discount_rate >= 0):
            raise ParameterError.out_of_range("discount_rate", discount_rate, "finite and >= 0")
        unit = self.purchases.unit
        local = summary.in_unit(unit)
        t, rate = days / days_in(unit), daily_rate(discount_rate) * days_in(unit)
        model, history, where = _per_cell(self.purchases.model, local)
        alive = model.p_alive(*history)[where]
        buys = model.p_purchase(t, *history)[where]
        expected = model.expected_purchases(t, *history)[where]
        spend = value = clv = None
        if self.spend is not None:
            spend = self._expected_spend(summary)
            present = discounted(lambda u: model.expected_purchases(u, *history), t, rate)
            value, clv = margin * expected * spend, margin * present[where] * spend
        return prediction_table(
            summary,
            {
                "p_alive": alive,
                "p_churn": 1 - alive,
                "p_purchase": buys,
                "expected_purchases": expected,
                "expected_spend": spend,
                "expected_value": value,
                "clv": clv,
            },
        )

    def _expected_spend(self, summary: Summary) -> Array:
        assert self.spend is not None
        if summary.monetary_value is None:
            raise DataError(
                "This model predicts value, and the summary has no amounts: name their column, "
                "summarize(..., value=...)."
            )
        model = self.spend.model
        if isinstance(model, CovariateModel):
            model = model.at(summary)
        return np.asarray(model.expected_spend(summary.frequency, summary.monetary_value))

    def expected_cumulative(self, summary: Summary, days: Array) -> Array:
        """Repeat purchases that the model expects from all customers together by each day.

        `days` counts from the summary's start. Each customer counts as new at the first purchase;
        nothing that came later is used: the tracking curve of the literature.
        """
        unit, model = days_in(self.purchases.unit), self.purchases.model
        age = np.rint(summary.T * days_in(summary.unit))
        if isinstance(model, CovariateModel):
            cells = collapse([age, *model.design.codes(summary)])
            since = np.maximum(days[:, None] - (np.max(age) - cells.columns[0]), 0.0) / unit
            each = model.at_codes(cells.columns[1:]).expected_purchases(since)
            return np.asarray(each @ cells.weight)
        joined, number = np.unique(age.max() - age, return_counts=True)
        since = np.maximum(days[:, None] - joined, 0.0)
        distinct, where = np.unique(since, return_inverse=True)
        curve = model.expected_purchases(distinct / unit)
        return np.asarray(curve[where.reshape(since.shape)] @ number)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data: parameters and how they were found, no customers."""
        spend = None if self.spend is None else self.spend.to_dict()
        return {"format": FORMAT, "purchases": self.purchases.to_dict(), "spend": spend}

    def save(self, path: Any) -> None:
        """Write the model as JSON: whole or not at all. Raises FileError."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    def __repr__(self) -> str:
        """Return both fits."""
        return "\n\n".join(repr(f) for f in self.fits)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _per_cell(model: Any, summary: Summary) -> tuple[Any, tuple[Array, ...], NDArray[np.intp]]:
    """The model of each distinct customer, their histories, and where each customer is among them.

    Customers are alike if their history is and, where these matter, their covariates.
    """
    if not isinstance(model, CovariateModel):
        cells = summary.cells
        return model, cells.columns, cells.where
    history = summary.frequency, summary.recency, summary.T
    cells = collapse([*history, *model.design.codes(summary)])
    return model.at_codes(cells.columns[3:]), cells.columns[:3], cells.where


def _family(fit: Fit[Any]) -> Any:
    """The class of the model, whatever its covariates."""
    model = fit.model
    return model.family if isinstance(model, CovariateModel) else type(model)


def _columns(covariates: Sequence[str] | Mapping[str, Sequence[str]]) -> list[str]:
    """Names of the columns that covariates are read from."""
    if isinstance(covariates, str):
        return [covariates]
    if isinstance(covariates, Mapping):
        return [name for given in covariates.values() for name in _columns(given)]
    return list(covariates)


def _no_class(argument: str, value: Any, models: Iterable[str]) -> ParameterError:
    hint = ""
    if value in DISCRETE_MODELS.values():
        hint = (
            f" {value.__name__} counts opportunities rather than days: "
            f"clv.fit(clv.{value.__name__}, clv.summarize_opportunities(orders, ...))."
        )
    return ParameterError(
        f"{argument} == {value!r}, must be a model class of clvmodel: {', '.join(models)}.{hint}"
    )


def load(path: Any) -> FittedValueModel:
    """Read a model that `save` wrote. Raises FileError, or DataError if the file is none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DataError(f"{path} is not a model of this version of clvmodel (no {FORMAT!r} in it).")
    try:
        purchases = Fit.from_dict(data["purchases"])
        spend = None if data["spend"] is None else Fit.from_dict(data["spend"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if _family(purchases) not in PURCHASE_MODELS.values() or (
        spend is not None and _family(spend) not in SPEND_MODELS.values()
    ):
        raise DataError(f"{path} is damaged: the models are not where they belong.")
    return FittedValueModel(purchases, spend)
