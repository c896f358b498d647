"""Path-dependent SHAP values of one tree, exact and in double precision.

The values are those of Lundberg et al. 2020 (Nature Machine Intelligence 2, "From local explanations to global
understanding with explainable AI for trees"): a feature that is not known splits the row as it split the training rows.

    leaf of value v, reached through conditions on features 1 … d

        share z_j   of the training rows that feature j's conditions on the path let through
        met o_j     1 where the row meets all of them, else 0

    what is expected of the leaf where the features in S are known:  v · Π o_j (j in S) · Π z_j (j not in S)

The Shapley value of a feature is a mean over all orders in which features become known. Let each become known at a time
of its own, uniform in [0, 1]; at time t another feature k is known with probability t, so (Owen 1972)

    value of j  =  v · (o_j − z_j) · ∫ Π (z_k · (1 − t) + o_k · t) dt     over k ≠ j, t from 0 to 1

The integrand is a polynomial of degree d − 1, which Gauss-Legendre quadrature on ⌈d / 2⌉ points integrates exactly.
Over all j the values add up to v · (Π o − Π z): what the row gets of the leaf, less what the base has of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """A binary tree, by node; node 0 is the root, and `left` and `right` are -1 at a leaf.

    `feature` is the place of the feature that an inner node asks for, `cover` the weight of the training rows that came
    to a node, `value` what a leaf adds to the margin, in log-odds.
    """

    left: Integers
    right: Integers
    feature: Integers
    cover: Floats
    value: Floats


@dataclass(frozen=True)
class _Path:
    """The way from the root to a node: its features, each once, with the share of training rows that each let through.

    Bit j of `failed`, shape (rows,), is set where a row fails a condition on the j-th feature.
    """

    failed: Integers
    features: tuple[int, ...] = field(default=())
    shares: tuple[float, ...] = field(default=())

    def onward(self, feature: int, share: float, fails: Integers) -> _Path:
        """Return the way on through a condition that lets `share` through and that the rows with `fails` = 1 fail."""
        features, shares = self.features, self.shares
        if feature not in features:
            features, shares = (*features, feature), (*shares, 1.0)
        place = features.index(feature)
        narrowed = (*shares[:place], shares[place] * share, *shares[place + 1 :])
        return _Path(self.failed | (fails << place), features, narrowed)


def add_contributions(tree: Tree, goes_left: NDArray[np.bool_], values: Floats) -> float:
    """Add one tree's SHAP values to `values`, shape (features, rows); return its base, in log-odds.

    `goes_left`, shape (nodes, rows), says which way each row would go at each inner node.
    """
    fails_left, fails_right = (~goes_left).astype(np.int64), goes_left.astype(np.int64)
    base = 0.0
    ways = [(0, _Path(np.zeros(goes_left.shape[1], dtype=np.int64)))]
    while ways:
        node, path = ways.pop()
        left, right = int(tree.left[node]), int(tree.right[node])
        if left < 0:
            leaf = float(tree.value[node])
            base += leaf * float(np.prod(path.shares))
            for feature, by_failure in zip(path.features, leaf * _values_by_failure(path.shares), strict=True):
                values[feature] += by_failure[path.failed]
            continue
        feature, cover = int(tree.feature[node]), float(tree.cover[node])
        ways.append((left, path.onward(feature, float(tree.cover[left]) / cover, fails_left[node])))
        ways.append((right, path.onward(feature, float(tree.cover[right]) / cover, fails_right[node])))
    return base


def _values_by_failure(shares: tuple[float, ...]) -> Floats:
    """Return the SHAP values of a leaf of value 1, shape (d, 2 ** d): of each feature, by `failed`.

    All patterns of failed conditions at once: trees are shallow, and rows with the same pattern have the same values.
    """
    if not shares:
        return np.zeros((0, 1))
    met, points, weights = _met(len(shares)), *_quadrature((len(shares) + 1) // 2)
    share = np.array(shares)[:, None]
    factors = share[:, :, None] * (1 - points) + met[:, :, None] * points
    # The product over the other features, without a division by one's own factor, which may be tiny.
    others = np.ones_like(factors)
    others[1:] = np.cumprod(factors[:-1], axis=0)
    others[:-1] *= np.cumprod(factors[:0:-1], axis=0)[::-1]
    return np.asarray((met - share) * (others @ weights))


@cache
def _met(features: int) -> Floats:
    """Return 1.0 where bit j of a pattern is not set, else 0.0, shape (features, 2 ** features)."""
    patterns = np.arange(2**features)
    return np.asarray(1.0 - ((patterns >> np.arange(features)[:, None]) & 1))


@cache
def _quadrature(points: int) -> tuple[Floats, Floats]:
    """Return the points and weights of Gauss-Legendre quadrature over [0, 1]."""
    at, weights = np.polynomial.legendre.leggauss(points)
    return (at + 1) / 2, weights / 2
