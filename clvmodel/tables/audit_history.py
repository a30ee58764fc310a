"""What the audit looks for in the history as a whole: calendar, beginnings, size, few that matter.

Only small aggregates come here: orders and first purchases by day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodel.tables.audit_sql import CALENDAR, FIRST_PURCHASES
from clvmodel.tables.findings import Evidence, Finding, count, day_in_words, money, percent
from clvmodel.tables.purchases import to_day
from clvmodel.units import UNIT_NAMES, days_in

Ints = NDArray[np.int64]

# Thresholds. Each is a judgement: a line that shops seldom cross, and exports with a fault do.

APART_DAYS = 365
"""Days without any order between the first few orders and the rest that set them apart, ..."""
APART_SHARE = 0.05
"""... if they are no more than this share of all orders."""
OLDEST = dt.date(1900, 1, 2)
"""Orders before this day are not believed."""
PLACEHOLDERS = tuple(
    to_day(dt.date(*day)) for day in [(1970, 1, 1), (1980, 1, 1), (1990, 1, 1), (2000, 1, 1)]
)
"""Days that systems write where they know none; set apart by APART_DAYS, however many they are."""
GAP_DAYS = 14
"""Days without any order that are a gap, ..."""
GAP_TIMES = 10
"""... if they are also so many times the gap that 95% of the gaps do not exceed, ..."""
GAP_ORDERS = 30
"""... in a history of at least so many days with orders."""
OPENINGS = ((0.10, 0.25), (0.25, 0.50))
"""Openings of a history, as shares of the days in which customers first buy, and the shares of
first purchases in them from which on many are likely no first ones. If customers join evenly, both
are equal. A history that is short beside the gaps between purchases hides it."""
JOINED = 0.99
"""Customers first buy until the day by which this share of them has; stragglers do not count."""
TOP = 0.001
"""The largest purchases: this share of them, ..."""
TOP_SHARE = 0.10
"""... and the share of revenue from which on they decide every mean, ..."""
TOP_PURCHASES = 500
"""... among at least so many purchases."""
FEW_CUSTOMERS = 100
FEW_REPEATS = 50
"""Fewer customers, or fewer repeat purchases, leave parameters all but unknown."""
SHORT_DAYS = 91
"""A history of fewer days, three months, does not tell a pause from a departure."""


@dataclass(frozen=True)
class Calendar:
    """Days with orders and how many; strays, days that are not believed, have been set aside."""

    day: Ints
    rows: Ints
    strays: Ints

    @classmethod
    def of(cls, e: Evidence) -> Calendar:
        """Read the calendar, without days in the future and without those far before the rest."""
        found = np.array(e.query(CALENDAR), dtype=np.int64).reshape(-1, 2)
        found = found[found[:, 0] <= to_day(e.today) + 1]
        begin = _beginning(found[:, 0], found[:, 1])
        return cls(found[begin:, 0], found[begin:, 1], found[:begin, 0])


def _beginning(day: Ints, rows: Ints) -> int:
    """Index of the first day that is believed."""
    old = int(np.sum(day < to_day(OLDEST)))
    wide = np.diff(day) >= APART_DAYS
    few = np.cumsum(rows)[:-1] <= APART_SHARE * rows.sum()
    written = np.logical_and.accumulate(np.isin(day, PLACEHOLDERS) | (day < to_day(OLDEST)))[:-1]
    apart = np.flatnonzero(wide & (few | written))
    return max(old, int(apart[-1]) + 1 if apart.size else 0)


def check_history(e: Evidence) -> Iterator[Finding]:
    """Look at the history as a whole."""
    calendar = Calendar.of(e)
    yield from _bounds(e)
    yield from _strays(e, calendar)
    if calendar.day.size:
        yield from _gaps(e, calendar)
        yield from _opening(e, calendar)
    if e.columns.value is not None:
        yield from _largest(e)
    yield from _size(e, calendar)


def _bounds(e: Evidence) -> Iterator[Finding]:
    """What a summary refuses: nothing to use, an end where nothing was observed."""
    if e.end is not None and e.end > e.today:
        yield Finding(
            "end_in_future",
            "error",
            f"The end of observation, {e.end}, lies after today: nothing has been observed there.",
            "Give the last day that the export covers.",
        )
    used, late, first = e.query(
        "SELECT count(*) FILTER (fate = 'used'), count(*) FILTER (fate = 'late'), min(day) "
        "FILTER (fate IN ('used', 'late')) FROM facts"
    )[0]
    purchases, overflown = e.query(
        "SELECT count(*) FILTER (kept), count(*) FILTER (NOT isfinite(value)) FROM daily"
    )[0]
    if not e.total:
        message = "There are no orders: the table has no rows."
        yield Finding("no_orders", "error", message, "Look where the export went wrong.")
    elif not used and late:
        day = day_in_words(first)
        message = f"The end of observation, {e.end}, lies before the first order ({day})."
        yield Finding("end_before_first", "error", message, "Give a later end.")
    elif not purchases:
        message = f"No purchase in {count(e.total, 'row')}: nothing is left to summarize."
        yield Finding("no_purchases", "error", message, "Mend what is found beside this.")
    if overflown:
        message = f"{count(overflown, 'day')} of a customer with a sum too large for a number."
        yield Finding("overflow", "error", message, "Look at the largest amounts.")


def _strays(e: Evidence, calendar: Calendar) -> Iterator[Finding]:
    if not calendar.strays.size:
        return
    last = int(calendar.strays[-1])
    t = e.tally(f"fate = 'used' AND day <= {last}")
    rest = f"; the next is of {day_in_words(int(calendar.day[0]))}" if calendar.day.size else ""
    shown = ", ".join(day_in_words(int(day)) for day in calendar.strays[:3])
    yield t.finding(
        "dates_far_before",
        "warning",
        f"{count(t.rows, 'row')} dated long before the rest ({shown}"
        f"{', ...' if calendar.strays.size > 3 else ''}){rest}.",
        "Blank the dates that stand for no date (1900-01-01, 1970-01-01), and read years of two "
        "digits with %y: otherwise these customers are decades old.",
    )


def _gaps(e: Evidence, calendar: Calendar) -> Iterator[Finding]:
    day = calendar.day
    gaps = np.diff(day) - 1  # days without any order
    if day.size >= GAP_ORDERS:
        usual = float(np.quantile(gaps, 0.95))
        longest = int(np.argmax(gaps))
        line = max(GAP_DAYS, GAP_TIMES * usual)
        many = int(np.sum(gaps >= line))
        if many:
            after, before = day_in_words(int(day[longest])), day_in_words(int(day[longest + 1]))
            yield Finding(
                "gap",
                "warning",
                f"{count(int(gaps[longest]), 'day')} without any order between {after} and "
                f"{before}{f', one of {many:,} such gaps' if many > 1 else ''}; 95% of the gaps "
                f"are of at most {count(int(usual), 'day')}.",
                "Ask whether the shop was closed or the export lacks these days: a silence that "
                "is none of the customers' looks like their leaving.",
            )
        silent = 0 if e.end is None else min(to_day(e.end), to_day(e.today)) - int(day[-1])
        if silent >= line:
            yield Finding(
                "silent_end",
                "warning",
                f"{count(silent, 'day')} without any order before the end of observation, {e.end}.",
                f"If the export ends earlier, say so with end='{day_in_words(int(day[-1]))}'.",
            )


def _opening(e: Evidence, calendar: Calendar) -> Iterator[Finding]:
    first = np.array(e.query(FIRST_PURCHASES), dtype=np.int64).reshape(-1, 2)
    day, customers = first[first[:, 0] >= calendar.day[0]].T
    total = int(customers.sum())
    if total < FEW_CUSTOMERS:
        return
    until = day[np.searchsorted(np.cumsum(customers), JOINED * total)]
    for opening, line in OPENINGS:
        end = int(day[0] + np.floor(opening * (until - day[0] + 1)))  # the first day after it
        early = int(customers[day < end].sum())
        if end > day[0] and early > line * total:
            yield _middle(opening, day_in_words(end - 1), early, total)
            return


def _middle(opening: float, last: str, early: int, total: int) -> Finding:
    pace = round((total - early) * opening / (1 - opening))
    return Finding(
        "begins_in_the_middle",
        "warning",
        f"{early:,} of {count(total, 'customer')} ({percent(early / total)}) have their first "
        f"purchase in the opening {opening:.0%} of the time in which customers join, to {last}; at "
        f"the pace of the rest it would be about {pace:,}. Many of them were likely customers "
        "before the history begins.",
        "Take orders from the shop's beginning if there are any, or leave out the customers who "
        f"seem to join by {last}: their first purchase is not their first. A launch or a campaign "
        "looks the same; then keep them.",
        customers=early,
    )


def _largest(e: Evidence) -> Iterator[Finding]:
    purchases, revenue = e.query("SELECT count(*), sum(value) FROM daily WHERE kept")[0]
    if purchases < TOP_PURCHASES or not np.isfinite(revenue) or revenue <= 0:
        return
    few = int(np.ceil(TOP * purchases))
    top = f"(SELECT customer, day, value FROM daily WHERE kept ORDER BY value DESC LIMIT {few})"
    amount, least, customers = e.query(
        f"SELECT sum(value ORDER BY value), min(value), count(DISTINCT customer) FROM {top}"
    )[0]
    if amount > TOP_SHARE * revenue:
        rows = e.query(
            f"SELECT min(row) FROM facts JOIN {top} AS top ON facts.customer = top.customer AND "
            "facts.day = top.day WHERE fate = 'used' GROUP BY top.customer, top.day "
            "ORDER BY min(row) LIMIT 5"
        )
        yield Finding(
            "few_large_purchases",
            "warning",
            f"The largest {TOP:.1%} of purchases ({few:,}, of {money(least)} and more) are "
            f"{percent(amount / revenue)} of revenue.",
            "Look at them one by one: a wrong decimal point, another currency, a company. They "
            "decide the mean spend; leave out what is no customer's purchase.",
            rows=few,
            customers=customers,
            amount=amount,
            examples=tuple(row[0] for row in rows),
        )


def _size(e: Evidence, calendar: Calendar) -> Iterator[Finding]:
    purchases, customers = e.query(
        "SELECT count(*), count(DISTINCT customer) FROM daily WHERE kept"
    )[0]
    repeats = purchases - customers
    if purchases and not repeats:
        yield Finding(
            "no_repeats",
            "error",
            f"None of {count(customers, 'customer')} has a second purchase: there is nothing to "
            "learn from about repeat purchases.",
            "Look whether the customer column is an order id, or the history too short.",
            customers=customers,
        )
    elif purchases and (customers < FEW_CUSTOMERS or repeats < FEW_REPEATS):
        yield Finding(
            "few_customers",
            "warning",
            f"{count(customers, 'customer')} with {count(repeats, 'repeat purchase')}: too few "
            f"for certain parameters (at least {FEW_CUSTOMERS} and {FEW_REPEATS}).",
            "Take a longer history or more customers; until then, read intervals, not numbers.",
            customers=customers,
        )
    if calendar.day.size:
        end = to_day(e.end) if e.end else int(calendar.day[-1])
        days = end - int(calendar.day[0]) + 1
        if 0 < days < SHORT_DAYS:
            scale, words = days_in(e.unit), UNIT_NAMES[e.unit]
            yield Finding(
                "short_history",
                "warning",
                f"A history of {days / scale:.3g} {words}, less than three months "
                f"({SHORT_DAYS / scale:.3g} {words}): who pauses and who has left look alike.",
                "Take a longer history, of several times the usual gap between purchases.",
            )
