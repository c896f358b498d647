"""A version of a table of the lake: its files, columns, partitions, and a file as Delta's log names it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from tenure.storage.location import Location, below, for_arrow, size_of, written_at

#: How engines write a null partition.
_NULL = "__HIVE_DEFAULT_PARTITION__"

#: Columns of which the log tells the range, as many as Delta's own writers take.
_MOST_INDEXED = 32

#: What a partition was made of: each ingredient's name with its digest.
Ingredients: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class TableVersion:
    """A committed version of a table: its number, rows, files, columns, and what it and its partitions are made of.

    `size` are the bytes of its files.
    """

    table: str
    version: int
    rows: int
    files: tuple[Location, ...]
    schema: pa.Schema
    partition_by: tuple[str, ...]
    fingerprint: str
    partitions: Mapping[str, Ingredients] = field(default_factory=dict)
    size: int = 0

    def files_of(self, values: Collection[str]) -> tuple[Location, ...]:
        """Return the files of some partitions of a table with one partition column."""
        wanted = {f"{self.partition_by[0]}={value}" for value in values}
        return tuple(file for file in self.files if file.parent.name in wanted)

    def without(self, files: Collection[Location]) -> TableVersion | None:
        """Return the version as it is without some files: the partitions that they lie in count as not built.

        None of a table without partitions that has one of them.
        """
        lost = [file for file in self.files if file in files]
        if not lost:
            return self
        if not self.partition_by:
            return None
        names = {value for file in lost for value in partition_values(file, self.partition_by).values()}
        partitions = {name: of for name, of in self.partitions.items() if name not in names}
        left = tuple(file for file in self.files if file not in lost)
        return replace(self, files=left, partitions=partitions, fingerprint="")

    def missing_files(self) -> list[Location]:
        """Return the files that are gone."""
        return [file for file in self.files if not file.is_file()]


def partition_values(file: Location, partition_by: Sequence[str]) -> dict[str, str | None]:
    """Return the partition that a table's file lies in: column → value, as text; null is None."""
    folders = file.parts[-len(partition_by) - 1 : -1] if partition_by else ()
    found = dict(part.partition("=")[::2] for part in folders)
    return {name: None if found[name] == _NULL else unquote(found[name]) for name in partition_by}


def partition_name(file: Location, partition_by: Sequence[str]) -> str:
    """Return the partition that a file lies in, such as 'snapshot_date=2024-01-31'; '' of a table without any."""
    return "/".join(file.parts[-len(partition_by) - 1 : -1]) if partition_by else ""


def partition_folder(values: Mapping[str, str]) -> str:
    """Return the folder of a partition below its table's, such as 'snapshot_date=2024-01-31/model_version=rule-1'."""
    return "/".join(f"{name}={quote(value, safe=' ')}" for name, value in values.items())


def describe_file(version: TableVersion, file: Location) -> str:
    """Return a file's name with its partition, such as "file 'part-….parquet' of partition snapshot_date=…"."""
    partition = partition_name(file, version.partition_by)
    where = f" of partition {partition}" if partition else ""
    return f"file '{file.name}'{where}"


@dataclass(frozen=True)
class FileFacts:
    """What Delta's log tells of a file: its bytes, its rows, when it was written, and the range of some columns.

    `written_at` is in seconds since 1970; `ranges` are the least and the greatest value by column.
    """

    size: int
    rows: int
    written_at: float
    ranges: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, file: Location, indexed: Collection[str] = ()) -> FileFacts:
        """Return the facts of a Parquet file, whose footer is read; ranges of `indexed` columns alone."""
        footer = pq.read_metadata(for_arrow(file))
        return cls(size_of(file), footer.num_rows, written_at(file), _ranges(footer, indexed))

    @property
    def stats(self) -> str:
        """The statistics as Delta's log has them, https://github.com/delta-io/delta/blob/master/PROTOCOL.md."""
        found: dict[str, Any] = {"numRecords": self.rows}
        if self.ranges:
            found["minValues"] = {name: low for name, (low, _) in self.ranges.items()}
            found["maxValues"] = {name: high for name, (_, high) in self.ranges.items()}
        return json.dumps(found, default=_as_delta)


def add_action(folder: Location, file: Location, partition_by: Sequence[str], facts: FileFacts | None) -> AddAction:
    """Return the entry of a new file of a table's folder in Delta's log; facts that are not given are read."""
    known = facts or FileFacts.of(file)
    return AddAction(
        path=str(below(file, folder)),
        size=known.size,
        partition_values=partition_values(file, partition_by),
        modification_time=int(known.written_at * 1000),
        data_change=True,
        stats=known.stats,
    )


def _ranges(footer: pq.FileMetaData, indexed: Collection[str]) -> dict[str, tuple[Any, Any]]:
    """The ranges of a file's columns that say where its rows lie: whole numbers, days and instants.

    Texts may be anything that a bank wrote, and the range of a float says nothing of NaN: neither is told.
    """
    found: dict[str, tuple[Any, Any]] = {}
    places = {footer.schema.column(place).path: place for place in range(footer.num_columns)}
    for name in [name for name in indexed if name in places][:_MOST_INDEXED]:
        groups = [footer.row_group(number).column(places[name]).statistics for number in range(footer.num_row_groups)]
        known = [group for group in groups if group is not None and group.has_min_max]
        if (
            known
            and len(known) == len(groups)
            and isinstance(known[0].min, int | date)
            and not isinstance(known[0].min, bool)
        ):
            found[name] = min(group.min for group in known), max(group.max for group in known)
    return found


def _as_delta(value: date) -> str:
    """A day or an instant as Delta's log has it."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value.isoformat()


def utc(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the types that the lake keeps: instants in UTC, texts as plain strings."""
    kinds: list[tuple[Callable[[pa.DataType], bool], pa.DataType]] = [
        (pa.types.is_timestamp, pa.timestamp("us", tz="UTC")),
        (pa.types.is_large_string, pa.string()),
        (pa.types.is_string_view, pa.string()),
        (pa.types.is_dictionary, pa.string()),
        (pa.types.is_null, pa.string()),
    ]

    def plain(type_: pa.DataType) -> pa.DataType:
        return next((to for is_kind, to in kinds if is_kind(type_)), type_)

    return pa.schema([pa.field(f.name, plain(f.type)) for f in schema])


def delta_schema(schema: pa.Schema) -> Any:
    """Return a schema as Delta's."""
    from deltalake import Schema

    return Schema.from_arrow(utc(schema))
