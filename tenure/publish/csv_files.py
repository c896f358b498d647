"""CSV that others open: texts that a spreadsheet would run as a formula are neutralised, all else is exact.

note = "=HYPERLINK(…)"   ──►  '=HYPERLINK(…)      a text column: a quote before it
amount = -12.50          ──►  -12.50              a number, a date, a truth value: as it is
customer_id = "-17"      ──►  -17                 a key: as it is, since it joins; the caller gets a note
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from tenure.errors import BadValue, InvalidSpine

#: What Arrow writes as CSV besides text.
_WRITABLE = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_time,
    pa.types.is_duration,
    pa.types.is_null,
)

#: How a formula begins: as OWASP lists it, with the wide forms of the signs that some spreadsheets take as the same.
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"


def write_csv(rows: pa.Table, sink: Any, *, keys: Collection[str] = (), safe: bool = True) -> str:
    """Write rows as CSV with a header; return what the reader should know of keys, '' if there is nothing.

    With `safe`, texts and names of columns that begin as a formula get a ' before them, but keys. Raises InvalidSpine
    for a column of lists, structures or maps, which CSV can't hold, BadValue for bytes that are no text; the sink is
    then untouched.
    """
    for position, field in enumerate(rows.schema):
        rows = rows.set_column(position, field.name, _printable(rows.column(position), field.name))
    counts: list[str] = []
    if safe:
        rows = _neutralised(rows, keys)
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            formulas = _formulas(column) if name in keys else 0
            if formulas:
                counts.append(f"{formulas:,} of key '{name}'")
    pc_csv.write_csv(rows, sink)
    if not counts:
        return ""
    return (
        f"values that begin like a formula, {' and '.join(counts)}, are written as they are: a spreadsheet may run them"
    )


def _neutralised(rows: pa.Table, keys: Collection[str]) -> pa.Table:
    """The rows with a quote before each text, and each column's name, that begins as a formula; keys untouched."""
    for position, name in enumerate(rows.column_names):
        column = rows.column(position)
        if name in keys:
            continue
        if pa.types.is_string(column.type):
            starts = pc.match_substring_regex(column, _FORMULA)
            column = pc.if_else(starts, pc.binary_join_element_wise("'", column, ""), column)
        rows = rows.set_column(position, _neutral_name(name), column)
    return rows


def begins_as_formula(text: str) -> bool:
    """Return whether a spreadsheet would run a text as a formula."""
    return bool(pc.match_substring_regex(pa.array([text]), _FORMULA)[0].as_py())


def _neutral_name(name: str) -> str:
    return f"'{name}" if begins_as_formula(name) else name


def _formulas(column: pa.ChunkedArray) -> int:
    if not pa.types.is_string(column.type):
        return 0
    return int(pc.sum(pc.match_substring_regex(column, _FORMULA)).as_py() or 0)


def _printable(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """A column as CSV can hold it: texts as plain text, checked to be text; all else as it is."""
    column = _plain(column)
    type_ = column.type
    if _is_text(type_) or _is_bytes(type_):
        row = _first_no_text(column)
        if row is not None:
            raise BadValue(
                f"column '{name}', row {row:,} (counted from 0): its bytes are no UTF-8 text, so CSV can't hold them.",
                hint="Write a .parquet file, or read the column with its own encoding first.",
            )
        return column.cast(pa.string())
    if not _is_one_of(type_, _WRITABLE):
        raise InvalidSpine(
            f"column '{name}' is a {type_}, which CSV can't hold.",
            hint="Write a .parquet file, or drop the column.",
        )
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        _require_printable_years(column, name)
    return column


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without Arrow's wrappings: dictionaries and extension types as plain values."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    stored = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if column.type.extension_name != "arrow.uuid":
        return stored
    return pa.chunked_array([[None if v is None else str(UUID(bytes=v)) for v in stored.to_pylist()]], pa.string())


def _require_printable_years(column: pa.ChunkedArray, name: str) -> None:
    """Arrow would write other years as '<value out of range>', or with a sign that nobody reads back."""
    years = pc.year(column.cast(pa.timestamp(column.type.unit)) if pa.types.is_timestamp(column.type) else column)
    outside = pc.fill_null(pc.or_(pc.less(years, 1), pc.greater(years, 9999)), fill_value=False)
    row = pc.index(outside, pa.scalar(value=True)).as_py()
    if row >= 0:
        raise BadValue(
            f"column '{name}', row {row:,} (counted from 0): its year is none of 1 to 9999, so CSV can't hold it.",
            hint="Correct the value, or write a .parquet file.",
        )


def _first_no_text(column: pa.ChunkedArray) -> int | None:
    """The number of the first row whose bytes are no UTF-8; None if all are text."""
    try:
        for chunk in column.chunks:
            # A cast from text to text would not look at the bytes.
            (chunk if _is_text(chunk.type) else chunk.cast(pa.string())).validate(full=True)
    except pa.ArrowInvalid:
        return next((row for row, value in enumerate(_values(column)) if not _decodes(value)), 0)
    return None


def _is_text(type_: pa.DataType) -> bool:
    return _is_one_of(type_, (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_bytes(type_: pa.DataType) -> bool:
    kinds = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return _is_one_of(type_, kinds)


def _is_one_of(type_: pa.DataType, kinds: Iterable[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_kind(type_) for is_kind in kinds)


def _values(column: pa.ChunkedArray) -> list[bytes | None]:
    kind = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
    values: list[bytes | None] = [v for chunk in column.chunks for v in chunk.cast(kind).to_pylist()]
    return values


def _decodes(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
