"""Every table of a lake is read by every tool that speaks Delta's first protocol: the same columns, the same cells."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from faults.harm import write_run_bank

from tenure.session.work import Work

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """The lake of a bank with every table, run twice in part, so that its logs hold more than one commit."""
    folder = write_run_bank(tmp_path_factory.mktemp("readers") / "bank")
    with Work.look(folder) as work:
        return work.lake


def with_deltalake(folder: Path) -> pa.Table:
    return DeltaTable(folder).to_pyarrow_table()


def with_duckdb(folder: Path) -> pa.Table:
    """DuckDB over an Arrow data set, as it reads Delta without an extension."""
    with duckdb.connect() as database:
        database.register("stored", DeltaTable(folder).to_pyarrow_dataset())
        return database.sql("SELECT * FROM stored").to_arrow_table()


def with_polars(folder: Path) -> pa.Table:
    return pl.read_delta(str(folder)).to_arrow()


def cells(rows: pa.Table) -> list[str]:
    """The rows as text, in an order of their own: each tool has types of its own for instants and lists."""
    plain = rows.select(sorted(rows.column_names))
    for place, field in enumerate(plain.schema):
        if pa.types.is_timestamp(field.type):
            plain = plain.set_column(place, field.name, plain[field.name].cast(pa.timestamp("us", "UTC")))
    return sorted(map(repr, plain.to_pylist()))


def test_every_table_has_the_first_protocol(lake):
    for table in lake.tables():
        protocol = DeltaTable(lake.path(table)).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), table
        assert not protocol.reader_features, table
        assert not protocol.writer_features, table


@pytest.mark.parametrize("read", [with_deltalake, with_duckdb, with_polars], ids=["deltalake", "DuckDB", "polars"])
def test_every_table_is_read(lake, read):
    for table in lake.tables():
        assert cells(read(lake.path(table))) == cells(lake.read(table)), table


@pytest.mark.spark
def test_spark_reads_the_files_that_the_log_names(lake, spark_session):
    """Delta's own connector for Spark is no part of Spark; the Parquet files are plain."""
    for table in lake.tables():
        folder = lake.path(table)
        files = DeltaTable(folder).file_uris()
        if not files:
            continue
        rows = spark_session.read.option("basePath", str(folder)).parquet(*files)
        stored = lake.read(table)
        assert sorted(rows.columns) == sorted(stored.column_names), table
        assert rows.count() == stored.num_rows, table
        keys = [name for name in sorted(stored.column_names) if pa.types.is_string(stored.schema.field(name).type)][:3]
        found = sorted(map(repr, ([row[name] for name in keys] for row in rows.select(keys or "*").collect())))
        if keys:
            assert found == sorted(map(repr, ([row[name] for name in keys] for row in stored.select(keys).to_pylist())))
