"""Personal data: the columns that the sources declare to hold a person's data; messages show only their shape.

A column is personal if its role is 'pii' or 'protected', or if it reads the same raw column as one whose role is. A key
is personal in every table if one source declares it so. A feature is personal if it reads a personal column
(`years_since`); none reads a protected one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tenure.define.feature import Aggregate, Attribute
from tenure.define.project import Project
from tenure.define.source import Column, Source


def personal_columns(source: Source) -> frozenset[str]:
    """Return the columns of a source, and of its staged table, whose values no message may show."""
    raw_names = {column.raw_name for column in source.columns if column.is_personal}
    found = {column.name for column in source.columns if column.raw_name in raw_names}
    staged: set[str] = set()
    if source.event_time in found:
        staged.add("event_time")
    if (source.known_time or source.event_time) in found:
        staged.update(("known_time", "known_until"))
    return frozenset(found | staged)


def personal_keys(project: Project) -> frozenset[str]:
    """Return the entity's keys that some source declares personal."""
    declared = map(personal_columns, project.sources.values())
    return frozenset(project.entity.keys).intersection(chain.from_iterable(declared))


def personal_cells(project: Project) -> frozenset[str]:
    """Return the personal columns of the tables that are made from staged ones: keys, opening days, features."""
    entity = project.sources[project.entity.source]
    opened = {"opened_on", "tenure_days"} if entity.event_time in personal_columns(entity) else set()
    return personal_keys(project) | opened | set(_features_of_personal(project))


def protected_columns(project: Project) -> tuple[tuple[Source, Column], ...]:
    """Return the protected columns of a customer's own row, each with its source: those whose groups are compared.

    Not those of sources with many rows a customer, of which no one value is the customer's.
    """
    own = [source for source in project.sources.values() if set(source.keys) == set(project.entity.keys)]
    return tuple((source, column) for source in own for column in source.columns if column.role == "protected")


def published_columns(project: Project) -> tuple[tuple[Source, Column], ...]:
    """Return the columns that stand on the attrition list because they are declared publish=True, with their source."""
    found = [(source, column) for source in project.sources.values() for column in source.columns if column.publish]
    return tuple(found)


def _features_of_personal(project: Project) -> Iterator[str]:
    for view in project.views.values():
        personal = personal_columns(project.sources[view.source])
        for feature in view.features:
            if isinstance(feature, Attribute | Aggregate) and feature.of in personal:
                yield from map(str, feature.columns)
