"""Who may read what Tenure writes: the owner alone, or the owner's group too.

mode     files  folders      [lake] mode
owner    0600   0700         customers' rows, scores and reasons are nobody else's to read
group    0640   0750         the group may read, and none but the owner writes
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from tenure.errors import StoreError

Mode: TypeAlias = Literal["owner", "group"]

#: A file is opened as it is, by no link and for no child. Windows lacks these flags but the last, which only it has.
_PLAIN = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))

_UMASK: dict[Mode, int] = {"owner": 0o077, "group": 0o027}


class _ProcessUmask:
    """The process's umask while anything writes: one number for all threads, so it is put back by who leaves last."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._inside: list[int] = []
        self._before = 0

    def enter(self, umask: int) -> None:
        with self._guard:
            # Of two lakes that are written at once, the stricter one decides.
            before = os.umask(max([umask, *self._inside]))
            if not self._inside:
                self._before = before
            self._inside.append(umask)

    def leave(self, umask: int) -> None:
        with self._guard:
            self._inside.remove(umask)
            os.umask(max(self._inside) if self._inside else self._before)


_process_umask = _ProcessUmask()


@contextmanager
def private_files(mode: Mode) -> Iterator[None]:
    """Let files and folders that this process makes meanwhile be read as `mode` says, whatever its umask is.

    It holds for every library in the process (DuckDB, deltalake, pyarrow), for processes that it starts, and for its
    other threads.
    """
    _process_umask.enter(_UMASK[mode])
    try:
        yield
    finally:
        _process_umask.leave(_UMASK[mode])


def make_private(path: Path, mode: Mode) -> None:
    """Take from a file or folder the rights that `mode` does not give: for what a process with another umask made."""
    now = stat.S_IMODE(path.stat().st_mode)
    path.chmod(now & ~_UMASK[mode])


def open_own(file: Path) -> int:
    """Return a descriptor, to read and write, of a file that belongs to the lake; it is made if it is not there.

    Raises StoreError, with nothing touched, if the file is a link (by name or by a second name) or no plain file.
    """
    if file.is_symlink():
        raise _no_plain_file(file, "a link")
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _PLAIN, 0o666)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise _no_plain_file(file, "a second name of another file" if found.st_nlink > 1 else "no plain file")
    return descriptor


def _no_plain_file(file: Path, what: str) -> StoreError:
    return StoreError(
        f"'{file}' is {what}; Tenure writes this file itself and follows no link out of its lake.",
        hint=f"Remove '{file}', then run again.",
    )
