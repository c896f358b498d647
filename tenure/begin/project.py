"""A project from a bank's tables: they are looked at in a scratch folder, and what is written is tried there first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.begin.bank import Bank, bank_of
from tenure.begin.database import Database, database_of, tables_of
from tenure.begin.features import activity_of, churn_question, churn_text, feature_files
from tenure.begin.files import Found, tables_in
from tenure.begin.flat import Outcome, flat_questions, flat_text, is_flat, outcome_of
from tenure.begin.planned import PlannedSource, rounded_up
from tenure.begin.tables import RawTableSeen, look_at
from tenure.begin.writing import sources_text
from tenure.define.raw_tables import Postgres
from tenure.define.source import Source
from tenure.engines.warehouse import land
from tenure.errors import InputError, MissingFile, TenureError
from tenure.host.paths import local_path
from tenure.intake.readers import readers_of
from tenure.intake.typed_rows import planned_types
from tenure.session.start import new_project_folder, settings_text, write_files
from tenure.session.work import Work
from tenure.tables import staging as staging_tables

#: The relation of the customers' keys, and the share of rows without a customer that a source allows unasked.
_CUSTOMERS, _UNMATCHED = "customers_seen", 0.01


@dataclass(frozen=True)
class Begun:
    """The files that were written, and what the tables could not tell, as questions."""

    files: tuple[Path, ...]
    questions: tuple[str, ...]


def begin_project(folder: Path, origin: str, *, minimal: bool = False) -> Begun:
    """Write a project for the tables of `origin`, a folder, a file or 'env:NAME', into `folder`.

    Raises InvalidConfig if a project is there or `origin` is a connection string, MissingFile if no table is found.
    """
    folder = new_project_folder(folder)
    database = database_of(origin)
    data = None if database else local_path(origin, asked_by="--from").resolve()
    where = f"the database of ${database.variable}" if database else f"'{origin}'"
    with TemporaryDirectory(prefix="tenure-init-") as scratch:
        trial = Path(scratch) / "project"
        name = folder.resolve().name
        raws = data.parent if data and data.is_file() else data
        settings = settings_text(name, raws.as_posix() if raws else "data", minimal=minimal)
        write_files(trial, {"tenure.toml": settings})
        with Work.look(trial) as work:
            bank = look(work, data, database, Path(scratch))
            outcome = outcome_of(bank) if is_flat(bank) else None
            if is_flat(bank):
                bank.questions += flat_questions(outcome)
            if outcome is None:
                bank.questions += filter(None, [churn_question(bank)])
            files = _files(bank, outcome, where, settings, minimal=minimal)
            write_files(trial, files)
        try:
            _set_limits(trial, bank)
        except TenureError as error:
            # What was guessed does not hold together; it is written all the same, to be edited.
            bank.questions.append(f"the guess does not stand as it is: {error.message}")
        files = _files(bank, outcome, where, settings, minimal=minimal)
    return Begun(tuple(write_files(folder, files)), tuple(dict.fromkeys(bank.questions)))


def look(work: Work, data: Path | None, database: Database | None, scratch: Path) -> Bank:
    """Return what the tables of a folder, or of a database, mean together."""
    if database:
        found = tables_of(database, lambda query: _asked(query, scratch))
    elif data:
        found = tables_in(data)
    seen = _seen(work, found, scratch)
    bank = bank_of(seen)
    bank.questions[:0] = found.questions
    return bank


def _asked(query: Postgres, scratch: Path) -> pa.Table:
    return pq.read_table(land(query, scratch / "asked", asked_by="--from"))


def _seen(work: Work, found: Found, scratch: Path) -> list[RawTableSeen]:
    """The tables as they are; one that can't be read is left out, and said."""
    seen: list[RawTableSeen] = []
    for table in found.tables:
        try:
            looked = look_at(work, table, scratch / "landing")
        except InputError as error:
            found.questions.append(f"{table.name} is left out, since it can't be read: {error.message}")
            continue
        if looked.rows:
            seen.append(looked)
        else:
            found.questions.append(f"{table.name} is left out: it has no rows.")
    if not seen:
        raise MissingFile(
            f"no table can be read: {' '.join(found.questions)}", hint="Fix the files, then run 'tenure init' again."
        )
    return seen


def _files(bank: Bank, outcome: Outcome | None, where: str, settings: str, *, minimal: bool) -> dict[str, str]:
    if outcome:
        return {"tenure.toml": settings, "sources.py": flat_text(bank, outcome, where)}
    chosen = _minimal(bank) if minimal else bank
    features = feature_files(chosen, minimal=minimal)
    files = {"tenure.toml": settings, "sources.py": sources_text(chosen, where), "churn.py": churn_text(chosen)}
    return files | {f"features/{name}": text for name, text in features.items()}


def _minimal(bank: Bank) -> Bank:
    """The bank with no more than its churn definition and features of use need."""
    activity = activity_of(bank)
    kept = {"customers": bank.sources["customers"]} | ({activity.name: activity} if activity else {})
    return replace(bank, sources={name: _narrowed(source, bank) for name, source in kept.items()})


def _narrowed(source: PlannedSource, bank: Bank) -> PlannedSource:
    needed = {*source.key, source.event_time, source.known_time, source.ends, bank.customer_key}
    return replace(source, columns=[column for column in source.columns if column.name in needed or column.reason])


def _set_limits(trial: Path, bank: Bank) -> None:
    """Let each source set aside what is wrong with its rows as they are, and ask of it; whole tables are counted."""
    with Work.open(trial) as work:
        for source in work.project.sources.values():
            _set_limits_of(work, source, bank.sources[source.name], bank)


def _set_limits_of(work: Work, source: Source, planned: PlannedSource, bank: Bank) -> None:
    for name, reader in readers_of(work, source).items():
        reader.land(name)
    typed = staging_tables.TYPED
    types = planned_types(work, source, staging_tables.raw_rows(source, "duckdb"))
    work.engine.cache(typed, staging_tables.typed_rows(work.project, source, "duckdb", types).text)
    reasons: Counter[str] = Counter()
    for row in work.engine.run(
        f"SELECT quarantine_reason AS reason, COUNT(*) AS n FROM {typed} GROUP BY 1"
    ).to_pylist():
        reasons[_without_value(row["reason"])] += row["n"]
    rows = reasons.total()
    del reasons[""]
    for step in staging_tables.steps(source):
        work.engine.cache(step.table, step.text)
    rivals = work.engine.run(staging_tables.rival_rows(source).text).to_pylist()
    bad = reasons.total() + sum(int(row["claims"]) - 1 for row in rivals)
    if bad and rows:
        planned.quarantine = rounded_up(bad / rows)
    if reasons:
        listed = "; ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common(3))
        aside = f"Of {rows:,} rows {reasons.total():,} would be set aside ({listed})."
        bank.questions.append(f"{planned.name}: why are values damaged? {aside}")
    if planned.has_customer:
        _set_unmatched(work, planned, bank)


def _without_value(reason: str | None) -> str:
    """What is wrong with a row, without the value: 'paid_on: not a date'."""
    return ": ".join((reason or "").split(": ")[:2])


def _set_unmatched(work: Work, planned: PlannedSource, bank: Bank) -> None:
    """Allow a source the rows that have no customer, and ask of them."""
    key, typed = bank.customer_key, staging_tables.TYPED
    if planned.name == "customers":
        work.engine.cache(_CUSTOMERS, f"SELECT DISTINCT {key} AS k FROM {typed} WHERE quarantine_reason IS NULL")
        return
    counts = f"COUNT(*) AS n, COUNT(*) - COUNT(c.k) AS strangers FROM {typed} AS t LEFT JOIN {_CUSTOMERS} AS c"
    select = f"SELECT {counts} ON c.k = t.{key} WHERE t.quarantine_reason IS NULL"
    (row,) = work.engine.run(select).to_pylist()
    if row["strangers"]:
        share = rounded_up(row["strangers"] / row["n"])
        planned.unmatched = share if share > _UNMATCHED else 0.0
        bank.questions.append(
            f"{planned.name}: whose are the rows whose customer is none? {row['strangers']:,} of {row['n']:,}."
        )
