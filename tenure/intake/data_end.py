"""The end of the data: set in tenure.toml or read from the rows, and believed only if it can be true.

   events of a source that bounds labels                         stray row
──┊▌▌▌▌▌ ▌▌▌▌▌ ▌▌▌▌▌ ▌▌▌▌▌ ▌▌▌▌┊ usual last ························ ▌ ───► an end behind here would make
                                └── one period, or the longest gap ──┘       everybody look silent: refused
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise

from tenure.define.snapshot import Frequency
from tenure.errors import BadValue, InvalidConfig

#: Rows are strays if they are fewer than this share of all others, and of what the source has in as many days …
_STRAY_SHARE = 0.05

#: … and lie so many days or more behind the last of the others (a shop may close for weeks), or before the first.
_STRAY_DAYS, _STRAY_DAYS_BEFORE = 32, 367

#: Of which days before its last one a source's longest gap is taken.
_YEAR = 366

#: A gap between two event days is an outage if it is so many days or more, …
OUTAGE_DAYS = 8

#: … so many times longer than any other gap, or where all others are about alike (a load a week), so many times; …
_OUTAGE_TIMES, _OUTAGE_TIMES_OF_EVEN, _EVEN = 3, 1.6, 0.8

#: … and there are so few of them, among so many gaps: what happens often belongs to the source.
_MOST_OUTAGES, _LEAST_GAPS = 3, 20

#: An outage has so many rows or more in a span as long on both its sides.
_LEAST_BESIDE = 8

#: The days of a period at most.
PERIOD_DAYS: dict[Frequency, int] = {"day": 1, "week": 7, "month-end": 31, "month-start": 31, "quarter-end": 92}


@dataclass(frozen=True)
class EventSpan:
    """When a source has events: its first and last day, those without strays, and the longest gap of its last year.

    `outages` are the days, [first, until), of which rows seem lost.
    """

    first: date
    last: date
    usual_first: date
    usual_last: date
    longest_gap: int
    outages: tuple[tuple[date, date], ...] = ()

    def ends_by(self, period: int) -> date:
        """Return the last day that tells of the source: strays count only within a period of the others."""
        return self.usual_last if (self.last - self.usual_last).days > period else self.last


def event_span(days: Sequence[date], rows: Sequence[int]) -> EventSpan:
    """Return the span of a source's event days, in order and one or more, with how many rows each has."""
    numbers = [day.toordinal() for day in days]
    last = _usual_last(numbers, rows, _STRAY_DAYS)
    first = -_usual_last([-number for number in reversed(numbers)], rows[::-1], _STRAY_DAYS_BEFORE)
    kept = numbers[: bisect_left(numbers, last) + 1]
    gap = _longest_gap(kept, len(kept) - 1)
    start = bisect_left(kept, first)
    found = _outages(kept[start:], list(accumulate(rows[start : len(kept)], initial=0)))
    outages = tuple((date.fromordinal(begun), date.fromordinal(ended)) for begun, ended in found)
    return EventSpan(days[0], days[-1], date.fromordinal(first), date.fromordinal(last), gap, outages)


def _outages(days: Sequence[int], so_far: Sequence[int]) -> list[tuple[int, int]]:
    """The spans, [first day without, first day with rows again), that are far longer than the source's other gaps.

    `so_far` are the rows before each day, and of all.
    """
    gaps = sorted((following - day for day, following in pairwise(days)), reverse=True)
    if len(gaps) < _LEAST_GAPS:
        return []
    usual = gaps[_MOST_OUTAGES:]
    middle = usual[len(usual) // 2]
    for number in range(_MOST_OUTAGES, 0, -1):
        shortest, next_longest = gaps[number - 1], gaps[number]
        is_even = middle >= _EVEN * next_longest
        times = _OUTAGE_TIMES_OF_EVEN if is_even else _OUTAGE_TIMES
        if shortest >= OUTAGE_DAYS and shortest > times * next_longest:
            return [
                (day + 1, following)
                for day, following in pairwise(days)
                if following - day >= shortest and _flows_beside(days, so_far, day, following)
            ]
    return []


def _flows_beside(days: Sequence[int], so_far: Sequence[int], day: int, following: int) -> bool:
    """Whether enough rows come in spans as long as a gap on both its sides: the first years of a source are sparse."""
    length = following - day
    before = so_far[bisect_right(days, day)] - so_far[bisect_right(days, day - length)]
    after = so_far[bisect_left(days, following + length)] - so_far[bisect_left(days, following)]
    return min(before, after) >= _LEAST_BESIDE


def _usual_last(days: Sequence[int], rows: Sequence[int], least: int) -> int:
    """The last day before strays; the last of all where there are none.

    Strays lie behind a gap that the source did not have in the year before it, and are few.
    """
    so_far = list(accumulate(rows, initial=0))
    for place, (day, following) in enumerate(pairwise(days)):
        if days[-1] - day < least:
            break
        year = bisect_left(days, day - _YEAR)
        spanned = day - max(days[0], day - _YEAR) + 1
        expected = (so_far[place + 1] - so_far[year]) / spanned * (days[-1] - day)
        kept, strays = so_far[place + 1], so_far[-1] - so_far[place + 1]
        if strays < _STRAY_SHARE * min(kept, expected) and following - day > max(1, _longest_gap(days, place)):
            return day
    return days[-1]


def _longest_gap(days: Sequence[int], place: int) -> int:
    """The most days from one event day to the next, in the year before the one at `place`."""
    year = days[bisect_left(days, days[place] - _YEAR) : place + 1]
    return max((following - day for day, following in pairwise(year)), default=0)


def data_end(declared: date | None, spans: Mapping[str, EventSpan], every: Frequency) -> date:
    """Return the first day that the data do not cover: `declared`, else the day of the newest event of the source
    that ends first, of those whose `spans` bound labels.

    Raises InvalidConfig if nothing tells the end, or for a declared one that can't be true, BadValue where the rows
    tell such a one.
    """
    today = datetime.now(UTC).date()
    if declared is None:
        require_end(declared, tuple(spans))
        ends_first = min(spans, key=lambda name: spans[name].last)
        end = spans[ends_first].last
        if end > today:
            raise BadValue(
                f"source '{ends_first}' has events up to {end}, after today ({today}): the end of the data can't be "
                "told from them.",
                hint="Fix the rows, or set [data] end in tenure.toml to the first day that the data do not cover.",
            )
    else:
        end = declared
        if end > today + timedelta(days=1):
            raise InvalidConfig(
                f"[data] end is {end}, after tomorrow ({today + timedelta(days=1)}, UTC): no data can reach so far.",
                hint="Set it in tenure.toml to the first day that the data do not cover, or leave it out.",
            )
    for name, span in spans.items():
        _require_believable(end, name, span, every, is_declared=declared is not None)
    return end


def require_end(declared: date | None, bounds: Sequence[str]) -> None:
    """Raise InvalidConfig if `[data] end` is left out though no source bounds the labels in time."""
    if declared is None and not bounds:
        raise InvalidConfig(
            "nothing tells where the data end: the churn definition reads no source whose last event does. "
            "Closings alone don't, since days without a closing are not days without data.",
            hint="Set [data] end in tenure.toml to the first day that the data do not cover.",
        )


def _require_believable(end: date, name: str, span: EventSpan, every: Frequency, *, is_declared: bool) -> None:
    period = PERIOD_DAYS[every]
    last = span.ends_by(period)
    silent = (end - last).days
    if silent <= max(period, span.longest_gap):
        return
    strays = f", but for a few rows up to {span.last}" if last < span.last else ""
    message = (
        f"{'[data] end is' if is_declared else 'the data would end on'} {end}, but the events of source '{name}', "
        f"which labels read, end on {last}{strays}: in the {silent} days between, everybody would look silent. "
        f"Allowed: one period of every = '{every}' ({_in_days(period)}), or the longest gap of the source's last year "
        f"({_in_days(span.longest_gap)})."
    )
    hint = (
        f"Set [data] end in tenure.toml to the first day that the data do not cover, such as "
        f"{last + timedelta(days=1)}; or fix the rows, or bring those that are missing, and run 'tenure staging'."
    )
    raise InvalidConfig(message, hint=hint) if is_declared else BadValue(message, hint=hint)


def _in_days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"
