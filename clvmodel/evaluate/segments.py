"""Groups of customers that a candidate is scored on apart: the base is never one crowd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import ParameterError
from clvmodel.tables.groups import COHORT, groups
from clvmodel.tables.purchases import to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in

Index = NDArray[np.intp]
ALL = "all"
HISTORY, TOP = "history", "past value"
DEFAULT = (HISTORY, TOP, COHORT)
_COHORTS = 12  # months, else quarters, else years


class Segment(NamedTuple):
    """Some customers: by what they are grouped, which group, and their rows in the summary."""

    kind: str
    label: str
    rows: Index


def segments(summary: Summary, kinds: Sequence[str]) -> list[Segment]:
    """All customers, then the groups of each kind.

    "history": one purchase, or more; "past value": the tenth with the highest total so far
    (purchases, without amounts), and the others; "cohort": the month of the first purchase, or the
    quarter or year where there are more than 12; any other name: an attribute of the customers.
    """
    found = [Segment(ALL, "all customers", np.arange(len(summary)))]
    for kind in kinds:
        labels, code = _grouped(summary, kind)
        rows = ((label, np.flatnonzero(code == i)) for i, label in enumerate(labels))
        found += [Segment(kind, label, row) for label, row in rows if row.size]
    return found


def checked_kinds(kinds: Sequence[str] | str) -> tuple[str, ...]:
    """Names of groupings as a tuple, no two alike."""
    named = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if len(set(named)) < len(named) or ALL in named:
        raise ParameterError(f"groups == {named!r}, must be different names, without {ALL!r}.")
    return named


def _grouped(summary: Summary, kind: str) -> tuple[list[str], Index]:
    if kind in summary.attributes:
        values, code = groups(summary, kind)
        return [str(value) for value in values.to_pylist()], code
    if kind == HISTORY:
        return ["one purchase", "repeat customers"], (summary.frequency > 0).astype(np.intp)
    if kind == TOP:
        past = summary.total_value if summary.total_value is not None else summary.frequency
        highest = past >= np.quantile(past, 0.9)
        return ["top tenth", "others"], (~highest).astype(np.intp)
    if kind == COHORT:
        return _cohorts(summary)
    values, code = groups(summary, kind)  # raises: there is no such attribute
    return [str(value) for value in values.to_pylist()], code


def _cohorts(summary: Summary) -> tuple[list[str], Index]:
    assert summary.end is not None
    born = to_day(summary.end) - np.rint(summary.T * days_in(summary.unit)).astype(np.int64)
    month = born.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    sizes = (1, 3, 12)
    size = next((s for s in sizes if np.unique(month // s).size <= _COHORTS), sizes[-1])
    distinct, code = np.unique(month // size, return_inverse=True)
    label = {1: _month, 3: _quarter, 12: _year}[size]
    return [label(int(d)) for d in distinct], code


def _month(number: int) -> str:
    return f"{1970 + number // 12}-{number % 12 + 1:02}"


def _quarter(number: int) -> str:
    return f"{1970 + number // 4} Q{number % 4 + 1}"


def _year(number: int) -> str:
    return str(1970 + number)
