"""Windows at any instants: each asked point joined with the rows that its windows see, and summed up.

   point ts ────────────────────────────┊ ts
   ──[ ts − 90d ····[ ts − 30d ·········)┊──      event_time counts to the instant, not to the day
                                        visible: known_time < ts <= known_until

A point reads a row once for all its windows: the row's value counts where it lies behind the window's start. The
partials and their expressions are those of `partials.py`, so a midnight gives what the snapshot of that date gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TypeAlias

from tenure.define.aggregates import KINDS, ActiveDays, DaysSince, DistinctValues, Family, Streak
from tenure.define.feature import Aggregate
from tenure.define.project import Project
from tenure.define.window import ColumnName, Window
from tenure.sql import Dialect, Select, op
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_least,
    before,
    call,
    case,
    cases,
    cast,
    coalesce,
    each_of,
    equal,
    is_not_null,
    is_null,
    listed,
    lowest_ones,
    of,
)
from tenure.sql.query import Column, Cte, Join, Query
from tenure.tables.visible import days_before, same, visible_at, within
from tenure.tiles.columns import compared
from tenure.tiles.grid import months_up_to, start_column
from tenure.tiles.partials import Partial, Readings
from tenure.tiles.unreconciled import Masks

#: The entity rows: row_no, keys, ts.
ASKED = "asked_rows"
#: Each key and instant of the entity rows, once, with the starts of its windows.
POINTS = "asked_points"
#: The aggregates of each point.
ANSWERS = "asked_windows"

#: An aggregate's feature and one of its hows.
_Asked: TypeAlias = tuple[Aggregate, str]

#: What the rows of a join are, by what the columns ask of a source, here {}.
_COMMENTS = {
    "windows": "{} in the windows before ts, summed up per point",
    "open": "{} that had begun and not ended before ts, summed up per point",
    "history": "the newest and first of {} of all history known before ts",
}


def window_start(window: Window, instant: str, dialect: Dialect) -> str:
    """Return the instant at which the window of `instant` begins: `Window.start` with the time of day kept."""
    if window.unit == "d":
        return days_before(instant, window.length)
    back, day = op("months_earlier", dialect, instant, str(window.length)), cast(instant, "DATE")
    then = cast(back, "DATE")
    to_the_end = op("days_between", dialect, then, call("LAST_DAY", then))
    is_last_day = equal(day, call("LAST_DAY", day))
    return case(when=is_last_day, then=op("days_later", dialect, back, to_the_end), otherwise=back)


@dataclass(frozen=True)
class _Part:
    """One join of a source's rows with the points: its CTE, and each column's expression over it."""

    rows: Cte
    columns: dict[ColumnName, str]


class AtInstants:
    """The SELECTs of a project's aggregates at each key and instant of the entity rows, a point."""

    def __init__(self, project: Project, dialect: Dialect) -> None:
        self.project, self.dialect = project, dialect
        self.keys = project.entity.keys
        self._masks = Masks.of(project, dialect, "ts")
        self._aggregates: dict[str, list[Aggregate]] = {}
        self._readings: dict[str, Readings] = {}
        for name, source in project.sources.items():
            of_source = project.aggregates_of(name)
            if of_source:
                self._aggregates[name] = of_source
                self._readings[name] = Readings(source, of_source, dialect)

    @property
    def points(self) -> Select:
        """Each key and instant once, numbered by its first row; rows without a key ask nothing of the sources."""
        keys = each_of("s", self.keys)
        starts = [Column(window_start(window, "s.ts", self.dialect), start_column(window)) for window in self._spans()]
        query = Query(
            comment="each key and instant, with the starts of its windows",
            lines=["MIN(s.row_no) AS point_no", listed(keys), "s.ts", *starts],
            source=ASKED,
            alias="s",
            where=all_of(*map(is_not_null, keys)),
            group_by=[*keys, "s.ts"],
        )
        return query.as_table(POINTS, reads=[ASKED])

    @property
    def unreconciled(self) -> list[Select]:
        """The customers at instants whose columns a break in an account makes unknown: a reconciliation an instant."""
        instants = Query(distinct=True, columns=["ts AS snapshot_date", "ts AS t"], source=POINTS)
        return self._masks.selects(instants)

    def final(self, points: str = ">= 0") -> Select:
        """Return keys, ts and every column of the project, of the points whose number meets the condition."""
        row = (*self.keys, "ts")
        ctes: list[Cte] = []
        joins: list[Join] = []
        measured: dict[ColumnName, str] = {}
        for part in chain.from_iterable(map(self._parts, self._aggregates, repeat(points))):
            ctes.append(part.rows)
            measured |= part.columns
            relation = part.rows.name
            joins.append(Join(relation, kind="LEFT", on=equal(of(relation, "point_no"), "p.point_no")))
        every_point = Query(
            lines=[listed(each_of("p", row)), *map(Column, self._masks.over(measured).values(), map(str, measured))],
            source=POINTS,
            alias="p",
            joins=[*joins, *self._masks.joins("p")],
            where=_numbered(points),
        )
        query = Query(
            ctes=[*ctes, Cte("measured", "every point with what each source says of it", every_point)],
            lines=[*row, *self._described(measured)],
            source="measured",
        )
        return query.as_table(ANSWERS, reads=[POINTS, *self._aggregates])

    def _described(self, measured: dict[ColumnName, str]) -> Iterator[Column]:
        """Every column of the project that the points have, below its description."""
        expressions = compared(self.project, self.dialect)
        for name, description in self.project.columns.items():
            if name in expressions:
                yield Column(expressions[name], str(name), description.text)
            elif name in measured:
                yield Column(str(name), comment=description.text)

    def _spans(self) -> list[Window]:
        """Every window whose start is read; a streak reads that of each of its months."""
        spans = set(self.project.windows)
        for feature in chain.from_iterable(self._aggregates.values()):
            if any(isinstance(KINDS[how].computed, Streak) for how in feature.hows):
                spans.update(months_up_to(feature.windows[-1].length))
        return sorted(spans)

    def _parts(self, name: str, points: str) -> Iterator[_Part]:
        windowed: list[_Asked] = []
        still_open: list[_Asked] = []
        of_all: list[_Asked] = []
        for feature in self._aggregates[name]:
            for how in feature.hows:
                if KINDS[how].reads_all_history:
                    of_all.append((feature, how))
                elif feature.windows:
                    windowed.append((feature, how))
                else:
                    still_open.append((feature, how))
        has_begun = before("r.event_time", "p.ts")
        if windowed:
            yield self._joined(name, "windows", windowed, [within(_earliest_start(windowed), "p.ts")], points)
        if still_open:
            yield self._joined(name, "open", still_open, [has_begun, *self._has_not_ended(name)], points)
        if of_all:
            yield self._joined(name, "history", of_all, [has_begun], points)

    def _has_not_ended(self, name: str) -> list[str]:
        """The condition that a row had not ended before the point, where a source's rows end."""
        if not self.project.sources[name].ends:
            return []
        ends = of("r", self.project.sources[name].ends)
        return [any_of(is_null(ends), at_least(ends, "p.ts"))]

    def _joined(self, name: str, what: str, asked: Sequence[_Asked], conditions: Sequence[str], points: str) -> _Part:
        """The rows of a source that meet the conditions, summed up per point."""
        relation, readings = f"{name}__{what}", self._readings[name]
        sums: dict[str, str] = {}
        columns = {}
        for feature, how in asked:
            for window in feature.windows_of(how):
                summed = _Summed(readings, feature, how, window, relation, self.dialect)
                sums |= summed.sums
                columns[ColumnName(feature.name, how, window)] = summed.expression
        body = Query(
            lines=["p.point_no", *map(Column, sums.values(), sums)],
            source=POINTS,
            alias="p",
            joins=[Join(name, alias="r", on=[same(self.keys, "r", "p"), *conditions, visible_at("p.ts")])],
            where=_numbered(points),
            group_by=["p.point_no"],
        )
        return _Part(Cte(relation, _COMMENTS[what].format(name), body), columns)


@dataclass(frozen=True)
class _Summed:
    """One column: the sums over a point's rows that it needs, and its expression over them."""

    readings: Readings
    feature: Aggregate
    how: str
    window: Window | None
    relation: str
    dialect: Dialect

    @property
    def computed(self) -> Family:
        """What the aggregate is computed from."""
        return KINDS[self.how].computed

    @property
    def sums(self) -> dict[str, str]:
        """Each sum's column with its aggregate."""
        values = self.readings.values(self.feature)
        if isinstance(self.computed, DistinctValues):
            value = self.readings.row_value(Partial(values, "set"))
            return {self._named(values.label, "distinct"): self._number_of(value)}
        if isinstance(self.computed, ActiveDays):
            days = self._days_of(Partial(values, "newest"))
            return {self._named(values.label, "dates"): self._number_of(days)}
        if isinstance(self.computed, Streak):
            return {self._named(values.label, "months"): self._months(Partial(values, "count"))}
        sums = {}
        for partial in self.readings.needed(self.feature, self.how):
            value = self._counted(self.readings.row_value(partial))
            sums[self._named(partial.values.label, partial.kind)] = partial.of_rows(value, self.dialect)
        return sums

    @property
    def expression(self) -> str:
        """The column's expression."""
        first = of(self.relation, next(iter(self.sums)))
        if isinstance(self.computed, DistinctValues | ActiveDays):
            return coalesce(first, 0)
        if isinstance(self.computed, Streak):
            return op("bits", self.dialect, lowest_ones(coalesce(first, 0)))
        if isinstance(self.computed, DaysSince):
            return op("days_between", self.dialect, cast(first, "DATE"), cast("p.ts", "DATE"))
        return self.readings.aggregated(self.feature, self.how, self._merged)

    def _named(self, label: str, kind: str) -> str:
        return f"{label}__{kind}_{self.window}" if self.window else f"{label}__{kind}"

    def _merged(self, partial: Partial) -> str:
        """A partial of the point, which has no row where nothing was seen."""
        column = of(self.relation, self._named(partial.values.label, partial.kind))
        return coalesce(column, 0) if partial.is_added else column

    def _counted(self, value: str) -> str:
        """A row's value, null before the window."""
        return case(when=_has_reached(self.window), then=value) if self.window else value

    def _days_of(self, partial: Partial) -> str:
        """The day of a row's instant."""
        return cast(self.readings.row_value(partial), "DATE")

    def _number_of(self, value: str) -> str:
        """The number of distinct values."""
        values = op("set_of_rows", self.dialect, self._counted(value))
        return cast(op("length", self.dialect, values), "BIGINT")

    def _months(self, count: Partial) -> str:
        """The months back from ts with a row, as the bits of an integer."""
        months = months_up_to(self.window.length) if self.window else []
        bits = [(_has_reached(month), str(2**number)) for number, month in enumerate(months)]
        has_rows = after(self.readings.row_value(count), 0)
        return call("BIT_OR", cast(case(when=has_rows, then=cases(bits)), "BIGINT"))


def _earliest_start(asked: Sequence[_Asked]) -> str:
    """The start of the longest window of days or of months, whichever is earlier: their lengths do not compare."""
    longest: dict[str, Window] = {}
    for feature, _ in asked:
        for window in feature.windows:
            longest[window.unit] = max(window, longest.get(window.unit, window))
    starts = each_of("p", [start_column(longest[unit]) for unit in ("d", "m") if unit in longest])
    return call("LEAST", *starts) if len(starts) > 1 else starts[0]


def _has_reached(window: Window) -> str:
    """The condition that a row happened at the start of a window or later."""
    return at_least("r.event_time", of("p", start_column(window)))


def _numbered(points: str) -> str:
    """The condition on the points' numbers."""
    return f"p.point_no {points}"
