"""The search for the settings of boosted trees, the same for every library of them.

hand-set start ─► four at random ─► Optuna's sampler … until the trials are done, or the guard ends them
       └──────────── kept, unless the best of the others beats it by more than chance does
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import optuna
from numpy.typing import NDArray

from tenure.model.base import FitSettings

Text = TypeVar("Text", str, bytes)

ROUNDS = 2000
"""The most trees of one model; early stopping ends far below."""

PATIENCE = 30
"""Trees without a better validation log loss before a fit stops."""

SURE = 2.0
"""The start is left for a gain of more than so many of its standard errors.

The best of a dozen equals seems to gain one and a half. On four data sets such a gain cost more than it paid: of six
searches that found one of 0.4 to 1.6 standard errors two lost 0.015 and 0.04 of the test's AUROC, and none won 0.004.
"""


class Deadline:
    """When the guard of [train] seconds ends a search."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, 0 when it is over."""
        return max(0.0, self._at - time.monotonic())

    def prune(self, trial: optuna.Trial) -> None:
        """Raise TrialPruned if it is over; asked after each tree, since Optuna looks at the clock between trials only.

        The first trial must finish, or there is no model.
        """
        if trial.number > 0 and not self.left:
            raise optuna.TrialPruned


@dataclass(frozen=True)
class Fit(Generic[Text]):
    """What a trial fitted: its log loss on each row of validation, its number of trees, and the booster as stored."""

    settings: Mapping[str, Any]
    losses: NDArray[np.float64]
    trees: int
    text: Text

    @property
    def loss(self) -> float:
        """The mean log loss."""
        return float(self.losses.mean())


class Fits(Generic[Text]):
    """The fit of the start, which is the first trial, and the best of all; `customer` is that of validation's rows."""

    def __init__(self, customer: NDArray[np.int64] | None) -> None:
        self._customer = customer
        self._start: Fit[Text] | None = None
        self._best: Fit[Text] | None = None

    def consider(self, fit: Fit[Text]) -> float:
        """Keep the fit if it is the first or the best; return its loss."""
        self._start = self._start or fit
        if self._best is None or fit.loss < self._best.loss:
            self._best = fit
        return fit.loss

    @property
    def chosen(self) -> Fit[Text]:
        """The start's, unless the best gains more than SURE standard errors; there is one after the first trial."""
        if self._start is None or self._best is None:
            raise RuntimeError("no trial has ended")
        gain, error = self.gain
        return self._best if gain > SURE * error else self._start

    @property
    def gain(self) -> tuple[float, float]:
        """What the best gains on the start in mean log loss, and its standard error: paired, and by customer."""
        if self._start is None or self._best is None or self._best is self._start:
            return 0.0, 0.0
        return paired_gain(self._start.losses, self._best.losses, self._customer)


def paired_gain(
    losses: NDArray[np.float64], others: NDArray[np.float64], customer: NDArray[np.int64] | None
) -> tuple[float, float]:
    """Return by how much `others` are less on average, and the standard error of that, rows of a customer together.

    All of shape (rows,). The error is that of a sum over customers drawn at random (Liang & Zeger 1986).
    """
    gains = losses - others
    sums = gains if customer is None else np.bincount(customer, weights=gains)
    if len(sums) < 2:
        return float(gains.mean()), float("inf")
    return float(gains.mean()), float(sums.std(ddof=1) * np.sqrt(len(sums)) / len(gains))


def search_settings(
    loss: Callable[[optuna.Trial], float],
    fits: Fits[Text],
    start: Mapping[str, float],
    settings: FitSettings,
    deadline: Deadline,
    like: Mapping[str, Any] | None = None,
) -> tuple[Fit[Text], dict[str, Any]]:
    """Return the chosen fit, and what a model records: its settings and how the search went.

    `loss` fits a trial's settings and has `fits` consider them. The first trial is `start`, so that a search which is
    cut short still ends with a sound model. Given a record that it shall be `like`, nothing is searched: a fit of the
    settings in it is returned.
    """
    first = {name: (like or start)[name] for name in start}
    with _quiet_optuna():
        # Five trials, the start among them, before the sampler trusts what it has seen.
        sampler = optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=5)
        study = optuna.create_study(sampler=sampler)
        study.enqueue_trial(first)
        study.optimize(loss, n_trials=1)
        if like is None:
            study.optimize(loss, n_trials=settings.trials - 1, timeout=deadline.left)
    finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    chosen, (gain, error) = fits.chosen, fits.gain
    fitted = {**chosen.settings, "trees": chosen.trees, "validation_log_loss": chosen.loss}
    if like is not None:
        return chosen, fitted
    record = {
        **fitted,
        "trials": len(finished),
        "search_gain": gain,
        "search_gain_error": error,
        "seconds_limit_hit": len(finished) < settings.trials,
    }
    return chosen, record


def mean_log_loss(probabilities: NDArray[Any], churned: NDArray[Any]) -> float:
    """Return the mean log loss, summed in one order whatever the number of threads.

    Log loss and not average precision chooses the settings: it is a proper score, so it rewards honest
    probabilities, which the campaign value is computed from, and it moves smoothly where validation has few churners.
    """
    return float(log_losses(probabilities, churned).mean())


def log_losses(probabilities: NDArray[Any], churned: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log loss of each row."""
    bounded = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(np.where(np.asarray(churned) > 0, bounded, 1 - bounded)))


def threads_of(threads: int) -> int:
    """Return how many threads a library takes: those asked for, or for 0 one a core that this process may use."""
    if threads:
        return threads
    # Not every system says which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna's line a trial out of the user's terminal, and leave its verbosity as it was."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
