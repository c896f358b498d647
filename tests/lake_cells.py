"""What a table holds, but for when and in which run it was made: two lakes that were made alike compare equal."""

import pyarrow as pa

from tenure.store.lake import Lake

#: When, in which run and of which files a row was made is not part of its content.
NOT_CONTENT = {"created_at", "explained_at", "run_id", "digest"}


def cells(lake: Lake, table: str) -> pa.Table:
    """A table's cells in an order of their own; of a history by run, those of each source's newest run."""
    rows = lake.read(table)
    if {"source", "run_id"} <= {*rows.column_names}:
        # A run that was killed may have judged a source, and the next one judged it again.
        newest = rows.group_by("source").aggregate([("run_id", "max")])
        rows = rows.join(newest, ["source", "run_id"], ["source", "run_id_max"], "left semi")
    rows = rows.select([name for name in rows.column_names if name not in NOT_CONTENT])
    for place, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):  # tiles hold lists, in no order; Arrow sorts by no nested column
            values = [str(sorted(v) if isinstance(v, list) else v) for v in rows[field.name].to_pylist()]
            rows = rows.set_column(place, field.name, pa.array(values))
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
