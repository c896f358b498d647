"""The integrity of a lake: every file that a retained version names is read whole and held against its digest.

What is not covered, since no version names it: the journals of writes, the memory of digests, the lock, landing, spill,
lineage events and logs of errors. Losing one of them loses nothing of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tenure.errors import TenureError
from tenure.storage.location import Location, below, entries, files_below
from tenure.store.chain import ANCHOR, problems
from tenure.store.delta_log import LOGS, added_files
from tenure.store.digests import FileDigests, read_own
from tenure.store.forgotten import forgotten
from tenure.store.lake import Lake
from tenure.store.log_digests import TableLog
from tenure.store.model_files import damaged_model_files
from tenure.store.runs import ledger
from tenure.store.sealed import file_problem


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file that is not as it was written; version and partition are '' where there is none."""

    table: str
    version: str
    partition: str
    file: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a look at every file of a lake found.

    files       how many were read
    damages     those that are not as they were written
    strangers   data files in tables' folders that Tenure did not write, or that an old lake left; nothing removes them
    """

    files: int
    damages: tuple[Damage, ...]
    strangers: tuple[str, ...]


def survey(lake: Lake) -> Survey:
    """Read every file that a retained version of any table names; hold the lake's lock meanwhile."""
    digests = FileDigests(Path(), trusting=False)
    damages: list[Damage] = []
    strangers: list[str] = []
    files = 0
    for table in lake.tables():
        log = TableLog(lake.path(table), digests)
        in_log = [
            Damage(table=table, version=_version_of(d.file), partition="", file=_named(lake, d.file), problem=d.problem)
            for d in log.damages()
        ]
        named = _named_files(lake, table)
        if table == "runs" and not in_log:
            damages += _damaged_chain(lake)
        damages += [*in_log, *_damaged_files(lake, table, named, digests), *_damaged_steps(lake, table, digests)]
        files += len(named) + len(entries(lake.path(table) / LOGS))
        strangers += [] if in_log else [_named(lake, file) for file in lake.strangers(table)]
    damages += _damaged_models(lake)
    files += len(files_below(lake.path("models") / "files", "*"))
    return Survey(files=files, damages=tuple(damages), strangers=tuple(strangers))


def _damaged_files(lake: Lake, table: str, named: Mapping[Location, int], digests: FileDigests) -> Iterator[Damage]:
    for file, version in named.items():
        problem = file_problem(file, digests)
        if problem:
            partition = str(below(file.parent, lake.path(table))).removeprefix(".")
            yield Damage(
                table=table, version=str(version), partition=partition, file=_named(lake, file), problem=problem
            )


def _damaged_chain(lake: Lake) -> Iterator[Damage]:
    try:
        rows = ledger(lake)
    except TenureError:
        return  # a file of the ledger is damaged, and named for it
    for problem in problems(rows, lake.folder):
        yield Damage(table="runs", version="", partition="", file=ANCHOR, problem=problem)


def _damaged_models(lake: Lake) -> list[Damage]:
    try:
        found = list(damaged_model_files(lake))
    except TenureError:
        return []  # the registry itself is damaged, and named for it
    return [
        Damage(table="models", version=d.model_version, partition="", file=_named(lake, d.path), problem=d.problem)
        for d in found
    ]


def _damaged_steps(lake: Lake, table: str, digests: FileDigests) -> Iterator[Damage]:
    """What is wrong with the steps of an unfinished run; the next run begins them anew."""
    steps = lake.steps(table)
    if not steps.record.exists():
        return
    if read_own(steps.record) is None:
        yield Damage(
            table=table, version="", partition="", file=_named(lake, steps.record), problem="is not as it was written"
        )
        return
    for path in steps.files():
        problem = file_problem(path, digests)
        if problem:
            yield Damage(table=table, version="", partition=path.parent.name, file=_named(lake, path), problem=problem)


def _named_files(lake: Lake, table: str) -> dict[Location, int]:
    """The data files that retained versions name, each with the newest version that tells of it."""
    folder = lake.path(table)
    found: dict[Location, int] = {}
    for log in files_below(folder / LOGS, "*.json"):
        for file in added_files(log, folder):
            found[file] = int(_version_of(log) or 0)
    try:
        current = lake.find(table, verified=False)
    except TenureError:
        current = None  # its log is damaged, which is named elsewhere
    for file in forgotten(folder):
        found.pop(file, None)
    return found | (dict.fromkeys(current.files, current.version) if current else {})


def _version_of(log: Location) -> str:
    digits = log.name.partition(".")[0]
    return str(int(digits)) if digits.isdecimal() else ""


def _named(lake: Lake, file: Location) -> str:
    return str(below(file, lake.folder))
