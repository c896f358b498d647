"""Tiles: a source's rows summed up per customer and interval of the grid, mergeable over any span of intervals.

            known_time                        known_until
 ───[ interval )┊──── seen_from ···· t ···· t ····┊ seen_to ───►    a tile counts at the snapshots in between

Nearly all rows are known before the first snapshot after them and never corrected: their tile has no bounds. Late and
corrected rows have tiles of their own, bounded by the first and last day that may see them.

Tiles are stored, a partition for each period in which their rows began to count, so a new snapshot
aggregates one new period:

 ───┊──────── period ────────┊ period_end ───►       max(event_time, known_time) in the period
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.dialect import Dialect
from tenure.define.source import Source
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import date_literal, midnight_literal
from tenure.sql.expressions import (
    after,
    all_of,
    all_of_in_lines,
    any_of,
    at_least,
    before,
    call,
    case,
    cast,
    each_of,
    grouped,
    is_in,
    is_not_null,
    is_null,
    listed,
    named,
    of,
    over_all,
)
from tenure.sql.query import Column, Cte, Join, Query, indented, union_all, with_ctes, within_parentheses
from tenure.tables.visible import first_counted, qualified, same
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial, Readings


@dataclass(frozen=True)
class Tiles:
    """A source's tiles: one row per customer, interval and span of days that may see it.

    The columns are keys, interval_start, seen_from, seen_to, partials and period_end. Given some `periods` by their
    ends, a SELECT returns only the tiles of those.
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
        """Return all tiles."""
        ctes = [self._on_time(self._in_time(self.partials, ())), self._late(())]
        return with_ctes(ctes, union_all([self._of_on_time, self._of_late]))

    def in_time(self, periods: Sequence[date], summed: str = "", taken: Collection[Partial] = ()) -> str:
        """Return the tiles of rows known before the first snapshot after them and never corrected.

        `summed` is a SELECT of those sums that arrays have computed already: the sums `taken`.
        """
        body = self._completed(summed, taken, periods) if summed else self._in_time(self.partials, periods)
        return with_ctes([self._on_time(body)], self._of_on_time.text)

    def late(self, periods: Sequence[date]) -> str:
        """Return the tiles of rows known later, or corrected."""
        return with_ctes([self._late(periods)], self._of_late.text)

    def rows_in_time(
        self,
        columns: Sequence[str | Column],
        periods: Sequence[date] = (),
        *,
        joins: Sequence[Join] = (),
        also: Sequence[str] = (),
        group_by: Sequence[str] = (),
    ) -> Query:
        """Return columns of the rows known in time, as `r`; `i` is the grid's day of their event.

        The rows meet the conditions `also`, and are joined by `joins`, too.
        """
        begin = self._begin(periods)
        only = self._within(periods, "i")
        if begin:
            # A condition on the rows themselves, so that others never come to the joins.
            only.append(at_least("r.event_time", begin))
        # One comparison, not two: next to `known_until IS NULL` DuckDB 2.0 skips no row groups by event_time.
        only.append(before("r.known_time", case(when="r.known_until IS NULL", then="i.seen_at")))
        return Query(
            lines=columns,
            source=self.source.name,
            alias="r",
            joins=[self._day_of("r.event_time", "i"), *joins],
            where=all_of_in_lines(all_of(*only), *also),
            group_by=list(group_by),
        )

    def _in_time(self, partials: Sequence[Partial], periods: Sequence[date]) -> Query:
        """Some sums of the rows known in time."""
        by = [qualified(self.keys, "r"), "i.interval_start"]
        return self.rows_in_time([*by, *map(self._sum, partials)], periods, group_by=by)

    def _sum(self, partial: Partial) -> Column:
        value = self.readings.row_value(partial, "i.day_bit")
        return Column(partial.of_rows(value, self.dialect), partial.name)

    def _within(self, periods: Sequence[date], day: str) -> list[str]:
        """The conditions that a day of the grid lies in one of the periods."""
        if not periods:
            return []
        ends = map(date_literal, periods)
        return [is_in(of(day, "period_end"), ends), before("r.event_time", midnight_literal(max(periods)))]

    def _begin(self, periods: Sequence[date]) -> str:
        begin = self.grid.period_start(min(periods)) if periods else None
        return midnight_literal(begin) if begin else ""

    def _day_of(self, instant: str, alias: str) -> Join:
        """The join of the grid's day of an instant."""
        return Join("grid_days", alias=alias, on=f"{alias}.day_start = {_day(instant, self.grid)}")

    def _on_time(self, body: str | Query) -> Cte:
        return Cte("on_time", f"{self.source.name} known before the first snapshot after them, never corrected", body)

    @property
    def _of_on_time(self) -> Query:
        no_date = cast("NULL", "DATE")
        return Query(
            columns=[
                *each_of("o", (*self.keys, "interval_start")),
                named(no_date, "seen_from"),
                named(no_date, "seen_to"),
            ],
            lines=[listed([*names_of(self.partials), "i.period_end"])],
            source="on_time",
            alias="o",
            joins=[Join("intervals", alias="i", on="i.interval_start = o.interval_start")],
        )

    def _late(self, periods: Sequence[date]) -> Cte:
        begin = self._begin(periods)
        only = self._within(periods, "k")
        if begin:
            only.append(any_of(at_least("r.event_time", begin), at_least("r.known_time", begin)))
        corrected, until = "r.known_until IS NOT NULL", cast("r.known_until", "DATE")
        # A row known on the day of its event is never late: this condition first, it saves joining nearly all of them.
        only.append(any_of(corrected, after(cast("r.known_time", "DATE"), cast("r.event_time", "DATE"))))
        only.append(any_of(corrected, "r.known_time >= i.seen_at"))
        keys = qualified(self.keys, "r")
        late = Query(
            lines=[
                keys,
                "i.interval_start",
                Column("k.seen_by", "seen_from"),
                Column(until, "seen_to"),
                "k.period_end",
                *map(self._sum, self.partials),
            ],
            source=self.source.name,
            alias="r",
            joins=[self._day_of("r.event_time", "i"), self._day_of(first_counted("r"), "k")],
            where=all_of_in_lines(all_of(*only), any_of(is_null("r.known_until"), at_least(until, "k.seen_by"))),
            group_by=[keys, "i.interval_start", "k.seen_by", until, "k.period_end"],
        )
        return Cte("late", f"{self.source.name} known later, or corrected", late)

    @property
    def _of_late(self) -> Query:
        bounds = ["interval_start", "seen_from", "seen_to"]
        return Query(columns=[*self.keys, *bounds, *names_of(self.partials), "period_end"], source="late")

    def _completed(self, summed: str, taken: Collection[Partial], periods: Sequence[date]) -> Query:
        """The sums that are taken, and the others, which SQL computes."""
        columns: list[str] = []
        others: list[Partial] = []
        for partial in self.partials:
            if partial in taken:
                columns.append(of("w", partial.name))
            else:
                columns.append(of("o", partial.name))
                others.append(partial)
        by_sql = self._in_time(others, periods)
        on = same((*self.keys, "interval_start"), "o", "w")
        return Query(
            lines=[qualified(self.keys, "w"), "w.interval_start", *columns],
            source=within_parentheses(indented([summed])),
            alias="w",
            joins=[Join(within_parentheses(indented([by_sql.text])), alias="o", on=on)],
        )


def numbered_tiles(
    relation: str, keys: Sequence[str], partials: Sequence[Partial], grid: Grid, numbers: str, *, merge_days: bool
) -> Query:
    """Return the stored tiles that windows of the snapshots see, of the customers in `numbers`, sorted by customer.

    `mixed` marks an interval of a customer that has late or corrected rows; `merge_days` asks for it.
    """
    joins = [Join(numbers, alias="n", on=same(keys, "n", "t"))]
    mixed = "FALSE"
    if merge_days:
        joins.append(_late_intervals(relation, keys))
        mixed = is_not_null("l.interval_start")
    return Query(
        lines=[
            "n.customer_no",
            *each_of("t", ("interval_start", "seen_from", "seen_to")),
            Column(mixed, "mixed"),
            *each_of("t", names_of(partials)),
        ],
        source=relation,
        alias="t",
        joins=joins,
        where=after("t.period_end", date_literal(grid.first_start)),
        order_by=["n.customer_no", "t.interval_start"],
    )


def _late_intervals(relation: str, keys: Sequence[str]) -> Join:
    """The join of those intervals of a customer that have late or corrected rows."""
    interval = (*keys, "interval_start")
    each = Query(distinct=True, columns=list(interval), source=relation)
    late = within_parentheses(indented([each.on_one_line, "WHERE seen_from IS NOT NULL"]))
    return Join(late, alias="l", kind="LEFT", on=same(interval, "l", "t"))


def numbered_keys(keys: Sequence[str], relation: str, *, number: str, alias: str, comment: str = "") -> Query:
    """Return the distinct keys of a relation, numbered from 0 in their order."""
    columns = list(keys)
    each = Query(distinct=True, columns=columns, source=relation)
    return Query(
        comment=comment,
        columns=[*columns, named(str(Number(over_all(call("ROW_NUMBER"), keys)) - 1), number)],
        source=grouped(each.on_one_line),
        alias=alias,
    )


def names_of(partials: Iterable[Partial]) -> list[str]:
    """Return the columns of some sums."""
    return [partial.name for partial in partials]


def _day(instant: str, grid: Grid) -> str:
    """The instant's day; days before the first edge are one. Null stays null, which GREATEST would leave out."""
    day, first = cast(instant, "DATE"), date_literal(grid.first_day)
    return case(when=before(day, first), then=first, otherwise=day)
