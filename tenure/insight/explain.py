"""Why a customer scores high: exact SHAP values, reasons in plain words, and importances."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from tenure.define.feature import Description
from tenure.errors import MissingFeature, ModelError, choices
from tenure.insight.contributions import Contributions, contributions, importance_order
from tenure.insight.reasons import Teller, reason_columns, telling
from tenure.model.base import Model


@dataclass(frozen=True)
class Explanation:
    """Why, as three tables; the first two have a row a row of the features, in their order.

    `shap_values`: keys, snapshot_date, model_version, base_value, a column a feature of the model (log-odds).
    `reasons`: keys, snapshot_date, model_version, then for n in 1..4 reason_n (text), reason_n_feature and
    reason_n_shap (log-odds), null where fewer than four features push towards attrition and have a value that
    does not read like the typical one.
    `importances`: model_version, explained_at, feature, mean_abs_shap, mean_shap, rank (1 = strongest),
    description.
    """

    shap_values: pd.DataFrame
    reasons: pd.DataFrame
    importances: pd.DataFrame


class SHAPExplainabilityService:
    """Explains one model version.

    `descriptions` maps a column to its words and unit; a column without one is called by its name.
    `subjects` maps a column to what it is about, where its name does not say so. `background`, usually the
    training rows, gives the typical values of the reasons and what a linear or rule model is compared with;
    without it, both come from the rows explained. An error shows keys named in `personal` by their shape.
    """

    def __init__(
        self,
        model: Model,
        model_version: str,
        descriptions: Mapping[str, Description],
        explained_at: datetime,
        *,
        subjects: Mapping[str, str] | None = None,
        background: pd.DataFrame | None = None,
        personal: Collection[str] = (),
    ) -> None:
        if background is not None and background.empty:
            raise ModelError("the background has no rows; pass the training rows, or none.")
        self.model = model
        self.model_version = model_version
        self.descriptions = descriptions
        self.explained_at = explained_at
        self.subjects = subjects or {}
        self.background = background
        self.personal = personal

    def explain(self, features: pd.DataFrame) -> Explanation:
        """Return the explanation of `features` (keys, snapshot_date, the model's columns), a row a row.

        Values are exact: base_value + the row's values = the model's log-odds, up to rounding
        (`Contributions.check`), checked on every row, or AdditivityError. Raises MissingFeature if a column is
        lacking, ModelError without rows.
        """
        identity = self._identity(features)
        features = features.reset_index(drop=True)
        matrix = self.model.columns.matrix(features)
        if not len(matrix):
            raise ModelError("there are no rows to explain.", hint="Run 'tenure features' for the snapshot to explain.")
        compared = matrix if self.background is None else self.model.columns.matrix(self.background)
        found = contributions(self.model, matrix, compared)
        found.check(identity, features, self.model.columns.names, self.personal)
        values = pd.DataFrame(found.values, columns=list(self.model.columns.names))
        head = identity.assign(model_version=self.model_version)
        return Explanation(
            shap_values=pd.concat([head.assign(base_value=found.base), values], axis=1),
            reasons=self._reasons(head, features, found),
            importances=self._importances(found),
        )

    def _identity(self, features: pd.DataFrame) -> pd.DataFrame:
        names = [*self.model.columns.keys, "snapshot_date"]
        lacking = [name for name in names if name not in features.columns]
        if lacking:
            raise MissingFeature(
                f"the rows to explain have no column {choices(lacking)}; columns: "
                f"{choices(str(name) for name in features.columns)}."
            )
        return features[names].reset_index(drop=True)

    def _reasons(self, head: pd.DataFrame, features: pd.DataFrame, found: Contributions) -> pd.DataFrame:
        names = self.model.columns.names
        population = features if self.background is None else self.background
        tellers = [Teller(name, self.descriptions.get(name), population[name]) for name in names]
        places = telling(features, found.values, names, self.subjects, tellers)
        return head.assign(**reason_columns(features, found.values, names, places, tellers))

    def _importances(self, found: Contributions) -> pd.DataFrame:
        names = self.model.columns.names
        mean_abs, mean = np.abs(found.values).mean(axis=0), found.values.mean(axis=0)
        order = importance_order(mean_abs, names)
        return pd.DataFrame(
            {
                "model_version": self.model_version,
                "explained_at": pd.Series([self.explained_at] * len(names)),
                "feature": [names[place] for place in order],
                "mean_abs_shap": mean_abs[order],
                "mean_shap": mean[order],
                "rank": np.arange(1, len(names) + 1),
                "description": [self._words(names[place]) for place in order],
            }
        )

    def _words(self, name: str) -> str:
        description = self.descriptions.get(name)
        return description.text if description else name
