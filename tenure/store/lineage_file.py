"""The lineage file of a run: its OpenLineage events in the order in which stages ended, a line of JSON each.

lake/lineage/<run_id>.jsonl     written while the run holds the lake; nothing reads it but what loads it elsewhere
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenure.storage.location import Location, make_folder
from tenure.storage.s3 import S3Location
from tenure.store.private import open_own

FOLDER = "lineage"


@dataclass(frozen=True)
class LineageFile:
    """Where the events of one run are kept: a file in the lake's folder `lineage`, there once a stage did anything."""

    lake: Location
    run_id: str

    @property
    def file(self) -> Location:
        """The file."""
        return self.lake / FOLDER / f"{self.run_id}.jsonl"

    def add(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Add events to the run's file; hold the lake's lock."""
        lines = "".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events)
        added = lines.encode("utf-8", errors="backslashreplace")
        if isinstance(self.file, S3Location):
            # An object can't be appended to; a run has at most as many events as twice its stages.
            kept = self.file.read_bytes() if self.file.is_file() else b""
            self.file.write(kept + added)
            return
        make_folder(self.file.parent)
        with os.fdopen(open_own(self.file), "ab") as file:
            file.write(added)
