"""A version of a table of the lake: its files, columns, partitions, and a file as Delta's log names it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from tenure.storage.location import Location, below, for_arrow, size_of, written_at

#: How engines write a null partition.
_NULL = "__HIVE_DEFAULT_PARTITION__"

#: What a partition was made of: each ingredient's name with its digest.
Ingredients: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class TableVersion:
    """A committed version of a table: its number, rows, files, columns, and what it and its partitions are made of."""

    table: str
    version: int
    rows: int
    files: tuple[Location, ...]
    schema: pa.Schema
    partition_by: tuple[str, ...]
    fingerprint: str
    partitions: Mapping[str, Ingredients] = field(default_factory=dict)

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
    """What Delta's log tells of a file: its bytes, its rows, and when it was written, in seconds since 1970."""

    size: int
    rows: int
    written_at: float

    @classmethod
    def of(cls, file: Location) -> FileFacts:
        """Return the facts of a Parquet file, whose footer is read."""
        return cls(size_of(file), pq.read_metadata(for_arrow(file)).num_rows, written_at(file))


def add_action(folder: Location, file: Location, partition_by: Sequence[str], facts: FileFacts | None) -> AddAction:
    """Return the entry of a new file of a table's folder in Delta's log; facts that are not given are read."""
    known = facts or FileFacts.of(file)
    return AddAction(
        path=str(below(file, folder)),
        size=known.size,
        partition_values=partition_values(file, partition_by),
        modification_time=int(known.written_at * 1000),
        data_change=True,
        stats=json.dumps({"numRecords": known.rows}),
    )


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
