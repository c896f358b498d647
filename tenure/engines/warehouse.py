"""The warehouse: a query's result landed as Parquet, exact decimals kept, so that every engine reads it alike."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.source import Postgres
from tenure.errors import EmptyTable, MissingDependency, WarehouseError, install_hint

#: A password in a connection string: //user:password@host, or password=… among pairs or options.
_PASSWORD = re.compile(r"//[^/]*?:(.*)@|password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)")

#: Arrow types that both engines read from Parquet alike.
_READABLE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_null,
)


def land(raw: Postgres, folder: Path, *, asked_by: str) -> Path:
    """Stream a query's rows into one Parquet file in `folder` and return it; nothing half-written stays.

    Raises WarehouseError if the environment variable is not set, the server can't be reached or refuses the
    query, or a column's type has no like in every engine; EmptyTable if the result has no columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, partial = folder / "rows.parquet", folder / "rows.partial"
    try:
        with _reader(raw, asked_by) as reader:
            landed = pa.schema([_plain(field, asked_by) for field in reader.schema])
            if not landed:
                raise EmptyTable(f"{asked_by}: the query returns no columns.", hint="Write a SELECT.")
            with pq.ParquetWriter(partial, landed) as writer:
                for batch in reader:
                    writer.write_table(pa.Table.from_batches([batch.cast(_storage(batch.schema))]).cast(landed))
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
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
            f"{asked_by} reads PostgreSQL, which needs ADBC.", hint=install_hint("warehouse")
        ) from error
    try:
        with adbc.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(raw.query)
            yield cursor.fetch_record_batch()
    except adbc.Error as error:
        # The driver's own error may quote the connection string, so it is not chained.
        raise WarehouseError(
            f"{asked_by}: PostgreSQL ({raw.dsn}) says: {_without_secrets(str(error), dsn)}",
            hint=f"Check the server, the query, and the connection string in {raw.dsn}.",
        ) from None


def _without_secrets(reason: str, dsn: str) -> str:
    """Return the first line of a driver's reason without the connection string or its password."""
    told = reason.splitlines()[0]
    if "connection info string" in told or "invalid percent-encoded" in told or "connection option" in told:
        return "what it holds is not a connection string such as postgresql://user:password@host:5432/database"
    found = _PASSWORD.search(dsn)
    password = next((part for part in found.groups() if part), "") if found else ""
    for secret in (dsn, password.strip("'"), unquote(password)):
        told = told.replace(secret, "***") if secret else told
    return told


def _storage(schema: pa.Schema) -> pa.Schema:
    """Opaque NUMERIC columns as the text that stores them."""
    return pa.schema([pa.field(f.name, getattr(f.type, "storage_type", f.type)) for f in schema])


def _plain(field: pa.Field, asked_by: str) -> pa.Field:
    # NUMERIC arrives as text and is landed as text, so staging parses it exactly, with the same checks as a file's.
    type_ = getattr(field.type, "storage_type", field.type)
    if not any(readable(type_) for readable in _READABLE):
        raise WarehouseError(
            f"{asked_by}: column '{field.name}' of the query is a {type_}, which not every engine reads.",
            hint=f"Cast it in the query, for example CAST({field.name} AS text) AS {field.name}.",
        )
    return pa.field(field.name, type_)
