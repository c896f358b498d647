"""Frames that models make, as rows of tables that keep their history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tenure.errors import StoreError
from tenure.session.work import Work

if TYPE_CHECKING:
    import pandas as pd


def arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as rows of a table, without what pandas notes beside them."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def with_history(work: Work, table: str, rows: pa.Table) -> pa.Table:
    """The table with this model version's rows of this snapshot replaced, and all others kept."""
    if work.lake.find(table) is None:
        return rows
    old = work.lake.read(table)
    same_version = pc.is_in(old["model_version"], rows["model_version"].unique())
    if "snapshot_date" in rows.column_names:
        same_version = pc.and_(same_version, pc.is_in(old["snapshot_date"], rows["snapshot_date"].unique()))
    kept = old.filter(pc.invert(same_version))
    try:
        return pa.concat_tables([kept, rows], promote_options="permissive") if kept.num_rows else rows
    except pa.ArrowException as error:
        raise StoreError(
            f"table '{table}' holds rows of earlier runs whose columns have other types: {error}",
            hint=f"Move the folder '{work.lake.path(table)}' away; the next run begins it anew.",
        ) from error
