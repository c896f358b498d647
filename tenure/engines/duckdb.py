"""DuckDB, the embedded engine: one process, all cores, a memory limit that holds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from tenure.define.source import Csv, Parquet
from tenure.engines.base import EngineSettings
from tenure.engines.files import check_structure, csv_header
from tenure.errors import EngineError, UnreadableFile
from tenure.redact import redacted
from tenure.sql import Dialect, literal, quoted

#: Errors of a statement, which quote its own words and no row.
_OF_STATEMENTS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)

#: Rows of a batch that streams: few enough to stay in the processor's cache.
_BATCH = 122_880


class DuckDBEngine:
    """Runs SELECTs in DuckDB. Instants are naive UTC inside and UTC-aware in files."""

    dialect: Dialect = "duckdb"
    version = f"duckdb {duckdb.__version__}"

    def __init__(self, settings: EngineSettings, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self._settings = settings
        self._raw_files: dict[str, tuple[Csv, Sequence[Path]]] = {}
        self._held: set[str] = set()
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory,
            "autoinstall_known_extensions": "false",
            **settings.options,
        }
        if settings.threads:
            options["threads"] = settings.threads
        try:
            self._connection = connection or duckdb.connect(config=options)
        except duckdb.Error as error:
            raise EngineError(f"DuckDB refuses its settings: {error}", hint="See [engine] in tenure.toml.") from error
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")

    def read(self, relation: str, raw: Csv | Parquet, files: Sequence[Path]) -> dict[str, str]:
        """Make raw files a relation; CSV values stay text."""
        listed = "[" + ", ".join(literal(str(f), "duckdb") for f in files) + "]"
        if isinstance(raw, Csv):
            header = csv_header(files, raw)
            self._raw_files[relation] = (raw, files)
            columns = ", ".join(f"{literal(name, 'duckdb')}: 'VARCHAR'" for name in header)
            reader = (
                f"read_csv({listed}, columns = {{{columns}}}, auto_detect = false, header = true, strict_mode = true, "
                f"delim = {literal(raw.delimiter, 'duckdb')}, quote = '\"', escape = '\"', nullstr = '', "
                f"encoding = {literal(raw.encoding, 'duckdb')})"
            )
            self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {reader}")
            return dict.fromkeys(header, "text")
        self._raw_files.pop(relation, None)
        try:
            self._execute(
                f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM read_parquet({listed}, union_by_name = true)"
            )
        except EngineError as error:
            raise UnreadableFile(f"the files of '{raw.path}' are not readable Parquet: {error.message}") from error
        return {field.name: _kind(field.type) for field in self.schema(f"SELECT * FROM {relation}")}

    def scan(self, relation: str, files: Sequence[Path], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation; its instants become naive UTC."""
        columns = ", ".join(_naive(field) for field in schema)
        if relation in self._held:
            self._execute(f"DROP TABLE {relation}")
            self._held.remove(relation)
        if not files:
            self._connection.register(f"{relation}_empty", schema.empty_table())
            source = f"{relation}_empty"
        else:
            listed = "[" + ", ".join(literal(str(f), "duckdb") for f in files) + "]"
            hive = ", ".join(f"'{name}': DATE" for name in partition_by)
            partitioned = f"hive_partitioning = true, hive_types = {{{hive}}}" if hive else "hive_partitioning = false"
            source = f"read_parquet({listed}, {partitioned})"
        self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT {columns} FROM {source}")

    def hold(self, relation: str, select: str) -> None:
        """Compute a SELECT into a temporary table."""
        if relation not in self._held:
            self._execute(f"DROP VIEW IF EXISTS {relation}")
        self._execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS\n{select}")
        self._held.add(relation)

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT."""
        found = self.run(f"SELECT * FROM (\n{select}\n) LIMIT 0").schema
        return pa.schema([pa.field(f.name, _in_utc(f.type)) for f in found])

    def run(self, select: str) -> pa.Table:
        """Return a SELECT's rows; instants are naive UTC."""
        with self._translated():
            return self._connection.sql(select).to_arrow_table()

    @contextmanager
    def stream(self, select: str, *, joins_as_written: bool = False) -> Iterator[pa.RecordBatchReader]:
        """Give a SELECT's rows batch by batch; instants are naive UTC, decimals of up to 18 digits 64 bits long."""
        settings = {"arrow_output_version": "1.5"}
        if joins_as_written:
            settings["disabled_optimizers"] = "join_order,build_side_probe_side"
        with self._translated():
            before = {name: str(self._setting(name)) for name in settings}
            for name, value in settings.items():
                self._set(name, value)
            try:
                yield self._connection.sql(select).to_arrow_reader(_BATCH)
            except OSError as error:
                if error.errno is not None:
                    raise
                # Arrow's word for what DuckDB says while the rows stream.
                raise _error(error) from error
            finally:
                for name, value in before.items():
                    self._set(name, value)

    def _setting(self, name: str) -> object:
        (found,) = self._connection.execute(f"SELECT current_setting('{name}')").fetchone() or ("",)
        return found

    def _set(self, name: str, value: str) -> None:
        self._connection.execute(f"SET {name} = {literal(value, 'duckdb')}")

    def lend(self, relation: str, table: pa.Table) -> None:
        """Make a table in memory a relation."""
        self._execute(f"DROP VIEW IF EXISTS {relation}")
        with self._translated():
            self._connection.register(relation, table)

    def take_back(self, relation: str) -> None:
        """Let go of a table that was lent, if it was."""
        self._connection.unregister(relation)

    def write(
        self, select: str, folder: Path, partition_by: Sequence[str], schema: pa.Schema | None = None
    ) -> list[Path]:
        """Write a SELECT's rows into `folder` as Parquet, hive-partitioned where asked."""
        columns = ", ".join(_aware(field) for field in schema or self.schema(select))
        folder.mkdir(parents=True, exist_ok=True)
        token = uuid.uuid4().hex[:12]
        if not partition_by:
            file = folder / f"part-{token}.parquet"
            self._execute(
                f"COPY (SELECT {columns} FROM (\n{select}\n)) TO {literal(str(file), 'duckdb')} "
                "(FORMAT parquet, COMPRESSION snappy)"
            )
            return [file]
        by = ", ".join(quoted(name, "duckdb") for name in partition_by)
        self._execute(
            f"COPY (SELECT {columns} FROM (\n{select}\n)) TO {literal(str(folder), 'duckdb')} (FORMAT parquet, "
            f"COMPRESSION snappy, PARTITION_BY ({by}), FILENAME_PATTERN 'part-{token}-{{i}}', OVERWRITE_OR_IGNORE)"
        )
        return sorted(folder.rglob(f"part-{token}-*.parquet"))

    def apart(self) -> DuckDBEngine:
        """Return a second connection to the same database; temporary relations are each connection's own."""
        return DuckDBEngine(self._settings, self._connection.cursor())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, statement: str) -> None:
        with self._translated():
            self._connection.execute(statement)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn DuckDB's errors into ours; a CSV error is looked up in the files, to name its line."""
        try:
            yield
        except duckdb.Error as error:
            if re.search("CSV (Error|Parser)", str(error)):
                for raw, files in self._raw_files.values():
                    check_structure(files, raw)
                raise UnreadableFile(
                    f"a CSV file can't be read: {redacted(str(error).splitlines()[0])}",
                    hint="Lines that end in different ways, \\n and \\r\\n, in one file are a common cause.",
                ) from error
            if isinstance(error, duckdb.OutOfMemoryException):
                raise EngineError(
                    f"DuckDB needs more memory than the {self._settings.memory} that it may take.",
                    hint="Raise [engine] memory in tenure.toml (hundreds of columns want 1GB), or lower threads.",
                ) from error
            raise _error(error) from error
        except RuntimeError as error:
            if "interrupted" in str(error):  # DuckDB's own word for the keyboard's Ctrl-C
                raise KeyboardInterrupt from error
            raise


def _error(error: Exception) -> EngineError:
    """DuckDB's error in its words; of one that came while rows were read, what may be a row's value is redacted."""
    told = str(error) if isinstance(error, _OF_STATEMENTS) else redacted(str(error).splitlines()[0])
    return EngineError(f"DuckDB can't run the statement: {told}", hint="See it with 'tenure sql'.")


def _kind(type_: pa.DataType) -> str:
    return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else str(type_)


def _in_utc(type_: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(type_) else type_


def _aware(field: pa.Field) -> str:
    name = quoted(field.name, "duckdb")
    return f"make_timestamptz(epoch_us({name})) AS {name}" if pa.types.is_timestamp(field.type) else name


def _naive(field: pa.Field) -> str:
    name = quoted(field.name, "duckdb")
    # The same as CAST(… AS TIMESTAMP) in UTC, which asks the calendar of time zones about every row: an as-of join of
    # five million rows takes two thirds of the time without.
    return f"make_timestamp(epoch_us({name})) AS {name}" if pa.types.is_timestamp(field.type) else name
