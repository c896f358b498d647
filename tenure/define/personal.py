"""Personal data: which columns hold a person's data as the sources declare it, so that messages show their shape alone.

A column is personal where its role is 'pii', or where it reads the same raw column as one that is. A key is personal in
every table if one source says so of it. A feature is personal where it is made of such a column (`years_since`).
"""

from __future__ import annotations

from collections.abc import Iterator

from tenure.define.feature import Aggregate, Attribute
from tenure.define.project import Project
from tenure.define.source import Source


def personal_columns(source: Source) -> frozenset[str]:
    """Return the columns of a source, and of its staged table, whose values no message may show."""
    raw_names = {column.raw_name for column in source.columns if column.role == "pii"}
    found = {column.name for column in source.columns if column.raw_name in raw_names}
    known = source.known_time or source.event_time
    staged = {"event_time": source.event_time, "known_time": known, "known_until": known}
    return frozenset(found | {name for name, column in staged.items() if column in found})


def personal_keys(project: Project) -> frozenset[str]:
    """Return the entity's keys that some source declares personal."""
    return frozenset(
        key
        for key in project.entity.keys
        if any(key in personal_columns(source) for source in project.sources.values())
    )


def personal_cells(project: Project) -> frozenset[str]:
    """Return the columns of the tables made from staged ones that hold personal data, or are made of such."""
    entity = project.sources[project.entity.source]
    opened = {"opened_on", "tenure_days"} if entity.event_time in personal_columns(entity) else set()
    return personal_keys(project) | opened | set(_features_of_personal(project))


def _features_of_personal(project: Project) -> Iterator[str]:
    for view in project.views.values():
        personal = personal_columns(project.sources[view.source])
        for feature in view.features:
            if isinstance(feature, Attribute | Aggregate) and feature.of in personal:
                yield from map(str, feature.columns)
