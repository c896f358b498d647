"""The search for the settings of boosted trees, the same for every library of them.

hand-set start ─► four at random ─► Optuna's sampler … until the trials are done, or the guard ends them
       │              │ each on one fold, then on two and so on, as long as it may still beat the start
       └──────────────┴─ the start is kept, unless the best of the others beats it by more than chance does

Trees are counted by the mean loss of all folds, one number for all members, as `lightgbm.cv` counts them. Were each
member's counted on the fold that judges it, every fold would have chosen its own judge's favourite.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import optuna
from numpy.typing import NDArray

from tenure.model.base import FitSettings, Model
from tenure.model.losses import paired_gain
from tenure.model.sample import SEARCHED_ROWS, Folds, Sample
from tenure.model.select import Columns

Text = TypeVar("Text")
Trained = TypeVar("Trained", bound=Model)

ROUNDS = 2000
"""The most trees of one model; early stopping ends far below."""

PATIENCE = 30
"""Trees without a better loss before a fit stops."""

SURE = 2.0
"""The start is left for a gain of more than so many of its standard errors.

The best of a dozen equals seems to gain one and a half. On four data sets such a gain cost more than it paid: of six
searches that found one of 0.4 to 1.6 standard errors two lost 0.015 and 0.04 of the test's AUROC, and none won 0.004.
"""

HOPELESS = (-0.4, 0.0, 0.3, 0.6)
"""A trial ends with its first fold, its second and so on, if its gain on the start so far is less than so many standard
errors. One that will gain two on five folds is expected at 0.9, 1.3, 1.5 and 1.8, and nine in ten are above each.
"""


class Grown(ABC, Generic[Text]):
    """Boosted trees of one member, which grow on demand and are judged by the fold that taught none of them."""

    def __init__(self) -> None:
        self._losses: list[float] = []

    def loss(self, trees: int) -> float:
        """Return the mean log loss of so many trees."""
        while len(self._losses) < trees:
            self._losses.append(self.grow())
        return self._losses[trees - 1]

    @abstractmethod
    def grow(self) -> float:
        """Add a tree; return the mean log loss of all that there are."""

    @abstractmethod
    def losses(self, trees: int) -> NDArray[np.float64]:
        """Return the log loss of each row of the fold with so many trees, shape (rows,)."""

    @abstractmethod
    def stored(self, trees: int) -> Text:
        """Return the first trees as the library stores them."""


class Ground(ABC, Generic[Text]):
    """The rows of one member, as a library holds them: made once, grown on by every trial."""

    @abstractmethod
    def grown(self, settings: Mapping[str, Any]) -> Grown[Text]:
        """Return the beginning of trees with some settings; there is none yet."""


@dataclass(frozen=True)
class Trees(Generic[Text]):
    """Trees with one group of settings: of each fold by its number, and how many there are, the same for all."""

    settings: Mapping[str, Any]
    grown: Mapping[int, Grown[Text]]
    trees: int

    def parameters(self, number: int) -> dict[str, Any]:
        """Return what a member records: the settings, how many trees, and its loss on the fold that judges it."""
        return {**self.settings, "trees": self.trees, "validation_log_loss": self.grown[number].loss(self.trees)}

    def losses(self) -> NDArray[np.float64]:
        """Return the log loss of each judged row, fold after fold, shape (rows,)."""
        return np.concatenate([grown.losses(self.trees) for grown in self.grown.values()])


class Search(Generic[Text]):
    """The search of one library for its settings, over all folds.

    ground     makes what a member's trees grow on: of its columns, the rows that teach it, and those that judge it
    suggested  draws a trial's settings
    start      the settings that a search begins with
    """

    def __init__(
        self,
        ground: Callable[[Columns, Sample, Sample], Ground[Text]],
        suggested: Callable[[optuna.Trial], dict[str, float]],
        start: Mapping[str, float],
        settings: FitSettings,
    ) -> None:
        self._ground = ground
        self._suggested = suggested
        self._start = start
        self._settings = settings

    def models(
        self, make: Callable[[Columns, dict[str, Any], Text], Trained], folds: Folds, like: Model | None = None
    ) -> dict[int, Trained]:
        """Return the members as models; the first of them records how the search went."""
        found, record = self.members(folds, None if like is None else like.parameters)
        models: dict[int, Trained] = {}
        for number, grown in found.grown.items():
            models[number] = make(
                folds.columns_of(number), found.parameters(number) | record, grown.stored(found.trees)
            )
            models[number].threads = self._settings.threads
            record = {}
        return models

    def members(self, folds: Folds, like: Mapping[str, Any] | None = None) -> tuple[Trees[Text], dict[str, Any]]:
        """Return the members' trees, and what a model records of the search.

        Given a record that it shall be `like`, nothing is searched: trees with the settings in it are returned.
        """
        if like is not None:
            return _whole(self._grounds(folds), {name: like[name] for name in self._start}), {}
        some = folds.of_some_customers(SEARCHED_ROWS, self._settings.seed)
        found = _Trials(self._grounds(some), some, self._settings, self._start)
        chosen = found.best(self._suggested)
        if some is not folds:
            chosen = _whole(self._grounds(folds), chosen.settings)
        return chosen, found.record()

    def _grounds(self, folds: Folds) -> dict[int, Ground[Text]]:
        return {number: self._ground(folds.columns_of(number), *folds.apart(number)) for number in folds.numbers}


class _Trials(Generic[Text]):
    """The trials of one search, the start among them."""

    def __init__(
        self,
        grounds: Mapping[int, Ground[Text]],
        folds: Folds,
        settings: FitSettings,
        start: Mapping[str, float],
    ) -> None:
        self._grounds = grounds
        self._settings = settings
        self._customer = _in_order_of_folds(folds)
        self._deadline = Deadline(settings.seconds)
        self._history: list[dict[str, Any]] = []
        self._from_start = _whole(grounds, start)
        self._start_losses = self._from_start.losses()
        self._best = self._from_start
        self._gain = (0.0, 0.0)

    def best(self, suggested: Callable[[optuna.Trial], dict[str, float]]) -> Trees[Text]:
        """Return the trees of the start, or of the trial with the most gain on it if that is more than chance."""

        def gained(trial: optuna.Trial) -> float:
            return self._judged(suggested(trial), trial.number)

        with _quiet_optuna():
            # Five trials, the start among them, before the sampler trusts what it has seen.
            sampler = optuna.samplers.TPESampler(seed=self._settings.seed, n_startup_trials=5)
            study = optuna.create_study(sampler=sampler, direction="maximize")
            study.enqueue_trial(dict(self._from_start.settings))
            study.optimize(gained, n_trials=1)
            study.optimize(gained, n_trials=self._settings.trials - 1, timeout=self._deadline.left)
        gain, error = self._gain
        return self._best if gain > SURE * error else self._from_start

    def record(self) -> dict[str, Any]:
        """Return how the search went: `search` holds each trial with what it gained on the start."""
        gain, error = self._gain
        return {
            "trials": len(self._history),
            "search_gain": gain,
            "search_gain_error": error,
            "seconds_limit_hit": len(self._history) < self._settings.trials,
            "search": self._history,
        }

    def _judged(self, settings: Mapping[str, Any], number: int) -> float:
        """Return what a trial gains on the start in mean log loss, on as many folds as it was tried on."""
        if number == 0:
            self._note(settings, self._from_start.trees, len(self._grounds), 0.0, 0.0)
            return 0.0
        grown: dict[int, Grown[Text]] = {}
        for fold, ground in self._grounds.items():
            grown[fold] = ground.grown(settings)
            trees = Trees(settings, grown, least_loss_trees(list(grown.values()), self._deadline))
            gain, error = self._gained(trees.losses())
            if len(grown) <= len(HOPELESS) and gain < HOPELESS[len(grown) - 1] * error:
                break
        return self._considered(trees, gain, error)

    def _considered(self, trees: Trees[Text], gain: float, error: float) -> float:
        """Keep trees of all folds that gain the most so far; return the gain."""
        self._note(trees.settings, trees.trees, len(trees.grown), gain, error)
        if len(trees.grown) == len(self._grounds) and gain > self._gain[0]:
            self._best, self._gain = trees, (gain, error)
        return gain

    def _note(self, settings: Mapping[str, Any], trees: int, folds: int, gain: float, error: float) -> None:
        self._history.append({**settings, "trees": trees, "folds": folds, "gain": gain, "gain_error": error})

    def _gained(self, losses: NDArray[np.float64]) -> tuple[float, float]:
        """The gain on the start of the rows of the first folds, and its standard error."""
        rows = len(losses)
        return paired_gain(self._start_losses[:rows], losses, self._customer[:rows])


def _whole(grounds: Mapping[int, Ground[Text]], settings: Mapping[str, Any]) -> Trees[Text]:
    """Trees of all folds, however long it takes."""
    grown = {number: ground.grown(settings) for number, ground in grounds.items()}
    return Trees(settings, grown, least_loss_trees(list(grown.values())))


class Deadline:
    """When the guard of [train] seconds ends a search."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, 0 when it is over."""
        return max(0.0, self._at - time.monotonic())

    def prune(self) -> None:
        """Raise TrialPruned if it is over; asked after each tree, since Optuna looks at the clock between trials."""
        if not self.left:
            raise optuna.TrialPruned


def least_loss_trees(members: Sequence[Grown[Any]], deadline: Deadline | None = None) -> int:
    """Return the number of trees of the least mean loss over the members, which grow until it is found.

    Raises TrialPruned when the deadline is over.
    """
    least, at = np.inf, 0
    for trees in range(1, ROUNDS + 1):
        loss = float(np.mean([grown.loss(trees) for grown in members]))
        if loss < least:
            least, at = loss, trees
        elif trees - at >= PATIENCE:
            break
        if deadline is not None:
            deadline.prune()
    return at


def threads_of(threads: int) -> int:
    """Return how many threads a library takes: those asked for, or for 0 one a core that this process may use."""
    if threads:
        return threads
    # Not every system says which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_order_of_folds(folds: Folds) -> NDArray[np.int64]:
    """The customer of each judged row, fold after fold, as `Trees.losses` has its rows."""
    return np.concatenate([folds.rows.customers[folds.fold == number] for number in folds.numbers])


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna's line a trial out of the user's terminal, and leave its verbosity as it was."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
