"""Tiles: a source's rows summed up per customer and interval of the grid, mergeable over any span of intervals.

            known_time                        known_until
 ───[ interval )┊──── seen_from ···· t ···· t ····┊ seen_to ───►    a tile counts at the snapshots in between

Nearly all rows are known before the first snapshot after them and never corrected: their tile has no bounds. Late and
corrected rows stand in tiles of their own, bounded by the first and last day that may see them.

Tiles are kept, parted by the period in which their rows began to count, so a new snapshot aggregates one new period:

 ───┊──────── period ────────┊ period_end ───►       max(event_time, known_time) in the period
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.source import Source
from tenure.sql import Dialect, column_list, date_literal, indented, midnight_literal, with_ctes
from tenure.tables.visible import first_counted, qualified, same
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial, Readings


@dataclass(frozen=True)
class Tiles:
    """A source's tiles: one row per customer, interval and span of days that may see it.

    The columns are keys, interval_start, seen_from, seen_to, partials and period_end. Asked for some `periods`, told
    by their ends, a SELECT gives only those.
    """

    source: Source
    keys: tuple[str, ...]
    readings: Readings
    partials: tuple[Partial, ...]
    grid: Grid

    @property
    def dialect(self) -> Dialect:
        """The dialect of the SELECTs."""
        return self.readings.dialect

    def select(self) -> str:
        """Return all of them."""
        ctes = [self._on_time(_grouped(self, self.partials, self.rows_in_time())), self._late(())]
        return with_ctes(ctes, f"{self._of_on_time}\nUNION ALL\n{self._of_late}")

    def in_time(self, periods: Sequence[date], summed: str = "", taken: Collection[Partial] = ()) -> str:
        """Return those of rows known before the first snapshot after them and never corrected.

        `summed` is a SELECT of the sums of those rows that are `taken`, computed already beside the SQL.
        """
        rows = self.rows_in_time(periods)
        body = self._completed(summed, taken, rows) if summed else _grouped(self, self.partials, rows)
        return with_ctes([self._on_time(body)], self._of_on_time)

    def late(self, periods: Sequence[date]) -> str:
        """Return those of rows known later, or corrected."""
        return with_ctes([self._late(periods)], self._of_late)

    def rows_in_time(self, periods: Sequence[date] = (), joins: str = "") -> str:
        """Return the FROM and WHERE of the rows known in time, as `r`; `i` is the grid's day of their event."""
        begin = self._begin(periods)
        only = self._within(periods, "i")
        # Said of the rows themselves, so that others never come to the joins.
        only += [f"r.event_time >= {begin}"] if begin else []
        # One comparison, not two: beside `known_until IS NULL` DuckDB 2.0 skips no row groups by event_time.
        only.append("r.known_time < CASE WHEN r.known_until IS NULL THEN i.seen_at END")
        return (
            f"FROM {self.source.name} AS r\nJOIN grid_days AS i\n  ON i.day_start = {_day('r.event_time', self.grid)}\n"
            f"{joins}WHERE {' AND '.join(only)}"
        )

    def _within(self, periods: Sequence[date], day: str) -> list[str]:
        if not periods:
            return []
        listed = ", ".join(map(date_literal, periods))
        return [f"{day}.period_end IN ({listed})", f"r.event_time < {midnight_literal(max(periods))}"]

    def _begin(self, periods: Sequence[date]) -> str:
        begin = self.grid.period_start(min(periods)) if periods else None
        return midnight_literal(begin) if begin else ""

    def _on_time(self, body: str) -> tuple[str, str, str]:
        return "on_time", f"{self.source.name} known before the first snapshot after them, never corrected", body

    @property
    def _of_on_time(self) -> str:
        no_date = "CAST(NULL AS DATE)"
        return (
            f"SELECT {qualified(self.keys, 'o')}, o.interval_start, {no_date} AS seen_from, {no_date} AS seen_to,\n"
            f"    {self._names}, i.period_end\nFROM on_time AS o\nJOIN intervals AS i\n"
            "  ON i.interval_start = o.interval_start"
        )

    def _late(self, periods: Sequence[date]) -> tuple[str, str, str]:
        begin = self._begin(periods)
        only = self._within(periods, "k")
        only += [f"(r.event_time >= {begin} OR r.known_time >= {begin})"] if begin else []
        # A row known on the day of its event is never late: said first, it saves joining nearly all of them.
        only += ["(r.known_until IS NOT NULL OR CAST(r.known_time AS DATE) > CAST(r.event_time AS DATE))"]
        only += ["(r.known_until IS NOT NULL OR r.known_time >= i.seen_at)"]
        seen_to = "CAST(r.known_until AS DATE)"
        bounds = ["i.interval_start", "k.seen_by AS seen_from", f"{seen_to} AS seen_to", "k.period_end"]
        columns = column_list([qualified(self.keys, "r"), *bounds, *_sums(self, self.partials)])
        body = (
            f"SELECT\n{columns}\n"
            f"FROM {self.source.name} AS r\n"
            f"JOIN grid_days AS i\n  ON i.day_start = {_day('r.event_time', self.grid)}\n"
            f"JOIN grid_days AS k\n  ON k.day_start = {_day(first_counted('r'), self.grid)}\n"
            f"WHERE {' AND '.join(only)}\n    AND (r.known_until IS NULL OR {seen_to} >= k.seen_by)\n"
            f"GROUP BY {qualified(self.keys, 'r')}, i.interval_start, k.seen_by, {seen_to}, k.period_end"
        )
        return "late", f"{self.source.name} known later, or corrected", body

    @property
    def _of_late(self) -> str:
        listed = ", ".join(self.keys)
        return f"SELECT {listed}, interval_start, seen_from, seen_to, {self._names}, period_end\nFROM late"

    @property
    def _names(self) -> str:
        return ", ".join(partial.name for partial in self.partials)

    def _completed(self, summed: str, taken: Collection[Partial], in_time: str) -> str:
        """The sums that are taken, and the others beside them."""
        others = [p for p in self.partials if p not in taken]
        columns = [f"{'w' if p in taken else 'o'}.{p.name}" for p in self.partials]
        return (
            f"SELECT\n{column_list([qualified(self.keys, 'w'), 'w.interval_start', *columns])}\n"
            f"FROM (\n{indented([summed])}\n) AS w\nJOIN (\n{indented([_grouped(self, others, in_time)])}\n) AS o\n"
            f"  ON {same((*self.keys, 'interval_start'), 'o', 'w')}"
        )


def _grouped(tiles: Tiles, partials: Sequence[Partial], in_time: str) -> str:
    by = f"{qualified(tiles.keys, 'r')}, i.interval_start"
    columns = column_list([qualified(tiles.keys, "r"), "i.interval_start", *_sums(tiles, partials)])
    return f"SELECT\n{columns}\n{in_time}\nGROUP BY {by}"


def _sums(tiles: Tiles, partials: Sequence[Partial]) -> list[str]:
    readings = tiles.readings
    return [f"{p.of_rows(readings.row_value(p, 'i.day_bit'), tiles.dialect)} AS {p.name}" for p in partials]


def numbered_tiles(
    relation: str, keys: Sequence[str], partials: Sequence[Partial], grid: Grid, numbers: str, *, merge_days: bool
) -> str:
    """Return the kept tiles that windows of the snapshots see, of the customers in `numbers`, sorted by customer.

    `mixed` tells an interval of a customer that has late or corrected rows; it is asked for by `merge_days`.
    """
    names = [f"t.{p.name}" for p in partials]
    mixed = "l.interval_start IS NOT NULL" if merge_days else "FALSE"
    columns = ["n.customer_no", "t.interval_start", "t.seen_from", "t.seen_to", f"{mixed} AS mixed", *names]
    late = (
        f"LEFT JOIN (\n    SELECT DISTINCT {', '.join(keys)}, interval_start FROM {relation}\n"
        "    WHERE seen_from IS NOT NULL\n) AS l\n"
        f"  ON {same((*keys, 'interval_start'), 'l', 't')}\n"
        if merge_days
        else ""
    )
    return (
        f"SELECT\n{column_list(columns)}\nFROM {relation} AS t\nJOIN {numbers} AS n\n  ON {same(keys, 'n', 't')}\n"
        f"{late}WHERE t.period_end > {date_literal(grid.first_start)}\nORDER BY n.customer_no, t.interval_start"
    )


def _day(instant: str, grid: Grid) -> str:
    """The instant's day; days before the first edge are one. Null stays null, which GREATEST would leave out."""
    first = date_literal(grid.first_day)
    return f"CASE WHEN CAST({instant} AS DATE) < {first} THEN {first} ELSE CAST({instant} AS DATE) END"
