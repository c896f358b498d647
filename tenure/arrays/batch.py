"""A batch of rows: its runs of rows of one key and interval, each summed up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenure.arrays.first_last import taken
from tenure.arrays.merges import IDENTITY, LARGEST, MERGES
from tenure.arrays.numbers import LOW_BITS, Flags, Places, Room, TooLarge, Whole, changes, flags, whole
from tenure.define.aggregates import VALUE
from tenure.tables.finish import CUT
from tenure.tiles.partials import Partial
from tenure.tiles.rows_to_sum import RowPart, RowsToSum

#: The largest number that is added: sums of a batch, and those of squares in two parts, stay below 2^63; and no square
#: has a high part.
_LARGEST = CUT - 1

#: The largest product of several columns that is added: sums of a batch stay below 2^63.
_LARGEST_PRODUCT = 2**45

#: Doubles hold whole numbers up to here without a gap.
_EXACT = 2**53


@dataclass(frozen=True)
class BatchSums:
    """A batch's sums, one a run: its key and day, number of rows, each partial's numbers, its first or last rows."""

    keys: Whole
    days: Whole
    counts: dict[tuple[str, int], Whole] = field(default_factory=dict)
    numbers: dict[Partial, list[Whole]] = field(default_factory=dict)
    ends: dict[Partial, tuple[pa.RecordBatch, Places, int]] = field(default_factory=dict)


def sum_batch(batch: pa.RecordBatch, sums: RowsToSum) -> BatchSums:
    """Return the sums of a batch's runs. Raises TooLarge."""
    keys, days = whole(batch.column("key_no")), whole(batch.column("interval_start"))
    starts = changes(keys, days)
    read, found = _Batch(batch, starts, sums), BatchSums(keys[starts], days[starts])
    for partial, reading in sums.parts.items():
        if reading.counts:
            found.counts[reading.counts, reading.code] = read.count(reading)
        if partial.is_one_rows:
            rows, runs = read.outermost(partial, reading)
            found.ends[partial] = (taken(batch, sums, reading.value, rows), runs, len(starts))
        else:
            found.numbers[partial] = read.summed(partial, reading)
    return found


class _Batch:
    """A batch's columns, each read once."""

    def __init__(self, batch: pa.RecordBatch, starts: Places, sums: RowsToSum) -> None:
        self._batch, self._starts, self._sums = batch, starts, sums
        self._lengths = np.diff(starts, append=batch.num_rows)
        self._runs = np.repeat(np.arange(len(starts)), self._lengths)
        self._flags: dict[tuple[str, int], Flags | None] = {}
        self._values: dict[str, tuple[Whole, int]] = {}
        self._by_code: dict[tuple[str, str], Whole] = {}
        self._room = Room()

    def count(self, reading: RowPart) -> Whole:
        """Return how many rows of each run count."""
        if reading.code >= 0:
            found: Whole = self._coded(reading.counts, "")[reading.code]
            return found
        counts = self._counted(reading)
        if counts is None:
            return self._lengths
        return self._reduced(np.add, counts.view(np.int8))

    def summed(self, partial: Partial, reading: RowPart) -> list[Whole]:
        """Return the partial's numbers of each run: two of squares, else one."""
        if partial.is_count:
            return [self.count(reading)]
        values, largest = self._term(reading)
        if partial.is_added and largest > (_LARGEST_PRODUCT if reading.times else _LARGEST):
            raise TooLarge
        if partial.sum.piece == "high":
            return [np.zeros(len(self._starts), np.int64)]
        if partial.kind in IDENTITY and partial.sum.term == VALUE and largest >= LARGEST:
            raise TooLarge  # it would pass for the identity, which means no row
        is_plain = partial.is_added and not partial.sum.piece and not reading.times
        if is_plain and reading.code >= 0 and largest * self._batch.num_rows < _EXACT:
            return [self._coded(reading.counts, reading.value)[reading.code]]
        counts = self._counted(reading)
        if counts is not None:
            identity = IDENTITY.get(partial.kind)
            values = values * counts if identity is None else np.where(counts, values, identity)
        parts = _squared(values, largest) if partial.sum.piece else (values,)
        return [self._reduced(MERGES[partial.kind], part) for part in parts]

    def outermost(self, partial: Partial, reading: RowPart) -> tuple[Places, Places]:
        """Return the rows that are the first or last of their run, and their runs; all rows of that instant."""
        counts, (times, _) = self._counted(reading), self._value(self._sums.order[0])
        if counts is not None:
            times = np.where(counts, times, IDENTITY[partial.kind])
        is_edge = times == self._reduced(MERGES[partial.kind], times)[self._runs]
        rows = np.flatnonzero(is_edge if counts is None else is_edge & counts)
        return rows, self._runs[rows]

    def _reduced(self, how: np.ufunc, numbers: NDArray[np.int64 | np.int8]) -> Whole:
        runs = self._room.empty(len(self._starts))
        how.reduceat(numbers, self._starts, dtype=np.int64, out=runs)
        return runs

    def _counted(self, reading: RowPart) -> Flags | None:
        """Which rows count; None where all do."""
        key = (reading.counts, reading.code)
        if key not in self._flags:
            column = self._batch.column(reading.counts) if reading.counts else None
            if column is None:
                self._flags[key] = None
            else:
                self._flags[key] = whole(column) == reading.code if reading.code >= 0 else flags(column)
        return self._flags[key]

    def _value(self, name: str) -> tuple[Whole, int]:
        """A column's numbers, and the size of the largest."""
        if name not in self._values:
            values = whole(self._batch.column(name))
            self._values[name] = (values, max(int(values.max()), -int(values.min())))
        return self._values[name]

    def _term(self, reading: RowPart) -> tuple[Whole, int]:
        """A row's term, the product of its columns, and a size that no number of it exceeds. Raises TooLarge."""
        values, largest = self._value(reading.value)
        for column in reading.times:
            factors, size = self._value(column)
            largest *= size
            if largest > _LARGEST_PRODUCT:
                raise TooLarge
            values = values * factors
        return values, largest

    def _coded(self, codes: str, value: str) -> Whole:
        """The rows (or a value's sums, which doubles hold exactly) of each code and run, all codes in one pass."""
        if (codes, value) not in self._by_code:
            width = self._sums.codes[codes] + 1  # the last is of rows of no code
            cells = self._runs * width + whole(self._batch.column(codes))
            weights = self._value(value)[0] if value else None
            found = np.bincount(cells, weights, minlength=len(self._starts) * width).reshape(-1, width)
            kept = self._room.empty(found.size).reshape(width, -1)
            kept[:] = found.T
            self._by_code[codes, value] = kept
        return self._by_code[codes, value]


def _squared(values: Whole, largest: int) -> tuple[Whole, Whole]:
    """The squares as low and high, of values of at most 42 bits."""
    mask = (1 << LOW_BITS) - 1
    if largest < 1 << 31:
        square = values * values
        return square & mask, square >> LOW_BITS
    # (a·2^18 + b)² = a²·2^36 + (2ab·2^18 + b²), each below 2^63.
    size = np.abs(values)
    a, b = size >> 18, size & ((1 << 18) - 1)
    far, near = a * a, ((a * b) << 19) + b * b
    return (near & mask) + ((far & 15) << 36), (far >> 4) + (near >> LOW_BITS)
