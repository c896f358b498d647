"""JSON lines: one object a line, landed as Parquet of texts, so that no number passes through a float.

```
{"id": 12345678901234567890, "amount": 0.10, "vip": true, "left": null}      a line
  id '12345678901234567890'   amount '0.10'   vip 'true'   left null         a row, typed as a CSV's by its source
```
Lines are read a batch at a time; a batch with keys that none before it had begins a new Parquet file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import JsonLines
from tenure.engines.files import Place, file_in_words
from tenure.errors import MissingColumn, UnreadableFile
from tenure.faults.redact import shape
from tenure.intake.readers.landed import LandedReader
from tenure.storage.location import Location, open_to_read

#: A batch ends after so many rows or bytes of lines: memory is bounded by it, not by the files.
_ROWS, _BYTES = 20_000, 16 * 2**20

#: A longer line is no row but a file without line breaks.
_LONGEST_LINE = 64 * 2**20

#: More keys than a table has columns: such as objects whose keys are customers.
_MOST_KEYS = 10_000

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: A key that a message may show; any other may be a row's value, so that its shape is shown.
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")

_FIX = "Fix the line, or have the file written anew: JsonLines reads one JSON object a line."
_FETCH = "Fetch the file again, whole."
_FLATTEN = "Give its parts keys of their own, such as address_city, where the file is written; or leave the key out."


#: A line: its file as messages call it, and its number. A `Place` for each would take a tenth of the time.
Where: TypeAlias = tuple[str, int]


class _NotRead(ValueError):
    """Why a line is refused, and what to do about it."""

    def __init__(self, reason: str, hint: str = _FIX) -> None:
        super().__init__(reason)
        self.hint = hint


class JsonLinesReader(LandedReader[JsonLines]):
    """Text files with a JSON object a line; a key that a line lacks is null there, and may stand in any."""

    is_of_lines = True

    def write(self, folder: Path) -> bool:
        """Write the rows as texts."""
        rows = _Rows(self.texts, self.raw)
        with _Writer(folder) as writer:
            for where, cells in rows:
                writer.add(where, cells, rows.size)
        return bool(writer.names)

    def place_of(self, value: str, column: str) -> Place | None:
        """Return the first line that holds `value` under the key, or under any where no line has the key."""
        is_key = self.has_column(column)
        if not value and not is_key:
            return None
        for where, cells in _Rows(self.texts, self.raw):
            texts = [cells.get(column)] if is_key else cells.values()
            if any((text or "").strip() == value for text in texts):
                return Place(*where)
        return None


@dataclass
class _Rows:
    """Each line, where it stands and its cells as key → text; `size` are the bytes of the last one.

    Raises UnreadableFile at the first line that is no flat JSON object, MissingColumn where a file has other keys than
    the first one that has any.
    """

    files: Sequence[Location]
    raw: JsonLines
    size: int = 0
    #: Each key of the file that is read, with the line that has it first; and the same of the first file.
    _keys: dict[str, int] = field(default_factory=dict)
    _of_first: dict[str, int] = field(default_factory=dict)
    #: Keys in small letters, with their spelling: engines do not tell columns apart by case.
    _folded: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Where, dict[str, str | None]]]:
        for file in self.files:
            name = file_in_words(file, self.files, self.raw)
            self._keys = {}
            for line, text in self._lines(file, name):
                try:
                    cells = _cells(text)
                    if not cells.keys() <= self._keys.keys():
                        self._note_keys(cells, name, line)
                except _NotRead as error:
                    raise UnreadableFile(f"{Place(name, line)}: {error}.", hint=error.hint) from error
                yield (name, line), cells
            self._check_keys(name)

    def _lines(self, file: Location, name: str) -> Iterator[tuple[int, str]]:
        """Each line that is not blank, by its number, counted from 1."""
        with open_to_read(file) as lines:
            number = 0
            while content := lines.readline(_LONGEST_LINE + 1):
                number += 1
                self.size = len(content)
                if number == 1:
                    content = content.removeprefix(_BYTE_ORDER_MARK)
                if not content.strip():
                    continue
                try:
                    yield number, _decoded(content)
                except _NotRead as error:
                    raise UnreadableFile(f"{name}, line {number}: {error}.", hint=error.hint) from error

    def _note_keys(self, cells: dict[str, str | None], name: str, line: int) -> None:
        for key in cells.keys() - self._keys.keys():
            if not key or not key.isprintable():
                raise _NotRead(f"the {_in_words(key)} is no name of a column")
            other = self._folded.setdefault(key.lower(), key)
            if other != key:
                raise _NotRead(f"the {_in_words(key)} differs from the {_in_words(other)}, above it, in case alone")
            if self._of_first and key not in self._of_first:
                raise MissingColumn(
                    f"{Place(name, line)}: the {_in_words(key)} stands nowhere in the first of these files.",
                    hint="Give files of another layout a source of their own.",
                )
            self._keys[key] = line
        if len(self._keys) > _MOST_KEYS:
            raise _NotRead(f"with it the file has more than {_MOST_KEYS:,} keys; are they a row's values")

    def _check_keys(self, name: str) -> None:
        self._of_first = self._of_first or self._keys
        gone = [key for key in self._of_first if self._keys and key not in self._keys]
        if gone:
            raise MissingColumn(
                f"{name}: no line has the {_in_words(gone[0])}, which the first of these files has.",
                hint="Have it written as null where it has no value, or give files of another layout a source of "
                "their own.",
            )


def _decoded(content: bytes) -> str:
    if len(content) > _LONGEST_LINE:
        raise _NotRead(f"the line is longer than {_LONGEST_LINE // 2**20} MiB; has the file no line breaks")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _NotRead(
            f"not UTF-8: {error.reason} at byte {error.start + 1} of the line", "Have the file written as UTF-8."
        ) from error
    if text.startswith("\ufeff"):
        raise _NotRead("a byte order mark where no file begins; were files put together", "Remove the mark.")
    return text


def _cells(text: str) -> dict[str, str | None]:
    """One line's object, as key → its value's own text."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if not text.endswith("\n") and error.pos >= len(text) - 1:
            raise _NotRead("the last line is cut off", _FETCH) from error
        raise _NotRead(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise _NotRead("arrays or objects in one another without end", _FLATTEN) from error
    if type(value) is not dict:
        if type(value) is list:
            raise _NotRead("an array, where an object is wanted", "Write each of its items on a line of its own.")
        raise _NotRead("one value, where an object is wanted")
    for key, cell in value.items():
        kind = type(cell)
        if kind is str or cell is None:  # nearly always
            continue
        if kind is not bool:
            what = "an object" if kind is dict else "an array"
            raise _NotRead(f"the {_in_words(key)} holds {what}, where a text or a number is wanted", _FLATTEN)
        value[key] = "true" if cell else "false"
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _NotRead(f"the {_in_words(twice)} stands twice in one object")
    return found


def _no_number(spelling: str) -> NoReturn:
    raise _NotRead(f"{spelling} is no value of JSON", "Have it written as null.")


#: Numbers stay the texts that they are.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_no_number)


def _in_words(key: str) -> str:
    return f"key '{key}'" if not key or _PLAIN_KEY.fullmatch(key) else f"key of the shape {shape(key)}"


@dataclass
class _Writer:
    """Parquet files of texts in a folder, written a batch at a time; `names` are the columns so far, in order."""

    folder: Path
    names: dict[str, None] = field(default_factory=dict)
    _rows: list[dict[str, str | None]] = field(default_factory=list)
    _wheres: list[Where] = field(default_factory=list)
    _bytes: int = 0
    _parts: int = 0
    _writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._close()

    def add(self, where: Where, cells: dict[str, str | None], size: int) -> None:
        """Add a row."""
        self._rows.append(cells)
        self._wheres.append(where)
        self._bytes += size
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        known = len(self.names)
        for cells in self._rows:
            self.names.update(dict.fromkeys(cells))
        if not self._rows or not self.names:
            return
        if len(self.names) > known:
            self._close()
        table = pa.table({name: self._column(name) for name in self.names})
        if self._writer is None:
            self._parts += 1
            self._writer = pq.ParquetWriter(self.folder / f"rows-{self._parts:05d}.parquet", table.schema)
        self._writer.write_table(table)
        self._rows, self._wheres, self._bytes = [], [], 0

    def _column(self, name: str) -> pa.Array:
        texts = [cells.get(name) for cells in self._rows]
        try:
            return pa.array(texts, pa.string())
        except (UnicodeEncodeError, pa.ArrowInvalid):
            where = next(w for w, text in zip(self._wheres, texts, strict=True) if text and not _is_unicode(text))
            raise UnreadableFile(
                f"{Place(*where)}: the {_in_words(name)} holds half of a surrogate pair, such as \\ud83d alone.",
                hint=_FIX,
            ) from None

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _is_unicode(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


READER = JsonLinesReader
