"""Arrow rows as the Parquet files of a table, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import Contract, Within
from tenure.storage.location import Location, for_arrow
from tenure.store.table import TableVersion, partition_folder, partition_values, utc

#: Rows of a row group: whoever reads a range of customers, by whom the rows lie, skips most other groups.
_GROUP = 16_384


def read_rows(
    version: TableVersion, columns: Sequence[str] | None = None, where: Mapping[str, str] | None = None
) -> pa.Table:
    """Return a version's rows: some `columns` of them, of the partitions whose values are those of `where`."""
    names = version.schema.names if columns is None else list(columns)
    wanted = pa.schema([version.schema.field(name) for name in names])
    parts = [
        _read_file(file, wanted, values)
        for file in version.files
        if (values := partition_values(file, version.partition_by)).items() >= (where or {}).items()
    ]
    return pa.concat_tables(parts) if parts else wanted.empty_table()


def read_file(version: TableVersion, file: Location) -> pa.Table:
    """Return the rows of one of a version's files, with all columns, in their order; raise what pyarrow does."""
    return _read_file(file, version.schema, partition_values(file, version.partition_by))


def _read_file(file: Location, wanted: pa.Schema, values: Mapping[str, str | None]) -> pa.Table:
    """The rows of one file.

    Its partition's columns are read from its folder's name, not from the file; columns that came later are null.
    """
    stored = pq.ParquetFile(for_arrow(file))
    number = stored.metadata.num_rows
    rows = stored.read(columns=[name for name in wanted.names if name in stored.schema_arrow.names])
    for field in wanted:
        if field.name in values:
            value = pa.scalar(values[field.name], pa.string()).cast(field.type)
            rows = _put(rows, field, pa.repeat(value, number))
        elif field.name not in rows.column_names:
            rows = _put(rows, field, pa.nulls(number, field.type))
    rows = rows.select(wanted.names)
    # A cast, needed or not, loads Arrow's compute functions and pandas with them.
    return rows if rows.schema.equals(wanted, check_metadata=True) else rows.cast(wanted)


def _put(rows: pa.Table, field: pa.Field, cells: pa.Array) -> pa.Table:
    """Add a column, or put it in place of one that the file holds too."""
    kept = rows.drop_columns([field.name]) if field.name in rows.column_names else rows
    if not kept.num_columns:
        return pa.table([cells], schema=pa.schema([field]))
    return kept.append_column(field, cells)


def write_rows(rows: pa.Table, folder: Path, partition_by: Sequence[str], *, token: str) -> list[Path]:
    """Write rows into a table's folder, a file a partition, and return the files; no rows are no file if partitioned.

    Their names bear the `token`, by which a sweep knows them.
    """
    import pyarrow.compute as pc

    if not partition_by:
        return [write_file(rows, folder / f"part-{token}.parquet")]
    written = []
    for values in partitions_of(rows, partition_by):
        part = rows
        for name, value in values.items():
            part = part.filter(pc.equal(part[name].cast(pa.string()), value))
        written.append(write_partition(part.drop_columns(list(partition_by)), folder, values, name=token))
    return written


def write_partition(
    rows: pa.Table, folder: Path, values: Mapping[str, str], *, name: str, repeating: Sequence[str] | None = None
) -> Path:
    """Write rows, without the partition's columns, as `part-<name>.parquet` of a partition of a table's folder.

    The `repeating` columns have few different values: only theirs go into dictionaries, by default every column's.
    """
    target = folder / partition_folder(values)
    target.mkdir(parents=True, exist_ok=True)
    return write_file(rows, target / f"part-{name}.parquet", repeating)


def partitions_of(rows: pa.Table, partition_by: Sequence[str]) -> list[dict[str, str]]:
    """Return the partitions that rows lie in, each as column → value in text, sorted; their values are never null."""
    found = rows.select(list(partition_by)).group_by(list(partition_by)).aggregate([])
    texts = [found[name].cast(pa.string()).to_pylist() for name in partition_by]
    return [dict(zip(partition_by, values, strict=True)) for values in sorted(zip(*texts, strict=True))]


def typed_if_empty(rows: pa.Table, contract: Contract, stored: pa.Schema | None) -> pa.Table:
    """Return rows as they are; if there are none, with the stored types of their columns, else the contract's.

    pandas knows no type of a column without values. Without a row nothing of another type is lost.
    """
    if rows.num_rows:
        return rows
    types = {limit.column: pa.float64() for limit in contract.invariants if isinstance(limit, Within)}
    for schema in (schema_of(contract), stored or pa.schema([])):
        types |= zip(schema.names, schema.types, strict=True)
    return pa.schema([pa.field(field.name, types.get(field.name, field.type)) for field in rows.schema]).empty_table()


def in_partition(rows: pa.Table, values: Mapping[str, object], stored: pa.Schema | None) -> pa.Table:
    """Return rows with the values of their partition as columns, in UTC.

    A column without any value, as rows that are none may have, takes the type that is `stored`, else text.
    """
    for name, value in values.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))
    for place, field in enumerate(rows.schema):
        if pa.types.is_null(field.type):
            known = stored is not None and field.name in stored.names
            kind = stored.field(field.name).type if stored is not None and known else pa.string()
            rows = rows.set_column(place, field.name, pa.nulls(rows.num_rows, kind))
    return rows.cast(utc(rows.schema))


def rows_beside(stored: TableVersion, values: Mapping[str, str]) -> pa.Table:
    """Return the rows of a table without partitions that lie in other partitions than `values`, and in a known one."""
    import pyarrow.compute as pc

    rows = read_rows(stored)
    if not set(values) <= set(rows.column_names):
        return rows.schema.empty_table()
    same = [pc.equal(rows[name].cast(pa.string()), value) for name, value in values.items()]
    known = [pc.is_valid(rows[name]) for name in values]
    return rows.filter(pc.and_(pc.invert(reduce(pc.and_, same)), reduce(pc.and_, known)))


def write_file(rows: pa.Table, file: Path, repeating: Sequence[str] | None = None) -> Path:
    """Write rows as one Parquet file, as the lake keeps them, and return it."""
    pq.write_table(
        rows.cast(utc(rows.schema)),
        file,
        row_group_size=_GROUP,
        use_dictionary=True if repeating is None else list(repeating),
        store_decimal_as_integer=True,
        coerce_timestamps="us",
        allow_truncated_timestamps=True,
    )
    return file


def read_batches(version: TableVersion, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a version's rows, up to so many rows at a time, always in the same order."""
    wanted = pa.schema([version.schema.field(name) for name in columns])
    for file in version.files:
        values = partition_values(file, version.partition_by)
        stored = pq.ParquetFile(for_arrow(file))
        there = set(stored.schema_arrow.names) - set(values)
        names = [name for name in columns if name in there]
        for batch in stored.iter_batches(batch_size=rows, columns=names):
            yield _whole_batch(batch, wanted, values)


def _whole_batch(batch: pa.RecordBatch, wanted: pa.Schema, values: Mapping[str, str | None]) -> pa.RecordBatch:
    """A batch with the columns of its partition, and nulls where the file is older than a column."""
    cells, there = [], {name: place for place, name in enumerate(batch.schema.names)}
    for field in wanted:
        if field.name in values:
            value = pa.scalar(values[field.name], pa.string()).cast(field.type)
            cells.append(pa.repeat(value, batch.num_rows))
        elif field.name in there:
            found = batch.column(there[field.name])
            cells.append(found if found.type == field.type else found.cast(field.type))
        else:
            cells.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(cells, schema=wanted)
