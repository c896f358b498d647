"""Time travel of tables: every version that the log still tells of, and an old one made current again.

version   0 ── 1 ── 2 ── 3        restore to 1:   0 ── 1 ── 2 ── 3 ── 4
                         current                       └── the same files ──┘ current
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType

from tenure.errors import StoreError
from tenure.store.lake import KIND, MEANINGS, Lake, damaged
from tenure.store.sealed import file_problem
from tenure.store.table import TableVersion


@dataclass(frozen=True)
class Commit:
    """A version of a table: when it was committed, its rows, its fingerprint, how many of its files are gone."""

    version: int
    committed_at: datetime
    rows: int
    fingerprint: str
    gone: int
    is_newest: bool
    restored: int | None = None
    #: 'forget' of one that brings no rows: since then rows of forgotten customers are gone from all versions.
    kind: str = ""


def tables(lake: Lake) -> list[str]:
    """Return every table that was ever committed, sorted, such as 'snapshots' or 'staging/customers'."""
    return lake.tables()


def history(lake: Lake, table: str, most: int | None = None) -> Iterator[Commit]:
    """Yield a table's versions, the newest first; raise MissingTable if it was never committed."""
    delta = lake.open_delta(table)
    if delta is None:
        lake.require(table)
        return
    commits = delta.history(most)
    # The newest is taken from the table that is open already: each opening reads its log.
    newest = lake.version_of(table, delta, delta.version())
    lake.verify_files(newest)
    for commit in commits:
        number = int(commit["version"])
        try:
            found = newest if number == newest.version else lake.find(table, number, verified=False)
        except DeltaError:
            continue  # Delta has dropped the logs that it would be put together from.
        if found is None:
            continue
        parameters = commit.get("operationParameters", {})
        yield Commit(
            version=number,
            committed_at=datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
            rows=found.rows,
            fingerprint=found.fingerprint,
            gone=len(found.missing_files()),
            is_newest=found is newest,
            restored=int(parameters["version"]) if commit.get("operation") == "RESTORE" else None,
            kind=str(commit.get(KIND, "")),
        )


def forgotten_on(lake: Lake, table: str, after: int) -> str:
    """Return the day on which rows of a version were last forgotten by a later commit; '' if none was."""
    delta = lake.open_delta(table)
    for commit in delta.history() if delta else ():
        if int(commit["version"]) > after and commit.get(KIND) == "forget":
            return f"{datetime.fromtimestamp(commit['timestamp'] / 1000, UTC):%Y-%m-%d}"
    return ""


@dataclass(frozen=True)
class Columns:
    """The columns of a version, each with its type, and the day on which it was committed.

    `meanings` are the digests of what columns meant, as they were last noted; empty before any were.
    """

    version: int
    committed_on: str
    types: Mapping[str, str]
    meanings: Mapping[str, str]


def columns_by_version(lake: Lake, table: str) -> list[Columns]:
    """Return the columns of every version that the log still tells of, the oldest first; its log alone is read."""
    delta = lake.open_delta(table)
    if delta is None:
        return []
    found: list[Columns] = []
    meanings: Mapping[str, str] = {}
    for commit in sorted(delta.history(), key=itemgetter("version")):
        try:
            delta.load_as_version(int(commit["version"]))
        except DeltaError:
            continue  # Delta has dropped the logs that it would be put together from.
        types = {part.name: _type_name(part.type) for part in delta.schema().fields}
        day = f"{datetime.fromtimestamp(commit['timestamp'] / 1000, UTC):%Y-%m-%d}"
        meanings = json.loads(str(commit[MEANINGS])) if MEANINGS in commit else meanings
        found.append(Columns(int(commit["version"]), day, types, meanings))
    return found


def _type_name(type_: Any) -> str:
    return type_.type if isinstance(type_, PrimitiveType) else str(type_)


def restore(lake: Lake, table: str, version: int) -> TableVersion:
    """Make a table's old version current again, as one new commit with the old fingerprint; hold the lock meanwhile.

    Nothing is copied: the new version names the old one's files. Raises MissingTable if the table is not built,
    StoreError, with nothing changed, if it has no such version or files of it are gone or cut short.
    """
    newest, old = lake.require(table), _whole(lake, table, version)
    if old.version == newest.version:
        return newest
    delta = _delta(lake, table)
    commit = next(c for c in delta.history() if c["version"] == version)
    # All that Tenure wrote about the old version holds for the new one too: its rows are the same.
    kept = {key: str(value) for key, value in commit.items() if key.startswith("tenure.") and key != KIND}
    with lake.committing(table):
        # Which files are there was looked at above; deltalake would look for those of S3 on this machine.
        delta.restore(version, ignore_missing_files=True, commit_properties=CommitProperties(custom_metadata=kept))
    return lake.require(table)


def _whole(lake: Lake, table: str, version: int) -> TableVersion:
    """A version whose files are all there, as they were written."""
    try:
        found = lake.find(table, version, verified=False)
    except DeltaError as error:
        raise _no_such(lake, table, version) from error
    if found is None:
        raise _no_such(lake, table, version)
    problems = {file: file_problem(file, lake.digests) for file in found.files}
    lost = [file for file, problem in problems.items() if problem]
    if lost:
        raise StoreError(
            f"version {version} of table '{table}' can't be restored: of its {len(found.files)} files {len(lost)} "
            f"{'is' if len(lost) == 1 else 'are'} gone or damaged; '{lost[0].name}' {problems[lost[0]]}.",
            hint=f"See which versions are whole with 'tenure history {table}'.",
        )
    return found


def _delta(lake: Lake, table: str) -> DeltaTable:
    found = lake.open_delta(table)
    if found is None:
        raise damaged(lake, table, "its log is gone")
    return found


def _no_such(lake: Lake, table: str, version: int) -> StoreError:
    return StoreError(
        f"table '{table}' has no version {version}; versions: 0 to {lake.require(table).version}.",
        hint=f"See them with 'tenure history {table}'.",
    )
