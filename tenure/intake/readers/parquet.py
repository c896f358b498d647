"""Parquet: typed columns that the engine reads where they lie."""

from __future__ import annotations

from tenure.define.source import Parquet
from tenure.intake.readers import Reader


class ParquetReader(Reader[Parquet]):
    """Parquet files; a column that some of them lack is null there."""

    def land(self, relation: str) -> dict[str, str]:
        """Make the files a relation, of the types that they have."""
        return self.work.engine.read_parquet(relation, self.raw, self.files)


READER = ParquetReader
