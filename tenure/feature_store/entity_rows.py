"""Entity rows, also called the spine: keys and times from a frame, a file or the bank's own SELECT, checked.

customer_id  event_timestamp      label        keys and a time; any further columns pass through untouched
17           2024-03-31 12:00:00  1            a row's features are those known before its time
17           2024-03-31 12:00:00  0            rows are kept as they are: order, duplicates, null keys
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from tenure.define.project import Project
from tenure.define.value_type import ValueType
from tenure.errors import BadValue, InvalidSpine, MissingColumn, MissingFile, UnreadableFile, choices
from tenure.faults.redact import shape
from tenure.host.paths import local_path
from tenure.host.text_files import encoding_of
from tenure.intake.plain_parquet import cut_to_microseconds
from tenure.sql.dialects import TEXT_ENDS

#: The columns that are taken as the time where none is named.
TIME_COLUMNS = ("snapshot_date", "event_timestamp")

#: A column type of a source → the Arrow type of its staged values; a decimal's has its own digits.
_ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

#: A column type of a source → the tests of Arrow types; a column that meets one of them can be read as such a key.
_FITTING: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "string": (pa.types.is_string,),
    "integer": (pa.types.is_integer, pa.types.is_floating),
    "decimal": (pa.types.is_decimal, pa.types.is_integer),
    "float": (pa.types.is_floating, pa.types.is_integer),
    "boolean": (pa.types.is_boolean,),
    "date": (pa.types.is_date,),
    "timestamp": (pa.types.is_timestamp,),
}

#: Microseconds.
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Spine:
    """Entity rows: `rows` as they came, and `asked`, their keys and times as an engine reads them.

    The columns of `asked` are row_no, the keys and ts, which is in UTC.
    """

    rows: pa.Table
    asked: pa.Table
    time: str

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """The days of the rows, in order, if every time is a midnight; else none."""
        days, rest = np.divmod(whole_numbers(self.asked["ts"]), _DAY)
        first = date(1970, 1, 1).toordinal()
        if not len(days) or rest.any() or days.min() + first < 1 or days.max() + first > date.max.toordinal():
            return ()
        return tuple(map(date.fromordinal, (np.unique(days) + first).tolist()))


def spine_of(project: Project, rows: pa.Table, columns: Iterable[str], timestamp: str = "") -> Spine:
    """Return the spine of `rows`, whose features will be named `columns`.

    Raises MissingColumn if a key or the time is not there, BadValue if one is of another type or a time is null,
    InvalidSpine if a column is there twice or has the name of a feature.
    """
    source, entity = project.sources[project.entity.source], project.entity
    expected = {*entity.keys, *((timestamp,) if timestamp else TIME_COLUMNS)}
    _require_names(rows.column_names, columns, expected)
    for key in entity.keys:
        if key not in rows.column_names:
            raise MissingColumn(
                f"the rows have no column '{key}'; the key of {entity.name} is {', '.join(entity.keys)}, the rows have "
                f"{choices(_shown_names(rows.column_names, expected))}.",
                hint="Rename the column that holds the key; add the header if the first line is a row.",
            )
    time = _time_column(rows.column_names, timestamp)
    columns_asked = {"row_no": _numbers(rows.num_rows)}
    for key in entity.keys:
        columns_asked[key] = _key(rows[key], key, source.column(key).value_type)
    columns_asked["ts"] = _instants(rows[time], time)
    return Spine(rows, pa.table(columns_asked), time)


def table_of(frame: Any, project: Project) -> pa.Table:
    """Return a pyarrow, pandas or polars frame as a table; a Path is a Parquet or CSV file.

    The keys of a CSV file are read as the keys' types, its other columns as pyarrow infers them.

    Raises InvalidSpine for anything else, BadValue for a column of mixed types, MissingFile or UnreadableFile for the
    file.
    """
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, Path):
        return _file(local_path(frame, asked_by="the spine"), key_types(project))
    if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
        return _from_pandas(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return _from_stream(frame)
    raise InvalidSpine(
        f"features can't be asked for a {type(frame).__name__}; allowed: a pyarrow Table, a pandas or polars frame, "
        "a Path of a Parquet or CSV file, a SELECT as text, a SnapshotPlan."
    )


def key_types(project: Project) -> dict[str, pa.DataType]:
    """Return the Arrow type of each of the entity's keys."""
    source = project.sources[project.entity.source]
    return {key: arrow_type(source.column(key).value_type) for key in project.entity.keys}


def arrow_type(type_: ValueType) -> pa.DataType:
    """Return the Arrow type of staged values; an instant's zone is UTC, where an engine writes one."""
    return pa.decimal128(type_.precision, type_.scale) if type_.is_decimal else _ARROW_TYPES[type_.name]


def whole_numbers(values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return a column of 64-bit numbers or microseconds, none of them null."""
    parts = [_buffer(part) for part in values.chunks if len(part)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _buffer(part: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The numbers of a chunk as they lie in memory: as in `_numbers`, to_numpy would import all of pandas."""
    return np.frombuffer(part.buffers()[1], np.int64)[part.offset :][: len(part)]


def _file(file: Path, keys: dict[str, pa.DataType]) -> pa.Table:
    if not file.is_file():
        raise MissingFile(f"there is no file '{file}'.", hint="Give a Parquet or CSV file with keys and a time.")
    if file.suffix.lower() == ".csv":
        return _csv_file(file, keys)
    try:
        # Not read_table: it imports pyarrow.dataset, and that imports all of pandas.
        with pq.ParquetFile(file) as opened:
            return opened.read()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableFile(
            f"'{file}' can't be read as Parquet: it is damaged, cut off, or no Parquet.",
            hint="Write it again, or give a .csv file.",
            original=error,
        ) from error


def _csv_file(file: Path, keys: dict[str, pa.DataType]) -> pa.Table:
    with file.open("rb") as opened:
        encoding = encoding_of(opened.read(4))
    names: list[str] = []
    try:
        # One thread: only then does Arrow count the rows up to the wrong one. A spine is no large file.
        read = pc_csv.ReadOptions(encoding=encoding.removesuffix("-sig"), use_threads=False)
        with pc_csv.open_csv(file, read_options=read) as opened_rows:
            header = opened_rows.schema
        names = header.names
        # What stands there is what comes back: 007 stays, and NA is a text; the times alone are read as such.
        as_text = {field.name: pa.string() for field in header if not _is_time(field.type)}
        convert = pc_csv.ConvertOptions(column_types=as_text, null_values=[""], strings_can_be_null=True)
        rows = _with_keys(pc_csv.read_csv(file, convert_options=convert, read_options=read), keys)
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise UnreadableFile(
            f"'{file}' can't be read as CSV: {_csv_fault(error, names)}.",
            hint="Correct the file: a header, then a row a line with as many fields, as UTF-8 or UTF-16.",
            original=error,
        ) from error
    return rows


def _is_time(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def _with_keys(rows: pa.Table, keys: Mapping[str, pa.DataType]) -> pa.Table:
    """The rows with the keys in their types; a whole number is written one way alone, as in the sources."""
    for name, type_ in keys.items():
        if name not in rows.column_names or pa.types.is_string(type_) or not pa.types.is_string(rows[name].type):
            continue
        texts = _trimmed(rows[name])
        if pa.types.is_integer(type_):
            plain = pc.fill_null(pc.match_substring_regex(texts, r"^-?(0|[1-9][0-9]*)$"), fill_value=True)
            if not pc.all(plain, min_count=0).as_py():
                raise BadValue(
                    f"column '{name}' of the rows can't be read as a plain integer: the value in row "
                    f"{pc.index(plain, value=False).as_py()} (counted from 0) is none; with leading zeros or a sign it "
                    "may be another customer's.",
                    hint="Correct the values; a key that has leading zeros is a text: type='string' in sources.py.",
                )
        rows = rows.set_column(rows.schema.get_field_index(name), name, texts.cast(type_))
    return rows


def _trimmed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without blanks and unseen signs at their ends, as staging trims the keys of sources."""
    return pc.utf8_normalize(pc.replace_substring_regex(texts, TEXT_ENDS, ""), "NFC")


def _csv_fault(error: Exception, names: Sequence[str]) -> str:
    """What Arrow says of a CSV file, without the values that it quotes; rows are counted from the header's, 1."""
    text = str(error)
    if "Empty CSV file" in text:
        return "it is empty; a header at least is needed"
    row = re.search(r"Row #(\d+)", text)
    place = f"row {row[1]}, " if row else ""
    return f"{place}{_fault_in_row(text, names)}"


def _fault_in_row(text: str, names: Sequence[str]) -> str:
    width = re.search(r"Expected (\d+) columns, got (\d+)", text)
    if width:
        return f"{width[2]} fields where the header has {width[1]}"
    column = re.search(r"CSV column #(\d+)", text)
    if not column or int(column[1]) >= len(names):
        return "its structure is broken, or its bytes are no text"
    name = names[int(column[1])]
    if "UTF8" in text:
        return f"column '{name}' holds bytes that are no UTF-8"
    return f"a value of column '{name}' is no time, as its first ones are"


def _in_quotes(name: str) -> str:
    return f"'{name}'"


def _from_pandas(frame: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        for position, name in enumerate(map(str, frame.columns)):
            column = frame.iloc[:, position]
            try:
                pa.Array.from_pandas(column)
            except (pa.ArrowException, ValueError, TypeError, OverflowError):
                kinds = choices({type(value).__name__ for value in column if value is not None})
                raise BadValue(
                    f"column '{name}' of the rows can't be a column of one type: it holds {kinds}.",
                    hint=f"Give it one type first, for example frame['{name}'].astype('string').",
                    original=error,
                ) from error
        twice = _repeated([*map(str, frame.columns)])
        if twice:
            raise _there_twice(twice[0]) from error
        raise InvalidSpine(
            "the rows can't be read as a table.", hint="Give plain columns and no levels of names.", original=error
        ) from error


def _repeated(names: list[str]) -> list[str]:
    """The names that are there more than once, in their order."""
    return [name for name, count in Counter(names).items() if count > 1]


def _there_twice(name: str) -> InvalidSpine:
    return InvalidSpine(f"the rows have the column '{name}' twice.", hint="Rename or drop one of them.")


def _from_stream(frame: Any) -> pa.Table:
    """A frame of another library, whose errors may be of any kind, a panic of Rust included."""
    try:
        return pa.table(frame)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise InvalidSpine(
            f"the rows, a {type(frame).__name__}, can't be read as a table of typed columns.",
            hint="Give each column one type that Arrow knows.",
            original=error if isinstance(error, Exception) else None,
        ) from error


def _numbers(count: int) -> pa.Array:
    # pa.array would import all of pandas to see whether it is given a Series.
    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.arange(count, dtype=np.int64))])


def _shown_names(names: list[str], expected: set[str]) -> list[str]:
    """The columns' names; their shapes where none is expected: the names of a file without a header are a row."""
    return names if expected & set(names) else [*map(shape, names)]


def _require_names(names: list[str], columns: Iterable[str], expected: set[str]) -> None:
    repeated = _repeated([*map(str.casefold, names)])
    twice = sorted(name for name in names if name.casefold() in repeated)
    if twice:
        name = twice[0] if expected & set(names) else shape(twice[0])
        raise _there_twice(name)
    features = set(columns)
    taken = [name for name in names if name.casefold() in features]
    if taken:
        raise InvalidSpine(
            f"the rows have a column '{taken[0]}', which is also the name of a feature that is asked for.",
            hint="Rename or drop the column, or leave the feature out.",
        )


def _time_column(names: list[str], timestamp: str) -> str:
    allowed = (timestamp,) if timestamp else TIME_COLUMNS
    found = [name for name in allowed if name in names]
    if len(found) > 1:
        raise InvalidSpine(
            f"the rows have both {' and '.join(found)}: which of them features are asked at can't be told.",
            hint="Say it: timestamp='event_timestamp'.",
        )
    if not found:
        wanted = " or ".join(map(_in_quotes, allowed))
        raise MissingColumn(
            f"the rows have no time column {wanted}; they have {choices(names)}.",
            hint="Name the column with timestamp=: a DATE (its midnight, UTC) or a TIMESTAMP.",
        )
    return found[0]


def _key(values: pa.ChunkedArray, name: str, of: ValueType) -> pa.ChunkedArray:
    """A key in its source's type; whole numbers that a frame has as floats, next to nulls, are whole numbers."""
    kind, type_, wanted = of.name, _plain(values.type), arrow_type(of)
    if pa.types.is_floating(type_) and _fits(type_, kind):
        _require_exact(values, name)
    if not _fits(type_, kind):
        raise BadValue(
            f"column '{name}' of the rows is a {values.type}, but the key is a {kind}.",
            hint=f"Cast it: a key of another type would match nothing, or the wrong {name}.",
        )

    def cast(part: pa.ChunkedArray) -> pa.ChunkedArray:
        return part.cast(type_).cast(wanted)

    try:
        return _trimmed(cast(values)) if pa.types.is_string(wanted) else cast(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadValue(
            f"column '{name}' of the rows can't be read as a {kind}: the value in row {_first_failing(values, cast)} "
            "(counted from 0) has a fraction, leaves the type's range, or is no text.",
            hint="Correct the values, or drop the rows.",
            original=error,
        ) from error


def _require_exact(values: pa.ChunkedArray, name: str) -> None:
    """Raise BadValue for a key of a float beyond 2^53: there it is some number near the one that was meant."""
    beyond = pc.fill_null(pc.greater(pc.abs(values.cast(pa.float64())), float(2**53)), fill_value=False)
    if pc.any(beyond).as_py():
        raise BadValue(
            f"column '{name}' of the rows is a {values.type}, and the value in row "
            f"{pc.index(beyond, value=True).as_py()} (counted from 0) is beyond 2^53: which customer is meant can't be "
            "told.",
            hint="Give the keys as whole numbers or texts: a frame that has nulls beside them makes them floats.",
        )


def _fits(type_: pa.DataType, kind: str) -> bool:
    """Whether values of a type can be read as a key of a kind; a column of nothing but nulls can."""
    return pa.types.is_null(type_) or any(is_such(type_) for is_such in _FITTING[kind])


def _first_failing(values: pa.ChunkedArray, cast: Callable[[pa.ChunkedArray], object]) -> int:
    """The number of the first row that can't be cast, by halving."""
    first, last = 0, len(values)  # the first `first` rows can be cast, the first `last` can't
    while last - first > 1:
        middle = (first + last) // 2
        try:
            cast(values.slice(first, middle - first))
            first = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            last = middle
    return first


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary, and the one type of all texts."""
    if pa.types.is_dictionary(type_):
        return _plain(type_.value_type)
    return pa.string() if pa.types.is_large_string(type_) or pa.types.is_string_view(type_) else type_


def _instants(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """The times in UTC: a date is its midnight, a time without a zone is UTC."""
    type_ = values.type
    if (pa.types.is_null(type_) or pa.types.is_string(type_)) and not len(values):
        # A file with a header and no row has no types.
        return pa.chunked_array([], pa.timestamp("us", tz="UTC"))
    if not pa.types.is_null(type_) and not pa.types.is_date(type_) and not pa.types.is_timestamp(type_):
        raise BadValue(
            f"column '{name}' of the rows is a {type_}; allowed: a DATE or a TIMESTAMP.",
            hint="Parse it first, for example with pandas.to_datetime.",
        )
    if values.null_count:
        row = pc.index(pc.is_null(values), pa.scalar(value=True)).as_py()
        raise BadValue(
            f"column '{name}' of the rows is null in row {row} (counted from 0), {values.null_count:,} in all: "
            "features are asked at a time.",
            hint="Drop such rows, or give them a time.",
        )
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        values = cut_to_microseconds(values).cast(pa.timestamp("us"))

    def cast(part: pa.ChunkedArray) -> pa.ChunkedArray:
        return part.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))

    try:
        return cast(values)
    except pa.ArrowInvalid as error:
        raise BadValue(
            f"column '{name}' of the rows: the time in row {_first_failing(values, cast)} (counted from 0) is further "
            "away than microseconds of 64 bits can tell, some 290,000 years.",
            hint="Correct the values, or drop the rows.",
            original=error,
        ) from error
