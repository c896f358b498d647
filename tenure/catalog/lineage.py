"""Lineage: a column's upstream, back to the raw columns, and its downstream, on to the models."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenure.catalog.models import newest_training
from tenure.define.project import Project
from tenure.define.window import ColumnName
from tenure.errors import UnknownColumn, choices
from tenure.session.meaning import LABEL
from tenure.session.origins import Origin, Origins, Reading
from tenure.session.work import Work


@dataclass(frozen=True)
class Reader:
    """One thing that reads a column: a feature, a service, a churn definition or a model, with the columns it makes."""

    kind: str
    name: str
    summary: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """A column, its upstream, and the things that read it."""

    origin: Origin
    read_by: tuple[Reader, ...]

    def drawn(self) -> str:
        """Return both directions as trees of text."""
        lines = [_step(self.origin), *_branches(self.origin.upstream)]
        readers = len(self.read_by)
        if readers:
            lines += ["", f"read by {readers}"]
        for number, reader in enumerate(self.read_by, start=1):
            branch, _ = _LAST if number == readers else _OTHERS
            lines.append(f"{branch}{_line(reader)}")
        return "\n".join(lines)


#: How the last branch of a tree is drawn, and the others: at its own line, and at the lines below.
_LAST, _OTHERS = ("└─ ", "   "), ("├─ ", "│  ")


def lineage(work: Work, name: str) -> Lineage:
    """Return the lineage of a feature column, of a table's column (`labels.churned`) or a source's (`loans.amount`).

    A name without a table is a feature column, or else that of the first table that has it. Raises UnknownColumn.
    """
    origins = Origins(work.project, work.dialect, work.churn)
    table, column = _place(origins, name)
    return Lineage(origins.origin(table, column), tuple(_readers(work, origins, table, column)))


def _place(origins: Origins, name: str) -> tuple[str, str]:
    """The table and column that a name means; raises UnknownColumn, with names near it."""
    project, columns = origins.project, origins.table_columns
    table, _, column = name.rpartition(".")
    table = table.removeprefix("staging/")
    if not table:
        for made in ("features", *columns):
            if made not in project.sources and column in columns[made]:
                return made, column
    elif column in columns.get(table, ()):
        return table, column
    near = _near(origins, name)
    hint = f"near: {', '.join(near)}" if near else f"tables: {choices(columns, 30)}"
    raise UnknownColumn(
        f"'{name}' is no feature column of project '{project.name}', and no column of a table; {hint}.",
        hint="See features with 'tenure features list'; write another table's column as TABLE.COLUMN.",
    )


def _near(origins: Origins, name: str) -> list[str]:
    """At most three columns that a name may mean: of the same name in another table, or else of a similar one."""
    known = list(origins.features)
    for table, columns in origins.table_columns.items():
        known += [f"{table}.{column}" for column in columns]
    wanted = name.rpartition(".")[2]
    same = [text for text in known if text.rpartition(".")[2] == wanted]
    return same[:3] or difflib.get_close_matches(name, known, 3)


def _readers(work: Work, origins: Origins, table: str, column: str) -> Iterator[Reader]:
    project = work.project
    if table in project.sources:
        direct = [name for name in project.columns if _is_among(origins.readings_of(name), table, column)]
        if _is_among(origins.churn_readings(), table, column):
            yield Reader("churn definition", work.churn.name, work.churn.where_defined, ("labels.churned",))
    elif table in ("features", "training_set") and column in origins.features:
        direct = [origins.features[column]]
    else:
        return
    compared = list(_comparisons_of(project, direct))
    reached = [*direct, *compared]
    yield from _features(origins, reached if table in project.sources else compared)
    names = set(map(str, reached))
    for service in project.services.values():
        chosen = project.chosen(service.features)
        yield from _using("feature service", service.name, service.where_defined, chosen, names)
    for version, (summary, read) in _models(work).items():
        yield from _using("model", version, summary, read, names)


def _is_among(readings: Iterable[Reading], source: str, column: str) -> bool:
    """Whether a source's column is one of those read."""
    return any((reading.source, reading.column) == (source, column) for reading in readings)


def _using(kind: str, name: str, summary: str, read: Iterable[object], reached: set[str]) -> Iterator[Reader]:
    """The reader, if one of the columns that it reads was reached."""
    used = tuple(text for text in map(str, read) if text in reached)
    if used:
        yield Reader(kind, name, summary, used)


def _comparisons_of(project: Project, columns: Sequence[ColumnName]) -> Iterator[ColumnName]:
    """The ratios and trends that compare one of the columns."""
    for view in project.views.values():
        for _, name, parts in view.comparisons:
            if not set(parts).isdisjoint(columns):
                yield name


def _features(origins: Origins, names: Sequence[ColumnName]) -> Iterator[Reader]:
    """The definitions of feature columns, each once with its columns."""
    made: dict[str, tuple[str, list[str]]] = {}
    for name in names:
        view, feature, _ = origins.defined[name]
        summary = f"{type(feature).__name__} of view '{view.name}'"
        made.setdefault(f"{feature.name} ({feature.where_defined})", (summary, []))[1].append(str(name))
    for defined, (summary, columns) in made.items():
        yield Reader("feature", defined, summary, tuple(columns))


def _models(work: Work) -> Mapping[str, tuple[str, list[str]]]:
    """The newest training's models by version, the champion first, with the columns that each one reads."""
    if work.lake.find("models") is None:
        return {}
    found: dict[str, tuple[str, list[str]]] = {}
    for row in newest_training(work):
        summary = row["kind"] + (", champion" if row["champion"] else "")
        # A registry of an older Tenure does not say what a model reads.
        read = [name for name in json.loads(row.get("definitions") or "{}") if name != LABEL]
        found[row["model_version"]] = summary, read
    return found


def _branches(origins: Sequence[Origin], indent: str = "") -> Iterator[str]:
    """The steps drawn as a tree, each with its own ones below it."""
    for number, one in enumerate(origins, start=1):
        branch, below = _LAST if number == len(origins) else _OTHERS
        yield f"{indent}{branch}{_step(one)}"
        yield from _branches(one.upstream, f"{indent}{below}")


def _step(origin: Origin) -> str:
    return f"{origin.name}  {origin.summary}".rstrip()


def _line(reader: Reader) -> str:
    shown = ", ".join(reader.columns[:6])
    rest = len(reader.columns) - 6
    more = f", … ({rest} more)" if rest > 0 else ""
    return f"{reader.kind} {reader.name}, {reader.summary}: {shown}{more}"
