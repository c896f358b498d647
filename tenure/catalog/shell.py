"""The shell: any question to the lake in SQL, read-only, with no way out of it.

What is refused: a statement that is no SELECT (COPY, ATTACH, INSTALL, CREATE, SET …), and in a SELECT any file that is
not the lake's and any address of the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tenure.catalog.views import views
from tenure.engines import open_engine
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import InvalidConfig
from tenure.session.work import Work
from tenure.storage.location import Location

if TYPE_CHECKING:
    import pyarrow as pa


class Shell:
    """A connection to the lake's tables, each a view of its newest version."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self._engine = engine

    def ask(self, question: str) -> pa.Table:
        """Return the rows that a SELECT asks for.

        Raises InvalidConfig for any other statement, EngineError for one that can't run.
        """
        kinds = self._engine.kinds_of(question)
        if kinds not in (["SELECT"], ["EXPLAIN"]):
            named = ", ".join(kinds) or "none"
            raise InvalidConfig(
                f"the shell reads alone: one SELECT at a time; this is {named}.",
                hint="See the tables with: SELECT table_schema, table_name FROM information_schema.tables",
            )
        return self._engine.run(question)


@contextmanager
def shell(work: Work, *, personal: bool = False) -> Iterator[Shell]:
    """Open a shell over the lake; personal columns only if they are asked for."""
    engine = open_engine(work.engine_settings("duckdb"))
    if not isinstance(engine, DuckDBEngine):
        raise TypeError("the shell asks DuckDB")
    try:
        files: list[Location] = []
        for view in views(work, personal=personal):
            version = work.lake.require(view.table)
            engine.scan_as(view.sql_name, version.files, version.schema, version.partition_by, view.left_out)
            files += version.files
        engine.shut_in(files)
        yield Shell(engine)
    finally:
        engine.close()
