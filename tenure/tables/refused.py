"""Refused rows: the keys that a source's raw rows tell, and the raw rows without those of forgotten customers.

```
raw rows ─► how each key is written, and its typed value ─► hashed, looked up ─► refused_keys
raw rows ── without rows whose key is written as one of refused_keys ─► typed_rows, set-aside rows
```
The rows are left out before they are typed, so that a bad row of such a customer is not set aside either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.source import Source
from tenure.sql.dialects import as_text, literal, quoted
from tenure.sql.expressions import coalesce, equal, of
from tenure.sql.query import Column, Join, Query, Select, values, within_parentheses
from tenure.tables.typed_values import typed_value

#: The relation of keys whose rows are refused, as the raw rows write them.
REFUSED = "refused_keys"


def told_by(project: Project, source: Source) -> tuple[tuple[str, ...], ...]:
    """Return the columns by which a source's rows tell whose they are: those of the entity's key, by each name."""
    ways = (project.entity.keys, *project.entity.other_keys)
    return tuple(way for way in ways if set(way) <= set(source.column_names))


def accounts_of(project: Project, source: Source) -> tuple[tuple[str, ...], ...]:
    """Return the columns by which a source's rows tell of which account they are."""
    return tuple(names for names in project.account_columns if set(names) <= set(source.column_names))


def raw_keys(
    source: Source, dialect: Dialect, raw_types: Mapping[str, str], rows: str, columns: Sequence[str]
) -> Select:
    """Return each combination of some columns among a source's raw `rows`, with the number of its `rows`.

    Each value stands as it is written, and as it is typed, in text; '' where there is none.
    """
    declared = [source.column(name) for name in columns]
    written = [Column(_written(quoted(c.raw_name, dialect), dialect), f"written_{n}") for n, c in enumerate(declared)]
    typed = [
        Column(_written(typed_value(source, c, dialect, raw_types), dialect), f"typed_{n}")
        for n, c in enumerate(declared)
    ]
    names = [column.name for column in (*written, *typed)]
    keys = Query(lines=[*written, *typed], source=within_parentheses(rows), alias="raw_rows")
    counted = Query(
        columns=[*names, "COUNT(*) AS n"], source=within_parentheses(keys.text), alias="came", group_by=names
    )
    return counted.as_table("raw_keys", reads=list(source.raws))


def refused_keys(keys: Sequence[Sequence[str]], dialect: Dialect) -> Select:
    """Return the refused combinations, as raw rows write them, a row each."""
    rows = [[literal(part, dialect) for part in key] for key in keys]
    names = [f"written_{number}" for number in range(len(keys[0]))]
    listed = Query(columns=names, source=values(rows), alias=f"refused ({', '.join(names)})")
    return listed.as_table(REFUSED, reads=[])


def without_refused(source: Source, dialect: Dialect, rows: str, columns: Sequence[str]) -> str:
    """Return raw rows without those whose values of some columns are among the relation `refused_keys`."""
    same = [
        equal(_written(of("r", quoted(source.column(name).raw_name, dialect)), dialect), of("k", f"written_{number}"))
        for number, name in enumerate(columns)
    ]
    kept = Query(
        columns=["r.*"],
        source=within_parentheses(rows),
        alias="r",
        joins=[Join(REFUSED, alias="k", kind="ANTI", on=same)],
    )
    return kept.text


def telling_columns(project: Project, source: Source) -> tuple[str, ...]:
    """Return the columns that tell whose a source's rows are, or, where none does, of which account; () for neither."""
    ways = told_by(project, source) or accounts_of(project, source)
    return tuple(dict.fromkeys(name for way in ways for name in way))


def _written(value: str, dialect: Dialect) -> str:
    return coalesce(as_text(value, dialect), literal("", dialect))
