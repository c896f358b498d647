"""Spill: where an engine puts rows that its memory has no room for: in the lake, or in a folder that [engine] names.

<room>/<run>/          of one run, for the owner alone, removed at its end
├── .lock              held while the run lives; of a killed run the next one that writes the lake removes the folder
└── duckdb_temp_…      the engine's own
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from tenure.storage.location import Location
from tenure.store.locks import try_lock

FOLDER = "spill"

#: A run's name.
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")

_LOCK = ".lock"


def new_run_id() -> str:
    """Return the name of a new run, such as '20240731T101500-3f2a9c'."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:6]}"


#: What the engines call what they put here; `lake` holds what is on its way to a lake on S3, `unpacked` raw files.
_OURS = re.compile(r"lake|unpacked|duckdb_temp_.+|(blockmgr|spark|temp_shuffle|artifacts)-.+")


class Spill:
    """A run's spill folder, made when it is opened and removed when it is closed."""

    def __init__(self, room: Path, run_id: str) -> None:
        """Make the folder in the room; where that can't be, as before there is a lake, in the system's own place."""
        self.folder, self._lock = _make(room, run_id)
        # Of a run that is never closed the lock goes with it, without a warning.
        weakref.finalize(self, self._lock.close)

    def close(self) -> None:
        """Remove the folder and what is left in it."""
        _remove_spilled(self.folder)
        # The lock goes last, and closed: Windows removes no open file.
        self._lock.close()
        _remove_emptied(self.folder)
        with suppress(OSError):
            self.folder.parent.rmdir()  # If no other run has a folder there.


def room_of(lake: Location, scratch: Path | None = None) -> Path:
    """Return the folder of this machine in which runs over a lake spill.

    It lies in `scratch` if that is given, else in the lake, or, of one on S3, in the system's temporary folder.
    """
    if scratch is None and isinstance(lake, Path):
        return lake / FOLDER
    user = str(getattr(os, "getuid", os.getpid)())
    return (scratch or Path(tempfile.gettempdir())) / f"tenure-spill-{user}"


def remove_left(room: Path) -> None:
    """Remove the spill of runs that are no longer alive; a file that no engine of ours made stays."""
    if room.is_symlink() or not room.is_dir():
        return
    for folder in room.iterdir():
        if RUN_ID.fullmatch(folder.name) and not folder.is_symlink() and folder.is_dir() and not _is_alive(folder):
            _remove(folder)
    with suppress(OSError):
        room.rmdir()


def _make(room: Path, run_id: str) -> tuple[Path, BinaryIO]:
    if room.parent.is_dir() and not room.is_symlink():
        with suppress(OSError):
            room.mkdir(mode=0o700, exist_ok=True)
            _require_own(room)
            folder = room / run_id
            folder.mkdir(mode=0o700)
            return folder, _locked(folder)
    folder = Path(tempfile.mkdtemp(prefix="tenure-spill-"))
    return folder, _locked(folder)


def _require_own(room: Path) -> None:
    """Raise PermissionError if others own the folder or may write it: in a temporary folder anybody could make it."""
    found = room.stat()
    if os.name != "nt" and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        raise PermissionError(1, "the folder is not this user's own", str(room))


def _locked(folder: Path) -> BinaryIO:
    """The open lock of a new folder; who would remove the folder finds it held."""
    file = folder / _LOCK
    handle = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b")
    try_lock(file, handle)
    return handle


def _is_alive(folder: Path) -> bool:
    file = folder / _LOCK
    if not file.is_file() or file.is_symlink():
        return False
    try:
        handle = file.open("r+b")
    except OSError:
        return True  # Not ours to read, so not ours to remove.
    with handle:
        return not try_lock(file, handle)


def _remove(folder: Path) -> None:
    _remove_spilled(folder)
    _remove_emptied(folder)


def _remove_spilled(folder: Path) -> None:
    for left in list(folder.iterdir()):
        if not _OURS.fullmatch(left.name):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _remove_emptied(folder: Path) -> None:
    """Remove the lock, and the folder unless somebody else put something into it."""
    with suppress(OSError):
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()
