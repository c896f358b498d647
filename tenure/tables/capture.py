"""Capture: the versions of rows that a bank exports only as they are today (a slowly changing dimension of type 2).

```
extracts        E1            E2            E3
row as it is    A             A             B             version A: known_time E1, known_until E3
                                                          version B: known_time E3
row gone        C             –                           version C: known_until E2, as of a row that was deleted
before E1       only the key, the event time, the end time and columns that are `fixed`; the rest is null:
                what it was then, nobody kept
```
After Kimball's slowly changing dimensions and dbt's snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tenure.define.dialect import Dialect
from tenure.define.source import Column as SourceColumn
from tenure.define.source import Source
from tenure.sql.dialects import instant_literal, type_name
from tenure.sql.expressions import (
    all_of,
    any_of,
    before,
    case,
    cast,
    count_where,
    differs,
    each_of,
    is_not_null,
    is_null,
    named,
    of,
)
from tenure.sql.query import Column, Cte, Join, Query, Select, union_all, within_parentheses
from tenure.tables.visible import same

#: The relations that are read: the rows of the new extract, as staging makes them, and the versions kept so far.
NOW, KEPT = "extract_now", "versions_kept"

_TIMES = ("event_time", "known_time", "known_until")


def first_versions(source: Source, extracted: datetime, dialect: Dialect) -> Select:
    """Return the versions that the first extract makes: rows as they are, and what is known of the time before it."""
    moment = instant_literal(extracted)
    earlier = Query(
        lines=[*(_before_capture(source, c, dialect) for c in source.columns), "event_time", "known_time",
               named(moment, "known_until")],
        source=NOW,
        where=before("known_time", moment),
    )  # fmt: skip
    return _in_order(source, [earlier, _new(source, moment)])


def next_versions(source: Source, extracted: datetime) -> Select:
    """Return all versions after one more extract; what the extract of this very time made before is made anew."""
    moment = instant_literal(extracted)
    joined = same(source.keys, "k", "n")
    still = Query(
        columns=[
            *each_of("k", [*source.column_names, "event_time", "known_time"]),
            named(case(when=_ends_now(source), then=moment, otherwise="k.known_until"), "known_until"),
        ],
        source="kept",
        alias="k",
        joins=[Join(NOW, alias="n", on=joined, kind="LEFT")],
    )
    unchanged = [Join("kept", alias="k", on=[joined, is_null("k.known_until")], kind="LEFT")]
    new = _new(source, moment, joins=unchanged, where=[any_of(_no_row("k", source), _changed(source))])
    return _in_order(source, [still, new], [_kept(source, moment)])


def without_last(source: Source, extracted: datetime) -> Select:
    """Return the versions as they were before the extract of that time."""
    rows = Query(columns=[*source.column_names, *_TIMES], source="kept")
    return _in_order(source, [rows], [_kept(source, instant_literal(extracted))])


def changes(source: Source, extracted: datetime) -> Select:
    """Return one row: how many rows were open before the extract, and how many it ends, changes and adds."""
    moment = instant_literal(extracted)
    there = {relation: is_not_null(of(relation, source.keys[0])) for relation in "kn"}
    counted = Query(
        ctes=[_kept(source, moment)],
        columns=[
            named(count_where(there["k"]), "rows_before"),
            named(count_where(all_of(there["k"], _no_row("n", source))), "rows_ended"),
            named(count_where(all_of(*there.values(), _changed(source))), "rows_changed"),
            named(count_where(_no_row("k", source)), "rows_added"),
        ],
        source=within_parentheses(Query(columns=["*"], source="kept", where="known_until IS NULL").text),
        alias="k",
        joins=[Join(NOW, alias="n", on=same(source.keys, "k", "n"), kind="FULL")],
    )
    return counted.as_table("changes", reads=[])


def _before_capture(source: Source, column: SourceColumn, dialect: Dialect) -> str | Column:
    """A column of the version that stands for the time before the first extract."""
    if column.name in source.known_before_capture:
        return column.name
    return Column(cast("NULL", type_name(column.value_type, dialect)), column.name)


def _kept(source: Source, moment: str) -> Cte:
    """The versions so far, without those of an extract of this time or later."""
    until = case(when=before("known_until", moment), then="known_until")
    kept = Query(
        columns=[*source.column_names, "event_time", "known_time", named(until, "known_until")],
        source=KEPT,
        where=before("known_time", moment),
    )
    return Cte("kept", "the versions before this extract", kept)


def _new(source: Source, moment: str, *, joins: Iterable[Join] = (), where: Iterable[str] = ()) -> Query:
    return Query(
        columns=[*each_of("n", [*source.column_names, "event_time"]), named(moment, "known_time"),
                 named(cast("NULL", "TIMESTAMP"), "known_until")],
        source=NOW,
        alias="n",
        joins=list(joins),
        where=list(where),
    )  # fmt: skip


def _ends_now(source: Source) -> str:
    """The condition that a kept version is open, and the extract has another row of its key, or none."""
    return all_of(is_null("k.known_until"), any_of(_no_row("n", source), _changed(source)))


def _no_row(relation: str, source: Source) -> str:
    """The condition that an outer join found no row of a relation."""
    return is_null(of(relation, source.keys[0]))


def _changed(source: Source) -> str:
    """The condition that a column of the row is another than in the kept version."""
    names = [name for name in source.column_names if name not in source.keys]
    return any_of(*(differs(of("k", name), of("n", name)) for name in names)) if names else "FALSE"


def _in_order(source: Source, parts: list[Query], ctes: Iterable[Cte] = ()) -> Select:
    """All parts, sorted as the lake keeps a source."""
    versions = Cte("versions", "rows by the time that they were known", union_all(parts))
    order = [*source.keys, "known_time"]
    rows = Query(
        ctes=[*ctes, versions],
        columns=[*source.column_names, *_TIMES],
        source="versions",
        order_by=order,
    )
    return rows.as_table(source.name, reads=[])
