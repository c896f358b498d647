"""ODBC: a query's or a table's rows, landed as Parquet, so that every engine reads them alike."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from tenure.define.raw_tables import Odbc, Parquet
from tenure.engines.odbc import land
from tenure.intake.readers import Reader
from tenure.storage.location import Location

_LANDED = Parquet("landed")


class OdbcReader(Reader[Odbc]):
    """A database's rows: their file is the one that they are landed in, so that its digest is known once they are."""

    asks_a_server: ClassVar[bool] = True

    @cached_property
    def files(self) -> list[Location]:
        """The landed rows; WarehouseError if the server can't be reached, or refuses the query."""
        landed = self.landing.files() if self.again else []
        return landed or [self._land(self.raw)]

    @property
    def words(self) -> str:
        """What messages call the whole of it."""
        return "its table" if self.raw.table else "its query"

    def land(self, relation: str) -> dict[str, str]:
        """Make the landed rows a relation."""
        return self.work.engine.read_parquet(relation, _LANDED, self.files)

    def plan(self, relation: str) -> dict[str, str]:
        """Ask for the query's columns alone, in words that every database knows."""
        none = Odbc(f"SELECT * FROM ({self.raw.select}) planned WHERE 1 = 0", dsn_env=self.raw.dsn_env)
        return self.work.engine.read_parquet(relation, _LANDED, [self._land(none)])

    def _land(self, raw: Odbc) -> Location:
        with self.landing.writing() as folder:
            file = land(raw, folder, asked_by=self.asked_by)
            return self.landing.keep(file)


READER = OdbcReader
