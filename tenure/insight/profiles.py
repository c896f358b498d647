"""What sets a segment apart: its size, its mean score and the features that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tenure.insight.cells import MISSING, Floats, Wording, reads_alike
from tenure.insight.density import Labels
from tenure.insight.scaling import FeatureSpace

_MOST_FEATURES = 5
_COLUMNS = (
    "segment_id", "customers", "share", "score_mean", "position", "feature", "difference", "segment_median",
    "population_median",
)  # fmt: skip


def profiles(
    features: pd.DataFrame, keys: Sequence[str], space: FeatureSpace, labels: Labels, scores: Floats | None
) -> pd.DataFrame:
    """Return up to five rows a segment, noise included: the features whose means differ most.

    `customers` counts distinct keys, `share` is of rows, `difference` is (segment mean - population mean) in
    the population's standard deviations on the scaled axis. Medians are text; of a yes/no they say the share
    of yes. A segment that differs in nothing (there is only one) has a single row without a feature.
    """
    if not len(labels):
        return pd.DataFrame(columns=list(_COLUMNS))
    coordinates = space.coordinates(features)
    spread = coordinates.std(axis=0)
    texts = _Medians(features, space)
    rows: list[dict[str, Any]] = []
    for segment in np.unique(labels):
        inside = labels == segment
        apart = coordinates[inside].mean(axis=0) - coordinates.mean(axis=0)
        difference = apart / np.where(spread == 0, 1.0, spread)
        about = {
            "segment_id": int(segment),
            "customers": int((~features.loc[inside, list(keys)].duplicated()).sum()),
            "share": float(inside.mean()),
            "score_mean": _mean(scores[inside]) if scores is not None else np.nan,
        }
        rows += [about | named for named in texts.named(difference, inside)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


class _Medians:
    """The medians of a group of rows as text, axis by axis."""

    def __init__(self, features: pd.DataFrame, space: FeatureSpace) -> None:
        self._raw = space.raw(features)
        self._axes = space.axes
        wordings = [Wording(features[name]) for name in space.columns]
        self._wordings = [w if w.kind == "number" else None for w in wordings] + [None] * len(space.levels)

    def named(self, difference: Floats, inside: np.ndarray) -> list[dict[str, Any]]:
        """Return a row for each of the axes that differ most, strongest first, equals in their order.

        An axis whose medians read alike says nothing, and the next takes its place.
        """
        everybody = np.ones(len(inside), dtype=bool)
        found: list[dict[str, Any]] = []
        for axis in np.argsort(-np.abs(difference), kind="stable"):
            if len(found) == _MOST_FEATURES or abs(difference[axis]) <= 1e-9:
                break
            own, typical = self._text(axis, inside), self._text(axis, everybody)
            if not reads_alike(own, typical):
                named = {"feature": self._axes[axis], "difference": float(difference[axis])}
                medians = {"segment_median": own, "population_median": typical}
                found.append({"position": len(found) + 1, **named, **medians})
        return found or [{"position": 1}]

    def _text(self, axis: int, rows: np.ndarray) -> str:
        values = self._raw[rows, axis]
        present = values[~np.isnan(values)]
        if not len(present):
            return MISSING
        wording = self._wordings[axis]
        return wording.value_text(np.median(present)) if wording else f"{present.mean():.0%} yes"


def _mean(values: Floats) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else np.nan
