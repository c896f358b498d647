"""Drift as it is stored: what has moved at a snapshot, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from tenure.session.work import Work


@dataclass(frozen=True)
class Moved:
    """A feature column that has moved at a snapshot, or holds a value that no earlier one did.

    `column` is '' of the number of rows. `deviate` is None of unseen values; `is_alarm` is false of a note: values that
    are new, but in too few rows to be sure of.
    """

    snapshot_date: date
    column: str
    kind: str
    is_alarm: bool
    deviate: float | None
    limit: float | None
    chance: float | None
    words: str


@dataclass(frozen=True)
class Drifted:
    """What drift found at a snapshot: how many tests were made, and what moved, alarms first, the surest first."""

    snapshot_date: date
    tests: int
    moved: tuple[Moved, ...]

    @property
    def alarms(self) -> tuple[Moved, ...]:
        """What alarmed."""
        return tuple(one for one in self.moved if one.is_alarm)

    @property
    def words(self) -> str:
        """What is to be said of it in a line."""
        if self.alarms:
            columns = len({one.column for one in self.alarms})
            return (
                f"{len(self.alarms):,} alarms in {columns:,} columns at {self.snapshot_date}, of {self.tests:,} tests"
            )
        said = "nothing has moved" if self.tests else "not yet judged: too few snapshots to know what is usual"
        return f"{said} at {self.snapshot_date}, {self.tests:,} tests"


def drifted(work: Work) -> list[Drifted]:
    """Return what drift found at each snapshot, the newest first; raise MissingTable if it did not run yet."""
    rows = work.read("drift").to_pylist()
    by_day: dict[date, list[dict[str, Any]]] = {}
    for row in rows:
        by_day.setdefault(row["snapshot_date"], []).append(row)
    return [_drifted(day, by_day[day]) for day in sorted(by_day, reverse=True)]


def _drifted(day: date, rows: list[dict[str, Any]]) -> Drifted:
    moved = [
        Moved(
            day,
            row["column_name"],
            row["kind"],
            row["is_alarm"],
            row["deviate"],
            row["limit"],
            row["chance"],
            row["words"],
        )
        for row in rows
        if row["is_alarm"] or row["kind"] == "unseen value"
    ]
    moved.sort(key=lambda one: (not one.is_alarm, one.chance or 0.0, -abs(one.deviate or 0.0), one.column, one.kind))
    return Drifted(day, sum(row["chance"] is not None for row in rows), tuple(moved))
