"""The stages that models make: train, evaluate, score, explain, segment. Frames go in and tables come out.

pandas, scikit-learn and LightGBM load inside each stage, so that the command starts at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.personal import personal_keys
from tenure.errors import LabelError, MissingTable, OneClassTarget, StoreError
from tenure.pipeline.data import calendar
from tenure.pipeline.work import Outcome, Work, fingerprint
from tenure.sql import Select
from tenure.tables.labels import eligible
from tenure.tables.visible import same

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model


def train(work: Work) -> Outcome:
    """Train every configured kind of model, keep their files, and register them with the champion marked."""
    from tenure.model.evaluate import ModelEvaluationService
    from tenure.model.registry import model_version, registry_row
    from tenure.model.train import ModelTrainingService, TrainSettings, champion

    outcome, section = Outcome(), work.config.train
    data = work.require("training_set")
    made_of = fingerprint([data.fingerprint, section, work.definitions])
    if _files_are_there(work) and work.find_current(["models"], made_of, outcome):
        return outcome
    settings = TrainSettings(kinds=section.models, trials=section.trials, seconds=section.seconds, seed=section.seed)
    frame = work.read("training_set").to_pandas()
    models = _fitted(work, ModelTrainingService(settings), frame)
    versions = {model_version(m.kind, m.parameters, data.fingerprint): m for m in models}
    best = champion(models, frame)
    evaluations = ModelEvaluationService(seed=section.seed).evaluate(versions, frame)
    for version, model in versions.items():
        _keep_files(work, version, model)
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
        )
        for version, model in versions.items()
    ]
    work.keep("models", _registered(work, rows), made_of, outcome)
    outcome.message = f"champion {next(v for v, m in versions.items() if m is best)}"
    return outcome


def _files_of(work: Work, version: str) -> Path:
    return work.lake.path("models") / "files" / version


def _newest_training(work: Work) -> list[dict[str, Any]]:
    """The registry's rows of the newest training, the champion first."""
    registry = work.read("models").to_pylist()
    champion = next(row for row in registry if row["champion"])
    return sorted((r for r in registry if r["created_at"] == champion["created_at"]), key=lambda r: not r["champion"])


def _trained(work: Work) -> tuple[str, ...]:
    """The newest training's versions: a search that its time cut short may end elsewhere on the same inputs."""
    return tuple(row["model_version"] for row in _newest_training(work))


def _files_are_there(work: Work) -> bool:
    if work.lake.find("models") is None:
        return False
    return all(_files_of(work, row["model_version"]).is_dir() for row in _newest_training(work))


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


def _keep_files(work: Work, version: str, model: Model) -> None:
    """Write a model's files into a folder that appears whole or not at all."""
    folder = _files_of(work, version)
    partial = folder.with_name(f".{version}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in model.files().items():
        (partial / name).write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _registered(work: Work, rows: list[dict[str, Any]]) -> pa.Table:
    """The registry with the new versions at its end; earlier ones stay, no longer champion."""
    new = pa.Table.from_pylist(rows)
    if work.lake.find("models") is None:
        return new
    old = work.lake.read("models")
    old = old.filter(pc.invert(pc.is_in(old["model_version"], new["model_version"])))
    place = old.column_names.index("champion")
    old = old.set_column(place, "champion", pa.array([False] * old.num_rows, pa.bool_()))
    return pa.concat_tables([old.select(new.column_names).cast(new.schema), new])


def loaded_models(work: Work, *, only_champion: bool = False) -> dict[str, Model]:
    """Return the models of the newest training by version, the champion first."""
    from tenure.model.registry import load_model

    rows = _newest_training(work)
    loaded = {}
    for row in rows[:1] if only_champion else rows:
        folder = _files_of(work, row["model_version"])
        if not folder.is_dir():
            raise MissingTable(
                f"the files of model '{row['model_version']}' are gone from '{folder}'.",
                hint="Run 'tenure train'.",
            )
        loaded[row["model_version"]] = load_model({f.name: f.read_bytes() for f in sorted(folder.iterdir())})
    return loaded


def evaluate(work: Work) -> Outcome:
    """Measure each model on validation and out of time, its curves, and what a campaign with the champion earns."""
    import pandas as pd

    from tenure.model.evaluate import ModelEvaluationService, curves
    from tenure.model.value import ValueSettings, campaign_value

    outcome = Outcome()
    inputs = [work.require("training_set"), work.require("models")]
    settings = ValueSettings(**work.config.value.model_dump())
    made_of = fingerprint([*(i.fingerprint for i in inputs), _trained(work), settings, work.definitions])
    tables = ["evaluations", "curves", "campaign_value"]
    if work.find_current(tables, made_of, outcome):
        return outcome
    models, frame = loaded_models(work), work.read("training_set").to_pandas()
    found = ModelEvaluationService(seed=work.config.train.seed).evaluate(models, frame)
    best_version, best = next(iter(models.items()))
    last = frame[frame["split"] == "test"]
    last = last[last["snapshot_date"] == last["snapshot_date"].max()]
    value = campaign_value(best.predict(last), last["churned"].to_numpy(dtype=float), settings)
    found["snapshot_date"] = pd.to_datetime(found["snapshot_date"]).dt.date
    for table, rows in zip(tables, (found, curves(models, frame), value), strict=True):
        work.keep(table, _arrow(rows), made_of, outcome)
    outcome.rows = len(found)
    pooled = found[(found["split"] == "test") & (found["population"] == "all") & found["snapshot_date"].isna()]
    auroc = pooled.set_index("model_version")["auroc"][best_version]
    outcome.message = f"{best_version} out of time: AUROC {auroc:.3f}"
    return outcome


def score(work: Work) -> Outcome:
    """Score the eligible customers of the newest snapshot with the champion."""
    from tenure.model.score import ModelInferenceService

    outcome = Outcome()
    snapshot_date = calendar(work).dates[-1]
    asked = eligible(work.project, work.dialect, snapshot_date)
    inputs = [work.require(name) for name in ("features", "models", *asked.reads)]
    made_of = fingerprint([*(i.fingerprint for i in inputs), _trained(work), snapshot_date, work.definitions])
    if work.find_current(["scores"], made_of, outcome):
        return outcome
    ((version, model),) = loaded_models(work, only_champion=True).items()
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
    from tenure.insight.explain import SHAPExplainabilityService

    outcome = Outcome()
    snapshot_date = calendar(work).dates[-1]
    inputs = [work.require("features"), work.require("models"), work.require("scores")]
    made_of = fingerprint([*(i.fingerprint for i in inputs), work.definitions])
    tables = ["shap_values", "reasons", "importances"]
    if work.find_current(tables, made_of, outcome):
        return outcome
    ((version, model),) = loaded_models(work, only_champion=True).items()
    background = work.read("training_set").to_pandas()
    service = SHAPExplainabilityService(
        model,
        version,
        {str(name): text for name, text in work.project.columns.items()},
        datetime.now(UTC),
        background=background[background["split"] == "train"],
        personal=personal_keys(work.project),
    )
    found = service.explain(todays_features(work, snapshot_date).to_pandas())
    for table, rows in zip(tables, (found.shap_values, found.reasons, found.importances), strict=True):
        work.keep(table, with_history(work, table, _arrow(rows)), made_of, outcome)
    outcome.rows = len(found.shap_values)
    outcome.message = "values add up to the score on every row"
    return outcome


def segment(work: Work) -> Outcome:
    """Group today's customers by density, with an automatic choice of parameters."""
    from tenure.insight.segment import SegmentationService, SegmentSettings

    outcome = Outcome()
    snapshot_date = calendar(work).dates[-1]
    inputs = [work.require("features"), work.require("scores")]
    section = work.config.segment
    settings = SegmentSettings(seed=work.config.train.seed, method=section.method, min_share=section.min_share)
    made_of = fingerprint([*(i.fingerprint for i in inputs), settings, work.definitions])
    tables = ["segments", "segment_parameters", "segment_profiles"]
    if work.find_current(tables, made_of, outcome):
        return outcome
    scores = work.read("scores").to_pandas()
    ((version, _),) = loaded_models(work, only_champion=True).items()
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
