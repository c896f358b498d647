"""The weights, none negative, of the least log loss: of the parts of a blend, and of a calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn


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
