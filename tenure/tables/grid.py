"""The grid: time cut at every edge of every window of every snapshot, so that a window is whole intervals.

           ┊ t₁ − 30d      ┊ t₂ − 30d      ┊ t₁            ┊ t₂
── before ─┊── interval ───┊── interval ───┊── interval ───┊        a row's day tells its interval
           └───────── window of t₁ ────────┘                        bands of a snapshot: the spans between the
                           └───────── window of t₂ ────────┘        starts of its windows, newest first
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from tenure.define.window import Window
from tenure.sql import Dialect, Select, date_literal, midnight_literal, op

#: No interval is longer, so the days of one fit into the bits of an integer.
_MOST_DAYS = 60


@dataclass(frozen=True)
class Grid:
    """The edges that snapshots at `dates` with these windows need."""

    dates: tuple[date, ...]
    windows: tuple[Window, ...]

    @property
    def intervals(self) -> list[tuple[date, date, date]]:
        """Each interval: its first day, the day after its last, and the first snapshot that sees it."""
        edges = sorted({*self.dates, *(w.start(t) for t in self.dates for w in self.windows)})
        edges = [edges[0] - timedelta(days=1), *edges]
        cut = [
            start + timedelta(days=n)
            for start, end in pairwise(edges)
            for n in range(0, (end - start).days, _MOST_DAYS)
        ]
        seen_by = iter(sorted(self.dates))
        found, seen = [], next(seen_by)
        for start, end in pairwise([*cut, edges[-1]]):
            while seen < end:
                seen = next(seen_by)
            found.append((start, end, seen))
        return found

    def relations(self, dialect: Dialect) -> list[Select]:
        """Return `dates`, `intervals`, `interval_days` (every day with its interval) and `last_seen`, to be held."""
        rows = [
            f"({number}, {date_literal(start)}, {date_literal(end)}, {date_literal(seen)}, {midnight_literal(seen)})"
            for number, (start, end, seen) in enumerate(self.intervals)
        ]
        names = "interval_no, interval_start, interval_end, seen_by, seen_at"
        day = op("days_from_to", dialect, "interval_start", "interval_end")
        return [
            Select("dates", "-- snapshots and the starts of their windows\n" + self._dates(), ()),
            Select(
                "intervals",
                "-- time between two edges, and the first snapshot that sees it\n"
                f"SELECT {names}\nFROM (VALUES\n    " + ",\n    ".join(rows) + f"\n) AS cut({names})",
                (),
            ),
            Select(
                "interval_days",
                "-- every day with its interval; the first day stands for all before it\n"
                "SELECT interval_no, interval_start, seen_by, seen_at, CAST(day_start AS DATE) AS day_start\nFROM (\n"
                f"    SELECT interval_no, interval_start, seen_by, seen_at, {day} AS day_start\n    FROM intervals\n"
                ") AS cut",
                ("intervals",),
            ),
            Select(
                "last_seen",
                # A version is visible at t <= known_until, so the day of known_until still sees the snapshot on it.
                "-- every day with the newest snapshot up to it, long ago where there is none\n"
                "SELECT d.day_start, COALESCE(MAX(t.snapshot_date), DATE '0001-01-01') AS last_seen\n"
                "FROM interval_days AS d\nLEFT JOIN dates AS t\n  ON t.snapshot_date <= d.day_start\n"
                "GROUP BY d.day_start",
                ("interval_days", "dates"),
            ),
        ]

    @property
    def first_day(self) -> date:
        """The day that stands for all before the first edge."""
        return self.intervals[0][0]

    def _dates(self) -> str:
        spans = sorted({*self.windows, *(Window(n + 1, "m") for n in range(self.months))})
        names = ["snapshot_no", "snapshot_date", "t", *(f"start_{w}" for w in spans)]
        rows = [
            "("
            + ", ".join([str(n), date_literal(t), midnight_literal(t), *(date_literal(w.start(t)) for w in spans)])
            + ")"
            for n, t in enumerate(self.dates)
        ]
        listed = ", ".join(names)
        return f"SELECT {listed}\nFROM (VALUES\n    " + ",\n    ".join(rows) + f"\n) AS dates({listed})"

    @property
    def months(self) -> int:
        """The months of the longest window in months."""
        return max((w.length for w in self.windows if w.unit == "m"), default=0)
