"""CSV: delimited text that the engine reads where it lies, or unpacked beside it."""

from __future__ import annotations

from tenure.define.raw_tables import Csv
from tenure.engines.files import Place, locate
from tenure.intake.readers import Reader


class CsvReader(Reader[Csv]):
    """Delimited text files of one header."""

    is_of_lines = True

    def land(self, relation: str) -> dict[str, str]:
        """Make the files a relation, every value as its text."""
        return self.work.engine.read_csv(relation, self.raw, self.texts)

    def plan(self, relation: str) -> dict[str, str]:
        """Make a relation of the same columns; of packed files no more is unpacked than their headers."""
        return self.work.engine.read_csv(relation, self.raw, self.heads)

    def place_of(self, value: str, column: str) -> Place | None:
        """Return the line on which the first row begins that holds `value`."""
        return locate(value, self.texts, self.raw, column)


READER = CsvReader
