"""SnapshotPlan: on which dates the bank looks at all its customers."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from tenure.errors import InvalidConfig

Frequency: TypeAlias = Literal["month-end", "month-start", "quarter-end", "week", "day"]

FREQUENCIES: tuple[str, ...] = ("month-end", "month-start", "quarter-end", "week", "day")


@dataclass(frozen=True, kw_only=True)
class SnapshotPlan:
    """Snapshot dates: every `every` from `first` to `last`, both included; a week's day is that of `first`.

    A snapshot dated t sees what was known before t began (midnight, UTC), so a month-end snapshot does not see
    the last day of the month; choose 'month-start' to see whole months.
    """

    every: Frequency
    first: date
    last: date

    def dates(self) -> tuple[date, ...]:
        """Return the snapshot dates in order; raise InvalidConfig if there is none."""
        found = self.between(self.first, self.last)
        if not found:
            raise InvalidConfig(
                f"[snapshots] every = '{self.every}' has no date from {self.first} to {self.last}.",
                hint="Set [snapshots] first and last in tenure.toml so that they span at least one snapshot.",
            )
        return found

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """Return the dates from `start` to `end`, both included, that the plan has if it went on for ever."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 1))
        return tuple(day for day in days if self._falls_on(day))

    @property
    def rule(self) -> str:
        """What tells which dates it has, without its first and last: 'month-end', 'week of Sundays'."""
        return f"week of {self.first:%A}s" if self.every == "week" else self.every

    def _falls_on(self, day: date) -> bool:
        month_ends = day.day == calendar.monthrange(day.year, day.month)[1]
        return {
            "day": True,
            "week": (day - self.first).days % 7 == 0,
            "month-start": day.day == 1,
            "month-end": month_ends,
            "quarter-end": month_ends and day.month % 3 == 0,
        }[self.every]
