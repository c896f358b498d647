"""The Engine protocol: what every engine can do. Tables travel as Parquet files and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from tenure.define.raw_tables import Csv, Parquet
from tenure.sql import Dialect
from tenure.storage.location import Location

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

EngineName: TypeAlias = Literal["duckdb", "spark"]


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Which engine, with how much memory ('4GB') and how many threads (0: all cores), and further options.

    What memory has no room for goes into the folder `spill`, of at most `most_spill` where the engine can bound it;
    without a folder the engine does not spill, or where its options say.
    """

    name: EngineName = "duckdb"
    memory: str = "4GB"
    threads: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    spill: Path | None = None
    most_spill: str = "100GB"


class Engine(Protocol):
    """Runs SELECTs of its dialect over relations that it knows. All instants are UTC."""

    dialect: Dialect
    version: str
    #: Whether it spreads work over machines and bounds their memory itself, so that none has to be cut to fit.
    is_cluster: bool

    def read_csv(self, relation: str, raw: Csv, files: Sequence[Location]) -> dict[str, str]:
        """Make CSV files a relation, every value as its text; return its columns, each as name → 'text'."""

    def read_parquet(self, relation: str, raw: Parquet, files: Sequence[Location]) -> dict[str, str]:
        """Make Parquet files a relation, a column that some lack null there; return name → 'text' or another type."""

    def scan(self, relation: str, files: Sequence[Location], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation, its partition columns included."""

    def check_texts(self) -> None:
        """Raise UnreadableFile for a raw file that was read and has bytes that are no text; slow."""

    def cache(self, relation: str, select: str) -> None:
        """Compute a SELECT once and keep its rows as a relation until the engine is closed or it is cached again."""

    def view(self, relation: str, select: str) -> None:
        """Make a SELECT a relation whose rows are computed whenever they are read."""

    def release(self, relation: str) -> None:
        """Let go of the rows of a relation that was cached, if it was."""

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT without running it; instants are timestamps in UTC."""

    def run(self, select: str) -> pa.Table:
        """Return a SELECT's rows."""

    def write(
        self,
        select: str,
        folder: Path,
        partition_by: Sequence[str],
        schema: pa.Schema | None = None,
        *,
        token: str = "",
        rows_per_file: int = 0,
    ) -> list[Path]:
        """Write a SELECT's rows as Parquet files into `folder`; return the files. A known `schema` saves time.

        The files are named `part-<token>…`; without one, with a token that no journal knows. Rows that are not
        partitioned go into one file, or, given `rows_per_file`, into files of about as many, each a stretch of the
        order.
        """

    def new_session(self) -> Engine:
        """Return an engine that shares this one's memory and threads, and none of its relations. Close it after use."""

    def close(self) -> None:
        """Release what the engine holds."""


@runtime_checkable
class ArrayEngine(Engine, Protocol):
    """An engine in this very process: rows pass between it and arrays without being copied."""

    def stream(self, select: str, *, joins_as_written: bool = False) -> AbstractContextManager[pa.RecordBatchReader]:
        """Give a SELECT's rows batch by batch, in order; decimals of up to 18 digits come in 64 bits.

        With `joins_as_written` the first relation's rows stream by the others, whatever the engine thinks best.
        """

    def register(self, relation: str, table: pa.Table) -> None:
        """Make a table in memory a relation, until it is registered again or unregistered."""

    def unregister(self, relation: str) -> None:
        """Let go of a table that was registered, if it was."""
