"""Proofs: the same project on two engines, and the same snapshots with the future destroyed, compared cell by cell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tenure.errors import InvalidConfig
from tenure.pipeline.inspect import SQL_STAGES
from tenure.pipeline.run import run
from tenure.pipeline.work import Work
from tenure.quality.compare import Comparison, compare
from tenure.sql import DIALECTS
from tenure.tables.features import FeatureSteps
from tenure.tables.snapshots import snapshots
from tenure.tables.support import require
from tenure.tables.time_travel import DESTRUCTIONS, Destruction, destroyed


def compare_engines(folder: Path, data: Path | None, left: str, right: str) -> Iterator[Comparison]:
    """Build staging to training set on both engines and yield each table's comparison; the project's lake stays."""
    if not left or not right or left == right:
        raise InvalidConfig(f"--engines '{left},{right}'; allowed: two different engines, such as duckdb,spark.")
    for engine in DIALECTS:
        if engine in (left, right):
            require(("proof", "two engines"), engine, asked_by="'tenure verify'")
    with tempfile.TemporaryDirectory(prefix="tenure-verify-") as scratch:
        works = [_built(folder, data, engine, Path(scratch) / engine) for engine in (left, right)]
        for name in (*works[0].project.sources, *SQL_STAGES[1:]):
            keys = works[0].contracts[name].keys
            yield compare(name, works[0].read(name), works[1].read(name), keys)


def travel_in_time(work: Work, most: int = 3) -> Iterator[Comparison]:
    """Recompute up to `most` stored snapshots from sources whose future is deleted, then corrupted; yield comparisons.

    Each is of the stored `snapshots` and `features` at one date with those made of what was known before it: a
    different cell is a leak. Raises MissingTable if the features are not built.
    """
    require(("proof", "time travel"), work.dialect, asked_by="'tenure verify --time-travel'")
    stored = {name: work.read(name) for name in ("snapshots", "features")}
    dates = sorted(set(stored["features"]["snapshot_date"].to_pylist()))
    step = max(1, (len(dates) - 1) // max(1, most - 1))
    for day in dict.fromkeys([*dates[::-step][:most]]):
        for how in DESTRUCTIONS:
            then = _recomputed(work, day, how)
            for name, rows in then.items():
                kept = stored[name].filter(pc.equal(stored[name]["snapshot_date"], pa.scalar(day)))
                yield compare(f"{name} {day} {how}", kept, rows, work.contracts[name].keys)


def _recomputed(work: Work, day: date, how: Destruction) -> dict[str, pa.Table]:
    """The snapshots and features of one date, from sources without a future."""
    project = work.project
    with Work(work.folder, work.config, project, work.data) as scratch:
        engine, dialect = scratch.engine, scratch.dialect
        for source in project.sources.values():
            version = work.require(source.name)
            engine.scan(f"{source.name}_staged", version.files, version.schema, version.partition_by)
            engine.hold(source.name, destroyed(source, f"{source.name}_staged", day, how, dialect))
        engine.hold("snapshots", snapshots(project, dialect, [day]).text)
        steps = FeatureSteps(project, dialect, [day])
        for select in (*steps.held, *steps.bands()):
            engine.hold(select.table, select.text)
        return {"snapshots": engine.run("SELECT * FROM snapshots"), "features": engine.run(steps.final().text)}


def _built(folder: Path, data: Path | None, engine: str, lake: Path) -> Work:
    with Work.open(folder, data=data, engine=engine, overrides={"lake": {"path": str(lake.resolve())}}) as work:
        for _ in run(work, SQL_STAGES):
            pass
    return work
