"""The lease of a lake on S3: who may write it, for as long as it keeps renewing; a killed holder's lapses by itself.

        PUT If-None-Match / If-Match                        every 15 s: PUT If-Match, a new ETag
 taken ────────────────────────────► renewed ─► renewed ─► …                                  ─► released
                                        └── 60 s without: anybody may take it, and the holder knows that it is lost

Ages are told by S3's own clock alone: `Date` of an answer against `Last-Modified` of the object. The lease keeps two
honest runs apart; what makes it safe is that a commit is created and never replaced (`delta_log.py`), and that files
are only swept after one's own commit: a holder who slept through its lease then finds its version taken.
(Kleppmann, How to do distributed locking, 2016: a lock of this kind needs such a fence.)
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tenure.errors import LakeBusy, StoreError
from tenure.storage.s3 import S3Location

#: Seconds after which a lease that was not renewed is anybody's. It is renewed four times as often: three may fail.
LASTS = 60.0

FILE_NAME = ".lease"


class Lease:
    """The right to write a lake on S3, held by one process at a time."""

    def __init__(self, lake: S3Location) -> None:
        """Know whose lease it is; nothing is asked yet."""
        self._place = lake / FILE_NAME
        self._lake, self._lasts = lake, LASTS
        self._holder = f"process {os.getpid()} on {socket.gethostname()}"
        self._token = uuid4().hex
        self._etag = ""
        self._renewed = 0.0
        self._ended = threading.Event()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease; raise LakeBusy if another process does."""
        self._take()
        thread = threading.Thread(target=self._renew, name="tenure-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self._place.replace(self._content(released=True), self._etag)

    def require(self) -> None:
        """Raise LakeBusy if the lease may have lapsed: another process may be writing by now."""
        if time.monotonic() - self._renewed >= self._lasts:
            raise LakeBusy(
                f"this process slept, or did not reach '{self._lake}', for more than {self._lasts:g} s, so another run "
                "may be writing to the lake; nothing more was committed.",
                hint="Run again: what was built stays, and the next run goes on after it.",
            )

    def _take(self) -> None:
        begun = time.monotonic()
        try:
            seen = self._place.stat()
            noted = json.loads(self._place.read_bytes())
            is_free = bool(noted["released"]) or self._place.age() >= self._lasts or _is_dead(noted)
            holder = str(noted["holder"])
        except FileNotFoundError:
            taken = self._place.create(self._content())
            holder = ""
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"'{self._place}' holds something that Tenure did not write, so it is not overwritten.",
                hint="Move the object away, then run again.",
            ) from error
        else:
            taken = self._place.replace(self._content(), seen.etag) if is_free else ""
        if not taken:
            raise LakeBusy(
                f"another run ({holder or 'unknown'}) is writing to '{self._lake}'.",
                hint=f"Wait for it to end, or stop it, then run again; after a kill its lease lapses within "
                f"{self._lasts:g} s.",
            )
        self._etag, self._renewed = taken, begun

    def _renew(self) -> None:
        while not self._ended.wait(self._lasts / 4):
            begun = time.monotonic()
            try:
                is_ours = begun - self._renewed < self._lasts
                etag = self._place.replace(self._content(), self._etag) if is_ours else ""
                if not etag:
                    self._renewed = float("-inf")  # Lost: `require` says so from now on.
                    return
                self._etag, self._renewed = etag, begun
            except StoreError:
                continue  # Not reached this time.

    def _content(self, *, released: bool = False) -> bytes:
        noted = {
            "holder": self._holder,
            "machine": _machine(),
            "process": os.getpid(),
            "token": self._token,
            "released": released,
            "renewal": uuid4().hex,
        }
        return json.dumps(noted).encode()


def _machine() -> str:
    """What tells this machine, and on it this world of process numbers, from all others; '' where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_dead(noted: Mapping[str, object]) -> bool:
    """Whether the holder was a process of this very machine that is no more: nobody has to wait for its lease."""
    process = noted.get("process")
    if not _machine() or noted.get("machine") != _machine() or not isinstance(process, int):
        return False
    return not Path(f"/proc/{process}").exists()
