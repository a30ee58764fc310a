"""Do the assumptions of the models hold for these customers? Each one checked, with its size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.checks import CONCERN, Check, unknown
from clvmodel.evaluate.checks_base import cohort_drift, left_truncation, seasonality
from clvmodel.evaluate.checks_fit import certain, flat_directions, holdout_pit
from clvmodel.evaluate.checks_rhythm import (
    outliers,
    rate_trend,
    regularity,
    spend_and_frequency,
    value_trend,
)
from clvmodel.tables.frames import pandas_table
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.value.fitted import FittedValueModel


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The checks of a model's assumptions, in a fixed order; see `Check`."""

    checks: tuple[Check, ...]
    level: float

    def __getitem__(self, name: str) -> Check:
        """Return the check of this name."""
        for check in self.checks:
            if check.name == name:
                return check
        raise ParameterError.not_one_of("check", name, [c.name for c in self.checks])

    def __iter__(self) -> Iterator[Check]:
        """Go through the checks."""
        return iter(self.checks)

    @property
    def concerns(self) -> tuple[Check, ...]:
        """The checks that found something that matters."""
        return tuple(c for c in self.checks if c.status == CONCERN)

    @property
    def table(self) -> Any:
        """The checks as a pandas table."""
        return pandas_table([c.to_dict() for c in self.checks])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {"level": self.level, "checks": [c.to_dict() for c in self.checks]}

    def __repr__(self) -> str:
        """Return one paragraph for each check."""
        lines = []
        for c in self.checks:
            size = "" if c.effect is None else f" {c.effect:.3g}"
            if c.low is not None and c.high is not None:
                size += f" ({c.low:.3g} to {c.high:.3g})"
            lines.append(f"{c.status:8}{c.name}:{size} {c.verdict}")
            if c.remedy:
                lines.append(f"{'':8}-> {c.remedy}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def diagnose(
    model: Any,
    data: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    end: Any = None,
    date_format: str | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Diagnosis:
    """Check a fitted model's assumptions on its customers: a summary, or orders and their columns.

    Checks: "spend and frequency", "regularity", "value over time", "rate over time", "drift between
    cohorts", "seasonality", "cut-off start", "certainly alive", "flat directions", "outliers",
    "holdout distribution". Each has an effect size with its interval at `level`, a status, a
    verdict in words and a remedy. "concern" is said where the interval excludes what the models
    assume and the effect is of a size that matters (a judgement, stated with each check's code); a
    single check is beyond chance in 1 - `level` of cases where all is well. `seed` is that of
    resamples and of the randomised holdout values. Checks that need single purchases are "unknown"
    for a summary made from a table.

    Raises DataError, ParameterError, and as `summarize` does.
    """
    if not isinstance(model, FittedValueModel):
        raise DataError(
            f"model is a {type(model).__name__}; give a fitted one, clv.ValueModel().fit(summary)."
        )
    if not 0 < level < 1:
        raise ParameterError.out_of_range("level", level, "between 0 and 1")
    summary = _summary(data, customer, date, value, end, date_format)
    past = summary.purchases
    checks = [spend_and_frequency(summary, level, seed)]
    if past is None:
        names = ("regularity", "value over time", "rate over time", "seasonality", "cut-off start")
        checks += [unknown(n, "", "Needs single purchases: a summary of orders.") for n in names]
    else:
        checks += [
            regularity(past, level),
            value_trend(past, level),
            rate_trend(past, level),
            seasonality(past, level),
            left_truncation(past, level),
        ]
    checks += [
        cohort_drift(summary, level),
        certain(model, summary, level),
        flat_directions(model),
        outliers(summary, level, seed),
        holdout_pit(model, summary, level, seed),
    ]
    return Diagnosis(tuple(checks), level)


def _summary(
    data: Any,
    customer: str | None,
    date: str | None,
    value: str | None,
    end: Any,
    date_format: str | None,
) -> Summary:
    if isinstance(data, Summary):
        return data
    if customer is None or date is None:
        raise ParameterError(
            "Orders need the names of their columns: diagnose(model, orders, customer=..., "
            "date=..., value=...); or give a summary."
        )
    return summarize(
        data, customer=customer, date=date, value=value, end=end, date_format=date_format
    )
