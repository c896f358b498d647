"""Bands: tiles merged, per customer and snapshot, between the starts of the snapshot's windows, newest band first.

      90d              60d              30d               t
 ──────┊──── band 2 ────┊──── band 1 ────┊──── band 0 ────┊        the window of 60 days is band 0 and band 1

One integer tells customer, snapshot and band: `(customer_no × snapshots + snapshot_no) × bands + band`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tenure.define.aggregates import KINDS, DistinctValues, Streak
from tenure.define.feature import Aggregate
from tenure.define.window import Window
from tenure.sql import Dialect, Select, column_list, op, with_ctes
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial, Readings, Values

_VISIBLE = (
    "(t.seen_from IS NULL OR c.snapshot_date >= t.seen_from) AND (t.seen_to IS NULL OR c.snapshot_date <= t.seen_to)"
)


T = TypeVar("T")


def is_added_up(how: str) -> bool:
    """Return whether an aggregate's window is its bands added up; else it is read of them in a way of its own."""
    return not isinstance(KINDS[how].computed, DistinctValues | Streak)


@dataclass(frozen=True)
class Family:
    """The windows of one unit over one source, shortest first, and the partials that they are made of."""

    source: str
    windows: tuple[Window, ...]
    partials: tuple[Partial, ...]
    streaks: tuple[Partial, ...]
    sets: tuple[Values, ...]
    reaches: tuple[tuple[Partial, int], ...] = ()

    def spread(self, name: str) -> str:
        """Return a tile's partial, null in the bands that no feature reads it of."""
        reach = max((band for partial, band in self.reaches if partial.name == name), default=len(self.windows))
        return f"t.{name}" if reach >= len(self.windows) - 1 else f"CASE WHEN c.band <= {reach} THEN t.{name} END"

    @property
    def is_merged(self) -> bool:
        """Whether anything is read of its tiles by SQL."""
        return bool(self.partials or self.streaks or self.sets)

    @property
    def relation(self) -> str:
        """The relation that holds its bands."""
        return f"{self.source}_bands_{self.windows[0].unit}"

    @property
    def cover(self) -> str:
        """The relation that tells which intervals lie in which band of each snapshot."""
        return f"{self.source}_cover_{self.windows[0].unit}"

    def alias(self, band: int) -> str:
        """Return the name by which the final SELECT calls a band."""
        return f"{self.source}_{self.windows[0].unit}{band}"

    def aliases(self, window: Window) -> list[str]:
        """Return the names of a window's bands, newest first."""
        return [self.alias(band) for band in range(self.windows.index(window) + 1)]


def families(
    source: str, aggregates: Sequence[Aggregate], readings: Readings, taken: Collection[Partial] = ()
) -> Iterator[Family]:
    """Yield the windows of each unit over a source, without the partials `taken`, whose windows come from outside."""
    asked = [(f, how) for f in aggregates for how in f.hows if not KINDS[how].reads_all_history]
    for unit in ("d", "m"):
        wanted = [(f, how) for f, how in asked if any(w.unit == unit for w in f.windows)]
        windows = tuple(sorted({w for f, _ in wanted for w in f.windows if w.unit == unit}))
        if not windows:
            continue
        needed = [(f, p) for f, how in wanted if is_added_up(how) for p in readings.needed(f, how)]
        plain = [p for _, p in needed if p not in taken]
        streaks = [p for f, how in wanted if isinstance(KINDS[how].computed, Streak) for p in readings.needed(f, how)]
        sets = [readings.values(f) for f, how in wanted if isinstance(KINDS[how].computed, DistinctValues)]
        reaches = [(p, windows.index(max(w for w in f.windows if w.unit == unit))) for f, p in needed if p.sum.is_wide]
        yield Family(source, windows, once(plain), once(streaks), once(sets), tuple(reaches))


def bands(family: Family, grid: Grid, dialect: Dialect) -> str:
    """Return one row per customer, snapshot and band: key, and each partial."""
    tiles, count = f"{family.source}_tiles", len(family.windows)
    base = f"(t.customer_no * {len(grid.dates)} + c.snapshot_no)"
    merged = [f"{partial.of_tiles(dialect)} AS {partial.name}" for partial in family.partials]
    merged += [f"BIT_OR(CASE WHEN {p.name} > 0 THEN month_bit END) AS {months_of(p).name}" for p in family.streaks]
    read = list(dict.fromkeys(p.name for p in (*family.partials, *family.streaks)))
    key = f"{base} * {count} + c.band AS band_key"
    masks = {partial.name for partial in family.partials if partial.sum.merge == "bits"}
    own = [f"CASE WHEN NOT t.mixed THEN t.{n} END AS {n}" if n in masks else f"{family.spread(n)} AS {n}" for n in read]
    rows = (
        f"SELECT\n{column_list([key, *_month_bit(family), *own])}\nFROM {tiles} AS t\nJOIN {family.cover} AS c\n"
        f"  ON c.interval_start = t.interval_start\n  AND {_VISIBLE}"
    )
    ctes: list[tuple[str, str, str]] = []
    if masks:
        ctes = [_settled(family, sorted(masks))]
        days = [f"t.{n}" if n in masks else f"NULL AS {n}" for n in read]
        no_month = ["NULL AS month_bit"] if family.streaks else []
        rows += (
            f"\nUNION ALL\nSELECT\n{column_list([key, *no_month, *days])}\nFROM settled AS t\n"
            f"JOIN {family.cover} AS c\n"
            "  ON c.interval_start = t.interval_start AND c.snapshot_no = t.snapshot_no"
        )
    final = f"SELECT\n{column_list(['band_key', *merged])}\nFROM (\n{rows}\n) AS spread\nGROUP BY band_key"
    return with_ctes(ctes, final) if ctes else final


def months_of(count: Partial) -> Partial:
    """Return the partial that tells the months in which any row counts."""
    return Partial(count.values, "months")


def distinct(family: Family, values: Values, grid: Grid, dialect: Dialect) -> tuple[str, str, str]:
    """Return the CTE that counts each window's distinct values: those whose newest band is in the window."""
    counted = [f"COUNT(CASE WHEN band <= {n} THEN 1 END) AS values_{window}" for n, window in enumerate(family.windows)]
    base = f"t.customer_no * {len(grid.dates)} + c.snapshot_no"
    members = op("members", dialect, f"{values.label}__set")
    body = (
        f"SELECT ck, {', '.join(counted)}\nFROM (\n    SELECT {base} AS ck, t.member, MIN(c.band) AS band\n    FROM (\n"
        f"        SELECT customer_no, interval_start, seen_from, seen_to, {members} AS member\n"
        f"        FROM {family.source}_tiles AS t\n    ) AS t\n"
        f"    JOIN {family.cover} AS c\n      ON c.interval_start = t.interval_start\n      AND {_VISIBLE}\n"
        f"    WHERE t.member IS NOT NULL\n    GROUP BY {base}, t.member\n) AS newest\nGROUP BY ck"
    )
    name = distinct_name(family, values)
    return name, f"distinct values of {values.of} in {family.source}, by window", body


def distinct_name(family: Family, values: Values) -> str:
    """Return the name of the CTE that `distinct` makes."""
    return f"{values.label}_distinct_{family.windows[0].unit}"


def cover(family: Family) -> Select:
    """Return the relation that tells which intervals lie in which band of each snapshot."""
    text = "-- the intervals of each snapshot's bands\n" + _cover(family)
    return Select(family.cover, text, ("intervals", "dates"))


def _cover(family: Family) -> str:
    *shorter, longest = family.windows
    cases = [f"WHEN i.interval_start >= d.start_{w} THEN {n}" for n, w in enumerate(shorter)]
    band = f"CASE {' '.join(cases)} ELSE {len(shorter)} END" if shorter else "0"
    month = ""
    if family.streaks:
        back = [f"WHEN i.interval_start >= d.start_{n + 1}m THEN {n}" for n in range(family.windows[-1].length - 1)]
        month = f", CASE {' '.join(back)} ELSE {len(back)} END AS month_no" if back else ", 0 AS month_no"
    return (
        f"SELECT i.interval_start, d.snapshot_no, d.snapshot_date, {band} AS band{month}\nFROM intervals AS i\n"
        f"JOIN dates AS d\n  ON i.interval_start >= d.start_{longest} AND i.interval_end <= d.snapshot_date"
    )


def _month_bit(family: Family) -> list[str]:
    if not family.streaks:
        return []
    return ["CAST(POW(2, c.month_no) AS BIGINT) AS month_bit"]


def _settled(family: Family, masks: Sequence[str]) -> tuple[str, str, str]:
    """A day counts once, also where a row known in time and a late one share it: merge their days first."""
    merged = [f"BIT_OR(t.{name}) AS {name}" for name in masks]
    body = (
        f"SELECT\n{column_list(['t.customer_no', 't.interval_start', 'c.snapshot_no', *merged])}\n"
        f"FROM {family.source}_tiles AS t\nJOIN {family.cover} AS c\n  ON c.interval_start = t.interval_start\n"
        f"  AND {_VISIBLE}\nWHERE t.mixed\nGROUP BY t.customer_no, t.interval_start, c.snapshot_no"
    )
    return "settled", "days of intervals with late or corrected rows, as each snapshot sees them", body


def once(those: Sequence[T]) -> tuple[T, ...]:
    """Return each of those once, in their order."""
    return tuple(dict.fromkeys(those))
