"""Bands: tiles merged, per customer and snapshot, between the starts of the snapshot's windows, newest band first.

      90d              60d              30d               t
 ──────┊──── band 2 ────┊──── band 1 ────┊──── band 0 ────┊        the window of 60 days is band 0 and band 1

One integer is the key of customer, snapshot and band: `(customer_no × snapshots + snapshot_no) × bands + band`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, starmap
from typing import NamedTuple, TypeVar

from tenure.define.aggregates import KINDS, AggregateKind, DistinctValues, Streak
from tenure.define.dialect import Dialect
from tenure.define.feature import Aggregate
from tenure.define.window import ColumnName, Window
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_least,
    at_most,
    call,
    case,
    cases,
    count_where,
    named,
    negated,
    of,
)
from tenure.sql.query import Column, Cte, Join, Query, Select, union_all, within_parentheses
from tenure.tiles.grid import Grid, months_up_to, start_column
from tenure.tiles.partials import Partial, Readings, Values
from tenure.tiles.tiles import names_of


def is_seen(snapshot_date: str) -> list[str]:
    """Return the conditions that a snapshot may see a tile `t`."""
    return [
        any_of("t.seen_from IS NULL", at_least(snapshot_date, "t.seen_from")),
        any_of("t.seen_to IS NULL", at_most(snapshot_date, "t.seen_to")),
    ]


#: A tile `t` is seen by the snapshot of the cover `c`.
_VISIBLE = all_of(*is_seen("c.snapshot_date"))

_SAME_INTERVAL = "c.interval_start = t.interval_start"


T = TypeVar("T")


def is_added_up(how: str) -> bool:
    """Return whether an aggregate's window is its bands added up; that of distinct values and streaks is not."""
    return not isinstance(KINDS[how].computed, DistinctValues | Streak)


class AskedHow(NamedTuple):
    """One of the hows of an aggregate: it makes a column for each of the aggregate's windows."""

    feature: Aggregate
    how: str

    @property
    def kind(self) -> AggregateKind:
        """What an aggregate of this how is."""
        return KINDS[self.how]

    @property
    def is_of_open_rows(self) -> bool:
        """Whether it reads the rows open at the snapshot, whatever their age."""
        return not self.feature.windows and not self.kind.reads_all_history

    def column(self, window: Window | None = None) -> ColumnName:
        """Return the column of a window."""
        return ColumnName(self.feature.name, self.how, window)

    def windows_in(self, unit: str) -> list[Window]:
        """Return the windows of a unit."""
        return [window for window in self.feature.windows if window.unit == unit]


def each_how(aggregates: Iterable[Aggregate]) -> list[AskedHow]:
    """Return every how of every aggregate."""
    return [AskedHow(feature, how) for feature in aggregates for how in feature.hows]


@dataclass(frozen=True)
class Family:
    """The windows of one unit over one source, shortest first, and the partials that they need."""

    source: str
    windows: tuple[Window, ...]
    partials: tuple[Partial, ...]
    streaks: tuple[Partial, ...]
    sets: tuple[Values, ...]
    reaches: tuple[tuple[Partial, int], ...] = ()

    def spread(self, name: str) -> str:
        """Return a tile's partial, null in the bands that no feature reads it of."""
        reached = [band for partial, band in self.reaches if partial.name == name]
        reach = max(reached, default=len(self.windows))
        value = of("t", name)
        return value if reach >= len(self.windows) - 1 else case(when=at_most("c.band", reach), then=value)

    @property
    def reads(self) -> list[Partial]:
        """All partials that are read of its tiles."""
        sets = [Partial(values, "set") for values in self.sets]
        return [*self.partials, *self.streaks, *sets]

    @property
    def is_merged(self) -> bool:
        """Whether anything is read of its tiles by SQL."""
        return bool(self.reads)

    @property
    def relation(self) -> str:
        """The relation of its bands."""
        return f"{self.source}_bands_{self.windows[0].unit}"

    @property
    def tiles(self) -> str:
        """The relation of its source's tiles."""
        return f"{self.source}_tiles"

    @property
    def cover(self) -> str:
        """The relation of the intervals in each band of each snapshot."""
        return f"{self.source}_cover_{self.windows[0].unit}"

    def alias(self, band: int) -> str:
        """Return the name by which the final SELECT calls a band."""
        return f"{self.source}_{self.windows[0].unit}{band}"

    def aliases(self, window: Window) -> list[str]:
        """Return the names of a window's bands, newest first."""
        return [*map(self.alias, range(self.windows.index(window) + 1))]


def families(
    source: str, aggregates: Sequence[Aggregate], readings: Readings, taken: Collection[Partial] = ()
) -> Iterator[Family]:
    """Yield the windows of each unit over a source, without the partials `taken`, whose windows come from outside."""
    by_unit: dict[str, list[AskedHow]] = {"d": [], "m": []}
    for asked in each_how(aggregates):
        for unit, wanted in by_unit.items():
            if asked.windows_in(unit) and not asked.kind.reads_all_history:
                wanted.append(asked)
    for unit, wanted in by_unit.items():
        if wanted:
            yield _family(source, unit, wanted, readings, taken)


def _family(
    source: str, unit: str, wanted: Sequence[AskedHow], readings: Readings, taken: Collection[Partial]
) -> Family:
    """The windows of one unit, and what the aggregates read of them."""
    windows = sorted(set(chain.from_iterable(asked.windows_in(unit) for asked in wanted)))
    partials: list[Partial] = []
    streaks: list[Partial] = []
    sets: list[Values] = []
    reaches: list[tuple[Partial, int]] = []
    for asked in wanted:
        computed = asked.kind.computed
        if isinstance(computed, DistinctValues):
            sets.append(readings.values(asked.feature))
        elif isinstance(computed, Streak):
            streaks += readings.needed(*asked)
        else:
            reach = windows.index(max(asked.windows_in(unit)))
            for partial in readings.needed(*asked):
                if partial not in taken:
                    partials.append(partial)
                if partial.sum.is_wide:
                    reaches.append((partial, reach))
    return Family(source, tuple(windows), once(partials), once(streaks), once(sets), tuple(reaches))


def bands(family: Family, grid: Grid, dialect: Dialect) -> str:
    """Return one row per customer, snapshot and band: key, and each partial."""
    masks = sorted({partial.name for partial in family.partials if partial.sum.merge == "bits"})
    read = once(names_of([*family.partials, *family.streaks]))
    key = Column(str(_snapshot_key(grid).grouped * len(family.windows) + "c.band"), "band_key")
    parts = [_unmixed(family, key, read, masks)]
    if masks:
        parts.append(_merged_days(family, key, read, masks))
    merged = Query(
        ctes=[_settled(family, masks)] if masks else [],
        lines=[
            "band_key",
            *merged_tiles(family.partials, dialect),
            *map(_months_with_rows, family.streaks),
        ],
        source=within_parentheses(union_all(parts)),
        alias="spread",
        group_by=["band_key"],
    )
    return merged.text


def merged_tiles(partials: Iterable[Partial], dialect: Dialect) -> list[Column]:
    """Return the columns of partials out of those of tiles."""
    return [Column(partial.of_tiles(dialect), partial.name) for partial in partials]


def _snapshot_key(grid: Grid) -> Number:
    """One integer of a customer and a snapshot."""
    return Number("t.customer_no") * len(grid.dates) + "c.snapshot_no"


def _unmixed(family: Family, key: Column, read: Sequence[str], masks: Sequence[str]) -> Query:
    """Each tile in the band of each snapshot that sees it; of days only where no late row shares them."""

    def spread(name: str) -> Column:
        if name in masks:
            return Column(case(when=negated("t.mixed"), then=of("t", name)), name)
        return Column(family.spread(name), name)

    return Query(
        lines=[key, *_month_bit(family, "CAST(POW(2, c.month_no) AS BIGINT)"), *map(spread, read)],
        source=family.tiles,
        alias="t",
        joins=[Join(family.cover, alias="c", on=[_SAME_INTERVAL, _VISIBLE])],
    )


def _merged_days(family: Family, key: Column, read: Sequence[str], masks: Sequence[str]) -> Query:
    """The days of intervals that late rows share, from `settled`."""

    def merged(name: str) -> str | Column:
        return of("t", name) if name in masks else Column("NULL", name)

    return Query(
        lines=[key, *_month_bit(family, "NULL"), *map(merged, read)],
        source="settled",
        alias="t",
        joins=[Join(family.cover, alias="c", on=all_of(_SAME_INTERVAL, "c.snapshot_no = t.snapshot_no"))],
    )


def _months_with_rows(count: Partial) -> Column:
    in_month = case(when=after(count.name, 0), then="month_bit")
    return Column(call("BIT_OR", in_month), months_of(count).name)


def months_of(count: Partial) -> Partial:
    """Return the partial of the months in which any row counts, as bits."""
    return Partial(count.values, "months")


def distinct(family: Family, values: Values, grid: Grid, dialect: Dialect) -> Cte:
    """Return the CTE that counts each window's distinct values: those whose newest band is in the window."""
    key = str(_snapshot_key(grid))
    member = named(op("members", dialect, Partial(values, "set").name), "member")
    members = Query(
        columns=["customer_no", "interval_start", "seen_from", "seen_to", member],
        source=family.tiles,
        alias="t",
    )
    newest = Query(
        columns=[named(key, "ck"), "t.member", "MIN(c.band) AS band"],
        source=members,
        alias="t",
        joins=[Join(family.cover, alias="c", on=[_SAME_INTERVAL, _VISIBLE])],
        where="t.member IS NOT NULL",
        group_by=[key, "t.member"],
    )
    counted = Query(
        columns=["ck", *starmap(_within_band, enumerate(family.windows))],
        source=newest,
        alias="newest",
        group_by=["ck"],
    )
    return Cte(
        distinct_name(family, values),
        f"distinct values of {values.of} in {family.source}, by window",
        counted,
    )


def _within_band(band: int, window: Window) -> str:
    return named(count_where(at_most("band", band)), distinct_column(window))


def distinct_column(window: Window) -> str:
    """Return the column of a window in the CTE that `distinct` makes."""
    return f"values_{window}"


def distinct_name(family: Family, values: Values) -> str:
    """Return the name of the CTE that `distinct` makes."""
    return f"{values.label}_distinct_{family.windows[0].unit}"


def cover(family: Family) -> Select:
    """Return the relation of the intervals in each band of each snapshot."""
    *shorter, longest = family.windows
    rows = Query(
        comment="the intervals of each snapshot's bands",
        columns=[
            "i.interval_start",
            "d.snapshot_no",
            "d.snapshot_date",
            named(_first_begun(shorter), "band"),
            *([named(_first_begun(_months(family)), "month_no")] if family.streaks else []),
        ],
        source="intervals",
        alias="i",
        joins=[
            Join(
                "dates",
                alias="d",
                on=all_of(_has_begun(longest), "i.interval_end <= d.snapshot_date"),
            )
        ],
    )
    return rows.as_table(family.cover, reads=["intervals", "dates"])


def _months(family: Family) -> list[Window]:
    """The months back from a snapshot, but the earliest of the longest window."""
    return months_up_to(family.windows[-1].length - 1)


def _has_begun(window: Window) -> str:
    """Whether an interval lies behind the start of a snapshot's window."""
    return at_least("i.interval_start", of("d", start_column(window)))


def _first_begun(windows: Sequence[Window]) -> str:
    """The place of the first window that an interval lies in, else the number of windows."""
    if not windows:
        return "0"
    places = map(str, range(len(windows)))
    return cases(list(zip(map(_has_begun, windows), places, strict=True)), otherwise=len(windows))


def _month_bit(family: Family, bit: str) -> list[Column]:
    return [Column(bit, "month_bit")] if family.streaks else []


def _settled(family: Family, masks: Sequence[str]) -> Cte:
    """A day counts once, also where a row known in time and a late one share it: merge their days first."""
    keys = ["t.customer_no", "t.interval_start", "c.snapshot_no"]
    merged = [Column(call("BIT_OR", of("t", name)), name) for name in masks]
    days = Query(
        lines=[*keys, *merged],
        source=family.tiles,
        alias="t",
        joins=[Join(family.cover, alias="c", on=[_SAME_INTERVAL, _VISIBLE])],
        where="t.mixed",
        group_by=keys,
    )
    return Cte("settled", "days of intervals with late or corrected rows, as each snapshot sees them", days)


def once(those: Sequence[T]) -> tuple[T, ...]:
    """Return each of those once, in their order."""
    return tuple(dict.fromkeys(those))
