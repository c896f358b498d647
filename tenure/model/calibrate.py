"""Calibration: raw scores, unless later snapshots prove that others would have been nearer to what happened.

──── taught ────┊ fits ──── label ───►┊ judges, fits ──── label ───►┊ judges, fits ──── label ───►
                origin 1              origin 2                      origin 3

A calibration is fitted on one snapshot and judged on the next whose model could know its answers, by the log loss that
raw scores have there. The last snapshot fits the one that is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from tenure.errors import UnsafeModelFile
from tenure.model.losses import log_losses, paired_gain
from tenure.model.weights import least_loss_weights

MOST_SNAPSHOTS = 4

LEAST_SNAPSHOTS = 3
"""One snapshot that fits, and two that judge."""

LEAST_OF_A_CLASS = 50
"""A snapshot with fewer churners, or fewer stayers, fits and judges nothing."""

SURE = 2.0
"""Raw scores are left for a gain of more than so many of its standard errors, and a gain at every snapshot that judges.

Of sixty simulated books whose scores are right none leaves them; where scores lie too far apart 55 do.
"""

RAW = "raw"


def _platt(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds a line of the margin: Platt 1999."""
    return margin[:, None]


def _beta(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds a sum of the logarithms of both probabilities: Kull, Silva Filho and Flach 2017."""
    return np.column_stack([log_expit(margin), -log_expit(-margin)])


_TERMS = {"platt": _platt, "beta": _beta}

WAYS = tuple(_TERMS)
"""The ways to calibrate, beside RAW. None bends the order of scores: weights are never negative."""


@dataclass(frozen=True)
class Calibration:
    """Log-odds that are an intercept plus a weighted sum of what a way makes of the margin."""

    way: str
    weights: tuple[float, ...]
    intercept: float

    @classmethod
    def fitted(cls, way: str, margin: NDArray[np.float64], churned: NDArray[np.float64]) -> Calibration:
        """Return the calibration of the least log loss on some rows, all of shape (rows,)."""
        weights, intercept = least_loss_weights(_TERMS[way](margin), churned)
        return cls(way, tuple(weights), intercept)

    @classmethod
    def from_json(cls, record: Any) -> Calibration:
        """Return what `as_json` gave; raise UnsafeModelFile for anything else."""
        try:
            found = cls(record["way"], tuple(map(float, record["weights"])), float(record["intercept"]))
            is_whole = len(found.weights) == _TERMS[found.way](np.zeros(1)).shape[1] and min(found.weights) >= 0
        except (KeyError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise UnsafeModelFile("model.json has a calibration that is none.", hint="Run 'tenure train'.")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` makes the same calibration."""
        return asdict(self)

    def score(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of churn of each margin, shape (rows,)."""
        return np.asarray(expit(self.intercept + _TERMS[self.way](margin) @ np.array(self.weights)))


@dataclass(frozen=True)
class Scored:
    """The rows of one snapshot with the margin of a model that knew no answer later than it; all of shape (rows,)."""

    margin: NDArray[np.float64]
    churned: NDArray[np.float64]
    customer: NDArray[np.int64]

    @property
    def is_enough(self) -> bool:
        """Whether there are churners and stayers enough to fit and to judge."""
        return bool(np.bincount(self.churned.astype(int), minlength=2).min() >= LEAST_OF_A_CLASS)


@dataclass(frozen=True)
class Chosen:
    """The calibration to use, None for raw scores, and why: the best way's gain on raw, and its error.

    `snapshots` is how many of them there were, 0 where history is too short to choose.
    """

    calibration: Calibration | None = None
    gain: float = 0.0
    gain_error: float = 0.0
    snapshots: int = 0

    def record(self) -> dict[str, Any]:
        """Return what a model records of it."""
        return {
            "calibration": RAW if self.calibration is None else self.calibration.way,
            "calibration_gain": self.gain,
            "calibration_gain_error": self.gain_error,
            "calibration_snapshots": self.snapshots,
        }


def chosen_calibration(snapshots: Sequence[Scored]) -> Chosen:
    """Return the way that gains most on raw scores, if that is surely more than chance and a gain at each snapshot.

    `snapshots` are in order, the labels of each ended before the next; each fits what the next one judges.
    """
    if len(snapshots) < LEAST_SNAPSHOTS or not all(one.is_enough for one in snapshots):
        return Chosen()
    found = [_compared(way, snapshots) for way in WAYS]
    sure = [one for one in found if one.calibration is not None]
    return max(sure or found, key=lambda one: one.gain)


def _compared(way: str, snapshots: Sequence[Scored]) -> Chosen:
    """What a way gains on raw scores; its calibration is None where that is not sure."""
    raw = [log_losses(expit(one.margin), one.churned) for one in snapshots[1:]]
    mended = [
        log_losses(Calibration.fitted(way, before.margin, before.churned).score(one.margin), one.churned)
        for before, one in pairwise(snapshots)
    ]
    customer = np.concatenate([one.customer for one in snapshots[1:]])
    gain, error = paired_gain(np.concatenate(raw), np.concatenate(mended), customer)
    is_sure = gain > SURE * error and all(new.mean() < old.mean() for old, new in zip(raw, mended, strict=True))
    last = snapshots[-1]
    calibration = Calibration.fitted(way, last.margin, last.churned) if is_sure else None
    return Chosen(calibration, gain, error, len(snapshots))
