"""`fit`: any model, any customers, one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, ParameterError
from clvmodel.fitting.engine import CONVERGED, covariance_of, local_shape, search
from clvmodel.fitting.fit import Fit
from clvmodel.models import MODELS
from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary, check_histories
from clvmodel.units import days_in

Array = NDArray[np.float64]
M = TypeVar("M")
ENGINES = ("native", "lifetimes")
FOREIGN_CONVERGED = 1e-4  # largest gradient per customer that another engine is granted
_SPREADS = (0.2, 5.0, 0.04)  # further starts: every other parameter of the first times these


def fit(
    model: type[M],
    data: Any,
    *,
    unit: str | None = None,
    weight: Any = None,
    engine: str = "native",
) -> Fit[M]:
    """Fit a model class, such as BGNBD or GammaGamma, by maximum likelihood.

    `data` is a Summary, or a mapping or dataframe with the model's columns: frequency, recency, T
    for purchases; frequency, monetary_value for spend. Bare columns are in `unit` (default "D");
    a Summary brings its own unit. `weight` (or a column of that name) counts each row so often.
    Customers without repeat purchases say nothing about spend and are counted in `left_out`.

    `engine="lifetimes"` runs the same data through the lifetimes package: an independent check.

    Data that carry little information still give a Fit: look at `fit.converged` and `fit.message`.
    Raises DataError for impossible histories, and where no customer says anything about spend;
    ColumnError for missing columns.
    """
    if model not in MODELS.values():
        names = ", ".join(MODELS)
        raise ParameterError(f"model == {model!r}, must be a model class, first: one of {names}.")
    if engine not in ENGINES:
        raise ParameterError.not_one_of("engine", engine, ENGINES)
    columns, weights, own_unit = _read(model, data, unit, weight)
    used, left_out = _informative(model, columns, weights)
    cells = collapse([c[used] for c in columns], weights[used])
    scale = _typical(model, cells)
    if engine == "lifetimes":
        from clvmodel.fitting.lifetimes_engine import fit_with_lifetimes

        found: Any = fit_with_lifetimes(model, cells)
        return _foreign(found, cells, own_unit, left_out, scale, engine)
    return _native(model, cells, own_unit, left_out, scale)


def _native(model: Any, cells: Cells, unit: str, left_out: float, scale: float) -> Fit[Any]:
    unscaled = _scaled(model, cells, 1 / scale)
    first = model.start(*unscaled, cells.weight)
    values = np.array(first.values())
    further = [
        model(*np.clip(values * np.resize([s, 1.0], values.size), 1e-3, 1e3)) for s in _SPREADS
    ]
    end = search(model, unscaled, cells.weight, [first, *further])
    best = model.from_log(end.point).rescaled(scale)
    words = []
    if end.flat:
        limits = sorted({model.limits[direction] for direction in end.flat})
        which = ", ".join(direction.split()[0] for direction in end.flat)
        words.append(
            f"The data do not bound {which}: the likelihood still rises, or is flat, towards a "
            f"limit in which {'; '.join(limits)}. Predictions within the time observed hold; "
            "single parameters do not."
        )
    if end.empty:
        words = ["The data say nothing about the parameters: these are where the search began."]
    if end.converged:
        tried = "" if end.starts == 1 else f" from start {end.starts}"
        words.insert(0, f"Converged{tried}: gradient per customer {end.gradient:.1e}.")
    else:
        words.insert(
            0,
            f"Not converged after {end.starts} starts: gradient per customer {end.gradient:.1e}, "
            f"should be below {CONVERGED:g}.",
        )
    if best.caveat:
        words.append(best.caveat)
    return Fit(
        model=best,
        log_likelihood=float(cells.weight @ best.log_likelihood(*cells.columns)),
        covariance_log=_tuples(covariance_of(end.information)),
        customers=float(cells.weight.sum()),
        left_out=left_out,
        unit=unit,
        converged=end.converged,
        gradient=end.gradient,
        message=" ".join(words),
    )


def _foreign(
    model: Any, cells: Cells, unit: str, left_out: float, scale: float, engine: str
) -> Fit[Any]:
    """Return the fit that another engine found, judged by this package's likelihood."""
    point = np.log(model.rescaled(1 / scale).values())
    columns = _scaled(model, cells, 1 / scale)
    gradient, information = local_shape(type(model), columns, cells.weight, point)
    largest = float(np.abs(gradient).max())
    return Fit(
        model=model,
        log_likelihood=float(cells.weight @ model.log_likelihood(*cells.columns)),
        covariance_log=_tuples(covariance_of(information)),
        customers=float(cells.weight.sum()),
        left_out=left_out,
        unit=unit,
        converged=largest < FOREIGN_CONVERGED,
        gradient=largest,
        message=f"Parameters as found by {engine}; gradient per customer {largest:.1e} "
        "(this package's likelihood and covariance).",
        engine=engine,
    )


def _tuples(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in matrix)


def _scaled(model: Any, cells: Cells, factor: float) -> list[Array]:
    return [
        column * factor if name in model.scaled else column
        for name, column in zip(model.columns, cells.columns, strict=True)
    ]


def _typical(model: Any, cells: Cells) -> float:
    """A typical value of the last scaled column (T, or money): the weighted mean."""
    values = cells.columns[model.columns.index(model.scaled[-1])]
    mean = float(cells.weight @ values / cells.weight.sum())
    return mean if mean > 0 else 1.0


def _read(model: Any, data: Any, unit: str | None, weight: Any) -> tuple[list[Array], Array, str]:
    """Columns in the model's order, weights, and the unit they are in."""
    if isinstance(data, Summary):
        summary = data if unit is None else data.in_unit(unit)
        if summary.monetary_value is None and "monetary_value" in model.columns:
            raise ColumnError(
                f"{model.__name__} needs amounts, and this summary has none: name the column that "
                "holds them, summarize(..., value=...)."
            )
        columns = [np.asarray(getattr(summary, name)) for name in model.columns]
        own_unit = summary.unit
    else:
        table: Any = data if isinstance(data, Mapping) else read_frame(data)[0]
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
    weights = np.ones(size) if weight is None else _floats("weight", weight)
    for name, column in zip([*model.columns, "weight"], [*columns, weights], strict=True):
        if len(column) != size:
            raise DataError(f"{name} has {len(column)} values, {model.columns[0]} has {size}.")
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise DataError(f"{name} == {column[row]} in row {row}, must be finite.")
    if (weights < 0).any() or not weights.any():
        raise DataError("weight must be >= 0 everywhere and > 0 somewhere.")
    return columns, weights, own_unit


def _floats(name: str, values: Any) -> Array:
    try:
        return np.array(values, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} holds values that are no numbers: {error}.") from error


def _informative(
    model: Any, columns: list[Array], weights: Array
) -> tuple[NDArray[np.bool_], float]:
    """Rows that the likelihood depends on, and the weight of the others."""
    if "recency" in model.columns:
        check_histories(*columns)
        used = weights > 0
    else:
        frequency, value = columns
        check_histories(frequency, np.zeros_like(frequency), np.ones_like(frequency))
        if (value[frequency > 0] < 0).any():
            row = int(np.argmax((frequency > 0) & (value < 0)))
            raise DataError(
                f"monetary_value == {value[row]:g} in row {row}, must be >= 0: net the refunds, "
                "or leave the customer out."
            )
        used = (weights > 0) & (frequency > 0) & (value > 0)
        if not used.any():
            raise DataError(
                "No customer has a repeat purchase with a positive value; "
                "spend cannot be estimated from these data."
            )
    return used, float(weights[~used].sum())
