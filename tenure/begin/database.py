"""A database: which tables PostgreSQL has, by its information_schema, and what it declares of their keys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from tenure.begin.files import Found, FoundTable
from tenure.define.raw_tables import Postgres
from tenure.errors import EmptyTable, InvalidConfig, WarehouseError

#: So many rows of each table are read to tell what its columns are.
MOST_ROWS = 200_000

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: What looks like the address of a database, or holds a password.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|(^|\s)(host|user|password|dbname)\s*=", re.IGNORECASE)

_TABLES = """
    SELECT t.table_schema, t.table_name
    FROM information_schema.tables AS t
    WHERE t.table_type IN ('BASE TABLE', 'VIEW') AND t.table_schema NOT IN ('information_schema', 'pg_catalog')
    ORDER BY t.table_schema, t.table_name
"""

#: Types that some engine can't read: the column is left out, or its query casts it.
_COLUMNS = """
    SELECT c.table_schema, c.table_name, c.column_name, c.data_type
    FROM information_schema.columns AS c
    WHERE c.table_schema NOT IN ('information_schema', 'pg_catalog')
    ORDER BY c.table_schema, c.table_name, c.ordinal_position
"""

_READ_AS_THEY_ARE = frozenset(
    {
        *("smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "date", "text"),
        *("character varying", "character", "timestamp without time zone", "timestamp with time zone"),
    }
)

#: Runs a query of the database and returns its rows.
Ask = Callable[[Postgres], pa.Table]


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database, by the environment variable that holds its connection string."""

    variable: str


def database_of(origin: str) -> Database | None:
    """Return the database that `--from env:NAME` names, None where the text names a folder.

    Raises InvalidConfig, which repeats none of it, for a connection string on the command line, and for a variable
    that is none; WarehouseError for one that is not set.
    """
    if origin.startswith("env:"):
        variable = origin.removeprefix("env:")
        if not _VARIABLE.fullmatch(variable):
            raise InvalidConfig(
                "--from env:… gives no name of an environment variable.",
                hint="Export the connection string, for example as TENURE_POSTGRES_DSN, and give "
                "--from env:TENURE_POSTGRES_DSN.",
            )
        if not os.environ.get(variable):
            raise WarehouseError(
                f"--from env:{variable}: the environment variable {variable} is not set.",
                hint=f"export {variable}='postgresql://user:password@host:5432/database'",
            )
        return Database(variable)
    is_file = re.match("file:|s3:", origin, re.IGNORECASE)
    if _ADDRESS.search(origin) and not is_file:
        raise InvalidConfig(
            "--from holds the address of a database; on a command line others can read it, password and all.",
            hint="Export it, for example as TENURE_POSTGRES_DSN, and give --from env:TENURE_POSTGRES_DSN.",
        )
    return None


def tables_of(database: Database, ask: Ask) -> Found:
    """Return the tables and views of a database; raise EmptyTable if there is none."""
    columns: dict[tuple[str, str], list[str]] = {}
    found = Found()
    for row in ask(Postgres(_COLUMNS, dsn=database.variable)).to_pylist():
        place = (str(row["table_schema"]), str(row["table_name"]))
        read = _read_as(str(row["column_name"]), str(row["data_type"]))
        if read:
            columns.setdefault(place, []).append(read)
        else:
            found.questions.append(f"{place[1]}.{row['column_name']} is left out: its type is {row['data_type']}.")
    taken: set[str] = set()
    for row in ask(Postgres(_TABLES, dsn=database.variable)).to_pylist():
        place = (str(row["table_schema"]), str(row["table_name"]))
        if place not in columns:
            continue
        name = _plain(place[1]) if _plain(place[1]) not in taken else _plain("_".join(place))
        taken.add(name)
        query = f"SELECT {', '.join(columns[place])} FROM {_quoted(place[0])}.{_quoted(place[1])}"
        found.tables.append(FoundTable(name, Postgres(query, dsn=database.variable)))
    if not found.tables:
        raise EmptyTable(
            f"the database of ${database.variable} has no table that its user may read.",
            hint="Give a user who may read the bank's tables.",
        )
    return found


def _read_as(column: str, kind: str) -> str:
    """How a query reads a column: as it is, or as text; '' where neither would do."""
    if kind in _READ_AS_THEY_ARE:
        return _quoted(column)
    if kind in ("uuid", "USER-DEFINED"):
        return f"CAST({_quoted(column)} AS text) AS {_quoted(column)}"
    return ""


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in ("order", "user", "date") else f'"{name}"'


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "rows_of_a_table"
