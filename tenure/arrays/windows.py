"""Windows: tiles added up over every window of every snapshot, by one running sum per number.

                lo          hi = t
    sums   ──┊───┊───────────┊──►           the window's sum is running[hi] − running[lo], of every customer at once;
             running[lo]  running[hi]       the smallest and the largest are folded back from t instead

Tiles of late and corrected rows are few, and not every snapshot sees them: they are added to it snapshot by snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenure.arrays.band_edges import BandEdges
from tenure.arrays.first_last import Ranked
from tenure.arrays.late_tiles import LateTiles, Merged
from tenure.arrays.merges import IDENTITY, MERGES
from tenure.arrays.numbers import Room, TooLarge, Whole, arrow, require_within, squares, valid, whole
from tenure.define.window import Window
from tenure.tiles.array_windows import Asked, window_column
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial

Found: TypeAlias = dict[Window | None, Whole]

#: Kinds that take longest come first.
_LONGEST = ("days", "last", "first", "squares")


@dataclass(frozen=True)
class Spine:
    """The snapshot rows of a range of customers, by snapshot and customer; `present` are each snapshot's customers."""

    rows: pa.Table
    first: int
    customers: int
    present: tuple[Whole, ...]

    @classmethod
    def of(cls, rows: pa.Table, snapshots: int) -> Spine:
        """Return the spine of rows that have snapshot_no and customer_no and are sorted by them."""
        numbers, of = whole(rows["customer_no"]), whole(rows["snapshot_no"])
        first, last = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, -1)
        edges = np.searchsorted(of, np.arange(snapshots + 1))
        present = tuple(numbers[start:stop] - first for start, stop in pairwise(edges))
        return cls(rows, first, last - first + 1, present)

    def columns(self) -> pa.Table:
        """Return its rows without their numbers."""
        return self.rows.drop_columns(["customer_no", "snapshot_no"])


def with_older(tiles: pa.Table, older: pa.Table, asked: Asked) -> pa.Table:
    """Return tiles and behind them older ones, which hold only some of the partials: identity of the others."""
    zero = {partial.name for partial, _ in asked if partial.kind not in IDENTITY}
    columns = []
    for field in tiles.schema:
        if field.name in older.column_names:
            columns.append(older[field.name])
        elif field.name in zero:
            zeros = np.zeros(older.num_rows * field.type.bit_width // 64, np.int64)
            columns.append(pa.Array.from_buffers(field.type, older.num_rows, [None, pa.py_buffer(zeros)]))
        else:
            columns.append(pa.nulls(older.num_rows, field.type))
    return pa.concat_tables([tiles, pa.table(columns, schema=tiles.schema)])


class SourceWindows:
    """A source's windows of a range of customers, out of its tiles."""

    def __init__(self, source: str, grid: Grid, spine: Spine, asked: Asked, in_time: pa.Table, late: pa.Table) -> None:
        self._source, self._spine, self._asked = source, spine, asked
        self._in_time, self._late = in_time, late
        self._ranked: dict[Partial, Ranked] = {}
        self._room = Room()
        self._edges = BandEdges.of(grid, tuple(dict.fromkeys(window for _, window in asked)))
        self._places, self._late_places = self._placed(in_time), self._placed(late)
        # Of decimals a window has at most 18 digits.
        self._most = (10**18 - 1) // (self._edges.intervals + late.num_rows + 1)

    def columns(self, threads: int) -> Iterator[tuple[str, pa.Array]]:
        """Yield each window's column with its name, a value for each row of the spine. Raises TooLarge."""
        # What takes longest comes first, so that no thread waits for another at the end.
        partials = sorted({partial: None for partial, _ in self._asked}, key=_turn)
        with ThreadPoolExecutor(threads) as pool:
            for partial, found in zip(partials, pool.map(self._windows_of, partials), strict=True):
                for window in found[0]:
                    numbers = [part[window] for part in found]
                    yield window_column(self._source, partial, window), self._column(partial, numbers)

    def _column(self, partial: Partial, numbers: Sequence[Whole]) -> pa.Array:
        if partial.kind not in IDENTITY:
            return arrow(numbers, partial)
        filled = numbers[0] != IDENTITY[partial.kind]
        if partial.is_one_rows:
            return self._ranked[partial].values_of(numbers[0], filled)
        return arrow(numbers, partial, filled)

    def _windows_of(self, partial: Partial) -> list[Found]:
        """One partial's numbers of each window; of squares the low and the high ones."""
        windows = {window for other, window in self._asked if other == partial}
        numbers, late = self._numbers(partial)
        if partial.sum.merge == "bits":
            ones = np.where(self._is_mixed, 0, np.bitwise_count(numbers[0]).astype(np.int64))
            return [self._added(ones, self._days(numbers[0], late[0]), windows)]
        how = MERGES[partial.kind]
        if partial.kind in IDENTITY:
            own, more = numbers[0], self._late_tiles.merged(late[0], how)
            return [self._folded(own, more, how, IDENTITY[partial.kind], windows)]
        if partial.sum.piece == "high" and not any(part.any() for part in (*numbers, *late)):
            return [dict.fromkeys(windows, np.zeros(self._spine.rows.num_rows, np.int64))]
        for part in (*numbers, *late):
            require_within(part, self._most)
        merged = [self._late_tiles.merged(more, how) for more in late]
        return [self._added(own, more, windows) for own, more in zip(numbers, merged, strict=True)]

    def _added(self, numbers: Whole, late: Merged, windows: set[Window | None]) -> Found:
        running = self._laid_out(numbers, 0)
        for number in range(1, len(running)):
            np.add(running[number], running[number - 1], out=running[number])
        sums, extra = np.empty_like(running[0]), np.empty_like(running[0])
        found, places = self._empty(windows), self._spine_places()
        for snapshot, present in enumerate(self._spine.present):
            extra[:] = 0
            for band, (window, low) in enumerate(self._edges.bands[snapshot]):
                who, more = late.at(snapshot, band)
                extra[who] += more
                if window in found:
                    np.subtract(running[self._edges.high[snapshot]], running[low], out=sums)
                    np.add(sums, extra, out=sums)
                    np.take(sums, present, out=found[window][places[snapshot]], mode="clip")
        return found

    def _folded(self, numbers: Whole, late: Merged, how: np.ufunc, identity: int, windows: set[Window | None]) -> Found:
        kept, best = self._laid_out(numbers, identity), np.empty(self._spine.customers, np.int64)
        found, places = self._empty(windows), self._spine_places()
        for snapshot, present in enumerate(self._spine.present):
            best[:] = identity
            reached = self._edges.high[snapshot]
            for band, (window, low) in enumerate(self._edges.bands[snapshot]):
                for number in range(low, reached):
                    how(best, kept[number + 1], out=best)
                reached = low
                who, more = late.at(snapshot, band)
                best[who] = how(best[who], more)
                if window in found:
                    np.take(best, present, out=found[window][places[snapshot]], mode="clip")
        return found

    def _laid_out(self, numbers: Whole, identity: int) -> Whole:
        """A number for each interval (after one before all) and customer."""
        customers = self._spine.customers
        laid = np.full((self._edges.intervals + 1) * customers, identity, np.int64)
        laid[self._places + customers] = numbers
        return laid.reshape(self._edges.intervals + 1, customers)

    def _empty(self, windows: set[Window | None]) -> Found:
        return {window: self._room.empty(self._spine.rows.num_rows) for window in windows}

    def _spine_places(self) -> list[slice]:
        ends = np.cumsum([0, *map(len, self._spine.present)])
        return [slice(start, stop) for start, stop in pairwise(ends)]

    def _placed(self, tiles: pa.Table) -> Whole:
        interval = self._edges.interval_of(whole(tiles["interval_start"]))
        return interval * self._spine.customers + whole(tiles["customer_no"]) - self._spine.first

    @cached_property
    def _late_tiles(self) -> LateTiles:
        return LateTiles.of(self._late_places, *self._seen, self._edges, self._spine.customers)

    @cached_property
    def _is_mixed(self) -> NDArray[np.bool_]:
        """Whether a tile's customer has late or corrected rows in its interval too."""
        return np.isin(self._places, self._late_places)

    def _days(self, masks: Whole, late: Whole) -> Merged:
        """Days of intervals that have late rows: a day counts once, also where a row known in time shares it."""
        mixed = np.flatnonzero(self._is_mixed)
        first, last = self._seen
        places = np.concatenate([self._late_places, self._places[mixed]])
        always = np.zeros(len(mixed), np.int64)
        first, last = np.concatenate([first, always]), np.concatenate([last, always + len(self._spine.present)])
        return LateTiles.of(places, first, last, self._edges, self._spine.customers).days(
            np.concatenate([late, masks[mixed]])
        )

    @cached_property
    def _seen(self) -> tuple[Whole, Whole]:
        """The first snapshot that sees each late tile, and the one behind the last."""
        first = np.searchsorted(self._edges.dates, whole(self._late["seen_from"]))
        last = np.searchsorted(self._edges.dates, whole(self._late["seen_to"]), side="right")
        known = valid(self._late["seen_to"])
        return first, last if known is None else np.where(known, last, len(self._edges.dates))

    def _numbers(self, partial: Partial) -> list[list[Whole]]:
        """A partial's numbers of each tile, of those in time and of the late ones."""
        both = [tiles[partial.name] for tiles in (self._in_time, self._late)]
        if partial.sum.piece == "low":
            return [list(squares(column)) for column in both]
        identity = IDENTITY.get(partial.kind, 0)
        if partial.is_one_rows:
            self._ranked[partial] = Ranked.of(both, identity)
            ranks = self._ranked[partial].numbers
            return [[ranks[: len(both[0])]], [ranks[len(both[0]) :]]]
        return [[_filled(column, identity)] for column in both]


def _turn(partial: Partial) -> int:
    return _LONGEST.index(partial.kind) if partial.kind in _LONGEST else len(_LONGEST)


def _filled(column: pa.ChunkedArray, identity: int) -> Whole:
    numbers, filled = whole(column), valid(column)
    if identity and np.any(numbers == identity if filled is None else (numbers == identity) & filled):
        raise TooLarge  # it would pass for the identity, which means no row
    return numbers if filled is None else np.where(filled, numbers, identity)
