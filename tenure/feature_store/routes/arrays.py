"""The array route: what a DuckDB in this process and arrays compute together.

    rows ─► stream ─► arrays sum them up ─► tiles ─► stream ─► arrays make windows ─► final SELECT

SQL computes all other sums, such as lists of values, and whole numbers too where they are too large for arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from tenure.arrays.by_day import by_day
from tenure.arrays.numbers import TooLarge, Whole, days_of, plain
from tenure.arrays.rows import by_period, sum_rows
from tenure.arrays.windows import SourceWindows, Spine, with_older
from tenure.define.source import Source
from tenure.engines.base import ArrayEngine
from tenure.feature_store.routes.base import TileWriter, Writing, threads_of, tile_table
from tenure.feature_store.routes.sql import SqlRoute, SqlTiles, SqlWindows
from tenure.session.work import Work
from tenure.sql.dialects import literal
from tenure.sql.expressions import between, call, named, of
from tenure.sql.query import Query
from tenure.store.lake import Lake
from tenure.tiles.array_windows import WINDOWS, late_tiles_to_merge, older_tiles_to_merge, tiles_to_merge
from tenure.tiles.features import NUMBERS, FeatureSteps, tiled
from tenure.tiles.partials import Partial
from tenure.tiles.rows_to_sum import RowsToSum, row_keys, rows_to_sum, summed_tiles
from tenure.tiles.tiles import Tiles, names_of

#: The number of the cells that this route computes, tiles and features. Raise it by one when any cell changes, here or
#: in what computes for it (arrays/, tiles/rows_to_sum.py, tiles/array_windows.py): stored snapshots are then stale,
#: and computed anew. tests/feature_store/test_route_number.py compares the cells and says when it is due.
CELLS = 2

#: Rows of the spine that one thread of the engine takes at a time.
_CHUNK = 16_384


@dataclass(frozen=True)
class ArrayRoute:
    """The route on which arrays compute sums of whole numbers, and SQL all else."""

    work: Work

    @property
    def code(self) -> str:
        """The number of the cells, since the code of the arrays is no text that could be compared."""
        return f"arrays {CELLS}"

    def takes(self, partial: Partial, /) -> bool:
        """Return whether a sum is of whole numbers alone, such as cents, days as bits or the order of rows.

        Their sums are exact in any order.
        """
        return partial.sum.is_whole(partial.values.type)

    def tile_writers(
        self, tiles: Tiles, groups: Sequence[Sequence[date]], schema: pa.Schema, pool: ThreadPoolExecutor, /
    ) -> Sequence[TileWriter]:
        """Return a writer for each group of periods; afterwards the keys' numbers are a relation of the engine."""
        by_sql = SqlRoute(self.work).tile_writers(tiles, groups, schema, pool)
        taken = tuple(filter(self.takes, tiles.partials))
        if not taken:
            return by_sql
        numbered, engine = row_keys(tiles), array_engine(self.work)
        if numbered:
            engine.cache(numbered.table, numbered.text)
        starts, threads = days_of([date.min, *tiles.grid.periods[:-1]]), threads_of(self.work)
        sums = [_Sums(engine, rows_to_sum(tiles, taken, periods), starts, threads) for periods in groups]
        if len(taken) == len(tiles.partials):
            file = _TileFile.of(self.work.lake, tiles, _keys(engine, tiles))
            return [ArrayTiles(file, by_arrays, sql, pool) for by_arrays, sql in zip(sums, by_sql, strict=True)]
        relation = f"{tiles.source.name}_summed"
        summed = summed_tiles(tiles, taken, relation)
        writers: list[MixedTiles] = []
        for periods, by_arrays, sql in zip(groups, sums, by_sql, strict=True):
            others = replace(sql, text=tiles.in_time(periods, summed, taken))
            writers.append(MixedTiles(engine, relation, by_arrays, others, sql))
        return writers

    def window_writer(self, steps: FeatureSteps) -> ArrayWindows:
        """Return the writer of the snapshots' features."""
        taken = frozenset(filter(self.takes, steps.partials))
        return ArrayWindows(self.work, steps, steps.with_windows_beside(taken))


@dataclass(frozen=True)
class _Sums:
    """The rows of some periods, as arrays sum them up; `starts` are the first days of all periods."""

    engine: ArrayEngine
    rows: RowsToSum
    starts: Whole
    threads: int

    def table(self) -> pa.Table | None:
        """Return the sums by number of key and interval; None where SQL has to compute them."""
        try:
            with self.engine.stream(self.rows.text, joins_as_written=True) as batches:
                return sum_rows(batches, self.rows, self.starts, self.threads)
        except TooLarge:
            return None


@dataclass(frozen=True)
class _TileFile:
    """The files of a source's tiles: their columns, and the keys by their numbers, if keys are numbered."""

    lake: Lake
    table: str
    periods: tuple[date, ...]
    keys: tuple[pa.Array, ...]
    names: tuple[str, ...]
    partials: tuple[str, ...]
    repeating: tuple[str, ...]

    @classmethod
    def of(cls, lake: Lake, tiles: Tiles, keys: tuple[pa.Array, ...]) -> _TileFile:
        partials = tuple(names_of(tiles.partials))
        names = (*tiles.keys, "interval_start", "seen_from", "seen_to", *partials)
        table = tile_table(tiles.source.name)
        repeating = tuple(names_of(partial for partial in tiles.partials if partial.is_count))
        return cls(lake, table, tiles.grid.periods, keys, names, partials, repeating)

    def rows(self, summed: pa.Table) -> pa.Table:
        """Return the tiles as they are stored: with their keys in place of the keys' number, and without bounds."""
        number, unbounded = summed["key_no"], pa.nulls(len(summed), pa.date32())
        keys = [column.take(number) for column in self.keys] or [number]
        sums = summed.select(list(self.partials)).columns
        return pa.table([*keys, summed["interval_start"], unbounded, unbounded, *sums], list(self.names))

    def write(self, end: date, rows: pa.Table, token: str) -> Path:
        """Write the tiles of the period that ends before `end`."""
        return self.lake.write_part(self.table, "period_end", str(end), rows, token=token, repeating=self.repeating)


@dataclass(frozen=True)
class ArrayTiles:
    """Tiles that arrays alone sum up: each period is a file of its own."""

    file: _TileFile
    sums: _Sums
    by_sql: SqlTiles
    pool: ThreadPoolExecutor

    def write_tiles(self, token: str) -> Writing:
        """Sum up the rows, and write each period's tiles in the pool."""
        summed = self.sums.table()
        if summed is None:
            return self.by_sql.write_tiles(token)
        parts = zip(self.file.periods, by_period(self.file.rows(summed), self.sums.starts), strict=True)
        writing = [self.pool.submit(self.file.write, end, rows, token) for end, rows in parts if rows.num_rows]
        return lambda: _results(writing)


@dataclass(frozen=True)
class MixedTiles:
    """Tiles that arrays sum up in part: the engine computes the other sums and joins both."""

    engine: ArrayEngine
    relation: str
    sums: _Sums
    others: SqlTiles
    by_sql: SqlTiles

    def write_tiles(self, token: str) -> Writing:
        """Sum up the rows, and let the engine write all sums."""
        summed = self.sums.table()
        if summed is None:
            return self.by_sql.write_tiles(token)
        self.engine.register(self.relation, summed)
        try:
            return self.others.write_tiles(token)
        finally:
            self.engine.unregister(self.relation)


@dataclass(frozen=True)
class ArrayWindows(SqlWindows):
    """Features as a SELECT over the spine with the windows that arrays added to it; `with_windows` are its steps."""

    with_windows: FeatureSteps

    def cache(self, customers: str) -> str:
        """Materialize the relations that the features of a range read; return the SELECT over them."""
        if self.with_windows.taken:
            with suppress(TooLarge):
                return self._cache_with_windows(customers)
        return super().cache(customers)

    def write(self, final: str, schema: pa.Schema) -> list[Path]:
        """Write the rows of the SELECT, each snapshot's as a file of its own."""
        lake, engine, by = self.work.lake, array_engine(self.work), self.work.contracts["features"].partition_by
        token = lake.begin_write("features")
        repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]

        def written(part: tuple[date, pa.Table]) -> Path:
            day, rows = part
            return lake.write_part(
                "features", by[0], str(day), rows.drop_columns(by[0]), token=token, repeating=repeating
            )

        try:
            # As written the spine comes first, and lies by snapshot.
            with (
                engine.stream(final, joins_as_written=True) as batches,
                ThreadPoolExecutor(threads_of(self.work)) as pool,
            ):
                writing = [pool.submit(written, part) for part in by_day(batches, by[0])]
                return _results(writing)
        finally:
            engine.unregister(WINDOWS)

    def _cache_with_windows(self, customers: str) -> str:
        """Add the windows of a range to its spine, as a relation. Raises TooLarge."""
        engine, steps = array_engine(self.work), self.with_windows
        for select in steps.ranged(customers):
            engine.cache(select.table, select.text)
        spine = Spine.of(_read(engine, steps.spine_rows()), len(steps.grid.dates))
        columns, entity = spine.columns(), steps.project.sources[steps.project.entity.source]
        for name in steps.tiled:
            if not steps.windows_asked(name):
                continue
            is_bounded = bool(customers and spine.customers)
            within = _within(engine, steps.tiles(name), entity) if is_bounded else ""
            windows = _windows(engine, steps, name, spine, within)
            for column, values in windows.columns(threads_of(self.work)):
                columns = columns.append_column(column, values)
        # In chunks, so that all threads of the engine find work.
        engine.register(WINDOWS, pa.Table.from_batches(columns.to_batches(max_chunksize=_CHUNK), columns.schema))
        return steps.final().text


def _results(writing: Sequence[Future[Path]]) -> list[Path]:
    """The files that are being written, once they are."""
    return [file.result() for file in writing]


def _windows(engine: ArrayEngine, steps: FeatureSteps, name: str, spine: Spine, within: str) -> SourceWindows:
    """The windows of a source's tiles: of rows known in time, older than all windows, and late."""
    tiles, relation, asked = steps.tiles(name), tiled(name), steps.windows_asked(name)
    in_time = _read(engine, tiles_to_merge(tiles, relation, asked, NUMBERS, within))
    older = older_tiles_to_merge(tiles, relation, asked, NUMBERS, within)
    if older:
        in_time = with_older(in_time, _read(engine, older), asked)
    late = _read(engine, late_tiles_to_merge(tiles, relation, asked, NUMBERS))
    return SourceWindows(name, steps.grid, spine, asked, in_time, late)


def array_engine(work: Work) -> ArrayEngine:
    """Return the run's engine; raise TypeError if rows can't pass between it and arrays."""
    engine = work.engine
    if not isinstance(engine, ArrayEngine):
        raise TypeError(f"{type(engine).__name__} is not in this process: its route is SQL")
    return engine


def _keys(engine: ArrayEngine, tiles: Tiles) -> tuple[pa.Array, ...]:
    """The columns of the keys by their number; none where the key is the number itself."""
    numbered = row_keys(tiles)
    if not numbered:
        return ()
    keys = Query(columns=tiles.keys, source=numbered.table, order_by=["key_no"])
    columns = _read(engine, keys.text).columns
    return tuple(plain(column.combine_chunks()) for column in columns)


def _within(engine: ArrayEngine, tiles: Tiles, entity: Source) -> str:
    """The condition that the keys of the range's customers meet, where the first key is a number or text."""
    key = tiles.keys[0]
    kind = tiles.source.column(key).type
    if kind not in ("integer", "string") or kind != entity.column(key).type:
        return ""
    ends = Query(columns=[named(call("MIN", key), "first"), named(call("MAX", key), "last")], source=NUMBERS)
    (found,) = engine.run(ends.text).to_pylist()
    first, last = found["first"], found["last"]
    if kind == "string":
        first, last = literal(first, tiles.dialect), literal(last, tiles.dialect)
    return between(of("t", key), first, last)


def _read(engine: ArrayEngine, select: str) -> pa.Table:
    with engine.stream(select, joins_as_written=True) as batches:
        return batches.read_all()
