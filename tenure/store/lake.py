"""The lake: Delta tables on disk. Engines write Parquet files; the lake commits them, all or nothing.

lake/
├── staging/<source>/      ├── quarantine/<source>/      ├── tiles/<source>/period_end=…/
├── snapshots/             ├── features/snapshot_date=…/
├── _lake.json             whose lake this is, in which format
├── _tables.json           the names of its tables
├── lineage/<run>.jsonl    what each stage of a run read and wrote, for a catalog
└── <table>/
    ├── _delta_log/           what each commit did; a file that no commit names is invisible
    ├── _log_digests.json     the SHA-256 of each file of the log
    ├── _writes               the journal: which files Tenure began, so that a sweep removes no other
    └── part-<token>-<SHA-256>.parquet
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import RemoveAction, create_table_with_add_actions

from tenure.checks.in_memory import check_rows
from tenure.checks.in_sql import require_passed
from tenure.define.contract_base import Contract
from tenure.errors import DamagedLake, MissingTable, StoreError
from tenure.faults.error_log import ErrorLog
from tenure.storage.location import Listing, Location, Stamp, below, files_below, is_below, make_folder
from tenure.storage.s3 import S3Location
from tenure.store.catalogue import Catalogue
from tenure.store.delta_log import LOGS, DeltaLog
from tenure.store.digests import FileDigests
from tenure.store.identity import Owner, adopt, claim, require_owner
from tenure.store.journal import begin_write, keep_tokens, token_of, tokens
from tenure.store.landing import Landing
from tenure.store.lease import Lease
from tenure.store.locks import lake_lock
from tenure.store.log_digests import LogState, TableLog
from tenure.store.private import Mode, private_files
from tenure.store.refused import Refused, read_refused, require_forgotten_wholly
from tenure.store.rows import in_partition, read_rows, rows_beside, typed_if_empty, write_partition, write_rows
from tenure.store.sealed import file_problem, seal
from tenure.store.spill import RUN_ID, Spill, new_run_id, remove_left, room_of
from tenure.store.steps import Steps
from tenure.store.table import (
    FileFacts,
    Ingredients,
    TableVersion,
    add_action,
    delta_schema,
    describe_file,
    partition_values,
    utc,
)

#: What a commit notes of the version that it makes: what it and its partitions are made of, and what its columns mean.
FINGERPRINT = "tenure.fingerprint"
PARTITIONS = "tenure.partitions"
MEANINGS = "tenure.meanings"

#: What kind of commit it is, where it brings no rows: 'forget', since when rows of forgotten customers are gone.
KIND = "tenure.kind"

#: A part of a table's name; neither '..' nor the log of another table.
_TABLE_PART = re.compile(r"(?!_delta_log$)\w[\w.=-]*")

#: The beginning of the name of a run's scratch folder.
_SCRATCH = ".proof-"

#: Partitions that a commit replaces, as values by column: those that hold one of the values of each.
Replaced: TypeAlias = Mapping[str, Collection[str]]


class Lake:
    """Delta tables under one folder. One run writes at a time; readers are never blocked."""

    def __init__(
        self, folder: Location, owner: Owner | None = None, mode: Mode = "owner", scratch: Path | None = None
    ) -> None:
        """Know a folder as a lake; nothing is read or written. With an `owner` it is written for that project alone.

        Runs spill into `scratch`, a folder of this machine; without it into a place of the lake's own.
        """
        self._room = room_of(folder, scratch)
        self.folder, self.owner, self.mode = folder, owner, mode
        self.digests = FileDigests(folder / "_verified.json")
        self.catalogue = Catalogue(folder, lambda table: table in self._newest or self.log(table).is_there())
        self._lease: Lease | None = None
        self._way_there: Spill | None = None
        self._to_sweep: set[str] = set()
        self._fetched: dict[Path, Stamp] = {}
        self._facts: dict[Location, FileFacts | None] = {}
        self._overlooked: set[Location] = set()
        #: What the logs said of the newest versions when they were last read.
        self._read: dict[str, tuple[LogState, TableVersion]] = {}
        #: The newest versions, as they were found whole, while nobody else may write the lake on S3.
        self._newest: dict[str, TableVersion] = {}

    def require_owner(self) -> None:
        """Raise LakeFormat or LakeOfAnotherProject unless the folder is the owner's lake or none yet."""
        if self.owner is not None:
            require_owner(self.folder, self.owner)

    @contextmanager
    def locked(self, *, forgetting: bool = False) -> Iterator[None]:
        """Hold the lake for writing; raise LakeBusy if another process does. A killed process lets go.

        What is written meanwhile is for the owner, or the group, alone. The first time makes the folder a lake of its
        owner; raises LakeFormat or LakeOfAnotherProject if it is another's, and StoreError while customers are half
        forgotten, unless it is held for `forgetting`.
        """
        with self._write_lock():
            if self.owner is not None:
                claim(self.folder, self.owner)
            if not forgetting:
                require_forgotten_wholly(self.folder)
            remove_left(self._room)
            self._seal_what_a_kill_left()
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for writing whatever lies there, without making it a lake."""
        with self._write_lock():
            yield

    def adopt(self, owner: Owner, present: str) -> None:
        """Give the lake to another project; `present` is the name of the one that it belongs to.

        Raises StoreError if it is no lake or belongs to a project of another name, LakeBusy if a run is writing to it.
        """
        if not self.folder.is_dir():
            adopt(self.folder, owner, present)
            return
        with self._write_lock():
            adopt(self.folder, owner, present)

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """The lake's lock, whoever owns the lake."""
        with private_files(self.mode):
            if isinstance(self.folder, S3Location):
                self._lease = Lease(self.folder)
                try:
                    with self._lease.held():
                        yield
                finally:
                    self._lease = None
                    self._newest.clear()
                return
            make_folder(self.folder)
            with lake_lock(self.folder):
                yield

    def tables(self) -> list[str]:
        """Return every table that was ever committed, sorted, such as 'snapshots' or 'staging/customers'."""
        return self.catalogue.names()

    def _seal_what_a_kill_left(self) -> None:
        """Note the digests that a run, killed between a commit and its note, owed."""
        for table in self.tables():
            self.log(table).seal_what_a_kill_left()

    def path(self, table: str) -> Location:
        """Return the folder of a table, such as 'snapshots' or 'staging/customers'.

        Raises StoreError for what is no table's name, such as '/etc' or '../x', and for a link out of the lake.
        """
        parts = table.split("/")
        if not all(_TABLE_PART.fullmatch(part) for part in parts):
            raise StoreError(
                f"'{table}' is no name of a table: tables lie in the lake '{self.folder}', and are named such as "
                "'features' or 'staging/customers'.",
                hint="See them with 'tenure history'.",
            )
        if isinstance(self.folder, S3Location):
            return self.folder / table
        found = self.folder
        for part in parts:
            found /= part
            if found.is_symlink() and not found.resolve().is_relative_to(self.folder.resolve()):
                raise StoreError(
                    f"'{found}' is a link out of the lake, to '{found.resolve()}'; a lake's tables lie in its folder.",
                    hint="Move the folder itself back, or link the whole lake: [lake] path in tenure.toml.",
                )
        return found

    def writing_folder(self, table: str) -> Path:
        """Return the folder of this machine into which an engine writes a table's files before they are committed.

        It is the table's own; of a lake on S3 a folder of this run's spill, from which a commit sends them.
        """
        folder = self.path(table)
        if isinstance(folder, Path):
            return folder
        if self._way_there is None:
            self._way_there = Spill(self._room, new_run_id())
        local = self._way_there.folder / "lake" / table
        local.mkdir(parents=True, exist_ok=True)
        return local

    def close(self) -> None:
        """Remove what this object put on this machine on its way to S3, and keep the digests that it knows."""
        if self._way_there is not None:
            self._way_there.close()
            self._way_there = None
        with private_files(self.mode):
            self.digests.save()

    def landing(self, name: str) -> Landing:
        """Return the place where the raw rows of a reader are landed, such as of 'payments-booked'."""
        return Landing(self.path(f"landing/{name}"))

    def refused(self) -> Refused:
        """Return the customers who were forgotten, whose rows are refused."""
        return read_refused(self.folder)

    def remove_landings(self, source: str = "") -> list[Location]:
        """Remove what was landed of a source's raw tables, or of every source's; return the files."""
        landed = files_below(self.folder / "landing", "*")
        found = [
            file for file in landed if below(file, self.folder).parts[1].startswith(f"{source}-" if source else "")
        ]
        for file in found:
            file.unlink(missing_ok=True)
        return found

    def spill(self, run_id: str) -> Spill:
        """Return a new spill folder of a run; close it when the run ends."""
        return Spill(self._room, run_id)

    def error_log(self, run_id: str) -> ErrorLog:
        """Return the log of a run's errors."""
        return ErrorLog(self.folder, run_id)

    def digests_of_raw_files(self, *, trusting: bool) -> FileDigests:
        """Return the digests of raw files: the remembered ones, or, not `trusting`, such as read each file anew."""
        return self.digests if trusting else FileDigests(self.folder / "_raw.json", trusting=False)

    @contextmanager
    def scratch(self, run_id: str) -> Iterator[Path]:
        """Give a run a folder that every worker of its engine can write and read, and remove it afterwards.

        The folders that killed runs left are removed first.
        """
        if isinstance(self.folder, S3Location):
            with TemporaryDirectory(prefix="tenure-proof-") as made:
                yield Path(made)
            return
        for left in self.folder.glob(f"{_SCRATCH}*"):
            if RUN_ID.fullmatch(left.name.removeprefix(_SCRATCH)) and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
        folder = self.folder / f"{_SCRATCH}{run_id}"
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def covers(self, file: Location) -> bool:
        """Return whether a file lies in the lake's folder, whatever links lead there."""
        if isinstance(file, Path) and isinstance(self.folder, Path):
            return file.resolve().is_relative_to(self.folder.resolve())
        return is_below(file, self.folder)

    def remove_unnamed(self, table: str, files: Sequence[Location]) -> None:
        """Remove files that were written for a commit that will not come, and forget the steps that led to it."""
        for file in files:
            file.unlink(missing_ok=True)
        self.steps(table).forget()

    def log(self, table: str, seen: Listing | None = None) -> TableLog:
        """Return a table's Delta log with the digests of its files."""
        return TableLog(self.path(table), self.digests, seen)

    def _delta_log(self, table: str) -> DeltaLog:
        return DeltaLog(self.path(table), self.writing_folder(table), self._fetched)

    def open_delta(self, table: str, version: int | None = None, seen: Listing | None = None) -> DeltaTable | None:
        """Return a table's newest (or the given) version as Delta's, None if the table was never committed.

        Raises DamagedLake if a file of its log is not as it was written.
        """
        seen = seen or Listing(self.path(table))
        log = self.log(table, seen)
        if not log.is_there():
            return None
        damage = log.damage()
        if damage:
            raise damaged(self, table, f"'{damage.file.name}' of its log {damage.problem}")
        try:
            return DeltaTable(self._delta_log(table).refreshed(seen), version=version)
        except TableNotFoundError as error:
            raise damaged(self, table, "its log holds no commit") from error

    def find(self, table: str, version: int | None = None, *, verified: bool = True) -> TableVersion | None:
        """Return a table's newest (or the given) version, or None if it was never committed.

        Raises DamagedLake if its log or, unless `verified` is false, one of its files is not as it was written.
        """
        if version is None and verified and table in self._newest:
            return self._newest[table]
        seen = Listing(self.path(table))
        found = self._read_log(table, version, seen)
        if found is None:
            return None
        if not verified:
            return found
        left = found.without(self._overlooked)
        if left is not None:
            self.verify_files(left, seen)
            if version is None and self._lease is not None:
                self._newest[table] = left
        return left

    def _read_log(self, table: str, version: int | None, seen: Listing) -> TableVersion | None:
        """Return what a table's log says of a version; of the newest as it was last read, while the log is the same."""
        state = self.log(table, seen).state() if version is None else None
        if state is not None and table in self._read and self._read[table][0] == state:
            return self._read[table][1]
        delta = self.open_delta(table, seen=seen)
        if delta is None:
            return None
        newest = delta.version()
        wanted = newest if version is None else version
        if not 0 <= wanted <= newest:
            return None
        found = self.version_of(table, delta, wanted)
        # A commit that came meanwhile is not what `state` stands for.
        if state is not None and self.log(table).state() == state:
            self._read[table] = state, found
        return found

    def overlook(self, damaged_files: Iterable[Location]) -> None:
        """Take damaged files for files that are not there, so that the stage whose they are makes them again.

        A table without partitions is as good as not built then; of one with partitions theirs are.
        """
        self._overlooked |= set(damaged_files)
        self._newest.clear()

    def version_of(self, table: str, delta: DeltaTable, wanted: int) -> TableVersion:
        """Return a version of a table that was opened at its newest, and leave `delta` there; no file is looked at."""
        newest = delta.version()
        # Asked before an old version is loaded: afterwards deltalake numbers the commits wrongly.
        info = next((c for c in delta.history(newest - wanted + 1) if c["version"] == wanted), {})
        if wanted < newest:
            delta.load_as_version(wanted)
        adds = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
        named = [self.path(table) / unquote(str(path)) for path in adds.column("path").to_pylist()]
        files = tuple(map(self.digests.as_noted, named))
        return TableVersion(
            table=table,
            version=delta.version(),
            rows=sum(adds.column("num_records").to_pylist()),
            files=files,
            schema=pa.schema(delta.schema().to_arrow()),
            partition_by=tuple(delta.metadata().partition_columns),
            fingerprint=str(info.get(FINGERPRINT, "")),
            partitions=json.loads(str(info.get(PARTITIONS, "{}"))),
            size=sum(adds.column("size_bytes").to_pylist()),
        )

    def verify_files(self, version: TableVersion, seen: Listing | None = None) -> None:
        """Raise DamagedLake unless each file of a version is there and has the digest that its name ends with.

        A file is read only if its size, times or inode are not those with which it was last found right.
        """
        seen = seen or Listing(self.path(version.table))
        for file in version.files:
            problem = file_problem(file, self.digests, seen.stamp(file))
            if problem:
                raise damaged(
                    self, version.table, f"version {version.version}: {describe_file(version, file)} {problem}"
                )

    def require(self, table: str, *, run: str = "run") -> TableVersion:
        """Return a table's newest version; raise MissingTable, naming the command that makes it, if there is none."""
        found = self.find(table)
        if found is None:
            raise MissingTable(f"table '{table}' is not built yet in '{self.folder}'.", hint=f"Run 'tenure {run}'.")
        return found

    def read(
        self,
        table: str,
        *,
        run: str = "run",
        columns: Sequence[str] | None = None,
        version: int | None = None,
        where: Mapping[str, str] | None = None,
    ) -> pa.Table:
        """Return a table's rows as Arrow, of its newest or the given version.

        Given `where`, only the partitions are read whose values are these. Raises MissingTable if it is not built,
        StoreError if it has no such version.
        """
        newest = self.require(table, run=run)
        found = newest if version is None else self.find(table, version)
        if found is None:
            raise StoreError(
                f"table '{table}' has no version {version}; versions: 0 to {newest.version}.",
                hint=f"See them with 'tenure history {table}'.",
            )
        return read_rows(found, columns, where)

    def commit(
        self,
        table: str,
        files: Sequence[Location],
        schema: pa.Schema,
        *,
        partition_by: Sequence[str] = (),
        fingerprint: str = "",
        mode: str = "overwrite",
        replaced: Replaced | None = None,
        in_place_of: Collection[Location] | None = None,
        partitions: Mapping[str, Ingredients] | None = None,
        meanings: Mapping[str, str] | None = None,
        columns_grow: bool = False,
        indexed: Collection[str] = (),
    ) -> TableVersion:
        """Make `files` (of the table's folder or `writing_folder`) its content, or add them to it (mode 'append').

        Given `replaced`, they take the place of those partitions alone; given `in_place_of`, of those files alone, of
        which there may be none. `partitions` are the ingredients of every partition of the new version, `meanings` the
        digests of what its columns mean. With `columns_grow`, new columns are null in the rows that stay. The log tells
        the least and the greatest value of `indexed` columns, of no personal one. Raises StoreError if the table has
        other partition columns, or if rows that stay have other columns.
        """
        files, delta = self._sealed(table, files, indexed), self.open_delta(table)
        if delta is None:
            self.catalogue.note(table)
            properties = _properties(fingerprint, partitions, meanings=meanings)
            return self._create(table, files, schema, partition_by, properties, mode="error")
        others_stay = mode == "append" or replaced is not None or in_place_of is not None
        stored = {field.name for field in delta.schema().fields}
        grown = _with_stored_columns(delta, schema) if columns_grow else None
        if replaced is not None and columns_grow and grown is None and not self._any_stays(table, delta, replaced):
            # Where no row stays, the new rows decide which columns the table has.
            replaced, others_stay = None, False
        schema, others_stay = (schema, others_stay) if grown is None else (grown, False)
        self._require_fitting(table, delta, schema, partition_by, others_stay=others_stay)
        only = [(name, "in", sorted(values)) for name, values in (replaced or {}).items() if values]
        # Nothing to replace is nothing to take away.
        way = "append" if in_place_of is not None or (replaced is not None and not only) else mode
        with self.committing(table):
            if grown is not None and way == "append":
                # An append takes the columns that there are; new ones are a commit of their own.
                fresh = [field for field in delta_schema(grown).fields if field.name not in stored]
                if fresh:
                    delta.alter.add_columns(fresh)
            delta.create_write_transaction(
                [*self._add_actions(table, files, partition_by), *self._remove_actions(table, in_place_of or ())],
                way,
                delta_schema(schema),
                partition_by=list(partition_by) or None,
                partition_filters=only or None,
                commit_properties=_properties(fingerprint, partitions, meanings=meanings),
            )
        return self.require(table)

    def _create(
        self,
        table: str,
        files: Sequence[Location],
        schema: pa.Schema,
        partition_by: Sequence[str],
        properties: CommitProperties,
        *,
        mode: Literal["error", "overwrite"],
    ) -> TableVersion:
        """Commit a table that is new, or ('overwrite') gets other partition columns than it has."""
        with self.committing(table) as path:
            create_table_with_add_actions(
                path,
                delta_schema(schema),
                self._add_actions(table, files, partition_by),
                mode=mode,
                partition_by=list(partition_by) or None,
                commit_properties=properties,
            )
        return self.require(table)

    def commit_removal(self, table: str, files: Iterable[Location], partitions: Mapping[str, Ingredients]) -> None:
        """Commit a table without some of its files; `partitions` are the ingredients of those that stay."""
        delta = self.open_delta(table)
        if delta is None:
            self.require(table)
            return
        with self.committing(table):
            delta.create_write_transaction(
                self._remove_actions(table, files),
                "append",
                delta.schema(),
                partition_by=delta.metadata().partition_columns or None,
                commit_properties=_properties("", partitions),
            )

    def commit_of_kind(self, table: str, kind: str) -> None:
        """Commit the newest version once more, with the same files and ingredients, as a commit of that kind."""
        delta, newest = self.open_delta(table), self.require(table)
        if delta is None:
            return
        with self.committing(table):
            delta.create_write_transaction(
                [],
                "append",
                delta.schema(),
                partition_by=delta.metadata().partition_columns or None,
                commit_properties=_properties(newest.fingerprint, newest.partitions, kind),
            )

    def forget_newest(self, table: str) -> None:
        """Let go of what is remembered of a table's newest version: its files are others now."""
        self._newest.pop(table, None)

    @contextmanager
    def committing(self, table: str) -> Iterator[str]:
        """Give the path in which deltalake commits inside, and note the digest of the log that it wrote there.

        The steps that led to the commit are done, and what an unfinished run left is swept where it could not be
        before: on S3 its run may only be asleep, and finds by this commit that it must not go on.
        """
        self._newest.pop(table, None)
        log = self.log(table)
        log.begin_commit()
        if self._lease is not None:
            self._lease.require()
        delta_log = self._delta_log(table)
        with delta_log.committing() as path:
            yield path
        for file, (digest, stamp) in delta_log.published.items():
            self.digests.note(file, digest, stamp)
        log.seal()
        self.steps(table).forget()
        if table in self._to_sweep:
            self._to_sweep.remove(table)
            self._sweep(table, {})

    def sealed_files(self, table: str, files: Sequence[Location]) -> list[Location]:
        """Give files of a table's `writing_folder` names that end with their SHA-256, in its folder; no commit yet."""
        return seal(files, self.path(table), self.writing_folder(table), self.digests)

    def _sealed(self, table: str, files: Sequence[Location], indexed: Collection[str]) -> list[Location]:
        # Once a file is sent, S3 would have to be asked for what is known here.
        facts = [FileFacts.of(file, indexed) if isinstance(file, Path) else None for file in files]
        sealed = seal(files, self.path(table), self.writing_folder(table), self.digests)
        self._facts |= zip(sealed, facts, strict=True)
        return sealed

    def _add_actions(self, table: str, files: Sequence[Location], partition_by: Sequence[str]) -> list[Any]:
        return [add_action(self.path(table), file, partition_by, self._facts.pop(file, None)) for file in files]

    def _remove_actions(self, table: str, files: Iterable[Location]) -> list[Any]:
        at, folder = int(datetime.now(UTC).timestamp() * 1000), self.path(table)
        return [RemoveAction(path=str(below(file, folder)), data_change=True, deletion_timestamp=at) for file in files]

    def begin_write(self, table: str) -> str:
        """Note in the table's journal that files are about to be written; return the token that names them.

        Give it to the engine or to `write_part`: a sweep removes only files whose names bear such a token.
        """
        return begin_write(self.path(table))

    def _require_fitting(
        self, table: str, delta: DeltaTable, schema: pa.Schema, partition_by: Sequence[str], *, others_stay: bool
    ) -> None:
        """Delta would take other partitions, or other columns than the old files have, and read those as null."""
        stored_by, stored = delta.metadata().partition_columns, pa.schema(delta.schema().to_arrow())
        if stored_by != list(partition_by):
            raise StoreError(
                f"table '{table}' in '{self.folder}' is partitioned by {_listed(stored_by)}, not by "
                f"{_listed(partition_by)}; a table keeps its partitions.",
                hint=f"Remove '{self.path(table)}' and run again.",
            )
        if others_stay and not stored.equals(utc(schema)):
            raise StoreError(
                f"table '{table}' in '{self.folder}' has the columns {_listed(stored.names)} and can't take "
                f"rows with {_listed(schema.names)}, or has them as other types.",
                hint=f"Move '{self.path(table)}' away and run again.",
            )

    def _any_stays(self, table: str, delta: DeltaTable, replaced: Replaced) -> bool:
        """Whether a file of the newest version lies in another partition than those replaced."""
        for file in self.version_of(table, delta, delta.version()).files:
            values = partition_values(file, tuple(replaced))
            if any(values[name] not in texts for name, texts in replaced.items()):
                return True
        return False

    def write(
        self,
        rows: pa.Table,
        contract: Contract,
        *,
        fingerprint: str = "",
        mode: str = "overwrite",
        columns_grow: bool = False,
    ) -> TableVersion:
        """Check Arrow rows against the contract of their table, write them, by its partitions, and commit them.

        With `columns_grow`, new columns are null in the rows that stay. Raises CheckFailed, with nothing written, if
        they break the contract.
        """
        table = contract.table
        rows = rows.cast(utc(rows.schema))
        require_passed(check_rows(contract, rows))
        if mode == "overwrite":
            self.sweep(table)
        by = contract.partition_by
        files = write_rows(rows, self.writing_folder(table), by, token=self.begin_write(table))
        return self.commit(
            table,
            files,
            rows.schema,
            partition_by=by,
            fingerprint=fingerprint,
            mode=mode,
            columns_grow=columns_grow,
            indexed=contract.not_personal(rows.column_names),
        )

    def write_partition(
        self, rows: pa.Table, contract: Contract, values: Mapping[str, object], *, fingerprint: str = ""
    ) -> TableVersion:
        """Check Arrow rows, write them and commit them in place of one partition; the other partitions stay.

        `values` are the partition's: they become columns where the rows lack them. No rows leave an empty partition. A
        table of an older lake, without partitions, is put into them once. Raises CheckFailed, with nothing written, if
        the rows break the contract; StoreError if they have a stored column as another type.
        """
        table, by = contract.table, contract.partition_by
        stored = self.find(table)
        rows = typed_if_empty(rows, contract, stored.schema if stored else None)
        rows = in_partition(rows, {name: values[name] for name in by}, stored.schema if stored else None)
        require_passed(check_rows(contract, rows))
        self.sweep(table)
        token = self.begin_write(table)
        texts = {name: str(values[name]) for name in by}
        if stored is not None and not stored.partition_by:
            rows = pa.concat_tables([rows_beside(stored, texts), rows], promote_options="permissive")
            written = write_rows(rows, self.writing_folder(table), by, token=token)
            files = self._sealed(table, written, contract.not_personal(rows.column_names))
            return self._create(table, files, rows.schema, by, _properties(fingerprint), mode="overwrite")
        return self.commit(
            table,
            write_rows(rows, self.writing_folder(table), by, token=token),
            rows.schema,
            partition_by=by,
            fingerprint=fingerprint,
            replaced={name: [text] for name, text in texts.items()},
            columns_grow=True,
            indexed=contract.not_personal(rows.column_names),
        )

    def write_part(
        self, table: str, column: str, value: str, rows: pa.Table, *, token: str, repeating: Sequence[str] = ()
    ) -> Path:
        """Write Arrow rows as a file of the partition where `column` is `value`, for a later commit.

        The `token` is one that `begin_write` gave for this table. The `repeating` columns have few different values:
        only theirs go into dictionaries.
        """
        return write_partition(
            rows, self.writing_folder(table), {column: value}, name=f"{token}-{uuid4().hex[:8]}", repeating=repeating
        )

    def steps(self, table: str) -> Steps:
        """Return the steps that an unfinished run of a table had ended."""
        return Steps(self.path(table), self.writing_folder(table), self.digests)

    def sweep(self, table: str, *, digest: str = "") -> int:
        """Delete files that a killed run left: no commit names them, and the journal proves that Tenure wrote them.

        Those of steps after which a run of `digest` resumes stay. Returns how many files were deleted; on S3 none are
        before this run's own commit to the table. Whatever else lies in the table's folder is not Tenure's to delete:
        `strangers` names it.
        """
        steps = self.steps(table)
        resumed = steps.finished(digest) if digest else {}
        if not resumed:
            steps.forget()
        if isinstance(self.folder, S3Location):
            self._to_sweep.add(table)
            return 0
        return self._sweep(table, resumed)

    def _sweep(self, table: str, resumed: Mapping[str, Sequence[Location]]) -> int:
        named = {*self._named_files(table), *(file for files in resumed.values() for file in files)}
        folder = self.path(table)
        own = tokens(folder)
        left: set[str] = set()
        swept = 0
        for file in self.data_files(table):
            token = token_of(file) or _incoming_token(file, folder)
            if token in own and file not in named:
                file.unlink()
                self.digests.forget(file)
                swept += 1
            else:
                left.add(token)
        for incoming in folder.glob("_incoming-*") if isinstance(folder, Path) else ():
            if token_of(incoming) in own:
                shutil.rmtree(incoming)
        if own - left:
            keep_tokens(folder, own & left)
        return swept

    def strangers(self, table: str) -> list[Location]:
        """Return data files in a table's folder that neither a commit nor the journal knows."""
        named, folder = self._named_files(table), self.path(table)
        own, found = tokens(folder), self.data_files(table)
        return [f for f in found if f not in named and (token_of(f) or _incoming_token(f, folder)) not in own]

    def data_files(self, table: str) -> list[Location]:
        """Return the Parquet files in a table's folder, whether a commit names them or not."""
        folder = self.path(table)
        return [file for file in files_below(folder, "*.parquet") if LOGS not in below(file, folder).parts]

    def _named_files(self, table: str) -> set[Location]:
        """The files that a retained commit names, and those of the newest version."""
        current = self.find(table, verified=False)
        # Delta drops logs that a checkpoint has replaced, so the newest version is asked too.
        return {*self._delta_log(table).added_files(), *(current.files if current else ())}


def _with_stored_columns(delta: DeltaTable, schema: pa.Schema) -> pa.Schema | None:
    """Return the stored columns, then those that are new; None if a column is stored as another type."""
    stored, new = pa.schema(delta.schema().to_arrow()), utc(schema)
    if any(field.name in stored.names and stored.field(field.name).type != field.type for field in new):
        return None
    return pa.schema([*stored, *(field for field in new if field.name not in stored.names)])


def _properties(
    fingerprint: str,
    partitions: Mapping[str, Ingredients] | None = None,
    kind: str = "",
    meanings: Mapping[str, str] | None = None,
) -> CommitProperties:
    noted = {FINGERPRINT: fingerprint}
    if partitions:
        noted[PARTITIONS] = json.dumps(partitions)
    if meanings:
        noted[MEANINGS] = json.dumps(meanings)
    if kind:
        noted[KIND] = kind
    return CommitProperties(custom_metadata=noted)


def damaged(lake: Lake, table: str, problem: str) -> DamagedLake:
    """Return the error of a table that can't be trusted, with the way to make it anew."""
    return DamagedLake(
        f"table '{table}' in '{lake.folder}' is damaged: {problem}. Nothing was read from it.",
        hint="See all damage with 'tenure verify --integrity'. Restore the file from a backup, or run 'tenure repair', "
        "which moves it aside and builds again what can be built.",
    )


def _incoming_token(file: Location, folder: Location) -> str:
    """The token of the folder in which a cluster wrote a file; '' if in none."""
    return token_of(folder / below(file, folder).parts[0])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
