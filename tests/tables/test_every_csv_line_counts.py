"""Nothing of a CSV file is taken for a comment, a title or a header but its first line."""

import numpy as np
import pandas as pd
import pytest

import clvmodel as clv

COLUMNS = {"customer": "customer", "date": "date", "value": "amount"}


def lines(n):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) % 300, "D")
    return [f"#{i},c{i % 20},{day:%Y-%m-%d},{1 + i % 7}" for i, day in enumerate(days)]


def write(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("n", [7, 60, 500, 5000])
def test_every_line_is_a_row(tmp_path, n):
    rows = [line if i % 7 else line.replace("#", "") for i, line in enumerate(lines(n))]
    path = write(tmp_path / "orders.csv", "order,customer,date,amount", rows)
    assert clv.summarize(path, **COLUMNS).reconciliation.rows == n


@pytest.mark.parametrize("n", [7, 60, 500])
def test_a_second_header_is_an_error(tmp_path, n):
    header = "order,customer,date,amount"
    path = write(tmp_path / "orders.csv", header, [*lines(n), header, *lines(n)])
    with pytest.raises(clv.DataError, match="'date'"):
        clv.summarize(path, **COLUMNS)


@pytest.mark.parametrize("odd", ["a,b", "a,b,2024-01-01,5,6"])
@pytest.mark.parametrize("n", [3, 60, 500])
def test_rows_of_another_width_are_an_error(tmp_path, n, odd):
    path = write(tmp_path / "orders.csv", "order,customer,date,amount", [*lines(n), odd])
    with pytest.raises(clv.FileError, match=r"(?i)line"):
        clv.summarize(path, **COLUMNS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_quotes(tmp_path, delimiter):
    rows = [f'"c{delimiter}1"', "2024-01-01", '"5"']
    path = write(tmp_path / "o.csv", delimiter.join(COLUMNS.values()), [delimiter.join(rows)])
    summary = clv.summarize(path, **COLUMNS)
    assert summary.ids.to_pylist() == [f"c{delimiter}1"]


def test_two_digit_years_are_no_dates(tmp_path):
    path = write(tmp_path / "o.csv", "customer,date,amount", ["a,24-01-02,1"])
    with pytest.raises(clv.DataError, match="24-01-02"):
        clv.summarize(path, **COLUMNS)


def test_days_of_zoned_times_do_not_depend_on_the_way_in(tmp_path):
    times = pd.to_datetime(["2024-01-01 23:30", "2024-02-01 00:30"]).tz_localize("Europe/Berlin")
    frame = pd.DataFrame({"customer": ["a", "a"], "date": times, "amount": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "o.parquet")
    for orders in (frame, tmp_path / "o.parquet"):
        found = clv.summarize(orders, **COLUMNS)
        assert found.frame["first_purchase"].astype(str).tolist() == ["2024-01-01"]
        assert found.recency.tolist() == [31.0]
