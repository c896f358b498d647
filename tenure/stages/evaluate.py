"""The stage `evaluate`: each model measured on validation and out of time, and how groups fare with the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tenure.catalog.models import loaded_models, newest_training, usable_files
from tenure.define.stage import STAGES
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow
from tenure.stages.groups import declared_segments, group_attributes, left_at
from tenure.stages.inputs import evaluations_fingerprint, require_trained_on
from tenure.tables.protected import attributes, protected_then

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model
    from tenure.model.cross_fit import CrossFitModel
    from tenure.model.value import ValueSettings


def evaluate(work: Work) -> Outcome:
    """Measure each model on validation and out of time, against each other one and over snapshots; its curves, what a
    campaign with the champion earns, and how groups of protected attributes fare with it.
    """
    outcome = Outcome()
    work.require("training_set")
    rows = newest_training(work)
    require_trained_on(work, rows)
    for row in rows:
        usable_files(work, row)
    declared_segments(work)
    digest = evaluations_fingerprint(work)
    if work.find_current(list(STAGES["evaluate"].makes), digest, outcome):
        return outcome
    models, frame = loaded_models(work, rows), work.read("training_set").to_pandas()
    best_version, best = next(iter(models.items()))
    compared = _fairness(work, best_version, best, frame[frame["split"] == "test"])
    found = _evaluations(work, models, frame)
    made = {"evaluations": arrow(found), **_measured(work, models, frame), "fairness": compared}
    for table in STAGES["evaluate"].makes:
        work.keep(table, made[table], digest, outcome)
    outcome.rows = len(found)
    pooled = found[(found["split"] == "test") & (found["population"] == "all") & found["snapshot_date"].isna()]
    auroc = pooled.set_index("model_version")["auroc"][best_version]
    basis = work.project.flat.basis if work.project.flat else "out of time"
    outcome.message = "; ".join([f"{best_version} {basis}: AUROC {auroc:.3f}", *_unequal(compared)])
    return outcome


def _evaluations(work: Work, models: Mapping[str, CrossFitModel], frame: pd.DataFrame) -> pd.DataFrame:
    """Each model by split, population and snapshot."""
    import pandas as pd

    from tenure.model.evaluate import ModelEvaluationService

    declared = work.config.evaluate.threshold
    threshold = _value_settings(work).break_even if declared is None else declared
    found = ModelEvaluationService(seed=work.config.train.seed, threshold=threshold).evaluate(models, frame)
    found["snapshot_date"] = pd.to_datetime(found["snapshot_date"]).dt.date
    return found


def _measured(work: Work, models: Mapping[str, CrossFitModel], frame: pd.DataFrame) -> dict[str, pa.Table]:
    """The tables that are made of the test rows and the models' scores of them, by name."""
    from tenure.model.back_test import back_test
    from tenure.model.evaluate import curves
    from tenure.model.groups import by_group
    from tenure.model.judged import judge
    from tenure.model.paired import comparisons
    from tenure.model.value import campaign_value
    from tenure.model.warning_time import warning_time

    seed, judged = work.config.train.seed, judge(models, frame, work.project.entity.keys)
    dates = judged.rows["snapshot_date"]
    last = (dates == dates.max()).to_numpy()
    best = next(iter(judged.scores.values()))
    made = {
        "curves": curves(models, frame),
        "comparisons": comparisons(judged, seed=seed),
        "back_test": back_test(judged, horizon=work.churn.horizon, seed=seed),
        "by_group": by_group(judged, group_attributes(work, judged, frame)),
        "warning_time": warning_time(judged, left_at(work, judged), horizon=work.churn.horizon),
        "campaign_value": campaign_value(best[last], judged.churned[last], _value_settings(work)),
    }
    return {table: _typed(work, table, rows) for table, rows in made.items()}


def _typed(work: Work, table: str, rows: pd.DataFrame) -> pa.Table:
    """The rows of a table, its columns typed as its contract says also where there is no row."""
    made, types = arrow(rows), work.contracts[table].columns
    return made.cast(pa.schema([(name, types.get(name, made.schema.field(name).type)) for name in made.column_names]))


def _value_settings(work: Work) -> ValueSettings:
    from tenure.model.value import ValueSettings

    return ValueSettings(**work.config.value.model_dump())


def _fairness(work: Work, version: str, champion: Model, test: pd.DataFrame) -> pa.Table:
    """How groups of each protected attribute fare with the champion on the test; no row where none is declared."""
    from tenure.model.fairness import fairness
    from tenure.model.score import ModelInferenceService

    named, keys = attributes(work.project), work.project.entity.keys
    found: list[dict[str, Any]] = []
    if named and len(test):
        scored = ModelInferenceService(champion, version).score(test).assign(churned=test["churned"].to_numpy())
        select = protected_then(work.project, sorted(set(test["snapshot_date"])))
        work.scan(select.reads)
        known = _plain(work.engine.run(select.text)).to_pandas()
        joined = scored.merge(known, on=[*keys, "snapshot_date"], how="left", validate="one_to_one")
        found = fairness(joined, {name: joined[column] for column, name in named.items()}, keys).to_dict("records")
    return pa.Table.from_pylist(found, schema=_FAIRNESS)


def _plain(rows: pa.Table) -> pa.Table:
    """The rows with types that pandas computes with: days as instants, decimals in floating point."""
    for place, field in enumerate(rows.schema):
        if field.name == "snapshot_date":
            continue
        if pa.types.is_temporal(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.timestamp("us")))
        elif pa.types.is_decimal(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.float64()))
    return rows


def _unequal(compared: pa.Table) -> list[str]:
    """A clause on each attribute of which a group is selected far less often than another; no group is named."""
    from tenure.model.fairness import FOUR_FIFTHS

    least: dict[str, float] = {}
    for row in compared.to_pylist():
        least[row["attribute"]] = min(least.get(row["attribute"], 1.0), row["selection_ratio"])
    return [
        f"{attribute}: a group is selected {ratio:.2f} times as often as the one selected most (see table fairness)"
        for attribute, ratio in least.items()
        if ratio < FOUR_FIFTHS
    ]


_TEXT, _WHOLE, _SHARE = pa.string(), pa.int64(), pa.float64()

#: The columns of table fairness, also where it has no row.
_FAIRNESS = pa.schema(
    [
        *((name, _TEXT) for name in ("model_version", "attribute", "value")),
        *((name, _WHOLE) for name in ("customers", "rows", "churners")),
        *((name, _SHARE) for name in ("churn_rate", "mean_score", "calibration_gap", "auroc")),
        ("selected", _WHOLE),
        *((name, _SHARE) for name in ("selection_rate", "selection_ratio", "recall")),
    ]
)
