"""Published columns: what the attrition list holds of a customer's own row because the bank declares it so."""

from __future__ import annotations

from datetime import date

from tenure.define.personal import published_columns
from tenure.define.project import Project
from tenure.sql.dialects import date_literal, midnight_literal
from tenure.sql.expressions import all_of, each_of, equal, of
from tenure.sql.query import Join, Query, Select
from tenure.tables.visible import same, visible_at


def published_then(project: Project, snapshot_date: date) -> Select:
    """Return one row per customer at a snapshot: keys, snapshot_date, and each published column as known before it."""
    keys, columns = project.entity.keys, published_columns(project)
    sources = list(dict.fromkeys(source.name for source, _ in columns))
    relations = {source: f"r{place}" for place, source in enumerate(sources, 1)}
    instant = midnight_literal(snapshot_date)
    made = Query(
        columns=[
            *each_of("s", (*keys, "snapshot_date")),
            *(of(relations[source.name], column.name) for source, column in columns),
        ],
        source="snapshots",
        alias="s",
        joins=[
            Join(source, alias=name, on=all_of(same(keys, name, "s"), visible_at(instant, name)), kind="LEFT")
            for source, name in relations.items()
        ],
        where=equal("s.snapshot_date", date_literal(snapshot_date)),
    )
    return made.as_table("published_then", reads=["snapshots", *sources])
