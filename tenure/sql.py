"""The operations that engines spell differently, and the bank's own conditions: parsed, checked, printed.

sqlglot parses and prints within one dialect; it never translates, because it translates some functions
silently wrong (DuckDB's `log` is base 10, Spark's is natural).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal, TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from tenure.errors import InvalidDefinition, UnknownColumn, choices

Dialect: TypeAlias = Literal["duckdb", "spark"]

DIALECTS: tuple[Dialect, ...] = ("duckdb", "spark")

#: One row an operation; {0}, {1} are its operands.
OPERATIONS: dict[str, dict[Dialect, str]] = {
    "days_between": {
        "duckdb": "date_diff('day', {0}, {1})",
        "spark": "CAST(datediff({1}, {0}) AS BIGINT)",
    },
    "seconds": {"duckdb": "CAST(epoch({0}) AS BIGINT)", "spark": "unix_timestamp({0})"},
    "days_later": {
        "duckdb": "({0} + to_days(CAST({1} AS INTEGER)))",
        "spark": "({0} + make_dt_interval(CAST({1} AS INT)))",
    },
    # DuckDB 2.0 takes `t - INTERVAL '3' MONTH` for the common sub-expression `t - INTERVAL '90' DAY`, since the two
    # intervals compare equal; another operator keeps them apart.
    "months_earlier": {"duckdb": "({0} + INTERVAL '-{1}' MONTH)", "spark": "({0} - INTERVAL '{1}' MONTH)"},
    "full_match": {"duckdb": "regexp_full_match({0}, '{1}')", "spark": "{0} RLIKE '^({1})$'"},
    "before_point": {"duckdb": "split_part({0}, '.', 1)", "spark": "substring_index({0}, '.', 1)"},
    # Text with an offset is another instant in UTC; without one it is UTC.
    "instant": {"duckdb": "CAST(TRY_CAST({0} AS TIMESTAMPTZ) AS TIMESTAMP)", "spark": "TRY_CAST({0} AS TIMESTAMP)"},
    # An instant as a number, for structs: Delta keeps naive instants in a later protocol than most readers know.
    "micros": {"duckdb": "epoch_us({0})", "spark": "unix_micros({0})"},
    # Of several values; not the same in both engines, nor promised by DuckDB from version to version.
    "row_hash": {"duckdb": "hash({0})", "spark": "xxhash64({0})"},
    "sha256": {"duckdb": "sha256({0})", "spark": "sha2({0}, 256)"},
    "parse_time": {"duckdb": "try_strptime({0}, '{1}')", "spark": "try_to_timestamp({0}, '{1}')"},
    # Sets of days or months as the bits of an integer.
    "bit": {"duckdb": "(CAST(1 AS BIGINT) << {0})", "spark": "shiftleft(CAST(1 AS BIGINT), CAST({0} AS INT))"},
    "bits": {"duckdb": "CAST(bit_count({0}) AS BIGINT)", "spark": "CAST(bit_count({0}) AS BIGINT)"},
    "whole_division": {"duckdb": "({0} // {1})", "spark": "({0} div {1})"},
    # Of numbers of up to 38 digits, towards 0; Spark's `div` gives 64 bits.
    "quotient": {"duckdb": "({0} // {1})", "spark": "CAST({0} div {1} AS DECIMAL(38, 0))"},
    # Lists of values: what quantiles and distinct counts are made of.
    "list_of_rows": {"duckdb": "list({0}) FILTER (WHERE ({0}) IS NOT NULL)", "spark": "collect_list({0})"},
    "set_of_rows": {
        "duckdb": "list_distinct(list({0}))",
        "spark": "collect_set({0})",
    },
    "list_of_lists": {"duckdb": "flatten(list({0}))", "spark": "flatten(collect_list({0}))"},
    "or_empty": {"duckdb": "COALESCE({0}, [])", "spark": "COALESCE({0}, array())"},
    "concatenated": {"duckdb": "list_concat({0})", "spark": "concat({0})"},
    "sorted": {"duckdb": "list_sort({0})", "spark": "array_sort({0})"},
    "length": {"duckdb": "len({0})", "spark": "size({0})"},
    # The element at a place counted from 0; null of none.
    "element": {
        "duckdb": "CAST(list_extract({0}, CAST({1} AS BIGINT) + 1) AS DOUBLE)",
        "spark": "CAST(get({0}, CAST({1} AS INT)) AS DOUBLE)",
    },
    "member": {"duckdb": "({0})[{1} + 1]", "spark": "get({0}, {1})"},
    "list_of_one": {"duckdb": "[{0}]", "spark": "array({0})"},
    # {2} of each element, called {1}; and all of them folded into {1}, one by one as `el` into `acc`, by {2}.
    "each": {"duckdb": "list_transform({0}, lambda {1}: {2})", "spark": "transform({0}, {1} -> {2})"},
    "folded": {
        "duckdb": "list_reduce({0}, lambda acc, el: {2}, {1})",
        "spark": "aggregate({0}, {1}, (acc, el) -> {2})",
    },
    "list_sum": {
        "duckdb": "list_sum({0})",
        "spark": "aggregate({0}, CAST(0 AS DOUBLE), (acc, el) -> acc + el)",
    },
    # Not by a comparison in DuckDB: it trusts the statistics of Parquet files, which leave NaN out.
    "is_finite": {
        "duckdb": "isfinite({0})",
        "spark": "(NOT isnan({0}) AND ABS({0}) <= CAST('1.7976931348623157e308' AS DOUBLE))",
    },
    "members": {"duckdb": "unnest({0})", "spark": "explode({0})"},
    "days_from_to": {
        "duckdb": "unnest(generate_series({0}, {1} - INTERVAL '1' DAY, INTERVAL '1' DAY))",
        "spark": "explode(sequence({0}, date_sub({1}, 1)))",
    },
}

#: Tenure's column type → the engine's.
TYPE_NAMES: dict[Dialect, dict[str, str]] = {
    "duckdb": {
        "string": "VARCHAR",
        "integer": "BIGINT",
        "decimal": "DECIMAL(18, 2)",
        "float": "DOUBLE",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
    "spark": {
        "string": "STRING",
        "integer": "BIGINT",
        "decimal": "DECIMAL(18, 2)",
        "float": "DOUBLE",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    },
}

#: strptime directive → Java's DateTimeFormatter pattern, for Spark.
_JAVA_PATTERNS = {
    "%Y": "yyyy",
    "%y": "yy",
    "%m": "MM",
    "%d": "dd",
    "%H": "HH",
    "%M": "mm",
    "%S": "ss",
    "%f": "SSSSSS",
    "%b": "MMM",
    "%j": "DDD",
}


@dataclass(frozen=True)
class Select:
    """A table as one SELECT: its name, its text in one dialect, and the relations it reads."""

    table: str
    text: str
    reads: tuple[str, ...]


def op(name: str, dialect: Dialect, *operands: str) -> str:
    """Return the operation `name` on `operands`, as `dialect` spells it."""
    return OPERATIONS[name][dialect].format(*operands)


def quoted(name: str, dialect: Dialect) -> str:
    """Return a raw column's name, quoted for the dialect."""
    mark = '"' if dialect == "duckdb" else "`"
    return mark + name.replace(mark, mark * 2) + mark


def literal(text: str, dialect: Dialect) -> str:
    """Return `text` as a SQL string; Spark also reads backslashes as escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'") if dialect == "spark" else text.replace("'", "''")
    return f"'{escaped}'"


def date_literal(day: date) -> str:
    """Return a date as SQL."""
    return f"DATE '{day.isoformat()}'"


def midnight_literal(day: date) -> str:
    """Return the instant at which `day` begins, as SQL."""
    return f"TIMESTAMP '{day.isoformat()} 00:00:00'"


def java_pattern(format_: str, *, asked_by: str) -> str:
    """Return the Java pattern of a strptime format; raise InvalidDefinition for a directive it lacks."""
    parts: list[str] = []
    position = 0
    while position < len(format_):
        piece = format_[position : position + 2]
        if piece.startswith("%"):
            if piece not in _JAVA_PATTERNS:
                raise InvalidDefinition(
                    f"{asked_by} has format '{format_}' with the directive '{piece}'; "
                    f"allowed: {', '.join(_JAVA_PATTERNS)}."
                )
            parts.append(_JAVA_PATTERNS[piece])
            position += 2
        else:
            if piece[0] not in "-/:.,_ " and not piece[0].isalpha():
                raise InvalidDefinition(
                    f"{asked_by} has format '{format_}' with '{piece[0]}'; allowed: letters and -/:.,_"
                )
            parts.append(f"''{piece[0]}''" if piece[0].isalpha() else piece[0])
            position += 1
    return "".join(parts)


def condition(where: str, columns: Iterable[str], dialect: Dialect, *, relation: str, asked_by: str) -> str:
    """Return the bank's own condition with every column qualified by `relation`.

    Raises InvalidDefinition if it does not parse or is more than a condition on one row (a sub-query, an
    aggregate, the clock), UnknownColumn if it reads a column that is not in `columns`.
    """
    return _condition(where, frozenset(columns), dialect, relation, asked_by)


@cache
def _condition(where: str, known: frozenset[str], dialect: Dialect, relation: str, asked_by: str) -> str:
    try:
        tree = sqlglot.parse_one(where, read=dialect, into=exp.Condition)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise InvalidDefinition(f"{asked_by} has a where that is not SQL: {where!r}: {reason}") from error
    _refuse_more_than_a_row(tree, where, asked_by)
    for column in tree.find_all(exp.Column):
        if column.name not in known or column.table:
            raise UnknownColumn(
                f"{asked_by} reads '{column.name}' in where={where!r}; columns: {choices(known)}.",
                hint="Run 'tenure check'.",
            )
        column.set("table", exp.to_identifier(relation))
    return tree.sql(dialect=dialect)


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


def relations(select: str, dialect: Dialect, *, asked_by: str) -> frozenset[str]:
    """Return the tables that the bank's own SELECT reads; raise InvalidDefinition if it is not one SELECT."""
    try:
        tree = sqlglot.parse_one(select, read=dialect)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise InvalidDefinition(f"{asked_by} has a select that is not SQL: {reason}") from error
    if not isinstance(tree, exp.Query):
        raise InvalidDefinition(f"{asked_by} has a select that is a {tree.key.upper()}; allowed: one SELECT.")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(t.name for t in tree.find_all(exp.Table)) - own


def names_read(where: str, dialect: Dialect) -> tuple[str, ...]:
    """Return the columns that a condition reads, in reading order; the condition was checked before."""
    found = sqlglot.parse_one(where, read=dialect, into=exp.Condition).find_all(exp.Column, bfs=False)
    return tuple(dict.fromkeys(column.name for column in found))


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


def indented(lines: Iterable[str], spaces: int = 4) -> str:
    """Return the lines joined, each behind `spaces` blanks."""
    return "\n".join(" " * spaces + line for text in lines for line in text.splitlines())


def column_list(columns: Sequence[str | tuple[str, str]], spaces: int = 4) -> str:
    """Return a SELECT's columns, one a line; of a pair (expression, comment) the comment goes above as a line."""
    lines: list[str] = []
    for number, column in enumerate(columns, start=1):
        expression, comment = (column, "") if isinstance(column, str) else column
        if comment:
            lines.append(f"-- {comment}")
        lines.append(expression + ("," if number < len(columns) else ""))
    return indented(lines, spaces)


def with_ctes(ctes: Sequence[tuple[str, str, str]], final: str) -> str:
    """Return `WITH … final`; each CTE is (name, what its rows are, body)."""
    blocks = [f"-- {comment}\n{name} AS (\n{indented([body])}\n)" for name, comment, body in ctes]
    return "WITH\n" + ",\n".join(blocks) + "\n" + final
