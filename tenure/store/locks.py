"""Locks on files: one process holds one, nobody waits for it, and a process that ends or is killed lets go.

process A   try_lock(.lock) ──► True    holds it until the file is closed
process B   try_lock(.lock) ──► False   at once
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tenure.errors import LakeBusy, StoreError
from tenure.store.private import open_own


def try_lock(file: Path, handle: BinaryIO) -> bool:
    """Lock a file by a handle that may write it, and return True; return False if another handle holds the lock.

    The kernel lets go when the handle is closed or its process dies. Windows meanwhile lets nobody else read the
    file. Raises StoreError where the file system can't lock.
    """
    # Imported here: what only tells of the lake locks nothing.
    import portalocker

    # Shared locks would need pywin32 on Windows, so there are none.
    alone = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    try:
        portalocker.lock(handle, alone)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise StoreError(
            f"'{file}' can't be locked, so two runs could write at once: {error.__cause__}.",
            hint="Put the lake on a local disk, or on a share that locks files: [lake] path in tenure.toml.",
        ) from error
    return True


@contextmanager
def lake_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a local lake; raise LakeBusy if another process does, StoreError if its file is none of ours."""
    file = folder / ".lock"
    with os.fdopen(open_own(file), "r+b") as handle:
        if not try_lock(file, handle):
            raise LakeBusy(
                f"another run (process {_process(handle) or 'unknown'}) is writing to '{folder}'.",
                hint="Wait for it to end, or stop it, then run again.",
            )
        if _process(handle) is None:
            raise StoreError(
                f"'{file}' holds something that Tenure did not write, so it is not overwritten.",
                hint="Move the file away, then run again.",
            )
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()).encode())
        handle.flush()
        yield


def _process(handle: BinaryIO) -> str | None:
    """The number of the process that wrote the lock's file, '' if none did, None if it holds something else."""
    handle.seek(0)
    try:
        written = handle.read(32).strip()
    except OSError:
        return ""  # Windows lets nobody read what another process has locked.
    return written.decode() if written.isdigit() or not written else None
