"""The bank's own SELECTs: which tables they read, and what each of their columns is computed from."""

from __future__ import annotations

import re
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.scope import traverse_scope

from tenure.define.dialect import Dialect
from tenure.define.raw_tables import READERS_IN_WORDS
from tenure.errors import InvalidDefinition


def relations(select: str, dialect: Dialect, *, asked_by: str) -> frozenset[str]:
    """Return the tables that a SELECT over the lake reads.

    Raises InvalidDefinition if it is not one SELECT, or reads anything but tables by their plain names: a table
    function such as read_parquet(…), a file such as '/home/x.csv', a table of another schema.
    """
    tree = _query(select, dialect, asked_by)
    _refuse_outside(tree, asked_by, _LAKE_TABLES)
    return _relations(tree)


def raw_relations(select: str, dialect: Dialect, *, asked_by: str) -> frozenset[str]:
    """Return the raw tables that a source's SELECT reads.

    Raises InvalidDefinition if it is not one SELECT, or reads anything else: table functions, files, catalogs.
    """
    tree = _query(select, dialect, asked_by)
    _refuse_outside(tree, asked_by, _RAW_TABLES)
    return _relations(tree) - {""}


def columns_read(select: str, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """Return the (table, column) pairs that a SELECT names of tables outside it, in reading order.

    Without those of which it does not say whose of several tables they are.
    """
    found = []
    for scope in traverse_scope(sqlglot.parse_one(select, read=dialect)):
        for column in scope.columns:
            alone = next(iter(scope.sources.values())) if len(scope.sources) == 1 else None
            table = scope.sources.get(column.table) if column.table else alone
            if isinstance(table, exp.Table):
                found.append((table.name, column.name))
    return tuple(dict.fromkeys(found))


def _query(select: str, dialect: Dialect, asked_by: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(select, read=dialect)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise InvalidDefinition(f"{asked_by} has a select that is not SQL: {reason}") from error
    if not isinstance(tree, exp.Query):
        raise InvalidDefinition(f"{asked_by} has a select that is a {tree.key.upper()}; allowed: one SELECT.")
    return tree


def _relations(tree: exp.Query) -> frozenset[str]:
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table)) - own


#: Functions of one row that reach outside the tables that a source reads: settings, the environment, other SQL.
_REACHING = frozenset("getenv current_setting getvariable query query_table java_method reflect try_reflect".split())

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

#: What each kind of SELECT may read, and what to do instead.
_RAW_TABLES = (
    "the raw tables of its read=, and what is made of them",
    f"Give the file or query a name in read={{'name': …}}, one of {READERS_IN_WORDS}, and select from that name.",
)
_LAKE_TABLES = (
    "tables of the lake by their plain names, and what is made of them",
    f"Read files by read= of a source, one of {READERS_IN_WORDS}.",
)


def _refuse_outside(tree: exp.Expr, asked_by: str, allowed: tuple[str, str]) -> None:
    """Refuse what reads anything but tables that Tenure hands over: table functions, files, catalogs, settings.

    What a source reads stands in its read=, where it is fingerprinted, checked and landed; a file named in a SELECT
    would be none of these. Definitions are code all the same: this is no wall against whoever writes them.
    """
    for table in tree.find_all(exp.Table, exp.Lateral):
        called = table.this
        if isinstance(called, exp.Func) and not isinstance(called, exp.Explode | exp.Posexplode | exp.Inline):
            raise _reaches(asked_by, allowed, f"the table function {_called(called)}")
        if isinstance(table, exp.Table) and not isinstance(called, exp.Func):
            if not _NAME.match(table.name):
                raise _reaches(asked_by, allowed, f"the file or name '{table.name}'")
            if table.db or table.catalog:
                raise _reaches(asked_by, allowed, f"'{table.db}.{table.name}', a table of the engine's own")
    for cte in tree.find_all(exp.CTE):
        # DuckDB would read a file of that name where the CTE is not in sight.
        if not _NAME.match(cte.alias):
            raise _reaches(asked_by, allowed, f"a CTE named '{cte.alias}'")
    for function in tree.find_all(exp.Func):
        if _called(function).lower() in _REACHING:
            raise _reaches(asked_by, allowed, f"the function {_called(function)}")


def _called(function: exp.Func) -> str:
    return function.name if isinstance(function, exp.Anonymous) else function.sql("duckdb").partition("(")[0].lower()


def _reaches(asked_by: str, allowed: tuple[str, str], what: str) -> InvalidDefinition:
    tables, hint = allowed
    return InvalidDefinition(f"{asked_by} reads {what} in its SELECT; allowed: {tables}.", hint=hint)


@cache
def origins(select: str, column: str, dialect: Dialect) -> tuple[tuple[str, str], ...] | None:
    """Return the (table, column) pairs that a column of the bank's own SELECT is computed from, sorted.

    () of a constant; None where that can't be told from the text alone: of several tables' `*`, or of a column that
    does not say which of several tables it is of.
    """
    tree = sqlglot.parse_one(select, read=dialect)
    spelled = {c.name.lower(): c.name for c in tree.find_all(exp.Column)}
    try:
        traced = lineage(column, select, {}, dialect=dialect)
    except SqlglotError:
        table = _only_star(tree)
        return ((table, column),) if table else None
    found: list[tuple[str, str]] = []
    for node in traced.walk() if isinstance(traced, Node) else ():
        name = node.name.rpartition(".")[2]
        if isinstance(node.expression, exp.Placeholder) or name == "*":
            return None
        if isinstance(node.expression, exp.Table):
            found.append((node.expression.name, spelled.get(name.lower(), name)))
    return tuple(sorted(set(found)))  # sqlglot walks in the order of a set


@cache
def names_behind(select: str, column: str, dialect: Dialect) -> frozenset[str]:
    """Return the names that a column of a SELECT is computed from, whichever tables have them.

    It sees through CTEs, sub-queries and UNION by name alone, so that a `*` beside it hides nothing.
    """
    named: dict[str, set[str]] = {}
    for made in sqlglot.parse_one(select, read=dialect).find_all(exp.Select):
        for part in made.expressions:
            named.setdefault(part.alias_or_name.lower(), set()).update(
                c.name.lower() for c in part.find_all(exp.Column)
            )
    found, new = set[str](), {column.lower()}
    while new:
        found |= new
        new = {name for above in new for name in named.get(above, ())} - found
    return frozenset(found)


def _only_star(tree: exp.Expr) -> str:
    """Return the table whose `*` gives every column that a SELECT does not name, '' if it is not one table's."""
    if not isinstance(tree, exp.Select):
        return ""
    stars = [e for e in tree.expressions if e.is_star]
    scanned = {t.alias_or_name: t.name for t in tree.find_all(exp.Table) if t.find_ancestor(exp.Select) is tree}
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    if len(stars) != 1 or stars[0].find(exp.Star).args.get("except_"):
        return ""
    if isinstance(stars[0], exp.Column):
        table = scanned.get(stars[0].table, "")
    else:
        table = next(iter(scanned.values())) if len(scanned) == 1 and not tree.args.get("joins") else ""
    return "" if table in own else table
