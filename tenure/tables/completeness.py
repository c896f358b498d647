"""Completeness: the rows of a source by month, beside those that were staged before, and the customers who are gone.

          January   February   March   April
before     1,000      1,010      990    1,020
now        1,000          0      990    1,020       a month that vanished: features of stored snapshots would change
"""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.project import Project
from tenure.define.source import Source
from tenure.sql.expressions import call, cast, coalesce, count_where, differs, each_of, is_null, named, of
from tenure.sql.query import Cte, Join, Query, Select
from tenure.tables.new_rows import AGAIN
from tenure.tables.visible import same

#: The relations that are compared: rows about to be committed, rows staged before, and whose customers must be there:
#: stored snapshots or, where there are none yet, the rows staged before.
NOW, BEFORE, STORED = "checked", "staged_before", "snapshots_stored"

#: Of rows that are added: those of the files that are written again, as they were.
REMOVED = AGAIN


def rows_by_month(source: str, *, compared: bool) -> Select:
    """Return a row per month, in order: month (DATE), rows and rows_before, null unless `compared`."""
    counted = [Cte("now_by_month", "rows about to be staged", by_month(NOW))]
    columns = ["n.month", named("n.n", "rows"), named(cast("NULL", "BIGINT"), "rows_before")]
    joins = []
    if compared:
        counted.append(Cte("before_by_month", "rows that were staged before", by_month(BEFORE)))
        month = coalesce("n.month", "b.month")
        columns = [named(month, "month"), *(named(coalesce(of(r, "n"), 0), as_) for r, as_ in _COMPARED)]
        joins.append(Join("before_by_month", alias="b", on=same(("month",), "n", "b"), kind="FULL"))
    made = Query(ctes=counted, columns=columns, source="now_by_month", alias="n", joins=joins, order_by=["1"])
    return made.as_table(f"{source}_by_month", reads=[])


_COMPARED = (("n", "rows"), ("b", "rows_before"))


def gone_customers(project: Project) -> Select:
    """Return the keys of the customers, known before, who are not among the rows about to be staged, in order."""
    keys = project.entity.keys
    there = Query(distinct=True, columns=list(keys), source=NOW)
    made = Query(
        ctes=[Cte("there", "customers of the new extract", there)],
        distinct=True,
        columns=each_of("s", keys),
        source=STORED,
        alias="s",
        joins=[Join("there", alias="t", on=same(keys, "t", "s"), kind="LEFT")],
        where=is_null(of("t", keys[0])),
        order_by=each_of("s", keys),
    )
    return made.as_table("gone_customers", reads=[])


def changed_cells(source: Source, columns: Sequence[str]) -> Select:
    """Return one row of the rows whose key and known time were staged before: n_rows, and as c0, c1 … how many of them
    have another value of each column now.
    """
    changed = [count_where(differs(of("n", name), of("b", name))) for name in columns]
    made = Query(
        columns=[named("COUNT(*)", "n_rows"), *(named(each, f"c{place}") for place, each in enumerate(changed))],
        source=NOW,
        alias="n",
        joins=[Join(BEFORE, alias="b", on=same(source.version_key, "n", "b"))],
    )
    return made.as_table("changed_cells", reads=[])


def by_month(relation: str) -> Query:
    """Return a row per month of a relation: month (DATE), and its rows as n."""
    month = cast(call("DATE_TRUNC", "'month'", "event_time"), "DATE")
    return Query(columns=[named(month, "month"), "COUNT(*) AS n"], source=relation, group_by=[month])
