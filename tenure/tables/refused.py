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
from tenure.sql.expressions import equal, of
from tenure.sql.query import Column, Join, Query, Select, values, within_parentheses
from tenure.tables.typed_values import typed_value

#: The relation of keys whose rows are refused, as the raw rows write them.
REFUSED = "refused_keys"


def can_be_refused(project: Project, source: Source) -> bool:
    """Return whether a source's rows tell whose they are: it has every column of the entity's key."""
    return set(project.entity.keys) <= set(source.column_names)


def raw_keys(project: Project, source: Source, dialect: Dialect, raw_types: Mapping[str, str], rows: str) -> Select:
    """Return each key among a source's raw `rows`, as it is written and as it is typed, in text, with its `rows`."""
    columns = [source.column(name) for name in project.entity.keys]
    written = [Column(as_text(quoted(c.raw_name, dialect), dialect), f"written_{n}") for n, c in enumerate(columns)]
    typed = [
        Column(as_text(typed_value(source, c, dialect, raw_types), dialect), f"typed_{n}")
        for n, c in enumerate(columns)
    ]
    names = [column.name for column in (*written, *typed)]
    keys = Query(lines=[*written, *typed], source=within_parentheses(rows), alias="raw_rows")
    counted = Query(
        columns=[*names, "COUNT(*) AS n"], source=within_parentheses(keys.text), alias="came", group_by=names
    )
    return counted.as_table("raw_keys", reads=list(source.raws))


def refused_keys(keys: Sequence[Sequence[str]], dialect: Dialect) -> Select:
    """Return the refused keys, as raw rows write them, a row each."""
    rows = [[literal(part, dialect) for part in key] for key in keys]
    names = [f"written_{number}" for number in range(len(keys[0]))]
    listed = Query(columns=names, source=values(rows), alias=f"refused ({', '.join(names)})")
    return listed.as_table(REFUSED, reads=[])


def without_refused(project: Project, source: Source, dialect: Dialect, rows: str) -> str:
    """Return raw rows without those whose key is one of the relation `refused_keys`."""
    columns = [source.column(name) for name in project.entity.keys]
    same = [
        equal(as_text(of("r", quoted(column.raw_name, dialect)), dialect), of("k", f"written_{number}"))
        for number, column in enumerate(columns)
    ]
    kept = Query(
        columns=["r.*"],
        source=within_parentheses(rows),
        alias="r",
        joins=[Join(REFUSED, alias="k", kind="ANTI", on=same)],
    )
    return kept.text
