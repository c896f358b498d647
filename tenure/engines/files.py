"""Raw files on disk: which there are, what their header says, and in which line something is wrong.

A file's name may hold a person's, so that messages name a file as its definition does: by the path, where that is
whole, else by its number among the files that match, in the order of their names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import Csv, Parquet, RawTable
from tenure.errors import MissingColumn, MissingFile, StoreError, TenureError, UnreadableFile, choices
from tenure.faults.redact import file_shape, shape
from tenure.host.paths import literal_part, local_path
from tenure.storage.location import (
    Location,
    entries,
    files_that_match,
    for_arrow,
    is_s3,
    open_text,
    open_to_read,
    size_of,
)
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings

# Python's own limit is 131,072 characters; a note or a scanned form is longer.
csv.field_size_limit(2**31 - 1)

#: S3 as the environment says.
_AWS = S3Settings()

#: The first bytes of files that gzip, zip (of an empty archive too) and zstd compressed.
GZIP, ZIP, EMPTY_ZIP, ZSTD = PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"\x28\xb5\x2f\xfd")


#: Names of files that no bank wrote as data.
_NO_DATA = re.compile(r"[.~_].*|.*(~|[.]tmp|[.]part(ial)?|[.]md|[.]txt|[.]json)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A line of a raw file, or a row or record of it, counted from 1; `name` is what messages call the file."""

    name: str
    line: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.name}, {self.unit} {self.line}"


def file_in_words(file: Location, files: Sequence[Location], raw: RawTable) -> str:
    """Return what messages call one of a raw table's files: 'payments.csv', or 'file 2 of 7 that match 'p-*.csv''."""
    if not _is_pattern(raw.path):
        return Path(raw.path).name
    return f"file {list(files).index(file) + 1} of {len(files)} that match '{raw.path}'"


def files_in_words(files: Sequence[Location], raw: RawTable) -> str:
    """Return what messages call all of a raw table's files: 'payments.csv', or '7 files that match 'p-*.csv''."""
    if not _is_pattern(raw.path):
        return Path(raw.path).name
    return f"{len(files)} {'file' if len(files) == 1 else 'files'} that match '{raw.path}'"


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def matching_files(wanted: str, data: Location, *, asked_by: str, s3: S3Settings = _AWS) -> list[Location]:
    """Return the files that a raw table's path matches, sorted; raise MissingFile if none does."""
    base, pattern = _base_and_pattern(wanted, data, f"the path of {asked_by}", s3)
    files = files_that_match(base, pattern)
    if not files:
        there = [
            file.name for file in entries((base / pattern).parent) if isinstance(file, S3Location) or file.is_file()
        ]
        raise MissingFile(
            f"{asked_by} reads '{wanted}', but no such file is in '{data}'"
            + (f"; there are: {_names_in_words(there, Path(pattern).name)}." if there else "."),
            hint="Give the data folder with --data DIR or [data] path, or fix the source's path.",
        )
    return files


def _base_and_pattern(wanted: str, data: Location, asked_by: str, s3: S3Settings) -> tuple[Location, str]:
    """The folder below which a raw table's path is looked for, and the path from there."""
    if is_s3(wanted):
        place = S3Location.of(wanted, s3, asked_by=asked_by)
        return S3Location(place.bucket, "", s3), place.key
    if isinstance(data, S3Location):
        return data, wanted
    path = local_path(wanted, asked_by=asked_by)
    return (Path(path.anchor), str(path.relative_to(path.anchor))) if path.is_absolute() else (data, wanted)


def _names_in_words(names: Sequence[str], wanted: str) -> str:
    """Names of files: those that are nearly the wanted one as they are, the others by their shape."""
    near = {name for name in names if not _is_pattern(wanted) and _is_nearly(name, wanted)}
    return choices(name if name in near else file_shape(name) for name in names)


def _is_nearly(name: str, wanted: str) -> bool:
    """Whether a name differs from the wanted one by two signs at most, so that it says hardly more."""
    blocks = SequenceMatcher(None, name.lower(), wanted.lower(), autojunk=False).get_matching_blocks()
    return max(len(name), len(wanted)) - sum(block.size for block in blocks) <= 2


def names_beside(folder: Location, begins: str, read: Collection[Location]) -> list[str]:
    """Return the names in a folder that begin like others and are numbered or packed otherwise, of files nobody reads.

    Of 'payments-' these are 'Payments-04.CSV' and 'payments-03.csv.gz', and not 'payments.md' nor 'paymentscan.csv'.
    """
    stem = begins.rstrip("-_. 0123456789").lower()
    found = []
    for file in entries(folder) if len(stem) > 2 else ():
        rest = file.name.lower().removeprefix(stem)
        is_alike = file.name.lower().startswith(stem) and re.match(r"[a-z]", rest) is None
        is_file = isinstance(file, S3Location) or file.is_file()
        if is_alike and is_file and file not in read and not _NO_DATA.fullmatch(file.name):
            found.append(file.name)
    return found


def is_packed(file: Location) -> bool:
    """Return whether a file begins as gzip, zip or zstd write it, whatever its name."""
    with open_to_read(file) as content:
        return content.read(4).startswith(PACKED)


def has_hive_folders(raw: Parquet, files: Sequence[Location]) -> bool:
    """Return whether a folder that the raw table's own path names, such as 'month=2024-01', tells a column's value.

    Folders above the data do not count. Raises UnreadableFile where both look alike, since engines would read both.
    """
    fixed, wild = literal_part(raw.path)
    depth = len(fixed.parts) + len(wild)
    own, above = False, ""
    for file in files:
        folders = file.parts[:-1]
        # With '**' no part of a file's path is for sure above the data.
        first = 0 if "**" in wild else max(0, len(file.parts) - depth)
        own |= any("=" in part for part in folders[first:])
        above = above or next((part for part in folders[:first] if "=" in part), "")
    if own and above:
        raise UnreadableFile(
            f"the files of '{raw.path}' lie in folders that tell a column's value, and above the data lies '{above}', "
            "which looks like one more.",
            hint="Move the data to a folder without '=' in its path.",
        )
    return own


def folder_values(file: Location) -> dict[str, str]:
    """Return the columns that a file's folders tell, such as 'month' → '2024-01' of 'month=2024-01'."""
    parts = (part.partition("=") for part in file.parts[:-1])
    return {name: value for name, sign, value in parts if sign}


def require_alike(files: Sequence[Location], raw: Parquet) -> None:
    """Raise MissingColumn unless Parquet files have the same columns of the same types.

    Engines read a column that a file lacks as null, widen types that differ, and take a folder's name for the column.
    """
    first: dict[str, pa.DataType] = {}
    in_folders = has_hive_folders(raw, files)
    for file in files:
        try:
            schema = pq.read_schema(for_arrow(file))
        except (OSError, pa.ArrowException):
            return  # damaged, which the engine's failure is told as
        found = {field.name: _stored_type(field.type) for field in schema}
        difference = _unlike(found, first) if first else ""
        if difference:
            raise MissingColumn(
                f"{file_in_words(file, files, raw)}: {difference} the first of these files.",
                hint="Give files of another layout a source of their own, or write them anew with the same columns.",
            )
        first = first or found
        for part in file.parts[:-1] if in_folders else ():
            name = part.partition("=")[0]
            if "=" in part and name in found:
                raise MissingColumn(
                    f"{file_in_words(file, files, raw)}: column '{name}' stands in the file, and in the name of its "
                    f"folder '{part}' too; they may differ.",
                    hint="Leave the column out of the files, or move the files out of such folders.",
                )


def _stored_type(type_: pa.DataType) -> pa.DataType:
    """A column's type without what only Arrow keeps of it."""
    if pa.types.is_dictionary(type_):
        return _stored_type(type_.value_type)
    return pa.string() if pa.types.is_large_string(type_) or pa.types.is_string_view(type_) else type_


def _unlike(found: Mapping[str, pa.DataType], first: Mapping[str, pa.DataType]) -> str:
    """How a file's columns differ from the first file's, as a clause that ends before its name; '' if they don't."""
    for name in {**first, **found}:
        if name not in found:
            return f"it lacks column '{name}' of"
        if name not in first:
            return f"it has a column '{name}' that is not in"
        if found[name] != first[name]:
            return f"column '{name}' is {found[name]}, and {first[name]} in"
    return ""


def csv_header(files: Sequence[Location], raw: Csv) -> list[str]:
    """Return the columns of CSV files; raise UnreadableFile or MissingColumn if they are not the same in all."""
    first = _header(files[0], files, raw)
    for file in files[1:]:
        other = _header(file, files, raw)
        if other != first:
            difference = difference_of_headers(other, first)
            raise MissingColumn(
                f"{file_in_words(file, files, raw)}, line 1: {difference} in the first of these files.",
                hint="Give files of another layout a source of their own; if the line is a row, add the header.",
            )
    return first


def difference_of_headers(other: Sequence[str], first: Sequence[str]) -> str:
    """Return how a header differs from the first file's, without its words: it may be a row of a file without one."""
    if sorted(other) == sorted(first):
        return f"the same {len(other)} columns stand in another order than"
    both = [n for n, (mine, its) in enumerate(zip(other, first, strict=False)) if mine != its]
    place = both[0] if both else min(len(other), len(first))
    words = "nothing" if place >= len(other) else f"'{shape(other[place])}'"
    wanted = "nothing" if place >= len(first) else f"'{shape(first[place])}'"
    return f"{len(other)} columns, of which number {place + 1} is {words}, against {len(first)} and {wanted}"


def _header(file: Location, files: Sequence[Location], raw: Csv) -> list[str]:
    name = file_in_words(file, files, raw)
    with open_to_read(file) as content:
        if content.read(2) == GZIP:
            raise UnreadableFile(f"{name} is compressed with gzip.", hint=f"Unpack it: gunzip {name}.")
    with open_text(file, _encoding(raw)) as lines:
        try:
            header = next(csv.reader(lines, delimiter=raw.delimiter), [])
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                f"{name} is not {raw.encoding}: {error.reason} at byte {error.start}.",
                hint="Set the source's encoding, for example Csv(…, encoding='latin-1').",
            ) from error
    header = [name.strip().lstrip("\ufeff") for name in header]
    if not any(header) or len(set(header)) < len(header):
        raise UnreadableFile(
            f"{name}, line 1: the header has {'a column twice' if any(header) else 'no columns'}.",
            hint="Fix the file's first line, or its source's delimiter.",
        )
    return header


def check_structure(files: Sequence[Location], raw: Csv) -> None:
    """Raise UnreadableFile with the first file and line whose structure is broken; slow, for after a failure."""
    for file in files:
        name, width = file_in_words(file, files, raw), len(_header(file, files, raw))
        begun = 1
        try:
            for place, row in _rows(file, name, raw):
                begun = place.line
                if row and len(row) != width:
                    raise UnreadableFile(
                        f"{place}: {len(row)} fields where the header has {width}.",
                        hint="Fix or remove the line.",
                    )
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                f"{name}, after line {begun}: bytes that are no UTF-8. Nothing of it was loaded.",
                hint="Old systems often write latin-1: Csv(…, encoding='latin-1'). Else fetch the file again, whole.",
            ) from error
        except csv.Error as error:
            reason = "a quoted field is not closed" if "unexpected end" in str(error) else str(error)
            raise UnreadableFile(
                f"{name}, after line {begun}: {reason}; the file may be cut off. Nothing of it was loaded.",
                hint="Fetch the file again, whole.",
            ) from error


def locate(value: str, files: Sequence[Location], raw: Csv, column: str = "") -> Place | None:
    """Return the first line that holds `value` (in `column`, where the file has it), or None; slow, for messages.

    An empty value is looked for in `column` alone.
    """
    for file in files:
        header = _header(file, files, raw)
        position = header.index(column) if column in header else None
        if position is None and not value:
            continue
        for place, row in _rows(file, file_in_words(file, files, raw), raw):
            fields = row if position is None else row[position : position + 1]
            if any(field.strip() == value for field in fields):
                return place
    return None


@dataclass(frozen=True)
class Damage:
    """A Parquet file that can't be read, and which part of it."""

    file: Location
    what: str


def damaged_parquet(files: Sequence[Location]) -> Damage | None:
    """Return the first Parquet file that can't be read whole, None if all can; slow, for after a failure."""
    for file in files:
        what = _damage(file)
        if what:
            return Damage(file, what)
    return None


def named_damage(
    raw: Iterable[tuple[Parquet, Sequence[Location]]], lake: Iterable[Sequence[Location]], error: Exception
) -> TenureError | None:
    """Return the error that names the first damaged file among raw Parquet and the lake's, None if all can be read."""
    for table, files in raw:
        damaged = damaged_parquet(files)
        if damaged:
            return UnreadableFile(
                f"{file_in_words(damaged.file, files, table)} is damaged Parquet: {damaged.what}.",
                hint="Fetch the file again, whole.",
                original=error,
            )
    for files in lake:
        damaged = damaged_parquet(files)
        if damaged:
            return StoreError(
                f"the lake's file '{damaged.file}' is damaged: {damaged.what}.",
                hint="Restore it from a backup, or remove its table's folder and run again.",
                original=error,
            )
    return None


class ReadFiles:
    """The files that an engine's relations read: raw CSV, raw Parquet, and the lake's tables."""

    def __init__(self) -> None:
        self._csv: dict[str, tuple[Csv, Sequence[Location]]] = {}
        self._parquet: dict[str, tuple[Parquet, Sequence[Location]]] = {}
        self._tables: dict[str, Sequence[Location]] = {}

    def note_csv(self, relation: str, raw: Csv, files: Sequence[Location]) -> None:
        """Note that a relation reads CSV files from now on."""
        self._csv[relation] = (raw, files)
        self._parquet.pop(relation, None)

    def note_parquet(self, relation: str, raw: Parquet, files: Sequence[Location]) -> None:
        """Note that a relation reads raw Parquet files from now on."""
        self._parquet[relation] = (raw, files)
        self._csv.pop(relation, None)

    def note_table(self, relation: str, files: Sequence[Location]) -> None:
        """Note that a relation reads a table of the lake."""
        self._tables[relation] = files

    def check_csv(self) -> None:
        """Raise UnreadableFile with the first CSV file and line of a broken structure; slow, for after a failure."""
        for raw, files in self._csv.values():
            check_structure(files, raw)

    def check_texts(self) -> None:
        """Raise UnreadableFile with the first raw file whose texts are no UTF-8; slow as well."""
        self.check_csv()
        damaged = named_damage(self._parquet.values(), (), ValueError("no UTF-8"))
        if damaged:
            raise damaged

    def damage(self, error: Exception) -> TenureError | None:
        """Return the error that names the first damaged Parquet file, None if all can be read; slow as well."""
        return named_damage(self._parquet.values(), self._tables.values(), error)


def unlike_parquet(raw: Parquet, original: BaseException | None) -> UnreadableFile:
    """Return the refusal of Parquet files that an engine can't read together."""
    return UnreadableFile(
        f"the files of '{raw.path}' can't be read together as Parquet.",
        hint="Give files of another layout a source of their own.",
        original=original,
    )


def _damage(file: Location) -> str:
    """What of a Parquet file can't be read, '' if all can."""
    if not file.is_file():
        return "it is gone"
    if size_of(file) == 0:
        return "it is empty"
    try:
        opened = pq.ParquetFile(for_arrow(file))
    except (OSError, pa.ArrowException):
        return "its footer can't be read; it may be cut off, or be no Parquet"
    with opened:
        for group in range(opened.num_row_groups):
            for position in range(opened.metadata.num_columns):
                path = opened.metadata.schema.column(position).path
                try:
                    rows = opened.read_row_group(group, columns=[path])
                except (OSError, pa.ArrowException):
                    return f"column '{path}' of row group {group} (counted from 0) can't be read"
                if not _is_text_throughout(rows):
                    return f"column '{path}' of row group {group} (counted from 0) has bytes that are no UTF-8"
    return ""


def _is_text_throughout(rows: pa.Table) -> bool:
    """Whether the texts of a table are UTF-8; Arrow reads them as they are."""
    try:
        rows.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _encoding(raw: Csv) -> str:
    """Python's name of it: a byte order mark is passed over, also before a quote, as spreadsheets write it."""
    return "utf-8-sig" if raw.encoding == "utf-8" else raw.encoding


def _rows(file: Location, name: str, raw: Csv) -> Iterator[tuple[Place, list[str]]]:
    """Each row with the line on which it begins; a quoted field may span several."""
    with open_text(file, _encoding(raw)) as lines:
        reader = csv.reader(lines, delimiter=raw.delimiter, strict=True)
        next(reader, None)
        begins = reader.line_num + 1
        for row in reader:
            yield Place(name, begins), row
            begins = reader.line_num + 1
