"""Which columns a member of a model reads: chosen by the rows that teach it, so that its own fold has no say.

fold          0   1   2   3   4
member 0      ?   ■   ■   ■   ■      ■ chooses the member's columns, then teaches it   ? judges both
member 1      ■   ?   ■   ■   ■

    empty, constant ─► ended ─► equal ─┬───────────────────────────────────────┬─► what the member reads
                                       ├─► alike                               ┤   [train] select = "alike"
                                       └─► no better than labels dealt anew    ┘   [train] select = "null_importance"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from tenure.errors import ModelError, choices
from tenure.model.sample import Folds, Sample, columns_at
from tenure.model.select import Columns

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

SELECTIONS = ("plain", "alike", "null_importance", "none")
"""How columns may be selected; see docs/train.md."""

ALIKE = 0.999
"""Two columns are alike if the correlation of their ranks is at least this, up or down."""

RANKED_ROWS = 5_000
"""Alike columns are sought among the rows of customers drawn at random, so many rows; all rows confirm a pair."""

COMPARED_ROWS = 2_000
"""Columns that differ in one of so many evenly spaced rows are not compared in the others."""

LEAST_SNAPSHOTS = 4
"""With fewer snapshots there is no later half that says that a column has ended."""


@dataclass(frozen=True)
class Teaching:
    """The rows that teach a member: their snapshots numbered in order of date, shape (rows,), and the seed of draws."""

    columns: Columns
    rows: Sample
    snapshot: Integers
    seed: int

    def without(self, dropped: Mapping[str, str]) -> Teaching:
        """Return the same rows with fewer columns."""
        columns = self.columns.without(dropped)
        matrix = columns_at(self.rows.matrix, columns.places_in(self.columns))
        return replace(self, columns=columns, rows=replace(self.rows, matrix=matrix))


def select_in_folds(folds: Folds, snapshot: Integers, *, select: str, seed: int) -> Folds:
    """Return the folds with the columns that the member of each reads, and a matrix of those that any of them reads.

    `columns.dropped` has the reasons of the others, and of those that some members drop: 'in 2 of 5 folds: …'.
    Raises ModelError where no column is left to a member.
    """
    if select == "none":
        return folds
    reads: dict[int, Columns] = {}
    for number in folds.numbers:
        others = folds.fold != number
        teaching = Teaching(folds.columns, folds.rows.only(others), snapshot[others], seed)
        reads[number] = selected(teaching, select)
    columns = _read_by_any(folds.columns, list(reads.values()))
    matrix = columns_at(folds.rows.matrix, columns.places_in(folds.columns))
    return Folds(replace(folds.rows, matrix=matrix), folds.fold, columns, reads)


def selected(teaching: Teaching, select: str) -> Columns:
    """Return the columns that a member reads which learns from some rows; `dropped` has the reasons of the others."""
    dropped: dict[str, str] = {}
    # Equal columns are dropped by the same rules, so that these need not see what the others leave.
    for rule in (empty_or_constant, ended, equal):
        dropped = {**rule(teaching), **dropped}
    if select == "alike":
        dropped |= alike(teaching.without(dropped))
    elif select == "null_importance":
        from tenure.model.null_importance import unimportant

        left = teaching.without(dropped)
        dropped |= unimportant(left.columns, left.rows, left.snapshot, left.seed)
    columns = teaching.columns.without(dropped)
    if not columns.names:
        raise ModelError(
            f"[train] select = '{select}' leaves a fold's model no feature to learn from "
            f"({choices(f'{name}: {reason}' for name, reason in dropped.items())})",
            hint='tenure.toml: [train] select = "none"; or features/*.py: define features that vary',
        )
    return columns


def _read_by_any(whole: Columns, reads: Sequence[Columns]) -> Columns:
    reasons = {name: [one.dropped[name] for one in reads if name in one.dropped] for name in whole.names}
    words = {name: _in_folds(why, len(reads)) for name, why in reasons.items() if why}
    found = whole.without({name: words[name] for name, why in reasons.items() if len(why) == len(reads)})
    return replace(found, dropped={**found.dropped, **words})


def _in_folds(reasons: Sequence[str], folds: int) -> str:
    """Why some of so many folds drop a column: the reason alone where it is that of all."""
    counts = Counter(reasons).most_common()
    if counts[0][1] == folds:
        return reasons[0]
    return "; ".join(f"in {count} of {folds} folds: {reason}" for reason, count in counts)


def empty_or_constant(teaching: Teaching) -> dict[str, str]:
    """Return the columns without a value, and those of one value on every row."""
    matrix, dropped = teaching.rows.matrix, {}
    least, most = np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)
    for place in np.flatnonzero(np.isnan(least) | (least == most)):
        name = teaching.columns.names[place]
        if np.isnan(least[place]):
            dropped[name] = "all null on the rows that teach"
        elif not np.isnan(matrix[:, place]).any():
            dropped[name] = "constant on the rows that teach"
    return dropped


def ended(teaching: Teaching) -> dict[str, str]:
    """Return the columns that have values in the earlier half of the snapshots only.

    What they teach is of a time that is over. A column that begins late is kept: it has values when it is scored.
    Nor does a column go whose distribution moves: what grows with time, as the days with the bank do, moves most.
    """
    dates = np.unique(teaching.snapshot)
    if len(dates) < LEAST_SNAPSHOTS:
        return {}
    later = np.flatnonzero(teaching.snapshot >= dates[len(dates) // 2])
    matrix = teaching.rows.matrix
    seem_empty = np.flatnonzero(np.isnan(matrix[later[:COMPARED_ROWS]]).all(axis=0))
    half = f"{len(dates) - len(dates) // 2} of {len(dates)} snapshots"
    return {
        teaching.columns.names[place]: f"ended: all null on the later {half}, though not before"
        for place in seem_empty
        if np.isnan(matrix[later, place]).all()
    }


def equal(teaching: Teaching) -> dict[str, str]:
    """Return the columns that equal another in every row; of equals the plainest stays."""
    matrix = teaching.rows.matrix
    spaced = matrix[:: max(1, len(matrix) // COMPARED_ROWS)]
    # Adding 0 makes -0.0 a plain 0, which has other bytes.
    digests = np.ascontiguousarray(np.where(np.isnan(spaced), np.nan, spaced + 0.0).T)
    kept: dict[tuple[bytes, tuple[str, ...] | None], list[int]] = {}
    dropped: dict[str, str] = {}
    for place in _plainest_first(teaching.columns):
        name = teaching.columns.names[place]
        rivals = kept.setdefault((digests[place].tobytes(), teaching.columns.categories.get(name)), [])
        column = matrix[:, place]
        twin = next((one for one in rivals if np.array_equal(matrix[:, one], column, equal_nan=True)), None)
        if twin is None:
            rivals.append(place)
        else:
            dropped[name] = f"equal to '{teaching.columns.names[twin]}' on every row"
    return dropped


def alike(teaching: Teaching) -> dict[str, str]:
    """Return the numbers that rank rows as another does: |Spearman's correlation| at least ALIKE, gaps ranked lowest.

    So they must where either is not at its commonest value: an amount that few have ranks all rows nearly as its count
    does. Of those alike the one with most values stays, then the plainest.
    """
    numbers = len(teaching.columns.numeric)
    matrix = teaching.rows.matrix[:, :numbers]
    drawn = _drawn_rows(teaching.rows, RANKED_ROWS, teaching.seed)
    close = np.abs(_rank_correlations(matrix[drawn])) >= ALIKE
    present = (~np.isnan(matrix)).sum(axis=0)
    kept: list[int] = []
    dropped: dict[str, str] = {}
    names = teaching.columns.names
    for place in sorted(_plainest_first(teaching.columns, numbers), key=lambda place: -present[place]):
        rivals = (one for one in kept if close[place, one] and _are_alike(matrix[:, place], matrix[:, one]))
        rival = next(rivals, None)
        if rival is None:
            kept.append(place)
        else:
            dropped[names[place]] = f"ranks rows as '{names[rival]}' does (correlation of ranks {ALIKE} or more)"
    return dropped


def _are_alike(one: Floats, other: Floats) -> bool:
    """Whether two columns rank all rows alike, and those too where either is not at its commonest value."""
    both = np.column_stack([one, other])
    both = np.where(np.isnan(both), -np.inf, both)
    rare = (both != [_commonest(both[:, 0]), _commonest(both[:, 1])]).any(axis=1)
    is_fixed = both[rare].min(axis=0) == both[rare].max(axis=0) if rare.any() else np.array([True, True])
    within = True if is_fixed.all() else abs(_rank_correlations(both[rare])[0, 1]) >= ALIKE
    return within and bool(abs(_rank_correlations(both)[0, 1]) >= ALIKE)


def _commonest(values: Floats) -> float:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()])


def _plainest_first(columns: Columns, first: int | None = None) -> list[int]:
    """The places of the columns, or of the first ones, shortest name first.

    The shortest window first seemed wiser, since a longer one goes beyond what train has shown where history is short;
    on the web shop that cost 0.002 of the test's AUROC, and names cost nothing.
    """
    names = columns.names[:first]
    return sorted(range(len(names)), key=lambda place: (len(names[place]), names[place]))


def _rank_correlations(matrix: Floats) -> Floats:
    """Spearman's correlations of the columns, missing cells ranked lowest; 0 of a column that does not vary."""
    ranks = rankdata(np.where(np.isnan(matrix), -np.inf, matrix), axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(length > 0, length, 1.0)
    # One thread: sums then always run in one order, so that a second run drops the same.
    with threadpool_limits(limits=1):
        found: Floats = ranks.T @ ranks
    return found


def _drawn_rows(rows: Sample, most: int, seed: int) -> Integers:
    """The places of the rows of customers drawn at random, about so many; of all where there are no more."""
    count = len(rows.churned)
    if count <= most:
        return np.arange(count)
    customer = rows.customers
    order = np.random.default_rng(seed).permutation(int(customer.max()) + 1)
    reached = np.cumsum(np.bincount(customer, minlength=len(order))[order])
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[: max(1, int(np.searchsorted(reached, most, side="right")))]] = True
    return np.flatnonzero(chosen[customer])
