"""Upkeep of the lake: compaction of every table, and what old versions are kept for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tenure.define.contract_base import Contract
from tenure.feature_store.manifest import MANIFESTS, Manifest
from tenure.session.work import Work
from tenure.store.compacting import Compacted, compact
from tenure.store.runs import StageRun


def compact_lake(work: Work, *, keep: timedelta) -> Iterator[Compacted]:
    """Merge the small files of every table, remove what was replaced longer ago, and record it in the ledger.

    The versions that the manifests of persisted training sets rest on stay, whatever their age. Yields what was done
    to each table as it ends. Raises LakeBusy.
    """
    begun, removed = time.perf_counter(), 0
    with work.lake.locked():
        pinned = _pinned(work)
        for table in work.lake.tables():
            done = compact(work.lake, _contract_of(work, table), keep=keep, pinned=pinned[table])
            removed += done.removed
            yield done
        record = StageRun(run_id=work.run_id, stage="compact", message=f"{removed} files removed")
        record.seconds = time.perf_counter() - begun
        record.record(work.lake)


def _contract_of(work: Work, table: str) -> Contract:
    """A table's contract; of one that no definition makes any more, one that takes every column for personal."""
    known = work.contracts.get(table)
    return known or Contract(table=table, personal=frozenset(work.lake.require(table).schema.names))


def _pinned(work: Work) -> dict[str, set[int]]:
    """The versions of each table that a persisted training set could be rebuilt of."""
    found: dict[str, set[int]] = defaultdict(set)
    if work.lake.find(MANIFESTS.table) is None:
        return found
    for row in work.lake.read(MANIFESTS.table).to_pylist():
        manifest = Manifest.parse(row["manifest"])
        for source, (version, _) in manifest.tables.items():
            found[f"staging/{source}"].add(version)
    return found
