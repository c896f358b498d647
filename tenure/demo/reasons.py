"""Reasons: why the bank says that accounts were closed; most by the customer's own choice.

by chance                                  dies, the likelier the older ┊ moves away ┊ merges with a spouse ┊ chooses to
for penalty fees or a salary that stopped  with a debt left, is charged off one time in two ┊ chooses to
for any other cause, or none               chooses to
"""

from __future__ import annotations

import numpy as np

from tenure.demo.accounts import Accounts
from tenure.demo.calendar import NEVER, Array
from tenure.demo.causes import BY_CHANCE, FEES, SALARY
from tenure.demo.lives import Lives
from tenure.demo.people import People

BY_CHOICE, DECEASED, CHARGED_OFF, MOVED, MERGED = (
    "customer_request", "deceased", "charged_off", "moved", "merged",
)  # fmt: skip
REASONS = (BY_CHOICE, DECEASED, CHARGED_OFF, MOVED, MERGED)

#: Of those who leave by chance: who dies, by age; who of the others moves away; and who of the married merges.
_AGES, _DIES = (18, 50, 70, 88), (0.10, 0.35, 0.75, 0.95)
_MOVES, _MERGES = 0.45, 0.30

#: Of those who leave for penalty fees or with their salary gone, and still owe: who is charged off.
_CHARGED_OFF = 0.5


def close_reasons(rng: np.random.Generator, who: People, fate: Lives, owes: Array) -> Array:
    """Return why each customer's last account is closed, '' for those who stay; `owes` says who owes on it then."""
    draws = rng.random((4, who.size))
    by_chance = fate.cause == BY_CHANCE
    in_trouble = np.isin(fate.cause, (FEES.name, SALARY.name)) & owes
    married = who.texts["marital_status"] == "married"
    return np.select(
        [
            fate.closes >= NEVER,
            by_chance & (draws[0] < np.interp(who.age, _AGES, _DIES)),
            by_chance & (draws[1] < _MOVES),
            by_chance & married & (draws[2] < _MERGES),
            in_trouble & (draws[3] < _CHARGED_OFF),
        ],
        ["", DECEASED, MOVED, MERGED, CHARGED_OFF],
        BY_CHOICE,
    )


def account_reasons(those: Accounts, fate: Lives, reasons: Array) -> Array:
    """Return why each account is closed, '' for open ones: one that its customer outstays was not wanted any more."""
    with_customer = np.where(those.closed == fate.closes[those.owner], reasons[those.owner], BY_CHOICE)
    return np.where(those.closed < NEVER, with_customer, "")
