"""ODBC: a query's rows landed as Parquet, as those of PostgreSQL are; a number travels as the text of its digits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from tenure.define.raw_tables import Odbc
from tenure.engines.connection_string import ALLOWED_BY_ODBC, ConnectionString, parse_odbc
from tenure.engines.warehouse import CAUSES, batches_of, driven, write_rows
from tenure.errors import MissingDependency, WarehouseError, install_hint
from tenure.faults.redact import redacted

#: What a state of ODBC, or the start of it, says of a failed connection.
_STATES = (
    ("IM002", "neither its driver nor its DSN is known on this machine"),
    ("IM", "its driver can't be used on this machine"),
    ("01000", "its driver is not installed on this machine"),
    ("28000", "the user or password is refused"),
    ("08001", "the server can't be reached"),
    ("08004", "the server rejects the connection"),
    ("08", "the connection fails"),
    ("HYT", "no answer in time"),
)

#: So many rows, or bytes of room for them, are fetched at once.
_ROWS, _BYTES = 20_000, 64 * 2**20

#: The longest text, in signs, of a column that says no length of its own.
_LONGEST_TEXT = 32_768

_STATE = re.compile(r"State: ([0-9A-Z]{5})\b")
_SAID = re.compile(r"Message: (?:\[[^\]\n]*\])*\s*(?:ERROR:)?\s*([^\n]*)")
_WORD = re.compile(r"\w+")


def land(raw: Odbc, folder: Path, *, asked_by: str) -> Path:
    """Stream a query's rows into one Parquet file in `folder` and return it; nothing half-written stays.

    Raises WarehouseError if the environment variable is not set, the server can't be reached or refuses the query, or a
    column's type has no like in every engine; EmptyTable if the result has no columns; MissingDependency without
    arrow-odbc or a driver manager.
    """
    return write_rows(_reader(raw, asked_by), folder, asked_by=asked_by)


@contextmanager
def _reader(raw: Odbc, asked_by: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The query's columns and its rows, batch by batch; what the driver says is never passed on as it is."""
    said = _connection_string(raw, asked_by)
    odbc = _library(asked_by)
    connection = driven(
        # Nothing is committed, so that a statement which is no query changes nothing.
        lambda: odbc.connect(os.environ[raw.dsn_env], autocommit=False),
        lambda error: _unreachable(raw, said, asked_by, error),
    )
    refused = partial(_refused, raw, said, asked_by)
    reader = driven(partial(_asked, odbc, connection, raw), refused)
    try:
        yield reader.schema, batches_of(reader, refused)
    finally:
        del reader
        driven(connection.rollback, refused)


def _asked(odbc: Any, connection: Any, raw: Odbc) -> Any:
    return connection.read_arrow_batches(
        raw.select,
        batch_size=_ROWS,
        max_bytes_per_batch=_BYTES,
        max_text_size=_LONGEST_TEXT,
        max_binary_size=1,  # bytes are refused: this much is room enough to learn that a column has them
        falliable_allocations=True,
        map_schema=_fetched,
        fetch_concurrently=False,
        payload_text_encoding=odbc.TextEncoding.UTF16,  # what a driver makes of UTF-8 depends on the machine's locale
    )


def _library(asked_by: str) -> Any:
    try:
        import arrow_odbc
    except ImportError as error:
        raise MissingDependency(f"{asked_by} reads ODBC, which needs arrow-odbc.", hint=install_hint("odbc")) from error
    except OSError as error:
        raise MissingDependency(
            f"{asked_by} reads ODBC, which needs a driver manager, and none is on this machine.",
            hint="Install unixODBC (apt-get install unixodbc) and the database's own driver.",
        ) from error
    return arrow_odbc


def _fetched(schema: pa.Schema) -> pa.Schema:
    """The types that are asked for: what a driver calls a float is a double, and no digit of a decimal is lost."""
    return pa.schema([pa.field(field.name, _fetched_type(field.type)) for field in schema])


def _fetched_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(type_):
        return pa.string()
    if pa.types.is_float32(type_):
        return pa.float64()
    if pa.types.is_uint8(type_):
        return pa.int16()
    # Nanoseconds end in 2262, before the year 9999 of an open end.
    return pa.timestamp("us", type_.tz) if pa.types.is_timestamp(type_) else type_


def _connection_string(raw: Odbc, asked_by: str) -> ConnectionString:
    """What the environment variable holds; WarehouseError, which repeats none of it, if it can't be read for sure."""
    held = os.environ.get(raw.dsn_env)
    if not held:
        raise WarehouseError(
            f"{asked_by} reads ODBC, but the environment variable {raw.dsn_env} is not set.",
            hint=f"export {raw.dsn_env}='Driver={{ODBC Driver 18 for SQL Server}};Server=…;Database=…;UID=…;PWD={{…}}'",
        )
    said = parse_odbc(held)
    if said is None:
        raise WarehouseError(
            f"{asked_by}: what the environment variable {raw.dsn_env} holds is no connection string of ODBC, or one "
            "that could be read in two ways.",
            hint=f"Allowed: {ALLOWED_BY_ODBC}.",
        )
    return said


def _unreachable(raw: Odbc, said: ConnectionString, asked_by: str, error: Exception) -> WarehouseError:
    """The driver's text of a failed connection is read for its cause and never shown: it may quote the string."""
    text, state = str(error), _state(error)
    causes = [cause for sign, cause in CAUSES if re.search(sign, text)]
    if state.startswith(("IM", "01000")) or not causes:
        causes = [cause for start, cause in _STATES if state.startswith(start)]
    at = f" at {said.place}" if said.place else ""
    return WarehouseError(
        f"{asked_by}: the database{at} ({raw.dsn_env}) can't be connected to: "
        f"{causes[0] if causes else 'the driver refuses it'}{_in_words(state)}.",
        hint=f"Check the server, its ODBC driver (odbcinst -q -d lists those here), and the connection string in "
        f"{raw.dsn_env}: {ALLOWED_BY_ODBC}.",
    )


def _refused(raw: Odbc, said: ConnectionString, asked_by: str, error: Exception) -> WarehouseError:
    """What the server says of the query, with rows' values by their shape; words of the query itself may stay."""
    text = str(error)
    if "too large to be written" in text:
        return WarehouseError(
            f"{asked_by}: a text or number of the query is longer than its column says, or than {_LONGEST_TEXT:,} "
            "signs where it says nothing.",
            hint="Leave the column out, or cast it in the query, for example CAST(note AS varchar(2000)) AS note; the "
            "driver may have an option for long texts too.",
        )
    found = _SAID.search(text)
    reason = redacted((found[1] if found else text.splitlines()[0]).strip().rstrip(";."), _WORD.findall(raw.select))
    if said.may_hold_secret(reason):
        reason = "its reason may hold a part of the connection string and is left out"
    return WarehouseError(
        f"{asked_by}: the database ({raw.dsn_env}) refuses the query: {reason}{_in_words(_state(error))}.",
        hint=f"Check the query and the server. A value shows as its shape: run the query with {raw.dsn_env} to see it.",
    )


def _state(error: Exception) -> str:
    found = _STATE.search(str(error))
    return found[1] if found else ""


def _in_words(state: str) -> str:
    return f" (SQLSTATE {state})" if state else ""
