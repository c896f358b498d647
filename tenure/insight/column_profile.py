"""The profile of one column: how many cells are missing, how the others are distributed, which lie apart.

batches ─► NumberColumn   counts, moments; of many rows an even sample is kept ─► sorted once ─► quartiles, bins
        └► CategoryColumn counts by value, up to a limit

Days are counted from 1970-01-01, flags are 0 or 1. What is no finite number counts as missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers: TypeAlias = npt.NDArray[np.float64]
Kind: TypeAlias = Literal["number", "flag", "day", "category"]

#: Cells of a column that are sorted at most: of more rows every second, third … is kept.
MOST_SORTED = 4_000_000

#: Different values of a category that are counted at most.
MOST_VALUES = 100_000

#: Bins of a distribution, and values of a category that it names.
BINS = 24

#: Outliers lie more than so many interquartile ranges beyond a quartile, and behind a gap that is at least this share
#: of the way from the quartile to the last value before the gap.
FENCE, GAP = 1.0, 2 / 3

#: More than this share of a column's cells on one side are no outliers, but a group of their own.
FEW = 0.05

#: Cells of a rank grid: ranks are exact for a column of no more different values.
RANK_CELLS = 4096

#: Days that systems write where they know none, from 1970-01-01.
_PLACEHOLDERS = ("0001-01-01", "1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "2999-12-31", "9999-12-31")
PLACEHOLDER_DAYS = np.array(_PLACEHOLDERS, dtype="datetime64[D]").astype(np.float64)


def kind_of(type_: pa.DataType) -> Kind | None:
    """Return what a column of a type holds; None for what has no distribution, such as lists."""
    if pa.types.is_boolean(type_):
        return "flag"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return "day"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "category"
    return None


def numbers_of(cells: pa.Array) -> Numbers:
    """Return a column's cells as floats: flags as 0 and 1, times as days; NaN where there is no finite number."""
    kind = kind_of(cells.type)
    if kind == "day":
        days = cells.cast(pa.date32()) if pa.types.is_date(cells.type) else cells
        if pa.types.is_date(cells.type):
            found = days.cast(pa.int32()).cast(pa.float64())
        else:
            micros = pc.cast(cells, pa.timestamp("us", cells.type.tz), safe=False).cast(pa.int64())
            found = pc.divide(micros.cast(pa.float64(), safe=False), 86_400_000_000.0)
    elif kind == "flag":
        found = cells.cast(pa.int8()).cast(pa.float64())
    else:
        found = cells.cast(pa.float64(), safe=False)
    numbers = np.array(found.to_numpy(zero_copy_only=False), dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


@dataclass
class Moments:
    """The count, mean and sum of squared deviations of numbers that came in parts, and their extremes."""

    rows: int = 0
    count: int = 0
    zeros: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, rows: int, present: Numbers) -> None:
        """Add a part of so many rows, of which these are present."""
        self.rows += rows
        number = len(present)
        if not number:
            return
        mean = float(present.mean())
        squares = float(np.square(present - mean).sum())
        self.merge(Moments(0, number, int((present == 0).sum()), mean, squares, present.min(), present.max()))

    def merge(self, other: Moments) -> None:
        """Add the moments of other rows."""
        self.rows += other.rows
        both = self.count + other.count
        if not other.count:
            return
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.count * other.count / both
        self.mean += apart * other.count / both
        self.count, self.zeros = both, self.zeros + other.zeros
        self.least, self.greatest = min(self.least, float(other.least)), max(self.greatest, float(other.greatest))

    @property
    def deviation(self) -> float | None:
        """The standard deviation of a sample; None of fewer than two numbers."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None


@dataclass
class NumberColumn:
    """A column of numbers, flags or days, by part: a part is a snapshot, or the only one.

    `stride` keeps every so manieth cell for what needs sorting.
    """

    stride: int = 1
    parts: dict[Hashable, Moments] = field(default_factory=dict)
    _kept: dict[Hashable, list[Numbers]] = field(default_factory=dict)

    def add(self, part: Hashable, cells: Numbers) -> None:
        """Add cells of a part, NaN where one is missing."""
        present = cells[~np.isnan(cells)]
        self.parts.setdefault(part, Moments()).add(len(cells), present)
        kept = present
        if self.stride > 1:
            sampled = cells[:: self.stride]
            kept = sampled[~np.isnan(sampled)]
        self._kept.setdefault(part, []).append(kept)

    @property
    def whole(self) -> Moments:
        """The moments of all parts together."""
        found = Moments()
        for moments in self.parts.values():
            found.merge(moments)
        return found

    def sorted_part(self, part: Hashable) -> Numbers:
        """Return the kept cells of a part in order."""
        return np.sort(np.concatenate(self._kept.get(part, [np.empty(0)])))

    @cached_property
    def sorted_whole(self) -> Numbers:
        """All kept cells in order; asked for when the last were added."""
        kept = [cells for part in self._kept.values() for cells in part]
        return np.sort(np.concatenate(kept or [np.empty(0)]))


@dataclass
class CategoryColumn:
    """A column of text, by part: how often each value stands there, while there are not too many."""

    rows: Counter[Hashable] = field(default_factory=Counter)
    missing: Counter[Hashable] = field(default_factory=Counter)
    values: dict[Hashable, Counter[str]] = field(default_factory=dict)
    is_full: bool = False
    _seen: set[str] = field(default_factory=set)

    def add(self, part: Hashable, cells: pa.Array) -> None:
        """Add cells of a part."""
        self.rows[part] += len(cells)
        self.missing[part] += cells.null_count
        if self.is_full:
            return
        found = self.values.setdefault(part, Counter())
        counted = pc.value_counts(cells.drop_null())
        for value, number in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            found[value] += number
            self._seen.add(value)
        if len(self._seen) > MOST_VALUES:
            self.is_full = True
            self.values.clear()
            self._seen.clear()

    @property
    def whole(self) -> Counter[str]:
        """How often each value stands in all parts; empty if there were too many."""
        found: Counter[str] = Counter()
        for counts in self.values.values():
            found.update(counts)
        return found


def ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return values by how often they stand there, most first; of equals the first in the alphabet."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def quartiles(cells: Numbers) -> tuple[float, float, float] | None:
    """Return the quartiles of sorted cells, interpolated; None of none."""
    if not len(cells):
        return None
    low, middle, high = (_quantile(cells, share) for share in (0.25, 0.5, 0.75))
    return low, middle, high


def _quantile(cells: Numbers, share: float) -> float:
    """The quantile of sorted cells, as NumPy interpolates it."""
    place = (len(cells) - 1) * share
    below = int(place)
    above = min(below + 1, len(cells) - 1)
    return float(cells[below] + (cells[above] - cells[below]) * (place - below))


def outliers(cells: Numbers) -> tuple[int, int]:
    """Return how many sorted cells lie apart below and above the others.

     outliers    gap ≥ ⅔ way           way          lower quartile
     [ 1900 ]··················[ 1930 ─────────────── 1955 ─── …

    The long tail of a skewed column has no such gap: its values thin out. More than 5 % on a side are no outliers.
    """
    found = quartiles(cells)
    if found is None or found[2] <= found[0]:
        return 0, 0
    low, _, high = found
    span = high - low
    return _apart(cells, low, FENCE * span), _apart(-cells[::-1], -high, FENCE * span)


def _apart(cells: Numbers, quartile: float, fence: float) -> int:
    """How many sorted cells lie further below a quartile than the fence, behind a wide gap."""
    beyond = int(np.searchsorted(cells, quartile - fence, "left"))
    if not beyond:
        return 0
    before = cells[1 : beyond + 1]
    wide = np.flatnonzero(before - cells[:beyond] >= GAP * (quartile - before))
    found = int(wide[-1]) + 1 if len(wide) else 0
    return found if found <= FEW * len(cells) else 0


@dataclass(frozen=True)
class Bin:
    """The cells from `start` to `end`, both included where they are one value, else without the end."""

    start: float
    end: float
    rows: int


def bins(cells: Numbers) -> list[Bin]:
    """Return the distribution of sorted cells: a bin a value if these are few, else bins of equal width.

    The outermost 0.5 % on each side go into the first and the last bin.
    """
    if not len(cells):
        return []
    firsts = np.flatnonzero(np.diff(cells)) + 1
    if len(firsts) < BINS:
        starts = np.concatenate([[0], firsts])
        counts = np.diff(np.concatenate([starts, [len(cells)]]))
        return [Bin(float(cells[at]), float(cells[at]), int(rows)) for at, rows in zip(starts, counts, strict=True)]
    low, high = _quantile(cells, 0.005), _quantile(cells, 0.995)
    if high <= low:
        low, high = float(cells[0]), float(cells[-1])
    inner = np.linspace(low, high, BINS + 1)[1:-1]
    upto = np.concatenate([np.searchsorted(cells, inner, "left"), [len(cells)]])
    edges = [float(cells[0]), *map(float, inner), float(cells[-1])]
    rows = np.diff(np.concatenate([[0], upto]))
    return [Bin(edges[at], edges[at + 1], int(number)) for at, number in enumerate(rows)]


def distinct(cells: Numbers) -> int:
    """Return how many different values sorted cells have."""
    return 0 if not len(cells) else int((np.diff(cells) != 0).sum()) + 1


def placeholders(cells: Numbers) -> int:
    """Return how many sorted days are such that systems write where they know none."""
    days = np.floor(cells)
    return int(np.isin(days, PLACEHOLDER_DAYS).sum())


@dataclass(frozen=True)
class RankGrid:
    """Upper edges of cells and each cell's middle rank, from −1 for the least to 1 for the greatest."""

    edges: Numbers
    ranks: Numbers

    def of(self, cells: Numbers) -> Numbers:
        """Return the rank of each cell; what of a missing one does not matter."""
        at = np.searchsorted(self.edges, cells, "left")
        found: Numbers = self.ranks[np.minimum(at, len(self.ranks) - 1)]
        return found


def rank_grid(cells: Numbers) -> RankGrid:
    """Return the grid of sorted cells: a cell a value if there are up to 4,096 values, else cells of equal rows."""
    number = len(cells)
    if not number:
        return RankGrid(np.zeros(1), np.zeros(1))
    changes = np.flatnonzero(np.diff(cells))
    if len(changes) < RANK_CELLS:
        edges = cells[np.concatenate([changes, [number - 1]])]
    else:
        edges = np.unique(cells[np.linspace(0, number - 1, RANK_CELLS).astype(np.int64)])
    upto = np.searchsorted(cells, edges, "right")
    below = np.concatenate([[0], upto[:-1]])
    return RankGrid(edges, (below + upto) / number - 1)


def stride_for(rows: int) -> int:
    """Return the stride at which no more than the most cells are kept of so many rows."""
    return max(1, -(-rows // MOST_SORTED))


def columns_at_once(rows: int, names: Sequence[str], room: int = 2**27) -> list[Sequence[str]]:
    """Return the names in groups whose kept cells fit into so many bytes."""
    kept = max(1, min(rows, MOST_SORTED)) * 8
    size = max(1, room // kept)
    return [names[first : first + size] for first in range(0, len(names), size)]
