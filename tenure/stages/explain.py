"""The stage `explain`: each score with its SHAP values, reasons and importances."""

from __future__ import annotations

from datetime import UTC, datetime

from tenure.catalog.models import (
    loaded_models,
    newest_training,
    usable_files,
)
from tenure.define.personal import personal_cells
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow, of_partition
from tenure.stages.inputs import (
    explained_fingerprint,
    require_scores,
)
from tenure.stages.score import todays_features


def explain(work: Work) -> Outcome:
    """Explain each of today's scores: SHAP values, reasons and importances, stored by model version."""
    outcome = Outcome()
    champion = newest_training(work)[:1]
    usable_files(work, champion[0])
    snapshot_date = require_scores(work)
    words = fingerprint(f"{name}: {text}" for name, text in work.project.columns.items())
    tables, digest = ["shap_values", "reasons", "importances"], f"{explained_fingerprint(work)}-{words}"
    if work.find_current(tables, digest, outcome):
        return outcome
    from tenure.insight.explain import SHAPExplainabilityService

    ((version, model),) = loaded_models(work, champion).items()
    background = work.read("training_set").to_pandas()
    service = SHAPExplainabilityService(
        model,
        version,
        work.project.described_columns,
        datetime.now(UTC),
        background=background[background["split"] == "train"],
        personal=personal_cells(work.project),
    )
    found = service.explain(todays_features(work, snapshot_date).to_pandas())
    for table, rows in zip(tables, (found.shap_values, found.reasons, found.importances), strict=True):
        work.keep(table, arrow(rows), digest, outcome, partition=of_partition(snapshot_date, version))
    outcome.rows = len(found.shap_values)
    outcome.message = "values add up to the score on every row"
    return outcome
