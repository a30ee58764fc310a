"""Half-written, damaged and unreadable files: one clear line, naming the file; nothing else."""

import gzip
import os
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from order_cases import ROLES

from clvmodel.errors import ClvError, ColumnError, FileError
from clvmodel.tables.audit import audit
from clvmodel.tables.summarize import summarize

ROWS = 3_000
ORDERS = pd.DataFrame(
    {
        "who": [f"customer {i % 50}" for i in range(ROWS)],
        "when": "2024-01-01",
        "paid": np.arange(ROWS) / 4,
    }
)
TEXT = ORDERS.to_csv(index=False).encode()


def refused(orders, *words, error=FileError):
    """The one line with which both a summary and an audit refuse to read."""
    lines = []
    for read in (summarize, audit):
        with pytest.raises(error) as caught:
            read(orders, **ROLES)
        assert isinstance(caught.value, ClvError)
        lines.append(str(caught.value))
    assert lines[0] == lines[1]
    assert "\n" not in lines[0]
    assert len(lines[0]) < 600
    assert "strict_mode" not in lines[0]
    for word in words:
        assert word in lines[0]


def parquet(path, frame=ORDERS):
    frame.to_parquet(path)
    return path.read_bytes()


@pytest.mark.parametrize("kept", [3, 100, 0.5, -1, -9])
def test_truncated_parquet(tmp_path, kept):
    path = tmp_path / "half.parquet"
    whole = parquet(path)
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    refused(path, "half.parquet cannot be read")


def test_parquet_with_damaged_pages(tmp_path):
    path = tmp_path / "damaged.parquet"
    whole = parquet(path)
    path.write_bytes(whole[:4] + b"\xff" * 400 + whole[404:])
    refused(path, "damaged.parquet cannot be read")


@pytest.mark.parametrize("kept", [1, 5, 12, 100, 0.5, -1, -8, -9])
def test_truncated_gzip(tmp_path, kept):
    path = tmp_path / "half.csv.gz"
    whole = gzip.compress(TEXT)
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    refused(path, "half.csv.gz cannot be read")


@pytest.mark.parametrize("at", [2, 15, 40])
def test_damaged_gzip(tmp_path, at):
    path = tmp_path / "damaged.csv.gz"
    whole = gzip.compress(TEXT)
    path.write_bytes(whole[:at] + b"\xff" * 45 + whole[at + 45 :])
    refused(path, "damaged.csv.gz cannot be read")


LINES = {
    "an open quote at the end": (TEXT + b'"open,2024-01-01,5\n', f"Line: {ROWS + 2}"),
    "an open quote in the middle": (b'who,when,paid\n"open,2024-01-01,5\n' + TEXT[14:], "Line: 2"),
    "a line that ends early": (TEXT + b"customer 3,2024-01", f"Line: {ROWS + 2}"),
    "a line of one field": (TEXT + b"customer 3\n" + TEXT[14:], f"Line: {ROWS + 2}"),
    "a line that is too long": (TEXT + b"customer 3,2024-01-01,1,2\n", f"Line: {ROWS + 2}"),
    "bytes that are no text": (TEXT + b"\xe9,2024-01-01,1\n", f"Line: {ROWS + 2}"),
    "a blank first line": (b"\n" + TEXT, "has no header"),
}


@pytest.mark.parametrize("kind", LINES)
def test_broken_lines(tmp_path, kind):
    content, words = LINES[kind]
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    refused(path, "broken.csv", words)
    (tmp_path / "a.csv").write_bytes(TEXT)
    refused(tmp_path, "broken.csv", words)  # which of the files it is
    refused([tmp_path / "a.csv", path], "broken.csv", words)


def test_an_open_quote_in_the_header(tmp_path):
    (tmp_path / "o.csv").write_bytes(b'who,"when,paid\na,2024-01-01,5\n')
    refused(tmp_path / "o.csv", "'when,paid'", error=ColumnError)


def test_folders_that_do_not_fit_together(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_bytes(TEXT)
    second.write_bytes(b"who,paid,when\na,1,2024-01-01\n")
    refused(tmp_path, "b.csv has the columns who, paid, when, and a.csv has who, when, paid")
    second.write_bytes(b"who;when;paid\na;2024-01-01;1\n")
    refused(tmp_path, "b.csv separates columns by ';'")
    second.write_bytes(b"")
    refused(tmp_path, "b.csv is empty")
    second.unlink()
    parquet(tmp_path / "c.parquet")
    refused(tmp_path, "mixes CSV and Parquet files")
    first.unlink()
    half = tmp_path / "d.parquet"
    half.write_bytes((tmp_path / "c.parquet").read_bytes()[:900])
    refused(tmp_path, "d.parquet cannot be read")


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (pd.Timestamp("2024-01-01 23:00", tz="Asia/Tokyo"), "different zones"),
        ("01/02/2024", "b.parquet"),
    ],
)
def test_parquet_files_of_different_types(tmp_path, when, words):
    parquet(tmp_path / "a.parquet", ORDERS.assign(when=pd.Timestamp("2024-01-01 23:00")))
    parquet(tmp_path / "b.parquet", ORDERS.assign(when=when))
    refused(tmp_path, words)


def test_duckdb_files(tmp_path):
    path = tmp_path / "shop.duckdb"
    path.write_bytes(b"no database" * 1_000)
    refused(path, "shop.duckdb cannot be read")
    path.unlink()
    with duckdb.connect(str(path)) as db:
        refused_while_open = f"{path}::a"
        db.execute("CREATE TABLE a AS SELECT 1 AS x")
        refused(refused_while_open, "shop.duckdb", "cannot be read")
        db.execute("CREATE TABLE b AS SELECT 1 AS x")
    refused(path, "holds 2 tables (a, b); name one, such as shop.duckdb::a")
    refused(f"{path}::c", "has no table 'c'; it holds a, b")
    refused(f"{path}::", "has no table ''")
    refused(f"{path}::a", "customer='who' is not a column", error=ColumnError)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "shop.duckdb cannot be read")
    refused(tmp_path / "none.duckdb", "none.duckdb does not exist")


def test_paths_that_are_none(tmp_path):
    refused(tmp_path, "is a directory without CSV or Parquet files")
    refused(f"{tmp_path}/*.csv", "matches no file")
    refused([tmp_path / "gone.csv"], "gone.csv does not exist")
    refused("a\0b.csv", "does not exist")
    refused(TEXT.decode(), "'who,when,paid\\ncustomer 0", "cannot be read")  # the text of a file
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    refused(tmp_path / "loop.csv", "loop.csv")
    refused([tmp_path], "name files, or the directory alone")


@pytest.fixture
def nobody():
    """Be a user without rights: root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def secrets():
    """A folder that all may enter (tmp_path is its owner's), with files that none may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        locked = folder / "open" / "locked"
        locked.mkdir(parents=True)
        for place in (folder / "open", locked):
            (place / "orders.csv").write_bytes(TEXT)
        (folder / "secret.csv").write_bytes(TEXT)
        parquet(folder / "secret.parquet")
        duckdb.connect(str(folder / "secret.duckdb")).close()
        for path in (locked, *folder.glob("secret.*")):
            path.chmod(0)
        folder.chmod(0o755)
        yield folder
        locked.chmod(0o755)


def test_what_may_not_be_read(secrets, nobody):
    for name in ("secret.csv", "secret.parquet", "secret.duckdb"):
        refused(secrets / name, name, "cannot", "ermission denied")
    locked = secrets / "open" / "locked"
    for path in (locked / "orders.csv", locked, secrets / "open"):  # nor passed over in silence
        refused(path, "locked", "cannot be read: Permission denied")
