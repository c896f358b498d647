"""Accounts: which products the demo bank's customers hold, from when to when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tenure.demo.calendar import DAY_SECONDS, NEVER, Array, Calendar
from tenure.demo.lives import Lives
from tenure.demo.people import People

PRODUCTS = ("checking", "savings", "credit_card")
CHECKING, SAVINGS, CARD = range(3)

_OVERDRAFT_LIMITS = np.array([0, 0, 500, 1_000, 2_000])
_RATES = {CHECKING: (0.0, 0.0), SAVINGS: (0.0125, 0.0325), CARD: (0.149, 0.219)}


@dataclass(frozen=True)
class Holdings:
    """(customers, products) day numbers: when each product is opened and closed, NEVER if it is not."""

    opened: Array
    closed: Array

    def held(self, calendar: Calendar) -> Array:
        """Return (customers, months): how many products are open as each month begins."""
        starts = calendar.starts[:-1, None, None]
        open_then: Array = (self.opened < starts) & (starts < self.closed)
        return np.asarray(open_then.sum(axis=2).T)


@dataclass(frozen=True)
class Accounts:
    """One chunk's accounts, an entry each; `owner` is the customer's place in the chunk."""

    ids: Array
    owner: Array
    product: Array
    opened: Array
    closed: Array
    overdraft_limit: Array
    interest_rate: Array

    @property
    def size(self) -> int:
        """How many accounts."""
        return len(self.ids)


def wishes(rng: np.random.Generator, who: People) -> Holdings:
    """Return the products that customers would hold if none left; everyone begins with a checking account."""
    wanted = np.stack(
        [
            np.ones(who.size, dtype=bool),
            rng.random(who.size) < np.array([0.50, 0.85, 0.35, 0.45])[who.type],
            rng.random(who.size) < np.array([0.38, 0.75, 0.12, 0.60])[who.type],
        ],
        axis=1,
    )
    wait = np.where(rng.random((who.size, 3)) < 0.5, 0, rng.integers(20, 700, (who.size, 3)))
    wait[:, CHECKING] = 0
    opened = np.where(wanted, who.joined[:, None] + wait, NEVER)
    dropped = wanted & (rng.random((who.size, 3)) < 0.10)
    dropped[:, CHECKING] = False
    closed = np.where(dropped, np.maximum(opened, 0) + rng.integers(120, 1_500, (who.size, 3)), NEVER)
    return Holdings(opened, closed)


def accounts(rng: np.random.Generator, calendar: Calendar, who: People, wish: Holdings, fate: Lives) -> Accounts:
    """Return the accounts that come to be: none opens after the decision to leave, none outlives its customer."""
    real = wish.opened < np.minimum(fate.decided, calendar.days - 1)[:, None]
    owner, product = np.nonzero(real)
    closed = np.minimum(wish.closed[real], fate.closes[owner])
    low, high = np.array([_RATES[p] for p in range(3)])[product].T
    rate = np.round(rng.uniform(low, high) * 400) / 400
    limit = np.where(product == CHECKING, rng.choice(_OVERDRAFT_LIMITS, len(owner)), 0)
    return Accounts(
        ids=who.ids[owner] * 10 + product + 1,
        owner=owner,
        product=product,
        opened=wish.opened[real],
        closed=np.where(closed < calendar.days, closed, NEVER),
        overdraft_limit=limit,
        interest_rate=rate,
    )


def account_rows(
    rng: np.random.Generator, calendar: Calendar, who: People, those: Accounts, reasons: Array
) -> pa.Table:
    """Return accounts.csv's rows: a version when an account is opened and, if it is closed, another one then.

    `reasons` says why each is closed; the second version has it.
    """
    closed = those.closed < NEVER
    of = np.repeat(np.arange(those.size), 1 + closed)
    second = np.zeros(len(of), dtype=bool)
    second[1:] = of[1:] == of[:-1]
    day = np.where(second, those.closed[of], those.opened[of])
    hour = np.where(second, rng.integers(17 * 3600, 24 * 3600, len(of)), rng.integers(9 * 3600, 17 * 3600, len(of)))
    return pa.table(
        {
            "account_id": those.ids[of],
            "customer_id": who.ids[those.owner[of]],
            "product": np.array(PRODUCTS)[those.product[of]],
            "opened_on": pa.array(calendar.dates(those.opened[of])),
            "closed_on": pa.array(calendar.dates(np.where(second, those.closed[of], NEVER))),
            "close_reason": pa.array(reasons[of], pa.string(), mask=~second),
            "overdraft_limit": those.overdraft_limit[of],
            "interest_rate": those.interest_rate[of],
            "updated_at": pa.array(calendar.instants(day * DAY_SECONDS + hour).astype("datetime64[s]")),
        }
    )
