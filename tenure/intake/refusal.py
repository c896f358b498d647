"""Refusal: rows of forgotten customers are left out of every source before they are typed, and counted.

A keyed hash can't be built in the SQL of both engines, so that a source's keys, as many as it has customers, are
hashed here, and the few that are refused become a relation which the engine leaves out of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenure.define.source import Source
from tenure.session.work import Work
from tenure.tables import refused as refused_rows


def refuse(work: Work, source: Source, raw_types: Mapping[str, str], rows: str) -> int:
    """Make the keys that are refused among a source's raw `rows` a relation; return how many rows they have.

    No relation is made where there are none.
    """
    refused = work.lake.refused()
    if not refused or not refused_rows.can_be_refused(work.project, source):
        return 0
    asked = refused_rows.raw_keys(work.project, source, work.engine.dialect, raw_types, rows)
    keys: list[list[str]] = []
    left_out = 0
    for row in work.engine.run(asked.text).to_pylist():
        written, typed = _parts(row, "written"), _parts(row, "typed")
        if written is not None and refused.holds(typed or written):
            keys.append(written)
            left_out += row["n"]
    if keys:
        select = refused_rows.refused_keys(keys, work.engine.dialect)
        work.engine.cache(select.table, select.text)
    return left_out


def _parts(row: Mapping[str, str | None], name: str) -> list[str] | None:
    """A key's parts; None if one is null, since nobody has such a key."""
    parts = [value for column, value in row.items() if column.startswith(f"{name}_")]
    return None if None in parts else [str(part) for part in parts]
