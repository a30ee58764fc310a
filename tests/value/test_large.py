"""Fits from cells and predictions in parts are those of the customers in memory."""

import warnings

import numpy as np
import pandas as pd
import pytest

import clvmodel as clv
from clvmodel.errors import ColumnError, DataError, DriftWarning, FileError, ParameterError
from clvmodel.tables import parts, stored
from clvmodel.value import scoring

COLUMNS = {"customer": "customer_id", "date": "date", "value": "amount"}
SIZE = 300  # customers per part here


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(stored, "ROWS", SIZE)
    monkeypatch.setattr(scoring, "ROWS", SIZE)


@pytest.fixture(scope="module")
def orders():
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def summary(orders):
    return clv.summarize(orders, **COLUMNS, end="1997-09-30")


@pytest.fixture(scope="module")
def model(summary):
    return clv.ValueModel().fit(summary)


@pytest.fixture
def large(orders, tmp_path, small_parts):
    return clv.summarize_to(tmp_path / "s.parquet", orders, **COLUMNS, end="1997-09-30", rows=900)


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("first", [False, True])
def test_fit_from_cells(large, summary, first):
    kind = clv.ValueModel(spend_includes_first=first)
    exact, found = kind.fit(summary), kind.fit(large)
    assert found.purchases.parameters == exact.purchases.parameters
    error = np.sqrt(np.diag(exact.spend.covariance))
    moved = [
        np.log(found.spend.parameters[name] / value)
        for name, value in exact.spend.parameters.items()
    ]
    assert np.abs(moved / error).max() < 1e-4
    assert found.reference.to_dict() == pytest.approx(exact.reference.to_dict(), rel=1e-5)


def test_a_small_one_is_fitted_exactly(orders, summary, tmp_path):
    large = clv.summarize_to(tmp_path / "s.parquet", orders, **COLUMNS, end="1997-09-30")
    assert clv.ValueModel().fit(large) == clv.ValueModel().fit(summary)


@pytest.mark.parametrize("out", ["p.parquet", "p.csv", "p.duckdb::scores"])
def test_predict_to(large, summary, model, tmp_path, out):
    told = []
    options = {"quantiles": (0.05, 0.95), "margin": 0.3, "dates": True}
    rows = model.predict_to(
        tmp_path / out, large, "26W", **options, progress=lambda *n: told.append(n)
    )
    expected = model.predict(summary, "26W", quantiles=(0.05, 0.95), margin=0.3)
    dates = model.predict_dates(summary)
    expected = expected.assign(**{c: dates[c] for c in dates if c not in expected})
    if out.endswith("csv"):
        found = pd.read_csv(tmp_path / out, dtype={"customer_id": str})
        found = found.assign(
            **{c: pd.to_datetime(found[c]) for c in found if "_q" in c and "next" in c}
        )
        found["act_by"] = pd.to_datetime(found["act_by"])
    elif out.endswith("parquet"):
        found = pd.read_parquet(tmp_path / out)
    else:
        import duckdb

        with duckdb.connect(tmp_path / "p.duckdb", read_only=True) as connection:
            found = connection.sql("SELECT * FROM scores").df()
    assert rows == len(summary) == len(found)
    assert told[-1] == (rows, rows)
    assert len(told) > 5
    expected["customer_id"] = expected["customer_id"].astype(found["customer_id"].dtype)
    # Chances of money come from a table over the amounts that occur, to 1e-7 each; with a density
    # of a tenth per unit of log money at such quantiles, that is 1e-6 of the amount.
    money = [name for name in expected if name.startswith("value_q")]
    pd.testing.assert_frame_equal(found[money], expected[money], rtol=1e-6)
    found, expected = found.drop(columns=money), expected.drop(columns=money)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, check_dtype=False)
    assert hidden(tmp_path) == []


def test_resume_makes_only_what_is_missing(large, model, tmp_path, monkeypatch):
    whole = tmp_path / "whole.parquet"
    model.predict_to(whole, large, "1Y")
    out, real, made = tmp_path / "p.parquet", scoring._predicted, []

    def failing(*arguments):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(len(arguments[1]))
        return real(*arguments)

    monkeypatch.setattr(scoring, "_predicted", failing)
    with pytest.raises(KeyboardInterrupt):
        model.predict_to(out, large, "1Y")
    assert not out.exists()
    assert len(list(hidden(tmp_path)[0].glob("part-*"))) == 3
    made.clear()
    monkeypatch.setattr(scoring, "_predicted", lambda *a: made.append(1) or real(*a))
    model.predict_to(out, large, "1Y", resume=True)
    assert len(made) == sum(1 for _ in large.batches(SIZE)) - 3
    assert out.read_bytes() == whole.read_bytes()
    assert hidden(tmp_path) == []


def test_parts_of_other_options_are_not_taken(large, model, tmp_path, monkeypatch):
    out = tmp_path / "p.parquet"
    real = parts.Parts.finish
    monkeypatch.setattr(parts.Parts, "finish", lambda *_: None)
    model.predict_to(out, large, "1Y")  # stays unfinished
    monkeypatch.setattr(parts.Parts, "finish", real)
    model.predict_to(out, large, "2Y", resume=True)
    model.predict_to(tmp_path / "q.parquet", large, "2Y")
    assert out.read_bytes() == (tmp_path / "q.parquet").read_bytes()


def test_missing_rows_are_no_result(large, model, tmp_path, monkeypatch):
    real = scoring._predicted
    monkeypatch.setattr(scoring, "_predicted", lambda *a: real(*a).slice(1))
    out = tmp_path / "p.parquet"
    out.write_text("old")
    with pytest.raises(FileError, match="rows were made of 2,357; nothing was written"):
        model.predict_to(out, large, "1Y")
    assert out.read_text() == "old"


def test_called_wrongly(large, summary, model, tmp_path):
    out = tmp_path / "p.parquet"
    with pytest.raises(DataError, match="make it with clv"):
        model.predict_to(out, summary, "1Y")
    with pytest.raises(DataError, match="too large for this: predict its customers into a file"):
        model.predict(large, "1Y")
    with pytest.raises(ParameterError, match="must end in"):
        model.predict_to(tmp_path / "p.txt", large, "1Y")
    with pytest.raises(ParameterError, match="margin"):
        model.predict_to(out, large, "1Y", margin="profit")
    with pytest.raises(ColumnError, match="covariates="):
        clv.ValueModel(covariates=["age"]).fit(large)
    with pytest.raises(FileError, match="cannot be written"):
        model.predict_to(tmp_path / "s.parquet" / "p.parquet", large, "1Y")


def test_drift_is_said_once(large, model, tmp_path):
    moved = clv.ValueModel().fit(clv.Summary.from_frame(_busier(large), unit="D", end=large.end))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DriftWarning)
        moved.predict_to(tmp_path / "p.parquet", large, "1Y")
    assert [w.category for w in caught] == [DriftWarning]


def _busier(large):
    frame = large.load().table.to_pandas()[["frequency", "recency", "T", "monetary_value"]]
    bought = frame["frequency"] > 0
    frame.loc[bought, "frequency"] *= 3
    return frame
