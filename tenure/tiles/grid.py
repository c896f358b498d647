"""The grid: time cut at every edge of every window of every snapshot, so that a window is whole intervals.

           ┊ t₁ − 30d      ┊ t₂ − 30d      ┊ t₁            ┊ t₂
── before ─┊── interval ───┊── interval ───┊── interval ───┊        a row's day gives its interval
           └───────── window of t₁ ────────┘                        bands of a snapshot: the spans between the
                           └───────── window of t₂ ────────┘        starts of its windows, newest first

Tiles are stored from run to run, so the cuts must stay where they are when a snapshot is added: a plan's grid is cut by
all the dates that the plan would ever have, and tiles are partitioned at one of its dates a month, the period's end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise, product, starmap

from tenure.define.dialect import Dialect
from tenure.define.snapshot import SnapshotPlan
from tenure.define.window import Window
from tenure.sql.dialects import date_literal, midnight_literal, op
from tenure.sql.expressions import call, cast, grouped, named
from tenure.sql.query import Query, Select, values

#: No interval is longer, so the days of one fit into the bits of an integer.
_LONGEST = timedelta(days=60)

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Grid:
    """The edges that snapshots at `dates` with these windows need.

    `cuts` are all dates whose windows cut time, `dates` among them; they go on past the last period. `floor` is the
    first day of its own: all days before it are one interval.
    """

    dates: tuple[date, ...]
    windows: tuple[Window, ...]
    cuts: tuple[date, ...] = field(kw_only=True)
    floor: date = field(kw_only=True)

    @classmethod
    def of(cls, dates: Sequence[date], windows: Sequence[Window]) -> Grid:
        """Return the grid of just these snapshots: cut nowhere else, so its tiles are its own."""
        ordered = tuple(sorted(dates))
        floor = min(_starts(ordered, windows), default=ordered[0])
        return cls(ordered, tuple(windows), cuts=ordered, floor=floor)

    @classmethod
    def of_plan(cls, plan: SnapshotPlan, dates: Sequence[date], windows: Sequence[Window]) -> Grid:
        """Return the grid that every run of the plan shares, whatever its last snapshot is.

        It begins with the year in which the longest window of the plan's first snapshot begins.
        """
        planned = plan.dates()
        reach = max((window.most_days for window in windows), default=0)
        floor = min(_starts(planned[:1], windows), default=planned[0]).replace(month=1, day=1)
        # The end of the last snapshot's period may be a later date of its month, or of the next one that has any.
        cuts = plan.between(floor, planned[-1] + timedelta(days=reach + 100))
        return cls(tuple(sorted(dates)), tuple(windows), cuts=cuts, floor=floor)

    @property
    def periods(self) -> tuple[date, ...]:
        """The ends of the periods that the snapshots see: the last cut of each month, up to the last snapshot."""
        ends = self._period_ends
        return ends[: bisect_right(ends, self.dates[-1] - _DAY) + 1]

    def period_of(self, day: date) -> date:
        """Return the end of the period that a row first counted from the day after `day` belongs to."""
        return self._period_ends[bisect_right(self._period_ends, max(day, self.floor - _DAY))]

    def period_start(self, end: date) -> date | None:
        """Return the first day of the period that ends before `end`; None where it holds all days before."""
        place = self._period_ends.index(end)
        return self._period_ends[place - 1] if place else None

    @cached_property
    def _period_ends(self) -> tuple[date, ...]:
        last_of_month = {(day.year, day.month): day for day in self.cuts}
        return tuple(last_of_month.values())

    @cached_property
    def intervals(self) -> tuple[tuple[date, date], ...]:
        """Each interval: its first day and the day after its last; the first one holds all days before it, too."""
        end = self.periods[-1]
        edges = {self.floor, end, *self.cuts, *_starts(self.cuts, self.windows)}
        inner = sorted(day for day in edges if self.floor <= day <= end)
        days: list[date] = []
        for start, stop in pairwise([self.floor - _DAY, *inner]):
            day = start
            while day < stop:
                days.append(day)
                day += _LONGEST
        return tuple(pairwise([*days, end]))

    def relations(self, dialect: Dialect) -> list[Select]:
        """Return `dates`, `intervals` and `grid_days` (every day with its interval and period), to be cached."""
        return [self._dates(), self._intervals(), _grid_days(dialect)]

    @property
    def first_day(self) -> date:
        """The day to which all days before the first edge are moved."""
        return self.intervals[0][0]

    @property
    def first_start(self) -> date:
        """The first day that a window of the snapshots sees."""
        return min(_starts(self.dates, self.windows), default=self.dates[0])

    def _dates(self) -> Select:
        spans = sorted({*self.windows, *months_up_to(self.months)})
        names = ["snapshot_no", "snapshot_date", "t", *map(start_column, spans)]
        rows: list[list[str]] = []
        for number, t in enumerate(self.dates):
            starts = [date_literal(window.start(t)) for window in spans]
            rows.append([str(number), date_literal(t), midnight_literal(t), *starts])
        dates = Query(
            comment="snapshots and the starts of their windows",
            columns=names,
            source=values(rows),
            alias=call("dates", *names),
        )
        return dates.as_table("dates", reads=())

    def _intervals(self) -> Select:
        names = ["interval_start", "interval_end", "seen_by", "seen_at", "period_end"]
        intervals = Query(
            comment="time between two edges, the first snapshot that sees it, and the period whose tiles hold it",
            columns=names,
            source=values(list(starmap(self._interval, self.intervals))),
            alias=call("cut", *names),
        )
        return intervals.as_table("intervals", reads=())

    def _interval(self, start: date, end: date) -> list[str]:
        seen_by, period_end = self.cuts[bisect_right(self.cuts, end - _DAY)], self.period_of(end - _DAY)
        return [*map(date_literal, (start, end, seen_by)), midnight_literal(seen_by), date_literal(period_end)]

    @property
    def months(self) -> int:
        """The months of the longest window in months."""
        return max((window.length for window in self.windows if window.unit == "m"), default=0)


def months_up_to(most: int) -> list[Window]:
    """Return the windows of one month, two months and so on, up to the longest."""
    return [Window(length, "m") for length in range(1, most + 1)]


def start_column(window: Window) -> str:
    """Return the column of `dates` in which a window of the snapshot starts."""
    return f"start_{window}"


def _starts(dates: Iterable[date], windows: Iterable[Window]) -> set[date]:
    """The first days of the windows of snapshots at these dates."""
    return {window.start(t) for t, window in product(dates, windows)}


def _grid_days(dialect: Dialect) -> Select:
    kept = ["interval_start", "seen_by", "seen_at", "period_end"]
    day = op("days_from_to", dialect, "interval_start", "interval_end")
    offset = op("days_between", dialect, "interval_start", "day_start")
    listed = Query(columns=[*kept, named(day, "day_start")], source="intervals")
    days = Query(
        columns=[*kept, named(cast("day_start", "DATE"), "day_start")],
        source=grouped(listed.on_one_line),
        alias="cut",
    )
    grid_days = Query(
        comment="every day with its interval, and itself as a bit of it; the first day stands for all before it",
        columns=[*kept, "day_start", named(op("bit", dialect, offset), "day_bit")],
        source=days,
        alias="days",
    )
    return grid_days.as_table("grid_days", reads=["intervals"])
