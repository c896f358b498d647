"""The files of an extract: gone since the last one, without an end to their last line, or missed by a path.

```
now            payments-01.csv, payments-02.csv, whose last line has no end, and beside them Payments-04.CSV, not read
last time      payments-01.csv, payments-02.csv, payments-03.csv, which is gone
```
A file's name may hold a person's: what was read is kept as digests of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from tenure.define.source import Csv, FixedWidth, JsonLines, RawTable
from tenure.engines.files import file_in_words
from tenure.errors import choices
from tenure.faults.redact import file_shape
from tenure.intake.completeness import Finding
from tenure.intake.readers import Readers
from tenure.session.work import Work
from tenure.storage.location import Location, below, entries, is_below, open_to_read, size_of
from tenure.storage.s3 import S3Location

#: Texts whose rows end in a line break.
_OF_LINES = (Csv, FixedWidth, JsonLines)

#: Names of files that no bank wrote.
_PASSED_OVER = re.compile(r"[.~_].*|.*(~|[.]tmp|[.]part(ial)?|[.]md|[.]txt|[.]json)", re.IGNORECASE)


def names_noted(work: Work, readers: Readers) -> str:
    """Return the digests of the names of a source's files, to be compared with the next staging's."""
    files = [file for reader in readers.values() if reader.raw.path for file in reader.files]
    return " ".join(sorted({_digest(work, file) for file in files}))


def of_files(work: Work, readers: Readers, noted: str) -> Iterator[Finding]:
    """Yield what is to be said of a source's files; `noted` are the digests of their names at the last staging."""
    now = set(names_noted(work, readers).split())
    gone = len(set(noted.split()) - now) if now else 0
    if gone:
        many = "1 file" if gone == 1 else f"{gone:,} files"
        yield Finding("TEN-I011", "warning", f"{many} of the last staging {'is' if gone == 1 else 'are'} not there")
    for reader in readers.values():
        if isinstance(reader.raw, _OF_LINES):
            yield from _without_end(reader.texts, reader.files, reader.raw)
    missed = _missed(work, readers)
    if missed:
        one = len(missed) == 1
        words = f"beside its files {'lies' if one else 'lie'} {choices(map(_shown, missed), 3)}, which its path misses"
        yield Finding("TEN-I013", "warning", words)


def _without_end(texts: Sequence[Location], files: Sequence[Location], raw: RawTable) -> Iterator[Finding]:
    """Yield the files whose last line has no end: they may be whole, or cut off between two fields."""
    for text, file in zip(texts, files, strict=True):
        size = size_of(text)
        with open_to_read(text) as content:
            content.seek(max(0, size - 1))
            if content.read(1) not in (b"", b"\n", b"\r"):
                words = f"the last line of {file_in_words(file, files, raw)} has no end; it may be cut off"
                yield Finding("TEN-I012", "note", words)


def _missed(work: Work, readers: Readers) -> list[str]:
    """The names of files that begin as the source's do, in the same folders, and that no source reads."""
    paths = {raw.path for one in work.project.sources.values() for raw in one.raws.values() if raw.path}
    read = {file for path in paths for file in work.raw_files(path, asked_by="a source")}
    found: set[str] = set()
    for reader in readers.values():
        if not reader.raw.path or any(sign in str(Path(reader.raw.path).parent) for sign in "*?["):
            continue
        name = Path(reader.raw.path).name
        begins = re.split(r"[*?\[]", name)[0] if re.search(r"[*?\[]", name) else Path(name).stem
        stem = begins.rstrip("-_. 0123456789").lower()
        for file in entries(reader.files[0].parent) if len(stem) > 2 else ():
            is_file = isinstance(file, S3Location) or file.is_file()
            if is_file and file not in read and file.name.lower().startswith(stem) and _is_alike(file.name, stem):
                found.add(file.name)
    return sorted(found)


def _is_alike(name: str, stem: str) -> bool:
    """Whether a name is the stem and what numbers or packs it, and not another word."""
    rest = name.lower().removeprefix(stem)
    return not _PASSED_OVER.fullmatch(name) and re.match(r"[a-z]", rest) is None


def _shown(name: str) -> str:
    return f"'{name}'" if re.fullmatch(r"[A-Za-z]+[-_.0-9A-Za-z() ]*", name) else file_shape(name)


def _digest(work: Work, file: Location) -> str:
    name = str(below(file, work.data)) if is_below(file, work.data) else file.name
    return sha256(name.encode()).hexdigest()[:12]
