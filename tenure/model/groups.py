"""How each model fares with groups of the test: those who show the sign at t, tenure bands, declared features.

Groups of fewer than 100 customers are pooled, as in `fairness`: of fewer a figure would say something of a person, and
an AUROC of a handful of churners is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tenure.model.fairness import NOT_KNOWN, POOLED, large_groups
from tenure.model.judged import Judged
from tenure.model.losses import log_loss
from tenure.model.metrics import Array, auroc

SIGN, TENURE = "shows the sign", "years as a customer"
"""The attributes that need no setting."""

SHOWS, SHOWS_NOT, NOT_MEASURABLE = "yes", "no", "not measurable"

_FROM_YEARS = (1, 2, 5, 10)
_BANDS = ("under 1", "1 to 2", "2 to 5", "5 to 10", "10 and more")
_YEAR = 365.25

COLUMNS = (
    *("model_version", "kind", "attribute", "value", "customers", "rows", "churners", "churn_rate"),
    *("mean_score", "calibration_gap", "auroc", "log_loss"),
)

_ORDER = {value: place for place, value in enumerate((SHOWS, SHOWS_NOT, *_BANDS))}
_LAST = (NOT_MEASURABLE, NOT_KNOWN, POOLED)


def by_group(judged: Judged, attributes: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return one row per model, attribute and group of at least 100 customers, with COLUMNS.

    `attributes` gives each attribute's value of each test row, as a text, null where it is not known.
    """
    customer = pd.Series(judged.customer)
    rows: list[dict[str, Any]] = []
    for attribute, values in attributes.items():
        named = pd.Series(values.to_numpy(dtype=object)).where(values.notna().to_numpy(), NOT_KNOWN).map(str)
        group = large_groups(named, customer)
        for value in _in_order(group.dropna().unique()):
            chosen = (group == value).to_numpy()
            identity = {"attribute": attribute, "value": value, "customers": int(customer[chosen].nunique())}
            for version, scores in judged.scores.items():
                model = {"model_version": version, "kind": judged.kinds[version]}
                rows.append({**model, **identity, **_figures(scores[chosen], judged.churned[chosen])})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def tenure_bands(days: pd.Series) -> pd.Series:
    """Return the band of years of each number of days as a customer, null of none."""
    years = days.astype("float64") / _YEAR
    bands = np.array(_BANDS, dtype=object)[np.searchsorted(_FROM_YEARS, years.fillna(0), side="right")]
    return pd.Series(bands, dtype=object).where(years.notna().to_numpy())


def sign_values(shows: Sequence[pd.Series]) -> pd.Series:
    """Return of each row whether it shows any of some signs: 'yes', 'no', or 'not measurable' where none is known.

    Each series holds True, False or null: any True is 'yes'; else any False is 'no'.
    """
    table = pd.concat([one.astype("boolean").reset_index(drop=True) for one in shows], axis=1)
    yes, known = table.fillna(value=False).any(axis=1), table.notna().any(axis=1)
    found = np.where(yes, SHOWS, np.where(known, SHOWS_NOT, NOT_MEASURABLE))
    return pd.Series(found, dtype=object)


def _in_order(values: Sequence[str]) -> list[str]:
    """Values in the order in which they are read: bands by years, others by name, the pool last."""
    return sorted(values, key=lambda value: (value in _LAST, _ORDER.get(value, len(_ORDER)), value))


def _figures(scores: Array, churned: Array) -> dict[str, float]:
    return {
        "rows": len(scores),
        "churners": int(churned.sum()),
        "churn_rate": float(churned.mean()),
        "mean_score": float(scores.mean()),
        "calibration_gap": float(scores.mean() - churned.mean()),
        "auroc": auroc(scores, churned),
        "log_loss": log_loss(scores, churned),
    }
