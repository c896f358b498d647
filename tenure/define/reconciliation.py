"""Reconciliation: whether an account's bookings explain its balances, day by day, whatever their order within a day.

    opening + the day's bookings = the balance that meets it ──► opens the next day

Two forms: each booking carries the balance after it, or balances stand in a table of their own, daily or monthly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Literal

from tenure.define.naming import check_name, definition_place, invalid, with_place
from tenure.define.shape import NAME, TEXT, Allowed, check_shape, either, list_of, named, one_of
from tenure.define.source import Column, Source, refused_protected
from tenure.errors import InvalidDefinition, UnknownColumn, choices

#: What an account's first day opens with: 0, or what nobody knows, so that its first balance is taken as it is.
OPENINGS = ("zero", "unknown")

#: How often a balance is due in a table of balances; '' where that is not judged.
EVERY = ("", "day", "month")

#: What a day came to: its balance is met, or not; its opening, or its balance, is not known.
OUTCOMES = ("met", "broken", "opened", "unchecked")

#: What a break looks like → in words.
KINDS = {
    "sign": "a booking counts with the other sign",
    "duplicate": "a booking stands there twice",
    "other_day": "a booking counts on another day",
    "extra": "a booking that the balance does not hold",
    "wrong_balance": "a balance that the next one does not follow from",
    "after_break": "met if it opened with another balance of the broken day before",
    "opening": "the account did not open with 0",
    "gap": "balances are missing",
    "missing": "bookings are missing",
}


def _is_tolerance(value: object) -> bool:
    """Whether a value is an amount of 0 or more with at most two decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return False
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return False
    return exact.is_finite() and 0 <= exact < 10**9 and exact == round(exact, 2)


_ACCOUNT = either("a column's name, or a list of them", NAME, list_of(NAME, least=1))
_TOLERANCE = Allowed("an amount of 0 or more with at most two decimals, such as 0.01", _is_tolerance)


@dataclass(frozen=True)
class Reconciliation:
    """Bookings against balances, by account and day.

    `bookings` is the source of bookings and `account` the account's columns in it. `amount` is what a booking moves:
    added where the condition `credit` holds and subtracted where not; without `credit` it carries its own sign.
    `balance` is the balance after each booking. If `balances` names another source, it is that source's column: the
    balance when a day ends, which is that of the source's event time. `day` is the bookings' column of the day by which
    the balance counts them, such as the posting date where the value date is another; of the event time if left out.
    `every` says how often a balance is due: "day" or "month"; a missing one is then a break. `opening` is what an
    account's first day opens with: "zero", or "unknown" where the data begin within its life. Balances may be off by
    `tolerance`, in the unit of the amount.
    """

    name: str
    bookings: str = field(kw_only=True)
    account: str | Sequence[str] = field(kw_only=True)
    amount: str = field(kw_only=True)
    balance: str = field(kw_only=True)
    credit: str = field(default="", kw_only=True)
    balances: str = field(default="", kw_only=True)
    day: str = field(default="", kw_only=True)
    every: Literal["", "day", "month"] = field(default="", kw_only=True)
    opening: Literal["zero", "unknown"] = field(default="zero", kw_only=True)
    tolerance: float | Decimal | str = field(default=0, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        names = dict.fromkeys(("bookings", "amount", "balance"), NAME)
        texts = dict.fromkeys(("credit", "balances", "day", "doc"), TEXT)
        check_shape(
            named("reconciliation", self.name),
            self,
            account=_ACCOUNT,
            tolerance=_TOLERANCE,
            every=Allowed("'day', 'month', or '' where it is not judged", one_of(EVERY).test),
            opening=one_of(OPENINGS),
            **names,
            **texts,
        )
        object.__setattr__(self, "account", (self.account,) if isinstance(self.account, str) else tuple(self.account))
        check_name("reconciliation", self.name, where=self.where_defined)
        if self.every and not self.balances:
            raise invalid(
                "reconciliation",
                self,
                f"has every='{self.every}' without balances=",
                ": a balance on each booking is due when something is booked",
            )

    @property
    def accounts(self) -> tuple[str, ...]:
        """The account's columns."""
        return tuple(self.account)

    @property
    def most_apart(self) -> Decimal:
        """How far a balance may be from what its bookings explain."""
        return Decimal(str(self.tolerance))

    @property
    def days_relation(self) -> str:
        """The relation of its result by account and day."""
        return f"reconciliation_{self.name}"

    @property
    def accounts_relation(self) -> str:
        """The relation of its result by account."""
        return f"reconciled_accounts_{self.name}"

    @property
    def tables(self) -> dict[str, str]:
        """The relations of its results → where they are stored."""
        return {
            self.days_relation: f"reconciliation/{self.name}",
            self.accounts_relation: f"reconciled_accounts/{self.name}",
        }

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that it reads."""
        return (self.bookings, self.balances) if self.balances else (self.bookings,)

    def columns_of(self, source: str) -> tuple[str, ...]:
        """Return the columns that it reads of one of its sources, beside keys, times and what `credit` reads."""
        names = [*self.accounts]
        if source == self.bookings:
            names += [self.amount, *([self.day] if self.day else [])]
        if source == self.reads[-1]:
            names.append(self.balance)
        return tuple(names)

    def require_reads(self, source: str, *, asked_by: str) -> None:
        """Raise InvalidDefinition, naming who asked, if it does not read the source so named."""
        if source not in self.reads:
            raise InvalidDefinition(
                f"{asked_by} counts only rows of source '{source}' whose account reconciliation '{self.name}' finds no "
                f"break of, but that reads: {choices(self.reads)} ({self.where_defined}).",
                hint="Name a Reconciliation that reads the source, or leave reconciled= out.",
            )

    def validate(self, source: Callable[[str, str], Source]) -> None:
        """Raise UnknownSource, UnknownColumn or InvalidDefinition where the bank does not have what it needs.

        `source` returns the source so named, for who asks.
        """
        asked_by = with_place("reconciliation", self)
        bookings = source(self.bookings, asked_by)
        holder = source(self.balances, asked_by) if self.balances else bookings
        for held_by, name in ((bookings, self.amount), (holder, self.balance)):
            column = self._column(held_by, name)
            if column.role == "protected":
                raise refused_protected(f"{asked_by} reads '{name}' of source '{held_by.name}'")
            if column.type not in ("integer", "decimal") or column.is_personal:
                says = f"reads '{name}' of source '{held_by.name}', a {column.type} of role {column.role}"
                raise invalid("reconciliation", self, says, "; allowed: integer or decimal, and not personal")
        if self.day and self._column(bookings, self.day).type not in ("date", "timestamp"):
            says = f"takes the day from '{self.day}', a {self._column(bookings, self.day).type}"
            raise invalid("reconciliation", self, says, "; allowed: date, timestamp")
        for name in self.accounts:
            if self._column(bookings, name).role == "protected":
                raise refused_protected(f"{asked_by} names accounts by '{name}' of source '{bookings.name}'")
            types = self._column(bookings, name).type, self._column(holder, name).type
            if types[0] != types[1]:
                says = f"joins '{name}', of type {types[0]} in '{bookings.name}' and {types[1]} in '{holder.name}'"
                raise invalid("reconciliation", self, says, "; allowed: one type in both")

    def _column(self, source: Source, name: str) -> Column:
        """The column of a source that it reads; UnknownColumn, naming both, if there is none."""
        if name not in source.column_names:
            raise UnknownColumn(
                f"reconciliation '{self.name}' reads '{name}' of source '{source.name}'; columns: "
                f"{choices(source.column_names)} ({self.where_defined}).",
                hint="Run 'tenure check'.",
            )
        return source.column(name)
