"""The bank's own conditions on one row: parsed, checked, printed with their columns qualified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tenure.define.dialect import Dialect
from tenure.errors import InvalidDefinition, UnknownColumn, choices
from tenure.sql.digits import refuse_more_digits


def condition(
    where: str, columns: Iterable[str] | Mapping[str, str], dialect: Dialect, *, relation: str, asked_by: str
) -> str:
    """Return the bank's own condition with every column qualified by `relation`.

    `columns` are those that it may read, with their types where they are known. Raises InvalidDefinition if it does not
    parse, is no condition (a number, `amount + 1`), or is more than a condition on one row (a sub-query, an aggregate,
    the clock), UnknownColumn if it reads a column that is not in `columns`.
    """
    types = tuple(columns.items()) if isinstance(columns, Mapping) else tuple((name, "") for name in columns)
    return _condition(where, types, dialect, relation, asked_by)


@cache
def _condition(where: str, columns: tuple[tuple[str, str], ...], dialect: Dialect, relation: str, asked_by: str) -> str:
    known = dict(columns)
    tree = _parsed(where, dialect, asked_by)
    _refuse_more_than_a_row(tree, where, asked_by)
    _refuse_no_condition(tree, where, known, asked_by)
    for column in tree.find_all(exp.Column):
        if column.name not in known or column.table:
            raise UnknownColumn(
                f"{asked_by} reads '{column.name}' in where={where!r}; columns: {choices(known)}.",
                hint="Run 'tenure check'.",
            )
        column.set("table", exp.to_identifier(relation))
    refuse_more_digits(tree, where, known, asked_by)
    return tree.sql(dialect=dialect)


def _parsed(where: str, dialect: Dialect, asked_by: str) -> exp.Condition:
    try:
        return sqlglot.parse_one(where, read=dialect, into=exp.Condition)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        if reason.startswith("No expression was parsed"):
            raise InvalidDefinition(
                f"{asked_by} has where={where!r}, which holds no condition; allowed: {_A_CONDITION}.",
                hint="Leave where= out if every row counts.",
            ) from error
        raise InvalidDefinition(f"{asked_by} has a where that is not SQL: {where!r}: {reason}") from error


_A_CONDITION = "what is true or false of one row, such as amount > 0"

#: What can stand in place of a condition, as a message calls it.
_NO_CONDITIONS: dict[type[exp.Expr], str] = {
    exp.Literal: "a single value",
    exp.Neg: "a single value",
    exp.Null: "a single value",
    exp.Column: "a column that is neither true nor false",
    exp.Binary: "a calculation",
}


def _refuse_no_condition(tree: exp.Expr, where: str, types: Mapping[str, str], asked_by: str) -> None:
    """Refuse what is a value, not true or false: engines would take 5 for TRUE."""
    found = exp.Null() if isinstance(tree, exp.Null) else _not_boolean(tree, types)
    if found is None or (isinstance(found, exp.Column) and found.name not in types):
        return  # an unknown column has a message of its own
    what = next((words for kind, words in _NO_CONDITIONS.items() if isinstance(found, kind)), "a value")
    raise InvalidDefinition(
        f"{asked_by} has where={where!r}, but '{found.sql()}' is {what}; allowed: {_A_CONDITION}.",
        hint="Compare it with something, or leave where= out if every row counts.",
    )


def _not_boolean(tree: exp.Expr, types: Mapping[str, str]) -> exp.Expr | None:
    """Return the part of a condition that is neither true nor false though it has to be, None if there is none."""
    if isinstance(tree, exp.Column):
        return None if types.get(tree.name) in ("boolean", "") else tree
    if isinstance(tree, exp.Boolean | exp.Null | exp.Predicate | exp.StartsWith | exp.Escape):
        return None
    if isinstance(tree, exp.Cast):
        return None if tree.to.this == exp.DataType.Type.BOOLEAN else tree
    parts = _boolean_parts(tree)
    if parts is None:
        return tree
    return next((found for part in parts if (found := _not_boolean(part, types)) is not None), None)


def _boolean_parts(tree: exp.Expr) -> list[exp.Expr] | None:
    """Return the parts of an expression that make it true or false, None of one that is a value."""
    if isinstance(tree, exp.Connector):
        return [tree.this, tree.expression]
    if isinstance(tree, exp.Not | exp.Paren):
        return [tree.this]
    if isinstance(tree, exp.Case):
        otherwise = tree.args.get("default")
        return [*(branch.args["true"] for branch in tree.args["ifs"]), *([otherwise] if otherwise else [])]
    if isinstance(tree, exp.If):
        otherwise = tree.args.get("false")
        return [tree.args["true"], *([otherwise] if otherwise else [])]
    if isinstance(tree, exp.Coalesce | exp.Greatest | exp.Least):
        return [tree.this, *tree.expressions]
    return [tree.this] if isinstance(tree, exp.Nullif) else None


#: Functions that a condition may call: of the row alone, and the same in both engines.
_ROW_FUNCTIONS: tuple[type[exp.Expression], ...] = (
    *(exp.And, exp.Or, exp.Xor, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Coalesce, exp.Nullif),
    *(exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Concat, exp.StartsWith),
    *(exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Greatest, exp.Least),
)


def _refuse_more_than_a_row(tree: exp.Condition, where: str, asked_by: str) -> None:
    """Refuse what reads other rows, the clock or chance: the past would change with the day it is computed on."""
    forbidden = {exp.Query: "a sub-query", exp.AggFunc: "an aggregate", exp.Window: "a window function"}
    for kind, name in forbidden.items():
        if tree.find(kind):
            raise InvalidDefinition(f"{asked_by} has {name} in where={where!r}; allowed: a condition on one row.")
    if '"' in where or "`" in where or tree.find(exp.Star, exp.Placeholder, exp.Parameter):
        # Double quotes are a name to DuckDB and a text to Spark.
        raise InvalidDefinition(
            f"{asked_by} has a double quote, a backtick, * or a parameter in where={where!r}; "
            "allowed: plain column names, and texts in single quotes."
        )
    for function in tree.find_all(exp.Func):
        if not isinstance(function, _ROW_FUNCTIONS):
            called = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
            allowed = choices((kind.__name__.upper() for kind in _ROW_FUNCTIONS), 30)
            raise InvalidDefinition(
                f"{asked_by} calls {called.upper()} in where={where!r}; allowed of functions: {allowed}.",
                hint="Compute it in the source's select= and give it a column of its own.",
            )


@cache
def names_read(where: str, dialect: Dialect) -> tuple[str, ...]:
    """Return the columns that a condition reads, in reading order; the condition was checked before.

    Remembered: a few conditions are asked for thousands of times, once for each column and stage.
    """
    found = sqlglot.parse_one(where, read=dialect, into=exp.Condition).find_all(exp.Column, bfs=False)
    return tuple(dict.fromkeys(column.name for column in found))
