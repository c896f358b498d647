"""Rows: a source's rows summed up by key and interval, run by run.

key        7 7 7 7 7 8 8 8          rows lie by customer inside a month, so those of one tile are one run,
interval   3 3 4 4 4 3 3 3          or a few: runs are summed up as they come, then the few brought together
           └─┘ └───┘ └───┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tenure.arrays.batch import BatchSums, sum_batch
from tenure.arrays.first_last import first_or_last_of_tiles
from tenure.arrays.merges import MERGES
from tenure.arrays.numbers import Flags, Places, Room, Whole, changes, keys_and_days, require_within, stored, whole
from tenure.tiles.partials import Partial
from tenure.tiles.rows_to_sum import RowsToSum

#: Rows at a time: sums of the largest numbers allowed stay below 2^63.
MOST_ROWS = 2**17

#: Batches under way for each thread: enough that none waits, few enough to bound the memory.
_AHEAD = 2


def sum_rows(batches: Iterable[pa.RecordBatch], sums: RowsToSum, periods: Whole, threads: int) -> pa.Table:
    """Return one row per key and interval that any row is of: key_no, interval_start and each partial.

    They come period by period (`periods` are the first days since 1970), within one in the order of their first rows.
    A partial is null where no row counts, but for counts. Raises TooLarge.
    """
    found: list[BatchSums] = []
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[BatchSums]] = deque()
        for batch in _pieces(batches):
            if len(running) >= threads * _AHEAD:
                found.append(running.popleft().result())
            running.append(pool.submit(sum_batch, batch, sums))
        found += [each.result() for each in running]
        return _Tiles(found, periods).table(sums, pool)


def by_period(tiles: pa.Table, periods: Whole) -> list[pa.Table]:
    """Return the rows of `sum_rows`, whose `periods` these are too, in parts: one for each period."""
    of = np.searchsorted(periods, whole(tiles["interval_start"]), side="right")
    places = np.searchsorted(of, np.arange(1, len(periods) + 1)).tolist()
    return [tiles.slice(start, stop - start) for start, stop in pairwise([*places, tiles.num_rows])]


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, MOST_ROWS):
            yield batch.slice(start, MOST_ROWS)


class _Tiles:
    """The tiles of all batches: the runs of each, merged into the first of them."""

    def __init__(self, batches: Sequence[BatchSums], periods: Whole) -> None:
        self._batches, self._room = batches, Room()
        self._keys, self._days = _joined([b.keys for b in batches]), _joined([b.days for b in batches])
        order = _sorted(self._keys, self._days)
        starts = changes(self._keys[order], self._days[order])
        lengths = np.diff(starts, append=len(order))
        self._most = int(lengths.max(initial=1))
        #: Of each run, the first one of its tile; and those first runs, by interval.
        self._first = np.empty(len(order), np.int64)
        self._first[order] = np.repeat(order[starts], lengths)
        chosen = np.flatnonzero(self._first == np.arange(len(order)))
        self._chosen = chosen[
            np.argsort(np.searchsorted(periods, self._days[chosen], side="right").astype(np.int16), kind="stable")
        ]
        self._others = np.flatnonzero(self._first != np.arange(len(order)))

    def table(self, sums: RowsToSum, pool: ThreadPoolExecutor) -> pa.Table:
        """Return the tiles: each partial's runs of one tile merged."""
        keys, days = keys_and_days(self._keys[self._chosen], self._days[self._chosen])
        columns = pool.map(lambda partial: self._column(sums, partial), sums.parts)
        return pa.table([keys, days, *columns], ["key_no", "interval_start", *sums.names])

    def _column(self, sums: RowsToSum, partial: Partial) -> pa.Array:
        reading = sums.parts[partial]
        if partial.is_one_rows:
            place = np.empty(len(self._first), np.int64)
            place[self._chosen] = np.arange(len(self._chosen))
            ends = [b.ends[partial] for b in self._batches]
            return first_or_last_of_tiles(partial, ends, place[self._first], len(self._chosen))
        width = 2 if partial.sum.piece == "low" else 1
        numbers = [self._merged([b.numbers[partial][n] for b in self._batches], partial.kind) for n in range(width)]
        filled: Flags | None = None
        if reading.counts and not partial.is_count:
            filled = self._merged([b.counts[reading.counts, reading.code] for b in self._batches], "count") > 0
        return stored(numbers, partial, filled)

    def _merged(self, runs: Sequence[Whole], kind: str) -> Whole:
        numbers, how = _joined(runs), MERGES[kind]
        if how is np.add:
            require_within(numbers, 2**62 // self._most)
        how.at(numbers, self._first[self._others], numbers[self._others])
        return np.take(numbers, self._chosen, out=self._room.empty(len(self._chosen)), mode="clip")


def _joined(those: Sequence[Whole]) -> Whole:
    return np.concatenate([np.empty(0, np.int64), *those])


def _sorted(keys: Whole, days: Whole) -> Places:
    """The order by key and day; one number for both sorts faster, where they fit."""
    bits = 24
    if not len(keys) or (keys.min() >= 0 and keys.max() < 1 << 63 - bits and days.min() >= 0):
        return np.argsort((keys << bits) + days, kind="stable")
    return np.lexsort((days, keys))
