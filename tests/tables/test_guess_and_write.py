"""Guessing columns by their names; writing files whole or not at all."""

import os
import threading

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from clvmodel.errors import ColumnError, FileError, ParameterError
from clvmodel.tables.duckdb_source import Columns
from clvmodel.tables.files import replacing, write_table, write_text
from clvmodel.tables.guess import guess_columns

TABLE = pa.table({"id": ["a", "b"], "x": [1.5, 2.0]})

GUESSES = [
    ("customer_id date quantity amount", ("customer_id", "date", "amount")),
    ("order_id customer_email ordered_at amount", ("customer_email", "ordered_at", "amount")),
    ("Name,Email,Created at,Total", ("Email", "Created at", "Total")),
    ("InvoiceNo InvoiceDate UnitPrice CustomerID", ("CustomerID", "InvoiceDate", None)),
    ("CUSTOMER-ID ORDER_DATE Total_Price", ("CUSTOMER-ID", "ORDER_DATE", "Total_Price")),
    ("id user_email created_at total", ("user_email", "created_at", "total")),
    ("InvoiceNo Quantity InvoiceDate Price CustomerID", ("CustomerID", "InvoiceDate", None)),
    ("id customer_id date created_at total amount", ("customer_id", "date", "amount")),
    ("date Date user", ("user", "date", None)),
]


@pytest.mark.parametrize(("names", "expected"), GUESSES)
def test_guesses(names, expected):
    split = names.split("," if "," in names else " ")
    assert guess_columns(split) == Columns(*expected)


def test_what_is_named_is_not_guessed():
    names = ["id", "customer", "day", "amount"]
    assert guess_columns(names, customer="id", value="x") == Columns("id", "day", "x")


@pytest.mark.parametrize(
    ("names", "role"),
    [(["date"], "customer"), (["user", "x"], "date"), (["id", "date"], "customer")],
)
def test_no_guess(names, role):
    with pytest.raises(ColumnError, match=f"{role}.*--{role}"):
        guess_columns(names)
    with pytest.raises(ColumnError):
        guess_columns([])


def left(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.parquet", "new/folder/a.csv"])
def test_tables_come_back(tmp_path, name):
    path = tmp_path / name
    write_table(TABLE, path)
    read = pa.csv.read_csv if name.lower().endswith("csv") else pa.parquet.read_table
    assert read(path).to_pydict() == TABLE.to_pydict()
    assert left(path.parent) == [path.name]


def test_text_is_replaced(tmp_path):
    path = tmp_path / "ü.txt"
    write_text(path, "old and long\n")
    write_text(str(path), "neü\n")
    assert path.read_bytes() == "neü\n".encode()
    assert left(tmp_path) == [path.name]


def test_files_have_the_usual_permissions(tmp_path):
    plain, written = tmp_path / "plain", tmp_path / "written"
    plain.write_text("x")
    write_text(written, "x")
    assert written.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error("stop")

    with pytest.raises(FileError if error is OSError else error):
        fail()
    assert path.read_text() == "old"
    assert left(tmp_path) == ["a.csv"]


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path):
    nested = pa.table({"x": [[1], [2]]})
    with pytest.raises(Exception, match="list"):
        write_table(nested, tmp_path / "a.csv")
    assert left(tmp_path) == []


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "a.txt"
    texts = ["a" * 100_000, "b" * 200_000]
    write_text(path, texts[0])
    done = threading.Event()
    seen = set()

    def read():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(50):
        write_text(path, texts[i % 2])
    done.set()
    reader.join()
    assert seen <= set(texts)


@pytest.mark.parametrize("name", ["a", "a.txt", "a.csv.gz", "a.json", "csv"])
def test_tables_need_a_known_ending(tmp_path, name):
    with pytest.raises(ParameterError, match=r"\.csv or \.parquet"):
        write_table(TABLE, tmp_path / name)
    assert left(tmp_path) == []


def test_paths_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="is a directory"):
        write_table(TABLE, tmp_path / "folder.csv")
    for path in (blocked / "a.csv", blocked / "deeper" / "a.csv", tmp_path / f"{'x' * 400}.csv"):
        with pytest.raises(FileError, match="cannot be written"):
            write_table(TABLE, path)
    assert left(tmp_path) == ["file", "folder.csv"]
    assert blocked.read_text() == "x"


def test_a_long_name_that_the_system_allows(tmp_path):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    path = tmp_path / ("x" * (longest - 4) + ".csv")
    write_table(TABLE, path)
    assert left(tmp_path) == [path.name]


def test_a_link_is_followed_or_replaced(tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.read_text() == "new"
