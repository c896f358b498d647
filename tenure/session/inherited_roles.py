"""Roles that are inherited: what is computed from a protected column is protected too, or the definition is refused."""

from __future__ import annotations

from tenure.define.churn import ChurnDefinition
from tenure.define.naming import with_place
from tenure.define.project import Project
from tenure.define.source import Column, Source
from tenure.errors import InvalidDefinition
from tenure.session.origins import Origins
from tenure.sql import Dialect
from tenure.sql.selects import names_behind


def require_inherited(project: Project, dialect: Dialect, churn: ChurnDefinition) -> None:
    """Raise InvalidDefinition for a column that is computed from a protected one and has another role.

    A source's SELECT is traced; where a `*` hides the tables, by the names of columns.
    """
    traced = Origins(project, dialect, churn)
    for source in project.sources.values():
        protected = [column for column in source.columns if column.role == "protected"]
        for column in source.columns if protected else ():
            if column.role != "protected":
                _require_no_copy(traced, source, column, protected)


def _require_no_copy(traced: Origins, source: Source, column: Column, protected: list[Column]) -> None:
    own = traced.raw_columns(source, column.name)
    for other in protected:
        theirs = traced.raw_columns(source, other.name)
        if own is not None and theirs is not None:
            is_copy = bool({*own} & {*theirs})
        else:
            is_copy = other.raw_name.lower() in names_behind(source.select, column.raw_name, traced.dialect)
        if is_copy:
            raise InvalidDefinition(
                f"{with_place('source', source)}: column '{column.name}' is computed from what '{other.name}' is, "
                f"which is protected; its role is '{column.role}'; allowed: 'protected'.",
                hint=f"Give '{column.name}' role='protected' in sources.py, or leave it out.",
            )
