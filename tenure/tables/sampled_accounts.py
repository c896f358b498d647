"""Rows of sampled accounts: what tells whether an account of a sampled customer has a break, and no more.

the customer's rows ──► their accounts ──► all rows of these, of whomever
                                           and a balance of each day, which tells what is due
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.sql.expressions import any_of, call, cast, each_of, equal, is_not_null, named, of
from tenure.sql.query import Join, Query, union_all, within_parentheses
from tenure.tables.finish import struct
from tenure.tables.sample import ONE_PART, SAMPLED
from tenure.tables.visible import same


@dataclass(frozen=True)
class SampledAccounts:
    """The rows by which a project's features are reconciled, of the accounts of the customers in relation SAMPLED.

    `staged` returns the relation of all staged rows of a source.
    """

    project: Project
    dialect: Dialect
    staged: Callable[[str], str]

    def rows(self, name: str) -> str:
        """Return the rows of a source that a reconciliation of features reads.

        Those of the sampled customers and of their accounts; and of balances the first that was known of each day: the
        last day of which any account has a balance is then what it is of all rows.
        """
        source, joins, wanted = self.project.sources[name], list[Join](), list[str]()
        if self._has_customer(source):
            keys = self.project.entity.keys
            joins.append(Join(SAMPLED, alias="c", on=same(keys, "c", "r"), kind="LEFT"))
            wanted.append(is_not_null(of("c", keys[0])))
        for number, ledger in enumerate(self.project.reconciling):
            if name in ledger.reads:
                account, alias = ledger.accounts, f"a{number}"
                joins.append(Join(self._owned(ledger), alias=alias, on=same(account, alias, "r"), kind="LEFT"))
                wanted.append(is_not_null(of(alias, account[0])))
            if name == ledger.balances:
                joins.append(self._first_of_days(ledger, f"d{number}"))
                wanted.append(is_not_null(of(f"d{number}", "first_known")))
        rows = Query(
            hint=ONE_PART,
            lines=each_of("r", [*source.column_names, "event_time", "known_time", "known_until"]),
            source=self.staged(name),
            alias="r",
            joins=joins,
            where=any_of(*wanted),
        )
        return rows.text

    def _has_customer(self, source: Source) -> bool:
        return set(self.project.entity.keys) <= set(source.column_names)

    def _owned(self, ledger: Reconciliation) -> str:
        """The accounts of rows of sampled customers, each once."""
        keys, parts = self.project.entity.keys, list[Query]()
        for name in ledger.reads:
            if self._has_customer(self.project.sources[name]):
                sampled = Join(SAMPLED, alias="c", on=same(keys, "c", "r"))
                accounts = each_of("r", ledger.accounts)
                parts.append(Query(columns=accounts, source=self.staged(name), alias="r", joins=[sampled]))
        every = within_parentheses(union_all(parts))
        return within_parentheses(Query(distinct=True, columns=ledger.accounts, source=every, alias="owned").text)

    def _first_of_days(self, ledger: Reconciliation, alias: str) -> Join:
        """The join of balances to the one of each day that was known first."""
        source = self.project.sources[ledger.balances]
        first = Query(
            columns=[named(call("MIN", self._place(source)), "first_known")],
            source=self.staged(source.name),
            alias="r",
            where=is_not_null(of("r", ledger.balance)),
            group_by=[cast("r.event_time", "DATE")],
        )
        is_first = equal(of(alias, "first_known"), self._place(source))
        return Join(within_parentheses(first.text), alias=alias, on=is_first, kind="LEFT")

    def _place(self, source: Source) -> str:
        """What tells the versions of rows `r` apart: since when they are known, and the key."""
        names = ("known_time", *source.keys)
        return struct([(f"p{number}", of("r", name)) for number, name in enumerate(names)], self.dialect)
