"""Digests of a table's Delta log, kept next to it: a changed, cut or lost log is found before it is believed.

_delta_log/00…0.json, 00…1.json, …          what each commit did
_log_digests.json                           the SHA-256 of each, noted right after its commit
_committing                                 there from right before a commit until its digest is noted

_rewriting.json                             there while all versions are written anew: the new digest of each log

A run that is killed in between leaves `_committing` and one newest log without a digest: it is believed, and the next
run that holds the lake's lock notes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tenure.storage.location import Listing, Location, Stamp, make_folder, stamp, write_whole
from tenure.store.digests import FileDigests, read_own, write_own

DIGESTS = "_log_digests.json"

#: The files of a log by name, and of their digests, each with its stamp.
LogState: TypeAlias = tuple[tuple[str, Stamp], ...]

_COMMITTING = "_committing"

#: What a rewriting of all versions is to do: {"files": {old: new}, "logs": {name: SHA-256}}.
REWRITING = "_rewriting.json"

#: A hint where the newest checkpoint is; Delta lists the folder where it is wrong.
_HINT = "_last_checkpoint"


@dataclass(frozen=True)
class LogDamage:
    """A file of a table's log that is not as it was written, and what is wrong with it."""

    file: Location
    problem: str


class TableLog:
    """The Delta log of one table and the digests of its files."""

    def __init__(self, folder: Location, digests: FileDigests, seen: Listing | None = None) -> None:
        """Know a table's folder, as a listing has just `seen` it or as it is now."""
        self._folder = folder
        self._logs = folder / "_delta_log"
        self._kept = folder / DIGESTS
        self._digests = digests
        self._seen = seen or Listing(folder)

    def is_there(self) -> bool:
        """Return whether the table was ever committed: its log or the digests of it are there."""
        return self._seen.has(self._kept) or any(self._there())

    def state(self) -> LogState | None:
        """Return what tells this log from what it was and will be; None where there is none, or a commit is under way.

        While it stays the same, so does what the log says, and that it is as it was written.
        """
        if self._is_committing() or self._seen.has(self._folder / REWRITING) or not self._seen.has(self._kept):
            return None
        files = [*self._there().values(), self._kept]
        return tuple((file.name, self._seen.stamp(file) or stamp(file)) for file in files)

    def begin_commit(self) -> None:
        """Note that a commit is under way; hold the lake's lock, and call `seal` after the commit."""
        make_folder(self._folder)
        write_whole(self._folder / _COMMITTING, b"")

    def seal(self) -> None:
        """Note the digest of each new file of the log; call it right after a commit."""
        self._seen = Listing(self._folder)
        # What was noted before stays noted: damage that came since must not be taken for what was written.
        kept = {name: digest for name, digest in (self._sealed() or {}).items() if name != _HINT}
        there = self._there()
        write_own(self._kept, {name: kept.get(name) or self._digest_of(file) for name, file in there.items()})
        (self._folder / _COMMITTING).unlink(missing_ok=True)

    def seal_rewritten(self) -> None:
        """Note the digests of logs that were rewritten, in place of those before; hold the lake's lock."""
        self._seen = Listing(self._folder)
        kept = {name: digest for name, digest in (self._sealed() or {}).items() if name != _HINT}
        write_own(self._kept, kept | {name: digest for name, digest in self._rewritten().items() if name in kept})

    def seal_what_a_kill_left(self) -> None:
        """Note the digest of a commit whose run was killed before it noted it; hold the lake's lock."""
        if self._is_committing() and not self.damage():
            self.seal()

    def damage(self) -> LogDamage | None:
        """Return the first damage that Delta could believe, or None."""
        # Looked at twice: a run that commits meanwhile changes the log and its digests one after the other.
        if next(self._damages(), None) is None:
            return None
        self._seen = Listing(self._folder)
        return next(self._damages(), None)

    def damages(self) -> Iterator[LogDamage]:
        """Yield every damage, of the hint of the newest checkpoint too; hold the lake's lock."""
        yield from self._damages()
        sealed, there = self._sealed() or {}, self._there()
        if _HINT in sealed and not self._is_right(_HINT, sealed, there) and not _is_newer_hint(sealed, there):
            yield LogDamage(self._logs / _HINT, "is not as it was written, or gone")

    def _damages(self) -> Iterator[LogDamage]:
        sealed, there = self._sealed(), self._there()
        if sealed is None and self._seen.has(self._kept):
            yield LogDamage(self._kept, "is not as it was written")
            return
        if sealed is None and there and not self._is_committing():
            yield LogDamage(self._kept, "is gone")
        noted = sealed or {}
        for name in noted:
            if name != _HINT and not self._is_right(name, noted, there) and not _was_cleaned(name, there):
                yield LogDamage(self._logs / name, "is not as it was written" if name in there else "is gone")
        yield from self._foreign(noted, there)

    def _is_right(self, name: str, sealed: Mapping[str, str], there: Mapping[str, Location]) -> bool:
        if name not in there:
            return False
        digest = self._digest_of(there[name])
        return digest == sealed[name] or digest == self._rewritten().get(name)

    def _rewritten(self) -> dict[str, str]:
        """The digests that logs have once they are rewritten; none where no rewriting is under way."""
        logs = (read_own(self._folder / REWRITING) or {}).get("logs")
        return {str(name): str(digest) for name, digest in logs.items()} if isinstance(logs, dict) else {}

    def _foreign(self, sealed: Mapping[str, str], there: Mapping[str, Location]) -> Iterator[LogDamage]:
        """Logs of commits that nobody noted, but for the one under way or left by a kill."""
        expected = _log_name(max((_number(name) for name in sealed), default=-1) + 1) if self._is_committing() else ""
        for name, file in there.items():
            if name not in sealed and name.endswith(".json") and name != expected:
                yield LogDamage(file, "was not written by Tenure, or its digest is lost")

    def _is_committing(self) -> bool:
        return self._seen.has(self._folder / _COMMITTING)

    def _digest_of(self, file: Location) -> str:
        return self._digests.of(file, self._seen.stamp(file))

    def _there(self) -> dict[str, Location]:
        """The log's files by name, in order."""
        files = [file for file in self._seen.entries(self._logs) if not file.name.startswith(".")]
        return {file.name: file for file in files if file.suffix in (".json", ".parquet") or file.name == _HINT}

    def _sealed(self) -> dict[str, str] | None:
        found = self._digests.record(self._kept, self._seen.stamp(self._kept))
        return None if found is None else {name: str(digest) for name, digest in found.items()}


def _was_cleaned(name: str, there: Mapping[str, Location]) -> bool:
    """Whether Delta itself may have removed a log: nothing older is left, and a later checkpoint replaces it."""
    older = any(-1 < _number(other) < _number(name) for other in there)
    later = any(_number(other) >= _number(name) for other in there if ".checkpoint." in other)
    return name not in there and later and not older


def _is_newer_hint(sealed: Mapping[str, str], there: Mapping[str, Location]) -> bool:
    """Whether the hint names a checkpoint that was made after the digests were noted, as Delta's tools may."""
    try:
        version = int(json.loads(there[_HINT].read_bytes())["version"])
    except (KeyError, TypeError, ValueError, OSError):
        return False
    return any(".checkpoint." in name and _number(name) == version and name not in sealed for name in there)


def _log_name(number: int) -> str:
    return f"{number:020}.json"


def _number(name: str) -> int:
    digits = name.partition(".")[0]
    return int(digits) if digits.isdecimal() else -1
