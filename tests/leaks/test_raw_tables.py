"""Raw times: which raw column a known time is made of, and by whose word a raw table is cut."""

from datetime import date

import pytest

from tenure import Column, Csv, Source
from tenure.leaks.raw_tables import RawTime, compared_columns, raw_times, rivals_of, the_raw_time

LOANS, STATES = Csv("loans.csv"), Csv("states.csv")
HEADERS = {
    "loans": {"id": "text", "Granted": "text", "closed": "text"},
    "states": {"id": "text", "state": "text", "told_on": "text"},
}


def source(name, select="", *, known_time="", read=None, time="granted_on", raw="", ends=""):
    return Source(
        name,
        read=read or {"loans": LOANS, "states": STATES},
        select=select,
        key="id",
        event_time=time,
        known_time=known_time,
        ends=ends,
        columns=[
            Column("id"),
            Column("closed", type="date"),
            *(Column(n, type="date", raw=raw) for n in {time, known_time} - {"", "closed"}),
        ],
    )


def told(made, dialect="duckdb"):
    return [(claim.raw.path, claim.column) for claim in raw_times(made, HEADERS, dialect)]


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("SELECT id, Granted AS granted_on, closed FROM loans", [("loans.csv", "Granted")]),
        (
            """WITH l AS (SELECT *, CAST(Granted AS TIMESTAMP) AS begun FROM loans)
            SELECT l.id, MIN(l.begun) AS granted_on, MAX(s.state) AS state
            FROM l LEFT JOIN states AS s ON s.id = l.id GROUP BY l.id""",
            [("loans.csv", "Granted")],
        ),
        (
            "SELECT l.id, GREATEST(l.Granted, s.told_on) AS granted_on FROM loans AS l JOIN states AS s ON s.id = l.id",
            [("loans.csv", "Granted"), ("states.csv", "told_on")],
        ),
        ("SELECT id, '1999-01-01' AS granted_on FROM loans", []),
        ("SELECT id, COALESCE(closed, Granted) AS granted_on FROM loans", []),
        ("SELECT id, nobody AS other FROM loans", []),
    ],
)
def test_a_known_time_is_followed_to_its_raw_column(select, expected, dialect):
    assert sorted(told(source("l", select), dialect)) == expected


def test_without_a_select_it_is_the_columns_spelling():
    assert told(source("l", read=LOANS, raw="Granted")) == [("loans.csv", "Granted")]


def test_a_raw_table_is_cut_by_its_own_source_then_by_a_known_time_then_by_what_is_agreed():
    own = RawTime(source=source("own", read=LOANS), raw=LOANS, column="Granted")
    event = RawTime(source=source("event", read=LOANS), raw=LOANS, column="closed")
    known = RawTime(source=source("known", read=LOANS, known_time="told"), raw=LOANS, column="told")
    asks, other = source("asks", read=LOANS), RawTime(source=own.source, raw=STATES, column="told_on")
    assert the_raw_time(own.source, LOANS, [event, known, own]) is own
    assert the_raw_time(asks, LOANS, [event, known, own]) is known
    assert the_raw_time(asks, LOANS, [event, other]) is event
    assert the_raw_time(asks, LOANS, [event, own]) is None, "they do not agree"
    assert the_raw_time(asks, LOANS, [other]) is None, "of another table"


def test_a_rival_is_a_known_time_of_another_source_that_does_not_end_the_rows():
    own = RawTime(source=source("own", read=LOANS), raw=LOANS, column="Granted")
    ended = RawTime(source=source("ended", read=LOANS, ends="closed"), raw=LOANS, column="Granted")
    event = RawTime(source=source("event", read=LOANS, time="closed"), raw=LOANS, column="closed")
    known = RawTime(source=source("known", read=LOANS, known_time="closed"), raw=LOANS, column="closed")
    assert rivals_of(own, [own, event]) == []
    assert rivals_of(own, [own, known]) == [known]
    assert rivals_of(ended, [ended, known]) == []
    assert rivals_of(known, [own, known]) == []


def test_ends_and_keys_are_not_compared():
    assert list(compared_columns(source("l", read=LOANS, ends="closed"))) == ["granted_on"]


def test_an_offset_and_a_delay_are_part_of_the_time(engine):
    made = Source(
        "logins",
        read=Csv("logins.csv"),
        key="id",
        event_time="at_time",
        arrival_delay=2,
        columns=[Column("id"), Column("at_time", type="timestamp", raw="At")],
    )
    claim = RawTime(source=made, raw=Csv("logins.csv"), column="At")
    engine.cache("raw_logins", "SELECT '2024-03-01 01:00:00+02:00' AS `At`" if engine.dialect == "spark" else
                "SELECT '2024-03-01 01:00:00+02:00' AS \"At\"")  # fmt: skip
    instant = claim.instant(engine.dialect, "text")
    (row,) = engine.run(f"SELECT CAST({instant} AS DATE) AS day FROM raw_logins").to_pylist()
    assert row["day"] == date(2024, 3, 2), "23:00 UTC of 29 February, and two days"
