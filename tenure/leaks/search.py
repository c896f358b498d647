"""Leaks in the bank's own data and definitions: in staged rows, in the selects that made them, in features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeAlias

from tenure.catalog.features import Entry, entries
from tenure.define.personal import personal_cells
from tenure.define.source import Source
from tenure.errors import CheckFailed, MissingTable
from tenure.intake.calendar import calendar
from tenure.intake.readers import readers_of
from tenure.intake.staging import raw_digest
from tenure.intake.typed_rows import planned_types
from tenure.leaks import ends
from tenure.leaks.raw_tables import (
    PARSED_SHARE,
    RawTime,
    compared_columns,
    difference_finding,
    difference_statement,
    example_of_difference,
    parsed_statement,
    raw_times,
    rival_finding,
    rival_statement,
    rivals_of,
    rows_before,
    the_raw_time,
    unprovable_finding,
)
from tenure.leaks.staged_rows import (
    Finding,
    count_names,
    count_statement,
    example_statement,
    source_finding,
    time_finding,
    time_tests,
)
from tenure.leaks.target_proxies import (
    WHOLE,
    change_names,
    changes_statement,
    proxy_by_changes,
    rows_statement,
    target_proxy,
)
from tenure.session.origins import Origins
from tenure.session.work import Work
from tenure.sql.query import Query
from tenure.storage.location import written_at
from tenure.tables import staging

#: Target proxies are sought among so many labelled rows, so many features at a time.
MOST_ROWS, COLUMNS_AT_ONCE = 300_000, 40

Headers: TypeAlias = Mapping[str, Mapping[str, str]]


def data_findings(work: Work) -> Iterator[Finding]:
    """The findings that `tenure check` prints: leaks in staged rows, or why they can't be looked at yet."""
    reason = _not_current(work)
    if reason:
        message = f"not looked at yet: {reason} Run 'tenure staging', then 'tenure check' again."
        yield Finding(detection="value from the future", subject="staged rows", message=message, alarm=False)
    else:
        yield from staged_findings(work)


def every_finding(work: Work, most: int = 3) -> Iterator[Finding]:
    """The findings that `tenure verify` prints: in staged rows, in features, and in selects at up to `most` snapshots.

    Raises MissingTable if a source is not staged, or was staged with other definitions or files.
    """
    reason = _not_current(work)
    if reason:
        raise MissingTable(reason, hint="Run 'tenure run', then 'tenure verify' again.")
    yield from staged_findings(work)
    yield from label_findings(work)
    dates = calendar(work).dates
    step = max(1, (len(dates) - 1) // max(1, most - 1))
    yield from select_findings(work, sorted(dates[::-step][:most]))


def staged_findings(work: Work) -> Iterator[Finding]:
    """Look at every staged row's times; yield a finding where rows know more than they could.

    Raises MissingTable if a source is not staged, or was staged with other definitions.
    """
    calendar(work)
    yield from end_findings(work)
    for source in work.project.sources.values():
        work.scan([source.name])
        tests = time_tests(source, work.dialect, _written(work, source))
        found = work.engine.run(count_statement(source, tests, work.dialect)).to_pylist()[0]
        for number, test in enumerate(tests):
            rows, hours = count_names(number)
            if found[rows]:
                example = work.engine.run(example_statement(source, test)).to_pylist()[0]
                yield time_finding(source, test, found[rows], found["row_count"], float(found[hours]), example)


def end_findings(work: Work) -> Iterator[Finding]:
    """Look for columns that features read and that closing wrote; yield one finding a column."""
    read: dict[str, set[str]] = {}
    origins = Origins(work.project, work.dialect, work.churn)
    for name in work.project.columns:
        for reading in origins.readings_of(name):
            read.setdefault(reading.source, set()).add(reading.column)
    for source in work.project.sources.values():
        ender = ends.ender_of(work.project, source)
        columns = ends.watched(source, ender, read.get(source.name, set())) if ender else []
        if ender is None or not columns:
            continue
        work.scan(list({source.name, ender.name}))
        (totals,) = work.engine.run(ends.totals_statement(source, ender, columns)).to_pylist()
        values = {c.name: work.engine.run(ends.values_statement(source, ender, c)).to_pylist() for c in columns}
        yield from ends.findings(source, columns, totals, values)


def require_nothing_written_at_the_end(work: Work) -> None:
    """Raise CheckFailed if a feature reads what closing wrote."""
    found = list(end_findings(work))
    if found:
        number = "a feature reads" if len(found) == 1 else f"features read {len(found)} columns, the first"
        raise CheckFailed(f"{number} what closing wrote: {found[0].subject}: {found[0].message}", hint=found[0].hint)


def select_findings(work: Work, dates: Sequence[date]) -> Iterator[Finding]:
    """Look at when raw rows were written; run selects again over raw tables cut at each date and yield what changes.

    A raw table can't be cut where no source declares its known time: a finding that is no alarm says so.
    """
    with work.scratch() as scratch:
        headers: dict[str, Headers] = {}
        claims: list[RawTime] = []
        for source in work.project.sources.values():
            headers[source.name] = _read_whole(scratch, source)
            claims += raw_times(source, headers[source.name], scratch.dialect)
        for source in work.project.sources.values():
            yield from _rivals(scratch, source, headers[source.name], claims)
            if source.select and source.is_captured:
                message = "not provable: its history is captured, and earlier extracts are not at hand."
                yield source_finding(source, "", "staging time travel", message, "", alarm=False)
            elif source.select:
                yield from _of_select(scratch, source, headers[source.name], claims, dates)


def label_findings(work: Work) -> Iterator[Finding]:
    """Look for features that alone reveal the label; yield one finding a feature.

    Where the training set is not built, a finding that is no alarm says so.
    """
    if work.lake.find("training_set") is None:
        message = "not looked at: the training set is not built. Run 'tenure run'."
        yield Finding(detection="target proxy", subject="features", message=message, alarm=False)
        return
    work.scan(["training_set"])
    customers = _share(work)
    features = entries(work.project)
    for first in range(0, len(features), COLUMNS_AT_ONCE):
        some = features[first : first + COLUMNS_AT_ONCE]
        for entry, message in _target_proxies(work, some, customers):
            yield Finding(
                detection="target proxy",
                subject=f"feature '{entry.name}' of source '{entry.source}'",
                message=f"{message} ({entry.where_defined}; reads {entry.reads}).",
                hint=f"Ask when '{entry.reads}' is written: if leaving overwrites it, read it from a source with a "
                "known_time for each version, or leave it out.",
            )


def _share(work: Work) -> int:
    """How many 256ths of the customers to look at."""
    rows = int(work.engine.run("SELECT COUNT(*) AS n FROM training_set").to_pylist()[0]["n"])
    return max(1, min(WHOLE, WHOLE * MOST_ROWS // max(1, rows)))


def _target_proxies(work: Work, features: Sequence[Entry], customers: int) -> Iterator[tuple[Entry, str]]:
    """Yield each feature that reveals the label, with how: by its values or by their changes."""
    names = [entry.name for entry in features]
    rows = work.engine.run(rows_statement(work.project, names, customers, work.dialect))
    churned = rows["churned"].to_numpy().astype("int64")
    snapshot = rows["snapshot_no"].to_numpy().astype("int64")
    moves = work.engine.run(changes_statement(work.project, names, customers, work.dialect)).to_pylist()[0]
    personal = personal_cells(work.project)
    for number, entry in enumerate(features):
        values = rows[entry.name].combine_chunks()
        facts = (*change_names(number), "row_count", "churners")
        proxy = target_proxy(values, churned, snapshot, personal=entry.name in personal)
        proxy = proxy or proxy_by_changes(*(int(moves[fact] or 0) for fact in facts))
        if proxy:
            yield entry, proxy.message


def _not_current(work: Work) -> str:
    """Return '' if every source is staged with these definitions and files, else the reason why not."""
    try:
        calendar(work)
    except MissingTable as error:
        return error.message
    for source in work.project.sources.values():
        readers = readers_of(work, source, again=True)
        # A query would have to be asked again.
        if any(reader.asks_a_server for reader in readers.values()):
            continue
        if work.require(source.name).fingerprint != raw_digest(work, source, readers):
            return f"the files of source '{source.name}' changed since it was staged."
    return ""


def _rivals(work: Work, source: Source, headers: Headers, claims: Sequence[RawTime]) -> Iterator[Finding]:
    """Yield a finding where another source says that rows of a raw table became known later than this one says."""
    for name, raw in source.raws.items():
        for claim in claims:
            if claim.source.name != source.name or claim.raw != raw:
                continue
            for rival in rivals_of(claim, claims):
                _read_whole(work, source)
                statement = rival_statement(claim, rival, _whole(name), work.dialect, headers[name])
                found = work.engine.run(statement).to_pylist()[0]
                if found["found"]:
                    yield rival_finding(claim, rival, name, found)


def _of_select(
    work: Work,
    source: Source,
    headers: Headers,
    claims: Sequence[RawTime],
    dates: Sequence[date],
) -> Iterator[Finding]:
    """Yield what a source's select gives otherwise at one of the dates, once a column, and what can't be cut."""
    _read_whole(work, source)
    chosen: dict[str, RawTime | None] = {}
    unprovable: dict[str, str] = {}
    for name, raw in source.raws.items():
        claim = the_raw_time(source, raw, claims)
        reason = _unprovable(work, name, claim, headers[name])
        chosen[name] = None if reason else claim
        if reason:
            unprovable[name] = reason
    if unprovable:
        yield unprovable_finding(source, unprovable)
    if not any(chosen.values()):
        return
    version = work.require(source.name)
    work.engine.scan("staged_whole", version.files, version.schema, version.partition_by)
    reported: set[str] = set()
    for t in dates:
        _stage_cut(work, source, headers, chosen, t)
        found = work.engine.run(difference_statement(source, "staged_whole", "staged_cut", t)).to_pylist()[0]
        changed = [column for column, count in compared_columns(source).items() if found[count]]
        if found["lost"] or found["gained"]:
            changed.append("")
        for column in changed:
            if column not in reported:
                reported.add(column)
                statement = example_of_difference(source, "staged_whole", "staged_cut", t, column)
                yield difference_finding(source, t, found, column, work.engine.run(statement).to_pylist()[0])


def _stage_cut(work: Work, source: Source, headers: Headers, chosen: Mapping[str, RawTime | None], t: date) -> None:
    """Materialize `staged_cut`: the source staged from raw tables without what was known at `t` or later."""
    engine = work.engine
    for name, claim in chosen.items():
        rows = Query(columns=["*"], source=_whole(name)).text
        if claim:
            rows = rows_before(claim, _whole(name), engine.dialect, headers[name][claim.column], t)
        engine.cache(name, rows)
    raw_types = planned_types(work, source, staging.raw_rows(source, engine.dialect))
    engine.cache(staging.TYPED, staging.typed_rows(work.project, source, engine.dialect, raw_types).text)
    for step in staging.steps(source):
        engine.cache(step.table, step.text)
    engine.cache("staged_cut", staging.staging(work.project, source).text)


def _unprovable(work: Work, name: str, claim: RawTime | None, header: Mapping[str, str]) -> str:
    """Why a raw table can't be cut at a date by a claim, '' if it can."""
    if claim is None:
        return "has no time column that a source declares"
    statement = parsed_statement(claim, _whole(name), work.dialect, header[claim.column])
    found = work.engine.run(statement).to_pylist()[0]
    if found["parsed"] < PARSED_SHARE * found["filled"]:
        return f"has '{claim.column}', which is no time before source '{claim.source.name}' makes it one"
    return ""


def _read_whole(work: Work, source: Source) -> Headers:
    """Make each raw table of a source the relation `<name>_whole`; return their columns and types."""
    return {name: reader.land(_whole(name)) for name, reader in readers_of(work, source, again=True).items()}


def _whole(name: str) -> str:
    """The relation of all rows of a raw table."""
    return f"{name}_whole"


def _written(work: Work, source: Source) -> datetime | None:
    """When the newest raw file of a source was written, in UTC."""
    readers = readers_of(work, source, again=True)
    times = [written_at(file) for reader in readers.values() for file in reader.files]
    return datetime.fromtimestamp(max(times), UTC) if times else None
