"""Ledger: the running balance of every account, what depends on it, and corrections that arrive late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tenure.demo.accounts import CARD, CHECKING, SAVINGS, Accounts
from tenure.demo.calendar import DAY_SECONDS, NEVER, Array, Calendar
from tenure.demo.lives import Lives
from tenure.demo.people import People
from tenure.demo.spending import BATCH, BRANCH, CATEGORIES, CHANNELS, ONLINE, Rows, spending

#: The share of transactions that are recorded wrong at first and corrected 3 to 60 days later.
CORRECTED = 0.003

TRANSACTIONS = pa.schema(
    [
        ("transaction_id", pa.int64()),
        ("account_id", pa.int64()),
        ("booked_at", pa.timestamp("us")),
        ("recorded_at", pa.timestamp("us")),
        ("amount", pa.decimal128(18, 2)),
        ("direction", pa.string()),
        ("category", pa.string()),
        ("channel", pa.string()),
        ("balance_after", pa.decimal128(18, 2)),
    ]
)


@dataclass(frozen=True)
class Entries:
    """Booked transactions, sorted by account and time; ids rise in that order. Balances are cents."""

    ids: Array
    rows: Rows
    recorded: Array
    balance: Array


def entries(
    rng: np.random.Generator, calendar: Calendar, who: People, those: Accounts, fate: Lives, first_id: int
) -> Entries:
    """Return every transaction in its final version, with ids from `first_id`."""
    free = spending(rng, calendar, who, those, fate)
    opening = _opening_balance(rng, who, those)
    rows = Rows.joined(
        [
            free,
            _opening_deposits(rng, who, those),
            *_balancing(rng, calendar, who, those, fate, free, opening),
        ]
    )
    rows = Rows.joined([rows, _settlements(those, rows, opening)])
    rows = rows[np.lexsort((rows.second, rows.account))]
    signed = np.where(rows.credit, rows.cents, -rows.cents)
    delay = np.minimum(rng.exponential(4 * 3600, len(rows)), 26 * 3600).astype(np.int64)
    return Entries(
        ids=np.arange(first_id, first_id + len(rows)),
        rows=rows,
        recorded=np.minimum(rows.second + delay, calendar.days * DAY_SECONDS - 1),
        balance=opening[rows.account] + _running_sum(signed, rows.account),
    )


def _opening_balance(rng: np.random.Generator, who: People, those: Accounts) -> Array:
    """Cents that accounts hold as the data begin; accounts that open later begin at 0."""
    share = np.array([1.1, 3.0, -0.25])[those.product] * rng.lognormal(0, 0.5, those.size)
    return np.where(those.opened < 0, (who.income[those.owner] * share).astype(np.int64), 0)


def _opening_deposits(rng: np.random.Generator, who: People, those: Accounts) -> Rows:
    new = np.flatnonzero((those.opened >= 0) & (those.product != CARD))
    cents = who.income[those.owner[new]] * 0.6 * rng.lognormal(0, 0.5, len(new))
    return Rows.of(new, those.opened[new] * DAY_SECONDS + 6 * 3600, cents, "transfer_in", BRANCH, credit=True)


@dataclass(frozen=True)
class _Flows:
    """What a month's balances bring about: cents an account, 0 or more but for `interest`, which may be owed."""

    paid: Array
    top_up: Array
    withdrawn: Array
    interest: Array

    def rows(self, rng: np.random.Generator, those: Accounts, begin: int, end: int) -> list[Rows]:
        """Return the bookings of the month that begins on day `begin` and ends before day `end`."""
        earned = np.where(those.product == SAVINGS, self.interest, 0)
        owed = np.where(those.product == CARD, -self.interest, 0)
        return [
            _monthly_rows(rng, self.paid, begin + 19, "transfer_in", BATCH, credit=True),
            _monthly_rows(rng, self.top_up, begin + 3, "transfer_in", ONLINE, credit=True),
            _monthly_rows(rng, self.withdrawn, begin + 24, "cash", ONLINE, credit=False),
            _monthly_rows(rng, earned, end - 1, "interest", BATCH, credit=True),
            _monthly_rows(rng, owed, end - 1, "interest", BATCH, credit=False),
        ]


def _balancing(
    rng: np.random.Generator,
    calendar: Calendar,
    who: People,
    those: Accounts,
    fate: Lives,
    free: Rows,
    opening: Array,
) -> list[Rows]:
    """Return top-ups, withdrawals, card payments and interest: month after month, from the balance so far."""
    starts, income = calendar.starts, who.income[those.owner]
    net = _monthly_net(calendar, those, free)
    balance = opening.copy()
    target = np.array([2.2, 5.0, 0.0])[those.product] * rng.lognormal(0, 0.4, those.size) * income
    parts = []
    for month in range(calendar.months):
        whole = (those.opened <= starts[month]) & (those.closed > starts[month + 1])
        awake = whole & (starts[month + 1] <= fate.dormant[those.owner])
        keep = target * fate.cash_left[those.owner, month]
        flows = _flows(those, balance, net[:, month], keep, income, whole, awake)
        parts += flows.rows(rng, those, starts[month], starts[month + 1])
        balance = balance + net[:, month] + flows.interest + flows.paid + flows.top_up - flows.withdrawn
    return parts


def _flows(
    those: Accounts, balance: Array, net: Array, keep: Array, income: Array, whole: Array, awake: Array
) -> _Flows:
    """Cards are paid off, a balance below 0 is topped up, and most of what exceeds `keep` is drawn out."""
    card = those.product == CARD
    bears_interest = whole & (those.product != CHECKING)
    interest = np.where(bears_interest, balance * those.interest_rate / 12, 0).astype(np.int64)
    paid = np.where(awake & card, np.maximum(-balance, 0) * 0.9, 0).astype(np.int64)
    ahead = balance + net + interest + paid
    low, high = awake & ~card & (ahead < 0), awake & ~card & (ahead > keep)
    return _Flows(
        paid=paid,
        top_up=np.where(low, -ahead + 0.3 * income, 0).astype(np.int64),
        withdrawn=np.where(high, (ahead - keep) * 0.8, 0).astype(np.int64),
        interest=interest,
    )


def _monthly_rows(
    rng: np.random.Generator, cents: Array, day: int, category: str, channel: int, *, credit: bool
) -> Rows:
    which = np.flatnonzero(cents > 0)
    second = day * DAY_SECONDS + rng.integers(6 * 3600, 23 * 3600, len(which))
    return Rows.of(which, second, cents[which], category, channel, credit=credit)


def _monthly_net(calendar: Calendar, those: Accounts, rows: Rows) -> Array:
    month = np.searchsorted(calendar.starts, rows.second // DAY_SECONDS, side="right") - 1
    signed = np.where(rows.credit, rows.cents, -rows.cents).astype(float)
    place = rows.account.astype(np.int64) * calendar.months + month
    net = np.bincount(place, weights=signed, minlength=those.size * calendar.months)
    return net.astype(np.int64).reshape(those.size, calendar.months)


def _settlements(those: Accounts, rows: Rows, opening: Array) -> Rows:
    """The last row of a closed account, on the evening before it closes: what is left is paid out or in."""
    signed = np.where(rows.credit, rows.cents, -rows.cents).astype(float)
    left = opening + np.bincount(rows.account, weights=signed, minlength=those.size).astype(np.int64)
    closed = those.closed < NEVER
    parts = []
    for which, category, credit in (
        (closed & (left > 0), "cash", False),
        (closed & (left < 0), "transfer_in", True),
    ):
        place = np.flatnonzero(which)
        second = _evening_before_closing(those)[place]
        parts.append(Rows.of(place, second, np.abs(left[place]), category, BRANCH, credit=credit))
    return Rows.joined(parts)


def owing(those: Accounts, booked: Entries, fate: Lives) -> Array:
    """Return which customers still owed on an account when their last ones were settled."""
    rows = booked.rows
    evening = _evening_before_closing(those)[rows.account]
    with_customer = (those.closed == fate.closes[those.owner])[rows.account]
    paid_in = (rows.second == evening) & with_customer & rows.credit
    owes = np.zeros(len(fate.closes), dtype=bool)
    owes[those.owner[rows.account[paid_in]]] = True
    return owes


def _evening_before_closing(those: Accounts) -> Array:
    """The second at which each account is settled."""
    return np.asarray((those.closed - 1) * DAY_SECONDS + 23 * 3600 + 1800)


def _running_sum(values: Array, account: Array) -> Array:
    """Return the sum so far within each account; `account` is sorted."""
    total = np.cumsum(values)
    begins = np.flatnonzero(np.diff(account, prepend=-1))
    before = np.where(begins > 0, total[begins - 1], 0)
    return np.asarray(total - np.repeat(before, np.diff(begins, append=len(account))))


def corrections(rng: np.random.Generator, calendar: Calendar, final: Entries) -> tuple[Entries, Array]:
    """Return the wrong first versions of some entries and, by place in `final`, when each is put right.

    Half of them held another amount (and the balance that follows from it), half another category.
    """
    picked = np.flatnonzero(rng.random(len(final.rows)) < CORRECTED)
    wait = rng.integers(3 * DAY_SECONDS, 60 * DAY_SECONDS, len(picked))
    in_time = final.recorded[picked] + wait < calendar.days * DAY_SECONDS
    picked, wait = picked[in_time], wait[in_time]
    rows = final.rows[picked]
    by_amount = rng.random(len(picked)) < 0.5
    factor = rng.choice([0.1, 0.5, 2.0, 10.0], len(picked))
    cents = np.where(by_amount, np.maximum((rows.cents * factor).astype(np.int64), 1) + 7, rows.cents)
    shift = rng.integers(1, len(CATEGORIES), len(picked))
    category = np.where(by_amount, rows.category, (rows.category + shift) % len(CATEGORIES)).astype(np.int8)
    wrong = Rows(rows.account, rows.second, cents, rows.credit, category, rows.channel)
    balance = final.balance[picked] + np.where(rows.credit, 1, -1) * (cents - rows.cents)
    righted = final.recorded.copy()
    righted[picked] += wait
    return Entries(final.ids[picked], wrong, final.recorded[picked], balance), righted


def transaction_rows(calendar: Calendar, those: Accounts, booked: Entries) -> pa.Table:
    """Return entries as TRANSACTIONS, in their order."""
    rows = booked.rows
    columns = (
        booked.ids,
        those.ids[rows.account],
        calendar.instants(rows.second),
        calendar.instants(booked.recorded),
        decimals(rows.cents),
        _named(("debit", "credit"), rows.credit.astype(np.int8)),
        _named(CATEGORIES, rows.category),
        _named(CHANNELS, rows.channel),
        decimals(booked.balance),
    )
    return pa.table([pa.array(column) for column in columns], schema=TRANSACTIONS)


def decimals(cents: Array) -> pa.Array:
    """Return int64 cents as decimal(18, 2)."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Decimal128Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(words)])


def _named(names: tuple[str, ...], codes: Array) -> pa.Array:
    return pa.array(names).take(pa.array(codes))
