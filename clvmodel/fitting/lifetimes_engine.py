"""The lifetimes package as a second, independent engine: the one file that imports it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from types import ModuleType
from typing import Any

from clvmodel.errors import ClvError, MissingDependencyError, ParameterError
from clvmodel.tables.cells import Cells


class LifetimesError(ClvError, RuntimeError):
    """The lifetimes package failed on these data; clvmodel's own engine may not."""


@contextmanager
def _undisturbed() -> Iterator[ModuleType]:
    """Import lifetimes and undo what that changes: warning filters and a pandas option."""
    import pandas as pd

    name = "mode.chained_assignment"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            before = pd.get_option(name)
        except (KeyError, AttributeError):
            before = None
        try:
            import lifetimes
        except Exception as error:
            raise MissingDependencyError.for_feature(
                "lifetimes", "engine='lifetimes'", error
            ) from error
        finally:
            if before is not None:
                pd.set_option(name, before)
        with redirect_stdout(StringIO()):  # it prints what it could not fit
            yield lifetimes


def fit_with_lifetimes(model: Any, cells: Cells) -> Any:
    """Return the model that lifetimes fits to the cells; raises LifetimesError if it fails."""
    with _undisturbed() as lifetimes:
        fitters = {
            "BGNBD": (lifetimes.BetaGeoFitter, ("r", "alpha", "a", "b")),
            "MBGNBD": (lifetimes.ModifiedBetaGeoFitter, ("r", "alpha", "a", "b")),
            "ParetoNBD": (lifetimes.ParetoNBDFitter, ("r", "alpha", "s", "beta")),
            "BGBB": (lifetimes.BetaGeoBetaBinomFitter, ("alpha", "beta", "gamma", "delta")),
            "GammaGamma": (lifetimes.GammaGammaFitter, ("p", "q", "v")),
        }
        if model.__name__ not in fitters:
            raise ParameterError.not_one_of(
                "model with engine='lifetimes'", model.__name__, fitters
            )
        fitter, names = fitters[model.__name__]
        try:
            fitted = fitter().fit(*cells.columns, weights=cells.weight)
        except Exception as error:
            reason = str(error).strip().splitlines()
            raise LifetimesError(
                f"lifetimes could not fit {model.__name__}: "
                f"{reason[0] if reason else type(error).__name__}"
            ) from error
        return model(*(float(fitted.params_[name]) for name in names))
