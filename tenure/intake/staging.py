"""Intake: from raw rows to staged tables; wrong data are refused or set aside, and counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import CheckResult
from tenure.define.personal import personal_columns
from tenure.define.source import Source
from tenure.errors import (
    BadValue,
    DuplicateKey,
    InputError,
)
from tenure.faults.redact import shown, shown_row
from tenure.intake import captures, completeness, joined_tables, new_files, profiles, quality
from tenure.intake.agreed import require_agreed
from tenure.intake.arrivals import note_arrivals
from tenure.intake.cures import cure
from tenure.intake.extract_files import noted_names, of_files
from tenure.intake.facts import INTAKE, definition_of, event_days, intake_facts, reasons_words, refused_words, span_of
from tenure.intake.joined_tables import JoinLosses
from tenure.intake.matching import Changed, require_matched, unmatched_words
from tenure.intake.naming_errors import columns_in_words, listed_names, named_in_errors
from tenure.intake.new_files import ROWS_PER_FILE, contents
from tenure.intake.readers import Readers, are_near, file_digests, land, named_files, readers_of, seen_files
from tenure.intake.row_sample import sample
from tenure.intake.typed_rows import TypedRows, planned_types, type_rows
from tenure.session.fingerprints import fingerprint
from tenure.session.inherited_roles import require_inherited
from tenure.session.work import Outcome, Work
from tenure.sql.query import Query
from tenure.store.table import TableVersion
from tenure.tables import staging as staging_table

#: The fact that is told and not kept: how many rows of forgotten customers were left out.
_REFUSED = "rows_refused"


def staging(work: Work) -> Outcome:
    """Stage every source; raises an InputError, with nothing of that source written, if its data are wrong."""
    outcome = Outcome()
    require_inherited(work.project, work.dialect, work.churn)
    notes = require_agreed(work)
    known = intake_facts(work)
    facts: dict[str, dict[str, object]] = {name: known[name] for name in work.project.sources if name in known}
    staged = {name: int(str(fact["rows_staged"])) for name, fact in facts.items()}
    judged = completeness.judged(work) - profiles.lacking(work, staged)
    built: set[str] = set()
    refused = Counter[str]()
    grown: dict[str, Changed] = {}
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
        built.add(source.name)
        files = file_digests(readers)
        # What new files add is told beside what was found in the others.
        known_facts = facts.get(source.name, {}) if source.name in judged else {}
        words = new_files.in_words(work, source, files, known_facts)
        with named_in_errors(source):
            added = new_files.stage_new_files(work, source, files, digest, known_facts)
            if added is not None:
                notes.append(f"{source.name}: {words}")
                grown[source.name] = added.before, added.version
                facts[source.name] = _grown(work, source, readers, digest, facts[source.name], added)
                outcome.add(added.version, built=True, checks=added.checks)
            else:
                stage = _capture if source.is_captured else _stage
                facts[source.name] = stage(work, source, readers, digest, outcome)
        refused[source.name] = int(str(facts[source.name].pop(_REFUSED, 0)))
        rows = pa.Table.from_pylist(list(facts.values()), schema=schema_of(INTAKE))
        work.lake.write(rows, INTAKE, fingerprint=digest)
        if work.lake.refused():
            # As it was read, a raw table holds forgotten customers too; it is read again when it changes.
            work.lake.remove_landings(source.name)
    completeness.note_ends(work, known, facts)
    note_arrivals(work)
    require_matched(work, facts, grown)
    quality.require_related(work, built)
    quarantined = sum(int(str(row["rows_quarantined"])) for row in facts.values())
    notes += [refused_words(quarantined)] if quarantined else []
    notes += [
        f"{name}: {rows:,} forgotten {'row' if rows == 1 else 'rows'} left out" for name, rows in (+refused).items()
    ]
    notes += completeness.findings_in_words(work)
    notes += quality.findings_in_words(work)
    notes += [f"{name}: {words}" for name, fact in facts.items() if (words := unmatched_words(fact))]
    outcome.message = "; ".join(notes)
    return outcome


def restaged(work: Work) -> dict[str, str]:
    """Return the sources that staging would read again, and what of them: their new files, or the whole, and why."""
    facts, found = intake_facts(work), {}
    for source in work.project.sources.values():
        readers = readers_of(work, source)
        if not any(reader.asks_a_server for reader in readers.values()):
            digest = raw_digest(work, source, readers)
            current = work.lake.find(f"staging/{source.name}")
            known = facts.get(source.name, {})
            if not current or {current.fingerprint, known.get("fingerprint")} != {digest}:
                found[source.name] = new_files.in_words(work, source, file_digests(readers), known)
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
    read = type_rows(work, source, land(readers), words=named_files(readers), are_near=are_near(readers))
    found = joined_tables.losses(work, source)
    joined_tables.require_joined(source, found)
    for step in staging_table.steps(source):
        engine.cache(step.table, step.text)
    rivals = engine.run(staging_table.rival_rows(source).text).to_pylist()
    losers = sum(int(row["claims"]) - 1 for row in rivals)
    if read.reasons.total() + losers > source.quarantine * read.rows:
        raise _refusal(source, readers, read.reasons, rivals, read.rows, differing=_differing(work, source, rivals))
    kinds = _kinds(read, losers)
    version, checks, extract, staged = _committed(work, source, digest, made, kinds)
    outcome.add(version, built=True, checks=checks)
    if read.reasons or losers or work.lake.find(f"quarantine/{source.name}"):
        set_aside = staging_table.set_aside_rows(
            work.project, source, engine.dialect, read.raw_types, refused=read.refused > 0
        )
        work.write(set_aside, f"quarantine/{source.name}", digest)
    for relation in (staging_table.TYPED, staging_table.REPEATED, staging_table.CLAIMS):
        engine.release(relation)
    facts = (
        _facts(work, source, digest, read, staged, losers)
        | _of_joins(found)
        | {"contents": contents(work, source, file_digests(readers), read.shape), _REFUSED: read.refused}
    )
    return _with_findings(work, source, readers, facts, extract)


def _grown(
    work: Work, source: Source, readers: Readers, digest: str, known: Mapping[str, Any], added: new_files.Added
) -> dict[str, object]:
    """The facts of a source to which the rows of new files came."""
    read = added.read
    sums = {
        "rows_read": read.rows,
        "rows_staged": added.staged,
        "duplicates_dropped": read.rows - added.staged,
        "decimals_rounded": read.rounded,
        **_of_joins(added.losses),
    }
    facts = {
        **known,
        **{name: int(known[name]) + more for name, more in sums.items()},
        "fingerprint": digest,
        "contents": contents(work, source, file_digests(readers), read.shape),
        _REFUSED: read.refused,
    }
    return _with_findings(work, source, readers, facts, added.extract)


def _with_findings(
    work: Work, source: Source, readers: Readers, facts: dict[str, Any], extract: completeness.Extract
) -> dict[str, object]:
    """Keep what was found in a source's staged rows; return its facts with when its events lie, and its files."""
    days = event_days(work, source)
    seen = seen_files(work, readers)
    names = noted_names(seen.names)
    noted = str(intake_facts(work).get(source.name, {}).get("files") or "")
    completeness.note(
        work,
        source,
        extract,
        [
            *completeness.of_span(span_of(days), source),
            *completeness.of_days(days["day_start"].to_pylist(), days["rows"].to_pylist(), source),
            *completeness.of_duplicates(facts["duplicates_dropped"], facts["rows_read"]),
            *completeness.of_rounding(facts["decimals_rounded"]),
            *joined_tables.of_losses(_losses_in(facts)),
            *(
                completeness.Finding("TEN-I016", "warning", reader.changed)
                for reader in readers.values()
                if reader.changed
            ),
            *of_files(names, "" if source.is_captured else noted, seen.without_end, seen.missed),
        ],
    )
    return facts | _times_of(days) | {"files": names}


def _committed(
    work: Work, source: Source, digest: str, made: captures.Made | None, set_aside: Mapping[str, int]
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
            proof=quality.proof(
                work,
                source,
                lambda: found.append(completeness.compare(work, source, before)),
                before=before,
                set_aside=set_aside,
            ),
            rows_per_file=ROWS_PER_FILE,
        )
        return version, checks, found[0], version.rows
    when = captures.extract_time(work, source, made)
    counts: list[dict[str, Any]] = []

    def compare() -> None:
        extract, counted = captures.compare(work, source, when)
        found.append(extract)
        counts.append(counted)

    version, checks = work.write(
        captures.versions(work, source, when), table, digest, proof=quality.proof(work, source, compare)
    )
    captures.note(work, source, when, made.digest, counts[0])
    return version, checks, found[0], int(counts[0]["rows"])


def _other_than(work: Work, table: str, digest: str) -> TableVersion | None:
    """The newest version of a table that is not of this digest: a run that was stopped may have committed that."""
    found = work.lake.find(table)
    while found is not None and found.fingerprint == digest and found.version:
        found = work.lake.find(table, found.version - 1, verified=False)
    return None if found is None or found.fingerprint == digest else found


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


def _facts(work: Work, source: Source, digest: str, read: TypedRows, staged: int, losers: int) -> dict[str, Any]:
    """The facts of a source that was read whole; `losers` are the rows whose key another row claims."""
    kinds = _kinds(read, losers)
    quarantined = read.reasons.total() + losers
    return {
        "source": source.name,
        "fingerprint": digest,
        "definition": definition_of(work, source),
        "rows_read": read.rows,
        "rows_staged": staged,
        "duplicates_dropped": read.rows - staged - quarantined,
        "rows_quarantined": quarantined,
        "reasons": reasons_words(kinds),
        "decimals_rounded": read.rounded,
    }


def _kinds(read: TypedRows, losers: int) -> Counter[str]:
    """How many rows are set aside, by the reason without the value."""
    kinds = Counter[str]()
    for reason, rows in read.reasons.items():
        kinds[": ".join(reason.split(": ")[:2])] += rows
    if losers:
        kinds[staging_table.RIVAL] = losers
    return kinds


def _of_joins(found: JoinLosses) -> dict[str, int]:
    return {"rows_joined": found.rows, "rows_dropped": found.dropped, "rows_multiplied": found.multiplied}


def _losses_in(facts: Mapping[str, Any]) -> JoinLosses:
    return JoinLosses(facts["rows_joined"], facts["rows_dropped"], facts["rows_multiplied"])


def _times_of(days: pa.Table) -> dict[str, Any]:
    """When the events lie that were counted by day."""
    span = span_of(days)
    return {
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
    differing: Sequence[str] = (),
) -> InputError:
    bad, personal = reasons.total(), personal_columns(source)
    losers = sum(int(str(row["claims"])) - 1 for row in rivals)
    allowed = f"allowed are {source.quarantine:.1%} of {rows_read:,} rows (quarantine={source.quarantine})"
    if bad >= losers:
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
    many = f"{len(rivals):,} such {'key' if len(rivals) == 1 else 'keys'} in all"
    differ = f"; they differ in {listed_names(differing)}" if differing else ""
    return DuplicateKey(
        f"source '{source.name}', {columns_in_words(source.keys)}: {rivals[0]['claims']} different rows claim the key "
        f"{key_words}{place}; {many}, {allowed}{differ}.",
        hint=f"Fix the data, or let such rows be set aside: Source('{source.name}', quarantine=0.01, …).",
    )


def _differing(work: Work, source: Source, rivals: list[dict[str, object]]) -> list[str]:
    """The columns in which rows that claim one key differ, the one that differs most often first."""
    if not rivals or len(source.columns) == len(source.version_key):
        return []
    (counted,) = work.engine.run(staging_table.rival_columns(source).text).to_pylist()
    return sorted((name for name, keys in counted.items() if keys), key=lambda name: (-counted[name], name))


def _place(readers: Readers, value: str, column: str) -> str:
    for reader in readers.values():
        place = reader.place_of(value, column)
        if place:
            return f" ({place})"
    return f" ({named_files(readers)})"


def raw_digest(work: Work, source: Source, readers: Readers) -> str:
    """Return the digest of a source's definition and the contents of its files."""
    contents = list(chain.from_iterable(reader.digest() for reader in readers.values()))
    return fingerprint([work.dialect, definition_of(work, source), contents])
