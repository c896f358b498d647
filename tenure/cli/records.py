"""What `--json` prints: one declared record a line, with its kind and the version of its schema.

A field is never renamed, dropped or given another meaning without a new version of its record; a field may be added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_type_hints

if TYPE_CHECKING:
    from tenure.catalog.check import Confirmation
    from tenure.catalog.contracts import Difference, Written
    from tenure.catalog.diff import Change, ColumnDiff, TableDiff
    from tenure.catalog.features import Entry
    from tenure.catalog.lineage import Lineage
    from tenure.catalog.versions import Version
    from tenure.checks.drift_findings import DriftFinding
    from tenure.define.check import CheckOutcome
    from tenure.feature_store.plan import Partition
    from tenure.leaks.staged_rows import Finding
    from tenure.proofs.differences import Comparison
    from tenure.proofs.gate import Proof
    from tenure.publish.reconciliation import Break, Reconciled
    from tenure.store.integrity import Damage
    from tenure.store.repair import Repaired
    from tenure.store.runs import StageRun


@dataclass(frozen=True)
class Record:
    """A line of `--json`: `record` is its kind, `schema` the version of its fields."""

    kind: ClassVar[str]
    schema: ClassVar[int] = 1

    def line(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps({"record": self.kind, "schema": self.schema, **asdict(self)}, default=str)


@dataclass(frozen=True)
class StageRecord(Record):
    """What a stage did: of `run`, `demo`, `backfill`, `materialize`, `restore`, `explore`, `status` and each stage."""

    kind: ClassVar[str] = "stage"

    stage: Annotated[str, "the stage, or 'generate', 'restore', 'repair', 'explore', 'verify' or 'integrity'"]
    status: Annotated[str, "'built', 'current', 'proved', 'failed', 'interrupted' or 'started'"]
    rows: Annotated[int, "rows of the tables that it stands on now; cells compared, of 'verify'"]
    seconds: Annotated[float, "how long it took"]
    message: Annotated[str, "what else there is to say, '' for nothing"]
    run_id: Annotated[str, "the run; '' of 'generate', which is none"] = ""
    started_at: Annotated[str, "when it began, UTC"] = ""
    fingerprint: Annotated[str, "digest of what its last table was made of"] = ""
    versions: Annotated[Mapping[str, int], "the Delta version of each table that it stands on now"] = field(
        default_factory=dict
    )
    engine: Annotated[str, "the engine and its version, '' if none was started"] = ""
    checks: Annotated[int, "checks of contracts and proofs that passed"] = 0

    @classmethod
    def of_run(cls, run: StageRun) -> StageRecord:
        """Return the record of what a run has just done."""
        return cls(
            stage=run.stage,
            status=run.status,
            rows=run.rows,
            seconds=run.seconds,
            message=run.message,
            run_id=run.run_id,
            started_at=str(run.started_at),
            fingerprint=run.fingerprint,
            versions=run.versions,
            engine=run.engine,
            checks=len(run.checks),
        )

    @classmethod
    def of_ledger(cls, row: Mapping[str, Any]) -> StageRecord:
        """Return the record of a row of the ledger, which keeps versions and checks as JSON text."""
        return cls(
            stage=row["stage"],
            status=row["status"],
            rows=row["rows"],
            seconds=row["seconds"],
            message=row["message"],
            run_id=row["run_id"],
            started_at=_utc(row["started_at"]),
            fingerprint=row["fingerprint"],
            versions=json.loads(row["versions"] or "{}"),
            engine=row["engine"],
            checks=len(json.loads(row["checks"] or "[]")),
        )


@dataclass(frozen=True)
class PlanRecord(Record):
    """A partition of a plan, or a source that `staging` would read again: of `plan`."""

    kind: ClassVar[str] = "plan"

    table: Annotated[str, "the table, such as 'features' or 'staging/customers'"]
    partition: Annotated[str, "the partition's value, such as a snapshot date; '' of a source"]
    state: Annotated[str, "'current', 'missing', 'stale' or 'retired'"]
    why: Annotated[str, "the reason, '' where it is current"]

    @classmethod
    def of(cls, part: Partition) -> PlanRecord:
        """Return the record of a partition of a plan."""
        return cls(part.table, str(part.value), part.state, part.why)


@dataclass(frozen=True)
class ConfirmationRecord(Record):
    """One thing that was checked and found right: of `check`."""

    kind: ClassVar[str] = "confirmation"

    subject: Annotated[str, "what was checked"]
    message: Annotated[str, "what was found"]

    @classmethod
    def of(cls, confirmation: Confirmation) -> ConfirmationRecord:
        """Return the record of what the check found right."""
        return cls(confirmation.subject, confirmation.message)


@dataclass(frozen=True)
class FindingRecord(Record):
    """A leak that was found, or, where `alarm` is false, why something could not be looked at: of `check`, `verify`."""

    kind: ClassVar[str] = "finding"

    detection: Annotated[str, "the search that found it"]
    subject: Annotated[str, "where it was found"]
    message: Annotated[str, "what was found, and where it is defined"]
    hint: Annotated[str, "what to do"]
    alarm: Annotated[bool, "whether it is a leak"]

    @classmethod
    def of(cls, finding: Finding) -> FindingRecord:
        """Return the record of a finding."""
        return cls(finding.detection, finding.subject, finding.message, finding.hint, finding.alarm)


@dataclass(frozen=True)
class CheckRecord(Record):
    """What came of one check of staged rows: of `check --sample`, `check --all` and `contract check`."""

    kind: ClassVar[str] = "check"

    source: Annotated[str, "the source whose rows were checked"]
    code: Annotated[str, "the check: TEN-Q001 and on, or the name of the bank's own"]
    column: Annotated[str, "the column that it looks at, '' for whole rows"]
    dimension: Annotated[str, "what it is about, such as 'completeness'"]
    severity: Annotated[str, "'error', 'warning' or 'note'"]
    title: Annotated[str, "what fails it"]
    rows: Annotated[int, "rows that were judged"]
    failing: Annotated[int, "rows that fail it"]
    tolerance: Annotated[float, "the share of the rows that may"]
    outcome: Annotated[str, "'passed', 'failed' or 'not applicable'"]
    reason: Annotated[str, "why it is not applicable, or what it was compared with"]
    example: Annotated[str, "a row that fails it; of personal columns the shape of a value alone"]

    @classmethod
    def of(cls, one: CheckOutcome) -> CheckRecord:
        """Return the record of an outcome."""
        return cls(
            source=one.source,
            code=one.code,
            column=one.column,
            dimension=one.dimension,
            severity=one.severity,
            title=one.title,
            rows=one.rows,
            failing=one.failing,
            tolerance=one.tolerance,
            outcome=one.verdict,
            reason=one.reason,
            example=one.example,
        )


@dataclass(frozen=True)
class ProofRecord(Record):
    """One proof of the stored features: of `verify`."""

    kind: ClassVar[str] = "proof"

    proof: Annotated[str, "'rows', 'oracle', 'time travel' or 'backfill'"]
    message: Annotated[str, "what was compared"]
    cells: Annotated[int, "cells compared"]
    different_cells: Annotated[int, "cells that differ; 0 where the proof holds"]
    example: Annotated[str, "one of them, '' for none"]
    seconds: Annotated[float, "how long it took"]
    unproven: Annotated[Mapping[str, str], "columns that could not be proved, each with the reason"]

    @classmethod
    def of(cls, proof: Proof) -> ProofRecord:
        """Return the record of a proof."""
        compared = (proof.cells, proof.different_cells, proof.example)
        return cls(proof.proof, proof.summary, *compared, proof.seconds, proof.unproven)


@dataclass(frozen=True)
class ComparisonRecord(Record):
    """A table of two engines, compared cell by cell: of `verify --engines`."""

    kind: ClassVar[str] = "comparison"

    table: Annotated[str, "the table"]
    rows: Annotated[int, "rows compared"]
    columns: Annotated[int, "columns compared"]
    different_cells: Annotated[int, "cells that differ"]
    example: Annotated[str, "one of them, '' for none"]

    @classmethod
    def of(cls, comparison: Comparison) -> ComparisonRecord:
        """Return the record of a comparison."""
        size = (comparison.rows, comparison.columns)
        return cls(comparison.table, *size, comparison.different_cells, comparison.example)


@dataclass(frozen=True)
class DamageRecord(Record):
    """A file of the lake that is not as it was written: of `verify --integrity`."""

    kind: ClassVar[str] = "damage"

    table: Annotated[str, "the table"]
    version_of_table: Annotated[str, "the Delta version, '' of a file of no version"]
    partition: Annotated[str, "the partition, such as 'snapshot_date=2024-01-31'; '' for none"]
    file: Annotated[str, "the file, below the lake's folder"]
    problem: Annotated[str, "what is wrong with it"]

    @classmethod
    def of(cls, damage: Damage) -> DamageRecord:
        """Return the record of a damaged file."""
        return cls(damage.table, str(damage.version), damage.partition, damage.file, damage.problem)


@dataclass(frozen=True)
class RepairRecord(Record):
    """What was done about a damaged table: of `repair`."""

    kind: ClassVar[str] = "repair"

    table: Annotated[str, "the table"]
    moved: Annotated[Sequence[str], "the files that were moved aside, below the lake's folder"]
    meaning: Annotated[str, "what that means for the table"]
    lost: Annotated[bool, "whether rows, versions or a model are lost for good"]

    @classmethod
    def of(cls, repaired: Repaired) -> RepairRecord:
        """Return the record of what was done about a table."""
        return cls(repaired.table, repaired.moved, repaired.meaning, repaired.is_loss)


@dataclass(frozen=True)
class StrangerRecord(Record):
    """A file in the lake that Tenure did not write, or an old lake left: of `verify --integrity`."""

    kind: ClassVar[str] = "stranger"

    file: Annotated[str, "the file, below the lake's folder"]


@dataclass(frozen=True)
class CopyRecord(Record):
    """What a copy of a lake did: of `lake copy`."""

    kind: ClassVar[str] = "copy"

    files: Annotated[int, "files of the lake that are there now"]
    sent: Annotated[int, "those that were copied now; the others an earlier try had copied"]
    bytes: Annotated[int, "bytes that were copied now"]


@dataclass(frozen=True)
class MigrationRecord(Record):
    """A table that was taken over from an older Tenure's lake: of `lake migrate`."""

    kind: ClassVar[str] = "migration"

    table: Annotated[str, "the table, below the lake's folder"]
    rows: Annotated[int, "rows of its newest version"]


@dataclass(frozen=True)
class CompactRecord(Record):
    """What compaction did to a table: of `compact`."""

    kind: ClassVar[str] = "compact"

    table: Annotated[str, "the table, below the lake's folder"]
    files_before: Annotated[int, "files of its newest version before"]
    files: Annotated[int, "files of its newest version now"]
    removed: Annotated[int, "files removed that only forgotten versions named"]
    bytes: Annotated[int, "their bytes"]


@dataclass(frozen=True)
class ForgottenTableRecord(Record):
    """What goes from a table and all its kept versions: of `forget`."""

    kind: ClassVar[str] = "forgotten_table"

    table: Annotated[str, "the table, below the lake's folder"]
    files: Annotated[int, "data files that are written anew"]
    rows: Annotated[int, "rows that go, counted once a file"]


@dataclass(frozen=True)
class ForgottenFileRecord(Record):
    """A file beside the tables that named a customer, or might: of `forget`."""

    kind: ClassVar[str] = "forgotten_file"

    file: Annotated[str, "the file, below the lake's or the output's folder"]
    done: Annotated[str, "`rewritten` or `removed`"]


@dataclass(frozen=True)
class ForgottenRecord(Record):
    """What was forgotten in all, or with `--dry-run` would be: of `forget`."""

    kind: ClassVar[str] = "forgotten"

    done: Annotated[bool, "false of a dry run: nothing was changed"]
    customers: Annotated[Sequence[str], "the keyed hashes by which staging refuses the customers"]
    rows: Annotated[int, "rows that went"]
    models: Annotated[Sequence[str], "versions of models that were trained or chosen on the customers' rows"]
    files_searched: Annotated[int, "files that were decoded and searched afterwards, with no trace found"]


@dataclass(frozen=True)
class ViewRecord(Record):
    """A view of a table's newest version in the file of views: of `views`."""

    kind: ClassVar[str] = "view"

    name: Annotated[str, "its name in SQL"]
    table: Annotated[str, "the table, below the lake's folder"]
    version: Annotated[int, "the Delta version that it shows"]
    rows: Annotated[int, "rows of that version"]
    left_out: Annotated[Sequence[str], "personal columns that it does not show"]


@dataclass(frozen=True)
class FeatureRecord(Record):
    """A feature column: of `features list`, `features search` and `features describe`."""

    kind: ClassVar[str] = "feature"

    name: Annotated[str, "the column"]
    view: Annotated[str, "the feature view that defines it"]
    source: Annotated[str, "the source that the view reads"]
    text: Annotated[str, "what it means"]
    unit: Annotated[str, "its unit, '' for none"]
    boundary: Annotated[str, "which rows it reads"]
    empty: Annotated[str, "what no rows give"]
    reads: Annotated[str, "the columns that it reads"]
    where: Annotated[str, "its condition on one row, '' for none"]
    where_defined: Annotated[str, "file and line of its definition"]
    services: Annotated[str, "the feature services that hold it"]

    @classmethod
    def of(cls, entry: Entry) -> FeatureRecord:
        """Return the record of a catalogue's entry."""
        return cls(**{part.name: getattr(entry, part.name) for part in fields(cls)})


@dataclass(frozen=True)
class LineageRecord(Record):
    """A column with its upstream and what reads it: of `lineage`."""

    kind: ClassVar[str] = "lineage"

    name: Annotated[str, "the column"]
    type: Annotated[str, "what it is: a feature, a column of a table, a raw column"]
    message: Annotated[str, "what it means or how it is computed"]
    upstream: Annotated[Sequence[Mapping[str, Any]], "nested: `type`, `name`, `message`, `upstream` of each"]
    read_by: Annotated[Sequence[Mapping[str, Any]], "`type`, `name`, `message`, `columns` of each reader"]

    @classmethod
    def of(cls, lineage: Lineage) -> LineageRecord:
        """Return the record of a column's lineage."""
        top = _step(lineage.origin)
        readers = [
            {"type": reader.kind, "name": reader.name, "message": reader.summary, "columns": list(reader.columns)}
            for reader in lineage.read_by
        ]
        return cls(top["name"], top["type"], top["message"], top["upstream"], readers)


@dataclass(frozen=True)
class DriftRecord(Record):
    """A feature column that has moved at the newest snapshot: of `drift`."""

    kind: ClassVar[str] = "drift"

    snapshot_date: Annotated[str, "the snapshot"]
    column: Annotated[str, "the feature column; '' of the number of rows"]
    moved: Annotated[str, "'mean', 'spread', 'shape', 'missing', 'category', 'unseen value' or 'volume'"]
    is_alarm: Annotated[bool, "whether it alarms; false of an unseen value in few rows"]
    deviate: Annotated[float | None, "how far from the usual, as a normal deviate; null of an unseen value"]
    limit: Annotated[float | None, "from where on it alarms; of an unseen value the rows"]
    chance: Annotated[float | None, "how likely as much is where nothing moves"]
    message: Annotated[str, "what moved, in words"]

    @classmethod
    def of(cls, one: DriftFinding) -> DriftRecord:
        """Return the record of a finding."""
        day, figures = str(one.snapshot_date), (one.deviate, one.limit, one.chance)
        return cls(day, one.column_name, one.kind, one.is_alarm, *figures, one.words)


@dataclass(frozen=True)
class ReconciliationRecord(Record):
    """What bookings held against balances came to: of `reconcile`."""

    kind: ClassVar[str] = "reconciliation"

    name: Annotated[str, "the reconciliation"]
    days: Annotated[int, "account-days"]
    unchecked: Annotated[int, "those without a balance to compare with"]
    breaks: Annotated[int, "those whose bookings do not explain a balance"]
    accounts: Annotated[int, "accounts"]
    broken_accounts: Annotated[int, "those with a break"]
    unreconciled_accounts: Annotated[int, "those with a break, or without any balance"]
    kinds: Annotated[Mapping[str, int], "breaks by what they look like"]

    @classmethod
    def of(cls, ledger: Reconciled) -> ReconciliationRecord:
        """Return the record of a reconciliation."""
        return cls(**{part.name: getattr(ledger, part.name) for part in fields(cls)})


@dataclass(frozen=True)
class BreakRecord(Record):
    """One of the ten worst breaks with its first bookings: of `reconcile`."""

    kind: ClassVar[str] = "break"

    name: Annotated[str, "the reconciliation"]
    account: Annotated[str, "the account; its shape if it is personal"]
    day: Annotated[str, "the day of the balance"]
    from_day: Annotated[str, "bookings after this day count, '' for all"]
    looks_like: Annotated[str, "what it looks like: 'missing', 'duplicate', 'gap' …"]
    opening: Annotated[str, "the balance that it opened with, '' if not known; all amounts as text, exact"]
    net: Annotated[str, "what its bookings add up to"]
    expected: Annotated[str, "opening and net"]
    balance: Annotated[str, "the balance nearest to that, '' for none"]
    difference: Annotated[str, "balance less expected, '' for none"]
    missing_balances: Annotated[int, "balances that are missing before it"]
    bookings: Annotated[int, "bookings that count"]
    shown: Annotated[Sequence[Mapping[str, Any]], "the first of them: `key`, `booked_on`, `moved`, `balance_after`"]

    @classmethod
    def of(cls, name: str, one: Break) -> BreakRecord:
        """Return the record of a break."""
        amounts = {part: _text(getattr(one, part)) for part in ("opening", "net", "expected", "balance", "difference")}
        return cls(
            name=name,
            account=one.account,
            day=str(one.day),
            from_day=_text(one.from_day),
            looks_like=one.kind,
            missing_balances=one.missing_balances,
            bookings=one.bookings,
            shown=[{part: _text(value) for part, value in asdict(booking).items()} for booking in one.shown],
            **amounts,
        )


@dataclass(frozen=True)
class VersionRecord(Record):
    """A version of a table: of `history`."""

    kind: ClassVar[str] = "table_version"

    table: Annotated[str, "the table"]
    number: Annotated[int, "the Delta version"]
    committed_at: Annotated[str, "when it was committed, UTC"]
    rows: Annotated[int, "its rows"]
    fingerprint: Annotated[str, "digest of what it was made of"]
    stage: Annotated[str, "the stage that made it, '' where the ledger does not know"]
    run_id: Annotated[str, "the run that made it"]
    note: Annotated[str, "what else there is to say"]

    @classmethod
    def of(cls, one: Version) -> VersionRecord:
        """Return the record of a table's version."""
        made = (one.fingerprint, one.stage, one.run_id, one.note)
        return cls(one.table, one.version, one.committed_at, one.rows, *made)


@dataclass(frozen=True)
class RowRecord(Record):
    """A row of a table: of `show`."""

    kind: ClassVar[str] = "row"

    values: Annotated[
        Mapping[str, Any], "the row's cells by column; dates, times, decimals as text, bytes as their number"
    ]


@dataclass(frozen=True)
class DiffRecord(Record):
    """What changed in a table from one version to another: of `diff`, before its columns and changes."""

    kind: ClassVar[str] = "diff"

    table: Annotated[str, "the table, below the lake's folder"]
    before: Annotated[int, "the Delta version that is compared"]
    after: Annotated[int, "the Delta version that it is compared with"]
    keys: Annotated[Sequence[str], "the key's columns, by which rows are matched, as texts"]
    rows_before: Annotated[int, "rows of the first version"]
    rows_after: Annotated[int, "rows of the second version"]
    added: Annotated[int, "rows whose key the second version alone has"]
    removed: Annotated[int, "rows whose key the first version alone has"]
    changed: Annotated[int, "rows of both with a cell that differs, in the columns that both have"]
    same: Annotated[int, "rows of both without one"]
    cells_changed: Annotated[int, "cells that differ in rows of both"]

    @classmethod
    def of(cls, found: TableDiff) -> DiffRecord:
        """Return the record of two versions compared."""
        return cls(**{part.name: getattr(found, part.name) for part in fields(cls)})


@dataclass(frozen=True)
class ColumnDiffRecord(Record):
    """A column of two versions: of `diff`."""

    kind: ClassVar[str] = "column_diff"

    column: Annotated[str, "the column"]
    type_before: Annotated[str, "its type in the first version, '' if that lacks it"]
    type_after: Annotated[str, "its type in the second version, '' if that lacks it"]
    cells_changed: Annotated[int, "cells that differ in rows of both"]
    facts_before: Annotated[
        Mapping[str, Any],
        "`rows`, `null_share`, and `min`, `median`, `max` of numbers, `min`, `max` of times, `distinct` of all else; "
        "empty of a personal column",
    ]
    facts_after: Annotated[Mapping[str, Any], "the same of the second version"]

    @classmethod
    def of(cls, column: ColumnDiff) -> ColumnDiffRecord:
        """Return the record of a column."""
        facts = [side.as_words() if side else {} for side in (column.before, column.after)]
        return cls(column.name, column.type_before, column.type_after, column.cells_changed, *facts)


@dataclass(frozen=True)
class ChangeRecord(Record):
    """One of the largest changes of a cell, the largest first: of `diff`."""

    kind: ClassVar[str] = "change"

    key: Annotated[Mapping[str, str], "whose cell it is: the key's columns; of a personal one its shape"]
    column: Annotated[str, "the column"]
    before: Annotated[str | None, "the value in the first version, as text"]
    after: Annotated[str | None, "the value in the second version, as text"]
    size: Annotated[
        float | None, "how far apart, in standard deviations of the column in both versions; null of a text or a null"
    ]

    @classmethod
    def of(cls, change: Change) -> ChangeRecord:
        """Return the record of a change."""
        return cls(change.key, change.column, change.before, change.after, change.size)


@dataclass(frozen=True)
class DocumentRecord(Record):
    """A file of the data dictionary that was written: of `docs`."""

    kind: ClassVar[str] = "document"

    file: Annotated[str, "the file"]


@dataclass(frozen=True)
class ContractRecord(Record):
    """A contract's file: of `contract draft`, `contract export`."""

    kind: ClassVar[str] = "contract"

    file: Annotated[str, "the file, below the project's folder"]
    state: Annotated[str, "'written', 'current', or 'kept' where a draft would take its place"]
    note: Annotated[str, "what else there is to say, '' for nothing"]

    @classmethod
    def of(cls, one: Written) -> ContractRecord:
        """Return the record of a contract's file."""
        return cls(one.file, one.state, one.note)


@dataclass(frozen=True)
class ContractChangeRecord(Record):
    """A difference between definitions and what was agreed or stored: of `contract diff`."""

    kind: ClassVar[str] = "contract_change"

    table: Annotated[str, "the source"]
    where: Annotated[str, "'contract': since the contract was written last; 'stored': from the staged rows"]
    change: Annotated[str, "'additive', 'breaking' or 'wording'"]
    column: Annotated[str, "the column, '' of the table itself"]
    message: Annotated[str, "what changed"]

    @classmethod
    def of(cls, one: Difference) -> ContractChangeRecord:
        """Return the record of a difference."""
        return cls(one.table, one.where, one.change.kind, one.change.column, one.change.words)


#: Every record that `--json` prints.
RECORDS: tuple[type[Record], ...] = (
    StageRecord,
    PlanRecord,
    ConfirmationRecord,
    CheckRecord,
    FindingRecord,
    ProofRecord,
    ComparisonRecord,
    DamageRecord,
    StrangerRecord,
    RepairRecord,
    CopyRecord,
    MigrationRecord,
    CompactRecord,
    ViewRecord,
    FeatureRecord,
    LineageRecord,
    DriftRecord,
    ReconciliationRecord,
    BreakRecord,
    VersionRecord,
    RowRecord,
    DiffRecord,
    ColumnDiffRecord,
    ChangeRecord,
    DocumentRecord,
    ContractRecord,
    ContractChangeRecord,
)


def json_reference() -> str:
    """Return docs/json.md: every record with its fields, their types and their meaning."""
    parts = [_REFERENCE_HEAD]
    for record in RECORDS:
        parts.append(f"\n## `{record.kind}`, schema {record.schema}\n\n{(record.__doc__ or '').strip()}\n")
        parts.append("\n| field | type | meaning |\n| --- | --- | --- |\n")
        hints = get_type_hints(record, include_extras=True)
        for part in fields(record):
            type_, meaning = get_args(hints[part.name])
            parts.append(f"| `{part.name}` | {_json_type(type_)} | {meaning} |\n")
    return "".join(parts)


_REFERENCE_HEAD = """# What `--json` prints

One object a line. Each says what it is (`record`) and the version of its schema (`schema`). Within one version no field
is renamed, dropped or given another meaning; a field may be added, so a reader passes over those that it does not know.
This page is written from the declarations in `tenure/cli/records.py`, and a test compares them.
"""

_JSON_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    str | None: "text or null",
    float | None: "number or null",
}


def _json_type(type_: Any) -> str:
    if type_ in _JSON_TYPES:
        return _JSON_TYPES[type_]
    return "list of objects" if "Sequence" in str(type_) else "object"


def _step(origin: Any) -> dict[str, Any]:
    return {
        "type": origin.kind,
        "name": origin.name,
        "message": origin.summary,
        "upstream": [_step(part) for part in origin.upstream],
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _utc(moment: object) -> str:
    return moment.isoformat(" ") if isinstance(moment, datetime) else str(moment)
