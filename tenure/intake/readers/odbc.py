"""ODBC: a query's or a table's rows, landed as Parquet, so that every engine reads them alike."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tenure.define.raw_tables import Odbc
from tenure.engines.odbc import land
from tenure.intake.readers.appended import ServerReader


class OdbcReader(ServerReader[Odbc]):
    """A database's rows: their files are those that they are landed in, so that their digest is known once they are."""

    @property
    def words(self) -> str:
        """What messages call the whole of it."""
        return "its table" if self.raw.table else "its query"

    @property
    def select(self) -> str:
        """The query, without its semicolon."""
        return self.raw.select

    def ask(self, select: str, folder: Path) -> Path:
        """Land the rows of a query into a folder of this machine; return the file."""
        return land(Odbc(select, dsn_env=self.raw.dsn_env), folder, asked_by=self.asked_by)

    def months(self, column: str, *, has_zone: bool, where: str) -> str:  # noqa: ARG002  (ODBC's times have no zone)
        """Return the query for the rows by year and month, of those that a condition holds for, in ODBC's own words."""
        year, month = (f"{{fn {part}({column})}}" for part in ("YEAR", "MONTH"))
        counted = f"SELECT {year} AS y, {month} AS m, COUNT(*) AS n FROM ({self.select}) asked WHERE {where}"
        return f"{counted} GROUP BY {year}, {month}"

    def literal(self, instant: datetime, *, has_zone: bool, is_day: bool) -> str:  # noqa: ARG002
        """Return an instant, or its day, as every ODBC driver reads it."""
        if is_day:
            return f"{{d '{instant:%Y-%m-%d}'}}"
        return f"{{ts '{instant.isoformat(sep=' ', timespec='microseconds')}'}}"

    def name(self, column: str) -> str:
        """Return a column's name as it is: databases differ in how they quote."""
        return column


READER = OdbcReader
