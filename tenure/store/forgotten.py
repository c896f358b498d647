"""What retention removed: the files that old versions still name, so that their loss is not taken for damage.

<table>/_forgotten.json    {"files": ["part-….parquet", "snapshot_date=2024-01-31/part-….parquet"]}
"""

from __future__ import annotations

from collections.abc import Iterable

from tenure.storage.location import Location, below
from tenure.store.digests import read_own, write_own

FILE_NAME = "_forgotten.json"


def forgotten(folder: Location) -> set[Location]:
    """Return the files of a table's folder that retention removed."""
    noted = (read_own(folder / FILE_NAME) or {}).get("files")
    return {folder / str(name) for name in noted} if isinstance(noted, list) else set()


def note_forgotten(folder: Location, files: Iterable[Location]) -> None:
    """Note files that are about to be removed; hold the lake's lock."""
    added = {str(below(file, folder)) for file in files}
    if added:
        before = {str(below(file, folder)) for file in forgotten(folder)}
        write_own(folder / FILE_NAME, {"files": sorted(before | added)})
