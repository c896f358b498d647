"""Point-in-time visibility: the one place that says which rows a date may see.

        known_time                       known_until
────────────┊────────────────────────────────┊────────►
            (···· visible at these instants ··]
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.sql.dialects import date_literal, midnight_literal
from tenure.sql.expressions import (
    all_of,
    any_of,
    at_least,
    at_most,
    before,
    call,
    days_earlier,
    each_of,
    equal,
    is_null,
    listed,
    of,
)
from tenure.sql.query import Query, values


def visible_at(instant: str, relation: str = "r") -> str:
    """Return the condition that a version of a row was the newest one known before `instant`."""
    known_time, known_until = of(relation, "known_time"), of(relation, "known_until")
    return all_of(
        before(known_time, instant),
        any_of(is_null(known_until), at_most(instant, known_until)),
    )


def first_counted(relation: str = "r") -> str:
    """Return the instant after which a version of a row may count: it has happened and is known."""
    return call("GREATEST", *each_of(relation, ("event_time", "known_time")))


def within(start: str, end: str, relation: str = "r") -> str:
    """Return the condition that a row happened in the half-open span [start, end)."""
    event_time = of(relation, "event_time")
    return all_of(at_least(event_time, start), before(event_time, end))


def days_before(instant: str, days: int) -> str:
    """Return the instant so many days earlier."""
    return days_earlier(instant, days)


def dates_relation(columns: Sequence[str], rows: Sequence[Sequence[date]]) -> Query:
    """Return a SELECT of literal dates: the first column as a DATE, the others as the instants they begin."""
    literals = [[date_literal(day), *map(midnight_literal, instants)] for day, *instants in rows]
    return Query(columns=list(columns), source=values(literals), alias=call("dates", *columns))


def qualified(names: Sequence[str], relation: str) -> str:
    """Return `relation.name, …`."""
    return listed(each_of(relation, names))


def same(names: Sequence[str], left: str, right: str) -> str:
    """Return the join condition that both sides agree on every name; composite keys are never concatenated."""
    return all_of(*map(equal, each_of(left, names), each_of(right, names)))
