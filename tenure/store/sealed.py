"""Sealed files: data files whose names end with their SHA-256, so that a file tells by itself whether it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenure.store.digests import FileDigests, digest_in_name, name_with_digest, sha256_of


def seal(files: Sequence[Path], digests: FileDigests) -> list[Path]:
    """Rename files so that their names end with their SHA-256, note it, and return them; those sealed before stay."""
    sealed = []
    for file in files:
        if digest_in_name(file):
            sealed.append(file)
            continue
        digest = sha256_of(file)
        target = file.replace(name_with_digest(file, digest))
        digests.note(target, digest)
        sealed.append(target)
    return sealed


def file_problem(file: Path, digests: FileDigests) -> str:
    """Return what is wrong with a sealed file: it is gone, unreadable or of another digest; '' if it is right."""
    expected = digest_in_name(file)
    try:
        found = digests.of(file)
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if not expected:
        return "has no digest in its name"
    return "" if found == expected else f"is not as it was written: its SHA-256 is {found[:12]}…, not {expected[:12]}…"
