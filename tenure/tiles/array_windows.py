"""Windows of arrays: which windows the arrays of one machine (`tenure/arrays`) make, of which tiles.

tiles ──(tiles_to_merge, late_tiles_to_merge)──► arrays ──(window_column)──► columns beside the spine
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from tenure.define.aggregates import KINDS
from tenure.define.feature import Aggregate
from tenure.define.window import Window
from tenure.sql import column_list, date_literal
from tenure.tables.visible import same
from tenure.tiles.bands import is_added_up
from tenure.tiles.partials import Partial, Readings
from tenure.tiles.tiles import Tiles

#: The relation of the spine with the windows that arrays made beside it.
WINDOWS = "spine_windows"

#: Partials, each with a window that features read of it; None is all history.
Asked: TypeAlias = Sequence[tuple[Partial, Window | None]]


def windows_asked(aggregates: Sequence[Aggregate], readings: Readings, taken: Collection[Partial]) -> Asked:
    """Return the sums `taken` of a source with these aggregates, each with a window that features read of it."""
    asked = [
        (partial, window)
        for f in aggregates
        for how in f.hows
        if (f.windows or KINDS[how].reads_all_history) and is_added_up(how)
        for window in f.windows_of(how)
        for partial in readings.needed(f, how)
        if partial in taken
    ]
    return list(dict.fromkeys(asked))


def tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str, within: str = "") -> str:
    """Return the kept tiles of rows known in time that windows see, of the customers in `numbers`.

    The columns are customer_no, interval_start and partials: sums are 0 where no row counts, all else null. `within` is
    a condition on tiles as `t` that those of the customers meet: what files tell of their keys then rules others out
    unread.
    """
    columns = ["n.customer_no", "t.interval_start", *map(_or_nothing, _partials(asked))]
    since = f"t.period_end > {date_literal(tiles.grid.first_start)}"
    return f"SELECT\n{column_list(columns)}\n{_in_time(tiles, relation, numbers, within)} AND {since}"


def older_tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str, within: str = "") -> str:
    """Return the tiles that are older than all windows, but not than all history, brought together by customer.

    The columns are as above, but only of the partials that are asked for of all history; '' where none is.
    """
    ever = list(dict.fromkeys(partial for partial, window in asked if window is None))
    merged = [f"{partial.of_tiles(tiles.dialect)} AS {partial.name}" for partial in ever]
    columns = ["n.customer_no", f"{date_literal(tiles.grid.first_day)} AS interval_start", *merged]
    until = f"t.period_end <= {date_literal(tiles.grid.first_start)}\nGROUP BY n.customer_no"
    rows = _in_time(tiles, relation, numbers, within)
    return f"SELECT\n{column_list(columns)}\n{rows} AND {until}" if ever else ""


def late_tiles_to_merge(tiles: Tiles, relation: str, asked: Asked, numbers: str) -> str:
    """Return the kept tiles of late or corrected rows of the customers in `numbers`, with seen_from and seen_to."""
    columns = ["n.customer_no", "t.interval_start", "t.seen_from", "t.seen_to", *map(_or_nothing, _partials(asked))]
    return f"SELECT\n{column_list(columns)}\n{_of_customers(tiles, relation, numbers)}\nWHERE t.seen_from IS NOT NULL"


def _in_time(tiles: Tiles, relation: str, numbers: str, within: str) -> str:
    also = f" AND {within}" if within else ""
    return f"{_of_customers(tiles, relation, numbers)}\nWHERE t.seen_from IS NULL{also}"


def _of_customers(tiles: Tiles, relation: str, numbers: str) -> str:
    return f"FROM {relation} AS t\nJOIN {numbers} AS n\n  ON {same(tiles.keys, 'n', 't')}"


def _or_nothing(partial: Partial) -> str:
    return f"COALESCE(t.{partial.name}, 0) AS {partial.name}" if partial.is_added else f"t.{partial.name}"


def _partials(asked: Asked) -> list[Partial]:
    return list(dict.fromkeys(partial for partial, _ in asked))


def window_column(source: str, partial: Partial, window: Window | None) -> str:
    """Return the column of a window's partial beside the spine; of all history where there is no window."""
    return f"{source}__{partial.name}_{window or 'ever'}"
