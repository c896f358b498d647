"""LightGBM with its settings searched by Optuna."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import lightgbm
import numpy as np
import optuna
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile
from tenure.model.base import FitSettings, LearnedModel, Model, chunks
from tenure.model.learners.search import Ground, Grown, Search, threads_of
from tenure.model.losses import log_loss, log_losses
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

START: Mapping[str, float] = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "lambda_l2": 10.0,
}
"""The first trial.

Small trees, few features at a time: snapshots of one customer resemble each other, so there is less to learn than
there are rows. Five-fold by customer on the two real examples, against 31 leaves at a rate of 0.1: AUROC 0.755
against 0.744 and 0.864 against 0.848.
"""


FEW_CELLS = 10_000_000
"""So many cells of a matrix, and fewer, are learned from in one thread.

Threads that wait without spinning are woken for each small step: at 3,000 rows of 316 features two took 6 ms a tree,
one took 2.3. The trees are the same to the bit.
"""


class LightGBMModel(LearnedModel):
    """Boosted trees over the matrix of `columns`.

    The booster is read back from its own text at once, so that the model in memory and the model on file are
    the same to the last bit. LightGBM ends the process where a text is cut, so one without its end is refused first.
    """

    kind = "lightgbm"

    def __init__(self, columns: Columns, parameters: Mapping[str, Any], text: str) -> None:
        super().__init__(columns, parameters)
        if not (text.startswith("tree\n") and "\nend of trees\n" in text and "\nend of parameters\n" in text):
            raise UnsafeModelFile("model.txt is no whole text of a LightGBM model.", hint="Run 'tenure train'.")
        self.text = text
        self.booster = lightgbm.Booster(model_str=text)

    @classmethod
    def cross_fit(cls, folds: Folds, settings: FitSettings, like: Model | None = None) -> dict[int, LightGBMModel]:
        """Return a member a fold, with the settings of START, or of the trial with the least log loss out of fold if
        it is surely less; or with those of the model that they shall be `like`.

        Trees are counted by early stopping on the mean loss of all folds.
        """
        suggested = partial(_suggested, features=len(folds.columns.names))
        search = Search(partial(_Ground, settings=settings), suggested, START, settings)
        return search.models(cls, folds, like)

    @classmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> LightGBMModel:
        """Return the model that `files` wrote."""
        return cls(Columns.from_json(card["columns"]), card["parameters"], files["model.txt"].decode())

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the summed leaf values: the log-odds."""
        return self._predicted(matrix, raw_score=True)

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return LightGBM's own TreeSHAP values (Lundberg et al. 2020, path-dependent): exact, in chunks of rows."""
        del background
        found = np.concatenate([self._predicted(matrix[rows], pred_contrib=True) for rows in chunks(len(matrix))])
        return found[:, :-1], found[:, -1]

    def _predicted(self, matrix: NDArray[np.float64], **how: Any) -> NDArray[np.float64]:
        found = self.booster.predict(matrix, num_threads=threads_of(self.threads), **how)
        return np.asarray(found, dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """Return model.json and model.txt, LightGBM's own text; the same bytes for the same model."""
        return {"model.json": self.card(), "model.txt": self.text.encode()}


class _Ground(Ground[str]):
    """The rows of one member, cut into LightGBM's bins: those that teach, and those that judge."""

    def __init__(self, columns: Columns, train: Sample, judged: Sample, *, settings: FitSettings) -> None:
        self.fixed = {
            "objective": "binary",
            # LightGBM's own sum of the loss depends on the number of threads in its last bits; _log_loss does not.
            "metric": "None",
            "seed": settings.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1 if train.matrix.size <= FEW_CELLS else threads_of(settings.threads),
            "bagging_freq": 1,
            # Bins are cut once for all trials, so they must not depend on one trial's min_data_in_leaf.
            "feature_pre_filter": False,
            "verbosity": -1,
        }
        first_code = len(columns.numeric)
        self.train = lightgbm.Dataset(
            train.matrix,
            train.churned,
            weight=train.weight,
            categorical_feature=list(range(first_code, len(columns.names))),
            params=self.fixed,
        )
        # Bins are cut at once, so that the matrix is let go before that of the next member is made.
        self.train.construct()
        self.judging = self.train.create_valid(judged.matrix, judged.churned, params=self.fixed).construct()
        self.judged = judged

    def grown(self, settings: Mapping[str, Any]) -> _Grown:
        """Return the beginning of trees with some settings."""
        booster = lightgbm.Booster({**self.fixed, **settings}, self.train)
        booster.add_valid(self.judging, "judged")
        return _Grown(booster, self)


class _Grown(Grown[str]):
    """A booster that grows."""

    def __init__(self, booster: lightgbm.Booster, ground: _Ground) -> None:
        super().__init__()
        self._booster = booster
        self._ground = ground

    def grow(self) -> float:
        """Add a tree; return the log loss of the fold that judges."""
        self._booster.update()
        (evaluated,) = self._booster.eval_valid(_log_loss)
        return float(evaluated[2])

    def losses(self, trees: int) -> NDArray[np.float64]:
        """Return the log loss of each row that judges."""
        judged, threads = self._ground.judged, self._ground.fixed["num_threads"]
        scores = self._booster.predict(judged.matrix, num_iteration=trees, num_threads=threads)
        return log_losses(np.asarray(scores), judged.churned)

    def stored(self, trees: int) -> str:
        """Return LightGBM's text of the first trees; the number of threads, which it also writes, is left out."""
        text = self._booster.model_to_string(num_iteration=trees)
        return re.sub(r"^\[num_threads: \d+\]\n", "", text, flags=re.MULTILINE)


def _log_loss(scores: NDArray[np.float64], data: lightgbm.Dataset) -> tuple[str, float, bool]:
    """Return the mean log loss of the probabilities, as LightGBM asks for a metric: name, value, higher is better."""
    return "log_loss", log_loss(scores, np.asarray(data.get_label())), False


def _suggested(trial: optuna.Trial, *, features: int) -> dict[str, float]:
    # The more features a tree sees, the longer it takes; of many, half are searched at the most.
    most = max(0.5, min(1.0, 60 / features))
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 31, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 10, 200, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, most),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.6, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.01, 100.0, log=True),
    }
