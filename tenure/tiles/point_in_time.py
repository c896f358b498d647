"""Point in time: features of any rows of keys and instants, one row out for each row in.

 known_time < ts ──────────────────────┐
   ──[ ts − 90d ··········· ts )───────┊ ts      the newest version known before ts; older than `ttl` reads as null

Attributes come by an as-of join. Aggregates come by tiles (`features.py`) where every instant is the midnight of one
of few days, else by joining each point with its rows (`at_instants.py`); both give the stored features' answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.feature import Attribute, FeatureView
from tenure.define.narrowing import narrowed
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.sql import Dialect, Select, column_list, op, with_ctes
from tenure.sql.dialects import JOINS_AS_OF
from tenure.tables.visible import days_before, qualified, same
from tenure.tiles.at_instants import ANSWERS, ASKED, POINTS, AtInstants, window_start
from tenure.tiles.columns import reading
from tenure.tiles.features import FeatureSteps


@dataclass(frozen=True)
class Range:
    """One range of the aggregates: relations to hold, then the SELECT of its answers."""

    cached: tuple[Select, ...]
    answers: Select


class PointInTime:
    """How `columns` are made for the rows of relation `asked_rows`: row_no, the entity's keys, ts.

    `dates` are the days asked for where every ts is a midnight: aggregates then come by tiles. Without them, ts may be
    any instants.
    """

    def __init__(
        self, project: Project, dialect: Dialect, columns: Sequence[ColumnName], dates: Sequence[date] = ()
    ) -> None:
        self.project, self.dialect, self.columns = project, dialect, tuple(columns)
        self.keys = project.entity.keys
        self._attributes: dict[ColumnName, tuple[FeatureView, Attribute]] = {
            ColumnName(attribute.name): (view, attribute)
            for view in project.views.values()
            for attribute in view.attributes
            if ColumnName(attribute.name) in self.columns
        }
        self._shares = [c for c in columns if c.subject == "history" and c.aggregate == "share"]
        self.aggregated = [c for c in columns if c not in self._attributes and c not in self._shares]
        self._project = narrowed(project, self.aggregated)
        self._tiled = FeatureSteps(self._project, dialect, dates) if dates and self.aggregated else None
        self._instants = AtInstants(self._project, dialect)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that are read, and no others."""
        described = [view.source for view, _ in self._attributes.values()]
        entity = [self.project.entity.source] if self._shares else []
        return tuple(dict.fromkeys([*described, *entity, *(v.source for v in self._project.views.values())]))

    @property
    def snapshots(self) -> Select | None:
        """The relation `snapshots` that tiles are made for, or None where they are not used."""
        if self._tiled is None:
            return None
        day = "CAST(s.ts AS DATE)"
        known = " AND ".join(f"s.{key} IS NOT NULL" for key in self.keys)
        text = (
            "-- each key and day asked for, once; shares of history are told from the customers' own rows\n"
            f"SELECT DISTINCT {qualified(self.keys, 's')}, {day} AS snapshot_date, {day} AS opened_on,\n"
            f"    CAST(0 AS BIGINT) AS tenure_days\nFROM {ASKED} AS s\nWHERE {known}"
        )
        return Select("snapshots", text, (ASKED,))

    @property
    def cached(self) -> list[Select]:
        """The relations that every range of the aggregates reads."""
        if not self.aggregated:
            return []
        return self._tiled.cached if self._tiled else [self._instants.points]

    @property
    def counted(self) -> str:
        """The SELECT of how many customers, or points, the ranges divide, as `n`."""
        if self._tiled:
            return f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT {', '.join(self.keys)} FROM snapshots) AS customers"
        return f"SELECT COALESCE(MAX(point_no) + 1, 0) AS n FROM {POINTS}"

    def range(self, numbers: str = ">= 0") -> Range:
        """Return what makes the aggregates of the customers, or points, whose number meets the condition."""
        if self._tiled:
            final = self._tiled.final()
            wanted = column_list([*self.keys, "snapshot_date", *(str(c) for c in self.aggregated)])
            text = f"SELECT\n{wanted}\nFROM (\n{final.text}\n) AS features"
            return Range(tuple(self._tiled.ranged(numbers)), Select(ANSWERS, text, final.reads))
        return Range((), self._instants.final(numbers))

    def final(self) -> Select:
        """Return row_no and every asked column, in the order of row_no."""
        told = self.project.columns
        relations = dict.fromkeys([v.source for v, _ in self._attributes.values()])
        if self._shares:
            relations[self.project.entity.source] = None
        ctes, joins = [], []
        for source in relations:
            cte, join = self._newest(source)
            ctes += cte
            joins.append(join)
        if self.aggregated:
            instant = ("CAST(s.ts AS DATE)", "snapshot_date") if self._tiled else ("s.ts", "ts")
            joins.append(
                f"LEFT JOIN {ANSWERS} AS w\n  ON {same(self.keys, 'w', 's')} AND w.{instant[1]} = {instant[0]}"
            )
        expressions: Mapping[ColumnName, str] = {
            **{name: self._described(*of) for name, of in self._attributes.items()},
            **{name: self._share(name) for name in self._shares},
            **{name: self._answered(name) for name in self.aggregated},
        }
        columns = [(f"{expressions[name]} AS {name}", told[name].text) for name in self.columns]
        text = "\n".join(
            [f"SELECT\n{column_list(['s.row_no', *columns])}\nFROM {ASKED} AS s", *joins, "ORDER BY s.row_no"]
        )
        return Select("historical_features", with_ctes(ctes, text) if ctes else text, (ASKED, *self.reads))

    def _answered(self, name: ColumnName) -> str:
        """A column of the aggregates; where nobody was asked, what nothing gives: a sum may be null for its size."""
        of_nothing = self.project.columns[name].empty.startswith("0")
        nobody = f"w.{'snapshot_date' if self._tiled else 'ts'} IS NULL"
        return f"CASE WHEN {nobody} THEN 0 ELSE w.{name} END" if of_nothing else f"w.{name}"

    def _read_of(self, source: str) -> list[str]:
        """The columns that are taken of a source's newest version."""
        read = [a.of for view, a in self._attributes.values() if view.source == source]
        if self._shares and source == self.project.entity.source:
            read.append("event_time")
        return list(dict.fromkeys(read))

    def _newest(self, source: str) -> tuple[list[tuple[str, str, str]], str]:
        """The newest version known before ts: the CTEs that it needs, and its join with the rows asked for."""
        relation = _then(source)
        if JOINS_AS_OF[self.dialect]:
            return [], (
                f"-- {source} as known before ts\nASOF LEFT JOIN {source} AS {relation}\n"
                f"  ON {same(self.keys, relation, 's')} AND s.ts > {relation}.known_time"
            )
        keys, read = ", ".join(self.keys), ["known_time", *self._read_of(source)]
        fields = ", ".join(f"'{name}', {name}" for name in read)
        # At one instant the row asked for comes first (side 0): what is known at ts is not known before it.
        body = (
            f"SELECT row_no, {', '.join(f'newest.{name} AS {name}' for name in read)}\nFROM (\n"
            f"    SELECT row_no, LAST_VALUE(version, TRUE) OVER (\n        PARTITION BY {keys} ORDER BY at, side\n"
            "        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW\n    ) AS newest\n    FROM (\n"
            f"        SELECT {keys}, ts AS at, 0 AS side, row_no, NULL AS version FROM {ASKED}\n        UNION ALL\n"
            f"        SELECT {keys}, known_time, 1, CAST(NULL AS BIGINT), named_struct({fields}) FROM {source}\n"
            "    ) AS both_sides\n) AS carried\nWHERE row_no IS NOT NULL"
        )
        cte = (relation, f"{source} as known before ts, carried to each row asked for", body)
        return [cte], f"LEFT JOIN {relation}\n  ON {relation}.row_no = s.row_no"

    def _described(self, view: FeatureView, attribute: Attribute) -> str:
        """An attribute of the newest version, null (or unknown) where that is older than the view's ttl."""
        relation = _then(view.source)
        source = self.project.sources[view.source]
        value = reading(source, attribute, relation, self.dialect, "CAST(s.ts AS DATE)")
        if not view.ttl:
            return value
        fresh = f"{relation}.known_time >= {days_before('s.ts', view.ttl)}"
        return f"({value} AND {fresh})" if attribute.how == "is_known" else f"CASE WHEN {fresh} THEN {value} END"

    def _share(self, name: ColumnName) -> str:
        """The share of the window since the customer opened; 0 of one whom the bank does not know at ts."""
        if name.window is None:
            raise TypeError("a history share has a window")
        opened, day = f"{_then(self.project.entity.source)}.event_time", "CAST(s.ts AS DATE)"
        start = f"CAST({window_start(name.window, 's.ts', self.dialect)} AS DATE)"
        span = op("days_between", self.dialect, start, day)
        tenure = op("days_between", self.dialect, f"CAST({opened} AS DATE)", day)
        return f"CASE WHEN {opened} < s.ts THEN CAST(LEAST({span}, {tenure}) AS DOUBLE) / {span} ELSE 0 END"


def _then(source: str) -> str:
    """The name by which the final SELECT calls the newest version of a source's row."""
    return f"{source}__then"
