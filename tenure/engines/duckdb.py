"""DuckDB, the embedded engine: one process, all cores, a memory limit that holds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from tenure.define.source import Csv, Parquet
from tenure.engines.base import EngineSettings
from tenure.engines.files import ReadFiles, csv_header, has_hive_folders, unlike_parquet
from tenure.errors import DiskFull, EngineError, FileAccessError, TenureError, UnreadableFile
from tenure.faults.boundary import register_stoppable, translated
from tenure.faults.redact import redacted
from tenure.host.paths import duckdb_path
from tenure.sql import Dialect, literal, quoted

#: Errors of the statement itself: its words, and not the rows' values, are in their text.
_OF_STATEMENTS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
#: Errors of values, which their text quotes.
_OF_VALUES = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.TypeMismatchException)

#: How the same errors begin where Arrow hands them on while rows stream.
_VALUE_TEXTS = ("Conversion Error", "Invalid Error: Conversion Error", "Out of Range Error")

#: Rows of a batch that streams: few enough to stay in the processor's cache.
_BATCH = 122_880


class DuckDBEngine:
    """Runs SELECTs in DuckDB. Instants are naive UTC inside and UTC-aware in files."""

    dialect: Dialect = "duckdb"
    is_cluster = False
    version = f"duckdb {duckdb.__version__}"

    def __init__(self, settings: EngineSettings, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self._settings = settings
        self._files = ReadFiles()
        self._held: set[str] = set()
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory,
            "autoinstall_known_extensions": "false",
            # Else rows would lie in '.tmp' of the working folder, and stay there after a kill.
            "temp_directory": str(settings.spill or ""),
            # A name in a SELECT is a table's, never a variable's of some Python frame.
            "python_enable_replacements": "false",
            **settings.options,
        }
        if settings.threads:
            options["threads"] = settings.threads
        try:
            self._connection = connection or duckdb.connect(config=options)
            if connection is None and settings.spill:
                # Given on connecting, DuckDB 2.0 takes the limit and does not keep to it.
                self._set(
                    "max_temp_directory_size", settings.options.get("max_temp_directory_size", settings.most_spill)
                )
        except duckdb.Error as error:
            raise EngineError(f"DuckDB refuses its settings: {error}", hint="See [engine] in tenure.toml.") from error
        register_stoppable(self)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")

    def read_csv(self, relation: str, raw: Csv, files: Sequence[Path]) -> dict[str, str]:
        """Make CSV files a relation, every value as its text."""
        header = csv_header(files, raw)
        self._files.note_csv(relation, raw, files)
        columns = ", ".join(f"{literal(name, 'duckdb')}: 'VARCHAR'" for name in header)
        reader = (
            f"read_csv({_listed(files)}, columns = {{{columns}}}, auto_detect = false, header = true, "
            f"strict_mode = true, delim = {literal(raw.delimiter, 'duckdb')}, quote = '\"', escape = '\"', "
            f"nullstr = '', encoding = {literal(raw.encoding, 'duckdb')}, hive_partitioning = false)"
        )
        self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {reader}")
        return dict.fromkeys(header, "text")

    def read_parquet(self, relation: str, raw: Parquet, files: Sequence[Path]) -> dict[str, str]:
        """Make Parquet files a relation."""
        self._files.note_parquet(relation, raw, files)
        try:
            # Left to itself DuckDB makes columns of folders above the data too.
            hive = "" if has_hive_folders(raw, files) else ", hive_partitioning = false"
            self._execute(
                f"CREATE OR REPLACE TEMP VIEW {relation} AS "
                f"SELECT * FROM read_parquet({_listed(files)}, union_by_name = true{hive})"
            )
        except EngineError as error:
            raise unlike_parquet(raw, error.original) from error
        return {field.name: _kind(field.type) for field in self.schema(f"SELECT * FROM {relation}")}

    def scan(self, relation: str, files: Sequence[Path], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation; its instants become naive UTC."""
        columns = ", ".join(_naive(field) for field in schema)
        if relation in self._held:
            self._execute(f"DROP TABLE {relation}")
            self._held.remove(relation)
        self._files.note_table(relation, files)
        if not files:
            self._connection.register(f"{relation}_empty", schema.empty_table())
            source = f"{relation}_empty"
        else:
            source = f"read_parquet({_listed(files)}, {_partitioned(schema, partition_by)})"
        self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT {columns} FROM {source}")

    def cache(self, relation: str, select: str) -> None:
        """Compute a SELECT into a temporary table."""
        if relation not in self._held:
            self._execute(f"DROP VIEW IF EXISTS {relation}")
        self._execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS\n{select}")
        self._held.add(relation)

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT."""
        # Bound but not planned: DuckDB takes half a second to plan hundreds of columns.
        with self._translated():
            bound = self._connection.sql(select)
        typed = (f"CAST(NULL AS {t}) AS {quoted(n, 'duckdb')}" for n, t in zip(bound.columns, bound.types, strict=True))
        found = self.run(f"SELECT {', '.join(typed)} LIMIT 0").schema
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
                raise self._error(error) from error
            finally:
                for name, value in before.items():
                    self._set(name, value)

    def _setting(self, name: str) -> object:
        (found,) = self._connection.execute(f"SELECT current_setting('{name}')").fetchone() or ("",)
        return found

    def _set(self, name: str, value: str) -> None:
        self._connection.execute(f"SET {name} = {literal(value, 'duckdb')}")

    def register(self, relation: str, table: pa.Table) -> None:
        """Make a table in memory a relation."""
        self._execute(f"DROP VIEW IF EXISTS {relation}")
        with self._translated():
            self._connection.register(relation, table)

    def unregister(self, relation: str) -> None:
        """Let go of a table that was registered, if it was."""
        self._connection.unregister(relation)

    def write(
        self,
        select: str,
        folder: Path,
        partition_by: Sequence[str],
        schema: pa.Schema | None = None,
        *,
        token: str = "",
    ) -> list[Path]:
        """Write a SELECT's rows into `folder` as Parquet, hive-partitioned where asked."""
        columns = ", ".join(_aware(field) for field in schema or self.schema(select))
        folder.mkdir(parents=True, exist_ok=True)
        token = token or uuid.uuid4().hex
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

    def new_session(self) -> DuckDBEngine:
        """Return a second connection to the same database; temporary relations are each connection's own."""
        return DuckDBEngine(self._settings, self._connection.cursor())

    def stop(self) -> None:
        """Let the statement that runs end with an error, from another thread."""
        with suppress(duckdb.Error):  # Closed meanwhile.
            self._connection.interrupt()

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
        except duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except duckdb.Error as error:
            if re.search("CSV (Error|Parser)", str(error)):
                self._files.check_csv()
                raise UnreadableFile(
                    f"a CSV file can't be read: {redacted(str(error).splitlines()[0])}",
                    hint="Lines that end in different ways, \\n and \\r\\n, in one file are a common cause.",
                ) from error
            if isinstance(error, duckdb.OutOfMemoryException) and "max_temp_directory_size" in str(error):
                raise EngineError(
                    f"DuckDB needs more room on disk than the {self._settings.most_spill} that it may spill.",
                    hint="Raise [engine] spill or [engine] memory in tenure.toml.",
                ) from error
            if isinstance(error, duckdb.OutOfMemoryException):
                raise EngineError(
                    f"DuckDB needs more memory than the {self._settings.memory} that it may take.",
                    hint="Raise [engine] memory in tenure.toml (hundreds of columns want 1GB), or lower threads.",
                ) from error
            raise self._error(error) from error
        except RuntimeError as error:
            if "interrupted" in str(error):  # DuckDB's own word for the keyboard's Ctrl-C
                raise KeyboardInterrupt from error
            raise

    def _error(self, error: Exception) -> TenureError:
        """What DuckDB's error means: of a statement, in its words; while rows are read, without them."""
        if isinstance(error, _OF_STATEMENTS):
            return EngineError(f"DuckDB can't run the statement: {error}", hint="See it with 'tenure sql'.")
        meant = translated(error, "DuckDB")
        if meant is not None and type(meant) in (DiskFull, FileAccessError):
            meant.original = error
            return meant
        if isinstance(error, _OF_VALUES) or str(error).startswith(_VALUE_TEXTS):
            return EngineError(
                "a value can't be converted, or leaves the range of its column's type.",
                hint="Find the statement with 'tenure sql', and check the types of the columns that it reads.",
                original=error,
            )
        # Looked for in the files themselves: slow, but only after a failure.
        return self._files.damage(error) or EngineError(
            "DuckDB can't compute the rows.", hint="Check the data and the definitions that read them.", original=error
        )


def _listed(files: Sequence[Path]) -> str:
    return "[" + ", ".join(literal(duckdb_path(file), "duckdb") for file in files) + "]"


def _error(error: Exception) -> EngineError:
    """DuckDB's error in its words; of one that came while rows were read, what may be a row's value is redacted."""
    message = str(error) if isinstance(error, _OF_STATEMENTS) else redacted(str(error).splitlines()[0])
    return EngineError(f"DuckDB can't run the statement: {message}", hint="See it with 'tenure sql'.")


def _kind(type_: pa.DataType) -> str:
    return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else str(type_)


def _in_utc(type_: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(type_) else type_


def _aware(field: pa.Field) -> str:
    name = quoted(field.name, "duckdb")
    return f"make_timestamptz(epoch_us({name})) AS {name}" if pa.types.is_timestamp(field.type) else name


def _partitioned(schema: pa.Schema, partition_by: Sequence[str]) -> str:
    """The options by which DuckDB reads a table's partitions; by itself it gives their columns other types."""
    if not partition_by:
        return "hive_partitioning = false"
    types = ", ".join(f"'{name}': {_HIVE_TYPES[str(schema.field(name).type)]}" for name in partition_by)
    # Tables that keep what each model said gain columns with the features; older files lack them.
    grown = ", union_by_name = true" if len(partition_by) > 1 else ""
    return f"hive_partitioning = true, hive_types = {{{types}}}{grown}"


#: The types of partition columns, as DuckDB calls them.
_HIVE_TYPES = {"date32[day]": "DATE", "string": "VARCHAR", "int64": "BIGINT"}


def _naive(field: pa.Field) -> str:
    name = quoted(field.name, "duckdb")
    # The same as CAST(… AS TIMESTAMP) in UTC, which asks the calendar of time zones about every row: an as-of join of
    # five million rows takes two thirds of the time without.
    return f"make_timestamp(epoch_us({name})) AS {name}" if pa.types.is_timestamp(field.type) else name
