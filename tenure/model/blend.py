"""Blending: what the margins of several kinds of model weigh in their sum.

margin = intercept + Σ weight · margin of a part      weights ≥ 0; both those of the least log loss out of fold

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
        weights, intercept = least_loss_weights(margins[others], folds.rows.churned[others])
        members[number] = BlendModel([model.members[number] for model in models], weights, intercept)
    return CrossFitModel(members)


def least_loss_weights(margins: NDArray[np.float64], churned: NDArray[np.float64]) -> tuple[list[float], float]:
    """Return the weights ≥ 0 of the columns of `margins` (rows, parts) and the intercept of the least log loss.

    The intercept makes the mean score the rate of churn, which weights alone miss where they do not sum to 1. The loss
    is convex: its least value is found from any start, here from the mean of the parts.
    """
    rows, parts = margins.shape
    terms = np.column_stack([margins, np.ones(rows)])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = terms @ weights
        slope = terms.T @ (expit(margin) - churned) / rows
        return float(np.mean(np.logaddexp(0, margin) - churned * margin)), slope

    start = np.append(np.full(parts, 1 / parts), 0.0)
    bounds = [(0.0, None)] * parts + [(None, None)]
    # One thread: sums then always run in one order, so that a second run gives the same bits.
    with threadpool_limits(limits=1):
        *weights, intercept = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x.tolist()
    return weights, intercept
