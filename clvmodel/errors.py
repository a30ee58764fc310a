"""Every deliberate error: what is wrong, which value, what to do.

One base class, `ClvError`; each error is also the builtin that a caller would expect.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from clvmodel.fitting.fit import Fit


class ClvError(Exception):
    """Base class of every error that clvmodel raises on purpose."""


class ParameterError(ClvError, ValueError):
    """A model parameter or an option has a value it cannot have."""

    @classmethod
    def not_positive(cls, model: str, name: str, value: object) -> Self:
        """A model was made from a parameter that is not a finite positive number."""
        return cls(f"{model}: {name} == {value!r}, must be finite and > 0.")

    @classmethod
    def not_one_of(cls, name: str, value: object, allowed: Iterable[object]) -> Self:
        """An option was given a value outside its list."""
        return cls(f"{name} == {value!r}, must be one of {', '.join(map(repr, allowed))}.")

    @classmethod
    def out_of_range(cls, name: str, value: object, rule: str) -> Self:
        """An option was given a number outside its range."""
        return cls(f"{name} == {value!r}, must be {rule}.")


class DataError(ClvError, ValueError):
    """The data cannot be used as they are."""


class ColumnError(ClvError, KeyError):
    """A column that is needed is not there, or does not hold what it should."""

    def __str__(self) -> str:
        """Return the message itself (KeyError would quote it)."""
        return str(self.args[0])

    @classmethod
    def missing(cls, argument: str, column: str, present: Iterable[str]) -> Self:
        """The column named by an argument is not in the data."""
        names = list(present)
        close = get_close_matches(column, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
        return cls(f"{argument}={column!r} is not a column; the columns are {shown}.{hint}")


class UnitError(ClvError, ValueError):
    """A duration, date or unit of time cannot be understood, or two of them conflict."""


class FileError(ClvError, OSError):
    """A file cannot be read or written."""


class SparkError(ClvError, RuntimeError):
    """A Spark job failed; the message has its reason, and the cause the whole story."""


class IntegrationError(ClvError, ArithmeticError):
    """An integral did not reach its accuracy; no number is returned rather than a wrong one."""


class MissingDependencyError(ClvError, ImportError):
    """An optional package is needed and cannot be imported."""

    @classmethod
    def for_feature(cls, package: str, feature: str, why: BaseException) -> Self:
        """`feature` was asked for and `package` cannot be imported."""
        return cls(f"{feature} needs the package {package!r}, which cannot be imported ({why}).")


class ConvergenceError(ClvError, RuntimeError):
    """A fit was asked to be certain and is not; `.fit` is the best point that was found."""

    def __init__(self, message: str, fit: Fit[Any]) -> None:
        """Carry the partial fit."""
        super().__init__(message)
        self.fit = fit


class DriftWarning(UserWarning):
    """The customers are unlike those a model was fitted on: its predictions may not hold."""
