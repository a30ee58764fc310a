"""Every kind of table gives the same summary, to the last bit, in the kind that came in."""

import datetime as dt
import gzip

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clvmodel.tables.audit import audit
from clvmodel.tables.frames import read_frame
from clvmodel.tables.opportunities import summarize_opportunities
from clvmodel.tables.summarize import summarize

ROLES = {"customer": "who", "date": "when", "value": "paid"}
NAMES = [
    "Zoë",
    "李雷",
    "ann",
    "Ann",
    "O'Hara",
    "müller@example.com",
    "007",
    "7",
    "Ø",
    "a b",
    "ß",
    "🛒",
]
FORM = "%d.%m.%Y %H:%M:%S.%f"


def history():
    """Orders with a time, some free, some refunds of the same or a later day, some rows twice."""
    rng = np.random.default_rng(5)
    size = 240
    at = pd.Timestamp("2023-11-01") + pd.to_timedelta(
        rng.integers(0, 200, size) * 86_400_000_000 + rng.integers(0, 86_400_000_000, size), "us"
    )
    paid = np.round(rng.gamma(2.0, 17.0, size), 2)
    paid[rng.random(size) < 0.05] = 0.0
    frame = pd.DataFrame({"who": rng.choice(NAMES, size), "when": at, "paid": paid})
    frame["order"] = [f"Bestellung №{i}" for i in range(size)]
    again = frame.sample(12, random_state=1)
    same_day = frame.sample(15, random_state=2)
    same_day = same_day.assign(when=same_day["when"].dt.floor("D"), paid=-same_day["paid"] / 3)
    later = frame.sample(10, random_state=3)
    later = later.assign(when=later["when"] + pd.Timedelta(days=3), paid=-later["paid"])
    crowd = pd.concat([frame.head(40)] * 3).assign(when=pd.Timestamp("2024-02-29 10:00:00.000001"))
    frame = pd.concat([frame, again, same_day, later, crowd], ignore_index=True)
    frame["when"] = frame["when"].astype("datetime64[us]")
    return frame.sample(frac=1, random_state=4, ignore_index=True)


HISTORY = history()
ARROW = pa.Table.from_pandas(HISTORY, preserve_index=False)
NUMBERED = {name: 100 + i for i, name in enumerate(sorted(NAMES, key=str.encode))}


def zoned(frame, zone):
    return frame.assign(when=frame["when"].dt.tz_localize(zone, ambiguous=False))


def when(convert):
    return lambda f: f.assign(when=convert(f["when"]))


def who(convert):
    return lambda f: f.assign(who=convert(f["who"]))


def numbered(kind):
    return lambda f: f.assign(who=f["who"].map(NUMBERED).astype(kind))


PANDAS = {
    "numpy": lambda f: f.astype({"who": object, "order": object}),
    "str": lambda f: f.astype({"who": "str"}),
    "nullable": lambda f: f.convert_dtypes(),
    "arrow dtypes": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "categories": who(pd.Categorical),
    "int64": numbered("int64"),
    "Int32": numbered("Int32"),
    "uint16": numbered("uint16"),
    "int64[pyarrow]": numbered("int64[pyarrow]"),
    "float ids": numbered("float64"),
    "categories of numbers": lambda f: numbered("category")(f),
    "nanoseconds": when(lambda c: c.astype("datetime64[ns]")),
    "zone behind": lambda f: zoned(f, "America/New_York"),
    "zone ahead": lambda f: zoned(f, "Pacific/Auckland"),
    "utc": lambda f: zoned(f, "UTC"),
    "datetimes": when(lambda c: pd.Series(c.dt.to_pydatetime(), dtype=object)),
    "iso text": when(lambda c: c.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")),
    "iso text with an offset": when(lambda c: c.dt.strftime("%Y-%m-%d %H:%M:%S.%f+11:00")),
    "index of dates": lambda f: f.set_index("when", drop=False).rename_axis("i"),
    "text amounts": lambda f: f.assign(paid=f["paid"].map(repr)),
}
OF_DAYS = {
    "dates": when(lambda c: c.dt.date),
    "arrow dates": when(lambda c: c.dt.date.astype(pd.ArrowDtype(pa.date32()))),
    "iso days": when(lambda c: c.dt.strftime("%Y-%m-%d")),
    "categories of days": when(lambda c: pd.Categorical(c.dt.strftime("%Y-%m-%d"))),
}
FRAMES = {
    "polars": (lambda: pl.from_arrow(ARROW), pl.DataFrame),
    "polars lazy": (lambda: pl.from_arrow(ARROW).lazy(), pl.LazyFrame),
    "polars lazy of a query": (
        lambda: pl.from_arrow(ARROW).lazy().with_columns(pl.col("who").cast(pl.Categorical)),
        pl.LazyFrame,
    ),
    "polars zone": (
        lambda: pl.from_pandas(zoned(HISTORY, "Pacific/Auckland")),
        pl.DataFrame,
    ),
    "pyarrow": (lambda: ARROW, pa.Table),
    "pyarrow in chunks": (
        lambda: pa.concat_tables(ARROW.slice(i, 37) for i in range(0, len(ARROW), 37)),
        pa.Table,
    ),
    "pyarrow dictionary": (
        lambda: ARROW.set_column(0, "who", ARROW["who"].dictionary_encode()),
        pa.Table,
    ),
}


def bits(summary):
    """All numbers of a summary as bytes, and its customers as text."""
    names = ("frequency", "recency", "T", "first_value", "monetary_value")
    return [getattr(summary, name).tobytes() for name in names]


def ids(summary):
    back = {number: name for name, number in NUMBERED.items()}
    return [i if isinstance(i, str) else back[int(i)] for i in summary.ids.to_pylist()]


WAYS = [
    {},
    {"occasion": "W", "unit": "W"},
    {"occasion": "exact"},
    {"order_id": "order", "refunds": "net", "max_value": 120.0, "end": "2024-05-01"},
]
DAILY = [WAYS[0], WAYS[1], WAYS[3]]
EXPECTED = [summarize(HISTORY, **ROLES, **way) for way in WAYS]


def check(orders, kind, ways=WAYS, **options):
    for way in ways:
        expected = EXPECTED[WAYS.index(way)]
        found = summarize(orders, **{**ROLES, **options}, **way)
        assert bits(found) == bits(expected)
        assert ids(found) == ids(expected)
        assert found.reconciliation == expected.reconciliation
        assert (found.start, found.end) == (expected.start, expected.end)
        assert isinstance(found.frame, kind)
        table = read_frame(found.frame)[0]
        assert table["customer_id"].to_pylist() == found.ids.to_pylist()
        assert table["recency"].to_numpy().tobytes() == found.recency.tobytes()


def test_the_history_holds_what_it_should():
    found = EXPECTED[0].reconciliation
    assert found.merged > 100
    assert found.zero > 3
    assert found.excluded[0].rows > 5
    assert sorted(ids(EXPECTED[0])) == sorted(NAMES)
    assert HISTORY.duplicated().sum() > 10
    assert EXPECTED[0].frequency.min() > 5


@pytest.mark.parametrize("kind", PANDAS)
def test_pandas(kind):
    frame = PANDAS[kind](HISTORY)
    before = frame.copy(deep=True)
    check(frame, pd.DataFrame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", OF_DAYS)
def test_pandas_of_days(kind):
    frame = OF_DAYS[kind](HISTORY)
    before = frame.copy(deep=True)
    check(frame, pd.DataFrame, DAILY)
    pd.testing.assert_frame_equal(frame, before)


def test_pandas_of_a_given_form():
    frame = when(lambda c: c.dt.strftime(FORM))(HISTORY)
    check(frame, pd.DataFrame, date_format=FORM)
    days = when(lambda c: c.dt.strftime("%Y%m%d").astype(int))(HISTORY)
    check(days, pd.DataFrame, DAILY, date_format="%Y%m%d")


@pytest.mark.parametrize("kind", FRAMES)
def test_other_frames(kind):
    make, expected = FRAMES[kind]
    frame = make()
    before = read_frame(make())[0]
    check(frame, expected)
    assert read_frame(frame)[0].equals(before)


def test_polars_of_a_given_form():
    frame = pl.from_arrow(ARROW).with_columns(pl.col("when").dt.strftime(FORM))
    check(frame, pl.DataFrame, date_format="%d.%m.%Y %H:%M:%S.%n")
    check(frame.lazy(), pl.LazyFrame, date_format="%d.%m.%Y %H:%M:%S.%n")


@pytest.fixture
def connection():
    with duckdb.connect() as open_one:
        open_one.register("history", ARROW)
        open_one.execute("CREATE TABLE orders AS SELECT * FROM history")
        yield open_one


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders",
        "SELECT 1 AS one, * FROM orders ORDER BY hash(who), paid",
        "SELECT who::ENUM('Zoë', '李雷', 'ann', 'Ann', 'O''Hara', 'müller@example.com', '007', "
        "'7', 'Ø', 'a b', 'ß', '🛒') AS who, \"when\"::VARCHAR AS \"when\", paid, \"order\" "
        "FROM orders",
    ],
)
def test_duckdb_relations(connection, query):
    relation = connection.sql(query)
    check(relation, duckdb.DuckDBPyRelation)
    kept = connection.sql("SELECT * FROM orders").to_arrow_table()
    assert kept.cast(ARROW.schema).equals(ARROW)
    assert relation.aggregate("count(*)").fetchall() == [(len(HISTORY),)]


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis's own
def test_ibis_tables():
    check(ibis.memtable(ARROW), ibis.Table)
    backend = ibis.duckdb.connect()
    backend.con.register("history", ARROW)
    backend.con.execute("CREATE TABLE orders AS SELECT * FROM history").fetchall()
    orders = backend.table("orders")
    check(orders, ibis.Table)
    check(orders.filter(orders.who != "nobody").mutate(one=1), ibis.Table)
    assert orders.to_pyarrow().cast(ARROW.schema).equals(ARROW)
    backend.disconnect()


def parts(folder, write, suffix):
    """Three files that hold the history, one of them in a folder of its own."""
    deep = folder / "year=2024" / "who=x"
    deep.mkdir(parents=True)
    paths = [folder / f"a{suffix}", folder / f"b{suffix}", deep / f"c{suffix}"]
    for path, rows in zip(paths, np.array_split(np.arange(len(HISTORY)), 3), strict=True):
        write(HISTORY.iloc[rows], path)
    return paths


def csv(frame, path):
    frame.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")


def csv_gz(frame, path):
    text = frame.to_csv(index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    path.write_bytes(gzip.compress(text.encode()))


def parquet(frame, path):
    frame.to_parquet(path)


def zoned_parquet(frame, path):
    zoned(frame, "Pacific/Auckland").to_parquet(path)


FORMATS = {
    ".csv": csv,
    ".csv.gz": csv_gz,
    ".parquet": parquet,
    ".pq": zoned_parquet,
}


def content(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("suffix", FORMATS)
def test_files(tmp_path, suffix):
    whole = tmp_path / f"all{suffix}"
    FORMATS[suffix](HISTORY, whole)
    folder = tmp_path / "parts"
    folder.mkdir()
    paths = parts(folder, FORMATS[suffix], suffix)
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.csv").write_text("x")
    (folder / "notes.txt").write_text("not orders")
    before = content(tmp_path)
    check(whole, pd.DataFrame)
    check(str(whole), pd.DataFrame, DAILY[:1])
    check(paths, pd.DataFrame)
    check(tuple(map(str, paths[::-1])), pd.DataFrame, DAILY[:1])
    check(folder, pd.DataFrame)
    check(f"{folder}/**/*{suffix}", pd.DataFrame)
    assert content(tmp_path) == before


def test_a_pattern_means_the_files_that_it_matches_not_the_folders(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    parts(folder, parquet, ".parquet")
    check(f"{folder}/**", pd.DataFrame, DAILY[:1])
    some = summarize(f"{folder}/[ab].parquet", **ROLES)
    assert some.reconciliation.rows == len(HISTORY) - len(HISTORY) // 3


def test_tables_of_duckdb_files(tmp_path):
    one, several = tmp_path / "one.duckdb", tmp_path / "several.ddb"
    for path in (one, several):
        with duckdb.connect(str(path)) as db:
            db.register("history", ARROW)
            db.execute("CREATE TABLE orders AS SELECT * FROM history")
            if path == several:
                db.execute("CREATE TABLE \"Kunden & Co\" AS SELECT 'x' AS y")
                db.execute('CREATE VIEW "all of them" AS SELECT * FROM orders')
    before = content(tmp_path)
    check(one, pd.DataFrame)
    check(f"{one}::orders", pd.DataFrame, DAILY[:1])
    check(f"{several}::orders", pd.DataFrame, DAILY[:1])
    check(f"{several}::all of them", pd.DataFrame, DAILY[:1])
    assert content(tmp_path) == before


def test_moments_of_a_duckdb_file_are_days_in_greenwich_on_every_machine(tmp_path, monkeypatch):
    """Its TIMESTAMPTZ keeps a moment but no zone; the machine's must not decide."""
    path = tmp_path / "zoned.duckdb"
    with duckdb.connect(str(path)) as db:
        db.register("history", pa.Table.from_pandas(zoned(HISTORY, "UTC")))
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE orders AS SELECT * FROM history")
        assert "WITH TIME ZONE" in str(db.sql('SELECT "when" FROM orders').types[0])
    check(path, pd.DataFrame)


def written(write, path):
    write(HISTORY, path)
    return path


KINDS = {
    "polars": lambda _: pl.from_arrow(ARROW),
    "lazy": lambda _: pl.from_arrow(ARROW).lazy(),
    "arrow": lambda _: ARROW,
    "duckdb": lambda _: duckdb.from_arrow(ARROW),
    "ibis": lambda _: ibis.memtable(ARROW),
    "csv": lambda folder: written(csv, folder / "o.csv"),
    "parquet": lambda folder: written(parquet, folder / "o.parquet"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_audits_and_opportunities_of_every_kind(kind, tmp_path):
    orders = KINDS[kind](tmp_path)
    expected = summarize_opportunities(HISTORY, customer="who", date="when", period="M")
    found = summarize_opportunities(orders, customer="who", date="when", period="M")
    for name in ("frequency", "recency", "n"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()
    one, other = (audit(o, **ROLES, order_id="order") for o in (HISTORY, orders))
    assert other.rows == one.rows
    assert other.findings == one.findings


def test_read_once_batches_are_read_to_their_end(tmp_path):
    """Larger than one batch of the engine."""
    size = 450_000
    days = np.datetime64("2020-01-01") + np.arange(size) % 900
    table = pa.table({"who": np.arange(size) % 5_000, "when": days, "paid": np.ones(size)})
    expected = summarize(table, **ROLES)
    assert expected.reconciliation.rows == size
    for orders in (duckdb.from_arrow(table), ibis.memtable(table)):
        found = summarize(orders, **ROLES)
        assert found.reconciliation == expected.reconciliation
        assert bits(found) == bits(expected)
    assert expected.end == dt.date(2022, 6, 18)
