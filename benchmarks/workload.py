"""Workload: what every way of computing the features is given, and how it says what it wrote.

A way is a script, `python <way>.py workload.json out/`: a process of its own that reads the staged Parquet files and
writes Parquet into `out/features/`. This module imports nothing but Python's own: a way may run in another environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

#: Of the wall clock and of all cores.
Seconds: TypeAlias = tuple[float, float]

WINDOWS = (7, 30, 60, 90, 180, 365)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A staged bank: its project's folder and lake, its tables' files, the snapshots, and the columns to compute."""

    size: str
    project: str
    lake: str
    transactions: list[str]
    snapshots: list[str]
    rows: int
    dates: list[str]
    categories: list[str]
    columns: list[str]
    memory: str = "4GB"
    features: list[str] = field(default_factory=list)  # the finished table, which the floor writes again

    @property
    def days(self) -> list[date]:
        """The snapshot dates."""
        return [date.fromisoformat(day) for day in self.dates]

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self)))

    def made(self, *, memory: str, features: Sequence[str] = ()) -> Workload:
        """Return it with a memory limit and the files of the finished features."""
        return replace(self, memory=memory, features=list(features))


def load(file: Path) -> Workload:
    """Return the workload that `save` wrote."""
    return Workload(**json.loads(file.read_text()))


def way(compute: Callable[[Workload, Path], Mapping[str, Seconds] | None]) -> None:
    """Run a way's function as the command line asks; print the files it wrote, and its phases if it tells them.

    The features go into `features/` of the folder that the function is given.
    """
    given, out = load(Path(sys.argv[1])), Path(sys.argv[2]).resolve()
    (out / "features").mkdir(parents=True)
    phases = compute(given, out) or {}
    files = sorted(str(file) for file in (out / "features").rglob("*.parquet"))
    sys.stdout.write(json.dumps({"files": files, "phases": phases}) + "\n")


def edges(days: Sequence[date]) -> list[date]:
    """Return the sorted starts of all windows and all snapshots: between two of them lies an elementary interval."""
    return sorted({*days, *(day - timedelta(days=window) for day in days for window in WINDOWS)})
