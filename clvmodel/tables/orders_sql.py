"""The SQL that turns orders into purchases: which rows count, and why the others do not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from clvmodel.errors import ColumnError

if TYPE_CHECKING:
    from clvmodel.tables.rules import Rules


class Columns(NamedTuple):
    """Which columns hold what; `value` may be None."""

    customer: str
    date: str
    value: str | None


REASONS = {
    "no_customer": "no customer id",
    "unwanted": "customer excluded by id",
    "void": "cancelled, failed or test order",
    "no_date": "no date",
    "no_value": "no finite amount",
    "late": "after the end of observation",
    "early": "before the start of observation",
    "small": "amount below min_value",
    "large": "amount above max_value",
    "refund": "refunds, dropped as asked",
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


def _time(column: str, kind: str, date_format: str | None, whole: str) -> str:
    """Time of the date column as `whole`, DATE or TIMESTAMP; NULL where it cannot be read."""
    name = quote(column)
    if kind.startswith(("DATE", "TIMESTAMP")):
        return f"CAST({name} AS {whole})"
    if kind == '"NULL"':
        return f"CAST(NULL AS {whole})"
    if date_format is not None:
        return f"CAST(try_strptime({trimmed(name)}, {literal(date_format)}) AS {whole})"
    if is_text(kind):
        text = trimmed(name)
        # The day and time as written: an offset from UTC after the time does not move them.
        if whole == "DATE":
            written = f"regexp_extract({text}, '^[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}')"
        else:
            zone = r"([0-9]:[0-9]{2}(:[0-9.]+)?) ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
            written = f"regexp_replace({text}, '{zone}', '\\1')"
        readable = f"TRY_CAST({text} AS TIMESTAMP) IS NOT NULL"
        return f"CASE WHEN {readable} THEN TRY_CAST({written} AS {whole}) END"
    raise ColumnError(
        f"date={column!r} holds {kind.lower()} values, not dates; convert it, or say how to read "
        "it with date_format, such as date_format='%Y%m%d'."
    )


def _unwanted(column: str, kind: str, ids: tuple[str, ...]) -> str:
    """Condition that a customer is one of those to be left out."""
    if not ids:
        return "FALSE"
    if kind.startswith(("FLOAT", "DOUBLE")):
        texts = ", ".join(f"TRY_CAST({literal(each)} AS DOUBLE)" for each in ids)
        return f"coalesce({quote(column)} IN ({texts}), FALSE)"
    return f"CAST({quote(column)} AS VARCHAR) IN ({', '.join(map(literal, ids))})"


def _missing(column: str, kind: str) -> str:
    """Condition that a column holds nothing: NULL, or blank text."""
    name = quote(column)
    if kind.startswith(("FLOAT", "DOUBLE")):
        return f"({name} IS NULL OR isnan({name}))"
    if not is_text(kind):
        return f"{name} IS NULL"
    return f"({name} IS NULL OR {trimmed(name)} IN ('', 'nan', 'NaN', 'None'))"


def judged(types: dict[str, str], columns: Columns, rules: Rules) -> str:
    """Table `judged`: customer, day (from 1970-01-01), value, fate, and the text of bad fields.

    Where a row may count at another time than its day, `moment` is that: a day, or microseconds.
    Of an export whose amounts are net, `paid_back` says whether something was subtracted.
    """
    kind = types[columns.date]
    day = _time(columns.date, kind, rules.date_format, "DATE")
    if _is_nested(types[columns.customer]):
        raise ColumnError(f"customer={columns.customer!r} holds lists or records, not ids.")
    no_customer = _missing(columns.customer, types[columns.customer])
    unwanted = _unwanted(columns.customer, types[columns.customer], rules.exclude_ids)
    value, no_value, value_text = _value(types, columns)
    at, order = "", ""
    if rules.exact:
        moment = _time(columns.date, kind, rules.date_format, "TIMESTAMP")
        at = f", epoch_us({moment}) AS moment"
    elif rules.paired:
        at = f", datediff('day', DATE '1970-01-01', {day}) AS moment"
    if rules.order_id is not None:
        order = f", {blank_is_null(rules.order_id)} AS order_id"
    back = ", paid_back" if rules.preset else ""
    extra = (", moment" if at else "") + (", order_id" if order else "") + back
    size = "abs(value)"
    return f"""
        CREATE TEMP TABLE judged AS
        SELECT customer, value, fate{extra},
               CASE WHEN isfinite(day) THEN datediff('day', DATE '1970-01-01', day) END AS day,
               CASE fate WHEN 'bad_date' THEN date_text WHEN 'bad_value' THEN value_text END AS bad
        FROM (SELECT *, CASE WHEN no_customer THEN 'no_customer'
                             WHEN unwanted THEN 'unwanted'
                             WHEN void THEN 'void'
                             WHEN no_date THEN 'no_date'
                             WHEN day IS NULL OR NOT isfinite(day) OR {_OFF} THEN 'bad_date'
                             WHEN no_value THEN 'no_value'
                             WHEN value IS NULL THEN 'bad_value'
                             WHEN NOT isfinite(value) THEN 'no_value'
                             WHEN day > DATE '{rules.end or dt.date.max}' THEN 'late'
                             WHEN day < DATE '{rules.start or dt.date.min}' THEN 'early'
                             WHEN {size} < {rules.min_value or 0.0!r} THEN 'small'
                             WHEN {size} > {_bound(rules.max_value)} THEN 'large'
                             WHEN {rules.refunds == "drop"} AND value < 0 THEN 'refund'
                             ELSE 'used' END AS fate
              FROM (SELECT {quote(columns.customer)} AS customer, {no_customer} AS no_customer,
                           {unwanted} AS unwanted, {"void" if rules.preset else "FALSE"} AS void,
                           {day} AS day, {_missing(columns.date, kind)} AS no_date,
                           CAST({quote(columns.date)} AS VARCHAR) AS date_text,
                           {value} AS value, {no_value} AS no_value, {value_text} AS value_text
                           {at}{order}{back}
                    FROM orders))"""


_OFF = "day < DATE '0001-01-01' OR day > DATE '9999-12-31'"


def _bound(most: float | None) -> str:
    return "CAST('infinity' AS DOUBLE)" if most is None else repr(most)


def _value(types: dict[str, str], columns: Columns) -> tuple[str, str, str]:
    """Amount of a row, whether there is none, and its text."""
    if columns.value is None:
        return "CAST(1 AS DOUBLE)", "FALSE", "NULL"
    kind = types[columns.value]
    if kind.startswith(("DATE", "TIME", "BOOL")) or _is_nested(kind):
        raise ColumnError(f"value={columns.value!r} holds {kind.lower()} values, not amounts.")
    name = quote(columns.value)
    return f"TRY_CAST({name} AS DOUBLE)", _missing(columns.value, kind), f"CAST({name} AS VARCHAR)"


def blank_is_null(column: str) -> str:
    """SQL of a column as text, NULL where it is blank."""
    text = trimmed(quote(column))
    return f"CASE WHEN {text} NOT IN ('', 'nan', 'NaN', 'None') THEN {text} END"


PAIR = """
    UPDATE judged SET moment = first_line.moment
    FROM (SELECT customer, order_id, min(moment) AS moment FROM judged
          WHERE fate = 'used' AND value >= 0 AND order_id IS NOT NULL
          GROUP BY customer, order_id) AS first_line
    WHERE judged.fate = 'used' AND judged.customer = first_line.customer
      AND judged.order_id = first_line.order_id AND judged.moment <> first_line.moment"""
"""Every line and refund of an order counts when its first line did."""


def account(rules: Rules) -> str:
    """SQL of the fates of the rows of `judged`: the fields of a `Fate` for each."""
    return f"""
    SELECT fate, count(*) AS rows, min(day) AS first, max(day) AS last, min(bad) AS bad,
           coalesce(sum(value ORDER BY value)
                    FILTER (WHERE fate <> 'used' AND isfinite(value)), 0) AS amount,
           count(*) FILTER (WHERE {is_refund(rules)}) AS negative, min(value) AS least
    FROM judged GROUP BY fate"""


def occasion_of(rules: Rules) -> str:
    """SQL of the occasion that a row of `judged` belongs to: a whole number."""
    at = "moment" if rules.exact or rules.paired else "day"
    return {
        "D": at,
        "W": f"floor(({at} + 3) / 7)::BIGINT",  # 1970-01-01 was a Thursday
        "M": f"datediff('month', DATE '1970-01-01', DATE '1970-01-01' + {at}::INTEGER)",
        "exact": at,
    }[rules.occasion]


def is_refund(rules: Rules) -> str:
    """Condition that something was paid back by a row of `judged`."""
    return "paid_back" if rules.preset is not None else "value < 0"


def daily(rules: Rules) -> str:
    """Customers' occasions with orders, merged, in order, with the day (or time in days) of each.

    An occasion longer than a day is dated by its first order that is no refund. Sums of three and
    more amounts are taken in the order of the amounts, so that they do not depend on threads or row
    order; two give the same sum either way. A net that is nothing but rounding
    (1.10 + 3.50 - 4.60) is 0.
    """
    day = {"D": "occasion", "exact": "occasion / 86400e6"}.get(
        rules.occasion, "coalesce(min(moment) FILTER (value >= 0), min(moment))"
    )
    at = "moment" if rules.exact or rules.paired else "day"
    return f"""
    WITH used AS (SELECT customer, {occasion_of(rules)} AS occasion, {at} AS moment, value,
                         {is_refund(rules)} AS back FROM judged WHERE fate = 'used'),
    days AS (SELECT customer, occasion, {day} AS day, count(*) AS rows, sum(value) AS net,
                    sum(abs(value)) AS gross, bool_or(back) AS refunded
             FROM used GROUP BY customer, occasion),
    many AS (SELECT customer, occasion, sum(value ORDER BY value) AS net
             FROM used SEMI JOIN (SELECT customer, occasion FROM days WHERE rows > 2)
             USING (customer, occasion) GROUP BY customer, occasion)
    SELECT customer, occasion, day, rows, refunded,
           CASE WHEN abs(days.net) > 1e-12 * gross OR NOT isfinite(gross)
                THEN coalesce(many.net, days.net) ELSE 0 END AS value
    FROM days LEFT JOIN many USING (customer, occasion)
    ORDER BY customer, occasion"""
