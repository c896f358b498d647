"""The test with the score of each model beside it: what comparisons, back-test, groups and warning time are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import MissingFeature, choices
from tenure.model.cross_fit import CrossFitModel
from tenure.model.metrics import Array


@dataclass(frozen=True)
class Judged:
    """All test rows in their order: keys, snapshot_date, label_end and churned, and each model's scores by version."""

    rows: pd.DataFrame
    keys: tuple[str, ...]
    scores: Mapping[str, Array]
    kinds: Mapping[str, str]

    @cached_property
    def churned(self) -> Array:
        """1.0 where the customer churned, else 0.0, shape (rows,)."""
        return np.asarray(self.rows["churned"], dtype=np.float64)

    @cached_property
    def customer(self) -> NDArray[np.int64]:
        """The number of each row's customer, from 0."""
        return np.asarray(self.rows.groupby(list(self.keys), sort=False).ngroup(), dtype=np.int64)

    @cached_property
    def snapshots(self) -> list[pd.Timestamp]:
        """The snapshots of the test, in order."""
        return sorted(self.rows["snapshot_date"].unique())


def judge(models: Mapping[str, CrossFitModel], training_set: pd.DataFrame, keys: Sequence[str]) -> Judged:
    """Return the test rows of a training set with the score of each model, by its version.

    Raises MissingFeature if the training set lacks a column of the split or of a model.
    """
    wanted = [*keys, "snapshot_date", "label_end", "churned"]
    absent = [name for name in (*wanted, "split") if name not in training_set.columns]
    if absent:
        raise MissingFeature(f"the training set lacks {choices(absent)}", hint="run 'tenure splits'")
    test = training_set[training_set["split"] == "test"].reset_index(drop=True)
    days = {name: pd.to_datetime(test[name]).astype("datetime64[us]") for name in ("snapshot_date", "label_end")}
    return Judged(
        test[wanted].assign(**days),
        tuple(keys),
        {version: model.predict(test) for version, model in models.items()},
        {version: model.kind for version, model in models.items()},
    )
