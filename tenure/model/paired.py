"""Each model against each other one on the same test rows: differences with a paired interval over customers.

draw of customers ──► AUROC and log loss of every model ──► differences, draw by draw ──► their 95 % interval
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from tenure.model.judged import Judged
from tenure.model.resample import MEASURES, RESAMPLED, interval, resampled

PAIRED_RESAMPLES = 500
"""How often customers are drawn: the ends of a paired interval are read against 0, so they are wanted steadier."""

BETTER, WORSE, UNCLEAR = "better", "worse", "unclear"

COLUMNS = (
    *("model_version", "kind", "against_version", "against_kind", "metric", "customers"),
    *("difference", "low", "high", "verdict"),
)

#: Where more is better: 1; where less is: -1.
_SENSE = {"auroc": 1, "log_loss": -1}


def comparisons(judged: Judged, *, resamples: int = PAIRED_RESAMPLES, seed: int = 7) -> pd.DataFrame:
    """Return one row per ordered pair of models and metric ('auroc', 'log_loss'), with COLUMNS.

    `difference` is the model's metric less that of the one it is held against, of all test rows; `low` and `high` its
    95 % interval when customers are drawn anew, each drawn for both models alike. `verdict` says of the model 'better'
    or 'worse' where the interval leaves out 0, else 'unclear', as where the difference is not defined.
    """
    drawn = resampled(judged.scores, judged.churned, judged.customer, resamples=resamples, seed=seed)
    customers = int(judged.customer.max(initial=-1)) + 1
    rows: list[dict[str, Any]] = []
    for version, against in permutations(judged.scores, 2):
        for place, metric in enumerate(RESAMPLED):
            low, high = interval(drawn[version][:, place] - drawn[against][:, place])
            rows.append(
                {
                    "model_version": version,
                    "kind": judged.kinds[version],
                    "against_version": against,
                    "against_kind": judged.kinds[against],
                    "metric": metric,
                    "customers": customers,
                    "difference": _difference(judged, version, against, metric),
                    "low": low,
                    "high": high,
                    "verdict": _verdict(metric, low, high),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _difference(judged: Judged, version: str, against: str, metric: str) -> float:
    if len(judged.churned) == 0:
        return np.nan
    measure = MEASURES[metric]
    return measure(judged.scores[version], judged.churned) - measure(judged.scores[against], judged.churned)


def _verdict(metric: str, low: float, high: float) -> str:
    if not (low > 0 or high < 0):
        return UNCLEAR
    return BETTER if _SENSE[metric] * low > 0 else WORSE
