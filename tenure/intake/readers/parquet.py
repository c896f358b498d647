"""Parquet: columns that the engine reads where they lie; those of types that only some engines read are landed."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.source import Parquet
from tenure.engines.files import folder_values, has_hive_folders, require_alike
from tenure.errors import UnreadableFile
from tenure.intake.plain_parquet import is_plain, require_flat, write_plain
from tenure.intake.readers import Reader
from tenure.session.work import fingerprint
from tenure.storage.location import Location, for_arrow

#: What is landed, as engines read it.
_LANDED = Parquet("landed")

#: The number of the shape in which rows are landed. Raise it by one when the same files are landed as other rows.
_LANDING = 1


class ParquetReader(Reader[Parquet]):
    """Parquet files of the same columns and types."""

    def land(self, relation: str) -> dict[str, str]:
        """Make the files a relation, of the types that they have; raise MissingColumn where they differ."""
        return self._relation(relation, rows=True)

    def plan(self, relation: str) -> dict[str, str]:
        """Make a relation of the same columns; where files would have to be landed, without a row."""
        return self._relation(relation, rows=False)

    def _relation(self, relation: str, *, rows: bool) -> dict[str, str]:
        require_alike(self.files, self.raw)
        schema = self._schema()
        if schema is None or is_plain(schema):
            return self.work.engine.read_parquet(relation, self.raw, self.files)
        require_flat(schema, self.files[0], self.files, self.raw)
        landed = self._landed() if rows else self.work.lake.landing(self.landing.name).files(self._name)
        return self.work.engine.read_parquet(relation, _LANDED, landed or self._landed())

    def _schema(self) -> pa.Schema | None:
        """The columns of the first file, those of all; None if it is damaged, which the engine says of it."""
        try:
            return pq.read_schema(for_arrow(self.files[0]))
        except (OSError, pa.ArrowException):
            return None

    @property
    def _name(self) -> str:
        return fingerprint([_LANDING, self.digest()])[:32]

    def _landed(self) -> Sequence[Location]:
        """The files as plain Parquet, landed unless those of these very files lie there."""
        name = self._name
        if not self.landing.files(name):
            in_folders = has_hive_folders(self.raw, self.files)
            with self.landing.replace(name) as folder:
                for number, file in enumerate(self.files):
                    write_plain(file, folder / f"rows-{number:05}.parquet", folder_values(file) if in_folders else {})
                if self._name != name:
                    raise UnreadableFile(
                        f"{self.words} changed while it was read.", hint="Run again once it is written."
                    )
        return self.landing.files(name)


READER = ParquetReader
