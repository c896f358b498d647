"""Proofs of the stored tables: rows, the oracle, time travel, backfill; and the same project on two engines."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.flat import require_dates
from tenure.define.project import Project
from tenure.define.stage import SQL_STAGES
from tenure.engines.base import Engine
from tenure.errors import InvalidConfig, StoreError, TenureError
from tenure.proofs.differences import Comparison, compare
from tenure.proofs.gate import Proof, read_sources, require_proved, rows_proof, sample_proofs, spread
from tenure.session.work import Work
from tenure.sql import DIALECTS
from tenure.stages.run import run
from tenure.store.integrity import Survey, survey
from tenure.store.runs import StageRun
from tenure.tables.snapshots import snapshots
from tenure.tables.time_travel import DESTRUCTIONS, Destruction, destroyed
from tenure.tiles.features import FeatureSteps
from tenure.tiles.support import require

#: The proofs of the stored tables, in the order that they run.
PROOFS: dict[str, str] = {
    "rows": "every row of snapshots is one row of features, and there is no other",
    "oracle": "sampled customers recomputed in plain Python, cell by cell",
    "time travel": "everybody recomputed with the future deleted, then corrupted",
    "backfill": "everybody recomputed one snapshot at a time",
}

#: Those that need dates.
_OF_TIME = ("time travel", "backfill")

#: Snapshots at which everybody is recomputed, unless more are asked for.
_RECOMPUTED = 3


def verify(work: Work, proofs: Sequence[str] = (), *, customers: int = 0, most: int = 0) -> Iterator[Proof]:
    """Run proofs (left out: all of PROOFS) of the stored features, yield each as it ends, and record the outcome.

    `customers` are sampled for the oracle (0: as [verify] says, 100 if that says 0), at `most` snapshots (0: all for
    the oracle, three where everybody is recomputed). Raises CheckFailed after the last proof if one does not hold,
    MissingTable if the features are not built.
    """
    proofs = _provable(work, proofs)
    record, done = StageRun(run_id=work.run_id, stage="verify", status="failed"), list[Proof]()
    begun = time.perf_counter()
    with work.lake.locked():
        try:
            for name in [name for name in PROOFS if name in proofs]:
                done.append(_prove(work, name, customers or work.config.verify.customers or 100, most))
                yield done[-1]
            require_proved(done, published=True)
            record.status = "proved"
        except TenureError as error:
            record.message = error.message
            raise
        except (KeyboardInterrupt, GeneratorExit):  # stopped, or nobody reads the proofs any more
            record.status = "interrupted"
            raise
        finally:
            record.seconds, record.engine = time.perf_counter() - begun, work.engine_version
            record.rows = sum(proof.cells for proof in done)
            record.checks = [proof.check for proof in done]
            record.message = record.message or ", ".join(proof.proof for proof in done)
            record.record(work.lake)


def _provable(work: Work, proofs: Sequence[str]) -> Sequence[str]:
    """The proofs to run; raise InvalidDefinition if one is asked for by name that needs dates, and there are none."""
    if work.project.flat is None:
        return proofs or tuple(PROOFS)
    for name in proofs:
        if name in _OF_TIME:
            require_dates(work.project, f"'tenure verify --{name.replace(' ', '-')}'")
    return proofs or tuple(name for name in PROOFS if name not in _OF_TIME)


def verify_integrity(work: Work) -> Survey:
    """Read every file that the lake's retained versions name, whatever its times say, and record the outcome.

    Nothing is raised for damage: the survey lists it.
    """
    begun = time.perf_counter()
    with work.lake.locked():
        found = survey(work.lake)
        record = StageRun(run_id=work.run_id, stage="integrity", rows=found.files)
        record.status = "failed" if found.damages else "proved"
        record.message = f"{len(found.damages)} of {found.files} files are damaged" if found.damages else ""
        record.seconds = time.perf_counter() - begun
        # A ledger that is damaged itself can't be written to; the survey says so.
        with suppress(StoreError):
            record.record(work.lake)
    return found


def _prove(work: Work, name: str, customers: int, most: int) -> Proof:
    begun = time.perf_counter()
    work.scan(["features"])
    dates = work.engine.run("SELECT DISTINCT snapshot_date FROM features")["snapshot_date"].to_pylist()
    if name == "rows":
        return rows_proof(work, "features", dates)
    if name == "oracle":
        some = spread(dates, most or len(dates))
        with closing(sample_proofs(work, "features", some, customers)) as proofs:
            return next(proofs)
    some = spread(dates, most or _RECOMPUTED)
    found = travel_in_time(work, len(some)) if name == "time travel" else single_runs(work, len(some))
    cells = different = 0
    example = ""
    for comparison in found:
        cells += comparison.rows * comparison.columns
        different += comparison.different_cells
        if not (comparison.equal or example):
            example = f"{comparison.table}: {comparison.example}"
    how = "with the future deleted, then corrupted" if name == "time travel" else "one snapshot at a time"
    more = "" if len(some) == len(dates) else " (more with --snapshots)"
    return Proof(
        proof=name,
        summary=f"everybody {how}, at {len(some)} of {len(dates)} snapshots{more}",
        cells=cells,
        different_cells=different,
        example=example,
        seconds=time.perf_counter() - begun,
    )


def compare_engines(folder: Path, data: Path | None, left: str, right: str) -> Iterator[Comparison]:
    """Build staging to training set on both engines and yield each table's comparison; the project's lake stays."""
    if not left or not right or left == right:
        raise InvalidConfig(f"--engines '{left},{right}'; allowed: two different engines, such as duckdb,spark.")
    for engine in DIALECTS:
        if engine in (left, right):
            require(("proof", "two engines"), engine, asked_by="'tenure verify'")
    with tempfile.TemporaryDirectory(prefix="tenure-verify-") as scratch:
        works = [_built(folder, data, engine, Path(scratch) / engine) for engine in (left, right)]
        for name in (*works[0].project.sources, *_stage_tables(works[0].project)):
            contract = works[0].contract_of(name)
            yield compare(name, works[0].read(name), works[1].read(name), contract.keys, contract.personal)


def _stage_tables(project: Project) -> Iterator[str]:
    """The relation of each stage that SQL makes, behind staging; of reconciliations, those that are defined."""
    for name in SQL_STAGES[1:]:
        yield from project.reconciled if name == "reconcile" else (name,)


def travel_in_time(work: Work, most: int = _RECOMPUTED) -> Iterator[Comparison]:
    """Recompute up to `most` stored snapshots from sources whose future is deleted, then corrupted; yield comparisons.

    Each is of the stored `snapshots` and `features` at one date with those made of what was known before it: a
    different cell is a leak. Raises MissingTable if the features are not built.
    """
    require(("proof", "time travel"), work.dialect, asked_by="'tenure verify --time-travel'")
    yield from _recomputed(work, most, DESTRUCTIONS)


def single_runs(work: Work, most: int = _RECOMPUTED) -> Iterator[Comparison]:
    """Recompute up to `most` stored snapshots one at a time, as a nightly run does; yield comparisons.

    A backfill of many dates shares tiles between them: a different cell is a share that it should not have taken.
    """
    yield from _recomputed(work, most, (None,))


def _recomputed(work: Work, most: int, how: Sequence[Destruction | None]) -> Iterator[Comparison]:
    stored = {name: work.read(name) for name in ("snapshots", "features")}
    dates = stored["features"]["snapshot_date"].unique().to_pylist()
    with _staged(work, "_staged" if any(how) else "") as engine:
        for day in reversed(spread(dates, most)):
            for destruction in how:
                for name, rows in _of_one_date(work, engine, day, destruction).items():
                    kept = stored[name].filter(pc.equal(stored[name]["snapshot_date"], pa.scalar(day)))
                    contract, table = work.contracts[name], f"{name} {day} {destruction or ''}".strip()
                    yield compare(table, kept, rows, contract.keys, contract.personal)


@contextmanager
def _staged(work: Work, suffix: str) -> Iterator[Engine]:
    """An engine of its own that knows every staged source, as `<source><suffix>`."""
    engine = work.engine.new_session()
    try:
        for name in read_sources(work):
            version = work.require(name)
            engine.scan(f"{name}{suffix}", version.files, version.schema, version.partition_by)
        yield engine
    finally:
        engine.close()


def _of_one_date(work: Work, engine: Engine, day: date, how: Destruction | None) -> dict[str, pa.Table]:
    """The snapshots and features of one date alone, from sources as they are or without a future."""
    project, dialect = work.project, work.dialect
    if how:
        for name in read_sources(work):
            engine.cache(name, destroyed(project.sources[name], f"{name}_staged", day, how, dialect))
    engine.cache("snapshots", snapshots(project, dialect, [day]).text)
    steps = FeatureSteps(project, dialect, [day])
    for select in (*steps.cached, *steps.ranged()):
        engine.cache(select.table, select.text)
    return {"snapshots": engine.run("SELECT * FROM snapshots"), "features": engine.run(steps.final().text)}


def _built(folder: Path, data: Path | None, engine: str, lake: Path) -> Work:
    with Work.open(folder, data=data, engine=engine, overrides={"lake": {"path": str(lake.resolve())}}) as work:
        for _ in run(work, SQL_STAGES):
            pass
    return work
