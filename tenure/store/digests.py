"""SHA-256 of files: remembered while a file's size, times and inode stay, and found in the names of data files.

file ─► stat ─┬─ as remembered ──► digest remembered        cp -p, touch -r, rsync -t and tar set mtime;
              └─ anything else ──► read, hash, remember     nothing but the kernel sets ctime
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

#: Size, mtime, ctime and inode: what changes when anything is done to a file.
Stamp: TypeAlias = tuple[int, int, int, int]

#: A raw file's name as it is remembered, and of how many: whether such a file is still there can't be told.
_HASHED = re.compile(r"[0-9a-f]{64}")
_MOST_RAW = 100_000

_IN_NAME = re.compile(r"-([0-9a-f]{64})\.parquet$")


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits; raises OSError if it can't be read."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest_in_name(file: Path) -> str:
    """Return the digest that a sealed file's name ends with; '' if it has none."""
    found = _IN_NAME.search(file.name)
    return found[1] if found else ""


def name_with_digest(file: Path, digest: str) -> Path:
    """Return the path that a file has once it is sealed."""
    return file.with_name(f"{file.stem}-{digest}{file.suffix}")


def replace_file(file: Path, content: bytes) -> None:
    """Put a whole file in place of the old one: after a power cut, either the old or the new one is there."""
    incoming = file.with_name(f".{file.name}.{uuid4().hex[:8]}.incoming")
    try:
        with incoming.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        incoming.replace(file)
    finally:
        incoming.unlink(missing_ok=True)


class FileDigests:
    """Digests of files, remembered by stamp, in memory and in one file that any run may lose.

    With `trusting` false each file is read once in the life of this object, whatever its stamp says.
    """

    def __init__(self, memory: Path, *, trusting: bool = True) -> None:
        self._memory = memory
        self._trusting = trusting
        self._known: dict[str, tuple[Stamp, str]] | None = None
        self._changed = False

    def of(self, file: Path) -> str:
        """Return the SHA-256 of a file; raises OSError if it is not there or can't be read."""
        known, name = self._load(), self._name_of(file)
        stamp = _stamp(file)
        found = known.get(name)
        if found and found[0] == stamp:
            return found[1]
        digest = sha256_of(file)
        # A file that changed while it was read is hashed again when it is next asked for.
        if _stamp(file) == stamp:
            self._remember(name, stamp, digest)
        return digest

    def note(self, file: Path, digest: str) -> None:
        """Remember the digest of a file that was just hashed, or written from bytes that were."""
        self._load()
        self._remember(self._name_of(file), _stamp(file), digest)

    def save(self) -> None:
        """Keep what is known for the next run; a lake that can't be written keeps nothing and is read again."""
        if not self._changed or self._known is None or not self._memory.parent.is_dir():
            return
        raw = [name for name in self._known if _HASHED.fullmatch(name)]
        gone = set(raw[:-_MOST_RAW]) | {name for name in self._known.keys() - set(raw) if not os.path.lexists(name)}
        here = {name: entry for name, entry in self._known.items() if name not in gone}
        with suppress(OSError):
            write_own(self._memory, {name: [*stamp, sha] for name, (stamp, sha) in here.items()})
            self._changed = False

    def _name_of(self, file: Path) -> str:
        """A file's path; its SHA-256 outside the folder, since the name of a raw file may be a customer's."""
        path = file.absolute()
        inside = path.is_relative_to(self._memory.parent.absolute())
        return str(path) if inside else hashlib.sha256(os.fsencode(path)).hexdigest()

    def _remember(self, name: str, stamp: Stamp, digest: str) -> None:
        if self._known is not None:
            self._known[name] = (stamp, digest)
            self._changed = True

    def _load(self) -> dict[str, tuple[Stamp, str]]:
        if self._known is None:
            self._known = _entries(read_own(self._memory)) if self._trusting else {}
        return self._known


def read_own(file: Path) -> Mapping[str, object] | None:
    """Return the record that `write_own` wrote; None if there is none or not a byte of it can be trusted."""
    try:
        written = file.read_bytes()
        content = json.loads(written)["content"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if isinstance(content, dict) and written == _with_own_digest(content) else None


def write_own(file: Path, content: Mapping[str, object]) -> None:
    """Write a record with a digest of itself, whole or not at all."""
    replace_file(file, _with_own_digest(content))


def _with_own_digest(content: Mapping[str, object]) -> bytes:
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"sha256": "{digest}", "content": {text}}}\n'.encode()


def _entries(content: Mapping[str, object] | None) -> dict[str, tuple[Stamp, str]]:
    found = {}
    for name, entry in (content or {}).items():
        if isinstance(entry, list) and len(entry) == 5:
            size, mtime, ctime, inode, digest = entry
            found[name] = ((size, mtime, ctime, inode), str(digest))
    return found


def _stamp(file: Path) -> Stamp:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
