"""XGBoost with its settings searched by Optuna.

XGBoost computes in single precision: features, thresholds, leaf values and its own sums over trees. Its sums miss the
exact ones by some 1e-6, so here leaf values are added up in double precision, in two ways that know nothing of each
other: the margin by the leaves that the booster itself puts a row in, the contributions by walking the trees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import optuna
import xgboost
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile
from tenure.model.base import FitSettings, LearnedModel, Model, chunks
from tenure.model.learners.search import Ground, Grown, Search, threads_of
from tenure.model.learners.tree_shap import Tree, add_contributions
from tenure.model.losses import log_loss, log_losses
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

LARGEST_SINGLE = 1e38
"""Numbers beyond ± this are read as it; a float32 holds up to 3.4e38, and XGBoost doubles the largest that it sees."""

START: Mapping[str, float] = {
    "learning_rate": 0.05,
    "max_depth": 3,
    "min_child_weight": 10.0,
    "colsample_bytree": 0.3,
    "subsample": 0.7,
    "reg_lambda": 10.0,
}
"""The first trial: LightGBM's, in XGBoost's settings. A depth of 3 is 8 leaves; 10 is the weight of some 60 rows where
one in five churns.
"""


class XGBoostModel(LearnedModel):
    """Boosted trees over the matrix of `columns`, read as float32; missing values go the way that each split learned.

    The booster is read back from its own JSON at once, so that the model in memory and the model on file are the same
    to the last bit.
    """

    kind = "xgboost"

    def __init__(self, columns: Columns, parameters: Mapping[str, Any], text: bytes) -> None:
        super().__init__(columns, parameters)
        self.text = text
        try:
            record = json.loads(text)["learner"]
            self.base = _log_odds(record["learner_model_param"]["base_score"])
            self.splits = [_Splits.of(tree) for tree in record["gradient_booster"]["model"]["trees"]]
            self.booster = xgboost.Booster(model_file=bytearray(text))
        except (KeyError, TypeError, ValueError, xgboost.core.XGBoostError) as error:
            raise UnsafeModelFile("xgboost.json is no whole model of XGBoost.", hint="Run 'tenure train'.") from error

    @classmethod
    def cross_fit(cls, folds: Folds, settings: FitSettings, like: Model | None = None) -> dict[int, XGBoostModel]:
        """Return a member a fold, with the settings of START, or of the trial with the least log loss out of fold if
        it is surely less; or with those of the model that they shall be `like`.

        Trees are counted by early stopping on the mean loss of all folds.

        Trees are fitted in one thread, whatever the settings say: XGBoost does not promise that its sums of gradients
        have the same bits with another number of threads.
        """
        search = Search(partial(_Ground, settings=settings), _suggested, START, settings)
        return search.models(cls, folds, like)

    @classmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> XGBoostModel:
        """Return the model that `files` wrote."""
        return cls(Columns.from_json(card["columns"]), card["parameters"], files["xgboost.json"])

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the leaves that the booster puts each row in, summed in double precision: the log-odds.

        The booster's own sum (`output_margin`) is a float32: within 1e-5, or little more over hundreds of trees.
        """
        self.booster.set_param({"nthread": threads_of(self.threads)})
        leaves = self.booster.predict(_data(self.columns, matrix, threads=threads_of(self.threads)), pred_leaf=True)
        by_tree = leaves.reshape(len(matrix), len(self.splits)).astype(np.int64).T
        margin = np.full(len(matrix), self.base)
        # Tree after tree, so that a row's sum has the same bits whatever other rows there are.
        for splits, leaf in zip(self.splits, by_tree, strict=True):
            margin += splits.tree.value[leaf]
        return margin

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the path-dependent TreeSHAP values, in double precision; XGBoost's own are within 1e-5 of them."""
        del background
        values = np.zeros((matrix.shape[1], len(matrix)))
        base = self.base
        for rows in chunks(len(matrix)):
            features = _singles(matrix[rows]).T
            part = np.zeros(features.shape)
            bases = [add_contributions(one.tree, one.goes_left(features), part) for one in self.splits]
            values[:, rows] = part
            base = self.base + sum(bases)
        return values.T, np.full(len(matrix), base)

    def files(self) -> dict[str, bytes]:
        """Return model.json and xgboost.json, XGBoost's own JSON; the same bytes for the same model."""
        return {"model.json": self.card(), "xgboost.json": self.text}


@dataclass(frozen=True)
class _Splits:
    """One tree, and what its inner nodes ask of a feature: `value < threshold`, or of a category that it is in no set.

    A missing value goes left where `missing_left` says so. `sets` maps a node to the codes that go right.
    """

    tree: Tree
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    sets: Mapping[int, NDArray[np.int64]]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Splits:
        """Return a tree of XGBoost's JSON. At a leaf `split_conditions` holds the leaf's value."""
        left, conditions = np.array(record["left_children"]), np.array(record["split_conditions"], dtype=np.float32)
        tree = Tree(
            left=left,
            right=np.array(record["right_children"]),
            feature=np.array(record["split_indices"]),
            cover=np.array(record["sum_hessian"], dtype=np.float32).astype(np.float64),
            value=np.where(left < 0, conditions, 0).astype(np.float64),
        )
        codes = np.array(record["categories"], dtype=np.int64)
        segments = zip(
            record["categories_nodes"], record["categories_segments"], record["categories_sizes"], strict=True
        )
        sets = {node: codes[first : first + size] for node, first, size in segments}
        return cls(tree, conditions, np.array(record["default_left"], dtype=np.bool_), sets)

    def goes_left(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each row of `features`, shape (features, rows), goes left at each node: (nodes, rows)."""
        asked = features[self.tree.feature]
        left = asked < self.threshold[:, None]
        for node, codes in self.sets.items():
            left[node] = ~np.isin(asked[node], codes)
        return np.where(np.isnan(asked), self.missing_left[:, None], left)


class _Ground(Ground[bytes]):
    """The rows of one member as XGBoost reads them: those that teach, and those that judge."""

    def __init__(self, columns: Columns, train: Sample, judged: Sample, *, settings: FitSettings) -> None:
        self.fixed = {
            "objective": "binary:logistic",
            "disable_default_eval_metric": True,
            "tree_method": "hist",
            "seed": settings.seed,
            "nthread": 1,
            "verbosity": 0,
        }
        self.train = _data(columns, train.matrix, train.churned, train.weight)
        self.judging = _data(columns, judged.matrix, judged.churned)

    def grown(self, settings: Mapping[str, Any]) -> _Grown:
        """Return the beginning of trees with some settings."""
        # A booster that knows the rows which judge adds up their scores tree by tree.
        booster = xgboost.Booster({**self.fixed, **settings}, cache=[self.train, self.judging])
        return _Grown(booster, self)


class _Grown(Grown[bytes]):
    """A booster that grows."""

    def __init__(self, booster: xgboost.Booster, ground: _Ground) -> None:
        super().__init__()
        self._booster = booster
        self._ground = ground

    def grow(self) -> float:
        """Add a tree; return the log loss of the fold that judges."""
        self._booster.update(self._ground.train, iteration=self._booster.num_boosted_rounds())
        return log_loss(self._booster.predict(self._ground.judging), self._ground.judging.get_label())

    def losses(self, trees: int) -> NDArray[np.float64]:
        """Return the log loss of each row that judges."""
        scores = self._booster.predict(self._ground.judging, iteration_range=(0, trees))
        return log_losses(scores, self._ground.judging.get_label())

    def stored(self, trees: int) -> bytes:
        """Return XGBoost's JSON of the first trees."""
        return bytes(self._booster[:trees].save_raw("json"))


def _data(
    columns: Columns,
    matrix: NDArray[np.float64],
    churned: NDArray[np.float64] | None = None,
    weight: NDArray[np.float64] | None = None,
    *,
    threads: int = 1,
) -> xgboost.DMatrix:
    """Return rows as XGBoost reads them: numbers, then codes of categories."""
    types = ["q"] * len(columns.numeric) + ["c"] * len(columns.categorical)
    return xgboost.DMatrix(
        _singles(matrix), churned, weight=weight, feature_types=types, enable_categorical=True, nthread=threads
    )


def _singles(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the features as the float32 that XGBoost compares with its thresholds; NaN stays."""
    return np.clip(matrix, -LARGEST_SINGLE, LARGEST_SINGLE).astype(np.float32)


def _log_odds(base_score: str) -> float:
    """Return the margin before the first tree; XGBoost writes it as a probability, '[2.5E-1]'."""
    rate = float(np.float32(base_score.strip("[]")))
    return float(np.log(rate) - np.log1p(-rate))


def _suggested(trial: optuna.Trial) -> dict[str, float]:
    # Contributions take memory and time by 2 ** max_depth.
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 6),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 100.0, log=True),
    }
