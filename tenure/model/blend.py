"""Blending: what the margins of several kinds of model weigh in their sum.

margin = Σ weight · margin of a part      weights ≥ 0, those of the least log loss out of fold

fold          0   1   2   3   4      A member's parts are those members that never saw its fold. Its weights are fitted
member 0      ?   ■   ■   ■   ■      on the other folds, each row by the margins of those that never saw it. So a blend
member 1      ■   ?   ■   ■   ■      is judged as every model is, and pays for the choice of its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from tenure.model.base import Model
from tenure.model.cross_fit import CrossFitModel, Folds
from tenure.model.learners.blend import BlendModel


def blended(models: Sequence[CrossFitModel], folds: Folds) -> CrossFitModel:
    """Return the blend of models that were cross-fitted on the same folds."""
    margins = np.column_stack([model.out_of_fold(folds.rows.matrix, folds.fold) for model in models])
    members: dict[int, Model] = {}
    for number in folds.numbers:
        others = folds.fold != number
        weights = least_loss_weights(margins[others], folds.rows.churned[others])
        members[number] = BlendModel([model.members[number] for model in models], weights.tolist())
    return CrossFitModel(members)


def least_loss_weights(margins: NDArray[np.float64], churned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights ≥ 0 of the columns of `margins` (rows, parts) of the least log loss of their sum.

    They have shape (parts,). The loss is convex: its least value is found from any start, here from the mean.
    """

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = margins @ weights
        slope = margins.T @ (expit(margin) - churned) / len(churned)
        return float(np.mean(np.logaddexp(0, margin) - churned * margin)), slope

    parts = margins.shape[1]
    # One thread: sums then always run in one order, so that a second run gives the same bits.
    with threadpool_limits(limits=1):
        found = minimize(loss, np.full(parts, 1 / parts), jac=True, method="L-BFGS-B", bounds=[(0, None)] * parts)
    return np.asarray(found.x, dtype=np.float64)
