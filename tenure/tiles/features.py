"""Features: one row per customer and snapshot, one column per feature, from rows known before the snapshot.

 known_time < t ─────────────────────────────────────┐
   [t − 90d ·················· [t − 30d ·············)┊ t
    └─────── seen by the 90-day window ──────────────┘
                                └─ by the 30-day one ─┘

Each source is read once, into tiles (`tiles.py`); tiles are merged into bands between the windows' starts (`bands.py`);
a window is the bands inside it, and the final SELECT puts them side by side: one row in is one row out.
Sums are exact until the last step (of floats: added up in the order of their sizes), so engines and runs agree to the
bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.aggregates import KINDS, DistinctValues, Streak
from tenure.define.feature import Aggregate, FeatureView
from tenure.define.project import Project
from tenure.define.snapshot import SnapshotPlan
from tenure.define.window import ColumnName, Window
from tenure.sql import Dialect, Select, column_list, indented, op, with_ctes
from tenure.sql.arithmetic import Number
from tenure.sql.expressions import any_of, at_least, each_of, is_null, named, of
from tenure.sql.query import Column, Cte, Join, Query, within_parentheses
from tenure.tables.visible import days_before, qualified, same, visible_at
from tenure.tiles.array_windows import WINDOWS, Asked, window_column, windows_asked
from tenure.tiles.bands import Family, bands, cover, distinct, distinct_name, families, months_of, once
from tenure.tiles.columns import compared, history_share, reading
from tenure.tiles.grid import Grid
from tenure.tiles.partials import Partial, Readings
from tenure.tiles.support import require_supported
from tenure.tiles.tiles import Tiles, numbered_tiles

#: The relation that numbers the customers; ranges of numbers bound the memory of a step.
NUMBERS = "customer_numbers"


@dataclass(frozen=True)
class _Part:
    """What one source contributes: CTEs, the relations to join by `ck`, and each column's expression over them."""

    ctes: tuple[Cte, ...]
    relations: tuple[tuple[str, str], ...]
    columns: dict[ColumnName, str]


class FeatureSteps:
    """How the features of snapshots are made: relations to hold once, then customers range by range.

    Give `dates` alone, or with the `plan` that they belong to: tiles of a plan can be kept, since later runs of it cut
    time in the same places. Windows of the sums `taken` come from outside, beside the spine.

        calendar ─► tiles ─► ranged (numbers ─► tiles of the range ─► bands) ─► final
                                    beside: spine_rows, windows_asked ─┘
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
        self._aggregates = {
            name: those
            for name in project.sources
            if (those := [f for v in project.views.values() if v.source == name for f in v.aggregates])
        }
        self._readings = {n: Readings(project.sources[n], those, dialect) for n, those in self._aggregates.items()}
        windows = tuple(sorted({*project.windows, *self._streak_months()}))
        self.grid = Grid.of_plan(plan, dates, windows) if plan else Grid.of(dates, windows)
        self._families = [
            family
            for name, those in self._aggregates.items()
            for family in families(name, those, self._readings[name], taken)
        ]

    def with_windows_beside(self, taken: frozenset[Partial]) -> FeatureSteps:
        """Return the same steps with windows of these sums from outside."""
        return FeatureSteps(self.project, self.dialect, self.grid.dates, self.plan, taken=taken)

    @property
    def partials(self) -> list[Partial]:
        """Every sum that tiles hold."""
        return [partial for name in self.tiled for partial in self._partials(name)]

    @property
    def tiled(self) -> list[str]:
        """The sources whose rows are summed up into tiles."""
        return [name for name in self._aggregates if self._partials(name)]

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that the features read."""
        return tuple(dict.fromkeys(view.source for view in self.project.views.values()))

    @property
    def cached(self) -> list[Select]:
        """The relations that every range reads, tiles made anew."""
        return [*self.calendar, *(self._tiled(name) for name in self.tiled)]

    @property
    def calendar(self) -> list[Select]:
        """Dates, intervals, days and covers: the small relations that say which interval lies in which window."""
        return [*self.grid.relations(self.dialect), *(cover(f) for f in self._families if f.is_merged)]

    def tiles(self, name: str) -> Tiles:
        """Return a source's tiles."""
        partials = tuple(self._partials(name))
        return Tiles(self.project.sources[name], tuple(self.keys), self._readings[name], partials, self.grid)

    def windows_asked(self, name: str) -> Asked:
        """Return the sums of a source whose windows come from outside, each with a window."""
        return windows_asked(self._aggregates[name], self._readings[name], self.taken)

    def spine_rows(self) -> str:
        """Return the range's snapshot rows as they get windows beside them, by snapshot and customer."""
        numbers = ["d.snapshot_no", "n.customer_no"]
        return f"{self._numbered_spine(numbers)}\nORDER BY d.snapshot_no, n.customer_no"

    def reads_all_history(self, name: str) -> bool:
        """Return whether any of a source's tiles count at all later snapshots, not only while in their windows."""
        return any(KINDS[how].reads_all_history for f in self._aggregates[name] for how in f.hows)

    def ranged(self, customers: str = "") -> list[Select]:
        """Return what is cached for a range of customers: their numbers, their tiles, and the bands of those.

        `customers` is a condition on the customer's number, counted from 0, such as 'BETWEEN 0 AND 999'.
        """
        return [
            self._numbers(customers),
            *(self._numbered(name) for name in self._aggregates if any(f.is_merged for f in self._families_read(name))),
            *(
                Select(f.relation, bands(f, self.grid, self.dialect), (f"{f.source}_tiles", f.cover))
                for f in self._families
                if f.partials or f.streaks
            ),
        ]

    def final(self) -> Select:
        """Return one row per row of snapshots, of the range's customers, with every feature column of the project."""
        parts = [part for name in self.project.sources for part in self._parts(name)]
        row = (*self.keys, "snapshot_date")
        measured = {name: expression for part in parts for name, expression in part.columns.items()}
        measured |= {ColumnName("history", "share", w): history_share(w, self.dialect) for w in self.project.windows}
        joins = [f"LEFT JOIN {text} AS {name}\n  ON {name}.ck = s.ck" for p in parts for name, text in p.relations]
        columns = column_list([qualified(row, "s"), *(f"{e} AS {n}" for n, e in measured.items())])
        ctes = [
            ("spine", "every snapshot row with its number", self._spine()),
            *(cte for part in parts for cte in part.ctes),
            (
                "measured",
                "every snapshot row with what each source says of it",
                "\n".join([f"SELECT\n{columns}\nFROM spine AS s", *joins]),
            ),
        ]
        sides = compared(self.project, self.dialect)
        told = [
            (f"{sides[n]} AS {n}" if n in sides else str(n), f"{d.text}{f' [{d.unit}]' if d.unit else ''}")
            for n, d in self.project.columns.items()
        ]
        text = with_ctes(ctes, f"SELECT\n{column_list([*row, *told])}\nFROM measured")
        return Select("features", text, ("snapshots", *self.reads))

    def _tiled(self, name: str) -> Select:
        text = f"-- {name} summed up by customer and interval\n{self.tiles(name).select()}"
        return Select(tiled(name), text, (name,))

    def _streak_months(self) -> Iterator[Window]:
        """A streak tells its months apart, so each of them is an edge of the grid."""
        for those in self._aggregates.values():
            for feature in those:
                if any(isinstance(KINDS[how].computed, Streak) for how in feature.hows):
                    yield from (Window(n + 1, "m") for n in range(feature.windows[-1].length))

    def _numbers(self, customers: str) -> Select:
        keys = ", ".join(self.keys)
        numbered = (
            f"SELECT {keys}, ROW_NUMBER() OVER (ORDER BY {keys}) - 1 AS customer_no\n"
            f"FROM (SELECT DISTINCT {keys} FROM snapshots) AS customers_then"
        )
        text = f"-- the customers, numbered\n{numbered}"
        if customers:
            text = (
                f"-- a range of the customers, numbered\nSELECT {keys}, customer_no\nFROM (\n{indented([numbered])}\n"
                f") AS numbered\nWHERE customer_no {customers}"
            )
        return Select(NUMBERS, text, ("snapshots",))

    def _families_read(self, name: str) -> list[Family]:
        return [family for family in self._families if family.source == name]

    def _numbered(self, name: str) -> Select:
        """The tiles that windows read; those of all history are read from the kept ones."""
        families = self._families_read(name)
        read = {p for f in families for p in (*f.partials, *f.streaks, *(Partial(v, "set") for v in f.sets))}
        tiles = numbered_tiles(
            tiled(name),
            self.keys,
            [p for p in self._partials(name) if p in read],
            self.grid,
            NUMBERS,
            merge_days=any(p.sum.merge == "bits" for p in read),
        )
        return Select(f"{name}_tiles", f"-- tiles of {name} that windows see\n{tiles.text}", (tiled(name), NUMBERS))

    def _partials(self, name: str) -> list[Partial]:
        """Every partial that the source's windows and histories need, each once."""
        readings = self._readings[name]
        return list(
            dict.fromkeys(
                partial
                for f in self._aggregates[name]
                for how in f.hows
                if f.windows or KINDS[how].reads_all_history
                for partial in readings.needed(f, how)
            )
        )

    def _spine(self) -> str:
        if not self.taken:
            return self._numbered_spine()
        columns = [*self.keys, "snapshot_date", "tenure_days", "ck", *(f"start_{w}" for w in self.project.windows)]
        columns += [window_column(name, p, w) for name in self._aggregates for p, w in self.windows_asked(name)]
        return f"SELECT\n{column_list(columns)}\nFROM {WINDOWS}"

    def _numbered_spine(self, more: Sequence[str] = ()) -> str:
        columns = [qualified((*self.keys, "snapshot_date", "tenure_days"), "s"), f"{self._ck} AS ck"]
        columns += [*(f"d.start_{w}" for w in self.project.windows), *more]
        return (
            f"SELECT\n{column_list(columns)}\nFROM snapshots AS s\nJOIN dates AS d\n"
            f"  ON d.snapshot_date = s.snapshot_date\nJOIN {NUMBERS} AS n\n  ON {same(self.keys, 'n', 's')}"
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
        for family in self._families:
            if family.source == name:
                yield self._windowed(family)
        if name in self._aggregates:
            yield from self._open(name)
            yield from self._of_all_history(name)

    def _described(self, view: FeatureView) -> _Part:
        """The customer's own row as known before t."""
        relation, source = f"{view.name}_then", self.project.sources[view.source]
        read = dict.fromkeys(a.of for a in view.attributes)
        fresh = [at_least("r.known_time", days_before("d.t", view.ttl))] if view.ttl else []
        body = Query(
            columns=[named(self._ck, "ck"), *each_of("r", read)],
            source=source.name,
            alias="r",
            joins=[self._customer_no("r"), Join("dates", alias="d", on=[visible_at("d.t"), *fresh])],
        )
        columns = {ColumnName(a.name): reading(source, a, relation, self.dialect) for a in view.attributes}
        comment = f"{source.name} as known before t" + (f", at most {view.ttl} days old" if view.ttl else "")
        return _Part((Cte(relation, comment, body),), ((relation, relation),), columns)

    def _windowed(self, family: Family) -> _Part:
        """Each window out of its bands."""
        readings, dialect = self._readings[family.source], self.dialect
        ctes = tuple(distinct(family, values, self.grid, dialect) for values in family.sets)
        read = ", ".join(once([*(p.name for p in family.partials), *(months_of(p).name for p in family.streaks)]))
        count = len(family.windows)
        number = op("whole_division", dialect, "band_key", str(count))
        relations = [(name, name) for name, _, _ in ctes]
        if read:
            relations += [
                (
                    family.alias(band),
                    f"(SELECT {number} AS ck, {read} FROM {family.relation} WHERE band_key % {count} = {band})",
                )
                for band in range(count)
            ]
        columns = {}
        for feature in self._aggregates[family.source]:
            for how in feature.hows:
                for window in feature.windows:
                    if not KINDS[how].reads_all_history and window in family.windows:
                        name = ColumnName(feature.name, how, window)
                        columns[name] = self._over(feature, how, family, window, readings)
        return _Part(ctes, tuple(relations), columns)

    def _over(self, feature: Aggregate, how: str, family: Family, window: Window, readings: Readings) -> str:
        dialect, aliases = self.dialect, family.aliases(window)
        computed = KINDS[how].computed
        if isinstance(computed, DistinctValues):
            return f"COALESCE({distinct_name(family, readings.values(feature))}.values_{window}, 0)"
        if isinstance(computed, Streak):
            (count,) = readings.needed(feature, how)
            mask = months_of(count).combined(aliases, dialect)
            return op("bits", dialect, f"({mask} & ~({mask} + 1))")
        return readings.aggregated(
            feature, how, lambda p: self._window(family.source, p, window) or p.combined(aliases, dialect)
        )

    def _window(self, source: str, partial: Partial, window: Window | None) -> str:
        """The column in which a window's partial comes from outside, '' where it does not."""
        return f"s.{window_column(source, partial, window)}" if partial in self.taken else ""

    def _open(self, name: str) -> Iterator[_Part]:
        """Rows that had begun and not ended before t."""
        source, readings = self.project.sources[name], self._readings[name]
        wanted = [
            (f, how)
            for f in self._aggregates[name]
            for how in f.hows
            if not f.windows and not KINDS[how].reads_all_history
        ]
        if not wanted:
            return
        relation = f"{name}_open"
        sums: dict[str, str] = {}
        columns = {}
        for feature, how in wanted:
            if isinstance(KINDS[how].computed, DistinctValues):
                values = f"COUNT(DISTINCT {readings.row_value(Partial(readings.values(feature), 'set'))})"
                label = f"{readings.values(feature).label}__distinct"
                sums[label] = f"{values} AS {label}"
                columns[ColumnName(feature.name, how)] = f"COALESCE({relation}.{label}, 0)"
                continue
            for p in readings.needed(feature, how):
                sums[p.name] = f"{p.of_rows(readings.row_value(p), self.dialect)} AS {p.name}"
            columns[ColumnName(feature.name, how)] = readings.aggregated(
                feature, how, lambda partial: f"{relation}.{partial.name}"
            )
        ends = of("r", source.ends)
        not_ended = [any_of(is_null(ends), at_least(ends, "d.t"))] if source.ends else []
        body = Query(
            lines=[Column(self._ck, "ck"), *sums.values()],
            source=name,
            alias="r",
            joins=[
                self._customer_no("r"),
                Join("dates", alias="d", on=["r.event_time < d.t", visible_at("d.t"), *not_ended]),
            ],
            group_by=[self._ck],
        )
        comment = f"{name} that had begun and not ended before t, summed up per customer"
        yield _Part((Cte(relation, comment, body),), ((relation, relation),), columns)

    def _of_all_history(self, name: str) -> Iterator[_Part]:
        """The newest and oldest event of all history."""
        readings = self._readings[name]
        wanted = [(f, how) for f in self._aggregates[name] for how in f.hows if KINDS[how].reads_all_history]
        if not wanted:
            return
        relation = f"{name}_history"
        newest = {
            ColumnName(f.name, how): self._window(name, p, None) or f"{relation}.{p.name}"
            for f, how in wanted
            for p in readings.needed(f, how)
        }
        columns = {
            column: op("days_between", self.dialect, f"CAST({value} AS DATE)", "s.snapshot_date")
            for column, value in newest.items()
        }
        needed = dict.fromkeys(p for f, how in wanted for p in readings.needed(f, how))
        partials = [p for p in needed if not self._window(name, p, None)]
        if not partials:
            yield _Part((), (), columns)
            return
        merged = [Column(p.of_tiles(self.dialect), p.name) for p in partials]
        span = ["n.customer_no", "i.seen_by", "t.seen_from", "t.seen_to"]
        once = Query(
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
        seen = [
            "l.seen_by = t.seen_by",
            "(t.seen_from IS NULL OR l.snapshot_date >= t.seen_from)",
            "(t.seen_to IS NULL OR l.snapshot_date <= t.seen_to)",
        ]
        body = Query(
            lines=[Column(ck, "ck"), *merged],
            source=f"{relation}_once",
            alias="t",
            joins=[Join(within_parentheses(indented([later.text])), alias="l", on=seen)],
            group_by=[ck],
        )
        ctes = (
            Cte(f"{relation}_once", f"the newest and first of {name} between two snapshots", once),
            Cte(relation, f"the newest and first of {name} of all history known before t", body),
        )
        yield _Part(ctes, ((relation, relation),), columns)


def tiled(source: str) -> str:
    """Return the name of the relation that holds a source's tiles as they are kept."""
    return f"{source}_tiled"
