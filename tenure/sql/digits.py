"""Digits: what a bank's condition may do with decimals of more than 18 digits.

amount > 100.5        compared as they are: the same on every engine
amount * 2 > 100.5    a product may have more than 38 digits: an error on DuckDB, null on Spark; so it is refused
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sqlglot import exp

from tenure.define.value_type import MOST_DIGITS, PRECISION, ValueType
from tenure.errors import InvalidDefinition

_DECIMAL = re.compile(r"decimal\((?P<precision>\d+), (?P<scale>\d+)\)")
_PLAIN = re.compile(r"(?P<whole>\d*)([.](?P<places>\d*))?")

#: What compares one value with others as they are.
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is)

#: What leaves a value its digits.
_SAME_DIGITS = (exp.Paren, exp.Abs, exp.Neg)


def refuse_more_digits(tree: exp.Expr, where: str, types: Mapping[str, str], asked_by: str) -> None:
    """Raise InvalidDefinition where a condition does with a long decimal what may take more than 38 digits."""
    for column in tree.find_all(exp.Column):
        type_ = _type_of(types.get(column.name, ""))
        if type_.is_decimal and type_.precision > PRECISION and not _is_compared_alone(column, type_, types):
            raise InvalidDefinition(
                f"{asked_by} has where={where!r}, which does more with '{column.name}', a {type_.words}, than compare "
                f"it with numbers of its digits: engines have {MOST_DIGITS} at most, and beyond one would count no row "
                f"where another fails; allowed: such as {column.name} > 100, BETWEEN, IN and IS NULL.",
                hint="Compute it in the source's select= and give it a column of its own, or declare fewer digits.",
            )


def _type_of(words: str) -> ValueType:
    """The type that a message names; only of decimals are the digits read."""
    found = _DECIMAL.fullmatch(words)
    return ValueType("decimal", int(found["precision"]), int(found["scale"])) if found else ValueType(words)


def _is_compared_alone(column: exp.Column, type_: ValueType, types: Mapping[str, str]) -> bool:
    """Whether a column is but compared, with what its type has room for."""
    value: exp.Expr = column
    while isinstance(value.parent, _SAME_DIGITS):
        value = value.parent
    if not isinstance(value.parent, _COMPARISONS):
        return False
    return all(_fits(other, type_, types) for other in _operands(value.parent) if other is not value)


def _operands(comparison: exp.Expr) -> Iterator[exp.Expr]:
    yield comparison.this
    for name in ("expression", "low", "high"):
        if comparison.args.get(name) is not None:
            yield comparison.args[name]
    yield from comparison.expressions


def _fits(other: exp.Expr, type_: ValueType, types: Mapping[str, str]) -> bool:
    """Whether a type has room for a number, or for every value of a column."""
    while isinstance(other, _SAME_DIGITS):
        other = other.this
    whole, places = type_.precision - type_.scale, type_.scale
    if isinstance(other, exp.Column):
        one = _type_of(types.get(other.name, ""))
        return one.is_decimal and one.precision - one.scale <= whole and one.scale <= places
    if isinstance(other, exp.Literal) and not other.is_string:
        number = _PLAIN.fullmatch(other.name)
        if number is None:
            return False
        return len(number["whole"].lstrip("0")) <= whole and len(number["places"] or "") <= places
    return isinstance(other, exp.Null)
