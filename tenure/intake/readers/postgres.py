"""PostgreSQL: a query's rows, landed as Parquet, so that every engine reads them alike."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from tenure.define.raw_tables import Parquet, Postgres
from tenure.engines.warehouse import land
from tenure.intake.readers import Reader
from tenure.storage.location import Location

_LANDED = Parquet("landed")


class PostgresReader(Reader[Postgres]):
    """A query's rows: its file is the one that they are landed in, so that their digest is known once they are."""

    asks_a_server: ClassVar[bool] = True

    @cached_property
    def files(self) -> list[Location]:
        """The landed rows; WarehouseError if the server can't be reached, or refuses the query."""
        landed = self.landing.files() if self.again else []
        return landed or [self._land(self.raw)]

    @property
    def words(self) -> str:
        """What messages call the whole of it."""
        return "its query"

    def land(self, relation: str) -> dict[str, str]:
        """Make the landed rows a relation."""
        return self.work.engine.read_parquet(relation, _LANDED, self.files)

    def plan(self, relation: str) -> dict[str, str]:
        """Ask for the query's columns alone."""
        none = f"SELECT * FROM ({self.raw.query.strip().rstrip(';')}) AS planned LIMIT 0"
        return self.work.engine.read_parquet(relation, _LANDED, [self._land(replace(self.raw, query=none))])

    def _land(self, raw: Postgres) -> Location:
        with self.landing.writing() as folder:
            file = land(raw, folder, asked_by=self.asked_by)
            return self.landing.keep(file)


READER = PostgresReader
