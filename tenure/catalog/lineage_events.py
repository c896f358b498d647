"""Lineage events: what each stage of a run read and wrote, gathered from records, and added to the run's file.

ledger's record ─┐
the lake's log ──┼─► Dataset ─► events ─► lake/lineage/<run_id>.jsonl        no row and no file of data is read
definitions ─────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import cached_property

from tenure.catalog.columns import own_column_words, source_column_words, sql_type
from tenure.catalog.openlineage import Dataset, DatasetName, InputField, dataset_name, run_events
from tenure.catalog.raw_datasets import raw_datasets
from tenure.define.contract_base import CheckResult
from tenure.define.feature import Aggregate, Ratio, Trend
from tenure.define.source import Source
from tenure.define.stage import STAGES, maker_of
from tenure.intake.facts import intake_facts
from tenure.session.meaning import LABEL
from tenure.session.origins import Origins, Reading
from tenure.session.work import Work
from tenure.store.lineage_file import LineageFile
from tenure.store.runs import StageRun
from tenure.store.table import TableVersion, partition_values


class LineageEvents:
    """The events of one run, which holds the lake: each table is looked up once for each version that it has."""

    def __init__(self, work: Work) -> None:
        self._work, self._project = work, work.project
        self._origins = Origins(work.project, work.dialect, work.churn)
        self._file = LineageFile(work.lake.folder, work.run_id)
        self._versions: dict[str, TableVersion | None] = {}
        self._checks: dict[str, list[CheckResult]] = {}
        self._places: dict[str, DatasetName] = {}

    @property
    def _namespace(self) -> str:
        return self._work.config.lineage.namespace or self._project.name

    def add(self, record: StageRun, before: Mapping[str, int], failure: str = "") -> None:
        """Add the events of a stage that ended; `before` are the versions that its tables had when it began.

        `failure` is the class of the error that ended it.

        A stage that was current has none. One that failed has no datasets: nothing that it had begun is visible.
        """
        inputs: list[Dataset] = []
        outputs: list[Dataset] = []
        snapshot = None
        if record.status == "built":
            written = self._written(record, before)
            outputs = [self._output(version) for version in written]
            inputs = list(self._inputs(record.stage, [version.table for version in written], outputs))
            snapshot = max(filter(None, map(_newest_snapshot, written)), default=None)
        events = run_events(
            record, self._namespace, self._work.engine_version, inputs, outputs, snapshot=snapshot, failure=failure
        )
        if events:
            self._file.add(events)

    def _written(self, record: StageRun, before: Mapping[str, int]) -> list[TableVersion]:
        """The newest versions of the tables of which the stage wrote one."""
        found = []
        for table in self._work.lake.tables():
            if maker_of(table) != record.stage:
                continue
            self._versions.pop(table, None)
            version = self._version(table)
            if version is not None and before.get(table) != version.version:
                self._checks[table] = [check for check in record.checks if check.table == table]
                found.append(version)
        return found

    def _version(self, table: str) -> TableVersion | None:
        if table not in self._versions:
            self._versions[table] = self._work.lake.find(table)
        return self._versions[table]

    def _inputs(self, stage: str, written: Iterable[str], outputs: Iterable[Dataset]) -> Iterator[Dataset]:
        if stage == "staging":
            yield from self._raw_inputs(written, outputs)
            return
        for relation in STAGES[stage].relations(self._project.sources, self._project.made_by_name):
            version = self._version(self._work.stored(relation))
            if version is not None:
                yield self._input(version)

    def _input(self, version: TableVersion) -> Dataset:
        contract = self._work.contracts[version.table]
        checks = self._checks.get(version.table, ())
        return Dataset(
            place=self._place(version.table),
            version=version.version,
            rows=version.rows,
            size=version.size,
            files=len(version.files),
            # Each commit of the table was checked for it.
            not_null=[name for name in contract.required if name in version.schema.names],
            checks=[(check.check, _column_of(check.check, contract.required), check.passed) for check in checks],
        )

    def _output(self, version: TableVersion) -> Dataset:
        relation = self._relation(version.table)
        return Dataset(
            place=self._place(version.table),
            version=version.version,
            meaning=self._work.contracts[version.table].doc,
            columns=[(part.name, sql_type(part.type), self._meaning(relation, part.name)) for part in version.schema],
            lineage=self._lineage(relation, version.schema.names),
            rows=version.rows,
            size=version.size,
            files=len(version.files),
        )

    def _raw_inputs(self, written: Iterable[str], outputs: Iterable[Dataset]) -> Iterator[Dataset]:
        """The raw tables of the sources that were staged, with the columns that staged ones are made from."""
        staged = {table.partition("/")[2] for table in written if "/" in table}
        read: dict[DatasetName, dict[str, None]] = {}
        for output in outputs:
            for fields in output.lineage.values():
                for one in fields:
                    read.setdefault(one.dataset, {})[one.column] = None
        facts = intake_facts(self._work)
        for name in self._project.sources:
            if name not in staged:
                continue
            places = dict.fromkeys(place for found in self._raw[name].values() for place in found)
            for place in places:
                yield Dataset(
                    place=place,
                    columns=[(column, "", "") for column in read.get(place, ())],
                    rows=facts[name]["rows_read"] if len(places) == 1 and name in facts else None,
                )

    def _place(self, table: str) -> DatasetName:
        if table not in self._places:
            self._places[table] = dataset_name(self._work.lake.path(table))
        return self._places[table]

    def _relation(self, table: str) -> str:
        folder, _, name = table.partition("/")
        return name if folder == "staging" else table

    @cached_property
    def _raw(self) -> dict[str, dict[str, tuple[DatasetName, ...]]]:
        """The datasets that each raw table of each source reads."""
        return {
            name: {raw: raw_datasets(declared, name, self._work.folders) for raw, declared in source.raws.items()}
            for name, source in self._project.sources.items()
        }

    def _meaning(self, relation: str, column: str) -> str:
        if relation in self._project.sources:
            return source_column_words(self._project, self._project.sources[relation], column)
        if relation in ("features", "training_set") and column in self._descriptions:
            return self._descriptions[column]
        return own_column_words(self._project, relation, column)

    @cached_property
    def _descriptions(self) -> dict[str, str]:
        return {name: described.text for name, described in self._project.described_columns.items()}

    def _lineage(self, relation: str, columns: Iterable[str]) -> dict[str, list[InputField]]:
        """What each column that SQL makes is computed from, of tables that the stage reads; others are not there."""
        known = self._origins.table_columns.get(relation, ())
        found = {}
        for column in columns:
            if column not in known:
                continue
            if relation in self._project.sources:
                fields = list(self._of_raw(self._project.sources[relation], column))
            else:
                fields = list(self._of_tables(relation, column))
            if fields:
                found[column] = fields
        return found

    def _of_raw(self, source: Source, column: str) -> Iterator[InputField]:
        for table, raw_column in self._origins.raw_columns(source, column) or ():
            # A server's query may name its columns anew, and which of its tables each one is of is not looked into.
            if source.raws[table].path:
                (place,) = self._raw[source.name][table]
                yield InputField(place, raw_column, "DIRECT", "TRANSFORMATION")

    def _of_tables(self, table: str, column: str) -> Iterator[InputField]:
        upstream, readings = self._origins.reads(table, column)
        is_label = (table, column) == ("labels", LABEL)
        for above, name in upstream:
            how = ("DIRECT", "IDENTITY" if name == column else "TRANSFORMATION")
            yield InputField(self._place(above), name, *(_DECIDES if is_label else how))
        for reading in readings:
            how = _DECIDES if is_label and reading.use == "value" else self._how(table, column, reading)
            yield InputField(self._place(self._work.stored(reading.source)), reading.column, *how)

    def _how(self, table: str, column: str, reading: Reading) -> tuple[str, str]:
        """The type and the subtype of the transformation by which a reading takes part in a column."""
        if reading.use != "value":
            return "INDIRECT", "GROUP_BY" if reading.use == "whose" else "FILTER"
        feature = self._origins.features.get(column) if table == "features" else None
        if feature is not None and isinstance(self._origins.defined[feature].part, Aggregate | Ratio | Trend):
            return "DIRECT", "AGGREGATION"
        is_same = feature is not None or reading.column == column
        return "DIRECT", "IDENTITY" if is_same else "TRANSFORMATION"


#: How a column takes part in the label: whether a customer churned is a condition on it.
_DECIDES = ("INDIRECT", "CONDITIONAL")


def _column_of(check: str, required: Iterable[str]) -> str:
    """The column that a check is about; '' where it is about rows."""
    column = check.removesuffix("_is_not_null")
    return column if column != check and column in required else ""


def _newest_snapshot(version: TableVersion) -> date | None:
    """The newest snapshot of a table that is partitioned by it."""
    if "snapshot_date" not in version.partition_by:
        return None
    found = [partition_values(file, version.partition_by)["snapshot_date"] for file in version.files]
    with suppress(ValueError):
        return max((date.fromisoformat(text) for text in found if text), default=None)
    return None
