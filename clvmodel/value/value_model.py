"""Customer lifetime value from a purchase model and a spend model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clvmodel.errors import ParameterError
from clvmodel.fitting.estimate import ENGINES, fit
from clvmodel.models import DISCRETE_MODELS, PURCHASE_MODELS, SPEND_MODELS
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.candidates import check_customers
from clvmodel.value.drift import Reference
from clvmodel.value.fitted import FittedValueModel
from clvmodel.value.training import spend_data, timing_data


@dataclass(frozen=True)
class ValueModel:
    """How purchases and spend are to be modelled; `fit` makes a `FittedValueModel`.

    `purchases` and `spend` are model classes; `spend=None`, or a summary without amounts, gives
    predictions of purchases only. `engine="lifetimes"` estimates with the lifetimes package.
    `covariates` and `spend_covariates` name attributes of the summary's customers (see
    `Summary.join`) on which purchases and spend depend, as in `fit`.

    `spend_includes_first=True` lets each customer's first purchase inform the spend estimate. The
    literature leaves it out, as the default does; then customers who are picked for a dear first
    purchase will spend more than predicted. Where first purchases are worth what later ones are,
    they say something about customers with one purchase. docs/first_purchase.md shows the effect
    on sample data; let a backtest decide on yours.
    """

    purchases: type[Any] = BGNBD
    spend: type[Any] | None = GammaGamma
    engine: str = "native"
    covariates: Sequence[str] | Mapping[str, Sequence[str]] = ()
    spend_covariates: Sequence[str] | Mapping[str, Sequence[str]] = ()
    spend_includes_first: bool = False

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
        first = " (first purchase counts)" if self.spend_includes_first else ""
        engine = first + ("" if self.engine == "native" else f" ({self.engine})")
        return f"{self.purchases.title}{spend}{given}{engine}"

    def fit(self, summary: Summary | LargeSummary) -> FittedValueModel:
        """Fit both models to the customers of a summary.

        Where there are no amounts, or nobody has a repeat purchase with a value, spend is left out.
        Of a summary too large to hold (see `summarize_to`) only cells are read; its estimates of
        spend differ from those of the customers by less than 1e-4 of their standard errors.
        """
        check_customers(summary)
        if isinstance(summary, LargeSummary):
            summary = summary.held()
        given = timing_data(summary, self.covariates or self.spend_covariates)
        purchases = fit(
            self.purchases, given, unit=summary.unit, covariates=self.covariates, engine=self.engine
        )
        known = None if self.spend is None else spend_data(summary, self.spend_includes_first)
        spend = None
        if known is not None:
            spend = fit(
                self.spend,  # type: ignore[arg-type]
                known,
                unit=summary.unit,
                covariates=self.spend_covariates,
                engine=self.engine,
            )
        first = self.spend_includes_first
        reference = Reference.of(purchases, spend, summary, first)
        return FittedValueModel(purchases, spend, first, reference)


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
