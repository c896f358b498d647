"""A route: one way in which tiles and windows are computed and written. All routes end in the same cells.

    rows ──(tile_writers ─► write_tiles)──► tiles ──(window_writer ─► write_windows)──► features

Texts, types and edges are computed with the writer; writing then only reads, computes and writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa

from tenure.session.work import Work
from tenure.tiles.features import FeatureSteps
from tenure.tiles.partials import Partial
from tenure.tiles.tiles import Tiles

#: A handle on files that may still be under way: a call blocks until they are written, and returns their paths.
Writing: TypeAlias = Callable[[], list[Path]]


class TileWriter(Protocol):
    """One source's tiles of some periods, of rows known in time; only the rows are still to be read."""

    def write_tiles(self, token: str) -> Writing:
        """Write them into files that no commit names yet; their names bear the token, which the journal knows."""


class WindowWriter(Protocol):
    """The features of some snapshots, written a range of customers at a time.

    A range is a condition on the customer's number, such as 'BETWEEN 0 AND 999'; '' is all.
    """

    def schema(self, customers: str) -> pa.Schema:
        """Return the columns and types of the features, found by a range of which nothing is written."""

    def write_windows(self, customers: str, schema: pa.Schema) -> tuple[list[Path], pa.Schema]:
        """Write a range's features into files that no commit names yet; return them with their columns and types.

        A `schema` that is known already saves the time to ask for it; one without columns is not known.
        """


class Route(Protocol):
    """A way from rows to tiles, and from tiles to features."""

    @property
    def code(self) -> str:
        """What the cells of this route depend on besides the SQL of tiles and features; '' where that is all.

        It is part of the digests of stored partitions: another code makes them stale.
        """

    def takes(self, partial: Partial, /) -> bool:
        """Return whether this sum is computed outside of the SQL of tiles and features."""

    def tile_writers(
        self, tiles: Tiles, groups: Sequence[Sequence[date]], schema: pa.Schema, pool: ThreadPoolExecutor, /
    ) -> Sequence[TileWriter]:
        """Return a writer for each group of periods; what all of them read is a relation of the engine then.

        `schema` is that of `tiles.select()`. Files may be written in the `pool` while the next ones are computed.
        """

    def window_writer(self, steps: FeatureSteps) -> WindowWriter:
        """Return the writer of the snapshots' features; the calendar and the tiles are relations of the engine."""


def tile_table(source: str) -> str:
    """Return the name of the lake's table of a source's tiles."""
    return f"tiles/{source}"


def number_ranges(count: int, size: int) -> list[str]:
    """Return the conditions of ranges of numbers, `size` in each but the last, that cover the numbers below `count`."""
    return [f"BETWEEN {first} AND {first + size - 1}" for first in range(0, count, size)]


def threads_of(work: Work) -> int:
    """Return how many threads the run may take."""
    return work.config.engine.threads or os.cpu_count() or 1
