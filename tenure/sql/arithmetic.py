"""Arithmetic: numbers in SQL with which Python's operators calculate, so that a formula reads like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

#: How close an operator binds: terms are added up, factors multiplied or divided, and an atom is one piece.
_TERM, _FACTOR, _ATOM = 1, 2, 3

Operand: TypeAlias = "Number | int | str"


@dataclass(frozen=True)
class Number:
    """A number in SQL; printed by `str`, with parentheses where the order of calculation asks for them.

    Text that is given counts as one piece: a column, a call, or what stands in parentheses. The right side of an
    operator that binds no closer keeps its parentheses even after + and *: floats are not associative.
    """

    text: str
    binds: int = _ATOM

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: Operand) -> Number:
        return _of(self, "+", other, _TERM)

    def __radd__(self, other: Operand) -> Number:
        return _of(other, "+", self, _TERM)

    def __sub__(self, other: Operand) -> Number:
        return _of(self, "-", other, _TERM)

    def __rsub__(self, other: Operand) -> Number:
        return _of(other, "-", self, _TERM)

    def __mul__(self, other: Operand) -> Number:
        return _of(self, "*", other, _FACTOR)

    def __rmul__(self, other: Operand) -> Number:
        return _of(other, "*", self, _FACTOR)

    def __truediv__(self, other: Operand) -> Number:
        return _of(self, "/", other, _FACTOR)

    def __rtruediv__(self, other: Operand) -> Number:
        return _of(other, "/", self, _FACTOR)

    def __mod__(self, other: Operand) -> Number:
        return _of(self, "%", other, _FACTOR)

    def __neg__(self) -> Number:
        return Number(f"-{_behind(self, _ATOM)}", _FACTOR)

    @property
    def grouped(self) -> Number:
        """The number in parentheses."""
        return Number(f"({self.text})")


def numbers(relation: str, *names: str) -> list[Number]:
    """Return several columns or fields of a relation as numbers."""
    return [Number(f"{relation}.{name}") for name in names]


def _of(left: Operand, sign: str, right: Operand, binds: int) -> Number:
    return Number(f"{_behind(left, binds)} {sign} {_behind(right, binds + 1)}", binds)


def _behind(operand: Operand, binds: int) -> str:
    """An operand, in parentheses where it binds less than is asked."""
    if isinstance(operand, Number):
        return operand.text if operand.binds >= binds else f"({operand.text})"
    return str(operand)
