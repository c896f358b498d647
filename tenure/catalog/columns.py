"""Columns: what one means in words, and its stored type as SQL calls it."""

from __future__ import annotations

import pyarrow as pa

from tenure.define.column_words import column_words
from tenure.define.project import Project
from tenure.define.source import Source


def source_column_words(project: Project, source: Source, name: str) -> str:
    """Return what a column of a source is, by its `doc`, else by what it is for; '' where neither says it."""
    declared = {column.name: column for column in source.columns}
    if name not in declared:
        return column_words(source.name, name)
    if declared[name].doc:
        return declared[name].doc
    if name in project.entity.keys:
        return f"the {project.entity.name}"
    roles = {source.event_time: "when it happened", source.known_time: "when it was known", source.ends: "its end"}
    return roles.get(name) or ("part of the row's key" if name in source.keys else "")


def own_column_words(project: Project, table: str, name: str) -> str:
    """Return what a column of Tenure's own is, or a key of the entity; '' where nothing says it."""
    is_key = name in project.entity.keys
    return column_words(table, name) or (f"the {project.entity.name}" if is_key else "")


def sql_type(type_: pa.DataType) -> str:
    """Return a stored type as SQL calls it."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE"
    return _SQL_TYPES.get(str(type_), str(type_))


_SQL_TYPES = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "bool": "BOOLEAN", "date32[day]": "DATE"}
