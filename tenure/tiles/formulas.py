"""Formulas: the one printer of an aggregate's formula as SQL, over sums of whole numbers and decimals.

    Σ value / n ──(printed)──► CAST(… AS DOUBLE) / NULLIF(…, 0)

What lies in a `Scatter` is calculated with whole numbers of units of the values' last place, and is exact until it
becomes a DOUBLE; the unit of the values is put right at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tenure.define.aggregates import (
    VALUE,
    AggregateKind,
    Arithmetic,
    AtLeast,
    Count,
    Expression,
    Max,
    Min,
    NullIfZero,
    Number,
    Scatter,
    Sqrt,
    Sum,
    Term,
)
from tenure.define.shape import unknown_kind
from tenure.define.value_type import ValueType
from tenure.errors import InvalidDefinition
from tenure.sql import Dialect
from tenure.sql.arithmetic import Number as Printed
from tenure.sql.dialects import WHOLE
from tenure.sql.expressions import after, call, cast, coalesce, grouped, null_if
from tenure.sql.expressions import case as case_when
from tenure.tables.finish import nearest, spread, whole
from tenure.tiles.sums import kinds_of


def printed(expression: Expression, sums: Mapping[str, str], type_: ValueType, dialect: Dialect) -> str:
    """Return the SQL of an expression; `sums` are the merged sums by their kinds, of values of `type_`."""
    return _Printer(sums, type_, dialect).finished(expression)


def or_empty(number: str, kind: AggregateKind) -> str:
    """Return an aggregate's number, and what it is of no rows where that is not null."""
    return number if kind.empty is None else coalesce(number, kind.empty)


class _Printer:
    def __init__(self, sums: Mapping[str, str], type_: ValueType, dialect: Dialect) -> None:
        self._sums, self._type, self._dialect = sums, type_, dialect

    def finished(self, expression: Expression) -> str:
        """A whole formula, in the unit of the values."""
        match expression:
            case AtLeast(rows, of):
                return case_when(when=after(self._sum(Count()), rows - 1), then=self.finished(of))
            case _:
                power = int(units(expression))
                number = self._number(expression)
                if self._type.places:
                    for _ in range(power):
                        number = number / 10**self._type.places
                return str(number)

    def _number(self, expression: Expression) -> Printed:
        match expression:
            case Count():
                return Printed(self._sum(expression))
            case Sum() | Min() | Max():
                return Printed(nearest(self._sum(expression), self._type, self._dialect))
            case Number(number):
                return Printed(str(number))
            case Arithmetic(operator, left, right):
                return _CALCULATED[operator](self._number(left), self._number(right))
            case NullIfZero(of):
                return Printed(null_if(str(self._number(of)), 0))
            case Sqrt(of):
                return Printed(call("SQRT", self._number(of)))
            case Scatter(x, y):
                return Printed(grouped(self._scatter(x, y)))
            case _:
                raise unknown_kind("part of a formula", expression)

    def _sum(self, summed: Count | Sum | Min | Max) -> str:
        (kind,) = kinds_of(summed)
        return self._sums[kind]

    def _scatter(self, x: Term, y: Term) -> str:
        """n·Σxy − Σx·Σy as a DOUBLE."""
        rows = self._sums["count"]
        if x == y == VALUE:
            low, high = (self._sums[kind] for kind in kinds_of(Sum(x * y)))
            return spread(rows, self._sum(Sum(VALUE)), low, high, self._type, self._dialect)
        product, of_x, of_y = self._whole(Sum(x * y)), self._whole(Sum(x)), self._whole(Sum(y))
        return cast(Printed(rows) * product - of_x * of_y, "DOUBLE")

    def _whole(self, summed: Sum) -> Printed:
        """A sum as a whole number of units of the values' last place."""
        text = self._sum(summed)
        if summed.of == VALUE:
            return Printed(whole(text, self._type, self._dialect))
        return Printed(cast(text, WHOLE[self._dialect]))


#: A formula's operator as SQL; what stands in parentheses may stand in any formula.
_CALCULATED: dict[str, Callable[[Printed, Printed], Printed]] = {
    "+": lambda left, right: (left + right).grouped,
    "-": lambda left, right: (left - right).grouped,
    "*": lambda left, right: (left * right).grouped,
    "/": lambda left, right: left / right,
}


def units(expression: Expression) -> float:
    """Return the power of the values' last place that a printed expression is in, 0 where it is in their unit."""
    match expression:
        case Scatter(x, y):
            return (x * y).factors.count("value")
        case Arithmetic("/", left, right):
            return units(left) - units(right)
        case Arithmetic("*", left, right):
            return units(left) + units(right)
        case Arithmetic(_, left, right):
            if units(left) != units(right):
                raise InvalidDefinition(f"{expression} adds numbers that are not in one unit; allowed: those that are.")
            return units(left)
        case Sqrt(of):
            return units(of) / 2
        case NullIfZero(of) | AtLeast(_, of):
            return units(of)
        case _:
            return 0
