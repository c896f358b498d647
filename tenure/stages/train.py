"""The stage `train`: models fitted, kept and registered.

pandas, scikit-learn and LightGBM load inside the stages that need them, so that the command starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tenure.catalog.models import definitions_of, newest_training, registered, usable_files, versions_of
from tenure.errors import MissingTable, ModelError, OneClassTarget
from tenure.leaks.search import require_nothing_written_at_the_end
from tenure.model import CUT_SHORT
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Outcome, Work
from tenure.stages.inputs import require_training_set, trained_from
from tenure.store.model_files import digests, write_model_files
from tenure.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.cross_fit import CrossFitModel


def train(work: Work) -> Outcome:
    """Train every configured kind of model, write their files, and register them with the champion marked.

    If the files of the newest training are damaged, or its models may not be used here, they are trained anew although
    nothing else has changed.
    """
    outcome = Outcome()
    require_training_set(work)
    data, section = work.require("training_set"), work.config.train
    digest = fingerprint([data.fingerprint, section, __version__])
    unusable = _unusable(work)
    if not unusable and work.find_current(["models"], digest, outcome):
        outcome.message = _cut_short(work)
        return outcome
    require_nothing_written_at_the_end(work)
    from tenure.model.evaluate import ModelEvaluationService
    from tenure.model.registry import model_version, registry_row
    from tenure.model.train import ModelTrainingService, TrainSettings, champion

    settings = TrainSettings(
        kinds=section.models,
        trials=section.trials,
        seconds=section.seconds,
        seed=section.seed,
        threads=work.config.engine.threads,
        exclude=section.exclude,
        trust=section.trust,
        select=section.select,
    )
    frame = work.read("training_set").to_pandas()
    service = ModelTrainingService(settings)
    models = _fitted(work, service, frame)
    best = champion(models, frame)
    service.calibrate(best, frame)
    files, hashes, versions = {}, {}, {}
    for model in models:
        files[model.kind] = model.files()
        hashes[model.kind] = digests(files[model.kind])
        versions[model_version(model, hashes[model.kind], data.fingerprint)] = model
    judge = ModelEvaluationService(seed=section.seed)
    for version, model in versions.items():
        write_model_files(work.lake, version, files[model.kind])
    trained_at = datetime.now(UTC)
    rows = []
    for version, model in versions.items():
        row = registry_row(
            model,
            model_version=version,
            created_at=trained_at,
            champion=model is best,
            data_fingerprint=data.fingerprint,
            training_set=frame,
            figures=judge.out_of_time(model, frame),
            files=hashes[model.kind],
            definitions=definitions_of(work, model),
            inputs=trained_from(work),
        )
        rows.append(row)
    work.keep("models", registered(work, rows), digest, outcome)
    (champion_version,) = versions_of(newest_training(work)[:1])
    anew = f"trained anew: {unusable}" if unusable else ""
    outcome.message = "; ".join(filter(None, (f"champion {champion_version}", _cut_short(work), anew)))
    return outcome


def _unusable(work: Work) -> str:
    """The reason why a model of the newest training may not be used, '' if all may or none was trained yet."""
    if work.lake.find("models") is None:
        return ""
    try:
        for row in newest_training(work):
            usable_files(work, row)
    except (ModelError, MissingTable) as error:
        return error.message
    return ""


def _cut_short(work: Work) -> str:
    """The warning about models whose search the limit of [train] seconds ended, '' if there are none."""
    cut = [version for version in versions_of(newest_training(work)) if version.endswith(CUT_SHORT)]
    if not cut:
        return ""
    return (
        f"WARNING: the limit of {work.config.train.seconds:g} seconds cut the search short of {' and '.join(cut)}: "
        "another run may end in other models; raise [train] seconds"
    )


def _hint_of_flat(work: Work) -> str:
    """What to look at where who left stands in a column of a table without dates; '' of other projects."""
    if work.project.flat is None:
        return ""
    return "sources.py: churned= must be the value of those who left, as the file writes it; or bring more rows."


def _fitted(work: Work, service: Any, frame: pd.DataFrame) -> Sequence[CrossFitModel]:
    try:
        trained: Sequence[CrossFitModel] = service.train(frame, work.project.entity.keys)
    except OneClassTarget as error:
        churn = work.churn
        raise OneClassTarget(
            f"churn definition '{churn.name}' can't be learned: {error.message} ({churn.where_defined}).",
            hint=_hint_of_flat(work) or error.hint,
        ) from error
    return trained
