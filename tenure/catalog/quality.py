"""The quality of the data as it is stored: gathered for the page, with counts and names and no value of a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any

from tenure.catalog.drift import drifted
from tenure.checks.score import WHOLE_TABLE
from tenure.define.check import SEVERITIES
from tenure.intake.completeness import COMPLETENESS
from tenure.intake.facts import intake_facts, reasons_in, refused_in
from tenure.intake.quality import CHECKS, QUALITY
from tenure.publish.quality import (
    Came,
    DriftAt,
    FailedCheck,
    Lack,
    Moved,
    Quality,
    Reconciling,
    StagingRun,
    TableScore,
)
from tenure.session.work import Work
from tenure.store.runs import last_runs, ledger

#: So many runs, and so many snapshots, are looked back on.
MOST_RUNS = 12

#: Columns of a table that are named for their low score.
_LOWEST = 3

#: Findings whose words may name a customer or a file; the page says them without.
_WITHOUT_NAMES = {
    "TEN-I012": "the last line of a file has no end; it may be cut off",
    "TEN-I013": "beside its files lie others, which its path misses",
    "TEN-I016": "rows changed of a table that is declared only to grow",
}

_GRAVE = {severity: place for place, severity in enumerate(SEVERITIES)}


def quality(work: Work) -> Quality:
    """Return what is known of the data's quality; what a stage that has not run would tell is empty."""
    stopped = _stopped(work)
    refused = _refused_runs(work, stopped.get("run_id"))
    outcomes = _newest(_stored(work, CHECKS.table), refused)
    judged = [row for row in outcomes if row["outcome"] != "not applicable"]
    failed = sorted((_failed(row) for row in judged if row["outcome"] == "failed"), key=_gravest)
    came = tuple(_came(work))
    return Quality(
        came=came,
        not_staged=tuple(name for name in work.project.sources if name not in {one.source for one in came}),
        lacks=tuple(_lacks(work)),
        checked=len(judged),
        not_judged=len(outcomes) - len(judged),
        failed=tuple(failed),
        scores=tuple(_scores(work, refused)),
        runs=tuple(_runs(work)),
        stopped=str(stopped.get("status", "")),
        stopping=tuple(dict.fromkeys(one.source for one in failed if one.severity == "error")),
        is_reconciliation_declared=bool(work.project.reconciliations),
        reconciled=tuple(_reconciled(work)),
        **_drift(work),
    )


def _drift(work: Work) -> dict[str, Any]:
    """The parts that drift found: alarms by snapshot, and what alarmed at the newest."""
    if work.lake.find("drift") is None:
        return {}
    found = drifted(work)[:MOST_RUNS]
    meanings = work.project.described_columns
    moved = [
        Moved(one.column_name, meanings[one.column_name].text if one.column_name in meanings else "", one.kind)
        for one in found[0].alarms
    ]
    by_snapshot = [DriftAt(one.snapshot_date, one.judged, len(one.alarms)) for one in found]
    return {"drift": tuple(by_snapshot), "moved": tuple(moved)}


def _stopped(work: Work) -> Mapping[str, Any]:
    """The ledger's row of the newest staging if it did not end; empty if it did or never ran."""
    row = last_runs(work.lake).get("staging", {})
    return row if row.get("status") in ("failed", "interrupted") else {}


def _refused_runs(work: Work, stopped: str | None) -> set[tuple[str, str]]:
    """The sources and runs whose rows a check refused, but for those of the run that is stopped now.

    The rows that are staged are not those: what a later run brought, or brought back, is.
    """
    return {
        (row["source"], row["run_id"])
        for row in _stored(work, CHECKS.table)
        if (row["outcome"], row["severity"]) == ("failed", "error") and row["run_id"] != stopped
    }


def _stored(work: Work, table: str) -> list[dict[str, Any]]:
    """The rows of a table about sources that are declared; none if it is not there."""
    if work.lake.find(table) is None:
        return []
    return [row for row in work.lake.read(table).to_pylist() if row["source"] in work.project.sources]


def _newest(rows: list[dict[str, Any]], refused: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """The rows of each source's newest run whose rows were not refused."""
    kept = [row for row in rows if (row["source"], row["run_id"]) not in refused]
    newest: dict[str, str] = {}
    for row in kept:
        newest[row["source"]] = max(newest.get(row["source"], ""), row["run_id"])
    return [row for row in kept if row["run_id"] == newest[row["source"]]]


def _came(work: Work) -> Iterator[Came]:
    """What came in of each source, in the order in which they are declared."""
    facts = intake_facts(work)
    for name in work.project.sources:
        if name in facts:
            row = facts[name]
            yield Came(
                source=name,
                files=len((row["files"] or "").split()),
                read=row["rows_read"],
                staged=row["rows_staged"],
                duplicates=row["duplicates_dropped"] or 0,
                refused=row["rows_quarantined"] or 0,
                of_no_customer=row["rows_unmatched"],
                reasons=tuple(Counter(reasons_in(row["reasons"] or "")).most_common()),
                first_event=None if work.project.flat else row["first_event"],
                last_event=None if work.project.flat else row["last_event"],
            )


def _lacks(work: Work) -> Iterator[Lack]:
    """What seems missing or doubled, the gravest first."""
    rows = [row for row in _stored(work, COMPLETENESS.table) if row["code"]]
    for row in sorted(rows, key=lambda row: (_GRAVE[row["severity"]], row["source"], str(row["month"]))):
        # Examples of customers end the words.
        finding = _WITHOUT_NAMES.get(row["code"], row["finding"].partition(", such as ")[0])
        yield Lack(source=row["source"], code=row["code"], severity=row["severity"], finding=finding)


def _failed(row: Mapping[str, Any]) -> FailedCheck:
    return FailedCheck(
        source=row["source"],
        column=row["column_name"],
        code=row["code"],
        severity=row["severity"],
        title=row["title"],
        rows=row["rows"],
        failing=row["failing"],
    )


def _gravest(one: FailedCheck) -> tuple[int, str, str, str]:
    return _GRAVE[one.severity], one.source, one.code, one.column


def _scores(work: Work, refused: Collection[tuple[str, str]]) -> Iterator[TableScore]:
    """Each table's scores over the runs that checked it, and its columns that score lowest now."""
    every = sorted(_stored(work, QUALITY.table), key=lambda row: str(row["run_id"]))
    newest = _newest(every, refused)
    for name in work.project.sources:
        of_table = [row for row in every if (row["source"], row["column_name"]) == (name, WHOLE_TABLE)]
        now = {row["column_name"]: row for row in newest if row["source"] == name}
        if WHOLE_TABLE in now:
            columns = [(column, row["score"]) for column, row in now.items() if column and row["score"] < 100]
            yield TableScore(
                source=name,
                score=now[WHOLE_TABLE]["score"],
                history=tuple(row["score"] for row in of_table[-MOST_RUNS:]),
                checks=now[WHOLE_TABLE]["checks"],
                failed=now[WHOLE_TABLE]["failed"],
                lowest=tuple(sorted(columns, key=itemgetter(1))[:_LOWEST]),
            )


def _runs_of(work: Work, stage: str, statuses: Collection[str]) -> list[dict[str, Any]]:
    """The newest rows of the ledger of a stage with one of these statuses, the newest first."""
    rows: list[dict[str, Any]] = [*ledger(work.lake)]
    return [row for row in reversed(rows) if row["stage"] == stage and row["status"] in statuses][:MOST_RUNS]


def _runs(work: Work) -> Iterator[StagingRun]:
    """The newest runs that staged something or were stopped, the newest first."""
    outcomes = _stored(work, CHECKS.table)
    # A run that found nothing new says nothing of the data, and would make a new page of the same figures.
    for row in _runs_of(work, "staging", ("built", "failed", "interrupted")):
        of_run = [one for one in outcomes if one["run_id"] == row["run_id"] and one["outcome"] != "not applicable"]
        failed = Counter(one["severity"] for one in of_run if one["outcome"] == "failed")
        yield StagingRun(
            at=row["started_at"],
            status=str(row["status"]),
            rows=row["rows"],
            refused=refused_in(str(row["message"])),
            checks=len(of_run),
            failed={severity: failed[severity] for severity in SEVERITIES},
        )


def _reconciled(work: Work) -> Iterator[Reconciling]:
    """What bookings came to beside balances in the newest runs that looked, the newest first."""
    if work.project.reconciliations:
        for row in _runs_of(work, "reconcile", ("built",)):
            yield Reconciling(row["started_at"], str(row["message"]))
