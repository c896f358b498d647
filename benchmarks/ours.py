"""Ours: the features stage as `tenure features` runs it, tiles kept, checks and commit included; but unproved."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lake_links import link_lake
from workload import Seconds, Workload, way

from tenure.feature_store import build as backfill
from tenure.feature_store.routes.arrays import ArrayWindows
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work

#: Phase → the function that is it, and where it is looked up.
PHASES = {
    "plan": (backfill, "plan_backfill"),
    "tiles": (backfill, "_build_tiles"),
    "windows": (ArrayWindows, "cache"),
    "join and write": (ArrayWindows, "write"),
    "check and commit": (Work, "commit"),
}


def build(work: Work) -> None:
    """Build the features: the one call that knows how the pipeline does it."""
    backfill.build_features(work, calendar(work).plan, Outcome())


def ours(given: Workload, out: Path) -> dict[str, Seconds]:
    """Build the features and return the seconds of each phase."""
    link_lake(Path(given.lake), out)
    overrides: dict[str, dict[str, object]] = {
        "lake": {"path": str(out)},
        "engine": {"memory": given.memory},
        "verify": {"customers": 0},  # peers prove nothing either
    }
    seconds: dict[str, Seconds] = {}
    for phase, (place, name) in PHASES.items():
        setattr(place, name, timed(getattr(place, name), phase, seconds))
    with Work.open(Path(given.project), overrides=overrides) as work:
        build(work)
    return seconds


def timed(function: Callable[..., Any], phase: str, seconds: dict[str, Seconds]) -> Callable[..., Any]:
    """Return the function, which then adds what it takes to its phase."""

    def measured(*arguments: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            before = seconds.get(phase, (0.0, 0.0))
            seconds[phase] = (before[0] + time.perf_counter() - wall, before[1] + time.process_time() - cpu)

    return measured


if __name__ == "__main__":
    way(ours)
