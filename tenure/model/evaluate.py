"""How good each model is on customers and dates that it was not trained on, as a table and as curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from tenure.errors import MissingFeature, choices
from tenure.model.cross_fit import CrossFitModel
from tenure.model.metrics import (
    THRESHOLD_METRICS,
    Array,
    at_threshold,
    calibration,
    calibration_line,
    churners_reached,
    metrics,
    one_class,
)
from tenure.model.resample import RESAMPLES, auroc_interval

CURVE_POINTS = 200
"""The most points of one curve."""

POOLED_METRICS = ("calibration_slope", "calibration_intercept", "auroc_low", "auroc_high")
"""Of all snapshots of test together: how the score is calibrated, and a 95 % interval over resampled customers."""

_UNKNOWN = dict.fromkeys(POOLED_METRICS, np.nan)


class ModelEvaluationService:
    """Judges models on test, and on train each row by the member that never saw its customer.

    `resamples` and `seed` are those of the AUROC's interval. Precision, recall and F1 at a threshold are taken of the
    scores that reach `threshold`; of None they are NaN.
    """

    def __init__(self, *, resamples: int = RESAMPLES, seed: int = 7, threshold: float | None = None) -> None:
        self.resamples = resamples
        self.seed = seed
        self.threshold = np.nan if threshold is None else threshold

    def evaluate(self, models: Mapping[str, CrossFitModel], training_set: pd.DataFrame) -> pd.DataFrame:
        """Return one row per (model_version, kind, split, population, snapshot_date).

        `models` maps a version to its model. Split 'validation' is that of train, out of fold. Population 'unseen' is
        the customers of test of whom no row is in train. snapshot_date NaT pools all snapshots, and a pooled row is
        there even where the split or the population is empty. Columns rows, churners, churn_rate, then the figures of
        `metrics.metrics` and THRESHOLD_METRICS, NaN where undefined, then those of POOLED_METRICS, for the pooled rows
        of test only.
        """
        judged = training_set[training_set["split"].isin(["train", "test"])]
        rows = [
            {"model_version": version, "kind": model.kind, **figures}
            for version, model in models.items()
            for figures in self._figures(_scored(model, judged), model.columns.keys)
        ]
        return pd.DataFrame(rows)

    def out_of_time(self, model: CrossFitModel, training_set: pd.DataFrame) -> dict[str, float]:
        """Return rows, churners, churn_rate, then the figures of SAMPLE_METRICS and POOLED_METRICS of all test rows."""
        scored = _scored(model, training_set[training_set["split"] == "test"])
        return _summary(scored) | self._pooled(scored, model.columns.keys)

    def _figures(self, scored: pd.DataFrame, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
        train, test = scored[scored["split"] == "train"], scored[scored["split"] == "test"]
        unseen = test[~test["seen_in_train"].astype(bool)]
        for split, population, group in (
            ("validation", "all", train),
            ("test", "all", test),
            ("test", "unseen", unseen),
        ):
            identity = {"split": split, "population": population}
            of_all = self._pooled(group, keys) if split == "test" else _UNKNOWN
            yield {**identity, "snapshot_date": pd.NaT, **self._of(group), **of_all}
            for snapshot_date, month in group.groupby("snapshot_date", sort=True):
                yield {**identity, "snapshot_date": snapshot_date, **self._of(month), **_UNKNOWN}

    def _of(self, group: pd.DataFrame) -> dict[str, float]:
        if np.isnan(self.threshold):
            return {**_summary(group), **dict.fromkeys(THRESHOLD_METRICS, np.nan)}
        return {**_summary(group), **at_threshold(*_arrays(group), self.threshold)}

    def _pooled(self, group: pd.DataFrame, keys: Sequence[str]) -> dict[str, float]:
        customer = group.groupby(list(keys), sort=False).ngroup().to_numpy()
        scores, churned = _arrays(group)
        interval = auroc_interval(scores, churned, customer, resamples=self.resamples, seed=self.seed)
        return dict(zip(POOLED_METRICS, (*calibration_line(scores, churned), *interval), strict=True))


def curves(models: Mapping[str, CrossFitModel], training_set: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of each model on all test rows, one row a point.

        curve         x                       y                          rows
        roc           false positive rate     true positive rate         stayers and churners of the split
        gain          share contacted         share of churners reached  rows contacted
        lift          share contacted         churn rate over base rate  rows contacted
        calibration   mean score of a bin     churn rate of the bin      rows of the bin

    Columns model_version, kind, curve, x, y, rows; at most CURVE_POINTS points a curve. Where test has one
    class only the calibration is drawn.
    """
    test = training_set[training_set["split"] == "test"]
    frames = []
    for version, model in models.items():
        scored = _scored(model, test)
        for curve, x, y, rows in _curves(*_arrays(scored)):
            points = pd.DataFrame({"curve": curve, "x": x, "y": y, "rows": rows.astype(np.int64)})
            points.insert(0, "model_version", version)
            points.insert(1, "kind", model.kind)
            frames.append(points)
    columns = ["model_version", "kind", "curve", "x", "y", "rows"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _curves(scores: Array, churned: Array) -> Iterator[tuple[str, Array, Array, Array]]:
    if not one_class(churned):
        false_positive, true_positive, _ = roc_curve(churned, scores)
        some = np.unique(np.linspace(0, len(false_positive) - 1, CURVE_POINTS).round().astype(int))
        yield "roc", false_positive[some], true_positive[some], np.full(len(some), len(scores))
        share = np.arange(0, 101) / 100
        contacts = share * len(scores)
        gain = churners_reached(scores, churned, contacts) / churned.sum()
        yield "gain", share, gain, contacts
        yield "lift", share[1:], gain[1:] / share[1:], contacts[1:]
    if len(scores):
        score, rate, rows = calibration(scores, churned)
        yield "calibration", score, rate, rows.astype(np.float64)


def _scored(model: CrossFitModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what judging needs of the rows, in their order, and their score."""
    wanted = [*model.columns.keys, "snapshot_date", "split", "seen_in_train", "churned"]
    absent = [name for name in wanted if name not in rows.columns]
    if absent:
        raise MissingFeature(f"the training set lacks {choices(absent)}", hint="run 'tenure splits'")
    is_train = (rows["split"] == "train").to_numpy()
    score = np.empty(len(rows))
    score[~is_train] = model.predict(rows[~is_train])
    score[is_train] = model.predict_unseen(rows[is_train])
    return (
        rows[wanted]
        .assign(score=score, snapshot_date=pd.to_datetime(rows["snapshot_date"]).astype("datetime64[us]"))
        .reset_index(drop=True)
    )


def _arrays(scored: pd.DataFrame) -> tuple[Array, Array]:
    return scored["score"].to_numpy(dtype=np.float64), scored["churned"].to_numpy(dtype=np.float64)


def _summary(group: pd.DataFrame) -> dict[str, float]:
    scores, churned = _arrays(group)
    return {
        "rows": len(group),
        "churners": int(churned.sum()),
        "churn_rate": float(churned.mean()) if len(group) else np.nan,
        **metrics(scores, churned),
    }
