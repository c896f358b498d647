"""Fingerprints: what a table, a definition or a model was made of, in sixteen digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def fingerprint(parts: Iterable[object]) -> str:
    """Return a short hash of the parts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode() + b"\0")
    return digest.hexdigest()[:16]
