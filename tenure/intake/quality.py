"""Quality of the rows that staging is about to commit: checked, noted with a score, and refused where a check stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks import coded
from tenure.checks.in_memory import schema_of
from tenure.checks.score import scores
from tenure.define.check import CheckOutcome, RowCheck
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.define.table_rules import Relation
from tenure.faults.error_log import FOLDER, keep_private, moment
from tenure.intake import profiles
from tenure.session.work import Work
from tenure.tables import checks as table
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


def judge(work: Work, source: Source, relation: str = table.CHECKED, *, added: bool = False) -> Judgement:
    """Check the rows of a relation, by default those about to be committed; raise nothing.

    With `added` they are new ones beside those that are staged, in place of the relation `REMOVED`.
    """
    checks, measures = asked_checks(work, source), profile_table.measures(source, work.dialect)
    counts, profile = profiles.gathered(work, source, checks, relation)
    judgement = Judgement(profile=profile)
    for check, by_month in zip(checks, counts.failing, strict=True):
        found = coded.outcome(check, counts.all_rows, sum(by_month.values()))
        _add(work, source, check, found, judgement, relation)
    if added:
        profile.add(profiles.stored(work, source))
        profile.add(profiles.gathered(work, source, (), REMOVED)[1], -1)
    for found, measure in profiles.judged(source, profile, measures):
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


def proof(work: Work, source: Source, compare: Callable[[], object], *, added: bool = False) -> Callable[[], None]:
    """Return what is to be done before the rows of a source are committed: compare them, check them, note what came.

    With `added` they are new ones beside those that are staged.
    It raises what `compare` does, and DataCheckFailed, with the failing rows kept, if a check stops the source.
    """

    def checked() -> None:
        compare()
        judgement = judge(work, source, added=added)
        note(work, source, judgement)
        require_good(source, judgement)
        if judgement.profile is not None:
            profiles.keep(work, source, judgement.profile)

    return checked


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
