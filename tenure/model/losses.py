"""The log loss row by row, and how sure a difference of two of them is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAREST = float(np.finfo(np.float64).eps)
"""A probability of 0 or 1 counts as one so near to it: else one wrong row would make the loss infinite."""


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


def log_losses(scores: NDArray[Any], churned: NDArray[Any]) -> NDArray[np.float64]:
    """Return −log of the probability given to what happened, in nats, shape (rows,)."""
    sure = np.clip(np.asarray(scores, dtype=np.float64), NEAREST, 1 - NEAREST)
    return np.asarray(-np.log(np.where(np.asarray(churned) > 0, sure, 1 - sure)))


def log_loss(scores: NDArray[Any], churned: NDArray[Any]) -> float:
    """Return the mean of the log losses, summed in one order whatever the number of threads.

    It and not average precision chooses settings and champions: it is a proper score, so it rewards honest
    probabilities, which the campaign value is computed from, and it moves smoothly where there are few churners.
    """
    return float(np.mean(log_losses(scores, churned)))
