"""The Engine protocol: what every engine can do. Tables travel as Parquet files and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tenure.define.source import Csv, Parquet
from tenure.sql import Dialect

if TYPE_CHECKING:
    import pyarrow as pa

EngineName: TypeAlias = Literal["duckdb", "spark"]


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Which engine, with how much memory ('4GB') and how many threads (0: all cores), and further options."""

    name: EngineName = "duckdb"
    memory: str = "4GB"
    threads: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """Runs SELECTs of its dialect over relations that it was told of. All instants are UTC."""

    dialect: Dialect
    version: str

    def read(self, relation: str, raw: Csv | Parquet, files: Sequence[Path]) -> dict[str, str]:
        """Make raw files a relation; return its columns as name → 'text' or another type."""

    def scan(self, relation: str, files: Sequence[Path], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation, its partition columns included."""

    def hold(self, relation: str, select: str) -> None:
        """Compute a SELECT once and keep its rows as a relation until the engine is closed or it is held again."""

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT without running it; instants are timestamps in UTC."""

    def run(self, select: str) -> pa.Table:
        """Return a SELECT's rows."""

    def write(
        self, select: str, folder: Path, partition_by: Sequence[str], schema: pa.Schema | None = None
    ) -> list[Path]:
        """Write a SELECT's rows as Parquet files into `folder`; return the files. A known `schema` saves time."""

    def apart(self) -> Engine:
        """Return an engine that shares this one's memory and threads, and none of its relations. Close it after use."""

    def close(self) -> None:
        """Release what the engine holds."""
