"""A summary in a file is the summary in memory, whatever the size of its parts."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import clvmodel as clv
from clvmodel.errors import DataError, FileError, ParameterError
from clvmodel.tables.spend_cells import STEP, SpendCells
from clvmodel.tables.stored import is_stored

COLUMNS = {"customer": "customer_id", "date": "date", "value": "amount"}


@pytest.fixture(scope="module")
def orders():
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def summary(orders):
    return clv.summarize(orders, **COLUMNS, end="1997-09-30", unit="W")


@pytest.fixture(scope="module")
def stored(orders, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "summary.parquet"
    return clv.summarize_to(path, orders, **COLUMNS, end="1997-09-30", unit="W", rows=100)


def test_the_table_is_that_of_the_summary(stored, summary):
    found = pq.read_table(stored.path)
    assert found.equals(summary.table)
    assert pq.read_metadata(stored.path).num_row_groups > 20
    assert str(stored.reconciliation) == str(summary.reconciliation)
    assert stored.reconciliation.amount == pytest.approx(summary.reconciliation.amount, rel=1e-13)


def test_batches_hold_whole_customers(stored, summary):
    batches = list(stored.batches(64))
    assert max(map(len, batches)) <= 64
    ids = [each for batch in batches for each in batch.ids.to_pylist()]
    assert ids == summary.ids.to_pylist()
    assert len(stored) == len(summary)


def test_cells(stored, summary):
    for found in (stored.cells, clv.open_summary(stored.path).cells):
        assert all(map(np.array_equal, found.columns, summary.cells.columns))
        assert np.array_equal(found.weight, summary.cells.weight)


@pytest.mark.parametrize("which", ["spend_cells", "total_cells"])
def test_spend_cells_keep_counts_and_two_moments(stored, summary, which):
    cells = getattr(stored, which)
    count, mean = summary.frequency, summary.monetary_value
    if which == "total_cells":
        count, mean = count + 1, summary.total_value / (count + 1)
    says = (count > 0) & (mean > 0)
    (x, m), weight, _ = cells
    silent = m == 0
    assert weight[silent].sum() == (~says).sum()
    assert weight.sum() == len(summary)
    log = np.log(m[~silent])
    for power in (0, 1, 2):
        direct = (np.log(mean[says]) ** power * count[says]).sum()
        assert (weight[~silent] * x[~silent] * log**power).sum() == pytest.approx(direct, rel=1e-12)


def test_spend_cells_do_not_depend_on_the_batches():
    rng = np.random.default_rng(1)
    count, mean = rng.integers(0, 5, 5000).astype(float), rng.gamma(2, 20, 5000)
    whole, parts = SpendCells(), SpendCells()
    whole.add(count, mean)
    for some in np.array_split(np.arange(5000), 7):
        parts.add(count[some], mean[some])
    one, other = whole.cells, parts.cells
    assert np.array_equal(one.weight, other.weight)
    assert np.array_equal(one.columns[0], other.columns[0])
    assert np.allclose(one.columns[1], other.columns[1], rtol=1e-12, atol=0)
    assert np.unique(np.floor(np.log(mean) / STEP)).size > 500  # many intervals were in use


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_estimates_from_spend_cells(size):
    """Within 1e-4 of a standard error of those of the customers: the bound that is stated."""
    truth = clv.GammaGamma(2.5, 3.0, 12.0)
    rng = np.random.default_rng(size)
    count = rng.integers(0, 12, size).astype(float)
    mean = np.where(count > 0, rng.gamma(truth.p * np.maximum(count, 1)), 0.0)
    mean /= np.maximum(count, 1) * rng.gamma(truth.q, 1 / truth.gamma, size)
    exact = clv.fit(clv.GammaGamma, {"frequency": count, "monetary_value": mean})
    gathered = SpendCells()
    gathered.add(count, mean)
    (x, m), weight, _ = gathered.cells
    assert weight.size < 0.8 * size  # else nothing was tested
    found = clv.fit(clv.GammaGamma, {"frequency": x, "monetary_value": m, "weight": weight})
    error = np.sqrt(np.diag(exact.covariance))
    moved = np.log(list(found.parameters.values())) - np.log(list(exact.parameters.values()))
    assert np.abs(moved / error).max() < 1e-4
    assert found.customers == exact.customers
    assert found.left_out == exact.left_out


def test_without_amounts(orders, tmp_path):
    named = {"customer": "customer_id", "date": "date"}
    stored = clv.summarize_to(tmp_path / "s.parquet", orders, **named)
    assert stored.spend_cells is None
    assert not stored.has_value
    assert clv.open_summary(stored.path).load().monetary_value is None


@pytest.mark.parametrize("occasion", ["D", "W", "exact"])
def test_occasions(orders, tmp_path, occasion):
    whole = clv.summarize(orders, **COLUMNS, occasion=occasion)
    stored = clv.summarize_to(
        tmp_path / "s.parquet", orders, **COLUMNS, occasion=occasion, rows=500
    )
    assert stored.load().table.equals(whole.table)


def test_it_opens_again(stored, summary):
    again = clv.open_summary(stored.path)
    assert repr(again) == repr(stored)
    assert again.reconciliation == stored.reconciliation
    loaded = again.load()
    assert (loaded.unit, loaded.end) == (summary.unit, summary.end)
    assert np.array_equal(loaded.T, summary.T)
    assert is_stored(stored.path)


def test_what_is_no_stored_summary(tmp_path):
    other = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    assert not is_stored(other)
    with pytest.raises(FileError, match="no summary that summarize_to wrote"):
        clv.open_summary(other)
    with pytest.raises(FileError, match="cannot be read"):
        clv.open_summary(tmp_path / "nothing.parquet")


def test_errors_leave_no_file(orders, tmp_path):
    path = tmp_path / "s.parquet"
    path.write_text("old")
    refunds = orders.assign(amount=-1.0)
    with pytest.raises(DataError, match="No day has a positive net amount"):
        clv.summarize_to(path, refunds, **COLUMNS)
    with pytest.raises(ParameterError, match="memory_limit == 'much'"):
        clv.summarize_to(path, orders, **COLUMNS, memory_limit="much")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
