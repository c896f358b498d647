"""Tiles: a source's rows summed up per customer and interval of the grid, mergeable over any span of intervals.

            known_time                        known_until
 ───[ interval )┊──── seen_from ···· t ···· t ····┊ seen_to ───►    a tile counts at the snapshots in between

Nearly all rows are known before the first snapshot after them and never corrected: their tile has no bounds. Late and
corrected rows stand in tiles of their own, bounded by the first and last day that may see them.

Tiles are kept, parted by the period in which their rows began to count, so a new snapshot aggregates one new period:

 ───┊──────── period ────────┊ period_end ───►       max(event_time, known_time) in the period
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.source import Source
from tenure.sql import Dialect, column_list, date_literal, midnight_literal, with_ctes
from tenure.tables.grid import Grid
from tenure.tables.partials import Partial, Readings
from tenure.tables.visible import first_counted, qualified, same


def tiles(
    source: Source,
    keys: Sequence[str],
    readings: Readings,
    partials: Sequence[Partial],
    grid: Grid,
    dialect: Dialect,
    *,
    periods: Sequence[date] = (),
    rows: str = "",
) -> str:
    """Return one row per customer, interval and span of days: keys, interval_start, bounds, partials and period_end.

    Given `periods`, only of those, told by their ends. `rows` is a condition on the source's rows as `r`, such as a
    range of keys, which bounds the memory.
    """
    names = ", ".join(partial.name for partial in partials)
    sums = _sums(readings, partials, dialect)
    listed = ", ".join(map(date_literal, periods))
    only, only_late = ([f"{day}.period_end IN ({listed})"] if periods else [] for day in ("i", "k"))
    begin = grid.period_start(min(periods)) if periods else None
    if begin:
        # Said of the rows themselves, so that older ones never come to the joins.
        only.append(f"r.event_time >= {midnight_literal(begin)}")
        only_late.append(f"(r.event_time >= {midnight_literal(begin)} OR r.known_time >= {midnight_literal(begin)})")
    more = f"\n    AND {rows}" if rows else ""
    on_time = (
        f"SELECT\n{column_list([qualified(keys, 'r'), 'i.interval_start', *sums])}\n"
        f"FROM {source.name} AS r\nJOIN grid_days AS i\n  ON i.day_start = {_day('r.event_time', grid)}\n"
        f"WHERE {' AND '.join([*only, 'r.known_until IS NULL', 'r.known_time < i.seen_at'])}{more}\n"
        f"GROUP BY {qualified(keys, 'r')}, i.interval_start"
    )
    seen_to = "CAST(r.known_until AS DATE)"
    bounds = ["i.interval_start", "k.seen_by AS seen_from", f"{seen_to} AS seen_to", "k.period_end"]
    # A row known on the day of its event is never late: said first, it saves joining nearly all of them.
    maybe_late = "(r.known_until IS NOT NULL OR CAST(r.known_time AS DATE) > CAST(r.event_time AS DATE))"
    late = (
        f"SELECT\n{column_list([qualified(keys, 'r'), *bounds, *sums])}\n"
        f"FROM {source.name} AS r\nJOIN grid_days AS i\n  ON i.day_start = {_day('r.event_time', grid)}\n"
        f"JOIN grid_days AS k\n  ON k.day_start = {_day(first_counted('r'), grid)}\n"
        f"WHERE {' AND '.join([*only_late, maybe_late, '(r.known_until IS NOT NULL OR r.known_time >= i.seen_at)'])}\n"
        f"    AND (r.known_until IS NULL OR {seen_to} >= k.seen_by){more}\n"
        f"GROUP BY {qualified(keys, 'r')}, i.interval_start, k.seen_by, {seen_to}, k.period_end"
    )
    no_date = "CAST(NULL AS DATE)"
    final = (
        f"SELECT {qualified(keys, 'o')}, o.interval_start, {no_date} AS seen_from, {no_date} AS seen_to,\n"
        f"    {names}, i.period_end\nFROM on_time AS o\nJOIN intervals AS i\n"
        "  ON i.interval_start = o.interval_start\n"
        f"UNION ALL\nSELECT {', '.join(keys)}, interval_start, seen_from, seen_to, {names}, period_end\nFROM late"
    )
    ctes = [
        ("on_time", f"{source.name} known before the first snapshot after them, never corrected", on_time),
        ("late", f"{source.name} known later, or corrected", late),
    ]
    return with_ctes(ctes, final)


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


def _sums(readings: Readings, partials: Sequence[Partial], dialect: Dialect) -> list[str]:
    return [f"{p.of_rows(readings.row_value(p, 'i.day_bit'), dialect)} AS {p.name}" for p in partials]


def _day(instant: str, grid: Grid) -> str:
    """The instant's day; days before the first edge are one. Null stays null, which GREATEST would leave out."""
    first = date_literal(grid.first_day)
    return f"CASE WHEN CAST({instant} AS DATE) < {first} THEN {first} ELSE CAST({instant} AS DATE) END"
