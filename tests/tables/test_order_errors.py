"""What cannot be read is refused in words that say what to mend, and nothing else is raised."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import ROLES, by_hand

from clvmodel.errors import ClvError, ColumnError, DataError, FileError, ParameterError, UnitError
from clvmodel.tables.summarize import summarize

HEADER = "who,when,paid\n"
DATES = pd.to_datetime(["2024-01-01", "2024-01-02"])


def two(**columns):
    return pd.DataFrame({"who": ["a", "b"], "when": DATES, "paid": [1.0, 2.0], **columns})


OPTIONS = [
    ({"end": "2023-12-31"}, DataError, r"2023-12-31.*before the first order \(2024-01-01\)"),
    ({"end": dt.date.today() + dt.timedelta(days=1)}, DataError, "future"),
    ({"end": "9999-12-31"}, DataError, "future"),
    ({"end": "31/12/2024"}, UnitError, "end == '31/12/2024' is not a date"),
    ({"end": ""}, UnitError, "not a date"),
    ({"end": 20240331}, UnitError, "not a date"),
    ({"end": pd.NaT}, UnitError, "not a date"),
    ({"end": float("nan")}, UnitError, "not a date"),
    ({"unit": "d"}, UnitError, "unit == 'd'"),
    ({"unit": "days"}, UnitError, "unit == 'days'"),
    ({"unit": None}, UnitError, "unit == None"),
    ({"value": "payd"}, ColumnError, "value='payd'.*Did you mean 'paid'"),
    ({"customer": "customer"}, ColumnError, "customer='customer'.*'who', 'when', 'paid'"),
    ({"date": "WHEN"}, ColumnError, "date='WHEN' is not a column"),
    ({"value": "who"}, ColumnError, "is the customer column"),
    ({"value": "when"}, ColumnError, "is the date column"),
    ({"customer": "when"}, ColumnError, "must differ"),
    ({"date_format": "day"}, ParameterError, "date_format == 'day'"),
]


@pytest.mark.parametrize(("options", "error", "words"), OPTIONS, ids=str)
def test_wrong_options(orders, options, error, words):
    with pytest.raises(error, match=words):
        by_hand(orders, **options)


def test_an_unknown_date_format_is_a_wrong_option(orders):
    text = orders.assign(when=orders["when"].dt.strftime("%Y-%m-%d"))
    with pytest.raises(ParameterError, match="date_format"):
        by_hand(text, date_format="%Q")


COLUMNS = [
    ({"paid": [True, False]}, ColumnError, "boolean"),
    ({"paid": DATES}, ColumnError, "timestamp"),
    ({"paid": ["1.5", "12 EUR"]}, DataError, "1 values.*'paid'.*not numbers.*'12 EUR'"),
    ({"paid": ["1,000", "1,5"]}, DataError, "2 values.*'paid'.*'1,000'"),
    ({"paid": [np.nan, np.inf]}, DataError, "None of the 2 rows.*2 with no finite amount"),
    ({"who": [None, ""]}, DataError, "None of the 2 rows.*2 with no customer id"),
    ({"when": [None, " "]}, DataError, "None of the 2 rows.*2 with no date"),
    ({"when": ["01/02/2024", "2024-01-02"]}, DataError, "1 values.*'when'.*'01/02/2024'"),
    ({"when": ["2024-02-30", "2023-02-29"]}, DataError, "2 values.*'when'.*'2023-02-29'"),
    ({"when": ["yesterday", ""]}, DataError, "1 values.*'yesterday'"),
    ({"when": ["20240101", "20240102"]}, DataError, "date_format"),
    ({"when": [20240101, 20240102]}, ColumnError, "date_format='%Y%m%d'"),
    ({"when": [1704067200.0, 1704067200.5]}, ColumnError, "date_format"),
    ({"when": [dt.time(1), dt.time(2)]}, ColumnError, "not dates"),
    ({"who": ["a", 1]}, DataError, "several types"),
    ({"when": [dt.date(2024, 1, 1), "2024-01-02"]}, DataError, "several types"),
    ({"paid": [1, "2"]}, DataError, "several types"),
]


@pytest.mark.parametrize(("columns", "error", "words"), COLUMNS, ids=str)
def test_columns_that_do_not_hold_what_they_should(columns, error, words):
    with pytest.raises(error, match=words):
        summarize(two(**columns), **ROLES)


STRANGE = {
    "lists as ids": {"who": [[1], [2]]},
    "complex amounts": {"paid": [1j, 2j]},
    "lists of amounts": {"paid": [[1.0], [2.0]]},
    "endless dates": {"when": ["2024-01-01", "-infinity"]},
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_columns_are_refused_on_purpose(kind):
    with pytest.raises(ClvError):
        summarize(two(**STRANGE[kind]), **ROLES)


def test_two_columns_of_one_name():
    frame = pd.concat([two(), two()[["paid"]]], axis=1)
    with pytest.raises(ClvError, match="paid"):
        summarize(frame, **ROLES)
    table = pa.table([["a"], ["2024-01-01"], [1.0], [2.0]], names=["who", "when", "paid", "paid"])
    with pytest.raises(ClvError, match="paid"):
        summarize(table, **ROLES)


@pytest.mark.parametrize(
    "orders", [None, 5, [1, 2], {"who": ["a"]}, np.zeros((2, 3)), two()["who"], pl.Series([1])]
)
def test_what_is_no_frame(orders):
    with pytest.raises(DataError, match=f"orders is a {type(orders).__name__}"):
        summarize(orders, **ROLES)


@pytest.mark.parametrize("convert", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_an_empty_frame(convert):
    with pytest.raises(DataError, match="no orders"):
        summarize(convert(two().iloc[:0]), **ROLES)


def test_a_date_format_reads_text_and_numbers():
    for when, form in (
        (["31/01/2024", " 01/02/2024"], "%d/%m/%Y"),
        (["31.01.24 23:59", "01.02.24 00:00"], "%d.%m.%y %H:%M"),
        ([20240131, 20240201], "%Y%m%d"),
        (["Jan 31, 2024", "Feb 01, 2024"], "%b %d, %Y"),
        (["2024'01'31", "2024'02'01"], "%Y'%m'%d"),
    ):
        summary = summarize(two(who=["a", "a"], when=when), **ROLES, date_format=form)
        assert (summary.start, summary.recency.tolist()) == (dt.date(2024, 1, 31), [1])


def test_dates_that_do_not_match_the_format():
    with pytest.raises(DataError, match=r"1 values.*'%d/%m/%Y'.*'01/31/2024'"):
        summarize(two(when=["31/01/2024", "01/31/2024"]), **ROLES, date_format="%d/%m/%Y")


FILES = {
    "empty.csv": (b"", FileError, "is empty"),
    "empty.parquet": (b"", FileError, "is empty"),
    "header.csv": (HEADER.encode(), DataError, "no orders"),
    "notes.txt": (b"some notes", FileError, "neither CSV"),
    "orders.xlsx": (b"PK", FileError, "neither CSV"),
    "noending": (b"who,when,paid\n", FileError, "neither CSV"),
    "prose.csv": (
        b"Dear all,\nplease find the orders\nin the appendix.\n",
        FileError,
        "cannot be read",
    ),
    "prose.parquet": (b"Dear all, " * 20, FileError, "cannot be read"),
    "binary.csv": (bytes(range(256)) * 20, FileError, "cannot be read"),
    "plain.csv.gz": (HEADER.encode(), FileError, "cannot be read"),
    "latin.csv": (f"{HEADER}é,2024-01-01,1\n".encode("latin-1"), FileError, "cannot be read"),
    "letters.csv": (f"{HEADER}a,2024-01-01,1\na,2024-01-02,two\n".encode(), DataError, "'two'"),
    "days.csv": (f"{HEADER}a,2024-01-01,1\na,Monday,2\n".encode(), DataError, "'Monday'"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_hold_no_orders(tmp_path, name):
    content, error, words = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        summarize(path, **ROLES)
    assert error is not FileError or name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_line_in_a_long_file(tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text(HEADER + "a,2024-01-01,1\n" * 30_000 + "a,2024\n" + "a,2024-01-01,1\n" * 9)
    with pytest.raises(FileError, match="30002"):
        summarize(path, **ROLES)


def test_a_directory_and_a_missing_file(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path, tmp_path / "folder.csv"):
        with pytest.raises(FileError, match="is a directory"):
            summarize(path, **ROLES)
    with pytest.raises(FileError, match=r"nothing\.csv does not exist"):
        summarize(tmp_path / "nothing.csv", **ROLES)


def test_every_error_is_also_the_builtin_that_callers_expect(orders, tmp_path):
    for error, options in ((KeyError, {"value": "x"}), (ValueError, {"end": "x"})):
        with pytest.raises(error):
            by_hand(orders, **options)
    with pytest.raises(OSError, match="not exist"):
        by_hand(tmp_path / "x.csv")
