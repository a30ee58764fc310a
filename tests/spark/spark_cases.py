"""What the tests with Spark share."""

from pathlib import Path

import pyarrow as pa
import pytest

IN_SPARK = pytest.mark.filterwarnings(
    "ignore:PySpark does not yet fully support pandas:FutureWarning"
)
"""The mark of every test with Spark, which warns of pandas 3 whenever it is used."""
SHOP_ORDERS = Path(__file__).parents[2] / "data" / "sample" / "shop_orders.csv"
SHOP = {"customer": "customer_email", "date": "ordered_at", "value": "amount"}


def in_spark(spark, frame):
    """A Spark table of a pandas table, through Arrow (Spark's own way warns of pandas 3)."""
    return spark.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))


def by_id(frame):
    """A Spark table as pandas, in the order of the customers."""
    return frame.toArrow().to_pandas().sort_values("customer_id").reset_index(drop=True)
