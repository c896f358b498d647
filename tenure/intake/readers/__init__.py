"""Readers: how each kind of raw table is found, digested, landed and looked up; one module a kind.

```
sources.py: Csv(…) ──► READERS ──► readers/csv.py ──► found ──► digest ──► land ──► a relation of the engine
             words of a place, nulls      files, or a query's rows │            └── place_of: file and line of a value
```
The declaration, in `tenure/define/raw_tables.py`, tells of itself and touches nothing; the module named there reads.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Generic, TypeAlias, TypeVar, cast

from tenure.define.raw_tables import READERS, RawTable
from tenure.define.source import Source
from tenure.engines.files import Place, file_in_words, files_in_words, is_packed, names_beside
from tenure.errors import MissingFile
from tenure.intake.unpacking import unpacked
from tenure.session.work import Work
from tenure.storage.location import Location, below, is_below, open_to_read, size_of
from tenure.store.landing import Landing

Declared = TypeVar("Declared", bound=RawTable)


class Reader(ABC, Generic[Declared]):
    """One raw table of a source, as a run reads it.

    `asked_by` is what messages call the source; `landing` is where rows are landed that no engine reads as they are.
    With `again`, rows that staging landed are taken as they are, and no server is asked for them.
    """

    #: Whether its rows come from a server, so that nothing tells whether they changed but to ask again.
    asks_a_server: ClassVar[bool] = False

    #: Of a table that is said only to grow and did not, what shows it; '' else.
    changed = ""

    #: Whether its files are texts whose rows end in a line break.
    is_of_lines: ClassVar[bool] = False

    def __init__(self, work: Work, raw: Declared, *, asked_by: str, landing: Landing, again: bool) -> None:
        """Know what to read; nothing is read yet."""
        self.work, self.raw = work, raw
        self.asked_by, self.landing, self.again = asked_by, landing, again

    @cached_property
    def files(self) -> list[Location]:
        """The files whose contents its rows are; MissingFile if there is none, InvalidConfig if one is Tenure's own."""
        return self.work.raw_files(self.raw.path, asked_by=self.asked_by)

    @cached_property
    def texts(self) -> list[Location]:
        """The files as text: those that are packed, unpacked for as long as the run."""
        return self._unpacked(head=False)

    @property
    def heads(self) -> list[Location]:
        """The files as text, of those that are packed no more than their beginning."""
        return self._unpacked(head=True)

    def _unpacked(self, *, head: bool) -> list[Location]:
        if not any(map(is_packed, self.files)):
            return self.files
        return unpacked(self.work, self.files, self.raw, head=head)

    @property
    def words(self) -> str:
        """What messages call the whole of it: 'payments.csv'."""
        return files_in_words(self.files, self.raw)

    @property
    def begins(self) -> str:
        """How the names of its files begin, up to what numbers them; '' where it reads no files of one folder."""
        folder, name = Path(self.raw.path).parent, Path(self.raw.path).name
        if not name or re.search(r"[*?\[]", str(folder)):
            return ""
        return re.split(r"[*?\[]", name)[0] if re.search(r"[*?\[]", name) else Path(name).stem

    def without_end(self) -> list[str]:
        """Return which of its files of text have a last line without an end, as messages call them."""
        found = []
        for text, file in zip(self.texts, self.files, strict=True) if self.is_of_lines else ():
            with open_to_read(text) as content:
                content.seek(max(0, size_of(text) - 1))
                if content.read(1) not in (b"", b"\n", b"\r"):
                    found.append(file_in_words(file, self.files, self.raw))
        return found

    def digest(self) -> list[tuple[str, str]]:
        """Return the name and SHA-256 of each file: other contents, or other names, are staged anew."""
        return [(_name_in(self.work.data, file), self.work.raw_digests.of(file)) for file in self.files]

    @abstractmethod
    def land(self, relation: str) -> dict[str, str]:
        """Make its rows a relation of the engine; return its columns as name → 'text' or another type."""

    def plan(self, relation: str) -> dict[str, str]:
        """Make a relation of the same columns, for a SELECT that is planned and not run."""
        return self.land(relation)

    def place_of(self, value: str, column: str) -> Place | None:  # noqa: ARG002  (the contract's)
        """Return the first line that holds `value` in `column`, None where none is known; slow, for messages."""
        return None


Readers: TypeAlias = Mapping[str, Reader[RawTable]]

#: The digests of each raw table's files: of a file's name and of its contents.
FileDigests: TypeAlias = Mapping[str, Sequence[Sequence[str]]]


def land(readers: Readers) -> dict[str, dict[str, str]]:
    """Make a source's raw tables relations, each under its name in `select`; return the columns of each."""
    return {name: reader.land(name) for name, reader in readers.items()}


def are_near(readers: Readers) -> bool:
    """Return whether all that a source reads lies on this machine."""
    return all(isinstance(file, Path) for reader in readers.values() for file in reader.files)


def named_files(readers: Readers) -> str:
    """Return the files that a source reads, or 'its query' where it reads none."""
    return ", ".join(dict.fromkeys(reader.words for reader in readers.values()))


def file_digests(readers: Readers) -> FileDigests:
    """Return the files of each raw table that has any, in order; a name, which may hold a person's, as its digest."""
    return {
        name: [[sha256(file.encode()).hexdigest()[:12], digest] for file, digest in reader.digest()]
        for name, reader in readers.items()
        if not reader.asks_a_server or reader.raw.append_only
    }


@dataclass(frozen=True)
class SeenFiles:
    """The names of a source's files, of those whose last line has no end, and of those beside them, read by nobody."""

    names: tuple[str, ...]
    without_end: tuple[str, ...]
    missed: tuple[str, ...]


def seen_files(work: Work, readers: Readers) -> SeenFiles:
    """Return what there is to say of the files of all readers."""
    found = [(reader.begins, file) for reader in readers.values() if reader.raw.path for file in reader.files]
    read = {file for path in work.project.raw_paths for file in _files_of(work, path)}
    folders = {(begins, file.parent) for begins, file in found}
    missed = {name for begins, folder in folders for name in names_beside(folder, begins, read)}
    return SeenFiles(
        tuple(_name_in(work.data, file) for _, file in found),
        tuple(name for reader in readers.values() for name in reader.without_end()),
        tuple(sorted(missed)),
    )


def _files_of(work: Work, path: str) -> list[Location]:
    """The files of a path; none where there is none, which its own source is refused for."""
    try:
        return work.raw_files(path, asked_by="a source")
    except MissingFile:
        return []


def readers_of(work: Work, source: Source, *, folder: Path | None = None, again: bool = False) -> Readers:
    """Return the readers of a source's raw tables, by the names that its `select` calls them.

    Rows are landed in `folder`, by default in the lake. Raises InvalidDefinition for a kind that Tenure doesn't know.
    """
    found: dict[str, Reader[RawTable]] = {}
    for name, raw in source.raws.items():
        place = f"{source.name}-{name}"
        landing = Landing(folder / place) if folder else work.lake.landing(place)
        found[name] = reader_class(raw)(work, raw, asked_by=f"source '{source.name}'", landing=landing, again=again)
    return found


def reader_class(raw: RawTable) -> type[Reader[RawTable]]:
    """Return the class that reads a kind of raw table; its module is imported when the first such table is read."""
    module = import_module(f"{__name__}.{READERS.of(raw)}")
    return cast("type[Reader[RawTable]]", module.READER)


def _name_in(data: Location, file: Location) -> str:
    """A raw file's name below the data folder; its bare name elsewhere, so that no folder of a machine counts."""
    return str(below(file, data)) if is_below(file, data) else file.name
