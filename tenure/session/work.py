"""Work: one run's project, settings, lake and engine, and how a table is built: check, then commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from tenure.checks.contract_files import Agreed, read_contracts
from tenure.checks.in_sql import require_passed, run_checks
from tenure.config import Config, load_config
from tenure.define.churn import ChurnDefinition
from tenure.define.contract_base import CheckResult, Contract
from tenure.define.definitions import load_project
from tenure.define.project import Project
from tenure.define.stage import maker_of
from tenure.define.table_contracts import contracts
from tenure.engines import open_engine
from tenure.engines.base import Engine, EngineName, EngineSettings
from tenure.engines.files import matching_files
from tenure.engines.handing import hand_over
from tenure.errors import CheckFailed, InputError
from tenure.faults.boundary import boundary
from tenure.host.paths import local_path
from tenure.session.fingerprints import fingerprint
from tenure.session.folders import folders_of, require_outside, require_unread
from tenure.session.meaning import meanings
from tenure.session.progress import Progress, Silent
from tenure.session.suppressed import ASKED_BY, SuppressionList, read_list, require_list
from tenure.sql import Dialect, Select
from tenure.storage.location import Location, located
from tenure.store.digests import FileDigests
from tenure.store.identity import Owner
from tenure.store.lake import Lake, Replaced
from tenure.store.spill import Spill, new_run_id
from tenure.store.table import Ingredients, TableVersion
from tenure.tables.labels import SUPPRESSED
from tenure.version import __version__


@dataclass(kw_only=True)
class Outcome:
    """What a stage did: whether anything was built, the rows and versions, the checks that passed."""

    built: bool = False
    rows: int = 0
    fingerprint: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    message: str = ""

    def add(self, version: TableVersion, *, built: bool, checks: Sequence[CheckResult] = ()) -> None:
        """Count a table that the stage built or found current."""
        self.built |= built
        self.rows += version.rows
        self.fingerprint = version.fingerprint
        self.versions[version.table] = version.version
        self.checks += checks


class Work:
    """A project at work. Use it as a context manager: it closes the engine."""

    def __init__(
        self, folder: Path, config: Config, project: Project | None = None, data: Location | str | None = None
    ) -> None:
        """Open the project in a folder; its definitions run when they are first read.

        Raises InvalidConfig if its folders overlap or are no local ones, LakeFormat or LakeOfAnotherProject if the
        lake is another's. Writes nothing.
        """
        self.folder, self.config = folder, config
        self.folders = folders_of(folder, config, data)
        self.data, self.output = self.folders.data, self.folders.output
        owner = Owner(config.project.name, folder, __version__)
        self.lake = Lake(self.folders.lake, owner, config.lake.mode, self.folders.scratch)
        self.lake.require_owner()
        self.run_id = new_run_id()
        #: Who shows how far a stage has come.
        self.progress: Progress = Silent()
        #: The day of the extract that this run stages, where the command says so.
        self.extracted: date | None = None
        self._engine: Engine | None = None
        self._spill: Spill | None = None
        if project is not None:
            suppresses = bool(config.suppress.path)
            given = project if project.suppresses == suppresses else replace(project, suppresses=suppresses)
            self.project = self._defined = given

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        data: Location | str | None = None,
        engine: str = "",
        overrides: dict[str, dict[str, object]] | None = None,
    ) -> Work:
        """Return the project in `folder`, ready to work; `data` and `engine` override tenure.toml.

        The definitions are run and validated at once.
        """
        work = cls.look(folder, data=data, engine=engine, overrides=overrides)
        work.project  # noqa: B018  (loaded, and refused, before anything else)
        return work

    @classmethod
    def look(
        cls,
        folder: Path,
        *,
        data: Location | str | None = None,
        engine: str = "",
        overrides: dict[str, dict[str, object]] | None = None,
    ) -> Work:
        """Return the project in `folder` to look at its lake: none of its definitions is run unless asked for."""
        folder = local_path(folder, asked_by="--project")
        put_over = {section: dict(keys) for section, keys in (overrides or {}).items()}
        if engine:
            put_over.setdefault("engine", {})["name"] = engine
        with boundary(f"opening the project '{folder}'"):
            return cls(folder, load_config(folder, put_over), data=data)

    @cached_property
    def project(self) -> Project:
        """The bank's definitions, run and validated when they are first asked for."""
        agreed = self.agreed
        require_unread(self.folders, self._defined)
        rules = {name: one.rules for name, one in agreed.items()}
        return replace(self._defined, rules=rules, suppresses=bool(self.config.suppress.path))

    @cached_property
    def agreed(self) -> dict[str, Agreed]:
        """The contracts of the sources that have one, by their names."""
        with boundary(f"opening the project '{self.folder}'"):
            return read_contracts(self.folder, self._defined)

    @cached_property
    def _defined(self) -> Project:
        """What the bank's Python files define, without the rules of its contracts."""
        with boundary(f"opening the project '{self.folder}'"):
            return load_project(self.folder, self.config.project.name)

    @property
    def churn(self) -> ChurnDefinition:
        """The churn definition of this run; all other code takes it from here, not from the project."""
        return self.project.churn

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        """The contract of each table that the definitions make, by its place in the lake."""
        return contracts(self.project)

    def __enter__(self) -> Self:
        return self

    @contextmanager
    def scratch(self) -> Iterator[Work]:
        """Give the same work with an engine of its own relations, so that raw tables may take any names."""
        with Work(self.folder, self.config, self.project, self.data) as scratch:
            scratch.use_engine(self.engine.new_session())
            yield scratch

    def boundary(self, doing: str, *, internal: bool = False) -> AbstractContextManager[None]:
        """Turn what libraries and the machine raise inside into Tenure's errors; the lake's logs keep the originals."""
        places = {"the lake": self.lake.folder, "the raw data": self.data, "the output": self.output}
        return boundary(doing, log=self.lake.error_log(self.run_id), places=places, internal=internal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            self._engine.close()
        if self._spill is not None:
            self._spill.close()
            self._spill = None
        self.lake.close()

    @property
    def engine(self) -> Engine:
        """The engine, started when it is first needed."""
        if self._engine is None:
            self._engine = open_engine(self.engine_settings(self.config.engine.name))
        return self._engine

    def engine_settings(self, name: EngineName) -> EngineSettings:
        """Return the settings of [engine] for an engine of that name, which spills into this run's own folder."""
        section = self.config.engine
        return EngineSettings(
            name=name,
            memory=section.memory,
            threads=section.threads,
            options=section.options if name == section.name else {},
            spill=self.spill_folder,
            most_spill=section.spill,
        )

    @property
    def spill_folder(self) -> Path:
        """The folder of this machine for what the run's memory has no room for; it goes with the run."""
        if self._spill is None:
            self._spill = self.lake.spill(self.run_id)
        return self._spill.folder

    def use_engine(self, engine: Engine) -> None:
        """Compute with a running engine: Glue's session, or one that several runs share."""
        self._engine = engine

    @property
    def dialect(self) -> Dialect:
        """The dialect of the configured engine, without starting it."""
        return self._engine.dialect if self._engine else self.config.engine.name

    @property
    def engine_version(self) -> str:
        """The engine's name and version if it was started, else ''."""
        return self._engine.version if self._engine else ""

    @cached_property
    def raw_digests(self) -> FileDigests:
        """The digests of the bank's raw files, remembered from run to run unless [data] trust_times is false."""
        return self.lake.digests_of_raw_files(trusting=self.config.data.trust_times)

    @cached_property
    def definitions(self) -> str:
        """The fingerprint of the definitions and of Tenure itself."""
        return fingerprint([self.project.fingerprint, __version__])

    @cached_property
    def meanings(self) -> Mapping[str, str]:
        """The digest of what each feature column means, by its name, and of the label."""
        return meanings(self.project, self.churn)

    def contract_of(self, relation: str) -> Contract:
        """Return the contract of a relation: a source's is that of its staged rows."""
        return self.contracts[self.stored(relation)]

    def stored(self, relation: str) -> str:
        """Return the table's place in the lake: sources are under staging/."""
        if relation in self.project.sources:
            return f"staging/{relation}"
        return self.project.reconciled.get(relation, relation)

    @cached_property
    def suppression_file(self) -> Location | None:
        """The file of the customers who objected, None if the project has none."""
        written = self.config.suppress.path
        if not written:
            return None
        file = located(written, asked_by=ASKED_BY, folder=self.folder, s3=self.folders.s3)
        require_outside([file], self.folders, asked_by=ASKED_BY)
        require_list(file)
        return file

    @cached_property
    def suppressed(self) -> SuppressionList:
        """The customers who objected, their keys typed as those staged."""
        if self.suppression_file is None:
            raise TypeError("only a project with a suppression list reads it")
        entity = self.project.entity
        schema = self.require(entity.source).schema
        types = {key: schema.field(key).type for key in entity.keys}
        return read_list(self.suppression_file, self.project.sources[entity.source], types)

    def fingerprint_of(self, relation: str) -> str:
        """Return the fingerprint of a relation as it is now: a stored table's, or that of the suppression list."""
        return self.suppressed.digest if relation == SUPPRESSED else self.require(relation).fingerprint

    def require(self, relation: str) -> TableVersion:
        """Return a table's newest version, or raise MissingTable naming the stage to run."""
        stored = self.stored(relation)
        with self._reading(relation):
            return self.lake.require(stored, run=maker_of(stored) or "run")

    def raw_files(self, pattern: str, *, asked_by: str) -> list[Location]:
        """Return the files that a raw table's path matches; raise MissingFile if none does, InvalidConfig for ours."""
        files = matching_files(pattern, self.data, asked_by=asked_by, s3=self.folders.s3)
        require_outside(files, self.folders, asked_by=asked_by)
        return files

    def scan(self, relations: Iterable[str]) -> None:
        """Register tables of the lake with the engine, and the suppression list where it is read."""
        for relation in relations:
            if relation == SUPPRESSED:
                hand_over(self.engine, relation, self.suppressed.rows, self.spill_folder)
                continue
            version = self.require(relation)
            with self._reading(relation):
                self.engine.scan(relation, version.files, version.schema, version.partition_by)

    def read(
        self, relation: str, columns: Sequence[str] | None = None, where: Mapping[str, str] | None = None
    ) -> pa.Table:
        """Return a table's rows; given `where`, those of the partitions alone whose values are these."""
        self.require(relation)
        with self._reading(relation):
            return self.lake.read(self.stored(relation), columns=columns, where=where)

    def _reading(self, relation: str) -> AbstractContextManager[None]:
        return self.boundary(f"reading table '{self.stored(relation)}'")

    def build(self, select: Select, outcome: Outcome) -> TableVersion:
        """Build a table from its SELECT unless it is current; count it in `outcome`.

        Raises CheckFailed, with nothing committed, if its rows break the table's contract.
        """
        with self.boundary(f"table '{select.table}'"):
            digest, current = self.digest_of(select), self.lake.find(select.table)
            if current and current.fingerprint == digest:
                outcome.add(current, built=False)
                return current
            self.scan(select.reads)
            version, checks = self.write(select, select.table, digest)
            outcome.add(version, built=True, checks=checks)
            return version

    def digest_of(self, select: Select, dialect: Dialect | None = None) -> str:
        """Return the fingerprint that a table has if it was built of its SELECT and the rows that are stored now.

        `dialect` is the SELECT's, by default that of the configured engine.
        """
        inputs = map(self.fingerprint_of, select.reads)
        return fingerprint([dialect or self.dialect, select.text, *inputs])

    def write(
        self,
        select: Select,
        table: str,
        digest: str,
        *,
        proof: Callable[[], object] | None = None,
        in_place_of: Collection[Location] | None = None,
        rows_per_file: int = 0,
    ) -> tuple[TableVersion, list[CheckResult]]:
        """Write a SELECT's rows as a table of the lake, checked against its contract first.

        A `proof` looks at the rows, relation `checked`, before they are committed; what it raises refuses them. Given
        `in_place_of`, the rows take the place of those files alone. Given `rows_per_file`, a file holds about as many.
        """
        with self.boundary(f"table '{table}'"):
            self.lake.sweep(table)
            schema = self.engine.schema(select.text)
            token = self.lake.begin_write(table)
            by, folder = self.contracts[table].partition_by, self.lake.writing_folder(table)
            files = self.engine.write(select.text, folder, by, token=token, rows_per_file=rows_per_file)
            return self.commit(table, files, schema, digest, proof=proof, in_place_of=in_place_of)

    def commit(
        self,
        table: str,
        files: Sequence[Location],
        schema: pa.Schema,
        digest: str,
        *,
        replaced: Replaced | None = None,
        in_place_of: Collection[Location] | None = None,
        partitions: Mapping[str, Ingredients] | None = None,
        meanings: Mapping[str, str] | None = None,
        proof: Callable[[], object] | None = None,
    ) -> tuple[TableVersion, list[CheckResult]]:
        """Make files the table's content; raise CheckFailed, with the files removed, if they break its contract.

        Given `in_place_of`, they take the place of those files alone.

        Given `partitions`, the files are those of some partitions, whose rows the relation that the contract compares
        them with holds already; `replaced` are the stored ones that they replace, None if no other stays.

        `meanings` are the digests of what columns mean: by them the dictionary tells when one is defined otherwise.
        """
        contract = self.contracts[table]
        checks: list[CheckResult] = []
        with self.removed_if_refused(table, files):
            if files:
                self.scan([contract.same_rows_as] if contract.same_rows_as and partitions is None else [])
                self.engine.scan("checked", files, schema, contract.partition_by)
                checks = run_checks(self.engine, contract, "checked")
                require_passed(checks)
                if proof is not None:
                    proof()
        version = self.lake.commit(
            table,
            files,
            schema,
            partition_by=contract.partition_by,
            fingerprint=digest,
            replaced=replaced,
            in_place_of=in_place_of,
            partitions=partitions,
            meanings=meanings,
            indexed=contract.not_personal(schema.names),
        )
        return version, checks

    @contextmanager
    def removed_if_refused(self, table: str, files: Sequence[Location]) -> Iterator[None]:
        """Remove files that were to be committed to a table if a check or proof inside refuses them."""
        try:
            yield
        except (CheckFailed, InputError):
            self.lake.remove_unnamed(table, files)
            raise

    def keep(
        self,
        table: str,
        rows: pa.Table,
        digest: str,
        outcome: Outcome,
        *,
        partition: Mapping[str, object] | None = None,
    ) -> TableVersion:
        """Commit Arrow rows as a table, or as one `partition` of it (value by column), and count it in `outcome`.

        Raises CheckFailed, with nothing committed, if they break the table's contract.
        """
        contract = self.contracts[table]
        with self.boundary(f"table '{table}'"):
            if partition is None:
                version = self.lake.write(rows, contract, fingerprint=digest)
            else:
                version = self.lake.write_partition(rows, contract, partition, fingerprint=digest)
        outcome.add(version, built=True)
        return version

    def find_current(self, tables: Sequence[str], digest: str, outcome: Outcome) -> bool:
        """Return whether every table is there with this fingerprint; if so they are counted in `outcome`."""
        found: list[TableVersion] = []
        for table in tables:
            version = self.lake.find(table)
            if version is None or version.fingerprint != digest:
                return False
            found.append(version)
        for version in found:
            outcome.add(version, built=False)
        outcome.rows = found[0].rows
        return True


def adopt(folder: Path, present: str) -> tuple[Location, Owner]:
    """Give the lake of the project in `folder` to this project; `present` is the name of the one that it belongs to.

    Returns the lake's folder and its owner now.

    Raises StoreError if the lake is none, or belongs to a project of another name; LakeBusy if a run is writing to it.
    """
    folder = local_path(folder, asked_by="--project")
    config = load_config(folder)
    owner = Owner(config.project.name, folder, __version__)
    lake = Lake(folders_of(folder, config, None).lake, owner, config.lake.mode)
    lake.adopt(owner, present)
    return lake.folder, owner
