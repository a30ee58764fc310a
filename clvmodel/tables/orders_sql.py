"""The SQL that turns orders into purchases: which rows count, and why the others do not."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from clvmodel.errors import ColumnError


class Columns(NamedTuple):
    """Which columns hold what; `value` may be None."""

    customer: str
    date: str
    value: str | None


REASONS = {
    "no_customer": "no customer id",
    "no_date": "no date",
    "no_value": "no finite amount",
    "late": "after the end of observation",
}
"""Fates of rows that are left out, in words; the other fates are used, bad_date and bad_value."""


def quote(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def is_text(kind: str) -> bool:
    """Whether a column of this type of DuckDB holds text."""
    return kind == "VARCHAR" or kind.startswith("ENUM")


def _is_nested(kind: str) -> bool:
    return kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]")


def trimmed(name: str) -> str:
    """SQL of a quoted column as text, without white space around it."""
    return f"trim(CAST({name} AS VARCHAR), ' ' || chr(9) || chr(10) || chr(13) || chr(160))"


def _day(column: str, kind: str, date_format: str | None) -> str:
    """Calendar day of the date column, NULL where it cannot be read."""
    name = quote(column)
    if kind.startswith(("DATE", "TIMESTAMP")):
        return f"CAST({name} AS DATE)"
    if date_format is not None:
        return f"CAST(try_strptime({trimmed(name)}, {literal(date_format)}) AS DATE)"
    if is_text(kind):
        text = trimmed(name)
        # The day as written: an offset from UTC after the time does not move it.
        written = f"regexp_extract({text}, '^[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}')"
        whole = f"TRY_CAST({text} AS TIMESTAMP) IS NOT NULL"
        return f"CASE WHEN {whole} THEN TRY_CAST({written} AS DATE) END"
    raise ColumnError(
        f"date={column!r} holds {kind.lower()} values, not dates; convert it, or say how to read "
        "it with date_format, such as date_format='%Y%m%d'."
    )


def _missing(column: str, kind: str) -> str:
    """Condition that a column holds nothing: NULL, or blank text."""
    name = quote(column)
    if kind.startswith(("FLOAT", "DOUBLE")):
        return f"({name} IS NULL OR isnan({name}))"
    if not is_text(kind):
        return f"{name} IS NULL"
    return f"({name} IS NULL OR {trimmed(name)} IN ('', 'nan', 'NaN', 'None'))"


def judged(
    types: dict[str, str], columns: Columns, date_format: str | None, end: dt.date | None
) -> str:
    """Table `judged`: customer, day (from 1970-01-01), value, fate, and the text of bad fields."""
    day = _day(columns.date, types[columns.date], date_format)
    if _is_nested(types[columns.customer]):
        raise ColumnError(f"customer={columns.customer!r} holds lists or records, not ids.")
    no_customer = _missing(columns.customer, types[columns.customer])
    no_date = _missing(columns.date, types[columns.date])
    value, no_value, value_text = "CAST(1 AS DOUBLE)", "FALSE", "NULL"
    if columns.value is not None:
        kind = types[columns.value]
        if kind.startswith(("DATE", "TIME", "BOOL")) or _is_nested(kind):
            raise ColumnError(f"value={columns.value!r} holds {kind.lower()} values, not amounts.")
        name = quote(columns.value)
        value, value_text = f"TRY_CAST({name} AS DOUBLE)", f"CAST({name} AS VARCHAR)"
        no_value = _missing(columns.value, kind)
    last = f"DATE '{end or dt.date.max}'"
    return f"""
        CREATE TEMP TABLE judged AS
        SELECT customer, value, fate,
               CASE WHEN isfinite(day) THEN datediff('day', DATE '1970-01-01', day) END AS day,
               CASE fate WHEN 'bad_date' THEN date_text WHEN 'bad_value' THEN value_text END AS bad
        FROM (SELECT *, CASE WHEN no_customer THEN 'no_customer'
                             WHEN no_date THEN 'no_date'
                             WHEN day IS NULL OR NOT isfinite(day) THEN 'bad_date'
                             WHEN no_value THEN 'no_value'
                             WHEN value IS NULL THEN 'bad_value'
                             WHEN NOT isfinite(value) THEN 'no_value'
                             WHEN day > {last} THEN 'late'
                             ELSE 'used' END AS fate
              FROM (SELECT {quote(columns.customer)} AS customer, {no_customer} AS no_customer,
                           {day} AS day, {no_date} AS no_date,
                           CAST({quote(columns.date)} AS VARCHAR) AS date_text,
                           {value} AS value, {no_value} AS no_value, {value_text} AS value_text
                    FROM orders))"""


ACCOUNT = """
    SELECT fate, count(*) AS rows, min(day) AS first, max(day) AS last, min(bad) AS bad,
           coalesce(sum(value ORDER BY value)
                    FILTER (WHERE fate <> 'used' AND isfinite(value)), 0) AS amount
    FROM judged GROUP BY fate"""

# Sums of three and more amounts are taken in the order of the amounts, so that they do not depend
# on threads or row order; two give the same sum either way. A net that is nothing but rounding
# (1.10 + 3.50 - 4.60) is 0.
DAILY = """
    WITH used AS (SELECT customer, day, value FROM judged WHERE fate = 'used'),
    days AS (SELECT customer, day, count(*) AS rows, sum(value) AS net, sum(abs(value)) AS gross,
                    min(value) < 0 AS refunded FROM used GROUP BY customer, day),
    many AS (SELECT customer, day, sum(value ORDER BY value) AS net
             FROM used SEMI JOIN (SELECT customer, day FROM days WHERE rows > 2)
             USING (customer, day) GROUP BY customer, day)
    SELECT customer, day, rows, refunded,
           CASE WHEN abs(days.net) > 1e-12 * gross OR NOT isfinite(gross)
                THEN coalesce(many.net, days.net) ELSE 0 END AS value
    FROM days LEFT JOIN many USING (customer, day)
    ORDER BY customer, day"""
