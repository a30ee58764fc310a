"""A fitted value model: what each customer, and all together, will buy and be worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from clvmodel.errors import DataError, FileError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.fitting.fit import Fit
from clvmodel.models import PURCHASE_MODELS, SPEND_MODELS
from clvmodel.models.point import Seed
from clvmodel.tables.files import write_text
from clvmodel.tables.spark_summary import SparkSummary
from clvmodel.tables.stored import StoredSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.candidates import check_customers, check_summary
from clvmodel.value.dates import predict_dates
from clvmodel.value.drift import Reference, warn_of_drift
from clvmodel.value.explain import Explanation, explain
from clvmodel.value.new_customers import predict_new
from clvmodel.value.path import predict_path
from clvmodel.value.predictions import Options, predict
from clvmodel.value.scoring import predict_in_spark, predict_to, predict_to_spark
from clvmodel.value.totals import predict_total
from clvmodel.value.track_record import TrackRecord

FORMAT = "clvmodel.value_model/1"


@dataclass(frozen=True, repr=False)
class FittedValueModel(TrackRecord):
    """A fitted purchase model with, where there are amounts, a fitted spend model."""

    purchases: Fit[Any]
    spend: Fit[Any] | None
    spend_includes_first: bool = False
    reference: Reference | None = None

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
        summary: Summary | SparkSummary,
        horizon: Any,
        *,
        discount_rate: float = 0.10,
        margin: Any = 1.0,
        quantiles: Sequence[float] = (),
        value_above: Any = None,
        parameter_uncertainty: bool = False,
        silent_until: Any = None,
        seed: Seed = 0,
    ) -> Any:
        """Predict each customer's next `horizon`: one row per customer, in the summary's order.

        `horizon` is a duration ("365D", "52W", "12M", "2Y", a timedelta), a date after the end of
        observation, a number in the summary's unit, or inf for the whole residual lifetime.

        Columns: customer_id; p_alive and p_churn = 1 - p_alive at the end of observation;
        p_purchase, the chance of at least one purchase; expected_purchases; expected_spend, the
        mean value of one future purchase; expected_value = margin x purchases x spend, not
        discounted; clv, the same discounted continuously at the effective annual `discount_rate`
        >= 0 (0.10 by default: a judgement, the usual round number): money that comes u years ahead
        counts (1 + discount_rate)^-u. historic_value is margin x what the customer has paid so far,
        lifetime_value its sum with expected_value. `margin` is the share of revenue that is profit:
        a number, the name of an attribute of the customers, or one number each. Only customers of
        the summary are valued, none to come.

        Over an infinite horizon expected_purchases and expected_value may be infinite (BG/NBD:
        unless a > 1, Pareto/NBD: unless s > 1); clv is finite if `discount_rate` > 0.

        `quantiles`, between 0 and 1, adds purchases_q05, value_q05, ... : what will be bought and
        what it will be worth after margin, at most, with that chance; exact, without simulation.
        `value_above`, an amount or one per customer, adds p_value_above: the chance that the value,
        after margin, exceeds it. With `parameter_uncertainty` these are averages over 100 draws (of
        `seed`; 25 from 50,000 customers on) from the posteriors of both fits, at that many times
        the cost (not with `spend_covariates`). The other columns, and without it all, are those at
        the estimates: a posterior mean of spend need not exist.

        `silent_until`, a date or duration after the end of observation, predicts as of that day for
        customers who buy nothing until then; the horizon begins there.

        Of a `SparkSummary` the prediction is a Spark table, in no order, which is computed in the
        cluster when its rows are asked for; `margin` and `value_above` are the same for all there.

        A summary in another unit than the fit's is converted. Raises UnitError, DataError or
        ParameterError; warns (DriftWarning) where the customers are unlike those of the fit.
        """
        options = Options(
            discount_rate, margin, quantiles, value_above, parameter_uncertainty, seed
        )
        if isinstance(summary, SparkSummary):
            warn_of_drift(self, summary)
            return predict_in_spark(self, summary, horizon, options, silent_until)
        check_summary(summary)
        warn_of_drift(self, summary)
        return predict(self, summary, horizon, options, silent_until)

    def predict_to(
        self,
        out: Any,
        summary: StoredSummary | SparkSummary,
        horizon: Any,
        *,
        discount_rate: float = 0.10,
        margin: float = 1.0,
        quantiles: Sequence[float] = (),
        value_above: float | None = None,
        parameter_uncertainty: bool = False,
        silent_until: Any = None,
        seed: Seed = 0,
        dates: bool = False,
        resume: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Predict into a file, of any number of customers; the number of rows that were written.

        `summary` was made by `summarize_to`. `out` is a CSV or Parquet file, or a table of a DuckDB
        file ("shop.duckdb::scores"); it gets the rows and columns of `predict` and, with `dates`,
        those of `predict_dates`. Half a million customers are held in memory at a time.

        `out` is replaced as a whole, at the end. Until then finished parts lie in a hidden folder
        beside it. Where a run was killed, `resume=True` goes on from them, if the model, the
        summary and all options are the same, and gives the same bytes (a DuckDB file: the same
        rows); else they are made again. `progress` is called with the customers done, and all.

        For a `SparkSummary` `out` is a folder of Parquet files, a path as Spark takes them, which
        the cluster writes beside it and renames at the end; it always begins anew.

        Raises FileError where rows are missing in the end, or the file cannot be written, and
        SparkError where the cluster fails; else as `predict`, and warns as it does.
        """
        options = Options(
            discount_rate, margin, quantiles, value_above, parameter_uncertainty, seed
        )
        if isinstance(summary, SparkSummary):
            warn_of_drift(self, summary)
            return predict_to_spark(
                self,
                out,
                summary,
                horizon,
                options,
                silent_until,
                dates=dates,
                progress=progress,
            )
        if not isinstance(summary, StoredSummary):
            raise DataError(
                f"summary is a {type(summary).__name__}; make it with clv.summarize_to(path, "
                "orders, ...), or predict in memory: model.predict(summary, ...)."
            )
        warn_of_drift(self, summary)
        return predict_to(
            self,
            out,
            summary,
            horizon,
            options,
            silent_until,
            dates=dates,
            resume=resume,
            progress=progress,
        )

    def predict_total(
        self,
        summary: Summary | StoredSummary | SparkSummary,
        horizon: Any,
        *,
        by: str | None = None,
        discount_rate: float = 0.10,
        margin: Any = 1.0,
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        seed: Seed = 0,
    ) -> Any:
        """Predict what all customers together will buy and be worth: one row, or one per group.

        `by` names an attribute of the customers (see `Summary.join`), or "cohort", the month of
        their first purchase. Columns: the group; customers; expected_purchases and expected_value
        (after margin, not discounted), each with quantiles named as in `predict`; clv, the
        discounted value. Means are those at the estimates, as sums of `predict`.

        Quantiles hold both kinds of uncertainty: of what customers do, given the parameters, and of
        the parameters, which for a large base is the larger. Of summaries with more than 5,000
        customers they rest on an approximation (a gamma law with the variance of each group around
        its mean at each of 400 draws of the parameters, found from 5,000 customers, 200 of a group
        at least); of smaller ones, and where spend has no variance or a margin is negative, on
        1,000 simulations (of more than 20,000 customers fewer, but 100). The same `seed` gives the
        same numbers. They cover what the models say, not that customers may change their ways.

        Of a `StoredSummary` or a `SparkSummary` the customers stay where they are; `by` is None or
        "cohort" there, `margin` the same for all, and the result is a pandas table.

        Raises and warns as `predict` does; ColumnError where there is no attribute `by`.
        """
        check_customers(summary)
        warn_of_drift(self, summary)
        return predict_total(self, summary, horizon, by, discount_rate, margin, quantiles, seed)

    def predict_path(
        self,
        summary: Summary,
        horizon: Any,
        *,
        step: Any = "1M",
        discount_rate: float = 0.10,
        margin: Any = 1.0,
    ) -> Any:
        """Predict all customers together, step by step ("1M": 30.4375 days) up to `horizon`.

        One row per step: `days` from the end of observation to the end of the step; `until`, its
        last day, if `end` is known; expected_purchases, expected_value and clv of the step, whose
        sums are those of `predict`. The last step is as long as is left.
        """
        check_summary(summary)
        warn_of_drift(self, summary)
        return predict_path(self, summary, horizon, step, discount_rate, margin)

    def predict_new(
        self,
        horizon: Any = "2Y",
        *,
        step: Any = "1M",
        customers: Any = None,
        discount_rate: float = 0.10,
        margin: float = 1.0,
    ) -> Any:
        """Value of a new customer over time, the first purchase included: a table.

        One row at 0, step, 2 steps, ... and one at the horizon. Columns: `days` since the first
        purchase; `expected_purchases` by then, 1 at once; `expected_value`, margin x purchases x
        the population's mean value of a purchase; `clv`, the same discounted to the first purchase.

        `customers`, needed where the fits have covariates, is a table with one row for each kind of
        customer and the covariates' columns, such as {"channel": ["web", "shop"]}: one curve for
        each. Values by channel or cohort are had by a fit with that column as a covariate.

        Raises UnitError, ParameterError, ColumnError or DataError.
        """
        return predict_new(
            self,
            horizon,
            step=step,
            customers=customers,
            discount_rate=discount_rate,
            margin=margin,
        )

    def predict_dates(
        self,
        summary: Summary,
        *,
        threshold: float = 0.1,
        within: Any = "365D",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ) -> Any:
        """Dates to act on, per customer: see the columns below.

        days_silent since the last purchase, and overdue_ratio, that silence over the customer's own
        mean gap between purchases (NaN for one-purchase customers); p_ever, the chance of any
        further purchase within 100 years; next_purchase_q50 and the like, quantiles of the day of
        the next purchase, given that one comes (its mean often does not exist: the median stands
        for the expected date); act_by, the last day on which, if the customer stays silent until
        then, the chance of a purchase within the next `within` is still at least `threshold` (a
        judgement; NaT where it stays above for 100 years).

        The summary must know its `end`. Raises DataError, ParameterError or UnitError.
        """
        return predict_dates(self, summary, threshold=threshold, within=within, quantiles=quantiles)

    def explain(
        self, summary: Summary, customer: Any = None, *, row: int | None = None
    ) -> Explanation:
        """Say in a sentence and in numbers why a customer is predicted as is.

        `customer` is an id of the summary, or `row` counts its rows from 0. For the purchase rate,
        the chance of still being a customer and the spend per purchase: what the population says,
        what the customer's own history says, the estimate, and the weight that the history gets in
        it. Raises DataError or ParameterError.
        """
        return explain(self, summary, customer, row=row)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data: parameters and how they were found, no customers."""
        spend = None if self.spend is None else self.spend.to_dict()
        return {
            "format": FORMAT,
            "purchases": self.purchases.to_dict(),
            "spend": spend,
            "spend_includes_first": self.spend_includes_first,
            "reference": None if self.reference is None else self.reference.to_dict(),
        }

    def save(self, path: Any) -> None:
        """Write the model as JSON: whole or not at all. Raises FileError."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    def __repr__(self) -> str:
        """Return both fits."""
        return "\n\n".join(repr(f) for f in self.fits)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


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
        known = data.get("reference")
        reference = None if known is None else Reference.from_dict(known)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if _family(purchases) not in PURCHASE_MODELS.values() or (
        spend is not None and _family(spend) not in SPEND_MODELS.values()
    ):
        raise DataError(f"{path} is damaged: the models are not where they belong.")
    first = bool(data.get("spend_includes_first", False))
    return FittedValueModel(purchases, spend, first, reference)


def _family(fit: Fit[Any]) -> Any:
    """The class of the model, whatever its covariates."""
    model = fit.model
    return model.family if isinstance(model, CovariateModel) else type(model)
