"""Point-in-time visibility: the one place that says which rows a date may see.

        known_time                       known_until
────────────┊────────────────────────────────┊────────►
            (···· visible at these instants ··]
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.source import Source
from tenure.sql import date_literal, midnight_literal


def visible_at(instant: str, relation: str = "r") -> str:
    """Return the condition that a version of a row was the newest one known before `instant`."""
    return (
        f"{relation}.known_time < {instant} AND ({relation}.known_until IS NULL OR {instant} <= {relation}.known_until)"
    )


def first_counted(relation: str = "r") -> str:
    """Return the instant after which a version of a row may count: it has happened and is known."""
    return f"GREATEST({relation}.event_time, {relation}.known_time)"


def within(start: str, end: str, relation: str = "r") -> str:
    """Return the condition that a row happened in the half-open span [start, end)."""
    return f"{relation}.event_time >= {start} AND {relation}.event_time < {end}"


def days_before(instant: str, days: int) -> str:
    """Return the instant so many days earlier."""
    return f"{instant} - INTERVAL '{days}' DAY"


def dates_relation(columns: Sequence[str], rows: Sequence[Sequence[date]]) -> str:
    """Return a SELECT of literal dates: the first column as a DATE, the others as the instants they begin."""
    lines = ["(" + ", ".join([date_literal(row[0]), *(midnight_literal(day) for day in row[1:])]) + ")" for row in rows]
    names = ", ".join(columns)
    return f"SELECT {names}\nFROM (VALUES\n    " + ",\n    ".join(lines) + f"\n) AS dates({names})"


def qualified(names: Sequence[str], relation: str) -> str:
    """Return `relation.name, …`."""
    return ", ".join(f"{relation}.{name}" for name in names)


def same(names: Sequence[str], left: str, right: str) -> str:
    """Return the join condition that both sides agree on every name; composite keys are never concatenated."""
    return " AND ".join(f"{left}.{name} = {right}.{name}" for name in names)


def readable_columns(source: Source) -> dict[str, str]:
    """Return the columns that a condition may read, with their types: not PII, nor the end time, which is written
    after the fact.
    """
    return {c.name: c.type for c in source.columns if c.name != source.ends and c.role != "pii"}
