"""Row-wise SELECTs: those whose rows of two files together are the rows of the one and the rows of the other.

```
SELECT b.*, a.customer_id FROM booked AS b LEFT JOIN held AS a ON …

booked: January, February   →   rows of January, then rows of February; held is read whole for both
```
A table of the FROM clause may grow so, if nothing in the SELECT looks at two of its rows at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from tenure.define.dialect import Dialect

#: Clauses that look at several rows, or at rows by chance.
_OF_SEVERAL_ROWS = (
    "distinct",
    "group",
    "having",
    "qualify",
    "limit",
    "offset",
    "order",
    "sample",
    "laterals",
    "windows",
)

#: What gives other values when it is asked again.
_BY_CHANCE = (
    exp.Rand,
    exp.Uuid,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentUser,
    exp.Anonymous,
)

_ROWS_TOGETHER = (exp.AggFunc, exp.Window, exp.Explode, exp.Unnest)

_SIDES = ("", "LEFT")


@dataclass(frozen=True)
class JoinedTable:
    """What a SELECT joins to the rows of the table that grows: under a name, the rows, and on which condition.

    `drops` says that a row without a match is left out, as an inner join does; `raws` are the raw tables that it reads;
    `stands_alone` that its condition speaks of no other joined table.
    """

    name: str
    rows: str
    on: str
    drops: bool
    raws: frozenset[str]
    stands_alone: bool


@dataclass(frozen=True)
class RowWise:
    """A row-wise SELECT: the raw table that may grow, as FROM names it, what is joined, and what else is read.

    `where` is its condition on rows of that table alone, '' if it has none; None if it speaks of what is joined too.
    """

    grows: str
    from_clause: str
    joined: tuple[JoinedTable, ...] = ()
    others: frozenset[str] = frozenset()
    where: str | None = ""


@cache
def row_wise(select: str, dialect: Dialect) -> RowWise | None:
    """Return how a source's SELECT is row-wise; None if it is not, or if that can't be told."""
    tree = sqlglot.parse_one(select, read=dialect)
    source = tree.args.get("from_")
    if not isinstance(tree, exp.Select) or source is None or not isinstance(source.this, exp.Table):
        return None
    if any(tree.args.get(clause) for clause in _OF_SEVERAL_ROWS) or tree.find(*_BY_CHANCE):
        return None
    grows = source.this
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = [table for table in tree.find_all(exp.Table) if table.name == grows.name]
    if len(named) != 1 or grows.name in own or _looks_at_several(tree):
        return None
    joined = [_joined(tree, join, dialect, own) for join in tree.args.get("joins") or ()]
    if None in joined:
        return None
    beside = {table.name for table in tree.find_all(exp.Table) if not table.find_ancestor(exp.Join)}
    sides = tuple(side for side in joined if side is not None)
    others = frozenset(beside - own - {grows.name})
    return RowWise(grows.name, grows.sql(dialect), sides, others, _where(tree, dialect))


def _where(tree: exp.Select, dialect: Dialect) -> str | None:
    """The condition on rows of the table that FROM names; None if it speaks of another, or does not say of which."""
    where = tree.args.get("where")
    if where is None:
        return ""
    spoken_of = {column.table for column in where.find_all(exp.Column)}
    allowed = {tree.args["from_"].this.alias_or_name} | (set() if tree.args.get("joins") else {""})
    return str(where.this.sql(dialect)) if spoken_of <= allowed and not where.find(exp.Select) else None


def _looks_at_several(tree: exp.Select) -> bool:
    """Whether an expression of the SELECT itself, not of one inside it, is of several rows."""
    return any(found.find_ancestor(exp.Select) is tree for found in tree.find_all(*_ROWS_TOGETHER))


def _joined(tree: exp.Select, join: exp.Join, dialect: Dialect, own: set[str]) -> JoinedTable | None:
    """What one join adds; None of one that is neither inner nor left, or has no condition of its own."""
    side, kind, on = str(join.side).upper(), str(join.kind).upper(), join.args.get("on")
    relation = join.this
    tables = {table.name for table in relation.find_all(exp.Table)}
    if side not in _SIDES or kind not in ("", "INNER", "OUTER") or join.method or on is None or tables & own:
        return None
    name = relation.alias_or_name
    if isinstance(relation, exp.Subquery):
        rows = relation.this.sql(dialect)
    elif isinstance(relation, exp.Table):
        rows = f"SELECT {', '.join(_read_of(tree, name))} FROM {relation.name} AS {name}"
    else:
        return None
    spoken_of = {column.table for column in on.find_all(exp.Column)}
    grows = tree.args["from_"].this.alias_or_name
    return JoinedTable(name, rows, on.sql(dialect), side == "", frozenset(tables), spoken_of == {name, grows})


def _read_of(tree: exp.Select, name: str) -> list[str]:
    """The columns that a SELECT reads of one of its tables; all where it does not say of which table each is."""
    columns = [column for column in tree.find_all(exp.Column) if column.find_ancestor(exp.Select) is tree]
    stars = [star for star in tree.find_all(exp.Star) if star.find_ancestor(exp.Select) is tree]
    says_all = all(column.table for column in columns)
    if not says_all or any(not isinstance(star.parent, exp.Column) or star.parent.table == name for star in stars):
        return ["*"]
    return sorted({column.sql() for column in columns if column.table == name})
