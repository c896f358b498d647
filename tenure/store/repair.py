"""Repair: damaged files are moved aside, never deleted, and what can be made again is made ready for that.

damage in                          before the stages run                    after they ran
a log's hint, checkpoint, digests  written anew: nothing is lost
a log of a table that is built     the table's folder is moved aside
a log of any other table           written anew, of what is whole
a file of a table that is built    it counts as not there                   moved aside: other files have its rows
a file of a record                 an older version, or the other files     moved aside
steps, a model's file              moved aside

Everything that is moved lies in `damaged/<run>/` of the lake, with the path that it had.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from tenure.define.table_contracts import FIXED
from tenure.errors import TenureError
from tenure.storage.location import Location, below, files_below, for_arrow, is_below, move, written_at
from tenure.store.chain import ANCHOR
from tenure.store.delta_log import LOGS
from tenure.store.forgotten import note_forgotten
from tenure.store.history import restore
from tenure.store.integrity import Damage
from tenure.store.lake import Lake
from tenure.store.log_digests import DIGESTS
from tenure.store.runs import chain_anew
from tenure.store.sealed import file_problem
from tenure.store.steps import STEPS
from tenure.store.table import FileFacts, TableVersion, partition_name

#: The folder of what was moved aside.
FOLDER = "damaged"

#: The columns that tell one row of a record from another.
_IDENTITY = {"runs": ("run_id", "stage", "started_at"), "manifests": ("name", "version")}

#: What a table's rows are: built again by its stage; what was said of each partition at its time; rows that commits
#: added one after the other; or what the newest commit wrote.
Kept: TypeAlias = Literal["built", "partitions", "rows", "newest"]


@dataclass(frozen=True)
class Repaired:
    """What was done about a table: the files that were moved aside, and what that means."""

    table: str
    moved: tuple[str, ...]
    meaning: str
    is_loss: bool = False


class Repair:
    """The repair of one damaged table: `prepare` before its stage runs again, `finish` afterwards; hold the lock."""

    def __init__(self, lake: Lake, table: str, run_id: str, kept: Kept, damages: Sequence[Damage]) -> None:
        """Know what is damaged; nothing is done."""
        self._lake, self._table, self._kept = lake, table, kept
        self._folder = lake.path(table)
        self._aside = lake.folder / FOLDER / run_id
        files = {lake.folder / damage.file for damage in damages}
        self._steps = {file for file in files if file.name == STEPS}
        self._logs = {file for file in files if file.parent == self._folder / LOGS or file.name == DIGESTS}
        self._models = {file for file in files if is_below(file, lake.path("models") / "files")}
        self._anchor = {file for file in files if file == lake.folder / ANCHOR}
        self._data = files - self._steps - self._logs - self._models - self._anchor
        self._is_built_anew = False

    @property
    def name(self) -> str:
        """The table's name."""
        return self._table

    def lacks_rows(self) -> bool:
        """Whether its stage has to run again: rows of its newest version, or a model's files, are damaged."""
        return bool(self._is_built_anew or self._models or self._lost())

    def lost_partitions(self) -> list[str]:
        """Return the values of the partitions, of a table with one partition column, that are not whole; [] for all."""
        return [file.parent.name.partition("=")[2] for file in self._lost()]

    def _lost(self) -> list[Location]:
        """The damaged files that the newest version names."""
        version = None if self._is_built_anew else self._lake.find(self._table, verified=False)
        return [file for file in version.files if file in self._data] if version else []

    def prepare(self) -> Iterator[Repaired]:
        """Do what must be done before the stages run, and yield it."""
        if self._steps or self._data & set(self._lake.steps(self._table).files()):
            record = self._lake.steps(self._table).record
            yield Repaired(self._table, self._move([record]), "an unfinished run of it begins anew")
        if self._models:
            yield Repaired(self._table, self._move(self._models), "the model is trained again if it is the newest")
        if self._logs:
            yield self._with_whole_log()
        elif self._data:
            yield from self._without_data()
        if self._table == "runs":
            yield self._anchored()

    def finish(self) -> Iterator[Repaired]:
        """Move aside the damaged files that no version needs any more, and yield what is lost."""
        if not self._data:
            return
        lost = self._lost()
        version = self._lake.find(self._table, verified=False) if lost else None
        if version:
            self._remove(version, lost)
        note_forgotten(self._folder, self._data)
        moved = self._move(self._data)
        if version:
            names = sorted({partition_name(file, version.partition_by) for file in lost} - {""})
            meaning = f"the rows of {', '.join(names) or 'a file'} are lost: nothing can make them again"
            yield Repaired(self._table, moved, meaning, is_loss=True)
        else:
            yield Repaired(self._table, moved, "the newest version is whole; the older ones lost these files")

    def _without_data(self) -> Iterator[Repaired]:
        """Go on without the damaged files: a stage makes them again, or an older version of a record counts."""
        version = self._lake.find(self._table, verified=False)
        if version is None or not self._data & set(version.files):
            return
        if self._kept in ("built", "partitions"):
            self._lake.overlook(self._data)
        elif self._kept == "newest":
            older = self._newest_whole(version)
            if older is not None:
                restore(self._lake, self._table, older.version)
                yield Repaired(
                    self._table, (), f"version {older.version} is the newest that is whole: it counts now", True
                )
                return
            self._lake.overlook(self._data)
        else:
            self._remove(version, [file for file in version.files if file in self._data])
            yield Repaired(self._table, (), "the rows of a damaged file are lost, the others stay", is_loss=True)

    def _newest_whole(self, newest: TableVersion) -> TableVersion | None:
        for number in range(newest.version - 1, -1, -1):
            try:
                found = self._lake.find(self._table, number, verified=False)
            except DeltaError:
                return None  # Delta no longer knows what it and the older ones held.
            if found and not any(file_problem(file, self._lake.digests) for file in found.files):
                return found
        return None

    def _remove(self, version: TableVersion, lost: Collection[Location]) -> None:
        """Commit the table without some files; the partitions that they lie in count as not built."""
        left = version.without(lost)
        self._lake.commit_removal(self._table, lost, left.partitions if left else {})

    def _with_whole_log(self) -> Repaired:
        if self._can_be_sealed_anew():
            moved = self._sealed_anew()
            if self._is_as_its_log_says():
                return Repaired(self._table, moved, "nothing is lost")
        if self._kept == "built":
            self._is_built_anew = True
            moved = self._move(files_below(self._folder, "*"))
            return Repaired(self._table, moved, "the table is built again; its older versions are lost")
        present = self._lake.data_files(self._table)
        whole = [file for file in present if file not in self._data]
        whole = [file for file in whole if not file_problem(file, self._lake.digests)]
        whole.sort(key=written_at)
        rest = [file for file in files_below(self._folder, "*") if file not in whole and file not in self._models]
        by = _partition_columns(whole[-1], self._folder) if whole else ()
        if self._kept == "partitions":
            whole = list({file.parent: file for file in whole}.values())
        elif self._kept == "newest":
            whole = whole[-1:]
        superseded = set(present) - set(whole)
        moved = self._move([*(file for file in rest if not is_below(file, self._folder / "files")), *superseded])
        self._data = set()
        if not whole:
            self._is_built_anew = True
            return Repaired(self._table, moved, "no file of it is whole: all is lost", is_loss=True)
        if self._kept == "rows":
            rows = _distinct(self._table, [pq.read_table(for_arrow(file), partitioning=None) for file in whole])
            self._move(whole)
            self._lake.write(rows, FIXED[self._table])
        else:
            self._lake.commit(self._table, whole, _schema(whole[-1], by), partition_by=by)
        return Repaired(self._table, moved, "its newest rows are kept; its older versions are lost", is_loss=True)

    def _can_be_sealed_anew(self) -> bool:
        """Whether the commits are all there as they were written, and only what can be made of them is damaged."""
        logs = sorted(file for file in files_below(self._folder / LOGS, "*.json"))
        numbers = [int(file.name.partition(".")[0]) for file in logs]
        if not logs or numbers != list(range(len(numbers))):
            return False
        if self._folder / DIGESTS in self._logs:
            # Nothing tells of the commits now but they themselves.
            return all(map(_is_log, logs))
        return not self._logs & set(logs)

    def _sealed_anew(self) -> tuple[str, ...]:
        moved = self._move(file for file in self._logs if file.suffix != ".json" or file.name == DIGESTS)
        self._lake.log(self._table).begin_commit()
        self._lake.log(self._table).seal()
        return moved

    def _is_as_its_log_says(self) -> bool:
        """Whether the newest version has the files, whose names tell their content, and the rows that its log tells."""
        try:
            version = self._lake.find(self._table, verified=False)
        except (TenureError, DeltaError):
            return False
        if version is None or any(file_problem(file, self._lake.digests) for file in version.files):
            return False
        return version.rows == sum(FileFacts.of(file).rows for file in version.files)

    def _anchored(self) -> Repaired:
        """The ledger's chain, begun anew over the rows that are left."""
        moved = self._move(self._anchor)
        if self._lake.find("runs", verified=False) is None:
            return Repaired(self._table, moved, "the ledger begins anew", is_loss=True)
        chain_anew(self._lake)
        return Repaired(self._table, moved, "the ledger's chain begins anew with the rows that it has")

    def _move(self, files: Iterable[Location]) -> tuple[str, ...]:
        """Move files aside and return their paths in the lake; what is gone is not moved."""
        moved = []
        for file in sorted(file for file in set(files) if file.is_file()):
            path = str(below(file, self._lake.folder))
            move(file, self._aside / path)
            self._lake.digests.forget(file)
            moved.append(path)
        return tuple(moved)


def _partition_columns(file: Location, folder: Location) -> tuple[str, ...]:
    return tuple(part.partition("=")[0] for part in below(file, folder).parts[:-1])


def _schema(file: Location, partition_by: Sequence[str]) -> pa.Schema:
    """The columns of a file, and those of its folders."""
    stored = pq.read_schema(for_arrow(file))
    types: Mapping[str, pa.DataType] = {"snapshot_date": pa.date32(), "period_end": pa.date32()}
    added = [pa.field(name, types.get(name, pa.string())) for name in partition_by if name not in stored.names]
    return pa.schema([*stored, *added])


def _distinct(table: str, files: Iterable[pa.Table]) -> pa.Table:
    """The rows of a record's files, once each, as the newest file has them: a merged file holds those of older ones."""
    rows = pa.concat_tables(files, promote_options="default")
    found = {tuple(row[name] for name in _IDENTITY[table]): row for row in rows.to_pylist()}
    return pa.Table.from_pylist(list(found.values()), schema=rows.schema)


def _is_log(file: Location) -> bool:
    """Whether every line of a commit is an action."""
    try:
        return all(isinstance(json.loads(line), dict) for line in file.read_bytes().splitlines())
    except (OSError, ValueError):
        return False
