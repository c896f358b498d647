"""The bank's own conditions on a source's rows: which columns they may read, and why not the others.

Apart from `visible`, which most tables need: the parser behind `tenure.sql.conditions` loads only where a condition is.
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.define.source import Source, refused_protected
from tenure.errors import UnknownColumn
from tenure.sql.conditions import condition, names_read


def condition_on(source: Source, where: str, dialect: Dialect, *, asked_by: str) -> str:
    """Return the bank's own condition on rows of a source, `AS r`.

    Raises what `condition` raises, and InvalidDefinition if it reads a protected column.
    """
    try:
        return condition(where, readable_columns(source), dialect, relation="r", asked_by=asked_by)
    except UnknownColumn:
        protected = {column.name for column in source.columns if column.role == "protected"}
        for name in names_read(where, dialect):
            if name in protected:
                raise refused_protected(f"{asked_by} reads '{name}' in where={where!r}") from None
        raise


def readable_columns(source: Source) -> dict[str, str]:
    """Return the columns that a condition may read, with their types: no personal one, nor the end time, which is
    written after the fact.
    """
    return {c.name: c.value_type.words for c in source.columns if c.name != source.ends and not c.is_personal}
