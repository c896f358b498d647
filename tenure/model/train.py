"""Trains each kind of model on one training set and chooses the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tenure.errors import EmptySplit, InvalidConfig, OneClassTarget, choices
from tenure.model import learners
from tenure.model.base import FitSettings
from tenure.model.blend import blended
from tenure.model.calibrate import chosen_calibration
from tenure.model.cross_fit import CrossFitModel
from tenure.model.later_scores import later_scores
from tenure.model.learners import BLEND, default_kinds, kinds, model_kind, too_few_to_blend
from tenure.model.losses import log_loss
from tenure.model.origins import days_of
from tenure.model.recency import chosen_half_life, weighted
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns, feature_names, matching, require_columns
from tenure.model.selection import SELECTIONS, select_in_folds
from tenure.model.suspects import Judged, ranks_of, ranks_of_keys, refuse_suspects

TIE = 0.001
"""Losses that differ by no more than this share of the least are equal."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(FitSettings):
    """How models are trained: each as FitSettings say, and which.

    kinds         which models to train, of the learners there are
    min_churners  the fewest churners in train worth learning from
    exclude       names or patterns ('branch_*') of features that no model reads
    trust         names or patterns of features that models read though they look like the label or a key
    select        which of the others a member reads: one of SELECTIONS
    """

    kinds: tuple[str, ...] = field(default_factory=default_kinds)
    min_churners: int = 20
    exclude: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    select: str = SELECTIONS[0]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds:
            raise InvalidConfig("[train] models: got none; name at least one kind of model")
        for kind in self.kinds:
            model_kind(kind, place="[train] models", refused=InvalidConfig)
        if too_few_to_blend(self.kinds):
            raise InvalidConfig(
                f"[train] models: a blend needs two others to be made of; got {choices(self.kinds)}",
            )
        if self.select not in SELECTIONS:
            raise InvalidConfig(f"[train] select: got '{self.select}'; allowed: {choices(SELECTIONS)}")
        self.require_at_least(min_churners=1)


class ModelTrainingService:
    """Trains models on split 'train', each fold of customers judged by what the other folds taught.

    Rows of 'test' and 'embargo' are never looked at.
    """

    def __init__(self, settings: TrainSettings | None = None) -> None:
        self.settings = settings or TrainSettings()

    def train(self, training_set: pd.DataFrame, keys: Sequence[str]) -> tuple[CrossFitModel, ...]:
        """Return one fitted model a kind, in the order of `settings.kinds`, with a member a fold.

        Raises MissingFeature if the frame lacks a key, split, fold or churned; EmptySplit if train has no rows, or they
        are in one fold; OneClassTarget if train, or what is outside of a fold, has one class, or train too few
        churners; CheckFailed if a feature that is not trusted reveals the label or is a key; ModelError if no feature
        is left.
        """
        require_columns(training_set, (*keys, "split", "fold", "churned"))
        train = training_set[training_set["split"] == "train"]
        _refuse_one_class(train, self.settings.min_churners)
        columns = Columns.of(training_set, keys, self.settings.exclude)
        folds = self._chosen(_folds(train, columns), train)
        fitted = {
            learner.kind: CrossFitModel.of(learner, folds, self.settings)
            for learner in learners.LEARNERS
            if learner.kind in self.settings.kinds
        }
        fitted = self._by_recency(fitted, folds)
        if BLEND.kind in self.settings.kinds:
            fitted[BLEND.kind] = blended(list(fitted.values()), folds)
        return tuple(fitted[kind] for kind in self.settings.kinds)

    def calibrate(self, model: CrossFitModel, training_set: pd.DataFrame) -> None:
        """Give a model the calibration that later snapshots of train show to pay, and record why."""
        train = training_set[training_set["split"] == "train"]
        rows = _rows(train, model.columns)
        found = chosen_calibration(later_scores(model, rows, self.settings))
        model.calibration = found.calibration
        model.note(found.record())

    def _by_recency(self, fitted: Mapping[str, CrossFitModel], folds: Folds) -> dict[str, CrossFitModel]:
        """Return the models, learned anew with a half-life if that pays; the last kind decides for all."""
        learner = [one for one in learners.LEARNERS if one.kind in fitted][-1]
        found = chosen_half_life(learner, fitted[learner.kind], folds, self.settings)
        if found.days is None:
            models = dict(fitted)
        else:
            aged = replace(folds, rows=weighted(folds.rows, found.days))
            models = {
                one.kind: CrossFitModel.of(one, aged, self.settings, like=fitted[one.kind])
                for one in learners.LEARNERS
                if one.kind in fitted
            }
        for model in models.values():
            model.note(found.record())
        return models

    def _chosen(self, folds: Folds, train: pd.DataFrame) -> Folds:
        """Return the folds with the columns that each member reads, once none of them is suspect."""
        settings, columns = self.settings, folds.columns
        snapshot = ranks_of(train["snapshot_date"]) if "snapshot_date" in train else np.zeros(len(train), np.int64)
        keys = np.column_stack([ranks_of_keys(train[name]) for name in columns.keys])
        trusted = matching(settings.trust, feature_names(train, columns.keys), place="[train] trust")
        refuse_suspects(Judged(columns, folds.rows, folds.fold, snapshot, keys), trusted, settings.seed)
        return select_in_folds(folds, snapshot, select=settings.select, seed=settings.seed)


def champion(models: Sequence[CrossFitModel], training_set: pd.DataFrame) -> CrossFitModel:
    """Return the model with the least log loss out of fold, or the simplest of those within TIE of it.

    Log loss, because it judges the probabilities that value is computed from as well as the order. Test plays no part,
    so its figures stay an honest estimate of the champion.
    """
    require_columns(training_set, ("split", "fold", "churned"))
    train = training_set[training_set["split"] == "train"]
    churned = train["churned"].to_numpy(dtype=np.float64)
    losses = [log_loss(model.predict_unseen(train), churned) for model in models]
    simplest = kinds()
    good = [model for model, loss in zip(models, losses, strict=True) if loss <= min(losses) * (1 + TIE)]
    return min(good, key=lambda model: simplest.index(model.kind))


def _folds(train: pd.DataFrame, columns: Columns) -> Folds:
    """The rows of train by their folds; each fold's model must have both classes to learn from."""
    rows = _rows(train, columns)
    folds = Folds(rows, train["fold"].to_numpy(dtype=np.int64), columns)
    if len(folds.numbers) < 2:
        raise EmptySplit(
            "all rows of split 'train' are in one fold, so there is nothing to judge a model by",
            hint="tenure.toml: [splits] folds and group; a bank of so few customers can't be cross-fitted",
        )
    for number in folds.numbers:
        churned = rows.churned[folds.fold != number]
        if churned.min() == churned.max():
            raise OneClassTarget(
                f"split 'train': outside of fold {number} {'everybody' if churned.min() else 'nobody'} churns, so its "
                "model has nothing to learn from",
                hint="churn.py: change the event or horizon; tenure.toml: fewer [splits] folds",
            )
    return folds


def _period(rows: pd.DataFrame) -> str:
    """The snapshots of the rows, in words; '' of a table without dates."""
    if "snapshot_date" not in rows.columns:
        return ""
    dates = pd.to_datetime(rows["snapshot_date"])
    return f", {dates.nunique()} snapshots from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"


def _rows(train: pd.DataFrame, columns: Columns) -> Sample:
    """The rows of train with the features of some columns."""
    customer = train.groupby(list(columns.keys), sort=False, dropna=False).ngroup()
    return Sample(
        columns.matrix(train),
        train["churned"].to_numpy(dtype=np.float64),
        customer=customer.to_numpy(dtype=np.int64),
        snapshot=days_of(train, "snapshot_date"),
        label_end=days_of(train, "label_end"),
    )


def _refuse_one_class(rows: pd.DataFrame, least: int) -> None:
    """Raise unless the `rows` of train hold both classes, and `least` churners at the least."""
    if rows.empty:
        raise EmptySplit(
            "split 'train' has no rows, so there is nothing to train on",
            hint="tenure.toml: keep fewer snapshots for test; run 'tenure splits'",
        )
    churners, total = int(rows["churned"].sum()), len(rows)
    if least <= churners < total:
        return
    if churners == 0:
        reason = "nobody churns"
    elif churners == total:
        reason = "everybody churns"
    else:
        reason = f"too few churners to learn from, at least {least} are needed"
    raise OneClassTarget(
        f"split 'train': {reason}; the churn rate is {churners / total:.1%} ({churners:,} of {total:,} rows"
        f"{_period(rows)})",
        hint="churn.py: change the event or horizon; run 'tenure labels'",
    )
