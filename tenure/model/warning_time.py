"""Warning time: how many days before they left churners stood in the first tenth of the list.

snapshots   ▌      ▌      ▌      ▌
listed                    ■      ■            in the tenth of the snapshot with the highest scores
left                                  ▒       warning: from the first ■ to ▒
            └ the test begins: no listing before it is known, so that a warning is never longer than from here
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tenure.model.judged import Judged
from tenure.model.score import in_queue

MOMENT, FROM, BY = "the leaving", "label_start", "label_end"
"""Until when days are counted: the event's own moment; or, of an event without one, the bounds of its horizon."""

COLUMNS = (
    *("model_version", "kind", "until", "churners", "listed", "share_never_listed"),
    *("lower_quartile", "median", "upper_quartile", "longest_possible"),
)

_QUARTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


def warning_time(judged: Judged, left_at: pd.Series | None, *, horizon: int) -> pd.DataFrame:
    """Return one row per model and `until`, with COLUMNS; days, quartiles of the churners who were listed, NaN of none.

    `left_at` is the moment of the event of each test row, null where none is known; then `until` is 'the leaving', and
    a churner's listings up to that moment count. None for an event without a moment: then there are two rows, to the
    first and to the last day of the horizon (days) of the churner's first label of 1, and listings up to its snapshot
    count. `longest_possible` is the longest warning that a churner of the test could have had.
    """
    churned = judged.churned == 1
    rows = judged.rows.assign(customer=judged.customer)
    dates = rows["snapshot_date"]
    if left_at is None:
        first = dates.where(churned).groupby(rows["customer"]).transform("min")
        end = rows["label_end"].where(churned & (dates == first)).groupby(rows["customer"]).transform("min")
        counted = dates <= first
        ends = {FROM: end - pd.Timedelta(days=horizon), BY: end}
    else:
        known = churned & left_at.notna().to_numpy()
        moment = pd.to_datetime(left_at).where(known).groupby(rows["customer"]).transform("min")
        counted = dates <= moment
        ends = {MOMENT: moment}
    found: list[dict[str, Any]] = []
    for version, scores in judged.scores.items():
        is_listed = in_queue(rows.assign(score=scores), judged.keys)["decile"] == 1
        identity = {"model_version": version, "kind": judged.kinds[version]}
        for until, end in ends.items():
            found.append({**identity, "until": until, **_figures(rows, end, counted & is_listed, counted)})
    return pd.DataFrame(found, columns=list(COLUMNS))


def _figures(rows: pd.DataFrame, end: pd.Series, is_listed: pd.Series, counted: pd.Series) -> dict[str, float]:
    """Churners, those of them listed in time, and the quartiles of their days from first listing to the end."""
    leaving = rows.assign(end=end)[counted]
    churners = leaving["customer"].nunique()
    listed = leaving[is_listed[counted]].groupby("customer").agg(first=("snapshot_date", "min"), end=("end", "min"))
    days = (listed["end"] - listed["first"]).dt.days
    possible = (leaving["end"] - leaving["snapshot_date"]).dt.days
    return {
        "churners": churners,
        "listed": len(listed),
        "share_never_listed": 1 - len(listed) / churners if churners else np.nan,
        **{name: float(days.quantile(share)) for name, share in _QUARTILES.items()},
        "longest_possible": float(possible.max()),
    }
