"""Verbs that prove: definitions against the data, stored features against everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from tenure import errors
from tenure.cli.application import DataOption, EngineOption, JsonOption, ProjectOption, verb
from tenure.cli.printing import open_project, print_comparisons, print_one
from tenure.cli.records import CheckRecord, ConfirmationRecord, DamageRecord, FindingRecord, ProofRecord, StrangerRecord
from tenure.cli.terminal import say
from tenure.define.check import CheckOutcome


@verb("prove")
def check(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    sample: Annotated[bool, typer.Option("--sample", help="Instead: staged rows of the sampled customers.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Instead: all staged rows.")] = False,
) -> None:
    """Check every definition against the sources, before anything runs; or the staged rows (--sample, --all)."""
    from tenure.catalog.check import check as confirmations
    from tenure.leaks.search import data_findings

    if sample and all_:
        raise typer.BadParameter("--sample and --all exclude each other")
    if sample or all_:
        with open_project(project, data, engine) as work:
            _check_staged(work, sample, as_json)
        return
    with open_project(project, data, engine) as work:
        for confirmation in confirmations(work):
            line = f"ok  {confirmation.subject}: {confirmation.message}"
            print_one(ConfirmationRecord.of(confirmation), line, as_json)
        _require_no_leak(data_findings(work), as_json)


def _check_staged(work: Any, sampled: bool, as_json: bool) -> None:
    """Print what comes of the checks of the staged rows; raise DataCheckFailed if one of severity error failed.

    As JSON each check is a line; else each that failed is, and those of a source that did not are counted.
    """
    from tenure.catalog.staged_checks import staged_checks

    stopping = []
    for source, outcomes in groupby(staged_checks(work, sampled=sampled), key=lambda outcome: outcome.source):
        quiet = list[CheckOutcome]()
        for outcome in outcomes:
            failed = outcome.verdict == "failed"
            if as_json or failed:
                line = f"{outcome.severity.upper():7}  {source}: {outcome.words}"
                print_one(CheckRecord.of(outcome), line, as_json)
            quiet += [] if failed else [outcome]
            stopping += [outcome] if outcome.stops else []
        if quiet and not as_json:
            say(f"ok       {source}: {_counted(quiet)}")
    if stopping:
        number = "1 check fails" if len(stopping) == 1 else f"{len(stopping)} checks fail, the first"
        first = stopping[0]
        raise errors.DataCheckFailed(
            f"{number} on staged rows: source '{first.source}', {first.words}.",
            hint="Fix the data, or where they are right, the rule: contracts/ and checks.py of the project.",
        )


def _counted(quiet: Sequence[CheckOutcome]) -> str:
    """How many checks passed, and how many do not apply for which reason."""
    reasons = Counter(outcome.reason for outcome in quiet if outcome.verdict == "not applicable")
    passed = len(quiet) - reasons.total()
    words = [f"{passed} {'check' if passed == 1 else 'checks'} passed"]
    return "; ".join([*words, *(f"{number} not applicable: {reason}" for reason, number in reasons.items())])


@verb("prove")
def verify(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    rows: Annotated[bool, typer.Option("--rows", help="Only: rows of snapshots in = rows of features out.")] = False,
    oracle: Annotated[bool, typer.Option("--oracle", help="Only: sampled customers in plain Python.")] = False,
    time_travel: Annotated[
        bool, typer.Option("--time-travel", help="Only: everybody with the future destroyed.")
    ] = False,
    backfill: Annotated[bool, typer.Option("--backfill", help="Only: everybody, one snapshot at a time.")] = False,
    leaks: Annotated[bool, typer.Option("--leaks", help="Only: rows and features that know too much.")] = False,
    integrity: Annotated[
        bool, typer.Option("--integrity", help="Only: every file of the lake against its SHA-256.")
    ] = False,
    customers: Annotated[int, typer.Option(min=0, help="Customers of the oracle; 0: as [verify] says.")] = 0,
    snapshots: Annotated[int, typer.Option(min=0, help="Snapshots at most; 0: all of the oracle's, else 3.")] = 0,
    engines: Annotated[str, typer.Option(help="Compare these two engines instead, such as duckdb,spark.")] = "",
) -> None:
    """Prove the stored features: rows, oracle, time travel, backfill, no leaks; or compare two engines cell by cell."""
    from tenure.leaks.search import every_finding
    from tenure.stages import verify as stage

    if engines:
        left, _, right = engines.partition(",")
        if print_comparisons(stage.compare_engines(project, data, left, right), as_json):
            raise errors.CheckFailed(f"{left} and {right} do not give the same tables.", hint="See the lines above.")
        return
    flags = {"rows": rows, "oracle": oracle, "time travel": time_travel, "backfill": backfill}
    with open_project(project, data, engine) as work:
        if integrity:
            _require_whole(stage.verify_integrity(work), as_json)
            return
        chosen = [name for name, asked in flags.items() if asked]
        if chosen or not leaks:
            for proof in stage.verify(work, chosen, customers=customers, most=snapshots):
                _print_proof(proof, as_json)
        if leaks or not chosen:
            _require_no_leak(every_finding(work), as_json)


def _require_whole(survey: Any, as_json: bool) -> None:
    """Print each damaged file and each that Tenure did not write; raise CheckFailed if any is damaged."""
    for damage in survey.damages:
        place = [f"table '{damage.table}'"]
        if damage.version:
            place.append(f"version {damage.version}")
        if damage.partition:
            place.append(damage.partition)
        line = f"DAMAGED  {', '.join(place)}: {damage.file} {damage.problem}"
        print_one(DamageRecord.of(damage), line, as_json)
    for file in survey.strangers:
        note = f"note  {file}: Tenure did not write it, or an old lake left it; it stays"
        print_one(StrangerRecord(file), note, as_json)
    if survey.damages:
        number = len(survey.damages)
        raise errors.CheckFailed(
            f"{number} {'file' if number == 1 else 'files'} of {survey.files} in the lake "
            f"{'is' if number == 1 else 'are'} damaged, the first: {survey.damages[0].file}.",
            hint="Restore them from a backup, or run 'tenure repair': it moves them aside, builds again what can be "
            "built, and says what is lost.",
        )
    if not as_json:
        typer.echo(f"ok  integrity: {survey.files} files are as they were written")


def _print_proof(proof: Any, as_json: bool) -> None:
    if as_json:
        say(ProofRecord.of(proof).line())
        return
    found = "equal" if proof.holds else f"{proof.different_cells:,} differ, {proof.example}"
    status = "proved" if proof.holds else "FAILED"
    say(f"{proof.proof:13} {status:8} {proof.cells:>12,} cells {proof.seconds:>7.2f} s  {found}: {proof.summary}")
    for column, reason in proof.unproven.items():
        say(f"{'':13} not proved {column}: {reason}")


def _require_no_leak(findings: Iterator[Any], as_json: bool) -> None:
    """Print each finding as it comes; raise CheckFailed, naming the first, if any is a leak."""
    leaks: list[Any] = []
    notes: list[Any] = []
    for finding in findings:
        mark, same = ("LEAK", leaks) if finding.alarm else ("note", notes)
        same.append(finding)
        line = f"{mark}  {finding.subject}: {finding.detection}: {finding.message}"
        print_one(FindingRecord.of(finding), line, as_json)
    if leaks:
        number = "1 leak" if len(leaks) == 1 else f"{len(leaks)} leaks, the first"
        raise errors.CheckFailed(f"{number} in {leaks[0].subject}: {leaks[0].message}", hint=leaks[0].hint)
    if not as_json:
        say("ok  leaks: none found, but for the notes above" if notes else "ok  leaks: none found")
