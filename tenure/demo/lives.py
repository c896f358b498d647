"""Lives: what happens to the demo bank's customers, month by month, until some decide to leave.

    a cause begins      decision       winding down      closing day
─────────┊──────────────────┊──────┊····················┊────────►
      month m            month k   k + 1                 1 to 4 months later
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenure.demo.calendar import NEVER, Array, Calendar
from tenure.demo.causes import (
    BASE,
    BY_CHANCE,
    CAUSES,
    CHANCE,
    FADING,
    FEES,
    MANY,
    OFFLINE,
    SALARY,
    UNEXPLAINED,
    UNRESOLVED,
    YOUNG,
)
from tenure.demo.people import People

#: The chance, a month and customer, that something begins (a complaint is likelier in a month of penalty fees).
_SALARY_MOVES, _SALARY_RETURNS, _FADES, _FEE_SHOCKS, _COMPLAINS = 0.008, 0.12, 0.010, 0.014, 0.016
_LEFT_OPEN, _AFTER_FEES = 0.35, 4

#: Of those who leave for a cause: who winds down first, who never closes, who moves salary and standing orders.
_PLANNERS, _SILENT, _MOVES_ORDERS = 0.90, 0.10, 0.5

_LONG_AGO = 99


@dataclass(frozen=True)
class Lives:
    """One chunk's fates: an entry a customer, or (customers, months) for what happens in a month."""

    decided: Array  # the day from which a leaver opens no account, or NEVER
    closes: Array  # the day on which the last account is closed, or NEVER
    dormant: Array  # the day from which a silent leaver does nothing, or NEVER
    cause: Array  # why those who close do so, '' for others
    paid: Array  # the salary arrives
    settled: Array  # rent and utilities are paid from here
    activity: Array  # how much is done, 1 is usual
    cash_left: Array  # how much is kept in the accounts, 1 is usual
    fee_shock: Array  # penalty fees are booked
    complaint: Array  # 0 none, 1 resolved, 2 left unresolved


def lives(rng: np.random.Generator, calendar: Calendar, who: People, held: Array) -> Lives:
    """Return what happens to everyone; `held` is (customers, months): the products held as a month begins."""
    story = _Story(rng, calendar, who)
    for month in range(calendar.months):
        inside = (who.joined < calendar.starts[month]) & (story.decided_in == NEVER)
        story.begin_causes(month, inside)
        story.decide(month, inside, held[:, month])
    return _departures(rng, calendar, story)


class _Story:
    """What has happened so far; each month first brings its events, then its decisions."""

    def __init__(self, rng: np.random.Generator, calendar: Calendar, who: People) -> None:
        shape = (who.size, calendar.months)
        self._rng, self._calendar, self._who = rng, calendar, who
        self._since = {cause.name: np.full(who.size, _LONG_AGO) for cause in CAUSES}
        self._has_salary = who.salaried.copy()
        self._fade_months = rng.integers(3, 6, who.size)
        self.paid = np.zeros(shape, dtype=bool)
        self.fading = np.zeros(shape, dtype=bool)
        self.fee_shock = np.zeros(shape, dtype=bool)
        self.complaint = np.zeros(shape, dtype=np.int8)
        self.decided_in = np.full(who.size, NEVER)
        self.cause = np.full(who.size, "", dtype="U24")

    def begin_causes(self, month: int, inside: Array) -> None:
        """Draw what befalls those `inside` the bank this month."""
        draws = self._rng.random((5, self._who.size))
        moves = inside & self._has_salary & (draws[0] < _SALARY_MOVES)
        returns = self._who.salaried & ~self._has_salary & (draws[0] > 1 - _SALARY_RETURNS)
        self._has_salary = (self._has_salary & ~moves) | returns
        fees = inside & (draws[1] < _FEE_SHOCKS)
        complains = inside & (draws[2] < _COMPLAINS * np.where(fees, _AFTER_FEES, 1))
        unresolved = complains & (draws[3] < _LEFT_OPEN)
        fades = inside & (self._since[FADING.name] > 8) & (draws[4] < _FADES)
        for cause, begins in ((UNRESOLVED, unresolved), (SALARY, moves), (FADING, fades), (FEES, fees)):
            self._since[cause.name] = np.where(begins, 0, self._since[cause.name] + 1)
        self._since[SALARY.name][returns] = _LONG_AGO
        self.paid[:, month] = self._has_salary
        self.fading[:, month] = self._since[FADING.name] < self._fade_months
        self.fee_shock[:, month] = fees
        self.complaint[:, month] = complains + unresolved.astype(np.int8)

    def decide(self, month: int, inside: Array, held: Array) -> None:
        """Draw who decides to leave this month, and why."""
        ratios = self._hazard_ratios(month, held)
        draw = self._rng.random(self._who.size)
        for_cause = inside & (draw < BASE * _season(self._calendar, month) * ratios.prod(axis=0))
        by_chance = inside & ~for_cause & (draw > 1 - CHANCE)
        names = np.array([cause.name for cause in CAUSES])
        strongest = np.where(ratios.max(axis=0) > 1, names[ratios.argmax(axis=0)], UNEXPLAINED)
        self.cause[for_cause] = strongest[for_cause]
        self.cause[by_chance] = BY_CHANCE
        self.decided_in[for_cause | by_chance] = month

    def _hazard_ratios(self, month: int, held: Array) -> Array:
        """Return (causes, customers): the ratio of each cause that holds, 1 elsewhere."""
        lasting = {
            OFFLINE.name: ~self._who.digital,
            YOUNG.name: self._calendar.starts[month] - self._who.joined < YOUNG.months * 30,
            MANY.name: held >= 3,
        }
        holds = {cause.name: self._since[cause.name] < cause.months for cause in CAUSES} | lasting
        return np.stack([np.where(holds[cause.name], cause.hazard_ratio, 1.0) for cause in CAUSES])


def _season(calendar: Calendar, month: int) -> float:
    """More people change bank in the months after the new year."""
    return 1 + 0.2 * float(np.cos(2 * np.pi * (calendar.month(month).month - 2) / 12))


def _departures(rng: np.random.Generator, calendar: Calendar, story: _Story) -> Lives:
    """Turn decisions into closing days, and let planners wind down before them."""
    size, months = story.paid.shape
    for_cause = (story.cause != "") & (story.cause != BY_CHANCE)
    silent = for_cause & (rng.random(size) < _SILENT)
    planner = for_cause & (silent | (rng.random(size) < _PLANNERS))
    last_month = np.minimum(story.decided_in, months - 1)
    decided = np.where(story.decided_in < NEVER, calendar.starts[last_month + 1], NEVER)
    closes = decided + np.where(planner, rng.integers(30, 121, size), rng.integers(1, 31, size))
    closes = np.where(silent | (closes >= calendar.days), NEVER, closes)
    winding_down = planner[:, None] & (np.arange(months) > story.decided_in[:, None])
    moved = winding_down & (silent | (rng.random(size) < _MOVES_ORDERS))[:, None]
    return Lives(
        decided=decided,
        closes=closes,
        dormant=np.where(silent, decided + rng.integers(1, 46, size), NEVER),
        cause=np.where(closes < NEVER, story.cause, ""),
        paid=story.paid & ~moved,
        settled=~moved,
        activity=np.where(story.fading, 0.5, 1.0) * np.where(winding_down, 0.45, 1.0),
        cash_left=np.where(story.fading, 0.55, 1.0) * np.where(winding_down, 0.25, 1.0),
        fee_shock=story.fee_shock,
        complaint=story.complaint,
    )
