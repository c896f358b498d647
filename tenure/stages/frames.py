"""Frames that models make, as rows of tables."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd


def arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as rows of a table, without what pandas notes beside them."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def of_partition(snapshot_date: date, model_version: str) -> dict[str, object]:
    """Return the partition of what a model made at a snapshot, value by column."""
    return {"snapshot_date": snapshot_date, "model_version": model_version}
