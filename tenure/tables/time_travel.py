"""Time travel: a source as if nothing that became known at t or later had ever happened, or as if it were all wrong.

                                                 t
─── rows known before: kept, as they were then ──┊── deleted, or filled with nonsense that claims the day before t ──►
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, TypeAlias

from tenure.define.dialect import Dialect
from tenure.define.source import Column as SourceColumn
from tenure.define.source import Source
from tenure.define.value_type import ValueType
from tenure.sql.dialects import midnight_literal, type_name
from tenure.sql.expressions import at_least, before, case, cast, coalesce, negated, text_literal
from tenure.sql.query import Column, Query

Destruction: TypeAlias = Literal["deleted", "corrupted"]

DESTRUCTIONS: tuple[Destruction, ...] = ("deleted", "corrupted")

_NUMBER = "-987654"


def destroyed(source: Source, relation: str, t: date, how: Destruction, dialect: Dialect) -> str:
    """Return the staged rows of `relation` with the future destroyed; what is left is what was known before `t`.

    An end (an account's closing day) at t or later is taken away too: a row may hold it long before it happens.
    """
    instant, day_before = midnight_literal(t), midnight_literal(t - timedelta(days=1))
    claimed = case(when=at_least("known_time", instant), then=day_before, otherwise="event_time")
    rows = Query(
        lines=[
            *(Column(_cell(source, column, t, how, dialect), column.name) for column in source.columns),
            Column("event_time" if how == "deleted" else claimed, "event_time"),
            "known_time",
            Column(_if_before("known_until", instant), "known_until"),
        ],
        source=relation,
        where=before("known_time", instant) if how == "deleted" else "",
    )
    return rows.text


def _cell(source: Source, column: SourceColumn, t: date, how: Destruction, dialect: Dialect) -> str:
    name, type_, instant = column.name, type_name(column.value_type, dialect), midnight_literal(t)
    if name == source.ends:
        return _if_before(name, instant)
    if how == "deleted" or column.role == "key" or name in source.keys:
        return name
    day_before = midnight_literal(t - timedelta(days=1))
    nonsense = {
        "string": cast(text_literal("nonsense"), type_),
        "boolean": negated(coalesce(name, "FALSE")),
        "date": cast(day_before, "DATE"),
        "timestamp": day_before,
    }.get(column.type, cast(_nonsense(column.value_type), type_))
    return case(when=at_least("known_time", instant), then=nonsense, otherwise=name)


def _nonsense(type_: ValueType) -> str:
    """A number that no bank has, but for a decimal of so few digits that it has all of them."""
    if not type_.is_decimal:
        return _NUMBER
    before_point = type_.precision - type_.scale
    return _NUMBER[: before_point + 1] if before_point else "-0.9"


def _if_before(name: str, instant: str) -> str:
    """A column's value if it is earlier than the instant, else null."""
    return case(when=before(name, instant), then=name)
