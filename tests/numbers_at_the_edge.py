"""Numbers at the edge: values of each type's whole range, and what aggregates of them are, in exact fractions."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa

from tenure.define.value_type import ValueType

TYPES = {"integer": pa.int64(), "decimal": pa.decimal128(18, 2), "float": pa.float64()}

#: Decimals of other digits than 18 and 2: short ones, which sums hold, and long ones, whose values are listed.
DECIMALS = {
    f"decimal({precision}, {scale})": ValueType("decimal", precision, scale)
    for precision, scale in [(18, 0), (18, 3), (18, 4), (9, 6), (18, 18), (19, 4), (38, 0), (38, 4), (38, 38)]
}

#: The largest float, as a fraction; half of its last place more rounds to infinity.
LARGEST = Fraction(1.7976931348623157e308) + Fraction(2) ** 969

#: Bits that floats may lose beside others of more than 1e298.
LOST = Fraction(1e-312)

#: Bits that a slope may lose beside floats of more than 1e280.
LOST_OF_SLOPES = Fraction(1e-285)

SHARES = {"p10": Fraction(1, 10), "p25": Fraction(1, 4), "median": Fraction(1, 2), "p90": Fraction(9, 10)}


def integers(chance: random.Random) -> int:
    """Return an integer of 64 bits: an edge, the edge of what arrays add up, any, or a small one."""
    edges = [2**63 - 1, -(2**63), 2**63 - 2, 10**12, -(10**12), 10**12 - 1, 2**53 + 1, 0]
    return chance.choice([chance.choice(edges), chance.randrange(-(2**63), 2**63), chance.randrange(-9, 9)])


def decimals(chance: random.Random, digits: int = 18, places: int = 2) -> Decimal:
    """Return a decimal of so many digits, some of them behind the point."""
    most = 10**digits - 1
    edges = [most, -most, most - 1, 10**12, -(10**12), 10**12 - 1, 10**9, 10**20, 1 - 10**20, 10**37 + 1, 0, 1]
    edges = [number for number in edges if abs(number) <= most]
    units = [chance.choice(edges), chance.randrange(-most, most + 1), chance.randrange(-900, 900)]
    return decimal_of(chance.choice(units), places)


def decimal_of(units: int, places: int) -> Decimal:
    """Return so many units of the last place, exactly."""
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -places))


def floats(chance: random.Random) -> float:
    """Return a float: an edge, one that cancels out with its like, of any size, or a common one."""
    edges = [1.7976931348623157e308, 1e308, 5e-324, 1e-310, 2.2250738585072014e-308, 1e16, 1e-16, 0.0]
    anything = math.ldexp(chance.uniform(0.5, 1), chance.randrange(-1073, 1025))
    near = chance.choice([1e9, 1e9 + 0.5, 1.0, 1.0 + 2**-52])
    found = chance.choice([chance.choice(edges), near, anything, chance.uniform(0, 10)])
    return found if chance.random() < 0.5 else -found


def exact(how: str, values: Sequence[int | Decimal | float]) -> Fraction | None:
    """Return an aggregate's exact number, of `std` to 30 digits; null of nothing and where no float is so large."""
    numbers = sorted(Fraction(value) for value in values)
    count = len(numbers)
    total = sum(numbers, Fraction(0))
    found: Fraction | None = None
    if how == "sum":
        found = total
    elif count and how == "mean":
        found = total / count
    elif count and how in ("min", "max"):
        found = numbers[0] if how == "min" else numbers[-1]
    elif count and how in SHARES:
        place = SHARES[how] * (count - 1)
        low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
        found = low + (high - low) * (place - math.floor(place))
    elif count > 1 and how == "std":
        found = root(sum((number - total / count) ** 2 for number in numbers) / (count - 1))
    return found if found is None or abs(found) < LARGEST else None


def exact_slope(days: Sequence[date], values: Sequence[int | Decimal | float]) -> Fraction | None:
    """Return the exact slope of the line of least squares; null of under three rows or two days, or of no float."""
    if len(values) < 3 or len(set(days)) < 2:
        return None
    places, numbers = [Fraction(day.toordinal()) for day in days], [Fraction(value) for value in values]
    count, total = len(values), sum(numbers, Fraction(0))
    top = count * sum(x * y for x, y in zip(places, numbers, strict=True)) - sum(places) * total
    found = top / (count * sum(x * x for x in places) - sum(places) ** 2)
    return found if abs(found) < LARGEST else None


def root(square: Fraction) -> Fraction:
    """Return the square root to more than 30 digits."""
    bits = 2 * max(0, 110 - (square.numerator.bit_length() - square.denominator.bit_length()) // 2)
    return Fraction(math.isqrt((square.numerator << bits) // square.denominator), 1 << bits // 2)


def is_near(got: float | None, wanted: Fraction | None, values: Sequence[int | Decimal | float], how: str = "") -> bool:
    """Return whether a cell is the exact number but for a few roundings of itself; of floats' quantiles, of the values.

    Between two floats of unlike sign an interpolated one is as near as they are exact, not as it is small.
    """
    if got is None or wanted is None or not math.isfinite(got):
        return got is None and wanted is None
    largest = max((abs(Fraction(value)) for value in values), default=Fraction(0))
    lost = LOST if largest > 10**298 else Fraction(1e-323)
    if how == "slope" and largest > 10**280:
        lost = LOST_OF_SLOPES
    size = largest if how in SHARES and isinstance(values[0], float) else abs(wanted)
    return abs(Fraction(got) - wanted) <= size / 10**15 * 2 + lost
