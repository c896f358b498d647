"""The SQL route: the engine computes all of it. It takes every engine, every aggregate and numbers of any size."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.engines.base import Engine
from tenure.feature_store.routes.base import Writing, tile_table
from tenure.session.work import Work
from tenure.store.lake import Lake
from tenure.tiles.features import FeatureSteps
from tenure.tiles.partials import Partial
from tenure.tiles.tiles import Tiles


@dataclass(frozen=True)
class SqlRoute:
    """The route on which tiles and features are one SELECT each."""

    work: Work

    @property
    def code(self) -> str:
        """Nothing: the SQL itself is compared."""
        return ""

    def takes(self, _: Partial, /) -> bool:
        """Return False: nothing is computed outside of the SQL."""
        return False

    def tile_writers(
        self, tiles: Tiles, groups: Sequence[Sequence[date]], schema: pa.Schema, _: ThreadPoolExecutor, /
    ) -> Sequence[SqlTiles]:
        """Return a writer for each group of periods; the engine writes with threads of its own."""
        return [SqlTiles.of(self.work, tiles, tiles.in_time(periods), schema) for periods in groups]

    def window_writer(self, steps: FeatureSteps) -> SqlWindows:
        """Return the writer of the snapshots' features."""
        return SqlWindows(self.work, steps)


@dataclass(frozen=True)
class SqlTiles:
    """Tiles as a SELECT."""

    engine: Engine
    lake: Lake
    table: str
    text: str
    schema: pa.Schema

    @classmethod
    def of(cls, work: Work, tiles: Tiles, text: str, schema: pa.Schema) -> SqlTiles:
        """Return the writer of a SELECT of some of a source's tiles."""
        return cls(work.engine, work.lake, tile_table(tiles.source.name), text, schema)

    def write_tiles(self, token: str) -> Writing:
        """Write the rows of the SELECT."""
        files = self.engine.write(
            self.text, self.lake.writing_folder(self.table), ("period_end",), self.schema, token=token
        )
        return lambda: files


@dataclass(frozen=True)
class SqlWindows:
    """Features as a SELECT over relations of each range: its numbers, its tiles, its bands."""

    work: Work
    steps: FeatureSteps

    def schema(self, customers: str) -> pa.Schema:
        """Return the columns and types of the features."""
        return self.work.engine.schema(self.cache(customers))

    def write_windows(self, customers: str, schema: pa.Schema) -> tuple[list[Path], pa.Schema]:
        """Write a range's features into files that no commit names yet; return them with their columns and types."""
        final = self.cache(customers)
        schema = schema or self.work.engine.schema(final)
        return self.write(final, schema), schema

    def cache(self, customers: str) -> str:
        """Materialize the relations that the features of a range read; return the SELECT over them."""
        for select in self.steps.ranged(customers):
            self.work.engine.cache(select.table, select.text)
        return self.steps.final().text

    def write(self, final: str, schema: pa.Schema) -> list[Path]:
        """Write the rows of the SELECT."""
        work = self.work
        token = work.lake.begin_write("features")
        by = work.contracts["features"].partition_by
        return work.engine.write(final, work.lake.writing_folder("features"), by, schema, token=token)
