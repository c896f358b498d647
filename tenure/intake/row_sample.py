"""A sample of raw rows, for `tenure check`: some thousands from the head, the middle and the tail of a source's files.

```
first file   ▌▌▌···········▌▌▌···········▌▌▌      whole lines around three places of the first, a middle and
middle file  ▌▌▌···········▌▌▌···········▌▌▌      the last file; what a cut leaves of a line is passed over
last file    ▌▌▌···········▌▌▌···········▌▌▌
```
Rows of another kind than CSV are the first ones that the engine gives.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenure.define.raw_tables import Csv
from tenure.define.source import Source
from tenure.engines.files import check_structure, csv_header
from tenure.intake.readers import Readers
from tenure.session.work import Work
from tenure.sql.query import Query
from tenure.storage.location import Location, open_to_read, size_of

#: Bytes that are read around each place of a file.
_BLOCK = 128 * 1024

#: Rows that are taken of a source that is no CSV.
_ROWS = 5_000


def sample(work: Work, source: Source, readers: Readers, folder: Path) -> None:
    """Make each raw table of a source a relation of some of its rows, under its own name; `folder` is for scratch."""
    for name, reader in readers.items():
        if isinstance(reader.raw, Csv):
            files = reader.heads
            header = csv_header(files, reader.raw)
            made = folder / f"{source.name}-{name}.csv"
            _write(made, header, _lines(files, reader.raw, len(header)))
            work.engine.read_csv(name, Csv(made.name), [made])
            continue
        whole = f"{name}_all"
        reader.plan(whole)
        rows = Query(columns=["*"], source=whole, limit=_ROWS)
        work.engine.cache(name, rows.text)


def _write(file: Path, header: Sequence[str], rows: Iterator[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def _lines(files: Sequence[Location], raw: Csv, width: int) -> Iterator[list[str]]:
    """Rows of as many fields as the header, around three places of up to three files."""
    chosen = sorted({0, len(files) // 2, len(files) - 1})
    for number in chosen:
        for block in _blocks(files[number]):
            try:
                text = block.decode("utf-8-sig" if raw.encoding == "utf-8" else raw.encoding)
            except UnicodeDecodeError:
                check_structure(files, raw)  # names the file and the line
                raise
            try:
                yield from _rows(text, raw, width)
            except csv.Error:
                continue  # cut within quotes; the other blocks tell enough


def _rows(text: str, raw: Csv, width: int) -> Iterator[list[str]]:
    for row in csv.reader(io.StringIO(text), delimiter=raw.delimiter):
        if len(row) == width:
            yield row


def _blocks(file: Location) -> Iterator[bytes]:
    """Whole lines at the head, behind the header, and around the middle and the end of a file."""
    size = size_of(file)
    with open_to_read(file) as content:
        for place in sorted({0, max(0, size // 2 - _BLOCK // 2), max(0, size - _BLOCK)}):
            content.seek(place)
            block = content.read(_BLOCK)
            first, last = block.find(b"\n") + 1, block.rfind(b"\n") + 1
            if place + len(block) >= size:
                last = len(block)
            yield block[first:last]
