"""Personal data downstream: for each column that a source declares personal, the features computed from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from operator import attrgetter

from tenure.define.churn import ChurnDefinition
from tenure.define.feature import Ratio, Trend
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.session.origins import Origin, Origins, Reading
from tenure.sql import Dialect


def personal_origins(project: Project, dialect: Dialect, churn: ChurnDefinition) -> dict[str, tuple[str, ...]]:
    """Return each column declared personal, as 'source.column', with the feature columns computed from its values.

    A feature is made of what it reads: values, times, conditions; through a source's select too, as far as that can be
    traced. 'churned' is the label. Whose row a row is, by the entity's key, is no value.
    """
    traced = Origins(project, dialect, churn)
    raw_columns = cache(lambda source, column: frozenset(_raw_columns(traced.origin(source, column))))
    read = {str(column): set(_read(traced, column)) for column in project.columns}
    read["churned"] = set(_values(traced.churn_readings()))
    found = {}
    for source, column in _declared(project):
        raws = raw_columns(source, column)
        made = [name for name, reads in read.items() if any(raws & raw_columns(*one) for one in reads)]
        found[f"{source}.{column}"] = tuple(made)
    return found


def _declared(project: Project) -> Iterator[tuple[str, str]]:
    """The (source, column) pairs declared personal, sorted within each source."""
    for source in project.sources.values():
        for column in sorted(source.columns, key=attrgetter("name")):
            if column.is_personal:
                yield source.name, column.name


def _read(traced: Origins, column: ColumnName) -> Iterator[tuple[str, str]]:
    """The source columns from whose values a feature column is computed."""
    _, _, part = traced.defined.get(column, (None, None, None))
    if part is None:
        # Tenure's own: whether the customer was there for all of a window.
        entity = traced.project.sources[traced.project.entity.source]
        yield entity.name, entity.event_time
    elif isinstance(part, Ratio | Trend):
        for name in part.parts[column]:
            yield from _read(traced, name)
    else:
        yield from _values(traced.readings_of(column))


def _values(readings: Iterable[Reading]) -> Iterator[tuple[str, str]]:
    """The source columns that are read for their values, and not to identify the row or its version."""
    for reading in readings:
        if not reading.why.startswith(("whose row it is", "which versions are of one row")):
            yield reading.source, reading.column


def _raw_columns(origin: Origin) -> Iterator[tuple[str, str]]:
    """The raw columns farthest upstream of a column: the file or query, and the column in it."""
    if origin.kind == "raw column":
        yield origin.summary, origin.name.rpartition(".")[2]
    for part in origin.upstream:
        yield from _raw_columns(part)
