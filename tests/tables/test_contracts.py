"""Subscriptions by hand: renewals made, who left, and which renewals were due."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

import clvmodel as clv
from clvmodel.tables.contracts import periods_between
from clvmodel.tables.purchases import to_day

ROWS = [
    # who, start, end, renewals, churned by 2024-06-30
    ("ann", "2024-01-31", None, 5, 0),  # 29 Feb, 31 Mar, 30 Apr, 31 May, 30 June
    ("bob", "2024-01-15", "2024-02-14", 0, 1),  # ends with its first month
    ("cem", "2024-01-15", "2024-02-15", 0, 1),  # the same, the end being the first day without
    ("dee", "2024-01-15", "2024-02-16", 1, 1),  # within the second month
    ("eve", "2024-06-10", "2024-06-20", 0, 0),  # to end on 10 July, not due yet
    ("fay", "2024-06-10", None, 0, 0),
    ("gil", "2024-05-30", "2024-06-29", 0, 1),
    ("hal", "2024-07-01", None, None, None),  # begins later
    ("ida", "2024-02-01", "2024-02-01", 0, 1),
]


def table(rows=ROWS):
    frame = pd.DataFrame(rows, columns=["who", "from", "to", "renewals", "churned"])
    return frame.assign(**{c: pd.to_datetime(frame[c]) for c in ("from", "to")})


def summarized(frame, **options):
    given = {"start": "from", "end": "to", "customer": "who", "observed_until": "2024-06-30"}
    return clv.summarize_contracts(frame, **{**given, **options})


@pytest.mark.parametrize("kind", ["pandas", "polars", "text"])
def test_by_hand(kind):
    frame = table()
    if kind == "polars":
        frame = pl.from_pandas(frame)
    if kind == "text":
        frame = pd.DataFrame(ROWS, columns=list(frame.columns))
    contracts = summarized(frame)
    known = [row for row in ROWS if row[0] != "hal"]
    assert contracts.ids.to_pylist() == [row[0] for row in known]
    assert contracts.renewals.tolist() == [row[3] for row in known]
    assert contracts.churned.tolist() == [row[4] for row in known]
    assert (contracts.left_out, contracts.waiting) == (1, 1)
    assert contracts.churn_rate == pytest.approx(5 / (5 + 6))
    assert isinstance(contracts.frame, pl.DataFrame if kind == "polars" else pd.DataFrame)
    assert "8 subscriptions, 3 active" in repr(contracts)
    assert "left out" in repr(contracts)


@pytest.mark.parametrize(
    ("period", "start", "until", "expected"),
    [
        ("M", "2023-01-31", "2023-02-27", 0),
        ("M", "2023-01-31", "2023-02-28", 1),
        ("M", "2023-01-31", "2023-03-30", 1),
        ("M", "2023-01-31", "2023-03-31", 2),
        ("Y", "2020-02-29", "2021-02-28", 1),
        ("Y", "2020-02-29", "2024-02-28", 3),
        ("Q", "2023-11-30", "2024-02-29", 1),
        ("W", "2024-01-01", "2024-01-14", 1),
        ("D", "2024-01-01", "2024-01-14", 13),
    ],
)
def test_anniversaries(period, start, until, expected):
    days = [np.array([to_day(dt.date.fromisoformat(day))]) for day in (start, until)]
    assert periods_between(*days, period).tolist() == [expected]


def test_simulated_subscriptions_give_the_truth():
    """Dates of subscriptions that sBG made, cut in the middle: its parameters lie in intervals."""
    rng = np.random.default_rng(3)
    n, until = 20_000, np.datetime64("2026-01-01")
    start = np.datetime64("2023-01-01", "D") + rng.integers(0, 1000, n)
    made, *_ = clv.SBG(1.5, 9.0).simulate(np.full(n, 500), seed=rng)
    end = start + 7 * (made.astype(int) + 1)
    frame = pd.DataFrame({"from": start, "to": pd.Series(end).where(end <= until)})
    contracts = summarized(frame, customer=None, period="W", observed_until="2026-01-01")
    fit = clv.fit(clv.SBG, contracts)
    assert fit.converged
    for (low, high), truth in zip(fit.interval(0.999).values(), (1.5, 9.0), strict=True):
        assert low < truth < high
    # An end that is known early and not due by the last day must not count.
    early = frame.assign(to=end)
    same = clv.fit(clv.SBG, summarized(early, customer=None, period="W", observed_until=until))
    assert same.model.values() == pytest.approx(fit.model.values(), rel=1e-9)


def test_survivor_counts_are_subscriptions():
    cohorts = {"a": [5, 3, 3], "b": [4, 1]}
    contracts = clv.ContractSummary.from_survivors(cohorts, period="M")
    rows = zip(
        contracts.ids.to_pylist(),
        contracts.renewals,
        contracts.churned,
        contracts.counts,
        strict=True,
    )
    assert list(rows) == [
        ("a", 0, 1, 2),
        ("a", 1, 1, 0),
        ("a", 2, 0, 3),
        ("b", 0, 1, 3),
        ("b", 1, 0, 1),
    ]
    renewals, churned = [0, 0, 2, 2, 2, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1, 1, 1, 0]
    single = clv.fit(clv.SBG, {"renewals": renewals, "churned": churned}, penalty=0.01)
    grouped = clv.fit(clv.SBG, contracts, penalty=0.01)
    assert grouped.model.values() == pytest.approx(single.model.values(), rel=1e-8)
    assert grouped.customers == single.customers == 9
    assert "9 subscriptions" in repr(contracts)


@pytest.mark.parametrize(
    ("survivors", "words"),
    [
        ([5], "after each renewal"),
        ([5, 6], "never rise"),
        ([5, -1], "never rise"),
        ([5, np.nan], "never rise"),
        ([0, 0], "nobody"),
        ([100, 86.9, 74.3], r"hold 86\.9: .* multiply them by the cohort's size"),
        ([1.0, 0.869], "hold 0.869"),
        (["x", "y"], "no list of numbers"),
        ({}, "no cohorts"),
    ],
)
def test_impossible_survivors_are_refused(survivors, words):
    with pytest.raises(clv.DataError, match=words):
        clv.ContractSummary.from_survivors(survivors, period="M")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"period": "F"}, clv.UnitError, "period == 'F'"),
        ({"start": "begin"}, clv.ColumnError, "begin"),
        ({"start": "to"}, clv.DataError, "to is empty in 3 rows, the first is row 0"),
        ({"start": "who"}, clv.DataError, "no dates"),
        ({"observed_until": "soon"}, clv.UnitError, "observed_until"),
    ],
)
def test_what_is_wrong_is_named(change, error, words):
    with pytest.raises(error, match=words):
        summarized(table(), **change)


def test_survivors_need_a_period():
    with pytest.raises(clv.ParameterError, match=r"period is missing: .*'M' \(months\)"):
        clv.ContractSummary.from_survivors([5, 3])
    with pytest.raises(clv.UnitError, match="period == 'F'"):
        clv.ContractSummary.from_survivors([5, 3], period="F")
    rounded = clv.ContractSummary.from_survivors(100 * np.array([1, 0.29]), period="M")
    assert rounded.counts.tolist() == [71, 29]  # 100 x 0.29 is a little less than 29


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([20240101, 20240201], r"such as 20240101: numbers are not taken.*format='%Y%m%d'"),
        ([1704067200000, 1706745600000], r"such as 1704067200000: .*unit='ms'"),
        ([1704067200.0, 1706745600.0], r"such as 1704067200\.0: .*unit='s'"),
        ([45292, 45323], "such as 45292: numbers are not taken for dates"),
    ],
)
def test_numbers_are_no_dates(kind, numbers, words):
    """20240101 is not the 23rd of August 1970."""
    day = "2024-01-01"
    for dates in ({"from": numbers, "to": [None, None]}, {"from": [day, day], "to": numbers}):
        with pytest.raises(clv.DataError, match=words):
            summarized(kind(dates), customer=None)


def test_the_text_that_is_no_date_is_named():
    for row in range(7):
        days = ["2024-01-01"] * 7
        days[row] = "1.2.2024"
        with pytest.raises(clv.DataError, match=r"such as '1\.2\.2024': write them as 2026-12-31"):
            summarized(pd.DataFrame({"from": days, "to": [None] * 7}), customer=None)


def test_wrong_rows_are_counted_and_one_is_named():
    rows = [("ann", "2024-02-02", "2024-02-01", 0, 0), ("bob", "2024-02-02", None, 0, 0)]
    with pytest.raises(clv.DataError, match=r"to lies before from in row 0 \(customer 'ann'\): 20"):
        summarized(table(rows))
    rows = [rows[1], *rows[:1] * 2]
    words = r"in 2 rows, the first is row 1 \(customer 'ann'\): 2024-02-01 before 2024-02-02"
    with pytest.raises(clv.DataError, match=words):
        summarized(table(rows))
    with pytest.raises(clv.DataError, match="in 2 rows, the first is row 1: 2024"):
        summarized(table(rows), customer=None)
    empty = pd.DataFrame({"who": ["a", "b", "c"], "from": ["2024-01-01", None, " "], "to": ""})
    with pytest.raises(clv.DataError, match=r"from is empty in 2 rows, .* row 1 \(customer 'b'\)"):
        summarized(empty)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("nobody", [(None, " "), (None, "nan")])
def test_rows_without_a_customer_are_counted(kind, nobody):
    """As orders without one; that they also have no start, or end before it, does not matter."""
    rows = {
        "who": ["ann", *nobody, "bob"],
        "from": ["2024-01-15", "2024-01-15", "", "2024-07-15"],
        "to": ["", "2024-01-01", None, " "],
    }
    contracts = summarized(kind(rows))
    assert contracts.ids.to_pylist() == ["ann"]
    assert (contracts.no_customer, contracts.left_out, len(contracts)) == (2, 1, 1)
    assert "2 have no customer: left out" in repr(contracts)
    assert summarized(pd.DataFrame({**rows, "who": [1, np.nan, np.nan, 2]})).no_customer == 2


def test_an_empty_text_is_no_end():
    rows = {"from": [" 2024-01-15", "2024-01-15 ", "2024-01-15"], "to": ["", "2024-02-20 ", None]}
    contracts = summarized(pd.DataFrame(rows), customer=None)
    assert contracts.churned.tolist() == [0, 1, 0]
    for nothing in ([None] * 3, [np.nan] * 3, [""] * 3):
        found = summarized(pd.DataFrame({**rows, "to": nothing}), customer=None)
        assert found.churned.tolist() == [0, 0, 0]


def test_rows_that_repeat_one_count_each_and_are_told():
    rows = [("ann", "2024-01-15", end, 0, 0) for end in ("2024-02-20", "2024-02-20", None, None)]
    rows += [("bob", "2024-01-15", None, 0, 0), ("ann", "2024-01-16", None, 0, 0)]
    contracts = summarized(table(rows))
    assert (len(contracts), contracts.repeated) == (6, 2)
    assert "2 repeat a row" in repr(contracts)
    assert summarized(table(rows), customer=None).repeated == 0
    assert summarized(table()).repeated == 0


def test_models_and_summaries_must_fit_together():
    contracts = summarized(table())
    with pytest.raises(clv.ColumnError, match="summarize_contracts"):
        clv.fit(
            clv.SBG,
            clv.Summary.from_frame(
                pd.DataFrame({"frequency": [1], "recency": [1], "T": [2]}), unit="D"
            ),
        )
    with pytest.raises(clv.ColumnError, match=r"clv\.summarize\("):
        clv.fit(clv.BGNBD, contracts)
    with pytest.raises(clv.DataError, match="churned must be 1"):
        clv.fit(clv.SBG, {"renewals": [1.0], "churned": [2.0]})
    for options in ({"revenue": np.nan}, {"revenue": 1.0, "margin": "x"}):
        with pytest.raises(clv.ParameterError):
            clv.value_contracts(clv.SBG(1, 1), contracts, **options)
    for margin in (40, -0.1):
        with pytest.raises(
            clv.ParameterError, match=r"margin == .* between 0 and 1 \(0\.4 for 40%"
        ):
            clv.value_contracts(clv.SBG(1, 1), contracts, revenue=1.0, margin=margin)
    with pytest.raises(clv.ParameterError, match="fit is a BGNBD, must be an SBG"):
        clv.value_contracts(clv.BGNBD(1, 1, 1, 1), contracts, revenue=1.0)
    with pytest.raises(clv.ParameterError, match="fit is a DataFrame, must be") as caught:
        clv.value_contracts(table(), contracts, revenue=1.0)
    assert "ann" not in str(caught.value)
    with pytest.raises(clv.DataError, match="summarize_contracts"):
        clv.value_contracts(clv.SBG(1, 1), table(), revenue=1.0)
