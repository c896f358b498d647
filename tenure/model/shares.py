"""How well one column in bands ranks churners: areas under the ROC curve of pairs of one snapshot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BANDS = 200
"""A column has at most so many bands: its values, or quantiles where there are more."""

QUANTILED = 10_000
"""Quantiles are taken of at most so many rows, evenly spaced."""


def banded(values: Floats) -> Integers:
    """Return the band of each value, rising from 1; 0 is a missing one."""
    known = ~np.isnan(values)
    spaced = values[known][:: max(1, int(known.sum()) // QUANTILED)]
    found = np.zeros(len(values), dtype=np.int64)
    if len(spaced):
        edges = np.unique(spaced)
        if len(edges) > BANDS:
            edges = np.unique(np.quantile(spaced, np.arange(1, BANDS) / BANDS, method="lower"))
        found[known] = 1 + np.searchsorted(edges, values[known])
    return found


def area(order: Integers, churned: Integers, snapshot: Integers) -> float:
    """Return the share of pairs of one snapshot, of a churner and another, that an order ranks right; ties count half.

    0.5 where there are no pairs.
    """
    ill, well = _counts(order, churned, snapshot)
    right, pairs = _right(ill, well)
    return right / pairs if pairs else 0.5


def areas_out_of_fold(bands: Integers, churned: Integers, snapshot: Integers, fold: Integers) -> float:
    """Return the area of the bands ordered by their share of churners in the other folds, pairs of one fold together.

    So a column shows too that ranks churners neither up nor down: high in the middle, or in one band of many.
    """
    numbers = np.unique(fold)
    width, by_fold = int(bands.max(initial=0)) + 1, np.searchsorted(numbers, fold)
    cells = by_fold * width + bands
    rows = np.bincount(cells, minlength=len(numbers) * width).reshape(-1, width)
    ill = np.bincount(cells, weights=churned, minlength=len(numbers) * width).reshape(-1, width)
    right = pairs = 0.0
    for place, number in enumerate(numbers):
        others = np.arange(len(numbers)) != place
        known = rows[others].sum(axis=0)
        base = ill[others].sum() / max(1, known.sum())
        share = np.where(known > 0, ill[others].sum(axis=0) / np.maximum(known, 1), base)
        order = np.unique(share, return_inverse=True)[1]
        own = fold == number
        of_fold, of_pairs = _right(*_counts(order[bands[own]], churned[own], snapshot[own]))
        right += of_fold
        pairs += of_pairs
    return right / pairs if pairs else 0.5


def _counts(order: Integers, churned: Integers, snapshot: Integers) -> tuple[Floats, Floats]:
    """The churners and the others by snapshot and place in the order, each of shape (snapshots, places)."""
    dates, at = np.unique(snapshot, return_inverse=True)
    places = int(order.max(initial=0)) + 1
    cells = at * places + order
    rows = np.bincount(cells, minlength=len(dates) * places).astype(np.float64)
    ill: Floats = np.bincount(cells, weights=churned, minlength=len(dates) * places).astype(np.float64)
    shape = (len(dates), places)
    return ill.reshape(shape), (rows - ill).reshape(shape)


def _right(ill: Floats, well: Floats) -> tuple[float, float]:
    """The pairs that are ranked right, those tied as halves, and all pairs."""
    below = np.cumsum(well, axis=1) - well / 2
    return float((ill * below).sum()), float((ill.sum(axis=1) * well.sum(axis=1)).sum())
