"""Rows in memory handed to an engine: registered as they are, or through a file where it runs elsewhere."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.engines.base import ArrayEngine, Engine


def hand_over(engine: Engine, relation: str, rows: pa.Table, folder: Path) -> None:
    """Make Arrow rows a relation of the engine; `folder` is for the file, if it takes one."""
    if isinstance(engine, ArrayEngine):
        engine.register(relation, rows.cast(pa.schema(map(_without_zone, rows.schema))))
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{relation}.parquet"
    pq.write_table(rows, file)
    engine.scan(relation, [file], rows.schema, ())


def _without_zone(field: pa.Field) -> pa.Field:
    return field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
