"""Parquet: columns that the engine reads where they lie; those of types that only some engines read are landed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import Parquet
from tenure.engines.files import folder_values, has_hive_folders, require_alike
from tenure.intake.plain_parquet import is_plain, require_flat, write_plain
from tenure.intake.readers.landed import LandedReader
from tenure.storage.location import for_arrow


class ParquetReader(LandedReader[Parquet]):
    """Parquet files of the same columns and types."""

    def land(self, relation: str) -> dict[str, str]:
        """Make the files a relation, of the types that they have; raise MissingColumn where they differ."""
        return self._where_they_lie(relation) if self._is_plain() else super().land(relation)

    def plan(self, relation: str) -> dict[str, str]:
        """Make a relation of the same columns; of files that would have to be landed, of the first rows alone."""
        if self._is_plain():
            return self._where_they_lie(relation)
        scratch = self.landing.folder
        if self.landed(self.work.lake.landing(self.landing.name)) or not isinstance(scratch, Path):
            return super().plan(relation)
        scratch.mkdir(parents=True, exist_ok=True)
        head = scratch / "head.parquet"
        write_plain(self.files[0], head, self._folders(0), head=True)
        return self._relation(relation, [head])

    def write(self, folder: Path) -> bool:
        """Write the files as plain Parquet, with the columns that their folders' names tell."""
        for number, file in enumerate(self.files):
            write_plain(file, folder / f"rows-{number:05}.parquet", self._folders(number))
        return True

    def _folders(self, number: int) -> dict[str, str]:
        """The columns that the names of a file's folders tell."""
        return folder_values(self.files[number]) if has_hive_folders(self.raw, self.files) else {}

    def _where_they_lie(self, relation: str) -> dict[str, str]:
        return self.work.engine.read_parquet(relation, self.raw, self.files)

    def _is_plain(self) -> bool:
        """Whether every engine reads the files alike; raise MissingColumn unless they have the same columns."""
        require_alike(self.files, self.raw)
        schema = self._schema()
        if schema is None or is_plain(schema):
            return True
        require_flat(schema, self.files[0], self.files, self.raw)
        return False

    def _schema(self) -> pa.Schema | None:
        """The columns of the first file, those of all; None if it is damaged, which the engine says of it."""
        try:
            return pq.read_schema(for_arrow(self.files[0]))
        except (OSError, pa.ArrowException):
            return None


READER = ParquetReader
