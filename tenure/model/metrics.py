"""Measures of a score against what happened: pure functions of two arrays of shape (rows,).

`scores` are probabilities of churn, `churned` is 1.0 where the customer churned, else 0.0. Rows with the same
score are never put in an order: they count as a group at the group's own churn rate, so no result depends on
row order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from tenure.model.losses import NEAREST, log_loss

Array = NDArray[np.float64]

SAMPLE_METRICS = (
    *("auroc", "average_precision", "ks", "brier", "log_loss"),
    *("lift_at_10", "precision_at_10", "recall_at_10", "f1_at_10", "ece"),
)

THRESHOLD_METRICS = ("threshold", "precision_at_threshold", "recall_at_threshold", "f1_at_threshold")


def metrics(scores: Array, churned: Array) -> dict[str, float]:
    """Return SAMPLE_METRICS by name; what is not defined (ranking one class, or no rows at all) is NaN."""
    if len(scores) == 0:
        return dict.fromkeys(SAMPLE_METRICS, np.nan)
    precision_at_10, recall_at_10 = precision(scores, churned, 0.1), recall(scores, churned, 0.1)
    return {
        "auroc": auroc(scores, churned),
        "average_precision": average_precision(scores, churned),
        "ks": kolmogorov_smirnov(scores, churned),
        "brier": float(np.mean((scores - churned) ** 2)),
        "log_loss": log_loss(scores, churned),
        "lift_at_10": lift(scores, churned, 0.1),
        "precision_at_10": precision_at_10,
        "recall_at_10": recall_at_10,
        "f1_at_10": f1(precision_at_10, recall_at_10),
        "ece": calibration_error(scores, churned),
    }


def one_class(churned: Array) -> bool:
    """Whether all rows churned or none did (or there are none), so that there is nothing to rank."""
    return len(np.unique(churned)) < 2


def auroc(scores: Array, churned: Array) -> float:
    """Return the probability that a churner outranks a stayer, ties counted half; NaN for one class."""
    return np.nan if one_class(churned) else float(roc_auc_score(churned, scores))


def average_precision(scores: Array, churned: Array) -> float:
    """Return the precision averaged over the recall gained at each distinct score; NaN for one class."""
    return np.nan if one_class(churned) else float(average_precision_score(churned, scores))


def kolmogorov_smirnov(scores: Array, churned: Array) -> float:
    """Return the widest gap between the shares of churners and of stayers above a score; NaN for one class."""
    if one_class(churned):
        return np.nan
    _, group = np.unique(scores, return_inverse=True)
    churners, everybody = np.bincount(group, weights=churned), np.bincount(group)
    below_churners = np.cumsum(churners) / churners.sum()
    below_stayers = np.cumsum(everybody - churners) / (everybody - churners).sum()
    return float(np.abs(below_churners - below_stayers).max())


def calibration_line(scores: Array, churned: Array) -> tuple[float, float]:
    """Return slope and intercept of what happened against the log-odds of the scores: 1 and 0 of a calibrated score.

    A slope below 1: scores lie too far apart. The intercept is taken with the slope held at 1, "in the large"; below 0,
    fewer churn than the scores say. Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7. Both are NaN for one class,
    and the slope for one score.
    """
    if one_class(churned):
        return np.nan, np.nan
    odds = logit(np.clip(scores, NEAREST, 1 - NEAREST))
    if len(np.unique(odds)) < 2:
        return np.nan, _shift(odds, churned)
    slope = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(odds[:, None], churned).coef_[0, 0]
    return float(slope), _shift(odds, churned)


def _shift(odds: Array, churned: Array) -> float:
    """What is added to all log-odds so that the mean score is the churn rate."""
    furthest = np.abs(odds).max() + 40
    found = brentq(lambda shift: float(np.mean(expit(odds + shift) - churned)), -furthest, furthest)
    return float(found)


def churners_reached(scores: Array, churned: Array, contacts: Array) -> Array:
    """Return the churners expected among the `contacts` highest scores, shape of `contacts`.

    Where a contact list ends inside a group of equal scores, the group gives its churners in proportion.
    """
    _, group = np.unique(-scores, return_inverse=True)
    rows = np.append(0, np.cumsum(np.bincount(group)))
    churners = np.append(0.0, np.cumsum(np.bincount(group, weights=churned)))
    reached: Array = np.interp(contacts, rows, churners)
    return reached


def lift(scores: Array, churned: Array, share: float) -> float:
    """Return the churn rate of the top `share` of rows by score over the churn rate of all.

    The top is rounded up to whole rows. NaN for one class.
    """
    return np.nan if one_class(churned) else float(precision(scores, churned, share) / churned.mean())


def precision(scores: Array, churned: Array, share: float) -> float:
    """Return the churn rate of the top `share` of rows by score, rounded up to whole rows; at least one row."""
    top = _top(scores, share)
    return float(churners_reached(scores, churned, np.array([top]))[0] / top)


def recall(scores: Array, churned: Array, share: float) -> float:
    """Return the share of all churners who are among the top `share` of rows by score; NaN where nobody churned."""
    if not churned.any():
        return np.nan
    return float(churners_reached(scores, churned, np.array([_top(scores, share)]))[0] / churned.sum())


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean of precision and recall; 0 where both are 0, NaN where one is not defined."""
    total = precision + recall
    return 2 * precision * recall / total if total else total


def at_threshold(scores: Array, churned: Array, threshold: float) -> dict[str, float]:
    """Return THRESHOLD_METRICS: the threshold, and precision, recall and F1 of the rows whose score reaches it.

    Precision is NaN where none does, recall where nobody churned, F1 where either is.
    """
    reached = scores >= threshold
    hits, churners = float(churned[reached].sum()), float(churned.sum())
    precise = hits / reached.sum() if reached.any() else np.nan
    recalled = hits / churners if churners else np.nan
    return dict(zip(THRESHOLD_METRICS, (threshold, precise, recalled, f1(precise, recalled)), strict=True))


def _top(scores: Array, share: float) -> float:
    return float(np.ceil(round(share * len(scores), 9)))


def calibration(scores: Array, churned: Array, bins: int = 10) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return (mean score, churn rate, rows) of each bin, lowest scores first; at most `bins`.

    Bins hold about equally many rows and never split equal scores. With bins of equal width nearly all rows
    of a bank, where few churn, would fall into the first.
    """
    cuts = np.unique(np.quantile(scores, np.arange(1, bins) / bins, method="lower"))
    _, place = np.unique(np.searchsorted(cuts, scores), return_inverse=True)
    rows = np.bincount(place)
    return np.bincount(place, weights=scores) / rows, np.bincount(place, weights=churned) / rows, rows


def calibration_error(scores: Array, churned: Array) -> float:
    """Return the expected calibration error: |mean score - churn rate| over ten bins, weighted by rows."""
    score, rate, rows = calibration(scores, churned)
    return float(np.average(np.abs(score - rate), weights=rows))
