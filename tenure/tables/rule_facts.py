"""What a contract's rules are drafted from: counts, ranges and distinct values, arrival delays, frequent values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenure.define.source import Column
from tenure.sql.expressions import after, call, count_where, days_later, is_not_null, named
from tenure.sql.query import Query


@dataclass(frozen=True)
class Looked:
    """A column, and what is looked at besides its nulls: its `range`, its `values`, or nothing."""

    column: Column
    range: bool = False
    values: bool = False


def rule_facts(relation: str, looked: Sequence[Looked], delays: Sequence[int]) -> Query:
    """Return one row: `rows_in_all`; for the column at place n `there_n`, `least_n`, `greatest_n`; and
    for the delay of d days `later_d`, the rows that were known later than that after their event.
    """
    lines = [named("COUNT(*)", "rows_in_all")]
    for place, one in enumerate(looked):
        name = one.column.name
        lines.append(named(call("COUNT", name), f"there_{place}"))
        if one.range:
            lines += [named(call("MIN", name), f"least_{place}"), named(call("MAX", name), f"greatest_{place}")]
    for days in delays:
        lines.append(named(count_where(after("known_time", days_later("event_time", days))), f"later_{days}"))
    return Query(lines=lines, source=relation)


def frequent_values(relation: str, column: str, most: int) -> Query:
    """Return the values of a column, `seen`, with their `seen_rows`, in the order of the values: `most` at most."""
    return Query(
        columns=[named(column, "seen"), named("COUNT(*)", "seen_rows")],
        source=relation,
        where=is_not_null(column),
        group_by=[column],
        order_by=[column],
        limit=most,
    )
