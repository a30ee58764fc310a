"""Subscriptions: how often each one was renewed, and whether it has ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError, ParameterError, UnitError
from clvmodel.tables.frames import native_frame, read_frame
from clvmodel.tables.purchases import from_day, to_day
from clvmodel.units import parse_date

Array = NDArray[np.float64]
Days = NDArray[np.int64]
Mask = NDArray[np.bool_]

PERIODS = {"Y": "year", "Q": "quarter", "M": "month", "W": "week", "D": "day"}
PERIODS_PER_YEAR = {"Y": 1.0, "Q": 4.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_DAYS = {"W": 7, "D": 1}
_NUMBERS = {8: "format='%Y%m%d'", 10: "unit='s'", 13: "unit='ms'"}  # by digits: what they may be
_BLANK = ("", "nan", "NaN", "None")  # texts for nothing, as in orders


@dataclass(frozen=True, eq=False)
class ContractSummary:
    """One row per subscription (or per group of alike ones), for `clv.fit(clv.SBG, ...)`.

    Arrays: `renewals`, those made so far; `churned`, 1 where the subscription then was not renewed
    and 0 where it goes on; `weight`, how many subscriptions a row stands for (None: one each).
    A `period` ("Y", "Q", "M", "W" or "D") is the time between renewals. `end` is the last day of
    observation. `waiting` subscriptions are known to end at a renewal that is not due by then:
    they count as active, since of the others with that renewal nothing is known yet. Of the rows
    read, `left_out` began after `end` and `no_customer` name nobody: both are not here. `repeated`
    are here, and equal to a row before them in customer, start and end.
    """

    ids: pa.Array
    renewals: Array
    churned: Array
    period: str
    weight: Array | None = None
    end: dt.date | None = None
    kind: str = "pandas"
    waiting: int = 0
    left_out: int = 0
    no_customer: int = 0
    repeated: int = 0

    def __post_init__(self) -> None:
        """Check the period and lock the arrays."""
        check_period(self.period)
        for array in (self.renewals, self.churned, self.weight):
            if array is not None:
                array.setflags(write=False)

    @classmethod
    def from_survivors(
        cls,
        survivors: Mapping[str, Sequence[float]] | Sequence[float],
        *,
        period: str | None = None,
    ) -> ContractSummary:
        """Take survivor counts: how many of a cohort are active after 0, 1, 2, ... renewals.

        `survivors` is one such list, or a mapping of cohorts to theirs, which may differ in length;
        counts, not percentages, since they say how sure the estimates are. `period` is the time
        between renewals, "Y", "Q", "M", "W" or "D"; the counts do not tell, so it must be given.

        Raises DataError where they rise, are negative, not whole or not finite, or hold no renewal
        at all; ParameterError without a period, UnitError for one that there is not.
        """
        if period is None:
            raise ParameterError(
                "period is missing: the time between renewals, by which values are discounted, "
                f"is one of {_known_periods()}."
            )
        cohorts = survivors if isinstance(survivors, Mapping) else {"all": survivors}
        if not cohorts:
            raise DataError("There are no cohorts of survivors.")
        ids: list[str] = []
        rows: list[Array] = []
        for name, counts in cohorts.items():
            alive = _survivors(str(name), counts)
            n = np.arange(alive.size, dtype=float)
            left = np.append(alive[:-1] - alive[1:], alive[-1])
            rows.append(np.stack([n, (n < n[-1]).astype(float), left]))
            ids += [str(name)] * alive.size
        renewals, churned, weight = np.hstack(rows)
        return cls(pa.array(ids), renewals, churned, period, weight)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.renewals)

    @property
    def counts(self) -> Array:
        """How many subscriptions each row stands for."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def churn_rate(self) -> float:
        """Share of the renewals due that were not made, all ages together: what dashboards show.

        NaN where none was due.
        """
        left = float(self.counts @ self.churned)
        due = left + float(self.counts @ self.renewals)
        return left / due if due else float("nan")

    @cached_property
    def frame(self) -> Any:
        """The summary as a table of the kind that came in."""
        columns: dict[str, Any] = {
            "customer_id": self.ids,
            "renewals": self.renewals.astype(np.int64),
            "churned": self.churned.astype(np.int64),
        }
        return native_frame(
            columns if self.weight is None else {**columns, "weight": self.weight}, self.kind
        )

    def __repr__(self) -> str:
        """Say how many subscriptions, and how many are left."""
        total, left = float(self.counts.sum()), float(self.counts @ self.churned)
        told = (
            (self.waiting, f"are to end at a renewal not due by {self.end}: active"),
            (self.left_out, f"begin after {self.end}: left out"),
            (self.no_customer, "have no customer: left out"),
            (self.repeated, "repeat a row (customer, start and end): counted each"),
        )
        return "\n".join(
            [
                f"ContractSummary of {total:,.0f} subscriptions, {total - left:,.0f} active, "
                f"renewed by the {PERIODS[self.period]}; {self.churn_rate:.1%} of the renewals due "
                "not made",
                *(f"{number:,} {words}" for number, words in told if number),
            ]
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def summarize_contracts(
    subscriptions: Any,
    *,
    start: str,
    end: str,
    period: str = "M",
    observed_until: Any,
    customer: str | None = None,
) -> ContractSummary:
    """Summarize subscriptions by their start and end dates: one row each, for `clv.SBG`.

    `subscriptions` is a pandas, polars or pyarrow table; `start` and `end` name its columns of
    dates or ISO texts, `end` being empty (or blank text) for those that go on; `customer` names ids
    (default: the row). `period` is the time between renewals: "M" (to the same day of the month, or
    its last), "Q", "Y", "W" or "D". `observed_until` is the last day of observation, inclusive.

    Every row is a subscription, also one that repeats another: a customer may have two alike. Drop
    duplicates before, if they are errors of the export; with a customer column they are counted in
    `repeated`. Rows without a customer, and subscriptions that begin after `observed_until`, are
    left out and counted in `no_customer` and `left_out`.

    A subscription that ends within a period, or with it (on its last day or on the day after), was
    not renewed at that period's end; one that goes on was renewed whenever that was due. Only
    renewals due by `observed_until` count: see `ContractSummary.waiting`.

    Raises ColumnError, DataError (no start, no date, an end before the start) or UnitError.
    """
    check_period(period)
    last = to_day(parse_date(observed_until, "observed_until"))
    table, kind = read_frame(subscriptions, what="subscriptions")
    for argument, name in (("start", start), ("end", end), ("customer", customer)):
        if name is not None and name not in table.column_names:
            raise ColumnError.missing(argument, name, table.column_names)
    known = np.ones(table.num_rows, bool)
    ids = pa.array(np.arange(table.num_rows))
    if customer is not None:
        ids = _ids(table[customer], customer)
        known = ~_nothing(ids)
    began, ended, over = _spans(table, start, end, known, ids if customer else None)
    seen = known & (began <= last)
    began, ended, over = began[seen], ended[seen], over[seen]
    ids = ids.filter(pa.array(seen))
    due = periods_between(began, np.full(began.size, last), period)
    # The day before an end is the last one paid for, or still within the period that is.
    made = np.where(over, periods_between(began, np.maximum(ended - 1, began), period), due)
    churned = over & (made < due)
    return ContractSummary(
        ids=ids,
        renewals=np.minimum(made, due).astype(float),
        churned=churned.astype(float),
        period=period,
        end=from_day(last),
        kind=kind,
        waiting=int((over & ~churned).sum()),
        left_out=int((known & ~seen).sum()),
        no_customer=int((~known).sum()),
        repeated=0 if customer is None else _repeated(ids, began, np.where(over, ended, began - 1)),
    )


def periods_between(start: Days, until: Days, period: str) -> Days:
    """Whole periods from one day to another: anniversaries passed, that of 31 January on the 28th.

    >>> int(periods_between(np.array([30]), np.array([58]), "M")[0])  # 1970-01-31 to 1970-02-28
    1
    """
    if period in _DAYS:
        return (until - start) // _DAYS[period]
    (first, day), (last, other) = _in_month(start), _in_month(until)
    length = (last + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length -= last.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    months = last - first - (other < np.minimum(day, length - 1))
    return np.asarray(months // _MONTHS[period])


def check_period(period: str) -> None:
    """Refuse what is no period between renewals."""
    if not isinstance(period, str) or period not in PERIODS:
        raise UnitError(f"period == {period!r}, must be one of {_known_periods()}.")


def _known_periods() -> str:
    return ", ".join(f"{key!r} ({name}s)" for key, name in PERIODS.items())


def check_contracts(renewals: Array, churned: Array) -> None:
    """Refuse histories that cannot be: raises DataError naming the rule and the first row."""
    rules = {
        "renewals must be a whole number >= 0": (renewals >= 0) & (renewals == np.floor(renewals)),
        "churned must be 1 (left) or 0 (active)": (churned == 0) | (churned == 1),
    }
    for rule, holds in rules.items():
        if not holds.all():
            row = int(np.argmin(holds))
            raise DataError(
                f"{rule}; {int((~holds).sum()):,} rows break it, the first is row {row}: "
                f"renewals {renewals[row]:g}, churned {churned[row]:g}."
            )


def _in_month(day: Days) -> tuple[Days, Days]:
    """Months since 1970-01, and days since the first of the month."""
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    return month.astype(np.int64), day - month.astype("datetime64[D]").astype(np.int64)


def _spans(
    table: pa.Table, start: str, end: str, wanted: Mask, ids: pa.Array | None
) -> tuple[Days, Days, Mask]:
    """First day and end of each row, and whether it has an end; refuses what cannot be."""
    began, begun = _days(table[start], start)
    ended, over = _days(table[end], end)
    if (wanted & ~begun).any():
        where = _named_rows(wanted & ~begun, ids)
        raise DataError(f"{start} is empty in {where}: a subscription begins on a day.")
    early = wanted & over & (ended < began)
    if early.any():
        row = int(np.argmax(early))
        raise DataError(
            f"{end} lies before {start} in {_named_rows(early, ids)}: {from_day(ended[row])} "
            f"before {from_day(began[row])}."
        )
    return began, ended, over


def _named_rows(bad: Mask, ids: pa.Array | None) -> str:
    """How many rows, and the first of them."""
    row, number = int(np.argmax(bad)), int(bad.sum())
    named = f"row {row}" + ("" if ids is None else f" (customer {ids[row].as_py()!r})")
    return named if number == 1 else f"{number:,} rows, the first is {named}"


def _days(column: Any, name: str) -> tuple[Days, Mask]:
    """Days since 1970-01-01 of a column of dates or ISO texts, and which there are."""
    column = _decoded(column)
    nothing = _nothing(column)
    if _is_text(column.type):
        texts = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
        column = pc.if_else(pa.array(nothing), pa.scalar(None, texts.type), texts)
    elif nothing.all():
        column = pa.nulls(len(column), pa.date32())
    elif not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
        raise DataError(_no_dates(name, column[int(np.argmin(nothing))].as_py()))
    try:
        days = _as_days(column)
    except pa.ArrowException as error:
        raise DataError(_no_dates(name, _first_bad(column))) from error
    known = np.asarray(days.is_valid().to_numpy(zero_copy_only=False), bool)
    numbers = days.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers.astype(np.int64), known


def _as_days(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("s"), safe=False).cast(pa.date32(), safe=False)


def _first_bad(column: pa.Array) -> Any:
    """Return the first value that is no day, found by halves."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _as_days(column[low:middle])
        except pa.ArrowException:
            high = middle
        else:
            low = middle
    return column[low].as_py()


def _no_dates(name: str, value: Any) -> str:
    """Say what is wrong with a value, and what to do."""
    how = "write them as 2026-12-31"
    if isinstance(value, int | float) and not isinstance(value, bool):
        unit = _NUMBERS.get(len(f"{abs(value):.0f}"), "...")
        how = (
            "numbers are not taken for dates, since they may be days, seconds or YYYYMMDD; convert "
            f"them before, as by pandas.to_datetime(table[{name!r}], {unit})"
        )
    return f"{name} holds values that are no dates, such as {value!r}: {how}."


def _ids(column: Any, name: str) -> pa.Array:
    """Ids as one array; raises ColumnError for what is no id."""
    if pa.types.is_nested(column.type):
        raise ColumnError(f"customer={name!r} holds lists or records, not ids.")
    return _decoded(column)


def _decoded(column: Any) -> pa.Array:
    """Return a column as one array, without categories."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    return array.cast(kind.value_type) if pa.types.is_dictionary(kind) else array


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _nothing(array: pa.Array) -> Mask:
    """Which values are missing: null, NaN or blank text, as in orders."""
    missing = array.is_null(nan_is_null=True)
    if _is_text(array.type):
        texts = pc.utf8_trim_whitespace(array.cast(pa.large_string()))
        blank = pc.is_in(texts, value_set=pa.array(_BLANK, pa.large_string()))
        missing = pc.or_(missing, blank)
    return np.asarray(missing.to_numpy(zero_copy_only=False), bool)


def _repeated(ids: pa.Array, began: Days, ended: Days) -> int:
    """Rows that are equal to one before them."""
    rows = pa.table({"id": ids, "from": began, "to": ended})
    return int(rows.num_rows - rows.group_by(rows.column_names).aggregate([]).num_rows)


def _survivors(name: str, counts: Sequence[float]) -> Array:
    try:
        alive = np.array(counts, float)
    except (TypeError, ValueError) as error:
        raise DataError(f"Survivors of {name} are no list of numbers: {error}.") from error
    if alive.ndim != 1 or alive.size < 2:
        raise DataError(f"Survivors of {name}: give those at the start and after each renewal.")
    if not (np.isfinite(alive).all() and (alive >= 0).all() and (np.diff(alive) <= 0).all()):
        raise DataError(
            f"Survivors of {name} must be finite, >= 0 and never rise: {alive.tolist()}."
        )
    if alive[0] <= 0:
        raise DataError(f"Survivors of {name} begin with nobody.")
    whole: Array = np.rint(alive)
    if (np.abs(alive - whole) > 1e-9 * alive[0]).any():
        raise DataError(
            f"Survivors of {name} must be whole subscriptions, and hold "
            f"{alive[np.argmax(alive != whole)]:g}: shares or percentages do not say how many they "
            "stand for; multiply them by the cohort's size and round."
        )
    return whole
