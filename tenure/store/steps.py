"""Steps: the parts of an unfinished run of one table that had ended, so that a run after a kill resumes after them.

```
<table>/_steps.json    {"inputs": digest of what the run is made of, "steps": {step: its sealed files}}
                       gone with the commit that names the files
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tenure.storage.location import Location, below
from tenure.store.digests import FileDigests, read_own, write_own
from tenure.store.sealed import file_problem, seal

#: The record's name in the table's folder.
STEPS = "_steps.json"


class Steps:
    """The ended steps of one table's unfinished run."""

    def __init__(self, folder: Location, written_in: Path, digests: FileDigests) -> None:
        """Know the table's folder, and that in which its files are written; nothing is read."""
        self._folder, self._written_in, self._digests = folder, written_in, digests
        self.record = folder / STEPS

    def finished(self, digest: str) -> dict[str, list[Location]]:
        """Return the files of the steps that a run of this digest had ended; a step with a damaged file is left out."""
        if self._noted().get("inputs") != digest:
            return {}
        return {step: files for step, files in self._files().items() if not self._is_damaged(files)}

    def files(self) -> list[Location]:
        """Return the files of all ended steps, whatever their run was made of."""
        return [file for files in self._files().values() for file in files]

    def finish(self, digest: str, step: str, files: Sequence[Location]) -> list[Location]:
        """Seal a step's files, note them and return them; they stay invisible until a commit names them."""
        sealed = seal(files, self._folder, self._written_in, self._digests)
        ended = {**self.finished(digest), step: sealed}
        write_own(self.record, {"inputs": digest, "steps": {name: self._named(those) for name, those in ended.items()}})
        return sealed

    def forget(self) -> None:
        """Let the next run begin at its first step."""
        self.record.unlink(missing_ok=True)

    def _noted(self) -> Mapping[str, object]:
        """The record; empty where there is none or it is damaged: the run then begins anew."""
        return read_own(self.record) or {}

    def _files(self) -> dict[str, list[Location]]:
        steps = self._noted().get("steps")
        noted = steps if isinstance(steps, dict) else {}
        return {str(step): [self._folder / str(file) for file in files] for step, files in noted.items()}

    def _named(self, files: Sequence[Location]) -> list[str]:
        return [str(below(file, self._folder)) for file in files]

    def _is_damaged(self, files: Sequence[Location]) -> bool:
        return any(file_problem(file, self._digests) for file in files)
