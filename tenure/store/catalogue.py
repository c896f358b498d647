"""The catalogue of a lake: the names of its tables, from one file, so that no folder is listed to find them.

lake/_tables.json      a table is noted before its first commit; a name whose table is not there counts for nothing
"""

from __future__ import annotations

from collections.abc import Callable

from tenure.storage.location import Location, below, files_below, make_folder
from tenure.store.delta_log import LOGS
from tenure.store.digests import read_own, write_own
from tenure.store.log_digests import DIGESTS

#: The catalogue's file in the lake.
CATALOGUE = "_tables.json"


class Catalogue:
    """The tables of one lake by name, such as 'snapshots' or 'staging/customers'."""

    def __init__(self, lake: Location, is_there: Callable[[str], bool]) -> None:
        """Know a lake's folder, and how to ask whether a table was ever committed; nothing is read."""
        self._lake, self._file, self._is_there = lake, lake / CATALOGUE, is_there

    def names(self) -> list[str]:
        """Return every table that was ever committed and not moved away, sorted."""
        return sorted(name for name in self._noted() if self._is_there(name))

    def note(self, table: str) -> None:
        """Note a table that is about to be committed for the first time; hold the lake's lock."""
        noted = self._read()
        if noted is None or table not in noted:
            make_folder(self._lake)
            write_own(self._file, {"tables": sorted({*(noted or self._found_in_folders()), table})})

    def _noted(self) -> set[str]:
        noted = self._read()
        return self._found_in_folders() if noted is None else noted

    def _read(self) -> set[str] | None:
        content = read_own(self._file)
        tables = content.get("tables") if content else None
        return {str(name) for name in tables} if isinstance(tables, list) else None

    def _found_in_folders(self) -> set[str]:
        """The tables of a lake whose catalogue is lost, or that an older Tenure wrote without one."""
        logs = {file.parent.parent for file in files_below(self._lake, "*.json") if file.parent.name == LOGS}
        noted = {file.parent for file in files_below(self._lake, DIGESTS)}
        return {str(below(folder, self._lake)) for folder in logs | noted}
