"""Spill: where an engine puts rows that its memory has no room for, in the lake's own folder.

lake/spill/<run>/      of one run, for the owner alone, locked while the run lives, removed at its end
                       what a killed run left is removed by the next run that writes the lake
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

FOLDER = "spill"

#: A run's name, as session/work.py makes it.
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")

#: What the engines call what they put here.
_OURS = re.compile(r"duckdb_temp_.+|(blockmgr|spark|temp_shuffle|artifacts)-.+")


class Spill:
    """A run's spill folder, made when it is opened and removed when it is closed."""

    def __init__(self, lake: Path, run_id: str) -> None:
        """Make the folder in the lake; where there is none yet, or it can't be written, in the system's own place."""
        self.folder = _make(lake, run_id)
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove the folder and what is left in it."""
        _remove(self.folder)
        os.close(self._lock)
        with suppress(OSError):
            self.folder.parent.rmdir()  # If no other run has a folder there.


def remove_left(lake: Path) -> None:
    """Remove the spill of runs that are no longer alive; a file that no engine of ours made stays."""
    room = lake / FOLDER
    if room.is_symlink() or not room.is_dir():
        return
    for folder in room.iterdir():
        if RUN_ID.fullmatch(folder.name) and not folder.is_symlink() and folder.is_dir() and not _is_alive(folder):
            _remove(folder)
    with suppress(OSError):
        room.rmdir()


def _make(lake: Path, run_id: str) -> Path:
    room = lake / FOLDER
    if lake.is_dir() and not room.is_symlink():
        with suppress(OSError):
            room.mkdir(mode=0o700, exist_ok=True)
            folder = room / run_id
            folder.mkdir(mode=0o700)
            return folder
    return Path(tempfile.mkdtemp(prefix="tenure-spill-"))


def _is_alive(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True  # Not ours to read, so not ours to remove.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _remove(folder: Path) -> None:
    for left in list(folder.iterdir()):
        if not _OURS.fullmatch(left.name):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
