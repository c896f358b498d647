"""The reconciliation's page: what bookings do not explain, the worst breaks first, each with its bookings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tenure.define.reconciliation import KINDS
from tenure.publish.pages import pages


@dataclass(frozen=True)
class Booking:
    """One booking that a break counts; its key by its shape if that is personal, its balance None if it has none."""

    key: str
    booked_on: date
    moved: Decimal
    balance_after: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Break:
    """An account and day whose bookings do not explain its balance; amounts are None where none is known."""

    account: str
    day: date
    from_day: date | None
    kind: str
    opening: Decimal | None
    net: Decimal
    expected: Decimal | None
    balance: Decimal | None
    difference: Decimal | None
    missing_balances: int
    bookings: int
    shown: tuple[Booking, ...]


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a reconciliation came to: days and accounts held against balances, breaks by kind, and the worst."""

    name: str
    doc: str
    unit: str
    days: int
    unchecked: int
    breaks: int
    accounts: int
    broken_accounts: int
    unreconciled_accounts: int
    kinds: dict[str, int]
    worst: tuple[Break, ...]

    @property
    def words(self) -> str:
        """The totals as a clause: 'ledger: 32 breaks on 39,960 account-days, 30 of 1,229 accounts'."""
        many = "1 break" if self.breaks == 1 else f"{self.breaks:,} breaks"
        return (
            f"{self.name}: {many} on {self.days:,} account-days, {self.broken_accounts:,} of {self.accounts:,} accounts"
        )


def reconciliation_page(project: str, ledgers: Sequence[Reconciled]) -> str:
    """Return the page: HTML with its style inside, no script, nothing to fetch."""
    return pages().get_template("reconciliation.html.j2").render(project=project, ledgers=ledgers, kinds=KINDS)
