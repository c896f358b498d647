"""The stage `horizons`: the same customers scored over further horizons, in order.

champion ──► a model like it for each further horizon ──► judged on the test: kept in order, or as they are
                                                └───────► today's customers
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tenure.catalog.models import Row, loaded_models, newest_training, usable_files
from tenure.session.work import Outcome, Work
from tenure.stages.frames import arrow, of_partition
from tenure.stages.inputs import (
    horizon_scores_fingerprint,
    horizons_fingerprint,
    newest_snapshot,
    require_horizon_labels,
    require_trained_on,
    require_training_set,
)
from tenure.stages.score import todays_features

if TYPE_CHECKING:
    import pandas as pd

    from tenure.model.base import Model
    from tenure.model.cross_fit import CrossFitModel
    from tenure.model.horizons import HorizonRows


def horizons(work: Work) -> Outcome:
    """Learn and judge a model for each further horizon, unless they are current, and score today's customers.

    Nothing is made where the churn definition declares no further horizon.
    """
    outcome = Outcome()
    if not work.churn.further:
        outcome.message = "no further horizons are declared"
        return outcome
    champion = newest_training(work)[0]
    usable_files(work, champion)
    _learn(work, champion, outcome)
    snapshot_date = newest_snapshot(work)
    figures = work.read("horizons").to_pylist()
    scored = _scored(work, champion, snapshot_date, figures, outcome)
    outcome.rows = scored.num_rows
    outcome.message = _words(figures)
    return outcome


def _learn(work: Work, champion: Row, outcome: Outcome) -> None:
    """Make `horizons` and `horizon_models`, unless they are those of the champion and of the labels stored now."""
    digest = horizons_fingerprint(work)
    if work.find_current(["horizons", "horizon_models"], digest, outcome):
        return
    require_training_set(work)
    require_trained_on(work, [champion])
    require_horizon_labels(work)
    from tenure.model.base import FitSettings
    from tenure.model.horizons import fitted_like

    ((version, model),) = loaded_models(work, [champion]).items()
    frame = work.read("training_set").to_pandas()
    settings = FitSettings(seed=work.config.train.seed, threads=work.config.engine.threads)
    rows = _rows_over_each(work, frame)
    models = {
        days: fitted_like(model, frame, rows[days], settings, group=work.config.splits.group)
        for days in work.churn.further
    }
    found = _figures(work, {**models, work.churn.horizon: model}, frame, rows)
    work.keep("horizons", _table(version, model.kind, found), digest, outcome)
    work.keep("horizon_models", pa.Table.from_pylist(list(_files(version, models))), digest, outcome)


def _rows_over_each(work: Work, frame: pd.DataFrame) -> dict[int, HorizonRows]:
    """What each row of the training set came to over each horizon, in order; over the main one it is in there."""
    from tenure.model.horizons import rows_over

    keys = work.project.entity.keys
    labels = {work.churn.horizon: frame}
    for days, churn in work.churn.further.items():
        labels[days] = work.read(f"labels_of/{churn.name}").to_pandas()
    wait = work.churn.wait_for(work.project.sources)
    return {days: rows_over(days, frame, labels[days], keys, wait=wait) for days in work.churn.curve}


def _figures(
    work: Work, models: Mapping[int, CrossFitModel], frame: pd.DataFrame, rows: Mapping[int, HorizonRows]
) -> Iterable[dict[str, Any]]:
    """The rows of table horizons, but for whose they are."""
    from tenure.model.horizon_order import judged, out_of_order, side_by_side

    order = _order(work, models, frame, rows)
    is_test = (frame["split"] == "test").to_numpy()
    test = frame[is_test]
    raw = side_by_side({days: model.predict(test) for days, model in models.items()})
    customer = test.groupby(list(work.project.entity.keys), sort=False).ngroup().to_numpy()
    found, is_ordered = judged(raw, order, [rows[days].only(is_test) for days in work.churn.curve], customer)
    counted: dict[str, Any] = {"rows_scored": len(raw), "rows_out_of_order": int(out_of_order(raw).sum())}
    counted |= {"order_rule": order, "is_ordered": is_ordered}
    for days, one in zip(work.churn.curve, found, strict=True):
        taught = rows[days].teaches if days != work.churn.horizon else (frame["split"] == "train").to_numpy()
        learned = {"training_rows": int(taught.sum()), "training_churners": int(rows[days].churned[taught].sum())}
        yield {"horizon": days, "is_main": days == work.churn.horizon, **learned, **one, **counted}


def _order(
    work: Work, models: Mapping[int, CrossFitModel], frame: pd.DataFrame, rows: Mapping[int, HorizonRows]
) -> str:
    """How rows are put in order: as costs least out of fold, on the rows of train that taught every model."""
    from tenure.model.horizon_order import best_order, side_by_side

    taught = (frame["split"] == "train").to_numpy()
    for days in work.churn.further:
        taught = taught & rows[days].teaches
    train = frame[taught]
    raw = side_by_side({days: model.predict_unseen(train) for days, model in models.items()})
    return best_order(raw, [rows[days].only(taught) for days in work.churn.curve])


def _table(version: str, kind: str, found: Iterable[dict[str, Any]]) -> pa.Table:
    """The rows of table horizons, null where a figure is not defined."""
    import pandas as pd

    return arrow(pd.DataFrame([{"model_version": version, "kind": kind, **one} for one in found]))


def _files(version: str, models: Mapping[int, Model]) -> Iterable[dict[str, Any]]:
    """The rows of table horizon_models: a file a row."""
    for days, model in models.items():
        for name, content in sorted(model.files().items()):
            yield {"model_version": version, "horizon": days, "file": name, "content": content}


def _scored(
    work: Work, champion: Row, snapshot_date: date, figures: Iterable[Mapping[str, Any]], outcome: Outcome
) -> pa.Table:
    """The scores of today's customers over each horizon, made unless they are current."""
    version, digest = str(champion["model_version"]), horizon_scores_fingerprint(work, snapshot_date)
    partition = of_partition(snapshot_date, version)
    if not work.find_current(["horizon_scores"], digest, outcome):
        from tenure.model.horizon_order import scores_over

        models = {work.churn.horizon: loaded_models(work, [champion])[version], **_loaded(work)}
        frame = todays_features(work, snapshot_date).to_pandas()
        order = next((str(one["order_rule"]) for one in figures if one["is_ordered"]), None)
        made = scores_over(models, frame, work.project.entity.keys, order)
        work.keep("horizon_scores", arrow(made.assign(model_version=version)), digest, outcome, partition=partition)
    return work.read("horizon_scores", ["horizon"], where={name: str(value) for name, value in partition.items()})


def _loaded(work: Work) -> dict[int, Model]:
    """The stored model of each further horizon."""
    from tenure.model.registry import load_model

    files: dict[int, dict[str, bytes]] = {}
    for row in work.read("horizon_models").to_pylist():
        files.setdefault(row["horizon"], {})[row["file"]] = row["content"]
    models = {days: load_model(of_horizon) for days, of_horizon in files.items()}
    for model in models.values():
        model.threads = work.config.engine.threads
    return models


def _words(figures: Iterable[Mapping[str, Any]]) -> str:
    """What became of the order, as clauses."""
    found = list(figures)
    broken, rows = found[0]["rows_out_of_order"], found[0]["rows_scored"]
    clauses = [f"{broken:,} of {rows:,} test rows were out of order"]
    worse = [f"{one['horizon']} days" for one in found if one["worsened"]]
    if worse:
        clauses.append(f"left so: in order, scores over {' and '.join(worse)} would be worse")
    unjudged = [f"{one['horizon']} days" for one in found if not one["test_rows"]]
    if unjudged:
        clauses.append(f"WARNING: no row of the test is answered over {' and '.join(unjudged)} yet: not judged")
    return "; ".join(clauses)
