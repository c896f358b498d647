"""Columns that closing writes: filled, or at one value, (nearly) only where the row ends, though known before the end.

              joined, known                      ends
 leaves   ──────┊ reason = 'rates' ···············▌        the value stands there from the start:
 stays    ──────┊ reason = null ·································►     every earlier snapshot would read it

Of each key the first version is looked at: where the bank keeps versions, what closing writes comes with a later one,
which snapshots before it do not see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tenure.define.personal import personal_columns
from tenure.define.project import Project
from tenure.define.source import Column, Source
from tenure.faults.redact import shown
from tenure.leaks.staged_rows import Finding, source_finding
from tenure.sql.expressions import (
    any_of,
    before,
    call,
    case,
    cast,
    count_where,
    each_of,
    equal,
    is_null,
    named,
    of,
    over_partitions,
)
from tenure.sql.query import Cte, Join, Query
from tenure.tables.visible import same

#: Of the rows with a value so many end at least, and they are so many of all that end; …
PURITY, COVERAGE = 0.98, 0.25

#: … or the value's share among rows that end is so much larger than among the others.
FAR_APART = 0.8

#: A date is the day of the end in so many of the rows that end.
SAME_DAY = 0.5

#: Fewer rows that end, or that do not, are no evidence.
LEAST = 20

#: So many values of a column are looked at, those of most ended rows first.
_MOST_VALUES = 50

_HINT = (
    "If closing writes it, every earlier snapshot would know who leaves: give the source the time at which each "
    "version was known (known_time), or leave the column out of features. If it is as it was at the beginning, say "
    "so: Column('{}', fixed=True, …)."
)


def ender_of(project: Project, source: Source) -> Source | None:
    """Return the source whose end closes a source's rows: itself, the customers' own if it has a row each, or None."""
    if source.ends:
        return source
    customers = project.sources[project.entity.source]
    return customers if customers.ends and set(source.keys) == set(project.entity.keys) else None


def watched(source: Source, ender: Source, read: Collection[str]) -> list[Column]:
    """Return the columns of those that features read that closing may have written."""
    own = {*source.keys, source.event_time, source.known_time, source.ends, *(ender.keys)}
    return [c for c in source.columns if c.name in read and c.name not in own and not c.fixed and not c.planned]


def totals_statement(source: Source, ender: Source, columns: Sequence[Column]) -> str:
    """Return the SELECT of one row: row_count, ended, and of each column how many are filled, ended, and that day."""
    counts = [named("COUNT(*)", "row_count"), named(call("COUNT", "ended"), "ended")]
    for number, column in enumerate(columns):
        counts.append(named(call("COUNT", column.name), f"filled_{number}"))
        ended = case(when="ended IS NOT NULL", then=column.name)
        counts.append(named(call("COUNT", ended), f"filled_ended_{number}"))
        if column.type in ("date", "timestamp"):
            same_day = equal(cast(column.name, "DATE"), cast("ended", "DATE"))
            counts.append(named(count_where(same_day), f"same_day_{number}"))
    return Query(ctes=_seen(source, ender), lines=counts, source="seen").text


def values_statement(source: Source, ender: Source, column: Column) -> str:
    """Return the SELECT of a column's values, those of most ended rows first: value, row_count and ended."""
    query = Query(
        ctes=_seen(source, ender),
        columns=[named(column.name, "value"), "COUNT(*) AS row_count", named(call("COUNT", "ended"), "ended")],
        source="seen",
        where=f"{column.name} IS NOT NULL",
        group_by=[column.name],
        order_by=["ended DESC", "value"],
        limit=_MOST_VALUES,
    )
    return query.text


def _seen(source: Source, ender: Source) -> list[Cte]:
    """The first version of each key, with when it ends, of those that were known before their end."""
    ends = Query(
        columns=[*each_of("e", ender.keys), named(cast(of("e", ender.ends), "TIMESTAMP"), "ended")],
        source=ender.name,
        alias="e",
        where="e.known_until IS NULL",
    )
    number = over_partitions(call("ROW_NUMBER"), each_of("r", source.keys), ["r.known_time"])
    names = [*source.column_names, "known_time"]
    versions = Query(columns=[*each_of("r", names), named(number, "version_no")], source=source.name, alias="r")
    seen = Query(
        columns=[*each_of("v", source.column_names), "x.ended"],
        source="numbered_versions",
        alias="v",
        joins=[Join("row_ends", alias="x", on=same(ender.keys, "x", "v"))],
        where=["v.version_no = 1", any_of(is_null("x.ended"), before("v.known_time", "x.ended"))],
    )
    return [
        Cte("row_ends", "when each row ends, as known last", ends),
        Cte("numbered_versions", "the versions of each key, numbered", versions),
        Cte("seen", "first versions, known before the end", seen),
    ]


def findings(
    source: Source,
    columns: Sequence[Column],
    totals: Mapping[str, Any],
    values: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[Finding]:
    """Yield the columns that reveal which rows end, one finding a column."""
    rows, ended = int(totals["row_count"]), int(totals["ended"])
    if min(ended, rows - ended) < LEAST:
        return
    personal = personal_columns(source)
    for number, column in enumerate(columns):
        filled, filled_ended = int(totals[f"filled_{number}"]), int(totals[f"filled_ended_{number}"])
        groups = [("a value at all", filled, filled_ended), ("no value", rows - filled, ended - filled_ended)]
        for row in values[column.name]:
            word = shown(row["value"], personal=column.name in personal)
            groups.append((f"the value '{word}'", int(row["row_count"]), int(row["ended"])))
        words = _same_day(int(totals.get(f"same_day_{number}") or 0), ended)
        words = words or next(filter(None, (_revealing(*group, rows, ended) for group in groups)), "")
        if words:
            message = f"{words}, though each was known before its end"
            yield source_finding(source, column.name, "written at the end", message, _HINT.format(column.name))


def _same_day(same_day: int, ended: int) -> str:
    if same_day < max(LEAST, SAME_DAY * ended):
        return ""
    return f"it is the day of the end in {same_day:,} of the {ended:,} rows that end"


def _revealing(name: str, rows: int, ended: int, all_rows: int, all_ended: int) -> str:
    """How a value reveals which rows end, '' if it does not: few others have it, or far fewer."""
    if ended < LEAST:
        return ""
    if ended >= PURITY * rows and ended >= COVERAGE * all_ended and 2 * all_ended <= all_rows:
        return f"of {rows:,} rows with {name}, {ended:,} end, which are {ended / all_ended:.0%} of all that end"
    share, other = ended / all_ended, (rows - ended) / (all_rows - all_ended)
    if share - other >= FAR_APART:
        return f"{share:.0%} of the rows that end have {name}, and {other:.1%} of the others"
    return ""
