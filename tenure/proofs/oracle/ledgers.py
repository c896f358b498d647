"""Ledgers in plain and slow Python: which days of which accounts are broken, of rows that are given.

Nothing of `tenure.tables` is read, so a fault there shows as an account that differs.

    account ──► its days in order ──► each opens with what met the one before ──► met, or broken
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any, TypeAlias

from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.proofs.oracle.rules import Row, grouped, instant, key_of

#: An account, as the values of its columns.
Account: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Books:
    """A reconciliation with the rows that are held against each other, and which bookings add."""

    project: Project
    defined: Reconciliation
    bookings: Sequence[Row]
    balances: Sequence[Row]
    is_credit: Callable[[Row], bool]

    def breaks(self) -> Iterator[tuple[Account, date]]:
        """Yield each account and day that is broken."""
        walk = self._stated_breaks if self.defined.balances else self._running_breaks
        bookings = self._by_account(row for row in self.bookings if self._day(row) is not None)
        balances = self._by_account(row for row in self.balances if row[self.defined.balance] is not None)
        for account in {**bookings, **balances}:
            for day in walk(bookings.get(account, []), balances.get(account, [])):
                yield account, day

    def _by_account(self, rows: Iterable[Row]) -> dict[Account, list[Row]]:
        accounts = self.defined.accounts
        return grouped([row for row in rows if None not in key_of(row, accounts)], accounts)

    def _running_breaks(self, bookings: Sequence[Row], _: Sequence[Row]) -> Iterator[date]:
        """A day is met by any of the balances of its bookings; after a break the last row's opens the next."""
        carried, by_day = self._begins, dict[date, list[Row]]()
        for row in sorted(bookings, key=self._place("bookings")):
            by_day.setdefault(self._day(row), []).append(row)
        for day in sorted(by_day):
            rows = by_day[day]
            stated = [money(row[self.defined.balance]) for row in rows if row[self.defined.balance] is not None]
            last = stated[-1] if stated else None
            if carried is None:
                carried = last
                continue
            wanted = carried + sum(map(self._moved, rows))
            met = min(stated, key=lambda balance: (abs(balance - wanted), balance), default=wanted)
            if self._is_near(met - wanted):
                carried = met
            else:
                carried = last
                yield day

    def _stated_breaks(self, bookings: Sequence[Row], balances: Sequence[Row]) -> Iterator[date]:
        """From one balance to the next: what is too much in one and missing in the next is one break."""
        begun, before, off, place = self._begins, None, Decimal(0), 0
        held = {self._stated_day(row): money(row[self.defined.balance]) for row in sorted(balances, key=self._place())}
        booked = [(self._day(row), self._moved(row)) for row in bookings if self._day(row) <= self._last_stated]
        for end in (*sorted(held), None):
            mine = [(day, moved) for day, moved in booked if _lies_in(day, before, end)]
            if end is None and not mine:
                continue
            last = end or max(day for day, _ in mine)
            balance = held.get(last) if end else None
            missing = self._missing(before, last, [day for day, _ in mine], has_balance=end is not None)
            difference = Decimal(0)
            if begun is not None and balance is not None:
                difference = balance - begun - sum(moved for _, moved in mine)
            makes_up = not (self._is_near(difference) or self._is_near(off)) and self._is_near(difference + off)
            place = place + 1 if makes_up else 1
            if missing > 0 or not (self._is_near(difference) or place % 2 == 0):
                yield last
            begun, before, off = balance, last, difference

    def _missing(self, before: date | None, last: date, days: Sequence[date], *, has_balance: bool) -> int:
        """How many balances that are due are not there, up to that of a day or the last booking."""
        if not self.defined.every:
            return 0
        if before is not None:
            return self._apart(before, last) - has_balance
        if not has_balance:
            return self._apart(min(days), last) + 1
        return self._apart(min(days), last) if days and self.defined.opening == "zero" else 0

    def _apart(self, earlier: date, later: date) -> int:
        if self.defined.every == "day":
            return (later - earlier).days
        return (later.year - earlier.year) * 12 + later.month - earlier.month

    @property
    def _begins(self) -> Decimal | None:
        return Decimal(0) if self.defined.opening == "zero" else None

    @cached_property
    def _last_stated(self) -> date:
        """The last day of which any account has a balance."""
        stated = [row for row in self.balances if row[self.defined.balance] is not None]
        return max(map(self._stated_day, stated), default=date.min)

    def _stated_day(self, row: Row) -> date:
        return instant(row["event_time"]).date()

    def _day(self, row: Row) -> Any:
        day = row[self.defined.day or "event_time"]
        return None if day is None else instant(day).date()

    def _moved(self, row: Row) -> Decimal:
        amount = money(row[self.defined.amount] or 0)
        return amount if self.is_credit(row) else -amount

    def _is_near(self, distance: Decimal) -> bool:
        return abs(distance) <= self.defined.most_apart

    def _place(self, side: str = "balances") -> Callable[[Row], tuple[Any, ...]]:
        """What orders rows: the event time, and the key."""
        keys = self.project.sources[getattr(self.defined, side)].keys
        return lambda row: (row["event_time"], *key_of(row, keys))


def money(value: Any) -> Decimal:
    """Return an amount as it is added up: with two decimals."""
    return Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _lies_in(day: date, before: date | None, end: date | None) -> bool:
    """Before ──(···· day ····]── end; without one of them, on that side open."""
    return (before is None or day > before) and (end is None or day <= end)
