"""Landed files: rows that no engine reads where they lie, written as Parquet once for each contents.

```
files ──► digest ──► landing/<source>-<raw table>/<digest>/*.parquet ──► a relation, on either engine alike
                     there already? then the files are not read again
```
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import pyarrow.parquet as pq

from tenure.define.raw_tables import Parquet, RawTable
from tenure.errors import EmptyTable, UnreadableFile
from tenure.intake.readers import Reader
from tenure.session.fingerprints import fingerprint
from tenure.storage.location import Location, for_arrow
from tenure.store.landing import Landing

Declared = TypeVar("Declared", bound=RawTable)

#: What is landed, as engines read it.
_LANDED = Parquet("landed")


class LandedReader(Reader[Declared]):
    """Files whose rows are landed; a class below says how they are written."""

    #: The number of the shape in which rows are landed. Raise it by one when the same files are landed as other rows.
    shape_of_rows: ClassVar[int] = 1

    @abstractmethod
    def write(self, folder: Path) -> bool:
        """Write the rows into a folder, as Parquet files in order of their names; return whether there are any."""

    @property
    def read_by(self) -> Sequence[object]:
        """What of the declaration decides which rows are landed of the same files."""
        return ()

    def land(self, relation: str) -> dict[str, str]:
        """Land the rows, unless rows of these very files lie there, and make them a relation."""
        if not self.landed(self.landing):
            self._land()
        return self._relation(relation, self.landed(self.landing))

    def plan(self, relation: str) -> dict[str, str]:
        """Make a relation of what staging landed of these very files; else read them."""
        kept = self.landed(self.work.lake.landing(self.landing.name))
        return self._relation(relation, kept) if kept else self.land(relation)

    def landed(self, landing: Landing) -> list[Location]:
        """Return the files in which rows of these very files were landed; [] if they were not."""
        return landing.files(self._name)

    def has_column(self, column: str) -> bool:
        """Return whether the landed rows have a column of that name."""
        return any(column in pq.read_schema(for_arrow(file)).names for file in self.landed(self.landing))

    @property
    def _name(self) -> str:
        return fingerprint([self.shape_of_rows, self.digest(), *self.read_by])[:32]

    def _relation(self, relation: str, landed: Sequence[Location]) -> dict[str, str]:
        return self.work.engine.read_parquet(relation, _LANDED, landed)

    def _land(self) -> None:
        """Write the rows, whole or not at all, in place of those that were landed before."""
        name = self._name
        with self.landing.replace(name) as folder:
            if not self.write(folder):
                raise EmptyTable(f"{self.asked_by} has no rows ({self.words}).", hint="Check the files.")
            if self._name != name:
                raise UnreadableFile(f"{self.words} changed while it was read.", hint="Run again once it is written.")
