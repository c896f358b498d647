"""Fixed width: values in fixed places of a line, landed as Parquet of texts.

```
layout={"id": (1, 4), "name": (5, 6), "amount": (11, 7)}

HDR 2024-03                        skip_first=1
0007Zoe   0001234                  id '0007'   name 'Zoe   '   amount '0001234', typed as a CSV's by its source
TRL 00000001                       skip_last=1
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import EBCDIC, FixedWidth
from tenure.engines.files import Place, file_in_words
from tenure.errors import UnreadableFile
from tenure.intake.readers.landed import LandedReader
from tenure.storage.location import Location, blocks

#: A batch ends after so many rows or signs: memory is bounded by it, not by the files.
_ROWS, _SIGNS = 20_000, 8 * 2**20

#: A longer line is none: the file has no line breaks.
_LONGEST_LINE = 64 * 2**20

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: How lines of EBCDIC end: by a line feed or by a new line, which become one.
_LINE_FEED, _NEW_LINE = b"\x25", b"\x15"


class FixedWidthReader(LandedReader[FixedWidth]):
    """Text files whose lines are all as long as the layout."""

    is_of_lines = True

    @property
    def read_by(self) -> Sequence[object]:
        """All but how null is spelled, which is read of the landed text."""
        raw = self.raw
        return (raw.layout, raw.encoding, raw.skip_first, raw.skip_last, raw.line_breaks)

    def write(self, folder: Path) -> bool:
        """Write each value as its text, a batch of lines at a time."""
        schema = pa.schema([(name, pa.string()) for name in self.raw.layout])
        has_rows = False
        with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
            for lines in _batches(_Lines(self.texts, self.raw)):
                has_rows = True
                cells = [pa.array([line[span] for _, line in lines], pa.string()) for span in _spans(self.raw).values()]
                writer.write_batch(pa.RecordBatch.from_arrays(cells, schema=schema))
        return has_rows

    def place_of(self, value: str, column: str) -> Place | None:
        """Return the first line that holds `value` in the column, or in any where the layout lacks the column."""
        spans = _spans(self.raw)
        wanted = [spans[column]] if column in spans else list(spans.values())
        if not value and column not in spans:
            return None
        for place, line in _Lines(self.texts, self.raw):
            if any(line[span].strip() == value for span in wanted):
                return Place(*place)
        return None


def _spans(raw: FixedWidth) -> dict[str, slice]:
    return {name: slice(first - 1, first - 1 + length) for name, (first, length) in raw.layout.items()}


#: A file as messages call it, the number of a line, and what a line is called.
_Where = tuple[str, int, str]


def _batches(lines: _Lines) -> Iterator[list[tuple[_Where, str]]]:
    batch: list[tuple[_Where, str]] = []
    most = max(1, min(_ROWS, _SIGNS // lines.raw.width))
    for line in lines:
        batch.append(line)
        if len(batch) >= most:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass
class _Lines:
    """Each line between headers and trailers, and where it stands; UnreadableFile at the first of another length.

    Empty lines are passed over, and count as none of the lines that are skipped.
    """

    files: Sequence[Location]
    raw: FixedWidth

    def __iter__(self) -> Iterator[tuple[_Where, str]]:
        unit = "line" if self.raw.line_breaks else "record"
        for file in self.files:
            name = file_in_words(file, self.files, self.raw)
            for number, content in self._between(file, name):
                yield (name, number, unit), self._text(content, Place(name, number, unit))

    def _between(self, file: Location, name: str) -> Iterator[tuple[int, bytes]]:
        """The lines of a file without its first and last ones."""
        raw = self.raw
        found = _by_breaks(file, name, raw) if raw.line_breaks else _by_length(file, raw.width)
        held: deque[tuple[int, bytes]] = deque()
        skipped = 0
        for number, content in found:
            if not content:
                continue
            if skipped < raw.skip_first:
                skipped += 1
                continue
            held.append((number, content))
            if len(held) > raw.skip_last:
                yield held.popleft()

    def _text(self, content: bytes, place: Place) -> str:
        try:
            text = content.decode(self.raw.encoding)
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                f"{place}: not {self.raw.encoding}: {error.reason} at byte {error.start + 1} of the {place.unit}.",
                hint="Set the source's encoding, for example FixedWidth(…, encoding='latin-1').",
            ) from error
        if len(text) != self.raw.width:
            raise UnreadableFile(
                f"{place}: {len(text):,} characters, where the layout has {self.raw.width:,}.",
                hint="Fix the layout (a filler at the end is a column too), have the file fetched again with the "
                "blanks at the ends of its lines, or pass over headers and trailers by skip_first= and skip_last=.",
            )
        return text


def _by_breaks(file: Location, name: str, raw: FixedWidth) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, counted from 1; its end may be that of any system."""
    is_ebcdic = raw.encoding in EBCDIC
    feed = _LINE_FEED if is_ebcdic else b"\n"
    rest, number = b"", 0
    for block in blocks(file):
        content = block.replace(_NEW_LINE, _LINE_FEED) if is_ebcdic else block
        *whole, rest = (rest + content).split(feed)
        for line in whole:
            number += 1
            yield number, _without_signs_of_a_file(line, number, raw)
        if len(rest) > _LONGEST_LINE:
            raise UnreadableFile(
                f"{name}, line {number + 1}: longer than {_LONGEST_LINE // 2**20} MiB; has the file no line breaks?",
                hint="Records that follow each other without line breaks are read by FixedWidth(…, line_breaks=False).",
            )
    if rest:
        yield number + 1, _without_signs_of_a_file(rest, number + 1, raw)


def _without_signs_of_a_file(line: bytes, number: int, raw: FixedWidth) -> bytes:
    """A line without the half of its end that Windows writes, and without a byte order mark."""
    if number == 1 and raw.encoding == "utf-8":
        line = line.removeprefix(_BYTE_ORDER_MARK)
    return line.removesuffix(b"\r")


def _by_length(file: Location, width: int) -> Iterator[tuple[int, bytes]]:
    """Each record of so many bytes with its number; the last may be shorter."""
    rest, number = b"", 0
    for block in blocks(file):
        content = rest + block
        whole = len(content) // width * width
        for start in range(0, whole, width):
            number += 1
            yield number, content[start : start + width]
        rest = content[whole:]
    if rest:
        yield number + 1, rest


READER = FixedWidthReader
