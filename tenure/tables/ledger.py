"""Ledger: a reconciliation in one dialect, and its bookings with what each of them moves."""

from __future__ import annotations

from dataclasses import dataclass

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.sql.expressions import (
    at_most,
    call,
    case,
    cast,
    coalesce,
    each_of,
    is_not_null,
    named,
    of,
    over_partitions,
)
from tenure.sql.query import Column, Join, Query
from tenure.tables.conditions import condition_on
from tenure.tables.finish import struct
from tenure.tables.visible import visible_at

#: The type that money is added up in.
MONEY = "DECIMAL(38, 2)"

#: What every form says of an account and day, in order, behind the account's columns.
SAID = (
    "ledger_day",
    "bookings",
    "opening",
    "net",
    "expected",
    "balance",
    "difference",
    "outcome",
    "from_day",
    "missing_balances",
)


@dataclass(frozen=True)
class Ledger:
    """A reconciliation of a project in one dialect, with what its SELECTs ask for again and again.

    It is that of the newest rows. Given `seen_at`, an instant of `dates AS d`, it is one for each of these, of the rows
    that are known then: an account is then an account at a snapshot, and all else is the same.
    """

    project: Project
    defined: Reconciliation
    dialect: Dialect
    seen_at: str = ""

    @property
    def snapshot(self) -> tuple[str, ...]:
        """The column that tells the snapshots apart, if there are any."""
        return ("snapshot_date",) if self.seen_at else ()

    @property
    def accounts(self) -> tuple[str, ...]:
        """The account's columns."""
        return (*self.defined.accounts, *self.snapshot)

    @property
    def accounts_of_rows(self) -> list[str]:
        """The account's columns of rows of a source, `r`."""
        return [*each_of("r", self.defined.accounts), *each_of("d", self.snapshot)]

    @property
    def seen(self) -> list[Join]:
        """The join of rows to the instants that see them."""
        return [Join("dates", alias="d", on=visible_at(self.seen_at))] if self.seen_at else []

    @property
    def is_seen(self) -> list[str]:
        """The condition on rows that are joined to no instant: they are the newest versions."""
        return [] if self.seen_at else ["r.known_until IS NULL"]

    @property
    def day(self) -> tuple[str, ...]:
        """The key of an account and day."""
        return (*self.accounts, "ledger_day")

    @property
    def bookings(self) -> Source:
        """The source of bookings."""
        return self.project.sources[self.defined.bookings]

    @property
    def balances(self) -> Source:
        """The source of balances that have a table of their own."""
        return self.project.sources[self.defined.balances]

    @property
    def most_apart(self) -> str:
        """The tolerance."""
        return cast(self.defined.most_apart, MONEY)

    @property
    def begins(self) -> str:
        """What an account's first day opens with."""
        return cast(0 if self.defined.opening == "zero" else "NULL", MONEY)

    def is_near(self, distance: str) -> str:
        """Return whether a distance is within the tolerance."""
        return at_most(call("ABS", distance), self.most_apart)

    def in_order(self, function: str) -> str:
        """Return a window function over the days of an account."""
        return over_partitions(function, self.accounts, ["ledger_day"])


def booked(ledger: Ledger) -> Query:
    """Return each booking, in its newest version, with its day and what it moves."""
    defined, source = ledger.defined, ledger.bookings
    amount = coalesce(cast(of("r", defined.amount), MONEY), 0)
    moved = amount
    if defined.credit:
        asked_by = f"reconciliation '{defined.name}' ({defined.where_defined})"
        is_credit = condition_on(source, defined.credit, ledger.dialect, asked_by=asked_by)
        moved = case(when=is_credit, then=amount, otherwise=f"-{amount}")
    day = of("r", defined.day or "event_time")
    place = struct(place_of(source), ledger.dialect)
    own_balance = [] if defined.balances else [named(cast(of("r", defined.balance), MONEY), "balance_after")]
    return Query(
        columns=ledger.accounts_of_rows,
        lines=[
            named(cast(day, "DATE"), "ledger_day"),
            Column(cast(moved, MONEY), "moved"),
            *own_balance,
            Column(place, "place", "the order of rows: by time, then by key"),
            "r.known_time",
        ],
        source=source.name,
        alias="r",
        joins=ledger.seen,
        where=[*ledger.is_seen, *map(is_not_null, (*each_of("r", defined.accounts), day))],
    )


def place_of(source: Source) -> list[tuple[str, object]]:
    """Return what orders rows: the event time, and the key."""
    return [("at", "r.event_time"), *((f"k{number}", of("r", key)) for number, key in enumerate(source.keys))]
