"""Lists: formulas over floats, whose values are kept: sums of floats depend on the order in which they are added up.

    0.1, 1e16, −1e16 ──(the order is that of the values alone)──► the same bits in every run, route and engine

A formula that reads the days of events gets a list of [day, value].
"""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import DEVIATION, MEAN, SLOPE, TOTAL, Expression, Formula
from tenure.errors import InvalidDefinition
from tenure.sql import Dialect, op
from tenure.tables.finish import deviation_of_list, finite_or_null, in_steps, mean_of_list, struct, total_of_list

#: Values beyond the first number are scaled by the second, a power of two, so that products of theirs fit a DOUBLE;
#: beside such values, bits below 1e-294 are lost.
_HUGE, _SCALE = "CAST('1e280' AS DOUBLE)", f"CAST('{2.0**-96!r}' AS DOUBLE)"

#: Splits a DOUBLE of 53 bits.
_HALVES = f"CAST({2**27 + 1} AS DOUBLE)"


def is_listed(formula: Formula, type_: str) -> bool:
    """Return whether a formula over values of a type is computed of their list."""
    return type_ == "float" and formula.adds_values


def of_list(formula: Formula, values: str, dialect: Dialect) -> str:
    """Return the SQL of a formula over a list of floats; raise InvalidDefinition for one that has no way to it."""
    if formula.of not in _OF_LIST:
        raise InvalidDefinition(
            f"{formula.of} has no way to be computed of floats; allowed: those in tenure/tiles/lists.py."
        )
    return _OF_LIST[formula.of](values, dialect)


def _slope(dated: str, dialect: Dialect) -> str:
    """The slope of a list of [day, value].

    A row's weight n·x − Σx is a whole number. A value is split in two halves of 27 bits (Dekker, Numerische Mathematik
    18, 1971), so the weight's products with them are exact, up to weights of 26 bits; they are added up as all floats.
    """

    def each(of: str, expression: str) -> str:
        return op("each", dialect, of, "el", expression)

    x, y = op("member", dialect, "el", "0"), op("member", dialect, "el", "1")
    size, day = op("length", dialect, "it"), f"({x} - it.m)"
    largest = op("member", dialect, op("sorted", dialect, each("it", f"-ABS({y})")), "0")
    first_day = op("member", dialect, op("sorted", dialect, each("it", x)), "0")
    scale = f"CASE WHEN {largest} < -{_HUGE} THEN {_SCALE} ELSE CAST(1 AS DOUBLE) END"
    begun = {"l": "it", "n": size, "m": first_day, "k": scale}
    kept = {"n": "it.n", "k": "it.k"}
    total_x = op("list_sum", dialect, each("it.l", day))
    squares = op("list_sum", dialect, each("it.l", f"{day} * {day}"))
    summed = {**kept, "l": "it.l", "m": "it.m", "s": total_x, "q": squares}
    weighed = struct({"w": f"it.n * {day} - it.s", "y": f"{y} * it.k"}, dialect)
    spread = {**kept, "d": "it.n * it.q - it.s * it.s", "l": each("it.l", weighed)}
    split = struct({"w": "el.w", "y": "el.y", "h": f"{_HALVES} * el.y - ({_HALVES} * el.y - el.y)"}, dialect)
    halved = {**kept, "d": "it.d", "l": each("it.l", split)}
    products = f"{each('it.l', 'el.w * el.h')}, {each('it.l', 'el.w * (el.y - el.h)')}"
    rise = {**kept, "d": "it.d", "s": total_of_list(op("concatenated", dialect, products), dialect)}
    slope = f"CASE WHEN it.n >= {SLOPE.rows} AND it.d > 0 THEN it.s / it.d / it.k END"
    steps = [struct(step, dialect) for step in (begun, summed, spread, halved, rise)]
    return in_steps(dated, [*steps, slope, finite_or_null("it", dialect)], dialect)


#: Formula → its SQL over a list, in any order.
_OF_LIST: dict[Expression, Callable[[str, Dialect], str]] = {
    TOTAL: total_of_list,
    MEAN: mean_of_list,
    SLOPE: _slope,
    DEVIATION: lambda values, dialect: deviation_of_list(op("sorted", dialect, values), dialect),
}
