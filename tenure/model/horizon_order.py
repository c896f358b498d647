"""Probabilities in the order of their horizons: P30 <= P60 <= P90 <= P180, as of all that happens at a moment.

raw        .10   .22   .18   .30      models learned apart do not know of each other
pooled     .10   .20   .20   .30      neighbours out of order share their mean
highest    .10   .22   .22   .30      none is lower than a shorter one's
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.model.base import Model
from tenure.model.horizons import HorizonRows
from tenure.model.losses import log_losses, paired_gain
from tenure.model.metrics import Array


def ordered(raw: Array, order: str) -> Array:
    """Return the probabilities, shape (rows, horizons), in order along each row, by one of ORDERS.

    A row that is in order stays as it is, to the bit.
    """
    found = raw.copy()
    broken = out_of_order(raw)
    found[broken] = ORDERS[order](raw[broken])
    return found


def out_of_order(raw: Array) -> NDArray[np.bool_]:
    """Return whether a longer horizon of a row has a lower probability than a shorter one, shape (rows,)."""
    return np.asarray((np.diff(raw, axis=1) < 0).any(axis=1))


def _pooled(raw: Array) -> Array:
    """The nearest rows in order, by squares and by log loss: adjacent violators pooled (Ayer et al. 1955,
    doi:10.1214/aoms/1177728423), as the highest, over where a pool may begin, of the least means from there.

    Each mean is computed once, so that the result is in order to the bit.
    """
    places = range(raw.shape[1])
    mean = {(j, k): raw[:, j : k + 1].mean(axis=1) for j in places for k in places if j <= k}
    found = np.empty_like(raw)
    for i in places:
        least = [np.min([mean[j, k] for k in places if k >= i], axis=0) for j in places if j <= i]
        found[:, i] = np.max(least, axis=0)
    return found


def _highest(raw: Array) -> Array:
    """The rows in order in which nothing is lowered: right where shorter horizons are known better than longer ones."""
    return np.asarray(np.maximum.accumulate(raw, axis=1))


ORDERS: Mapping[str, Callable[[Array], Array]] = MappingProxyType({"pooled": _pooled, "highest": _highest})
"""How rows are put in order, by name."""


def best_order(raw: Array, horizons: Sequence[HorizonRows]) -> str:
    """Return the one of ORDERS with the least log loss over all horizons together; the first of equals.

    `raw` has shape (rows, horizons): of train, each row by members that never saw its customer. The test has no say.
    """
    loss = dict.fromkeys(ORDERS, 0.0)
    for order in ORDERS:
        kept = ordered(raw, order)
        for place, rows in enumerate(horizons):
            there = rows.answered
            loss[order] += float(log_losses(kept[there, place], rows.churned[there]).sum())
    return min(loss, key=lambda order: loss[order])


def judged(
    raw: Array, order: str, horizons: Sequence[HorizonRows], customer: NDArray[np.int64]
) -> tuple[list[dict[str, Any]], bool]:
    """Return what the probabilities of the test came to over each horizon, and whether they may be put in that order.

    `raw` has shape (rows, horizons), the `horizons` have answers for the same rows. The order is given up for all
    horizons where it raises the mean log loss of one by more than the standard error of that: paired by row, customers
    together. Figures of a horizon without an answer are NaN, and refuse nothing.
    """
    kept = ordered(raw, order)
    found = [
        _figures(raw[:, place], kept[:, place], rows, customer) | {"answers_fell": _fell(horizons, place)}
        for place, rows in enumerate(horizons)
    ]
    return found, not any(one["worsened"] for one in found)


def _figures(raw: Array, kept: Array, rows: HorizonRows, customer: NDArray[np.int64]) -> dict[str, Any]:
    there = rows.answered
    raw, kept, churned = raw[there], kept[there], rows.churned[there]
    names, number = np.unique(customer[there], return_inverse=True)
    counted = {"test_rows": len(churned), "test_customers": len(names), "test_churners": int(churned.sum())}
    measured = dict.fromkeys(_MEASURED, np.nan)
    if len(churned):
        before, after = log_losses(raw, churned), log_losses(kept, churned)
        gain, error = paired_gain(before, after, number)
        means = (churned.mean(), raw.mean(), kept.mean(), before.mean(), after.mean(), gain, error)
        measured = dict(zip(_MEASURED, map(float, means), strict=True))
    worsened = bool(-measured["log_loss_gain"] > measured["log_loss_gain_error"])
    return {**counted, **measured, "worsened": worsened}


#: The figures of one horizon, in order.
_MEASURED = (
    *("churn_rate", "mean_score_raw", "mean_score_ordered", "log_loss_raw", "log_loss_ordered"),
    *("log_loss_gain", "log_loss_gain_error"),
)


def _fell(horizons: Sequence[HorizonRows], place: int) -> int:
    """How many rows churned over the next shorter horizon and not over this one: they came back in time."""
    if place == 0:
        return 0
    shorter, longer = horizons[place - 1].churned, horizons[place].churned
    return int(np.sum((shorter == 1) & (longer == 0)))


def side_by_side(scores: Mapping[int, Array]) -> Array:
    """Return the probabilities of each horizon in days as columns, the shortest first."""
    return np.column_stack([scores[days] for days in sorted(scores)])


def scores_over(
    models: Mapping[int, Model], features: pd.DataFrame, keys: Sequence[str], order: str | None
) -> pd.DataFrame:
    """Return one row per row of `features` and horizon, by rows: keys, snapshot_date, horizon, score_raw, score.

    score_raw is what the model of the horizon says; score the same in order, or score_raw again without an `order`.
    """
    raw = side_by_side({days: model.predict(features) for days, model in models.items()})
    given = raw if order is None else ordered(raw, order)
    found = features[[*keys, "snapshot_date"]].loc[features.index.repeat(raw.shape[1])].reset_index(drop=True)
    found["horizon"] = np.tile(np.asarray(sorted(models), dtype=np.int64), len(raw))
    return found.assign(score_raw=raw.ravel(), score=given.ravel())
