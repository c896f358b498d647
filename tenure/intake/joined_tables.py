"""Joined tables: what a source's SELECT joins to its rows, kept, so that the next staging knows which rows it changes.

```
SELECT b.*, a.customer_id FROM booked AS b JOIN held AS a ON a.account_id = b.account_id

kept       a at the last staging        account 7 of customer 1
now        a                            account 7 of customer 2 ──► bookings of account 7 are not as they were staged
```
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tenure.define.raw_tables import Parquet
from tenure.define.source import Source
from tenure.intake.readers import FileDigests
from tenure.session.work import Work, fingerprint
from tenure.sql.expressions import grouped, named
from tenure.sql.query import Cte, Join, Query, union_all
from tenure.sql.row_wise import JoinedTable, RowWise
from tenure.store.landing import Landing

#: What was kept, as engines read it, and the relation that it becomes.
_KEPT, _BEFORE = Parquet("joined"), "joined_before"


def keep(work: Work, source: Source, files: FileDigests, select: RowWise) -> dict[str, str]:
    """Keep the joined tables of a source, whose raw tables are relations; return under which name each is kept.

    On a cluster none is: its workers may not reach the lake's landing.
    """
    kept: dict[str, str] = {}
    for joined in select.joined if not work.engine.is_cluster else ():
        landing = _landing(work, source, joined)
        name = fingerprint([joined.rows, *(files[raw] for raw in sorted(joined.raws))])
        if not landing.files(name):
            with landing.replace(name) as folder:
                work.engine.write(joined.rows, folder, ())
        kept[joined.name] = name
    return kept


def are_kept(work: Work, source: Source, select: RowWise, kept: Mapping[str, str], changed: Collection[str]) -> bool:
    """Return whether it can be told which rows are joined otherwise, of raw tables that changed."""
    return not select.others.intersection(changed) and all(
        joined.stands_alone and _landing(work, source, joined).files(kept.get(joined.name, "none"))
        for joined in select.joined
        if joined.raws.intersection(changed)
    )


def rows_joined_otherwise(
    work: Work, source: Source, select: RowWise, kept: Mapping[str, str], changed: Collection[str]
) -> int:
    """Count the rows of the table that grows, a relation, to which another row is joined than when it was kept."""
    found = 0
    for joined in select.joined:
        if joined.raws.intersection(changed):
            files = _landing(work, source, joined).files(kept[joined.name])
            work.engine.read_parquet(_BEFORE, _KEPT, files)
            (counted,) = work.engine.run(_otherwise(select, joined).text).to_pylist()
            found += int(counted["n"])
    return found


def _otherwise(select: RowWise, joined: JoinedTable) -> Query:
    """The number of rows that meet a joined row which came or went."""
    before = Query(columns=["*"], source=_BEFORE).text
    sides = (joined.rows, before), (before, joined.rows)
    differences = [
        Query(columns=["*"], source=grouped(f"{one}\nEXCEPT ALL\n{other}"), alias="s") for one, other in sides
    ]
    comment = f"rows of {joined.name} that were not there before, or are no more"
    return Query(
        ctes=[Cte("came_or_went", comment, union_all(differences))],
        columns=[named("COUNT(*)", "n")],
        source=select.from_clause,
        joins=[Join("came_or_went", alias=joined.name, kind="SEMI", on=joined.on)],
    )


def _landing(work: Work, source: Source, joined: JoinedTable) -> Landing:
    return work.lake.landing(f"{source.name}-{joined.name}-joined")
