"""The attrition list: every customer's probability of churn, and the place in the queue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import MissingFeature, choices
from tenure.model.base import Model


class ModelInferenceService:
    """Scores customers with one version of a model."""

    def __init__(self, model: Model, model_version: str) -> None:
        self.model = model
        self.model_version = model_version

    def score(self, features: pd.DataFrame, scores: NDArray[np.float64] | None = None) -> pd.DataFrame:
        """Return one row per row of `features`, in its order; given `scores`, shape (rows,), those are ranked.

        Columns: keys, snapshot_date, model_version, score, rank, decile. score is the probability of churn as
        the model gives it. rank is 1 for the highest score of a snapshot; equal scores are ranked by their
        keys, so the order of the rows has no say. decile 1 is the tenth of the snapshot with the highest
        scores. Raises MissingFeature if a key, snapshot_date or a feature is not there.
        """
        identity = [*self.model.columns.keys, "snapshot_date"]
        absent = [name for name in identity if name not in features.columns]
        if absent:
            raise MissingFeature(f"the features lack {choices(absent)}", hint="run 'tenure features'")
        scored = features[identity].reset_index(drop=True)
        scored["model_version"] = self.model_version
        scored["score"] = self.model.predict(features) if scores is None else scores
        return scored.join(in_queue(scored, self.model.columns.keys))


def in_queue(scored: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return rank and decile of each row of `scored` (keys, snapshot_date, score), by its row label.

    Rank 1 is the highest score of a snapshot, equal scores are ranked by their keys; decile 1 is the first tenth.
    """
    queue = scored.sort_values(["score", *keys], ascending=[False, *(True for _ in keys)])
    # Numbers come back by row label, so the frame keeps its order.
    snapshots = queue.groupby("snapshot_date")
    rank = snapshots.cumcount() + 1
    decile = (rank - 1) * 10 // snapshots["score"].transform("size") + 1
    return pd.DataFrame({"rank": rank, "decile": decile}, dtype="int64").reindex(scored.index)
