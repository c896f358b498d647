"""The stage `evaluate`: each model measured on validation and out of time."""

from __future__ import annotations

from tenure.catalog.models import loaded_models, newest_training, usable_files
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow
from tenure.stages.inputs import evaluations_fingerprint, require_trained_on


def evaluate(work: Work) -> Outcome:
    """Measure each model on validation and out of time, its curves, and what a campaign with the champion earns."""
    outcome = Outcome()
    work.require("training_set")
    rows = newest_training(work)
    require_trained_on(work, rows)
    for row in rows:
        usable_files(work, row)
    tables, digest = ["evaluations", "curves", "campaign_value"], evaluations_fingerprint(work)
    if work.find_current(tables, digest, outcome):
        return outcome
    import pandas as pd

    from tenure.model.evaluate import ModelEvaluationService, curves
    from tenure.model.value import ValueSettings, campaign_value

    models = loaded_models(work, rows)
    settings = ValueSettings(**work.config.value.model_dump())
    frame = work.read("training_set").to_pandas()
    found = ModelEvaluationService(seed=work.config.train.seed).evaluate(models, frame)
    best_version, best = next(iter(models.items()))
    last = frame[frame["split"] == "test"]
    last = last[last["snapshot_date"] == last["snapshot_date"].max()]
    value = campaign_value(best.predict(last), last["churned"].to_numpy(dtype=float), settings)
    found["snapshot_date"] = pd.to_datetime(found["snapshot_date"]).dt.date
    for table, made in zip(tables, (found, curves(models, frame), value), strict=True):
        work.keep(table, arrow(made), digest, outcome)
    outcome.rows = len(found)
    pooled = found[(found["split"] == "test") & (found["population"] == "all") & found["snapshot_date"].isna()]
    auroc = pooled.set_index("model_version")["auroc"][best_version]
    outcome.message = f"{best_version} out of time: AUROC {auroc:.3f}"
    return outcome
