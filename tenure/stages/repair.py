"""Repair of a damaged lake: what is damaged goes aside, and the stages make again what they can.

survey ─► prepare each damaged table ─► the stages whose tables lost rows ─► what is damaged goes aside ─► ledger
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from tenure.define.stage import STAGES, maker_of
from tenure.define.table_contracts import BY_SNAPSHOT_AND_MODEL, FIXED
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.integrity import survey
from tenure.store.model_files import forget_damaged_models
from tenure.store.repair import Kept, Repair, Repaired
from tenure.store.runs import StageRun


def repair(work: Work) -> Iterator[Repaired | StageRun]:
    """Repair every damaged table: yield what was done about each, and the record of each stage that ran again.

    Nothing is deleted: what is damaged is moved to `damaged/<run>/` of the lake. The ledger gets a row of it. Raises
    what the stages raise; what was not made again then is still damaged, and the next repair goes on.
    """
    begun = time.perf_counter()
    done: list[Repaired] = []
    with work.lake.locked():
        found = sorted(survey(work.lake).damages, key=lambda damage: damage.table)
        tables = [
            Repair(work.lake, table, work.run_id, _kept(work, table), list(damages))
            for table, damages in groupby(found, key=lambda damage: damage.table)
        ]
        for table in tables:
            for repaired in table.prepare():
                done.append(repaired)
                yield repaired
    stages = _stages_of(work, tables)
    if stages:
        yield from run(work, stages)
    with work.lake.locked():
        for table in tables:
            for repaired in table.finish():
                done.append(repaired)
                yield repaired
        for version in forget_damaged_models(work.lake, work.contracts["models"]):
            lost = Repaired("models", (), f"the files of model '{version}' are lost: it can't be used", is_loss=True)
            done.append(lost)
            yield lost
        if found:
            _note(work, done, time.perf_counter() - begun)


def _kept(work: Work, table: str) -> Kept:
    """What the rows of a table are, which says what can be made of a damage."""
    if table in ("runs", "manifests"):
        return "rows"
    if table == "models" or not maker_of(table):
        return "newest"
    contract = work.contracts.get(table) or FIXED.get(table)
    by = contract.partition_by if contract else ()
    # Of sources, too, each partition says what was found when its rows came.
    return "partitions" if by == BY_SNAPSHOT_AND_MODEL or by[:1] == ("source",) else "built"


def _stages_of(work: Work, tables: Sequence[Repair]) -> list[str]:
    """The stages to run again, in order.

    What they would take for current, although a table made together with it lacks rows, counts as not built.
    """
    stages = set()
    for table in tables:
        if not table.lacks_rows():
            continue
        stages.add(maker_of(table.name))
        place, _, source = table.name.partition("/")
        if place == "quarantine":
            _overlook(work, f"staging/{source}", "")
        elif place == "tiles":
            # A tile is built for the first snapshot that reads it.
            _overlook(work, "features", min(table.lost_partitions(), default=""))
    return [stage for stage in STAGES if stage in stages]


def _overlook(work: Work, table: str, first: str) -> None:
    """Let a stage build a table again: of one with partitions those from the `first` on."""
    version = work.lake.find(table)
    if version is not None:
        work.lake.overlook(file for file in version.files if not first or file.parent.name.partition("=")[2] >= first)


def _note(work: Work, done: Sequence[Repaired], seconds: float) -> None:
    moved = sum(len(repaired.moved) for repaired in done)
    lost = sorted({repaired.table for repaired in done if repaired.is_loss})
    message = f"{moved} files moved to 'damaged/{work.run_id}'"
    if lost:
        message += f"; rows or versions lost of {', '.join(lost)}"
    StageRun(run_id=work.run_id, stage="repair", rows=moved, seconds=seconds, message=message).record(work.lake)
