"""Backfill: bring the features of planned snapshots up to date, by tiles that are stored from run to run.

    plan ──► tiles of the periods that are due ──► features of the snapshots that are due ──► proof ──► one commit

Both are computed a range at a time, so that memory stays bounded. Each range's files are noted when they are whole: a
run after a kill continues with the next range. No feature is visible before the commit, which replaces just the
snapshots that were due, all at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import chain

import pyarrow as pa

from tenure.define.contract_base import CheckResult
from tenure.define.snapshot import SnapshotPlan
from tenure.feature_store.plan import BackfillPlan, Partition, due_of, plan_backfill
from tenure.feature_store.routes.base import Route, TileWriter, Writing, number_ranges, threads_of, tile_table
from tenure.feature_store.routes.sql import SqlTiles
from tenure.proofs.gate import prove_candidate
from tenure.session.fingerprints import fingerprint
from tenure.session.meaning import LABEL
from tenure.session.work import Outcome, Work
from tenure.sql.dialects import date_literal
from tenure.sql.expressions import is_in, named
from tenure.sql.query import Query, within_parentheses
from tenure.storage.location import Location
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
    before = stored.partitions if stored else {}
    kept = {t: ingredients for t, ingredients in before.items() if t not in changed}
    ingredients = kept | _ingredients(partition for partition in plan.features if partition.is_due)
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
        meanings={name: digest for name, digest in work.meanings.items() if name != LABEL},
    )
    outcome.add(version, built=True, checks=[*proved, *checks])


@dataclass
class _Written:
    """Files that no commit names yet, and their columns, none while they are not known."""

    files: list[Location]
    schema: pa.Schema


def _build_tiles(work: Work, route: Route, steps: FeatureSteps, name: str, partitions: Sequence[Partition]) -> None:
    """Sum up the source's rows of the periods that are due, and commit their tiles."""
    due = due_of(partitions)
    if not due:
        return
    table = tile_table(name)
    stored = work.lake.find(table)
    before = stored.partitions if stored else {}
    # Tiles of other definitions or edges can't be stored next to these.
    shape = _shape(partitions[0].ingredients)
    stay = {t: of for t, of in before.items() if _shape(of) == shape}
    ingredients = _ingredients(partitions)
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
    files = [*chain.from_iterable(finished.values())]
    replaced = {"period_end": [*map(str, due)]}
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
    # Few rows are known late, and no route has another way for them.
    late = SqlTiles.of(work, tiles, tiles.late(due_of(partitions)), schema)
    steps: dict[str, TileWriter] = {"late": late}
    groups = _period_ranges(work, [partition for partition in partitions if partition.is_due])
    for periods, writer in zip(groups, route.tile_writers(tiles, groups, schema, pool), strict=True):
        steps[f"{periods[0]} to {periods[-1]}"] = writer
    return steps


def _run_steps(
    work: Work, table: str, whole: str, finished: dict[str, list[Location]], steps: Mapping[str, TileWriter]
) -> None:
    """Run the steps that are not finished yet, and note each; its files are written while the next step computes."""
    under_way: list[tuple[str, Writing]] = []

    def finish() -> None:
        for step, written in under_way:
            finished[step] = work.lake.steps(table).finish(whole, step, written())
        under_way.clear()

    for number, (step, writer) in enumerate(steps.items()):
        work.progress.of(f"{table}, {step}", number, len(steps))
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
    for select in (*steps.calendar, *steps.unreconciled):
        engine.cache(select.table, select.text)
    for name, partitions in plan.tiles.items():
        version = work.lake.require(tile_table(name), run="features")
        read = version.files_of([*_ingredients(partitions)])
        engine.scan(tiled(name), read, version.schema, version.partition_by)
    writer = plan.route.window_writer(steps)
    ranges = _customer_ranges(work, steps)
    for number, customers in enumerate(ranges):
        work.progress.of(f"customers, {customers}", number, len(ranges))
        if customers not in finished:
            files, written.schema = writer.write_windows(customers, written.schema)
            finished[customers] = work.lake.steps("features").finish(whole, customers, files)
        # A run that resumes has written nothing whose columns could be read.
        written.schema = written.schema or writer.schema(customers)
        written.files += finished[customers]


def _prove(work: Work, written: _Written, due: Sequence[date]) -> list[CheckResult]:
    """Prove the rows before they are committed; raise CheckFailed, with their files removed, if a proof fails."""
    if not written.files:
        return []
    with work.removed_if_refused("features", written.files):
        work.engine.scan("candidate", written.files, written.schema, work.contracts["features"].partition_by)
        proved = prove_candidate(work, "candidate", due)
    cache_snapshots(work, due)
    return proved


def cache_snapshots(work: Work, dates: Sequence[date]) -> None:
    """Cache the stored rows of just these snapshots as the relation `snapshots`."""
    version = work.require("snapshots")
    work.engine.scan("snapshots_stored", version.files, version.schema, version.partition_by)
    rows = Query(
        columns=version.schema.names,
        source="snapshots_stored",
        where=is_in("snapshot_date", map(date_literal, dates)),
    )
    work.engine.cache("snapshots", rows.text)


def _customer_ranges(work: Work, steps: FeatureSteps) -> list[str]:
    """Ranges of customer numbers, each of so few that its rows fit the engine's memory together; '' is all."""
    found = work.engine.run(_counts(steps.keys).text).to_pylist()[0]
    partials = max((len(steps.tiles(name).partials) for name in steps.tiled), default=0)
    numbers = len(steps.grid.intervals) * (_FILLED * partials + threads_of(work))
    bytes_needed = found["n"] * len(work.project.columns) * _BYTES_PER_CELL + found["customers"] * numbers * 8
    size = max(1, math.ceil(found["customers"] / _parts(work, bytes_needed)))
    return number_ranges(found["customers"], size) if size < found["customers"] else [""]


def _counts(keys: Sequence[str]) -> Query:
    """The number of snapshot rows, and of the customers among them."""
    each = Query(distinct=True, columns=list(keys), source="snapshots")
    customers = Query(columns=["COUNT(*)"], source=each, alias="c")
    return Query(columns=["COUNT(*) AS n", named(within_parentheses(customers.text), "customers")], source="snapshots")


def _period_ranges(work: Work, due: Sequence[Partition]) -> list[list[date]]:
    """The periods that are due, in groups of so few rows that their tiles fit in memory; on a cluster, all together."""
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
    """The number of ranges into which the customers are cut; a cluster bounds its memory itself."""
    if work.engine.is_cluster:
        return 1
    return max(1, math.ceil(bytes_needed / (_bytes(work.config.engine.memory) * _SHARE_OF_MEMORY)))


def _bytes(memory: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)I?B?\s*", memory.upper())
    number, unit = (float(found[1]), found[2]) if found else (4.0, "G")
    return number * 1024.0 ** " KMGT".index(unit or " ")


def _ingredients(partitions: Iterable[Partition]) -> dict[str, Ingredients]:
    """The ingredients of each partition, by its value."""
    return {str(partition.value): partition.ingredients for partition in partitions}


def _shape(ingredients: Ingredients) -> dict[str, str]:
    """The ingredients that all tiles of a table share."""
    return {name: digest for name, digest in ingredients.items() if name != "rows"}


def _fingerprint(partitions: Mapping[str, Ingredients]) -> str:
    return fingerprint((value, sorted(ingredients.items())) for value, ingredients in sorted(partitions.items()))
