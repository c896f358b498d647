"""Backfill: bring the features of planned snapshots up to date, by tiles that are kept from run to run.

    plan ──► tiles of the periods that are due ──► features of the snapshots that are due ──► proof ──► one commit

Both go a range of customers at a time, so that memory stays bounded. Each range's files are noted when they are whole:
a run after a kill goes on behind them. Nothing of features is visible before the commit, which replaces just the
snapshots that were due, all at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.define.contract import CheckResult
from tenure.define.snapshot import SnapshotPlan
from tenure.feature_store.plan import BackfillPlan, Partition, plan_backfill
from tenure.feature_store.routes.base import Route, TileWriter, Writing, threads_of
from tenure.feature_store.routes.sql import SqlTiles
from tenure.proofs.gate import prove_candidate
from tenure.session.work import Outcome, Work, fingerprint
from tenure.sql import date_literal
from tenure.store.table import Ingredients
from tenure.tiles.features import FeatureSteps, tiled
from tenure.tiles.tiles import Tiles

#: Bytes of memory that a cell of the result takes while a range is computed: windows, joins and the writer's buffers.
_BYTES_PER_CELL = 24

#: The share of a customer's intervals with a row in them; a third in the demo bank.
_FILLED = 0.4

#: Rows that are summed up to tiles at a time, unless one period has more: a few hundred megabytes of tiles.
_MOST_ROWS = 2_400_000

#: The share of the engine's memory that a range may take.
_SHARE_OF_MEMORY = 0.5


def build_features(
    work: Work, planned: SnapshotPlan, outcome: Outcome, *, first: date | None = None, last: date | None = None
) -> None:
    """Bring the features of the planned snapshots from `first` to `last` up to date; count them in `outcome`.

    Raises CheckFailed, with nothing of features committed, if their rows break the contract or a proof.
    """
    plan = plan_backfill(work, planned, first=first, last=last)
    stored = work.lake.find("features")
    changed = {str(t) for t in (*plan.due, *plan.retired)}
    kept = {t: ingredients for t, ingredients in stored.partitions.items() if t not in changed} if stored else {}
    ingredients = kept | {str(p.value): p.ingredients for p in plan.features if p.is_due}
    outcome.message = f"{len(work.project.columns)} columns, {len(plan.due)} of {len(ingredients)} snapshots computed"
    if stored and not changed:
        outcome.add(stored, built=False)
        return
    written = _Written([], stored.schema if stored and kept else pa.schema([]))
    if plan.steps:
        for name, partitions in plan.tiles.items():
            _build_tiles(work, plan.route, plan.steps, name, partitions)
        _write_features(work, plan, plan.steps, _fingerprint(ingredients), written)
    proved = _prove(work, written, plan.due)
    version, checks = work.commit(
        "features",
        written.files,
        written.schema,
        _fingerprint(ingredients),
        replaced={"snapshot_date": changed} if kept else None,
        partitions=ingredients,
    )
    outcome.add(version, built=True, checks=[*proved, *checks])


@dataclass
class _Written:
    """Files that no commit names yet, and their columns, none while they are not known."""

    files: list[Path]
    schema: pa.Schema


def _build_tiles(work: Work, route: Route, steps: FeatureSteps, name: str, partitions: Sequence[Partition]) -> None:
    """Sum up the source's rows of the periods that are due, and commit their tiles."""
    due = [p.value for p in partitions if p.is_due]
    if not due:
        return
    table, stored = f"tiles/{name}", work.lake.find(f"tiles/{name}")
    ingredients = {str(p.value): p.ingredients for p in partitions}
    # Tiles of other definitions or edges can't stand beside these.
    shape = _shape(partitions[0].ingredients)
    stay = {t: made for t, made in stored.partitions.items() if _shape(made) == shape} if stored else {}
    whole = _fingerprint(stay | ingredients)
    work.lake.sweep(table, digest=whole)
    finished = work.lake.steps(table).finished(whole)
    work.scan([name, work.project.entity.source])
    for select in steps.calendar:
        work.engine.cache(select.table, select.text)
    schema = work.engine.schema(steps.tiles(name).select())
    with ThreadPoolExecutor(threads_of(work)) as pool:
        writing = _tile_steps(work, route, steps.tiles(name), partitions, schema, pool)
        _run_steps(work, table, whole, finished, writing)
    files = [file for those in finished.values() for file in those]
    replaced = {"period_end": [str(day) for day in due]}
    work.commit(table, files, schema, whole, replaced=replaced if stay else None, partitions=stay | ingredients)


def _tile_steps(
    work: Work,
    route: Route,
    tiles: Tiles,
    partitions: Sequence[Partition],
    schema: pa.Schema,
    pool: ThreadPoolExecutor,
) -> dict[str, TileWriter]:
    """The steps in which a source's tiles are built, by name."""
    due = [p for p in partitions if p.is_due]
    # Few rows are known late, and no route has another way for them.
    late = SqlTiles.of(work, tiles, tiles.late([p.value for p in due]), schema)
    steps: dict[str, TileWriter] = {"late": late}
    groups = _period_ranges(work, due)
    for periods, writer in zip(groups, route.tile_writers(tiles, groups, schema, pool), strict=True):
        steps[f"{periods[0]} to {periods[-1]}"] = writer
    return steps


def _run_steps(
    work: Work, table: str, whole: str, finished: dict[str, list[Path]], steps: Mapping[str, TileWriter]
) -> None:
    """Run the steps that are not finished yet, and note each; its files are written while the next one computes."""
    under_way: list[tuple[str, Writing]] = []

    def finish() -> None:
        for step, written in under_way:
            finished[step] = work.lake.steps(table).finish(whole, step, written())
        under_way.clear()

    for step, writer in steps.items():
        if step not in finished:
            writing = writer.write_tiles(work.lake.begin_write(table))
            finish()
            under_way.append((step, writing))
    finish()


def _write_features(work: Work, plan: BackfillPlan, steps: FeatureSteps, whole: str, written: _Written) -> None:
    """Write the rows of the snapshots that are due, a range of customers at a time, and count them in `written`."""
    engine = work.engine
    work.lake.sweep("features", digest=whole)
    finished = work.lake.steps("features").finished(whole)
    work.scan(steps.reads)
    cache_snapshots(work, plan.due)
    for select in steps.calendar:
        engine.cache(select.table, select.text)
    for name, partitions in plan.tiles.items():
        version = work.lake.require(f"tiles/{name}", run="features")
        read = version.files_of([str(p.value) for p in partitions])
        engine.scan(tiled(name), read, version.schema, version.partition_by)
    writer = plan.route.window_writer(steps)
    for customers in _customer_ranges(work, steps):
        if customers not in finished:
            files, written.schema = writer.write_windows(customers, written.schema)
            finished[customers] = work.lake.steps("features").finish(whole, customers, files)
        # A run that resumes has written nothing that would tell its columns.
        written.schema = written.schema or writer.schema(customers)
        written.files += finished[customers]


def _prove(work: Work, written: _Written, due: Sequence[date]) -> list[CheckResult]:
    """Prove the rows before they are committed; raise CheckFailed, with their files removed, if they fail."""
    if not written.files:
        return []
    with work.removed_if_refused("features", written.files):
        work.engine.scan("candidate", written.files, written.schema, work.contracts["features"].partition_by)
        proved = prove_candidate(work, "candidate", due)
    cache_snapshots(work, due)
    return proved


def cache_snapshots(work: Work, dates: Sequence[date]) -> None:
    """Hold the stored rows of just these snapshots as the relation `snapshots`."""
    version = work.require("snapshots")
    work.engine.scan("snapshots_stored", version.files, version.schema, version.partition_by)
    columns = ", ".join(version.schema.names)
    listed = ", ".join(map(date_literal, dates))
    work.engine.cache("snapshots", f"SELECT {columns} FROM snapshots_stored WHERE snapshot_date IN ({listed})")


def _customer_ranges(work: Work, steps: FeatureSteps) -> list[str]:
    """Ranges of customer numbers whose rows fit the engine's memory together; '' is all."""
    keys = ", ".join(steps.keys)
    counted = f"SELECT COUNT(*) AS n, (SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM snapshots) AS c) AS customers"
    found = work.engine.run(f"{counted} FROM snapshots").to_pylist()[0]
    partials = max((len(steps.tiles(name).partials) for name in steps.tiled), default=0)
    numbers = len(steps.grid.intervals) * (_FILLED * partials + threads_of(work))
    bytes_needed = found["n"] * len(work.project.columns) * _BYTES_PER_CELL + found["customers"] * numbers * 8
    parts = _parts(work, bytes_needed)
    size = max(1, math.ceil(found["customers"] / parts))
    firsts = range(0, found["customers"], size)
    return [f"BETWEEN {first} AND {first + size - 1}" for first in firsts] if len(firsts) > 1 else [""]


def _period_ranges(work: Work, due: Sequence[Partition]) -> list[list[date]]:
    """Periods that are due, in groups of so many rows that what is summed up stays small; all on a cluster."""
    groups: list[list[date]] = [[]]
    rows = 0
    for partition in due:
        if groups[-1] and rows + partition.rows > _MOST_ROWS and not work.engine.is_cluster:
            groups.append([])
            rows = 0
        groups[-1].append(partition.value)
        rows += partition.rows
    return groups


def _parts(work: Work, bytes_needed: float) -> int:
    """Into how many ranges work is cut; a cluster bounds its memory itself."""
    if work.engine.is_cluster:
        return 1
    return max(1, math.ceil(bytes_needed / (_bytes(work.config.engine.memory) * _SHARE_OF_MEMORY)))


def _bytes(memory: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)I?B?\s*", memory.upper())
    number, unit = (float(found[1]), found[2]) if found else (4.0, "G")
    return number * 1024.0 ** " KMGT".index(unit or " ")


def _shape(ingredients: Ingredients) -> dict[str, str]:
    return {name: digest for name, digest in ingredients.items() if name != "rows"}


def _fingerprint(partitions: Mapping[str, Ingredients]) -> str:
    return fingerprint((value, sorted(ingredients.items())) for value, ingredients in sorted(partitions.items()))
