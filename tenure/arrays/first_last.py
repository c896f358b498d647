"""The first or last row of each tile: by its instant, and by its key where two rows share the instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tenure.arrays.numbers import Flags, Places, Whole, places, plain, structs, valid, whole
from tenure.tiles.partials import Partial
from tenure.tiles.rows_to_sum import RowsToSum


def taken(batch: pa.RecordBatch, sums: RowsToSum, value: str, rows: Places) -> pa.RecordBatch:
    """Return the columns of some rows that order them, and their value: at (the instant), k0 … (the key), v."""
    names = ["at", *(f"k{n}" for n in range(len(sums.order) - 1)), "v"]
    columns = [plain(batch.column(name)).take(places(rows)) for name in (*sums.order, value)]
    return pa.record_batch(columns, names)


def first_or_last_of_tiles(
    partial: Partial, batches: Sequence[tuple[pa.RecordBatch, Places, int]], tile_of_run: Places, tiles: int
) -> pa.Array:
    """Return one struct a tile, {at, k0 …, v}, the first or last of its rows; null where none counts.

    Each batch has its rows, their runs, and how many runs it has in all.
    """
    if not batches:
        return pa.nulls(tiles)
    found, runs, counts = zip(*batches, strict=True)
    rows = pa.Table.from_batches(found).combine_chunks()
    before = np.cumsum([0, *counts])
    tile = tile_of_run[np.concatenate([run + start for run, start in zip(runs, before[:-1], strict=True)])]
    chosen = np.zeros(tiles, np.int64)
    chosen[tile] = np.arange(len(tile))
    several = np.flatnonzero(np.bincount(tile, minlength=tiles)[tile] > 1)
    if len(several):
        some = rows.take(places(several))
        order = np.lexsort((*_ranks(some), tile[several]))
        order = order if partial.sum.merge == "largest" else order[::-1]
        chosen[tile[several[order]]] = several[order]  # of several, the one written last stays
    filled = np.zeros(tiles, np.bool_)
    filled[tile] = True
    if not len(tile):
        return structs([pa.nulls(tiles, field.type) for field in rows.schema], rows.column_names, filled)
    columns = [each.combine_chunks().take(places(chosen)) for each in rows.columns]
    return structs(columns, rows.column_names, filled)


@dataclass(frozen=True)
class Ranked:
    """The first or last rows of tiles as ranks, which compare as the rows do; `values_of` gives their values back."""

    numbers: Whole
    values: pa.Array

    @classmethod
    def of(cls, tables: Sequence[pa.ChunkedArray], identity: int) -> Ranked:
        """Rank the structs of several tables' tiles together; a null gets the number `identity`."""
        chunks: list[pa.Array] = []
        for each in tables:
            chunks += each.chunks
        column = pa.chunked_array(chunks, tables[0].type).combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # of no chunk
            column = pa.concat_arrays(column.chunks or [pa.nulls(0, column.type)])
        names = [field.name for field in column.type]
        rows = pa.table([plain(column.field(name)) for name in names], names)
        order = np.lexsort(_ranks(rows))
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order))
        filled = valid(column)
        kept = numbers if filled is None else np.where(filled, numbers, identity)
        return cls(kept, rows["v"].combine_chunks().take(places(order)))

    def values_of(self, numbers: Whole, filled: Flags) -> pa.Array:
        """Return the structs {v} of these numbers, null where not filled."""
        if not filled.any():
            return structs([pa.nulls(len(numbers), self.values.type)], ["v"], filled)
        return structs([self.values.take(places(np.where(filled, numbers, 0)))], ["v"], filled)


def _ranks(rows: pa.Table) -> list[Whole]:
    """The columns for NumPy's lexsort, the last one first, that sort rows by instant, then by key."""
    return [_comparable(rows[name]) for name in reversed(rows.column_names) if name != "v"]


def _comparable(column: pa.ChunkedArray) -> Whole:
    """Numbers that compare like the values; texts compare byte by byte in every engine."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return whole(column.cast(pa.int16()))
    is_ranked = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_floating(kind)
    return whole(pc.rank(column, tiebreaker="dense") if is_ranked else column)
