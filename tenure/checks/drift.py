"""Drift: has a column moved by more than a quiet bank's columns move, judged anew at each snapshot.

              a year              what changed within it: D = X(t) − X(t − a year)
      ┌────────────────────┐
 ──────X────────────────────X──  its season and its yearly growth or ageing are in every D alike,
        ──X────────────────────X─┊  so D(t) is held against the mean of the Ds before it
                                 t

X is a mean of bounded scores of the cells, so that neither the tail of an amount nor its unit decides. docs/drift.md
has the formulas, what they take for granted, and what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

#: The edges of the shares of cells that a profile keeps one value of: a percent each, finer in the tails.
_TAIL = (0.0, 0.0025, 0.005, 0.0075)
_EDGES = np.array([*_TAIL, *(np.arange(1, 100) / 100), *(1 - np.array(_TAIL[::-1]))])

#: The weight of each kept value, and the share of cells below it.
WEIGHTS: Floats = np.diff(_EDGES)
SHARES: Floats = (_EDGES[1:] + _EDGES[:-1]) / 2

#: A judged column has so many cells in each snapshot that is compared.
LEAST_CELLS = 100

#: So many yearly changes come before the first that is judged.
LEAST_CHANGES = 6

#: The history that they make is of at least so many days, however often the bank looks.
LEAST_DAYS = 150

#: Snapshots of the last so many days before the judged one are its history.
HISTORY_DAYS = 3 * 366

#: As much of a yearly change may come or go from one year to the next: growth and ageing bend.
BEND = 0.5

#: A column's scatter counts beside so many changes as scattered as this quantile of all columns'.
LIKE_OTHERS, CAUTIOUS = 10, 0.9

#: A step's variance counts as at least this share of that of a change as drawn at random.
LEAST_SCATTER = 0.02

#: So many neighbouring steps tell as much of their scatter as one that stands alone: the same month is in two.
STEPS_ALIKE = 1.5

#: Rows that a share is held to be uncertain by at least.
_LEAST_ROWS = 3.0

#: The shares of the budget of false alarms: of columns' summaries, of unseen values, of the number of rows.
SUMMARIES, UNSEEN, VOLUME = 0.8, 0.1, 0.1

_NORMAL = NormalDist()


def quantiles(cells: Floats) -> Floats:
    """Return the cells, of those in order, at the middle of each share; always values that are there."""
    return cells[(SHARES * len(cells)).astype(np.intp)]


@dataclass(frozen=True)
class Scale:
    """The scores of a value by its rank among the values of a reference: normal score, and score of the upper tail."""

    values: Floats
    below: Floats
    upto: Floats

    @classmethod
    def of(cls, grids: Floats) -> Scale:
        """Return the scale of the kept values of some snapshots, a row each."""
        cells = grids.ravel()
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        weights = np.tile(WEIGHTS, len(grids))[order] / len(grids)
        ends = np.concatenate([np.flatnonzero(np.diff(cells)), [len(cells) - 1]])
        upto = np.cumsum(weights)[ends]
        return cls(cells[ends], np.concatenate([[0.0], upto[:-1]]), upto)

    def ranks(self, values: Floats) -> Floats:
        """Return the rank of each value, 0 to 1: the middle of its place in the reference."""
        at = np.searchsorted(self.values, values, "left")
        last = len(self.values) - 1
        there = (at <= last) & (self.values[np.minimum(at, last)] == values)
        inside = np.minimum(at, last)
        middle = np.where(
            there, (self.below[inside] + self.upto[inside]) / 2, np.where(at > last, 1.0, self.below[inside])
        )
        return np.clip(middle, SHARES[0], SHARES[-1])


#: Normal scores of ranks, read off a fine table.
_RANKS = np.linspace(0, 1, 8193)
_SCORES = np.array([_NORMAL.inv_cdf(min(max(rank, SHARES[0]), SHARES[-1])) for rank in _RANKS])


def summaries(scale: Scale, grids: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Return mean, spread and upper tail of each snapshot (3 × snapshots), and the variance of each as drawn at random.

    `grids` has a row of kept values a snapshot, `cells` how many cells each had.
    """
    ranks = scale.ranks(grids)
    normal, tail = np.interp(ranks, _RANKS, _SCORES), -np.log(1 - ranks)
    mean = normal @ WEIGHTS
    apart = normal - mean[:, None]
    variance = np.square(apart) @ WEIGHTS
    fourth = np.square(np.square(apart)) @ WEIGHTS
    tail_mean = tail @ WEIGHTS
    tail_variance = np.square(tail - tail_mean[:, None]) @ WEIGHTS
    least = _LEAST_ROWS / np.square(cells)
    found = np.stack([mean, variance, tail_mean])
    return found, np.stack(
        [
            variance / cells + least * _SCORES[-1] ** 2,
            np.maximum(fourth - np.square(variance), 0) / cells + least * _SCORES[-1] ** 4,
            tail_variance / cells + least * np.log(1 - SHARES[-1]) ** 2,
        ]
    )


def shares(counts: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return which share of the rows was counted, and its variance as drawn at random."""
    found = counts / rows
    return found, found * (1 - found) / rows + _LEAST_ROWS / np.square(rows)


def year_before(dates: Sequence[date]) -> Places:
    """Return the place of the snapshot a year before each, −1 where there is none: the nearest within half a step."""
    days = np.array([day.toordinal() for day in dates], dtype=np.float64)
    if len(days) < 2:
        return np.full(len(days), -1, dtype=np.intp)
    step = float(np.median(np.diff(days)))
    wanted = days - 365.25
    nearest = np.abs(days[None, :] - wanted[:, None]).argmin(axis=1)
    is_near = np.abs(days[nearest] - wanted) <= max(1.0, step / 2)
    return np.where(is_near, nearest, -1)


@dataclass(frozen=True)
class Judged:
    """How far summaries have moved at a snapshot: by how much, what was expected, and as a normal deviate.

    Each is an array over the summaries; NaN where one can't be judged yet.
    """

    change: Floats
    expected: Floats
    deviate: Floats


def judge(
    found: Floats,
    variances: Floats,
    partners: Places,
    at: int,
    history: Places,
    quiet: npt.NDArray[np.bool_],
    alike: Places,
) -> Judged:
    """Judge the snapshot at a place by the change within a year, held against such changes before it.

    `found` and `variances` are summaries × snapshots, NaN where a summary is not known; `quiet` is false where one
    alarmed before, and so is no history; `alike` numbers the kinds. Of three comparisons the one that lies furthest
    apart counts:

        all yearly changes before t           ···───────────┤t      something new
        those that had ended a year before t  ···──┤         t      something that creeps: no part of it is in them
        the step from the change before t               ···─┤t      something sudden, where changes are no constant
    """
    if partners[at] < 0:
        nothing = np.full(len(found), np.nan)
        return Judged(nothing, nothing, nothing)
    places = history[partners[history] >= 0]
    changes = _Changes.of(found, variances, partners, [*places, at], quiet)
    all_before = _beside_mean(changes, np.ones(len(places), dtype=np.bool_), alike)
    ended = _beside_mean(changes, places <= partners[at], alike)
    steps = _beside_steps(changes)
    best, expected = all_before
    for deviate, usual in (ended, steps):
        is_further = np.isnan(best) | (np.abs(deviate) > np.abs(best))
        best, expected = np.where(is_further, deviate, best), np.where(is_further, usual, expected)
    return Judged(changes.last, expected, best)


#: How many comparisons a test makes.
COMPARISONS = 3


@dataclass(frozen=True)
class _Changes:
    """Yearly changes of summaries: those of history, the one to judge, and their variances as drawn at random."""

    past: Floats
    past_drawn: Floats
    last: Floats
    last_drawn: Floats

    @classmethod
    def of(
        cls,
        found: Floats,
        variances: Floats,
        partners: Places,
        places: Sequence[int],
        quiet: npt.NDArray[np.bool_],
    ) -> _Changes:
        before = partners[places]
        changes, drawn = found[:, places] - found[:, before], variances[:, places] + variances[:, before]
        past = np.where(quiet[:, places[:-1]], changes[:, :-1], np.nan)
        return cls(past, np.where(np.isnan(past), np.nan, drawn[:, :-1]), changes[:, -1], drawn[:, -1])


def _beside_mean(changes: _Changes, chosen: npt.NDArray[np.bool_], alike: Places) -> tuple[Floats, Floats]:
    """Return how far the change lies from the mean of chosen ones as a normal deviate, and that mean."""
    past, drawn = changes.past[:, chosen], changes.past_drawn[:, chosen]
    number = (~np.isnan(past)).sum(axis=1).astype(np.float64)
    number[number < LEAST_CHANGES] = np.nan
    expected, usual = np.nansum(past, axis=1) / number, np.nansum(drawn, axis=1) / number
    scatter = np.nansum(np.square(past - expected[:, None]), axis=1) / (number - 1)
    excess = np.maximum(_shrunk(scatter / usual, number - 1, alike) - 1, 0) * usual
    room = BEND * np.maximum(np.abs(expected) - np.sqrt(usual), 0)
    apart = changes.last - expected
    variance = changes.last_drawn + usual / number + excess * (1 + 1 / number)
    ratio = np.sign(apart) * np.maximum(np.abs(apart) - room, 0) / np.sqrt(variance)
    # Satterthwaite: what sampling explains is known, the excess is estimated of a few changes.
    with np.errstate(divide="ignore"):
        freedom = (number - 1 + LIKE_OTHERS) * np.square((changes.last_drawn + excess) / excess)
    return normal_deviate(ratio, freedom), expected


def _shrunk(scatter: Floats, freedom: Floats, alike: Places) -> Floats:
    """Return scatter, in units of that of random draws, drawn towards the upper tenth of the columns' of its kind."""
    others = np.ones(len(scatter))
    for kind in np.unique(alike):
        known = scatter[(alike == kind) & ~np.isnan(scatter)]
        if len(known):
            others[alike == kind] = np.quantile(known, CAUTIOUS)
    return (LIKE_OTHERS * others + freedom * scatter) / (LIKE_OTHERS + freedom)


def _beside_steps(changes: _Changes) -> tuple[Floats, Floats]:
    """Return how far the step to the change lies from 0 as a normal deviate, and the change before it."""
    if changes.past.shape[1] <= LEAST_CHANGES:
        nothing = np.full(len(changes.last), np.nan)
        return nothing, nothing
    steps = np.diff(changes.past, axis=1)
    number = (~np.isnan(steps)).sum(axis=1).astype(np.float64)
    number[number < LEAST_CHANGES] = np.nan
    scatter = np.nansum(np.square(steps), axis=1) / number
    before = changes.past[:, -1]
    ratio = (changes.last - before) / np.sqrt(scatter + LEAST_SCATTER * changes.last_drawn)
    return normal_deviate(ratio, number / STEPS_ALIKE), before


def normal_deviate(ratio: Floats, freedom: Floats) -> Floats:
    """Return the normal deviate that is as rare as Student's t of so many degrees of freedom (Wallace, 1959)."""
    with np.errstate(invalid="ignore", over="ignore"):
        rare = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(np.square(ratio) / freedom))
    return np.where(freedom > 1e6, ratio, np.sign(ratio) * rare)


def chance(deviate: float) -> float:
    """Return how likely a normal deviate as far from 0 is, on either side."""
    return math.erfc(abs(deviate) / math.sqrt(2))


def limit(budget: float, tests: int) -> float:
    """Return the normal deviate beyond which one of so many tests alarms, so that any does with the budget's chance."""
    return -_NORMAL.inv_cdf(budget / max(tests, 1) / 2)


def budget_of_look(a_year: float, days: float) -> float:
    """Return the part of a year's false alarms that a look may spend, so many days after the one before."""
    return a_year * min(days, 366.0) / 365.25


def rows_of_unseen(budget: float, values: int) -> int:
    """Return from how many rows on one of so many values alarms if no earlier snapshot held it."""
    return math.ceil(math.log2(max(values, 1) / budget))


def chance_of_rise(before: int, rows: int) -> float:
    """Return how likely no more than the rows `before` lie in the earlier snapshot if a value was as frequent in both.

    Each row of the value then lies in either with a chance of a half; if none lay in the earlier, 2 to the −rows.
    """
    both = before + rows
    return sum(math.comb(both, place) for place in range(before + 1)) / (1 << both)


def judge_step(step: float, before: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean of the steps before and how far a step lies from it: Student's t, as a normal deviate.

    None of fewer than twelve steps before. A step is the logarithm of the ratio of two snapshots' rows.
    """
    if len(before) < 2 * LEAST_CHANGES:
        return None
    mean, spread = float(np.mean(before)), float(np.std(before, ddof=1))
    ratio = (step - mean) / math.sqrt((spread**2 + 1e-8) * (1 + 1 / len(before)))
    return mean, float(normal_deviate(np.array([ratio]), np.array([len(before) - 1.0]))[0])


def stability_index(first: Floats, later: Floats) -> float:
    """Return the population stability index of two snapshots' kept values, over the tenths of the first."""
    edges = np.unique(first[np.searchsorted(SHARES, np.arange(1, 10) / 10)])
    one, other = (np.bincount(np.searchsorted(edges, grid, "left"), WEIGHTS, len(edges) + 1) for grid in (first, later))
    one, other = np.maximum(one, 1e-4), np.maximum(other, 1e-4)
    return float(((other - one) * np.log(other / one)).sum())


def history_before(dates: Sequence[date], at: int) -> Places:
    """Return the places of the snapshots before one, of the last three years."""
    first = dates[at] - timedelta(days=HISTORY_DAYS)
    return np.array([place for place in range(at) if dates[place] >= first], dtype=np.intp)
