"""`summarize`: an order history of any kind in, a customer summary out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from clvmodel.tables.reading import columns_of, read_purchases
from clvmodel.tables.rules import rules
from clvmodel.tables.spark_source import is_spark
from clvmodel.tables.spark_summary import summarize_spark
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in


def summarize(
    orders: Any,
    *,
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
    end: Any = None,
    unit: str = "D",
    date_format: str | None = None,
    start: Any = None,
    occasion: str = "D",
    refunds: str = "net",
    min_value: float | None = None,
    max_value: float | None = None,
    exclude_ids: Iterable[Any] = (),
    order_id: str | None = None,
    preset: str | None = None,
    memory_limit: str | None = None,
) -> Summary:
    """Summarize an order history: one row per customer, every input row accounted for.

    `orders` is a pandas, polars, pyarrow, DuckDB or Ibis table, or a path: a CSV (also .gz) or
    Parquet file, a folder or pattern of such, a list of them, or a table of a DuckDB file
    ("shop.duckdb::orders"); it is not changed. `customer`, `date` and `value` name its columns;
    without `value`, only the timing of purchases is summarized. `preset` ("shopify", "woocommerce",
    "stripe", "online_retail") reads a well-known export instead, by its own column names.

    `end` is the last day of observation, inclusive (default: the day of the last order), `start`
    the first (customers with orders before it then count as new at their first order since);
    orders outside are left out. `date_format` reads dates that are not in ISO form, such as
    "%d/%m/%Y". A customer's orders of one `occasion` are one purchase: of a calendar day ("D"), a
    week from Monday ("W") or a month ("M"), dated by its first order; or of a moment ("exact"),
    where times are kept to the microsecond, T runs to the end of the last day, and equal histories
    are rare, so that large data take longer.

    Refunds (negative amounts) are netted within their occasion ("net"), left out ("drop") or
    refused ("error"); an occasion with refunds and no positive net is no purchase. `order_id` names
    the column of order ids: all lines and refunds of a customer's order then count when its first
    line did (not for backtests: a refund of tomorrow would change the purchase of today). Amounts
    below `min_value` or above `max_value` are left out (refunds: by their size), and so are the
    customers of `exclude_ids`, such as a guest account. `summary.reconciliation` says where each
    row went.

    `memory_limit`, such as "2GB", is what the engine may use before it spills to disk (default:
    80% of the memory); the summary itself is held in memory. See `summarize_to` for what is larger.

    A PySpark table is summarized in its cluster, and the result is a `SparkSummary`, with the same
    numbers: see docs/large.md. Times with a zone are read in the session's time zone there.

    Raises ColumnError, DataError, FileError, ParameterError or UnitError, saying what to mend.
    """
    days_in(unit)
    how = rules(
        end=end,
        start=start,
        date_format=date_format,
        refunds=refunds,
        min_value=min_value,
        max_value=max_value,
        exclude_ids=exclude_ids,
        occasion=occasion,
        order_id=order_id,
        preset=preset,
        memory_limit=memory_limit,
    )
    columns = columns_of(customer, date, value, how)
    if is_spark(orders):
        return cast(Summary, summarize_spark(orders, columns, how, unit))  # used like one
    purchases = read_purchases(orders, columns, how)
    return Summary.from_purchases(purchases, how.end or purchases.last_order, unit)
