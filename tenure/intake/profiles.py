"""Profiles of sources: what their rows look like month by month, kept, and held against the months before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from tenure.checks.coded import Counts
from tenure.checks.history import Months, Shift, shift, swapped, unlike_delivery, volume
from tenure.checks.in_memory import schema_of
from tenure.define.check import CODES, CheckOutcome, Measure, RowCheck
from tenure.define.dialect import Dialect
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.session.work import Work
from tenure.store.table import partition_values
from tenure.tables import checks as table
from tenure.tables import profile as profile_table

PROFILES = FIXED["monthly_profiles"]

#: The measure of all rows of a month.
_ROWS = "rows"

#: Checks of any row at all, however it was before.
_ABSOLUTE = ("TEN-Q010", "TEN-Q011")

#: Checks of a column's share of rows against that of earlier months.
_BY_HISTORY = ("TEN-Q012", "TEN-Q013", "TEN-Q014", "TEN-Q016", "TEN-Q017", "TEN-Q018", "TEN-Q019")


#: Checks of the rows that a delivery brought, in whatever months they lie, against those that were there.
_BY_DELIVERY = ("TEN-Q022", "TEN-Q023")


@dataclass
class Profile:
    """How many rows of each month have each measure of each column."""

    rows: dict[date, int] = field(default_factory=dict)
    counts: dict[tuple[str, str], dict[date, int]] = field(default_factory=dict)
    last_event: datetime | None = None

    def add(self, other: Profile, factor: int = 1) -> None:
        """Add the counts of further rows, or with -1 take them away."""
        _add(self.rows, other.rows, factor)
        for measure, counted in other.counts.items():
            _add(self.counts.setdefault(measure, {}), counted, factor)
        if factor > 0:
            self.last_event = max(filter(None, (self.last_event, other.last_event)), default=None)


def _add(to: dict[date, int], counted: Mapping[date, int], factor: int) -> None:
    for month, number in counted.items():
        to[month] = to.get(month, 0) + factor * number


def gathered(work: Work, source: Source, checks: Sequence[RowCheck], relation: str) -> tuple[Counts, Profile]:
    """Return how many rows of a relation fail each check, and their profile: three scans."""
    measures = profile_table.measures(source, work.dialect)
    valued = profile_table.valued_columns(source)
    select = table.counted_by_month([*checks, *measures], relation, valued)
    found = work.engine.run(select.text).to_pylist()
    rows = {row["month"]: int(row["n_rows"]) for row in found}
    failing = [{row["month"]: int(row[f"c{place}"]) for row in found} for place in range(len(checks) + len(measures))]
    profile = Profile(rows, last_event=max((row["last_event"] for row in found), default=None))
    for measure, by_month in zip(measures, failing[len(checks) :], strict=True):
        profile.counts[measure.column, measure.name] = by_month
    few = [
        name
        for place, name in enumerate(valued)
        if max((row[f"d{place}"] for row in found), default=0) <= profile_table.MOST_VALUES
    ]
    _add_values(work, few, relation, profile)
    repeated = work.engine.run(profile_table.repeated_rows(source, work.dialect, relation).text).to_pylist()
    profile.counts["", profile_table.REPEATED] = {row["month"]: int(row["n"]) for row in repeated}
    return Counts(rows, failing[: len(checks)]), profile


def _add_values(work: Work, columns: Sequence[str], relation: str, profile: Profile) -> None:
    """Count the values of columns that have few."""
    if not columns:
        return
    for row in work.engine.run(profile_table.value_counts(columns, relation).text).to_pylist():
        if row["value"] is not None:
            name = columns[row["place"]], profile_table.VALUE + row["value"]
            profile.counts.setdefault(name, {})[row["month"]] = int(row["n"])


def stored(work: Work, source: Source) -> Profile:
    """Return the profile of a source's rows that are staged; an empty one if none is kept."""
    profile = Profile()
    if work.lake.find(PROFILES.table) is None:
        return profile
    for row in work.lake.read(PROFILES.table, where={"source": source.name}).to_pylist():
        if row["measure"] == _ROWS:
            profile.rows[row["month"]] = row["rows"]
        else:
            profile.counts.setdefault((row["column_name"], row["measure"]), {})[row["month"]] = row["rows"]
    return profile


def lacking(work: Work, staged: Mapping[str, int]) -> frozenset[str]:
    """Return the sources, of those with the number of their rows, whose profile is lost; they are staged anew."""
    kept = work.lake.find(PROFILES.table)
    files = kept.files if kept else ()
    there = {partition_values(file, PROFILES.partition_by)["source"] for file in files}
    return frozenset(name for name, rows in staged.items() if rows and name not in there)


def keep(work: Work, source: Source, profile: Profile) -> None:
    """Keep a source's profile in place of the one before."""
    cells = [("", _ROWS, profile.rows), *((*name, counted) for name, counted in profile.counts.items())]
    rows = [
        {"source": source.name, "month": month, "column_name": column, "measure": measure, "rows": number}
        for column, measure, counted in cells
        for month, number in sorted(counted.items())
        if number
    ]
    made = pa.Table.from_pylist(rows, schema=schema_of(PROFILES))
    work.lake.write_partition(made, PROFILES, {"source": source.name})


def judged(source: Source, profile: Profile, measures: Sequence[Measure]) -> Iterator[tuple[CheckOutcome, str]]:
    """Yield what comes of each check by history, with the measure that failed it most, '' of none."""
    months = Months(profile.rows)
    for measure in measures:
        if measure.code in _ABSOLUTE:
            yield _absolute(source, measure, profile), measure.name
    if months.why_not:
        for code in (*_BY_HISTORY, "TEN-Q015", "TEN-Q020"):
            yield coded_outcome(source, code, "", 0, 0, why_not=months.why_not), ""
        return
    shifts = _shifts(profile, measures, months)
    exchanged = _exchanged(profile, months, shifts)
    for first, second in exchanged:
        rows = profile.rows[months.newest]
        yield coded_outcome(source, "TEN-Q015", first, rows, rows, reason=f"'{first}' looks as '{second}' did"), ""
        yield coded_outcome(source, "TEN-Q015", second, rows, rows, reason=f"'{second}' looks as '{first}' did"), ""
    gone = {name for pair in exchanged for name in pair}
    for (code, column), found in shifts.items():
        if column not in gone:
            yield _by_history(source, code, column, months, found)
    yield _volume(source, months, profile), ""


def delivered(
    source: Source, before: Profile, now: Profile, measures: Sequence[Measure]
) -> Iterator[tuple[CheckOutcome, str]]:
    """Yield what comes of each check of the rows that came since a profile was kept, with the measure that failed it.

    Such rows may lie in any month: those of a wrong year are few among the others there.
    """
    came = sum(now.rows.values()) - sum(before.rows.values())
    found: dict[tuple[str, str], list[tuple[str, Shift, int]]] = {}
    for measure in measures:
        if measure.code in _BY_DELIVERY:
            of_measure = found.setdefault((measure.code, measure.column), [])
            was, counted = (one.counts.get((measure.column, measure.name), {}) for one in (before, now))
            failing = max(0, sum(counted.values()) - sum(was.values()))
            one = unlike_delivery(measure.name, before.rows, was, (failing, came))
            of_measure += [(measure.name, one, failing)] if one else []
    for (code, column), shifts in found.items():
        if shifts:
            name, one, failing = max(shifts, key=lambda each: each[1].size)
            reason = f"'{name}' holds of {one.share:.2%} of the rows that came, and of {one.usual:.2%} a month before"
            yield coded_outcome(source, code, column, came, min(failing, came), reason=reason), name
        else:
            yield coded_outcome(source, code, column, max(0, came), 0), ""


def _absolute(source: Source, measure: Measure, profile: Profile) -> CheckOutcome:
    failing = sum(profile.counts[measure.column, measure.name].values())
    return coded_outcome(source, measure.code, measure.column, sum(profile.rows.values()), failing)


def _shifts(profile: Profile, measures: Sequence[Measure], months: Months) -> dict[tuple[str, str], list[Shift]]:
    """What is unlike before by code and column, in an empty list where nothing is."""
    codes = {(one.column, one.name): one.code for one in measures}
    found: dict[tuple[str, str], list[Shift]] = {}
    for (column, name), counted in profile.counts.items():
        code = codes.get((column, name)) or _code_of(name)
        if not code or code in (*_ABSOLUTE, *_BY_DELIVERY):
            continue
        found.setdefault((code, column), [])
        one = shift(months, name, counted)
        if one is not None:
            is_new_value = name.startswith(profile_table.VALUE) and not one.usual
            found.setdefault(("TEN-Q014" if is_new_value else code, column), []).append(one)
    return found


def _code_of(measure: str) -> str:
    """The check of a measure that no column declares; '' of one that an earlier definition left."""
    if measure == profile_table.REPEATED:
        return "TEN-Q018"
    return "TEN-Q017" if measure.startswith(profile_table.VALUE) else ""


def _exchanged(
    profile: Profile, months: Months, shifts: Mapping[tuple[str, str], Sequence[Shift]]
) -> list[tuple[str, str]]:
    """The pairs of columns that look swapped, of those that are unlike before."""
    moved = sorted({column for (_, column), found in shifts.items() if found and column})
    now: dict[str, dict[str, float]] = {name: {} for name in moved}
    usual: dict[str, dict[str, float]] = {name: {} for name in moved}
    before = sum(profile.rows[month] for month in months.earlier)
    for (column, measure), counted in profile.counts.items():
        if column in now:
            now[column][measure] = counted.get(months.newest, 0) / profile.rows[months.newest]
            usual[column][measure] = sum(counted.get(month, 0) for month in months.earlier) / before
    return swapped(now, usual)


def _by_history(
    source: Source, code: str, column: str, months: Months, shifts: Sequence[Shift]
) -> tuple[CheckOutcome, str]:
    rows = months.rows[months.newest]
    if not shifts:
        return coded_outcome(source, code, column, rows, 0), ""
    most = max(shifts, key=lambda one: one.size)
    now = f"in {months.newest:%Y-%m} {_measure_words(most.measure)} {most.share:.2%} of the rows"
    reason = f"{now}, and {most.usual:.2%} in the {len(months.earlier)} months before"
    return coded_outcome(source, code, column, rows, max(1, round(most.size * rows)), reason=reason), most.measure


def _measure_words(measure: str) -> str:
    if measure.startswith(profile_table.VALUE):
        return f"'{measure.removeprefix(profile_table.VALUE)}' is the value of"
    return f"'{measure}' holds of"


def _volume(source: Source, months: Months, profile: Profile) -> CheckOutcome:
    rows = months.rows[months.newest]
    found = volume(months, profile.last_event, is_cut=True) if profile.last_event else None
    if found is None:
        return coded_outcome(source, "TEN-Q020", "", rows, 0)
    now, least, most = found
    reason = f"{months.newest:%Y-%m} has {now:,.1f} rows a day, and the months before {least:,.1f} to {most:,.1f}"
    return coded_outcome(source, "TEN-Q020", "", rows, rows, reason=reason)


def coded_outcome(
    source: Source, code: str, column: str, rows: int, failing: int, *, reason: str = "", why_not: str = ""
) -> CheckOutcome:
    """Return what came of one of Tenure's own checks: failed if any row does, not applicable if it says why not."""
    found = CODES[code]
    return CheckOutcome(
        source=source.name,
        code=code,
        column=column,
        dimension=found.dimension,
        severity=found.severity,
        title=found.title,
        rows=rows,
        failing=failing,
        tolerance=0.0,
        verdict="not applicable" if why_not else "failed" if failing else "passed",
        reason=why_not or reason,
    )


def failing_check(
    source: Source, one: CheckOutcome, measure: str, profile: Profile, measures: Sequence[Measure], dialect: Dialect
) -> RowCheck | None:
    """Return the check of single rows behind a failed one by history, None where no row alone shows it."""
    condition = next((m.failing for m in measures if (m.column, m.name) == (one.column, measure)), "")
    if measure.startswith(profile_table.VALUE):
        condition = profile_table.value_is(one.column, measure.removeprefix(profile_table.VALUE), dialect)
    if not condition:
        return None
    if one.code not in (*_ABSOLUTE, *_BY_DELIVERY):
        months = Months(profile.rows)
        counted = profile.counts[one.column, measure]
        found = shift(months, measure, counted)
        condition = profile_table.in_month(months.newest, condition, holds=found is None or found.rose)
    return RowCheck(
        code=one.code,
        source=source.name,
        column=one.column,
        columns=(one.column,),
        dimension=one.dimension,
        severity=one.severity,
        title=one.title,
        tolerance=0.0,
        failing=condition,
    )
