"""Contributions: how much each feature moves one row's log-odds away from the base."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from tenure.errors import AdditivityError, ModelError, choices
from tenure.faults.redact import shown, shown_row
from tenure.insight.cells import Floats
from tenure.model.base import Model
from tenure.model.boosted import LightGBMModel
from tenure.model.logistic import LogisticModel, prepared
from tenure.model.rule import RuleModel

#: What rounding may leave of a row's sum: a share of the size of its parts, and a floor in log-odds.
RELATIVE_TOLERANCE = 1e-11
LEAST_TOLERANCE = 1e-8
CHUNK_ROWS = 20_000
_LEAST_RATE = 1e-9


@dataclass(frozen=True)
class Contributions:
    """Log-odds taken apart: margin = base + the row's values, all in log-odds.

    `values` has the shape (rows, features) in the order of the model's columns, `base` and `margin` (rows,).
    """

    values: Floats
    base: Floats
    margin: Floats

    def check(
        self, identity: pd.DataFrame, features: pd.DataFrame, names: Sequence[str], personal: Collection[str] = ()
    ) -> None:
        """Raise AdditivityError unless every row adds up; it names the worst row, and its largest part's feature.

        A sum can't be more exact than its parts: 1e-8 log-odds may be missing, or 1e-11 of the parts' sizes added up.
        `identity` and `features` have the rows of `values`; `names` are the features in the order of `values`.
        Values of the columns in `personal` are shown by their shape.
        """
        gap = np.abs(self.base + self.values.sum(axis=1) - self.margin)
        size = np.abs(self.base) + np.abs(self.values).sum(axis=1)
        allowed = np.maximum(LEAST_TOLERANCE, RELATIVE_TOLERANCE * size)
        # A part that is infinite would allow anything.
        wrong = ~(np.isfinite(gap) & (gap <= allowed))
        if not wrong.any():
            return
        worst = int(np.argmax(np.where(wrong, np.nan_to_num(gap, nan=np.inf), -1.0)))
        largest = names[int(np.argmax(np.nan_to_num(np.abs(self.values[worst]), nan=np.inf)))]
        row = shown_row([(str(name), cell) for name, cell in identity.iloc[worst].items()], personal)
        value = shown(features[largest].iloc[worst], personal=largest in personal)
        raise AdditivityError(
            f"SHAP values of {row} miss the model's margin by {gap[worst]:.3g} log-odds; allowed: "
            f"{allowed[worst]:.3g}. The largest part is that of feature '{largest}', whose value is {value}; "
            f"{int(wrong.sum())} of {len(gap)} rows are off. Nothing was explained.",
            hint=f"Look at the rows that '{largest}' is made of; or set another kind of model in tenure.toml, [train] "
            "models, and run 'tenure train'.",
        )


def contributions(model: Model, matrix: Floats, background: Floats) -> Contributions:
    """Return the exact contributions of each row of `matrix` (rows, features), at least one row.

    `background` (rows, features) is what a linear or a rule model is compared with. Trees need none: theirs
    are the path-dependent values of their own training rows. Raises ModelError for a kind of model that
    nobody has said here how to take apart.
    """
    way = WAYS.get(type(model))
    if way is None:
        raise ModelError(
            f"a model of kind '{model.kind}' can't be explained; allowed: {choices(known.kind for known in WAYS)}.",
            hint="Set [train] models in tenure.toml to some of those, then run 'tenure train'.",
        )
    return way(model, matrix, background)


def _of_trees(model: LightGBMModel, matrix: Floats, _: Floats) -> Contributions:
    """Return LightGBM's own TreeSHAP (Lundberg et al. 2020, path-dependent): exact, in chunks of rows."""
    parts, margins = [], []
    for first in range(0, len(matrix), CHUNK_ROWS):
        chunk = matrix[first : first + CHUNK_ROWS]
        parts.append(model.contributions(chunk))
        margins.append(model.margin(chunk))
    found = np.concatenate(parts)
    return Contributions(found[:, :-1], found[:, -1], np.concatenate(margins))


def _of_linear(model: LogisticModel, matrix: Floats, background: Floats) -> Contributions:
    """Return coefficient · (x - background mean), summed over the columns that one feature was turned into.

    Exact for a linear model under features that vary independently (Lundberg & Lee 2017, corollary 1).
    """
    prepare, classifier = model.pipeline[0], model.pipeline[-1]
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
    for first in range(0, len(matrix), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        values[rows] = (prepared(prepare, matrix[rows]) - means) @ by_feature
    base = float(classifier.intercept_[0] + means @ weights)
    return Contributions(values, np.full(len(matrix), base), model.margin(matrix))


def _mean_in_chunks(prepare: ColumnTransformer, rows: Floats) -> Floats:
    starts = range(0, len(rows), CHUNK_ROWS)
    totals = [prepared(prepare, rows[first : first + CHUNK_ROWS]).sum(axis=0) for first in starts]
    return np.asarray(np.sum(totals, axis=0) / len(rows))


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
            places += [place for place, levels in zip(at, step.categories_, strict=True) for _ in levels]
    return places


def _of_rule(model: RuleModel, matrix: Floats, background: Floats) -> Contributions:
    """Return the log-odds above the background's mean, all of it owed to the rule's only feature.

    Rates of 0 and 1 are read as 1e-9 and 1 - 1e-9, since their log-odds are infinite.
    """
    margin = _log_odds(model.probabilities(matrix))
    base = np.full(len(matrix), _log_odds(model.probabilities(background)).mean())
    values = np.zeros_like(matrix)
    values[:, model.columns.names.index(model.rule.feature)] = margin - base
    return Contributions(values, base, margin)


#: How each kind of model is taken apart.
WAYS: Mapping[type[Model], Callable[[Any, Floats, Floats], Contributions]] = {
    RuleModel: _of_rule,
    LogisticModel: _of_linear,
    LightGBMModel: _of_trees,
}


def _log_odds(rates: Floats) -> Floats:
    bounded = np.clip(rates, _LEAST_RATE, 1 - _LEAST_RATE)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))


def importance_order(mean_abs: Floats, names: Sequence[str]) -> list[int]:
    """Return the places of the features from the strongest, equals by name."""
    return sorted(range(len(names)), key=lambda place: (-mean_abs[place], names[place]))
