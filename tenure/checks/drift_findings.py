"""The findings of drift: profiles of snapshots, each judged against those before it, in numbers and in words.

profiles by snapshot and column ─► summaries ─► judged (drift.py) ─► findings: a column and kind each
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, TypeAlias

import numpy as np

from tenure.checks.drift import (
    COMPARISONS,
    LEAST_CELLS,
    LEAST_DAYS,
    SUMMARIES,
    UNSEEN,
    VOLUME,
    Floats,
    Judged,
    Scale,
    budget_of_look,
    chance,
    chance_of_rise,
    history_before,
    judge,
    judge_step,
    limit,
    rows_of_unseen,
    shares,
    stability_index,
    summaries,
    year_before,
)
from tenure.define.table_contracts import DRIFT_KINDS

DriftKind: TypeAlias = Literal["mean", "spread", "shape", "missing", "category", "unseen value", "volume"]

#: The kinds of a column of numbers, in the order of `drift.summaries`.
_OF_NUMBERS: tuple[DriftKind, ...] = ("mean", "spread", "shape")

#: Values of a category whose shares are judged, the most frequent ones.
MOST_JUDGED = 20

#: Unseen values that the words name.
_MOST_NAMED = 5

NOT_YET = "not yet judged: it takes twelve steps from snapshot to snapshot to know what is usual"


@dataclass(frozen=True)
class Profile:
    """What a column holds at a snapshot: its rows, those where it is missing, and how the others are distributed.

    `grid` are the kept values of numbers (`drift.quantiles`), None of none or where they may not be given; `counts`
    the rows of each value of a category or flag, None where there are too many or they may not be given.
    """

    kind: str
    rows: int
    missing: int
    mean: float | None = None
    deviation: float | None = None
    grid: Floats | None = None
    counts: Mapping[str, int] | None = None

    @property
    def cells(self) -> int:
        """How many cells are there."""
        return self.rows - self.missing


@dataclass(frozen=True)
class DriftFinding:
    """What a test says of a column at a snapshot.

    `change` is that within a year (volume: since the snapshot before), `expected` the usual one, `deviate` how far they
    are apart as a normal deviate, `limit` from where on it alarms. Of an unseen value `change` counts the rows,
    `expected` the most that an earlier snapshot held. `column_name` is '' of the number of rows.
    """

    snapshot_date: date
    column_name: str
    kind: DriftKind
    change: float | None
    expected: float | None
    deviate: float | None
    limit: float | None
    chance: float | None
    is_alarm: bool
    stability_index: float | None = None
    words: str = ""


@dataclass
class _Summaries:
    """The summaries of all columns over all snapshots: what each is of, and arrays of summaries × snapshots."""

    subjects: list[tuple[str, DriftKind, str]] = field(default_factory=list)
    found: list[Floats] = field(default_factory=list)
    variances: list[Floats] = field(default_factory=list)

    def add(self, subject: tuple[str, DriftKind, str], found: Floats, variance: Floats, known: np.ndarray) -> None:
        self.subjects.append(subject)
        self.found.append(np.where(known, found, np.nan))
        self.variances.append(np.where(known, variance, np.nan))


def findings(profiles: Mapping[date, Mapping[str, Profile]], a_year: float) -> list[DriftFinding]:
    """Return what is found of each snapshot, in order; `a_year` are the false alarms that a quiet bank has a year."""
    dates = sorted(profiles)
    history = _History(dates, [profiles[day] for day in dates])
    found: list[DriftFinding] = []
    for at, day in enumerate(dates):
        budget = budget_of_look(a_year, (day - dates[at - 1]).days if at else 0)
        found.append(history.of_rows(at, budget * VOLUME))
        if at:
            found += history.of_columns(at, budget * SUMMARIES)
            found += history.of_unseen(at, budget * UNSEEN)
        history.note(at)
    return found


class _History:
    """The profiles of all snapshots, and what the looks so far leave for those that follow."""

    def __init__(self, dates: Sequence[date], profiles: Sequence[Mapping[str, Profile]]) -> None:
        self.dates, self.profiles = dates, profiles
        self.partners = year_before(dates)
        self.columns = list(dict.fromkeys(name for part in profiles for name in part))
        self.rows = [max((profile.rows for profile in part.values()), default=0) for part in profiles]
        #: The growth from snapshot to snapshot, without steps that alarmed.
        self.steps: list[float] = []
        #: The most rows that a snapshot held of each value of a column; None of a column whose values are not known.
        self.held: dict[str, dict[str, int] | None] = {}
        #: At which snapshots a summary alarmed.
        self.alarmed: dict[tuple[str, DriftKind, str], set[int]] = {}
        self._known: tuple[tuple[int, ...], _Summaries, Floats, Floats] | None = None

    def note(self, at: int) -> None:
        """Note which values a snapshot held."""
        for column, profile in self.profiles[at].items():
            held = self.held.setdefault(column, {})
            if profile.counts is None or held is None:
                self.held[column] = None
                continue
            for value, rows in profile.counts.items():
                held[value] = max(rows, held.get(value, 0))

    def of(self, column: str) -> list[Profile | None]:
        """A column's profile at each snapshot, None where it has none."""
        return [part.get(column) for part in self.profiles]

    def of_columns(self, at: int, budget: float) -> Iterator[DriftFinding]:
        """Judge each column at a snapshot: the strongest of the tests of a kind."""
        history = history_before(self.dates, at)
        compared = [place for place in history if self.partners[place] >= 0]
        if self.partners[at] < 0 or not compared or (self.dates[at] - self.dates[compared[0]]).days < LEAST_DAYS:
            return
        known, found, variances = self._summaries(at, int(history[0]))
        quiet = np.ones(found.shape, dtype=np.bool_)
        for place, subject in enumerate(known.subjects):
            quiet[place, list(self.alarmed.get(subject, ()))] = False
        alike = np.array([DRIFT_KINDS.index(kind) for _, kind, _ in known.subjects], dtype=np.intp)
        judged = judge(found, variances, self.partners, at, history, quiet, alike)
        tests = int((~np.isnan(judged.deviate)).sum())
        if not tests:
            return
        beyond = limit(budget, COMPARISONS * tests)
        for alarmed in np.flatnonzero(np.abs(judged.deviate) > beyond):
            self.alarmed.setdefault(known.subjects[alarmed], set()).add(at)
        for place in _strongest(known, judged):
            yield self._finding(at, known.subjects[place], judged, place, beyond)

    def of_unseen(self, at: int, budget: float) -> Iterator[DriftFinding]:
        """Find the values of categories that no earlier snapshot held, or held in too few rows to be sure of."""
        now = self.profiles[at]
        least = rows_of_unseen(budget, sum(len(profile.counts) for profile in now.values() if profile.counts))
        for column, profile in now.items():
            held = self.held.get(column)
            if not profile.counts or held is None:
                continue
            few = {value: rows for value, rows in profile.counts.items() if held.get(value, 0) < least}
            chances = {value: chance_of_rise(held.get(value, 0), rows) for value, rows in few.items()}
            unseen = {value: few[value] for value, rare in chances.items() if value not in held or rare <= 2.0**-least}
            if not unseen:
                continue
            rarest = min(unseen, key=lambda value: (chances[value], value))
            rows, before, rare = float(few[rarest]), float(held.get(rarest, 0)), chances[rarest]
            is_alarm, words = rare <= 2.0**-least, _unseen_words(column, unseen, held, profile.rows)
            figures = rows, before, None, float(least), rare
            yield DriftFinding(self.dates[at], column, "unseen value", *figures, is_alarm, None, words)

    def of_rows(self, at: int, budget: float) -> DriftFinding:
        """Judge the number of rows of a snapshot."""
        day, rows, before = self.dates[at], self.rows[at], self.rows[at - 1] if at else 0
        nothing = DriftFinding(day, "", "volume", None, None, None, None, None, is_alarm=False, words=NOT_YET)
        if not rows or not before:
            return nothing
        step = math.log(rows / before)
        judged = judge_step(step, self.steps) if (day - self.dates[0]).days >= LEAST_DAYS else None
        if judged is None:
            self.steps.append(step)
            return nothing
        expected, deviate = judged
        beyond, words = limit(budget, 1), ""
        if is_alarm := abs(deviate) > beyond:
            grown, usual = (f"{math.expm1(growth):+.1%}" for growth in (step, expected))
            words = f"{rows:,} customers, {grown} since the snapshot before; usual is {usual}"
        else:
            self.steps.append(step)
        return DriftFinding(day, "", "volume", step, expected, deviate, beyond, chance(deviate), is_alarm, None, words)

    def _summaries(self, at: int, first: int) -> tuple[_Summaries, Floats, Floats]:
        """The summaries of all columns, by scores whose reference is a year that the history begins in."""
        years = (self.dates[first] - self.dates[0]).days // 366
        begins = self.dates[0] + timedelta(days=366 * years)
        ends = begins + timedelta(days=366)
        reference = tuple(place for place, day in enumerate(self.dates[:at]) if begins <= day < ends)
        if self._known is None or self._known[0] != reference:
            known = _Summaries()
            for column in self.columns:
                _summarise(known, column, self.of(column), reference)
            self._known = reference, known, np.array(known.found), np.array(known.variances)
        return self._known[1:]

    def _finding(
        self, at: int, subject: tuple[str, DriftKind, str], judged: Judged, place: int, beyond: float
    ) -> DriftFinding:
        column, kind, _ = subject
        deviate = float(judged.deviate[place])
        is_alarm = abs(deviate) > beyond
        place_before = int(self.partners[at])
        now, before = self.profiles[at].get(column), self.profiles[place_before].get(column)
        index = None
        if kind == "mean" and now and before and now.grid is not None and before.grid is not None:
            index = stability_index(before.grid, now.grid)
        change, expected = float(judged.change[place]), float(judged.expected[place])
        words = _words(subject, now, before, change, expected) if is_alarm and now and before else ""
        if words and place_before in self.alarmed.get(subject, ()):
            words += "; it alarmed then"
        return DriftFinding(
            self.dates[at], column, kind, change, expected, deviate, beyond, chance(deviate), is_alarm, index, words
        )


def _strongest(known: _Summaries, judged: Judged) -> list[int]:
    """The place of the strongest test of each column and kind."""
    best: dict[tuple[str, DriftKind], int] = {}
    for place in np.flatnonzero(~np.isnan(judged.deviate)):
        key = known.subjects[place][:2]
        if key not in best or abs(judged.deviate[place]) > abs(judged.deviate[best[key]]):
            best[key] = int(place)
    return list(best.values())


def _summarise(known: _Summaries, column: str, profiles: Sequence[Profile | None], reference: Sequence[int]) -> None:
    """Add the summaries of a column over all snapshots."""
    there = np.array([profile is not None and profile.rows > 0 for profile in profiles])
    rows = np.array([profile.rows if profile else 1 for profile in profiles], dtype=np.float64)
    rows = np.maximum(rows, 1)
    missing = np.array([profile.missing if profile else 0 for profile in profiles], dtype=np.float64)
    enough = there & (rows >= LEAST_CELLS)
    known.add((column, "missing", ""), *shares(missing, rows), enough)
    if any(profile and profile.counts is not None for profile in profiles):
        _summarise_values(known, column, profiles, reference)
    else:
        _summarise_numbers(known, column, profiles, reference)


def _summarise_numbers(
    known: _Summaries, column: str, profiles: Sequence[Profile | None], reference: Sequence[int]
) -> None:
    """Add mean, spread and upper tail by scores; of a personal column, whose values are not kept, the mean alone."""
    cells = np.array([max(profile.cells, 1) if profile else 1 for profile in profiles], dtype=np.float64)
    there = np.array([profile is not None and profile.grid is not None for profile in profiles])
    enough = there & (cells >= LEAST_CELLS)
    first = [place for place in reference if enough[place]]
    if first:
        nothing = np.zeros_like(next(p.grid for p in profiles if p is not None and p.grid is not None))
        grids = np.stack([p.grid if p is not None and p.grid is not None else nothing for p in profiles])
        found, variances = summaries(Scale.of(grids[first]), grids, cells)
        for place, kind in enumerate(_OF_NUMBERS):
            known.add((column, kind, ""), found[place], variances[place], enough)
    elif not there.any():
        means = np.array([p.mean if p and p.mean is not None else np.nan for p in profiles], dtype=np.float64)
        spreads = np.array([p.deviation if p and p.deviation else np.nan for p in profiles], dtype=np.float64)
        known.add((column, "mean", ""), means, np.square(spreads) / cells, cells >= LEAST_CELLS)


def _summarise_values(
    known: _Summaries, column: str, profiles: Sequence[Profile | None], reference: Sequence[int]
) -> None:
    """Add the share of each frequent value of a category."""
    counts = [profile.counts if profile and profile.counts is not None else {} for profile in profiles]
    cells = np.array([max(profile.cells, 1) if profile else 1 for profile in profiles], dtype=np.float64)
    enough = np.array([bool(part) for part in counts]) & (cells >= LEAST_CELLS)
    total: dict[str, int] = {}
    for place in reference:
        for value, number in counts[place].items():
            total[value] = total.get(value, 0) + number
    for value in sorted(total, key=lambda value: (-total[value], value))[:MOST_JUDGED]:
        held = np.array([part.get(value, 0) for part in counts], dtype=np.float64)
        known.add((column, "category", value), *shares(held, cells), enough)


def _unseen_words(column: str, unseen: Mapping[str, int], held: Mapping[str, int], rows: int) -> str:
    ordered = sorted(unseen.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(
        f"'{value}' in {number:,} rows" + (f" (never in more than {held[value]:,})" if value in held else "")
        for value, number in ordered[:_MOST_NAMED]
    )
    more = f" and {len(ordered) - _MOST_NAMED:,} more" if len(ordered) > _MOST_NAMED else ""
    what = (
        "holds more than any earlier snapshot of"
        if held.keys() >= unseen.keys()
        else "holds what no earlier snapshot held"
    )
    return f"{column} {what}: {named}{more} ({sum(unseen.values()) / rows:.2%} of the rows)"


def _words(subject: tuple[str, DriftKind, str], now: Profile, before: Profile, change: float, expected: float) -> str:
    """What moved, in words: now and a year before, in the column's own unit where there is one."""
    column, kind, value = subject
    if kind in {"missing", "category"}:
        here, there = (_share(profile, kind, value) for profile in (now, before))
        what = "missing" if kind == "missing" else f"'{value}'"
        beside = f"{change * 100:+.1f} points where {expected * 100:+.1f} are usual"
        return f"{column} is {what} in {here:.1%} of the rows, in {there:.1%} a year before: {beside}"
    what = {
        "mean": "has moved",
        "spread": "is wider" if change > expected else "is narrower",
        "shape": "holds more large values" if change > expected else "holds fewer large values",
    }[kind]
    after, earlier = (f"mean {_figure(profile.mean)}, sd {_figure(profile.deviation)}" for profile in (now, before))
    return f"{column} {what}: {after} now; {earlier} a year before"


def _share(profile: Profile, kind: DriftKind, value: str) -> float:
    """The share of rows where a column is missing, or of its cells that are a value."""
    if kind == "missing":
        return profile.missing / max(profile.rows, 1)
    return (profile.counts or {}).get(value, 0) / max(profile.cells, 1)


def _figure(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.4g}"
