"""Completeness of an extract: what it lacks beside the last one and beside its own other months; told, and limited.

now against the last extract:   customers of stored snapshots gone · a month gone, halved, shrunk, doubled
now against itself:             days of which no row came · a month far below or above those beside it
what staging leaves out:        rows that are exact duplicates of others
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import median_high
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.personal import personal_keys
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.errors import VanishedRows
from tenure.faults.redact import shown_row
from tenure.intake.data_end import OUTAGE_DAYS, EventSpan
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.tables import completeness as completeness_table
from tenure.tables.label_spans import Outage

COMPLETENESS = FIXED["completeness"]

Severity: TypeAlias = Literal["error", "warning", "note"]

#: A month lost its rows if fewer than this share of them are left.
_HALVED = 0.5

#: A month is far below or above those beside it at these shares of the nearer one, …
_LOW, _HIGH = 0.5, 1.8

#: … if it also differs by so many standard errors of a count, and the one beside it has so many rows.
_ERRORS, _LEAST_ROWS = 8, 50

#: Exact duplicates are a warning beyond this share of the rows.
_MANY_DUPLICATES = 0.01


#: So many days without rows, of a source that has as many rows on each of the days beside them, are told …
_SHORT, _LEAST_A_DAY, _BESIDE = 2, 20, 7

#: … of so many days with rows or more, if there are no more such gaps, and none so near it in the days of other years.
_LEAST_DAYS, _MOST_GAPS, _NEAR_YEARS, _YEAR = 90, 3, 5, 365.25

#: A source ends early so many days, and so many times its longest gap, before the others.
_ENDS_EARLY, _SILENT_DAYS, _SILENT_TIMES = "TEN-I018", 28, 2.5


@dataclass(frozen=True)
class Finding:
    """One thing that an extract lacks or has too much: its code, how grave it is, and where."""

    code: str
    severity: Severity
    message: str
    month: date | None = None


@dataclass(frozen=True)
class Extract:
    """What is known of a source's rows before they are committed: months in order, findings, customers gone."""

    months: Sequence[Mapping[str, Any]]
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> int:
        """The rows of all months."""
        return sum(int(month["rows"]) for month in self.months)

    @property
    def rows_before(self) -> int:
        """The rows of all months when the source was last staged."""
        return sum(int(month["rows_before"] or 0) for month in self.months)


def compare(work: Work, source: Source, before: TableVersion | None) -> Extract:
    """Compare the rows about to be committed, relation `checked`, with the version before them.

    Raises VanishedRows if rows that stored snapshots rest on are gone, unless `[data] history_may_change`.
    """
    engine, stored = work.engine, work.lake.find("snapshots")
    if before is not None:
        engine.scan(completeness_table.BEFORE, before.files, before.schema, before.partition_by)
    select = completeness_table.rows_by_month(source.name, compared=before is not None)
    months = engine.run(select.text).to_pylist()
    findings = [] if before is None else list(_lost(months, history=stored is not None))
    known = stored or before
    if known is not None and source.name == work.project.entity.source:
        engine.scan(completeness_table.STORED, known.files, known.schema, known.partition_by)
        gone = engine.run(completeness_table.gone_customers(work.project).text).to_pylist()
        if gone:
            findings.insert(0, _gone(work, gone, history=stored is not None))
    findings += _beside(months)
    grave = [finding for finding in findings if finding.severity == "error"]
    if grave and not work.config.data.history_may_change:
        raise _refusal(source, grave)
    return Extract(months, tuple(findings))


def compare_added(work: Work, source: Source) -> Extract:
    """Compare the rows of a source with new ones, relation `checked`, in place of some, with those before them.

    No month has fewer rows than before, so that none is refused.
    """
    noted = work.lake.read("completeness", where={"source": source.name}).to_pylist()
    before = {row["month"]: int(row["rows"]) for row in noted if row["rows"] is not None}
    now = Counter(before)
    for relation, sign in ((completeness_table.NOW, 1), (completeness_table.REMOVED, -1)):
        for row in work.engine.run(completeness_table.by_month(relation).text).to_pylist():
            now[row["month"]] += sign * row["n"]
    months = [{"month": month, "rows": now[month], "rows_before": before.get(month, 0)} for month in sorted(now)]
    return Extract(months, (*_lost(months, history=False), *_beside(months)))


def of_span(span: EventSpan, source: Source) -> Iterator[Finding]:
    """Yield the days of which no row of a source came."""
    for first, until in span.outages:
        words = Outage(source.name, first, until).words
        yield Finding("TEN-I005", "warning", words, first.replace(day=1))


def of_days(days: Sequence[date], rows: Sequence[int], source: Source) -> Iterator[Finding]:
    """Yield the few days without a row of a source that else has many every day; longer ones are of its span.

    What is so in several years, or often, belongs to the source: it is closed then.
    """
    gaps = [(day, following) for day, following in pairwise(days) if (following - day).days > 1]
    if len(days) < _LEAST_DAYS or len(gaps) > _MOST_GAPS:
        return
    for day, following in gaps:
        missing = (following - day).days - 1
        beside = [number for on, number in zip(days, rows, strict=True) if abs((on - day).days) <= _BESIDE]
        is_yearly = any(_same_season(day, other) for other, _ in gaps if other != day)
        if _SHORT <= missing < OUTAGE_DAYS and min(beside) >= _LEAST_A_DAY and not is_yearly:
            first = day + timedelta(days=1)
            yield Finding("TEN-I017", "warning", Outage(source.name, first, following).words, first.replace(day=1))


def _same_season(one: date, other: date) -> bool:
    """Whether two days lie within a few days of each other, in whatever years."""
    apart = abs((one - other).days) % _YEAR
    return min(apart, _YEAR - apart) <= _NEAR_YEARS


def note_ends(work: Work, known: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep which sources end long before half of the others do: a file of them is missing, or came as it was before.

    `known` are the facts of the staging before, `facts` those of this one. What ended early then is no news: a source
    of customers has no new row where nobody joins.
    """
    # Of a run that was stopped some sources alone are known, and which of them ended early can't be told.
    then, now = _ends(known) if known.keys() >= facts.keys() else {}, _ends(facts)
    for name, finding in now.items():
        kept = work.lake.read(COMPLETENESS.table, where={"source": name}).to_pylist()
        others = [row for row in kept if row["code"] != _ENDS_EARLY]
        is_told = finding is not None and (len(others) < len(kept) or (name in then and then[name] is None))
        told: list[dict[str, Any]] = []
        if finding is not None and is_told:
            told.append({"source": name, "month": finding.month, **_told(finding)})
        if told or len(others) < len(kept):
            rows = pa.Table.from_pylist(others + told, schema=schema_of(COMPLETENESS))
            work.lake.write_partition(rows, COMPLETENESS, {"source": name})


def _ends(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Finding | None]:
    """Whether each source ends early."""
    lasts = {name: fact["usual_last_day"] for name, fact in facts.items() if fact.get("usual_last_day")}
    if not lasts:
        return {}
    end = median_high(lasts.values())
    return {name: of_end(name, last, int(facts[name]["longest_gap"]), end) for name, last in lasts.items()}


def of_end(name: str, last: date, longest_gap: int, end: date) -> Finding | None:
    """Return that a source has no row for long before the `end` of others, None if it may be silent so long."""
    silent = (end - last).days
    if silent < _SILENT_DAYS or silent <= _SILENT_TIMES * longest_gap:
        return None
    words = f"no row of {name} came after {last}, and half of the sources have rows up to {end} or later"
    return Finding(_ENDS_EARLY, "warning", words, None)


def of_duplicates(dropped: int, rows_read: int) -> Iterator[Finding]:
    """Yield how many rows are left out since they are exactly like others."""
    if dropped:
        severity: Severity = "warning" if dropped > _MANY_DUPLICATES * rows_read else "note"
        words = f"{dropped:,} of {rows_read:,} rows are exactly like others and count once"
        if severity == "warning":
            words += "; if each happened by itself, add a column to the key that tells them apart"
        yield Finding("TEN-I006", severity, words)


def of_rounding(values: int) -> Iterator[Finding]:
    """Yield how many decimals had more places than are kept."""
    if values:
        many = "1 decimal has" if values == 1 else f"{values:,} decimals have"
        words = f"{many} more places than are kept and are rounded; to keep them give their column a larger scale="
        yield Finding("TEN-I009", "warning", words)


def note(work: Work, source: Source, extract: Extract, others: Sequence[Finding]) -> None:
    """Keep the months of a source and what was found, in place of what was noted of it before."""
    findings = [*extract.findings, *others]
    by_month: dict[date | None, list[Finding]] = {}
    for finding in findings:
        by_month.setdefault(finding.month, []).append(finding)
    rows: list[dict[str, Any]] = []
    for month in extract.months:
        of_month: list[Finding | None] = [*by_month.pop(month["month"], [])]
        rows += [{"source": source.name} | dict(month) | _told(finding) for finding in of_month or [None]]
    rows += [{"source": source.name, "month": month} | _told(one) for month, those in by_month.items() for one in those]
    table = pa.Table.from_pylist(rows, schema=schema_of(COMPLETENESS))
    work.lake.write_partition(table, COMPLETENESS, {"source": source.name})


def _told(finding: Finding | None) -> dict[str, str | None]:
    if finding is None:
        return {"code": None, "severity": None, "finding": None}
    return {"code": finding.code, "severity": finding.severity, "finding": finding.message}


def judged(work: Work) -> frozenset[str]:
    """Return the sources whose completeness is noted; a source without is staged anew."""
    if work.lake.find("completeness") is None:
        return frozenset()
    return frozenset(work.lake.read("completeness", columns=["source"])["source"].unique().to_pylist())


def findings_in_words(work: Work) -> list[str]:
    """Return what was found of each staged source and is more than a note, the duplicates always, as clauses."""
    if work.lake.find("completeness") is None:
        return []
    found = []
    for row in work.lake.read("completeness").to_pylist():
        is_of_project = row["source"] in work.project.sources
        if is_of_project and row["finding"] and (row["severity"] != "note" or row["code"] == "TEN-I006"):
            found.append(f"{row['source']}: {row['finding']} ({row['code']})")
    return sorted(found)


def _lost(months: Sequence[Mapping[str, Any]], *, history: bool) -> Iterator[Finding]:
    """Yield the months that have fewer rows than before, or about twice as many."""
    for row in months:
        month, now, then = row["month"], row["rows"], row["rows_before"]
        words = f"{month:%Y-%m} has {now:,} rows, and had {then:,} when it was last staged"
        if now < _HALVED * then:
            yield Finding("TEN-I002", "error" if history else "warning", words, month)
        elif now < then:
            yield Finding("TEN-I003", "warning", words, month)
        elif then >= _LEAST_ROWS and now > _HIGH * then and month != months[-1]["month"]:
            yield Finding("TEN-I004", "warning", words, month)


def _beside(months: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield the months far below or above both beside them; the first and the last, often cut, are not judged."""
    for earlier, row, later in zip(months, months[1:], months[2:], strict=False):
        if _months_apart(earlier["month"], later["month"]) != 2:
            continue
        rows, least, most = row["rows"], *sorted((earlier["rows"], later["rows"]))
        beside = f"{row['month']:%Y-%m} has {rows:,} rows, and the months beside it {earlier['rows']:,} and"
        if least >= _LEAST_ROWS and rows < _LOW * least and least - rows > _ERRORS * math.sqrt(least):
            yield Finding("TEN-I007", "warning", f"{beside} {later['rows']:,}: a part may be missing", row["month"])
        elif most >= _LEAST_ROWS and rows > _HIGH * most and rows - most > _ERRORS * math.sqrt(most):
            yield Finding("TEN-I008", "warning", f"{beside} {later['rows']:,}: a part may be doubled", row["month"])


def _months_apart(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month


def _gone(work: Work, gone: Sequence[Mapping[str, Any]], *, history: bool) -> Finding:
    examples = ", ".join(shown_row(list(row.items()), personal_keys(work.project)) for row in gone[:3])
    many = "1 customer" if len(gone) == 1 else f"{len(gone):,} customers"
    words = f"{many} of {'stored snapshots' if history else 'the last extract'} no longer in it, such as {examples}"
    return Finding("TEN-I001", "error" if history else "warning", words)


def _refusal(source: Source, grave: Sequence[Finding]) -> VanishedRows:
    told = "; ".join(finding.message for finding in grave[:3])
    more = f"; and {len(grave) - 3} more" if len(grave) > 3 else ""
    codes = ", ".join(dict.fromkeys(finding.code for finding in grave))
    return VanishedRows(
        f"source '{source.name}': {told}{more} ({codes}): labels and features of stored snapshots would change. "
        f"Nothing of it was staged ({source.where_defined}).",
        hint="Bring an extract that still has them: closed customers with their end, and every month. If history may "
        "change, set [data] history_may_change = true in tenure.toml.",
    )
