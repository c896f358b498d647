"""AttritionClassifier: the services of training and scoring with scikit-learn's conventions, on a plain frame.

X, y ──► folds by row or group ──► ModelTrainingService ──► champion ──► predict_proba
                                          └──► out of fold ──► figures_ : not out of time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from tenure.errors import CheckFailed, InvalidConfig, MissingFeature, ModelError, choices
from tenure.model.cross_fit import CrossFitModel
from tenure.model.flat_rows import (
    GROUP,
    flat_rows,
    require_flat_features,
    require_flat_target,
    require_learnable,
)
from tenure.model.learners import default_kinds, model_kind, too_few_to_blend
from tenure.model.metrics import metrics
from tenure.model.select import matching
from tenure.model.train import ModelTrainingService, TrainSettings, champion

NOT_OUT_OF_TIME = "not out of time"
"""What every figure of a table without dates says of itself."""


class AttritionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """The champion of several kinds of model, cross-fitted on a table without dates.

    models         kinds to train and choose from, of tenure.model.learners.kinds(); None: those on by default
    folds          into how many parts rows, or groups of rows, are drawn by a hash; a part is judged by the others
    trials         settings of boosted trees to try, the hand-set start included
    seconds        a guard: the longest that one kind's search may take
    min_churners   the fewest churners worth learning from
    churned        the value of y that means that the customer left; None: the last in order, such as 1, True, 'Yes'
    trust          columns, or patterns such as 'days_*', that may reveal nearly alone who left; others are refused
    random_state   of every random draw; the same data, settings and libraries give the same bits
    n_jobs         threads, -1 for all cores; no bit of a result depends on it

    As scikit-learn asks, nothing is checked before `fit`. A table without dates can't tell what was known when: no
    figure is out of time, and a column that was written after the customer left makes the model look better than it is.
    """

    def __init__(
        self,
        *,
        models: Sequence[str] | None = None,
        folds: int = 5,
        trials: int = 12,
        seconds: float = 3600.0,
        min_churners: int = 20,
        churned: Any = None,
        trust: Sequence[str] = (),
        random_state: int = 7,
        n_jobs: int = -1,
    ) -> None:
        self.models = models
        self.folds = folds
        self.trials = trials
        self.seconds = seconds
        self.min_churners = min_churners
        self.churned = churned
        self.trust = trust
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: pd.DataFrame, y: object, groups: object = None) -> Self:  # noqa: N803  (scikit-learn's name)
        """Train each kind on X, shape (rows, features), choose the champion by log loss out of fold, and return self.

        `y` has one of two values a row; rows of one of the `groups` (such as a household) are never in two folds. Sets

            classes_              the two values of y, sorted: the columns of predict_proba
            churned_              the one of them that means that the customer left
            feature_names_in_     the columns of X; n_features_in_ how many
            dropped_              column → why no model reads it
            models_, model_       kind → fitted model, and the champion
            out_of_fold_          each row's probabilities by the member that never saw its group, shape (rows, 2)
            figures_              a row a kind: figures out of fold, none of them out of time

        Raises ModelError for a frame or target that can't be read, OneClassTarget for too few churners, EmptySplit if
        all rows are in one fold, CheckFailed for a column that reveals who left, InvalidConfig for a setting.
        """
        frame, settings = require_flat_features(X), self._settings()
        classes, target = require_flat_target(y, len(frame))
        matching(self.trust, list(frame.columns), place="trust=", hint="Name columns of X, or patterns of them.")
        self.churned_ = self._churned(classes)
        rows = flat_rows(frame, (target == self.churned_).to_numpy(dtype=np.float64), groups, self.folds)
        require_learnable(rows, settings.min_churners)
        try:
            models = ModelTrainingService(settings).train(rows, [GROUP])
        except ModelError as error:
            # The service's own hint is for a project's files.
            raise type(error)(f"X can't be learned from: {error.message}.", hint="Give X columns that vary.") from error
        except CheckFailed as error:
            hint = "Leave the column out of X; or, if it was known before anybody left, name it in trust=[…]."
            raise CheckFailed(error.message, hint=hint) from error
        self.classes_ = classes
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.n_features_in_ = len(frame.columns)
        self.models_ = {model.kind: model for model in models}
        self.model_: CrossFitModel = champion(models, rows)
        self.dropped_: Mapping[str, str] = dict(self.model_.columns.dropped)
        self.out_of_fold_ = self._both(self.model_.predict_unseen(rows))
        self.figures_ = self._figures(rows)
        return self

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each of `classes_`, shape (rows, 2), rows in the frame's order.

        The mean of all members: of rows that were in `fit`, `out_of_fold_` is the honest answer. Raises MissingFeature
        for a frame that lacks a column, ModelError for a column of another type than in fit.
        """
        check_is_fitted(self)
        matrix = self._matrix(X)
        return self._both(self.model_.probabilities(matrix) if len(matrix) else np.empty(0))

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:  # noqa: N803
        """Return the likelier of `classes_` for each row, shape (rows,): a threshold of one half."""
        likelier = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likelier])

    def decision_function(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return the log-odds of the second of `classes_`, shape (rows,)."""
        check_is_fitted(self)
        matrix = self._matrix(X)
        margin = self.model_.margin(matrix) if len(matrix) else np.empty(0)
        return margin if self._churned_is_second else -margin

    def evaluate(self, X: pd.DataFrame, y: object) -> dict[str, float | str]:  # noqa: N803
        """Return the champion's figures on rows that were held out of `fit`, and `basis`: held out, not out of time.

        Raises OneClassTarget for one class, since nothing can then be ranked; ModelError for a value of y that fit did
        not see.
        """
        probabilities = self.predict_proba(X)
        classes, target = require_flat_target(y, len(X))
        if set(classes.tolist()) != set(self.classes_.tolist()):
            raise ModelError(
                f"y has the values {choices(map(repr, classes.tolist()))}; in fit they were "
                f"{choices(map(repr, self.classes_.tolist()))}.",
                hint="Write the target here as it was written in fit.",
            )
        happened = (target == self.churned_).to_numpy(dtype=np.float64)
        return _figures_of(probabilities[:, int(self._churned_is_second)], happened, f"held out, {NOT_OUT_OF_TIME}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    @property
    def _churned_is_second(self) -> bool:
        return bool(self.classes_[1] == self.churned_)

    def _settings(self) -> TrainSettings:
        if self.folds < 2:
            raise InvalidConfig(f"folds: got {self.folds}; it must be at least 2")
        return TrainSettings(
            kinds=self._kinds(),
            trials=self.trials,
            seconds=self.seconds,
            seed=self.random_state,
            threads=max(0, self.n_jobs),
            min_churners=self.min_churners,
            trust=tuple(self.trust),
        )

    def _kinds(self) -> tuple[str, ...]:
        """The kinds to train; raise InvalidConfig for a kind that there is not, none at all, or a blend of nothing."""
        if self.models is None:
            return default_kinds()
        asked = [self.models] if isinstance(self.models, str) else list(self.models)
        for kind in asked:
            model_kind(kind, place="models=", refused=InvalidConfig, hint="Leave models= out for those on by default.")
        if not asked or too_few_to_blend(asked):
            raise InvalidConfig(
                f"models={asked!r} leaves nothing to choose from; a blend needs two others to be made of.",
                hint="Leave models= out for those on by default.",
            )
        return tuple(asked)

    def _churned(self, classes: NDArray[Any]) -> Any:
        found = classes.tolist()
        if self.churned is None:
            return found[1]
        if self.churned not in found:
            raise ModelError(
                f"churned={self.churned!r} is no value of y; its values: {choices(map(repr, found))}.",
                hint="Give churned= the value of those who left, as y writes it.",
            )
        return self.churned

    def _matrix(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """The features that the model reads, as numbers."""
        frame = require_flat_features(X)
        absent = [name for name in self.model_.columns.names if name not in frame.columns]
        if absent:
            raise MissingFeature(
                f"X lacks {choices(absent)}, which the model reads; its columns: {choices(frame.columns)}.",
                hint="Give the columns that fit was given: X[classifier.feature_names_in_].",
            )
        try:
            return self.model_.columns.matrix(frame)
        except ModelError as error:
            raise type(error)(f"{error.message}.", hint="Give the column the type that it had in fit.") from error

    def _both(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probabilities of both classes, in their order."""
        both = (1 - probabilities, probabilities)
        return np.column_stack(both if self._churned_is_second else both[::-1])

    def _figures(self, rows: pd.DataFrame) -> pd.DataFrame:
        churned = rows["churned"].to_numpy(dtype=np.float64)
        basis = f"out of fold, {NOT_OUT_OF_TIME}"
        found = {kind: _figures_of(model.predict_unseen(rows), churned, basis) for kind, model in self.models_.items()}
        return pd.DataFrame.from_dict(found, orient="index").rename_axis("kind")


def _figures_of(scores: NDArray[np.float64], churned: NDArray[np.float64], basis: str) -> dict[str, float | str]:
    counted = {"rows": len(scores), "churners": int(churned.sum()), "churn_rate": float(churned.mean())}
    return {"basis": basis, **counted, **metrics(scores, churned)}
