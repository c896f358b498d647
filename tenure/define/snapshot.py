"""SnapshotPlan: the dates at which features and labels of all customers are computed."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from tenure.define.shape import DAY, check_shape, days_between, one_of
from tenure.errors import InvalidConfig

Frequency: TypeAlias = Literal["month-end", "month-start", "quarter-end", "week", "day"]

FREQUENCIES: tuple[str, ...] = ("month-end", "month-start", "quarter-end", "week", "day")

#: The first and the last day that a snapshot can have. A date outside is a placeholder: nobody banked in the year 1,
#: and 9999-12-31 means an open end.
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
        check_shape("SnapshotPlan", self, every=one_of(FREQUENCIES), first=_FIRST, last=DAY)

    def dates(self) -> tuple[date, ...]:
        """Return the snapshot dates in order; raise InvalidConfig if there is none, or if the plan has an open end."""
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
        """Return the dates from `start` to `end`, both included, of the plan without its own first and last date."""
        if start > end:
            return ()
        if self.every == "day":
            return _every(1, start, end)
        if self.every == "week":
            days_to_first = (self.first - start).days % 7
            return _every(7, start + timedelta(days=days_to_first), end)
        days = map(self._of_month, range(_month(start), _month(end) + 1))
        return tuple(day for day in days if day and start <= day <= end)

    @property
    def rule(self) -> str:
        """The rhythm of its dates, without its first and last: 'month-end', 'week of Sundays'."""
        return f"week of {self.first:%A}s" if self.every == "week" else self.every

    def _of_month(self, month: int) -> date | None:
        """The plan's day in a month, counted from the year 0; None where it has none."""
        year, number = divmod(month, 12)
        if self.every == "quarter-end" and (number + 1) % 3:
            return None
        return date(year, number + 1, 1 if self.every == "month-start" else calendar.monthrange(year, number + 1)[1])


def _every(step: int, start: date, end: date) -> tuple[date, ...]:
    """Every `step`-th day from `start` to `end`, both included."""
    offsets = range(0, (end - start).days + 1, step)
    return tuple(start + timedelta(days=offset) for offset in offsets)


def _month(day: date) -> int:
    """The month of a day, counted from the year 0."""
    return day.year * 12 + day.month - 1
