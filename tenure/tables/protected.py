"""Protected attributes: what the bank knew of them at each test snapshot; evaluation alone reads it.

known_time                 t                 known_until
────┊──────────────────────┊─────────────────────┊────►   the version that a customer had at the snapshot
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.personal import protected_columns
from tenure.define.project import Project
from tenure.sql.expressions import all_of, each_of, equal, named, of
from tenure.sql.query import Cte, Join, Query, Select
from tenure.tables.visible import dates_relation, same, visible_at


def attributes(project: Project) -> dict[str, str]:
    """Return the name of each protected attribute, 'source.column', by its column in `protected_then`."""
    found = protected_columns(project)
    return {f"protected_{place}": f"{source.name}.{column.name}" for place, (source, column) in enumerate(found, 1)}


def protected_then(project: Project, dates: Sequence[date]) -> Select:
    """Return one row per row of split test: keys, snapshot_date, and the columns of `attributes` as known before it.

    `dates` are the test snapshots.
    """
    keys = project.entity.keys
    columns = dict(zip(attributes(project), protected_columns(project), strict=True))
    sources = dict.fromkeys(source.name for source, _ in columns.values())
    relations = {source: f"r{place}" for place, source in enumerate(sources, 1)}
    joins = [Join("dates", alias="d", on=equal("d.snapshot_date", "s.snapshot_date"))]
    for source, relation in relations.items():
        known = all_of(same(keys, relation, "s"), visible_at("d.t", relation))
        joins.append(Join(source, alias=relation, on=known, kind="LEFT"))
    made = Query(
        ctes=[
            Cte(
                "dates",
                "test snapshots and the instant each begins",
                dates_relation(("snapshot_date", "t"), [(day, day) for day in dates]),
            ),
        ],
        columns=[
            *each_of("s", (*keys, "snapshot_date")),
            *(named(of(relations[source.name], column.name), name) for name, (source, column) in columns.items()),
        ],
        source="splits",
        alias="s",
        joins=joins,
        where="s.split = 'test'",
    )
    return made.as_table("protected_then", reads=["splits", *sources])
