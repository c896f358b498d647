"""Test rows and scores written by hand, so that no model is trained to judge them."""

import numpy as np
import pandas as pd

from tenure.model.judged import Judged


def judged_by_hand(snapshots, churned, *, horizon=30, customers=None, **scores):
    """One row a customer and snapshot: `churned` and each score have shape (snapshots × customers,)."""
    dates = pd.to_datetime(snapshots)
    count = len(churned) // len(dates)
    rows = pd.DataFrame(
        {
            "customer_id": np.tile(np.arange(count), len(dates)) if customers is None else customers,
            "snapshot_date": dates.repeat(count),
            "churned": np.asarray(churned, dtype=int),
        }
    )
    rows["label_end"] = rows["snapshot_date"] + pd.Timedelta(days=horizon)
    named = {f"{kind}-1": np.asarray(of, dtype=float) for kind, of in scores.items()}
    return Judged(rows, ("customer_id",), named, {f"{kind}-1": kind for kind in scores})
