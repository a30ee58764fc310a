"""Fits, predictions and backtests of orders in Spark give the numbers of one machine."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from order_cases import CDNOW, cdnow_sample
from pyspark.sql import functions as sql
from spark_cases import IN_SPARK, by_id, in_spark

import clvmodel as clv
from clvmodel.tables.reading import columns_of, read_purchases
from clvmodel.tables.rules import rules
from clvmodel.tables.spark_source import _Folder
from clvmodel.tables.spark_summary import purchases_from_spark
from clvmodel.value.predictions import Options
from clvmodel.value.scoring import _Scores

pytestmark = IN_SPARK
PAST = {"end": "1997-09-30", "unit": "W"}


@pytest.fixture(scope="module")
def fitted(cdnow_summaries):
    return clv.ValueModel().fit(cdnow_summaries[0])


def assert_close(theirs, ours, accuracy=1e-9):
    """Tables of the same customers, in the same columns."""
    assert list(theirs.columns) == list(ours.columns)
    assert theirs["customer_id"].tolist() == ours["customer_id"].tolist()
    for name in ours.columns[1:]:
        if ours[name].dtype.kind == "M":
            assert (theirs[name].isna() == ours[name].isna()).all()
            assert (theirs[name].dropna() == ours[name].dropna()).all()
        else:
            np.testing.assert_allclose(theirs[name], ours[name], rtol=accuracy, atol=1e-12)


def test_fits(fitted, cdnow_summaries, cdnow, tmp_path):
    stored = clv.summarize_to(tmp_path / "s.parquet", cdnow, **CDNOW, **PAST)
    ours = clv.ValueModel().fit(stored)
    for mine, own in zip(fitted.fits, ours.fits, strict=True):
        np.testing.assert_allclose(mine.model.values(), own.model.values(), rtol=1e-9)
        np.testing.assert_allclose(mine.covariance, own.covariance, rtol=1e-6)
        assert mine.log_likelihood == pytest.approx(own.log_likelihood, rel=1e-12)
    of_rows = clv.fit(clv.BGNBD, stored.load())
    np.testing.assert_allclose(fitted.purchases.model.values(), of_rows.model.values(), rtol=1e-9)
    first = clv.ValueModel(spend_includes_first=True)
    mine, own = (
        first.fit(summary).spend.model.values() for summary in (cdnow_summaries[0], stored)
    )
    np.testing.assert_allclose(mine, own, rtol=1e-9)


def test_predictions(fitted, cdnow_summaries):
    theirs, ours = cdnow_summaries
    frame = fitted.predict(theirs, "39W", margin=0.3, silent_until="1997-12-31")
    assert type(frame) is type(theirs.frame)
    assert_close(by_id(frame), fitted.predict(ours, "39W", margin=0.3, silent_until="1997-12-31"))


def test_distributions(fitted, cdnow_summaries):
    """Curves are read between points that depend on who else is read: hence the accuracy."""
    theirs, ours = cdnow_summaries
    options = {"quantiles": (0.5, 0.9), "value_above": 50}
    mine, own = fitted.predict(theirs, "39W", **options), fitted.predict(ours, "39W", **options)
    assert_close(by_id(mine), own, accuracy=1e-6)


def test_numbers_for_each_customer_are_refused(fitted, cdnow_summaries):
    theirs, _ = cdnow_summaries
    with pytest.raises(clv.ParameterError, match=r"margin == .*the same for all"):
        fitted.predict(theirs, "39W", margin="margin")
    with pytest.raises(clv.UnitError, match="horizon"):
        fitted.predict(theirs, "39 moons")
    with pytest.raises(clv.ParameterError, match=r"margin == .*the same for all"):
        fitted.predict_total(theirs, "39W", margin="margin")


def test_parameters_are_drawn_from_the_same_data(cdnow_summaries):
    """A pickled fit has no cells; what goes to the cluster brings them where they are needed."""
    model = clv.ValueModel().fit(cdnow_summaries[1])
    scores = _Scores(model, tuple(f.cells for f in model.fits), "39W", Options(), None, False)
    there = pickle.loads(pickle.dumps(scores)).model
    for mine, own in zip(there.fits, model.fits, strict=True):
        np.testing.assert_array_equal(mine.sample(20, seed=3).draws, own.sample(20, seed=3).draws)


def test_files_of_predictions(fitted, cdnow_summaries, tmp_path, spark):
    theirs, _ = cdnow_summaries
    out, told = tmp_path / "scores.parquet", []
    for margin in (1.0, 0.5):  # the second time in place of the first
        done = fitted.predict_to(
            out, theirs, "39W", margin=margin, dates=True, progress=lambda *n: told.append(n)
        )
        assert done == 2357
        assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]
    assert told == [(2357, 2357)] * 2
    here = tmp_path / "here.parquet"
    stored = clv.summarize_to(tmp_path / "s.parquet", cdnow_sample(), **CDNOW, **PAST)
    fitted.predict_to(here, stored, "39W", margin=0.5, dates=True)
    assert_close(by_id(spark.read.parquet(str(out))), pd.read_parquet(here))


@pytest.fixture
def old(tmp_path):
    """Older scores, which are to stay whatever happens; and how to tell that nothing else did."""
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "part-0.parquet").write_text("old")

    def untouched():
        files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")]
        assert sorted(files) == ["scores", "scores/part-0.parquet"]
        assert (tmp_path / "scores" / "part-0.parquet").read_text() == "old"

    return tmp_path / "scores", untouched


def with_column(summary, name, mend):
    """A summary with another value for one customer, which only the cluster will see."""
    value = sql.when(sql.col("customer_id") == "1234", mend).otherwise(sql.col(name))
    return replace(summary, kept=summary.kept.withColumn(name, value))


def test_a_value_that_cannot_be_is_our_error_and_leaves_nothing(fitted, cdnow_summaries, old):
    out, untouched = old
    broken = with_column(cdnow_summaries[0], "monetary_value", sql.lit(-5.0))
    broken = with_column(broken, "frequency", sql.lit(2.0))
    plain = replace(fitted, reference=None)  # else the check for drift would see it first
    with pytest.raises(clv.DataError) as error:
        plain.predict_to(out, broken, "39W")
    assert str(error.value).startswith("The mean value of a customer's purchases")
    assert "\n" not in str(error.value)
    untouched()


def test_a_task_that_fails_is_our_error_and_leaves_nothing(fitted, cdnow_summaries, old):
    @sql.udf("double")
    def fail(_):
        raise OSError("the disk of this worker is full")

    out, untouched = old
    broken = with_column(cdnow_summaries[0], "first_value", fail("first_value"))
    plain = replace(fitted, reference=None)
    with pytest.raises(clv.SparkError) as error:
        plain.predict_to(out, broken, "39W")
    assert str(error.value) == (
        f"{out} cannot be written: a task of the Spark job failed: OSError: the disk of this "
        "worker is full"
    )
    untouched()


def test_missing_rows_are_our_error_and_leave_nothing(fitted, cdnow_summaries, old):
    out, untouched = old
    more = replace(cdnow_summaries[0], customers=2358)
    with pytest.raises(clv.FileError, match="2,357 rows were made of 2,358; nothing was written"):
        fitted.predict_to(out, more, "39W")
    untouched()


class Fussy:
    """Hadoop's files, whose n-th renaming fails."""

    def __init__(self, files, fails):
        self.files, self.left = files, fails

    def __getattr__(self, name):
        return getattr(self.files, name)

    def rename(self, one, other):
        self.left -= 1
        return self.left != 0 and self.files.rename(one, other)


@pytest.mark.parametrize("fails", [1, 2])
def test_what_cannot_be_renamed_leaves_what_was_there(spark, old, fails):
    out, untouched = old
    with _Folder(spark, str(out)) as new:
        spark.range(3).write.parquet(new.draft)
        new._files = Fussy(new._files, fails)
        with pytest.raises(clv.FileError, match=r"scores cannot be written: .* cannot be re"):
            new.finish()
    untouched()


def test_a_folder_of_other_files_is_not_replaced(fitted, cdnow_summaries, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(clv.FileError, match=r"holds other files than Spark's, such as 'letters"):
        fitted.predict_to(tmp_path, cdnow_summaries[0], "39W")
    with pytest.raises(clv.ParameterError, match="Parquet"):
        fitted.predict_to(tmp_path / "scores.csv", cdnow_summaries[0], "39W")
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_backtest(spark, cdnow):
    candidates = [clv.ValueModel(), clv.RunRate()]
    options = {**CDNOW, "cutoffs": "1997-09-30", "horizon": "39W", "unit": "W"}
    theirs = clv.backtest(in_spark(spark, cdnow), candidates, **options)
    ours = clv.backtest(cdnow, candidates, **options)
    assert theirs.scores == ours.scores
    assert theirs.data["fingerprint"] == ours.data["fingerprint"]
    assert theirs.data["source"] == "a pyspark table"


def test_a_backtest_of_many_takes_a_sample_and_says_so(spark, cdnow):
    how = rules()
    columns = columns_of(**CDNOW, rules=how)
    ours = read_purchases(cdnow, columns, how)
    some = purchases_from_spark(in_spark(spark, cdnow), columns, how, most=500)
    assert 450 <= len(some.ids) <= 500
    assert some.ids.to_pylist() == sorted(set(some.ids.to_pylist()))

    def rows(purchases):
        ids = purchases.ids.to_numpy(zero_copy_only=False)[purchases.customer]
        return list(zip(ids, purchases.day.tolist(), purchases.value.tolist(), strict=True))

    taken = set(some.ids.to_pylist())
    assert rows(some) == [row for row in rows(ours) if row[0] in taken]
    account = some.reconciliation
    assert account.purchases == len(some.day)
    outside = account.excluded[-1]
    assert outside.reason.startswith(
        f"purchases of customers outside the sample of {len(taken)} of 2,357"
    )
    assert account.rows == ours.reconciliation.rows
    assert account.purchases + account.merged + outside.rows == account.rows
    assert account.amount + outside.amount == pytest.approx(ours.reconciliation.amount, rel=1e-12)


def test_segments_and_tiers(fitted, cdnow_summaries, tmp_path, spark, monkeypatch):
    theirs, ours = cdnow_summaries
    how = {"horizon": "39W", "margin": 0.4}
    whole, some = (clv.segment(each, fitted, **how) for each in (ours, theirs))
    assert some.rfm == whole.rfm
    monkeypatch.setattr("clvmodel.value.totals._DRAWS", 200)
    table, own = some.table(), whole.table()
    exact = [name for name in own if "_q" not in name]
    pd.testing.assert_frame_equal(table[exact], own[exact], rtol=1e-9)
    for name in ("value_q05", "value_q95"):  # simulated, here and there
        width = own["value_q95"] - own["value_q05"]
        assert ((table[name] - own[name]).abs() < 0.2 * width).all()
    pd.testing.assert_frame_equal(some.deciles(), whole.deciles())
    assert_close(by_id(some.frame)[["customer_id", "r", "f", "m", "clv"]], rows(whole.frame))
    assert by_id(some.frame)["segment"].tolist() == whole.frame["segment"].tolist()
    assert some.customers("Champions").count() == len(whole.customers("Champions"))
    moved = some.migration(some.at(theirs)).set_index("segment")
    assert moved.loc["Champions", "Champions"] == len(whole.customers("Champions"))
    assert moved.to_numpy().trace() == moved.to_numpy().sum() == len(ours)
    tiered, there = clv.tier(ours, fitted, **how), clv.tier(theirs, fitted, **how)
    assert there.tiers.thresholds == pytest.approx(tiered.tiers.thresholds, rel=1e-9)
    pd.testing.assert_frame_equal(there.lists, tiered.lists, rtol=1e-9)
    risk = there.action("VIPs at risk").toArrow().to_pandas()
    assert risk["customer_id"].tolist() == tiered.action("VIPs at risk")["customer_id"].tolist()
    assert there.to(tmp_path / "tiers") == 2357
    written = by_id(spark.read.parquet(str(tmp_path / "tiers")))
    assert written["tier"].tolist() == tiered.frame["tier"].tolist()


def rows(frame):
    return frame[["customer_id", "r", "f", "m", "clv"]]


def test_cohorts_and_unit_economics(fitted, cdnow_summaries):
    theirs, ours = cdnow_summaries
    some, whole = (clv.cohorts(each, fitted, ahead=3) for each in (theirs, ours))
    assert some.names == whole.names
    np.testing.assert_array_equal(some.customers, whole.customers)
    np.testing.assert_allclose(some.revenue, whole.revenue, rtol=1e-9)
    np.testing.assert_allclose(some.repeat_rate, whole.repeat_rate, rtol=1e-9)
    np.testing.assert_allclose(some.retention, whole.retention, atol=0.02)
    some, whole = (clv.UnitEconomics(fitted, each, cac=20, draws=20) for each in (theirs, ours))
    for row, own in zip(some.rows, whole.rows, strict=True):
        assert (row["model"], row["formula"]) == pytest.approx(
            (own["model"], own["formula"]), rel=1e-9
        )
