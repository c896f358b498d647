"""Logistic regression with an L2 penalty chosen on validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar
from zipfile import BadZipFile

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from tenure.errors import UnsafeModelFile
from tenure.model.base import Model, Sample, TrainSettings
from tenure.model.select import Columns

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Values of C tried, strongest penalty first: each fit starts from the one before and so takes few steps."""

TRUSTED = ("numpy.dtype",)
"""The types that a pipeline file may hold beyond scikit-learn's and numpy's own that skops always allows."""


class LogisticModel(Model):
    """Medians for gaps (and a flag that there was one), standard scale, one column a category, L2."""

    kind: ClassVar[str] = "logistic"

    def __init__(self, columns: Columns, parameters: Mapping[str, Any], pipeline: Pipeline) -> None:
        super().__init__(columns, parameters)
        self.pipeline = pipeline

    @classmethod
    def fit(cls, columns: Columns, train: Sample, validation: Sample, settings: TrainSettings) -> LogisticModel:
        """Return the fit on train whose C gives the least log loss on validation.

        No class weights and no resampling: both would shift every probability away from the true rate.
        """
        prepare = _preparation(columns)
        # One thread: sums then always run in one order, so that a second run gives the same bits.
        with threadpool_limits(limits=1):
            ready = Sample(prepare.fit_transform(train.matrix), train.churned)
            judge = Sample(prepare.transform(validation.matrix), validation.churned)
            tried = _candidates(ready, judge, settings.seconds)
        loss, penalty, best = min(tried, key=lambda candidate: candidate[:2])
        parameters = {
            "C": penalty,
            "converged": bool(best.n_iter_[0] < best.max_iter),
            "validation_log_loss": loss,
            "seconds_limit_hit": len(tried) < len(PENALTIES),
        }
        return cls(columns, parameters, Pipeline([("prepare", prepare), ("logistic", best)]))

    @classmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> LogisticModel:
        """Return the model that `files` wrote.

        Raises UnsafeModelFile if the pipeline holds a type outside TRUSTED, or is no such pipeline.
        """
        return cls(Columns.from_json(card["columns"]), card["parameters"], _pipeline(files["pipeline.skops"]))

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logistic function of the weighted features."""
        with threadpool_limits(limits=1):
            both: NDArray[np.float64] = self.pipeline.predict_proba(matrix)
        return both[:, 1]

    def files(self) -> dict[str, bytes]:
        """Return model.json and pipeline.skops.

        Two dumps of one pipeline differ in their bytes (skops writes memory addresses and the hour); what
        they load to does not.
        """
        return {"model.json": self.card(), "pipeline.skops": skops.io.dumps(self.pipeline)}


def _preparation(columns: Columns) -> ColumnTransformer:
    """Return the unfitted steps that make a matrix fit for a linear model; no NaN is left after them."""
    numeric = Pipeline([("impute", SimpleImputer(strategy="median", add_indicator=True)), ("scale", StandardScaler())])
    codes = [np.arange(len(columns.categories[name]), dtype=np.float64) for name in columns.categorical]
    one_hot = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
    first_code = len(columns.numeric)
    steps = [
        ("numeric", numeric, list(range(first_code))),
        ("categorical", one_hot, list(range(first_code, len(columns.names)))),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


def _candidates(train: Sample, validation: Sample, seconds: float) -> list[tuple[float, float, LogisticRegression]]:
    """Return (validation log loss, C, fit) of each penalty that there was time for; at least one."""
    deadline = time.monotonic() + seconds
    classifier = LogisticRegression(max_iter=500, warm_start=True)
    tried: list[tuple[float, float, LogisticRegression]] = []
    for penalty in PENALTIES:
        if tried and time.monotonic() > deadline:
            break
        classifier.set_params(C=penalty)
        with warnings.catch_warnings():
            # Whether the fit converged is kept among the model's parameters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(train.matrix, train.churned)
        loss = log_loss(validation.churned, classifier.predict_proba(validation.matrix)[:, 1])
        tried.append((float(loss), penalty, deepcopy(classifier)))
    return tried


def _pipeline(dump: bytes) -> Pipeline:
    try:
        loaded = skops.io.loads(dump, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise UnsafeModelFile(
            f"pipeline.skops holds types that are not trusted; nothing of it was run. {error}",
            hint="load only files that 'tenure train' wrote; run 'tenure train' again",
        ) from error
    except (BadZipFile, KeyError) as error:
        raise UnsafeModelFile(
            f"pipeline.skops is not a skops file: {error}", hint="run 'tenure train' again"
        ) from error
    steps = [type(step) for _, step in loaded.steps] if isinstance(loaded, Pipeline) else [type(loaded)]
    if steps != [ColumnTransformer, LogisticRegression]:
        raise UnsafeModelFile(
            f"pipeline.skops holds {', '.join(step.__name__ for step in steps)}; "
            "allowed: a pipeline of ColumnTransformer, LogisticRegression",
            hint="load only files that 'tenure train' wrote; run 'tenure train' again",
        )
    return loaded
