"""Backfill: the features of every snapshot, a range of customers at a time, so that memory stays bounded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.define.contract import CheckResult
from tenure.pipeline.proof import prove_candidate
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.store.lake import TableVersion
from tenure.tables.features import NUMBERS, FeatureSteps

#: Bytes of memory that a cell of the result takes while a range is computed: bands, joins and the writer's buffers.
_BYTES_PER_CELL = 40

#: The share of the engine's memory that a range may take.
_SHARE_OF_MEMORY = 0.4


def build_features(work: Work, dates: Sequence[date], outcome: Outcome) -> TableVersion:
    """Build the features of the snapshots at `dates` unless they are current; count them in `outcome`.

    Raises CheckFailed, with nothing committed, if their rows break the contract.
    """
    steps = FeatureSteps(work.project, work.dialect, dates)
    final = steps.final()
    inputs = [work.require(relation) for relation in final.reads]
    texts = [s.text for s in (*steps.held, *steps.bands(), final)]
    made_of = fingerprint([work.dialect, *texts, *(i.fingerprint for i in inputs)])
    current = work.lake.find("features")
    if current and current.fingerprint == made_of:
        outcome.add(current, built=False)
        return current
    work.lake.sweep("features")
    work.scan(final.reads)
    for select in steps.held:
        work.engine.hold(select.table, select.text)
    files: list[Path] = []
    for customers in _ranges(work, len(work.project.columns)):
        for select in steps.bands(customers):
            work.engine.hold(select.table, select.text)
        text = steps.final(customers).text
        files += work.engine.write(text, work.lake.path("features"), work.partition_by("features"))
    schema = work.engine.schema(final.text)
    proved = _prove(work, files, schema, dates)
    version, checks = work.commit("features", "features", files, schema, made_of)
    outcome.add(version, built=True, checks=[*proved, *checks])
    return version


def _prove(work: Work, files: Sequence[Path], schema: pa.Schema, dates: Sequence[date]) -> list[CheckResult]:
    """Prove the rows in `files` before they are committed; raise CheckFailed, with the files removed, if they fail."""
    with work.removed_if_refused(files):
        work.engine.scan("candidate", files, schema, work.partition_by("features"))
        return prove_candidate(work, "candidate", dates)


def _ranges(work: Work, columns: int) -> Iterator[str]:
    """Ranges of customer numbers whose rows fit the engine's memory together."""
    rows = work.require("snapshots").rows
    customers = work.engine.run(f"SELECT COUNT(*) AS n FROM {NUMBERS}").to_pylist()[0]["n"]
    budget = _bytes(work.config.engine.memory) * _SHARE_OF_MEMORY
    parts = max(1, math.ceil(rows * columns * _BYTES_PER_CELL / budget))
    size = max(1, math.ceil(customers / parts))
    for first in range(0, max(1, customers), size):
        yield f"BETWEEN {first} AND {first + size - 1}"


def _bytes(memory: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)I?B?\s*", memory.upper())
    number, unit = (float(found[1]), found[2]) if found else (4.0, "G")
    return number * 1024.0 ** " KMGT".index(unit or " ")
