"""Long decimals: what lists of decimals of more than 18 digits end in, exact until the last step.

    ±12345678901234567890123456789012345.678  ──►  ±123456789012345678·10²⁰ + ±90123456789012345678
                                                     └── high: 18 digits ──┘      └── low: 20 digits ──┘

No number of an engine holds every sum of such values, nor any of their squares. In two pieces, each a whole number of
units of the last place, sums of 10⁹ rows fit 38 digits; a DOUBLE is made of both at the end.
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.define.value_type import ValueType
from tenure.sql.arithmetic import Number, Operand, numbers
from tenure.sql.dialects import WHOLE, op
from tenure.sql.expressions import after, all_of, at_least, call, case, cast, null_if, text_literal
from tenure.tables.finish import deviation_of_list, ends_of_share, in_steps, struct, whole

#: Numbers are cut here: Spark's whole quotients have 64 bits, so what is above 10²⁰ may have 18 digits.
_CUT = 10**20

#: High pieces up to here are exact beside a low one, in 38 digits; beyond, a DOUBLE tells nothing of the low one.
_MOST = 10**17


def total_of_decimals(values: str, type_: ValueType, dialect: Dialect) -> str:
    """Return the sum of a list of decimals as a DOUBLE, 0 of an empty one."""
    return in_steps(values, [*_summed(type_, dialect), str(_in_unit(_joined("it.h", "it.r", dialect), type_))], dialect)


def mean_of_decimals(values: str, type_: ValueType, dialect: Dialect) -> str:
    """Return the mean of a list of decimals as a DOUBLE, null of an empty one."""
    mean = _joined("it.h", "it.r", dialect) / null_if("it.n", 0)
    return in_steps(values, [*_summed(type_, dialect), str(_in_unit(mean, type_))], dialect)


def deviation_of_decimals(ordered: str, type_: ValueType, dialect: Dialect) -> str:
    """Return the sample's standard deviation of a sorted list of decimals, null of fewer than two.

    Distances from the median are exact before they are DOUBLEs, so nothing that is small beside the values is lost.
    """
    middle = op("member", dialect, "it.l", _half_way(dialect))
    high, low = numbers("it", "h", "r")
    distance = _joined(_high("el", dialect) - high, _low("el") - low, dialect)
    steps = [
        _units(type_, dialect),
        struct({"l": "it.l", "m": middle}, dialect),
        struct({"l": "it.l", "h": _high("it.m", dialect), "r": _low("it.m")}, dialect),
        op("each", dialect, "it.l", "el", distance),
        str(_in_unit(Number(deviation_of_list("it", dialect)), type_)),
    ]
    return in_steps(ordered, steps, dialect)


def slope_of_decimals(dated: str, type_: ValueType, dialect: Dialect, *, least: int) -> str:
    """Return the slope of a list of [day, units of the last place], null of fewer than `least` rows or of one day.

    A row's weight n·x − Σx is a whole number, and so are its products with the pieces of the value.
    """

    def each(list_: str, expression: object) -> str:
        return op("each", dialect, list_, "el", expression)

    def summed(expression: object) -> str:
        return op("whole_sum", dialect, each("it.l", expression))

    def member(place: int) -> str:
        return cast(op("member", dialect, "el", place), WHOLE[dialect])

    n, m, s, q, d = numbers("it", "n", "m", "s", "q", "d")
    x, high, low = numbers("el", "x", "h", "r")
    days = op("sorted", dialect, each("it", member(0)))
    pieces = struct({"x": x - m, "h": _high("el.y", dialect), "r": _low("el.y")}, dialect)
    weight = (n * x - s).grouped
    steps = [
        struct(
            {
                "n": op("length", dialect, "it"),
                "m": op("member", dialect, days, 0),
                "l": each("it", struct({"x": member(0), "y": member(1)}, dialect)),
            },
            dialect,
        ),
        struct({"n": n, "l": each("it.l", pieces)}, dialect),
        struct({"n": n, "l": "it.l", "s": summed(x), "q": summed(x * x)}, dialect),
        struct({"n": n, "d": n * q - s * s, "h": summed(weight * high), "r": summed(weight * low)}, dialect),
        case(
            when=all_of(at_least("it.n", least), after("it.d", 0)),
            then=_in_unit(_joined("it.h", "it.r", dialect) / cast(d, "DOUBLE"), type_),
        ),
    ]
    return in_steps(dated, steps, dialect)


def quantile_of_decimals(ordered: str, share: float, type_: ValueType, dialect: Dialect) -> str:
    """Return the interpolated quantile of a sorted list of decimals, null of an empty one."""
    rest = Number("it.rest")
    low, high = numbers("it", "low", "high")
    ends = {"low": whole("it.low", type_, dialect), "high": whole("it.high", type_, dialect), "rest": rest}

    def between(low: Number, high: Number) -> Number:
        return low * (100 - rest) + high * rest

    found = _joined(
        between(_high(low, dialect), _high(high, dialect)),
        between(_low(low), _low(high)),
        dialect,
    )
    steps = [*ends_of_share(share, dialect), struct(ends, dialect), str(_in_unit(found / 100, type_))]
    return in_steps(ordered, steps, dialect)


def _summed(type_: ValueType, dialect: Dialect) -> list[str]:
    """The steps from a list of decimals to their number `n` and the sums of both pieces, `h` and `r`."""

    def summed(piece: Number) -> str:
        return op("whole_sum", dialect, op("each", dialect, "it.l", "el", piece))

    pieces = {"n": "it.n", "h": summed(_high("el", dialect)), "r": summed(_low("el"))}
    return [_units(type_, dialect), struct(pieces, dialect)]


def _units(type_: ValueType, dialect: Dialect) -> str:
    """A list of decimals as whole numbers of units of the last place, and how many."""
    units = op("each", dialect, "it", "el", whole("el", type_, dialect))
    return struct({"l": units, "n": op("length", dialect, "it")}, dialect)


def _half_way(dialect: Dialect) -> str:
    return cast(op("quotient", dialect, (Number("it.n") - 1).grouped, 2), "INT")


def _high(number: Operand, dialect: Dialect) -> Number:
    return Number(op("quotient", dialect, number, _CUT))


def _low(number: Operand) -> Number:
    return (Number(str(number)) % _CUT).grouped


def _joined(high: Operand, low: Operand, dialect: Dialect) -> Number:
    """The DOUBLE of both pieces, once what is too large in the low one is carried."""
    h, r, near = numbers("it", "h", "r", "near")
    carried = {"h": h + _high(r, dialect), "r": _low(r)}
    near_zero = {"h": h, "r": r, "near": call("GREATEST", call("LEAST", h, _MOST), -_MOST)}
    exact = Number(cast(near * _CUT + r, "DOUBLE"))
    beyond = Number(cast(h - near, "DOUBLE"))
    number = exact + beyond * cast(text_literal(f"1e{len(str(_CUT)) - 1}"), "DOUBLE")
    steps = [struct(carried, dialect), struct(near_zero, dialect), str(number)]
    return Number(in_steps(struct({"h": high, "r": low}, dialect), steps, dialect))


def _in_unit(number: Number, type_: ValueType) -> Number:
    """A DOUBLE in units of the last place, in the unit of the values."""
    return number / cast(text_literal(f"1e{type_.scale}"), "DOUBLE") if type_.scale else number
