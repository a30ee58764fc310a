"""The SQL of the audit, on top of the tables that a summary is made from.

`facts` has one row per order: its number, what `judged` says of it, its account (where it went),
whether its day is a purchase (`kept`) and has any positive amount (`bought`), and what the raw
columns say beyond that. `bad_date` and `bad_value` stop a summary; an audit counts them.
"""

from __future__ import annotations

from clvmodel.tables.orders_sql import (
    REASONS,
    Columns,
    blank_is_null,
    is_text,
    occasion_of,
    quote,
    trimmed,
)
from clvmodel.tables.reading import refunds_in_words
from clvmodel.tables.rules import OCCASIONS, Rules

USED, MERGED, REFUNDS = "purchase", "merged", "refunds"


def ways(rules: Rules) -> dict[str, str]:
    """Where rows go, in words; those of a summary's reconciliation where it has them."""
    occasion = OCCASIONS[rules.occasion]
    return {
        USED: "purchases",
        MERGED: f"merged into a purchase of the same {occasion}",
        **REASONS,
        "bad_date": "a date that cannot be read",
        "bad_value": "an amount that cannot be read",
        REFUNDS: refunds_in_words(occasion),
    }


def extra(types: dict[str, str], columns: Columns, order_id: str | None, cur: str | None) -> str:
    """Table `extra`: what the raw columns say of each row, in the order of the rows."""
    kind = types[columns.date]
    date = quote(columns.date)
    if kind.startswith(("DATE", "TIMESTAMP")):
        text, timed = "NULL", f"TRY_CAST({date} AS TIMESTAMP) <> TRY_CAST({date} AS DATE)"
    else:
        text = trimmed(date)
        timed = f"regexp_matches({text}, '[0-9]:[0-9]')"
    # Names that differ only by the case of their letters would be one name to the query.
    known = {name.lower(): name for name in types}
    whole = ", ".join(quote(name) for name in known.values())
    customer = quote(columns.customer)
    folded = f"regexp_replace(lower({trimmed(customer)}), '\\s+', ' ', 'g')"
    return f"""
        CREATE TEMP TABLE extra AS
        SELECT hash({whole}) AS whole,
               {folded if is_text(types[columns.customer]) else "CAST(NULL AS VARCHAR)"} AS folded,
               CAST({text} AS VARCHAR) AS date_text,
               coalesce({timed}, FALSE) AS timed,
               {_text(order_id)} AS order_id,
               upper({_text(cur)}) AS currency
        FROM orders"""


def _text(column: str | None) -> str:
    """Return a column as text, NULL where it is blank or not named."""
    return "CAST(NULL AS VARCHAR)" if column is None else blank_is_null(column)


def facts(rules: Rules) -> str:
    """Table `facts`, from `judged`, `extra` and the registered `daily`."""
    occasion = occasion_of(rules)
    return f"""
    CREATE TEMP TABLE facts AS
    WITH opened AS (SELECT customer, {occasion} AS occasion, min(rowid) AS opening,
                           max(value) > 0 AS bought
                    FROM judged WHERE fate = 'used' GROUP BY customer, {occasion}),
    days AS (SELECT daily.customer, daily.occasion, daily.kept, opening, bought
             FROM daily JOIN opened
             ON daily.customer = opened.customer AND daily.occasion = opened.occasion)
    SELECT judged.rowid + 1 AS row, judged.customer, value, fate, judged.day, bad, extra.*,
           kept, bought,
           CASE WHEN fate <> 'used' THEN fate WHEN NOT kept THEN '{REFUNDS}'
                WHEN judged.rowid = opening THEN '{USED}' ELSE '{MERGED}' END AS account
    FROM judged JOIN extra ON judged.rowid = extra.rowid
    LEFT JOIN days ON fate = 'used' AND judged.customer = days.customer
                  AND {occasion} = days.occasion"""


CUSTOMERS = """
    CREATE TEMP TABLE customers AS
    SELECT customer, coalesce(nullif(count(DISTINCT order_id), 0), count(*)) AS orders,
           count(DISTINCT day) AS days, min(day) AS first, max(day) AS last
    FROM facts WHERE fate = 'used' GROUP BY customer"""
"""Table `customers`: orders (distinct order ids, where there are any), days with any, and when."""

CALENDAR = "SELECT day, count(*) FROM facts WHERE fate = 'used' GROUP BY day ORDER BY day"
"""Days with orders, and how many."""

FIRST_PURCHASES = """
    SELECT first, count(*) FROM
        (SELECT customer, min(day) AS first FROM daily WHERE kept GROUP BY customer)
    GROUP BY first ORDER BY first"""
"""Days with first purchases, and how many."""

COPIES = """
    fate = 'used' AND row NOT IN
        (SELECT min(row) FROM facts WHERE fate = 'used' GROUP BY whole, customer, day, value)"""
"""Rows that are the same in every column as an earlier one."""

SPELLINGS = """
    fate = 'used' AND folded IN
        (SELECT folded FROM facts WHERE fate = 'used'
         GROUP BY folded HAVING count(DISTINCT customer) > 1)"""
"""Rows of customers whose ids differ from another's by case or white space only."""

REUSED = """
    fate = 'used' AND value >= 0 AND order_id IN
        (SELECT order_id FROM facts WHERE fate = 'used' AND value >= 0
         GROUP BY order_id HAVING count(DISTINCT customer) > 1 OR count(DISTINCT day) > 1)"""
"""Orders whose id stands on several days or for several customers."""

PAIRED = """
    fate = 'used' AND value < 0 AND row IN
        (SELECT r.row FROM facts AS r JOIN facts AS o USING (customer, order_id)
         WHERE r.fate = 'used' AND r.value < 0 AND o.fate = 'used' AND o.value >= 0
         AND o.day < r.day)"""
"""Refunds of an earlier day's order, by its id: they are netted with it."""

PAID_BACK = """
    SELECT count(*) FILTER (o.day IS NOT NULL)
    FROM facts AS r LEFT JOIN
        (SELECT customer, value, min(day) AS day FROM facts
         WHERE fate = 'used' AND value > 0 GROUP BY customer, value) AS o
    ON o.customer = r.customer AND o.value = -r.value AND o.day < r.day
    WHERE r.value < 0 AND r.account = 'refunds' AND NOT r.bought"""
"""Refunds on a day of their own that equal an earlier order of the customer."""
