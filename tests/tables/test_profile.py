"""The profile of a source as SQL: six hand-worked rows in two months, on both engines."""

from datetime import date

import pytest

from tenure import Column, Csv, Source
from tenure.checks.coded import count
from tenure.tables import profile
from tenure.tables.checks import CHECKED

SEEN = Source(
    "sightings",
    read=Csv("seen.csv"),
    key="seen_id",
    event_time="seen_at",
    known_time="known_at",
    columns=[
        Column("seen_id", type="integer", role="key"),
        Column("seen_at", type="timestamp", role="time"),
        Column("known_at", type="timestamp", role="time"),
        Column("amount", type="decimal", role="measure"),
        Column("kind", role="dimension"),
        Column("email", role="pii"),
        Column("due", type="date", planned=True),
        Column("open", type="boolean"),
    ],
)

ROWS = [
    # seen_id, seen_at, days until known, amount, kind, email, due, open
    (1, "2024-01-05 02:00:00", 0, "5.50", "'card'", "'a@b'", "'2024-01-10'", "TRUE"),
    (2, "2024-01-06 14:00:00", 2, "-120", "'Café'", "NULL", "'1899-12-31'", "FALSE"),
    (3, "2024-01-06 14:00:00", 2, "-120", "'Café'", "NULL", "'1899-12-31'", "FALSE"),
    (4, "2024-02-01 23:00:00", 40, "NULL", "'CafÃ©'", "'9'", "'9999-12-31'", "NULL"),
    (5, "2024-02-02 08:00:00", 0, "0", "'SÃO'", "NULL", "'2100-01-01'", "TRUE"),
    (6, "2024-02-29 08:00:00", 0, "1000", "NULL", "NULL", "NULL", "TRUE"),
]
#: Until when the rows of these keys were the newest version.
REPLACED = {2: "'2024-03-01 00:00:00'"}
JANUARY, FEBRUARY = date(2024, 1, 1), date(2024, 2, 1)


@pytest.fixture
def rows(engine):
    text = "STRING" if engine.dialect == "spark" else "VARCHAR"
    lines = [
        f"SELECT CAST({key} AS BIGINT) AS seen_id, TIMESTAMP '{at}' AS event_time, TIMESTAMP '{at}' AS seen_at, "
        f"TIMESTAMP '{at}' + INTERVAL '{late}' DAY AS known_time, "
        f"TIMESTAMP '{at}' + INTERVAL '{late}' DAY AS known_at, "
        f"CAST({REPLACED.get(key, 'NULL')} AS TIMESTAMP) AS known_until, "
        f"CAST({amount} AS DECIMAL(18, 2)) AS amount, CAST({kind} AS {text}) AS kind, "
        f"CAST({email} AS {text}) AS email, "
        f"CAST({due} AS DATE) AS due, CAST({open_} AS BOOLEAN) AS open"
        for key, at, late, amount, kind, email, due, open_ in ROWS
    ]
    engine.cache(CHECKED, "\nUNION ALL\n".join(lines))
    return engine


def test_what_cells_look_like_is_counted_by_month_in_one_statement(rows):
    measures = profile.measures(SEEN, rows.dialect)
    counts = count(rows, measures)
    found = {(one.column, one.name): (n[JANUARY], n[FEBRUARY]) for one, n in zip(measures, counts.failing, strict=True)}
    assert found["amount", "null"] == (0, 1)
    assert found["amount", "negative"] == (2, 0)
    assert found["amount", "zero"] == (0, 1)
    assert found["amount", "size>=100"] == (2, 1)
    assert found["amount", "fraction"] == (1, 0)
    assert found["kind", "damaged"] == (0, 1), "neither an accent nor a capital of its own is damage"
    assert found["email", "with @"] == (1, 0)
    assert found["email", "digit first"] == (0, 1)
    assert found["due", "far out"] == (2, 1), "an open end is none"
    assert found["open", "true"] == (1, 2)
    assert found["seen_at", "hour<3"] == (1, 0)
    assert found["known_at", "delay>1"] == (2, 1)
    assert found["known_at", "delay>7"] == (0, 1)
    assert found["seen_at", "known 31 days after it happened"] == (0, 1)
    assert found["seen_at", "known 183 days after it happened"] == (0, 0)
    assert found["seen_id", "superseded"] == (1, 0)
    assert ("seen_id", "null") not in found


def test_values_are_counted_by_month_in_one_statement_and_of_no_personal_column(rows):
    assert profile.valued_columns(SEEN) == ["kind"]
    found = rows.run(profile.value_counts(["kind", "email"]).text).to_pylist()
    counted = {(row["place"], row["month"], row["value"]): row["n"] for row in found}
    assert counted[0, JANUARY, "Café"] == 2
    assert counted[0, FEBRUARY, "SÃO"] == 1
    assert counted[1, JANUARY, "a@b"] == 1
    assert counted[1, JANUARY, None] == 2


def test_rows_alike_but_for_their_key_are_counted_once_less_than_they_are(rows):
    assert rows.run(profile.repeated_rows(SEEN, rows.dialect).text).to_pylist() == [{"month": JANUARY, "n": 1}]


def test_each_of_the_three_statements_reads_the_rows_once(rows):
    measures = profile.measures(SEEN, rows.dialect)
    from tenure.tables.checks import counted_by_month

    for select in (counted_by_month(measures), profile.value_counts(["kind"]), profile.repeated_rows(SEEN, "duckdb")):
        assert select.text.count(CHECKED) == 1
