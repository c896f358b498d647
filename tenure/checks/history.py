"""History: whether the newest month of a source is like its earlier months, measure by measure; pure arithmetic.

share of a measure   ·  ·   · ·  ·  ·   ·          centre: the median of the last 12 months
                                          ×        newest: unlike, if it lies further out than twice what any of
                                                   those months did, five standard errors, and 0.2 percent
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from statistics import median

#: A month with fewer rows says too little of shares.
LEAST_ROWS = 50

#: So many earlier months are needed, and so many are looked at.
LEAST_MONTHS, MOST_MONTHS = 3, 12

_SPREADS, _ERRORS, _LEAST_SHIFT = 2.0, 5.0, 0.002

#: What never was, or always, is unlike before from so many rows and such a share on.
_LEAST_NEW, _LEAST_NEW_SHARE = 5, 0.003

#: Rows a day: unlike before beyond these multiples of the least and the most of the earlier months.
_FEW, _MANY, _VOLUME_ERRORS = 0.6, 1.6, 8.0

#: So many of the months before are near enough to be like the newest.
_LAST = 3

#: Of what is rarer than this, a delivery's share is not that of a month of its rows.
_RARE = 0.01


@dataclass(frozen=True)
class Shift:
    """A measure whose share in the newest month is unlike before: what it is, and what it used to be."""

    measure: str
    share: float
    usual: float

    @property
    def size(self) -> float:
        """How far it moved, by how far it could."""
        return abs(self.share - self.usual)

    @property
    def rose(self) -> bool:
        """Whether more rows have it than used to."""
        return self.share > self.usual


@dataclass(frozen=True)
class Months:
    """The rows of each month in order; the last is judged by up to 12 before it that have enough rows."""

    rows: Mapping[date, int]

    @cached_property
    def newest(self) -> date:
        """The month that is judged: the last one of enough rows, so that no few rows of a later day hide it."""
        return max((month for month, rows in self.rows.items() if rows >= LEAST_ROWS), default=max(self.rows))

    @cached_property
    def earlier(self) -> Sequence[date]:
        """The months that it is judged by, in order."""
        newest = self.newest
        found = [month for month in sorted(self.rows) if month < newest and self.rows[month] >= LEAST_ROWS]
        return found[-MOST_MONTHS:]

    @property
    def why_not(self) -> str:
        """Why it can't be judged, '' if it can."""
        if not self.rows or self.rows[self.newest] < LEAST_ROWS:
            return f"no month has {LEAST_ROWS} rows"
        if len(self.earlier) < LEAST_MONTHS:
            return f"fewer than {LEAST_MONTHS} earlier months have {LEAST_ROWS} rows"
        return ""


def shift(months: Months, name: str, counted: Mapping[date, int]) -> Shift | None:
    """Return how the newest month is unlike the earlier ones in a measure, None if it is like them."""
    before = [(counted.get(month, 0), months.rows[month]) for month in months.earlier]
    now = counted.get(months.newest, 0), months.rows[months.newest]
    return unlike(name, before, now)


def unlike(name: str, before: Sequence[tuple[int, int]], now: tuple[int, int]) -> Shift | None:
    """Return how (count, rows) of now is unlike those of before, None if it is like them."""
    count, rows = now
    all_counts, all_rows = sum(n for n, _ in before), sum(m for _, m in before)
    if all_counts in (0, all_rows):
        usual = all_counts / all_rows
        new = count if not all_counts else rows - count
        by_chance = 3 * rows / all_rows
        is_new = new >= _LEAST_NEW + 5 * by_chance and new >= _LEAST_NEW_SHARE * rows
        return Shift(name, count / rows, usual) if is_new else None
    shares = [n / m for n, m in before]
    usual = median(shares)
    spread = max(abs(share - usual) for share in shares)
    pooled = (all_counts + 1) / (all_rows + 2)
    error = math.sqrt(pooled * (1 - pooled) / rows)
    far = abs(count / rows - usual) > _SPREADS * spread + _ERRORS * error + _LEAST_SHIFT
    return Shift(name, count / rows, usual) if far else None


def unlike_delivery(
    name: str, rows: Mapping[date, int], counted: Mapping[date, int], now: tuple[int, int]
) -> Shift | None:
    """Return how the (count, rows) that a delivery brought are unlike the rows that were there, of a rare measure.

    None where they are like them, and where there are too few rows, or months, to say it.
    """
    months = [month for month in sorted(rows) if rows[month] >= LEAST_ROWS][-MOST_MONTHS:]
    is_rare = sum(counted.values()) <= _RARE * sum(rows.values())
    if now[1] < LEAST_ROWS or len(months) < LEAST_MONTHS or not is_rare:
        return None
    found = unlike(name, [(counted.get(month, 0), rows[month]) for month in months], (min(now), now[1]))
    return found if found and found.rose else None


def volume(months: Months, last_event: datetime, *, is_cut: bool) -> tuple[float, float, float] | None:
    """Return rows a day of the newest month, and the least and the most of earlier months; None if it is like them.

    Where the last day `is_cut`, the newest month counts up to that day.
    """
    is_last = (last_event.year, last_event.month) == (months.newest.year, months.newest.month)
    now_days = last_event.day if is_cut and is_last else _days_of(months.newest)
    earlier = [months.rows[month] / _days_of(month) for month in months.earlier]
    rows = months.rows[months.newest]
    least, most = min(earlier) * now_days, max(earlier) * now_days
    few = rows < _FEW * least and least - rows > _VOLUME_ERRORS * math.sqrt(least)
    few = few or _fell(earlier, rows / now_days, rows)
    many = rows > _MANY * most and rows - most > _VOLUME_ERRORS * math.sqrt(most)
    return (rows / now_days, min(earlier), max(earlier)) if few or many else None


def _fell(earlier: Sequence[float], now: float, rows: int) -> bool:
    """Whether rows a day fell as they never did before: of a source that grows, half is still above its first months.

    ── 60 ── 80 ── 100 ── 120 ── 125 ── 130 ┊ 65       below 0.6 of the least of the last three, and no month was
    """
    if len(earlier) < 2 * _LAST:
        return False
    falls = [earlier[place] / min(earlier[place - _LAST : place]) for place in range(_LAST, len(earlier))]
    least = min(earlier[-_LAST:])
    expected = rows * least / now
    return now / least < _FEW * min(1.0, *falls) and expected - rows > _VOLUME_ERRORS * math.sqrt(expected)


def _days_of(month: date) -> int:
    return calendar.monthrange(month.year, month.month)[1]


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how far two profiles lie apart, each a share by measure."""
    return sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in {*one, *other})


def swapped(now: Mapping[str, Mapping[str, float]], usual: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]]:
    """Return the pairs of columns each of which now looks as the other used to, and not as itself."""
    found = []
    names = sorted(now)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            as_before = distance(now[first], usual[first]) + distance(now[second], usual[second])
            as_other = distance(now[first], usual[second]) + distance(now[second], usual[first])
            if as_before > _SWAPPED and as_other < _SWAPPED_SHARE * as_before:
                found.append((first, second))
    return found


#: Two columns look swapped from such a distance on, if exchanged they lie this much nearer.
_SWAPPED, _SWAPPED_SHARE = 0.5, 0.25
