"""Raw files on disk: which there are, what their header says, and in which line something is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.source import Csv, Parquet
from tenure.errors import MissingColumn, MissingFile, UnreadableFile, choices
from tenure.paths import literal_part, local_path


@dataclass(frozen=True)
class Place:
    """A line of a raw file, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file.name}, line {self.line}"


def matching_files(raw: Csv | Parquet, data: Path, *, asked_by: str) -> list[Path]:
    """Return the files that a raw table's path matches, sorted; raise MissingFile if none does."""
    path = local_path(raw.path, asked_by=f"the path of {asked_by}")
    base, pattern = (Path(path.anchor), str(path.relative_to(path.anchor))) if path.is_absolute() else (data, raw.path)
    files = sorted(file for file in base.glob(pattern) if file.is_file())
    if not files:
        near = choices(f.name for f in (base / pattern).parent.glob("*") if f.is_file())
        raise MissingFile(
            f"{asked_by} reads '{raw.path}', but no such file is in '{data}'"
            + (f"; there are: {near}." if near else "."),
            hint="Give the data folder with --data DIR or [data] path, or mend the source's path.",
        )
    return files


def has_hive_folders(raw: Parquet, files: Sequence[Path]) -> bool:
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


def csv_header(files: Sequence[Path], raw: Csv) -> list[str]:
    """Return the columns of CSV files; raise UnreadableFile or MissingColumn if they are not the same in all."""
    first = _header(files[0], raw)
    for file in files[1:]:
        other = _header(file, raw)
        if other != first:
            raise MissingColumn(
                f"'{file.name}' has the columns {', '.join(other)}, but '{files[0].name}' has {', '.join(first)}.",
                hint="Give files of another layout a source of their own.",
            )
    return first


def _header(file: Path, raw: Csv) -> list[str]:
    with file.open(encoding=raw.encoding, newline="") as lines:
        try:
            header = next(csv.reader(lines, delimiter=raw.delimiter), [])
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                f"'{file.name}' is not {raw.encoding}: {error.reason} at byte {error.start}.",
                hint="Set the source's encoding, for example Csv(…, encoding='latin-1').",
            ) from error
    header = [name.strip().lstrip("\ufeff") for name in header]
    if not any(header) or len(set(header)) < len(header):
        raise UnreadableFile(
            f"'{file.name}', line 1: the header has {'a column twice' if any(header) else 'no columns'}.",
            hint="Mend the file's first line, or its source's delimiter.",
        )
    return header


def check_structure(files: Sequence[Path], raw: Csv) -> None:
    """Raise UnreadableFile with the first file and line whose structure is broken; slow, for after a failure."""
    for file in files:
        width = len(_header(file, raw))
        begun = 1
        try:
            for place, row in _rows(file, raw):
                begun = place.line
                if row and len(row) != width:
                    raise UnreadableFile(
                        f"{place}: {len(row)} fields where the header has {width}.",
                        hint="Mend or remove the line.",
                    )
        except (csv.Error, UnicodeDecodeError) as error:
            reason = "a quoted field is not closed" if "unexpected end" in str(error) else str(error)
            raise UnreadableFile(
                f"{file.name}, after line {begun}: {reason}; the file may be cut off. Nothing of it was loaded.",
                hint="Fetch the file again, whole.",
            ) from error


def locate(value: str, files: Sequence[Path], raw: Csv, column: str = "") -> Place | None:
    """Return the first line that holds `value` (in `column`, where the file has it), or None; slow, for messages.

    An empty value is looked for in `column` alone.
    """
    for file in files:
        header = _header(file, raw)
        position = header.index(column) if column in header else None
        if position is None and not value:
            continue
        for place, row in _rows(file, raw):
            fields = row if position is None else row[position : position + 1]
            if any(field.strip() == value for field in fields):
                return place
    return None


@dataclass(frozen=True)
class Damage:
    """A Parquet file that can't be read, and which part of it."""

    file: Path
    what: str


def damaged_parquet(files: Sequence[Path]) -> Damage | None:
    """Return the first Parquet file that can't be read whole, None if all can; slow, for after a failure."""
    for file in files:
        what = _damage(file)
        if what:
            return Damage(file, what)
    return None


def _damage(file: Path) -> str:
    """What of a Parquet file can't be read, '' if all can."""
    if not file.is_file():
        return "it is gone"
    if file.stat().st_size == 0:
        return "it is empty"
    try:
        opened = pq.ParquetFile(file)
    except (OSError, pa.ArrowException):
        return "its footer can't be read; it may be cut off, or be no Parquet"
    with opened:
        for group in range(opened.num_row_groups):
            for position in range(opened.metadata.num_columns):
                path = opened.metadata.schema.column(position).path
                try:
                    opened.read_row_group(group, columns=[path])
                except (OSError, pa.ArrowException):
                    return f"column '{path}' of row group {group} (counted from 0) can't be read"
    return ""


def _rows(file: Path, raw: Csv) -> Iterator[tuple[Place, list[str]]]:
    """Each row with the line on which it begins; a quoted field may span several."""
    with file.open(encoding=raw.encoding, newline="") as lines:
        reader = csv.reader(lines, delimiter=raw.delimiter, strict=True)
        next(reader, None)
        begins = reader.line_num + 1
        for row in reader:
            yield Place(file, begins), row
            begins = reader.line_num + 1
