"""Columns that no model may learn from unless tenure.toml trusts them: the label in disguise, and the key in disguise.

 the label    one column alone ranks churners nearly perfectly, or one of its values is (nearly) only theirs
 the key      a whole number that never changes and that no other customer has, in the order of the customers

Rows of split 'train' alone are looked at. For the label, the first churned row of each customer is compared with all
rows of who never churns (`first_shown`), in pairs of one snapshot: long silence shows in honest features too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from tenure.errors import CheckFailed, choices
from tenure.model.first_shown import first_shown
from tenure.model.sample import Sample
from tenure.model.select import Columns
from tenure.model.shares import area, areas_out_of_fold, banded

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

AUROC_LIMIT = 0.98
"""The least area under the ROC curve with which one column is taken for the label in disguise."""

WORTH_A_LOOK = 0.95
"""With bands in the order of their own churners' share, which flatters, an area below this never comes to the limit."""

PURITY, COVERAGE = 0.98, 0.25
"""The least share of churners among rows with one value, and of all churners that such rows must hold."""

LEAST = 10
"""Fewer churners, or fewer that stayed, are no evidence."""

MOST_VALUES, FLAG_VALUES = 50, 2
"""More categories than these are names; and more numbers are an amount or a count, of which any may go with leaving."""

MOST_ROWS = 50_000
"""Of more rows those of customers drawn at random are looked at, about so many."""

UNIQUE = 0.99
"""The least share of customers whose number is theirs alone, of a key in disguise."""

IN_ORDER = 0.9
"""… and the least correlation of ranks with the key, with the first snapshot, or with who leaves (as 2 · AUROC − 1)."""

LEAST_CUSTOMERS, NO_TIES_AMONG = 200, 1_000
"""Fewer customers show no order; among so many a number of which none is there twice is a key in whatever order."""


@dataclass(frozen=True)
class Suspect:
    """A column that reveals the label or is a key, and how it shows, in words."""

    column: str
    message: str


@dataclass(frozen=True)
class Judged:
    """Rows of train: their features, the fold and the number of the snapshot of each, and the keys as ranks.

    `keys` has the shape (rows, keys): the place of each key's value in the order of its values.
    """

    columns: Columns
    rows: Sample
    fold: Integers
    snapshot: Integers
    keys: Integers

    def only(self, rows: NDArray[np.bool_]) -> Judged:
        """Return some of the rows."""
        return Judged(self.columns, self.rows.only(rows), self.fold[rows], self.snapshot[rows], self.keys[rows])


def refuse_suspects(judged: Judged, trusted: frozenset[str], seed: int) -> None:
    """Raise CheckFailed, naming the columns, if one that is not trusted reveals the label or is a key."""
    found = [suspect for suspect in suspects(judged, seed) if suspect.column not in trusted]
    if not found:
        return
    first, *others = found
    more = f"; so do {choices(one.column for one in others)}" if others else ""
    names = ", ".join(f'"{one.column}"' for one in found)
    raise CheckFailed(
        f"feature '{first.column}' may not be learned from: {first.message}{more}. Nothing was trained.",
        hint=f"Run 'tenure lineage {first.column}' and ask when what it reads is written. Leave it out with "
        f"[train] exclude = [{names}] in tenure.toml; or, if it is known before each snapshot and says something of a "
        f"customer, accept it with [train] trust = [{names}].",
    )


def suspects(judged: Judged, seed: int = 0) -> Iterator[Suspect]:
    """Yield the columns that reveal the label, then those that are a key; each once."""
    found: set[str] = set()
    some = judged.only(judged.rows.drawn(MOST_ROWS, seed))
    for suspect in (*_labels(some), *_keys(some)):
        if suspect.column not in found:
            found.add(suspect.column)
            yield suspect


def _labels(judged: Judged) -> Iterator[Suspect]:
    churned = judged.rows.churned.astype(np.int64)
    has_history = len(np.unique(judged.rows.customers)) < len(churned)
    # Of a customer with one row alone nothing shows since when, so that all rows count.
    if has_history:
        shown = first_shown(judged.rows.customers, churned, judged.snapshot)
        judged, churned = judged.only(shown), churned[shown]
    churners = int(churned.sum())
    if min(churners, len(churned) - churners) < LEAST:
        return
    for place, name in enumerate(judged.columns.names):
        values = judged.rows.matrix[:, place]
        bands = banded(values)
        message = _filled(bands, churned)
        if has_history:
            is_number = name in judged.columns.numeric
            message = message or _status(bands, churned, np.unique(bands[values == 0]) if is_number else None)
        message = message or _ranking(bands, churned, judged)
        if message:
            yield Suspect(name, message)


def _filled(bands: Integers, churned: Integers) -> str:
    """How (nearly) only churners have a value, '' if it is not so; that they have none may be honest silence."""
    return _pure("a value", bands > 0, churned)


def _status(bands: Integers, churned: Integers, silent: Integers | None) -> str:
    """How (nearly) only churners have one of few values, '' if it is not so.

    Of numbers a flag's alone, and not its 0, the band that is `silent`; of categories, where that is None, any.
    """
    valued = np.setdiff1d(bands, [0] if silent is None else [0, *silent])
    many = len(np.setdiff1d(bands, [0]))
    if many > (MOST_VALUES if silent is None else FLAG_VALUES):
        return ""
    return next(filter(None, (_pure("one of its values", bands == band, churned) for band in valued)), "")


def _pure(words: str, some: NDArray[np.bool_], churned: Integers) -> str:
    """How (nearly) all of some rows churn, in words, '' if they do not, or are few, or most rows churn anyway."""
    rows, ill, churners = int(some.sum()), int(churned[some].sum()), int(churned.sum())
    if 2 * churners > len(churned) or ill < max(LEAST, PURITY * rows, COVERAGE * churners):
        return ""
    return (
        f"of {rows:,} rows with {words}, {ill / rows:.1%} churn, which are {ill:,} of {churners:,} churners; "
        f"under {PURITY:.0%} is plausible"
    )


def _ranking(bands: Integers, churned: Integers, judged: Judged) -> str:
    """How well a column alone ranks churners, '' if not too well."""
    share = np.bincount(bands, weights=churned) / np.maximum(np.bincount(bands), 1)
    if area(np.unique(share, return_inverse=True)[1][bands], churned, judged.snapshot) < WORTH_A_LOOK:
        return ""
    highest = np.where(bands == 0, bands.max(initial=0) + 1, bands)
    areas = [area(order, churned, judged.snapshot) for order in (bands, highest)]
    found = max(*(max(one, 1 - one) for one in areas), areas_out_of_fold(bands, churned, judged.snapshot, judged.fold))
    if found < AUROC_LIMIT:
        return ""
    return f"it alone ranks churners with an AUROC of {found:.3f}; under {AUROC_LIMIT} is plausible"


def _keys(judged: Judged) -> Iterator[Suspect]:
    customer = judged.rows.customers
    customers, first = np.unique(customer, return_index=True)
    if len(customers) < LEAST_CUSTOMERS:
        return
    follows = first[np.searchsorted(customers, customer)]
    has_history = len(customer) - len(customers) >= LEAST_CUSTOMERS
    for place, name in enumerate(judged.columns.numeric):
        numbers = judged.rows.matrix[first, place]
        if not _whole_and_unique(numbers[:LEAST_CUSTOMERS]) or not _whole_and_unique(numbers):
            continue
        if not np.array_equal(judged.rows.matrix[follows, place], judged.rows.matrix[:, place], equal_nan=True):
            continue
        is_untied = has_history and len(np.unique(numbers)) == len(numbers) >= NO_TIES_AMONG
        order = _order(numbers, judged, first) or ("in no order that is known" if is_untied else "")
        if order:
            message = (
                f"it is a whole number that never changes and that {len(np.unique(numbers)):,} of {len(numbers):,} "
                f"customers have alone, {order}: a key, not something known of them"
            )
            yield Suspect(name, message)


def _whole_and_unique(numbers: Floats) -> bool:
    known = numbers[~np.isnan(numbers)]
    return bool(len(known) >= UNIQUE * len(numbers) and np.all(known == np.rint(known))) and (
        len(np.unique(known)) >= UNIQUE * len(numbers)
    )


def _order(numbers: Floats, judged: Judged, first: Integers) -> str:
    """In which order the customers' numbers are, in words, '' if in none of those known."""
    known = ~np.isnan(numbers)
    numbers, first = numbers[known], first[known]
    for place, name in enumerate(judged.columns.keys):
        if _go_together(numbers, judged.keys[first, place]):
            return f"in the order of {name}"
    seen = np.full(int(judged.rows.customers.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(seen, judged.rows.customers, judged.snapshot)
    if _go_together(numbers, seen[judged.rows.customers[first]]):
        return "in the order of their first snapshots"
    left = np.zeros(len(seen))
    np.maximum.at(left, judged.rows.customers, judged.rows.churned)
    ever = left[judged.rows.customers[first]].astype(np.int64)
    if min(int(ever.sum()), len(ever) - int(ever.sum())) >= LEAST:
        found = area(np.argsort(np.argsort(numbers)), ever, np.zeros(len(ever), dtype=np.int64))
        if abs(2 * found - 1) >= IN_ORDER:
            return "in the order of leaving"
    return ""


def _go_together(numbers: Floats, others: Integers) -> bool:
    return bool(len(np.unique(others)) > 1 and abs(spearmanr(numbers, others).statistic) >= IN_ORDER)


def ranks_of(values: pd.Series) -> Integers:
    """Return each value's place in the order of all, from 0, shape (rows,)."""
    return np.asarray(pd.factorize(values, sort=True)[0], dtype=np.int64)


def ranks_of_keys(values: pd.Series) -> Integers:
    """Return each key's place as `ranks_of` does; text that always ends with digits is in the order of their number."""
    codes, distinct = pd.factorize(values)
    if not all(isinstance(value, str) for value in distinct):
        return ranks_of(values)
    digits = [len(word) - len(word.rstrip("0123456789")) for word in distinct]
    if min(digits, default=0) == 0:
        return ranks_of(values)
    numbers = [int(word[len(word) - many :]) for word, many in zip(distinct, digits, strict=True)]
    ranked: Integers = ranks_of(pd.Series(numbers, dtype=object))[codes]
    return ranked
