"""How good a clustering is: density-based validity, and stability under resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from tenure.insight.cells import Floats

Labels = NDArray[np.int64]


def mutual_reachability(points: Floats, neighbours: int) -> Floats:
    """Return max(core distance of a, core distance of b, distance a-b) of all pairs, shape (rows, rows).

    The core distance of a point is that to its `neighbours`-th nearest other point. Takes rows² · 8 bytes.
    """
    distances = cdist(points, points)
    nearest = min(neighbours, len(points) - 1)
    core = np.partition(distances, nearest, axis=1)[:, nearest]
    np.maximum(distances, core[:, None], out=distances)
    np.maximum(distances, core[None, :], out=distances)
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances)


def validity(reachability: Floats, labels: Labels) -> float:
    """Return the density-based cluster validity in [-1, 1]; NaN with fewer than two clusters.

    After DBCV (Moulavi et al. 2014), with the core distance to the k-th neighbour in place of its all-points
    power mean: of each cluster, (separation - sparseness) / the larger of both, weighted by its size.
    Sparseness is the longest inner edge of the cluster's spanning tree, separation the shortest reach to
    another cluster. Noise carries no weight here: coverage counts it.
    """
    clusters = np.unique(labels[labels >= 0])
    if len(clusters) < 2:
        return float("nan")
    members = [np.flatnonzero(labels == c) for c in clusters]
    grades, sizes = [], []
    for rows in members:
        others = np.flatnonzero((labels >= 0) & (labels != labels[rows[0]]))
        separation = float(reachability[np.ix_(rows, others)].min())
        sparseness = _longest_inner_edge(reachability[np.ix_(rows, rows)])
        largest = max(separation, sparseness)
        grades.append((separation - sparseness) / largest if largest else 0.0)
        sizes.append(len(rows))
    return float(np.average(grades, weights=sizes))


def stability(
    points: Floats, labels: Labels, subsamples: Sequence[Labels], cluster: Callable[[Floats], Labels]
) -> float:
    """Return the mean adjusted Rand index, cut at 0, of `labels` with the clusterings of the subsamples.

    Each subsample is an array of row numbers. Noise counts as a group of its own, so that a clustering
    that keeps calling other points noise is not stable.
    """
    agreements = [adjusted_rand_score(labels[rows], cluster(points[rows])) for rows in subsamples]
    return max(0.0, float(np.mean(agreements)))


def _longest_inner_edge(distances: Floats) -> float:
    """Return the longest edge between inner nodes of the minimum spanning tree: stragglers do not count.

    Prim's algorithm on a full matrix; a tree without an inner edge (a star) gives its longest edge.
    """
    count = len(distances)
    reach, joined_from = distances[0].copy(), np.zeros(count, dtype=np.int64)
    reach[0] = np.inf
    outside = np.ones(count, dtype=bool)
    outside[0] = False
    edges = np.zeros((count - 1, 2), dtype=np.int64)
    lengths = np.zeros(count - 1)
    for step in range(count - 1):
        nearest = int(np.argmin(reach))
        edges[step], lengths[step] = (joined_from[nearest], nearest), reach[nearest]
        outside[nearest] = False
        reach[nearest] = np.inf
        closer = outside & (distances[nearest] < reach)
        reach[closer] = distances[nearest][closer]
        joined_from[closer] = nearest
    degrees = np.bincount(edges.ravel(), minlength=count)
    inner = (degrees[edges] > 1).all(axis=1)
    return float(lengths[inner].max() if inner.any() else lengths.max(initial=0.0))
