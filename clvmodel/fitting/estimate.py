"""`fit`: any model, any customers, one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.fitting.covariates import CovariateModel, chosen_effects
from clvmodel.fitting.engine import CONVERGED, Optimum, covariance_of, search
from clvmodel.fitting.fit import Fit
from clvmodel.fitting.inputs import Input, informative, read_input
from clvmodel.fitting.likelihood import WALL, Likelihood, effects_of
from clvmodel.fitting.posterior import Posterior, laplace_posterior, sample_posterior
from clvmodel.models import MODELS
from clvmodel.models.point import Seed
from clvmodel.tables.cells import Cells, collapse
from clvmodel.tables.design import Design

Array = NDArray[np.float64]
ENGINES = ("native", "lifetimes")
_LARGEST = 700.0  # logarithm of a parameter that a float still holds
VAGUE = 1e8  # a 95% interval that spans more than this factor is said in words
FOREIGN_CONVERGED = 1e-4  # largest gradient per customer that another engine is granted


def fit(
    model: type[Any],
    data: Any,
    *,
    unit: str | None = None,
    weight: Any = None,
    covariates: Sequence[str] | Mapping[str, Sequence[str]] = (),
    penalty: float = 0.0,
    engine: str = "native",
) -> Fit[Any]:
    """Fit a model class, such as BGNBD or GammaGamma, by maximum likelihood.

    `data` is a Summary, or a mapping or dataframe with the model's columns: frequency, recency, T
    for purchases (frequency, recency, n for BGBB); frequency, monetary_value for spend; renewals,
    churned for SBG (or a ContractSummary). Bare columns are in `unit` (default "D"); a Summary
    brings its own unit. `weight` (or a column of that name) counts each row so often. Customers
    without repeat purchases say nothing about spend and are counted in `left_out`.

    `covariates` names columns that do not change over time: numbers, or categories, whose first
    level in alphabetical order is the reference. They act log-linearly on the scale of the
    purchase rate and on the dropout parameters (alpha, a, b; alpha, beta for ParetoNBD), or on
    GammaGamma's gamma; {"alpha": [...], "a": [...]} chooses for each. `fit.model` is then a
    CovariateModel, and `fit.model.at(customers)` makes predictions.

    `penalty` >= 0 subtracts penalty x (sum of squared log-parameters, time and money counted in
    their typical values, and of standardized coefficients) per customer: parameters are drawn
    towards ordinary values where the data say little. 0, the default, is maximum likelihood.

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
    number = isinstance(penalty, int | float | np.number) and not isinstance(penalty, bool)
    if not (number and np.isfinite(penalty) and penalty >= 0):
        raise ParameterError.out_of_range("penalty", penalty, "finite and >= 0")
    given = read_input(model, data, unit, weight)
    used = informative(model, given.columns, given.weight)
    left_out = float((~used).sum() if given.weight is None else given.weight[~used].sum())
    design, chosen = _design(model, given, covariates)
    codes = [] if design is None else design.codes(given.source)
    if design is not None and codes[0].size != used.size:
        raise DataError(
            f"{design.names[0]} has {codes[0].size} values, {model.columns[0]} has {used.size}."
        )
    columns, weights = [*given.columns, *codes], given.weight
    if not used.all():
        columns = [column[used] for column in columns]
        weights = None if weights is None else weights[used]
    cells = collapse(columns, weights, rows=False)
    likelihood = pose(model, cells, design, chosen, float(penalty))
    if engine == "lifetimes":
        if design is not None or penalty:
            raise ParameterError("engine='lifetimes' takes neither covariates nor this penalty.")
        return _foreign(model, cells, given.unit, left_out, likelihood)
    return _native(likelihood, cells, given.unit, left_out, design)


def _design(
    model: Any, given: Input, covariates: Sequence[str] | Mapping[str, Sequence[str]]
) -> tuple[Design | None, dict[str, tuple[str, ...]]]:
    """Covariates as learned from the data, and the columns that act on each parameter."""
    if not isinstance(covariates, str | Mapping):
        covariates = () if covariates is None else tuple(covariates)
    if not covariates:
        return None, {}
    chosen = chosen_effects(model, covariates)
    names = list(dict.fromkeys(name for columns in chosen.values() for name in columns))
    return (Design.learn(names, given.source), chosen) if names else (None, {})


def pose(
    model: Any,
    cells: Cells,
    design: Design | None,
    chosen: Mapping[str, Sequence[str]],
    penalty: float,
) -> Likelihood:
    """Return the likelihood of cells whose columns are the model's, then the coded covariates."""
    width = len(model.columns)
    if design is None:
        return Likelihood(model, cells.columns, cells.weight, penalty=penalty)
    return Likelihood(
        model,
        cells.columns[:width],
        cells.weight,
        design.matrix(cells.columns[width:]),
        effects_of(model, {name: design.places(columns) for name, columns in chosen.items()}),
        penalty,
    )


def _native(
    likelihood: Likelihood,
    cells: Cells,
    unit: str,
    left_out: float,
    design: Design | None,
) -> Fit[Any]:
    end = search(likelihood)
    natural = likelihood.natural(end.position)
    model = model_at(likelihood, natural, design)
    return Fit(
        model=model,
        log_likelihood=likelihood.log_likelihood(natural),
        covariance_log=_tuples(likelihood.natural_covariance(covariance_of(end.information))),
        customers=likelihood.total,
        left_out=left_out,
        unit=unit,
        converged=end.converged,
        gradient=end.gradient,
        message=_in_words(likelihood, end, model),
        penalty=likelihood.penalty,
        cells=cells,
    )


def model_at(likelihood: Likelihood, natural: Array, design: Design | None) -> Any:
    """Return the model, or the model with covariates, at a natural position."""
    k = len(likelihood.family.names())
    if design is not None and np.abs(natural[:k]).max() > _LARGEST:
        raise DataError(
            f"{design.labels[likelihood.remotest]} lies so far from 0 that the parameters of a "
            "customer who has 0 are beyond all numbers: subtract a typical value, such as its mean."
        )
    base = likelihood.family.from_log(natural[:k])
    if design is None:
        return base
    values = iter(natural[k:])
    names = likelihood.family.names()
    return CovariateModel(
        base,
        design,
        tuple(
            (names[effect.parameter], design.labels[place], float(next(values)))
            for effect in likelihood.effects
            for place in effect.regressors
        ),
    )


def _in_words(likelihood: Likelihood, end: Optimum, model: Any) -> str:
    """How the search ended."""
    if end.converged:
        tried = "" if end.starts == 1 else f" (best of {end.starts} starts)"
        words = [f"Converged{tried}: gradient per customer {end.gradient:.1e}."]
    else:
        words = [
            f"Not converged after {end.starts} starts: gradient per customer {end.gradient:.1e}, "
            f"should be below {CONVERGED:g}."
        ]
    if end.empty:
        words.append("The data say nothing about the parameters: these are where the search began.")
    elif end.flat:
        limits = sorted({likelihood.family.limits[direction] for direction in end.flat})
        which = ", ".join(direction.split()[0] for direction in end.flat)
        words.append(
            f"The data do not bound {which}: the likelihood still rises, or is flat, towards a "
            f"limit in which {'; '.join(limits)}. Predictions within the time observed hold; "
            "single parameters do not."
        )
    vague = _vague(likelihood, end) if not (end.empty or end.flat) else []
    if vague:
        words.append(
            f"The data say little about {', '.join(vague)}: a 95% interval spans a factor of more "
            f"than {VAGUE:.0e}. Predictions within the time observed hold."
        )
    if likelihood.penalty:
        words.append(f"Drawn towards ordinary values by penalty {likelihood.penalty:g}.")
    if model.caveat:
        words.append(model.caveat)
    return " ".join(words)


def _vague(likelihood: Likelihood, end: Optimum) -> list[str]:
    """Parameters whose interval is so wide that a word is due."""
    names = likelihood.family.names()
    spread = np.sqrt(np.diag(covariance_of(end.information)))[: len(names)]
    wide = 2 * 1.96 * spread > np.log(VAGUE)
    return [name for name, is_wide in zip(names, wide, strict=True) if is_wide]


def _foreign(
    model: Any, cells: Cells, unit: str, left_out: float, likelihood: Likelihood
) -> Fit[Any]:
    """Return the fit that lifetimes found, judged by this package's likelihood."""
    from clvmodel.fitting.lifetimes_engine import fit_with_lifetimes

    found: Any = fit_with_lifetimes(model, cells)
    natural = np.log(found.values())
    local = likelihood.local(likelihood.position(natural))
    largest = float(np.abs(local.gradient).max())
    return Fit(
        model=found,
        log_likelihood=likelihood.log_likelihood(natural),
        covariance_log=_tuples(covariance_of(-local.hessian * likelihood.total)),
        customers=likelihood.total,
        left_out=left_out,
        unit=unit,
        converged=largest < FOREIGN_CONVERGED,
        gradient=largest,
        message=f"Parameters as found by lifetimes; gradient per customer {largest:.1e} "
        "(this package's likelihood and covariance).",
        engine="lifetimes",
        cells=cells,
    )


def likelihood_of(fit: Any) -> Likelihood:
    """Return the likelihood that a fit maximized; raises DataError if it has no data any more."""
    if fit.cells is None:
        raise DataError("This fit was read from a file and has no data; fit again for this.")
    model = fit.model
    if not isinstance(model, CovariateModel):
        return pose(type(model), fit.cells, None, {}, fit.penalty)
    chosen: dict[str, list[str]] = {}
    owner = {label: c.name for c in model.design.covariates for label in c.labels}
    for parameter, label, _ in model.coefficients:
        chosen.setdefault(parameter, []).append(owner[label])
    return pose(model.family, fit.cells, model.design, chosen, fit.penalty)


def natural_position(fit: Any) -> Array:
    """Logarithms of the parameters, then the coefficients."""
    values = np.array(fit.model.values())
    k = len(values) - len(getattr(fit.model, "coefficients", ()))
    return np.concatenate([np.log(values[:k]), values[k:]])


def draw(fit: Fit[Any], n: int, seed: Seed) -> Posterior:
    """Draw from the posterior of a fit's parameters: see `Fit.sample`."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ParameterError.out_of_range("n", n, "a whole number >= 1")
    names, mode = fit.model.names(), natural_position(fit)
    k = len(names) - len(getattr(fit.model, "coefficients", ()))

    def as_parameters(natural: Array) -> Array:
        return np.hstack([np.exp(natural[:, :k]), natural[:, k:]])

    if fit.cells is None:
        origin = np.zeros_like(mode)
        return laplace_posterior(
            origin, fit.covariance, WALL, n, seed, names, lambda u: as_parameters(u + mode)
        )
    likelihood = likelihood_of(fit)
    back = np.linalg.inv(likelihood.map[0])
    return sample_posterior(
        likelihood.values,
        likelihood.position(mode),
        back @ fit.covariance @ back.T,
        WALL,
        n,
        seed,
        names,
        lambda u: as_parameters(likelihood.natural(u)),
    )


def _tuples(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in matrix)
