"""Expressions: functions that read like SQL and return its text.

An operand is printed as it is given; what needs parentheses gets them from `grouped`, or from `any_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def of(relation: str, name: str) -> str:
    """Return a relation's column."""
    return f"{relation}.{name}"


def each_of(relation: str, names: Iterable[str]) -> list[str]:
    """Return several columns of a relation."""
    return [f"{relation}.{name}" for name in names]


def named(expression: str, name: str) -> str:
    """Return an expression under a name."""
    return f"{expression} AS {name}"


def listed(expressions: Iterable[str]) -> str:
    """Return the expressions separated by commas, on one line."""
    return ", ".join(expressions)


def grouped(expression: str) -> str:
    """Return the expression in parentheses."""
    return f"({expression})"


def text_literal(value: str) -> str:
    """Return a text that the code chose as a literal; one from outside needs `literal` of a dialect."""
    return f"'{value}'"


def call(function: str, *operands: object) -> str:
    """Return a function of its operands."""
    return f"{function}({', '.join(map(str, operands))})"


def cast(expression: object, type_: str) -> str:
    """Return an expression as a type."""
    return f"CAST({expression} AS {type_})"


def try_cast(expression: object, type_: str) -> str:
    """Return an expression as a type, null where it is not of it."""
    return f"TRY_CAST({expression} AS {type_})"


def coalesce(*operands: object) -> str:
    """Return the first operand that is not null."""
    return call("COALESCE", *operands)


def null_if(expression: str, value: object) -> str:
    """Return null where the expression is the value, else the expression."""
    return call("NULLIF", expression, value)


def concatenated(parts: Iterable[str], between: str = "") -> str:
    """Return texts one behind the other, with a literal text between them."""
    return f" || {text_literal(between)} || ".join(parts) if between else " || ".join(parts)


def days_later(instant: str, days: int) -> str:
    """Return the instant so many days later."""
    return f"{instant} + INTERVAL '{days}' DAY"


def last_instant_of(day: str) -> str:
    """Return the last microsecond of the day that begins at an instant."""
    return f"{day} + INTERVAL '86399999999' MICROSECOND"


def days_earlier(instant: str, days: int) -> str:
    """Return the instant so many days earlier."""
    return f"{instant} - INTERVAL '{days}' DAY"


def times(left: object, right: object) -> str:
    """Return the product of two operands."""
    return f"{left} * {right}"


def lowest_ones(mask: str) -> str:
    """Return the ones of a mask of bits that stand below its lowest zero."""
    return f"({mask} & ~({mask} + 1))"


# Conditions


def equal(left: str, right: object) -> str:
    """Return whether both are the same; null where one is null."""
    return f"{left} = {right}"


def before(left: str, right: object) -> str:
    """Return whether the first is earlier, or less."""
    return f"{left} < {right}"


def at_most(left: str, right: object) -> str:
    """Return whether the first is no later, or no more."""
    return f"{left} <= {right}"


def at_least(left: str, right: object) -> str:
    """Return whether the first is no earlier, or no less."""
    return f"{left} >= {right}"


def after(left: str, right: object) -> str:
    """Return whether the first is later, or more."""
    return f"{left} > {right}"


def between(expression: str, low: object, high: object) -> str:
    """Return whether a value lies from `low` to `high`, both included."""
    return f"{expression} BETWEEN {low} AND {high}"


def is_in(expression: str, members: Iterable[str]) -> str:
    """Return whether a value is one of the members."""
    return f"{expression} IN ({', '.join(members)})"


def is_not_in(expression: str, members: Iterable[str]) -> str:
    """Return whether a value is none of the members."""
    return f"{expression} NOT IN ({', '.join(members)})"


def is_null(expression: str) -> str:
    """Return whether there is no value."""
    return f"{expression} IS NULL"


def is_not_null(expression: str) -> str:
    """Return whether there is a value."""
    return f"{expression} IS NOT NULL"


def differs(left: str, right: str) -> str:
    """Return whether two values are not the same; null is the same as null."""
    return f"{left} IS DISTINCT FROM {right}"


def all_of(*conditions: str) -> str:
    """Return whether every condition holds; AND binds closer than OR, so without parentheses."""
    return " AND ".join(conditions)


def all_of_in_lines(*conditions: str) -> str:
    """Return what `all_of` does, one condition a line."""
    return "\n    AND ".join(conditions)


def like(text: str, pattern: str) -> str:
    """Return whether a text is of a pattern, in which % stands for any letters."""
    return f"{text} LIKE {text_literal(pattern)}"


def either(*conditions: str) -> str:
    """Return whether one of the conditions holds, without parentheses: where it stands alone."""
    return " OR ".join(conditions)


def any_of(*conditions: str) -> str:
    """Return whether one of the conditions holds, in parentheses: where it stands among others."""
    return grouped(either(*conditions))


def negated(condition: str) -> str:
    """Return whether a condition does not hold."""
    return f"NOT {condition}"


# Cases


def case(*, when: str, then: object, otherwise: object = "") -> str:
    """Return a value where a condition holds, else the other, or null."""
    return cases([(when, str(then))], otherwise=otherwise)


def cases(branches: Sequence[tuple[str, str]], *, otherwise: object = "", between: str = " ") -> str:
    """Return the value of the first (condition, value) whose condition holds, else the other, or null.

    `between` stands between the branches: a blank, or the beginning of a line.
    """
    return f"CASE {between.join(_branches(branches, otherwise))} END"


def cases_in_lines(branches: Sequence[tuple[str, str]], *, otherwise: object = "") -> str:
    """Return what `cases` does, one branch a line."""
    return "\n    ".join(["CASE", *_branches(branches, otherwise)]) + "\nEND"


def _branches(branches: Sequence[tuple[str, str]], otherwise: object) -> list[str]:
    last = [] if otherwise == "" else [f"ELSE {otherwise}"]
    return [f"WHEN {when} THEN {then}" for when, then in branches] + last


# Aggregates and windows


def count_where(condition: str) -> str:
    """Return the number of rows of which a condition holds."""
    return call("COUNT", case(when=condition, then=1))


def number_where(condition: str) -> str:
    """Return the number of rows of which a condition holds, null where there is no row."""
    return call("SUM", case(when=condition, then=1, otherwise=0))


def over_partitions(function: str, partition_by: Iterable[str], order_by: Iterable[str]) -> str:
    """Return a window function over the rows that share some columns, in an order."""
    return f"{function} OVER (PARTITION BY {', '.join(partition_by)} ORDER BY {', '.join(order_by)})"


def over_all(function: str, order_by: Iterable[str]) -> str:
    """Return a window function over all rows, in an order."""
    return f"{function} OVER (ORDER BY {', '.join(order_by)})"


def simple_case(value: str, branches: Sequence[tuple[str, str]], *, otherwise: object = "") -> str:
    """Return the result of the first (text, result) whose text a value equals, else the other, or null."""
    return f"CASE {value} {' '.join(_branches(branches, otherwise))} END"
