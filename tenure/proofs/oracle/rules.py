"""Reckoning: what each aggregate and each span of time means, one small function a rule, in plain Python.

No SQL and no frames: the oracle is made of these, so a reader can check each rule by its drawn line.
Sums and spreads are exact and round once, at the end.
"""

from __future__ import annotations

import math
from calendar import isleap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import localcontext
from fractions import Fraction
from typing import Any, TypeAlias

from tenure.define.feature import OTHER
from tenure.define.source import Source
from tenure.define.window import Window

#: Digits that hold every sum of squares of decimals exactly, of 10^20 rows.
_DIGITS = 100

#: A row of a source or a table: column → value.
Row: TypeAlias = dict[str, Any]


def instant(value: date | datetime) -> datetime:
    """Return the instant that a date begins at; instants are UTC without a zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def whole_days(earlier: date | datetime, later: date | datetime) -> int:
    """Return the midnights passed between two days, whatever the hour."""
    return (instant(later).date() - instant(earlier).date()).days


def whole_years(earlier: date | datetime, later: date | datetime) -> int:
    """Return the birthdays passed; one on the later day itself counts."""
    born, now = instant(earlier).date(), instant(later).date()
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def days_to_anniversary(earlier: date | datetime, later: date | datetime) -> int:
    """Return the days that are left to the next day of the year like the earlier one; 0 on the day itself.

    29 February is kept on 1 March where the year has none.
    """
    day, now = instant(earlier).date(), instant(later).date()
    left = 0
    while not _is_anniversary(day, now + timedelta(days=left)):
        left += 1
    return left


def _is_anniversary(day: date, then: date) -> bool:
    kept = (day.month, day.day)
    if kept == (2, 29) and not isleap(then.year):
        kept = (3, 1)
    return (then.month, then.day) == kept


def key_of(row: Row, keys: Sequence[str]) -> tuple[Any, ...]:
    """Return the row's key."""
    return tuple(row[key] for key in keys)


def part_of(row: Row, columns: Iterable[str]) -> Row:
    """Return some columns of a row."""
    return {column: row[column] for column in columns}


def grouped(rows: Iterable[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows of each key, in their order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row, keys), []).append(row)
    return groups


def visible(row: Row, t: datetime) -> bool:
    """Return whether t sees the row:  known_time ──(···· visible at these t ··]── known_until."""
    known, replaced = row["known_time"], row["known_until"]
    return bool(known < t and (replaced is None or t <= replaced))


def happened_in(row: Row, start: datetime, end: datetime) -> bool:
    """Return whether it happened in [start, end):  start ──[···· event_time ····)── end."""
    return bool(start <= row["event_time"] < end)


def any_happened(rows: Iterable[Row], start: datetime, end: datetime) -> bool:
    """Return whether any of the rows happened in [start, end)."""
    return any(happened_in(row, start, end) for row in rows)


def ended_before(source: Source, row: Row, t: datetime) -> bool:
    """Return whether event_time ────── ends ──┊ t; a row that ends at t has not ended before it."""
    return bool(source.ends) and row[source.ends] is not None and instant(row[source.ends]) < t


def total(values: Sequence[Any]) -> Fraction:
    """Return the exact total of integers, decimals or floats."""
    if _has_floats(values):
        return _sums(values)[0]
    with localcontext() as exact:
        exact.prec = _DIGITS
        return Fraction(sum(values))


def _has_floats(values: Sequence[Any]) -> bool:
    return any(isinstance(value, float) for value in values)


def _sums(values: Sequence[Any]) -> tuple[Fraction, Fraction]:
    """The exact totals of the values and of their squares."""
    if not _has_floats(values):
        with localcontext() as exact:
            exact.prec = _DIGITS
            return Fraction(sum(values)), Fraction(sum(value * value for value in values))
    # Most denominators differ, and are powers of two: the largest is that of all.
    pairs = [value.as_integer_ratio() for value in values]
    common = math.lcm(*(bottom for _, bottom in pairs))
    added = squared = 0
    for top, bottom in pairs:
        number = top * (common // bottom)
        added += number
        squared += number * number
    return Fraction(added, common), Fraction(squared, common * common)


def as_float(number: Fraction) -> float | None:
    """Return the nearest float, null where none is so large."""
    try:
        return float(number)
    except OverflowError:
        return None


def summed(values: Sequence[Any]) -> float | None:
    """Return the total, 0 of nothing, null where no float is so large."""
    return as_float(total(values))


def mean(values: Sequence[Any]) -> float | None:
    """Return the total a value."""
    return as_float(total(values) / len(values)) if values else None


def smallest(values: Sequence[Any]) -> float | None:
    """Return the smallest value."""
    return float(min(values)) if values else None


def largest(values: Sequence[Any]) -> float | None:
    """Return the largest value."""
    return float(max(values)) if values else None


def sample_deviation(values: Sequence[Any]) -> float | None:
    """Return √(Σ(x − mean)² / (n − 1)), null of fewer than two values and where no float is so large."""
    count = len(values)
    if count < 2:
        return None
    added, squared = _sums(values)
    return as_float(_root((count * squared - added**2) / (count * (count - 1))))


def _root(number: Fraction) -> Fraction:
    """The square root, to more than 60 binary digits."""
    bits = max(0, 128 - number.numerator.bit_length() + number.denominator.bit_length())
    bits += bits % 2
    return Fraction(math.isqrt((number.numerator << bits) // number.denominator), 1 << bits // 2)


#: Aggregate → its function of the values.
AGGREGATED: dict[str, Callable[[Sequence[Any]], float | int | None]] = {
    "count": len,
    "sum": summed,
    "mean": mean,
    "min": smallest,
    "max": largest,
    "std": sample_deviation,
}


def active_days(moments: Sequence[datetime], _: Sequence[Any]) -> int:
    """Return the distinct days of the moments."""
    return len({moment.date() for moment in moments})


def slope(moments: Sequence[datetime], values: Sequence[Any]) -> float | None:
    """Return Σ(x − x̄)(y − ȳ) / Σ(x − x̄)², x the days and y the values: the line of least squares rises so much a day.

    Null of fewer than three values, of values of one day, and where no float is so large.
    """
    if len(values) < 3 or active_days(moments, values) < 2:
        return None
    days = [moment.toordinal() for moment in moments]
    middle_x = Fraction(sum(days), len(days))
    middle_y = total(values) / len(values)
    above, below = Fraction(0), Fraction(0)
    for day, value in zip(days, values, strict=True):
        step = day - middle_x
        above += step * (Fraction(value) - middle_y)
        below += step * step
    return as_float(above / below)


#: Aggregate → its function of the moments at which rows happened, and of their values.
OF_EVENTS: dict[str, Callable[[Sequence[datetime], Sequence[Any]], float | int | None]] = {
    "active_days": active_days,
    "slope": slope,
}

#: Quantile → its share of the way through the sorted values.
QUANTILES = {"median": 0.5, "p10": 0.1, "p25": 0.25, "p75": 0.75, "p90": 0.9}


def quantile(values: Sequence[Any], share: float) -> float | None:
    """Return the value at `share` of the way through the sorted ones, in between if it falls between two."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = Fraction(round(share * 100), 100) * (len(ordered) - 1)
    low, high = Fraction(ordered[math.floor(place)]), Fraction(ordered[math.ceil(place)])
    return float(low + (high - low) * (place - math.floor(place)))


def listed(values: Sequence[Any], names: Sequence[str]) -> list[int]:
    """Return how often each name occurs, and last how often any other."""
    counts = Counter(values)
    named = [counts[name] for name in names]
    return [*named, len(values) - sum(named)]


def mode(values: Sequence[Any], names: Sequence[str]) -> str | None:
    """Return the name that occurs most, the first of equals."""
    counts = listed(values, names)
    return [*names, OTHER][counts.index(max(counts))] if values else None


def entropy(values: Sequence[Any], names: Sequence[str]) -> float | None:
    """Return −Σ p·ln p over the names and 'other'."""
    if not values:
        return None
    found = 0.0
    for count in listed(values, names):
        if count:
            share = count / len(values)
            found += -share * math.log(share)
    return found


def window_start(window: Window, t: datetime) -> datetime:
    """Return the first instant that the window of t sees: its first day, at the time of day of t."""
    return datetime.combine(window.start(t.date()), t.time())


def streak(moments: Iterable[datetime], t: datetime, months: int) -> int:
    """Return the months in a row with a moment: ──[ t − 2m ····)[ t − 1m ····)── t."""
    moments, end = list(moments), t
    for n in range(months):
        start = window_start(Window(n + 1, "m"), t)
        if not any(start <= moment < end for moment in moments):
            return n
        end = start
    return months


def divided(top: float | None, bottom: float | None) -> float | None:
    """Return top / bottom, null where either is null, the bottom is 0, or no float is so large."""
    if top is None or bottom is None or bottom == 0:
        return None
    quotient = top / bottom
    return quotient if math.isfinite(quotient) else None


def any_true(answers: Sequence[bool | None]) -> bool | None:
    """SQL's OR: true beats unknown, unknown beats false."""
    if True in answers:
        return True
    return None if None in answers else False


def all_true(answers: Sequence[bool | None]) -> bool | None:
    """SQL's AND: false beats unknown, unknown beats true."""
    if False in answers:
        return False
    return None if None in answers else True
