"""What a model like one that was trained would have said of later snapshots, when their answers were not known yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenure.errors import ModelError
from tenure.model.base import FitSettings, Model
from tenure.model.blend import BlendModel
from tenure.model.calibrate import LEAST_OF_A_CLASS, LEAST_SNAPSHOTS, MOST_SNAPSHOTS, Scored
from tenure.model.cross_fit import CrossFitModel
from tenure.model.learners import model_kind
from tenure.model.learners.learner import Learner
from tenure.model.origins import Origin
from tenure.model.recency import weighted
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns


def later_scores(model: CrossFitModel, rows: Sample, settings: FitSettings) -> list[Scored]:
    """Return the last snapshots whose labels ended one before the other, each scored by a model of what it knew.

    `rows` are those of train, of the model's columns. Each snapshot's model has the settings of the first member of
    `model`, of a blend the weights too. None if there are fewer than LEAST_SNAPSHOTS, or rows have no dates.
    """
    origins = _origins(rows)
    if len(origins) < LEAST_SNAPSHOTS:
        return []
    like = next(iter(model.members.values()))
    return [
        Scored(_margin(like, model.columns, origin, settings), origin.judged.churned, origin.customer)
        for origin in origins
    ]


def _origins(rows: Sample) -> list[Origin]:
    """The last snapshot, the last one whose labels had ended by then, and so on; in order."""
    if rows.snapshot is None or rows.label_end is None:
        return []
    bare = rows.with_columns(np.empty(0, dtype=np.int64))
    found: list[np.int64] = []
    for day in np.unique(rows.snapshot)[::-1]:
        ends = rows.label_end[rows.snapshot == day].max()
        if (not found or ends <= found[-1]) and Origin.of(bare, day, day + 1).has(LEAST_OF_A_CLASS):
            found.append(day)
    return [Origin.of(rows, day, day + 1) for day in found[:MOST_SNAPSHOTS][::-1]]


def _margin(like: Model, columns: Columns, origin: Origin, settings: FitSettings) -> NDArray[np.float64]:
    """The margins of an origin's snapshot by a model that learned from what it knew, shape (rows,)."""
    if isinstance(like, BlendModel):
        margin = np.full(len(origin.judged.churned), like.intercept)
        for weight, part in zip(like.weights, like.parts, strict=True):
            if weight:
                margin += weight * _margin(part, columns, origin, settings)
        return margin
    learner = model_kind(like.kind, place="the champion")
    if not isinstance(learner, Learner):
        raise ModelError(f"a champion of kind '{like.kind}' can't be learned from earlier rows.")
    half_life = like.parameters.get("half_life_days")
    taught = origin.taught if half_life is None else weighted(origin.taught, half_life)
    (model,) = learner.cross_fit(Folds.of(columns, taught, origin.judged), settings, like).values()
    return model.margin(origin.judged.matrix)
