"""Compaction and retention: small files of a partition become one, and files that nothing rests on any more go.

part-a 2 MB ─┐
part-b 3 MB ─┼─► part-d 40 MB, rows in the order of their keys        one commit, with the fingerprint as it was
part-c 35 MB ┘        readers of an older version still find a, b and c, until their version is older than is kept
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pyarrow as pa
from deltalake.exceptions import DeltaError

from tenure.define.contract_base import Contract
from tenure.storage.location import Location, size_of
from tenure.store.forgotten import note_forgotten
from tenure.store.history import history
from tenure.store.lake import Lake
from tenure.store.rows import read_file, write_partition, write_rows
from tenure.store.table import FileFacts, TableVersion, partition_name, partition_values

#: A file of fewer bytes is merged with its neighbours, into files of about so many: what Athena and Spectrum read best.
SMALL, TARGET = 64 * 2**20, 256 * 2**20


@dataclass(frozen=True)
class Compacted:
    """What was done to a table: its files before and after, the files that were removed, and their bytes."""

    table: str
    files_before: int
    files: int
    removed: int
    bytes: int


def compact(
    lake: Lake, contract: Contract, *, keep: timedelta, pinned: Collection[int] = (), small: int = SMALL
) -> Compacted:
    """Rewrite the partitions of a table that have small files; remove files that only forgotten versions name.

    A version is forgotten if it was replaced longer than `keep` ago and is not `pinned`. Hold the lake's lock. Raises
    MissingTable if the table is not built.
    """
    before = lake.require(contract.table)
    now = before
    for _, files in groupby(sorted(before.files), key=lambda file: partition_name(file, before.partition_by)):
        now = _merged(lake, contract, now, list(files), small)
    removed, size = _forget(lake, contract.table, now, keep, pinned)
    return Compacted(contract.table, len(before.files), len(now.files), removed, size)


def _merged(lake: Lake, contract: Contract, version: TableVersion, files: list[Location], small: int) -> TableVersion:
    """The version after a partition was rewritten; the same version if it has one small file at most."""
    facts = {file: FileFacts.of(file) for file in files}
    if len([file for file in files if facts[file].size < small]) < 2:
        return version
    table, by = contract.table, version.partition_by
    token = lake.begin_write(table)
    written = []
    for number, group in enumerate(_groups(files, {file: facts[file].size for file in files})):
        rows = pa.concat_tables([read_file(version, file) for file in group])
        keys = [name for name in contract.keys if name in rows.column_names and name not in by]
        if keys:
            rows = rows.sort_by([(name, "ascending") for name in keys])
        if not by:
            written += write_rows(rows, lake.writing_folder(table), (), token=f"{token}-{number}")
            continue
        values = {name: str(value) for name, value in partition_values(files[0], by).items()}
        rows = rows.drop_columns(list(by))
        written.append(write_partition(rows, lake.writing_folder(table), values, name=f"{token}-{number}"))
    replaced = {name: [str(value)] for name, value in partition_values(files[0], by).items()}
    return lake.commit(
        table,
        written,
        version.schema,
        partition_by=by,
        fingerprint=version.fingerprint,
        replaced=replaced or None,
        partitions=version.partitions,
        indexed=contract.not_personal(version.schema.names),
    )


def _groups(files: list[Location], sizes: Mapping[Location, int]) -> Iterator[list[Location]]:
    """The files in groups of about the target's bytes, in order."""
    group: list[Location] = []
    for file in files:
        if group and sum(sizes[one] for one in group) + sizes[file] > TARGET:
            yield group
            group = []
        group.append(file)
    yield group


def _forget(lake: Lake, table: str, newest: TableVersion, keep: timedelta, pinned: Collection[int]) -> tuple[int, int]:
    """Remove the files that no version still names which is kept; return how many and their bytes."""
    kept, replaced_at = set(newest.files), datetime.now(UTC)
    forgotten: set[Location] = set()
    for commit in history(lake, table):
        try:
            found = lake.find(table, commit.version, verified=False)
        except DeltaError:
            continue  # Delta no longer knows what it held.
        files = set(found.files) if found else set()
        if commit.is_newest or commit.version in pinned or replaced_at > datetime.now(UTC) - keep:
            kept |= files
        else:
            forgotten |= files
        replaced_at = commit.committed_at
    size = 0
    gone = [file for file in forgotten - kept if file.is_file()]
    note_forgotten(lake.path(table), gone)
    for file in gone:
        size += size_of(file)
        file.unlink()
        lake.digests.forget(file)
    return len(gone), size
