"""Trains each kind of model on one training set and chooses the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from tenure.errors import EmptySplit, OneClassTarget
from tenure.model.base import KINDS, Model, Sample, TrainSettings
from tenure.model.boosted import LightGBMModel
from tenure.model.logistic import LogisticModel
from tenure.model.metrics import average_precision
from tenure.model.rule import RuleModel
from tenure.model.select import Columns

__all__ = ["KINDS", "Model", "ModelTrainingService", "TrainSettings", "champion"]

FITS: Mapping[str, Callable[[Columns, Sample, Sample, TrainSettings], Model]] = {
    "rule": RuleModel.fit,
    "logistic": LogisticModel.fit,
    "lightgbm": LightGBMModel.fit,
}


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
        train, validation = (_sample(training_set, columns, split) for split in ("train", "validation"))
        return tuple(FITS[kind](columns, train, validation, self.settings) for kind in self.settings.kinds)


def champion(models: Sequence[Model], training_set: pd.DataFrame) -> Model:
    """Return the model with the highest average precision on split 'validation', the earlier of two equals.

    Average precision, because the list is worked from its top and churners are few. Test plays no part, so
    its figures stay an honest estimate of the champion.
    """
    validation = training_set[training_set["split"] == "validation"]
    churned = validation["churned"].to_numpy(dtype=np.float64)
    return max(models, key=lambda model: average_precision(model.predict(validation), churned))


def _sample(training_set: pd.DataFrame, columns: Columns, split: str) -> Sample:
    rows = training_set[training_set["split"] == split]
    return Sample(columns.matrix(rows), rows["churned"].to_numpy(dtype=np.float64))


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
