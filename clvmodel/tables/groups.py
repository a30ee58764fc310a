"""Groups of customers: by an attribute, or by the month of their first purchase."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.months import month_of
from clvmodel.tables.purchases import days_before
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in

Array = NDArray[np.float64]

COHORT = "cohort"


def groups(summary: Summary, by: str | None) -> tuple[pa.Array, NDArray[np.intp]]:
    """(the groups in ascending order, missing ones last; the group of each customer).

    `by` is an attribute of the summary, or "cohort", the month of the first purchase ("2025-01");
    None puts all customers in one group. Raises ColumnError, or DataError for cohorts of customers
    whose end of observation is not known.
    """
    if by is None:
        return pa.array(["all"]), np.zeros(len(summary), np.intp)
    if not isinstance(by, str):
        raise ColumnError(f"by == {by!r}, must be the name of one attribute, or {COHORT!r}.")
    column = summary.attributes.get(by)
    if column is None and by == COHORT:
        if summary.end is None:
            raise DataError(
                "Cohorts need the end of observation, which this summary does not carry: give one, "
                "clv.Summary.from_frame(..., end='2026-12-31')."
            )
        column = pa.array(month_names(birth_months(summary.T, summary)))
    if column is None:
        raise ColumnError.missing("by", by, [*summary.attributes, COHORT])
    if pa.types.is_dictionary(column.type):  # a categorical column, perhaps with unused categories
        column = column.dictionary_decode()
    values = column.dictionary_encode("encode")
    code = values.indices.to_numpy(zero_copy_only=False).astype(np.intp)
    order = pc.array_sort_indices(values.dictionary)
    place = np.empty(len(order), np.intp)
    place[order.to_numpy()] = np.arange(len(order))
    return values.dictionary.take(order), place[code]


def birth_months(T: Array, summary: Summary | LargeSummary) -> NDArray[np.int64]:
    """Months since 1970-01 in which customers of these ages bought first."""
    assert summary.end is not None
    days = np.asarray(T) * days_in(summary.unit)
    return month_of(days_before(summary.end, days, summary.exact))


def month_names(months: NDArray[np.int64]) -> list[str]:
    """Names of months since 1970-01, such as "2025-01"."""
    return [str(name) for name in months.astype("datetime64[M]")]
