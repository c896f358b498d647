"""A table's Delta log as deltalake reads and writes it: on this machine, whatever the lake lies on.

local      <table>/_delta_log/                                       deltalake works on the folder itself
S3         s3://…/<table>/_delta_log/ ─ refresh ─► <work>/<table>/_delta_log/ ─ deltalake ─► publish ─► s3://…
                                                                     a commit is created, never replaced

So one client, with one identity, is all that ever speaks to S3, and a commit is what this file says it is: an object
of a number that nobody took before. S3 keeps that promise by `If-None-Match: *`,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tenure.errors import LakeBusy
from tenure.host.paths import delta_path
from tenure.storage.location import Listing, Location, Stamp, fetch
from tenure.storage.s3 import S3Location

LOGS = "_delta_log"

_COMMIT = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.parquet|_last_checkpoint")


class DeltaLog:
    """The Delta log of one table: `folder` is the table's, `work` the folder that stands for it on this machine."""

    def __init__(self, folder: Location, work: Path, fetched: dict[Path, Stamp]) -> None:
        """Know both folders, which are one and the same for a local lake; nothing is read.

        `fetched` is what the lake remembers of the copies: the stamp that each had on S3.
        """
        self._folder, self._work, self._fetched = folder, work, fetched
        #: What was published: the digest of each file of the log, and its stamp.
        self.published: dict[Location, tuple[str, Stamp]] = {}

    @property
    def _is_remote(self) -> bool:
        return isinstance(self._folder, S3Location)

    def refreshed(self, seen: Listing) -> str:
        """Return the path that deltalake opens, with the log as a listing of the table's folder has just seen it."""
        if self._is_remote:
            there = {place.name: place for place in seen.entries(self._folder / LOGS) if _is_log(place.name)}
            for file in self._local():
                if file.name not in there:
                    file.unlink()
            for name, place in there.items():
                stamp, copy = seen.stamp(place), self._work / LOGS / name
                if stamp is None or self._fetched.get(copy) != stamp or not copy.exists():
                    fetch(place, copy)
                    self._fetched[copy] = stamp or ()
        return delta_path(self._work)

    def added_files(self) -> Iterator[Location]:
        """Yield every data file that a commit of the log, as it was last refreshed, added."""
        for log in self._local():
            if _COMMIT.fullmatch(log.name):
                yield from added_files(log, self._folder)

    @contextmanager
    def committing(self) -> Iterator[str]:
        """Give the path in which deltalake commits inside; afterwards the commit is everybody's, or none was made.

        Raises LakeBusy, with nothing committed, if another run has committed meanwhile.
        """
        before = {file.name for file in self._local()}
        try:
            yield delta_path(self._work)
            self._publish(before)
        except BaseException as error:
            if not self._is_remote:
                raise
            for file in self._local():
                if file.name not in before:
                    file.unlink()
            if isinstance(error, FileNotFoundError):
                # What was sent for this commit was swept by a run that took the lake over.
                raise self._taken() from error
            raise

    def _publish(self, before: set[str]) -> None:
        if not self._is_remote:
            return
        new = [file for file in self._local() if file.name not in before or file.name == "_last_checkpoint"]
        for file in (file for file in new if _COMMIT.fullmatch(file.name)):
            etag = self._remote(file.name).create(file.read_bytes())
            if not etag:
                raise self._taken()
            self._note(file, etag)
        for file in (file for file in new if _CHECKPOINT.fullmatch(file.name)):
            self._note(file, self._remote(file.name).write(file.read_bytes()))

    def _note(self, file: Path, etag: str) -> None:
        """Remember a file that was published, so that it is not fetched and hashed again."""
        content = file.read_bytes()
        stamp = (len(content), etag)
        self._fetched[file] = stamp
        self.published[self._remote(file.name)] = (sha256(content).hexdigest(), stamp)

    def _taken(self) -> LakeBusy:
        return LakeBusy(
            f"another run has committed to '{self._folder}' meanwhile; nothing of this one was committed.",
            hint="Wait for it to end, then run again: what was built is built again on what it committed.",
        )

    def _remote(self, name: str) -> S3Location:
        place = self._folder / LOGS / name
        if not isinstance(place, S3Location):
            raise TypeError(f"'{place}' lies on this machine")
        return place

    def _local(self) -> list[Path]:
        folder = self._work / LOGS
        return sorted(folder.iterdir()) if folder.is_dir() else []


def added_files(log: Location, folder: Location) -> Iterator[Location]:
    """Yield the data files that a commit to the table in `folder` added.

    Lines that are no action are left to the log's own digest.
    """
    for line in log.read_bytes().splitlines():
        try:
            action: Any = json.loads(line)
            path = action["add"]["path"]
        except (ValueError, KeyError, TypeError):
            continue
        yield folder / unquote(str(path))


def _is_log(name: str) -> bool:
    return bool(_COMMIT.fullmatch(name) or _CHECKPOINT.fullmatch(name))
