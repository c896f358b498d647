"""The warehouse: a query's result landed as Parquet, exact decimals kept, so that every engine reads it alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.source import Postgres
from tenure.errors import EmptyTable, MissingDependency, WarehouseError


def land(raw: Postgres, folder: Path, *, asked_by: str) -> Path:
    """Stream a query's rows into one Parquet file in `folder` and return it; nothing half-written stays.

    Raises WarehouseError if the environment variable is not set, the server can't be reached or refuses the
    query; EmptyTable if the result has no columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, partial = folder / "rows.parquet", folder / "rows.partial"
    with _reader(raw, asked_by) as reader:
        first_schema = pa.schema([_plain(field) for field in reader.schema])
        if not first_schema:
            raise EmptyTable(f"{asked_by}: the query returns no columns.")
        with pq.ParquetWriter(partial, first_schema) as writer:
            for batch in reader:
                writer.write_table(pa.Table.from_batches([batch.cast(_storage(batch.schema))]).cast(first_schema))
    partial.rename(file)
    return file


@contextmanager
def _reader(raw: Postgres, asked_by: str) -> Iterator[Any]:
    dsn = os.environ.get(raw.dsn)
    if not dsn:
        raise WarehouseError(
            f"{asked_by} reads PostgreSQL, but the environment variable {raw.dsn} is not set.",
            hint=f"export {raw.dsn}=postgresql://user:password@host:5432/database",
        )
    try:
        import adbc_driver_postgresql.dbapi as adbc
    except ImportError as error:
        raise MissingDependency(
            f"{asked_by} reads PostgreSQL, which needs ADBC.", hint="Run pip install 'tenure[warehouse]'."
        ) from error
    try:
        with adbc.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(raw.query)
            yield cursor.fetch_record_batch()
    except adbc.Error as error:
        reason = str(error).splitlines()[0].replace(dsn, raw.dsn)
        raise WarehouseError(f"{asked_by}: PostgreSQL ({raw.dsn}) says: {reason}") from error


def _storage(schema: pa.Schema) -> pa.Schema:
    """Opaque NUMERIC columns as the text that stores them."""
    return pa.schema([pa.field(f.name, getattr(f.type, "storage_type", f.type)) for f in schema])


def _plain(field: pa.Field) -> pa.Field:
    # NUMERIC arrives as text and is landed as text, so staging parses it exactly, with the same checks as a file's.
    return pa.field(field.name, getattr(field.type, "storage_type", field.type))
