"""In arrays: what a DuckDB in this process and arrays compute together; by SQL alone elsewhere, or where numbers are
too large for arrays. Both ways end in the same cells.

    rows ─► stream ─► arrays sum them up ─► tiles ─► stream ─► arrays make windows ─► lent to the final SELECT
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from tenure.arrays.numbers import TooLarge, Whole, days_of, plain
from tenure.arrays.parts import by_day, by_period
from tenure.arrays.rows import sum_rows
from tenure.arrays.windows import SourceWindows, Spine, with_older
from tenure.define.source import Source
from tenure.engines.base import ArrayEngine
from tenure.session.work import Work
from tenure.sql import literal
from tenure.tiles.array_windows import WINDOWS, late_tiles_to_merge, older_tiles_to_merge, tiles_to_merge
from tenure.tiles.features import NUMBERS, FeatureSteps, tiled
from tenure.tiles.rows_to_sum import row_keys, rows_to_sum, summed_tiles
from tenure.tiles.tiles import Tiles

#: Files under way: waits for them, and tells them.
Writing: TypeAlias = Callable[[], list[Path]]

#: The number of the cells that this route computes, tiles and features. Raise it by one when any cell changes, here or
#: in what computes for it (arrays/, tiles/rows_to_sum.py, tiles/array_windows.py): stored snapshots are then stale,
#: and computed anew. tests/feature_store/test_route_number.py compares the cells and says when it is due.
CELLS = 2

#: Rows of the spine that one thread of the engine takes at a time.
_CHUNK = 16_384


def hold_keys(work: Work, tiles: Tiles) -> None:
    """Hold the numbers that stand for a source's keys, where arrays need them."""
    numbered = row_keys(tiles)
    if numbered and isinstance(work.engine, ArrayEngine):
        work.engine.hold(numbered.table, numbered.text)


def write_tiles_in_time(
    work: Work, tiles: Tiles, periods: Sequence[date], schema: pa.Schema, pool: ThreadPoolExecutor
) -> Writing:
    """Write a source's tiles of rows known in time, of some periods, into files that no commit names yet.

    Its keys are held (`hold_keys`). Files may still be under way in the `pool` when this returns; the result waits for
    them and tells them.
    """
    engine, by, table = work.engine, ("period_end",), f"tiles/{tiles.source.name}"
    folder = work.lake.path(table)
    summed = _summed(engine, tiles, periods, threads_of(work)) if isinstance(engine, ArrayEngine) else None
    if summed is None or not isinstance(engine, ArrayEngine):
        files = engine.write(tiles.in_time(periods), folder, by, schema, token=work.lake.begin_write(table))
    elif tiles.fit_arrays:
        return _write_parts(work, tiles, _with_keys(engine, tiles, summed), pool)
    else:
        lent = f"{tiles.source.name}_summed"
        engine.lend(lent, summed)
        try:
            token = work.lake.begin_write(table)
            files = engine.write(tiles.in_time(periods, summed_tiles(tiles, lent)), folder, by, schema, token=token)
        finally:
            engine.take_back(lent)
    return lambda: files


def hold_range(work: Work, steps: FeatureSteps, customers: str) -> str:
    """Hold what the features of a range of customers are made of; return the SELECT that puts them together."""
    engine = work.engine
    if isinstance(engine, ArrayEngine):
        with suppress(TooLarge):
            return _hold_with_windows(engine, steps.with_arrays, customers, threads_of(work))
    for select in steps.ranged(customers):
        engine.hold(select.table, select.text)
    return steps.final().text


def write_range(work: Work, final: str, schema: pa.Schema) -> list[Path]:
    """Write the features of the range that is held; return the files, which no commit names yet."""
    engine, by = work.engine, work.contracts["features"].partition_by
    token = work.lake.begin_write("features")
    if not isinstance(engine, ArrayEngine):
        return engine.write(final, work.lake.path("features"), by, schema, token=token)
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]

    def written(part: tuple[date, pa.Table]) -> Path:
        return work.lake.write_part(
            "features", by[0], str(part[0]), part[1].drop_columns(by[0]), token=token, repeating=repeating
        )

    try:
        # As written the spine comes first, and lies by snapshot.
        with engine.stream(final, joins_as_written=True) as batches, writers(work) as pool:
            writing = [pool.submit(written, part) for part in by_day(batches, by[0])]
            return [each.result() for each in writing]
    finally:
        engine.take_back(WINDOWS)


def _summed(engine: ArrayEngine, tiles: Tiles, periods: Sequence[date], threads: int) -> pa.Table | None:
    """The rows known in time, summed up by number of key and interval; None where SQL has to do it."""
    sums = rows_to_sum(tiles, periods)
    if not sums.parts:
        return None
    try:
        with engine.stream(sums.text, joins_as_written=True) as batches:
            return sum_rows(batches, sums, _starts(tiles), threads)
    except TooLarge:
        return None


def _with_keys(engine: ArrayEngine, tiles: Tiles, summed: pa.Table) -> pa.Table:
    """The tiles as they are kept: with their keys in place of the keys' number, and without bounds."""
    numbered, keys = row_keys(tiles), [summed["key_no"]]
    if numbered:
        listed = _read(engine, f"SELECT {', '.join(tiles.keys)} FROM {numbered.table} ORDER BY key_no")
        keys = [plain(column.combine_chunks()).take(keys[0]) for column in listed.columns]
    none, names = pa.nulls(len(summed), pa.date32()), [partial.name for partial in tiles.partials]
    return pa.table(
        [*keys, summed["interval_start"], none, none, *(summed[name] for name in names)],
        [*tiles.keys, "interval_start", "seen_from", "seen_to", *names],
    )


def _write_parts(work: Work, tiles: Tiles, rows: pa.Table, pool: ThreadPoolExecutor) -> Writing:
    """Write each period's rows as a file of its own."""
    table = f"tiles/{tiles.source.name}"
    token = work.lake.begin_write(table)
    repeating = [partial.name for partial in tiles.partials if partial.is_count]

    def written(part: tuple[date, pa.Table]) -> Path:
        return work.lake.write_part(table, "period_end", str(part[0]), part[1], token=token, repeating=repeating)

    parts = zip(tiles.grid.periods, by_period(rows, _starts(tiles)), strict=True)
    writing = [pool.submit(written, part) for part in parts if part[1].num_rows]
    return lambda: [each.result() for each in writing]


def _starts(tiles: Tiles) -> Whole:
    """The first days of the periods."""
    return days_of([date.min, *tiles.grid.periods[:-1]])


def _hold_with_windows(engine: ArrayEngine, steps: FeatureSteps, customers: str, threads: int) -> str:
    for select in steps.ranged(customers):
        engine.hold(select.table, select.text)
    spine = Spine.of(_read(engine, steps.spine_rows()), len(steps.grid.dates))
    columns, entity = spine.columns(), steps.project.sources[steps.project.entity.source]
    for name in steps.tiled:
        asked = steps.windows_asked(name)
        if asked:
            tiles = steps.tiles(name)
            within = _within(engine, tiles, entity) if customers and spine.customers else ""
            in_time = _read(engine, tiles_to_merge(tiles, tiled(name), asked, NUMBERS, within))
            older = older_tiles_to_merge(tiles, tiled(name), asked, NUMBERS, within)
            in_time = with_older(in_time, _read(engine, older), asked) if older else in_time
            late = _read(engine, late_tiles_to_merge(tiles, tiled(name), asked, NUMBERS))
            for column, values in SourceWindows(name, steps.grid, spine, asked, in_time, late).columns(threads):
                columns = columns.append_column(column, values)
    # In chunks, so that all threads of the engine find work.
    engine.lend(WINDOWS, pa.Table.from_batches(columns.to_batches(max_chunksize=_CHUNK), columns.schema))
    return steps.final().text


def _within(engine: ArrayEngine, tiles: Tiles, entity: Source) -> str:
    """The condition that the keys of the range's customers meet, where the first key is a number or text."""
    key = tiles.keys[0]
    kind = tiles.source.column(key).type
    if kind not in ("integer", "string") or kind != entity.column(key).type:
        return ""
    (found,) = engine.run(f"SELECT MIN({key}) AS first, MAX({key}) AS last FROM {NUMBERS}").to_pylist()
    first, last = (literal(end, tiles.dialect) if kind == "string" else end for end in found.values())
    return f"t.{key} BETWEEN {first} AND {last}"


def _read(engine: ArrayEngine, select: str) -> pa.Table:
    with engine.stream(select, joins_as_written=True) as batches:
        return batches.read_all()


def writers(work: Work) -> ThreadPoolExecutor:
    """Return the threads that write files beside the engine's."""
    return ThreadPoolExecutor(threads_of(work))


def threads_of(work: Work) -> int:
    """Return how many threads the run may take."""
    return work.config.engine.threads or os.cpu_count() or 1
