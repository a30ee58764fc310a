"""One Spark on this machine with two workers, for all tests that need one (Java 17)."""

import os
import sys

import pandas as pd
import pytest
from order_cases import CDNOW, cdnow_sample
from spark_cases import in_spark

from clvmodel.tables.summarize import summarize

ZONE = "America/New_York"


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .appName("clvmodel tests")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "OFF")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", ZONE)
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def cdnow():
    return cdnow_sample()


@pytest.fixture(scope="session")
def cdnow_summaries(spark, cdnow):
    """The CDNOW sample's summary, made in Spark and here."""
    options = {**CDNOW, "end": "1997-09-30", "unit": "W"}
    return summarize(in_spark(spark, cdnow), **options), summarize(cdnow, **options)


@pytest.fixture(scope="session")
def messy():
    """Orders with times near midnight in a zone, missing ids and amounts, refunds, free orders."""
    rows = [
        ("ann", "2024-01-01 23:30", 10.0),
        ("ann", "2024-01-02 00:10", 5.0),
        ("ann", "2024-01-02 18:00", 7.25),
        ("ann", "2024-03-09 23:59", 31.0),
        ("bob", "2024-02-20 09:00", 8.0),
        ("bob", "2024-02-20 10:00", -8.0),
        ("cem", "2024-01-31 12:00", 7.0),
        ("cem", "2024-01-31 20:00", -2.0),
        ("cem", "2024-03-31 23:59", 9.0),
        ("dee", "2024-03-01 00:00", 0.0),
        ("dee", "2024-03-10 03:30", 12.0),
        ("eve", "2024-03-10 01:30", 6.0),
        ("eve", "2024-04-01 00:05", 100.0),
        (None, "2024-03-01 00:00", 4.0),
        (" ", "2024-03-02 00:00", 4.5),
        ("fay", None, 3.0),
        ("fay", "2024-02-02 12:00", None),
        ("gus", "2024-02-02 12:00", 1.5),
    ]
    frame = pd.DataFrame(rows, columns=["who", "when", "paid"])
    return frame.assign(when=pd.to_datetime(frame["when"]).dt.tz_localize(ZONE))
