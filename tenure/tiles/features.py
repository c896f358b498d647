"""Features: one row per customer and snapshot, one column per feature, from rows known before the snapshot.

 known_time < t ─────────────────────────────────────┐
   [t − 90d ·················· [t − 30d ·············)┊ t
    └─────── seen by the 90-day window ──────────────┘
                                └─ by the 30-day one ─┘

Each source is read once, into tiles (`tiles.py`); tiles are merged into bands between the windows' starts (`bands.py`);
a window is the bands inside it, and the final SELECT joins them to the snapshot rows: one row in is one row out.
Sums are exact until the last step (of floats: added up in the order of their sizes), so engines and runs agree to the
bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain

from tenure.define.aggregates import DistinctValues, Streak
from tenure.define.dialect import Dialect
from tenure.define.feature import Aggregate, FeatureView
from tenure.define.project import Project
from tenure.define.snapshot import SnapshotPlan
from tenure.define.window import ColumnName, Window
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    any_of,
    at_least,
    call,
    cast,
    coalesce,
    each_of,
    equal,
    grouped,
    is_null,
    named,
    of,
)
from tenure.sql.query import Column, Cte, Join, Query, Select, Texts, indented, within_parentheses
from tenure.tables.visible import days_before, qualified, same, visible_at
from tenure.tiles.array_windows import WINDOWS, Asked, window_column, windows_asked
from tenure.tiles.bands import (
    AskedHow,
    Family,
    bands,
    cover,
    distinct,
    distinct_column,
    distinct_name,
    each_how,
    families,
    is_seen,
    merged_tiles,
    months_of,
    once,
)
from tenure.tiles.columns import compared, date_part, history_share, reading
from tenure.tiles.grid import Grid, months_up_to, start_column
from tenure.tiles.partials import Partial, Readings
from tenure.tiles.support import require_supported
from tenure.tiles.tiles import Tiles, names_of, numbered_keys, numbered_tiles
from tenure.tiles.unreconciled import Masks

#: The relation that numbers the customers; ranges of numbers bound the memory of a step.
NUMBERS = "customer_numbers"


@dataclass(frozen=True)
class _Part:
    """What one source contributes: CTEs, relations joined by `ck`, and each column's expression over them."""

    ctes: tuple[Cte, ...]
    joins: tuple[Join, ...]
    columns: dict[ColumnName, str]


class FeatureSteps:
    """The SQL that makes the features of snapshots: relations to cache once, then customers range by range.

    Give `dates` alone, or with the `plan` that they belong to: tiles of a plan can be stored, since later runs of it
    cut time in the same places. Windows of the sums `taken` are computed outside of this SQL and added to the spine.

        calendar ─► tiles ─► ranged (numbers ─► tiles of the range ─► bands) ─► final
                               from outside: spine_rows, windows_asked ─┘
    """

    def __init__(
        self,
        project: Project,
        dialect: Dialect,
        dates: Sequence[date],
        plan: SnapshotPlan | None = None,
        *,
        taken: frozenset[Partial] = frozenset(),
    ) -> None:
        require_supported(project, dialect)
        self.project, self.dialect, self.plan = project, dialect, plan
        self.taken = taken
        self.keys = project.entity.keys
        self._masks = Masks.of(project, dialect)
        self._aggregates: dict[str, list[Aggregate]] = {}
        self._readings: dict[str, Readings] = {}
        self._families: dict[str, list[Family]] = {}
        for name, source in project.sources.items():
            aggregates = project.aggregates_of(name)
            if aggregates:
                readings = Readings(source, aggregates, dialect)
                self._aggregates[name], self._readings[name] = aggregates, readings
                self._families[name] = list(families(name, aggregates, readings, taken))
        windows = tuple(sorted({*project.windows, *self._streak_months()}))
        self.grid = Grid.of_plan(plan, dates, windows) if plan else Grid.of(dates, windows)

    def with_windows_beside(self, taken: frozenset[Partial]) -> FeatureSteps:
        """Return the same steps with windows of these sums from outside."""
        return FeatureSteps(self.project, self.dialect, self.grid.dates, self.plan, taken=taken)

    @property
    def partials(self) -> list[Partial]:
        """Every sum that is a column of tiles."""
        return [*chain.from_iterable(map(self._partials, self.tiled))]

    @property
    def tiled(self) -> list[str]:
        """The sources whose rows are summed up into tiles."""
        return [*filter(self._partials, self._aggregates)]

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that the features read."""
        return self.project.viewed

    @property
    def cached(self) -> list[Select]:
        """The relations that every range reads, tiles made anew."""
        return [*self.calendar, *self.unreconciled, *map(self._tiled, self.tiled)]

    @property
    def unreconciled(self) -> list[Select]:
        """The customers at snapshots whose columns a break in an account makes unknown; they read the sources."""
        return self._masks.selects()

    @property
    def calendar(self) -> list[Select]:
        """Dates, intervals, days and covers: the small relations of which interval lies in which window."""
        return [*self.grid.relations(self.dialect), *map(cover, self._merged_families)]

    @property
    def _merged_families(self) -> list[Family]:
        return [family for family in self._every_family if family.is_merged]

    @property
    def _every_family(self) -> list[Family]:
        return [*chain.from_iterable(self._families.values())]

    def tiles(self, name: str) -> Tiles:
        """Return a source's tiles."""
        partials = tuple(self._partials(name))
        return Tiles(self.project.sources[name], tuple(self.keys), self._readings[name], partials, self.grid)

    def windows_asked(self, name: str) -> Asked:
        """Return the sums of a source whose windows come from outside, each with a window."""
        return windows_asked(self._aggregates[name], self._readings[name], self.taken)

    def spine_rows(self) -> str:
        """Return the range's snapshot rows, to which windows from outside are added, by snapshot and customer."""
        numbers = ["d.snapshot_no", "n.customer_no"]
        return self._numbered_spine(numbers, order_by=numbers).text

    def reads_all_history(self, name: str) -> bool:
        """Return whether any of a source's tiles count at all later snapshots, not only while in their windows."""
        return any(asked.kind.reads_all_history for asked in self._hows(name))

    def ranged(self, customers: str = "") -> list[Select]:
        """Return what is cached for a range of customers: their numbers, their tiles, and the bands of those.

        `customers` is a condition on the customer's number, counted from 0, such as 'BETWEEN 0 AND 999'.
        """
        merged = once([family.source for family in self._merged_families])
        banded = [family for family in self._every_family if family.partials or family.streaks]
        return [self._numbers(customers), *map(self._numbered, merged), *map(self._bands, banded)]

    def final(self) -> Select:
        """Return one row per row of snapshots, of the range's customers, with every feature column of the project."""
        parts = [*chain.from_iterable(map(self._parts, self.project.sources))]
        row = (*self.keys, "snapshot_date")
        ctes = [Cte("spine", "every snapshot row with its number", self._spine())]
        joins: list[Join] = []
        measured: dict[ColumnName, str] = {}
        for part in parts:
            ctes += part.ctes
            joins += part.joins
            measured |= part.columns
        for view in self.project.views.values():
            measured |= {ColumnName(part.name): date_part(part) for part in view.date_parts}
        for window in self.project.windows:
            measured[ColumnName("history", "share", window)] = history_share(window, self.dialect)
        columns = map(Column, self._masks.over(measured).values(), map(str, measured))
        joins += self._masks.joins("s")
        query = Query(lines=[qualified(row, "s"), *columns], source="spine", alias="s", joins=joins)
        final = Query(
            ctes=[*ctes, Cte("measured", "every snapshot row with what each source says of it", query)],
            lines=[*row, *self._described_columns()],
            source="measured",
        )
        return final.as_table("features", reads=["snapshots", *self.reads])

    def _described_columns(self) -> Iterator[Column]:
        """Every column of the project out of `measured`, below its description."""
        comparisons = compared(self.project, self.dialect)
        for name, description in self.project.columns.items():
            comment = description.text
            if description.unit:
                comment = f"{comment} [{description.unit}]"
            if name in comparisons:
                yield Column(comparisons[name], str(name), comment)
            else:
                yield Column(str(name), comment=comment)

    def _hows(self, name: str) -> list[AskedHow]:
        return each_how(self._aggregates[name])

    def _tiled(self, name: str) -> Select:
        text = f"-- {name} summed up by customer and interval\n{self.tiles(name).select()}"
        return Select(tiled(name), text, (name,))

    def _bands(self, family: Family) -> Select:
        return Select(family.relation, bands(family, self.grid, self.dialect), (family.tiles, family.cover))

    def _streak_months(self) -> Iterator[Window]:
        """A streak counts its months one by one, so each of them is an edge of the grid."""
        for asked in each_how(chain.from_iterable(self._aggregates.values())):
            if isinstance(asked.kind.computed, Streak):
                yield from months_up_to(asked.feature.windows[-1].length)

    def _numbers(self, customers: str) -> Select:
        comment = "" if customers else "the customers, numbered"
        number, alias = "customer_no", "customers_then"
        numbers = numbered_keys(self.keys, "snapshots", number=number, alias=alias, comment=comment)
        if customers:
            numbers = Query(
                comment="a range of the customers, numbered",
                columns=[*self.keys, number],
                source=numbers,
                alias="numbered",
                where=f"{number} {customers}",
            )
        return numbers.as_table(NUMBERS, reads=["snapshots"])

    def _numbered(self, name: str) -> Select:
        """The tiles that windows read; aggregates over all history read the stored tiles themselves."""
        read: set[Partial] = set()
        for family in self._families[name]:
            read.update(family.reads)
        tiles = numbered_tiles(
            tiled(name),
            self.keys,
            [partial for partial in self._partials(name) if partial in read],
            self.grid,
            NUMBERS,
            merge_days=any(partial.sum.merge == "bits" for partial in read),
        )
        commented = replace(tiles, comment=f"tiles of {name} that windows see")
        return commented.as_table(f"{name}_tiles", reads=[tiled(name), NUMBERS])

    def _partials(self, name: str) -> list[Partial]:
        """Every partial that the source's windows and histories need, each once."""
        needed: list[Partial] = []
        for asked in self._hows(name):
            if not asked.is_of_open_rows:
                needed += self._readings[name].needed(*asked)
        return list(once(needed))

    def _spine(self) -> Query:
        if not self.taken:
            return self._numbered_spine()
        columns = [*self.keys, "snapshot_date", "tenure_days", "ck", *map(start_column, self.project.windows)]
        for name in self._aggregates:
            for partial, window in self.windows_asked(name):
                columns.append(window_column(name, partial, window))
        return Query(lines=columns, source=WINDOWS)

    def _numbered_spine(self, more: Sequence[str] = (), *, order_by: Texts = ()) -> Query:
        starts = each_of("d", map(start_column, self.project.windows))
        row = qualified((*self.keys, "snapshot_date", "tenure_days"), "s")
        return Query(
            lines=[row, Column(self._ck, "ck"), *starts, *more],
            source="snapshots",
            alias="s",
            joins=[Join("dates", alias="d", on="d.snapshot_date = s.snapshot_date"), self._customer_no("s")],
            order_by=order_by,
        )

    @property
    def _ck(self) -> str:
        return str(self._key_of("n.customer_no", "d.snapshot_no").grouped)

    def _key_of(self, customer_no: str, snapshot_no: str) -> Number:
        """One integer of a customer and a snapshot."""
        return Number(customer_no) * len(self.grid.dates) + snapshot_no

    def _customer_no(self, relation: str) -> Join:
        """The join of a relation's keys to their customer's number, as `n`."""
        return Join(NUMBERS, alias="n", on=same(self.keys, "n", relation))

    def _parts(self, name: str) -> Iterator[_Part]:
        for view in self.project.views.values():
            if view.source == name and view.attributes:
                yield self._described(view)
        yield from map(self._windowed, self._families.get(name, ()))
        if name in self._aggregates:
            yield from self._open(name)
            yield from self._of_all_history(name)

    def _described(self, view: FeatureView) -> _Part:
        """The customer's own row as known before t."""
        relation, source = f"{view.name}_then", self.project.sources[view.source]
        conditions, comment = [visible_at("d.t")], f"{source.name} as known before t"
        if view.ttl:
            conditions.append(at_least("r.known_time", days_before("d.t", view.ttl)))
            comment = f"{comment}, at most {view.ttl} days old"
        columns: dict[ColumnName, str] = {}
        read: list[str] = []
        for attribute in view.attributes:
            columns[ColumnName(attribute.name)] = reading(source, attribute, relation, self.dialect)
            read.append(attribute.of)
        body = Query(
            columns=[named(self._ck, "ck"), *each_of("r", once(read))],
            source=source.name,
            alias="r",
            joins=[self._customer_no("r"), Join("dates", alias="d", on=conditions)],
        )
        return _Part((Cte(relation, comment, body),), (_joined(relation, relation),), columns)

    def _windowed(self, family: Family) -> _Part:
        """Each window out of its bands."""
        ctes: list[Cte] = []
        joins: list[Join] = []
        for values in family.sets:
            cte = distinct(family, values, self.grid, self.dialect)
            ctes.append(cte)
            joins.append(_joined(cte.name, cte.name))
        columns: dict[ColumnName, str] = {}
        for asked in self._hows(family.source):
            if asked.kind.reads_all_history:
                continue
            for window in asked.feature.windows:
                if window in family.windows:
                    columns[asked.column(window)] = self._over(asked, family, window)
        return _Part(tuple(ctes), (*joins, *self._joined_bands(family)), columns)

    def _joined_bands(self, family: Family) -> Iterator[Join]:
        """The bands of a family, each as a relation of its own."""
        months = map(months_of, family.streaks)
        read = once(names_of([*family.partials, *months]))
        if not read:
            return
        count = len(family.windows)
        number = op("whole_division", self.dialect, "band_key", str(count))
        for band in range(count):
            rows = Query(
                columns=[named(number, "ck"), *read],
                source=family.relation,
                where=equal(str(Number("band_key") % count), band),
            )
            yield _joined(grouped(rows.on_one_line), family.alias(band))

    def _over(self, asked: AskedHow, family: Family, window: Window) -> str:
        """The expression of an aggregate's window over the bands."""
        readings, aliases = self._readings[family.source], family.aliases(window)
        computed = asked.kind.computed
        if isinstance(computed, DistinctValues):
            relation = distinct_name(family, readings.values(asked.feature))
            return coalesce(of(relation, distinct_column(window)), 0)
        if isinstance(computed, Streak):
            (count,) = readings.needed(*asked)
            mask = months_of(count).combined(aliases, self.dialect)
            return op("bits", self.dialect, f"({mask} & ~({mask} + 1))")

        def merged(partial: Partial) -> str:
            return self._window(family.source, partial, window) or partial.combined(aliases, self.dialect)

        return readings.aggregated(*asked, merged)

    def _window(self, source: str, partial: Partial, window: Window | None) -> str:
        """The column in which a window's partial comes from outside, '' where it does not."""
        return of("s", window_column(source, partial, window)) if partial in self.taken else ""

    def _open(self, name: str) -> Iterator[_Part]:
        """Rows that had begun and not ended before t."""
        wanted = [asked for asked in self._hows(name) if asked.is_of_open_rows]
        if not wanted:
            return
        relation, readings = f"{name}_open", self._readings[name]

        def merged(partial: Partial) -> str:
            return of(relation, partial.name)

        sums: dict[str, Column] = {}
        columns: dict[ColumnName, str] = {}
        for asked in wanted:
            if isinstance(asked.kind.computed, DistinctValues):
                count = _count_distinct(readings, asked.feature)
                sums[count.name] = count
                columns[asked.column()] = coalesce(of(relation, count.name), 0)
                continue
            for partial in readings.needed(*asked):
                summed = partial.of_rows(readings.row_value(partial), self.dialect)
                sums[partial.name] = Column(summed, partial.name)
            columns[asked.column()] = readings.aggregated(*asked, merged)
        body = Query(
            lines=[Column(self._ck, "ck"), *sums.values()],
            source=name,
            alias="r",
            joins=[self._customer_no("r"), Join("dates", alias="d", on=self._is_open(name))],
            group_by=[self._ck],
        )
        comment = f"{name} that had begun and not ended before t, summed up per customer"
        yield _Part((Cte(relation, comment, body),), (_joined(relation, relation),), columns)

    def _is_open(self, name: str) -> list[str]:
        """The conditions that a row had begun and not ended before t."""
        conditions = ["r.event_time < d.t", visible_at("d.t")]
        source = self.project.sources[name]
        if source.ends:
            ends = of("r", source.ends)
            conditions.append(any_of(is_null(ends), at_least(ends, "d.t")))
        return conditions

    def _of_all_history(self, name: str) -> Iterator[_Part]:
        """The days since the newest and the oldest event of all history."""
        relation = f"{name}_history"
        columns: dict[ColumnName, str] = {}
        partials: list[Partial] = []
        for asked in self._hows(name):
            if not asked.kind.reads_all_history:
                continue
            for partial in self._readings[name].needed(*asked):
                value = self._window(name, partial, None)
                if not value:
                    value = of(relation, partial.name)
                    partials.append(partial)
                columns[asked.column()] = op("days_between", self.dialect, cast(value, "DATE"), "s.snapshot_date")
        if partials:
            yield _Part(self._history(name, relation, once(partials)), (_joined(relation, relation),), columns)
        elif columns:
            yield _Part((), (), columns)

    def _history(self, name: str, relation: str, partials: Sequence[Partial]) -> tuple[Cte, ...]:
        """The partials between two snapshots, and out of these the partials of all history before each snapshot."""
        merged, once_name = merged_tiles(partials, self.dialect), f"{relation}_once"
        span = ["n.customer_no", "i.seen_by", "t.seen_from", "t.seen_to"]
        between = Query(
            lines=[*span, *merged],
            source=tiled(name),
            alias="t",
            joins=[
                self._customer_no("t"),
                Join("intervals", alias="i", on="i.interval_start = t.interval_start"),
            ],
            group_by=span,
        )
        later = Query(
            distinct=True,
            columns=["i.seen_by", "d.snapshot_no", "d.snapshot_date"],
            source="intervals",
            alias="i",
            joins=[Join("dates", alias="d", on="d.snapshot_date >= i.seen_by")],
        )
        ck = str(self._key_of("t.customer_no", "l.snapshot_no"))
        seen = ["l.seen_by = t.seen_by", *is_seen("l.snapshot_date")]
        body = Query(
            lines=[Column(ck, "ck"), *merged],
            source=once_name,
            alias="t",
            joins=[Join(within_parentheses(indented([later.text])), alias="l", on=seen)],
            group_by=[ck],
        )
        return (
            Cte(once_name, f"the newest and first of {name} between two snapshots", between),
            Cte(relation, f"the newest and first of {name} of all history known before t", body),
        )


def _joined(relation: str, alias: str) -> Join:
    """The join of a relation to the spine, which keeps every row of the spine."""
    return Join(relation, alias=alias, kind="LEFT", on=equal(of(alias, "ck"), "s.ck"))


def _count_distinct(readings: Readings, feature: Aggregate) -> Column:
    """The number of distinct values of rows."""
    values = readings.values(feature)
    value = readings.row_value(Partial(values, "set"))
    return Column(call("COUNT", f"DISTINCT {value}"), f"{values.label}__distinct")


def tiled(source: str) -> str:
    """Return the name of the relation of a source's tiles as they are stored."""
    return f"{source}_tiled"
