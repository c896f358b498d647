"""The rows that models learn from, and in which fold each is; plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tenure.model.select import Columns

TEACHES_ALL = -1
"""The fold of a row that teaches every member and judges none."""

SEARCHED_ROWS = 20_000
"""A search looks at about so many rows, those of customers drawn by the seed; what it chose is then fitted on all."""


@dataclass(frozen=True)
class Sample:
    """Rows to learn from: features, shape (rows, features); `churned` is 1.0 or 0.0, shape (rows,).

    `customer` numbers the customers from 0, shape (rows,); left out, each row is one of its own. `weight` is how much
    a row counts in learning, never in judging, shape (rows,); left out, all count alike. `snapshot` and `label_end` are
    days, whole numbers from any first day on, shape (rows,); left out where rows have no dates.
    """

    matrix: NDArray[np.float64]
    churned: NDArray[np.float64]
    customer: NDArray[np.int64] | None = None
    weight: NDArray[np.float64] | None = None
    snapshot: NDArray[np.int64] | None = None
    label_end: NDArray[np.int64] | None = None

    @property
    def customers(self) -> NDArray[np.int64]:
        """The customer of each row, shape (rows,), where none is given one of its own."""
        return np.arange(len(self.churned)) if self.customer is None else self.customer

    def drawn(self, rows: int, seed: int) -> NDArray[np.bool_]:
        """Return which rows are of customers drawn by `seed`, about so many; all where there are no more."""
        if len(self.churned) <= rows:
            return np.ones(len(self.churned), dtype=np.bool_)
        draw = np.random.default_rng(seed).random(int(self.customers.max()) + 1)
        return np.asarray((draw < rows / len(self.churned))[self.customers])

    def only(self, rows: NDArray[np.bool_]) -> Sample:
        """Return some of the rows."""
        customer = None if self.customer is None else np.unique(self.customer[rows], return_inverse=True)[1]
        return Sample(
            self.matrix[rows],
            self.churned[rows],
            customer,
            None if self.weight is None else self.weight[rows],
            None if self.snapshot is None else self.snapshot[rows],
            None if self.label_end is None else self.label_end[rows],
        )

    def with_columns(self, places: NDArray[np.int64] | None) -> Sample:
        """Return the rows with the columns at some places; with all of them for None."""
        return replace(self, matrix=columns_at(self.matrix, places))


@dataclass(frozen=True)
class Folds:
    """The rows to learn from, and the fold of each, shape (rows,), numbered from 0; or TEACHES_ALL.

    `columns` are those of the rows' matrix; `reads` those of them that the member of a fold reads, all if it has none.
    """

    rows: Sample
    fold: NDArray[np.int64]
    columns: Columns
    reads: Mapping[int, Columns] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Columns, train: Sample, judged: Sample) -> Folds:
        """Return folds of one member, which learns from `train` and is judged by `judged`."""
        fold = np.repeat([TEACHES_ALL, 0], [len(train.matrix), len(judged.matrix)])
        customer = None
        if judged.customer is not None:
            # Errors are judged by customer, so only those of the judged rows are told apart.
            others = np.full(len(train.matrix), judged.customer.max(initial=0) + 1)
            customer = np.concatenate([others, judged.customer])
        weight = None
        if train.weight is not None:
            weight = np.concatenate([train.weight, np.ones(len(judged.matrix))])
        matrix = np.concatenate([train.matrix, judged.matrix])
        return cls(Sample(matrix, np.concatenate([train.churned, judged.churned]), customer, weight), fold, columns)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The folds that have rows, in order."""
        return tuple(int(number) for number in np.unique(self.fold) if number != TEACHES_ALL)

    def apart(self, number: int) -> tuple[Sample, Sample]:
        """Return the rows outside of a fold, and those in it, with the columns that its member reads."""
        places = self.columns_of(number).places_in(self.columns)
        others, judged = self.rows.only(self.fold != number), self.rows.only(self.fold == number)
        return others.with_columns(places), judged.with_columns(places)

    def columns_of(self, number: int) -> Columns:
        """Return the columns that the member of a fold reads."""
        return self.reads.get(number, self.columns)

    def of_some_customers(self, rows: int, seed: int) -> Folds:
        """Return the folds of about so many rows, those of customers drawn by `seed`; these folds if they are fewer."""
        drawn = self.rows.drawn(rows, seed)
        if drawn.all():
            return self
        return replace(self, rows=self.rows.only(drawn), fold=self.fold[drawn])


def columns_at(matrix: NDArray[np.float64], places: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Return the columns of a matrix at some places, row by row in memory; for None the matrix itself."""
    return matrix if places is None else np.take(matrix, places, axis=1)
