"""The stage `evaluate`: each model measured on validation and out of time, and how groups fare with the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tenure.catalog.models import loaded_models, newest_training, usable_files
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow
from tenure.stages.inputs import evaluations_fingerprint, require_trained_on
from tenure.tables.protected import attributes, protected_then

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model


def evaluate(work: Work) -> Outcome:
    """Measure each model on validation and out of time, its curves, what a campaign with the champion earns, and how
    groups of protected attributes fare with it.
    """
    outcome = Outcome()
    work.require("training_set")
    rows = newest_training(work)
    require_trained_on(work, rows)
    for row in rows:
        usable_files(work, row)
    tables, digest = ["evaluations", "curves", "campaign_value", "fairness"], evaluations_fingerprint(work)
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
    compared = _fairness(work, best_version, best, frame[frame["split"] == "test"])
    kept = (arrow(found), arrow(curves(models, frame)), arrow(value), compared)
    for table, made in zip(tables, kept, strict=True):
        work.keep(table, made, digest, outcome)
    outcome.rows = len(found)
    pooled = found[(found["split"] == "test") & (found["population"] == "all") & found["snapshot_date"].isna()]
    auroc = pooled.set_index("model_version")["auroc"][best_version]
    basis = work.project.flat.basis if work.project.flat else "out of time"
    outcome.message = "; ".join([f"{best_version} {basis}: AUROC {auroc:.3f}", *_unequal(compared)])
    return outcome


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
