"""Unreconciled: whose aggregates are unknown, since a reconciliation finds a break in an account of theirs.

    ──────[ day ─ break? )───────┊ t
     rows with known_time < t

A tile adds up all rows of a customer, whatever their accounts. So a break makes the customer's column null, and takes
no rows out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.define.window import ColumnName
from tenure.sql.expressions import before, case, each_of, is_null, named, of
from tenure.sql.query import Cte, Join, Query, Select
from tenure.tables.reconcile import broken_accounts
from tenure.tables.visible import same, visible_at


@dataclass(frozen=True)
class Unreconciled:
    """The customers with a row of `source` in an account of which `ledger` finds a break, at each instant.

    `instant` names their column of it: snapshot_date, or another where `instants` lists them.
    """

    project: Project
    dialect: Dialect
    source: str
    ledger: Reconciliation
    instant: str = "snapshot_date"

    @property
    def relation(self) -> str:
        """The relation of the customers."""
        return f"{self.source}__broken_by_{self.ledger.name}"

    @property
    def row(self) -> tuple[str, ...]:
        """The key of a customer at an instant."""
        return (*self.project.entity.keys, self.instant)

    def select(self, instants: Query | None = None) -> Select:
        """Return the customers, each at an instant once.

        It reads relation `dates`, of snapshot_date and t; `instants`, if given, is the SELECT that stands for it.
        """
        dates = [Cte("dates", "the instants that are asked for", instants)] if instants else []
        broken = broken_accounts(self.project, self.ledger, self.dialect, seen_at="d.t", until="d.t")
        said = f"accounts of which '{self.ledger.name}' finds a break of a day before t, in the rows known before it"
        in_broken = [same(self.ledger.accounts, "b", "r"), same(("snapshot_date",), "b", "d")]
        found = Query(
            comment=f"customers with rows of {self.source} in accounts of which '{self.ledger.name}' finds a break",
            ctes=[*dates, Cte("broken_accounts", said, broken)],
            distinct=True,
            columns=[*each_of("r", self.project.entity.keys), named("d.snapshot_date", self.instant)],
            source=self.source,
            alias="r",
            joins=[
                Join("dates", alias="d", on=[before("r.event_time", "d.t"), visible_at("d.t")]),
                Join("broken_accounts", alias="b", on=in_broken),
            ],
        )
        return found.as_table(self.relation, reads=[self.source, *self.ledger.reads])

    def joined(self, rows: str) -> Join:
        """Return the join of rows that have the customer and the instant."""
        return Join(self.relation, kind="LEFT", on=same(self.row, self.relation, rows))

    def known(self, value: str) -> str:
        """Return a value of the rows so joined: null where a break makes it unknown."""
        return case(when=is_null(of(self.relation, self.instant)), then=value)


@dataclass(frozen=True)
class Masks:
    """A project's columns that a break makes unknown, each with the customers of whom it does."""

    by_column: dict[ColumnName, Unreconciled]

    @classmethod
    def of(cls, project: Project, dialect: Dialect, instant: str = "snapshot_date") -> Masks:
        """Return those of a project's aggregates."""
        found: dict[ColumnName, Unreconciled] = {}
        for view in project.views.values():
            for feature in view.aggregates:
                if feature.reconciled:
                    ledger = project.reconciliations[feature.reconciled]
                    broken = Unreconciled(project, dialect, view.source, ledger, instant)
                    found.update(dict.fromkeys(feature.columns, broken))
        return cls(found)

    @property
    def each(self) -> Sequence[Unreconciled]:
        """Each relation of customers once."""
        return list({one.relation: one for one in self.by_column.values()}.values())

    def selects(self, instants: Query | None = None) -> list[Select]:
        """Return the relations to cache."""
        return [one.select(instants) for one in self.each]

    def joins(self, rows: str) -> Iterable[Join]:
        """Return the joins of rows to every relation."""
        return [one.joined(rows) for one in self.each]

    def over(self, measured: dict[ColumnName, str]) -> dict[ColumnName, str]:
        """Return the columns' expressions, null where a break makes the column unknown."""
        masks = self.by_column
        return {name: masks[name].known(value) if name in masks else value for name, value in measured.items()}
