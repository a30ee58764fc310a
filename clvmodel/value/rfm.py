"""RFM: how recently, how often and for how much each customer bought, as scores from 1 (worst).

Scores come from thresholds alone, so that customers who are alike always share a score, whatever
the order of the rows, and so that the same thresholds can score another day's customers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, FileError, ParameterError
from clvmodel.tables.files import write_text
from clvmodel.tables.frames import native_frame
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.candidates import check_customers, check_summary
from clvmodel.value.cuts import Wanted, cuts_of, rounded

Array = NDArray[np.float64]
Scores = NDArray[np.int64]

FORMAT = "clvmodel.rfm/1"
MEASURES = ("recency", "frequency", "monetary")
METHODS = ("quantile", "range")
MOST_LEVELS = 9  # a score is one digit of a code


@dataclass(frozen=True)
class RFM:
    """How to score customers on recency, frequency and money; `fit` finds the thresholds.

    `levels` scores, 1 (worst) to `levels` (best): 5 by default. `method`: "quantile" puts about as
    many customers on each score as ties allow (the thresholds are customers' own values, never
    between two of them); "range" cuts the range from the smallest to the largest value into equal
    parts, which leaves almost everybody on score 1 where values are skewed, as orders and money
    are. `thresholds` gives them instead: a mapping of "recency" (days since the last purchase),
    "frequency" (purchases, the first included) and "monetary" (money spent so far in all) to
    `levels` - 1 ascending numbers each. Raises ParameterError.

    A value on a threshold belongs to the lower side: of two thresholds 30 and 90 days, 30 days are
    scored 3, 31 to 90 days 2, more 1; of two thresholds 1 and 4, one purchase is scored 1, two to
    four 2, more 3.
    """

    levels: int = 5
    method: str = "quantile"
    thresholds: Mapping[str, Sequence[float]] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no way to score."""
        whole = isinstance(self.levels, int | np.integer) and not isinstance(self.levels, bool)
        if not (whole and 2 <= self.levels <= MOST_LEVELS):
            rule = f"a whole number from 2 to {MOST_LEVELS}"
            raise ParameterError.out_of_range("levels", self.levels, rule)
        if self.method not in METHODS:
            raise ParameterError.not_one_of("method", self.method, METHODS)
        if self.thresholds is not None:
            FittedRFM(_given(self.thresholds, self.levels))

    def fit(self, summary: Summary | LargeSummary) -> FittedRFM:
        """Find the thresholds in the customers of a summary, of any size. Raises DataError."""
        check_customers(summary)
        if self.thresholds is not None:
            return FittedRFM(_given(self.thresholds, self.levels))
        n = len(summary)
        wanted = Wanted((0, n - 1)) if self.method == "range" else _quantiles(n, self.levels)
        found = cuts_of(summary, _measured, [wanted] * len(MEASURES))
        if self.method == "range":
            found = [_equal_parts(low, high, self.levels) for low, high in found]
        return FittedRFM(dict(zip(MEASURES, found, strict=True)))


@dataclass(frozen=True)
class FittedRFM:
    """Thresholds of recency (days), frequency (purchases) and monetary (sum spent), ascending."""

    thresholds: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        """Refuse thresholds that are none."""
        if set(self.thresholds) != set(MEASURES):
            raise ParameterError(f"thresholds are of {list(self.thresholds)}, must be {MEASURES}.")
        sizes = {len(values) for values in self.thresholds.values()}
        if len(sizes) != 1 or not 1 <= sizes.pop() < MOST_LEVELS:
            raise ParameterError(
                f"thresholds must be equally many for each of {', '.join(MEASURES)}: one fewer "
                f"than the scores, which are 2 to {MOST_LEVELS}."
            )
        for name, values in self.thresholds.items():
            if not (np.isfinite(values).all() and (np.diff(values) >= 0).all()):
                rule = "finite and ascending"
                raise ParameterError.out_of_range(f"thresholds[{name!r}]", values, rule)

    @property
    def levels(self) -> int:
        """Number of scores."""
        return len(self.thresholds["recency"]) + 1

    def score(self, summary: Summary) -> Any:
        """Score customers: a table of the kind of the summary, one row each, in its order.

        Columns: customer_id; `recency` (days since the last purchase), `frequency` (purchases),
        `monetary` (money spent so far in all); their scores `r`, `f`, `m`, from 1 to `levels`, the
        best; `code`, the three as one number, such as 545. Raises DataError.
        """
        values, (r, f, m) = measures(summary), self.scores(summary)
        columns = {
            "customer_id": summary.ids,
            **values,
            "frequency": values["frequency"].astype(np.int64),
            "r": r,
            "f": f,
            "m": m,
            "code": 100 * r + 10 * f + m,
        }
        return native_frame(columns, summary.kind)

    def scores(self, summary: Summary) -> tuple[Scores, Scores, Scores]:
        """Scores of recency, frequency and money, each from 1 to `levels`, one per customer."""
        values = measures(summary)
        above = {name: beyond(values[name], self.thresholds[name]) for name in MEASURES}
        return self.levels - above["recency"], 1 + above["frequency"], 1 + above["monetary"]

    def to_dict(self) -> dict[str, Any]:
        """Return the thresholds as plain data."""
        plain = {name: list(self.thresholds[name]) for name in MEASURES}
        return {"format": FORMAT, "thresholds": plain}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FittedRFM:
        """Make what `to_dict` described. Raises DataError."""
        if data.get("format") != FORMAT:
            raise DataError(f"These are no RFM thresholds: format == {data.get('format')!r}.")
        try:
            given = data["thresholds"]
            return cls({name: tuple(float(v) for v in given[name]) for name in MEASURES})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"These RFM thresholds are damaged: {error}") from error

    def save(self, path: Any) -> None:
        """Write the thresholds as JSON, whole or not at all. Raises FileError."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, path: Any) -> FittedRFM:
        """Read what `save` wrote. Raises FileError or DataError."""
        return cls.from_dict(read_json(path))


def measures(summary: Summary) -> dict[str, Array]:
    """Days since the last purchase, purchases, and money spent so far, of each customer."""
    check_summary(summary)
    if summary.total_value is None:
        raise DataError(
            "RFM needs what customers spent, first purchases included: name the amounts, "
            "summarize(..., value=...); a table needs monetary_value and first_value."
        )
    silent = (summary.T - summary.recency) * days_in(summary.unit)
    return {
        "recency": np.round(silent, 6),  # days are whole, and in other units nearly so
        "frequency": summary.frequency + 1,
        "monetary": rounded(summary.total_value),
    }


def beyond(values: Array, thresholds: Sequence[float]) -> Scores:
    """How many of the ascending thresholds each value exceeds."""
    return np.searchsorted(np.asarray(thresholds, float), values, side="left").astype(np.int64)


def _measured(summary: Summary) -> list[Array]:
    values = list(measures(summary).values())
    if not all(np.isfinite(each).all() for each in values):
        raise DataError("A customer's value is not finite: thresholds cannot be found.")
    return values


def _quantiles(n: int, levels: int) -> Wanted:
    """Places of values that the lowest 1/levels, 2/levels, ... of n customers do not exceed."""
    places = np.arange(1, levels) * n  # ceil(n j / levels)-th value, in whole numbers
    return Wanted(tuple(((places + levels - 1) // levels - 1).tolist()))


def _equal_parts(low: float, high: float, levels: int) -> tuple[float, ...]:
    return tuple(float(low + (high - low) * j / levels) for j in range(1, levels))


def _given(thresholds: Mapping[str, Sequence[float]], levels: int) -> dict[str, tuple[float, ...]]:
    """Thresholds as floats; ParameterError where they are no numbers or not as many as needed."""
    try:
        found = {str(n): tuple(float(v) for v in values) for n, values in thresholds.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ParameterError(
            f"thresholds must map {', '.join(MEASURES)} to numbers: {error}"
        ) from error
    for name, values in found.items():
        if len(values) != levels - 1:
            raise ParameterError(
                f"thresholds[{name!r}] holds {len(values)} numbers; {levels} levels need "
                f"{levels - 1}."
            )
    return found


def read_json(path: Any) -> dict[str, Any]:
    """Read an object from a JSON file. Raises FileError or DataError."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise DataError(f"{path} holds no object.")
    return data
