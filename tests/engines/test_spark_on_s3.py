"""Spark on S3: it reads where its session has Hadoop's connector, and says so where it has none."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.engines.base import EngineSettings
from tenure.engines.spark import SparkEngine
from tenure.errors import MissingDependency

ROWS = pa.table({"customer_id": [1, 2], "amount": [1.5, None]})

#: Paths of hadoop-aws and of the AWS bundle that fits it, separated by commas: neither is in any Python package.
JARS = os.environ.get("TENURE_TEST_S3A_JARS", "")


@pytest.fixture
def file(prefix, tmp_path):
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    place = prefix / "rows.parquet"
    place.write((tmp_path / "rows.parquet").read_bytes())
    return place


@pytest.mark.spark
@pytest.mark.skipif(bool(JARS), reason="this session has the connector")
def test_spark_without_the_connector_is_refused_by_its_name(spark_session, file):
    engine = SparkEngine(EngineSettings(name="spark"), spark_session)
    with pytest.raises(MissingDependency, match=r"no connector to S3 \(org\.apache\.hadoop\.fs\.s3a") as refused:
        engine.scan("rows", [file], ROWS.schema, ())
    assert "hadoop-aws" in refused.value.hint


@pytest.mark.spark
@pytest.mark.skipif(not JARS, reason="TENURE_TEST_S3A_JARS names no connector")
def test_spark_with_the_connector_reads_the_same_rows(file, s3_settings):
    reached = {
        "spark.jars": JARS,
        "spark.hadoop.fs.s3a.endpoint": s3_settings.endpoint,
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    engine = SparkEngine(EngineSettings(name="spark", options=reached))
    try:
        engine.scan("rows", [file], ROWS.schema, ())
        assert engine.run("SELECT * FROM rows ORDER BY customer_id").equals(ROWS)
    finally:
        engine.close()
