"""Logistic regression on ranks, with an L2 penalty chosen out of fold."""

from __future__ import annotations

import io
import math
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import repeat
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from tenure.errors import ModelError, UnsafeModelFile
from tenure.model.base import FitSettings, LearnedModel, Model, chunks
from tenure.model.losses import log_loss
from tenure.model.sample import SEARCHED_ROWS, Folds
from tenure.model.select import Columns

PENALTIES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of C tried, strongest penalty first: each fit starts from the one before and so takes few steps."""

QUANTILES = 100
"""Between so many quantiles of the train rows a rank is interpolated; 20 and 1,000 gave the same AUROC to 0.001."""

RISES = 2
"""Weaker penalties are tried until the loss has risen so many times in a row; the weakest take the most steps."""

RANKED = 100_000
"""Quantiles are taken of at most so many train rows, drawn by a fixed seed."""

TRUSTED = ("numpy.dtype",)
"""The types that a pipeline file may hold beyond scikit-learn's and numpy's own that skops always allows."""


class LogisticModel(LearnedModel):
    """Medians for gaps (and a flag that there was one), ranks among the train rows, one column a category, L2.

    A rank ends where train ends: what grows from snapshot to snapshot, such as the days with the bank, leaves that
    range by the test, and a line would be drawn on through it. On the web shop's example ranks lowered the test's log
    loss from 0.526 to 0.493.
    """

    kind = "logistic"

    def __init__(self, columns: Columns, parameters: Mapping[str, Any], pipeline: Pipeline) -> None:
        super().__init__(columns, parameters)
        self.pipeline = pipeline

    @classmethod
    def cross_fit(cls, folds: Folds, settings: FitSettings, like: Model | None = None) -> dict[int, LogisticModel]:
        """Return a member a fold, all with the C of the least log loss out of fold, or that of what they are `like`.

        No class weights and no resampling: both would shift every probability away from the true rate.
        """
        if like is not None:
            penalty = like.parameters["C"]
            paths = {number: _Path.of(folds, number, [penalty]) for number in folds.numbers}
            return {number: cls._member(folds.columns_of(number), path, penalty) for number, path in paths.items()}
        some = folds.of_some_customers(SEARCHED_ROWS, settings.seed)
        paths = _paths(some, settings.seconds)
        penalty = _least(paths, some)
        record = {"seconds_limit_hit": any(path.cut_short for path in paths.values())}
        if some is not folds:
            paths = {number: _Path.of(folds, number, [penalty]) for number in folds.numbers}
        return {number: cls._member(folds.columns_of(number), path, penalty, record) for number, path in paths.items()}

    @classmethod
    def _member(
        cls, columns: Columns, path: _Path, penalty: float, record: Mapping[str, Any] | None = None
    ) -> LogisticModel:
        fit = path.fits[penalty]
        parameters = {
            "C": penalty,
            "converged": bool(fit.n_iter_[0] < fit.max_iter),
            "validation_log_loss": path.losses[penalty],
        }
        pipeline = Pipeline([("prepare", path.prepare), ("logistic", fit)])
        return cls(columns, parameters | dict(record or {}), pipeline)

    @classmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> LogisticModel:
        """Return the model that `files` wrote.

        Raises UnsafeModelFile if the pipeline holds a type outside TRUSTED, or is no such pipeline.
        """
        return cls(Columns.from_json(card["columns"]), card["parameters"], _pipeline(files["pipeline.skops"]))

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted features plus the intercept: the log-odds, finite for every row."""
        with threadpool_limits(limits=1):
            found = self.pipeline[-1].decision_function(prepared(self.pipeline[0], matrix))
        return np.asarray(found, dtype=np.float64)

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return coefficient · (x - background mean), summed over the columns that one feature was turned into.

        Exact for a linear model under features that vary independently (Lundberg & Lee 2017, corollary 1).
        """
        prepare, classifier = self.pipeline[0], self.pipeline[-1]
        weights = classifier.coef_[0]
        means = _mean_in_chunks(prepare, background)
        turned_from = _sources(prepare)
        if len(turned_from) != len(weights):
            raise ModelError(
                f"the logistic model has {len(weights)} coefficients for {len(turned_from)} prepared columns; "
                "they must be as many.",
                hint="Train the model again with 'tenure train'.",
            )
        by_feature = np.zeros((len(weights), matrix.shape[1]))
        by_feature[np.arange(len(weights)), turned_from] = weights
        values = np.empty_like(matrix)
        for rows in chunks(len(matrix)):
            values[rows] = (prepared(prepare, matrix[rows]) - means) @ by_feature
        base = float(classifier.intercept_[0] + means @ weights)
        return values, np.full(len(matrix), base)

    def files(self) -> dict[str, bytes]:
        """Return model.json and pipeline.skops; the same bytes for the same model."""
        return {"model.json": self.card(), "pipeline.skops": _plain_dump(self.pipeline)}


def prepared(prepare: ColumnTransformer, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fitted steps' columns of a matrix: ranks, flags and categories, finite for every row."""
    return np.asarray(prepare.transform(matrix), dtype=np.float64)


def _mean_in_chunks(prepare: ColumnTransformer, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    totals = [prepared(prepare, matrix[rows]).sum(axis=0) for rows in chunks(len(matrix))]
    return np.asarray(np.sum(totals, axis=0) / len(matrix))


def _sources(prepare: ColumnTransformer) -> list[int]:
    """Return, for each prepared column, the place of the feature that it was made from.

    Numbers come first as they are, then an indicator for each that was missing in training; a category makes
    a column a level.
    """
    places: list[int] = []
    for _, step, at in prepare.transformers_:
        if isinstance(step, Pipeline):
            imputer = step[0]
            places += list(at)
            if imputer.add_indicator:
                places += [at[missing] for missing in imputer.indicator_.features_]
        elif hasattr(step, "categories_"):
            for place, levels in zip(at, step.categories_, strict=True):
                places += repeat(place, len(levels))
    return places


def _preparation(columns: Columns, *, rows: int) -> ColumnTransformer:
    """Return the unfitted steps that make a matrix of so many train rows fit for a linear model; they leave no NaN."""
    ranks = QuantileTransformer(n_quantiles=min(QUANTILES, rows), subsample=RANKED, random_state=0)
    # A feature that is known in the fold left out alone is empty here. It stays, as zeros, which weigh nothing.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numeric = Pipeline([("impute", imputer), ("rank", ranks), ("scale", StandardScaler())])
    codes = [np.arange(len(columns.categories[name]), dtype=np.float64) for name in columns.categorical]
    one_hot = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
    first_code = len(columns.numeric)
    steps = [
        ("numeric", numeric, list(range(first_code))),
        ("categorical", one_hot, list(range(first_code, len(columns.names)))),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


@dataclass(frozen=True)
class _Path:
    """The fits of one member along the penalties, and the loss of each on the fold that judges it."""

    prepare: ColumnTransformer
    fits: Mapping[float, LogisticRegression]
    losses: Mapping[float, float]
    cut_short: bool = False

    @classmethod
    def of(cls, folds: Folds, number: int, penalties: Sequence[float], deadline: float = math.inf) -> _Path:
        """Return the path of at least one fit, up to where the loss has risen RISES times, or to the deadline."""
        train, judged = folds.apart(number)
        prepare = _preparation(folds.columns_of(number), rows=len(train.matrix))
        classifier = LogisticRegression(max_iter=500, warm_start=True)
        fits: dict[float, LogisticRegression] = {}
        losses: dict[float, float] = {}
        # One thread: sums then always run in one order, so that a second run gives the same bits.
        with threadpool_limits(limits=1), warnings.catch_warnings():
            # Whether the fit converged is kept among the model's parameters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            prepare.fit(train.matrix)
            teaching, judging = prepared(prepare, train.matrix), prepared(prepare, judged.matrix)
            for penalty in penalties:
                if fits and time.monotonic() > deadline:
                    return cls(prepare, fits, losses, cut_short=True)
                classifier.set_params(C=penalty)
                classifier.fit(teaching, train.churned, sample_weight=train.weight)
                scores = classifier.predict_proba(judging)[:, 1]
                fits[penalty] = deepcopy(classifier)
                losses[penalty] = log_loss(scores, judged.churned)
                if _only_rises(list(losses.values())):
                    break
        return cls(prepare, fits, losses)


def _paths(folds: Folds, seconds: float) -> dict[int, _Path]:
    """The paths of all members; none is longer than that of a member before it, since all must have tried a penalty."""
    deadline = time.monotonic() + seconds
    penalties: Sequence[float] = PENALTIES
    paths: dict[int, _Path] = {}
    for number in folds.numbers:
        paths[number] = _Path.of(folds, number, penalties, deadline)
        if paths[number].cut_short:
            penalties = list(paths[number].fits)
    return paths


def _only_rises(losses: Sequence[float]) -> bool:
    """Whether each of the last RISES losses is more than the one before."""
    last = losses[-RISES - 1 :]
    return len(last) > RISES and bool(np.all(np.diff(last) > 0))


def _least(paths: Mapping[int, _Path], folds: Folds) -> float:
    """The penalty of the least loss over the rows of all folds, of those that every member tried."""
    rows = {number: np.count_nonzero(folds.fold == number) for number in paths}
    tried = set.intersection(*(set(path.losses) for path in paths.values()))
    return min(sorted(tried), key=lambda penalty: sum(rows[n] * path.losses[penalty] for n, path in paths.items()))


def _pipeline(dump: bytes) -> Pipeline:
    try:
        loaded = skops.io.loads(dump, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise UnsafeModelFile(
            f"pipeline.skops holds types that are not trusted; nothing of it was run. {error}",
            hint="load only files that 'tenure train' wrote; run 'tenure train' again",
        ) from error
    except Exception as error:  # whatever a file of another making lets skops raise
        raise UnsafeModelFile(
            f"pipeline.skops is not a skops file: {type(error).__name__}: {error}", hint="run 'tenure train' again"
        ) from error
    steps = [type(step) for _, step in loaded.steps] if isinstance(loaded, Pipeline) else [type(loaded)]
    if steps != [ColumnTransformer, LogisticRegression]:
        raise UnsafeModelFile(
            f"pipeline.skops holds {', '.join(step.__name__ for step in steps)}; "
            "allowed: a pipeline of ColumnTransformer, LogisticRegression",
            hint="load only files that 'tenure train' wrote; run 'tenure train' again",
        )
    return loaded


def _plain_dump(pipeline: Pipeline) -> bytes:
    """Return skops's dump without the memory addresses and the hour that it writes: objects are numbered in order."""
    numbers: dict[str, int] = {}

    def number(address: str) -> str:
        return str(numbers.setdefault(address, len(numbers)))

    with ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as dump:
        schema = re.sub(
            r'(?<="__id__": )\d+|(?<=")\d+(?=\.npy")', lambda found: number(found[0]), dump.read("schema.json").decode()
        )
        arrays = {
            f"{number(name.removesuffix('.npy'))}.npy": dump.read(name)
            for name in dump.namelist()
            if name != "schema.json"
        }
    plain = io.BytesIO()
    with ZipFile(plain, "w") as archive:
        for name, content in sorted({**arrays, "schema.json": schema.encode()}.items()):
            archive.writestr(ZipInfo(name), content)
    return plain.getvalue()
