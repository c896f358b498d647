"""Locks on files: one process holds one, nobody waits for it, and a process that ends or is killed lets go.

process A   try_lock(.lock) ──► True    holds it until the file is closed
process B   try_lock(.lock) ──► False   at once
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from tenure.errors import StoreError


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
