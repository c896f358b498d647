"""Late tiles: those of late or corrected rows, once for every snapshot that sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tenure.arrays.band_edges import BandEdges
from tenure.arrays.numbers import Places, Whole, changes


@dataclass(frozen=True)
class Merged:
    """Merged numbers of a few customers, for each snapshot and band."""

    customers: Whole
    numbers: Whole
    edges: list[int]
    bands: int

    def at(self, snapshot: int, band: int) -> tuple[Whole, Whole]:
        """Return the customers that have one there, each once, and their numbers."""
        number = snapshot * self.bands + band
        found = slice(self.edges[number], self.edges[number + 1])
        return self.customers[found], self.numbers[found]


@dataclass(frozen=True)
class LateTiles:
    """Each late tile once for every snapshot that sees it.

    `tiles` are their rows, `cells` the number of snapshot and band (snapshot × bands + band), `places` the number of
    interval and customer (interval × customers + customer).
    """

    tiles: Places
    cells: Whole
    places: Whole
    customers: int
    cells_in_all: int
    bands: int

    @classmethod
    def of(cls, places: Whole, first: Whole, last: Whole, edges: BandEdges, customers: int) -> LateTiles:
        """Repeat the tiles, which lie at these places, for the snapshots from `first` up to `last`."""
        bands = len(edges.bands[0])
        interval = places // max(customers, 1)
        # Snapshots before the interval ends, and those whose windows have left it, do not see it.
        first = np.maximum(first, np.searchsorted(np.array(edges.high), interval, side="right"))
        longest = np.array([row[-1][1] for row in edges.bands])
        last = np.minimum(last, np.searchsorted(longest, interval, side="right"))
        times = np.maximum(last - first, 0)
        tiles = np.repeat(np.arange(len(places)), times)
        behind = np.cumsum(times) - times
        snapshot = first[tiles] + np.arange(len(tiles)) - behind[tiles]
        lows = np.array([[low for _, low in row] for row in edges.bands]).reshape(-1, bands)
        band = (interval[tiles, None] < lows[snapshot]).sum(axis=1)
        cells, at = snapshot * bands + band, places[tiles]
        order = np.lexsort((at, at % max(customers, 1), cells))
        return cls(tiles[order], cells[order], at[order], customers, len(edges.dates) * bands, bands)

    def merged(self, numbers: Whole, how: np.ufunc) -> Merged:
        """Return the tiles' numbers merged by snapshot, band and customer."""
        return self._groups.merged(numbers[self.tiles], how)

    def days(self, masks: Whole) -> Merged:
        """Count the days in the tiles' masks, those of one interval once."""
        starts = changes(self.cells, self.places)
        days = _reduced(masks[self.tiles], starts, np.bitwise_or)
        return self._grouped(starts).merged(np.bitwise_count(days).astype(np.int64), np.add)

    @cached_property
    def _groups(self) -> _Groups:
        return self._grouped(np.arange(len(self.cells)))

    def _grouped(self, chosen: Places) -> _Groups:
        cells, who = self.cells[chosen], self.places[chosen] % max(self.customers, 1)
        starts = changes(cells, who)
        edges = np.searchsorted(cells[starts], np.arange(self.cells_in_all + 1))
        return _Groups(starts, who[starts], edges.tolist(), self.bands)


@dataclass(frozen=True)
class _Groups:
    """Where each customer of a cell begins."""

    starts: Places
    customers: Whole
    edges: list[int]
    bands: int

    def merged(self, numbers: Whole, how: np.ufunc) -> Merged:
        return Merged(self.customers, _reduced(numbers, self.starts, how), self.edges, self.bands)


def _reduced(numbers: Whole, starts: Places, how: np.ufunc) -> Whole:
    reduced: Whole = how.reduceat(numbers, starts) if len(starts) else numbers
    return reduced
