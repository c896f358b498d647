"""The stage `score`: the eligible customers of the newest snapshot, scored by the champion."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from tenure.catalog.models import (
    loaded_models,
    newest_training,
    usable_files,
)
from tenure.errors import LabelError
from tenure.session.work import Outcome, Work
from tenure.sql.expressions import each_of
from tenure.sql.query import Join, Query, within_parentheses
from tenure.stages.frames import arrow, of_partition
from tenure.stages.inputs import (
    newest_snapshot,
    scores_fingerprint,
)
from tenure.stages.suppression import left_out
from tenure.tables.labels import eligible
from tenure.tables.visible import same


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
    rows = arrow(ModelInferenceService(model, version).score(frame))
    work.keep("scores", rows, digest, outcome, partition=of_partition(snapshot_date, version))
    at = "in the table" if work.project.flat else f"at {snapshot_date}"
    summary = f"{rows.num_rows:,} customers {at} with {version}"
    outcome.message = "; ".join([summary, *left_out(work)])
    outcome.rows = rows.num_rows
    return outcome


def todays_features(work: Work, snapshot_date: date) -> pa.Table:
    """Return the features of the customers to score: eligible at the snapshot, in the order of their keys."""
    keys = (*work.project.entity.keys, "snapshot_date")
    asked = eligible(work.project, work.churn, work.dialect, snapshot_date)
    query = Query(
        columns=each_of("f", [*keys, *map(str, work.project.columns)]),
        source="features",
        alias="f",
        joins=[Join(within_parentheses(asked.text), alias="e", on=same(keys, "f", "e"))],
        order_by=each_of("f", keys),
    )
    joined = query.as_table("scored_features", reads=["features", *asked.reads])
    work.scan(joined.reads)
    return work.engine.run(joined.text)
