"""Quality of the rows that staging is about to commit: checked, noted with a score, and refused where a check stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks import coded
from tenure.checks.history import LEAST_ROWS, unlike
from tenure.checks.in_memory import schema_of
from tenure.checks.score import scores
from tenure.define.check import CheckOutcome, RowCheck
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.define.table_rules import Relation
from tenure.faults.error_log import FOLDER, keep_private, moment
from tenure.intake import profiles
from tenure.intake.facts import definition_of, intake_facts, reasons_in
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.tables import checks as table
from tenure.tables import completeness as completeness_table
from tenure.tables import profile as profile_table
from tenure.tables.completeness import REMOVED

CHECKS, QUALITY = FIXED["checks"], FIXED["quality"]

_REFUSED = "Nothing of it was staged"
_HINT = (
    "Fix the data, or where they are right, the rule: contracts/ and checks.py of the project. "
    "'tenure show failing_rows/{source}' shows the rows."
)


@dataclass
class Judgement:
    """What came of the checks of a source's rows, and some rows that fail each failed one."""

    outcomes: list[CheckOutcome] = field(default_factory=list)
    failing: list[tuple[CheckOutcome, coded.Failing]] = field(default_factory=list)
    profile: profiles.Profile | None = None


def asked_checks(work: Work, source: Source) -> list[RowCheck]:
    """Return the checks that the contract and the bank itself make of single rows of a source."""
    rules = work.project.rules.get(source.name)
    found = list(table.rule_checks(source, rules, work.dialect)) if rules else []
    return [*found, *table.own_checks(work.project, source, work.dialect)]


def judge_stored(work: Work, source: Source, relation: str) -> Judgement:
    """Check the rows of a relation of staged rows, with those of other tables; raise and keep nothing."""
    judgement = judge(work, source, relation)
    rules = work.project.rules.get(source.name)
    for each in rules.relations if rules else ():
        _relate(work, source, each, judgement, relation_name=relation)
    return judgement


def judge(
    work: Work, source: Source, relation: str = table.CHECKED, *, added: bool = False, delivered: bool = False
) -> Judgement:
    """Check the rows of a relation, by default those about to be committed; raise nothing.

    With `added` they are new ones beside those that are staged, in place of the relation `REMOVED`. If they are
    `delivered`, what came since the last staging is held against what was there.
    """
    checks, measures = asked_checks(work, source), profile_table.measures(source, work.dialect)
    counts, profile = profiles.gathered(work, source, checks, relation)
    judgement = Judgement(profile=profile)
    for check, by_month in zip(checks, counts.failing, strict=True):
        found = coded.outcome(check, counts.all_rows, sum(by_month.values()))
        _add(work, source, check, found, judgement, relation)
    before = profiles.stored(work, source) if added or delivered else profiles.Profile()
    if added:
        profile.add(before)
        profile.add(profiles.gathered(work, source, (), REMOVED)[1], -1)
    by_history = [*profiles.judged(source, profile, measures)]
    by_history += profiles.delivered(source, before, profile, measures) if delivered and before.rows else []
    for found, measure in by_history:
        row_check = profiles.failing_check(source, found, measure, profile, measures, work.dialect)
        if found.verdict == "failed" and row_check:
            _add(work, source, row_check, found, judgement, relation)
        else:
            judgement.outcomes.append(found)
    return judgement


def _add(work: Work, source: Source, check: RowCheck, found: CheckOutcome, judgement: Judgement, relation: str) -> None:
    """Add an outcome to a judgement; of a failed one with its example and rows."""
    if found.verdict == "failed":
        rows = coded.failing(work.engine, source, check, relation)
        found = coded.with_example(found, rows)
        judgement.failing.append((found, rows))
    judgement.outcomes.append(found)


def proof(
    work: Work,
    source: Source,
    compare: Callable[[], object],
    *,
    added: bool = False,
    before: TableVersion | None = None,
    set_aside: Mapping[str, int] = MappingProxyType({}),
) -> Callable[[], None]:
    """Return what is to be done before the rows of a source are committed: compare them, check them, note what came.

    With `added` they are new ones beside those that are staged. `before` is the version that `compare` compares them
    with, and `set_aside` how many rows are for which reason.
    It raises what `compare` does, and DataCheckFailed, with the failing rows kept, if a check stops the source.
    """

    def checked() -> None:
        compare()
        known = intake_facts(work).get(source.name, {})
        # What a new definition changes in every row is no fault of the delivery.
        is_as_before = known.get("definition") == definition_of(work, source)
        judgement = judge(work, source, added=added, delivered=is_as_before)
        if is_as_before and not source.is_captured:
            judgement.outcomes += rewritten(work, source, before) if before is not None else []
            rows = sum((judgement.profile or profiles.Profile()).rows.values())
            judgement.outcomes += set_aside_unlike_before(source, known, set_aside, rows)
        note(work, source, judgement)
        require_good(source, judgement)
        if judgement.profile is not None:
            profiles.keep(work, source, judgement.profile)

    return checked


def rewritten(work: Work, source: Source, before: TableVersion) -> list[CheckOutcome]:
    """Return, column by column, whether rows that were staged before came as they were.

    A version of a row that has a known time is what was known then: another value under the same time is one that
    snapshots since would see, though nobody knew it. Of a source without a known time rows may change.
    """
    if not source.known_time:
        return []
    columns = [c.name for c in source.columns if c.name not in source.version_key and c.name in before.schema.names]
    (counted,) = work.engine.run(completeness_table.changed_cells(source, columns).text).to_pylist()
    found = []
    for place, name in enumerate(columns):
        rows, failing = int(counted["n_rows"]), int(counted[f"c{place}"] or 0)
        words = f"{failing:,} of {rows:,} rows have another value than when they were last staged"
        found.append(profiles.coded_outcome(source, "TEN-Q021", name, rows, failing, reason=words if failing else ""))
    return found


def set_aside_unlike_before(
    source: Source, known: Mapping[str, Any], now: Mapping[str, int], rows: int
) -> list[CheckOutcome]:
    """Return, reason by reason, whether more rows are set aside of those that came than of those before."""
    staged = int(known.get("rows_staged") or 0)
    came = rows - staged
    if not staged or came < LEAST_ROWS:
        return []
    before = reasons_in(str(known.get("reasons") or ""))
    found = []
    for reason, number in sorted(now.items()):
        was = before.get(reason, 0)
        more = min(came, max(0, number - was))
        column = reason.partition(":")[0]
        column = column if column in source.column_names else source.keys[0]
        words = f"{more:,} of the {came:,} rows that came: {reason}; and {was:,} of the {staged:,} before"
        failing = more if unlike(reason, [(min(was, staged), staged)], (more, came)) else 0
        found.append(profiles.coded_outcome(source, "TEN-Q024", column, came, failing, reason=words if failing else ""))
    return found


def require_related(work: Work, built: Collection[str]) -> list[CheckOutcome]:
    """Check that rows have their row in another table, once both are staged; return what came of it, and note it.

    Only where one of both is among those `built` in this run, or where that is not known to hold. Raises
    DataCheckFailed if more rows than a relation allows have none: no later stage runs.
    """
    passed = {(row["source"], row["title"]) for row in noted(work) if row["outcome"] == "passed"}
    outcomes: list[CheckOutcome] = []
    for name, rules in work.project.rules.items():
        source, judgement = work.project.source(name, asked_by=f"the contract of '{name}'"), Judgement()
        for relation in rules.relations:
            check = table.relation_check(source, relation)
            if {name, relation.table} & set(built) or (name, check.title) not in passed:
                work.scan([name])
                _relate(work, source, relation, judgement, relation_name=name)
        if judgement.outcomes:
            note(work, source, judgement)
            consequence = "Both tables are staged, and no later stage runs"
            coded.require_none_stops(
                source, judgement.outcomes, consequence=consequence, hint=_HINT.format(source=name)
            )
            outcomes += judgement.outcomes
    return outcomes


def related(work: Work, source: Source, relation: Relation, relation_name: str) -> CheckOutcome:
    """Return whether the rows of a relation have their row in the other table."""
    check = table.relation_check(source, relation)
    other = work.project.source(relation.table, asked_by=f"the contract of '{source.name}'")
    for column in relation.its_columns:
        other.column(column)
    version = work.require(relation.table)
    work.engine.scan(table.OTHER, version.files, version.schema, version.partition_by)
    (counted,) = work.engine.run(table.counted_orphans(relation, relation_name).text).to_pylist()
    return coded.outcome(check, int(counted["n_rows"]), int(counted["n"]))


def _relate(work: Work, source: Source, relation: Relation, judgement: Judgement, *, relation_name: str) -> None:
    """Add to a judgement whether rows have their row in the other table, and some of those that do not."""
    check, found = table.relation_check(source, relation), related(work, source, relation, relation_name)
    if found.verdict == "failed":
        rows = coded.orphans(work.engine, source, check, relation, relation_name)
        found = coded.with_example(found, rows)
        judgement.failing.append((found, rows))
    judgement.outcomes.append(found)


def require_good(source: Source, judgement: Judgement) -> None:
    """Raise DataCheckFailed if a check stops the source."""
    hint = _HINT.format(source=source.name)
    coded.require_none_stops(source, judgement.outcomes, consequence=_REFUSED, hint=hint)


def note(work: Work, source: Source, judgement: Judgement) -> None:
    """Keep what came of a source's checks in this run, beside those of earlier runs, and the rows that fail."""
    values = {"source": source.name, "run_id": work.run_id}
    rows = [_row(one) | values for one in judgement.outcomes]
    told = {(row["code"], row["column_name"], row["title"]) for row in rows}
    rows += [row for row in _of_this_run(work, values) if (row["code"], row["column_name"], row["title"]) not in told]
    if rows or work.lake.find(CHECKS.table) is None:
        work.lake.write_partition(pa.Table.from_pylist(rows, schema=schema_of(CHECKS)), CHECKS, values)
        scored = [
            {"column_name": one.column, "score": one.score, "checks": one.checks, "failed": one.failed} | values
            for one in scores(rows)
        ]
        work.lake.write_partition(pa.Table.from_pylist(scored, schema=schema_of(QUALITY)), QUALITY, values)
    _note_failing(work, source, judgement)
    _log(work, source, judgement)


def _log(work: Work, source: Source, judgement: Judgement) -> None:
    """Add each outcome to the run's log, as a line of JSON."""
    lines = [json.dumps({"at": moment(), "source": source.name} | _row(one)) for one in judgement.outcomes]
    keep_private(work.lake.folder / FOLDER / f"{work.run_id}.checks.jsonl", "".join(f"{line}\n" for line in lines))


def _of_this_run(work: Work, values: Mapping[str, str]) -> list[dict[str, Any]]:
    if work.lake.find(CHECKS.table) is None:
        return []
    return list(work.lake.read(CHECKS.table, where=values).to_pylist())


def _row(one: CheckOutcome) -> dict[str, Any]:
    return {
        "code": one.code,
        "column_name": one.column,
        "dimension": one.dimension,
        "severity": one.severity,
        "title": one.title,
        "rows": one.rows,
        "failing": one.failing,
        "share": one.share,
        "tolerance": one.tolerance,
        "outcome": one.verdict,
        "reason": one.reason,
    }


def _note_failing(work: Work, source: Source, judgement: Judgement) -> None:
    """Keep the failing rows of this run in place of those of earlier ones."""
    name = f"failing_rows/{source.name}"
    stored = work.lake.find(name)
    if stored is None and not judgement.failing:
        return
    parts = [_with_reason(work, one, rows) for one, rows in judgement.failing]
    if stored is not None:
        before = work.lake.read(name)
        parts.append(before.filter(pc.equal(before["run_id"], work.run_id)))
    if judgement.failing or (stored is not None and stored.rows):
        work.lake.write(pa.concat_tables(parts, promote_options="permissive"), work.contracts[name])


def _with_reason(work: Work, one: CheckOutcome, rows: coded.Failing) -> pa.Table:
    """The rows of one failed check as they are kept."""
    number = len(rows.values)
    constants = {
        "run_id": work.run_id,
        "code": one.code,
        "severity": one.severity,
        "column_name": one.column,
        "reason": one.title,
    }
    made = pa.table({name: pa.repeat(pa.scalar(value), number) for name, value in constants.items()})
    for name in rows.keys.column_names:
        made = made.append_column(name, rows.keys[name])
    return made.append_column("value", pa.array(rows.values, pa.string()))


def findings_in_words(work: Work) -> list[str]:
    """Return the failed checks of each source's newest run that let it go on, as clauses; notes are left out.

    Errors have a message of their own, and so has the run that they stopped.
    """
    found = []
    for row in noted(work):
        if row["source"] in work.project.sources and (row["outcome"], row["severity"]) == ("failed", "warning"):
            place = f"column '{row['column_name']}': " if row["column_name"] else ""
            counted = row["reason"] or f"{row['failing']:,} of {row['rows']:,} rows"
            found.append(f"{row['source']}: {place}{row['title']}: {counted} ({row['code']})")
    return sorted(found)


def noted(work: Work) -> list[Mapping[str, Any]]:
    """Return the outcomes of every source's newest run."""
    return _of_newest_runs(work, CHECKS.table)


def newest_scores(work: Work) -> list[Mapping[str, Any]]:
    """Return the data quality scores of every source's newest run, as rows of the table `quality`."""
    return _of_newest_runs(work, QUALITY.table)


def _of_newest_runs(work: Work, table: str) -> list[Mapping[str, Any]]:
    if work.lake.find(table) is None:
        return []
    rows = work.lake.read(table).to_pylist()
    newest: dict[str, str] = {}
    for row in rows:
        newest[row["source"]] = max(newest.get(row["source"], ""), row["run_id"])
    return [row for row in rows if row["run_id"] == newest[row["source"]]]
