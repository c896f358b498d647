"""Several horizons: a model for each, learned as the champion was, from the rows whose answer over it was known.

first test snapshot ───────────────────────────────────────┊
30 days    ──■────■────■────■────■────■────■────■────■── ? ┊     ■ a row of train or of the embargo that teaches
180 days   ──■────■────■──── ? ── ? ── ? ── ? ── ? ── ? ── ┊     ? answered too late for that
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import EmptySplit, ModelError, OneClassTarget
from tenure.model.base import FitSettings, Model
from tenure.model.blend import BlendModel, blended
from tenure.model.cross_fit import CrossFitModel
from tenure.model.learners import model_kind
from tenure.model.learners.learner import Learner
from tenure.model.origins import days_of
from tenure.model.recency import weighted
from tenure.model.sample import Folds, Sample
from tenure.model.train import TrainSettings


@dataclass(frozen=True, kw_only=True)
class HorizonRows:
    """The rows of a training set with their answers over one horizon of so many `days`.

    `churned` is NaN, and the row none of this horizon, where that has no answer. `teaches` says which rows may be
    learned from: none of the test, none that was answered on its first day or later. Both have shape (rows,).
    """

    days: int
    churned: NDArray[np.float64]
    teaches: NDArray[np.bool_]

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether each row has an answer, shape (rows,)."""
        return ~np.isnan(self.churned)

    def only(self, rows: NDArray[np.bool_]) -> HorizonRows:
        """Return some of the rows."""
        return HorizonRows(days=self.days, churned=self.churned[rows], teaches=self.teaches[rows])


def rows_over(
    days: int, training_set: pd.DataFrame, labels: pd.DataFrame, keys: Sequence[str], *, wait: int = 0
) -> HorizonRows:
    """Return what each row of a training set came to over a horizon, by the `labels` of that.

    Labels are answered `wait` days after their end. Raises EmptySplit if the training set has no test.
    """
    row = [*keys, "snapshot_date"]
    found = training_set[row].merge(labels[[*row, "label_end", "churned"]], on=row, how="left", validate="one_to_one")
    is_test = (training_set["split"] == "test").to_numpy()
    if not is_test.any():
        raise EmptySplit(
            "split 'test' has no rows, so no horizon can be judged",
            hint="tenure.toml: [splits] test_snapshots; run 'tenure splits'",
        )
    first_test = pd.Timestamp(training_set.loc[is_test, "snapshot_date"].min())
    answered_by = pd.to_datetime(found["label_end"]) + timedelta(days=wait)
    in_time = (answered_by < first_test).to_numpy()
    return HorizonRows(days=days, churned=found["churned"].to_numpy(dtype=np.float64), teaches=in_time & ~is_test)


def fitted_like(
    champion: CrossFitModel,
    training_set: pd.DataFrame,
    rows: HorizonRows,
    settings: FitSettings,
    *,
    group: Sequence[str] = (),
) -> CrossFitModel:
    """Return a model of the champion's kind, columns and settings, learned over another horizon; nothing is searched.

    `group` are the columns of the key whose rows share a fold, by default all. Raises EmptySplit if no row was answered
    before the test, OneClassTarget if too few churned or too many, ModelError for a champion that can't be learned
    again.
    """
    folds = folds_over(champion, training_set, rows, group)
    _require_both_classes(folds, rows.days)
    first = next(iter(champion.members.values()))
    if not isinstance(first, BlendModel):
        return _cross_fitted(first, folds, settings)
    return blended([_cross_fitted(part, folds, settings) for part in first.parts], folds)


def _cross_fitted(like: Model, folds: Folds, settings: FitSettings) -> CrossFitModel:
    """The members that learn without a fold each, with the settings and the half-life of a member like them."""
    learner = model_kind(like.kind, place="the champion")
    if not isinstance(learner, Learner):
        raise ModelError(f"a champion of kind '{like.kind}' can't be learned over another horizon.")
    half_life = like.parameters.get("half_life_days")
    if half_life is not None:
        folds = replace(folds, rows=weighted(folds.rows, half_life))
    return CrossFitModel.of(learner, folds, settings, like)


def folds_over(
    champion: CrossFitModel, training_set: pd.DataFrame, rows: HorizonRows, group: Sequence[str] = ()
) -> Folds:
    """Return the rows that teach by their folds: the champion's, so that no member learns from whom it did not.

    One whose rows are all of the embargo, and so in no fold, is given one: by the order of `group`, in turn.
    """
    taught, keys = training_set[rows.teaches], champion.columns.keys
    customer = taught.groupby(list(keys), sort=False).ngroup().to_numpy(dtype=np.int64)
    matrix = champion.columns.matrix(taught)
    sample = Sample(matrix, rows.churned[rows.teaches], customer, snapshot=days_of(taught, "snapshot_date"))
    reads = {number: member.columns for number, member in champion.members.items()}
    fold = _fold_of_each(taught, list(group or keys), tuple(champion.members))
    return Folds(sample, fold, champion.columns, reads)


def _fold_of_each(taught: pd.DataFrame, group: list[str], numbers: Sequence[int]) -> NDArray[np.int64]:
    """The fold of each row: that of its group's rows of train, or the next of all `numbers` in turn, by the key."""
    fold = taught.groupby(group)["fold"].transform("max").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    without = np.isnan(fold)
    if without.any():
        turn = taught[without].groupby(group).ngroup().to_numpy()
        fold[without] = np.asarray(sorted(numbers))[turn % len(numbers)]
    return np.asarray(fold, dtype=np.int64)


def _require_both_classes(folds: Folds, days: int) -> None:
    """Raise unless the rows hold enough churners, and what is outside of each fold both classes."""
    churned, over = folds.rows.churned, f"over a horizon of {days} days"
    if not len(churned):
        raise EmptySplit(
            f"{over} no row was answered before the first test snapshot, so there is nothing to learn from",
            hint=f"churn.py: leave {days} out of horizons=; tenure.toml: [snapshots] first earlier",
        )
    least, churners = TrainSettings().min_churners, int(churned.sum())
    outside = [churned[folds.fold != number] for number in folds.numbers]
    if churners < least or any(not len(rows) or rows.min() == rows.max() for rows in outside):
        raise OneClassTarget(
            f"{over} {churners:,} of {len(churned):,} rows that may be learned from churn: too few, or too many, to "
            f"learn from; at least {least} are needed, and of both classes outside of each fold",
            hint=f"churn.py: leave {days} out of horizons=; tenure.toml: [snapshots] first earlier",
        )
