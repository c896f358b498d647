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
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.define.contract import CheckResult
from tenure.define.snapshot import SnapshotPlan
from tenure.pipeline.plan import BackfillPlan, Partition, plan_backfill
from tenure.pipeline.proof import prove_candidate
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.sql import date_literal, literal
from tenure.store.lake import MadeOf
from tenure.tables.features import FeatureSteps, tiled

#: Bytes of memory that a cell of the result takes while a range is computed: bands, joins and the writer's buffers.
_BYTES_PER_CELL = 40

#: Bytes that a partial of a tile takes while rows are summed up, and a value in the list of one.
_BYTES_PER_PARTIAL = 24
_BYTES_PER_VALUE = 16

#: The share of a customer's intervals with a row in them; a third in the demo bank. Engines spill what is more.
_FILLED = 0.4

#: The share of the engine's memory that a range may take.
_SHARE_OF_MEMORY = 0.4


def build_features(
    work: Work, planned: SnapshotPlan, outcome: Outcome, *, first: date | None = None, last: date | None = None
) -> None:
    """Bring the features of the planned snapshots from `first` to `last` up to date; count them in `outcome`.

    Raises CheckFailed, with nothing of features committed, if their rows break the contract or a proof.
    """
    plan = plan_backfill(work, planned, first=first, last=last)
    stored = work.lake.find("features")
    changed = {str(t) for t in (*plan.due, *plan.retired)}
    kept = {t: made_of for t, made_of in stored.partitions.items() if t not in changed} if stored else {}
    made_of = kept | {str(p.value): p.made_of for p in plan.features if p.is_due}
    outcome.message = f"{len(work.project.columns)} columns, {len(plan.due)} of {len(made_of)} snapshots computed"
    if stored and not changed:
        outcome.add(stored, built=False)
        return
    written = _Written([], stored.schema if stored and kept else pa.schema([]))
    if plan.steps:
        for name, partitions in plan.tiles.items():
            _build_tiles(work, plan.steps, name, partitions)
        _write_features(work, plan, plan.steps, _fingerprint(made_of), written)
    proved = _prove(work, written, plan.due)
    version, checks = work.commit(
        "features",
        "features",
        written.files,
        written.schema,
        _fingerprint(made_of),
        replaced=changed if kept else None,
        partitions=made_of,
    )
    outcome.add(version, built=True, checks=[*proved, *checks])


@dataclass
class _Written:
    """Files that no commit names yet, and their columns, none while they are not known."""

    files: list[Path]
    schema: pa.Schema


def _build_tiles(work: Work, steps: FeatureSteps, name: str, partitions: Sequence[Partition]) -> None:
    """Sum up the source's rows of the periods that are due, and commit their tiles."""
    due = [p.value for p in partitions if p.is_due]
    if not due:
        return
    table, stored = f"tiles/{name}", work.lake.find(f"tiles/{name}")
    made_of = {str(p.value): p.made_of for p in partitions}
    # Tiles of other definitions or edges can't stand beside these.
    shape = _shape(partitions[0].made_of)
    stay = {t: made for t, made in stored.partitions.items() if _shape(made) == shape} if stored else {}
    whole = _fingerprint(stay | made_of)
    work.lake.sweep(table, made_of=whole)
    finished = work.lake.finished_steps(table, whole)
    work.scan([name, work.project.entity.source])
    for select in steps.calendar:
        work.engine.hold(select.table, select.text)
    periods = () if len(due) == len(steps.grid.periods) else due
    schema = work.engine.schema(steps.tiles(name).text)
    files: list[Path] = []
    for rows in _row_ranges(work, name, _tile_bytes(work, steps, partitions, schema)):
        if rows not in finished:
            text = steps.tiles(name, periods, rows).text
            finished[rows] = work.engine.write(text, work.lake.path(table), ("period_end",), schema)
            work.lake.finish_step(table, whole, rows, finished[rows])
        files += finished[rows]
    work.lake.commit(
        table,
        files,
        schema,
        partition_by=("period_end",),
        fingerprint=whole,
        replaced=[str(day) for day in due] if stay else None,
        partitions=stay | made_of,
    )


def _write_features(work: Work, plan: BackfillPlan, steps: FeatureSteps, whole: str, written: _Written) -> None:
    """Write the rows of the snapshots that are due, a range of customers at a time, and count them in `written`."""
    engine = work.engine
    work.lake.sweep("features", made_of=whole)
    finished = work.lake.finished_steps("features", whole)
    work.scan(steps.reads)
    hold_snapshots(work, plan.due)
    for select in steps.calendar:
        engine.hold(select.table, select.text)
    for name, partitions in plan.tiles.items():
        version = work.lake.require(f"tiles/{name}", run="features")
        read = version.files_of([str(p.value) for p in partitions])
        engine.scan(tiled(name), read, version.schema, version.partition_by)
    final, by = steps.final(), work.partition_by("features")
    for customers in _customer_ranges(work, len(work.project.columns)):
        if customers not in finished or not written.schema:
            for select in steps.ranged(customers):
                engine.hold(select.table, select.text)
            written.schema = written.schema or engine.schema(final.text)
        if customers not in finished:
            finished[customers] = engine.write(final.text, work.lake.path("features"), by, written.schema)
            work.lake.finish_step("features", whole, customers, finished[customers])
        written.files += finished[customers]


def _prove(work: Work, written: _Written, due: Sequence[date]) -> list[CheckResult]:
    """Prove the rows before they are committed; raise CheckFailed, with their files removed, if they fail."""
    if not written.files:
        return []
    with work.removed_if_refused("features", written.files):
        work.engine.scan("candidate", written.files, written.schema, work.partition_by("features"))
        proved = prove_candidate(work, "candidate", due)
    hold_snapshots(work, due)
    return proved


def hold_snapshots(work: Work, dates: Sequence[date]) -> None:
    """Hold the stored rows of just these snapshots as the relation `snapshots`."""
    version = work.require("snapshots")
    work.engine.scan("snapshots_stored", version.files, version.schema, version.partition_by)
    columns = ", ".join(version.schema.names)
    listed = ", ".join(map(date_literal, dates))
    work.engine.hold("snapshots", f"SELECT {columns} FROM snapshots_stored WHERE snapshot_date IN ({listed})")


def _customer_ranges(work: Work, columns: int) -> list[str]:
    """Ranges of customer numbers whose rows fit the engine's memory together; '' is all."""
    keys = ", ".join(work.project.entity.keys)
    counted = f"SELECT COUNT(*) AS n, (SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM snapshots) AS c) AS customers"
    found = work.engine.run(f"{counted} FROM snapshots").to_pylist()[0]
    parts = _parts(work, found["n"] * columns * _BYTES_PER_CELL)
    size = max(1, math.ceil(found["customers"] / parts))
    firsts = range(0, found["customers"], size)
    return [f"BETWEEN {first} AND {first + size - 1}" for first in firsts] if len(firsts) > 1 else [""]


def _tile_bytes(work: Work, steps: FeatureSteps, partitions: Sequence[Partition], schema: pa.Schema) -> float:
    """What summing up the rows that are due takes: no more tiles than rows, nor than customers in intervals."""
    due = [p for p in partitions if p.is_due]
    rows = sum(p.rows for p in due)
    intervals = len(steps.grid.intervals) * len(due) // len(steps.grid.periods) + 1
    tiles = min(rows, _FILLED * work.require(work.project.entity.source).rows * intervals)
    lists = sum(1 for field in schema if pa.types.is_list(field.type))
    return tiles * len(schema) * _BYTES_PER_PARTIAL + rows * lists * _BYTES_PER_VALUE


def _row_ranges(work: Work, name: str, bytes_needed: float) -> list[str]:
    """Ranges of the first key's values whose tiles fit the engine's memory together; '' is all."""
    parts = _parts(work, bytes_needed)
    key = work.project.entity.keys[0]
    kind = work.project.sources[name].column(key).type
    if parts == 1 or kind not in ("integer", "string"):
        return [""]
    ordered = (
        f"SELECT {key}, ROW_NUMBER() OVER (ORDER BY {key}) AS place, COUNT(*) OVER () AS customers\nFROM (\n"
        f"    SELECT DISTINCT {key} FROM {work.project.entity.source}\n) AS those"
    )
    bounds = work.engine.run(
        f"SELECT {key} AS bound\nFROM (\n{ordered}\n) AS placed\n"
        f"WHERE place > 1 AND FLOOR((place - 1) * {parts} / customers) <> FLOOR((place - 2) * {parts} / customers)\n"
        "ORDER BY bound"
    )
    texts = [literal(b, work.dialect) if kind == "string" else str(b) for b in bounds["bound"].to_pylist()]
    # The first and the last are open, so that rows of no customer are somewhere too.
    starts = ["", *(f"r.{key} >= {text}" for text in texts)]
    ends = [*(f"r.{key} < {text}" for text in texts), ""]
    return [" AND ".join(part for part in pair if part) for pair in zip(starts, ends, strict=True)]


def _parts(work: Work, bytes_needed: float) -> int:
    """Into how many ranges work is cut; a cluster bounds its memory itself."""
    if work.dialect == "spark":
        return 1
    return max(1, math.ceil(bytes_needed / (_bytes(work.config.engine.memory) * _SHARE_OF_MEMORY)))


def _bytes(memory: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)I?B?\s*", memory.upper())
    number, unit = (float(found[1]), found[2]) if found else (4.0, "G")
    return number * 1024.0 ** " KMGT".index(unit or " ")


def _shape(made_of: MadeOf) -> dict[str, str]:
    return {name: digest for name, digest in made_of.items() if name != "rows"}


def _fingerprint(partitions: Mapping[str, MadeOf]) -> str:
    return fingerprint((value, sorted(made_of.items())) for value, made_of in sorted(partitions.items()))
