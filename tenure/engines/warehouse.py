"""The warehouse: a query's result landed as Parquet, exact decimals kept, so that every engine reads it alike."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import Postgres
from tenure.engines.connection_string import ALLOWED, ConnectionString, parse
from tenure.errors import EmptyTable, MissingDependency, WarehouseError, install_hint
from tenure.faults.redact import redacted

#: What a failed connection's text is about, in our words: the text itself quotes the connection string.
CAUSES = (
    ("Connection refused", "connection refused; nothing listens there"),
    ("could not translate host name|Name or service not known", "the host's name is not known"),
    ("timeout expired|timed out", "no answer in time"),
    ("password authentication failed|no password supplied|[Aa]uthentication failed", "the user or password is refused"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf allows no such connection"),
    ("role .* does not exist", "the user does not exist there"),
    ("database .* does not exist", "the database does not exist there"),
    ("permission denied for database", "the user may not enter the database"),
    ("socket .*No such file or directory", "the server's socket is not there"),
    ("too many (clients|connections)|connection slots", "the server has no connection left"),
    ("starting up|shutting down|recovery", "the server is starting or stopping"),
    ("server closed the connection", "the server closed the connection"),
    ("SSL|certificate|sslmode", "SSL could not be agreed on"),
    ("unreachable|No route to host", "the network does not reach it"),
    ("definition of service", "its service is defined nowhere"),
    ("invalid (URI query parameter|connection option|integer value)", "an option or its value is not allowed"),
)

_WORD = re.compile(r"\w+")

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
    return write_rows(_reader(raw, asked_by), folder, asked_by=asked_by)


#: A query's columns and its rows, batch by batch, for as long as the connection is open.
Rows: TypeAlias = AbstractContextManager[tuple[pa.Schema, Iterator[pa.RecordBatch]]]


def write_rows(rows: Rows, folder: Path, *, asked_by: str) -> Path:
    """Write a query's rows into one Parquet file in `folder` and return it; nothing half-written stays.

    Raises WarehouseError for a type that not every engine reads and for a column that is there twice, EmptyTable if
    there are no columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, unfinished = folder / "rows.parquet", folder / "rows.partial"
    try:
        with rows as (schema, batches):
            landed = pa.schema([_plain(field, asked_by) for field in schema])
            if not landed:
                raise EmptyTable(f"{asked_by}: the query returns no columns.", hint="Write a SELECT.")
            _require_once(landed.names, asked_by)
            with pq.ParquetWriter(unfinished, landed) as writer:
                for batch in batches:
                    writer.write_table(pa.Table.from_batches([batch.cast(_storage(batch.schema))]).cast(landed))
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


@contextmanager
def _reader(raw: Postgres, asked_by: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The query's columns and its rows, batch by batch; what the driver says is never passed on as it is."""
    said = _connection_string(raw, asked_by)
    try:
        import adbc_driver_postgresql.dbapi as adbc
    except ImportError as error:
        raise MissingDependency(
            f"{asked_by} reads PostgreSQL, which needs ADBC.", hint=install_hint("warehouse")
        ) from error
    connection = driven(
        lambda: adbc.connect(os.environ[raw.dsn]), lambda error: _unreachable(raw, said, asked_by, error)
    )
    with connection, connection.cursor() as cursor:
        refused = partial(_refused, raw, said, asked_by)
        driven(lambda: cursor.execute(raw.query), refused)
        reader = driven(cursor.fetch_record_batch, refused)
        yield reader.schema, batches_of(reader, refused)


def _connection_string(raw: Postgres, asked_by: str) -> ConnectionString:
    """What the environment variable holds; WarehouseError, which repeats none of it, if it can't be read for sure."""
    dsn = os.environ.get(raw.dsn)
    if not dsn:
        raise WarehouseError(
            f"{asked_by} reads PostgreSQL, but the environment variable {raw.dsn} is not set.",
            hint=f"export {raw.dsn}=postgresql://user:password@host:5432/database",
        )
    said = parse(dsn)
    if said is None:
        raise WarehouseError(
            f"{asked_by}: what the environment variable {raw.dsn} holds is not a connection string such as "
            "postgresql://user:password@host:5432/database, or one that could be read in two ways.",
            hint=f"Allowed: {ALLOWED}.",
        )
    return said


def driven(call: Callable[[], Any], refused: Callable[[Exception], WarehouseError]) -> Any:
    """Return what the driver returns; its error is neither chained nor kept, since it may hold secrets or rows."""
    refusal = None
    try:
        return call()
    except Exception as error:  # noqa: BLE001  (adbc.Error, OSError, ArrowException: any of them quotes what it was given)
        refusal = refused(error)
    raise refusal


def batches_of(reader: Any, refused: Callable[[Exception], WarehouseError]) -> Iterator[pa.RecordBatch]:
    """Yield the driver's batches."""
    while True:
        batch = driven(lambda: next(reader, None), refused)
        if batch is None:
            return
        yield batch


def _unreachable(raw: Postgres, said: ConnectionString, asked_by: str, error: Exception) -> WarehouseError:
    """The driver's text of a failed connection is read for its cause and never shown: it quotes the string."""
    text = str(error)
    cause = next((cause for sign, cause in CAUSES if re.search(sign, text)), "the driver refuses it")
    at = f" at {said.place}" if said.place else ""
    return WarehouseError(
        f"{asked_by}: PostgreSQL{at} ({raw.dsn}) can't be connected to: {cause}{_sqlstate(error)}.",
        hint=f"Check the server, and the connection string in {raw.dsn}: {ALLOWED}.",
    )


def _refused(raw: Postgres, said: ConnectionString, asked_by: str, error: Exception) -> WarehouseError:
    """What the server says of the query, with rows' values by their shape; words of the query itself may stay."""
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    reason = redacted(first.partition("ERROR:")[2].strip() or first, _WORD.findall(raw.query))
    if said.may_hold_secret(reason):
        reason = "its reason may hold a part of the connection string and is left out"
    return WarehouseError(
        f"{asked_by}: PostgreSQL ({raw.dsn}) refuses the query: {reason}{_sqlstate(error)}.",
        hint=f"Check the query and the server. A value shows as its shape: run the query with {raw.dsn} to see it.",
    )


def _sqlstate(error: Exception) -> str:
    state = str(getattr(error, "sqlstate", "") or "")
    return f" (SQLSTATE {state})" if re.fullmatch("[0-9A-Z]{5}", state) else ""


def _storage(schema: pa.Schema) -> pa.Schema:
    """Opaque NUMERIC columns as the text that stores them."""
    return pa.schema([pa.field(f.name, getattr(f.type, "storage_type", f.type)) for f in schema])


def _require_once(names: Sequence[str], asked_by: str) -> None:
    """Raise WarehouseError for a column that is there twice; engines do not tell names apart by case."""
    counted = Counter(name.lower() for name in names)
    twice = next((name for name in names if counted[name.lower()] > 1), None)
    if twice is not None:
        raise WarehouseError(
            f"{asked_by}: the query returns column '{twice}' twice.",
            hint="Give each its own name in the query: SELECT a.id AS id, b.id AS other_id.",
        )


def _plain(field: pa.Field, asked_by: str) -> pa.Field:
    # NUMERIC arrives as text and is landed as text, so staging parses it exactly, with the same checks as a file's.
    type_ = getattr(field.type, "storage_type", field.type)
    if not any(readable(type_) for readable in _READABLE):
        raise WarehouseError(
            f"{asked_by}: column '{field.name}' of the query is a {type_}, which not every engine reads.",
            hint=f"Cast it in the query, for example CAST({field.name} AS text) AS {field.name}.",
        )
    return pa.field(field.name, type_)
