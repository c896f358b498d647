"""Futures: several destroyed futures of the same customers side by side, told apart by one more column of the key.

    future 0: the rows as if nothing known at t₁ or later had happened      read at t₁
    future 1: the same, but all that was known later is wrong               read at t₁
    future 2: as 0, of t₂                                                   read at t₂ …

The tables are then made once, by the same SELECTs, of customers who are (key, future): one run proves them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.source import Column
from tenure.sql.dialects import date_literal
from tenure.sql.expressions import all_of, cast, either, equal, grouped, named
from tenure.sql.query import Query, Select, union_all, within_parentheses
from tenure.tables.sample import ONE_PART
from tenure.tables.snapshots import snapshots
from tenure.tables.time_travel import DESTRUCTIONS, Destruction, destroyed


@dataclass(frozen=True)
class Futures:
    """Every destruction of every date's future, for the sources that features read."""

    project: Project
    dates: tuple[date, ...]

    @property
    def all(self) -> list[tuple[date, Destruction]]:
        """The futures by their number."""
        return [(day, how) for day in self.dates for how in DESTRUCTIONS]

    @property
    def column(self) -> str:
        """The name of the column that numbers them: one that no source has."""
        taken = {column.name for source in self.project.sources.values() for column in source.columns}
        return next(name for name in (f"future{'_' * n}no" for n in range(1, 64)) if name not in taken)

    @property
    def split(self) -> Project:
        """The project whose customer is a customer in one future."""
        entity = replace(self.project.entity, key=(*self.project.entity.keys, self.column))
        extra = Column(self.column, type="integer", role="key")
        keys = set(self.project.entity.keys)
        sources = {
            name: replace(source, columns=(*source.columns, extra))
            if keys <= {column.name for column in source.columns}
            else source
            for name, source in self.project.sources.items()
        }
        return replace(self.project, entity=entity, sources=sources)

    def rows(self, name: str, relation: str, dialect: Dialect) -> Select:
        """Return the rows of source `name`, staged in `relation`, in every future."""
        source = self.project.sources[name]
        columns = [*(column.name for column in source.columns), "event_time", "known_time", "known_until"]
        futures = [
            Query(
                lines=[*columns, named(cast(number, "BIGINT"), self.column)],
                source=within_parentheses(destroyed(source, relation, day, how, dialect)),
                alias=f"future_{number}",
            )
            for number, (day, how) in enumerate(self.all)
        ]
        rows = Query(
            hint=ONE_PART,
            lines=[*columns, self.column],
            source=within_parentheses(union_all(futures)),
            alias="all_futures",
        )
        return rows.as_table(name, reads=[relation])

    def snapshots(self, dialect: Dialect) -> Select:
        """Return the snapshots of every future at its own date."""
        made = snapshots(self.split, dialect, self.dates)
        own = [
            grouped(all_of(equal(self.column, number), equal("snapshot_date", date_literal(day))))
            for number, (day, _) in enumerate(self.all)
        ]
        rows = Query(
            lines=[*self.split.entity.keys, "snapshot_date", "opened_on", "tenure_days"],
            source=within_parentheses(made.text),
            alias="all_futures",
            where=either(*own),
        )
        return rows.as_table("snapshots", reads=made.reads)
