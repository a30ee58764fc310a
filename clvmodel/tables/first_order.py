"""What stands in a column of each customer's first order, such as the channel they came by."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from clvmodel.errors import ColumnError
from clvmodel.tables.duckdb_source import judged_orders
from clvmodel.tables.orders_sql import quote
from clvmodel.tables.reading import columns_of
from clvmodel.tables.rules import rules

NOTHING = "(none)"
"""What is given where the field is empty."""


def first_order(
    orders: Any,
    column: str,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    **reading: Any,
) -> pa.Table:
    """Each customer's text in `column` on the first order: columns customer_id and `column`.

    Of several orders on the first day, the first row counts; an empty field is "(none)". Orders
    that a summary leaves out do not count; `reading` are the further arguments of `summarize`, but
    no preset, whose columns are its own. Raises ColumnError, DataError or FileError.
    """
    how = rules(**reading)
    if how.preset is not None:
        raise ColumnError(f"preset={how.preset.name!r} reads no column {column!r}; name columns.")
    columns = columns_of(customer, date, value, how)
    with judged_orders(orders, columns, how, whole=True) as found:
        if column not in found.types:
            raise ColumnError.missing("column", column, found.types)
        text = f"coalesce(nullif(trim(CAST({quote(column)} AS VARCHAR)), ''), '{NOTHING}')"
        found.query(f"CREATE TEMP TABLE told AS SELECT {text} AS told FROM orders")
        table = found.connection.sql(
            """
            SELECT customer AS customer_id, arg_min(told, place) AS told
            FROM (SELECT customer, told, fate, CAST(day AS HUGEINT) * 1099511627776
                         + row_number() OVER () AS place
                  FROM (SELECT * FROM judged POSITIONAL JOIN told))
            WHERE fate = 'used' GROUP BY customer ORDER BY customer"""
        ).to_arrow_table()
    return table.rename_columns(["customer_id", column])
