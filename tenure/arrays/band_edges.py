"""Band edges: the grid's interval in which each window of each snapshot begins, and where the snapshot ends."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenure.arrays.numbers import Whole, days_of
from tenure.define.window import Window
from tenure.tiles.grid import Grid


@dataclass(frozen=True)
class BandEdges:
    """The intervals of each snapshot's windows: `high` is the one after its last, `bands` its windows with their first.

    The shortest window comes first; all history is None and begins with interval 0. `starts` are the intervals'
    first days and `dates` the snapshots, in days since 1970.
    """

    starts: Whole
    dates: Whole
    high: tuple[int, ...]
    bands: tuple[tuple[tuple[Window | None, int], ...], ...]

    @classmethod
    def of(cls, grid: Grid, windows: Sequence[Window | None]) -> BandEdges:
        """Return the edges of a grid's snapshots for these windows."""
        starts = [start for start, _ in grid.intervals]
        bands = []
        for t in grid.dates:
            lows = [(window, bisect_left(starts, window.start(t)) if window else 0) for window in windows]
            bands.append(tuple(sorted(lows, key=lambda pair: -pair[1])))
        high = tuple(bisect_left(starts, t) for t in grid.dates)
        return cls(days_of(starts), days_of(grid.dates), high, tuple(bands))

    @property
    def intervals(self) -> int:
        """How many intervals there are."""
        return len(self.starts)

    def interval_of(self, days: Whole) -> Whole:
        """Return the numbers of the intervals that begin on these days."""
        return np.searchsorted(self.starts, days)
