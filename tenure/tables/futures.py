"""Futures: several destroyed futures of the same customers side by side, told apart by one more column of the key.

    future 0: the rows as if nothing known at t₁ or later had happened      read at t₁
    future 1: the same, but all that was known later is wrong               read at t₁
    future 2: as 0, of t₂                                                   read at t₂ …

The tables are then made once, by the same SELECTs, of customers who are (key, future): one run proves them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from tenure.define.project import Project
from tenure.define.source import Column
from tenure.sql import Dialect, Select, column_list, date_literal
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
        parts = [
            f"SELECT\n{column_list([*columns, f'CAST({number} AS BIGINT) AS {self.column}'])}\nFROM (\n"
            f"{destroyed(source, relation, day, how, dialect)}\n) AS future_{number}"
            for number, (day, how) in enumerate(self.all)
        ]
        names = column_list([*columns, self.column])
        union = "\nUNION ALL\n".join(parts)
        return Select(name, f"SELECT {ONE_PART}\n{names}\nFROM (\n{union}\n) AS all_futures", (relation,))

    def snapshots(self, dialect: Dialect) -> Select:
        """Return the snapshots of every future at its own date."""
        made = snapshots(self.split, dialect, self.dates)
        names = column_list([*self.split.entity.keys, "snapshot_date", "opened_on", "tenure_days"])
        own = " OR ".join(
            f"({self.column} = {number} AND snapshot_date = {date_literal(day)})"
            for number, (day, _) in enumerate(self.all)
        )
        return Select("snapshots", f"SELECT\n{names}\nFROM (\n{made.text}\n) AS all_futures\nWHERE {own}", made.reads)
