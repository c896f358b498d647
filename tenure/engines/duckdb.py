"""DuckDB, the embedded engine: one process, all cores, a memory limit that holds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from tenure.define.raw_tables import Csv, Parquet
from tenure.engines.base import EngineSettings
from tenure.engines.files import ReadFiles, csv_header, has_hive_folders, unlike_parquet
from tenure.errors import DiskFull, EngineError, FileAccessError, TenureError, UnreadableFile
from tenure.faults.boundary import register_stoppable, translated
from tenure.faults.redact import redacted
from tenure.host.paths import duckdb_path
from tenure.sql import Dialect, literal, quoted
from tenure.sql.expressions import call, cast, equal, listed, named
from tenure.sql.query import Query
from tenure.storage.location import Location

if TYPE_CHECKING:
    from tenure.storage.reading import RangedFiles
    from tenure.storage.s3 import S3Location

#: Errors of the statement itself: its words, and not the rows' values, are in their text.
_OF_STATEMENTS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
#: Errors of values, which their text quotes.
_OF_VALUES = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.TypeMismatchException)

#: How the same errors begin where Arrow hands them on while rows stream.
_VALUE_TEXTS = ("Conversion Error", "Invalid Error: Conversion Error", "Out of Range Error")

#: Bytes of the longest line of a CSV file, half of the buffer that DuckDB reads with.
_LONGEST_LINE = 16 * 2**20

#: Rows of a batch that streams: few enough to stay in the processor's cache.
_BATCH = 122_880

#: How many rows DuckDB writes into a row group of a Parquet file.
_ROW_GROUP = 122_880


class _Objects:
    """The file system of a database that reads objects of S3, shared by its connections; made when it is needed."""

    def __init__(self) -> None:
        self._files: RangedFiles | None = None

    def url_of(self, file: S3Location, connection: duckdb.DuckDBPyConnection) -> str:
        """Return the URL by which the database finds an object."""
        if self._files is None:
            from tenure.storage.reading import RangedFiles

            self._files = RangedFiles()
            connection.register_filesystem(self._files)
        return self._files.url_of(file)


class DuckDBEngine:
    """Runs SELECTs in DuckDB. Instants are naive UTC inside and UTC-aware in files."""

    dialect: Dialect = "duckdb"
    is_cluster = False
    version = f"duckdb {duckdb.__version__}"

    def __init__(
        self,
        settings: EngineSettings,
        connection: duckdb.DuckDBPyConnection | None = None,
        objects: _Objects | None = None,
    ) -> None:
        self._settings = settings
        self._files = ReadFiles()
        self._cached: set[str] = set()
        self._objects = objects or _Objects()
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

    def read_csv(self, relation: str, raw: Csv, files: Sequence[Location]) -> dict[str, str]:
        """Make CSV files a relation, every value as its text."""
        header = csv_header(files, raw)
        self._files.note_csv(relation, raw, files)
        options = {
            "columns": _struct(dict.fromkeys(header, _text("VARCHAR"))),
            "auto_detect": "false",
            "header": "true",
            "strict_mode": "true",
            "delim": _text(raw.delimiter),
            "quote": _text('"'),
            "escape": _text('"'),
            "nullstr": _text(""),
            "encoding": _text(raw.encoding),
            "hive_partitioning": "false",
            "max_line_size": str(_LONGEST_LINE),
        }
        self._make_view(relation, ["*"], self._reader("read_csv", files, options))
        return dict.fromkeys(header, "text")

    def read_parquet(self, relation: str, raw: Parquet, files: Sequence[Location]) -> dict[str, str]:
        """Make Parquet files a relation."""
        self._files.note_parquet(relation, raw, files)
        try:
            options = {"union_by_name": "true"}
            if not has_hive_folders(raw, files):
                # Left to itself DuckDB makes columns of folders above the data too.
                options["hive_partitioning"] = "false"
            self._make_view(relation, ["*"], self._reader("read_parquet", files, options))
        except EngineError as error:
            raise unlike_parquet(raw, error.original) from error
        return {field.name: _kind(field.type) for field in self.schema(f"SELECT * FROM {relation}")}

    def scan(self, relation: str, files: Sequence[Location], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation; its instants become naive UTC."""
        self.release(relation)
        self._files.note_table(relation, files)
        if files:
            source = self._reader("read_parquet", files, _hive_options(schema, partition_by))
        else:
            source = f"{relation}_empty"
            self._connection.register(source, schema.empty_table())
        self._make_view(relation, map(_naive, schema), source)

    def scan_as(
        self,
        name: str,
        files: Sequence[Location],
        schema: pa.Schema,
        partition_by: Sequence[str],
        left_out: Sequence[str] = (),
    ) -> None:
        """Make a table's files a view of that (qualified, quoted) name, without the columns `left_out`."""
        qualifier = name.rpartition(".")[0]
        if qualifier:
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {qualifier}")
        source = self._reader("read_parquet", files, _hive_options(schema, partition_by))
        shown = [_naive(field) for field in schema if field.name not in left_out]
        self._execute(f"CREATE VIEW {name} AS {Query(columns=shown, source=source).on_one_line}")

    def shut_in(self, files: Sequence[Location]) -> None:
        """Let no statement from now on read or write anything but these files, nor change a setting."""
        paths = listed([_text(self._path(file)) for file in files])
        self._execute(f"SET allowed_paths = [{paths}]")
        self._execute("SET enable_external_access = false")
        self._execute("SET lock_configuration = true")

    def kinds_of(self, text: str) -> list[str]:
        """Return the kind of each statement of a text, such as SELECT or COPY; EngineError if it can't be parsed."""
        with self._translated():
            return [statement.type.name for statement in self._connection.extract_statements(text)]

    def check_texts(self) -> None:
        """Raise UnreadableFile for a raw file with bytes that are no text."""
        self._files.check_texts()

    def cache(self, relation: str, select: str) -> None:
        """Compute a SELECT into a temporary table."""
        if relation not in self._cached:
            self._execute(f"DROP VIEW IF EXISTS {relation}")
        self._execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS\n{select}")
        self._cached.add(relation)

    def view(self, relation: str, select: str) -> None:
        """Make a SELECT a temporary view."""
        self.release(relation)
        self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS\n{select}")

    def release(self, relation: str) -> None:
        """Drop a temporary table, if it is one that was cached."""
        if relation in self._cached:
            self._execute(f"DROP TABLE {relation}")
            self._cached.remove(relation)

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT."""
        # Bound but not planned: DuckDB takes half a second to plan hundreds of columns.
        with self._translated():
            bound = self._connection.sql(select)
        nulls = listed([*map(_null_of_type, bound.columns, bound.types)])
        found = self.run(f"SELECT {nulls} LIMIT 0").schema
        return pa.schema([field.with_type(_in_utc(field.type)) for field in found])

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
        self._connection.execute(f"SET {name} = {_text(value)}")

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
        rows_per_file: int = 0,
    ) -> list[Path]:
        """Write a SELECT's rows into `folder` as Parquet, hive-partitioned where asked."""
        columns = listed([*map(_aware, schema or self.schema(select))])
        rows = f"(SELECT {columns} FROM (\n{select}\n))"
        options = "FORMAT parquet, COMPRESSION snappy"
        folder.mkdir(parents=True, exist_ok=True)
        token = token or uuid.uuid4().hex
        if not partition_by and rows_per_file:
            # Whole row groups go into a file, those of one stretch of the order; small ones would be read one by one.
            groups = max(1, rows_per_file // _ROW_GROUP)
            options += f", ROW_GROUPS_PER_FILE {groups}, FILENAME_PATTERN 'part-{token}-{{i}}', OVERWRITE_OR_IGNORE"
            self._execute(f"COPY {rows} TO {_text(str(folder))} ({options})")
            return sorted(folder.glob(f"part-{token}-*.parquet"), key=_number_of)
        if not partition_by:
            file = folder / f"part-{token}.parquet"
            self._execute(f"COPY {rows} TO {_text(str(file))} ({options})")
            return [file]
        by = listed([*map(_name, partition_by)])
        options += f", PARTITION_BY ({by}), FILENAME_PATTERN 'part-{token}-{{i}}', OVERWRITE_OR_IGNORE"
        self._execute(f"COPY {rows} TO {_text(str(folder))} ({options})")
        return sorted(folder.rglob(f"part-{token}-*.parquet"))

    def new_session(self) -> DuckDBEngine:
        """Return a second connection to the same database; temporary relations are each connection's own."""
        return DuckDBEngine(self._settings, self._connection.cursor(), self._objects)

    def stop(self) -> None:
        """Let the statement that runs end with an error, from another thread."""
        with suppress(duckdb.Error):  # Closed meanwhile.
            self._connection.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _make_view(self, relation: str, columns: Iterable[str], source: str) -> None:
        rows = Query(columns=list(columns), source=source)
        self._execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS {rows.on_one_line}")

    def _reader(self, function: str, files: Sequence[Location], options: Mapping[str, str]) -> str:
        """The call of a table function that reads files, each option as name → its SQL."""
        return _call_of(function, [self._path(file) for file in files], options)

    def _path(self, file: Location) -> str:
        """A file as DuckDB finds it: by its path, or through the file system that reads objects of S3."""
        if isinstance(file, Path):
            return duckdb_path(file)
        return self._objects.url_of(file, self._connection)

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


def _number_of(file: Path) -> int:
    """The number that DuckDB gave a file of several."""
    return int(file.stem.rpartition("-")[2])


def _text(value: str) -> str:
    return literal(value, "duckdb")


def _name(column: str) -> str:
    return quoted(column, "duckdb")


def _call_of(function: str, paths: Sequence[str], options: Mapping[str, str]) -> str:
    listed_paths = listed([_text(path) for path in paths])
    return call(function, f"[{listed_paths}]", *(equal(name, value) for name, value in options.items()))


def table_source(paths: Sequence[str], schema: pa.Schema, partition_by: Sequence[str]) -> str:
    """Return the call that reads the files of a table's version, by paths as DuckDB finds them."""
    return _call_of("read_parquet", paths, _hive_options(schema, partition_by))


def write_database(file: Path, views: Mapping[str, str], table: str, rows: pa.Table) -> None:
    """Write a new DuckDB file: views, each as (qualified, quoted) name → SELECT, and one table with its rows."""
    with duckdb.connect(str(file), config={"autoinstall_known_extensions": "false"}) as database:
        for name in (*views, table):
            qualifier = name.rpartition(".")[0]
            if qualifier:
                database.execute(f"CREATE SCHEMA IF NOT EXISTS {qualifier}")
        for name, select in views.items():
            database.execute(f"CREATE VIEW {name} AS\n{select}")
        database.register("rows", rows)
        database.execute(f"CREATE TABLE {table} AS SELECT * FROM rows")


def read_table(file: Path, table: str) -> pa.Table | None:
    """Return the rows of a table of a DuckDB file; None if it is no such file, or has no such table."""
    try:
        with duckdb.connect(str(file), read_only=True) as database:
            return database.sql(f"SELECT * FROM {table}").to_arrow_table()
    except duckdb.Error:
        return None


def _struct(values: Mapping[str, str]) -> str:
    """A DuckDB struct of each name's SQL: {'customer_id': BIGINT}."""
    fields = listed([f"{_text(name)}: {value}" for name, value in values.items()])
    return f"{{{fields}}}"


def _kind(type_: pa.DataType) -> str:
    return "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else str(type_)


def _in_utc(type_: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(type_) else type_


def _null_of_type(name: str, type_: object) -> str:
    return named(cast("NULL", str(type_)), _name(name))


def _aware(field: pa.Field) -> str:
    """A column as files keep it: an instant in UTC, with its zone."""
    name = _name(field.name)
    if not pa.types.is_timestamp(field.type):
        return name
    return named(call("make_timestamptz", call("epoch_us", name)), name)


def _naive(field: pa.Field) -> str:
    """A column as SELECTs read it: an instant in UTC, without its zone."""
    name = _name(field.name)
    if not pa.types.is_timestamp(field.type):
        return name
    # The same as CAST(… AS TIMESTAMP) in UTC, which asks the calendar of time zones about every row: an as-of join of
    # five million rows takes two thirds of the time without.
    return named(call("make_timestamp", call("epoch_us", name)), name)


#: The types of partition columns, as DuckDB calls them.
_HIVE_TYPES = {"date32[day]": "DATE", "string": "VARCHAR", "int64": "BIGINT"}


def _hive_options(schema: pa.Schema, partition_by: Sequence[str]) -> dict[str, str]:
    """The options by which DuckDB reads a table's partitions, their types given: it would guess others."""
    if not partition_by:
        return {"hive_partitioning": "false"}
    types = {name: _HIVE_TYPES[str(schema.field(name).type)] for name in partition_by}
    options = {"hive_partitioning": "true", "hive_types": _struct(types)}
    # Tables that keep what each model said gain columns with the features; older files lack them.
    if len(partition_by) > 1:
        options["union_by_name"] = "true"
    return options
