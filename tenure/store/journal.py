"""The journal of writes: which files of a table's folder Tenure began, noted before their first byte.

begin_write ─► token in the journal ─► part-<token>….parquet ─► commit
                                       └── a killed run's: the next sweep removes them, since a token proves them own
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from uuid import uuid4

from tenure.storage.location import Location, make_folder, write_whole
from tenure.storage.s3 import S3Location
from tenure.store.private import open_own

JOURNAL = "_writes"

_TOKEN = re.compile(r"[0-9a-f]{32}")
_NAMED = re.compile(r"(?:part|_incoming)-([0-9a-f]{32})(?![0-9a-f])")


def begin_write(folder: Location) -> str:
    """Note a new token in a table's journal and return it; files named with it may then be written."""
    token = uuid4().hex
    if isinstance(folder, S3Location):
        # Whoever writes the journal holds the lake.
        keep_tokens(folder, {*tokens(folder), token})
        return token
    make_folder(folder)
    with os.fdopen(open_own(folder / JOURNAL), "ab") as journal:
        journal.write(f"{token}\n".encode())
        journal.flush()
        os.fsync(journal.fileno())
    return token


def tokens(folder: Location) -> set[str]:
    """Return the tokens of a table's journal; a line cut short by a kill names nothing that was written."""
    try:
        lines = (folder / JOURNAL).read_bytes().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return set()
    return {line for line in lines if _TOKEN.fullmatch(line)}


def keep_tokens(folder: Location, kept: Iterable[str]) -> None:
    """Rewrite the journal with only these tokens: of the others no file is left."""
    write_whole(folder / JOURNAL, "".join(f"{token}\n" for token in sorted(kept)).encode())


def token_of(path: Location) -> str:
    """Return the token that a file or folder is named with; '' if with none."""
    found = _NAMED.match(path.name)
    return found[1] if found else ""
