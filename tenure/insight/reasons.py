"""Reasons: the strongest pushes towards attrition, one customer at a time, in plain words.

    Money out, total over the 30 days before: 120.00 USD (typical 850.00 USD)
    └────────────── description ────────────┘ └─ own ──┘          └ median ─┘

A feature whose own value reads like the typical one says nothing: the next strongest takes its place.
At most four, as banks must state the principal reasons and find that more do not help (Regulation B, 1002.9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.define.feature import Description
from tenure.define.window import ColumnName
from tenure.errors import InvalidDefinition
from tenure.insight.cells import Floats, Wording, reads_alike

MOST_REASONS = 4
#: Contributions up to here are rounding and no reason.
_ROUNDING = 1e-9


class Teller:
    """Says one feature's value as a reason."""

    def __init__(self, name: str, description: Description | None, population: pd.Series) -> None:
        self._text = description.text if description else name
        self._wording = Wording(population, description.unit if description else "")

    def reason(self, cell: object) -> str:
        """Return 'description: own value (typical value)'; without a typical one where none is on record."""
        typical = f" (typical {self._wording.typical})" if self._wording.typical else ""
        return f"{self._text}: {self._wording.value_text(cell)}{typical}"

    def says_nothing(self, cell: object) -> bool:
        """Return whether the value reads like the typical one; where none is on record there is nothing to compare."""
        typical = self._wording.typical
        return bool(typical) and reads_alike(self._wording.value_text(cell), typical)


def subject_of(name: str, subjects: Mapping[str, str]) -> str:
    """Return what a feature is about: as `subjects` says, else its name before `_<aggregate>_<window>`."""
    if name in subjects:
        return subjects[name]
    try:
        return ColumnName.parse(name).subject
    except InvalidDefinition:
        return name


def strongest(values: Floats, names: Sequence[str], subjects: Mapping[str, str]) -> NDArray[np.int64]:
    """Return the places of each row's reasons, strongest first, shape (rows, 4); -1 where there is none.

    Only contributions above 0, and of the features of one subject only the strongest. Equals go by the
    order of the columns.
    """
    about: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        about.setdefault(subject_of(name, subjects), []).append(place)
    groups = [np.array(places) for places in about.values()]
    rows = np.arange(len(values))
    places = np.column_stack([group[np.argmax(values[:, group], axis=1)] for group in groups])
    best = values[rows[:, None], places]
    # Columns in the model's order, so that a stable sort breaks ties by it.
    in_order = np.argsort(places, axis=1, kind="stable")
    places, best = np.take_along_axis(places, in_order, 1), np.take_along_axis(best, in_order, 1)
    ranked = np.argsort(-best, axis=1, kind="stable")[:, :MOST_REASONS]
    pushes = np.take_along_axis(best, ranked, 1) > _ROUNDING
    chosen = np.where(pushes, np.take_along_axis(places, ranked, 1), -1)
    padding = np.full((len(values), MOST_REASONS - chosen.shape[1]), -1, dtype=chosen.dtype)
    return np.hstack([chosen, padding])


def telling(
    features: pd.DataFrame,
    values: Floats,
    names: Sequence[str],
    subjects: Mapping[str, str],
    tellers: Sequence[Teller],
) -> NDArray[np.int64]:
    """Return the places of each row's reasons as `strongest` does, without those that say nothing."""
    places = strongest(values, names, subjects)
    silenced, rows = values.copy(), np.arange(len(values))
    while len(rows):
        silent = _silent(features, places[rows], rows, names, tellers)
        silenced[silent] = -np.inf
        # Only rows that lost a reason are ranked again, until all that is left says something.
        rows = np.unique(silent[0])
        if len(rows):
            places[rows] = strongest(silenced[rows], names, subjects)
    return places


def _silent(
    features: pd.DataFrame,
    places: NDArray[np.int64],
    rows: NDArray[np.int64],
    names: Sequence[str],
    tellers: Sequence[Teller],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row and the place of each chosen reason that says nothing; `places` are those of `rows`."""
    found_rows, found_places = [], []
    for place in np.unique(places[places >= 0]):
        chosen = rows[(places == place).any(axis=1)]
        cells = features[names[place]].iloc[chosen]
        silent = chosen[[tellers[place].says_nothing(cell) for cell in cells]]
        found_rows.append(silent)
        found_places.append(np.full(len(silent), place))
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *found_rows]), np.concatenate([nothing, *found_places])


def reason_columns(
    features: pd.DataFrame,
    values: Floats,
    names: Sequence[str],
    places: NDArray[np.int64],
    tellers: Sequence[Teller],
) -> dict[str, pd.Series]:
    """Return reason_1, reason_1_feature, reason_1_shap .. reason_4_shap; null where there is none."""
    columns: dict[str, pd.Series] = {}
    for number in range(MOST_REASONS):
        at = places[:, number]
        text = np.full(len(at), None, dtype=object)
        feature = np.full(len(at), None, dtype=object)
        for place in np.unique(at[at >= 0]):
            rows = np.flatnonzero(at == place)
            cells = features[names[place]].iloc[rows]
            text[rows] = [tellers[place].reason(cell) for cell in cells]
            feature[rows] = names[place]
        own = values[np.arange(len(at)), np.maximum(at, 0)]
        columns[f"reason_{number + 1}"] = pd.Series(text, dtype="str")
        columns[f"reason_{number + 1}_feature"] = pd.Series(feature, dtype="str")
        columns[f"reason_{number + 1}_shap"] = pd.Series(np.where(at >= 0, own, np.nan))
    return columns
