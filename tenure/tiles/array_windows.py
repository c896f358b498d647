"""Windows of arrays: which windows the arrays of one machine (`tenure/arrays`) make, of which tiles.

tiles ──(tiles_to_merge, late_tiles_to_merge)──► arrays ──(window_column)──► columns added to the spine
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import repeat
from typing import TypeAlias

from tenure.define.aggregates import KINDS
from tenure.define.feature import Aggregate
from tenure.define.window import Window
from tenure.sql import date_literal
from tenure.sql.expressions import after, all_of, at_most, coalesce, is_not_null, is_null, of
from tenure.sql.query import Column, Join, Query
from tenure.tables.visible import same
from tenure.tiles.bands import is_added_up, merged_tiles
from tenure.tiles.partials import Partial, Readings
from tenure.tiles.tiles import Tiles

#: The relation of the spine with the windows that arrays computed.
WINDOWS = "spine_windows"

#: Partials, each with a window that features read of it; None is all history.
Asked: TypeAlias = Sequence[tuple[Partial, Window | None]]


def windows_asked(aggregates: Sequence[Aggregate], readings: Readings, taken: Collection[Partial]) -> Asked:
    """Return the sums `taken` of a source with these aggregates, each with a window that features read of it."""
    asked: dict[tuple[Partial, Window | None], None] = {}
    for feature in aggregates:
        for how in feature.hows:
            has_windows = feature.windows or KINDS[how].reads_all_history
            if has_windows and is_added_up(how):
                needed = [partial for partial in readings.needed(feature, how) if partial in taken]
                for window in feature.windows_of(how):
                    asked |= dict.fromkeys(zip(needed, repeat(window)))
    return list(asked)


def tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str, within: str = "") -> str:
    """Return the kept tiles of rows known in time that windows see, of the customers in `numbers`.

    The columns are customer_no, interval_start and partials: sums are 0 where no row counts, all else null. `within` is
    a condition on tiles as `t` that those of the customers meet: by the statistics of its keys a file without any of
    them is then left unread.
    """
    since = after("t.period_end", date_literal(tiles.grid.first_start))
    query = Query(
        lines=["n.customer_no", "t.interval_start", *map(_or_zero, _partials(asked))],
        source=relation,
        alias="t",
        joins=[_customers(tiles, numbers)],
        where=all_of(*_known_in_time(within), since),
    )
    return query.text


def older_tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str, within: str = "") -> str:
    """Return the tiles that are older than all windows, but not than all history, brought together by customer.

    The columns are as above, but only of the partials that are asked for of all history; '' where none is.
    """
    ever = list(dict.fromkeys(partial for partial, window in asked if window is None))
    if not ever:
        return ""
    until = at_most("t.period_end", date_literal(tiles.grid.first_start))
    query = Query(
        lines=[
            "n.customer_no",
            Column(date_literal(tiles.grid.first_day), "interval_start"),
            *merged_tiles(ever, tiles.dialect),
        ],
        source=relation,
        alias="t",
        joins=[_customers(tiles, numbers)],
        where=all_of(*_known_in_time(within), until),
        group_by=["n.customer_no"],
    )
    return query.text


def late_tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str) -> str:
    """Return the kept tiles of late or corrected rows of the customers in `numbers`, with seen_from and seen_to."""
    query = Query(
        lines=["n.customer_no", "t.interval_start", "t.seen_from", "t.seen_to", *map(_or_zero, _partials(asked))],
        source=relation,
        alias="t",
        joins=[_customers(tiles, numbers)],
        where=is_not_null("t.seen_from"),
    )
    return query.text


def _known_in_time(within: str) -> list[str]:
    """The conditions on tiles of rows known in time, and on the keys of the customers asked for, if any."""
    return [is_null("t.seen_from"), *([within] if within else [])]


def _customers(tiles: Tiles, numbers: str) -> Join:
    """The join of tiles with their customers' numbers."""
    return Join(numbers, alias="n", on=same(tiles.keys, "n", "t"))


def _or_zero(partial: Partial) -> Column:
    """A partial's column of tiles, 0 where a sum counts no row."""
    column = of("t", partial.name)
    return Column(coalesce(column, 0), partial.name) if partial.is_added else Column(column)


def _partials(asked: Asked) -> list[Partial]:
    return list(dict.fromkeys(partial for partial, _ in asked))


def window_column(source: str, partial: Partial, window: Window | None) -> str:
    """Return the column of a window's partial, added to the spine; of all history where there is no window."""
    return f"{source}__{partial.name}_{window or 'ever'}"
