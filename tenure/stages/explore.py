"""Look at the tables: profiles, distributions and associations of all columns, as tables of the lake and as a page.

 files of a table ─► batches of some columns ─► profiles, distributions
 features         ─► batches of all columns  ─► associations of all pairs
 training_set     ─► the rows of train       ─► associations with the label

Files are read as they lie in the lake, by whatever engine they were written; no table is held in memory.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenure.checks.in_memory import schema_of
from tenure.define.personal import personal_cells, personal_columns, personal_keys
from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.errors import TenureError
from tenure.insight.associations import MOST_LEVELS, Association, Associations, Levels, NumberScale
from tenure.insight.column_profile import (
    CategoryColumn,
    NumberColumn,
    columns_at_once,
    kind_of,
    numbers_of,
    ordered,
    quartiles,
    rank_grid,
    stride_for,
)
from tenure.insight.profile_rows import (
    Row,
    Subject,
    category_rows,
    distribution_of_numbers,
    distribution_of_texts,
    number_rows,
)
from tenure.leaks.label_associations import label_associations
from tenure.publish.explore_page import ExploreInput, explore_page
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Outcome, Work
from tenure.storage.location import make_folder, write_whole
from tenure.store.rows import read_batches
from tenure.store.runs import StageRun
from tenure.store.table import TableVersion

PAGE = "explore.html"

#: The tables that it writes; the first part of their names is no stage's.
TABLES = ("explore/profiles", "explore/distributions", "explore/correlations", "explore/labels")

#: What a number in them means: raise it where another Tenure computes other ones.
_METHOD = 1

#: Rows read at a time: for one column after the other, and for all at once.
_BATCH, _PRODUCTS_BATCH = 65_536, 16_384


@dataclass
class _Found:
    """What was found so far: the rows of the tables, and what the associations need of each column of features."""

    profiles: list[Row] = field(default_factory=list)
    distributions: list[Row] = field(default_factory=list)
    numbers: list[NumberScale] = field(default_factory=list)
    categories: list[Levels] = field(default_factory=list)
    patterns: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Table:
    """A table to look at: its version, the columns that may be looked at, and the column that divides it in parts."""

    version: TableVersion
    subjects: Mapping[str, Subject]
    part: str = ""


def explore(work: Work) -> StageRun:
    """Look at staged tables and features, keep what was found, write explore.html, and return the ledger's record.

    Nothing is done if neither definitions nor tables changed. Raises MissingTable if the features are not built.
    """
    record, begun = StageRun(run_id=work.run_id, stage="explore", status="failed"), time.perf_counter()
    with work.boundary("'tenure explore'"), work.lake.locked():
        work.progress.begin("explore")
        try:
            outcome = _explored(work)
            record.status = "built" if outcome.built else "current"
            record.rows, record.versions, record.fingerprint = outcome.rows, outcome.versions, outcome.fingerprint
            record.message = outcome.message
        except TenureError as error:
            record.message = error.message
            raise
        except KeyboardInterrupt:
            record.status = "interrupted"
            raise
        finally:
            work.progress.end()
            record.seconds = time.perf_counter() - begun
            record.record(work.lake)
    return record


def _explored(work: Work) -> Outcome:
    outcome = Outcome()
    features = _features(work, work.require("features"))
    sources = list(_sources(work))
    training_set = work.lake.find("training_set")
    versions = [table.version for table in (features, *sources)] + ([training_set] if training_set else [])
    digest = fingerprint([_METHOD, work.definitions, *(version.fingerprint for version in versions)])
    file = work.output / PAGE
    if file.is_file() and work.find_current(TABLES, digest, outcome):
        return outcome
    found = _Found()
    with ThreadPoolExecutor(work.config.engine.threads or os.cpu_count()) as pool:
        for table in (features, *sources):
            _profile(work, table, found, pool, is_associated=table is features)
        correlations = _correlations(work, features, found, pool)
        labels = _labels(work, features, training_set, pool)
    page = explore_page(_input(work, (features, *sources), found, correlations, labels)).encode()
    make_folder(file.parent)
    write_whole(file, page)
    kept = [_table("explore/profiles", found.profiles), _table("explore/distributions", found.distributions)]
    kept += [_pairs(correlations), _table("explore/labels", labels)]
    for name, rows in zip(TABLES, kept, strict=True):
        work.keep(name, rows, digest, outcome)
    columns = sum(len(table.subjects) for table in (features, *sources))
    note = "" if labels else "; no label was read: the training set is not built, or has no row of train"
    outcome.message = f"{columns:,} columns, {len(correlations):,} pairs; {PAGE} is {len(page) / 1e6:.1f} MB{note}"
    return outcome


def _features(work: Work, version: TableVersion) -> _Table:
    """The features, without the keys; those made of personal columns are marked."""
    personal = personal_cells(work.project)
    subjects = {}
    for name, described in work.project.described_columns.items():
        kind = kind_of(version.schema.field(name).type) if name in version.schema.names else None
        if kind:
            subjects[name] = Subject("features", name, kind, described.text, described.unit, name in personal)
    return _Table(version, subjects, "snapshot_date")


def _sources(work: Work) -> Iterator[_Table]:
    """The staged tables that are there."""
    for source in work.project.sources.values():
        version = work.lake.find(f"staging/{source.name}")
        if version is not None:
            yield _Table(version, _columns_of(work, source, version))


def _columns_of(work: Work, source: Source, version: TableVersion) -> dict[str, Subject]:
    """The columns of a source that may be looked at: no personal one, no metadata, no key, which names rows."""
    hidden = personal_columns(source) | personal_keys(work.project) | set(work.project.entity.keys) | set(source.keys)
    subjects = {}
    for column in source.columns:
        if column.name in hidden or column.role in ("metadata", "key") or column.name not in version.schema.names:
            continue
        kind = kind_of(version.schema.field(column.name).type)
        if kind:
            subjects[column.name] = Subject(version.table, column.name, kind, column.doc, column.unit)
    return subjects


def _profile(work: Work, table: _Table, found: _Found, pool: Executor, *, is_associated: bool) -> None:
    """Count the columns of a table, as many at once as fit, and add what was found."""
    done = 0
    names = list(table.subjects)
    for some in columns_at_once(table.version.rows, names):
        work.progress.of(table.version.table, done, len(names), table.version.rows)
        _profile_some(table, some, found, pool, is_associated=is_associated)
        done += len(some)


def _profile_some(table: _Table, some: Sequence[str], found: _Found, pool: Executor, *, is_associated: bool) -> None:
    """Count some columns and add what was found; their cells are let go."""
    columns, patterns = _counted(table, some)
    described = pool.map(_described, [table.subjects[name] for name in some], [columns[name] for name in some])
    for name, (profiles, distributions, scale) in zip(some, described, strict=True):
        found.profiles += profiles
        found.distributions += distributions
        if is_associated and isinstance(scale, NumberScale):
            pattern = found.patterns.setdefault(patterns[name], len(found.patterns))
            found.numbers.append(replace(scale, pattern=pattern))
        elif is_associated and isinstance(scale, Levels):
            found.categories.append(scale)


def _described(
    subject: Subject, column: NumberColumn | CategoryColumn
) -> tuple[list[Row], list[Row], NumberScale | Levels | None]:
    """A column's rows of the two tables, and how it is associated with others: None if it has too many values."""
    if isinstance(column, NumberColumn):
        cells = column.sorted_whole
        _, center, _ = quartiles(cells) or (0.0, 0.0, 0.0)
        scale = NumberScale(subject.name, center, column.whole.deviation or 0.0, rank_grid(cells), 0)
        return list(number_rows(subject, column)), list(distribution_of_numbers(subject, column)), scale
    values = tuple(value for value, _ in ordered(column.whole)[:MOST_LEVELS])
    levels = None if column.is_full else Levels(subject.name, values)
    return list(category_rows(subject, column)), list(distribution_of_texts(subject, column)), levels


def _counted(table: _Table, names: Sequence[str]) -> tuple[dict[str, NumberColumn | CategoryColumn], dict[str, bytes]]:
    """Read some columns once; return what was counted, and a digest of where the numbers' cells are missing."""
    stride = stride_for(table.version.rows)
    columns: dict[str, NumberColumn | CategoryColumn] = {
        name: CategoryColumn() if table.subjects[name].kind == "category" else NumberColumn(stride) for name in names
    }
    patterns = {name: hashlib.blake2b(digest_size=16) for name in names}
    wanted = [*names, table.part] if table.part else names
    for batch in read_batches(table.version, wanted, _BATCH):
        for part, rows in _parts(batch, table.part):
            for name in names:
                column, cells = columns[name], rows.column(name)
                if isinstance(column, CategoryColumn):
                    column.add(part, cells)
                else:
                    numbers = numbers_of(cells)
                    column.add(part, numbers)
                    patterns[name].update(np.packbits(np.isnan(numbers)).tobytes())
    return columns, {name: pattern.digest() for name, pattern in patterns.items()}


def _parts(batch: pa.RecordBatch, column: str) -> Iterator[tuple[Hashable, pa.RecordBatch]]:
    """A batch by its values of a column, of which a file has one as a rule; the whole batch without a column."""
    if not column:
        yield "", batch
        return
    found = batch.column(column)
    for value in pc.unique(found).to_pylist():
        yield value, batch if pc.count_distinct(found).as_py() == 1 else batch.filter(pc.equal(found, value))


def _correlations(work: Work, features: _Table, found: _Found, pool: Executor) -> list[Association]:
    """The associations of all pairs of features, in one pass."""
    sums = Associations(found.numbers, found.categories, pool)
    names = [column.name for column in found.numbers] + [category.name for category in found.categories]
    if len(names) < 2:
        return []
    levels = {category.name: pa.array(category.values, pa.string()) for category in found.categories}
    done, total = 0, features.version.rows
    for batch in read_batches(features.version, names, _PRODUCTS_BATCH):
        work.progress.of("pairs of features", done, total, done)
        numbers = {column.name: numbers_of(batch.column(column.name)) for column in found.numbers}
        sums.add(numbers, {name: _codes(batch.column(name), values) for name, values in levels.items()})
        done += batch.num_rows
    return list(sums.pairs())


def _codes(cells: pa.Array, levels: pa.Array) -> npt.NDArray[np.int64]:
    """Each cell's place among the levels, their number for another value, −1 where it is missing."""
    found = pc.fill_null(pc.index_in(cells, levels), len(levels))
    codes = np.array(found.to_numpy(zero_copy_only=False), dtype=np.int64)
    codes[np.array(cells.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)] = -1
    return codes


def _labels(work: Work, features: _Table, training_set: TableVersion | None, pool: Executor) -> list[Row]:
    """What each feature alone says of the label within train; nothing without a training set."""
    if training_set is None:
        return []
    names = [name for name in features.subjects if name in training_set.schema.names]
    rows: list[Row] = []
    keys, personal = work.project.entity.keys, personal_cells(work.project)
    for found in label_associations(training_set, keys, names, personal, pool):
        work.progress.of("labels of train", len(rows), len(names), found.rows)
        row = asdict(found)
        rows.append({"column_name": row.pop("column"), **row})
    return rows


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as a table of the lake."""
    return pa.Table.from_pylist(list(rows), schema=schema_of(FIXED[name]))


def _pairs(correlations: Sequence[Association]) -> pa.Table:
    """The associations as a table of the lake."""
    schema = schema_of(FIXED["explore/correlations"])
    columns = list(zip(*correlations, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(cells, field.type) for cells, field in zip(columns, schema, strict=True)], schema=schema)


def _input(
    work: Work, tables: Sequence[_Table], found: _Found, correlations: Sequence[Association], labels: Sequence[Row]
) -> ExploreInput:
    """The inputs of the page."""
    columns = [column for source in work.project.sources.values() for column in source.columns]
    return ExploreInput(
        project=work.project.name,
        subjects=[subject for table in tables for subject in table.subjects.values()],
        rows={table.version.table: table.version.rows for table in tables},
        left_out=sum(column.is_personal or column.role == "metadata" for column in columns),
        profiles=found.profiles,
        distributions=found.distributions,
        correlations=correlations,
        labels=labels,
    )
