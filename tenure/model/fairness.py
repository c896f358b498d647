"""Fairness: how groups of protected attributes fare on the test, in figures that a lawyer asks for.

recall by group            equality of opportunity: Hardt, Price and Srebro 2016
selection_ratio            the four-fifths rule of 29 CFR 1607.4(D)
calibration_gap            calibration within groups: Kleinberg, Mullainathan and Raghavan 2016
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tenure.model.metrics import auroc

LEAST_CUSTOMERS = 100
"""The smallest group whose figures are shown: of fewer they would say something of a person."""

POOLED = "groups of fewer than 100"
NOT_KNOWN = "not known"

FOUR_FIFTHS = 0.8
"""The ratio of selection rates below which 29 CFR 1607.4(D) takes adverse impact for shown."""

_FROM_AGE = (18, 25, 35, 45, 55, 65, 75)
_BANDS = ("under 18", "18 to 24", "25 to 34", "35 to 44", "45 to 54", "55 to 64", "65 to 74", "75 and over")

COLUMNS = (
    *("model_version", "attribute", "value", "customers", "rows", "churners", "churn_rate", "mean_score"),
    *("calibration_gap", "auroc", "selected", "selection_rate", "selection_ratio", "recall"),
)


def fairness(scored: pd.DataFrame, attributes: Mapping[str, pd.Series], keys: Sequence[str]) -> pd.DataFrame:
    """Return one row per attribute and group of at least 100 customers, with COLUMNS; no row where none has as many.

    `scored` has a row a customer and test snapshot: keys, snapshot_date, model_version, score, decile and churned;
    `attributes` gives each attribute's values in the same order. A date of birth and a number are read as years of age
    and banded. Smaller groups are one, 'groups of fewer than 100', which is left out if it is as small itself. Those of
    the first decile of their snapshot are selected. `selection_ratio` is to the group with the highest selection rate.
    """
    customer = pd.Series(scored.groupby(list(keys), sort=False).ngroup().to_numpy())
    rows = [
        {"model_version": scored["model_version"].iloc[0], "attribute": attribute, **figures}
        for attribute, values in attributes.items()
        for figures in _figures(scored, customer, large_groups(groups(values, scored["snapshot_date"]), customer))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def groups(values: pd.Series, snapshot_date: pd.Series) -> pd.Series:
    """Return the group of each row, as a text: the value, or the band of years of age; 'not known' of no value."""
    known = values.notna().to_numpy()
    if not pd.api.types.is_bool_dtype(values) and pd.api.types.is_numeric_dtype(values):
        named = _bands(values.astype("float64"))
    elif pd.api.types.is_datetime64_any_dtype(values):
        named = _bands(_years(values, pd.to_datetime(snapshot_date)))
    else:
        named = values.astype("object").map(str)
    return pd.Series(np.where(known, named, NOT_KNOWN))


def _years(born: pd.Series, then: pd.Series) -> pd.Series:
    """Whole years from one day to another: a birthday counts from its own day on."""
    born, then = born.reset_index(drop=True), then.reset_index(drop=True)
    is_before_birthday = (then.dt.month * 100 + then.dt.day) < (born.dt.month * 100 + born.dt.day)
    return then.dt.year - born.dt.year - is_before_birthday


def _bands(years: pd.Series) -> Any:
    """The band of each age; of none, any."""
    return np.array(_BANDS, dtype=object)[np.searchsorted(_FROM_AGE, years.fillna(0), side="right")]


def large_groups(named: pd.Series, customer: pd.Series) -> pd.Series:
    """Return the group of each row, small ones pooled; null where even the pool is too small to be shown."""
    found = named.copy()
    sizes = customer.groupby(named).nunique()
    found[named.map(sizes) < LEAST_CUSTOMERS] = POOLED
    if customer[found == POOLED].nunique() < LEAST_CUSTOMERS:
        found[found == POOLED] = None
    return found


def _figures(scored: pd.DataFrame, customer: pd.Series, group: pd.Series) -> Iterator[dict[str, Any]]:
    selected = (scored["decile"] == 1).to_numpy()
    rates = pd.Series(selected).groupby(group).mean()
    for value in sorted(rates.index, key=lambda value: (value == POOLED, value == NOT_KNOWN, _place(value))):
        rows = (group == value).to_numpy()
        scores = scored["score"].to_numpy(dtype=np.float64)[rows]
        churned = scored["churned"].to_numpy(dtype=np.float64)[rows]
        churners = int(churned.sum())
        yield {
            "value": value,
            "customers": int(customer[rows].nunique()),
            "rows": int(rows.sum()),
            "churners": churners,
            "churn_rate": float(churned.mean()),
            "mean_score": float(scores.mean()),
            "calibration_gap": float(scores.mean() - churned.mean()),
            "auroc": auroc(scores, churned),
            "selected": int(selected[rows].sum()),
            "selection_rate": float(rates[value]),
            "selection_ratio": float(rates[value] / rates.max()) if rates.max() else np.nan,
            "recall": float(churned[selected[rows]].sum() / churners) if churners else np.nan,
        }


def _place(value: str) -> tuple[int, str]:
    """The order of groups: bands by age, others by name."""
    return (_BANDS.index(value) if value in _BANDS else len(_BANDS), value)
