"""A summary made in Spark is the summary made here: rows, account, cells, errors."""

import numpy as np
import pyarrow as pa
import pytest
from order_cases import CDNOW
from pandas.testing import assert_frame_equal
from pyspark.sql import functions as sql
from spark_cases import IN_SPARK, SHOP, SHOP_ORDERS, by_id, in_spark

import clvmodel as clv
from clvmodel.tables.rules import rules
from clvmodel.tables.spark_summary import summarize_spark

pytestmark = IN_SPARK
MESSY = {"customer": "who", "date": "when", "value": "paid"}


def assert_same(theirs, ours):
    """One row per customer and one account, to the last digit (sums of amounts: but one)."""
    assert len(theirs) == len(ours)
    assert (theirs.unit, theirs.end, theirs.exact) == (ours.unit, ours.end, ours.exact)
    frame = by_id(theirs.frame)
    assert_frame_equal(frame, ours.frame.astype(frame.dtypes.to_dict()), check_exact=True)
    assert str(theirs.reconciliation) == str(ours.reconciliation)
    assert theirs.reconciliation.rows == ours.reconciliation.rows
    assert theirs.reconciliation.amount == pytest.approx(ours.reconciliation.amount, rel=1e-12)
    for mine, own in zip(theirs.reconciliation.excluded, ours.reconciliation.excluded, strict=True):
        assert mine.amount == pytest.approx(own.amount, rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order_id": "order_id", "refunds": "drop", "unit": "W", "end": "2025-06-30"},
        {"occasion": "exact", "exclude_ids": ["ada.dubois92@example.com"], "min_value": 20},
        {"value": None, "occasion": "M", "start": "2024-06-01"},
    ],
    ids=["plain", "order ids", "exact", "no amounts"],
)
def test_text_columns_of_the_shop(spark, options):
    orders = spark.read.csv(str(SHOP_ORDERS), header=True)
    theirs = clv.summarize(orders, **{**SHOP, **options})
    assert isinstance(theirs, clv.SparkSummary)
    assert_same(theirs, clv.summarize(SHOP_ORDERS, **{**SHOP, **options}))
    theirs.unpersist()


def test_times_with_a_zone_missing_fields_and_refunds(spark, messy):
    ours = clv.summarize(messy, **MESSY, end="2024-03-31")
    assert_same(clv.summarize(in_spark(spark, messy), **MESSY, end="2024-03-31"), ours)
    assert ours.frequency.tolist() == [2, 1, 1, 0, 0]  # ann, cem, dee, eve, gus


def test_cells(cdnow_summaries, tmp_path, cdnow):
    theirs, ours = cdnow_summaries
    assert_same(theirs, ours)
    stored = clv.summarize_to(tmp_path / "s.parquet", cdnow, **CDNOW, end="1997-09-30", unit="W")
    for name, accuracy in (("cells", 0), ("spend_cells", 1e-12), ("total_cells", 1e-12)):
        mine, own = getattr(theirs, name), getattr(stored, name)
        for a, b in zip((*mine.columns, mine.weight), (*own.columns, own.weight), strict=True):
            np.testing.assert_allclose(a, b, rtol=accuracy)
    assert theirs.cells.weight.sum() == len(ours)
    assert theirs.kept.select(sql.spark_partition_id()).distinct().count() == 4


def test_summary_in_words(cdnow_summaries):
    theirs, _ = cdnow_summaries
    assert repr(theirs).startswith("SparkSummary of 2,357 customers, in weeks, until 1997-09-30")
    assert "6,919 rows became 4,814 purchases" in repr(theirs)
    assert not theirs.frame.isStreaming


BAD = {
    "date": ("date", "CASE WHEN customer_id = '0007' THEN '31.12.97' ELSE date END", {}),
    "amount": ("amount", "CASE WHEN customer_id = '0007' THEN 'ten' ELSE amount END", {}),
    "refused": ("amount", "CASE WHEN customer_id = '0007' THEN -amount ELSE amount END", {}),
    "no ids": ("customer_id", "CAST(NULL AS STRING)", {}),
    "end": ("amount", "amount", {"end": "1990-01-01"}),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_here_is_refused_there_in_the_same_words(spark, cdnow, case):
    column, mended, options = BAD[case]
    options = {**CDNOW, "refunds": "error", **options}
    texts = cdnow.head(200).assign(
        date=lambda t: t["date"].dt.strftime("%Y-%m-%d"), amount=lambda t: t["amount"].map(str)
    )
    orders = in_spark(spark, texts).withColumn(column, sql.expr(mended))
    with pytest.raises(clv.DataError) as ours:
        clv.summarize(orders.toArrow().to_pandas(), **options)
    with pytest.raises(clv.DataError) as theirs:
        clv.summarize(orders, **options)
    assert str(theirs.value) == str(ours.value)


def test_columns_are_checked_before_any_job(spark, messy):
    orders = in_spark(spark, messy)
    with pytest.raises(clv.ColumnError, match=r"value='pad' is not a column.*Did you mean 'paid'"):
        clv.summarize(orders, **{**MESSY, "value": "pad"})
    with pytest.raises(clv.ColumnError, match="holds double values, not dates"):
        clv.summarize(orders, customer="who", date="paid")
    with pytest.raises(clv.ParameterError, match="name the columns"):
        summarize_spark(orders, None, rules(), "D")


def test_an_empty_table_has_no_orders(spark):
    schema = pa.schema([("who", pa.string()), ("when", pa.date32()), ("paid", pa.float64())])
    with pytest.raises(clv.DataError, match="the table has no rows"):
        clv.summarize(spark.createDataFrame(schema.empty_table()), **MESSY)


@pytest.mark.parametrize("what", ["audit", "summarize_to", "summarize_opportunities"])
def test_what_cannot_read_spark_says_so(spark, messy, tmp_path, what):
    call = getattr(clv, what)
    first = [tmp_path / "s.parquet"] if what == "summarize_to" else []
    with pytest.raises(clv.DataError, match=r"is a Spark table.*toPandas\(\)"):
        call(*first, in_spark(spark, messy), customer="who", date="when")


def test_what_fails_in_a_task_is_one_line(spark, messy):
    @sql.udf("double")
    def rate(paid):
        return paid / 0

    orders = in_spark(spark, messy).withColumn("paid", rate("paid"))
    with pytest.raises(clv.SparkError) as error:
        clv.summarize(orders, **MESSY)
    assert str(error.value) == (
        "a task of the Spark job failed: ZeroDivisionError: float division by zero"
    )


def test_what_the_cluster_cannot_find_is_one_line(spark, tmp_path, messy):
    path = tmp_path / "orders.parquet"
    in_spark(spark, messy).write.parquet(str(path))
    orders = spark.read.parquet(str(path))
    for part in path.glob("part-*"):
        part.unlink()
    with pytest.raises(
        clv.SparkError, match=r"the Spark job failed: .*orders.parquet.*not exist"
    ) as error:
        clv.summarize(orders, **MESSY)
    assert "\n" not in str(error.value)
