"""Trains each kind of model on one training set and chooses the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tenure.errors import EmptySplit, InvalidConfig, OneClassTarget
from tenure.model.base import FitSettings, Model, Sample
from tenure.model.learners import default_kinds, kinds, learner_of
from tenure.model.metrics import metrics
from tenure.model.select import Columns

TIE = 0.001
"""Losses that differ by no more than this share of the least are equal."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(FitSettings):
    """How models are trained: each as FitSettings say, and which.

    kinds         which models to train, of the learners there are
    min_churners  the fewest churners in train worth learning from
    """

    kinds: tuple[str, ...] = field(default_factory=default_kinds)
    min_churners: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds:
            raise InvalidConfig("[train] models: got none; name at least one kind of model")
        for kind in self.kinds:
            learner_of(kind, place="[train] models", refused=InvalidConfig)
        self.require_at_least(min_churners=1)


class ModelTrainingService:
    """Trains models on split 'train' and chooses their settings on split 'validation'.

    Rows of 'test' and 'embargo' are never looked at.
    """

    def __init__(self, settings: TrainSettings | None = None) -> None:
        self.settings = settings or TrainSettings()

    def train(self, training_set: pd.DataFrame, keys: Sequence[str]) -> tuple[Model, ...]:
        """Return one fitted model a kind, in the order of `settings.kinds`.

        Raises EmptySplit if train or validation has no rows, OneClassTarget if either has one class or train
        has too few churners, ModelError if no feature is left.
        """
        for split, least in (("train", self.settings.min_churners), ("validation", 1)):
            _refuse_one_class(training_set[training_set["split"] == split], split, least)
        columns = Columns.of(training_set, keys)
        train, validation = _sample(training_set, columns, "train"), _sample(training_set, columns, "validation")
        learners = [learner_of(kind, place="[train] models") for kind in self.settings.kinds]
        return tuple(learner.fit(columns, train, validation, self.settings) for learner in learners)


def champion(models: Sequence[Model], training_set: pd.DataFrame) -> Model:
    """Return the model with the least log loss on split 'validation', or the simplest of those within TIE of it.

    Log loss, because it judges the probabilities that value is computed from as well as the order. Test plays no part,
    so its figures stay an honest estimate of the champion.
    """
    validation = training_set[training_set["split"] == "validation"]
    churned = validation["churned"].to_numpy(dtype=np.float64)
    losses = [metrics(model.predict(validation), churned)["log_loss"] for model in models]
    simplest = kinds()
    good = [model for model, loss in zip(models, losses, strict=True) if loss <= min(losses) * (1 + TIE)]
    return min(good, key=lambda model: simplest.index(model.kind))


def _sample(training_set: pd.DataFrame, columns: Columns, split: str) -> Sample:
    rows = training_set[training_set["split"] == split]
    customer = rows.groupby(list(columns.keys), sort=False, dropna=False).ngroup()
    return Sample(columns.matrix(rows), rows["churned"].to_numpy(dtype=np.float64), customer.to_numpy(dtype=np.int64))


def _refuse_one_class(rows: pd.DataFrame, split: str, least: int) -> None:
    """Raise unless `rows` hold both classes, and `least` churners at the least."""
    if rows.empty:
        raise EmptySplit(
            f"split '{split}' has no rows, so there is nothing to train on",
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
    dates = pd.to_datetime(rows["snapshot_date"])
    period = f"{dates.nunique()} snapshots from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"
    raise OneClassTarget(
        f"split '{split}': {reason}; the churn rate is {churners / total:.1%} "
        f"({churners:,} of {total:,} rows, {period})",
        hint="churn.py: change the event or horizon; run 'tenure labels'",
    )
