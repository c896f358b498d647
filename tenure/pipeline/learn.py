"""The stages that models make: train, evaluate, score, explain, segment. Frames go in and tables come out.

pandas, scikit-learn and LightGBM load inside each stage, so that the command starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

import tenure
from tenure.define.personal import personal_cells
from tenure.errors import LabelError, MissingTable, ModelError, OneClassTarget, StoreError
from tenure.model import CUT_SHORT
from tenure.pipeline.inputs import (
    evaluations_fingerprint,
    explained_fingerprint,
    newest_snapshot,
    require_scores,
    require_trained_on,
    require_training_set,
    scores_fingerprint,
    segments_fingerprint,
    trained_from,
)
from tenure.pipeline.models import (
    definitions_of,
    loaded_models,
    newest_training,
    registered,
    usable_files,
    versions_of,
)
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.sql import Select
from tenure.store.model_files import digests, write_model_files
from tenure.tables.labels import eligible
from tenure.tables.visible import same

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model


def train(work: Work) -> Outcome:
    """Train every configured kind of model, keep their files, and register them with the champion marked.

    Where the files of the newest training are damaged, or its models may not be used here, they are trained anew,
    though nothing else has changed.
    """
    outcome = Outcome()
    require_training_set(work)
    data, section = work.require("training_set"), work.config.train
    made_of = fingerprint([data.fingerprint, section, tenure.__version__])
    unusable = _unusable(work)
    if not unusable and work.find_current(["models"], made_of, outcome):
        outcome.message = _cut_short(work)
        return outcome
    from tenure.model.evaluate import ModelEvaluationService
    from tenure.model.registry import model_version, registry_row
    from tenure.model.train import ModelTrainingService, TrainSettings, champion

    settings = TrainSettings(
        kinds=section.models,
        trials=section.trials,
        seconds=section.seconds,
        seed=section.seed,
        threads=work.config.engine.threads,
    )
    frame = work.read("training_set").to_pandas()
    models = _fitted(work, ModelTrainingService(settings), frame)
    best = champion(models, frame)
    files = {m.kind: m.files() for m in models}
    hashes = {kind: digests(content) for kind, content in files.items()}
    versions = {model_version(m, hashes[m.kind], data.fingerprint): m for m in models}
    evaluations = ModelEvaluationService(seed=section.seed).evaluate(versions, frame)
    for version, model in versions.items():
        write_model_files(work.lake, version, files[model.kind])
    trained_at = datetime.now(UTC)
    rows = [
        registry_row(
            model,
            model_version=version,
            created_at=trained_at,
            champion=model is best,
            data_fingerprint=data.fingerprint,
            training_set=frame,
            evaluations=evaluations,
            files=hashes[model.kind],
            definitions=definitions_of(work, model),
            inputs=trained_from(work),
        )
        for version, model in versions.items()
    ]
    work.keep("models", registered(work, rows), made_of, outcome)
    told = [f"champion {next(v for v, m in versions.items() if m is best)}", _cut_short(work)]
    told += [f"trained anew: {unusable}"] if unusable else []
    outcome.message = "; ".join(filter(None, told))
    return outcome


def _unusable(work: Work) -> str:
    """Why a model of the newest training may not be used, '' if all may or none was trained yet."""
    if work.lake.find("models") is None:
        return ""
    try:
        for row in newest_training(work):
            usable_files(work, row)
    except (ModelError, MissingTable) as error:
        return error.message
    return ""


def _cut_short(work: Work) -> str:
    """What to say of models whose search the guard of [train] seconds ended, '' if there are none."""
    cut = [version for version in versions_of(newest_training(work)) if version.endswith(CUT_SHORT)]
    if not cut:
        return ""
    return (
        f"WARNING: the limit of {work.config.train.seconds:g} seconds cut the search short of {' and '.join(cut)}: "
        "another run may end in other models; raise [train] seconds"
    )


def _fitted(work: Work, service: Any, frame: pd.DataFrame) -> Sequence[Model]:
    try:
        trained: Sequence[Model] = service.train(frame, work.project.entity.keys)
    except OneClassTarget as error:
        churn = work.project.churn
        raise OneClassTarget(
            f"churn definition '{churn.name}' can't be learned: {error.message} ({churn.where_defined}).",
            hint=error.hint,
        ) from error
    return trained


def evaluate(work: Work) -> Outcome:
    """Measure each model on validation and out of time, its curves, and what a campaign with the champion earns."""
    outcome = Outcome()
    work.require("training_set")
    rows = newest_training(work)
    require_trained_on(work, rows)
    for row in rows:
        usable_files(work, row)
    tables, made_of = ["evaluations", "curves", "campaign_value"], evaluations_fingerprint(work)
    if work.find_current(tables, made_of, outcome):
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
        work.keep(table, _arrow(made), made_of, outcome)
    outcome.rows = len(found)
    pooled = found[(found["split"] == "test") & (found["population"] == "all") & found["snapshot_date"].isna()]
    auroc = pooled.set_index("model_version")["auroc"][best_version]
    outcome.message = f"{best_version} out of time: AUROC {auroc:.3f}"
    return outcome


def score(work: Work) -> Outcome:
    """Score the eligible customers of the newest snapshot with the champion."""
    outcome = Outcome()
    work.require("features")
    champion = newest_training(work)[:1]
    usable_files(work, champion[0])
    snapshot_date = newest_snapshot(work)
    made_of = scores_fingerprint(work, snapshot_date)
    if work.find_current(["scores"], made_of, outcome):
        return outcome
    from tenure.model.score import ModelInferenceService

    ((version, model),) = loaded_models(work, champion).items()
    frame = todays_features(work, snapshot_date).to_pandas()
    if frame.empty:
        raise LabelError(
            f"nobody is eligible at the newest snapshot, {snapshot_date}: there is no customer to score.",
            hint="See min_tenure and active= in churn.py, and [data] end and [snapshots] last in tenure.toml.",
        )
    rows = _arrow(ModelInferenceService(model, version).score(frame))
    work.keep("scores", with_history(work, "scores", rows), made_of, outcome)
    outcome.message = f"{rows.num_rows:,} customers at {snapshot_date} with {version}"
    outcome.rows = rows.num_rows
    return outcome


def todays_features(work: Work, snapshot_date: date) -> pa.Table:
    """Return the features of the customers to score: eligible at the snapshot, in the order of their keys."""
    keys = (*work.project.entity.keys, "snapshot_date")
    asked = eligible(work.project, work.dialect, snapshot_date)
    columns = ", ".join(f"f.{c}" for c in (*keys, *work.project.columns))
    joined = Select(
        "scored_features",
        f"SELECT {columns}\nFROM features AS f\nJOIN (\n{asked.text}\n) AS e\n  ON {same(keys, 'f', 'e')}\n"
        f"ORDER BY {', '.join(f'f.{k}' for k in keys)}",
        ("features", *asked.reads),
    )
    work.scan(joined.reads)
    return work.engine.run(joined.text)


def explain(work: Work) -> Outcome:
    """Explain each of today's scores: SHAP values, reasons and importances, stored by model version."""
    outcome = Outcome()
    champion = newest_training(work)[:1]
    usable_files(work, champion[0])
    snapshot_date = require_scores(work)
    words = fingerprint(f"{name}: {text}" for name, text in work.project.columns.items())
    tables, made_of = ["shap_values", "reasons", "importances"], f"{explained_fingerprint(work)}-{words}"
    if work.find_current(tables, made_of, outcome):
        return outcome
    from tenure.insight.explain import SHAPExplainabilityService

    ((version, model),) = loaded_models(work, champion).items()
    background = work.read("training_set").to_pandas()
    service = SHAPExplainabilityService(
        model,
        version,
        {str(name): text for name, text in work.project.columns.items()},
        datetime.now(UTC),
        background=background[background["split"] == "train"],
        personal=personal_cells(work.project),
    )
    found = service.explain(todays_features(work, snapshot_date).to_pandas())
    for table, rows in zip(tables, (found.shap_values, found.reasons, found.importances), strict=True):
        work.keep(table, with_history(work, table, _arrow(rows)), made_of, outcome)
    outcome.rows = len(found.shap_values)
    outcome.message = "values add up to the score on every row"
    return outcome


def segment(work: Work) -> Outcome:
    """Group today's customers by density, with an automatic choice of parameters."""
    outcome = Outcome()
    snapshot_date = require_scores(work)
    tables, made_of = ["segments", "segment_parameters", "segment_profiles"], segments_fingerprint(work)
    if work.find_current(tables, made_of, outcome):
        return outcome
    from tenure.insight.segment import SegmentationService, SegmentSettings

    section = work.config.segment
    settings = SegmentSettings(seed=work.config.train.seed, method=section.method, min_share=section.min_share)
    scores = work.read("scores").to_pandas()
    (version,) = versions_of(newest_training(work)[:1])
    newest = scores[(scores["model_version"] == version) & (scores["snapshot_date"] == snapshot_date)]
    service = SegmentationService(settings)
    found = service.segment(todays_features(work, snapshot_date).to_pandas(), work.project.entity.keys, newest)
    for table, rows in zip(tables, (found.segments, found.parameters, found.profiles), strict=True):
        work.keep(table, _arrow(rows), made_of, outcome)
    outcome.rows = len(found.segments)
    outcome.message = f"{found.segments['segment_id'].max() + 1} segments"
    return outcome


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def with_history(work: Work, table: str, rows: pa.Table) -> pa.Table:
    """The table with this model version's rows of this snapshot replaced, and all others kept."""
    if work.lake.find(table) is None:
        return rows
    old = work.lake.read(table)
    same_version = pc.is_in(old["model_version"], rows["model_version"].unique())
    if "snapshot_date" in rows.column_names:
        same_version = pc.and_(same_version, pc.is_in(old["snapshot_date"], rows["snapshot_date"].unique()))
    kept = old.filter(pc.invert(same_version))
    try:
        return pa.concat_tables([kept, rows], promote_options="permissive") if kept.num_rows else rows
    except pa.ArrowException as error:
        raise StoreError(
            f"table '{table}' holds rows of earlier runs whose columns have other types: {error}",
            hint=f"Move the folder '{work.lake.path(table)}' away; the next run begins it anew.",
        ) from error
