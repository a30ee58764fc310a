"""What a fit reads: columns in the model's order, weights, covariates; checked row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.contracts import ContractSummary, check_contracts
from clvmodel.tables.frames import read_frame
from clvmodel.tables.opportunities import OpportunitySummary, check_opportunities
from clvmodel.tables.summary import Summary, check_histories
from clvmodel.units import days_in

Array = NDArray[np.float64]


class Input(NamedTuple):
    """Columns in the model's order, weights (None: 1 each), the unit, where covariates stand."""

    columns: list[Array]
    weight: Array | None
    unit: str
    source: Any


def read_input(model: Any, data: Any, unit: str | None, weight: Any) -> Input:
    """Read a summary, mapping or dataframe. Raises ColumnError, DataError or UnitError."""
    if isinstance(data, Summary | OpportunitySummary | ContractSummary):
        if isinstance(data, ContractSummary) and weight is None:
            weight = data.weight
        columns, own_unit = _from_summary(model, data, unit)
    else:
        table: Any = data if isinstance(data, Mapping) else read_frame(data, what="data")[0]
        names = list(data) if isinstance(data, Mapping) else table.column_names
        for name in model.columns:
            if name not in names:
                raise ColumnError.missing(name, name, names)
        columns = [_floats(name, table[name]) for name in model.columns]
        own_unit = unit or "D"
        days_in(own_unit)
        if weight is None and "weight" in names:
            weight = table["weight"]
    size = len(columns[0])
    if size == 0:
        raise DataError("There are no customers to fit.")
    weights = None if weight is None else _floats("weight", weight)
    named = dict(zip(model.columns, columns, strict=True))
    for name, column in (named if weights is None else {**named, "weight": weights}).items():
        if len(column) != size:
            raise DataError(f"{name} has {len(column)} values, {model.columns[0]} has {size}.")
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise DataError(f"{name} == {column[row]} in row {row}, must be finite.")
    if weights is not None and ((weights < 0).any() or not weights.any()):
        raise DataError("weight must be >= 0 everywhere and > 0 somewhere.")
    return Input(columns, weights, own_unit, data)


def _from_summary(
    model: Any, data: Summary | OpportunitySummary | ContractSummary, unit: str | None
) -> tuple[list[Array], str]:
    """Columns of a summary; raises ColumnError where it is one of another kind."""
    needs, kind = _summary_of(model)
    if not isinstance(data, kind):
        raise ColumnError(
            f"{model.__name__} needs {', '.join(model.columns)}, which this "
            f"{type(data).__name__} has not: make the summary with clv.{needs}(orders, ...)."
        )
    if not isinstance(data, Summary):
        return [np.asarray(getattr(data, name), float) for name in model.columns], unit or "D"
    summary = data if unit is None else data.in_unit(unit)
    if summary.monetary_value is None and "monetary_value" in model.columns:
        raise ColumnError(
            f"{model.__name__} needs amounts, and this summary has none: name the column that "
            "holds them, summarize(..., value=...)."
        )
    return [np.asarray(getattr(summary, name)) for name in model.columns], summary.unit


def _summary_of(model: Any) -> tuple[str, type[Any]]:
    """Which function makes the summaries of a model, and what they are."""
    if "churned" in model.columns:
        return "summarize_contracts", ContractSummary
    if "n" in model.columns:
        return "summarize_opportunities", OpportunitySummary
    return "summarize", Summary


def _floats(name: str, values: Any) -> Array:
    try:
        return np.asarray(values, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} holds values that are no numbers: {error}.") from error


def informative(model: Any, columns: list[Array], weights: Array | None) -> NDArray[np.bool_]:
    """Rows that the likelihood depends on. Raises DataError for impossible histories."""
    some = np.ones(len(columns[0]), bool) if weights is None else weights > 0
    if "churned" in model.columns:
        check_contracts(*columns)
        return some
    if "n" in model.columns:
        check_opportunities(*columns)
        return some
    if "recency" in model.columns:
        check_histories(*columns)
        return some
    frequency, value = columns
    check_histories(frequency, np.zeros_like(frequency), np.ones_like(frequency))
    if (value[frequency > 0] < 0).any():
        row = int(np.argmax((frequency > 0) & (value < 0)))
        raise DataError(
            f"monetary_value == {value[row]:g} in row {row}, must be >= 0: net the refunds, "
            "or leave the customer out."
        )
    used = some & (frequency > 0) & (value > 0)
    if not used.any():
        raise DataError(
            "No customer has a repeat purchase with a positive value; "
            "spend cannot be estimated from these data."
        )
    return np.asarray(used)
