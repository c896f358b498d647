"""Columns that trees gain no more from than where labels are dealt out anew: null importances.

 customer    snapshots ─►              dealt out anew
    a         0  0  1  1      ┐  same   0  0  0  0     labels change hands as whole paths, between customers
    b         0  0  0  0      ┘  length 0  0  1  1     of as many rows: a path stays as it was
    c         0  1                      0  1           rows alone would not: two of one customer resemble each other,
                                                       and each column would seem to tell something

After Altmann et al. 2010, doi:10.1093/bioinformatics/btq134, who permute the labels of single rows.
"""

from __future__ import annotations

import lightgbm
import numpy as np
from numpy.typing import NDArray

from tenure.model.learners.lightgbm import START
from tenure.model.sample import Sample
from tenure.model.select import Columns

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DEALS = 20
"""How often the labels are dealt out anew."""

BETTER_THAN = 0.75
"""The share of the null importances that a column's own must exceed.

Half of what tells nothing exceeds half of its nulls; of 20 a column that tells nothing exceeds three quarters once in
four times. More is not asked: a column that is dropped wrongly costs more than one that tells nothing.
"""

TREES = 60
"""Trees a fit: gains settle in the first ones."""


def unimportant(columns: Columns, rows: Sample, snapshot: Integers, seed: int) -> dict[str, str]:
    """Return the columns whose gain with the labels as they are exceeds too few of those with labels dealt out anew.

    None if the gain of every column does, and none either if that of no column does.
    """
    random = np.random.default_rng(seed)
    data = _bins(columns, rows.matrix)
    own = _gains(data, rows.churned, seed)
    nulls = [_gains(data, dealt_anew(rows.churned, rows.customers, snapshot, random), seed) for _ in range(DEALS)]
    exceeded = np.mean(own > np.array(nulls), axis=0)
    low = exceeded < BETTER_THAN
    if low.all():
        return {}
    reason = f"null importance: trees gain no more from it than with labels dealt out anew ({DEALS} times)"
    return {columns.names[place]: reason for place in np.flatnonzero(low)}


def dealt_anew(churned: Floats, customer: Integers, snapshot: Integers, random: np.random.Generator) -> Floats:
    """Return the labels dealt out anew: each customer has the whole path of one with as many rows, in order of date."""
    order = np.lexsort((snapshot, customer))
    rows = np.bincount(customer[order])
    begins = np.concatenate([[0], np.cumsum(rows)[:-1]])
    source = np.empty(len(churned), dtype=np.int64)
    for length in np.unique(rows[rows > 0]):
        some = begins[rows == length]
        steps = np.arange(length)
        source[(some[:, None] + steps).ravel()] = (random.permutation(some)[:, None] + steps).ravel()
    dealt = np.empty(len(churned))
    dealt[order] = churned[order][source]
    return dealt


def _bins(columns: Columns, matrix: Floats) -> lightgbm.Dataset:
    """The rows in LightGBM's bins, which are cut once for all fits."""
    categorical = list(range(len(columns.numeric), len(columns.names)))
    fixed = {"verbosity": -1, "feature_pre_filter": False, "num_threads": 1}
    data = lightgbm.Dataset(matrix, categorical_feature=categorical, params=fixed, free_raw_data=False)
    data.set_label(np.zeros(len(matrix)))
    return data.construct()


def _gains(data: lightgbm.Dataset, churned: Floats, seed: int) -> Floats:
    """What all splits on each column gain, of a few trees with the settings that a search begins with."""
    data.set_label(churned)
    how = {
        **START,
        "objective": "binary",
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "bagging_freq": 1,
        "feature_pre_filter": False,
        "verbosity": -1,
    }
    booster = lightgbm.train(how, data, num_boost_round=TREES)
    return np.asarray(booster.feature_importance("gain"), dtype=np.float64)
