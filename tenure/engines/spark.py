"""Spark: a local session, EMR or Glue; the same definitions, SQL in Spark's spelling, the same files out."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure.define.raw_tables import Csv, Parquet
from tenure.engines.base import EngineSettings
from tenure.engines.files import ReadFiles, csv_header, unlike_parquet
from tenure.errors import EngineError, MissingDependency, install_hint
from tenure.faults.redact import redacted
from tenure.host.paths import escaped_for_spark, spark_path
from tenure.sql import Dialect
from tenure.storage.location import Location

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_LOCAL_OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.parquet.compression.codec": "snappy",
    # Serial GC and the first compiler tier halve the start of a short local session.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}

#: What the answers depend on, so no option may change it.
_REQUIRED_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # All engines count days back in one calendar; banks do write 0001-01-01 and 1899-12-31.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    # Else '${env:HOME}' inside a literal is replaced.
    "spark.sql.variable.substitute": "false",
    # Arrow batches of wide rows; and names that Hive would fold keep their case.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


#: Hadoop's file system of S3, which Apache's Spark does not bring.
_S3_CONNECTOR = "org.apache.hadoop.fs.s3a.S3AFileSystem"


class SparkEngine:
    """Runs SELECTs in Spark SQL. Give it a running session (Glue, EMR), or it starts a local one."""

    dialect: Dialect = "spark"
    is_cluster = True

    def __init__(self, settings: EngineSettings, session: SparkSession | None = None) -> None:
        self._session = session or _local_session(settings)
        self._owned = session is None
        for name, value in _REQUIRED_OPTIONS.items():
            self._session.conf.set(name, value)
        self._session.udf.register("tenure_nfc", _composed, "string")
        self.version = f"spark {self._session.version}"
        self._files = ReadFiles()
        self._held: dict[str, DataFrame] = {}
        self._planned: tuple[str, DataFrame] | None = None

    def read_csv(self, relation: str, raw: Csv, files: Sequence[Location]) -> dict[str, str]:
        """Make CSV files a relation, every value as its text."""
        self._planned = None
        header = csv_header(files, raw)
        self._files.note_csv(relation, raw, files)
        frame = (
            self._session.read.options(
                header="true",
                sep=raw.delimiter,
                encoding={"utf-8": "UTF-8", "latin-1": "ISO-8859-1"}[raw.encoding],
                quote='"',
                escape='"',
                multiLine="true",
                mode="FAILFAST",
                enforceSchema="true",
            )
            .schema(", ".join(f"`{name}` STRING" for name in header))
            .csv([self._path(file) for file in files])
        )
        frame.createOrReplaceTempView(relation)
        return dict.fromkeys(header, "text")

    def read_parquet(self, relation: str, raw: Parquet, files: Sequence[Location]) -> dict[str, str]:
        """Make Parquet files a relation."""
        self._planned = None
        self._files.note_parquet(relation, raw, files)
        reader = self._session.read.option("mergeSchema", "true")
        try:
            frame = self._checked(lambda: reader.parquet(*(self._path(file) for file in files)))
        except EngineError as error:
            raise unlike_parquet(raw, error) from error
        frame.createOrReplaceTempView(relation)
        types = {field.name: field.dataType.simpleString() for field in frame.schema}
        return {name: "text" if type_ == "string" else type_ for name, type_ in types.items()}

    def scan(self, relation: str, files: Sequence[Location], schema: pa.Schema, partition_by: Sequence[str]) -> None:
        """Make a table's Parquet files a relation."""
        from pyspark.sql.pandas.types import from_arrow_schema

        self._planned = None
        self._files.note_table(relation, files)
        fields = from_arrow_schema(schema)
        if not files:
            frame = self._session.createDataFrame([], fields)
        else:
            reader = self._session.read.schema(fields)
            if partition_by:
                reader = reader.option("basePath", _root(files[0], len(partition_by)))
            frame = reader.parquet(*(self._path(file) for file in files))
        frame.select(*schema.names).createOrReplaceTempView(relation)

    def check_texts(self) -> None:
        """Raise UnreadableFile for a raw file with bytes that are no text."""
        self._files.check_texts()

    def cache(self, relation: str, select: str) -> None:
        """Compute a SELECT into memory and disk."""
        frame = self._checked(self._frame(select).persist)
        self._checked(frame.count)
        self.release(relation)
        self._held[relation] = frame
        frame.createOrReplaceTempView(relation)
        self._planned = None

    def view(self, relation: str, select: str) -> None:
        """Make a SELECT a temporary view."""
        self.release(relation)
        self._frame(select).createOrReplaceTempView(relation)
        self._planned = None

    def release(self, relation: str) -> None:
        """Let go of the rows of a relation that was cached, if it was."""
        self._planned = None
        if relation in self._held:
            self._held.pop(relation).unpersist()

    def schema(self, select: str) -> pa.Schema:
        """Return the columns and types of a SELECT."""
        import pyarrow as pa
        from pyspark.sql.pandas.types import to_arrow_schema

        found = to_arrow_schema(self._frame(select).schema)
        utc = pa.timestamp("us", tz="UTC")
        return pa.schema([pa.field(f.name, utc if pa.types.is_timestamp(f.type) else f.type) for f in found])

    def run(self, select: str) -> pa.Table:
        """Return a SELECT's rows."""
        import pyarrow as pa

        frame = self._frame(select)
        with warnings.catch_warnings():
            # pyspark leaves the socket of a result to the garbage collector.
            warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
            batches = self._checked(frame._collect_as_arrow)  # noqa: SLF001  (public only from Spark 4.0)
        return pa.Table.from_batches(batches) if batches else self.schema(select).empty_table()

    def write(
        self,
        select: str,
        folder: Path,
        partition_by: Sequence[str],
        schema: pa.Schema | None = None,  # noqa: ARG002  (Spark plans once anyway)
        *,
        token: str = "",
        rows_per_file: int = 0,
    ) -> list[Path]:
        """Write a SELECT's rows into `folder` as Parquet, hive-partitioned where asked."""
        token = token or uuid.uuid4().hex
        folder.mkdir(parents=True, exist_ok=True)  # Java's own folder would be open to all.
        incoming = folder / f"_incoming-{token}"
        frame = self._frame(select)
        # One file a partition, its rows in the SELECT's order: what the embedded engine writes.
        frame = (
            frame.repartition(*partition_by).sortWithinPartitions(*partition_by) if partition_by else frame.coalesce(1)
        )
        writer = frame.write.partitionBy(*partition_by) if partition_by else frame.write
        if rows_per_file:
            writer = writer.option("maxRecordsPerFile", rows_per_file)
        self._checked(lambda: writer.parquet(str(incoming)))
        moved: list[Path] = []
        for number, file in enumerate(sorted(incoming.rglob("part-*.parquet"))):
            target = folder / file.relative_to(incoming).with_name(f"part-{token}-{number}.parquet")
            target.parent.mkdir(parents=True, exist_ok=True)
            # Java's files know nothing of the process's umask; the folder that was just made does.
            file.chmod(stat.S_IMODE(target.parent.stat().st_mode) & 0o666)
            moved.append(file.replace(target))
        shutil.rmtree(incoming)
        return moved

    def new_session(self) -> SparkEngine:
        """Return a session of its own temporary views on the same Spark."""
        return SparkEngine(EngineSettings(name="spark"), self._session.newSession())

    def close(self) -> None:
        """Let go of cached relations, and stop the session if this engine started it."""
        for frame in self._held.values():
            frame.unpersist()
        if self._owned:
            self._session.stop()

    def _frame(self, select: str) -> DataFrame:
        """A SELECT as Spark analysed it; asked for its types and then for its rows, a wide one takes seconds each time.

        The last one is kept until a relation becomes another: an analysed SELECT reads those that there were.
        """
        if self._planned is None or self._planned[0] != select:
            self._planned = select, self._checked(lambda: self._session.sql(select))
        return self._planned[1]

    def _path(self, file: Location) -> str:
        """A file as Spark finds it; of S3 only where the session has Hadoop's connector, as those of Glue and EMR."""
        if isinstance(file, Path):
            return spark_path(file)
        loader = self._session.sparkContext._jvm.java.lang.Thread.currentThread().getContextClassLoader()  # type: ignore[union-attr]  # noqa: SLF001
        try:
            loader.loadClass(_S3_CONNECTOR)
        except Exception as error:
            raise MissingDependency(
                f"Spark can't read '{file}': this session has no connector to S3 ({_S3_CONNECTOR}).",
                hint="Run on Glue or EMR, start Spark with the jars of hadoop-aws, or set [engine] name = 'duckdb'.",
            ) from error
        return escaped_for_spark(_by_connector(file))

    def _checked(self, action: Any) -> Any:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import AnalysisException, ParseException, PySparkException

        try:
            return action()
        except (Py4JJavaError, PySparkException) as error:
            self._files.check_csv()
            text = str(error.java_exception if isinstance(error, Py4JJavaError) else error)
            reason = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
            # Spark's analysis quotes the statement alone; what fails while rows are read may quote a row.
            if not isinstance(error, AnalysisException | ParseException):
                damaged = self._files.damage(error)
                if damaged:
                    raise damaged from error
                reason = redacted(reason)
            raise EngineError(f"Spark can't run the statement: {reason}", hint="See it with 'tenure sql'.") from error


def _composed(text: str | None) -> str | None:
    """A text in Unicode's form NFC, which Spark's SQL has no function for; runs in Spark's Python workers."""
    import unicodedata

    return None if text is None else unicodedata.normalize("NFC", text)


def _by_connector(location: Location) -> str:
    return str(location).replace("s3://", "s3a://", 1)


def _root(file: Location, depth: int) -> str:
    """The folder of a table that a file lies so many partitions deep in."""
    folder = file.parent
    for _ in range(depth):
        folder = folder.parent
    return _by_connector(folder)


def _local_session(settings: EngineSettings) -> SparkSession:
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingDependency(
            "the Spark engine needs pyspark, which is not installed.", hint=install_hint("spark")
        ) from error
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise MissingDependency(
            "the Spark engine needs Java 17, and neither JAVA_HOME nor a 'java' on the PATH is there.",
            hint="Install it (Debian: apt-get install openjdk-17-jre-headless), or set [engine] name = 'duckdb'.",
        )
    # Workers must run this Python; the PATH's may lack pyarrow.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    threads = settings.threads or "*"
    builder = SparkSession.builder.master(f"local[{threads}]").appName("tenure")
    memory = settings.memory.upper().replace("GB", "g").replace("MB", "m")
    spill = {"spark.local.dir": str(settings.spill)} if settings.spill else {}
    for name, value in {**_LOCAL_OPTIONS, "spark.driver.memory": memory, **spill, **settings.options}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise MissingDependency(
            f"Java did not start for the Spark engine (JAVA_HOME={os.environ.get('JAVA_HOME', '')!r}): {error}",
            hint="Point JAVA_HOME at a Java 17, or set [engine] name = 'duckdb'.",
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session
