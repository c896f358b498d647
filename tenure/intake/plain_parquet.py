"""Plain Parquet: files with types that only some engines read, or that one of them rounds, as types that all read.

timestamp[ns] 10:00:00.000000999 ──► timestamp[us] 10:00:00.000000      cut: rounded up it would be known too late
uuid, time[us], decimal256       ──► text                               Spark reads none; DuckDB makes a float of one
float16 ──► float       duration[s] ──► text, '90s'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenure.define.raw_tables import Parquet
from tenure.engines.files import file_in_words
from tenure.errors import UnreadableFile
from tenure.storage.location import Location, for_arrow

#: So many rows are in memory at a time.
_BATCH = 131_072


def is_plain(schema: pa.Schema) -> bool:
    """Return whether every engine reads all columns of a schema, and reads them alike."""
    return not any(map(_is_special, (field.type for field in schema)))


def require_flat(schema: pa.Schema, file: Location, files: Sequence[Location], raw: Parquet) -> None:
    """Raise UnreadableFile for a list or struct of such a type: no engine but one would open the file."""
    for field in schema:
        if pa.types.is_nested(field.type) and _is_special(field.type):
            raise UnreadableFile(
                f"{file_in_words(file, files, raw)}: column '{field.name}' is {field.type}, which not every engine "
                "reads.",
                hint="Write the file anew without the column, or with one value in it.",
            )


def write_plain(file: Location, made: Path, folders: Mapping[str, str], *, head: bool = False) -> None:
    """Write a file's rows, with `head` the first ones alone, as plain Parquet.

    `folders` are columns more, of texts that the names of its folders tell.
    """
    with pq.ParquetFile(for_arrow(file)) as rows:
        schema = pa.schema(
            [pa.field(f.name, _plain_type(f.type)) for f in rows.schema_arrow]
            + [pa.field(name, pa.string()) for name in folders]
        )
        with pq.ParquetWriter(made, schema) as writer:
            for batch in islice(rows.iter_batches(_BATCH), 1 if head else None):
                columns = [_plain(column) for column in batch.columns]
                columns += [pa.repeat(value, batch.num_rows) for value in folders.values()]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _is_special(type_: pa.DataType) -> bool:
    if pa.types.is_dictionary(type_):
        return _is_special(type_.value_type)
    if pa.types.is_nested(type_):
        return any(_is_special(type_.field(number).type) for number in range(type_.num_fields))
    return bool(_plain_type(type_) != type_)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    """The type that every engine reads in place of another; the same where there is none to replace."""
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        return pa.timestamp("us", type_.tz)
    if pa.types.is_float16(type_):
        return pa.float32()
    if _becomes_text(type_):
        return pa.string()
    return type_


def _becomes_text(type_: pa.DataType) -> bool:
    is_uuid = isinstance(type_, pa.BaseExtensionType) and type_.extension_name == "arrow.uuid"
    long = pa.types.is_decimal256(type_) and type_.precision > 38
    return bool(is_uuid or long or pa.types.is_time(type_) or pa.types.is_duration(type_))


def _plain(column: pa.Array) -> pa.Array:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return _plain(column.dictionary_decode())
    plain = _plain_type(type_)
    if plain == type_:
        return column
    if pa.types.is_timestamp(type_):
        return cut_to_microseconds(column).cast(plain)
    if pa.types.is_duration(type_):
        return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), type_.unit, "")
    if isinstance(type_, pa.BaseExtensionType):
        return pa.array([value and str(value) for value in column.to_pylist()], pa.string())
    text = column.cast(plain)
    # 18:05:00.500000 as 18:05:00.5, which is how SQL writes it.
    return pc.replace_substring_regex(text, r"[.]?0+$", "") if _has_fraction(type_) else text


def _has_fraction(type_: pa.DataType) -> bool:
    return bool(pa.types.is_time(type_) and type_.unit != "s")


def cut_to_microseconds(column: pa.Array) -> pa.Array:
    """Return instants in nanoseconds as whole microseconds (int64), towards the past also before 1970.

    Known times and the instants of a spine are both cut: a row that was known 1 ns before, at or after the instant at
    which features are asked is then not before it, and what was not known is never shown.
    """
    nanoseconds = column.cast(pa.int64())
    thousands = pc.divide(nanoseconds, 1000)
    is_late = pc.greater(pc.multiply(thousands, 1000), nanoseconds)
    return pc.subtract(thousands, is_late.cast(pa.int64()))
