"""Files: which raw tables lie in a folder, how each is packed, encoded and delimited, and which files are of one table.

p-2024-01.csv.gz, p-2024-02.csv.gz ──► p: Csv("p-*.csv.gz", delimiter=";", encoding="latin-1")
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa

from tenure.define.naming import RESERVED_WORDS
from tenure.define.raw_tables import Csv, JsonLines, Parquet, RawTable
from tenure.engines.files import GZIP, ZIP, ZSTD
from tenure.errors import MissingFile
from tenure.faults.redact import file_shape
from tenure.host.text_files import encoding_of

#: How much is read of a file's head, middle and tail.
_PART = 256 * 1024

#: At most so many files of one folder are looked at.
_MOST_FILES = 100_000

_DELIMITERS = ",;\t|^~"

#: Folders that say nothing of a table's name.
_PLAIN_FOLDERS = frozenset("data raw files csv parquet json by_day by_month daily monthly export dump".split())

_HIVE = re.compile(r"[^=/]+=[^=/]*")


@dataclass(frozen=True)
class FoundTable:
    """A raw table: its name, its declaration, how many files it has and what was seen of them."""

    name: str
    raw: RawTable
    files: int = 1
    why: tuple[str, ...] = ()


@dataclass
class Found:
    """The raw tables of a folder or database, and what could not be read or told, as sentences."""

    tables: list[FoundTable] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """What the beginning of a file tells: its kind, its columns, and how it is written."""

    kind: str
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    refused: str = ""


def tables_in(folder: Path) -> Found:
    """Return the raw tables that lie in a folder, or in a file; raise MissingFile if it is not there, or has none."""
    only = folder.is_file()
    if not (only or folder.is_dir()):
        raise MissingFile(
            f"--from is '{folder}', and there is no such folder.", hint="Give the folder of the raw files."
        )
    folder, files = (folder.parent, [folder.name]) if only else (folder, _files_below(folder))
    found = Found()
    groups: dict[tuple[str, _Look], list[str]] = {}
    for path in files:
        look = _look_at(folder / path)
        if look.refused:
            found.questions.append(f"{file_shape(Path(path).name)} is left out: {look.refused}.")
        elif look.kind:
            groups.setdefault((_pattern_of(path), look), []).append(path)
    _join_encodings(groups)
    taken: set[str] = set()
    for (pattern, look), paths in groups.items():
        path = _path_for(pattern, paths, files)
        name = _name_for([*folder.resolve().parts[-1:], *path.split("/")], taken)
        taken.add(name)
        found.tables.append(_table(name, path, look, paths))
    if not found.tables:
        raise MissingFile(
            f"--from is '{folder}', which has no table among its {len(files)} files.",
            hint="Tenure reads delimited text with a header line, JSON lines and Parquet, packed or not.",
        )
    return found


def _files_below(folder: Path) -> list[str]:
    """The paths of the files below a folder, without hidden ones and what lies in hidden folders."""
    found: list[str] = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        hidden = any(part.startswith((".", "_")) for part in path.parts)
        if not hidden and file.is_file() and len(found) < _MOST_FILES:
            found.append(path.as_posix())
    return found


def _pattern_of(path: str) -> str:
    """A path with a star for each run of digits, and for the folders of a table that tell a column's value."""
    *folders, name = path.split("/")
    hive = any(_HIVE.fullmatch(part) for part in folders)
    parts = ["*" if _HIVE.fullmatch(part) else _stars(part) for part in folders]
    if hive:
        return "/".join([*parts, "*" + "".join(Path(name).suffixes)])
    return "/".join([*parts, _stars(name)])


def _stars(name: str) -> str:
    """Digits that may count files, and what stands between them, become one star; 'v2' and 'x1.csv' stay one file's."""
    return re.sub(r"\*(?:[-_.T ]?\*)+", "*", re.sub(r"\d+", "*", name))


def _path_for(pattern: str, paths: Sequence[str], files: Iterable[str]) -> str:
    """The path that finds a table's files and no other; that of its only file is the file's own."""
    if len(paths) == 1:
        return re.sub(r"[*?\[]", r"[\g<0>]", paths[0])
    mine = set(paths)
    for path in (pattern, pattern.replace("*", "[0-9]*")):
        matched = {file for file in files if file.count("/") == path.count("/") and fnmatchcase(file, path)}
        if matched == mine:
            return path
    return pattern.replace("*", "[0-9]*")


def _join_encodings(groups: dict[tuple[str, _Look], list[str]]) -> None:
    """Files of one table of which only some have a sign beyond ASCII are all of that one's encoding."""
    for pattern, look in [key for key in groups if key[1].encoding == "latin-1"]:
        plain = (pattern, _Look(look.kind, look.columns, look.delimiter))
        if plain in groups:
            groups[pattern, look] = sorted(groups[pattern, look] + groups.pop(plain))


def _table(name: str, path: str, look: _Look, paths: Sequence[str]) -> FoundTable:
    why = [f"{len(paths):,} files of one table"] if len(paths) > 1 else []
    raw: RawTable
    if look.kind == "parquet":
        raw = Parquet(path)
    elif look.kind == "json":
        raw = JsonLines(path)
    else:
        raw = Csv(path, delimiter=look.delimiter, encoding="latin-1" if look.encoding == "latin-1" else "utf-8")
        why.append(f"{len(look.columns)} columns, {_IN_WORDS.get(look.delimiter, look.delimiter)} between them")
        if look.encoding == "latin-1":
            why.append("bytes that are not UTF-8")
    return FoundTable(name, raw, len(paths), tuple(why))


_IN_WORDS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def _name_for(parts: Sequence[str], taken: Iterable[str]) -> str:
    """A table's name, from that of its files, or of their folders where that says nothing."""
    *folders, name = parts
    words = [name.partition(".")[0], *reversed(folders)]
    plain = [re.sub(r"[^a-z]+$|^[^a-z]+", "", snake(re.sub(r"\[0-9\]|\*", "_", word))) for word in words]
    telling = [word for word in plain if word and word not in _PLAIN_FOLDERS and word != "part"]
    found = next(iter(telling), "rows_of_a_table")
    if found in RESERVED_WORDS:
        found += "_rows"
    names = [found, *(f"{found}_{number}" for number in range(2, 1000))]
    return next(one for one in names if one not in set(taken))


def snake(text: str) -> str:
    """Return a name in lower snake case."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def _look_at(file: Path) -> _Look:
    """Tell what a file is by its first bytes; a file that is no table has no kind."""
    with file.open("rb") as content:
        begins = content.read(4)
    if begins == b"PAR1":
        return _Look("parquet", _parquet_columns(file))
    try:
        parts = list(_unpacked_parts(file, begins))
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException):
        return _Look("", refused="it is packed, and cut off or damaged")
    head = parts[0] if parts else b""
    if encoding_of(head[:4]) not in ("utf-8", "utf-8-sig"):
        return _Look("", refused="it is UTF-16 or UTF-32; save it as UTF-8")
    if not head.strip() or b"\0" in head:
        return _Look("")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        return _Look("json")
    return _delimited(parts)


def _parquet_columns(file: Path) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(file).names)
    except (OSError, pa.ArrowException):
        return ()


def _unpacked_parts(file: Path, begins: bytes) -> Iterator[bytes]:
    """Yield the head of a file's text, then its middle and tail; of a packed one the head alone."""
    if begins.startswith(GZIP):
        with gzip.open(file) as text:
            yield text.read(_PART)
    elif begins.startswith(ZSTD):
        with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as text:
            yield text.read(_PART)
    elif begins.startswith(ZIP):
        with zipfile.ZipFile(file) as archive:
            members = [
                one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")
            ]
            if len(members) == 1:
                with archive.open(members[0]) as member:
                    yield member.read(_PART)
    else:
        size = file.stat().st_size
        with file.open("rb") as content:
            for place in sorted({0, max(0, size // 2), max(0, size - _PART)}):
                content.seek(place)
                yield content.read(_PART)


def _delimited(parts: Sequence[bytes]) -> _Look:
    encoding = "utf-8" if all(map(_is_utf_8, parts)) else "latin-1"
    text = parts[0].decode("utf-8-sig" if encoding == "utf-8" else "latin-1", errors="replace")
    lines = text.splitlines(keepends=True)
    if len(parts[0]) >= _PART:
        lines = lines[:-1]
    delimiter = _delimiter_of(lines[:200])
    if not delimiter:
        return _Look("")
    header = next(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter), [])
    columns = tuple(name.strip() for name in header)
    if len(lines) < 2:
        return _Look("", refused="it has a header and no row")
    if not _is_header(columns):
        return _Look("", refused="its first line is no header: columns need names")
    return _Look("csv", columns, delimiter, encoding)


def _is_utf_8(part: bytes) -> bool:
    """Whether a part of a file is UTF-8; a sign may be cut at its ends."""
    whole = part
    while whole and whole[0] & 0xC0 == 0x80 and len(part) - len(whole) < 3:
        whole = whole[1:]
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(whole) - 3 and error.reason == "unexpected end of data"
    return True


def _delimiter_of(lines: Sequence[str]) -> str:
    """The sign that cuts every line into as many fields, two or more; '' where none does."""
    best, most = "", 0.0
    for sign in _DELIMITERS:
        widths = _widths(lines, sign)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        alike = count / widths.total()
        if width > 1 and alike > 0.9 and alike * width > most:
            best, most = sign, alike * width
    return best


def _widths(lines: Sequence[str], delimiter: str) -> Counter[int]:
    """How many rows have how many fields, where that sign delimits them."""
    rows = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter)
    try:
        return Counter(len(row) for row in rows if row)
    except csv.Error:
        return Counter()


def _is_header(columns: Sequence[str]) -> bool:
    """Whether a first line names columns: no field is empty, stands twice, or is a number, a date or an address."""
    if not all(columns) or len(set(columns)) < len(columns):
        return False
    return not any("@" in name or re.fullmatch(r"[+-]?[\d.,:/ T-]*\d[\d.,:/ TZ-]*", name) for name in columns)
