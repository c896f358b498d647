"""How steady the figures are over the test's snapshots, and how many of these tell something of their own.

    snapshots  ▌  ▌  ▌  ▌  ▌  ▌  ▌       every month
    labels     [········)                a horizon of three months: those of neighbours share most of their days
    blocks     └─────┘  └─────┘  └─      each a horizon long: so many independent periods

Below LEAST_PERIODS blocks an interval over them would be a guess dressed up as a figure: it is left out, and the range
over snapshots stands instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.model.judged import Judged
from tenure.model.metrics import Array
from tenure.model.resample import MEASURES, RESAMPLED, interval, resampled

LEAST_PERIODS = 8
"""The fewest independent periods of which an interval over periods is given."""

COLUMNS = (
    *("model_version", "kind", "metric", "snapshots", "independent_periods", "value", "least", "greatest"),
    *("periods_low", "periods_high"),
)


def back_test(judged: Judged, *, horizon: int, resamples: int = 1000, seed: int = 7) -> pd.DataFrame:
    """Return one row per model and metric ('auroc', 'log_loss'), with COLUMNS.

    `value` is of all test rows, `least` and `greatest` of its snapshots, each taken alone; the table `evaluations` has
    each. `independent_periods` is how many of them lie a `horizon` (days) or more apart. `periods_low` and
    `periods_high` are the 95 % interval when such periods are drawn anew, NaN of fewer than LEAST_PERIODS.
    """
    block = _blocks(judged, horizon)
    periods = int(block.max(initial=-1)) + 1
    drawn: dict[str, Array] = {}
    if periods >= LEAST_PERIODS:
        drawn = resampled(judged.scores, judged.churned, block, resamples=resamples, seed=seed)
    rows: list[dict[str, Any]] = []
    for version in judged.scores:
        for place, metric in enumerate(RESAMPLED):
            low, high = interval(drawn[version][:, place]) if drawn else (np.nan, np.nan)
            rows.append(
                {
                    "model_version": version,
                    "kind": judged.kinds[version],
                    "metric": metric,
                    "snapshots": len(judged.snapshots),
                    "independent_periods": periods,
                    **_values(judged, version, metric),
                    "periods_low": low,
                    "periods_high": high,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def period_starts(snapshots: list[pd.Timestamp], horizon: int) -> list[pd.Timestamp]:
    """Return the snapshots that begin an independent period: the first, and each next one a horizon or more later."""
    starts: list[pd.Timestamp] = []
    for snapshot in snapshots:
        if not starts or (snapshot - starts[-1]).days >= horizon:
            starts.append(snapshot)
    return starts


def _blocks(judged: Judged, horizon: int) -> NDArray[np.int64]:
    """The number of each row's period, from 0."""
    starts = np.array(period_starts(judged.snapshots, horizon), dtype="datetime64[us]")
    dates = judged.rows["snapshot_date"].to_numpy(dtype="datetime64[us]")
    return np.asarray(np.searchsorted(starts, dates, side="right") - 1, dtype=np.int64)


def _values(judged: Judged, version: str, metric: str) -> dict[str, float]:
    """The metric of all rows, and the least and greatest of single snapshots; NaN where none has one."""
    measure, scores, dates = MEASURES[metric], judged.scores[version], judged.rows["snapshot_date"]
    if not len(scores):
        return dict.fromkeys(("value", "least", "greatest"), np.nan)
    taken = [(dates == day).to_numpy() for day in judged.snapshots]
    alone = pd.Series([measure(scores[rows], judged.churned[rows]) for rows in taken])
    return {"value": measure(scores, judged.churned), "least": alone.min(), "greatest": alone.max()}
