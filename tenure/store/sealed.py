"""Sealed files: data files whose names end with their SHA-256, so that a file tells by itself whether it is whole.

written_in/snapshot_date=…/part-<token>.parquet ─► hashed ─► folder/snapshot_date=…/part-<token>-<SHA-256>.parquet

On disk both folders are the table's own, and a file is only renamed; on S3 it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenure.storage.location import Location, Stamp, below, put
from tenure.store.digests import FileDigests, digest_in_name, name_with_digest, sha256_of


def seal(files: Sequence[Location], folder: Location, written_in: Path, digests: FileDigests) -> list[Location]:
    """Give files names that end with their SHA-256, in a table's folder, note it, and return them.

    Those that were sealed before stay as they are.
    """
    sealed: list[Location] = []
    for file in files:
        if digest_in_name(file) or not isinstance(file, Path):
            sealed.append(file)
            continue
        digest = sha256_of(file)
        target = folder / str(below(file, written_in).with_name(name_with_digest(file, digest)))
        digests.note(target, digest, put(file, target))
        sealed.append(target)
    return sealed


def file_problem(file: Location, digests: FileDigests, seen: Stamp | None = None) -> str:
    """Return what is wrong with a sealed file: it is gone, unreadable or of another digest; '' if it is right.

    Its stamp may have been `seen` in a listing.
    """
    expected = digest_in_name(file)
    try:
        found = digests.of(file, seen)
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if not expected:
        return "has no digest in its name"
    return "" if found == expected else f"is not as it was written: its SHA-256 is {found[:12]}…, not {expected[:12]}…"
