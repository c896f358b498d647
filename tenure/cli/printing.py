"""What the command prints of records, plans and comparisons, and opening a project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure.cli.application import typed_verb
from tenure.cli.progress import progress_for
from tenure.cli.records import (
    BreakRecord,
    ChangeRecord,
    ColumnDiffRecord,
    ComparisonRecord,
    DiffRecord,
    DriftRecord,
    FeatureRecord,
    PlanRecord,
    ReconciliationRecord,
    Record,
    RowRecord,
    StageRecord,
)
from tenure.cli.terminal import say
from tenure.define.reconciliation import KINDS
from tenure.faults.boundary import boundary

if TYPE_CHECKING:
    import pyarrow as pa

    from tenure.catalog.column_facts import Facts
    from tenure.catalog.diff import Change, ColumnDiff, TableDiff
    from tenure.catalog.features import Entry
    from tenure.checks.drift_findings import DriftFinding
    from tenure.proofs.differences import Comparison
    from tenure.publish.reconciliation import Reconciled
    from tenure.store.runs import StageRun


@contextmanager
def open_project(project: Path, data: Path | None, engine: str, *, as_json: bool = True) -> Iterator[Any]:
    """Give the project at work, ready for a verb; whatever fails inside becomes an error of Tenure's.

    Unless `as_json`, the progress of long stages is shown.
    """
    from tenure.session.work import Work

    with boundary(f"opening the project '{project}'"):
        work = Work.open(project, data=data, engine=engine)
    work.progress = progress_for(as_json=as_json)
    with work.boundary(typed_verb(), internal=True), work:
        yield work


def open_lake(project: Path) -> Any:
    """Return the project to look at its lake, its definitions not run; use it as a context manager."""
    from tenure.session.work import Work

    return Work.look(project)


def print_record(record: StageRun, as_json: bool) -> None:
    """Print what a stage did."""
    print_stage(StageRecord.of_run(record), as_json)


def print_stage(record: StageRecord, as_json: bool) -> None:
    """Print a stage's line: its status, rows, seconds and message."""
    note = f"  {record.message}" if record.message else ""
    line = f"{record.stage:13} {record.status:8} {record.rows:>12,} rows {record.seconds:>8.2f} s{note}"
    print_one(record, line, as_json)


def print_rows(rows: pa.Table, as_json: bool) -> None:
    """Print rows, each column on a line of its own; of bytes, such as a model's, how many they are."""
    for number, cells in enumerate(rows.to_pylist()):
        row = {name: f"{len(cell):,} bytes" if isinstance(cell, bytes) else cell for name, cell in cells.items()}
        lines = [f"{name:40} {'' if value is None else value}".rstrip() for name, value in row.items()]
        print_one(RowRecord(row), ("\n" if number else "") + "\n".join(lines), as_json)


def print_one(record: Record, line: str, as_json: bool) -> None:
    """Print a record: as JSON, or as a line for people."""
    say(record.line() if as_json else line)


def print_reconciliation(ledger: Reconciled, as_json: bool) -> None:
    """Print what a reconciliation came to, its breaks by kind, and the worst of them."""
    print_one(ReconciliationRecord.of(ledger), ledger.words, as_json)
    if not as_json:
        for kind, breaks in ledger.kinds.items():
            say(f"{breaks:>8,}  {KINDS[kind]} ({kind})")
    for one in ledger.worst:
        size = f"{one.missing_balances} missing" if one.difference is None else f"{one.difference:,.2f}"
        bookings = "1 booking" if one.bookings == 1 else f"{one.bookings:,} bookings"
        line = f"{size:>16}  account {one.account}, {one.day}: {bookings}, {KINDS[one.kind]}"
        print_one(BreakRecord.of(ledger.name, one), line, as_json)


def print_moved(one: DriftFinding, as_json: bool) -> None:
    """Print a feature column that has moved."""
    mark = "moved" if one.is_alarm else "note"
    print_one(DriftRecord.of(one), f"{mark:>8}  {one.words}", as_json)


def print_plan(record: PlanRecord, as_json: bool) -> None:
    """Print a partition of a plan."""
    print_one(record, f"{record.table:24} {record.partition:10} {record.state:8} {record.why}", as_json)


def print_entries(entries: Sequence[Entry], as_json: bool) -> None:
    """Print feature columns, a line each."""
    for entry in entries:
        unit = f" [{entry.unit}]" if entry.unit else ""
        print_one(FeatureRecord.of(entry), f"{entry.name:48} {entry.text}{unit}", as_json)


def print_comparisons(comparisons: Iterator[Comparison], as_json: bool) -> bool:
    """Print each comparison as it ends; return whether any found a difference."""
    different = False
    for comparison in comparisons:
        different |= not comparison.equal
        found = "equal"
        if not comparison.equal:
            found = f"{comparison.different_cells:,} cells differ, {comparison.example}"
        line = f"{comparison.table:24} {comparison.rows:,} rows × {comparison.columns} columns: {found}"
        print_one(ComparisonRecord.of(comparison), line, as_json)
    return different


def print_diff(found: TableDiff, as_json: bool) -> None:
    """Print two versions compared: the rows, then the columns that differ, then the largest changes."""
    rows = f"{found.added:,} added, {found.removed:,} removed, {found.changed:,} changed, {found.same:,} the same"
    head = [
        f"{found.table}, version {found.before} → {found.after}, by {', '.join(found.keys)}",
        f"rows   {found.rows_before:,} → {found.rows_after:,}: {rows}",
        f"cells  {found.cells_changed:,} changed",
    ]
    print_one(DiffRecord.of(found), "\n".join(head), as_json)
    for column in found.columns:
        if as_json or column.differs:
            print_one(ColumnDiffRecord.of(column), _column_line(column), as_json)
    if found.largest and not as_json:
        say("the largest changes, in standard deviations")
    for change in found.largest:
        print_one(ChangeRecord.of(change), _change_line(change), as_json)


def _column_line(column: ColumnDiff) -> str:
    """A column's line: cells changed, then what it held and holds."""
    if not (column.type_before and column.type_after):
        there = "added" if column.type_after else "dropped"
        return f"  {column.name:40} {there} ({column.type_before or column.type_after})"
    parts = [f"{column.cells_changed:,} cells changed"]
    if column.type_before != column.type_after:
        parts.append(f"{column.type_before} → {column.type_after}")
    if column.before and column.after and column.before != column.after:
        parts.append(f"{_facts_words(column.before)} → {_facts_words(column.after)}")
    return f"  {column.name:40} {'; '.join(parts)}"


def _facts_words(facts: Facts) -> str:
    """What a column holds, in a few words: 'null 2.00 %, min 1, median 2.5, max 9'."""
    found = [f"null {facts.null_share:.2%}"] if facts.nulls else []
    for name, value in facts.as_words().items():
        if name not in ("rows", "null_share"):
            found.append(f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(found) or "no value"


def _change_line(change: Change) -> str:
    size = "" if change.size is None else f"{change.size:.2f}"
    key = ", ".join(f"{name}={value}" for name, value in change.key.items())
    before, after = ("null" if cell is None else cell for cell in (change.before, change.after))
    return f"  {size:>8}  {key}  {change.column}: {before} → {after}"
