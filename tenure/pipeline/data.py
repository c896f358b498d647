"""The stages that SQL makes: from raw rows to the training set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import tenure
from tenure.define.personal import personal_columns
from tenure.define.project import Project
from tenure.define.snapshot import FIRST_DAY, SnapshotPlan
from tenure.define.source import Csv, Source, files_of, query_of
from tenure.engines.files import files_in_words, locate
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
from tenure.pipeline.data_end import EventSpan, event_span, require_end
from tenure.pipeline.data_end import data_end as end_of_data
from tenure.pipeline.meaning import without_words
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.redact import redacted, shown, shown_row
from tenure.sql import Dialect, Select
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
        ("usual_first_day", pa.date32()),
        ("usual_last_day", pa.date32()),
        ("longest_gap", pa.int64()),
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
    """Return the sources that staging would read again: their definition or their files' contents changed."""
    facts, found = _intake(work), []
    for source in work.project.sources.values():
        if not any(query_of(raw) for raw in source.raws.values()):
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
        engine.read(name, files_of(raw), files[name])
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
    _require_years(work, source, files)
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


def _require_years(work: Work, source: Source, files: dict[str, list[Path]]) -> None:
    """Raise BadValue if a time lies outside the years 1 to 9999: Python's dates end there, and so do most engines'."""
    times = [column.name for column in source.columns if column.type in ("date", "timestamp")]
    if not times:
        return
    outside = "{0} < TIMESTAMP '0001-01-01 00:00:00' OR {0} > TIMESTAMP '9999-12-31 23:59:59.999999'"
    counts = ", ".join(f"COUNT(CASE WHEN {outside.format(name)} THEN 1 END) AS {name}" for name in times)
    found = work.engine.run(f"SELECT {counts} FROM {staging_table.TYPED} WHERE quarantine_reason IS NULL").to_pylist()[
        0
    ]
    wrong = {name: rows for name, rows in found.items() if rows}
    if wrong:
        name, rows = next(iter(wrong.items()))
        raise BadValue(
            f"source '{source.name}', column '{name}': {rows:,} {'time lies' if rows == 1 else 'times lie'} outside "
            f"the years 1 to 9999 ({_named(source, files)}).",
            hint="Correct the values; for an open end use null or 9999-12-31.",
        )


def planned_types(work: Work, source: Source, raw_rows: str) -> dict[str, str]:
    """Return the columns of a source's untyped rows: 'text' or another type; a select that fails names its source."""
    try:
        planned = work.engine.schema(raw_rows)
    except EngineError as error:
        if not source.select or error.original is not None:
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
    days = _event_days(work, source)
    span = _span_of(days)
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
        "first_event": days["first"][0].as_py(),
        "last_event": days["last"][-1].as_py(),
        "usual_first_day": span.usual_first,
        "usual_last_day": span.usual_last,
        "longest_gap": span.longest_gap,
    }


def _event_days(work: Work, source: Source) -> pa.Table:
    """The days on which a staged source has events, in order: day_start, rows, and the first and last of them."""
    work.scan([source.name])
    return work.engine.run(
        "SELECT CAST(event_time AS DATE) AS day_start, COUNT(*) AS rows, MIN(event_time) AS first, "
        f"MAX(event_time) AS last\nFROM {source.name}\nGROUP BY CAST(event_time AS DATE)\nORDER BY 1"
    )


def _span_of(days: pa.Table) -> EventSpan:
    return event_span(days["day_start"].to_pylist(), days["rows"].to_pylist())


def _spans(work: Work, names: Iterable[str]) -> dict[str, EventSpan]:
    """When some staged sources have events."""
    facts, found = _intake(work), {}
    for name in names:
        fact = facts[name]
        if fact.get("usual_last_day") is None:  # staged by a Tenure that did not note it
            found[name] = _span_of(_event_days(work, work.project.sources[name]))
            continue
        first, last = _day(fact["first_event"]), _day(fact["last_event"])
        found[name] = EventSpan(
            first, last, fact["usual_first_day"], fact["usual_last_day"], int(str(fact["longest_gap"]))
        )
    return found


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
        "its query" if query_of(raw) else files_in_words(files[name], files_of(raw))
        for name, raw in source.raws.items()
    ]
    return ", ".join(dict.fromkeys(told))


def _raw_files(work: Work, source: Source) -> dict[str, list[Path]]:
    asked_by = f"source '{source.name}'"
    found: dict[str, list[Path]] = {}
    for name, raw in source.raws.items():
        query = query_of(raw)
        if query:
            found[name] = [land(query, work.lake.path(f"landing/{source.name}-{name}"), asked_by=asked_by)]
        else:
            found[name] = work.raw_files(files_of(raw), asked_by=asked_by)
    return found


def _made_of(work: Work, source: Source, files: dict[str, list[Path]]) -> str:
    contents = [(_name_in(work.data, file), work.raw_digests.of(file)) for paths in files.values() for file in paths]
    return fingerprint([work.dialect, _definition(work, source), contents])


def _name_in(data: Path, file: Path) -> str:
    """A raw file's name below the data folder; its bare name elsewhere, so that no folder of a machine counts."""
    return file.relative_to(data).as_posix() if file.is_relative_to(data) else file.name


def _intake(work: Work) -> dict[str, dict[str, Any]]:
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

    The data span what all sources that bound labels span: outside it nobody could be seen active.
    Raises MissingTable if a source was staged with other definitions, InvalidConfig or BadValue if the end of the data
    can't be told, or can't be true.
    """
    bounds, section = work.project.churn.bounds, work.config.snapshots
    require_end(work.config.data.end, bounds)
    require_staged(work, list(work.project.sources))
    spans = _spans(work, bounds)
    data_end = end_of_data(work.config.data.end, spans, section.every)
    # Accounts were opened and records written long before the first booking that an extract holds.
    first_event = max(span.usual_first for span in (spans or _spans(work, _dated_sources(work.project))).values())
    longest = max((w.most_days for w in work.project.windows), default=0)
    plan = SnapshotPlan(
        every=section.every,
        first=section.first or max(first_event + timedelta(days=longest), FIRST_DAY),
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


def _dated_sources(project: Project) -> Sequence[str]:
    """The sources whose first events tell where snapshots begin if none bounds labels: those that windows read, else
    the customers' own.
    """
    windowed = [view.source for view in project.views.values() if any(part.windows for part in view.aggregates)]
    return list(dict.fromkeys(windowed)) or [project.entity.source]


def _definition(work: Work, source: Source) -> str:
    return fingerprint([repr(without_words(source)), work.project.entity, tenure.__version__])


def _day(instant: object) -> date:
    if not isinstance(instant, datetime):
        raise EmptyTable("a staged source has no event time.", hint="Run 'tenure staging'.")
    return instant.date()


def snapshots(work: Work) -> Outcome:
    """Build the snapshots table."""
    outcome = Outcome()
    work.build(snapshots_select(work, calendar(work), work.dialect), outcome)
    return outcome


def snapshots_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the snapshots table."""
    return snapshots_table.snapshots(work.project, dialect, days.dates)


def features(work: Work, first: date | None = None, last: date | None = None) -> Outcome:
    """Bring the features of the planned snapshots from `first` to `last` up to date, by default of all.

    Raises MissingTable if the snapshots are not those of the staged rows and the plan: a snapshot that they lack would
    be committed without rows, and count as current.
    """
    outcome, days = Outcome(), calendar(work)
    spine = work.made_of(snapshots_select(work, days, work.dialect))
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
    work.build(labels_select(work, days, work.dialect), outcome)
    if not outcome.rows:
        churn = work.project.churn
        raise LabelError(
            f"churn definition '{churn.name}' has nobody to ask: no customer is eligible at any of the snapshots from "
            f"{days.dates[0]} to {days.dates[-1]} whose horizon ends by {days.data_end} ({churn.where_defined}).",
            hint="Lower min_tenure, widen active=, or shorten the horizon in churn.py; then run 'tenure labels'.",
        )
    return outcome


def labels_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the labels table."""
    return labels_table.generate_churn_label(work.project, dialect, days.dates, days.data_end)


def splits_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the splits table."""
    spans = labels_table.label_dates(work.project.churn, days.dates, days.data_end)
    section = work.config.splits
    plan = splits_table.SplitPlan(test_snapshots=section.test_snapshots, validation_share=section.validation_share)
    return splits_table.splits(work.project, dialect, spans, plan)


def splits(work: Work) -> Outcome:
    """Build the splits table and its proof."""
    outcome = Outcome()
    work.build(splits_select(work, calendar(work), work.dialect), outcome)
    rows = outcome.rows
    work.build(splits_table.split_proof(work.project), outcome)
    outcome.rows = rows
    return outcome


def labelled_dates(work: Work) -> list[date]:
    """The snapshots that have a label, in order."""
    return sorted(set(work.read("labels", columns=["snapshot_date"])["snapshot_date"].to_pylist()))


def training_set(work: Work) -> Outcome:
    """Build the training set; raise MissingTable if a labelled snapshot has no features yet."""
    outcome = Outcome()
    labelled, built = labelled_dates(work), work.require("features").partitions
    lacking = [str(day) for day in labelled if str(day) not in built]
    if lacking:
        raise MissingTable(
            f"the features of {len(lacking)} labelled snapshots are not built, such as {lacking[0]}.",
            hint="Run 'tenure backfill'.",
        )
    work.build(training_set_table.training_set(work.project), outcome)
    return outcome
