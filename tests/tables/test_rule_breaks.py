"""Rows that break the rules of a contract: each planted row is counted by its rule alone, on both engines."""

import pytest

from tenure.define.raw_tables import Csv
from tenure.define.source import Column, Source
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.tables.rule_breaks import broken_rows, row_rules, unmatched_rows

SOURCE = Source(
    "bookings",
    read=Csv("bookings.csv"),
    key="booking_id",
    event_time="booked_at",
    known_time="written_at",
    columns=[
        Column("booking_id", type="integer", role="key"),
        Column("booked_at", type="timestamp"),
        Column("written_at", type="timestamp"),
        Column("due_on", type="date"),
        Column("amount", type="decimal"),
        Column("channel"),
        Column("code", type="integer"),
    ],
)

RULES = TableRules(
    table="bookings",
    fresh_within_days=2,
    columns={
        "booked_at": ColumnRules(high="2024-01-31"),
        "due_on": ColumnRules(low="2024-01-01"),
        "amount": ColumnRules(low=0, high=100.5, most_null=0.25),
        "channel": ColumnRules(allowed=("atm", "it's \\ odd")),
        "code": ColumnRules(allowed=("1", "2")),
    },
)

#: (booked_at, written_at, due_on, amount, channel, code)
CLEAN = ("2024-01-31 23:59:59.5", "2024-02-02 23:59:59.5", "2024-01-01", "100.50", "atm", "1")

PLANTED = {
    ("booked_at", "at most 2024-01-31"): {0: "2024-02-01 00:00:00", 1: "2024-02-01 00:00:00"},
    ("due_on", "at least 2024-01-01"): {2: "2023-12-31"},
    ("amount", "at least 0"): {3: "-0.01"},
    ("amount", "at most 100.5"): {3: "100.51"},
    ("amount", "null in at most 25.0000%"): {3: None},
    ("channel", "one of 2 values"): {4: "ATM"},
    ("code", "one of 2 values"): {5: "3"},
    ("written_at", "known within 2 days"): {1: "2024-02-03 00:00:00"},
}


def select(rows, dialect):
    from tenure.sql.dialects import literal

    types = ("TIMESTAMP", "TIMESTAMP", "DATE", "DECIMAL(18, 2)", None, "BIGINT")
    names = ("event_time", "known_time", "due_on", "amount", "channel", "code")
    lines = []
    for row in rows:
        cells = []
        for value, type_, name in zip(row, types, names, strict=True):
            text = "NULL" if value is None else literal(value, dialect)
            cells.append(f"CAST({text} AS {type_ or ('STRING' if dialect == 'spark' else 'VARCHAR')}) AS {name}")
        lines.append("SELECT " + ", ".join([*cells, cells[0].replace("event_time", "booked_at")]))
    return "\nUNION ALL\n".join(lines)


def test_each_planted_row_breaks_its_own_rule(engine):
    odd = (*CLEAN[:4], "it's \\ odd", "2")
    nothing = (*CLEAN[:2], None, "1", None, None)
    planted = [tuple({**dict(enumerate(CLEAN)), **edit}[place] for place in range(6)) for edit in PLANTED.values()]
    engine.cache("bookings", select([CLEAN, odd, nothing, *planted], engine.dialect))
    rules = row_rules(SOURCE, RULES, engine.dialect)
    assert {(rule.column, rule.words) for rule in rules} == set(PLANTED)
    found = engine.run(broken_rows("bookings", rules).text).to_pylist()[0]
    assert found.pop("rows_in_all") == 3 + len(PLANTED)
    assert found == {f"broken_{place}": 1 for place in range(len(rules))}, "a null breaks no rule but its own"


def test_the_share_that_may_is_of_nulls_alone():
    assert {rule.most for rule in row_rules(SOURCE, RULES, "duckdb") if rule.column == "amount"} == {0.0, 0.25}


def test_no_rules_ask_nothing():
    assert row_rules(SOURCE, TableRules(table="bookings"), "duckdb") == []


@pytest.mark.parametrize("columns", [("a",), ("a", "b")])
def test_rows_without_a_partner_are_counted_and_nulls_are_not(engine, columns):
    engine.cache("here", "SELECT 1 AS a, 11 AS b UNION ALL SELECT 11, 1 UNION ALL SELECT 7, 1 UNION ALL SELECT NULL, 1")
    engine.cache("there", "SELECT 1 AS x, 11 AS y UNION ALL SELECT 1, 11 UNION ALL SELECT 11, 11")
    rule = Relation(columns=columns, table="there", its_columns=("x", "y")[: len(columns)])
    found = engine.run(unmatched_rows("here", "there", rule).text).to_pylist()[0]
    assert found == {"related": 3, "unmatched": 1 if len(columns) == 1 else 2}
