"""Proof: the features of sampled customers recomputed by other means, before they are committed or at any time after.

candidate rows ──► rows in = rows out ──► the oracle says the same ──► so do rows without a future ──► commit
                        all customers      a sample, plain Python       a sample, the engine's SQL
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.define.contract_base import CheckResult
from tenure.define.personal import personal_cells
from tenure.engines.base import Engine
from tenure.errors import CheckFailed
from tenure.proofs.oracle.oracle import Oracle
from tenure.proofs.oracle.rules import Row, grouped, instant
from tenure.proofs.wording import Cells, compare_rows
from tenure.session.work import Work
from tenure.sql.query import Query
from tenure.tables.futures import Futures
from tenure.tables.sample import SAMPLED, rows_in_and_out, rows_of_sample, sample
from tenure.tables.sampled_accounts import SampledAccounts
from tenure.tables.snapshots import snapshots
from tenure.tables.time_travel import destroyed
from tenure.tiles.features import FeatureSteps

#: Stored columns of `snapshots` that are not its key.
_SNAPSHOT = ("opened_on", "tenure_days")


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one proof compared, in words and cells; how many cells differ, and the first that does."""

    proof: str
    summary: str
    cells: int
    different_cells: int
    example: str = ""
    seconds: float = 0.0
    unproven: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return self.different_cells == 0

    @property
    def failure(self) -> str:
        """What differs, for a message."""
        return f"{self.proof}: {self.different_cells:,} cells differ, {self.example}"

    @property
    def check(self) -> CheckResult:
        """The proof as the ledger keeps it."""
        return CheckResult("features", self.proof, self.different_cells, self.example)


def prove_candidate(
    work: Work, relation: str, dates: Sequence[date], customers: int | None = None, snapshots: int | None = None
) -> list[CheckResult]:
    """Prove the feature rows in `relation`, a relation of the work's engine that holds the snapshots at `dates`.

    Rows in = rows out of all customers at all dates; the oracle and the destroyed future for so many sampled customers
    at so many of the dates ([verify] of tenure.toml; 0 customers prove nothing). Returns what held.
    Raises CheckFailed, naming the first cell that differs, if one does.
    """
    customers = work.config.verify.customers if customers is None else customers
    if not customers or not dates:
        return []
    some = spread(dates, work.config.verify.snapshots if snapshots is None else snapshots)
    proofs = [rows_proof(work, relation, dates), *sample_proofs(work, relation, some, customers)]
    require_proved(proofs, published=False)
    return [proof.check for proof in proofs]


def require_proved(proofs: Sequence[Proof], *, published: bool) -> None:
    """Raise CheckFailed, naming the first cell that differs, if a proof does not hold."""
    failures = [proof.failure for proof in proofs if not proof.holds]
    if failures:
        kept = "the stored features are not what was known" if published else "so nothing of it was written"
        raise CheckFailed(
            f"table 'features' fails its proof, {kept}: {'; '.join(failures)}.",
            hint="Read docs/verify.md; if sources or definitions changed since, run 'tenure run' first."
            if published
            else "Read docs/verify.md; the version before stays current.",
        )


def spread(dates: Sequence[date], most: int) -> list[date]:
    """Return at most so many of the dates, oldest and newest among them and the others evenly between."""
    ordered = sorted(set(dates))
    if most == 1 or len(ordered) <= 1:
        return ordered[-1:]
    count = min(most, len(ordered))
    return [ordered[round(n * (len(ordered) - 1) / (count - 1))] for n in range(count)]


def rows_proof(work: Work, relation: str, dates: Sequence[date]) -> Proof:
    """Prove that every row of snapshots is one row of `relation`, at each date, and there is no other."""
    begun = time.perf_counter()
    work.scan(["snapshots"])
    counted = work.engine.run(rows_in_and_out(work.project.entity.keys, "snapshots", relation, dates)).to_pylist()
    rows_in = rows_out = different = 0
    example = ""
    for row in counted:
        rows_in += row["rows_in"]
        rows_out += row["rows_out"]
        odd = row["lost"] + row["made_up"] + row["twice"]
        different += odd
        if odd and not example:
            example = (
                f"at snapshot_date={row['snapshot_date']}: {row['rows_in']:,} rows in, {row['rows_out']:,} out; "
                f"{row['lost']:,} lost, {row['made_up']:,} of nobody, {row['twice']:,} keys twice"
            )
    return Proof(
        proof="rows",
        summary=f"{rows_in:,} rows in, {rows_out:,} out, at {len(counted)} snapshots",
        cells=rows_out,
        different_cells=different,
        example=example,
        seconds=time.perf_counter() - begun,
    )


def sample_proofs(work: Work, relation: str, dates: Sequence[date], customers: int) -> Generator[Proof, None, None]:
    """Prove the sampled customers' rows of `relation` at `dates`: by the oracle, then without a future."""
    begun = time.perf_counter()
    with _sampled(work, customers) as engine:
        stored = _stored_rows(work, relation, dates, customers)
        yield _oracle_proof(work, engine, stored, dates, begun)
        begun = time.perf_counter()
        yield _travel_proof(work, engine, stored, dates, begun)


@contextmanager
def _sampled(work: Work, customers: int) -> Iterator[Engine]:
    """An engine of its own that holds the staged rows of the sampled customers, as `<source>_sampled`."""
    project, engine = work.project, work.engine.new_session()
    keys = project.entity.keys
    try:
        for name in read_sources(work):
            version = work.require(name)
            engine.scan(_staged(name), version.files, version.schema, version.partition_by)
        engine.cache(SAMPLED, sample(project, work.dialect, customers, _staged(project.entity.source)).text)
        held = {name for ledger in project.reconciling for name in ledger.reads}
        accounts = SampledAccounts(project, work.dialect, _staged)
        for name in read_sources(work):
            own = rows_of_sample(keys, _staged(name), work.require(name).schema.names) if name not in held else ""
            engine.cache(_of_sample(name), own or accounts.rows(name))
        yield engine
    finally:
        engine.close()


def _staged(source: str) -> str:
    """The relation of all staged rows of a source."""
    return f"{source}_staged"


def _of_sample(source: str) -> str:
    """The relation of the sampled customers' staged rows of a source."""
    return f"{source}_sampled"


def read_sources(work: Work) -> list[str]:
    """Return the sources that snapshots and features are made of."""
    return list(dict.fromkeys([work.project.entity.source, *work.project.viewed]))


def _stored_rows(work: Work, relation: str, dates: Sequence[date], customers: int) -> dict[str, list[Row]]:
    """The sampled customers' rows of snapshots and features, as they are stored or about to be."""
    project, engine = work.project, work.engine
    keys = project.entity.keys
    work.scan([project.entity.source, "snapshots"])
    engine.cache(SAMPLED, sample(project, work.dialect, customers).text)

    def rows_of(table: str, columns: Iterable[str]) -> list[Row]:
        statement = rows_of_sample(keys, table, (*keys, "snapshot_date", *columns), dates)
        found: list[Row] = engine.run(statement).to_pylist()
        return found

    return {"snapshots": rows_of("snapshots", _SNAPSHOT), "features": rows_of(relation, map(str, project.columns))}


def _oracle_proof(
    work: Work, engine: Engine, stored: dict[str, list[Row]], dates: Sequence[date], begun: float
) -> Proof:
    rows = {}
    for name in read_sources(work):
        every = Query(columns=["*"], source=_of_sample(name))
        rows[name] = _plain(engine.run(every.text).to_pylist())
    oracle = Oracle(project=work.project, rows=rows, dates=dates, dialect=work.dialect)
    recomputed = {"snapshots": oracle.snapshots(), "features": oracle.features()}
    unproven = oracle.unproven
    cells = _compared(work, stored, recomputed, "by the oracle", unproven)
    entity = work.project.entity
    people = len(grouped(rows[entity.source], entity.keys))
    but_for = f", but for {len(unproven)} columns" if unproven else ""
    return Proof(
        proof="oracle",
        summary=f"{people:,} customers recomputed in plain Python at {len(dates)} snapshots{but_for}",
        cells=cells.compared,
        different_cells=cells.different,
        example=cells.example,
        seconds=time.perf_counter() - begun,
        unproven=unproven,
    )


def _travel_proof(
    work: Work, engine: Engine, stored: dict[str, list[Row]], dates: Sequence[date], begun: float
) -> Proof:
    futures = Futures(work.project, tuple(dates))
    with work.lake.scratch(work.run_id) as folder:
        # A ledger is held against balances whole, and so is no ledger of several futures.
        recomputed = _one_by_one if work.project.reconciling else _in_futures
        in_futures = recomputed(engine, futures, work, folder)
    cells = Cells(0, 0)
    for number, (day, how) in enumerate(futures.all):
        then = _rows_where(in_futures, futures.column, number)
        kept = _rows_where(stored, "snapshot_date", day)
        cells += _compared(work, kept, then, f"with the future {how}", {})
    return Proof(
        proof="time travel",
        summary=f"the same customers with the future deleted, then corrupted, at {len(dates)} snapshots",
        cells=cells.compared,
        different_cells=cells.different,
        example=cells.example,
        seconds=time.perf_counter() - begun,
    )


def _rows_where(tables: dict[str, list[Row]], column: str, value: object) -> dict[str, list[Row]]:
    """The rows of each table that have a value in a column."""
    return {name: [row for row in rows if row[column] == value] for name, rows in tables.items()}


def _in_futures(engine: Engine, futures: Futures, work: Work, folder: Path) -> dict[str, list[Row]]:
    """The snapshots and features of every future at its date."""
    dialect = work.dialect
    for name in read_sources(work):
        select = futures.rows(name, _of_sample(name), dialect)
        schema = work.require(name).schema.append(pa.field(futures.column, pa.int64()))
        # Out of files, and not cached: Spark would plan all that led to them again with each SELECT.
        engine.scan(name, engine.write(select.text, folder / name, ()), schema, ())
    spine = futures.snapshots(dialect).text
    engine.scan("snapshots", engine.write(spine, folder / "snapshots", ()), engine.schema(spine), ())
    steps = FeatureSteps(futures.split, dialect, futures.dates)
    for select in (*steps.cached, *steps.ranged()):
        engine.cache(select.table, select.text)
    return {
        "snapshots": engine.run("SELECT * FROM snapshots").to_pylist(),
        "features": engine.run(steps.final().text).to_pylist(),
    }


def _one_by_one(engine: Engine, futures: Futures, work: Work, folder: Path) -> dict[str, list[Row]]:
    """What `_in_futures` returns, each future made by itself."""
    found: dict[str, list[Row]] = {"snapshots": [], "features": []}
    project, dialect = work.project, work.dialect
    for number, (day, how) in enumerate(futures.all):
        for name in read_sources(work):
            rows = destroyed(project.sources[name], _of_sample(name), day, how, dialect)
            engine.scan(name, engine.write(rows, folder / f"{name}_{number}", ()), work.require(name).schema, ())
        spine = snapshots(project, dialect, [day]).text
        engine.scan("snapshots", engine.write(spine, folder / f"snapshots_{number}", ()), engine.schema(spine), ())
        steps = FeatureSteps(project, dialect, [day])
        for select in (*steps.cached, *steps.ranged()):
            engine.cache(select.table, select.text)
        for name, text in (("snapshots", "SELECT * FROM snapshots"), ("features", steps.final().text)):
            found[name] += [row | {futures.column: number} for row in engine.run(text).to_pylist()]
    return found


def _compared(
    work: Work, stored: dict[str, list[Row]], recomputed: dict[str, list[Row]], by: str, unproven: dict[str, str]
) -> Cells:
    keys = (*work.project.entity.keys, "snapshot_date")
    columns = [name for name in map(str, work.project.columns) if name not in unproven]
    personal = personal_cells(work.project)
    return compare_rows(stored["features"], recomputed["features"], keys, columns, by, personal) + compare_rows(
        stored["snapshots"], recomputed["snapshots"], keys, _SNAPSHOT, by, personal
    )


def _plain(rows: list[Row]) -> list[Row]:
    """Rows with their instants in UTC without a zone, whatever the engine gave."""
    if not rows:
        return rows
    times = [name for name in ("event_time", "known_time", "known_until") if name in rows[0]]
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = instant(row[name])
    return rows
