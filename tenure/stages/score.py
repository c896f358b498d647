"""The stage `score`: the eligible customers of the newest snapshot, scored by the champion."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenure.catalog.models import (
    loaded_models,
    newest_training,
    usable_files,
)
from tenure.define.flat import LEFT_DAY
from tenure.errors import LabelError
from tenure.session.work import Outcome, Work
from tenure.sql.expressions import each_of, is_null, of
from tenure.sql.query import Join, Query, within_parentheses
from tenure.stages.frames import arrow, of_partition
from tenure.stages.inputs import (
    newest_snapshot,
    scores_fingerprint,
)
from tenure.stages.suppression import left_out
from tenure.tables.labels import eligible
from tenure.tables.visible import same

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model


def score(work: Work) -> Outcome:
    """Score the eligible customers of the newest snapshot with the champion."""
    outcome = Outcome()
    work.require("features")
    champion = newest_training(work)[:1]
    usable_files(work, champion[0])
    snapshot_date = newest_snapshot(work)
    digest = scores_fingerprint(work, snapshot_date)
    if work.find_current(["scores"], digest, outcome):
        return outcome
    from tenure.model.score import ModelInferenceService

    ((version, model),) = loaded_models(work, champion).items()
    frame = todays_features(work, snapshot_date).to_pandas()
    if frame.empty:
        raise LabelError(
            f"nobody is eligible at the newest snapshot, {snapshot_date}: there is no customer to score.",
            hint="See min_tenure, active= and event= in churn.py, and [data] end and [snapshots] last in tenure.toml.",
        )
    scores = _unseen_scores(work, model, frame) if work.project.flat else None
    rows = arrow(ModelInferenceService(model, version).score(frame, scores))
    work.keep("scores", rows, digest, outcome, partition=of_partition(snapshot_date, version))
    of_whom = "who have not left, not out of time," if work.project.flat else f"at {snapshot_date}"
    summary = f"{rows.num_rows:,} customers {of_whom} with {version}"
    outcome.message = "; ".join([summary, *left_out(work)])
    outcome.rows = rows.num_rows
    return outcome


def _unseen_scores(work: Work, model: Model, frame: pd.DataFrame) -> NDArray[np.float64]:
    """The score of each row by what never saw it: of a row of train its fold's member, of others the whole model.

    A flat table's customers are both learned from and scored; a model that has seen that they stayed would say so.
    """
    from tenure.model.cross_fit import CrossFitModel

    keys = list(work.project.entity.keys)
    folds = work.read("splits", [*keys, "fold"]).to_pandas()
    fold = frame[keys].merge(folds, on=keys, how="left", validate="one_to_one")["fold"]
    found, learnt = model.predict(frame), fold.notna().to_numpy()
    if isinstance(model, CrossFitModel):
        found[learnt] = model.predict_unseen(frame[learnt].assign(fold=fold[learnt].to_numpy()))
    return found


def todays_features(work: Work, snapshot_date: date) -> pa.Table:
    """Return the features of the customers to score: eligible at the snapshot, in the order of their keys.

    Of a flat table those who have not left: nobody else can be kept.
    """
    keys = (*work.project.entity.keys, "snapshot_date")
    asked = eligible(work.project, work.churn, work.dialect, snapshot_date)
    flat = work.project.flat
    stayed = [Join(flat.name, alias="r", on=[same(keys[:-1], "r", "f"), is_null(of("r", LEFT_DAY))])] if flat else []
    query = Query(
        columns=each_of("f", [*keys, *map(str, work.project.columns)]),
        source="features",
        alias="f",
        joins=[Join(within_parentheses(asked.text), alias="e", on=same(keys, "f", "e")), *stayed],
        order_by=each_of("f", keys),
    )
    joined = query.as_table("scored_features", reads=["features", *asked.reads, *([flat.name] if flat else [])])
    work.scan(joined.reads)
    return work.engine.run(joined.text)
