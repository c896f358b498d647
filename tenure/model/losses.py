"""The log loss row by row, and how sure a difference of two of them is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def paired_gain(
    losses: NDArray[np.float64], others: NDArray[np.float64], customer: NDArray[np.int64] | None
) -> tuple[float, float]:
    """Return by how much `others` are less on average, and the standard error of that, rows of a customer together.

    All of shape (rows,). The error is that of a sum over customers drawn at random (Liang & Zeger 1986).
    """
    gains = losses - others
    sums = gains if customer is None else np.bincount(np.unique(customer, return_inverse=True)[1], weights=gains)
    if len(sums) < 2:
        return float(gains.mean()), float("inf")
    return float(gains.mean()), float(sums.std(ddof=1) * np.sqrt(len(sums)) / len(gains))


def mean_log_loss(probabilities: NDArray[Any], churned: NDArray[Any]) -> float:
    """Return the mean log loss, summed in one order whatever the number of threads.

    Log loss and not average precision chooses the settings: it is a proper score, so it rewards honest
    probabilities, which the campaign value is computed from, and it moves smoothly where there are few churners.
    """
    return float(log_losses(probabilities, churned).mean())


def log_losses(probabilities: NDArray[Any], churned: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log loss of each row."""
    bounded = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(np.where(np.asarray(churned) > 0, bounded, 1 - bounded)))
