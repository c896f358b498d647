"""Intervals by drawing anew: whole customers, or whole blocks of snapshots, with replacement.

    customer  a ▌▌▌  b ▌▌  c ▌▌▌▌        rows of one customer resemble each other, and are drawn together
    turn 1       2     0      1           how often each was drawn is its rows' weight

All scores are judged by the same draws, so that a difference of two is paired: what both find hard falls out.
Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x, on drawing clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tenure.model.losses import log_loss, log_losses
from tenure.model.metrics import Array, auroc, one_class

Whole = NDArray[np.int64]

MEASURES: Mapping[str, Callable[[Array, Array], float]] = {"auroc": auroc, "log_loss": log_loss}
"""What is compared and resampled, each of scores and what happened."""

RESAMPLED = tuple(MEASURES)
"""The measures that `resampled` gives, in the order of its columns."""

RESAMPLES = 200
"""How often customers are drawn, unless said otherwise."""


def cluster_weights(cluster: Whole, *, resamples: int = RESAMPLES, seed: int = 7) -> Iterator[Whole]:
    """Yield `resamples` times how often each row is drawn, shape (rows,), when clusters are drawn with replacement.

    `cluster` numbers each row's customer, or block, from 0.
    """
    random, clusters = np.random.default_rng(seed), int(cluster.max(initial=-1)) + 1
    for _ in range(resamples):
        drawn = random.integers(0, clusters, clusters)
        yield np.bincount(drawn, minlength=clusters)[cluster]


class RankedScores:
    """Scores put in order once, so that each draw costs no sort: `auroc` of weighted rows."""

    def __init__(self, scores: Array, churned: Array) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._first = np.unique(scores[self._order], return_index=True)[1]
        self._churned = churned[self._order]

    def auroc(self, weights: Whole) -> float:
        """Return the AUROC with ties counted half, each row as often as its weight says; NaN for one class."""
        times = weights[self._order]
        lost = np.add.reduceat(times * self._churned, self._first)
        kept = np.add.reduceat(times * (1.0 - self._churned), self._first)
        wins = (lost * (np.cumsum(kept) - kept / 2)).sum()
        pairs = lost.sum() * kept.sum()
        return float(wins / pairs) if pairs else np.nan


def auroc_interval(
    scores: Array, churned: Array, customer: Whole, *, resamples: int = RESAMPLES, seed: int = 7
) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantile of the AUROC when customers are drawn anew with replacement.

    `customer` numbers each row's customer from 0. A customer's rows are drawn together, since they resemble
    each other; drawing rows would give too narrow an interval. (NaN, NaN) for one class.
    """
    if one_class(churned):
        return np.nan, np.nan
    ranked = RankedScores(scores, churned)
    drawn = [ranked.auroc(weights) for weights in cluster_weights(customer, resamples=resamples, seed=seed)]
    return interval(np.array(drawn))


def resampled(
    scores: Mapping[str, Array], churned: Array, cluster: Whole, *, resamples: int = RESAMPLES, seed: int = 7
) -> dict[str, Array]:
    """Return the RESAMPLED measures of each score in each draw, shape (resamples, 2); all scores see the same draws.

    `scores` gives the scores of the same rows by name. An AUROC of one class is NaN. No rows: all NaN.
    """
    drawn = {name: np.full((resamples, len(RESAMPLED)), np.nan) for name in scores}
    if len(churned) == 0:
        return drawn
    ranked = {name: RankedScores(of, churned) for name, of in scores.items()}
    losses = {name: log_losses(of, churned) for name, of in scores.items()}
    for turn, weights in enumerate(cluster_weights(cluster, resamples=resamples, seed=seed)):
        rows = weights.sum()
        for name in scores:
            drawn[name][turn] = ranked[name].auroc(weights), weights @ losses[name] / rows if rows else np.nan
    return drawn


def interval(drawn: Array) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantile of what was drawn, left out where it is NaN; (NaN, NaN) where all of it is.

    A draw without a churner has no AUROC.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
