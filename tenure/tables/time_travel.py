"""Time travel: a source as if nothing that became known at t or later had ever happened, or as if it were all wrong.

                                                 t
─── rows known before: kept, as they were then ──┊── deleted, or filled with nonsense that claims the day before t ──►
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, TypeAlias

from tenure.define.source import Column, Source
from tenure.sql import TYPE_NAMES, Dialect, column_list, midnight_literal

Destruction: TypeAlias = Literal["deleted", "corrupted"]

DESTRUCTIONS: tuple[Destruction, ...] = ("deleted", "corrupted")


def destroyed(source: Source, relation: str, t: date, how: Destruction, dialect: Dialect) -> str:
    """Return the staged rows of `relation` with the future destroyed; what is left is what was known before `t`.

    An end (an account's closing day) at t or later is taken away too: a row may hold it long before it happens.
    """
    instant = midnight_literal(t)
    future = f"known_time >= {instant}"
    columns = [f"{_cell(source, column, t, how, dialect)} AS {column.name}" for column in source.columns]
    event = f"CASE WHEN {future} THEN {midnight_literal(t - timedelta(days=1))} ELSE event_time END"
    columns += [
        f"{'event_time' if how == 'deleted' else event} AS event_time",
        "known_time",
        f"CASE WHEN known_until < {instant} THEN known_until END AS known_until",
    ]
    kept = f"\nWHERE known_time < {instant}" if how == "deleted" else ""
    return f"SELECT\n{column_list(columns)}\nFROM {relation}{kept}"


def _cell(source: Source, column: Column, t: date, how: Destruction, dialect: Dialect) -> str:
    name, type_ = column.name, TYPE_NAMES[dialect][column.type]
    if name == source.ends:
        return f"CASE WHEN {name} < {midnight_literal(t)} THEN {name} END"
    if how == "deleted" or column.role == "key" or name in source.keys:
        return name
    nonsense = {
        "string": f"CAST('nonsense' AS {type_})",
        "boolean": f"NOT COALESCE({name}, FALSE)",
        "date": f"CAST({midnight_literal(t - timedelta(days=1))} AS DATE)",
        "timestamp": midnight_literal(t - timedelta(days=1)),
    }.get(column.type, f"CAST(-987654 AS {type_})")
    return f"CASE WHEN known_time >= {midnight_literal(t)} THEN {nonsense} ELSE {name} END"
