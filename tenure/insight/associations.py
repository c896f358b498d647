"""Associations of all pairs of columns in one pass of batches: sums of products, from which each figure is computed.

batch ─► X  numbers, each less its median and divided by its spread, 0 where missing ─┐
      ─► R  ranks, from −1 to 1, 0 where missing                                     ├─► XᵀX, XᵀM, (X²)ᵀM, HᵀX … add up
      ─► M  1 where present, a column a pattern of missing cells                     │
      ─► H  1 where a category has a value, a column a value                        ─┘

A pair counts the rows where both are present. Ranks are those among all of a column's own cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.insight.column_profile import Numbers, RankGrid

#: Values of a category that count apart; the rest count as one.
MOST_LEVELS = 50

#: A spread below this share of the sum of squares is rounding, not spread.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class NumberScale:
    """What a column of numbers is scaled by, its rank grid, and the number of its pattern of missing cells.

    The centre is the median: one far value would move a mean away from all the others, whose digits were then lost.
    """

    name: str
    center: float
    deviation: float
    ranks: RankGrid
    pattern: int


@dataclass(frozen=True)
class Levels:
    """A category and its values that count apart, the most frequent first."""

    name: str
    values: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many columns of H it takes: one more for the rest."""
        return len(self.values) + 1


class Association(NamedTuple):
    """How two columns go together, each figure None where it has no meaning; `rows` have both."""

    first: str
    second: str
    rows: int
    pearson: float | None = None
    spearman: float | None = None
    cramers_v: float | None = None
    correlation_ratio: float | None = None


class Associations:
    """The sums of products of batches that came so far."""

    def __init__(
        self, numbers: Sequence[NumberScale], categories: Sequence[Levels], pool: Executor | None = None
    ) -> None:
        """Know the columns; nothing is summed up yet. Given a `pool`, its threads scale and rank the columns."""
        self._map = pool.map if pool else map
        self.numbers, self.categories = list(numbers), list(categories)
        patterns = max((column.pattern for column in numbers), default=-1) + 1
        levels = sum(category.size for category in categories)
        many = len(self.numbers)
        self._of_pattern = np.array([column.pattern for column in numbers], dtype=np.int64)
        self._both = np.zeros((patterns, patterns))
        self._values = _Sums(many, patterns)
        self._ranks = _Sums(many, patterns)
        self._levels = np.zeros((levels, levels))
        self._level_rows = np.zeros((levels, patterns))
        self._level_sums = np.zeros((levels, many))
        self._level_squares = np.zeros((levels, many))

    def add(self, numbers: Mapping[str, Numbers], codes: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Add a batch: each number column's cells, NaN where missing, and each category's codes.

        A code is the place of the value among the levels, their number for any other value, −1 where missing.
        """
        rows = len(next(iter([*numbers.values(), *codes.values()]), ()))
        # A column after the other, as they are written and multiplied.
        scaled = np.zeros((rows, len(self.numbers)), order="F")
        ranked = np.zeros((rows, len(self.numbers)), order="F")
        present = np.zeros((rows, len(self._both)), order="F")

        def fill(at: int) -> None:
            column = self.numbers[at]
            cells = numbers[column.name]
            missing = np.isnan(cells)
            present[:, column.pattern] = ~missing
            if column.deviation:
                np.subtract(cells, column.center, out=scaled[:, at])
                scaled[:, at] /= column.deviation
                ranked[:, at] = column.ranks.of(cells)
                scaled[missing, at] = ranked[missing, at] = 0.0

        list(self._map(fill, range(len(self.numbers))))
        hot = self._hot(codes, rows)
        self._both += present.T @ present
        squares = self._values.add(scaled, present)
        self._ranks.add(ranked, present)
        if hot.shape[1]:
            self._levels += hot.T @ hot
            self._level_rows += hot.T @ present
            self._level_sums += hot.T @ scaled
            self._level_squares += hot.T @ squares

    def _hot(self, codes: Mapping[str, npt.NDArray[np.int64]], rows: int) -> Numbers:
        """1 where a category has a level: a column a level."""
        hot = np.zeros((rows, len(self._levels)))
        first = 0
        for category in self.categories:
            code = codes[category.name]
            there = np.flatnonzero(code >= 0)
            hot[there, first + code[there]] = 1
            first += category.size
        return hot

    def pairs(self) -> Iterator[Association]:
        """Yield the association of each pair of columns: numbers, then numbers with categories, then categories."""
        yield from self._of_numbers()
        first = 0
        for at, category in enumerate(self.categories):
            rows = slice(first, first + category.size)
            yield from self._of_category(category, rows)
            after = first + category.size
            for other in self.categories[at + 1 :]:
                table = self._levels[rows, after : after + other.size]
                yield Association(category.name, other.name, round(table.sum()), cramers_v=cramers_v(table))
                after += other.size
            first += category.size

    def _of_numbers(self) -> Iterator[Association]:
        if not self.numbers:
            return
        rows = self._both[np.ix_(self._of_pattern, self._of_pattern)]
        pearson = self._values.correlations(rows, self._of_pattern)
        spearman = self._ranks.correlations(rows, self._of_pattern)
        names = [column.name for column in self.numbers]
        for one, name in enumerate(names):
            later = slice(one + 1, None)
            found = zip(rows[one, later], pearson[one, later], spearman[one, later], strict=True)
            for other, (both, value, rank_value) in zip(names[later], found, strict=True):
                yield Association(name, other, round(both), _or_none(value), _or_none(rank_value))

    def _of_category(self, category: Levels, levels: slice) -> Iterator[Association]:
        for at, column in enumerate(self.numbers):
            rows = self._level_rows[levels, column.pattern]
            sums, squares = self._level_sums[levels, at], self._level_squares[levels, at]
            ratio = correlation_ratio(rows, sums, float(squares.sum()))
            yield Association(column.name, category.name, round(rows.sum()), correlation_ratio=ratio)


class _Sums:
    """The sums of products of numbers with each other, and of numbers and their squares where others are present."""

    def __init__(self, many: int, patterns: int) -> None:
        self._products = np.zeros((many, many))
        self._sums = np.zeros((many, patterns))
        self._squares = np.zeros((many, patterns))

    def add(self, cells: Numbers, present: Numbers) -> Numbers:
        """Add a batch, 0 where a cell is missing, and return the squares of its cells."""
        squares: Numbers = np.square(cells)
        self._products += cells.T @ cells
        self._sums += cells.T @ present
        self._squares += squares.T @ present
        return squares

    def correlations(self, rows: Numbers, of_pattern: npt.NDArray[np.int64]) -> Numbers:
        """Return the correlation of each pair over the rows that have both; NaN where one does not vary there."""
        sums, squares = self._sums[:, of_pattern], self._squares[:, of_pattern]
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = squares - sums * sums / rows
            spread[spread <= _ROUNDING * squares] = np.nan
            found: Numbers = (self._products - sums * sums.T / rows) / np.sqrt(spread * spread.T)
        return np.clip(found, -1, 1)


def cramers_v(table: Numbers) -> float | None:
    """Return Cramér's V of a contingency table, None where one side has fewer than two values."""
    table = table[np.ix_(table.sum(axis=1) > 0, table.sum(axis=0) > 0)]
    freedom = min(table.shape) - 1
    if freedom < 1:
        return None
    number = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / number
    squares = float((np.square(table - expected) / expected).sum())
    return min(1.0, math.sqrt(squares / (number * freedom)))


def correlation_ratio(rows: Numbers, sums: Numbers, squares: float) -> float | None:
    """Return the root of the share of a number's variance that lies between a category's values.

    `rows` and `sums` of the number are by value; None where the number does not vary or there are fewer than two
    values.
    """
    there = rows > 0
    if there.sum() < 2:
        return None
    middle = float(sums.sum()) ** 2 / float(rows.sum())
    total = squares - middle
    if total <= _ROUNDING * squares:
        return None
    between = float((np.square(sums[there]) / rows[there]).sum()) - middle
    return math.sqrt(min(1.0, max(0.0, between / total)))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
