"""Point in time: features of any rows of keys and instants, one row out for each row in.

 known_time < ts ──────────────────────┐
   ──[ ts − 90d ··········· ts )───────┊ ts      the newest version known before ts; older than `ttl` reads as null

Attributes come by an as-of join. Aggregates come by tiles (`features.py`) where every instant is the midnight of one
of few days, else by joining each point with its rows (`at_instants.py`); both give the stored features' answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from tenure.define.feature import Attribute, DatePart, FeatureView
from tenure.define.narrowing import narrowed
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.sql import Dialect, Select, op
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import JOINS_AS_OF
from tenure.sql.expressions import (
    after,
    all_of,
    at_least,
    before,
    call,
    case,
    cast,
    each_of,
    equal,
    grouped,
    is_not_null,
    is_null,
    listed,
    named,
    of,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, indented, within_parentheses
from tenure.tables.visible import days_before, same
from tenure.tiles.at_instants import ANSWERS, ASKED, POINTS, AtInstants, window_start
from tenure.tiles.columns import date_part, reading
from tenure.tiles.features import FeatureSteps

#: The day of an entity row's instant.
_DAY = cast("s.ts", "DATE")


@dataclass(frozen=True)
class Range:
    """One range of the aggregates: relations to cache, then the SELECT of its answers."""

    cached: tuple[Select, ...]
    answers: Select


class PointInTime:
    """The SELECTs of `columns` for the entity rows, relation `asked_rows`: row_no, the entity's keys, ts.

    `dates` are the days of the entity rows where every ts is a midnight: aggregates then come by tiles. Without them,
    ts may be any instants.
    """

    def __init__(
        self, project: Project, dialect: Dialect, columns: Sequence[ColumnName], dates: Sequence[date] = ()
    ) -> None:
        self.project, self.dialect, self.columns = project, dialect, tuple(columns)
        self.keys = project.entity.keys
        self._attributes: dict[ColumnName, tuple[FeatureView, Attribute]] = {}
        self._date_parts: dict[ColumnName, DatePart] = {}
        for view in project.views.values():
            for attribute in view.attributes:
                if ColumnName(attribute.name) in self.columns:
                    self._attributes[ColumnName(attribute.name)] = (view, attribute)
            self._date_parts.update((ColumnName(part.name), part) for part in view.date_parts)
        self._shares: list[ColumnName] = []
        self.aggregated: list[ColumnName] = []
        for name in self.columns:
            if name.subject == "history" and name.aggregate == "share":
                self._shares.append(name)
            elif name not in self._attributes and name not in self._date_parts:
                self.aggregated.append(name)
        self._project = narrowed(project, self.aggregated)
        self._tiled = FeatureSteps(self._project, dialect, dates) if dates and self.aggregated else None
        self._instants = AtInstants(self._project, dialect)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that are read, and no others."""
        return tuple(dict.fromkeys([*self._versioned, *self._project.viewed]))

    @property
    def _versioned(self) -> list[str]:
        """The sources whose newest version is read."""
        described = [view.source for view, _ in self._attributes.values()]
        if self._shares:
            described.append(self.project.entity.source)
        return list(dict.fromkeys(described))

    @property
    def snapshots(self) -> Select | None:
        """The relation `snapshots` that tiles are made for, or None where they are not used."""
        if self._tiled is None:
            return None
        keys = each_of("s", self.keys)
        query = Query(
            comment="each key and day asked for, once; shares of history are told from the customers' own rows",
            distinct=True,
            columns=[*keys, named(_DAY, "snapshot_date"), named(_DAY, "opened_on")],
            lines=[Column(cast(0, "BIGINT"), "tenure_days")],
            source=ASKED,
            alias="s",
            where=all_of(*map(is_not_null, keys)),
        )
        return query.as_table("snapshots", reads=[ASKED])

    @property
    def cached(self) -> list[Select]:
        """The relations that every range of the aggregates reads."""
        if not self.aggregated:
            return []
        return self._tiled.cached if self._tiled else [self._instants.points, *self._instants.unreconciled]

    @property
    def counted(self) -> str:
        """The SELECT of how many customers, or points, the ranges divide, as `n`."""
        if self._tiled:
            customers = Query(distinct=True, columns=self.keys, source="snapshots")
            counted = Query(columns=["COUNT(*) AS n"], source=grouped(customers.on_one_line), alias="customers")
        else:
            counted = Query(columns=["COALESCE(MAX(point_no) + 1, 0) AS n"], source=POINTS)
        return counted.on_one_line

    def range(self, numbers: str = ">= 0") -> Range:
        """Return what makes the aggregates of the customers, or points, whose number meets the condition."""
        if self._tiled:
            final = self._tiled.final()
            wanted = Query(
                lines=[*self.keys, "snapshot_date", *map(str, self.aggregated)],
                source=within_parentheses(final.text),
                alias="features",
            )
            return Range(tuple(self._tiled.ranged(numbers)), wanted.as_table(ANSWERS, reads=final.reads))
        return Range((), self._instants.final(numbers))

    def final(self) -> Select:
        """Return row_no and every asked column, in the order of row_no."""
        descriptions = self.project.columns
        query = Query(
            ctes=[] if JOINS_AS_OF[self.dialect] else [self._carried(source) for source in self._versioned],
            lines=["s.row_no", *(Column(self._value(n), str(n), descriptions[n].text) for n in self.columns)],
            source=ASKED,
            alias="s",
            joins=[*map(self._newest, self._versioned), *([self._answers] if self.aggregated else [])],
            order_by=["s.row_no"],
        )
        return query.as_table("historical_features", reads=[ASKED, *self.reads])

    @property
    def _answers(self) -> Join:
        """The join with the aggregates of the row's key and instant."""
        instant = equal(of("w", self._instant), _DAY if self._tiled else "s.ts")
        return Join(ANSWERS, alias="w", kind="LEFT", on=all_of(same(self.keys, "w", "s"), instant))

    @property
    def _instant(self) -> str:
        """The column of the aggregates' instant."""
        return "snapshot_date" if self._tiled else "ts"

    def _value(self, name: ColumnName) -> str:
        """A column's expression."""
        if name in self._attributes:
            return self._described(*self._attributes[name])
        if name in self._date_parts:
            return date_part(self._date_parts[name], _DAY)
        return self._share(name) if name in self._shares else self._answered(name)

    def _answered(self, name: ColumnName) -> str:
        """A column of the aggregates; of a row without a key its value of no rows: a sum may be null for its size."""
        value, nobody = of("w", str(name)), is_null(of("w", self._instant))
        is_zero_of_no_rows = self.project.columns[name].empty.startswith("0")
        return case(when=nobody, then=0, otherwise=value) if is_zero_of_no_rows else value

    def _read_of(self, source: str) -> list[str]:
        """The columns that are taken of a source's newest version."""
        read = [a.of for view, a in self._attributes.values() if view.source == source]
        if self._shares and source == self.project.entity.source:
            read.append("event_time")
        return list(dict.fromkeys(read))

    def _newest(self, source: str) -> Join:
        """The join with the newest version known before ts."""
        relation = _then(source)
        if not JOINS_AS_OF[self.dialect]:
            return Join(relation, kind="LEFT", on=equal(of(relation, "row_no"), "s.row_no"))
        known_before = after("s.ts", of(relation, "known_time"))
        return Join(
            source,
            alias=relation,
            kind="ASOF LEFT",
            on=all_of(same(self.keys, relation, "s"), known_before),
            comment=f"{source} as known before ts",
        )

    def _carried(self, source: str) -> Cte:
        """The newest version known before ts, carried to each entity row by a window over both."""
        read = ["known_time", *self._read_of(source)]
        fields = chain.from_iterable(zip(map(text_literal, read), read, strict=True))
        # At one instant the entity row comes first (side 0): what is known at ts is not known before it.
        entity_rows = Query(columns=[*self.keys, "ts AS at", "0 AS side", "row_no", "NULL AS version"], source=ASKED)
        version = call("named_struct", *fields)
        versions = Query(columns=[*self.keys, "known_time", "1", "CAST(NULL AS BIGINT)", version], source=source)
        both = indented([entity_rows.on_one_line, "UNION ALL", versions.on_one_line])
        newest = (
            f"LAST_VALUE(version, TRUE) OVER (\n    PARTITION BY {listed(self.keys)} ORDER BY at, side\n"
            "    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW\n) AS newest"
        )
        carried = Query(columns=["row_no", newest], source=within_parentheses(both), alias="both_sides")
        body = Query(
            columns=["row_no", *map(named, each_of("newest", read), read)],
            source=carried,
            alias="carried",
            where=is_not_null("row_no"),
        )
        return Cte(_then(source), f"{source} as known before ts, carried to each row asked for", body)

    def _described(self, view: FeatureView, attribute: Attribute) -> str:
        """An attribute of the newest version, null (or unknown) where that is older than the view's ttl."""
        relation = _then(view.source)
        source = self.project.sources[view.source]
        value = reading(source, attribute, relation, self.dialect, _DAY)
        if not view.ttl:
            return value
        is_fresh = at_least(of(relation, "known_time"), days_before("s.ts", view.ttl))
        return grouped(all_of(value, is_fresh)) if attribute.how == "is_known" else case(when=is_fresh, then=value)

    def _share(self, name: ColumnName) -> str:
        """The share of the window since the customer opened; 0 of one whom the bank does not know at ts."""
        if name.window is None:
            raise TypeError("a history share has a window")
        opened = of(_then(self.project.entity.source), "event_time")
        start = cast(window_start(name.window, "s.ts", self.dialect), "DATE")
        span = op("days_between", self.dialect, start, _DAY)
        tenure = op("days_between", self.dialect, cast(opened, "DATE"), _DAY)
        share = Number(cast(call("LEAST", span, tenure), "DOUBLE")) / span
        return case(when=before(opened, "s.ts"), then=share, otherwise=0)


def _then(source: str) -> str:
    """The name of a source's newest version in the final SELECT."""
    return f"{source}__then"
