"""Finish: the numbers that merged partials end in, over the whole range of the values' type.

Decimals and integers are whole numbers of units of their last place, exact until the last step. Floats come as the list
of their values and are added up in an order that the values alone decide, so that engines and runs agree to the last
bit. What a DOUBLE can't hold is null: no feature is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenure.define.dialect import Dialect
from tenure.sql.dialects import WHOLE, op

#: Whole numbers are cut here, and their squares at the square of it, so that sums of the pieces fit 38 digits.
CUT = 10**12

#: Floats beyond the first number are added up scaled by the second, a power of two: sums on the way may be larger than
#: a DOUBLE can hold, though what they end in is not. Room for 10⁹ rows; beside such floats, bits below 1e-313 are lost.
_HUGE, _SCALE = "CAST('1e298' AS DOUBLE)", f"CAST('{2.0**-32!r}' AS DOUBLE)"

_ZERO, _ONE = "CAST(0 AS DOUBLE)", "CAST(1 AS DOUBLE)"


def whole(value: str, type_: str, dialect: Dialect) -> str:
    """Return a decimal or an integer as a whole number of units of its last place."""
    if type_ == "decimal":
        value = f"CAST({value} AS DECIMAL(34, 2)) * 100"
    return f"CAST({value} AS {WHOLE[dialect]})"


def spread(rows: str, total: str, low: str, high: str, type_: str, dialect: Dialect) -> str:
    """Return n·Σx² − (Σx)² as a DOUBLE, in squared units of the values' last place.

    `total` is the sum of the values; each square is `high · CUT² + low`, and the sums of both are given, as whole
    numbers. n·Σx² and (Σx)² are far larger than their difference, which doubles would round away, so it is exact, for
    up to 10⁷ rows of any values.
    """
    total = whole(total, type_, dialect)
    low, high = (f"CAST({number} AS {WHOLE[dialect]})" for number in (low, high))
    most = CUT**2 // 10**6
    return (
        f"CASE WHEN {high} = 0 AND {total} BETWEEN -{most} AND {most} "
        f"THEN CAST({rows} * {low} - {total} * {total} AS DOUBLE) "
        f"ELSE {_wide_spread(rows, total, low, high, dialect)} END"
    )


def _wide_spread(rows: str, total: str, low: str, high: str, dialect: Dialect) -> str:
    """n·Σx² − (Σx)² where it may have more than 38 digits: a·CUT² − b·CUT + c, then b and most of c carried into a."""

    def over(number: str, by: int) -> str:
        return op("quotient", dialect, number, str(by))

    total_high, total_low = over("it.s", CUT), f"(it.s % {CUT})"
    given = {"n": f"CAST({rows} AS {WHOLE[dialect]})", "s": total, "l": low, "h": high}
    parts = {
        "a": f"it.n * it.h - {total_high} * {total_high}",
        "b": f"2 * {total_high} * {total_low}",
        "c": f"it.n * it.l - {total_low} * {total_low}",
    }
    without_b = {"a": f"it.a - {over('it.b', CUT)}", "c": f"it.c - (it.b % {CUT}) * {CUT}"}
    carried = {"a": f"it.a + {over('it.c', CUT**2)}", "c": f"it.c % {CUT**2}"}
    # Up to `most` the high part is exact beside the low one; beyond, the low one is below what a DOUBLE tells.
    most = 10**13
    number = (
        f"CAST(LEAST(it.a, {most}) * {CUT**2} + it.c AS DOUBLE) "
        f"+ CAST(GREATEST(it.a - {most}, 0) AS DOUBLE) * CAST({CUT**2} AS DOUBLE)"
    )
    return in_steps(
        struct(given, dialect), [*(struct(s, dialect) for s in (parts, without_b, carried)), number], dialect
    )


def total_of_list(values: str, dialect: Dialect) -> str:
    """Return the sum of a list of floats, 0 of an empty one, null where a DOUBLE can't hold it."""
    return in_steps(values, [*_summed(dialect), "it.s / it.k", finite_or_null("it", dialect)], dialect)


def mean_of_list(values: str, dialect: Dialect) -> str:
    """Return the mean of a list of floats, null of an empty one."""
    return in_steps(
        values, [*_summed(dialect), "it.s / NULLIF(it.n, 0) / it.k", finite_or_null("it", dialect)], dialect
    )


def _summed(dialect: Dialect) -> list[str]:
    """The steps from a list of floats to their number `n` and their sum `s`, scaled by `k`.

    Doubly compensated summation, by falling size (Priest, 1992; Higham, Accuracy and Stability of Numerical Algorithms,
    2002, algorithm 4.3): off by two roundings of the result at most, however much cancels out.
    """

    def terms(of: str, size: str, value: str) -> str:
        return op("each", dialect, of, "el", struct({"size": size, "s": value, "c": _ZERO}, dialect))

    y = "(acc.c + el.s)"
    t = f"({y} + acc.s)"
    z = f"((el.s - ({y} - acc.c)) + ({y} - ({t} - acc.s)))"
    s = f"({t} + {z})"
    nothing = struct(dict.fromkeys(("size", "s", "c"), _ZERO), dialect)
    added = struct({"size": _ZERO, "s": s, "c": f"{z} - ({s} - {t})"}, dialect)
    largest = f"{op('member', dialect, 'it', '0')}.size"
    scaled = {"l": "it", "k": f"CASE WHEN {largest} < -{_HUGE} THEN {_SCALE} ELSE {_ONE} END"}
    total = op("folded", dialect, terms("it.l", "el.size", "el.s * it.k"), nothing, added)
    summed = {"n": op("length", dialect, "it.l"), "k": "it.k", "s": f"({total}).s"}
    return [
        op("sorted", dialect, terms("it", "-ABS(el)", "el")),
        struct(scaled, dialect),
        struct(summed, dialect),
    ]


def deviation_of_list(ordered: str, dialect: Dialect) -> str:
    """Return the sample's standard deviation of a sorted list of floats, null of fewer than two.

    The values are shifted by their median, which is no further from the mean than one deviation, so that the two sums
    of the textbook's formula cancel out by half at most (shifted data: Chan, Golub and LeVeque, The American
    Statistician 37, 1983); and divided by the largest distance from it, so that each square fits a DOUBLE.
    """

    def element(of: str, place: str) -> str:
        return op("element", dialect, of, place)

    size, kept = op("length", dialect, "it"), {"n": "it.n", "k": "it.k"}
    last = element("it", f"({size} - 1)")
    far = f"GREATEST(ABS({element('it', '0')}), ABS({last}))"
    scaled = {"l": "it", "n": size, "k": f"CASE WHEN {far} > {_HUGE} THEN {_SCALE} ELSE {_ONE} END"}
    middle = {**kept, "l": "it.l", "m": f"{element('it.l', 'FLOOR((it.n - 1) / 2)')} * it.k"}
    reach = f"GREATEST({element('it.l', '(it.n - 1)')} * it.k - it.m, it.m - {element('it.l', '0')} * it.k)"
    reached = {**kept, "l": "it.l", "m": "it.m", "r": reach}
    shares = {**kept, "r": "it.r", "l": op("each", dialect, "it.l", "el", "(el * it.k - it.m) / it.r")}
    squares = op("list_sum", dialect, op("each", dialect, "it.l", "el", "el * el"))
    sums = {**kept, "r": "it.r", "s": op("list_sum", dialect, "it.l"), "q": squares}
    root = "it.r * SQRT((it.q - it.s * it.s / it.n) / (it.n - 1)) / it.k"
    finished = f"CASE WHEN it.n > 1 AND it.r = 0 THEN {_ZERO} WHEN it.n > 1 THEN {root} END"
    steps = [struct(step, dialect) for step in (scaled, middle, reached, shares, sums)]
    return in_steps(ordered, [*steps, finished, finite_or_null("it", dialect)], dialect)


def quantile(ordered: str, share: float, type_: str, dialect: Dialect) -> str:
    """Return the interpolated quantile of a sorted list, null of an empty one (type 7 of Hyndman and Fan, 1996).

    Its place is counted in hundredths; that of decimals and integers is exact.
    """
    at = f"{round(share * 100)} * ({op('length', dialect, 'it')} - 1)"
    placed = {"l": "it", "whole": op("quotient", dialect, f"({at})", "100"), "rest": f"({at}) % 100"}
    ends = {
        "low": op("member", dialect, "it.l", "CAST(it.whole AS INT)"),
        "high": op("member", dialect, "it.l", "CAST(it.whole AS INT) + CASE WHEN it.rest > 0 THEN 1 ELSE 0 END"),
        "rest": "it.rest",
    }
    if type_ == "float":
        # Neither the distance of the two is taken, which a DOUBLE may not hold, nor a share of equal ones.
        parts_of_100 = "/ CAST(100 AS DOUBLE)"
        sides = f"it.low * ((100 - it.rest) {parts_of_100}) + it.high * (it.rest {parts_of_100})"
        between = f"CASE WHEN it.low = it.high THEN it.low ELSE {sides} END"
    else:
        low, high = whole("it.low", type_, dialect), whole("it.high", type_, dialect)
        parts = 100 * 100 if type_ == "decimal" else 100
        between = f"CAST({low} * (100 - it.rest) + {high} * it.rest AS DOUBLE) / {parts}"
    return in_steps(ordered, [struct(placed, dialect), struct(ends, dialect), between], dialect)


def finite_or_null(number: str, dialect: Dialect) -> str:
    """Return a DOUBLE that is neither infinite nor NaN, else null."""
    return f"CASE WHEN {op('is_finite', dialect, number)} THEN {number} END"


def without_sign_of_zero(number: str) -> str:
    """Return a DOUBLE, and 0 for the 0 that has a sign, which engines take for another value now and then."""
    return f"CASE WHEN {number} = 0 THEN {_ZERO} ELSE {number} END"


def struct(fields: Mapping[str, str] | Sequence[tuple[str, str]], dialect: Dialect) -> str:
    """Return a struct that compares field by field."""
    pairs = list(fields.items()) if isinstance(fields, Mapping) else fields
    if dialect == "duckdb":
        return "{" + ", ".join(f"'{name}': {value}" for name, value in pairs) + "}"
    return "named_struct(" + ", ".join(f"'{name}', {value}" for name, value in pairs) + ")"


def in_steps(value: str, steps: Sequence[str], dialect: Dialect) -> str:
    """Return the last of some expressions, each of which reads the one before as `it`: SQL has no names for values."""
    row = op("list_of_one", dialect, value)
    for step in steps:
        row = op("each", dialect, row, "it", step)
    return op("member", dialect, row, "0")
