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


def of_partition(rows: pa.Table, snapshot_date: date, model_version: str) -> pa.Table:
    """Return rows that a model made at a snapshot, with the columns that say so."""
    for name, value in (("snapshot_date", pa.scalar(snapshot_date)), ("model_version", pa.scalar(model_version))):
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows
