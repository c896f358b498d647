"""Joined tables: the rows that a source's SELECT drops or multiplies by its joins, and those that it joins otherwise.

```
SELECT b.*, a.customer_id FROM booked AS b JOIN held AS a ON a.account_id = b.account_id

bookings of an account that a lacks are left out: counted, and limited
kept       a at the last staging        account 7 of customer 1
now        a                            account 7 of customer 2 ──► bookings of account 7 are not as they were staged
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from tenure.define.raw_tables import Parquet
from tenure.define.source import Source
from tenure.errors import UnmatchedKeys
from tenure.intake.completeness import Finding
from tenure.intake.readers import FileDigests
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.sql.expressions import count_where, either, grouped, is_null, named, of
from tenure.sql.query import Cte, Join, Query, union_all
from tenure.sql.row_wise import JoinedTable, RowWise, row_wise
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


class JoinLosses(NamedTuple):
    """What joins did to the rows of the table in a SELECT's FROM: how many there are, how many of them are left out
    since they have no match, and how many rows more than they are come of several matches.
    """

    rows: int = 0
    dropped: int = 0
    multiplied: int = 0

    def __add__(self, other: tuple[Any, ...]) -> JoinLosses:
        """Return the sum of both."""
        return JoinLosses(*(one + more for one, more in zip(self, other, strict=True)))


def losses(work: Work, source: Source) -> JoinLosses:
    """Count what the joins of a source's SELECT, whose raw tables are relations, leave out and multiply.

    Nothing of a SELECT that joins nothing, is not row-wise, or whose condition speaks of what is joined.
    """
    select = row_wise(source.select, work.dialect) if source.select else None
    if select is None or not select.joined or select.where is None:
        return JoinLosses()
    (found,) = work.engine.run(_losses(select).text).to_pylist()
    return JoinLosses(found["n"], found["dropped"] or 0, found["joined"] - found["n"])


def of_losses(found: JoinLosses) -> Iterator[Finding]:
    """Yield what the joins of a source left out and multiplied."""
    if found.dropped:
        yield Finding("TEN-I014", "warning", f"{_dropped(found)} and are left out")
    if found.multiplied:
        words = f"its joins make {found.rows + found.multiplied:,} rows of {found.rows:,}"
        yield Finding("TEN-I015", "warning", f"{words}: some match several, and count as often")


def require_joined(source: Source, found: JoinLosses) -> None:
    """Raise UnmatchedKeys if a source's joins leave out more rows than it allows."""
    if found.dropped > source.unmatched * found.rows:
        raise UnmatchedKeys(
            f"source '{source.name}': {_dropped(found)} and would be left out; allowed are {source.unmatched:.1%} "
            f"(unmatched={source.unmatched:g}; {source.where_defined}).",
            hint="Compare how both sides of the join write the key: its type, leading zeros, blanks. To keep such rows "
            "write LEFT JOIN. If they are to be left out, say so: a condition in WHERE, or "
            f"Source('{source.name}', unmatched=0.2, …).",
        )


def _dropped(found: JoinLosses) -> str:
    many = "row has" if found.dropped == 1 else "rows have"
    return f"{found.dropped:,} of {found.rows:,} {many} no match in the inner joins of its select"


def _losses(select: RowWise) -> Query:
    """One row: the rows of the table in FROM as n, those without a match as dropped, and all with matches as joined."""
    joins, unmatched = [], []
    for number, joined in enumerate(select.joined):
        there = Query(columns=["*", named("1", f"is_there_{number}")], source=grouped(joined.rows), alias="j")
        joins.append(Join(grouped(there.text), alias=joined.name, kind="LEFT", on=joined.on))
        if joined.drops:
            unmatched.append(is_null(of(joined.name, f"is_there_{number}")))
    dropped = count_where(either(*unmatched)) if unmatched else "0"
    met = Query(
        columns=[named("COUNT(*)", "joined"), named(dropped, "dropped")],
        source=select.from_clause,
        joins=joins,
        where=select.where or (),
    )
    alone = Query(columns=[named("COUNT(*)", "n")], source=select.from_clause, where=select.where or ())
    return Query(
        columns=["n", "joined", "dropped"],
        source=alone,
        alias="alone",
        joins=[Join(grouped(met.text), alias="met", on="1 = 1")],
    )


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
