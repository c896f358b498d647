"""Spark where something it needs is not there: a clear message, at once, and no traceback."""

import json
import subprocess
import sys

import pytest

from tenure.errors import install_hint

OPEN = """
import json, os, sys
{before}
from tenure.engines import open_engine
from tenure.engines.base import EngineSettings
from tenure.errors import MissingDependency
try:
    open_engine(EngineSettings(name="spark"))
except MissingDependency as error:
    print(json.dumps([error.message, error.hint]))
"""


def opened_without(before):
    script = OPEN.format(before=before)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
    return json.loads(done.stdout.splitlines()[-1])


def test_no_java_at_all():
    pytest.importorskip("pyspark")
    message, hint = opened_without("os.environ['PATH'] = ''; os.environ.pop('JAVA_HOME', None)")
    assert "needs Java 17" in message
    assert "openjdk-17-jre-headless" in hint
    assert "name = 'duckdb'" in hint


def test_java_home_that_holds_no_java():
    pytest.importorskip("pyspark")
    message, hint = opened_without("os.environ['JAVA_HOME'] = '/nowhere'")
    assert "JAVA_HOME='/nowhere'" in message
    assert "Point JAVA_HOME at a Java 17" in hint


def test_pyspark_not_installed():
    message, hint = opened_without("sys.modules['pyspark'] = None; sys.modules['pyspark.sql'] = None")
    assert "needs pyspark, which is not installed" in message
    assert hint == install_hint("spark")


@pytest.mark.spark
def test_what_answers_depend_on_is_set_on_a_session_that_someone_else_started(spark_session):
    from tenure.engines.base import EngineSettings
    from tenure.engines.spark import SparkEngine

    spark_session.conf.set("spark.sql.session.timeZone", "America/New_York")
    spark_session.conf.set("spark.sql.ansi.enabled", "true")
    engine = SparkEngine(EngineSettings(name="spark"), spark_session)
    found = engine.run("SELECT CAST(CAST('2024-03-10 02:30:00' AS TIMESTAMP) AS STRING) AS at, 1 / 0 AS ratio")
    assert found.to_pylist() == [{"at": "2024-03-10 02:30:00", "ratio": None}]
    engine.close()
    assert spark_session.range(3).count() == 3, "a session that was given stays open"
