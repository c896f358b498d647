"""The stage `segment`: today's customers in groups of those who are alike."""

from __future__ import annotations

from tenure.catalog.models import (
    newest_training,
    versions_of,
)
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow, of_partition
from tenure.stages.inputs import (
    require_scores,
    segments_fingerprint,
)
from tenure.stages.score import todays_features


def segment(work: Work) -> Outcome:
    """Group today's customers by density, with an automatic choice of parameters."""
    outcome = Outcome()
    snapshot_date = require_scores(work)
    tables, digest = ["segments", "segment_parameters", "segment_profiles"], segments_fingerprint(work)
    if work.find_current(tables, digest, outcome):
        return outcome
    from tenure.insight.segment import SegmentationService, SegmentSettings

    section = work.config.segment
    settings = SegmentSettings(seed=work.config.train.seed, method=section.method, min_share=section.min_share)
    (version,) = versions_of(newest_training(work)[:1])
    of_today = {"snapshot_date": str(snapshot_date), "model_version": version}
    newest = work.read("scores", where=of_today).to_pandas()
    service = SegmentationService(settings)
    found = service.segment(todays_features(work, snapshot_date).to_pandas(), work.project.entity.keys, newest)
    for table, rows in zip(tables, (found.segments, found.parameters, found.profiles), strict=True):
        work.keep(table, arrow(rows), digest, outcome, partition=of_partition(snapshot_date, version))
    outcome.rows = len(found.segments)
    outcome.message = f"{found.segments['segment_id'].max() + 1} segments"
    return outcome
