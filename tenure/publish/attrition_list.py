"""The attrition list: today's customers, the likeliest to leave first, each with the reasons why."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tenure.define.project import REASONS
from tenure.errors import ModelError


def attrition_list(
    scores: pd.DataFrame,
    reasons: pd.DataFrame,
    segments: pd.DataFrame,
    keys: Sequence[str],
    closed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per row of `scores`, but for the keys of `closed`, by rank, which is counted anew without these.

    Its columns are rank, keys, snapshot_date, score, decile, segment_id, reason_1 to reason_4 (text, null where fewer
    push towards attrition) and model_version. `scores` and `reasons` are those of one model version and snapshot.
    Nothing else of a customer is on the list, so no personal data are. Raises ModelError if a customer has no reasons
    or no segment, or has two.
    """
    row = [*keys, "snapshot_date"]
    with_reasons = _one_to_one(scores, reasons[[*row, *REASONS]], row, "reasons", "explain")
    placed = _one_to_one(with_reasons, segments[[*row, "segment_id"]], row, "segment", "segment")
    columns = ["rank", *row, "score", "decile", "segment_id", *REASONS, "model_version"]
    ranked = placed[columns].sort_values("rank", kind="stable").reset_index(drop=True)
    if closed is None or closed.empty:
        return ranked
    left = ranked.merge(closed[[*keys]].drop_duplicates(), on=[*keys], how="left", indicator="whose")
    there = left[left["whose"] == "left_only"].drop(columns="whose").reset_index(drop=True)
    there["rank"] = range(1, len(there) + 1)
    return there.astype({"rank": ranked["rank"].dtype})


def _one_to_one(left: pd.DataFrame, right: pd.DataFrame, row: list[str], what: str, stage: str) -> pd.DataFrame:
    joined = left.merge(right, on=row, how="inner")
    if len(joined) != len(left) or joined.duplicated(row).any():
        raise ModelError(
            f"of {len(left):,} scored customers {len(joined):,} rows have {what}; each must have one.",
            hint=f"Run 'tenure {stage}'.",
        )
    return joined
