"""Spending: what customers do with their accounts of their own will, and what is booked for them every month.

Counts are drawn an account, month and habit at a time, then spread into rows; what depends on balances is the
ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tenure.demo.accounts import CARD, CHECKING, SAVINGS, Accounts
from tenure.demo.calendar import DAY_SECONDS, Array, Calendar
from tenure.demo.lives import Lives
from tenure.demo.people import People

CATEGORIES = (
    "salary", "transfer_in", "groceries", "rent", "utilities", "dining",
    "travel", "shopping", "health", "cash", "fee", "interest",
)  # fmt: skip
CHANNELS = ("branch", "atm", "pos", "online", "mobile", "batch")
BRANCH, ATM, POS, ONLINE, MOBILE, BATCH = range(6)


@dataclass(frozen=True)
class Habit:
    """Something customers do: how often a month, the usual amount, and through which channels.

    `amount` is a share of the monthly income, `spread` the sigma of its logarithm.
    """

    product: int
    category: str
    rate: float
    amount: float
    spread: float
    channels: dict[int, float]
    credit: bool = False


_SHOP = {POS: 0.70, ONLINE: 0.12, MOBILE: 0.18}
_NET = {POS: 0.35, ONLINE: 0.35, MOBILE: 0.30}
_DESK = {BRANCH: 0.15, ONLINE: 0.35, MOBILE: 0.50}
HABITS = (
    Habit(CHECKING, "groceries", 8.0, 0.013, 0.6, _SHOP),
    Habit(CHECKING, "dining", 4.2, 0.008, 0.6, _SHOP),
    Habit(CHECKING, "shopping", 3.4, 0.017, 0.9, _NET),
    Habit(CHECKING, "health", 0.5, 0.018, 0.8, _SHOP),
    Habit(CHECKING, "travel", 0.4, 0.05, 0.8, _NET),
    Habit(CHECKING, "cash", 1.5, 0.03, 0.4, {ATM: 0.8, BRANCH: 0.2}),
    Habit(CHECKING, "transfer_in", 0.5, 0.04, 0.9, _DESK, credit=True),
    Habit(SAVINGS, "transfer_in", 1.0, 0.05, 0.6, _DESK, credit=True),
    Habit(SAVINGS, "cash", 0.3, 0.08, 0.6, _DESK),
    Habit(CARD, "groceries", 2.2, 0.014, 0.6, _SHOP),
    Habit(CARD, "dining", 2.0, 0.012, 0.6, _SHOP),
    Habit(CARD, "shopping", 2.8, 0.022, 0.9, _NET),
    Habit(CARD, "travel", 0.7, 0.055, 0.8, _NET),
)


@dataclass(frozen=True)
class Rows:
    """Transactions to be, an entry each: place of the account, second, cents, credit or not, and two codes."""

    account: Array
    second: Array
    cents: Array
    credit: Array
    category: Array
    channel: Array

    def __len__(self) -> int:
        return len(self.account)

    def __getitem__(self, which: Array) -> Rows:
        return Rows(*(column[which] for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: Iterable[Rows]) -> Rows:
        """Return the rows of all parts, in their order."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    @classmethod
    def of(
        cls, account: Array, second: Array, cents: Array, category: str, channel: Array | int, *, credit: bool
    ) -> Rows:
        """Return rows of one category and direction; amounts are a cent or more."""
        size = len(account)
        return cls(
            account=account.astype(np.int32),
            second=second.astype(np.int64),
            cents=np.maximum(cents, 1).astype(np.int64),
            credit=np.full(size, credit),
            category=np.full(size, CATEGORIES.index(category), dtype=np.int8),
            channel=np.broadcast_to(np.asarray(channel, dtype=np.int8), (size,)),
        )


def spending(rng: np.random.Generator, calendar: Calendar, who: People, those: Accounts, fate: Lives) -> Rows:
    """Return every row that does not depend on a balance, none outside its account's life."""
    usual = rng.lognormal(-0.06, 0.35, who.size)[:, None] * rng.lognormal(-0.01, 0.15, fate.activity.shape)
    # Money that arrives at another bank is mostly spent from there.
    level = usual * fate.activity * np.where(who.salaried[:, None] & ~fate.paid, 0.6, 1.0)
    parts = [_habit_rows(rng, calendar, who, those, level, habit) for habit in HABITS]
    parts += _monthly_rows(rng, calendar, who, those, fate)
    rows = Rows.joined(parts)
    day = rows.second // DAY_SECONDS
    alive = (day >= those.opened[rows.account]) & (day < those.closed[rows.account])
    asleep = (rows.channel != BATCH) & (day >= fate.dormant[those.owner[rows.account]])
    return rows[np.flatnonzero(alive & ~asleep)]


def booking_seconds(rng: np.random.Generator, day: Array) -> Array:
    """Return an instant between 06:00 and 23:00 on each day."""
    return day * DAY_SECONDS + rng.integers(6 * 3600, 23 * 3600, len(day))


def _habit_rows(
    rng: np.random.Generator, calendar: Calendar, who: People, those: Accounts, level: Array, habit: Habit
) -> Rows:
    mine = np.flatnonzero(those.product == habit.product)
    owner = those.owner[mine]
    opened, closed = those.opened[mine, None], those.closed[mine, None]
    held = (opened < calendar.starts[1:]) & (closed > calendar.starts[:-1])
    counts = rng.poisson(habit.rate * level[owner] * held)
    place = np.repeat(np.arange(counts.size), counts.ravel())
    account, month = mine[place // calendar.months], place % calendar.months
    length = np.diff(calendar.starts)[month]
    day = calendar.starts[month] + (rng.random(len(place)) * length).astype(np.int64)
    usual = who.income[those.owner[account]] * habit.amount
    cents = (usual * rng.lognormal(0, habit.spread, len(place))).astype(np.int64)
    channel = _channels(rng, habit, who.digital[those.owner[account]])
    return Rows.of(account, booking_seconds(rng, day), cents, habit.category, channel, credit=habit.credit)


def _channels(rng: np.random.Generator, habit: Habit, digital: Array) -> Array:
    codes = np.array(list(habit.channels), dtype=np.int8)
    edges = np.cumsum(list(habit.channels.values()))
    channel = codes[np.searchsorted(edges[:-1], rng.random(len(digital)), side="right")]
    at_counter = POS if POS in habit.channels else BRANCH
    return np.where(~digital & np.isin(channel, (ONLINE, MOBILE)), at_counter, channel)


def _monthly_rows(
    rng: np.random.Generator, calendar: Calendar, who: People, those: Accounts, fate: Lives
) -> list[Rows]:
    """Salary or other income, rent, utilities and fees of the checking accounts."""
    mine = np.flatnonzero(those.product == CHECKING)
    owner = those.owner[mine]
    awake = calendar.starts[None, :-1] < fate.dormant[:, None]
    other_income = awake & ~who.salaried[:, None]
    # No later than the 27th: a snapshot of 28 February knows of the days before, and in leap years of one more.
    pay_day = rng.integers(22, 27, who.size)
    rent = fate.settled & (rng.random(who.size) < 0.6)[:, None]
    other_day = rng.integers(1, 28, who.size)
    utilities = fate.settled & (rng.random(who.size) < 0.85)[:, None]
    plan = (
        ("salary", fate.paid, pay_day, 0.92, 0.02, BATCH, True),
        ("transfer_in", other_income, other_day, 0.85, 0.30, ONLINE, True),
        ("rent", rent, np.full(who.size, 1), 0.28, 0.02, BATCH, False),
        ("utilities", utilities, np.full(who.size, 11), 0.05, 0.20, BATCH, False),
    )
    parts = []
    for category, happens, day_of_month, share, spread, channel, credit in plan:
        place, month = np.nonzero(happens[owner])
        person = owner[place]
        day = calendar.starts[month] + day_of_month[person]
        cents = who.income[person] * share * rng.lognormal(0, spread, len(place))
        parts.append(Rows.of(mine[place], booking_seconds(rng, day), cents, category, channel, credit=credit))
    return [*parts, *_fee_rows(rng, calendar, who, mine, owner, fate)]


def _fee_rows(
    rng: np.random.Generator, calendar: Calendar, who: People, mine: Array, owner: Array, fate: Lives
) -> list[Rows]:
    """The monthly account fee, which premium customers don't pay, and three penalty fees in a month of fee shock."""
    pays = (who.type[owner] != 1)[:, None] & np.ones(calendar.months, dtype=bool)
    place, month = np.nonzero(pays)
    fee = np.where(who.type[owner[place]] == 2, 100, 390)
    second = booking_seconds(rng, calendar.starts[month] + 2)
    monthly = Rows.of(mine[place], second, fee, "fee", BATCH, credit=False)
    place, month = (np.repeat(found, 3) for found in np.nonzero(fate.fee_shock[owner]))
    second = booking_seconds(rng, calendar.starts[month] + rng.integers(4, 27, len(place)))
    fee = rng.integers(2_500, 4_500, len(place))
    return [monthly, Rows.of(mine[place], second, fee, "fee", BATCH, credit=False)]
