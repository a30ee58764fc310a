"""Which model suits the data at hand: likelihoods, information criteria, and counted purchases.

This judges models by the data they were fitted to. Whether one forecasts better is another
question: ask `backtest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from clvmodel.errors import DataError, ParameterError
from clvmodel.fitting.covariates import CovariateModel
from clvmodel.fitting.fit import Fit
from clvmodel.tables.cells import Cells
from clvmodel.tables.frames import pandas_table

Array = NDArray[np.float64]

MOST = 7  # purchases from which on customers are counted together, as in the literature
_FEWEST = 5.0  # expected customers below which classes of the chi-square are merged
_BLOCK = 1 << 15
_TESTED = ("chi_square", "df", "p_value")


@dataclass(frozen=True)
class FitComparison:
    """Fits of the same customers, side by side; every part is a list of plain dictionaries.

    `fits`: for each fit its number of parameters, log-likelihood, AIC, BIC (smaller is better) and
    their distance from the smallest, and the chi-square of its frequency table. `frequencies`: for
    each number of repeat purchases (the last row: so many or more) the customers counted and those
    that each fit expects. `likelihood_ratios`: a test for each pair of which one is the other with
    some coefficients zero; a small p_value says that the smaller model is too simple.
    """

    fits: list[dict[str, Any]]
    frequencies: list[dict[str, Any]]
    likelihood_ratios: list[dict[str, Any]]

    def table(self) -> Any:
        """Return `fits` as a pandas table."""
        return pandas_table(self.fits, index="name")

    def frequency_table(self) -> Any:
        """Return `frequencies` as a pandas table."""
        return pandas_table(self.frequencies, index="purchases")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "fits": self.fits,
            "frequencies": self.frequencies,
            "likelihood_ratios": self.likelihood_ratios,
        }

    def __repr__(self) -> str:
        """Return the three tables."""
        shown = ("name", "parameters", "log_likelihood", "aic", "bic", *_TESTED)
        rows = [{key: row[key] for key in shown if key in row} for row in self.fits]
        table = pandas_table(rows, index="name").rename_axis(None)
        p_value = {"p_value": "{:.3g}".format}
        parts = [table.to_string(float_format="{:,.2f}".format, formatters=p_value, na_rep="-")]
        if self.frequencies:
            counts = self.frequency_table().rename_axis(None)
            parts.append(counts.to_string(float_format="{:,.1f}".format, na_rep="-"))
        parts += [
            f"{row['smaller']} within {row['larger']}: likelihood ratio {row['statistic']:.2f}, "
            f"{row['df']} df, p = {row['p_value']:.3g}"
            for row in self.likelihood_ratios
        ]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def compare_fits(fits: Sequence[Fit[Any]] | Mapping[str, Fit[Any]]) -> FitComparison:
    """Compare fits of different models, or of different covariates, to the same customers.

    A mapping names the fits. The chi-square compares the customers counted with 0, 1, ... repeat
    purchases with those that the model expects given how long each was watched. Classes of fewer
    than 5 expected customers are merged; degrees of freedom are classes - 1 - parameters. It is
    approximate: parameters come from whole histories, not from these counts, and a huge base makes
    any model's misfit significant. Fits read from files have no counts, and are left out of it.

    Raises ParameterError for what is no fit, DataError where the fits are of different data or
    units, since their likelihoods cannot be compared.
    """
    named = _named(fits)
    _check_same_data(list(named.values()))
    actual, expected = _frequencies(named)
    lowest = {key: min(getattr(f, key) for f in named.values()) for key in ("aic", "bic")}
    rows = []
    for name, fit in named.items():
        row: dict[str, Any] = {
            "name": name,
            "parameters": len(fit.parameters),
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic,
            "bic": fit.bic,
            "aic_above_best": fit.aic - lowest["aic"],
            "bic_above_best": fit.bic - lowest["bic"],
            "converged": fit.converged,
        }
        if actual is not None:
            row |= chi_square(actual, expected[name], len(fit.parameters))
        rows.append(row)
    counts = []
    if actual is not None:
        counts = [
            {
                "purchases": f"{k}" if k < MOST else f"{MOST}+",
                "customers": float(actual[k]),
                **{name: float(column[k]) for name, column in expected.items()},
            }
            for k in range(MOST + 1)
        ]
    return FitComparison(rows, counts, _likelihood_ratios(named))


def _named(fits: Sequence[Fit[Any]] | Mapping[str, Fit[Any]]) -> dict[str, Fit[Any]]:
    """Fits by their names: those given, or the models', numbered where they repeat."""
    given = list(fits.values()) if isinstance(fits, Mapping) else list(fits)
    if not given or not all(isinstance(fit, Fit) for fit in given):
        raise ParameterError(
            f"fits == {fits!r}, must be one or more results of clv.fit: a list, or a mapping from "
            "names."
        )
    if isinstance(fits, Mapping):
        return {str(name): fit for name, fit in fits.items()}
    titles = [fit.model.title for fit in given]
    return {
        title if titles.count(title) == 1 else f"{title} ({i})": fit
        for i, (title, fit) in enumerate(zip(titles, given, strict=True), start=1)
    }


def _family(fit: Fit[Any]) -> Any:
    return fit.model.family if isinstance(fit.model, CovariateModel) else type(fit.model)


def _check_same_data(fits: list[Fit[Any]]) -> None:
    first = fits[0]
    width = len(_family(first).columns)
    for fit in fits[1:]:
        if _family(fit).columns != _family(first).columns:
            raise DataError(
                f"{fit.model.title} describes {', '.join(_family(fit).columns)} and "
                f"{first.model.title} {', '.join(_family(first).columns)}: their likelihoods "
                "cannot be compared."
            )
        if fit.unit != first.unit:
            raise DataError(f"The fits are in different units, {first.unit!r} and {fit.unit!r}.")
        sums = [
            [float(column @ one.cells.weight) for column in one.cells.columns[:width]]
            for one in (first, fit)
            if one.cells is not None
        ]
        same = len(sums) < 2 or np.allclose(sums[0], sums[1], rtol=1e-9)
        if not np.isclose(fit.customers, first.customers, rtol=1e-9) or not same:
            raise DataError(
                f"The fits are of different customers ({first.customers:,.0f} and "
                f"{fit.customers:,.0f}, or other histories): fit them to the same data."
            )


def _frequencies(named: Mapping[str, Fit[Any]]) -> tuple[Array | None, dict[str, Array]]:
    """Customers by repeat purchases, counted and expected by each fit that still has its data."""
    known = {n: f for n, f in named.items() if f.cells is not None and hasattr(_family(f), "pmf")}
    if not known:
        return None, {}
    cells = next(iter(known.values())).cells
    assert cells is not None
    place = np.minimum(cells.columns[0], MOST).astype(int)
    actual = np.bincount(place, weights=cells.weight, minlength=MOST + 1).astype(float)
    expected = {name: expected_frequencies(fit) for name, fit in known.items()}
    missing = np.full(MOST + 1, np.nan)
    return actual, {name: expected.get(name, missing) for name in named}


def expected_frequencies(fit: Fit[Any]) -> Array:
    """Customers that a fit expects with 0, 1, ..., and MOST or more repeat purchases."""
    cells, model = fit.cells, fit.model
    assert isinstance(cells, Cells)
    watched = len(_family(fit).columns) - 1  # T, or the number of opportunities
    counts = np.arange(MOST)[:, None]
    total = np.zeros(MOST)
    for start in range(0, cells.weight.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        columns = [column[rows] for column in cells.columns]
        point = model
        if isinstance(model, CovariateModel):
            point = model.at_codes(columns[watched + 1 :])
            lengths, weight = columns[watched], cells.weight[rows]
        else:
            lengths, where = np.unique(columns[watched], return_inverse=True)
            weight = np.bincount(where, weights=cells.weight[rows]).astype(float)
        total += point.pmf(counts, lengths) @ weight
    return np.append(total, max(fit.customers - total.sum(), 0.0))


def chi_square(actual: Array, expected: Array, parameters: int) -> dict[str, Any]:
    """Pearson's statistic with degrees of freedom and chance, thin classes merged from the top."""
    if np.isnan(expected).any():
        return {"chi_square": np.nan, "df": 0, "p_value": np.nan}
    observed, foreseen = [], []
    seen = hoped = 0.0
    for a, e in zip(actual[::-1], expected[::-1], strict=True):
        seen, hoped = seen + float(a), hoped + float(e)
        if hoped >= _FEWEST:
            observed.append(seen)
            foreseen.append(hoped)
            seen = hoped = 0.0
    if foreseen:
        observed[-1] += seen
        foreseen[-1] += hoped
    gaps = [(a - e) ** 2 / e for a, e in zip(observed, foreseen, strict=True)]
    df = len(foreseen) - 1 - parameters
    statistic = float(sum(gaps)) if gaps else np.nan
    p_value = float(chdtrc(df, statistic)) if df > 0 else np.nan
    return {"chi_square": statistic, "df": max(df, 0), "p_value": p_value}


def _likelihood_ratios(named: Mapping[str, Fit[Any]]) -> list[dict[str, Any]]:
    rows = []
    for (small, inner), (large, outer) in permutations(named.items(), 2):
        df = len(outer.parameters) - len(inner.parameters)
        plain = not inner.penalty and not outer.penalty
        if not (plain and df > 0 and _family(inner) is _family(outer)):
            continue
        if set(inner.parameters) <= set(outer.parameters):
            statistic = max(2 * (outer.log_likelihood - inner.log_likelihood), 0.0)
            rows.append(
                {
                    "smaller": small,
                    "larger": large,
                    "statistic": statistic,
                    "df": df,
                    "p_value": float(chdtrc(df, statistic)),
                }
            )
    return rows
