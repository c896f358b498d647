"""The stages that SQL makes: from raw rows to the training set."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import tenure
from tenure.define.churn import BalanceDecline, Inactivity
from tenure.define.feature import Aggregate
from tenure.define.personal import personal_columns
from tenure.define.snapshot import SnapshotPlan
from tenure.define.source import Csv, Parquet, Postgres, Source
from tenure.engines.files import files_in_words, locate, matching_files
from tenure.engines.warehouse import land
from tenure.errors import (
    BadValue,
    DuplicateKey,
    EmptyTable,
    EngineError,
    InputError,
    InvalidConfig,
    InvalidDefinition,
    LabelError,
    MissingTable,
)
from tenure.pipeline.backfill import build_features
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.redact import redacted, shown, shown_row
from tenure.tables import arrivals as arrivals_table
from tenure.tables import labels as labels_table
from tenure.tables import snapshots as snapshots_table
from tenure.tables import splits as splits_table
from tenure.tables import staging as staging_table
from tenure.tables import training_set as training_set_table

_INTAKE = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("definition", pa.string()),
        ("rows_read", pa.int64()),
        ("rows_staged", pa.int64()),
        ("duplicates_dropped", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("reasons", pa.string()),
        ("first_event", pa.timestamp("us", tz="UTC")),
        ("last_event", pa.timestamp("us", tz="UTC")),
    ]
)

_ARRIVALS = pa.schema(
    [
        ("source", pa.string()),
        ("fingerprint", pa.string()),
        ("day_start", pa.date32()),
        ("rows", pa.int64()),
        ("arrived", pa.string()),
        ("tiled", pa.string()),
        ("replaced", pa.string()),
    ]
)


def staging(work: Work) -> Outcome:
    """Stage every source; raises an InputError, with nothing of that source written, if its data are wrong."""
    outcome = Outcome()
    known = _intake(work)
    facts: dict[str, dict[str, object]] = {name: known[name] for name in work.project.sources if name in known}
    for source in work.project.sources.values():
        files = _raw_files(work, source)
        made_of = _made_of(work, source, files)
        current = work.lake.find(f"staging/{source.name}")
        if current and current.fingerprint == made_of and facts.get(source.name, {}).get("fingerprint") == made_of:
            outcome.add(current, built=False)
            continue
        facts[source.name] = _stage(work, source, files, made_of, outcome)
        work.lake.write("intake", pa.Table.from_pylist(list(facts.values()), schema=_INTAKE), fingerprint=made_of)
    note_arrivals(work)
    quarantined = sum(int(str(row["rows_quarantined"])) for row in facts.values())
    outcome.message = f"{quarantined:,} rows quarantined" if quarantined else ""
    return outcome


def restaged(work: Work) -> list[str]:
    """Return the sources that staging would read again: their definition or their files' sizes or times changed."""
    facts, found = _intake(work), []
    for source in work.project.sources.values():
        if not any(isinstance(raw, Postgres) for raw in source.raws.values()):
            made_of = _made_of(work, source, _raw_files(work, source))
            current = work.lake.find(f"staging/{source.name}")
            if not current or {current.fingerprint, facts.get(source.name, {}).get("fingerprint")} != {made_of}:
                found.append(source.name)
    return found


def note_arrivals(work: Work) -> None:
    """Note, of each source staged anew, on which days its rows began and stopped to count."""
    noted = work.lake.read("arrivals") if work.lake.find("arrivals") else _ARRIVALS.empty_table()
    versions = {name: work.require(name) for name in work.project.sources}
    known = {(row["source"], row["fingerprint"]) for row in noted.select(["source", "fingerprint"]).to_pylist()}
    fresh = [name for name, version in versions.items() if (name, version.fingerprint) not in known]
    if not fresh and len({name for name, _ in known}) == len(versions):
        return
    stay = [
        pc.and_(pc.equal(noted["source"], n), pc.equal(noted["fingerprint"], v.fingerprint))
        for n, v in versions.items()
        if n not in fresh
    ]
    tables = [noted.filter(those) for those in stay]
    for name in fresh:
        work.scan([name])
        days = work.engine.run(arrivals_table.arrivals(work.project.sources[name], work.dialect).text)
        told = {"source": name, "fingerprint": versions[name].fingerprint}
        columns = [pa.repeat(told[f.name], days.num_rows) if f.name in told else days[f.name] for f in _ARRIVALS]
        tables.append(pa.table(columns, names=_ARRIVALS.names).cast(_ARRIVALS))
    made_of = fingerprint(version.fingerprint for version in versions.values())
    work.lake.write("arrivals", pa.concat_tables(tables), fingerprint=made_of)


def _stage(
    work: Work, source: Source, files: dict[str, list[Path]], made_of: str, outcome: Outcome
) -> dict[str, object]:
    engine = work.engine
    for name, raw in source.raws.items():
        engine.read(name, Parquet("landed") if isinstance(raw, Postgres) else raw, files[name])
    raw_rows = staging_table.raw_rows(source, engine.dialect)
    raw_types = planned_types(work, source, raw_rows)
    engine.hold(staging_table.TYPED, staging_table.typed_rows(work.project, source, engine.dialect, raw_types).text)
    counted = engine.run(
        f"SELECT quarantine_reason AS reason, COUNT(*) AS n FROM {staging_table.TYPED} GROUP BY quarantine_reason"
    ).to_pylist()
    rows_read = sum(row["n"] for row in counted)
    if not rows_read:
        raise EmptyTable(
            f"source '{source.name}' has no rows ({_named(source, files)}).",
            hint="Check the files or the query.",
        )
    reasons = Counter({str(r["reason"]): int(r["n"]) for r in counted if r["reason"] is not None})
    rivals = engine.run(staging_table.rival_rows(source).text).to_pylist()
    losers = sum(int(row["claims"]) - 1 for row in rivals)
    if reasons.total() + losers > source.quarantine * rows_read:
        raise _refusal(source, files, reasons, rivals, rows_read)
    version, checks = work.write(staging_table.staging(work.project, source), f"staging/{source.name}", made_of)
    outcome.add(version, built=True, checks=checks)
    if reasons or losers or work.lake.find(f"quarantine/{source.name}"):
        set_aside = staging_table.set_aside_rows(work.project, source, engine.dialect, raw_types)
        work.write(set_aside, f"quarantine/{source.name}", made_of)
    return _facts(work, source, made_of, rows_read, version.rows, reasons, losers)


def planned_types(work: Work, source: Source, raw_rows: str) -> dict[str, str]:
    """Return the columns of a source's untyped rows: 'text' or another type; a select that fails names its source."""
    try:
        planned = work.engine.schema(raw_rows)
    except EngineError as error:
        if not source.select:
            raise
        # An engine proposes other columns of the raw tables: of a file without a header these are its first row.
        names = {*re.findall(r"\w+", source.select), *(column.raw_name for column in source.columns)}
        raise InvalidDefinition(
            f"the select of source '{source.name}' ({source.where_defined}) can't be run: "
            f"{redacted(error.message, names)}",
            hint="Mend the SELECT, then run 'tenure check'.",
        ) from error
    return {f.name: "text" if pa.types.is_string(f.type) else str(f.type) for f in planned}


def _facts(
    work: Work, source: Source, made_of: str, rows_read: int, staged: int, reasons: Counter[str], losers: int
) -> dict[str, object]:
    work.scan([source.name])
    span = work.engine.run(f"SELECT MIN(event_time) AS first, MAX(event_time) AS last FROM {source.name}").to_pylist()[
        0
    ]
    kinds = Counter[str]()
    for reason, rows in reasons.items():
        kinds[": ".join(reason.split(": ")[:2])] += rows
    if losers:
        kinds[staging_table.RIVAL] = losers
    quarantined = reasons.total() + losers
    return {
        "source": source.name,
        "fingerprint": made_of,
        "definition": _definition(work, source),
        "rows_read": rows_read,
        "rows_staged": staged,
        "duplicates_dropped": rows_read - staged - quarantined,
        "rows_quarantined": quarantined,
        "reasons": "; ".join(f"{kind} ({rows})" for kind, rows in sorted(kinds.items())),
        "first_event": span["first"],
        "last_event": span["last"],
    }


def _refusal(
    source: Source,
    files: dict[str, list[Path]],
    reasons: Counter[str],
    rivals: list[dict[str, object]],
    rows_read: int,
) -> InputError:
    bad, personal = reasons.total(), personal_columns(source)
    allowed = f"allowed are {source.quarantine:.1%} of {rows_read:,} rows (quarantine={source.quarantine})"
    hint = f"Mend the data, or let such rows be set aside: Source('{source.name}', quarantine=0.01, …)."
    if reasons:
        first = min(reasons)
        column, _, problem = first.partition(": ")
        problem, colon, value = problem.partition(": ")
        place = _place(source, files, value, source.column(column).raw_name)
        problem += colon + (shown(value, personal=column in personal) if colon else "")
        return BadValue(
            f"source '{source.name}', column '{column}': {problem}{place}; "
            f"{bad:,} bad {'row' if bad == 1 else 'rows'} in all, {allowed}.",
            hint=hint,
        )
    key = [(name, value) for name, value in rivals[0].items() if name != "claims"]
    told = shown_row(key, personal)
    place = _place(source, files, str(rivals[0][source.keys[0]]), source.column(source.keys[0]).raw_name)
    return DuplicateKey(
        f"source '{source.name}': {rivals[0]['claims']} different rows claim the key {told}{place}; "
        f"{len(rivals):,} such {'key' if len(rivals) == 1 else 'keys'} in all, {allowed}.",
        hint=hint,
    )


def _place(source: Source, files: dict[str, list[Path]], value: str, column: str) -> str:
    for name, raw in source.raws.items():
        place = locate(value, files[name], raw, column) if isinstance(raw, Csv) else None
        if place:
            return f" ({place})"
    return f" ({_named(source, files)})"


def _named(source: Source, files: dict[str, list[Path]]) -> str:
    """The files that a source read, or 'its query' where it read none."""
    told = [
        "its query" if isinstance(raw, Postgres) else files_in_words(files[name], raw)
        for name, raw in source.raws.items()
    ]
    return ", ".join(dict.fromkeys(told))


def _raw_files(work: Work, source: Source) -> dict[str, list[Path]]:
    asked_by = f"source '{source.name}'"
    found: dict[str, list[Path]] = {}
    for name, raw in source.raws.items():
        if isinstance(raw, Postgres):
            found[name] = [land(raw, work.lake.folder / "landing" / f"{source.name}-{name}", asked_by=asked_by)]
        else:
            found[name] = matching_files(raw, work.data, asked_by=asked_by)
    return found


def _made_of(work: Work, source: Source, files: dict[str, list[Path]]) -> str:
    stats = [
        # A landed query is a new file each time: only its content tells whether anything changed.
        _content(f)
        if isinstance(source.raws[name], Postgres)
        else (os.path.relpath(f, work.data), f.stat().st_size, f.stat().st_mtime_ns)
        for name, paths in files.items()
        for f in paths
    ]
    return fingerprint([work.dialect, _definition(work, source), stats])


def _content(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _intake(work: Work) -> dict[str, dict[str, object]]:
    if work.lake.find("intake") is None:
        return {}
    rows = work.lake.read("intake")
    # Arrow turns an instant that has a zone into Python by way of pandas, which takes half a second to load.
    naive = [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in rows.schema]
    return {row["source"]: row for row in rows.cast(pa.schema(naive)).to_pylist()}


@dataclass(frozen=True)
class Calendar:
    """The plan of snapshots, and the first day that the data do not cover."""

    plan: SnapshotPlan
    data_end: date

    @property
    def dates(self) -> tuple[date, ...]:
        """The snapshot dates, in order."""
        return self.plan.dates()


def calendar(work: Work) -> Calendar:
    """Return the run's dates: as tenure.toml says, else from the staged events.

    The data span what all sources that labels read span: outside it nobody could be seen active.
    Raises MissingTable if a source was staged with other definitions, BadValue if events lie after today.
    """
    require_staged(work, list(work.project.sources))
    facts = _intake(work)
    read = _label_sources(work) or _event_sources(work)
    # Accounts were opened and records written long before the first booking that an extract holds.
    first_event = max(_day(facts[name]["first_event"]) for name in read)
    last_events = {name: _day(facts[name]["last_event"]) for name in read}
    data_end = work.config.data.end or min(last_events.values())
    today = datetime.now(UTC).date()
    if data_end > today and not work.config.data.end:
        raise BadValue(
            f"source '{min(last_events, key=lambda name: last_events[name])}' has events up to {data_end}, after today "
            f"({today}): the end of the data can't be told from them.",
            hint="Mend the rows, or set [data] end in tenure.toml to the first day that the data do not cover.",
        )
    longest = max((w.most_days for w in work.project.windows), default=0)
    section = work.config.snapshots
    plan = SnapshotPlan(
        every=section.every,
        first=section.first or first_event + timedelta(days=longest),
        last=min(section.last or data_end, data_end),
    )
    if plan.first > plan.last:
        raise InvalidConfig(
            f"[snapshots] would begin on {plan.first} and end on {plan.last}: events run from {first_event}, "
            f"the longest window is {longest} days and the data end before {data_end}.",
            hint="Set [snapshots] first in tenure.toml, or use shorter windows.",
        )
    plan.dates()
    return Calendar(plan, data_end)


def require_staged(work: Work, sources: Sequence[str]) -> None:
    """Raise MissingTable unless each of the sources is staged, with the definitions that stand now."""
    facts = _intake(work)
    for source in (work.project.sources[name] for name in sources):
        staged, fact = work.require(source.name), facts.get(source.name, {})
        if fact.get("fingerprint") != staged.fingerprint or fact.get("definition") != _definition(work, source):
            raise MissingTable(
                f"source '{source.name}' was staged with other definitions, or its staging did not finish.",
                hint="Run 'tenure staging'.",
            )


def _event_sources(work: Work) -> Sequence[str]:
    """Sources of dated activity: those that windows or churn events read."""
    project = work.project
    windowed = [
        v.source for v in project.views.values() if any(isinstance(f, Aggregate) and f.windows for f in v.features)
    ]
    churn = [e.source for e in project.churn.events if isinstance(e, Inactivity | BalanceDecline)]
    return list(dict.fromkeys([*windowed, *churn])) or list(project.sources)


def _label_sources(work: Work) -> Sequence[str]:
    """Sources whose rows decide labels and eligibility."""
    churn = work.project.churn
    read = [e.source for e in churn.events if isinstance(e, Inactivity | BalanceDecline)]
    return list(dict.fromkeys([*read, *([churn.active.source] if churn.active else [])]))


def _definition(work: Work, source: Source) -> str:
    return fingerprint([repr(source), work.project.entity, tenure.__version__])


def _day(instant: object) -> date:
    if not isinstance(instant, datetime):
        raise EmptyTable("a staged source has no event time.", hint="Run 'tenure staging'.")
    return instant.date()


def snapshots(work: Work) -> Outcome:
    """Build the snapshots table."""
    outcome = Outcome()
    work.build(snapshots_table.snapshots(work.project, work.dialect, calendar(work).dates), outcome)
    return outcome


def features(work: Work, first: date | None = None, last: date | None = None) -> Outcome:
    """Bring the features of the planned snapshots from `first` to `last` up to date, by default of all.

    Raises MissingTable if the snapshots are not those of the staged rows and the plan: a snapshot that they lack would
    be committed without rows, and count as current.
    """
    outcome, days = Outcome(), calendar(work)
    spine = work.made_of(snapshots_table.snapshots(work.project, work.dialect, days.dates))
    if work.require("snapshots").fingerprint != spine:
        raise MissingTable("table 'snapshots' was built of other rows or dates.", hint="Run 'tenure snapshots'.")
    build_features(work, days.plan, outcome, first=first, last=last)
    return outcome


def newest_features(work: Work) -> Outcome:
    """Bring the features of the newest planned snapshot up to date."""
    newest = calendar(work).dates[-1]
    return features(work, newest, newest)


def labels(work: Work) -> Outcome:
    """Build the labels table."""
    outcome, days = Outcome(), calendar(work)
    work.build(labels_table.generate_churn_label(work.project, work.dialect, days.dates, days.data_end), outcome)
    if not outcome.rows:
        churn = work.project.churn
        raise LabelError(
            f"churn definition '{churn.name}' has nobody to ask: no customer is eligible at any of the snapshots from "
            f"{days.dates[0]} to {days.dates[-1]} whose horizon ends by {days.data_end} ({churn.where_defined}).",
            hint="Lower min_tenure, widen active=, or shorten the horizon in churn.py; then run 'tenure labels'.",
        )
    return outcome


def splits(work: Work) -> Outcome:
    """Build the splits table and its proof."""
    outcome, days = Outcome(), calendar(work)
    spans = labels_table.label_dates(work.project.churn, days.dates, days.data_end)
    section = work.config.splits
    plan = splits_table.SplitPlan(test_snapshots=section.test_snapshots, validation_share=section.validation_share)
    work.build(splits_table.splits(work.project, work.dialect, spans, plan), outcome)
    rows = outcome.rows
    work.build(splits_table.split_proof(work.project), outcome)
    outcome.rows = rows
    return outcome


def _labelled(work: Work) -> list[date]:
    """The snapshots that have a label, in order."""
    return sorted(set(work.read("labels", columns=["snapshot_date"])["snapshot_date"].to_pylist()))


def training_set(work: Work) -> Outcome:
    """Build the training set; raise MissingTable if a labelled snapshot has no features yet."""
    outcome = Outcome()
    labelled, built = _labelled(work), work.require("features").partitions
    lacking = [str(day) for day in labelled if str(day) not in built]
    if lacking:
        raise MissingTable(
            f"the features of {len(lacking)} labelled snapshots are not built, such as {lacking[0]}.",
            hint="Run 'tenure backfill'.",
        )
    work.build(training_set_table.training_set(work.project), outcome)
    return outcome
