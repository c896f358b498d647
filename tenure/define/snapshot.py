"""SnapshotPlan: on which dates the bank looks at all its customers."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from tenure.define.shape import DAY, check_shape, days_between, one_of
from tenure.errors import InvalidConfig

Frequency: TypeAlias = Literal["month-end", "month-start", "quarter-end", "week", "day"]

FREQUENCIES: tuple[str, ...] = ("month-end", "month-start", "quarter-end", "week", "day")

#: The days between which snapshots can lie. What lies outside is a placeholder: nobody banked in the year 1, and
#: 9999-12-31 is an end that is open.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)

_FIRST = days_between(FIRST_DAY, LAST_DAY)


@dataclass(frozen=True, kw_only=True)
class SnapshotPlan:
    """Snapshot dates: every `every` from `first` to `last`, both included; a week's day is that of `first`.

    A snapshot dated t sees what was known before t began (midnight, UTC), so a month-end snapshot does not see
    the last day of the month; choose 'month-start' to see whole months.
    """

    every: Frequency
    first: date
    last: date

    def __post_init__(self) -> None:
        fields = {"every": (self.every, one_of(FREQUENCIES)), "first": (self.first, _FIRST), "last": (self.last, DAY)}
        check_shape("SnapshotPlan", fields)

    def dates(self) -> tuple[date, ...]:
        """Return the snapshot dates in order; raise InvalidConfig if there is none, or no end to them."""
        if self.last > LAST_DAY:
            raise InvalidConfig(
                f"[snapshots] last is {self.last}: an open end, of which no list of snapshots can be made.",
                hint=f"Give a last day up to {LAST_DAY}; left out of tenure.toml, it is the end of the data.",
            )
        found = self.between(self.first, self.last)
        if not found:
            raise InvalidConfig(
                f"[snapshots] every = '{self.every}' has no date from {self.first} to {self.last}.",
                hint="Set [snapshots] first and last in tenure.toml so that they span at least one snapshot.",
            )
        return found

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """Return the dates from `start` to `end`, both included, that the plan has if it went on for ever."""
        if start > end:
            return ()
        if self.every == "day":
            return tuple(start + timedelta(days=n) for n in range((end - start).days + 1))
        if self.every == "week":
            begin = (self.first - start).days % 7
            return tuple(start + timedelta(days=n) for n in range(begin, (end - start).days + 1, 7))
        days = (self._of_month(month) for month in range(_month(start), _month(end) + 1))
        return tuple(day for day in days if day and start <= day <= end)

    @property
    def rule(self) -> str:
        """What tells which dates it has, without its first and last: 'month-end', 'week of Sundays'."""
        return f"week of {self.first:%A}s" if self.every == "week" else self.every

    def _of_month(self, month: int) -> date | None:
        """The plan's day in a month, counted from the year 0; None where it has none."""
        year, number = divmod(month, 12)
        if self.every == "quarter-end" and (number + 1) % 3:
            return None
        return date(year, number + 1, 1 if self.every == "month-start" else calendar.monthrange(year, number + 1)[1])


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
