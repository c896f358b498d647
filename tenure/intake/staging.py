"""Intake: from raw rows to staged tables; wrong data are refused or set aside, and counted."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import CheckResult
from tenure.define.personal import personal_columns
from tenure.define.raw_tables import Parquet
from tenure.define.source import Source
from tenure.errors import (
    BadValue,
    DuplicateKey,
    EmptyTable,
    EngineError,
    InputError,
    InvalidDefinition,
    choices,
)
from tenure.faults.redact import redacted, shown, shown_row
from tenure.intake import captures, completeness
from tenure.intake.arrivals import note_arrivals
from tenure.intake.cures import cure
from tenure.intake.extract_files import noted_names, of_files
from tenure.intake.facts import INTAKE, definition_of, event_days, intake_facts, span_of
from tenure.intake.matching import require_matched, unmatched_words
from tenure.intake.readers import Readers, readers_of, seen_files
from tenure.intake.row_sample import sample
from tenure.session.work import Outcome, Work, fingerprint
from tenure.sql.dialects import READS_BROKEN_TEXT
from tenure.sql.expressions import after, before, count_where, either, named
from tenure.sql.query import Query
from tenure.sql.selects import columns_read
from tenure.store.table import TableVersion
from tenure.tables import staging as staging_table


def staging(work: Work) -> Outcome:
    """Stage every source; raises an InputError, with nothing of that source written, if its data are wrong."""
    outcome = Outcome()
    known = intake_facts(work)
    facts: dict[str, dict[str, object]] = {name: known[name] for name in work.project.sources if name in known}
    judged = completeness.judged(work)
    for number, source in enumerate(work.project.sources.values()):
        work.progress.of(source.name, number, len(work.project.sources), outcome.rows)
        readers = readers_of(work, source)
        digest = raw_digest(work, source, readers)
        current = work.lake.find(f"staging/{source.name}")
        noted = facts.get(source.name, {}).get("fingerprint")
        is_known = source.name in judged and not captures.is_new(work, source)
        if current and current.fingerprint == noted == digest and is_known:
            outcome.add(current, built=False)
            continue
        stage = _capture if source.is_captured else _stage
        facts[source.name] = stage(work, source, readers, digest, outcome)
        rows = pa.Table.from_pylist(list(facts.values()), schema=schema_of(INTAKE))
        work.lake.write(rows, INTAKE, fingerprint=digest)
    note_arrivals(work)
    require_matched(work, facts)
    quarantined = sum(int(str(row["rows_quarantined"])) for row in facts.values())
    notes = [f"{quarantined:,} rows quarantined"] if quarantined else []
    notes += completeness.findings_in_words(work)
    notes += [f"{name}: {words}" for name, fact in facts.items() if (words := unmatched_words(fact))]
    outcome.message = "; ".join(notes)
    return outcome


def restaged(work: Work) -> list[str]:
    """Return the sources that staging would read again: their definition or their files' contents changed."""
    facts, found = intake_facts(work), []
    for source in work.project.sources.values():
        readers = readers_of(work, source)
        if not any(reader.asks_a_server for reader in readers.values()):
            digest = raw_digest(work, source, readers)
            current = work.lake.find(f"staging/{source.name}")
            if not current or {current.fingerprint, facts.get(source.name, {}).get("fingerprint")} != {digest}:
                found.append(source.name)
    return found


def _capture(work: Work, source: Source, readers: Readers, digest: str, outcome: Outcome) -> dict[str, object]:
    """Stage the extracts of a source that are not captured yet, in order; return the facts of the last one."""
    facts: dict[str, object] = intake_facts(work).get(source.name, {})
    for made in captures.extracts(work, source, readers, definition_of(work, source)):
        facts = _stage(work, source, made.readers, digest, outcome, made)
    return facts | {"fingerprint": digest, "definition": definition_of(work, source)}


def _stage(
    work: Work, source: Source, readers: Readers, digest: str, outcome: Outcome, made: captures.Made | None = None
) -> dict[str, object]:
    engine = work.engine
    for name, reader in readers.items():
        reader.land(name)
    raw_types = planned_types(work, source, staging_table.raw_rows(source, engine.dialect))
    typed = staging_table.typed_rows(work.project, source, engine.dialect, raw_types)
    (engine.view if _may_be_read_again(source, readers, raw_types) else engine.cache)(typed.table, typed.text)
    _require_text(work, source)
    read = _read(work, source, readers)
    for step in staging_table.steps(source):
        engine.cache(step.table, step.text)
    rivals = engine.run(staging_table.rival_rows(source).text).to_pylist()
    losers = sum(int(row["claims"]) - 1 for row in rivals)
    if read.reasons.total() + losers > source.quarantine * read.rows:
        raise _refusal(source, readers, read.reasons, rivals, read.rows)
    version, checks, extract, staged = _committed(work, source, digest, made)
    outcome.add(version, built=True, checks=checks)
    if read.reasons or losers or work.lake.find(f"quarantine/{source.name}"):
        set_aside = staging_table.set_aside_rows(work.project, source, engine.dialect, raw_types)
        work.write(set_aside, f"quarantine/{source.name}", digest)
    for relation in (staging_table.TYPED, staging_table.REPEATED, staging_table.CLAIMS):
        engine.release(relation)
    days = event_days(work, source)
    seen = seen_files(work, readers)
    names = noted_names(seen.names)
    noted = str(intake_facts(work).get(source.name, {}).get("files") or "")
    facts = _facts(work, source, digest, read.rows, staged, reasons=read.reasons, losers=losers, days=days)
    completeness.note(
        work,
        source,
        extract,
        [
            *completeness.of_span(span_of(days), source),
            *completeness.of_duplicates(facts["duplicates_dropped"], read.rows),
            *completeness.of_rounding(read.rounded),
            *of_files(names, "" if source.is_captured else noted, seen.without_end, seen.missed),
        ],
    )
    return facts | {"files": names}


def _require_text(work: Work, source: Source) -> None:
    """Raise UnreadableFile if a raw file has bytes that are no text, where the engine reads them as if they were."""
    if READS_BROKEN_TEXT[work.dialect]:
        (found,) = work.engine.run(staging_table.broken_texts(source).text).to_pylist()
        if found["broken"]:
            work.engine.check_texts()


def _committed(
    work: Work, source: Source, digest: str, made: captures.Made | None
) -> tuple[TableVersion, list[CheckResult], completeness.Extract, int]:
    """Write the staged rows, compared with those before; return the version, its checks, what was found, and how many
    rows of the extract are staged.
    """
    table = f"staging/{source.name}"
    found: list[completeness.Extract] = []
    if made is None:
        before = _other_than(work, table, digest)
        version, checks = work.write(
            staging_table.staging(work.project, source),
            table,
            digest,
            proof=lambda: found.append(completeness.compare(work, source, before)),
        )
        return version, checks, found[0], version.rows
    when = captures.extract_time(work, source, made)
    counts: list[dict[str, Any]] = []

    def compare() -> None:
        extract, counted = captures.compare(work, source, when)
        found.append(extract)
        counts.append(counted)

    version, checks = work.write(captures.versions(work, source, when), table, digest, proof=compare)
    captures.note(work, source, when, made.digest, counts[0])
    return version, checks, found[0], int(counts[0]["rows"])


def _other_than(work: Work, table: str, digest: str) -> TableVersion | None:
    """The newest version of a table that is not of this digest: a run that was stopped may have committed that."""
    found = work.lake.find(table)
    while found is not None and found.fingerprint == digest and found.version:
        found = work.lake.find(table, found.version - 1, verified=False)
    return None if found is None or found.fingerprint == digest else found


def _may_be_read_again(source: Source, readers: Readers, raw_types: Mapping[str, str]) -> bool:
    """Whether typed rows are had faster from the raw table, each time anew, than from memory: columns of Parquet that
    lie on this machine, of which none is parsed.
    """
    are_near = all(isinstance(file, Path) for reader in readers.values() for file in reader.files)
    are_parsed = any(raw_types[c.raw_name] == "text" and c.type != "string" for c in source.columns)
    are_parquet = all(isinstance(raw, Parquet) for raw in source.raws.values())
    return are_parquet and are_near and not are_parsed and not source.select


class _Read(NamedTuple):
    """What was read of a source: how many rows, how many of them are bad, by reason, and values that are rounded."""

    rows: int
    reasons: Counter[str]
    rounded: int


def _read(work: Work, source: Source, readers: Readers) -> _Read:
    """Count the typed rows; raise EmptyTable if there are none.

    Raises BadValue if a time lies outside the years 1 to 9999: Python's dates end there, and so do most engines'.
    """
    times = [column.name for column in source.columns if column.type in ("date", "timestamp")]
    outside = [f"outside_{number}" for number in range(len(times))]
    by_reason = Query(
        columns=["quarantine_reason AS reason", "COUNT(*) AS n", "SUM(rounded) AS rounded"],
        lines=[named(_count_outside_years(time), name) for time, name in zip(times, outside, strict=True)],
        source=staging_table.TYPED,
        group_by=["quarantine_reason"],
    )
    counted = work.engine.run(by_reason.text).to_pylist()
    rows = sum(row["n"] for row in counted)
    if not rows:
        raise EmptyTable(
            f"source '{source.name}' has no rows ({_named(readers)}).",
            hint="Check the files or the query.",
        )
    clean: dict[str, Any] = next((row for row in counted if row["reason"] is None), {})
    for time, name in zip(times, outside, strict=True):
        if clean.get(name):
            raise _outside_years(source, time, clean[name], readers)
    reasons = Counter({str(row["reason"]): int(row["n"]) for row in counted if row["reason"] is not None})
    return _Read(rows, reasons, int(clean.get("rounded") or 0))


def _outside_years(source: Source, name: str, rows: int, readers: Readers) -> BadValue:
    return BadValue(
        f"source '{source.name}', column '{name}': {rows:,} {'time lies' if rows == 1 else 'times lie'} outside "
        f"the years 1 to 9999 ({_named(readers)}).",
        hint="Correct the values; for an open end use null or 9999-12-31.",
    )


def _count_outside_years(name: str) -> str:
    first, last = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
    outside = either(before(name, first), after(name, last))
    return count_where(outside)


def check_sample(work: Work, source: Source) -> str:
    """Type some thousands of a source's rows as staging would; return how many, in words.

    Raises BadValue, with the cure, if more of them are bad than the source allows.
    """
    with TemporaryDirectory() as folder, work.scratch() as scratch:
        return _typed_sample(scratch, source, Path(folder))


def _typed_sample(work: Work, source: Source, folder: Path) -> str:
    readers = readers_of(work, source, folder=folder)
    sample(work, source, readers, folder)
    raw_types = planned_types(work, source, staging_table.raw_rows(source, work.dialect))
    typed = staging_table.typed_rows(work.project, source, work.dialect, raw_types)
    work.engine.cache(staging_table.TYPED, typed.text)
    by_reason = Query(
        columns=["quarantine_reason AS reason", "COUNT(*) AS n"],
        source=staging_table.TYPED,
        group_by=["quarantine_reason"],
    )
    counted = {row["reason"]: int(row["n"]) for row in work.engine.run(by_reason.text).to_pylist()}
    rows, good = sum(counted.values()), counted.pop(None, 0)
    expected = source.quarantine * rows
    # Of a share that is allowed some may by chance be in the sample; of none, none.
    if rows - good > (expected + 3 * math.sqrt(expected) + 3 if source.quarantine else 0):
        raise _refusal(source, readers, Counter({str(reason): n for reason, n in counted.items()}), [], rows)
    return f"{rows:,} rows read"


def planned_types(work: Work, source: Source, raw_rows: str) -> dict[str, str]:
    """Return the columns of a source's untyped rows: 'text' or another type; a select that fails names its source."""
    try:
        planned = work.engine.schema(raw_rows)
    except EngineError as error:
        if not source.select or error.original is not None:
            raise
        raise _select_fails(work, source, error) from error
    return {f.name: "text" if pa.types.is_string(f.type) else str(f.type) for f in planned}


def _select_fails(work: Work, source: Source, error: EngineError) -> InvalidDefinition:
    """The error of a SELECT that can't be run: it names a column that a raw table lacks; else what the engine says."""
    failed = f"the select of source '{source.name}' ({source.where_defined}) can't be run"
    headers = {name: {n.lower(): n for n in work.engine.schema(f"SELECT * FROM {name}").names} for name in source.raws}
    read = [(table, column) for table, column in columns_read(source.select, work.dialect) if table in headers]
    lacking = next(((table, column) for table, column in read if column.lower() not in headers[table]), None)
    # An engine proposes other columns of the raw tables: of a file without a header these are its first row.
    names = {*re.findall(r"\w+", source.select), *(column.raw_name for column in source.columns)}
    if lacking is None:
        return InvalidDefinition(
            f"{failed}: {redacted(error.message, names)}", hint="Fix the SELECT, then run 'tenure check'."
        )
    table, column = lacking
    known = sorted(name for name in headers[table].values() if name in names)
    return InvalidDefinition(
        f"{failed}: it reads '{column}' of raw table '{table}' ({source.raws[table].place}), which has no such column; "
        f"of those that the source names it has: {choices(known) or 'none'}.",
        hint=f"Spell '{column}' as the raw table does. If the bank has no such column, take it out of the SELECT, and "
        "with it what reads it: columns=, features, the where= of churn.py. Then run 'tenure check'.",
    )


def _facts(
    work: Work,
    source: Source,
    digest: str,
    rows_read: int,
    staged: int,
    *,
    reasons: Counter[str],
    losers: int,
    days: pa.Table,
) -> dict[str, Any]:
    span = span_of(days)
    kinds = Counter[str]()
    for reason, rows in reasons.items():
        kinds[": ".join(reason.split(": ")[:2])] += rows
    if losers:
        kinds[staging_table.RIVAL] = losers
    quarantined = reasons.total() + losers
    return {
        "source": source.name,
        "fingerprint": digest,
        "definition": definition_of(work, source),
        "rows_read": rows_read,
        "rows_staged": staged,
        "duplicates_dropped": rows_read - staged - quarantined,
        "rows_quarantined": quarantined,
        "reasons": "; ".join(f"{kind} ({rows})" for kind, rows in sorted(kinds.items())),
        "first_event": days["first"][0].as_py(),
        "last_event": days["last"][-1].as_py(),
        "usual_first_day": span.usual_first,
        "usual_last_day": span.usual_last,
        "longest_gap": span.longest_gap,
        "outages": "; ".join(f"{first}/{until}" for first, until in span.outages),
    }


def _refusal(
    source: Source,
    readers: Readers,
    reasons: Counter[str],
    rivals: list[dict[str, object]],
    rows_read: int,
) -> InputError:
    bad, personal = reasons.total(), personal_columns(source)
    allowed = f"allowed are {source.quarantine:.1%} of {rows_read:,} rows (quarantine={source.quarantine})"
    if reasons:
        first = min(reasons)
        column, _, problem = first.partition(": ")
        hint = cure(source, reasons, column, problem)
        problem, colon, value = problem.partition(": ")
        place = _place(readers, value, source.column(column).raw_name)
        problem += colon + (shown(value, personal=column in personal) if colon else "")
        return BadValue(
            f"source '{source.name}', column '{column}': {problem}{place}; "
            f"{bad:,} bad {'row' if bad == 1 else 'rows'} in all, {allowed}.",
            hint=hint,
        )
    key = [(name, value) for name, value in rivals[0].items() if name != "claims"]
    key_words = shown_row(key, personal)
    place = _place(readers, str(rivals[0][source.keys[0]]), source.column(source.keys[0]).raw_name)
    return DuplicateKey(
        f"source '{source.name}': {rivals[0]['claims']} different rows claim the key {key_words}{place}; "
        f"{len(rivals):,} such {'key' if len(rivals) == 1 else 'keys'} in all, {allowed}.",
        hint=f"Fix the data, or let such rows be set aside: Source('{source.name}', quarantine=0.01, …).",
    )


def _place(readers: Readers, value: str, column: str) -> str:
    for reader in readers.values():
        place = reader.place_of(value, column)
        if place:
            return f" ({place})"
    return f" ({_named(readers)})"


def _named(readers: Readers) -> str:
    """The files that a source read, or 'its query' where it read none."""
    return ", ".join(dict.fromkeys(reader.words for reader in readers.values()))


def raw_digest(work: Work, source: Source, readers: Readers) -> str:
    """Return the digest of a source's definition and the contents of its files."""
    contents = list(chain.from_iterable(reader.digest() for reader in readers.values()))
    return fingerprint([work.dialect, definition_of(work, source), contents])
