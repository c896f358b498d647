"""Arrivals: a day's digests change with any row that began or stopped to count on it, and with no other."""

from __future__ import annotations

from datetime import date

import pytest

from tenure import Column, Csv, Source
from tenure.tables.arrivals import arrivals

MOVES = Source(
    "moves",
    read=Csv("moves.csv"),
    columns=[
        Column("move_id", type="integer", role="key"),
        Column("channel"),
        Column("amount", type="decimal"),
        Column("moved_on", type="date", role="time"),
    ],
    key="move_id",
    event_time="moved_on",
)

#: id, channel, amount, event, known, until
ROWS = [
    ("1", "'web'", "10.00", "2024-01-01", "2024-01-01", None),
    ("2", "NULL", "20.00", "2024-01-01", "2024-01-03", "2024-01-05"),
    ("3", "''", "30.00", "2024-01-04", "2024-01-02", None),
]
DAYS = [date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 4), date(2024, 1, 5)]


@pytest.fixture
def told(engine):
    """The arrivals of rows by day, each with its rows and digests."""

    def by_day(rows):
        lines = [
            f"SELECT CAST({n} AS BIGINT) AS move_id, CAST({channel} AS {_text(engine)}) AS channel, "
            f"CAST({amount} AS DECIMAL(18, 2)) AS amount, DATE '{event}' AS moved_on, "
            f"TIMESTAMP '{event} 00:00:00' AS event_time, TIMESTAMP '{known} 00:00:00' AS known_time, "
            + (f"TIMESTAMP '{until} 00:00:00'" if until else "CAST(NULL AS TIMESTAMP)")
            + " AS known_until"
            for n, channel, amount, event, known, until in rows
        ]
        engine.cache("moves", " UNION ALL ".join(lines))
        return {row.pop("day_start"): row for row in engine.run(arrivals(MOVES, engine.dialect).text).to_pylist()}

    return by_day


def _text(engine):
    return {"duckdb": "VARCHAR", "spark": "STRING"}[engine.dialect]


def changed(before, after):
    return {day: sorted(k for k in after[day] if after[day][k] != before[day][k]) for day in DAYS}


def test_rows_arrive_when_they_happened_and_are_known_and_are_replaced_on_the_day_of_known_until(told):
    found = told(ROWS)
    assert sorted(found) == DAYS
    assert {day: row["rows"] for day, row in found.items()} == dict(zip(DAYS, (1, 1, 1, 0), strict=True))
    assert found[DAYS[3]]["replaced"] is not None
    assert found[DAYS[3]]["arrived"] is None


def test_the_order_of_rows_does_not_matter(told):
    assert told(ROWS) == told(ROWS[::-1])


@pytest.mark.parametrize("cell", ["'app'", "NULL", "''"])
def test_a_changed_cell_changes_the_digests_of_its_day_alone(told, cell):
    before = told(ROWS)
    after = told([(ROWS[0][0], cell, *ROWS[0][2:]), *ROWS[1:]])
    assert changed(before, after) == {DAYS[0]: ["arrived", "tiled"], DAYS[1]: [], DAYS[2]: [], DAYS[3]: []}


def test_null_is_not_the_empty_text(told):
    rows = [(ROWS[1][0], "''", *ROWS[1][2:])]
    assert told([ROWS[1]])[DAYS[1]] != told(rows)[DAYS[1]]


def test_a_row_replaced_later_changes_its_tile_and_the_days_of_replacing(told):
    before = told(ROWS)
    after = told([ROWS[0], (*ROWS[1][:5], "2024-01-04"), ROWS[2]])
    assert set(after) == set(DAYS[:3])
    assert after[DAYS[1]]["tiled"] != before[DAYS[1]]["tiled"]
    assert after[DAYS[1]]["arrived"] == before[DAYS[1]]["arrived"]
    assert after[DAYS[2]]["replaced"] == before[DAYS[3]]["replaced"]
