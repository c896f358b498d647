"""What a retention campaign earns, by how many customers are contacted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import InvalidConfig
from tenure.model.metrics import churners_reached

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The campaign sizes compared: shares of the scored customers, highest scores first."""


@dataclass(frozen=True, kw_only=True)
class ValueSettings:
    """What a campaign costs and saves; money in `currency`, per customer.

    contact_cost    of reaching one customer, paid for every contact
    offer_cost      of the incentive, paid when it is accepted
    save_rate       share of the churners contacted who accept and stay, 0 to 1
    customer_value  of a customer who stays
    currency        the unit of the amounts, such as 'USD'

    A contacted churner must be worth the cost: save_rate * (customer_value - offer_cost) > contact_cost.
    Raises InvalidConfig otherwise, since no list, however good, could then earn money.
    """

    contact_cost: float
    offer_cost: float
    save_rate: float
    customer_value: float
    currency: str

    def __post_init__(self) -> None:
        for name in ("contact_cost", "offer_cost", "customer_value"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InvalidConfig(f"{name}: got {getattr(self, name)}; it must be an amount of 0 or more")
        if not 0 <= self.save_rate <= 1:
            raise InvalidConfig(f"save_rate: got {self.save_rate}; it must be between 0 and 1")
        if not self.save_rate * (self.customer_value - self.offer_cost) > self.contact_cost:
            raise InvalidConfig(
                "a contacted churner costs more than is saved: save_rate * (customer_value - offer_cost) = "
                f"{self.save_rate * (self.customer_value - self.offer_cost):g} {self.currency}, "
                f"contact_cost = {self.contact_cost:g} {self.currency}",
                hint="tenure.toml: raise save_rate or customer_value, or lower the costs",
            )

    @property
    def break_even(self) -> float:
        """The probability of churn from which a contact earns more than it costs, 0 to 1.

        p · save_rate · (customer_value − offer_cost) = (1 − p) · offer_cost + contact_cost
        """
        saved = self.save_rate * (self.customer_value - self.offer_cost)
        return (self.offer_cost + self.contact_cost) / (saved + self.offer_cost)


def campaign_value(scores: NDArray[np.float64], churned: NDArray[np.float64], settings: ValueSettings) -> pd.DataFrame:
    """Return one row per campaign size, and what it earns.

    Columns share, contacts, churners_reached, precision, expected_profit, best and currency, where

        expected_profit = churners_reached * save_rate * (customer_value - offer_cost)
                          - (contacts - churners_reached) * offer_cost
                          - contacts * contact_cost

    A stayer who is contacted takes the offer. `scores` and `churned` have shape (rows,) and should be those
    of one snapshot, the customers that one campaign chooses from; contacts are rounded up to whole customers,
    sizes that round to the same number are one row, and equal scores count at their common churn rate. `best`
    marks the size with the highest profit, the smaller of two equals, and none if every size loses money. No
    rows for no customers.

    The profit is that of Verbraken, Verbeke and Baesens 2013 (IEEE TKDE 25(5), maximum profit measure for
    churn). Their EMPC averages it over a beta-distributed save rate; here the save rate is one fixed number,
    which a bank can measure with a hold-out group.
    """
    sizes = np.ceil(np.round(np.array(SHARES) * len(scores), 9))
    contacts, first = np.unique(sizes, return_index=True)
    contacts, first = contacts[contacts > 0], first[contacts > 0]
    reached = churners_reached(scores, churned, contacts)
    profit = (
        reached * settings.save_rate * (settings.customer_value - settings.offer_cost)
        - (contacts - reached) * settings.offer_cost
        - contacts * settings.contact_cost
    )
    best = np.zeros(len(profit), dtype=np.bool_)
    if profit.max(initial=0.0) > 0:
        best[profit.argmax()] = True
    return pd.DataFrame(
        {
            "share": np.array(SHARES)[first],
            "contacts": contacts.astype(np.int64),
            "churners_reached": reached,
            "precision": reached / contacts,
            "expected_profit": profit,
            "best": best,
            "currency": settings.currency,
        }
    )
