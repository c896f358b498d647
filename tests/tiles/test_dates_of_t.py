"""What t itself says: the month of the year, and the days to an anniversary, worked out by hand and by the oracle."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure import Attribute, Column, Csv, DatePart, Source
from tenure.proofs.oracle.rules import days_to_anniversary, whole_years
from tenure.tiles.columns import date_part, reading

PEOPLE = Source(
    "people",
    read=Csv("people.csv"),
    key="person_id",
    event_time="joined_on",
    columns=[Column("person_id", type="integer", role="key"), Column("joined_on", type="date", role="time")],
)
TO_ANNIVERSARY = Attribute("to_anniversary", of="joined_on", how="days_to_anniversary", doc="Days to it")
MONTH = DatePart("month_of_snapshot", how="month_of_year", doc="Month")

BY_HAND = [
    # joined, t, days to the anniversary
    ("2020-05-31", "2024-05-31", 0),
    ("2020-05-31", "2024-05-30", 1),
    ("2020-05-31", "2024-06-01", 364),  # to 2025-05-31
    ("2020-05-31", "2023-06-01", 365),  # over 29 February 2024
    ("2020-12-31", "2024-12-31", 0),
    ("2021-01-01", "2024-12-31", 1),
    ("2020-12-31", "2025-01-01", 364),
    ("2020-02-29", "2024-02-28", 1),  # a leap year has its day
    ("2020-02-29", "2024-02-29", 0),
    ("2020-02-29", "2024-03-01", 365),  # to 2025-03-01
    ("2020-02-29", "2023-02-28", 1),  # to 2023-03-01
    ("2020-02-29", "2023-03-01", 0),
    ("2020-02-29", "2023-03-02", 364),  # to 2024-02-29
    ("2020-03-01", "2024-02-29", 1),
    ("2024-02-29", "2024-02-29", 0),
    ("1899-07-04", "2024-07-03", 1),
]

days_of_life = st.dates(date(1890, 1, 1), date(2090, 12, 31)) | st.sampled_from(
    [date(year, month, day) for year in (2000, 2023, 2024) for month, day in ((2, 28), (3, 1), (1, 1), (12, 31))]
)


def computed(engine, pairs):
    """(days to the anniversary, month of t) of each pair, in its order, by the SQL of the engine."""
    rows = ", ".join(f"({n}, CAST({joined} AS DATE), DATE '{t}')" for n, (joined, t) in enumerate(pairs))
    to_anniversary = reading(PEOPLE, TO_ANNIVERSARY, "s", engine.dialect)
    columns = f"{to_anniversary} AS to_anniversary, {date_part(MONTH)} AS month_of_snapshot"
    found = engine.run(f"SELECT n, {columns} FROM (VALUES {rows}) AS s (n, joined_on, snapshot_date) ORDER BY n")
    assert list(map(str, found.schema.types[1:])) == ["int64", "int64"]
    return [(row["to_anniversary"], row["month_of_snapshot"]) for row in found.to_pylist()]


def test_the_sql_is_what_was_worked_out_by_hand(engine):
    pairs = [(f"'{joined}'", t) for joined, t, _ in BY_HAND]
    assert computed(engine, [*pairs, ("NULL", "2024-02-29")]) == [
        *((left, int(t[5:7])) for _, t, left in BY_HAND),
        (None, 2),
    ]


@pytest.mark.parametrize(("joined", "t", "left"), BY_HAND)
def test_the_oracle_is_what_was_worked_out_by_hand(joined, t, left):
    assert days_to_anniversary(date.fromisoformat(joined), date.fromisoformat(t)) == left


def test_the_sql_is_the_oracles_on_every_day_of_four_years(engine):
    step = 1 if engine.dialect == "duckdb" else 40
    ts = [date(2023, 1, 1) + timedelta(days=n) for n in range(0, 4 * 366, step)]
    joined = (date(2020, 2, 29), date(2020, 2, 28), date(2021, 3, 1), date(2019, 12, 31), date(2020, 1, 1))
    pairs = [(day, t) for day in joined for t in ts]
    got = computed(engine, [(f"'{day}'", t) for day, t in pairs])
    assert got == [(days_to_anniversary(day, t), t.month) for day, t in pairs]


@given(days_of_life, days_of_life)
def test_on_the_anniversary_a_year_is_full_and_on_no_day_before(joined, t):
    left = days_to_anniversary(joined, t)
    assert 0 <= left <= 365
    on_it = t + timedelta(days=left)
    years = whole_years(joined, on_it)
    assert whole_years(joined, on_it - timedelta(days=1)) == years - 1
    assert left == 0 or whole_years(joined, t) == years - 1
