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

from tenure.storage.location import Location, Stamp, absolute, blocks, is_below, stamp, write_whole
from tenure.storage.s3 import S3Location

#: A raw file's name as it is remembered, and of how many: whether such a file is still there can't be told.
_HASHED = re.compile(r"[0-9a-f]{64}")
_MOST_RAW = 100_000

_IN_NAME = re.compile(r"-([0-9a-f]{64})\.parquet$")


def sha256_of(file: Location) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits; raises OSError if it can't be read."""
    digest = hashlib.sha256()
    for block in blocks(file):
        digest.update(block)
    return digest.hexdigest()


def digest_in_name(file: Location) -> str:
    """Return the digest that a sealed file's name ends with; '' if it has none."""
    found = _IN_NAME.search(file.name)
    return found[1] if found else ""


def name_with_digest(file: Location, digest: str) -> str:
    """Return the name that a file has once it is sealed."""
    return f"{file.stem}-{digest}{file.suffix}"


class FileDigests:
    """Digests of files, remembered by stamp, in memory and in one file that any run may lose.

    With `trusting` false each file is read once in the life of this object, whatever its stamp says.
    """

    def __init__(self, memory: Location, *, trusting: bool = True) -> None:
        self._memory = memory
        self._trusting = trusting
        self._known: dict[str, tuple[Stamp, str]] | None = None
        self._changed = False
        self._records: dict[str, tuple[Stamp, Mapping[str, object] | None]] = {}

    def of(self, file: Location, seen: Stamp | None = None) -> str:
        """Return the SHA-256 of a file, whose stamp may have been `seen` in a listing.

        Raises OSError if it is not there or can't be read.
        """
        known, name = self._load(), self._name_of(file)
        now = seen or stamp(file)
        found = known.get(name)
        if found and found[0] == now:
            return found[1]
        digest = sha256_of(file)
        # A file that changed while it was read is hashed again when it is next asked for.
        if stamp(file) == now:
            self._remember(name, now, digest)
        return digest

    def note(self, file: Location, digest: str, seen: Stamp | None = None) -> None:
        """Remember the digest of a file that was just hashed, or written from bytes that were."""
        self._load()
        self._remember(self._name_of(file), seen or stamp(file), digest)

    def record(self, file: Location, seen: Stamp | None) -> Mapping[str, object] | None:
        """Return the record that `write_own` wrote, as it was last read if its stamp was `seen` unchanged."""
        known = self._records.get(str(file))
        if seen is None or known is None or known[0] != seen:
            content = read_own(file)
            if seen is None:
                return content
            self._records[str(file)] = known = (seen, content)
        return known[1]

    def as_noted(self, file: Location) -> Location:
        """Return the file; an object of S3 with the ETag that was noted, so that no other is read in its place."""
        if not isinstance(file, S3Location):
            return file
        noted = self._load().get(self._name_of(file))
        if not noted:
            return file
        size, etag = noted[0]
        return file.as_noted(int(size), str(etag))

    def forget(self, file: Location) -> None:
        """Forget a file that is removed."""
        if self._load().pop(self._name_of(file), None):
            self._changed = True

    def save(self) -> None:
        """Keep what is known for the next run; a lake that can't be written keeps nothing and is read again."""
        if not self._changed or self._known is None or not self._memory.parent.is_dir():
            return
        raw = [name for name in self._known if _HASHED.fullmatch(name)]
        local = [name for name in self._known.keys() - set(raw) if not name.startswith("s3://")]
        gone = set(raw[:-_MOST_RAW]) | {name for name in local if not os.path.lexists(name)}
        here = {name: entry for name, entry in self._known.items() if name not in gone}
        with suppress(OSError):
            write_own(self._memory, {name: [*stamp, sha] for name, (stamp, sha) in here.items()})
            self._changed = False

    def _name_of(self, file: Location) -> str:
        """A file's path; its SHA-256 outside the folder, since the name of a raw file may be a customer's."""
        path, folder = absolute(file), absolute(self._memory.parent)
        return str(path) if is_below(path, folder) else hashlib.sha256(os.fsencode(str(path))).hexdigest()

    def _remember(self, name: str, stamp: Stamp, digest: str) -> None:
        if self._known is not None:
            self._known[name] = (stamp, digest)
            self._changed = True

    def _load(self) -> dict[str, tuple[Stamp, str]]:
        if self._known is None:
            self._known = _entries(read_own(self._memory)) if self._trusting else {}
        return self._known


def read_own(file: Location) -> Mapping[str, object] | None:
    """Return the record that `write_own` wrote; None if there is none or not a byte of it can be trusted."""
    try:
        written = file.read_bytes()
        content = json.loads(written)["content"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if isinstance(content, dict) and written == _with_own_digest(content) else None


def write_own(file: Location, content: Mapping[str, object]) -> None:
    """Write a record with a digest of itself, whole or not at all."""
    write_whole(file, _with_own_digest(content))


def _with_own_digest(content: Mapping[str, object]) -> bytes:
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"sha256": "{digest}", "content": {text}}}\n'.encode()


def _entries(content: Mapping[str, object] | None) -> dict[str, tuple[Stamp, str]]:
    found = {}
    for name, entry in (content or {}).items():
        if isinstance(entry, list) and len(entry) in (3, 5):
            found[name] = (tuple(entry[:-1]), str(entry[-1]))
    return found
