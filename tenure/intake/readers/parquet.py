"""Parquet: typed columns that the engine reads where they lie."""

from __future__ import annotations

from tenure.define.source import Parquet
from tenure.engines.files import require_alike
from tenure.intake.readers import Reader


class ParquetReader(Reader[Parquet]):
    """Parquet files of the same columns and types."""

    def land(self, relation: str) -> dict[str, str]:
        """Make the files a relation, of the types that they have; raise MissingColumn where they differ."""
        require_alike(self.files, self.raw)
        return self.work.engine.read_parquet(relation, self.raw, self.files)


READER = ParquetReader
