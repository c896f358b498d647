"""Time travel on the command line: a table's versions with the runs that made them, an old one restored, rows shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from tenure.define.stage import RECORDS, STAGES
from tenure.define.table_contracts import FIXED
from tenure.engines import open_engine
from tenure.errors import MissingTable, StoreError, UnknownColumn, choices
from tenure.session.work import Work
from tenure.sql import quoted
from tenure.sql.conditions import condition
from tenure.sql.expressions import each_of
from tenure.sql.query import Query
from tenure.store import history
from tenure.store.runs import StageRun, ledger
from tenure.store.table import TableVersion

#: The stage and run that made a version of a table, by the table's name and the version's number.
Makers: TypeAlias = dict[tuple[str, int], tuple[str, str]]


@dataclass(frozen=True)
class Version:
    """One version of a table: its commit, and the run and stage that made it ('' where the ledger does not say)."""

    table: str
    version: int
    committed_at: str
    rows: int
    fingerprint: str
    stage: str
    run_id: str
    note: str


def versions(work: Work, table: str, most: int | None = None) -> Iterator[Version]:
    """Yield a table's versions, the newest first; raise MissingTable, with the tables there are, if it is none."""
    name = stored_table(work, table)
    makers = _makers(work)
    for commit in history.history(work.lake, name, most):
        yield _version(name, commit, makers)


def newest_versions(work: Work) -> Iterator[Version]:
    """Yield the newest version of every table of the lake."""
    makers = _makers(work)
    for name in history.tables(work.lake):
        for commit in history.history(work.lake, name, 1):
            yield _version(name, commit, makers)


def restore(work: Work, table: str, version: int) -> StageRun:
    """Make an old version of a table current again and record it; whatever reads the table becomes stale.

    The lake is locked meanwhile. Of a staged source, intake's row of that version is restored too.
    Raises LakeBusy, MissingTable, or StoreError with nothing changed.
    """
    name = stored_table(work, table)
    if name in RECORDS:
        raise StoreError(
            f"table '{name}' can't be restored: it is a record of what was done.",
            hint=f"Its old versions stay readable: 'tenure show {name} --version N'.",
        )
    with work.lake.locked():
        before = work.lake.require(name)
        now = history.restore(work.lake, name, version)
        if now.version == before.version:
            message = f"version {version} of '{name}' is the current one"
            return StageRun(run_id=work.run_id, stage="restore", status="current", rows=now.rows, message=message)
        if name.startswith("staging/"):
            # Imported here: it loads Arrow's compute functions, which `history` and `show` do without.
            from tenure.intake.arrivals import note_arrivals

            _restore_intake(work, name.removeprefix("staging/"), now.fingerprint)
            note_arrivals(work)
        done = StageRun(
            run_id=work.run_id,
            stage="restore",
            rows=now.rows,
            fingerprint=now.fingerprint,
            versions={name: now.version},
            message=f"version {version} of '{name}'",
        )
        done.record(work.lake)
    return done


def next_stage(table: str) -> str:
    """Return the first stage that reads a table, '' if none does."""
    place = table.partition("/")[0]
    for stage in STAGES.values():
        if place in stage.reads:
            return stage.name
    return ""


def shown(
    work: Work, table: str, *, version: int | None = None, most: int = 10, where: str = "", columns: Sequence[str] = ()
) -> pa.Table:
    """Return some rows of a table's newest or given version, sorted by its columns from the first to the last.

    No definition of the bank is run. `where` is a condition on one row.
    Raises MissingTable, StoreError if there is no such version, UnknownColumn.
    """
    name = stored_table(work, table)
    found = work.lake.require(name) if version is None else stored_version(work, name, version)
    for column in columns:
        if column not in found.schema.names:
            raise UnknownColumn(f"table '{name}' has no column '{column}'; columns: {choices(found.schema.names, 30)}.")
    asked_by = f"'tenure show {name}'"
    types = {field.name: "boolean" if pa.types.is_boolean(field.type) else str(field.type) for field in found.schema}
    test = condition(where, types, "duckdb", relation="r", asked_by=asked_by) if where else "TRUE"
    query = Query(
        columns=_quoted(columns or found.schema.names),
        source="shown",
        alias="r",
        where=test,
        order_by=_quoted(found.schema.names),
        limit=most,
    )
    engine = open_engine(work.engine_settings("duckdb"))
    try:
        engine.scan("shown", found.files, found.schema, found.partition_by)
        return engine.run(query.text)
    finally:
        engine.close()


def _quoted(columns: Sequence[str]) -> list[str]:
    """The columns of `shown AS r`, whatever they are called."""
    return each_of("r", [quoted(column, "duckdb") for column in columns])


def stored_version(work: Work, table: str, version: int) -> TableVersion:
    """Return an old version of a table of the lake; raise StoreError, with the versions there are, if it has none."""
    found = work.lake.find(table, version)
    if found is None:
        raise StoreError(
            f"table '{table}' has no version {version}; versions: 0 to {work.lake.require(table).version}.",
            hint=f"See them with 'tenure history {table}'.",
        )
    return found


def stored_table(work: Work, table: str) -> str:
    """Return a table's place in the lake, of a name as users write it: a source's is under staging/.

    Raises MissingTable, with the tables there are, for one that was never built.
    """
    for place in (table, f"staging/{table}"):
        if work.lake.find(place) is not None:
            return place
    known = history.tables(work.lake)
    raise MissingTable(
        f"table '{table}' is not built yet in '{work.lake.folder}'; tables: {choices(known, 40) or 'none'}.",
        hint="See them with 'tenure history', or build them with 'tenure run'.",
    )


def _version(table: str, commit: history.Commit, makers: Makers) -> Version:
    stage, run_id = makers.get((table, commit.version), ("", ""))
    notes = []
    if commit.restored is not None:
        notes.append(f"version {commit.restored} restored")
    if commit.kind:
        notes.append(commit.kind)
    if commit.is_newest:
        notes.append("current")
    if commit.gone:
        notes.append(f"{commit.gone} files gone")
    note = ", ".join(notes)
    when = f"{commit.committed_at:%Y-%m-%d %H:%M:%S}"
    return Version(table, commit.version, when, commit.rows, commit.fingerprint, stage, run_id, note)


def _makers(work: Work) -> Makers:
    """The stage and run that first recorded each version of each table."""
    found: Makers = {}
    for row in ledger(work.lake):
        if row["status"] != "built":
            continue
        for table, version in json.loads(str(row["versions"])).items():
            found.setdefault((table, version), (str(row["stage"]), str(row["run_id"])))
    return found


def _restore_intake(work: Work, source: str, digest: str) -> None:
    """Restore intake's row of a source's restored version: the calendar reads both."""
    for commit in history.history(work.lake, "intake"):
        rows = work.lake.read("intake", version=commit.version).to_pylist()
        facts = [row for row in rows if (row["source"], row["fingerprint"]) == (source, digest)]
        if facts:
            now = work.lake.read("intake")
            kept = [row for row in now.to_pylist() if row["source"] != source]
            restored = pa.Table.from_pylist([*kept, facts[0]], schema=now.schema)
            work.lake.write(restored, FIXED["intake"], fingerprint=digest)
            return
