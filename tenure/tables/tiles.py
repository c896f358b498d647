"""Tiles: a source's rows summed up per customer and interval of the grid, mergeable over any span of intervals.

            known_time                        known_until
 ───[ interval )┊──── seen_from ···· t ···· t ····┊ seen_to ───►    a tile counts at the snapshots in between

Nearly all rows are known before the first snapshot after them and never corrected: their tile has no bounds. Late and
corrected rows stand in tiles of their own, bounded by the first and last snapshot that may see them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.source import Source
from tenure.sql import Dialect, column_list, date_literal, op, with_ctes
from tenure.tables.grid import Grid
from tenure.tables.partials import Partial, Readings
from tenure.tables.visible import qualified, same


def tiles(
    source: Source,
    keys: Sequence[str],
    readings: Readings,
    partials: Sequence[Partial],
    grid: Grid,
    dialect: Dialect,
) -> str:
    """Return one row per customer, interval and span of snapshots: keys, interval_no, bounds, and each partial.

    `mixed` tells an interval of a customer that has late or corrected rows.
    """
    own = ", ".join(keys)
    names = ", ".join(partial.name for partial in partials)
    sums = _sums(readings, partials, dialect)
    on_time = (
        f"SELECT\n{column_list([qualified(keys, 'r'), 'i.interval_no', *sums])}\n"
        f"FROM {source.name} AS r\nJOIN interval_days AS i\n  ON i.day_start = {_day('event_time', grid)}\n"
        f"WHERE r.known_until IS NULL AND r.known_time < i.seen_at\nGROUP BY {qualified(keys, 'r')}, i.interval_no"
    )
    bounds = ["k.seen_by AS seen_from", "u.last_seen AS seen_to"]
    late = (
        f"SELECT\n{column_list([qualified(keys, 'r'), 'i.interval_no', *bounds, *sums])}\n"
        f"FROM {source.name} AS r\nJOIN interval_days AS i\n  ON i.day_start = {_day('event_time', grid)}\n"
        f"JOIN interval_days AS k\n  ON k.day_start = {_day('known_time', grid)}\n"
        f"LEFT JOIN last_seen AS u\n  ON u.day_start = {_day('known_until', grid)}\n"
        "WHERE (r.known_until IS NOT NULL OR r.known_time >= i.seen_at)\n"
        "    AND (u.last_seen IS NULL OR (u.last_seen >= k.seen_by AND u.last_seen >= i.seen_by))\n"
        f"GROUP BY {qualified(keys, 'r')}, i.interval_no, k.seen_by, u.last_seen"
    )
    no_date = "CAST(NULL AS DATE)"
    final = (
        f"SELECT {qualified(keys, 'o')}, o.interval_no, {no_date} AS seen_from, {no_date} AS seen_to,\n"
        f"    l.interval_no IS NOT NULL AS mixed, {names}\nFROM on_time AS o\nLEFT JOIN (\n"
        f"    SELECT DISTINCT {own}, interval_no FROM late\n) AS l\n"
        f"  ON {same((*keys, 'interval_no'), 'l', 'o')}\n"
        f"UNION ALL\nSELECT {own}, interval_no, seen_from, seen_to, TRUE AS mixed, {names}\nFROM late"
    )
    ctes = [
        ("on_time", f"{source.name} known before the first snapshot after them, never corrected", on_time),
        ("late", f"{source.name} known later, or corrected", late),
    ]
    return with_ctes(ctes, final)


def _sums(readings: Readings, partials: Sequence[Partial], dialect: Dialect) -> list[str]:
    offset = op("days_between", dialect, "i.interval_start", "i.day_start")
    return [f"{p.of_rows(readings.row_value(p, offset), dialect)} AS {p.name}" for p in partials]


def _day(column: str, grid: Grid) -> str:
    """The row's day; days before the first edge are one. Null stays null, which GREATEST would leave out."""
    first = date_literal(grid.first_day)
    return f"CASE WHEN CAST(r.{column} AS DATE) < {first} THEN {first} ELSE CAST(r.{column} AS DATE) END"
