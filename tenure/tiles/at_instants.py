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

from tenure.define.aggregates import KINDS, ActiveDays, DaysSince, DistinctValues, Family, Streak
from tenure.define.feature import Aggregate
from tenure.define.project import Project
from tenure.define.window import ColumnName, Window
from tenure.sql import Dialect, Select, column_list, op, with_ctes
from tenure.tables.visible import days_before, qualified, same, visible_at, within
from tenure.tiles.columns import compared
from tenure.tiles.partials import Partial, Readings

#: The rows that features are asked for: row_no, keys, ts.
ASKED = "asked_rows"
#: Each key and instant asked for, once, with the starts of its windows.
POINTS = "asked_points"
#: What aggregates say of each point.
ANSWERS = "asked_windows"


def window_start(window: Window, instant: str, dialect: Dialect) -> str:
    """Return the instant at which the window of `instant` begins: `Window.start` with the time of day kept."""
    if window.unit == "d":
        return days_before(instant, window.length)
    back, day = op("months_earlier", dialect, instant, str(window.length)), f"CAST({instant} AS DATE)"
    then = f"CAST({back} AS DATE)"
    to_the_end = op("days_between", dialect, then, f"LAST_DAY({then})")
    return f"CASE WHEN {day} = LAST_DAY({day}) THEN {op('days_later', dialect, back, to_the_end)} ELSE {back} END"


@dataclass(frozen=True)
class _Part:
    """One join of a source's rows with the points: its CTE, and each column's expression over it."""

    relation: str
    comment: str
    body: str
    columns: dict[ColumnName, str]


class AtInstants:
    """How the aggregates of a project are made at the points asked for."""

    def __init__(self, project: Project, dialect: Dialect) -> None:
        self.project, self.dialect = project, dialect
        self.keys = project.entity.keys
        self._aggregates = {
            name: those
            for name in project.sources
            if (those := [f for v in project.views.values() if v.source == name for f in v.aggregates])
        }
        self._readings = {n: Readings(project.sources[n], those, dialect) for n, those in self._aggregates.items()}

    @property
    def points(self) -> Select:
        """Each key and instant once, numbered by its first row; rows without a key ask nothing of the sources."""
        keys = qualified(self.keys, "s")
        starts = [f"{window_start(w, 's.ts', self.dialect)} AS start_{w}" for w in self._spans()]
        known = " AND ".join(f"s.{key} IS NOT NULL" for key in self.keys)
        text = (
            "-- each key and instant, with the starts of its windows\n"
            f"SELECT\n{column_list(['MIN(s.row_no) AS point_no', keys, 's.ts', *starts])}\n"
            f"FROM {ASKED} AS s\nWHERE {known}\nGROUP BY {keys}, s.ts"
        )
        return Select(POINTS, text, (ASKED,))

    def final(self, points: str = ">= 0") -> Select:
        """Return keys, ts and every column of the project, of the points whose number meets the condition."""
        parts = [part for name in self._aggregates for part in self._parts(name, points)]
        row = (*self.keys, "ts")
        columns = [qualified(row, "p"), *(f"{e} AS {n}" for part in parts for n, e in part.columns.items())]
        joins = [f"LEFT JOIN {p.relation}\n  ON {p.relation}.point_no = p.point_no" for p in parts]
        body = "\n".join([f"SELECT\n{column_list(columns)}\nFROM {POINTS} AS p", *joins, f"WHERE p.point_no {points}"])
        ctes = [(p.relation, p.comment, p.body) for p in parts]
        ctes.append(("measured", "every point with what each source says of it", body))
        expressions = compared(self.project, self.dialect)
        measured = {n for part in parts for n in part.columns}
        told = [
            (f"{expressions[n]} AS {n}" if n in expressions else str(n), d.text)
            for n, d in self.project.columns.items()
            if n in expressions or n in measured
        ]
        text = with_ctes(ctes, f"SELECT\n{column_list([*row, *told])}\nFROM measured")
        return Select(ANSWERS, text, (POINTS, *self._aggregates))

    def _spans(self) -> list[Window]:
        """Every window whose start is read; a streak tells its months apart."""
        streaks = [
            Window(n + 1, "m")
            for those in self._aggregates.values()
            for f in those
            if any(isinstance(KINDS[how].computed, Streak) for how in f.hows)
            for n in range(f.windows[-1].length)
        ]
        return sorted({*self.project.windows, *streaks})

    def _parts(self, name: str, points: str) -> Iterator[_Part]:
        asked = [(f, how) for f in self._aggregates[name] for how in f.hows]
        windowed = [(f, how) for f, how in asked if f.windows and not KINDS[how].reads_all_history]
        still_open = [(f, how) for f, how in asked if not f.windows and not KINDS[how].reads_all_history]
        of_all = [(f, how) for f, how in asked if KINDS[how].reads_all_history]
        source = self.project.sources[name]
        if windowed:
            # Months and days differ by a few days, so the earliest start is looked for among both.
            spans = [max((w for f, _ in windowed for w in f.windows if w.unit == u), default=None) for u in ("d", "m")]
            starts = [f"p.start_{w}" for w in spans if w]
            start = f"LEAST({', '.join(starts)})" if len(starts) > 1 else starts[0]
            yield self._joined(name, "windows", windowed, within(start, "p.ts"), points)
        if still_open:
            not_ended = f"\n  AND (r.{source.ends} IS NULL OR r.{source.ends} >= p.ts)" if source.ends else ""
            yield self._joined(name, "open", still_open, f"r.event_time < p.ts{not_ended}", points)
        if of_all:
            yield self._joined(name, "history", of_all, "r.event_time < p.ts", points)

    def _joined(
        self, name: str, what: str, asked: Sequence[tuple[Aggregate, str]], condition: str, points: str
    ) -> _Part:
        """The rows of a source that meet the condition, summed up per point."""
        relation, readings = f"{name}__{what}", self._readings[name]
        sums: dict[str, str] = {}
        columns = {}
        for feature, how in asked:
            for window in feature.windows_of(how):
                summed = _Summed(readings, feature, how, window, relation, self.dialect)
                sums |= summed.sums
                columns[ColumnName(feature.name, how, window)] = summed.expression
        told = [f"{expression} AS {column}" for column, expression in sums.items()]
        body = (
            f"SELECT\n{column_list(['p.point_no', *told])}\nFROM {POINTS} AS p\nJOIN {name} AS r\n"
            f"  ON {same(self.keys, 'r', 'p')}\n  AND {condition}\n  AND {visible_at('p.ts')}\n"
            f"WHERE p.point_no {points}\nGROUP BY p.point_no"
        )
        comment = {
            "windows": f"{name} in the windows before ts, summed up per point",
            "open": f"{name} that had begun and not ended before ts, summed up per point",
            "history": f"the newest and first of {name} of all history known before ts",
        }[what]
        return _Part(relation, comment, body, columns)


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
            return {self._named(values.label, "distinct"): self._distinct(Partial(values, "set"))}
        if isinstance(self.computed, ActiveDays):
            return {self._named(values.label, "dates"): self._distinct(Partial(values, "newest"), "CAST({0} AS DATE)")}
        if isinstance(self.computed, Streak):
            return {self._named(values.label, "months"): self._months(Partial(values, "count"))}
        return {
            self._named(p.values.label, p.kind): p.of_rows(self._counted(self.readings.row_value(p)), self.dialect)
            for p in self.readings.needed(self.feature, self.how)
        }

    @property
    def expression(self) -> str:
        """The column's expression."""
        (first, *_) = (f"{self.relation}.{column}" for column in self.sums)
        if isinstance(self.computed, DistinctValues | ActiveDays):
            return f"COALESCE({first}, 0)"
        if isinstance(self.computed, Streak):
            mask = f"COALESCE({first}, 0)"
            return op("bits", self.dialect, f"({mask} & ~({mask} + 1))")
        if isinstance(self.computed, DaysSince):
            return op("days_between", self.dialect, f"CAST({first} AS DATE)", "CAST(p.ts AS DATE)")
        return self.readings.aggregated(self.feature, self.how, self._merged)

    def _named(self, label: str, kind: str) -> str:
        return f"{label}__{kind}" + (f"_{self.window}" if self.window else "")

    def _merged(self, partial: Partial) -> str:
        """A partial of the point, which has no row where nothing was seen."""
        column = f"{self.relation}.{self._named(partial.values.label, partial.kind)}"
        return f"COALESCE({column}, 0)" if partial.is_added else column

    def _counted(self, value: str) -> str:
        """A row's value, null before the window."""
        return f"CASE WHEN r.event_time >= p.start_{self.window} THEN {value} END" if self.window else value

    def _distinct(self, partial: Partial, read: str = "{0}") -> str:
        value = self._counted(read.format(self.readings.row_value(partial)))
        return f"CAST({op('length', self.dialect, op('set_of_rows', self.dialect, value))} AS BIGINT)"

    def _months(self, count: Partial) -> str:
        """The months back from ts with a row, as the bits of an integer."""
        months = self.window.length if self.window else 0
        bits = [f"WHEN r.event_time >= p.start_{n + 1}m THEN {2**n}" for n in range(months)]
        bit = f"CASE {' '.join(bits)} END"
        return f"BIT_OR(CAST(CASE WHEN {self.readings.row_value(count)} > 0 THEN {bit} END AS BIGINT))"
