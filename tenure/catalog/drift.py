"""Drift as it is stored: what has moved at a snapshot, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tenure.checks.drift_findings import DriftFinding
from tenure.session.work import Work


@dataclass(frozen=True)
class Drifted:
    """What drift found at a snapshot: how many columns' kinds were judged, and what moved, alarms first.

    What moved without an alarm is a note: a value that is new, but in too few rows to be sure of.
    """

    snapshot_date: date
    judged: int
    moved: tuple[DriftFinding, ...]

    @property
    def alarms(self) -> tuple[DriftFinding, ...]:
        """What alarmed."""
        return tuple(one for one in self.moved if one.is_alarm)

    @property
    def words(self) -> str:
        """What is to be said of it in a line."""
        if self.alarms:
            columns = len({one.column_name for one in self.alarms})
            alarms = f"{len(self.alarms):,} alarms in {columns:,} columns"
            return f"{alarms} at {self.snapshot_date}, of {self.judged:,} judged"
        said = "nothing has moved" if self.judged else "not yet judged: too few snapshots to know what is usual"
        return f"{said} at {self.snapshot_date}, {self.judged:,} judged"


def drifted(work: Work) -> list[Drifted]:
    """Return what drift found at each snapshot, the newest first; raise MissingTable if it did not run yet."""
    by_day: dict[date, list[DriftFinding]] = {}
    for row in work.read("drift").to_pylist():
        by_day.setdefault(row["snapshot_date"], []).append(DriftFinding(**row))
    return [_drifted(day, by_day[day]) for day in sorted(by_day, reverse=True)]


def _drifted(day: date, found: list[DriftFinding]) -> Drifted:
    moved = [one for one in found if one.is_alarm or one.kind == "unseen value"]
    moved.sort(key=lambda one: (not one.is_alarm, one.chance or 0.0, one.column_name, one.kind))
    return Drifted(day, sum(one.chance is not None for one in found), tuple(moved))
