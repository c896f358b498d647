"""Causes: why the demo bank's customers leave; the planted truth that models and explanations can be held against.

A month's chance to decide to leave is `BASE` × season × the hazard ratio of every cause that holds. Another
`CHANCE` leave for what no data show: a death, a move abroad.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """While it holds, the chance to leave is multiplied by `hazard_ratio`.

    An event holds in the month it begins, for `months` months in all; 0 months are a lasting state.
    """

    name: str
    hazard_ratio: float
    months: int
    doc: str


CAUSES = (
    Cause("unresolved_complaint", 9.0, 4, "a complaint was left unresolved in the last 4 months"),
    Cause("salary_moved", 14.0, 4, "the salary stopped arriving in the last 4 months"),
    Cause("fading_activity", 12.0, 4, "activity and balance began to fade in the last 4 months"),
    Cause("fee_shock", 5.0, 3, "penalty fees were booked in the last 3 months"),
    Cause("low_digital", 1.8, 0, "the customer is not enrolled in digital banking"),
    Cause("young_tenure", 2.0, 12, "the customer joined in the last 12 months"),
    Cause("many_products", 0.4, 0, "the customer holds all three products (protective)"),
)
UNRESOLVED, SALARY, FADING, FEES, OFFLINE, YOUNG, MANY = CAUSES

#: The monthly chance to decide to leave without any cause, and that to leave by chance.
BASE, CHANCE = 0.0058, 0.0020

#: Leavers whom no cause explains, and leavers by chance, among the causes' names.
UNEXPLAINED, BY_CHANCE = "no_cause", "chance"
