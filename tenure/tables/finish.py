"""Finish: the numbers that merged partials end in, over the whole range of the values' type.

Decimals and integers are whole numbers of units of their last place, exact until the last step. Floats come as the list
of their values and are added up in an order that the values alone decide, so that engines and runs agree to the last
bit. What a DOUBLE can't hold is null: no feature is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenure.define.dialect import Dialect
from tenure.define.value_type import ValueType
from tenure.sql.arithmetic import Number, numbers
from tenure.sql.dialects import WHOLE, op
from tenure.sql.expressions import (
    after,
    all_of,
    before,
    between,
    call,
    case,
    cases,
    cast,
    equal,
    grouped,
    listed,
    null_if,
    of,
    text_literal,
)

#: Whole numbers are cut here, and their squares at the square of it, so that sums of the pieces fit 38 digits.
CUT = 10**12

#: The digits that a decimal may have before it is multiplied by 10 for each of its places, and one for the product.
_ROOM = 36

#: Floats beyond the first number are added up scaled by the second, a power of two: sums on the way may be larger than
#: a DOUBLE can hold, though what they end in is not. Room for 10⁹ rows; bits below 1e-313 are then lost.
_HUGE, _SCALE = cast("'1e298'", "DOUBLE"), cast(text_literal(repr(2.0**-32)), "DOUBLE")

_ZERO, _ONE = cast(0, "DOUBLE"), cast(1, "DOUBLE")


def whole(value: str, type_: ValueType, dialect: Dialect) -> str:
    """Return a decimal, or a sum of short ones, or an integer as a whole number of units of its last place."""
    places = type_.places
    if type_.is_long:
        return op("last_places", dialect, value, _picture(type_))
    if places:
        value = str(Number(cast(value, f"DECIMAL({_ROOM - places}, {places})")) * 10**places)
    return cast(value, WHOLE[dialect])


def _picture(type_: ValueType) -> str:
    """The picture by which Spark writes a decimal with all of its digits."""
    before_point = "0" * max(type_.precision - type_.scale, 1)
    return f"MI{before_point}D{'0' * type_.scale}" if type_.scale else f"MI{before_point}"


def nearest(value: str, type_: ValueType, dialect: Dialect) -> str:
    """Return a number as a DOUBLE, the nearest to it."""
    return op("nearest", dialect, value) if type_.is_long else cast(value, "DOUBLE")


def spread(rows: str, total: str, low: str, high: str, type_: ValueType, dialect: Dialect) -> str:
    """Return n·Σx² − (Σx)² as a DOUBLE, in squared units of the values' last place.

    `total` is the sum of the values; each square is `high · CUT² + low`, and the sums of both are given, as whole
    numbers. n·Σx² and (Σx)² are far larger than their difference, which doubles would round away, so it is exact, for
    up to 10⁷ rows of any values.
    """
    n, s = Number(rows), Number(whole(total, type_, dialect))
    lo, hi = (Number(cast(number, WHOLE[dialect])) for number in (low, high))
    most = CUT**2 // 10**6
    return case(
        when=all_of(equal(str(hi), 0), between(str(s), -most, most)),
        then=cast(n * lo - s * s, "DOUBLE"),
        otherwise=_wide_spread(rows, str(s), str(lo), str(hi), dialect),
    )


def _wide_spread(rows: str, total: str, low: str, high: str, dialect: Dialect) -> str:
    """n·Σx² − (Σx)² where it may have more than 38 digits: a·CUT² − b·CUT + c, then b and most of c carried into a."""

    def over(number: Number, by: int) -> Number:
        return Number(op("quotient", dialect, number, by))

    n, s, lo, hi = numbers("it", "n", "s", "l", "h")
    a, b, c = numbers("it", "a", "b", "c")
    s_high, s_low = over(s, CUT), (s % CUT).grouped
    given = {"n": cast(rows, WHOLE[dialect]), "s": total, "l": low, "h": high}
    parts = {
        "a": n * hi - s_high * s_high,
        "b": 2 * s_high * s_low,
        "c": n * lo - s_low * s_low,
    }
    without_b = {"a": a - over(b, CUT), "c": c - (b % CUT).grouped * CUT}
    carried = {"a": a + over(c, CUT**2), "c": c % CUT**2}
    # Up to `most` the high part is exact next to the low one; beyond, the low one is below what a DOUBLE tells.
    most = 10**13
    exact = cast(Number(call("LEAST", a, most)) * CUT**2 + c, "DOUBLE")
    beyond = Number(cast(call("GREATEST", a - most, 0), "DOUBLE"))
    number = Number(exact) + beyond * cast(CUT**2, "DOUBLE")
    steps = [struct(step, dialect) for step in (parts, without_b, carried)]
    return in_steps(struct(given, dialect), [*steps, str(number)], dialect)


def total_of_list(values: str, dialect: Dialect) -> str:
    """Return the sum of a list of floats, 0 of an empty one, null where a DOUBLE can't hold it."""
    s, k = numbers("it", "s", "k")
    return in_steps(values, [*_summed(dialect), str(s / k), finite_or_null("it", dialect)], dialect)


def mean_of_list(values: str, dialect: Dialect) -> str:
    """Return the mean of a list of floats, null of an empty one."""
    s, k = numbers("it", "s", "k")
    mean = s / null_if("it.n", 0) / k
    return in_steps(values, [*_summed(dialect), str(mean), finite_or_null("it", dialect)], dialect)


def _summed(dialect: Dialect) -> list[str]:
    """The steps from a list of floats to their number `n` and their sum `s`, scaled by `k`.

    Doubly compensated summation, by falling size (Priest, 1992; Higham, Accuracy and Stability of Numerical Algorithms,
    2002, algorithm 4.3): off by two roundings of the result at most, however much cancels out.
    """

    def terms(list_: str, size: str, value: str) -> str:
        return op("each", dialect, list_, "el", struct({"size": size, "s": value, "c": _ZERO}, dialect))

    acc_s, acc_c = numbers("acc", "s", "c")
    (el_s,) = numbers("el", "s")
    y = (acc_c + el_s).grouped
    t = (y + acc_s).grouped
    z = ((el_s - (y - acc_c)).grouped + (y - (t - acc_s))).grouped
    s = (t + z).grouped
    nothing = struct(dict.fromkeys(("size", "s", "c"), _ZERO), dialect)
    added = struct({"size": _ZERO, "s": s, "c": z - (s - t)}, dialect)
    largest = of(op("member", dialect, "it", 0), "size")
    scale = case(when=before(largest, -Number(_HUGE)), then=_SCALE, otherwise=_ONE)
    total = op("folded", dialect, terms("it.l", "el.size", "el.s * it.k"), nothing, added)
    return [
        op("sorted", dialect, terms("it", "-ABS(el)", "el")),
        struct({"l": "it", "k": scale}, dialect),
        struct({"n": op("length", dialect, "it.l"), "k": "it.k", "s": of(grouped(total), "s")}, dialect),
    ]


def deviation_of_list(ordered: str, dialect: Dialect) -> str:
    """Return the sample's standard deviation of a sorted list of floats, null of fewer than two.

    The values are shifted by their median, which is no further from the mean than one deviation, so that the two sums
    of the textbook's formula cancel out by half at most (shifted data: Chan, Golub and LeVeque, The American
    Statistician 37, 1983); and divided by the largest distance from it, so that each square fits a DOUBLE.
    """

    def element(list_: str, place: object) -> Number:
        return Number(op("element", dialect, list_, place))

    n, k, m, r, q, s = numbers("it", "n", "k", "m", "r", "q", "s")
    size = Number(op("length", dialect, "it"))
    far = call("GREATEST", call("ABS", element("it", 0)), call("ABS", element("it", (size - 1).grouped)))
    scale = case(when=after(far, _HUGE), then=_SCALE, otherwise=_ONE)
    median = element("it.l", call("FLOOR", (n - 1) / 2)) * k
    above, below = element("it.l", (n - 1).grouped) * k - m, m - element("it.l", 0) * k
    shares = op("each", dialect, "it.l", "el", (Number("el") * k - m) / r)
    squares = op("list_sum", dialect, op("each", dialect, "it.l", "el", "el * el"))
    kept = {"n": n, "k": k}
    steps: list[dict[str, object]] = [
        {"l": "it", "n": size, "k": scale},
        {**kept, "l": "it.l", "m": median},
        {**kept, "l": "it.l", "m": m, "r": call("GREATEST", above, below)},
        {**kept, "r": r, "l": shares},
        {**kept, "r": r, "s": op("list_sum", dialect, "it.l"), "q": squares},
    ]
    deviation = r * call("SQRT", (q - s * s / n) / (n - 1)) / k
    finished = cases([("it.n > 1 AND it.r = 0", _ZERO), ("it.n > 1", str(deviation))])
    structs = [struct(step, dialect) for step in steps]
    return in_steps(ordered, [*structs, finished, finite_or_null("it", dialect)], dialect)


def ends_of_share(share: float, dialect: Dialect) -> list[str]:
    """Return the steps from a sorted list to the two values, `low` and `high`, that a share of it lies between.

    `rest` is how far behind the low one it lies, in hundredths.
    """
    at = (round(share * 100) * (Number(op("length", dialect, "it")) - 1)).grouped
    place = cast("it.whole", "INT")
    next_place = Number(place) + case(when=after("it.rest", 0), then=1, otherwise=0)
    placed = {"l": "it", "whole": op("quotient", dialect, at, 100), "rest": at % 100}
    ends = {
        "low": op("member", dialect, "it.l", place),
        "high": op("member", dialect, "it.l", next_place),
        "rest": "it.rest",
    }
    return [struct(placed, dialect), struct(ends, dialect)]


def quantile(ordered: str, share: float, type_: ValueType, dialect: Dialect) -> str:
    """Return the interpolated quantile of a sorted list, null of an empty one (type 7 of Hyndman and Fan, 1996).

    Its place is counted in hundredths; that of short decimals and integers is exact.
    """
    rest = Number("it.rest")
    if type_.name == "float":
        # Neither the distance of the two is taken, which a DOUBLE may not hold, nor a share of equal ones.
        low, high = numbers("it", "low", "high")
        hundred = cast(100, "DOUBLE")
        sides = low * ((100 - rest) / hundred) + high * (rest / hundred)
        found = case(when="it.low = it.high", then="it.low", otherwise=sides)
    else:
        low, high = (Number(whole(end, type_, dialect)) for end in ("it.low", "it.high"))
        parts = 100 * 10**type_.places
        found = str(Number(cast(low * (100 - rest) + high * rest, "DOUBLE")) / parts)
    return in_steps(ordered, [*ends_of_share(share, dialect), found], dialect)


def finite_or_null(number: str, dialect: Dialect) -> str:
    """Return a DOUBLE that is neither infinite nor NaN, else null."""
    return case(when=op("is_finite", dialect, number), then=number)


def without_sign_of_zero(number: str) -> str:
    """Return a DOUBLE, and 0 for the 0 that has a sign, which engines take for another value now and then."""
    return case(when=equal(number, 0), then=_ZERO, otherwise=number)


def struct(fields: Mapping[str, object] | Sequence[tuple[str, object]], dialect: Dialect) -> str:
    """Return a struct that compares field by field."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return op("struct", dialect, listed(op("field", dialect, name, value) for name, value in pairs))


def in_steps(value: str, steps: Sequence[str], dialect: Dialect) -> str:
    """Return the last of some expressions, each of which reads the one before as `it`: SQL has no names for values."""
    row = op("list_of_one", dialect, value)
    for step in steps:
        row = op("each", dialect, row, "it", step)
    return op("member", dialect, row, "0")
