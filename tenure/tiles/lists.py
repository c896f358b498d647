"""Lists: formulas over floats, whose values are kept: sums of floats depend on the order in which they are added up.

    0.1, 1e16, −1e16 ──(the order is that of the values alone)──► the same bits in every run, route and engine

A formula that reads the days of events gets a list of [day, value]. Decimals of more than 18 digits are listed too: no
number of an engine has room for all sums of theirs, which are added up exactly, in pieces.
"""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import DEVIATION, MEAN, SLOPE, TOTAL, Expression, Formula
from tenure.define.value_type import ValueType
from tenure.errors import InvalidDefinition
from tenure.sql import Dialect, op
from tenure.sql.arithmetic import Number, numbers
from tenure.sql.expressions import after, all_of, at_least, before, call, case, cast, listed, text_literal
from tenure.tables.finish import deviation_of_list, finite_or_null, in_steps, mean_of_list, struct, total_of_list, whole
from tenure.tables.long_decimals import (
    deviation_of_decimals,
    mean_of_decimals,
    slope_of_decimals,
    total_of_decimals,
)

#: Values beyond the first number are scaled by the second, a power of two, so that products of theirs fit a DOUBLE;
#: next to such values, bits below 1e-294 are lost.
_HUGE, _SCALE = cast("'1e280'", "DOUBLE"), cast(text_literal(repr(2.0**-96)), "DOUBLE")

#: Splits a DOUBLE of 53 bits.
_HALVES = Number(cast(2**27 + 1, "DOUBLE"))


def is_listed(formula: Formula, type_: ValueType) -> bool:
    """Return whether a formula over values of a type is computed of their list."""
    return (type_.name == "float" or type_.is_long) and formula.adds_values


def of_list(formula: Formula, values: str, type_: ValueType, dialect: Dialect) -> str:
    """Return the SQL of a formula over a list of floats or long decimals.

    Raises InvalidDefinition for one that has no way to it.
    """
    if formula.of not in _OF_LIST:
        raise InvalidDefinition(
            f"{formula.of} has no way to be computed of floats; allowed: those in tenure/tiles/lists.py."
        )
    if type_.is_long:
        return _OF_DECIMALS[formula.of](values, type_, dialect)
    return _OF_LIST[formula.of](values, dialect)


def dated(day: str, value: str, type_: ValueType, dialect: Dialect) -> str:
    """Return the pair of a day and a value; of a long decimal in units of its last place."""
    if type_.is_long:
        # No struct of both, of which PySpark tells no type without a warning, and no HUGEINT, which Parquet lacks.
        return op("pair", dialect, *(cast(one, "DECIMAL(38, 0)") for one in (day, whole(value, type_, dialect))))
    return op("pair", dialect, cast(day, "DOUBLE"), value)


def _slope(dated: str, dialect: Dialect) -> str:
    """The slope of a list of [day, value].

    A row's weight n·x − Σx is a whole number. A value is split in two halves of 27 bits (Dekker, Numerische Mathematik
    18, 1971), so the weight's products with them are exact, up to weights of 26 bits; they are added up as all floats.
    """

    def each(list_: str, expression: object) -> str:
        return op("each", dialect, list_, "el", expression)

    def member(list_: str, place: int) -> Number:
        return Number(op("member", dialect, list_, place))

    def smallest(expression: object) -> Number:
        return member(op("sorted", dialect, each("it", expression)), 0)

    n, m, k, d, s, q = numbers("it", "n", "m", "k", "d", "s", "q")
    w, y, h = numbers("el", "w", "y", "h")
    x, value = member("el", 0), member("el", 1)
    day = (x - m).grouped
    is_huge = before(str(smallest(-Number(call("ABS", value)))), -Number(_HUGE))
    weighed = struct({"w": n * day - s, "y": value * k}, dialect)
    halved = struct({"w": w, "y": y, "h": _HALVES * y - (_HALVES * y - y)}, dialect)
    products = [each("it.l", w * h), each("it.l", w * (y - h))]
    kept: dict[str, object] = {"n": n, "k": k}
    spread: dict[str, object] = {**kept, "d": d}
    steps: list[dict[str, object]] = [
        {
            "l": "it",
            "n": op("length", dialect, "it"),
            "m": smallest(x),
            "k": case(when=is_huge, then=_SCALE, otherwise=cast(1, "DOUBLE")),
        },
        {
            **kept,
            "l": "it.l",
            "m": m,
            "s": op("list_sum", dialect, each("it.l", day)),
            "q": op("list_sum", dialect, each("it.l", day * day)),
        },
        {**kept, "d": n * q - s * s, "l": each("it.l", weighed)},
        {**spread, "l": each("it.l", halved)},
        {**spread, "s": total_of_list(op("concatenated", dialect, listed(products)), dialect)},
    ]
    has_slope = all_of(at_least(str(n), SLOPE.rows), after(str(d), 0))
    slope = case(when=has_slope, then=s / d / k)
    structs = [struct(step, dialect) for step in steps]
    return in_steps(dated, [*structs, slope, finite_or_null("it", dialect)], dialect)


#: Formula → its SQL over a list, in any order.
_OF_LIST: dict[Expression, Callable[[str, Dialect], str]] = {
    TOTAL: total_of_list,
    MEAN: mean_of_list,
    SLOPE: _slope,
    DEVIATION: lambda values, dialect: deviation_of_list(op("sorted", dialect, values), dialect),
}

#: The same over a list of long decimals.
_OF_DECIMALS: dict[Expression, Callable[[str, ValueType, Dialect], str]] = {
    TOTAL: total_of_decimals,
    MEAN: mean_of_decimals,
    SLOPE: lambda dated_, type_, dialect: slope_of_decimals(dated_, type_, dialect, least=SLOPE.rows),
    DEVIATION: lambda values, type_, dialect: deviation_of_decimals(op("sorted", dialect, values), type_, dialect),
}
