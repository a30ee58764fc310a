"""The same orders in any kind of frame or file give the same summary, in the kind that came in."""

import datetime as dt
import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import (
    CDNOW,
    FREQUENCY,
    HAND_ROWS,
    IDS,
    WORKED,
    by_hand,
    lists,
)

from clvmodel.tables.frames import read_frame
from clvmodel.tables.summarize import summarize

NUMBER = {name: 10 * (i + 1) for i, name in enumerate(sorted({row[0] for row in HAND_ROWS}))}


def zoned(frame, zone="America/New_York", hour=23):
    """Late in the evening of the shop's own day: the next day in Greenwich."""
    late = frame["when"] + pd.Timedelta(hours=hour, minutes=30)
    return frame.assign(when=late.dt.tz_localize(zone))


def with_when(convert):
    return lambda f: f.assign(when=convert(f["when"]))


def with_who(convert):
    return lambda f: f.assign(who=convert(f["who"]))


PANDAS = {
    "numpy": lambda f: f.astype({"who": object}),
    "seconds": with_when(lambda c: c.astype("datetime64[s]")),
    "nanoseconds": with_when(lambda c: c.astype("datetime64[ns]")),
    "arrow dtypes": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
    "nullable dtypes": lambda f: f.convert_dtypes(),
    "categories": with_who(pd.Categorical),
    "unordered, unused categories": with_who(
        lambda c: pd.Categorical(c, ["zoe", *IDS[::-1], "fox"])
    ),
    "categories of dates": with_when(lambda c: pd.Categorical(c.dt.strftime("%Y-%m-%d"))),
    "dates": with_when(lambda c: c.dt.date),
    "datetimes": with_when(lambda c: pd.Series(c.dt.to_pydatetime(), dtype=object)),
    "iso text": with_when(lambda c: c.dt.strftime("%Y-%m-%d")),
    "iso text with times": with_when(lambda c: c.dt.strftime(" %Y-%m-%dT23:59:59.999 ")),
    "padded iso text": with_when(lambda c: c.dt.strftime(" %Y-%m-%d ")),
    "whole cents": lambda f: f.assign(paid=f["paid"].astype("int16")),
    "nullable amounts": lambda f: f.assign(paid=f["paid"].astype("Int64")),
    "text amounts": lambda f: f.assign(paid=f["paid"].map(str)),
    "single precision": lambda f: f.assign(paid=f["paid"].astype("float32")),
    "zone behind": zoned,
    "zone ahead": lambda f: zoned(f, "Asia/Tokyo", 0),
    "zone utc": lambda f: zoned(f, "UTC", 12),
    "zone in nanoseconds": lambda f: zoned(f.astype({"when": "datetime64[ns]"})),
    "repeated index": lambda f: f.set_index(pd.Index([7] * len(f))),
    "further columns": lambda f: f.assign(note=[{"a": 1}] * len(f), WHO="x", Paid=9.0),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_pandas(orders, kind):
    frame = PANDAS[kind](orders)
    before = frame.copy(deep=True)
    summary = by_hand(frame)
    assert lists(summary) == WORKED
    assert summary.ids.to_pylist() == IDS
    assert isinstance(summary.frame, pd.DataFrame)
    pd.testing.assert_frame_equal(frame, before)


def polars_zoned(frame):
    return pl.from_pandas(zoned(frame))


OTHERS = {
    "polars": (pl.from_pandas, pl.DataFrame),
    "polars lazy": (lambda f: pl.from_pandas(f).lazy(), pl.LazyFrame),
    "polars categories": (
        lambda f: pl.from_pandas(f).with_columns(pl.col("who").cast(pl.Categorical)),
        pl.DataFrame,
    ),
    "polars dates": (
        lambda f: pl.from_pandas(f).with_columns(pl.col("when").cast(pl.Date)),
        pl.DataFrame,
    ),
    "polars decimals": (
        lambda f: pl.from_pandas(f).with_columns(pl.col("paid").cast(pl.Decimal(12, 2))),
        pl.DataFrame,
    ),
    "polars zone": (polars_zoned, pl.DataFrame),
    "polars lazy zone": (lambda f: polars_zoned(f).lazy(), pl.LazyFrame),
    "arrow": (pa.Table.from_pandas, pa.Table),
    "arrow zone": (lambda f: pa.Table.from_pandas(zoned(f)), pa.Table),
    "arrow dictionary": (
        lambda f: pa.table(
            {
                "who": pa.array(f["who"]).dictionary_encode(),
                "when": pa.array(f["when"]),
                "paid": pa.array(f["paid"]),
            }
        ),
        pa.Table,
    ),
    "arrow in chunks": (
        lambda f: pa.concat_tables(
            pa.Table.from_pandas(f.iloc[i : i + 3], preserve_index=False)
            for i in range(0, len(f), 3)
        ),
        pa.Table,
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_frames(orders, kind):
    convert, expected = OTHERS[kind]
    summary = by_hand(convert(orders))
    assert lists(summary) == WORKED
    assert isinstance(summary.frame, expected)
    assert read_frame(summary.frame)[0]["customer_id"].to_pylist() == IDS
    assert read_frame(summary.frame)[0]["frequency"].to_pylist() == FREQUENCY


@pytest.mark.parametrize("kind", ["int64", "uint8", "Int64", "int64[pyarrow]", "float64"])
def test_numbers_as_ids(orders, kind):
    frame = with_who(lambda c: c.map(NUMBER).astype(kind))(orders)
    summary = by_hand(frame)
    assert lists(summary) == WORKED
    assert summary.ids.to_pylist() == [10, 20, 30, 40, 50]
    assert summary.frame["customer_id"].dtype.kind == (
        "f" if kind == "float64" else kind[0].lower()
    )


def test_text_ids_keep_their_zeros(tmp_path):
    path = tmp_path / "zeros.csv"
    path.write_text("who,when,paid\n007,2024-01-01,1\n7,2024-01-01,2\n0070,2024-01-02,3\n")
    assert by_hand(path, end=None).ids.to_pylist() == ["007", "0070", "7"]


FILES = {
    "orders.csv": lambda f, p: f.to_csv(p, index=False),
    "orders.CSV": lambda f, p: f.to_csv(p, index=False),
    "windows.csv": lambda f, p: f.to_csv(p, index=False, lineterminator="\r\n"),
    "byte order mark.csv": lambda f, p: f.to_csv(p, index=False, encoding="utf-8-sig"),
    "semicolons.csv": lambda f, p: f.to_csv(p, index=False, sep=";"),
    "quoted.csv": lambda f, p: f.to_csv(p, index=False, quoting=1),
    "orders.tsv": lambda f, p: f.to_csv(p, index=False, sep="\t"),
    "orders.csv.gz": lambda f, p: p.write_bytes(gzip.compress(f.to_csv(index=False).encode())),
    "orders.parquet": lambda f, p: f.to_parquet(p),
    "zone.parquet": lambda f, p: zoned(f, "UTC", 12).to_parquet(p),
    'it\'s a "file".csv': lambda f, p: f.to_csv(p, index=False),
    "Bestellungen für 2024; DROP.parquet": lambda f, p: f.to_parquet(p),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("as_text", [True, False])
def test_files(orders, tmp_path, name, as_text):
    path = tmp_path / name
    FILES[name](orders, path)
    content = path.read_bytes()
    summary = by_hand(str(path) if as_text else path)
    assert lists(summary) == WORKED
    assert isinstance(summary.frame, pd.DataFrame)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_with_brackets_in_its_name_is_that_file(orders, tmp_path):
    """Not a pattern that matches another file beside it."""
    orders.head(1).to_csv(tmp_path / "orders1.csv", index=False)
    orders.to_csv(tmp_path / "orders[1].csv", index=False)
    assert lists(by_hand(tmp_path / "orders[1].csv")) == WORKED


@pytest.mark.parametrize("name", ["orders*.csv", "orders?.csv"])
def test_a_file_with_a_wildcard_in_its_name_is_that_file(orders, tmp_path, name):
    orders.to_csv(tmp_path / "orders2.csv", index=False)
    orders.to_csv(tmp_path / name, index=False)
    assert by_hand(tmp_path / name).reconciliation.rows == len(orders)


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
def test_the_name_of_a_folder_is_no_column(orders, tmp_path, name):
    path = tmp_path / "who=5" / name
    path.parent.mkdir()
    FILES[name](orders, path)
    assert by_hand(path).ids.to_pylist() == IDS


NEW_YORK = ["2024-01-01T23:30:00-05:00", "2024-01-05 23:59:59-05:00"]


def test_text_with_an_offset_keeps_the_shop_s_own_day():
    frame = pd.DataFrame({"who": ["a", "a"], "when": NEW_YORK, "paid": [1.0, 2.0]})
    dates = by_hand(frame, end=None).frame
    assert dates["first_purchase"][0] == pd.Timestamp("2024-01-01")
    assert dates["last_purchase"][0] == pd.Timestamp("2024-01-05")


NAMES = ['Kunde "Nr"', "order date", "va'lue", "Größe (€)", "select", "a.b", "x;y--", "  "]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", ["who", "when", "paid"])
def test_names_of_columns_are_free(orders, name, role):
    columns = {"customer": "who", "date": "when", "value": "paid"}
    roles = {k: name if v == role else v for k, v in columns.items()}
    assert lists(by_hand(orders.rename(columns={role: name}), **roles)) == WORKED


@pytest.mark.parametrize("role", ["who", "when", "paid"])
def test_columns_that_differ_by_case_are_different_columns(orders, role):
    """`role` exists in lower case first; the roles are played by the columns in capitals."""
    capital = orders.rename(columns={role: role.upper()})
    frame = pd.concat([orders[[role]].iloc[::-1].reset_index(drop=True), capital], axis=1)
    roles = {"customer": "who", "date": "when", "value": "paid"}
    chosen = {k: v.upper() if v == role else v for k, v in roles.items()}
    assert lists(by_hand(frame, **chosen)) == WORKED


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_read_only_input(orders, kind):
    paid = np.array(orders["paid"])
    paid.flags.writeable = False
    columns = {"who": list(orders["who"]), "when": list(orders["when"].dt.date), "paid": paid}
    make = {"pandas": lambda c: pd.DataFrame(c, copy=False), "polars": pl.DataFrame}
    frame = make.get(kind, pa.table)(columns)
    assert lists(by_hand(frame)) == WORKED


def shuffled(frame, seed):
    return frame.sample(frac=1, random_state=seed)


def test_row_order_does_not_matter_to_the_last_bit(cdnow):
    """Sums of three and more amounts of one day would differ in the last digit."""
    crowded = cdnow.assign(date=cdnow["date"].dt.to_period("M").dt.start_time)
    assert (crowded.groupby(["customer_id", "date"]).size() >= 3).sum() > 50
    first = summarize(crowded, **CDNOW)
    for seed in range(8):
        again = summarize(shuffled(crowded, seed), **CDNOW)
        for name in ("frequency", "recency", "T", "first_value", "monetary_value"):
            assert getattr(again, name).tobytes() == getattr(first, name).tobytes()
        assert again.ids == first.ids
        assert again.reconciliation == first.reconciliation


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_matter_to_the_last_bit(cdnow, threads, monkeypatch):
    import duckdb

    first = summarize(cdnow, **CDNOW)
    connect = duckdb.connect

    def with_threads(*args, config, **rest):
        return connect(*args, config={**config, "threads": threads}, **rest)

    monkeypatch.setattr(duckdb, "connect", with_threads)
    many = pd.concat([shuffled(cdnow, 3)] * 20)
    again = summarize(shuffled(cdnow, 4), **CDNOW)
    assert again.monetary_value.tobytes() == first.monetary_value.tobytes()
    twenty = summarize(many, **CDNOW)
    assert (
        twenty.monetary_value.tobytes() == summarize(many[::-1], **CDNOW).monetary_value.tobytes()
    )


def test_dates_on_both_sides_of_the_epoch():
    frame = pd.DataFrame(
        {
            "who": ["a", "a"],
            "when": [dt.date(1969, 12, 30), dt.date(1970, 1, 2)],
            "paid": [1.0, 2.0],
        }
    )
    assert lists(by_hand(frame, end=None)) == [[1], [3], [3], [2], [1]]
