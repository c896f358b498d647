"""Time travel of tables: every version that the log still tells of, and an old one made current again.

version   0 ── 1 ── 2 ── 3        restore to 1:   0 ── 1 ── 2 ── 3 ── 4
                         current                       └── the same files ──┘ current
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from tenure.errors import StoreError
from tenure.paths import delta_path
from tenure.store.lake import Lake, TableVersion


@dataclass(frozen=True)
class Commit:
    """One version of a table: when it was committed, its rows, what it was made of, how many of its files are gone."""

    version: int
    committed_at: datetime
    rows: int
    fingerprint: str
    gone: int
    restored: int | None = None


def tables(lake: Lake) -> list[str]:
    """Return every table that was ever committed, sorted, such as 'snapshots' or 'staging/customers'."""
    logs = lake.folder.glob("**/_delta_log")
    return sorted(log.parent.relative_to(lake.folder).as_posix() for log in logs)


def history(lake: Lake, table: str, most: int | None = None) -> Iterator[Commit]:
    """Yield a table's versions, the newest first; raise MissingTable if it was never committed."""
    lake.require(table)
    for commit in DeltaTable(delta_path(lake.path(table))).history(most):
        number = int(commit["version"])
        try:
            found = lake.find(table, number)
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
            gone=sum(not file.is_file() for file in found.files),
            restored=int(parameters["version"]) if commit.get("operation") == "RESTORE" else None,
        )


def restore(lake: Lake, table: str, version: int) -> TableVersion:
    """Make a table's old version current again, as one new commit with the old fingerprint; hold the lock meanwhile.

    Nothing is copied: the new version names the old one's files. Raises MissingTable if the table is not built,
    StoreError, with nothing changed, if it has no such version or files of it are gone or cut short.
    """
    newest, old = lake.require(table), _whole(lake, table, version)
    if old.version == newest.version:
        return newest
    delta = DeltaTable(delta_path(lake.path(table)))
    commit = next(c for c in delta.history() if c["version"] == version)
    # All that Tenure wrote about the old version holds for the new one too: its rows are the same.
    kept = {key: str(value) for key, value in commit.items() if key.startswith("tenure.")}
    delta.restore(version, commit_properties=CommitProperties(custom_metadata=kept))
    return lake.require(table)


def _whole(lake: Lake, table: str, version: int) -> TableVersion:
    """A version whose files are all there, as long as the log says."""
    try:
        found = lake.find(table, version)
    except DeltaError as error:
        raise _no_such(lake, table, version) from error
    if found is None:
        raise _no_such(lake, table, version)
    stream = DeltaTable(delta_path(lake.path(table)), version=version).get_add_actions(flatten=True)
    adds = pa.RecordBatchReader.from_stream(stream).read_all()
    sizes = zip(found.files, adds.column("size_bytes").to_pylist(), strict=True)
    lost = [file for file, size in sizes if not file.is_file() or file.stat().st_size != size]
    if lost:
        raise StoreError(
            f"version {version} of table '{table}' can't be restored: {len(lost)} of its {len(found.files)} files "
            f"{'is' if len(lost) == 1 else 'are'} gone or cut short, such as '{lost[0].name}'.",
            hint=f"See which versions are whole with 'tenure history {table}'.",
        )
    return found


def _no_such(lake: Lake, table: str, version: int) -> StoreError:
    return StoreError(
        f"table '{table}' has no version {version}; versions: 0 to {lake.require(table).version}.",
        hint=f"See them with 'tenure history {table}'.",
    )
