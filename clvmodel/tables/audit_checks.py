"""What the audit looks for in rows: ids, dates, amounts, refunds, repetitions, currencies."""

from __future__ import annotations

from collections.abc import Iterator

from clvmodel.tables.audit_sql import COPIES, PAID_BACK, PAIRED, REUSED, SPELLINGS
from clvmodel.tables.findings import Evidence, Finding, count, money, names, percent
from clvmodel.tables.orders_sql import literal
from clvmodel.tables.purchases import to_day

# Thresholds. Each is a judgement: a line that shops seldom cross, and exports with a fault do.

CROWD_SHARE = 0.01
"""Of all orders; an id with more may be many customers in one, ..."""
CROWD_TIMES = 20
"""... if it also has so many times the orders of the customer at the 95% quantile."""
CROWD_RATE = 5
"""Orders on a day with any, over those of the median customer (at least 1): more is a crowd, ..."""
CROWD_DAYS = 10
"""... on at least so many days."""
BUSY_SHARE = 0.5
"""Of all days since its first; an id that orders on more of them may be a crowd, ..."""
BUSY_DAYS = 30
"""... on at least so many days, ..."""
BUSY_TIMES = 5
"""... and so many times the days of the customer at the 95% quantile."""
ID_ROWS = 20
"""Rows from which on whole amounts that only ever increase look like a running number."""
ZERO_SHARE = 0.05
"""Of all rows; more rows of amount 0 are no longer a few free orders."""
READ_ROWS = 10_000
"""Dates that cannot be read, of which the likely form is guessed."""

_DATES = "%d/%m/%Y %m/%d/%Y %d.%m.%Y %d-%m-%Y %m-%d-%Y %Y%m%d %Y.%m.%d %d/%m/%y %m/%d/%y %d.%m.%y"
FORMS = tuple(
    form + time
    for form in [*_DATES.split(), "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y"]
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
)
"""Forms of dates that are tried on what cannot be read."""


def check_rows(e: Evidence) -> Iterator[Finding]:
    """Look at ids, dates and amounts, row by row."""
    yield from _types(e)
    yield from _ids(e)
    yield from _dates(e)
    yield from _zones(e)
    if e.columns.value is not None:
        yield from _amounts(e)
        yield from _running_number(e)
        yield from _refunds(e)
    yield from _repetitions(e)
    if e.currency is not None:
        yield from _currencies(e)


def _types(e: Evidence) -> Iterator[Finding]:
    if e.mixed:
        yield Finding(
            "several_types",
            "error",
            f"Values of several types in {names(list(e.mixed))}, read as text by this audit; "
            "summarize refuses them.",
            "Convert the column to one type, such as orders[column].astype(str), or "
            "pandas.to_numeric and pandas.to_datetime with errors='coerce'.",
        )


def _ids(e: Evidence) -> Iterator[Finding]:
    t = e.tally("fate = 'no_customer'")
    if t.rows:
        yield t.finding(
            "missing_ids",
            "warning",
            f"{count(t.rows, 'row')} without a customer id ({e.share(t.rows)} of all"
            f"{t.of_amount}), left out.",
            "Look for another column that tells guests apart (e-mail, phone, card); otherwise "
            "name their share of revenue beside every total.",
        )
    t = e.tally(SPELLINGS)
    if t.rows:
        one, found = e.query(
            "SELECT count(DISTINCT folded), list(DISTINCT CAST(customer AS VARCHAR) ORDER BY "
            f"CAST(customer AS VARCHAR))[:3] FROM facts WHERE {SPELLINGS}"
        )[0]
        yield t.finding(
            "ids_alike",
            "warning",
            f"{count(t.customers, 'customer id')} that differ only by case or white space, such "
            f"as {names(found)}; alike, they would be {count(one, 'customer')}.",
            "Trim the ids and write them in one case before the summary, if the shop does not "
            "tell them apart: one customer in two halves buys half as often.",
        )
    yield from _crowds(e)


def _crowds(e: Evidence) -> Iterator[Finding]:
    e.query(f"""
        CREATE TEMP TABLE crowds AS
        SELECT customer, orders, days, orders / total AS share FROM customers,
            (SELECT sum(orders) AS total, quantile_disc(orders, 0.95) AS many,
                    quantile_disc(days, 0.95) AS busy, median(orders / days) AS rate,
                    max(last) AS last FROM customers) AS usual
        WHERE (orders > {CROWD_SHARE} * total AND orders > {CROWD_TIMES} * many)
           OR (days >= {CROWD_DAYS} AND orders / days >= {CROWD_RATE} * greatest(rate, 1))
           OR (days >= {BUSY_DAYS} AND days > {BUSY_SHARE} * (usual.last - first + 1)
               AND days > {BUSY_TIMES} * busy)""")
    t = e.tally("fate = 'used' AND customer IN (SELECT customer FROM crowds)")
    if not t.rows:
        return
    top = e.query("SELECT * FROM crowds ORDER BY orders DESC, CAST(customer AS VARCHAR) LIMIT 3")
    shown = "; ".join(
        f"{str(who)!r} has {count(orders, 'order')} ({percent(share)} of all) on "
        f"{count(days, 'day')}"
        for who, orders, days, share in top
    )
    yield t.finding(
        "many_in_one",
        "warning",
        f"{count(t.customers, 'id')} with the orders of many customers: {shown}"
        f"{'; ...' if t.customers > len(top) else ''}.",
        "If it is a guest checkout, a till, a marketplace or a reseller, leave it out of the "
        "orders and predict it by itself: no model of a person describes it.",
    )


def _dates(e: Evidence) -> Iterator[Finding]:
    t = e.tally("fate = 'bad_date'")
    if t.rows:
        bad = [row[0] for row in e.query("SELECT min(bad) FROM facts WHERE fate = 'bad_date'")]
        form = "in ISO form (2026-12-31)" if e.date_format is None else f"of {e.date_format!r}"
        yield t.finding(
            "unreadable_dates",
            "error",
            f"{count(t.rows, 'date')} in {e.columns.date!r} ({e.share(t.rows)} of all rows) not "
            f"{form}, such as {names(bad)}.",
            _form(e),
        )
    t = e.tally("fate = 'no_date'")
    if t.rows:
        yield t.finding(
            "missing_dates",
            "warning",
            f"{count(t.rows, 'row')} without a date ({e.share(t.rows)} of all{t.of_amount}), "
            "left out.",
            "Find the date in the shop's system, or leave the rows out and say so.",
        )
    yield from _day_or_month_first(e)
    t = e.tally(f"fate IN ('used', 'late') AND day > {to_day(e.today) + 1}")
    if t.rows:
        yield t.finding(
            "future_dates",
            "error" if e.end is None else "warning",
            f"{count(t.rows, 'row')} dated after today, {e.today}{t.of_amount}.",
            "Name the last day of observation with end, which leaves them out; look whether day "
            "and month are exchanged.",
        )
    t = e.tally("fate = 'late'")
    if t.rows:
        yield t.finding(
            "after_end",
            "note",
            f"{count(t.rows, 'row')} after the end of observation, {e.end} ({e.share(t.rows)} of "
            f"all{t.of_amount}), left out.",
            "Nothing, if they are to be predicted; otherwise give a later end.",
        )


def _form(e: Evidence) -> str:
    """Say which form the dates seem to have, by reading them in the usual ones."""
    reads = [f"try_strptime(date_text, {literal(form)})" for form in FORMS]
    counts = ", ".join(f"count(*) FILTER (year({read}) BETWEEN 1900 AND 2100)" for read in reads)
    some = f"(SELECT date_text FROM facts WHERE fate = 'bad_date' LIMIT {READ_ROWS})"
    read = e.query(f"SELECT count(*), {counts} FROM {some}")[0]
    most = max(read[1:])
    best = [form for form, n in zip(FORMS, read[1:], strict=True) if n == most]
    if not most:
        return "Mend them in the orders, or blank them, which leaves the rows out."
    how = f"Try date_format={best[0]!r}, which reads {most:,} of {read[0]:,} of them"
    if len(best) > 1:
        how += f"; date_format={best[1]!r} reads as many, so find out which is meant"
    return how + "."


def _day_or_month_first(e: Evidence) -> Iterator[Finding]:
    form = "^([0-9]{1,2})[-/.]([0-9]{1,2})[-/.][0-9]{2,4}"
    one, two = (f"TRY_CAST(regexp_extract(date_text, '{form}', {i}) AS INTEGER)" for i in (1, 2))
    both = f"regexp_matches(date_text, '{form}') AND {one} <= 12 AND {two} <= 12"
    t = e.tally(f"{both} AND {one} <> {two}")
    day, month = e.query(
        f"SELECT count(*) FILTER ({one} BETWEEN 13 AND 31 AND {two} <= 12), "
        f"count(*) FILTER ({two} BETWEEN 13 AND 31 AND {one} <= 12) FROM facts"
    )[0]
    if day and month:
        yield t.finding(
            "dates_of_two_forms",
            "error",
            f"{count(day, 'date')} that can only be day first and {month:,} that can only be "
            f"month first; {t.rows:,} more read both ways.",
            "Separate the sources of the export and read each with its own form; no date_format "
            "reads both rightly.",
        )
    elif t.rows and not (day or month):
        yield t.finding(
            "ambiguous_dates",
            "warning",
            f"{count(t.rows, 'date')} read both day first and month first, and none that tells "
            "which is meant.",
            "Ask where the export comes from, and give date_format='%d/%m/%Y' or '%m/%d/%Y'.",
        )


def _zones(e: Evidence) -> Iterator[Finding]:
    zone = "regexp_extract(date_text, '[0-9]:[0-9].*?(Z|[+-][0-9]{2}:?([0-9]{2})?)$', 1)"
    found = e.query(
        f"SELECT replace(replace({zone}, 'Z', '+00'), ':', '') AS zone, count(*) FROM facts "
        "WHERE date_text IS NOT NULL AND fate IN ('used', 'late') GROUP BY zone ORDER BY zone"
    )
    hours = {(z + "00")[:5]: n for z, n in found if z}
    without = sum(n for z, n in found if not z)
    if not hours or len(hours) + (without > 0) < 2:
        return
    minutes = [int(z[0] + "1") * (60 * int(z[1:3]) + int(z[3:])) for z in hours]
    summer = not without and max(minutes) - min(minutes) <= 60
    offsets = [*hours] + (["none"] if without else [])
    yield Finding(
        "time_zones",
        "note" if summer else "warning",
        f"Times with {len(offsets)} offsets from UTC: {', '.join(offsets[:5])}"
        f"{', ...' if len(offsets) > 5 else ''}. The day of an order is the day as written.",
        "Nothing, if they are the summer and winter time of one place."
        if summer
        else "Convert all times to the shop's own zone, so that a day is one day.",
        rows=sum(n for _, n in found),
    )


def _amounts(e: Evidence) -> Iterator[Finding]:
    t = e.tally("fate = 'bad_value'")
    if t.rows:
        bad = [row[0] for row in e.query("SELECT min(bad) FROM facts WHERE fate = 'bad_value'")]
        yield t.finding(
            "unreadable_amounts",
            "error",
            f"{count(t.rows, 'amount')} in {e.columns.value!r} ({e.share(t.rows)} of all rows) "
            f"not numbers, such as {names(bad)}.",
            "Write amounts as 1234.50: no currency, no thousands separator, a point for the "
            "decimals; blank what is no amount, which leaves the row out.",
        )
    t = e.tally("fate = 'no_value' AND coalesce(isnan(value), TRUE)")
    if t.rows:
        yield t.finding(
            "missing_amounts",
            "warning",
            f"{count(t.rows, 'row')} without an amount ({e.share(t.rows)} of all), left out with "
            "their purchase.",
            "Fill in 0 if the order was free; otherwise find the amount, since the purchase is "
            "lost, too.",
        )
    t = e.tally("fate = 'no_value' AND isinf(value)")
    if t.rows:
        yield t.finding(
            "infinite_amounts",
            "warning",
            f"{count(t.rows, 'row')} of infinite amount, left out with their purchase.",
            "Look for a division by zero where the amounts are made.",
        )
    t = e.tally("account = 'purchase' AND value = 0")
    if t.rows:
        yield t.finding(
            "zero_amounts",
            "warning" if t.rows > ZERO_SHARE * e.total else "note",
            f"{count(t.rows, 'row')} of amount 0 ({e.share(t.rows)} of all); a day of free "
            "orders is a purchase of value 0.",
            "Leave them out if they are samples, exchanges or cancelled orders rather than "
            "purchases.",
        )


def _running_number(e: Evidence) -> Iterator[Finding]:
    rows, whole, distinct = e.query(
        "SELECT count(*), count(*) FILTER (value = floor(value)), count(DISTINCT value) "
        "FROM facts WHERE fate = 'used'"
    )[0]
    if not (rows >= ID_ROWS and rows == whole == distinct):
        return
    falls = e.query(
        "SELECT count(*) FILTER (value < before) FROM (SELECT value, lag(value) OVER "
        "(ORDER BY row) AS before FROM facts WHERE fate = 'used')"
    )[0][0]
    if not falls:
        yield e.tally("fate = 'used'").finding(
            "amounts_like_ids",
            "warning",
            f"Every amount in {e.columns.value!r} is a whole number larger than the one before.",
            "Look whether it is a running number, such as an order id; name the column of amounts.",
        )


def _refunds(e: Evidence) -> Iterator[Finding]:
    t = e.tally(PAIRED)
    if t.rows:
        yield t.finding(
            "refunds_paired",
            "note",
            f"{count(t.rows, 'refund')} ({money(t.amount or 0)}) of an earlier day's order, by its "
            "id: netted with that order.",
            "Nothing; but leave order_id out where the past is held against the future.",
        )
    same = f"fate = 'used' AND value < 0 AND (kept OR bought) AND NOT ({PAIRED})"
    t = e.tally(same)
    if t.rows:
        part = e.query(f"SELECT count(*) FROM facts WHERE {same} AND kept")
        netted = part[0][0]
        yield t.finding(
            "refunds_same_day",
            "note",
            f"{count(t.rows, 'refund')} ({money(t.amount or 0)}) on a day with orders: {netted:,} "
            f"netted with them, {t.rows - netted:,} on a day of which nothing is left.",
            "Nothing: a purchase counts at its net value, and a day without one is none.",
        )
    t = e.tally(f"fate = 'used' AND value < 0 AND NOT kept AND NOT bought AND NOT ({PAIRED})")
    if not t.rows:
        return
    in_full = e.query(PAID_BACK)[0][0]
    revenue = e.query("SELECT sum(value) FROM daily WHERE kept")[0][0] or 0.0
    lost = -(t.amount or 0.0)
    over = f", {percent(lost / revenue)} of the {money(revenue)} that remain" if revenue else ""
    yield t.finding(
        "refunds_later",
        "warning",
        f"{count(t.rows, 'refund')} ({money(-lost)}) on a day without orders, left out: revenue "
        f"is overstated by {money(lost)}{over}. {in_full:,} equal an earlier order of the "
        "customer in full.",
        "Name the column of order ids (order_id), where refunds carry that of their order: they "
        "are netted with it then; or lower the margin by the share of revenue that is paid back.",
    )


def _repetitions(e: Evidence) -> Iterator[Finding]:
    t = e.tally(COPIES)
    if t.rows:
        timed = e.query(f"SELECT count(*) FROM facts WHERE {COPIES} AND timed")[0][0] > 0
        sure = timed or e.order_id is not None
        why = "" if sure else " Without a time or an order id they may be orders of their own."
        yield t.finding(
            "repeated_rows",
            "warning" if sure else "note",
            f"{count(t.rows, 'row')} the same in every column as an earlier one "
            f"({e.share(t.rows)} of all{t.of_amount}); they are merged into its day, and their "
            f"amounts count again.{why}",
            "Drop them before the summary, as with orders.drop_duplicates(), if they are not "
            "orders of their own.",
        )
    if e.order_id is None:
        return
    t = e.tally(REUSED)
    if t.rows:
        ids = e.query(f"SELECT DISTINCT order_id FROM facts WHERE {REUSED} ORDER BY order_id")
        yield t.finding(
            "order_ids_reused",
            "warning",
            f"{count(len(ids), 'order id')} on several days or for several customers, such as "
            f"{names([row[0] for row in ids])}: {count(t.rows, 'row')}{t.of_amount}. A customer's "
            "rows of one id are taken for one order, at its first day.",
            "Look whether these are parts of one order, dated when they were sent; where a number "
            "is used anew, as in another year or shop, leave order_id out or make the ids unique.",
        )


def _currencies(e: Evidence) -> Iterator[Finding]:
    found = e.query(
        "SELECT currency, count(*) FROM facts WHERE fate = 'used' GROUP BY currency "
        "ORDER BY count(*) DESC, currency"
    )
    known = [(name, n) for name, n in found if name is not None]
    if len(known) > 1:
        first = literal(known[0][0])
        shown = ", ".join(f"{name} {n:,}" for name, n in known[:5])
        yield e.tally(f"fate = 'used' AND currency <> {first}").finding(
            "several_currencies",
            "error",
            f"{len(known)} currencies in one column of amounts: {shown}"
            f"{', ...' if len(known) > 5 else ''} rows.",
            "Convert all amounts into one currency at the rate of their day, or summarize each "
            "currency by itself.",
        )
    t = e.tally("fate = 'used' AND currency IS NULL")
    if t.rows and known:
        yield t.finding(
            "missing_currencies",
            "warning",
            f"{count(t.rows, 'row')} without a currency ({e.share(t.rows)} of all{t.of_amount}).",
            "Fill it in: their amounts are taken as they are.",
        )
