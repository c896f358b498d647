"""Ours: the features stage as `tenure features` runs it, tiles kept, checks and commit included; but unproved."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lake_links import link_lake
from workload import Seconds, Workload, way

from tenure.pipeline.backfill import build_features
from tenure.pipeline.data import calendar
from tenure.pipeline.work import Outcome, Work


def build(work: Work) -> None:
    """Build the features: the one call that knows how the pipeline does it."""
    build_features(work, calendar(work).plan, Outcome())


def ours(given: Workload, out: Path) -> dict[str, Seconds]:
    """Build the features and return the seconds of each phase."""
    link_lake(Path(given.lake), out)
    overrides: dict[str, dict[str, object]] = {
        "lake": {"path": str(out)},
        "engine": {"memory": given.memory},
        "verify": {"customers": 0},  # peers prove nothing either
    }
    with Work.open(Path(given.project), overrides=overrides) as work:
        timed = Timed(work.engine)
        work.use_engine(timed)
        build(work)
        return timed.seconds


class Timed:
    """The engine, with the seconds that each phase of the features takes in it."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.seconds: dict[str, Seconds] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._timed(name, found) if callable(found) else found

    def _timed(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                phase = _phase(call, *(str(a) for a in (*arguments, "", "")[:2]))
                before = self.seconds.get(phase, (0.0, 0.0))
                self.seconds[phase] = (before[0] + time.perf_counter() - wall, before[1] + time.process_time() - cpu)

        return timed


def _phase(call: str, relation: str, folder: str) -> str:
    if call == "hold":
        kind = re.search(r"_(tiles|bands)(_|$)", relation)
        return kind[1] if kind else "dates and numbers"
    if call == "write":
        return "tiles" if "tiles/" in folder else "pivot and write"
    return "checks" if call == "run" else "scan and plan"


if __name__ == "__main__":
    way(ours)
