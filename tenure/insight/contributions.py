"""Contributions: how much each feature moves one row's log-odds away from the base."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tenure.errors import AdditivityError
from tenure.faults.redact import shown, shown_row
from tenure.insight.cells import Floats
from tenure.model.base import Model
from tenure.model.learners import model_kind

#: What rounding may leave of a row's sum: a share of the size of its parts, and a floor in log-odds.
RELATIVE_TOLERANCE = 1e-11
LEAST_TOLERANCE = 1e-8


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
    are the path-dependent values of their own training rows. Raises ModelError for an unknown kind.
    """
    model_kind(model.kind, place="the model to explain")
    values, base = model.contributions(matrix, background)
    return Contributions(values, base, model.margin(matrix))


def importance_order(mean_abs: Floats, names: Sequence[str]) -> list[int]:
    """Return the places of the features from the strongest, equals by name."""
    return sorted(range(len(names)), key=lambda place: (-mean_abs[place], names[place]))
