"""PostgreSQL: a query's rows, landed as Parquet, so that every engine reads them alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tenure.define.raw_tables import Postgres
from tenure.engines.warehouse import land
from tenure.intake.readers.appended import ServerReader


class PostgresReader(ServerReader[Postgres]):
    """A query's rows: its files are those that they are landed in, so that their digest is known once they are."""

    @property
    def words(self) -> str:
        """What messages call the whole of it."""
        return "its query"

    @property
    def select(self) -> str:
        """The query, without its semicolon."""
        return self.raw.query.strip().rstrip(";")

    def ask(self, select: str, folder: Path) -> Path:
        """Land the rows of a query into a folder of this machine; return the file."""
        return land(replace(self.raw, query=select), folder, asked_by=self.asked_by)

    def months(self, column: str, *, has_zone: bool, where: str) -> str:
        """Return the query for the rows by year and month of UTC, of those that a condition holds for."""
        instant = f"({column} AT TIME ZONE 'UTC')" if has_zone else column
        year, month = (f"CAST(EXTRACT({part} FROM {instant}) AS bigint)" for part in ("YEAR", "MONTH"))
        return f"SELECT {year} AS y, {month} AS m, COUNT(*) AS n FROM ({self.select}) asked WHERE {where} GROUP BY 1, 2"

    def literal(self, instant: datetime, *, has_zone: bool, is_day: bool) -> str:
        """Return an instant of UTC, or its day, as PostgreSQL reads it."""
        if is_day:
            return f"DATE '{instant:%Y-%m-%d}'"
        text = instant.isoformat(sep=" ", timespec="microseconds")
        return f"TIMESTAMPTZ '{text}+00'" if has_zone else f"TIMESTAMP '{text}'"

    def name(self, column: str) -> str:
        """Return a column's name as PostgreSQL reads it."""
        return '"' + column.replace('"', '""') + '"'


READER = PostgresReader
