"""Captures: which extracts of a current-state table there are, when each was made, and what it changed.

```
members-2024-01.csv ──► E1 ┐
members-2024-02.csv ──► E2 ├──► in the order of their times, those that are newer than the last one captured
--extracted 2024-03-05     ┘
```
When an extract was made is never taken from the file system: a copied file is as old as its copy.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.source import Column, Source
from tenure.define.table_contracts import FIXED
from tenure.errors import ExtractTime, InvalidDefinition, MissingTable, VanishedRows
from tenure.intake.completeness import Extract, Finding, Severity
from tenure.intake.readers import Reader, Readers, readers_of
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.sql import Select
from tenure.sql.dialects import type_name
from tenure.sql.expressions import call, cast, named
from tenure.sql.query import Query
from tenure.storage.location import Location
from tenure.store.table import TableVersion
from tenure.tables import capture, staging
from tenure.tables.completeness import rows_by_month
from tenure.tables.label_spans import Outage

CAPTURES = FIXED["captures"]

#: A day, or a month, in the name of a file or folder.
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])(?:[-_]?(0[1-9]|[12]\d|3[01]))?(?!\d)")

#: An extract that ends more than the first share of the rows is worth a look; more than the second is refused.
_MANY_ENDED, _MOST_ENDED = 0.01, 0.1

_HOW = (
    "Say when it was made: --extracted 2024-03-05, or a date in the file's or its folder's name "
    "(members-2024-03-05.csv), or extracted='column' in its source."
)


@dataclass(frozen=True)
class Made:
    """An extract: the readers of its files, and the day on which it was made, None where a column tells it."""

    readers: Readers
    day: date | None
    digest: str


def captured_extracts(work: Work, source: Source) -> list[dict[str, Any]]:
    """Return what is noted of a source's extracts, in the order of their times."""
    if work.lake.find(CAPTURES.table) is None:
        return []
    found = [row for row in _naive(work.lake.read(CAPTURES.table)) if row["source"] == source.name]
    return sorted(found, key=lambda row: row["extracted"])


def is_new(work: Work, source: Source) -> bool:
    """Return whether the run names a day of which no extract of a captured source is noted."""
    if not source.is_captured or source.extracted or work.extracted is None:
        return False
    return all(row["extracted"].date() != work.extracted for row in captured_extracts(work, source))


def extracts(work: Work, source: Source, readers: Readers, definition: str) -> Iterator[Made]:
    """Yield the extracts that are to be captured, in order; raise ExtractTime where a time can't be told."""
    whole = [*readers.values()]
    if work.extracted is not None or source.extracted:
        yield Made(readers, None if source.extracted else work.extracted, _digest(whole, definition))
        return
    by_day = _by_day(source, readers)
    noted = {row["extracted"].date(): row["fingerprint"] for row in captured_extracts(work, source)}
    last = max(noted, default=None)
    for day, files in sorted(by_day.items()):
        own = readers_of(work, source)
        for name, reader in own.items():
            reader.files = files[name]
        made = Made(own, day, _digest([*own.values()], definition))
        if last is None or day > last or (day == last and noted[day] != made.digest):
            yield made
        elif day not in noted:
            raise _out_of_order(source, day, last)


def extract_time(work: Work, source: Source, made: Made) -> datetime:
    """Return when an extract was made, its rows typed; raise ExtractTime if it is older than one that was captured.

    Of a day it is the day's last instant: nothing of the extract is known before that day is over.
    """
    when = _told_by_column(work, source) if made.day is None else datetime.combine(made.day, time.max)
    noted = captured_extracts(work, source)
    if noted and when < noted[-1]["extracted"]:
        raise _out_of_order(source, when.date(), noted[-1]["extracted"].date())
    return when


def versions(work: Work, source: Source, when: datetime) -> Select:
    """Return the SELECT of a source's versions after an extract, whose typed rows are there."""
    engine = work.engine
    engine.cache(capture.NOW, staging.staging(work.project, source).text)
    if not _earlier(work, source, when):
        return capture.first_versions(source, when, engine.dialect)
    _scan_kept(work, source)
    return capture.next_versions(source, when)


def compare(work: Work, source: Source, when: datetime) -> tuple[Extract, dict[str, Any]]:
    """Count what an extract changes, whose `versions` are made; raise VanishedRows if it ends too many rows, unless
    history may change.
    """
    months = work.engine.run(rows_by_month(source.name, compared=False).text).to_pylist()
    (now,) = work.engine.run(f"SELECT COUNT(*) AS rows FROM {capture.NOW}").to_pylist()
    if not _earlier(work, source, when):
        unchanged = {"rows_before": 0, "rows_added": now["rows"], "rows_changed": 0, "rows_ended": 0}
        return Extract(months, ()), now | unchanged
    (found,) = work.engine.run(capture.changes(source, when).text).to_pylist()
    ended, before = found["rows_ended"], found["rows_before"]
    findings: list[Finding] = []
    if ended:
        grave: Severity = "error" if ended > _MOST_ENDED * before else "warning"
        severity: Severity = grave if ended > _MANY_ENDED * before else "note"
        words = f"{ended:,} of the {before:,} rows of the last extract are not in that of {when:%Y-%m-%d}"
        if severity == "error" and not work.config.data.history_may_change:
            raise VanishedRows(
                f"source '{source.name}': {words} (TEN-I010): it may be cut off. Nothing of it was captured, and no "
                f"row ends ({source.where_defined}).",
                hint="Bring the whole extract. If so many rows did end, set [data] history_may_change = true in "
                "tenure.toml for this run.",
            )
        findings.append(Finding("TEN-I010", severity, f"{words}: they end"))
    return Extract(months, tuple(findings)), now | found


def note(work: Work, source: Source, when: datetime, digest: str, counted: Mapping[str, Any]) -> None:
    """Keep what an extract changed, in place of what was noted of one of the same time."""
    row = {"source": source.name, "extracted": when, "fingerprint": digest} | dict(counted)
    _write(work, source, [one for one in captured_extracts(work, source) if one["extracted"] != when] + [row])


def undo_extract(work: Work, name: str) -> tuple[datetime, TableVersion]:
    """Take back the last extract of a source: its versions are as they were before; return its time and the table.

    Raises UnknownSource for no source, InvalidDefinition if its history is not captured, ExtractTime if there is no
    earlier extract to go back to.
    """
    source = work.project.source(name, asked_by="--undo-extract")
    if not source.is_captured:
        raise InvalidDefinition(
            f"source '{name}' has no history='capture', so that it has no extracts to undo ({source.where_defined})."
        )
    noted = captured_extracts(work, source)
    if len(noted) < 2:
        raise ExtractTime(
            f"source '{name}' has {len(noted)} captured extracts, and none before the last to go back to.",
            hint="Bring the right extract with the same time, and run 'tenure staging': it takes the other's place.",
        )
    last = noted[-1]["extracted"]
    with work.lake.locked():
        digest = fingerprint(["undone", _scan_kept(work, source).fingerprint])
        version, _ = work.write(capture.without_last(source, last), f"staging/{name}", digest)
        _write(work, source, noted[:-1])
    return last, version


def gaps(source: Source, noted: Sequence[Mapping[str, Any]]) -> Iterator[Outage]:
    """Yield the days whose ends of rows no extract told in time: longer between two than said, and after the last."""
    days = [row["extracted"].date() for row in noted]
    for earlier, later in pairwise(days):
        if (later - earlier).days > source.arrival_delay:
            yield Outage(source.name, earlier, later, f"no extract of {source.name} came from {earlier} to {later}")
    if days:
        yield Outage(source.name, days[-1], date.max, f"no extract of {source.name} came after {days[-1]}")


def _write(work: Work, source: Source, rows: Sequence[Mapping[str, Any]]) -> None:
    others = []
    if work.lake.find(CAPTURES.table) is not None:
        others = [row for row in _naive(work.lake.read(CAPTURES.table)) if row["source"] != source.name]
    table = pa.Table.from_pylist([*others, *rows], schema=schema_of(CAPTURES))
    work.lake.write(table, CAPTURES, fingerprint=fingerprint([*(str(row["fingerprint"]) for row in rows)]))


def _naive(rows: pa.Table) -> list[dict[str, Any]]:
    place = rows.schema.get_field_index("extracted")
    return list(rows.set_column(place, "extracted", rows["extracted"].cast(pa.timestamp("us"))).to_pylist())


def _earlier(work: Work, source: Source, when: datetime) -> list[dict[str, Any]]:
    """The extracts that were captured before a time; none where one of that time is the first."""
    return [row for row in captured_extracts(work, source) if row["extracted"] < when]


def _require_room(source: Source, column: Column, kept: pa.DataType) -> None:
    """Raise InvalidDefinition for a decimal of fewer digits than the versions that are kept: they would be rounded."""
    type_ = column.value_type
    if not (type_.is_decimal and pa.types.is_decimal(kept)):
        return
    before_point = max(kept.precision - kept.scale, type_.precision - type_.scale)
    behind_it = max(kept.scale, type_.scale)
    if behind_it > type_.scale or before_point > type_.precision - type_.scale:
        raise InvalidDefinition(
            f"source '{source.name}' ({source.where_defined}) declares '{column.name}' as a decimal of "
            f"{type_.precision} digits, {type_.scale} of them behind the point; the versions that it captured have "
            f"{kept.precision}, {kept.scale} behind the point, and would be cut.",
            hint=f"Declare precision={before_point + behind_it}, scale={behind_it}, or what it was.",
        )


def _scan_kept(work: Work, source: Source) -> TableVersion:
    """Make the versions so far a relation, with the columns that the source has now; MissingTable if they are gone."""
    stored = work.lake.find(f"staging/{source.name}")
    if stored is None:
        raise MissingTable(
            f"the history of source '{source.name}' is gone: {len(captured_extracts(work, source))} extracts of it "
            f"were captured, and 'staging/{source.name}' is not in the lake.",
            hint="Restore the lake from a backup. To begin its history anew, remove the lake's folder 'captures'.",
        )
    engine = work.engine
    engine.scan("versions_stored", stored.files, stored.schema, stored.partition_by)
    there = set(stored.schema.names)
    columns = []
    for column in source.columns:
        if column.name in there:
            _require_room(source, column, stored.schema.field(column.name).type)
        value = column.name if column.name in there else "NULL"
        columns.append(named(cast(value, type_name(column.value_type, work.dialect)), column.name))
    rows = Query(columns=[*columns, "event_time", "known_time", "known_until"], source="versions_stored")
    engine.cache(capture.KEPT, rows.text)
    return stored


def _by_day(source: Source, readers: Readers) -> dict[date, dict[str, list[Location]]]:
    """The files of each raw table by the day that their names tell, in every raw table the same days."""
    found: dict[date, dict[str, list[Location]]] = {}
    undated = []
    for name, reader in readers.items():
        for file in reader.files:
            day = _day_in(str(file))
            if day is None:
                undated.append((name, file))
            else:
                found.setdefault(day, {}).setdefault(name, []).append(file)
    if not found:
        raise ExtractTime(
            f"source '{source.name}' has history='capture', and nothing tells when its extract was made "
            f"({', '.join(reader.words for reader in readers.values())}; {source.where_defined}).",
            hint=_HOW,
        )
    for files in found.values():
        for name, file in undated:
            files.setdefault(name, []).append(file)
        lacking = [name for name in readers if name not in files]
        if lacking:
            raise ExtractTime(
                f"source '{source.name}' reads '{lacking[0]}', whose files are of other days than those of the rest "
                f"({source.where_defined}).",
                hint=_HOW,
            )
    return found


def _day_in(path: str) -> date | None:
    """The last day in a path's last two parts, that of the file before that of its folder; of a month its last day."""
    for part in reversed(path.replace("\\", "/").split("/")[-2:]):
        matches = _DAY.findall(part)
        if matches:
            year, month, day = (int(number or 0) for number in matches[-1])
            return date(year, month, min(day or 31, monthrange(year, month)[1]))
    return None


def _digest(readers: Sequence[Reader[Any]], definition: str) -> str:
    return fingerprint([definition, [reader.digest() for reader in readers]])


def _told_by_column(work: Work, source: Source) -> datetime:
    name = source.extracted
    told = cast(name, "TIMESTAMP")
    asked = Query(
        columns=[named(call("MIN", told), "first"), named(call("MAX", told), "last")],
        source=staging.TYPED,
        where="quarantine_reason IS NULL",
    )
    (found,) = work.engine.run(asked.text).to_pylist()
    first, last = (value and value.replace(tzinfo=None) for value in (found["first"], found["last"]))
    if first is None or first != last:
        told_words = "no value" if first is None else f"{first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S}"
        raise ExtractTime(
            f"source '{source.name}' has {told_words} in '{name}', which tells when its extract was made "
            f"({source.where_defined}).",
            hint="Bring one extract at a time, or one file of each in order of their dates.",
        )
    is_day = source.column(name).type == "date"
    return datetime.combine(first.date(), time.max) if is_day else first


def _out_of_order(source: Source, day: date, last: date) -> ExtractTime:
    return ExtractTime(
        f"source '{source.name}' has an extract of {day}, and one of {last} was captured already "
        f"({source.where_defined}): what was known in between can't be told any more.",
        hint=f"Leave it out. If the extract of {last} was the wrong one: tenure staging --undo-extract {source.name}.",
    )
