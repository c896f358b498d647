"""What the command prints of records, plans and comparisons, and opening a project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from tenure.cli.application import verb
from tenure.cli.terminal import say
from tenure.faults.boundary import boundary


@contextmanager
def open_project(project: Path, data: Path | None, engine: str) -> Iterator[Any]:
    """Give the project at work, ready for a verb; whatever fails inside becomes an error of Tenure's."""
    from tenure.session.work import Work

    with boundary(f"opening the project '{project}'"):
        work = Work.open(project, data=data, engine=engine)
    with work.boundary(verb(), internal=True), work:
        yield work


def open_lake(project: Path) -> Any:
    """Return the project to look at its lake, its definitions not run; use it as a context manager."""
    from tenure.session.work import Work

    return Work.look(project)


def print_record(record: Any, as_json: bool) -> None:
    """Print what a stage did."""
    told = {k: v for k, v in vars(record).items() if k != "checks"} | {"checks": len(record.checks)}
    if as_json:
        say(json.dumps(told, default=str))
    else:
        print_stage(told)


def print_stage(record: dict[str, Any]) -> None:
    """Print a stage's line: its status, rows, seconds and message."""
    note = f"  {record['message']}" if record["message"] else ""
    say(f"{record['stage']:13} {record['status']:8} {record['rows']:>12,} rows {record['seconds']:>8.2f} s{note}")


@contextmanager
def told(stage: Literal["generate"], as_json: bool) -> Iterator[Callable[..., None]]:
    """Time something that is no stage, and print its line when it ends."""
    import time

    begun, told = time.perf_counter(), {"stage": stage, "status": "built", "rows": 0, "message": ""}
    yield lambda **facts: told.update(facts)
    told["seconds"] = time.perf_counter() - begun
    say(json.dumps(told)) if as_json else print_stage(told)


def print_plan(told: dict[str, str], as_json: bool) -> None:
    """Print a partition of a plan."""
    say(
        json.dumps(told)
        if as_json
        else f"{told['table']:24} {told.get('partition', ''):10} {told['state']:8} {told['why']}"
    )


def print_entries(entries: Sequence[Any], as_json: bool) -> None:
    """Print feature columns, a line each."""
    for entry in entries:
        unit = f" [{entry.unit}]" if entry.unit else ""
        say(json.dumps(vars(entry)) if as_json else f"{entry.name:48} {entry.text}{unit}")


def print_comparisons(comparisons: Iterator[Any], as_json: bool) -> bool:
    """Print each comparison as it ends; return whether any found a difference."""
    different = False
    for comparison in comparisons:
        different |= not comparison.equal
        told = f"{comparison.rows:,} rows × {comparison.columns} columns: " + (
            "equal" if comparison.equal else f"{comparison.different_cells:,} cells differ, {comparison.example}"
        )
        say(json.dumps(vars(comparison)) if as_json else f"{comparison.table:24} {told}")
    return different
