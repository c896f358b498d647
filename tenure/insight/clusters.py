"""Clusters: the candidates of parameters, the best of them, and the rows that were not fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors

from tenure.insight.cells import Floats
from tenure.insight.density import Labels, mutual_reachability, stability, validity

NOISE = -1

_SUBSAMPLES = 3
_SUBSAMPLE_SHARE = 0.8
_COMPONENTS = (3, 5)
_SHARE_TIMES = (1, 2, 4)
_MIN_SAMPLES = (5, 15)
_VOTERS = 5
#: Features that vary independently, where there is nothing to find, score below 0.05.
_WEAKEST_SCORE = 0.1


@dataclass(frozen=True)
class Clustering:
    """A cluster number a row, 0 the largest and -1 none, and how strongly the row belongs, 0..1."""

    labels: Labels
    strength: Floats

    @classmethod
    def of_one(cls, rows: int) -> Clustering:
        """Return the clustering that holds all rows in cluster 0."""
        return cls(np.zeros(rows, dtype=np.int64), np.ones(rows))

    @property
    def count(self) -> int:
        """How many clusters there are, without the noise."""
        return int(self.labels.max(initial=NOISE)) + 1

    @property
    def coverage(self) -> float:
        """The share of rows that belong to a cluster."""
        return float((self.labels >= 0).mean()) if len(self.labels) else 0.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A choice of parameters and how it did on `rows` rows; 0 stands where nothing was tried.

    `score` = (1 + validity) / 2 · coverage · stability. The rule is ours: each factor lies in 0..1, so a
    choice is as good as its weakest side. Fewer than two clusters score 0.
    """

    components: int = 0
    min_cluster_size: int = 0
    min_samples: int = 0
    rows: int = 0
    clusters: int = 1
    coverage: float = 1.0
    validity: float = math.nan
    stability: float = math.nan
    score: float = 0.0
    chosen: bool = False
    note: str = ""

    def clustering(self, points: Floats) -> Clustering:
        """Return HDBSCAN's clustering of the points with these parameters, scaled to their number.

        Both sizes are shares of the rows: a neighbourhood of 5 in 2,000 points is one of 50 in 20,000.
        """
        scale = len(points) / self.rows
        model = HDBSCAN(
            min_cluster_size=max(2, math.ceil(self.min_cluster_size * scale)),
            min_samples=max(2, round(self.min_samples * scale)),
            copy=True,
        ).fit(points[:, : self.components])
        return _largest_first(model.labels_, np.nan_to_num(model.probabilities_, nan=1.0))


def candidates(points: Floats, min_share: float, rng: np.random.Generator) -> list[Candidate]:
    """Return every candidate tried on `points` (rows, components), in the order tried.

    All components or the first 3 or 5, clusters of at least 1, 2 or 4 times `min_share`, and neighbourhoods
    of 5 or 15 points. Validity is judged over all components for every candidate: spaces do not compare.
    """
    rows, width = points.shape
    reachability = mutual_reachability(points, _MIN_SAMPLES[0])
    drawn = round(rows * _SUBSAMPLE_SHARE)
    subsamples = [np.sort(rng.choice(rows, size=drawn, replace=False)) for _ in range(_SUBSAMPLES)]
    sizes = sorted({max(_MIN_SAMPLES[0], math.ceil(rows * min_share * times)) for times in _SHARE_TIMES})
    return [
        _judged(
            Candidate(components=components, min_cluster_size=size, min_samples=samples, rows=rows),
            points, reachability, subsamples,
        )
        for components in sorted({*(c for c in _COMPONENTS if c < width), width})
        for size in sizes if size <= rows // 2
        for samples in _MIN_SAMPLES
    ]  # fmt: skip


def best(tried: Sequence[Candidate]) -> int | None:
    """Return the place of the highest score, the first of equals.

    None if no candidate has two clusters and scores 0.1.
    """
    scores = [candidate.score if candidate.clusters > 1 else -1.0 for candidate in tried]
    return int(np.argmax(scores)) if max(scores, default=-1.0) >= _WEAKEST_SCORE else None


def assigned(points: Floats, fitted_rows: Labels, fitted: Clustering) -> Clustering:
    """Return the clustering of all points, given that of `fitted_rows`, which keep theirs.

    Another row takes the cluster that most of its five nearest fitted rows are in (the larger cluster of
    equals); it is noise if they are, or if it lies farther from them than any member of the cluster does from
    its own five. Its strength is the voters' mean strength, counting 0 for those who voted otherwise.
    """
    labels = np.full(len(points), NOISE, dtype=np.int64)
    strength = np.zeros(len(points))
    labels[fitted_rows], strength[fitted_rows] = fitted.labels, fitted.strength
    rest = np.setdiff1d(np.arange(len(points)), fitted_rows)
    if len(rest):
        voters = NearestNeighbors(n_neighbors=_VOTERS).fit(points[fitted_rows])
        reach = _reach(voters.kneighbors()[0][:, -1], fitted)
        distances, near = voters.kneighbors(points[rest])
        won, share = _vote(fitted.labels[near], fitted.strength[near], fitted.count)
        lost = (won == NOISE) | (distances[:, -1] > reach[won])
        labels[rest] = np.where(lost, NOISE, won)
        strength[rest] = np.where(lost, 0.0, share)
    return Clustering(labels, strength)


def _judged(candidate: Candidate, points: Floats, reachability: Floats, subsamples: Sequence[Labels]) -> Candidate:
    found = candidate.clustering(points)
    if found.count < 2:
        return replace(candidate, clusters=found.count, coverage=found.coverage)
    valid = validity(reachability, found.labels)
    stable = stability(points, found.labels, subsamples, lambda part: candidate.clustering(part).labels)
    return replace(
        candidate,
        clusters=found.count,
        coverage=found.coverage,
        validity=valid,
        stability=stable,
        score=(1 + valid) / 2 * found.coverage * stable,
    )


def _largest_first(labels: Labels, strength: Floats) -> Clustering:
    """Number the clusters by size, the one of the earliest row first among equals; noise stays -1."""
    present, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    number = np.full(len(labels) + 1, NOISE, dtype=np.int64)
    number[present[np.lexsort((first, -sizes))]] = np.arange(len(present))
    return Clustering(number[labels], np.where(labels >= 0, strength, 0.0))


def _reach(own_reach: Floats, fitted: Clustering) -> Floats:
    """Return each cluster's farthest fifth neighbour of a member, with a last place for noise."""
    members = [own_reach[fitted.labels == cluster].max() for cluster in range(fitted.count)]
    return np.array([*members, np.inf])


def _vote(labels: Labels, strength: Floats, clusters: int) -> tuple[Labels, Floats]:
    """Return the winner of each row's voters, shape (rows, voters), and their mean strength for it."""
    votes = np.stack([(labels == cluster).sum(axis=1) for cluster in (*range(clusters), NOISE)], axis=1)
    won = np.argmax(votes, axis=1)
    won = np.where(won == clusters, NOISE, won)
    return won, np.where(labels == won[:, None], strength, 0.0).mean(axis=1)
