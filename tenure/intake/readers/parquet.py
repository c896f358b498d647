"""Parquet: columns that the engine reads where they lie; those of types that only some engines read are landed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.source import Parquet
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
        """Make a relation of the same columns."""
        return self._where_they_lie(relation) if self._is_plain() else super().plan(relation)

    def write(self, folder: Path) -> bool:
        """Write the files as plain Parquet, with the columns that their folders' names tell."""
        in_folders = has_hive_folders(self.raw, self.files)
        for number, file in enumerate(self.files):
            write_plain(file, folder / f"rows-{number:05}.parquet", folder_values(file) if in_folders else {})
        return True

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
