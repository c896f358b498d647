"""Raw tables as OpenLineage names them: files by their path or key, tables of a server by host, database and name.

Csv("payments_*.csv")        file             /bank/data/payments_*.csv      the pattern, so that no file's name shows
Postgres(query, dsn=…)       postgres://host:5432   bank.public.payments     of the connection string nothing else
Odbc(table=…, dsn_env=…)     odbc://TENURE_ODBC     dbo.payments             by the variable that names the server
"""

from __future__ import annotations

import os
from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tenure.catalog.openlineage import DatasetName, dataset_name
from tenure.define.raw_tables import Odbc, Postgres, RawTable
from tenure.define.shape import ByKind
from tenure.engines.connection_string import parse
from tenure.session.folders import Folders
from tenure.storage.location import located


def raw_datasets(raw: RawTable, source: str, folders: Folders) -> tuple[DatasetName, ...]:
    """Return the datasets that a raw table of a source reads: one of files, one or more of a server's query."""
    if raw.path:
        asked_by = f"the path of source '{source}'"
        return (dataset_name(located(raw.path, asked_by=asked_by, folder=folders.data, s3=folders.s3)),)
    return _SERVERS.of(raw)(raw, source)


def _of_postgres(raw: Postgres, source: str) -> tuple[DatasetName, ...]:
    namespace, database = _postgres_place(raw.dsn)
    tables = _tables(raw.query, "postgres", schema="public") or (source,)
    return tuple(DatasetName(namespace, ".".join(filter(None, (database, table)))) for table in tables)


def _of_odbc(raw: Odbc, source: str) -> tuple[DatasetName, ...]:
    tables = (raw.table,) if raw.table else _tables(raw.query, "", schema="") or (source,)
    return tuple(DatasetName(f"odbc://{raw.dsn_env}", table) for table in tables)


_SERVERS: ByKind[Callable[..., tuple[DatasetName, ...]]] = ByKind(
    "raw table of a server", {Postgres: _of_postgres, Odbc: _of_odbc}
)


def _postgres_place(variable: str) -> tuple[str, str]:
    """The server and the database that a connection string names; where it may show a secret, its variable's name."""
    said = parse(os.environ.get(variable, ""))
    parts: dict[str, str] = {}
    for name, value in said.parts if said else ():
        parts.setdefault(name, value)
    host, port, database = parts.get("host", ""), parts.get("port") or "5432", parts.get("dbname", "")
    # A socket's folder is a place of this machine.
    host = "localhost" if not host or host.startswith("/") else host
    if said is None or not port.isdecimal() or said.may_hold_secret(f"{host} {port} {database}"):
        return f"postgres://{variable}", ""
    return f"postgres://{host}:{port}", database


def _tables(query: str, dialect: str, *, schema: str) -> tuple[str, ...]:
    """The tables that a query reads, each with its schema; () where that can't be read from the text."""
    try:
        tree = sqlglot.parse_one(query, read=dialect or None)
    except SqlglotError:
        return ()
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = [table for table in tree.find_all(exp.Table) if table.name and (table.db or table.name not in own)]
    return tuple(dict.fromkeys(".".join(filter(None, (table.db or schema, table.name))) for table in named))
