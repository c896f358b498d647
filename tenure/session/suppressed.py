"""The suppression list: the keys of customers who objected, read from the bank's file and kept nowhere.

suppressed.csv ──► text by key ──► typed as the staged keys ──► relation `suppressed`, in the engine alone
                                             └─► digest: another list makes labels and scores stale
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tenure.define.source import Source
from tenure.errors import BadValue, MissingColumn, MissingFile, UnreadableFile
from tenure.host.text_files import read_text
from tenure.storage.location import Location

ASKED_BY = "[suppress] path"


@dataclass(frozen=True)
class SuppressionList:
    """The keys of customers who objected, each once, and the digest of them in any order."""

    rows: pa.Table
    digest: str


def require_list(file: Location) -> None:
    """Raise MissingFile if the list is not there."""
    if not file.is_file():
        raise MissingFile(
            f"{ASKED_BY} is '{file}', and there is no such file.",
            hint="Put the list of customers who objected there, or set its path in tenure.toml; if nobody objected, "
            "leave [suppress] out.",
        )


def read_list(file: Location, source: Source, types: Mapping[str, pa.DataType]) -> SuppressionList:
    """Return the list; `types` are those of the entity's keys as they are staged, `source` that of the entity.

    Raises MissingFile, MissingColumn, UnreadableFile, or BadValue with the line of a key that is none; no message
    shows a key.
    """
    require_list(file)
    lines = csv.reader(read_text(file, refused=UnreadableFile).splitlines())
    try:
        places = _places(next(lines, []), list(types), source, file.name)
        found = list(_keys(lines, places, file.name))
    except csv.Error as error:
        raise UnreadableFile(f"{file.name}, line {lines.line_num}: it is not CSV.", hint=_HINT) from error
    columns = {name: _typed(name, type_, place, found, file.name) for place, (name, type_) in enumerate(types.items())}
    rows = pa.table(columns).group_by(list(types)).aggregate([])
    keys = sorted(map(str, rows.to_pylist()))
    return SuppressionList(rows, hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16])


_HINT = "The list is a CSV: its first line names the columns of the entity's key, each further line is a customer."


def _places(header: Sequence[str], keys: Sequence[str], source: Source, file: str) -> list[int]:
    """Where the columns of the key stand, by their names or as the raw table spells them."""
    named = [name.strip() for name in header]
    places = []
    for key in keys:
        spellings = [name for name in (key, source.column(key).raw_name) if name in named]
        if not spellings:
            raise MissingColumn(f"the first line of {file} names no column '{key}'.", hint=_HINT)
        places.append(named.index(spellings[0]))
    return places


def _keys(lines: Iterator[list[str]], places: Sequence[int], file: str) -> Iterator[tuple[int, list[str]]]:
    """The line's number and the text of each key; empty lines are none."""
    for number, line in enumerate(lines, 2):
        if not any(cell.strip() for cell in line):
            continue
        key = [line[place].strip() if place < len(line) else "" for place in places]
        if not all(key):
            raise BadValue(f"{file}, line {number}: a part of the key is empty.", hint=_HINT)
        yield number, key


def _typed(
    name: str, type_: pa.DataType, place: int, keys: Sequence[tuple[int, list[str]]], file: str
) -> pa.ChunkedArray:
    texts = pa.chunked_array([pa.array([key[place] for _, key in keys], pa.string())])
    try:
        return texts.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for number, key in keys:
            try:
                pa.array([key[place]], pa.string()).cast(type_)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise BadValue(
                    f"{file}, line {number}: '{name}' can't be read as {type_}, the type of the staged key.",
                    hint="Write keys as the raw table of customers does.",
                ) from None
        raise
