"""The same project on two engines, in lakes of their own, compared cell by cell."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tenure.errors import InvalidConfig
from tenure.pipeline.inspect import SQL_STAGES
from tenure.pipeline.run import run
from tenure.pipeline.work import Work
from tenure.quality.compare import Comparison, compare


def compare_engines(folder: Path, data: Path | None, left: str, right: str) -> Iterator[Comparison]:
    """Build staging to training set on both engines and yield each table's comparison; the project's lake stays."""
    if not left or not right or left == right:
        raise InvalidConfig(f"--engines '{left},{right}'; allowed: two different engines, such as duckdb,spark.")
    with tempfile.TemporaryDirectory(prefix="tenure-verify-") as scratch:
        works = [_built(folder, data, engine, Path(scratch) / engine) for engine in (left, right)]
        for name in (*works[0].project.sources, *SQL_STAGES[1:]):
            keys = works[0].contracts[name].keys
            yield compare(name, works[0].read(name), works[1].read(name), keys)


def _built(folder: Path, data: Path | None, engine: str, lake: Path) -> Work:
    with Work.open(folder, data=data, engine=engine, overrides={"lake": {"path": str(lake.resolve())}}) as work:
        for _ in run(work, SQL_STAGES):
            pass
    return work
