"""Refusal: rows of forgotten customers are left out of every source before they are typed, and counted.

A keyed hash can't be built in the SQL of both engines, so that a source's keys, as many as it has customers, are
hashed here, and the few that are refused become a relation which the engine leaves out of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenure.define.source import Source
from tenure.session.work import Work
from tenure.store.refused import Refused
from tenure.tables import refused as refused_rows


def refuse(work: Work, source: Source, raw_types: Mapping[str, str], rows: str) -> int:
    """Make the keys that are refused among a source's raw `rows` a relation; return how many rows they have.

    No relation is made where there are none.
    """
    refused = work.lake.refused()
    columns = refused_rows.telling_columns(work.project, source) if refused else ()
    if not columns:
        return 0
    asked = refused_rows.raw_keys(source, work.engine.dialect, raw_types, rows, columns)
    keys: list[list[str]] = []
    left_out = 0
    for row in work.engine.run(asked.text).to_pylist():
        written = [str(row[f"written_{number}"]) for number in range(len(columns))]
        typed = [str(row[f"typed_{number}"]) for number in range(len(columns))]
        told = {name: values[0] or values[1] for name, *values in zip(columns, typed, written, strict=True)}
        if _is_refused(work, source, refused, told):
            keys.append(written)
            left_out += row["n"]
    if keys:
        select = refused_rows.refused_keys(keys, work.engine.dialect)
        work.engine.cache(select.table, select.text)
    return left_out


def _is_refused(work: Work, source: Source, refused: Refused, told: Mapping[str, str]) -> bool:
    """Whether a row is that of a forgotten customer, or of an account that was theirs alone; nobody's key is ''."""
    ways = refused_rows.told_by(work.project, source)
    keys = ([told[name] for name in way] for way in ways)
    if any(all(key) and refused.holds(key) for key in keys):
        return True
    accounts = () if ways else refused_rows.accounts_of(work.project, source)
    return any(refused.holds_account(names, [told[name] for name in names]) for names in accounts)
