"""The search for the settings of boosted trees, the same for every library of them.

hand-set start ─► four at random ─► Optuna's sampler … until the trials are done, or the guard ends them
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from tenure.model.base import FitSettings

ROUNDS = 2000
"""The most trees of one model; early stopping ends far below."""

PATIENCE = 30
"""Trees without a better validation log loss before a fit stops."""


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


def best_settings(
    loss: Callable[[optuna.Trial], float], start: Mapping[str, float], settings: FitSettings, deadline: Deadline
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the trial with the least loss, and what a model records of the search.

    The first trial is `start`: the search can only improve on it, and one cut short still ends with a sound model.
    """
    with _quiet_optuna():
        # Five trials, the start among them, before the sampler trusts what it has seen.
        sampler = optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=5)
        study = optuna.create_study(sampler=sampler)
        study.enqueue_trial(dict(start))
        study.optimize(loss, n_trials=1)
        study.optimize(loss, n_trials=settings.trials - 1, timeout=deadline.left)
    finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    record = {
        "trials": len(finished),
        "validation_log_loss": float(study.best_value),
        "seconds_limit_hit": len(finished) < settings.trials,
    }
    return study.best_params, record


def mean_log_loss(probabilities: NDArray[Any], churned: NDArray[Any]) -> float:
    """Return the mean log loss, summed in one order whatever the number of threads.

    Log loss and not average precision chooses the settings: it is a proper score, so it rewards honest
    probabilities, which the campaign value is computed from, and it moves smoothly where validation has few churners.
    """
    bounded = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    return float(-np.log(np.where(np.asarray(churned) > 0, bounded, 1 - bounded)).mean())


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
