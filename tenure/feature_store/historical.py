"""Historical features: a job that adds features to entity rows, each as it was known at the row's own time.

rows ──► keys and times ──► attributes: the newest version before ts ───────────┐
                      └───► aggregates: a range of customers or points a time ──┴──► rows with features, in order
"""

from __future__ import annotations

import math
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenure.checks.in_memory import schema_of
from tenure.define.naming import check_name
from tenure.define.personal import personal_cells
from tenure.define.snapshot import SnapshotPlan
from tenure.define.table_contracts import historical_contract
from tenure.define.window import ColumnName
from tenure.engines.handing import hand_over
from tenure.errors import (
    EngineError,
    InvalidConfig,
    InvalidSpine,
    MissingDependency,
    UnknownSnapshot,
    UnknownSource,
    choices,
)
from tenure.feature_store.entity_rows import Spine, spine_of, table_of
from tenure.feature_store.manifest import (
    MANIFESTS,
    Manifest,
    definitions,
    digests,
    stored_rows,
)
from tenure.feature_store.routes.base import number_ranges
from tenure.host.paths import local_path
from tenure.intake.calendar import require_staged
from tenure.publish.csv_files import write_csv
from tenure.session.work import Work
from tenure.sql import Select
from tenure.sql.selects import relations
from tenure.store.private import private_files
from tenure.store.table import TableVersion
from tenure.tiles.at_instants import ANSWERS, ASKED
from tenure.tiles.point_in_time import PointInTime
from tenure.version import __version__

#: Tiles are fast for few days; features of more, or of days far apart, are computed row by row.
_MOST_DATES = 400
_MOST_YEARS = 60

#: Cells of aggregates that are computed at a time.
_CELLS = 10_000_000


class HistoricalFeatures:
    """Entity rows with their features, computed when they are first read, and cached."""

    def __init__(
        self,
        work: Work,
        entity_df: Any,
        columns: Sequence[ColumnName],
        timestamp: str = "",
        versions: Mapping[str, TableVersion] | None = None,
    ) -> None:
        self._work, self._entity_df, self._timestamp = work, entity_df, timestamp
        self.columns = tuple(columns)
        self._versions = versions or {}
        self._read: dict[str, TableVersion] = {}

    def check(self) -> None:
        """Raise what is wrong with the rows as far as it shows before anything runs."""
        with self._boundary():
            if isinstance(self._entity_df, str):
                self._query_reads(self._entity_df)
            elif not isinstance(self._entity_df, SnapshotPlan):
                self._spine  # noqa: B018  (read and checked at once)

    def _boundary(self) -> AbstractContextManager[None]:
        return self._work.boundary("historical features")

    def to_arrow(self) -> pa.Table:
        """Return the rows in their order, their own columns as they came, then the features in the project's order."""
        with self._boundary():
            return self._answer

    def to_df(self) -> Any:
        """Return the rows as a pandas frame with a fresh index; raise MissingDependency if pandas is not installed."""
        try:
            import pandas as pd  # noqa: F401  (pyarrow makes the frame)
        except ImportError as error:
            raise _not_installed("pandas") from error
        with self._boundary():
            return self._answer.to_pandas()

    def to_polars(self) -> Any:
        """Return the rows as a polars frame; raise MissingDependency if polars is not installed."""
        try:
            import polars as pl
        except ImportError as error:
            raise _not_installed("polars") from error
        with self._boundary():
            return pl.from_arrow(self._answer)

    def to_file(self, file: str | Path, *, safe_csv: bool = False) -> str:
        """Write the rows as Parquet or CSV, by the file's ending, whole or not at all; return a note, or ''.

        A new file is readable as [lake] mode says. With `safe_csv`, texts of a CSV that a spreadsheet would run as a
        formula get a ' before them, except keys.

        Raises InvalidSpine for another ending or a column that CSV can't hold, BadValue for bytes that are no text,
        InvalidConfig for a URL or a file in the lake.
        """
        file = local_path(file, asked_by="the file to write")
        if self._work.lake.covers(file):
            raise InvalidConfig(
                f"'{file}' lies in the lake '{self._work.lake.folder}', which holds nothing but Tenure's tables.",
                hint="Give a file in another folder.",
            )
        if file.suffix not in (".parquet", ".csv"):
            raise InvalidSpine(
                f"'{file.name}' can't be written as '{file.suffix}'; allowed: .parquet, .csv.",
                hint="Give the file one of these endings.",
            )
        with self._boundary():
            rows = self._answer
        private = private_files(self._work.lake.mode)
        with self._work.boundary(f"writing '{file}'"), private, _whole(file) as partial:
            if file.suffix == ".csv":
                return write_csv(rows, partial, keys=self._work.project.entity.keys, safe=safe_csv)
            # Dictionaries pay for text alone: a column of numbers would be hashed for nothing.
            texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
            pq.write_table(rows, partial, use_dictionary=texts)
        return ""

    def unmatched(self) -> tuple[int, int]:
        """Return how many rows, of how many keys, are of no customer at all: their features are those of nobody."""
        with self._boundary():
            entity = self._work.project.entity
            asked = self._spine.asked.select(list(entity.keys))
            known = self._work.read(entity.source, list(entity.keys)).cast(asked.schema)
            by_key = asked.group_by(list(entity.keys)).aggregate([([], "count_all")])
            strangers = by_key.join(known, list(entity.keys), join_type="left anti")
            return pc.sum(strangers["count_all"]).as_py() or 0, strangers.num_rows

    def persist(self, name: str) -> Manifest:
        """Store the rows as table `historical/<name>` of the lake, and their manifest in table `manifests`.

        Raises InvalidDefinition for a name that breaks the rules of names, InvalidSpine for a column that the lake
        can't hold, LakeBusy if another run is writing.
        """
        check_name("training set", name)
        with self._boundary():
            return self._persisted(name)

    def _persisted(self, name: str) -> Manifest:
        work, rows = self._work, self._answer
        features = [*map(str, self.columns)]
        refused = [column for column in rows.column_names if set(column) & set(" ,;{}()\n\t=")]
        if refused:
            raise InvalidSpine(
                f"column '{refused[0]}' can't be kept: a table's column holds no blank and none of , ; {{ }} ( ) =.",
                hint="Rename the column.",
            )
        with work.lake.locked():
            contract = historical_contract(name, self._spine.time, personal_cells(work.project))
            version = work.lake.write(rows, contract, fingerprint=work.definitions)
            stored = stored_rows(version)
            own = stored.drop_columns(features).column_names
            manifest = Manifest(
                name=name,
                version=version.version,
                created_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                rows=stored.num_rows,
                time=self._spine.time,
                features=features,
                spine=digests(stored, own),
                result=digests(stored, features),
                definitions=definitions(work.project, self.columns, self._steps.reads),
                project=work.project.fingerprint,
                tables={source: (v.version, v.fingerprint) for source, v in self._read.items()},
                tenure=__version__,
                engine=work.engine.version,
            )
            row = {
                "name": name,
                "version": manifest.version,
                "created_at": manifest.created_at,
                "manifest": manifest.json(),
            }
            work.lake.write(pa.Table.from_pylist([row], schema=schema_of(MANIFESTS)), MANIFESTS, mode="append")
        return manifest

    def sql(self) -> str:
        """Return the statements in the order in which they run; the spine's own SELECT is run to know its dates."""
        with self._boundary():
            return self._sql()

    def _sql(self) -> str:
        steps = self._steps
        first = steps.range() if steps.aggregated else None
        statements = [steps.snapshots] if steps.snapshots else []
        statements += steps.cached
        if first:
            statements += [*first.cached, first.answers]
        statements.append(steps.final())
        return "\n\n".join(f"-- {select.table}\n{select.text};" for select in statements) + "\n"

    @cached_property
    def _spine(self) -> Spine:
        return spine_of(self._work.project, self._rows(), map(str, self.columns), self._timestamp)

    def _rows(self) -> pa.Table:
        if isinstance(self._entity_df, str):
            return self._queried(self._entity_df)
        if isinstance(self._entity_df, SnapshotPlan):
            return self._snapshots(self._entity_df)
        return table_of(self._entity_df, self._work.project)

    def _query_reads(self, query: str) -> frozenset[str]:
        """The tables that the spine's SELECT reads; raises UnknownSource if the lake lacks one."""
        work = self._work
        reads = relations(query, work.dialect, asked_by="the spine")
        for name in sorted(reads):
            if work.lake.find(work.stored(name)) is None:
                known = [*work.project.sources, *filter(work.lake.find, ("snapshots", "labels", "splits"))]
                raise UnknownSource(
                    f"the spine's SELECT reads '{name}', which the lake does not have; it has {choices(known)}.",
                    hint="Name a source or a table that is built; run 'tenure staging' first if nothing is.",
                )
        return reads

    def _queried(self, query: str) -> pa.Table:
        self._work.scan(self._query_reads(query))
        text = query.strip().rstrip(";")
        self._work.engine.schema(text)
        return self._work.engine.run(text)

    def _snapshots(self, plan: SnapshotPlan) -> pa.Table:
        keys = self._work.project.entity.keys
        rows = self._work.read("snapshots", [*keys, "snapshot_date"])
        days = pa.array(plan.dates(), pa.date32())
        stored = pc.unique(rows["snapshot_date"])
        missing = days.filter(pc.invert(pc.is_in(days, stored))).to_pylist()
        if missing:
            raise UnknownSnapshot(
                f"snapshots of {missing[0]} are not built ({len(missing)} of {len(days)} dates are not); "
                f"built are {choices(map(str, stored.to_pylist()))}.",
                hint="Widen [snapshots] in tenure.toml and run 'tenure snapshots', or ask for dates that are built.",
            )
        chosen = rows.filter(pc.is_in(rows["snapshot_date"], days))
        return chosen.sort_by([(name, "ascending") for name in ("snapshot_date", *keys)])

    @cached_property
    def _steps(self) -> PointInTime:
        dates = self._spine.dates
        if len(dates) > _MOST_DATES or (dates and (dates[-1] - dates[0]).days > _MOST_YEARS * 366):
            dates = ()
        if dates and dates[0].year <= 100:
            dates = ()
        return PointInTime(self._work.project, self._work.dialect, self.columns, dates)

    @cached_property
    def _answer(self) -> pa.Table:
        spine, steps, engine = self._spine, self._steps, self._work.engine
        self._scan(steps.reads)
        with tempfile.TemporaryDirectory(prefix="tenure-spine-") as scratch:
            folder = Path(scratch)
            hand_over(self._work.engine, ASKED, spine.asked, folder)
            if steps.aggregated:
                self._aggregate(steps, folder)
            features = engine.run(steps.final().text)
        rows = spine.rows
        if features.num_rows != rows.num_rows:
            raise EngineError(f"{rows.num_rows:,} rows were asked for and {features.num_rows:,} came back.")
        for name in map(str, self.columns):
            rows = rows.append_column(name, features[name])
        return rows

    def _scan(self, sources: Sequence[str]) -> None:
        require_staged(self._work, [name for name in sources if name not in self._versions])
        for name in sources:
            version = self._versions.get(name) or self._work.require(name)
            self._read[name] = version
            self._work.engine.scan(name, version.files, version.schema, version.partition_by)

    def _aggregate(self, steps: PointInTime, folder: Path) -> None:
        """Compute the aggregates, a range at a time so that memory stays bounded, into relation `asked_windows`."""
        engine = self._work.engine
        if steps.snapshots:
            self._materialize(steps.snapshots, folder)
        for select in steps.cached:
            engine.cache(select.table, select.text)
        files: list[Path] = []
        for numbers in self._ranges(steps):
            of_range = steps.range(numbers)
            for select in of_range.cached:
                engine.cache(select.table, select.text)
            files += engine.write(of_range.answers.text, folder / ANSWERS, ())
        # Planning hundreds of columns takes longer than computing few rows, so the schema is read from a file.
        schema = pq.ParquetFile(files[0]).schema_arrow if files else engine.schema(steps.range().answers.text)
        engine.scan(ANSWERS, files, schema.remove_metadata(), ())

    def _materialize(self, select: Select, folder: Path) -> None:
        """Write a SELECT's rows and scan them: a relation that other runs of the engine scan can't be cached."""
        engine = self._work.engine
        files = engine.write(select.text, folder / select.table, ())
        engine.scan(select.table, files, engine.schema(select.text), ())

    def _ranges(self, steps: PointInTime) -> list[str]:
        """The conditions of ranges of numbers, each of which has about as many cells as are computed at a time."""
        count = max(1, self._work.engine.run(steps.counted).to_pylist()[0]["n"])
        cells = max(1, self._spine.rows.num_rows) * len(steps.aggregated)
        parts = max(1, math.ceil(cells / _CELLS))
        return number_ranges(count, math.ceil(count / parts))


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """Yield a file to write, which replaces `file` when it is whole, and is removed if anything fails."""
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _not_installed(package: str) -> MissingDependency:
    return MissingDependency(
        f"a {package} frame needs {package}, which is not installed.",
        hint=f"Run pip install {package}, or use to_arrow().",
    )
